//! Points in time as RFC 3339 has them: `2026-11-20T13:00:00.123+01:00`.
//!
//! The text of the current second is kept, so that most records cost some digits and a copy. The offset is of whole minutes, as
//! the standard wants it: of a zone that has seconds these are left out, and the time is that of the offset shown, so that it is the same point
//! in time. An offset of zero is written as `Z`. Called by the layouts for machines.

use crate::record::UnixNanos;
use crate::zone::{Civil, NANOS_PER_SECOND, Zone};

/// Length of `2026-11-20T12:00:00`.
const SECONDS_LEN: usize = 19;
/// The longest offset either way: `23:59`.
const LONGEST_OFFSET: i64 = 86_400 - 60;

/// How exactly a layout for machines writes the time of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimePrecision {
    /// `12:00:00`
    Seconds,
    /// `12:00:00.123`
    #[default]
    Millis,
    /// `12:00:00.123456`
    Micros,
    /// `12:00:00.123456789`
    Nanos,
}

impl TimePrecision {
    /// All of them, by number of digits: three each more.
    const ALL: [TimePrecision; 4] =
        [TimePrecision::Seconds, TimePrecision::Millis, TimePrecision::Micros, TimePrecision::Nanos];

    /// The digits behind the point.
    fn digits(self) -> usize {
        3 * self as usize
    }

    /// The precision of this number.
    pub(super) fn from_index(index: u8) -> Option<TimePrecision> {
        TimePrecision::ALL.get(usize::from(index)).copied()
    }
}

/// Writes time stamps.
#[derive(Debug)]
pub(crate) struct Rfc3339 {
    zone: Zone,
    digits: usize,
    /// By what nanoseconds are divided to have so many digits.
    unit: i64,
    /// The Unix second whose text is kept.
    second: i64,
    text: Vec<u8>,
}

impl Rfc3339 {
    pub(crate) fn new(zone: Zone, precision: TimePrecision) -> Rfc3339 {
        let digits = precision.digits();
        // No point in time of 64 bits falls into this second, so that the first one is written anew.
        Rfc3339 { zone, digits, unit: 10_i64.pow(9 - digits as u32), second: i64::MIN, text: Vec::new() }
    }

    /// Appends the time.
    #[inline]
    pub(crate) fn write(&mut self, time: UnixNanos, out: &mut Vec<u8>) {
        let second = time.div_euclid(NANOS_PER_SECOND);
        if second != self.second {
            self.turn_to(second);
        }
        if self.digits > 0 {
            let mut fraction = (time.rem_euclid(NANOS_PER_SECOND) / self.unit) as u32;
            let first = SECONDS_LEN + 1;
            for digit in self.text[first..first + self.digits].iter_mut().rev() {
                *digit = b'0' + (fraction % 10) as u8;
                fraction /= 10;
            }
        }
        out.extend_from_slice(&self.text);
    }

    /// Writes the text of another second.
    #[cold]
    fn turn_to(&mut self, second: i64) {
        let offset = self.zone.offset_at(second).clamp(-LONGEST_OFFSET, LONGEST_OFFSET) / 60;
        let Civil { year, month, day, hour, minute, second: shown, .. } = Civil::new(second, 0, offset * 60);
        // Nanoseconds of 64 bits span the years 1677 to 2262: the text always has this length.
        self.text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{shown:02}").into_bytes();
        self.text.resize(SECONDS_LEN, b'0');
        if self.digits > 0 {
            self.text.push(b'.');
            self.text.resize(SECONDS_LEN + 1 + self.digits, b'0');
        }
        let (sign, minutes) = if offset < 0 { ('-', -offset) } else { ('+', offset) };
        let offset = match minutes {
            0 => "Z".to_owned(),
            _ => format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60),
        };
        self.text.extend_from_slice(offset.as_bytes());
        self.second = second;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

    use super::*;

    const NOON: i64 = 1_795_176_000_123_456_789;

    fn text(zone: Zone, precision: TimePrecision, time: UnixNanos) -> String {
        let mut out = Vec::new();
        Rfc3339::new(zone, precision).write(time, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// The point in time that a text names, in nanoseconds.
    fn read(text: &str) -> i128 {
        let number = |range: std::ops::Range<usize>| text[range].parse::<i32>().unwrap();
        let (date, time) = (&text[..10], &text[11..19]);
        assert_eq!((&date[4..5], &date[7..8], &text[10..11], &time[2..3]), ("-", "-", "T", ":"));
        let month = Month::try_from(number(5..7) as u8).unwrap();
        let date = Date::from_calendar_date(number(0..4), month, number(8..10) as u8).unwrap();
        let time = Time::from_hms(number(11..13) as u8, number(14..16) as u8, number(17..19) as u8).unwrap();
        let rest = &text[19..];
        let at = rest.find(['Z', '+', '-']).unwrap();
        let fraction = rest[..at].strip_prefix('.').unwrap_or_default();
        let nanos: i128 = format!("{fraction:0<9}").parse().unwrap();
        let offset = match &rest[at..] {
            "Z" => UtcOffset::UTC,
            offset => {
                let sign = if offset.starts_with('-') { -1 } else { 1 };
                let part = |range: std::ops::Range<usize>| offset[range].parse::<i8>().unwrap() * sign;
                UtcOffset::from_hms(part(1..3), part(4..6), 0).unwrap()
            }
        };
        OffsetDateTime::new_in_offset(date, time, offset).unix_timestamp_nanos() + nanos
    }

    #[test]
    fn every_precision_has_its_digits() {
        let all = TimePrecision::ALL.map(|precision| text(Zone::Utc, precision, NOON));
        assert_eq!(
            all,
            [
                "2026-11-20T12:00:00Z",
                "2026-11-20T12:00:00.123Z",
                "2026-11-20T12:00:00.123456Z",
                "2026-11-20T12:00:00.123456789Z"
            ]
        );
    }

    #[test]
    fn offsets_are_of_whole_minutes_and_the_time_is_theirs() {
        let at = |offset| text(Zone::Fixed(offset), TimePrecision::Seconds, NOON);
        assert_eq!(at(3_600), "2026-11-20T13:00:00+01:00");
        assert_eq!(at(-34_200), "2026-11-20T02:30:00-09:30");
        assert_eq!(at(-1_801), "2026-11-20T11:30:00-00:30");
        assert_eq!(at(59), "2026-11-20T12:00:00Z");
        assert_eq!(at(i32::MAX), "2026-11-21T11:59:00+23:59");
        assert_eq!(at(i32::MIN), "2026-11-19T12:01:00-23:59");
    }

    proptest! {
        #[test]
        fn any_moment_in_any_zone_is_read_back(time: i64, offset in -86_399..86_400, steps in proptest::collection::vec(-3_000_000_000..3_000_000_000i64, 0..5)) {
            for (precision, unit) in TimePrecision::ALL.into_iter().zip([1_000_000_000, 1_000_000, 1_000, 1]) {
                let mut stamp = Rfc3339::new(Zone::Fixed(offset), precision);
                let mut time = time;
                for step in [0].iter().chain(&steps) {
                    time = time.saturating_add(*step);
                    let mut out = Vec::new();
                    stamp.write(time, &mut out);
                    let text = String::from_utf8(out).unwrap();
                    let expected = i128::from(time).div_euclid(unit) * unit;
                    prop_assert_eq!(read(&text), expected, "{}", text);
                }
            }
        }
    }
}
