//! Names for child processes: what the parent's environment says of them is what they are called.

use std::ffi::OsString;
use std::process::Command;

use super::NAME_APP;
use crate::error::Error;
use crate::rotate::naming::check_app;

/// What the variables with the names of child processes begin with.
const NAME_CHILD_PROCESS: &str = "NAME_CHILD_PROCESS_";

/// Gives a command's process a name of its own, so that it has log files of its own.
pub trait CommandExt {
    /// Has the child called as the environment variable `NAME_CHILD_PROCESS_<child>` of this process says: that is its `NAME_APP`, by which
    /// [`LogConfig::from_env`](crate::LogConfig::from_env) names its file. Everything else of the environment the child inherits as ever; no descriptor of a log file is
    /// inherited.
    ///
    /// # Errors
    ///
    /// When the variable is missing or empty, cannot stand in a file's name, or is the name of this process: two processes never write the same
    /// file.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::process::Command;
    ///
    /// use miu_log::CommandExt;
    ///
    /// // With NAME_APP=orders and NAME_CHILD_PROCESS_MAILER=orders-mailer the child logs into orders-mailer.log.
    /// let child = Command::new("mailer").miu_child("MAILER")?.spawn()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn miu_child(&mut self, child: &str) -> Result<&mut Self, Error>;
}

impl CommandExt for Command {
    fn miu_child(&mut self, child: &str) -> Result<&mut Command, Error> {
        let name = name_of(child, &|name| std::env::var_os(name)).map_err(Error::config)?;
        Ok(self.env(NAME_APP, name))
    }
}

/// The name of a child process, or what is wrong with it.
pub(super) fn name_of(child: &str, lookup: &dyn Fn(&str) -> Option<OsString>) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if child.is_empty() || !child.bytes().all(plain) {
        return Err(format!(
            "{child:?} names no child process; letters a-z and A-Z, digits and _ are expected, such as \"MAILER\" for \
             {NAME_CHILD_PROCESS}MAILER"
        ));
    }
    let variable = format!("{NAME_CHILD_PROCESS}{child}");
    let Some(value) = lookup(&variable).filter(|value| !value.is_empty()) else {
        return Err(format!(
            "the environment variable {variable} is missing or empty; the child process's name is expected, such as \"orders-{}\"",
            child.to_ascii_lowercase()
        ));
    };
    let name = value
        .into_string()
        .map_err(|value| format!("the environment variable {variable} is {value:?}, which is no UTF-8"))?;
    check_app(&name).map_err(|problem| format!("the environment variable {variable} is {problem}"))?;
    if lookup(NAME_APP).is_some_and(|own| own == *name) {
        return Err(format!(
            "the environment variable {variable} is {name:?}, which is the name of this process ({NAME_APP}); one of its own is \
             expected: two processes never write the same file"
        ));
    }
    Ok(name)
}
