//! Points in time as `2026-11-20 12:00:00.123`.
//!
//! The text of the current second is kept, so that most records cost three digits and a copy. Any
//! point that 64 bits of nanoseconds can name is written without panic, those before 1970 included.
//! Called by `line`.

use std::io::Write as _;

use crate::record::UnixNanos;
use crate::zone::{Civil, NANOS_PER_SECOND, Span, Zone};

/// Length of `2026-11-20 12:00:00.123`.
const USUAL_LEN: usize = 23;

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
    /// The stretch that the latest second lies in.
    span: Option<Span>,
}

impl Stamp {
    pub(super) fn new(zone: Zone) -> Stamp {
        // No point in time of 64 bits falls into this second, so that the first one is written anew.
        Stamp { zone, second: i64::MIN, text: *b"0000-00-00 00:00:00.000", span: None }
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
        let span = match self.span.take().filter(|span| (span.from..span.until).contains(&second)) {
            Some(span) => span,
            None => self.zone.span_at(second),
        };
        let Civil { year, month, day, hour, minute, second: shown, .. } = Civil::new(second, 0, span.offset);
        self.span = Some(span);
        // Nanoseconds of 64 bits span the years 1677 to 2262: the text always fits.
        let mut text = self.text.as_mut_slice();
        let _ = write!(text, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{shown:02}.");
        self.second = second;
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
    fn an_offset_out_of_all_reason_does_not_panic() {
        for time in [i64::MIN, 0, i64::MAX] {
            for offset in [i32::MIN, i32::MAX] {
                assert_eq!(stamped(Zone::Fixed(offset), time).len(), USUAL_LEN);
            }
        }
    }

    #[test]
    fn summer_time_begins_and_ends_within_a_run() {
        let mut stamp = Stamp::new(Zone::bundled("Europe/Berlin"));
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
    }
}
