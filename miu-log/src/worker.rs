//! What a repository tells about its worker processes.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::record::UnixNanos;

/// How a process came to its end, as far as the listener's process can know: it is told only of its own children, and only
/// while nobody else has waited for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExitCause {
    /// It ended with this exit code.
    Exited(i32),
    /// This signal killed it.
    Killed(i32),
    /// Nobody can tell.
    Unknown,
}

impl fmt::Display for ExitCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitCause::Exited(code) => write!(f, "exit code {code}"),
            ExitCause::Killed(signal) => match signal_name(*signal) {
                Some(name) => write!(f, "killed by {name}"),
                None => write!(f, "killed by signal {signal}"),
            },
            ExitCause::Unknown => f.write_str("cause unknown"),
        }
    }
}

fn signal_name(signal: i32) -> Option<&'static str> {
    use rustix::process::Signal;
    let known = [
        (Signal::HUP, "SIGHUP"),
        (Signal::INT, "SIGINT"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::ILL, "SIGILL"),
        (Signal::TRAP, "SIGTRAP"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::KILL, "SIGKILL"),
        (Signal::USR1, "SIGUSR1"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::USR2, "SIGUSR2"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::ALARM, "SIGALRM"),
        (Signal::TERM, "SIGTERM"),
        (Signal::XCPU, "SIGXCPU"),
        (Signal::XFSZ, "SIGXFSZ"),
        (Signal::SYS, "SIGSYS"),
    ];
    known.iter().find(|(known, _)| known.as_raw() == signal).map(|(_, name)| *name)
}

/// What happened to a worker process: what [`LogConfig::on_worker`](crate::LogConfig::on_worker) is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerEvent {
    /// Its name: `Worker-<pid>` where it has not given another one. It is any text: escape it before it is shown.
    pub name: String,
    /// Its number, as it sees itself.
    pub process_id: u32,
    /// What happened.
    pub kind: WorkerEventKind,
}

/// See [`WorkerEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerEventKind {
    /// It has joined, or was found by a listener that has just started.
    Joined,
    /// It has not checked in for more than a second after it should have: it hangs, or is stopped.
    AppearsDead,
    /// It checks in again.
    Back,
    /// It ended without taking leave. Its records up to then are in the files.
    Died {
        /// How it came to its end.
        cause: ExitCause,
        /// How many of its records were found in its rings after its death.
        recovered: u64,
    },
    /// It has taken leave, and all it had logged is written.
    Left,
}

/// What is called with each event.
#[derive(Clone)]
pub(crate) struct OnWorker(pub(crate) Arc<dyn Fn(&WorkerEvent) + Send + Sync>);

impl fmt::Debug for OnWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnWorker")
    }
}

/// What was brought into the files of runs that did not end properly: see `recovery()` of the generated repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// How many records.
    pub records: u64,
    /// How many rings or records could not be read. Their files are kept beside the rings, in a directory `left-behind-<number>`.
    pub corrupt: u64,
    /// How many lines had waited for log files that failed: the same records' lines, counted once per file.
    pub held_lines: u64,
    /// Whose records, in the order in which the processes joined.
    pub processes: Vec<RecoveredProcess>,
}

/// A process that ended without taking leave, and whose records an opening of the repository has found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveredProcess {
    /// Its number, as it saw itself.
    pub process_id: u32,
    /// Its name: `main` for the one that had the repository. It is any text: escape it before it is shown.
    pub name: String,
    /// When it opened or joined the repository.
    pub since: SystemTime,
    /// How many records of it were recovered.
    pub records: u64,
}

impl Recovery {
    /// Counts another one in.
    pub(crate) fn add(&mut self, other: Recovery) {
        self.records += other.records;
        self.corrupt += other.corrupt;
        self.held_lines += other.held_lines;
        self.processes.extend(other.processes);
    }

    /// Whether there was nothing to recover: every earlier run has ended properly.
    pub fn is_empty(&self) -> bool {
        self.processes.is_empty() && self.held_lines == 0
    }
}

/// A point in time of a process's own telling.
pub(crate) fn system_time(unix: UnixNanos) -> SystemTime {
    let since = Duration::from_nanos(unix.unsigned_abs());
    let time = if unix < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(since)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(since)
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_in_words() {
        assert_eq!(ExitCause::Killed(9).to_string(), "killed by SIGKILL");
        assert_eq!(ExitCause::Killed(64).to_string(), "killed by signal 64");
        assert_eq!(ExitCause::Exited(3).to_string(), "exit code 3");
    }
}
