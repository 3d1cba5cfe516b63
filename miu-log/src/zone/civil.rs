//! Dates and times of day in the Gregorian calendar, and offsets as text. Arithmetic only. Called by `zone`, `layout` and `rotate`.

use super::{SECONDS_PER_DAY, SECONDS_PER_HOUR};

/// What calendar and clock show at a point in time: the Gregorian calendar, extended to all years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    /// From 1.
    pub(crate) month: i64,
    /// From 1.
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    pub(crate) nanosecond: i64,
    /// Seconds ahead of universal time.
    pub(crate) offset: i64,
    /// Days since 1970-01-01.
    days: i64,
}

impl Civil {
    /// What is shown at this Unix second by a clock that is so far ahead of universal time.
    pub(crate) fn new(unix_second: i64, nanosecond: i64, offset: i64) -> Civil {
        let local = unix_second.saturating_add(offset);
        let days = local.div_euclid(SECONDS_PER_DAY);
        let second_of_day = local.rem_euclid(SECONDS_PER_DAY);
        let (year, month, day) = date(days);
        Civil {
            year,
            month,
            day,
            hour: second_of_day / SECONDS_PER_HOUR,
            minute: second_of_day / 60 % 60,
            second: second_of_day % 60,
            nanosecond,
            offset,
            days,
        }
    }

    /// The day of the week, Monday being 0.
    pub(crate) fn weekday(&self) -> i64 {
        // 1970-01-01 was a Thursday.
        (self.days + 3).rem_euclid(7)
    }

    /// The day of the year, from 1.
    pub(crate) fn day_of_year(&self) -> i64 {
        const BEFORE_MONTH: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
        let is_leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let before = BEFORE_MONTH[(self.month - 1).rem_euclid(12) as usize];
        before + self.day + i64::from(is_leap && self.month > 2)
    }
}

/// Year, month and day of the day that is so many days after 1970-01-01.
///
/// The arithmetic follows Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"
/// (`civil_from_days`): the calendar repeats every 400 years, and in a year that starts in March
/// the leap day is the last, so that month and day come from the day of the year by division.
fn date(days: i64) -> (i64, i64, i64) {
    const DAYS_PER_ERA: i64 = 146_097;
    // Days from 0000-03-01 to 1970-01-01.
    const TO_MARCH_OF_YEAR_0: i64 = 719_468;
    let days = days + TO_MARCH_OF_YEAR_0;
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
    (year, month, day)
}

/// `+05:30`; with seconds only where there are any.
pub(crate) fn offset_text(offset: i64) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    let size = offset.unsigned_abs();
    let (hours, minutes, seconds) = (size / 3_600, size / 60 % 60, size % 60);
    match seconds {
        0 => format!("{sign}{hours:02}:{minutes:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

/// Seconds of `+05:30`, `-0800`, `+2` or `+01:02:03`; none for another text and for a day and more.
pub(super) fn read_offset(text: &str) -> Option<i32> {
    let (sign, size) = match text.split_at_checked(1)? {
        ("+", size) => (1, size),
        ("-", size) => (-1, size),
        _ => return None,
    };
    let number = |digits: &str| -> Option<i32> {
        let plain = matches!(digits.len(), 1 | 2) && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().ok())?
    };
    let parts: Vec<i32> = match size.as_bytes() {
        [_, _, _, _] if !size.contains(':') => {
            let (hours, minutes) = size.split_at_checked(2)?;
            vec![number(hours)?, number(minutes)?]
        }
        _ => size.split(':').map(number).collect::<Option<_>>()?,
    };
    let (hours, minutes, seconds) = match *parts {
        [hours] => (hours, 0, 0),
        [hours, minutes] => (hours, minutes, 0),
        [hours, minutes, seconds] => (hours, minutes, seconds),
        _ => return None,
    };
    (hours < 24 && minutes < 60 && seconds < 60).then_some(sign * (hours * 3_600 + minutes * 60 + seconds))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn years_of_any_length_are_counted() {
        let year = |second| Civil::new(second, 0, 0).year;
        assert_eq!([253_402_300_799, 253_402_300_800].map(year), [9_999, 10_000]);
        assert_eq!([-62_167_219_200, -62_167_219_201].map(year), [0, -1]);
        assert!(year(i64::MAX) > 200_000_000_000);
        assert!(year(i64::MIN) < -200_000_000_000);
    }

    #[test]
    fn offsets_are_read_back() {
        for (text, seconds) in [
            ("+05:30", 19_800),
            ("-0800", -28_800),
            ("+2", 7_200),
            ("+00", 0),
            ("-23:59:59", -86_399),
            ("+01:02:03", 3_723),
        ] {
            assert_eq!(read_offset(text), Some(seconds), "{text}");
            assert_eq!(read_offset(&offset_text(seconds.into())), Some(seconds), "{text}");
        }
        for text in ["", "+", "5", "+24", "+05:60", "+5:", "+-5", "+123", "+12345", "+1:2:3:4", "é", "+é1"]
        {
            assert_eq!(read_offset(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_date_of_four_digits_is_right(seconds in -62_167_219_200..253_402_300_800i64) {
            let date = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
            let civil = Civil::new(seconds, 0, 0);
            prop_assert_eq!(civil.year, i64::from(date.year()));
            prop_assert_eq!(civil.month, i64::from(u8::from(date.month())));
            prop_assert_eq!(civil.day, i64::from(date.day()));
            prop_assert_eq!((civil.hour, civil.minute, civil.second), (date.hour().into(), date.minute().into(), date.second().into()));
            prop_assert_eq!(civil.weekday(), i64::from(date.weekday().number_days_from_monday()));
            prop_assert_eq!(civil.day_of_year(), i64::from(date.ordinal()));
        }

        #[test]
        fn no_moment_and_no_offset_make_it_panic(second: i64, offset: i64) {
            let civil = Civil::new(second, 0, offset);
            prop_assert!((1..=12).contains(&civil.month) && (1..=31).contains(&civil.day));
            prop_assert!((0..7).contains(&civil.weekday()) && (1..=366).contains(&civil.day_of_year()));
        }

        #[test]
        fn no_text_makes_the_offset_panic(text in "\\PC{0,12}") {
            let _ = read_offset(&text);
        }
    }
}
