//! Sizes and periods as they are given: as a number, or in words.
//!
//! A text that says nothing is kept and becomes an error when the repository is opened, so that a configuration can be written without
//! a question mark behind every line. Called by the rotation and the retention.

use std::time::Duration;

use super::words;

/// A size: a number of bytes, or a text such as `"10 MB"` (ten million bytes), `"10 MiB"` or `"1.5 GB"`.
///
/// What is wrong with it is said when the repository is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size(Result<u64, String>);

impl Size {
    /// In bytes.
    ///
    /// # Errors
    ///
    /// A text that names what was given, and what is accepted.
    pub(crate) fn check(&self) -> Result<u64, String> {
        match &self.0 {
            Ok(0) => Err("0 bytes: it is nothing; at least one byte is expected".to_owned()),
            other => other.clone(),
        }
    }
}

impl From<u64> for Size {
    fn from(bytes: u64) -> Size {
        Size(Ok(bytes))
    }
}

impl From<&str> for Size {
    fn from(text: &str) -> Size {
        Size(words::size(text).map_err(|error| error.to_string()))
    }
}

impl From<String> for Size {
    fn from(text: String) -> Size {
        Size::from(text.as_str())
    }
}

/// A length of time: a [`Duration`], or a text such as `"30 days"`, `"1h 30min"` or `"3 months, 2 days"`.
///
/// A month has 30 days and 10 hours, a year 365 days; at most 100 years are accepted. What is wrong with it is said when the repository is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period(Result<Duration, String>);

impl Period {
    /// The duration.
    ///
    /// # Errors
    ///
    /// A text that names what was given, and what is accepted.
    pub(crate) fn check(&self) -> Result<Duration, String> {
        match &self.0 {
            Ok(long) if long.is_zero() || *long > words::LONGEST => {
                Err(format!("{long:?}: more than nothing and at most 100 years are expected"))
            }
            other => other.clone(),
        }
    }
}

impl From<Duration> for Period {
    fn from(long: Duration) -> Period {
        Period(Ok(long))
    }
}

impl From<&str> for Period {
    fn from(text: &str) -> Period {
        Period(words::duration(text).map_err(|error| error.to_string()))
    }
}

impl From<String> for Period {
    fn from(text: String) -> Period {
        Period::from(text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(size: impl Into<Size>) -> Result<u64, String> {
        size.into().check()
    }

    fn period(period: impl Into<Period>) -> Result<Duration, String> {
        period.into().check()
    }

    #[test]
    fn numbers_and_texts_are_taken() {
        assert_eq!(size(1_000_000), Ok(1_000_000));
        assert_eq!(size("10 MB"), Ok(10_000_000));
        assert_eq!(size("10 MiB".to_owned()), Ok(10 << 20));
        assert_eq!(period(Duration::from_secs(5)), Ok(Duration::from_secs(5)));
        assert_eq!(period("1 day".to_owned()), Ok(Duration::from_secs(86_400)));
    }

    #[test]
    fn what_says_nothing_is_an_error_that_names_it() {
        assert!(size(0).unwrap_err().contains("at least one byte"));
        assert!(size("big").unwrap_err().starts_with("\"big\": "));
        assert!(period(Duration::ZERO).unwrap_err().starts_with("0ns: more than nothing"));
        assert!(period(Duration::MAX).unwrap_err().contains("at most 100 years"));
        assert!(period("long").unwrap_err().starts_with("\"long\": "));
    }
}
