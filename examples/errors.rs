//! Errors with their chain of causes and a backtrace, and what is in `error.log` afterwards.
//!
//! Run it with `RUST_BACKTRACE=1` to see the backtraces.

#![allow(clippy::print_stdout, reason = "an example shows what it has written")]

use std::error::Error;
use std::fmt;
use std::fs;
use std::num::ParseIntError;

use miu_log::{LogConfig, log_domains};
use miu_log_examples::log_folder;

/// The areas of the service.
#[log_domains(app, db)]
pub mod logs {}

/// An error with a cause, as `thiserror` would write it.
#[derive(Debug)]
struct SettingError {
    name: &'static str,
    cause: ParseIntError,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the setting `{}` is not a number", self.name)
    }
}

impl Error for SettingError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}

/// An error one level further up.
#[derive(Debug)]
struct StartError(SettingError);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pool cannot be started")
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn start_pool(size: &str) -> Result<u32, StartError> {
    size.parse().map_err(|cause| StartError(SettingError { name: "pool.size", cause }))
}

fn load(path: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
    Ok(fs::read_to_string(path)?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = log_folder();
    let repo = logs::Repository::open(LogConfig::new(&folder).console(false))?;

    // An exception is one record: the message, then indented lines with the error, its causes and the backtrace.
    if let Err(error) = start_pool("many") {
        repo.db.exception("cannot connect", &error);
    }
    // A boxed error is given as `&*error`.
    if let Err(error) = load("/nowhere/settings.toml") {
        repo.app.exception(format_args!("cannot read the settings"), &*error);
    }
    // Where the chain is not wanted, an error is a field like any other value.
    if let Err(error) = start_pool("") {
        miu_log::warning!(repo.db, %error, size = "", "going on with one connection");
        miu_log::debug!(repo.db, ?error);
    }
    // ERROR and CRITICAL are in error.log, WARNING is not. Both wake the listener at once.
    repo.app.error("the last order was not saved");
    repo.app.critical("no space left for orders");

    repo.shutdown();
    print!("error.log:\n{}", fs::read_to_string(folder.join("error.log"))?);
    Ok(())
}
