//! Points in time as `2026-11-20 12:00:00.123`.
//!
//! The text of the current second is kept, so that most records cost three digits and a copy. Any
//! point that 64 bits of nanoseconds can name is written without panic, those before 1970 included.
//! Called by `line`.

use std::io::Write as _;

use time::{OffsetDateTime, UtcOffset};

use crate::record::UnixNanos;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// The offset of local time changes only at multiples of this, counted in UTC.
const SECONDS_PER_BUCKET: i64 = 900;
/// Length of `2026-11-20 12:00:00.123`.
const USUAL_LEN: usize = 23;

/// Which clock on the wall the time in a line is taken from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zone {
    /// Universal time.
    Utc,
    /// So many seconds ahead of universal time, the year round.
    Fixed(i32),
    /// The system's time zone, daylight saving included; universal time where there is none.
    #[default]
    Local,
}

/// A point in time in words, in universal time.
pub(crate) fn moment(time: UnixNanos) -> String {
    let mut out = Vec::new();
    Stamp::new(Zone::Utc).write(time, &mut out);
    format!("{} UTC", String::from_utf8_lossy(&out))
}

/// Writes time stamps.
#[derive(Debug)]
pub(super) struct Stamp {
    zone: Zone,
    /// The Unix second whose text is kept.
    second: i64,
    text: [u8; USUAL_LEN],
    /// The bucket that `offset` was looked up for.
    bucket: Option<i64>,
    offset: i64,
}

impl Stamp {
    pub(super) fn new(zone: Zone) -> Stamp {
        // No point in time of 64 bits falls into this second, so that the first one is written anew.
        Stamp { zone, second: i64::MIN, text: *b"0000-00-00 00:00:00.000", bucket: None, offset: 0 }
    }

    /// Appends the time, in the stamp's zone.
    #[inline]
    pub(super) fn write(&mut self, time: UnixNanos, out: &mut Vec<u8>) {
        let second = time.div_euclid(NANOS_PER_SECOND);
        if second != self.second {
            self.turn_to(second);
        }
        let milliseconds = (time.rem_euclid(NANOS_PER_SECOND) / 1_000_000) as u32;
        self.text[USUAL_LEN - 3] = digit(milliseconds / 100);
        self.text[USUAL_LEN - 2] = digit(milliseconds / 10);
        self.text[USUAL_LEN - 1] = digit(milliseconds);
        out.extend_from_slice(&self.text);
    }

    /// Writes the text of another second.
    #[cold]
    fn turn_to(&mut self, second: i64) {
        let bucket = second.div_euclid(SECONDS_PER_BUCKET);
        if self.bucket != Some(bucket) {
            self.bucket = Some(bucket);
            self.offset = self.zone.offset_at(second);
        }
        let local = Civil::from_seconds(second.saturating_add(self.offset));
        // Nanoseconds of 64 bits span the years 1677 to 2262: the text always fits.
        let mut text = self.text.as_mut_slice();
        let _ = write!(text, "{local}.");
        self.second = second;
    }
}

impl Zone {
    /// Seconds ahead of universal time at this Unix second.
    pub(crate) fn offset_at(self, second: i64) -> i64 {
        match self {
            Zone::Utc => 0,
            Zone::Fixed(seconds) => seconds.into(),
            Zone::Local => OffsetDateTime::from_unix_timestamp(second)
                .ok()
                .and_then(|time| UtcOffset::local_offset_at(time).ok())
                .map_or(0, |offset| offset.whole_seconds().into()),
        }
    }
}

/// The last decimal digit of a number.
fn digit(number: u32) -> u8 {
    b'0' + (number % 10) as u8
}

/// Date and time of day in the Gregorian calendar, extended to all years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Civil {
    year: i64,
    month: i64,
    day: i64,
    second_of_day: i64,
}

impl Civil {
    /// Date and time of the second that is so many seconds after 1970-01-01 00:00.
    ///
    /// The arithmetic follows Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"
    /// (`civil_from_days`): the calendar repeats every 400 years, and in a year that starts in March
    /// the leap day is the last, so that month and day come from the day of the year by division.
    pub(super) fn from_seconds(seconds: i64) -> Civil {
        const DAYS_PER_ERA: i64 = 146_097;
        // Days from 0000-03-01 to 1970-01-01.
        const TO_MARCH_OF_YEAR_0: i64 = 719_468;
        let days = seconds.div_euclid(SECONDS_PER_DAY) + TO_MARCH_OF_YEAR_0;
        let era = days.div_euclid(DAYS_PER_ERA);
        let day_of_era = days.rem_euclid(DAYS_PER_ERA);
        // Every 4 years one day more, but not every 100, and the last day of the era is a leap day.
        let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
        let year_of_era = (day_of_era - leap_days) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // From March on, months have 31 and 30 days in turn, five of them 153 days.
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        Civil { year, month, day, second_of_day: seconds.rem_euclid(SECONDS_PER_DAY) }
    }
}

impl std::fmt::Display for Civil {
    /// ISO 8601 with a space; a year of more than four digits has a sign, as one before 0 has.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Civil { year, month, day, second_of_day } = *self;
        match year {
            0..=9999 => write!(f, "{year:04}")?,
            _ => write!(f, "{year:+05}")?,
        }
        let (hour, minute, second) = (second_of_day / 3_600, second_of_day / 60 % 60, second_of_day % 60);
        write!(f, "-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stamped(zone: Zone, time: UnixNanos) -> String {
        text(&mut Stamp::new(zone), time)
    }

    fn text(stamp: &mut Stamp, time: UnixNanos) -> String {
        let mut out = Vec::new();
        stamp.write(time, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// The same text, made of the parts that the `time` crate gives.
    fn expected(time: UnixNanos, offset: UtcOffset) -> String {
        let time = OffsetDateTime::from_unix_timestamp_nanos(time.into()).unwrap().to_offset(offset);
        let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        let milliseconds = time.millisecond();
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{milliseconds:03}")
    }

    #[test]
    fn notable_moments_are_right() {
        let utc = |time| stamped(Zone::Utc, time);
        assert_eq!(utc(0), "1970-01-01 00:00:00.000");
        assert_eq!(utc(-1), "1969-12-31 23:59:59.999");
        assert_eq!(utc(999_999_999), "1970-01-01 00:00:00.999");
        assert_eq!(utc((1 << 31) * NANOS_PER_SECOND), "2038-01-19 03:14:08.000");
        assert_eq!(utc(951_782_400 * NANOS_PER_SECOND), "2000-02-29 00:00:00.000");
        assert_eq!(utc(1_483_228_799 * NANOS_PER_SECOND), "2016-12-31 23:59:59.000");
        assert_eq!(utc(i64::MIN), "1677-09-21 00:12:43.145");
        assert_eq!(utc(i64::MAX), "2262-04-11 23:47:16.854");
    }

    #[test]
    fn years_past_four_digits_stay_readable() {
        assert_eq!(Civil::from_seconds(253_402_300_799).to_string(), "9999-12-31 23:59:59");
        assert_eq!(Civil::from_seconds(253_402_300_800).to_string(), "+10000-01-01 00:00:00");
        assert_eq!(Civil::from_seconds(-62_167_219_200).to_string(), "0000-01-01 00:00:00");
        assert_eq!(Civil::from_seconds(-62_167_219_201).to_string(), "-0001-12-31 23:59:59");
        assert!(Civil::from_seconds(i64::MAX).year > 200_000_000_000);
        assert!(Civil::from_seconds(i64::MIN).year < -200_000_000_000);
    }

    #[test]
    fn an_offset_out_of_all_reason_does_not_panic() {
        for time in [i64::MIN, 0, i64::MAX] {
            for offset in [i32::MIN, i32::MAX] {
                assert_eq!(stamped(Zone::Fixed(offset), time).len(), USUAL_LEN);
            }
        }
    }

    #[test]
    fn local_time_is_the_systems() {
        for time in [0, 1_720_000_000, 1_735_000_000].map(|second| second * NANOS_PER_SECOND) {
            let moment = OffsetDateTime::from_unix_timestamp_nanos(time.into()).unwrap();
            let offset = UtcOffset::local_offset_at(moment).unwrap_or(UtcOffset::UTC);
            assert_eq!(stamped(Zone::Local, time), expected(time, offset));
        }
    }

    proptest! {
        #[test]
        fn any_moment_in_any_zone_is_right(time: i64, offset in -86_399..86_400) {
            let text = stamped(Zone::Fixed(offset), time);
            prop_assert_eq!(text, expected(time, UtcOffset::from_whole_seconds(offset).unwrap()));
        }

        #[test]
        fn kept_text_never_shows(start: i64, steps in proptest::collection::vec(-3_000_000_000..3_000_000_000i64, 1..20)) {
            let mut stamp = Stamp::new(Zone::Fixed(-1_800));
            let mut time = start;
            for step in steps {
                time = time.saturating_add(step);
                prop_assert_eq!(text(&mut stamp, time), stamped(Zone::Fixed(-1_800), time));
            }
        }

        #[test]
        fn any_date_of_four_digits_is_right(seconds in -62_167_219_200..253_402_300_800i64) {
            let date = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
            let civil = Civil::from_seconds(seconds);
            prop_assert_eq!(civil.year, i64::from(date.year()));
            prop_assert_eq!(civil.month, i64::from(u8::from(date.month())));
            prop_assert_eq!(civil.day, i64::from(date.day()));
        }
    }
}
