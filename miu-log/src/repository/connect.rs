//! Joining a repository from another process.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use super::bridges::Intercepting;
use super::{Core, Inner, QueueHandle, Role};
use crate::clock::Clock;
use crate::context::diagnosis;
use crate::domain::DomainSpec;
use crate::error::Error;
use crate::lifecycle::panic_hook;
use crate::queue::{Queue, Settings};
use crate::ring::control::{Control, Unfit};
use crate::ring::segment::LAYOUT_VERSION;
use crate::runtime::about::{About, ClockKind, Diagnose};
use crate::runtime::{CONTROL, is_private, spill_of};
use crate::sync::lock;

/// Environment variable that holds the endpoint of the repository that a process is to join.
const ENDPOINT: &str = "MIU_LOG_ENDPOINT";
/// Environment variable that holds the name of a worker process.
const NAME: &str = "MIU_LOG_WORKER_NAME";

/// How often a process tries to join.
const ATTEMPTS: usize = 10;

/// The control file that a process has joined by: device and inode.
struct Joined {
    path: PathBuf,
    file: (u64, u64),
}

/// Where a repository can be joined by other processes of the same user: its runtime directory.
///
/// It displays as text, and is made from text, for a command line or a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    path: PathBuf,
    name: Option<String>,
}

impl Endpoint {
    /// The same endpoint, joined under this name: it stands in the records of the process where the main process has `main`.
    /// Default: `MIU_LOG_WORKER_NAME`, if it is set and UTF-8, else `Worker-<pid>`. Past 192 bytes it is cut, and `|` and `/`, which
    /// separate the columns of a line, become `_`.
    #[must_use]
    pub fn named(&self, name: impl Into<String>) -> Endpoint {
        Endpoint { path: self.path.clone(), name: Some(name.into()) }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

impl FromStr for Endpoint {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Endpoint, Infallible> {
        Ok(Endpoint::from(text))
    }
}

macro_rules! endpoint_from {
    ($($kind:ty),*) => {$(
        impl From<$kind> for Endpoint {
            fn from(path: $kind) -> Endpoint {
                Endpoint { path: PathBuf::from(path), name: None }
            }
        }
    )*};
}

endpoint_from!(&str, String, OsString, PathBuf);

impl From<&Endpoint> for Endpoint {
    fn from(endpoint: &Endpoint) -> Endpoint {
        endpoint.clone()
    }
}

impl From<&String> for Endpoint {
    fn from(text: &String) -> Endpoint {
        Endpoint::from(text.as_str())
    }
}

impl QueueHandle {
    /// Where other processes can join the repository. Of a repository that has not been opened it is empty, and cannot be joined.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::from(self.inner.queue.folder().map(Path::to_owned).unwrap_or_default())
    }

    /// Lets a command's process join the repository by `Repository::connect()`: puts the endpoint into its environment, as
    /// `MIU_LOG_ENDPOINT`. Nothing else is shared: no descriptor is inherited.
    ///
    /// # Errors
    ///
    /// When the repository has not been opened.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # #[miu_log::log_domains(app)] mod logs {}
    /// # let repo = logs::Repository::open(miu_log::LogConfig::new("logs")).unwrap();
    /// let mut command = std::process::Command::new("mailer");
    /// repo.queue().share_with(&mut command)?;
    /// let child = command.env("MIU_LOG_WORKER_NAME", "mailer").spawn();
    /// # Ok::<(), miu_log::Error>(())
    /// ```
    pub fn share_with(&self, command: &mut Command) -> Result<(), Error> {
        let Some(folder) = self.inner.queue.folder() else {
            return Err(Error::closed("a repository that has not been opened cannot be shared"));
        };
        command.env(ENDPOINT, folder);
        Ok(())
    }
}

impl Core {
    /// Joins the repository named in the environment.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be joined.
    pub fn connect(specs: &'static [DomainSpec]) -> Result<Core, Error> {
        match std::env::var_os(ENDPOINT).filter(|value| !value.is_empty()) {
            Some(path) => Core::connect_to(Endpoint::from(path), specs),
            None => Err(Error::config(format!(
                "{ENDPOINT} is not set: the process that has the repository sets it by `queue.share_with(&mut command)`"
            ))),
        }
    }

    /// Joins a repository of another process.
    ///
    /// # Errors
    ///
    /// When there is none at the endpoint, it belongs to another user, was made by another layout version, or lacks one of the domains.
    pub fn connect_to(endpoint: impl Into<Endpoint>, specs: &'static [DomainSpec]) -> Result<Core, Error> {
        let endpoint = endpoint.into();
        let mut attempts = ATTEMPTS;
        loop {
            let (core, joined) = Core::try_to_connect(endpoint.clone(), specs)?;
            let there = std::fs::metadata(joined.path).map(|found| (found.dev(), found.ino()));
            attempts -= 1;
            if attempts == 0 || there.is_ok_and(|there| there == joined.file) {
                return Ok(core);
            }
            // Its listener has just come to its end, and another one has begun anew, which does not know of this process.
            if let Some(membership) = core.inner.queue.joined() {
                membership.remove_files();
            }
        }
    }

    fn try_to_connect(endpoint: Endpoint, specs: &'static [DomainSpec]) -> Result<(Core, Joined), Error> {
        let Endpoint { path, name } = endpoint;
        let cannot =
            |problem: String| Error::config(format!("cannot join the repository at {path:?}: {problem}"));
        let path = std::path::absolute(&path).map_err(|error| cannot(error.to_string()))?;
        match std::fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(cannot("there is none; its process may have ended".to_owned()));
            }
            Err(error) => return Err(cannot(error.to_string())),
            Ok(_) => {}
        }
        if !is_private(&path) {
            let user = rustix::process::geteuid().as_raw();
            return Err(cannot(format!("it is not a directory that only user {user} can enter")));
        }
        let open = || File::options().read(true).write(true).open(path.join(CONTROL));
        let file = open().map_err(|error| cannot(format!("{CONTROL}: {error}")))?;
        let map = |file: &File| {
            Control::open(file).map_err(|unfit| match unfit {
                Unfit::Version(version) => cannot(format!(
                    "it has layout version {version}; this program speaks version {LAYOUT_VERSION}"
                )),
                Unfit::Strange => cannot(format!("{CONTROL} is not what it should be")),
                Unfit::Io(error) => cannot(error.to_string()),
            })
        };
        let found = file.metadata().map_err(|error| cannot(error.to_string()))?;
        let joined = Joined { path: path.join(CONTROL), file: (found.dev(), found.ino()) };
        let control = map(&file)?;
        let about = About::read(&file).ok_or_else(|| cannot(format!("{CONTROL} is not whole")))?;
        let clock = match (about.clock, Clock::system()) {
            (ClockKind::Manual, _) => Clock::Elsewhere(Arc::new(map(&file)?)),
            (ClockKind::Tsc, clock @ Clock::Tsc) => clock,
            (ClockKind::Monotonic, _) => Clock::Monotonic,
            (ClockKind::Tsc, _) => {
                return Err(cannot(
                    "it uses the processor's time stamp counter, which cannot be had here".to_owned(),
                ));
            }
        };
        let spill = Some(spill_of(&about.log_folder, about.instance())).filter(|spill| *spill != path);
        let settings = Settings {
            folder: Some(path.clone()),
            spill,
            control: Some(file),
            policy: about.policy,
            ring_limit: about.ring_limit,
            heartbeat: about.heartbeat,
            is_private: false,
        };
        if about.diagnose != Diagnose::Nobody {
            diagnosis::ask();
        }
        let domains = about.domains.iter().map(|domain| interned(&domain.name)).collect();
        let inner = Inner::of_queue(Queue::guest(control, domains, clock, settings));
        let mut core = Core::join(QueueHandle { inner: inner.clone() }, specs);
        let missing = core.missing();
        if !missing.is_empty() {
            return Err(Error::domain_mismatch(core.mismatch(&missing)));
        }
        let name = name.or_else(|| std::env::var(NAME).ok().filter(|name| !name.is_empty()));
        inner.queue.join_as(name.as_deref()).map_err(|error| cannot(error.to_string()))?;
        core.role = Role::Guest;
        panic_hook::tell(Arc::downgrade(&inner));
        _ = core.inner.default_domain.set(about.other_crates.as_ref().map_or(0, |routes| routes.default));
        _ = core.inner.accepted_early.set(0);
        Intercepting::of_guest(&about).begin(&core.inner.queue)?;
        Ok((core, joined))
    }
}

/// A text that stays for ever, once however often it is asked for: names of domains, of which there are few.
pub(super) fn interned(text: &str) -> &'static str {
    static KNOWN: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
    let mut known = lock(&KNOWN);
    if let Some(found) = known.iter().find(|found| **found == text) {
        return found;
    }
    let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
    known.push(kept);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECS: &[DomainSpec] = &[DomainSpec { name: "app", file: "app", level: None }];

    #[test]
    fn an_endpoint_is_read_back_from_its_text() {
        let endpoint = Endpoint::from("/dev/shm/miu-log-0/1234");
        assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
    }

    #[test]
    fn places_that_are_no_repository_are_refused_with_the_reason() {
        use std::os::unix::fs::PermissionsExt;
        let temp = tempfile::tempdir().unwrap();
        let refusal = |path: &Path| Core::connect_to(path.to_owned(), SPECS).unwrap_err().to_string();
        assert!(refusal(&temp.path().join("nowhere")).contains("there is none"));
        let open = temp.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, PermissionsExt::from_mode(0o755)).unwrap();
        assert!(refusal(&open).contains("only user"));
        std::fs::set_permissions(&open, PermissionsExt::from_mode(0o700)).unwrap();
        assert!(refusal(&open).contains("control: No such file"));
        std::fs::write(open.join(CONTROL), vec![7; 8192]).unwrap();
        assert!(refusal(&open).contains("not what it should be"));
        let mut other = b"miulogC1".to_vec();
        other.extend(77u32.to_ne_bytes());
        other.resize(8192, 0);
        std::fs::write(open.join(CONTROL), other).unwrap();
        let text = refusal(&open);
        assert!(
            text.contains("layout version 77") && text.contains(&format!("version {LAYOUT_VERSION}")),
            "{text}"
        );
    }

    #[test]
    fn a_name_is_kept_once() {
        assert!(std::ptr::eq(interned("db"), interned(&String::from("db"))));
    }
}
