//! The seven levels, in ascending order of severity.
//!
//! A level is one byte everywhere: in a record, in a threshold, in a file's rule. Called by every
//! module; imports nothing.

use std::fmt;
use std::str::FromStr;

/// Severity of a record, ascending.
///
/// `Debug` and `Trace` are the two that the debug switch turns off; `Error` and `Critical` share
/// `error.log` and wake the listener at once.
///
/// # Examples
///
/// ```
/// use miu_log::Level;
///
/// assert!(Level::Warning > Level::Success);
/// assert_eq!("warn".parse::<Level>().unwrap(), Level::Warning);
/// assert_eq!(Level::Critical.to_string(), "CRITICAL");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// Finest detail, for following one operation step by step.
    Trace = 0,
    /// Detail for finding faults; off in production until it is needed.
    Debug = 1,
    /// What the service does, in the words of its operators.
    Info = 2,
    /// Something that was asked for has been done.
    Success = 3,
    /// Something is wrong but the service goes on unharmed.
    Warning = 4,
    /// An operation failed.
    Error = 5,
    /// The service, or a part of it, cannot go on.
    Critical = 6,
}

impl Level {
    /// Every level, ascending.
    pub const ALL: [Level; 7] = [
        Level::Trace,
        Level::Debug,
        Level::Info,
        Level::Success,
        Level::Warning,
        Level::Error,
        Level::Critical,
    ];

    /// The level's name in capitals, as it stands in a line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Trace => "TRACE",
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Success => "SUCCESS",
            Level::Warning => "WARNING",
            Level::Error => "ERROR",
            Level::Critical => "CRITICAL",
        }
    }

    /// The level of this number (0 is `Trace`, 6 is `Critical`), if there is one.
    pub(crate) const fn from_index(index: u8) -> Option<Level> {
        if (index as usize) < Level::ALL.len() { Some(Level::ALL[index as usize]) } else { None }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Level {
    type Err = UnknownLevel;

    /// Reads a level's name, whatever its case. `warn`, `err` and `fatal` are understood too.
    fn from_str(text: &str) -> Result<Level, UnknownLevel> {
        let known = Level::ALL.into_iter().find(|level| level.as_str().eq_ignore_ascii_case(text));
        known
            .or_else(|| match text.to_ascii_lowercase().as_str() {
                "warn" => Some(Level::Warning),
                "err" => Some(Level::Error),
                "fatal" => Some(Level::Critical),
                _ => None,
            })
            .ok_or_else(|| UnknownLevel { given: text.to_owned() })
    }
}

impl TryFrom<u8> for Level {
    type Error = UnknownLevel;

    /// Reads a level's number: 0 is `Trace`, 6 is `Critical`.
    fn try_from(index: u8) -> Result<Level, UnknownLevel> {
        Level::from_index(index).ok_or_else(|| UnknownLevel { given: index.to_string() })
    }
}

/// A text or number that names no level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLevel {
    given: String,
}

impl fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "unknown level {:?}: expected trace, debug, info, success, warning, error, critical or a number from 0 to 6",
            self.given
        )
    }
}

impl std::error::Error for UnknownLevel {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case() {
        for level in Level::ALL {
            assert_eq!(level.as_str().to_lowercase().parse(), Ok(level));
            assert_eq!(Level::try_from(level as u8), Ok(level));
        }
    }

    #[test]
    fn an_unknown_level_names_what_was_given_and_what_is_accepted() {
        let error = "loud".parse::<Level>().unwrap_err().to_string();
        assert!(error.contains("\"loud\"") && error.contains("critical"), "{error}");
        assert!(Level::try_from(7).is_err());
    }
}
