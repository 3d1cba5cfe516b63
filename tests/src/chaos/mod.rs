//! What the processes log that are killed, and what has been promised to them.
//!
//! Which record has which number, domain, level and text is a rule that the process that logs and the one that checks both
//! know. A number is acked only after its logging call has returned: from then on the record must not be lost, however
//! the process ends.

mod check;
mod plan;
mod process;
mod round;

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use miu_log::{Level, Logger};

pub use check::{Report, check};
pub use plan::{End, Event, Farewell, HAND_OVER, MOMENT, NO_DEATH, RESTART, Round, Victim, subjects};
pub use round::{Outcome, run};

use crate::escaped;

/// The domains, in the order of their numbers. Each has a file of its name.
pub const DOMAINS: [&str; 4] = ["app", "db", "redis", "task"];
/// The levels, in the order of their numbers. Each has a file of its name.
pub const LEVELS: [Level; 4] = [Level::Debug, Level::Info, Level::Warning, Level::Error];

/// One life of one process: what it calls itself, and what it was promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// The first word of all its records.
    pub tag: String,
    /// The name of its process in the lines.
    pub name: String,
    /// For each of its threads, the number of the last record whose logging call has returned. They count from 1.
    pub acked: Vec<u64>,
}

/// The file that a process writes its acked numbers to.
#[derive(Debug)]
pub struct Acked {
    file: File,
}

impl Acked {
    /// A new file, with 0 for each thread.
    pub fn create(path: &Path, threads: usize) -> io::Result<Acked> {
        let file = File::create_new(path)?;
        file.write_all_at(&vec![0; threads * 8], 0)?;
        Ok(Acked { file })
    }

    /// The logging call of this record has returned. In the file, if the process dies the moment after.
    pub fn set(&self, thread: usize, number: u64) {
        self.file.write_all_at(&number.to_le_bytes(), thread as u64 * 8).unwrap();
    }

    /// What a process has written; zeros where it died before it made the file.
    pub fn read(path: &Path, threads: usize) -> io::Result<Vec<u64>> {
        let mut bytes = match std::fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        bytes.resize(threads * 8, 0);
        Ok(bytes.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect())
    }
}

/// How a record is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// With a method.
    Method,
    /// With a macro, whose arguments the listener formats.
    Macro,
    /// With a macro and a field.
    Field,
    /// With characters that must not get into a line as they are.
    Awkward,
    /// Too long for a ring.
    Long,
}

const AWKWARD: &str =
    "\n2026-01-01 00:00:00.000 | ERROR    | app | main/main | a:1 | forged\r\t\u{1b}[2J\u{202e} \"é日\"";
/// Longer than a ring's longest record.
const LONG: usize = 17 * 1024;

/// One record: whose it is, and its number, from which all else follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work<'a> {
    /// The life's name.
    pub tag: &'a str,
    /// The thread, from 0.
    pub thread: usize,
    /// The number, from 1.
    pub number: u64,
}

impl<'a> Work<'a> {
    /// Reads the beginning of a message: all of it is in there. None where it is something else.
    pub fn parse(message: &'a str) -> Option<Work<'a>> {
        let mut words = message.split(' ');
        let (tag, thread, number) = (words.next()?, words.next()?, words.next()?);
        Some(Work { tag, thread: thread.parse().ok()?, number: number.parse().ok()? })
    }

    /// Number of its domain.
    pub fn domain(&self) -> usize {
        (self.number as usize + self.thread) % DOMAINS.len()
    }

    /// Number of its level.
    pub fn level(&self) -> usize {
        (self.number as usize / DOMAINS.len() + self.thread) % LEVELS.len()
    }

    fn kind(&self) -> Kind {
        match self.number {
            number if number.is_multiple_of(plan::LONG_EVERY) => Kind::Long,
            number if number.is_multiple_of(101) => Kind::Awkward,
            number if number.is_multiple_of(7) => Kind::Field,
            number if number.is_multiple_of(2) => Kind::Macro,
            _ => Kind::Method,
        }
    }

    /// What stands behind the numbers of a long record.
    fn filler(&self) -> String {
        let len = LONG + (self.number % 4096) as usize;
        "0123456789abcdef".chars().cycle().skip(self.number as usize % 16).take(len).collect()
    }

    /// Logs it; `loggers` are those of the domains, in their order.
    pub fn log(&self, loggers: [&Logger; 4]) {
        let &Work { tag, thread, number } = self;
        let (logger, level) = (loggers[self.domain()], LEVELS[self.level()]);
        match self.kind() {
            Kind::Method => {
                let message = format_args!("{tag} {thread} {number}");
                match level {
                    Level::Debug => logger.debug(message),
                    Level::Info => logger.info(message),
                    Level::Warning => logger.warning(message),
                    _ => logger.error(message),
                }
            }
            Kind::Macro => miu_log::log!(logger, level, "{tag} {thread} {number}"),
            Kind::Field => miu_log::log!(logger, level, number, "{tag} {thread} {number}"),
            Kind::Awkward => miu_log::log!(logger, level, "{tag} {thread} {number} {AWKWARD}"),
            Kind::Long => miu_log::log!(logger, level, "{tag} {thread} {number} {}", self.filler()),
        }
    }

    /// Its message as it stands in the files.
    pub fn write(&self, out: &mut String) {
        let Work { tag, thread, number } = self;
        // Writing to a String cannot fail.
        let _ = write!(out, "{tag} {thread} {number}");
        let _ = match self.kind() {
            Kind::Method | Kind::Macro => Ok(()),
            Kind::Field => write!(out, " | number={number}"),
            Kind::Awkward => write!(out, " {}", escaped(AWKWARD)),
            Kind::Long => write!(out, " {}", self.filler()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Place, logs};

    #[test]
    fn every_kind_of_record_is_in_the_files_as_the_rule_says() {
        let place = Place::new();
        let repo = logs::Repository::open(place.config()).unwrap();
        let loggers = [&repo.app, &repo.db, &repo.redis, &repo.task];
        let acked = Acked::create(&place.root().join("acked"), 2).unwrap();
        for thread in 0..2 {
            for number in 1..2000 {
                Work { tag: "p0.0", thread, number }.log(loggers);
                acked.set(thread, number);
            }
        }
        repo.shutdown();
        let acked = Acked::read(&place.root().join("acked"), 2).unwrap();
        assert_eq!(acked, [1999, 1999]);
        let report =
            check(&place.logs(), &[Life { tag: "p0.0".to_owned(), name: "main".to_owned(), acked }]).unwrap();
        assert!(report.is_clean() && report.acked == 2 * 1999 && report.written == report.acked, "{report}");
    }

    #[test]
    fn a_process_that_died_before_its_first_record_was_promised_nothing() {
        let place = Place::new();
        assert_eq!(Acked::read(&place.root().join("acked"), 4).unwrap(), [0; 4]);
    }
}
