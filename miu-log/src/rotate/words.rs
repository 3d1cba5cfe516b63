//! Sizes, durations, times of day and shares, as people write them: "10 MB", "1h 30min", "00:00", "10 %".
//!
//! Numbers and units are read by `bytesize` and `humantime`. What is added here: what stands in the text without being understood is an error and
//! never guessed at; zero and what no file or clock can reach is refused; months and years are of one length; parts
//! may be parted by commas.
//!
//! Called by the rotation and the retention. Pure.

use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;

/// A month is a twelfth of a year of 365 days: 30 days and 10 hours.
const HOURS_OF_MONTH: u32 = 730;
const HOURS_OF_YEAR: u32 = 12 * HOURS_OF_MONTH;

/// Longest duration: past it, "for ever" is meant.
pub(crate) const LONGEST: Duration = Duration::from_secs(100 * HOURS_OF_YEAR as u64 * 60 * 60);

/// Longest text of which an error shows all.
const SHOWN: usize = 64;

const SIZES: &str = "a size such as \"10 MB\", \"10 MiB\", \"1.5 GB\" or \"5000000\" is expected";
const DURATIONS: &str =
    "a duration such as \"30 days\", \"1 week\", \"1h 30min\" or \"3 months, 2 days\" is expected";
const TIMES: &str = "a time of day such as \"00:00\" or \"13:30:05\" is expected";
const SHARES: &str = "a share such as \"10 %\" or \"2.5 %\" is expected";

/// A text that says nothing of the kind that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WordError {
    given: String,
    pub(crate) reason: String,
    expected: &'static str,
}

impl WordError {
    pub(crate) fn new(given: &str, reason: impl Into<String>, expected: &'static str) -> WordError {
        WordError { given: given.to_owned(), reason: reason.into(), expected }
    }
}

impl fmt::Display for WordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.given.chars().take(SHOWN).collect();
        write!(f, "{shown:?}: {}; {}", self.reason, self.expected)
    }
}

impl std::error::Error for WordError {}

/// A size in bytes, at least one. Units are those of ten (MB) and of two (MiB); a number alone is of bytes.
///
/// All in small letters ("5mb") means bytes too. "Mb", which is how megabits are written, is refused: a wrong guess would be off by a factor of
/// eight. So is "5M", which some take for five million and some for a little more.
pub(crate) fn size(text: &str) -> Result<u64, WordError> {
    let refuse = |reason: &str| WordError::new(text, reason, SIZES);
    let trimmed = text.trim();
    let (number, unit) = number_and_rest(trimmed);
    if number.is_empty() {
        return Err(refuse("it does not begin with a number"));
    }
    let bits = unit.ends_with('b') && unit.starts_with(|first: char| first.is_ascii_uppercase());
    if bits {
        return Err(refuse("a unit in b is one of bits; that of bytes ends with B"));
    }
    if !unit.is_empty() && !unit.ends_with(['b', 'B']) {
        return Err(refuse("its unit is none of bytes, which end with B"));
    }
    let ByteSize(bytes) = trimmed.parse().map_err(|_| refuse("its number or its unit is not known"))?;
    match bytes {
        0 => Err(refuse("it is nothing")),
        // What the parser cannot hold is at its largest number; a file's length has one bit less.
        bytes if i64::try_from(bytes).is_err() => Err(refuse("no file can be so large")),
        bytes => Ok(bytes),
    }
}

/// A duration, longer than nothing and at most 100 years. A month has 30 days and 10 hours, a year 365 days.
pub(crate) fn duration(text: &str) -> Result<Duration, WordError> {
    let refuse = |reason: &str| WordError::new(text, reason, DURATIONS);
    let mut total = Duration::ZERO;
    for group in text.split(',') {
        let mut rest = group.trim();
        if rest.is_empty() {
            return Err(refuse("there is no duration in it, or nothing beside a comma"));
        }
        while !rest.is_empty() {
            let (number, behind) = number_and_rest(rest);
            let end = behind.find(|c: char| !c.is_alphabetic()).unwrap_or(behind.len());
            let (unit, next) = behind.split_at(end);
            if number.is_empty() {
                return Err(refuse("a number is missing"));
            }
            if unit.is_empty() {
                return Err(refuse("a unit is missing"));
            }
            let part = one(number, unit).map_err(|reason| refuse(&reason))?;
            total = total.checked_add(part).filter(|total| *total <= LONGEST).ok_or_else(too_long(text))?;
            rest = next.trim_start();
        }
    }
    if total.is_zero() {
        return Err(refuse("it is no time at all"));
    }
    Ok(total)
}

fn too_long(text: &str) -> impl Fn() -> WordError {
    move || WordError::new(text, "it is more than 100 years", DURATIONS)
}

/// One number with one unit.
fn one(number: &str, unit: &str) -> Result<Duration, String> {
    // A single M would be a month to some and a minute to others.
    if unit == "M" {
        return Err("M can be minutes or months".to_owned());
    }
    let unit = unit.to_lowercase();
    let hours = match unit.as_str() {
        "month" | "months" => Some(HOURS_OF_MONTH),
        "year" | "years" | "yr" | "yrs" | "y" => Some(HOURS_OF_YEAR),
        _ => None,
    };
    let asked = if hours.is_some() { format!("{number} hours") } else { format!("{number} {unit}") };
    let read = humantime::parse_duration(&asked).map_err(|error| error.to_string())?;
    // What is too long here is too long for the whole as well.
    Ok(hours.map_or(read, |hours| read.saturating_mul(hours)))
}

/// A time of day in hours, minutes and seconds: "13:30" or "13:30:05".
pub(crate) fn time_of_day(text: &str) -> Result<(u8, u8, u8), WordError> {
    let refuse = |reason: &str| WordError::new(text, reason, TIMES);
    let mut parts = text.trim().split(':');
    let mut next = |most: u8, name: &str| match parts.next() {
        None => Ok(None),
        Some(part)
            if part.is_empty() || part.len() > 2 || !part.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            Err(refuse(&format!("its {name} are no number of one or two digits")))
        }
        Some(part) => match part.parse() {
            Ok(value) if value <= most => Ok(Some(value)),
            _ => Err(refuse(&format!("its {name} are more than {most}"))),
        },
    };
    let (hours, minutes, seconds) = (next(23, "hours")?, next(59, "minutes")?, next(59, "seconds")?);
    match (hours, minutes, parts.next()) {
        (Some(hours), Some(minutes), None) => Ok((hours, minutes, seconds.unwrap_or(0))),
        _ => Err(refuse("it has not two or three parts")),
    }
}

/// A share of a whole in hundredths of a percent, more than nothing and less than all: "10 %" is 1000.
pub(crate) fn share(text: &str) -> Result<u16, WordError> {
    let refuse = |reason: &str| WordError::new(text, reason, SHARES);
    let number = text.trim().strip_suffix('%').ok_or_else(|| refuse("it does not end with %"))?.trim_end();
    if number.is_empty() || number_and_rest(number) != (number, "") {
        return Err(refuse("what is before the % is no number"));
    }
    let percent: f64 = number.parse().map_err(|_| refuse("what is before the % is no number"))?;
    match (percent * 100.0).round() {
        hundredths if hundredths < 1.0 => Err(refuse("it is nothing, or less than 0.01 %")),
        hundredths if hundredths >= 10_000.0 => Err(refuse("it is all there is, or more")),
        hundredths => Ok(hundredths as u16),
    }
}

/// The digits and points that a text begins with, and what follows them without the space between.
pub(crate) fn number_and_rest(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    (number, rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text says what was given, why it is refused and what is accepted.
    fn refused<T: fmt::Debug>(result: Result<T, WordError>, given: &str, reason: &str) {
        let text = result.expect_err(given).to_string();
        assert!(text.starts_with(&format!("{given:?}: ")), "{text}");
        assert!(text.contains(reason) && text.contains("such as") && !text.ends_with('.'), "{text}");
    }

    #[test]
    fn sizes_are_read_in_units_of_ten_and_of_two() {
        for (text, bytes) in [
            ("10 MB", 10_000_000),
            ("5 MB", 5_000_000),
            ("5MB", 5_000_000),
            ("5mb", 5_000_000),
            (" 5 mB ", 5_000_000),
            ("10 MiB", 10_485_760),
            ("10mib", 10_485_760),
            ("1.5 GB", 1_500_000_000),
            ("4 kB", 4_000),
            ("4 KiB", 4_096),
            ("1 TB", 1_000_000_000_000),
            ("500 B", 500),
            ("500 b", 500),
            ("5242880", 5_242_880),
            ("9007199254740993", 9_007_199_254_740_993),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "begin with a number"),
            ("MB", "begin with a number"),
            ("-5 MB", "begin with a number"),
            ("8 Mb", "is one of bits"),
            ("8 Kib", "is one of bits"),
            ("5M", "end with B"),
            ("5 days", "end with B"),
            ("1e6", "end with B"),
            ("5 XB", "not known"),
            ("1 0 MB", "not known"),
            ("1.2.3 MB", "not known"),
            (".", "not known"),
            ("0", "nothing"),
            ("0 MB", "nothing"),
            ("0.1 B", "nothing"),
            ("8 EiB", "so large"),
            ("99999999999999999999999 EB", "so large"),
            ("18446744073709551615", "so large"),
        ] {
            refused(size(text), text, reason);
        }
    }

    #[test]
    fn durations_are_sums_of_parts() {
        const DAY: u64 = 24 * 60 * 60;
        for (text, seconds) in [
            ("30 days", 30 * DAY),
            ("90 days", 90 * DAY),
            ("1 week", 7 * DAY),
            ("1h 30min", 5400),
            ("1h30m", 5400),
            ("1.5 hours", 5400),
            ("1 Day", DAY),
            ("1 month", 2_628_000),
            ("3 months, 2 days", 3 * 2_628_000 + 2 * DAY),
            ("0.5 months", 1_314_000),
            ("1 year", 365 * DAY),
            ("2 weeks, 1 day, 3 h", 15 * DAY + 3 * 60 * 60),
            ("45s", 45),
            ("100 years", 100 * 365 * DAY),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(duration("250 ms"), Ok(Duration::from_millis(250)));
    }

    #[test]
    fn what_is_no_duration_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "there is no duration"),
            ("  ", "there is no duration"),
            ("1 day,", "nothing beside a comma"),
            ("30", "a unit is missing"),
            ("1 0 days", "a unit is missing"),
            ("days", "a number is missing"),
            ("-3 days", "a number is missing"),
            ("1 day and 2 hours", "a number is missing"),
            ("2 M", "minutes or months"),
            ("5 MB", "unknown time unit"),
            ("3 fortnights", "unknown time unit"),
            ("1.2.3 days", "invalid character"),
            ("0 days", "no time at all"),
            ("0h 0min", "no time at all"),
            ("101 years", "more than 100 years"),
            ("99 years, 99 years", "more than 100 years"),
            ("18446744073709551615 s", "more than 100 years"),
            ("99999999999999999999 days", "too large"),
        ] {
            refused(duration(text), text, reason);
        }
    }

    #[test]
    fn times_of_day_have_two_or_three_parts() {
        for (text, time) in [
            ("00:00", (0, 0, 0)),
            ("13:30:05", (13, 30, 5)),
            ("9:30", (9, 30, 0)),
            (" 23:59:59 ", (23, 59, 59)),
        ] {
            assert_eq!(time_of_day(text), Ok(time), "{text}");
        }
        for (text, reason) in [
            ("", "hours are no number"),
            ("12", "two or three parts"),
            ("12:", "minutes are no number"),
            ("12:30:00:00", "two or three parts"),
            ("24:00", "hours are more than 23"),
            ("12:60", "minutes are more than 59"),
            ("12:30:60", "seconds are more than 59"),
            ("+1:00", "hours are no number"),
            ("012:30", "hours are no number"),
            ("12.30", "hours are no number"),
        ] {
            refused(time_of_day(text), text, reason);
        }
    }

    #[test]
    fn shares_are_more_than_nothing_and_less_than_all() {
        for (text, hundredths) in
            [("10 %", 1000), ("10%", 1000), ("0.5 %", 50), ("99.99 %", 9999), ("0.01%", 1)]
        {
            assert_eq!(share(text), Ok(hundredths), "{text}");
        }
        for (text, reason) in [
            ("10", "end with %"),
            ("%", "no number"),
            ("ten %", "no number"),
            ("1.2.3 %", "no number"),
            ("-1 %", "no number"),
            ("inf %", "no number"),
            ("0 %", "it is nothing"),
            ("100 %", "all there is"),
            ("1000000000000000000000000000000 %", "all there is"),
        ] {
            refused(share(text), text, reason);
        }
    }

    #[test]
    fn a_long_text_is_shown_in_part() {
        let text = size(&"x".repeat(10_000)).unwrap_err().to_string();
        assert!(text.len() < 300, "{text}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_is_in_bounds(text in "[0-9a-zA-Z .,:%µ-]{0,24}") {
            if let Ok(bytes) = size(&text) {
                proptest::prop_assert!(bytes > 0 && bytes <= i64::MAX as u64);
            }
            if let Ok(long) = duration(&text) {
                proptest::prop_assert!(!long.is_zero() && long <= LONGEST);
            }
            if let Ok((hours, minutes, seconds)) = time_of_day(&text) {
                proptest::prop_assert!(hours < 24 && minutes < 60 && seconds < 60);
            }
            if let Ok(hundredths) = share(&text) {
                proptest::prop_assert!((1..10_000).contains(&hundredths));
            }
        }

        #[test]
        fn whole_numbers_of_each_unit_are_exact(number in 1u64..876_000) {
            for (unit, bytes) in [("B", 1), ("kB", 1_000), ("MB", 1_000_000), ("MiB", 1 << 20), ("GiB", 1 << 30)] {
                proptest::prop_assert_eq!(size(&format!("{number} {unit}")), Ok(number * bytes));
            }
            for (unit, seconds) in [("s", 1), ("min", 60), ("hours", 3600)] {
                let expected = Duration::from_secs(number * seconds);
                proptest::prop_assert_eq!(duration(&format!("{number} {unit}")), Ok(expected));
            }
        }
    }
}
