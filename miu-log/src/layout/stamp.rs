//! Points in time as `2026-11-20 12:00:00.123`, or in a format of the pattern's.
//!
//! The text of the current second is kept, so that most records cost three digits and a copy. Any
//! point that 64 bits of nanoseconds can name is written without panic, those before 1970 included.
//! Called by `line`.

use std::io::Write as _;

use super::time_format::{Custom, TimeFormat};
use crate::record::UnixNanos;
use crate::zone::{Civil, NANOS_PER_SECOND, Span, Zone};

/// Length of `2026-11-20 12:00:00.123`.
const USUAL_LEN: usize = 23;

/// A point in time in words, in universal time.
pub(crate) fn moment(time: UnixNanos) -> String {
    let mut out = Vec::new();
    Stamp::new(&TimeFormat::Usual, &Zone::Utc).write(time, &mut out);
    format!("{} UTC", String::from_utf8_lossy(&out))
}

/// Writes time stamps.
#[derive(Debug)]
pub(super) struct Stamp {
    zone: Zone,
    /// The Unix second whose text is kept.
    second: i64,
    /// The usual text, where no other format is asked for.
    text: [u8; USUAL_LEN],
    other: Option<Box<Other>>,
    /// The stretch that the latest second lies in.
    span: Option<Span>,
}

/// Text in another format.
#[derive(Debug)]
struct Other {
    format: Custom,
    text: Vec<u8>,
    /// Where digits of the second's fraction stand, and how many.
    fractions: Vec<(usize, u8)>,
}

/// The Unix second of no text: no point in time of 64 bits falls into it.
const NO_SECOND: i64 = i64::MIN;

impl Stamp {
    pub(super) fn new(format: &TimeFormat, zone: &Zone) -> Stamp {
        let (zone, other) = match format {
            TimeFormat::Usual => (zone.clone(), None),
            TimeFormat::Other(custom) => {
                let other = Other { format: (**custom).clone(), text: Vec::new(), fractions: Vec::new() };
                (if custom.utc { Zone::Utc } else { zone.clone() }, Some(Box::new(other)))
            }
        };
        Stamp { zone, second: NO_SECOND, text: *b"0000-00-00 00:00:00.000", other, span: None }
    }

    /// Appends the time, in the stamp's zone.
    #[inline]
    pub(super) fn write(&mut self, time: UnixNanos, out: &mut Vec<u8>) {
        let second = time.div_euclid(NANOS_PER_SECOND);
        let nanosecond = time.rem_euclid(NANOS_PER_SECOND);
        if second != self.second {
            self.turn_to(second, nanosecond);
        }
        if self.other.is_some() {
            self.write_other(nanosecond as u32, out);
            return;
        }
        let milliseconds = (nanosecond / 1_000_000) as u32;
        self.text[USUAL_LEN - 3] = digit(milliseconds / 100);
        self.text[USUAL_LEN - 2] = digit(milliseconds / 10);
        self.text[USUAL_LEN - 1] = digit(milliseconds);
        out.extend_from_slice(&self.text);
    }

    /// Appends the kept text in another format than the usual one.
    #[inline(never)]
    fn write_other(&mut self, nanosecond: u32, out: &mut Vec<u8>) {
        let Some(other) = &mut self.other else { return };
        for &(start, digits) in &other.fractions {
            let mut rest = nanosecond / 10_u32.pow(9 - u32::from(digits));
            for place in other.text[start..start + usize::from(digits)].iter_mut().rev() {
                *place = digit(rest);
                rest /= 10;
            }
        }
        out.extend_from_slice(&other.text);
        if other.format.is_new_each_time() {
            self.second = NO_SECOND;
        }
    }

    /// Writes the text of another second.
    #[cold]
    fn turn_to(&mut self, second: i64, nanosecond: i64) {
        let span = match self.span.take().filter(|span| (span.from..span.until).contains(&second)) {
            Some(span) => span,
            None => self.zone.span_at(second),
        };
        self.second = second;
        if let Some(other) = &mut self.other {
            other.text.clear();
            other.fractions.clear();
            other.format.write(second, nanosecond, &span, &mut other.text, &mut other.fractions);
        } else {
            let Civil { year, month, day, hour, minute, second: shown, .. } =
                Civil::new(second, nanosecond, span.offset);
            // Nanoseconds of 64 bits span the years 1677 to 2262: the text always fits.
            let mut text = self.text.as_mut_slice();
            let _ = write!(text, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{shown:02}.");
        }
        self.span = Some(span);
    }
}

/// The last decimal digit of a number.
fn digit(number: u32) -> u8 {
    b'0' + (number % 10) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::{OffsetDateTime, UtcOffset};

    use super::*;

    fn usual(zone: &Zone) -> Stamp {
        Stamp::new(&TimeFormat::Usual, zone)
    }

    fn stamped(zone: Zone, time: UnixNanos) -> String {
        text(&mut usual(&zone), time)
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
    fn an_offset_out_of_all_reason_does_not_panic() {
        for time in [i64::MIN, 0, i64::MAX] {
            for offset in [i32::MIN, i32::MAX] {
                assert_eq!(stamped(Zone::Fixed(offset), time).len(), USUAL_LEN);
            }
        }
    }

    #[test]
    fn summer_time_begins_and_ends_within_a_run() {
        let mut stamp = usual(&Zone::bundled("Europe/Berlin"));
        for (second, shown) in [
            (1_774_745_999, "2026-03-29 01:59:59.000"),
            (1_774_746_000, "2026-03-29 03:00:00.000"),
            (1_792_889_999, "2026-10-25 02:59:59.000"),
            (1_792_890_000, "2026-10-25 02:00:00.000"),
            (1_774_745_999, "2026-03-29 01:59:59.000"),
        ] {
            assert_eq!(text(&mut stamp, second * NANOS_PER_SECOND), shown);
        }
    }

    #[test]
    fn every_token_is_written() {
        // 2026-11-20 12:00:00 UTC, a Friday, in winter.
        const NOON: UnixNanos = 1_795_176_000_123_456_789;
        let berlin = Zone::bundled("Europe/Berlin");
        let shown =
            |format: &str, time| text(&mut Stamp::new(&TimeFormat::parse(format).unwrap(), &berlin), time);
        for (format, wanted) in [
            ("YYYY YY Q MMMM MMM MM M", "2026 26 4 November Nov 11 11"),
            ("DDDD DDD DD D dddd ddd d E", "324 324 20 20 Friday Fri 4 5"),
            ("HH H hh h mm m ss s A", "13 13 01 1 00 0 00 0 PM"),
            ("S SS SSS SSSS SSSSS SSSSSS", "1 12 123 1234 12345 123456"),
            ("SSSSSSS SSSSSSSS SSSSSSSSS", "1234567 12345678 123456789"),
            ("ZZ Z zz X x", "+0100 +01:00 CET 1795176000 1795176000123456"),
            ("[at] HH[h]mm [[]!UTC", "at 12h00 ["),
            ("rfc3339", "2026-11-20T13:00:00.123+01:00"),
            ("iso8601!UTC", "2026-11-20T12:00:00.123+00:00"),
            ("!UTC", "2026-11-20 12:00:00.123"),
            ("YYYY-MM-DD HH:mm:ss,SSS", "2026-11-20 13:00:00,123"),
            ("YYYYMMDD HHmmss", "20261120 130000"),
        ] {
            assert_eq!(shown(format, NOON), wanted, "{format}");
        }
        // The first second of 1970 in Berlin, and the half second before.
        assert_eq!(shown("DDDD DDD DD D M h A ddd x", 0), "001 1 01 1 1 1 AM Thu 0");
        assert_eq!(shown("X x SSS Z", -500_000_000), "-1 -500000 500 +01:00");
        assert_eq!(shown("hh A", -3_600 * NANOS_PER_SECOND), "12 AM");
    }

    proptest! {
        #[test]
        fn no_moment_and_no_format_make_it_panic(format in "[YQMDdEHhmsSAZzXx:. -]{0,30}", time: i64, later: i64) {
            if let Ok(format) = TimeFormat::parse(&format) {
                let mut stamp = Stamp::new(&format, &Zone::bundled("Europe/Berlin"));
                let mut fresh = Stamp::new(&format, &Zone::bundled("Europe/Berlin"));
                text(&mut stamp, time);
                prop_assert_eq!(text(&mut stamp, later), text(&mut fresh, later));
            }
        }

        #[test]
        fn any_moment_in_any_zone_is_right(time: i64, offset in -86_399..86_400) {
            let text = stamped(Zone::Fixed(offset), time);
            prop_assert_eq!(text, expected(time, UtcOffset::from_whole_seconds(offset).unwrap()));
        }

        #[test]
        fn kept_text_never_shows(start: i64, steps in proptest::collection::vec(-3_000_000_000..3_000_000_000i64, 1..20)) {
            let mut stamp = usual(&Zone::Fixed(-1_800));
            let mut time = start;
            for step in steps {
                time = time.saturating_add(step);
                prop_assert_eq!(text(&mut stamp, time), stamped(Zone::Fixed(-1_800), time));
            }
        }
    }
}
