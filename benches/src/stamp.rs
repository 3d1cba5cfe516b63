//! `YYYY-MM-DD HH:MM:SS.mmm` in UTC, written by hand.
//!
//! Used by the floor and by those peers that leave the time stamp to the program; a general date library
//! there would make them look slower than they are.

use std::fmt;
use std::time::{Duration, SystemTime};

/// A time stamp as text, ready to be copied.
#[derive(Debug, Clone, Copy)]
pub struct Stamp([u8; 23]);

impl Stamp {
    /// The time stamp of now.
    #[must_use]
    pub fn now() -> Self {
        Self::of(SystemTime::now())
    }

    /// The time stamp of a system time; times before 1970 are shown as 1970.
    #[must_use]
    pub fn of(time: SystemTime) -> Self {
        Self::since_epoch(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO))
    }

    /// The time stamp of a time since 1970.
    #[must_use]
    pub fn since_epoch(elapsed: Duration) -> Self {
        let seconds = elapsed.as_secs();
        let (year, month, day) = civil(seconds / 86_400);
        let of_day = seconds % 86_400;
        let mut text = *b"0000-00-00 00:00:00.000";
        digits(&mut text[0..4], year);
        digits(&mut text[5..7], month);
        digits(&mut text[8..10], day);
        digits(&mut text[11..13], of_day / 3_600);
        digits(&mut text[14..16], of_day / 60 % 60);
        digits(&mut text[17..19], of_day % 60);
        digits(&mut text[20..23], u64::from(elapsed.subsec_millis()));
        Self(text)
    }

    /// The text as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 23] {
        &self.0
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ASCII digits and separators are ever put in, so the empty default is never taken.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

fn digits(place: &mut [u8], mut value: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Year, month and day of a day counted from 1970, with years that begin in March so that the leap day is the
/// last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_have_known_texts() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00.007"),
            (951_782_400, "2000-02-29 00:00:00.007"),
            (1_795_176_000, "2026-11-20 12:00:00.007"),
            (4_107_542_399, "2100-02-28 23:59:59.007"),
        ] {
            assert_eq!(Stamp::since_epoch(Duration::new(seconds, 7_000_000)).as_str(), text);
        }
    }
}
