//! When a log file is rotated: the rules, and the moment at which the next one applies.
//!
//! Called by the configuration, which reports malformed texts, and by the file sink. Pure.

use std::time::Duration;

use super::amount::{Period, Size};
use super::naming::Unit;
use super::words::{self, WordError};
use crate::record::UnixNanos;
use crate::zone::Zone;

/// When a log file is rotated: renamed, so that a new one takes its place. The default is at 10 MB.
///
/// A file that is empty is never rotated. A size is what the file may reach at most: it is rotated before the record that would take it further, and
/// grows past it only by a single record that is larger. Times are those of the records, in the zone of the configuration: the first record at or
/// after midnight is the first one of the new file, and a file without new records is rotated within a second or two of its time. Also across restarts: a
/// file that was last written yesterday is rotated before it gets a record of today.
///
/// A text makes the same: `"10 MB"` is `Size`, `"00:00"` is `DailyAt`, `"6 hours"` is `Every`, and `"hourly"`, `"daily"`, `"on start"` and `"never"`
/// are what they say.
///
/// # Examples
///
/// ```
/// use miu_log::{LogConfig, Rotation};
///
/// # fn config() -> LogConfig {
/// LogConfig::new("logs").rotation(Rotation::AnyOf([Rotation::Size("100 MB"), Rotation::DailyAt("00:00")]))
/// # }
/// # config();
/// let rotation: Rotation = "6 hours".into();
/// assert_eq!(rotation, Rotation::Every(std::time::Duration::from_secs(6 * 60 * 60)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Rotation(Rule);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Never,
    Size(Size),
    DailyAt(Result<(u8, u8, u8), WordError>),
    Hourly,
    Every(Period),
    OnStart,
    AnyOf(Vec<Rotation>),
    /// A text that is none of these.
    Unknown(String),
}

/// The names are those of the kinds of rotation, as if they were variants of an enum: texts can be given to them, and a malformed one is told when the
/// repository is opened.
#[expect(non_snake_case, non_upper_case_globals, reason = "read as the variants of an enum")]
impl Rotation {
    /// A file grows for ever.
    pub const Never: Rotation = Rotation(Rule::Never);

    /// At every full hour. An hour that comes twice, when summer time ends, is two.
    pub const Hourly: Rotation = Rotation(Rule::Hourly);

    /// When the repository is opened and the file has something in it.
    pub const OnStart: Rotation = Rotation(Rule::OnStart);

    /// Before the file grows past this: `"10 MB"`, `"10 MiB"`, or a number of bytes.
    pub fn Size(limit: impl Into<Size>) -> Rotation {
        Rotation(Rule::Size(limit.into()))
    }

    /// Once a day at this time, `"00:00"` or `"13:30:05"`. Where that time is skipped, when summer time begins, at the first moment after it; where it comes
    /// twice, at the first.
    pub fn DailyAt(time: impl AsRef<str>) -> Rotation {
        Rotation(Rule::DailyAt(words::time_of_day(time.as_ref())))
    }

    /// So long after the file was begun: a `Duration` or `"6 hours"`, at least a second.
    pub fn Every(interval: impl Into<Period>) -> Rotation {
        Rotation(Rule::Every(interval.into()))
    }

    /// When one of these says so.
    pub fn AnyOf(rotations: impl IntoIterator<Item = impl Into<Rotation>>) -> Rotation {
        Rotation(Rule::AnyOf(rotations.into_iter().map(Into::into).collect()))
    }
}

impl Rotation {
    /// The rules, one of each kind at most.
    ///
    /// # Errors
    ///
    /// A text that says what is wrong with one of them.
    pub(crate) fn schedule(&self) -> Result<Schedule, String> {
        let mut schedule = Schedule::default();
        self.add_to(&mut schedule)?;
        Ok(schedule)
    }

    fn add_to(&self, schedule: &mut Schedule) -> Result<(), String> {
        let named = |problem: String| format!("rotation is {problem}");
        match &self.0 {
            Rule::Never => {}
            Rule::Size(size) => {
                let size = size.check().map_err(named)?;
                schedule.size = Some(schedule.size.map_or(size, |other| other.min(size)));
            }
            Rule::DailyAt(time) => {
                schedule.daily.push(time.clone().map_err(|error| named(error.to_string()))?);
            }
            Rule::Hourly => schedule.hourly = true,
            Rule::Every(interval) => {
                let interval = interval.check().map_err(named)?;
                if interval < Duration::from_secs(1) {
                    return Err(format!("rotation is every {interval:?}; at least a second is accepted"));
                }
                schedule.every = Some(schedule.every.map_or(interval, |other| other.min(interval)));
            }
            Rule::OnStart => schedule.on_start = true,
            Rule::AnyOf(all) => {
                for rotation in all {
                    rotation.add_to(schedule)?;
                }
            }
            Rule::Unknown(problem) => return Err(named(problem.clone())),
        }
        Ok(())
    }
}

impl Default for Rotation {
    /// At 10 MB.
    fn default() -> Rotation {
        Rotation::Size(10_000_000)
    }
}

impl From<&str> for Rotation {
    fn from(text: &str) -> Rotation {
        match text.trim().to_ascii_lowercase().as_str() {
            "never" => Rotation::Never,
            "hourly" => Rotation::Hourly,
            "daily" => Rotation::DailyAt("00:00"),
            "on start" => Rotation::OnStart,
            _ => Rotation::in_words(text).unwrap_or_else(|reason| {
                Rotation(Rule::Unknown(WordError::new(text, reason, EXPECTED).to_string()))
            }),
        }
    }
}

const EXPECTED: &str = "a size such as \"10 MB\", a time of day such as \"00:00\", a duration such as \"6 hours\", \"hourly\", \"daily\", \
                        \"on start\" or \"never\" is expected";

impl Rotation {
    /// A rule that begins with a number, or what is wrong with it.
    fn in_words(text: &str) -> Result<Rotation, String> {
        let (number, unit) = words::number_and_rest(text.trim());
        if number.is_empty() {
            return Err("it is none of the rules".to_owned());
        }
        if unit.is_empty() {
            // As a retention it would be a number of files: a wrong guess makes a file of each record.
            return Err("a unit is missing: it may be a size or a duration".to_owned());
        }
        // No unit of time ends with B.
        let rule = if unit.starts_with(':') {
            words::time_of_day(text).map(|time| Rotation(Rule::DailyAt(Ok(time))))
        } else if unit.ends_with(['b', 'B']) {
            words::size(text).map(Rotation::Size)
        } else {
            words::duration(text).map(Rotation::Every)
        };
        rule.map_err(|error| error.reason)
    }
}

impl From<String> for Rotation {
    fn from(text: String) -> Rotation {
        Rotation::from(text.as_str())
    }
}

/// The rules of one log file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// Most bytes.
    pub(crate) size: Option<u64>,
    daily: Vec<(u8, u8, u8)>,
    hourly: bool,
    every: Option<Duration>,
    pub(crate) on_start: bool,
}

impl Schedule {
    /// The first moment at which a file is to be rotated that was begun at `begun` and has lines up to `last`.
    pub(crate) fn due(&self, zone: &Zone, begun: UnixNanos, last: UnixNanos) -> Option<UnixNanos> {
        let daily = self.daily.iter().map(|&(hour, minute, second)| {
            zone.next_time_of_day(last, hour.into(), minute.into(), second.into())
        });
        let hourly = self.hourly.then(|| zone.next_hour(last));
        let nanos = |interval: Duration| i64::try_from(interval.as_nanos()).unwrap_or(i64::MAX);
        let every = self.every.map(|interval| begun.saturating_add(nanos(interval)));
        daily.chain(hourly).chain(every).min()
    }

    /// The first moment after `last` at which a dated name may change.
    pub(crate) fn turn(zone: &Zone, unit: Unit, last: UnixNanos) -> UnixNanos {
        let next = |nanos: i64| (last.div_euclid(nanos) + 1).saturating_mul(nanos);
        match unit {
            Unit::Second => next(1_000_000_000),
            Unit::Minute => next(60_000_000_000),
            Unit::Hour => zone.next_hour(last),
            Unit::Day => zone.next_time_of_day(last, 0, 0, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000_000;

    fn problem(rotation: Rotation) -> String {
        rotation.schedule().unwrap_err()
    }

    #[test]
    fn a_text_is_the_rule_it_says() {
        for (text, rotation) in [
            ("10 MB", Rotation::Size(10_000_000)),
            ("00:00", Rotation::DailyAt("00:00")),
            ("Daily", Rotation::DailyAt("00:00")),
            ("6 hours", Rotation::Every(Duration::from_secs(21_600))),
            ("hourly", Rotation::Hourly),
            ("on start", Rotation::OnStart),
            ("never", Rotation::Never),
        ] {
            assert_eq!(Rotation::from(text), rotation, "{text}");
        }
    }

    #[test]
    fn a_malformed_rule_is_named_with_what_is_accepted() {
        assert!(
            problem("often".into())
                .starts_with("rotation is \"often\": it is none of the rules; a size such as \"10 MB\"")
        );
        for (text, reason) in [
            ("10", "a unit is missing"),
            (" 5000000 ", "a unit is missing"),
            ("0 MB", "it is nothing"),
            ("8 Mb", "is one of bits"),
            ("1000 years", "it is more than 100 years"),
            ("25:00", "its hours are more than 23"),
            ("10 MB daily", "daily"),
        ] {
            let said = problem(text.into());
            let start = format!("rotation is {text:?}: ");
            assert!(
                said.starts_with(&start)
                    && said.contains(reason)
                    && said.contains("or \"never\" is expected"),
                "{said}"
            );
        }
        assert_eq!(Rotation::Size("5000000").schedule().unwrap().size, Some(5_000_000));
        assert!(problem(Rotation::Size("ten")).contains("rotation is \"ten\""));
        assert!(problem(Rotation::Size(0)).contains("rotation is 0 bytes"));
        assert!(problem(Rotation::DailyAt("25:00")).contains("a time of day such as"));
        assert!(problem(Rotation::Every(Duration::from_millis(1))).contains("at least a second"));
        assert!(problem(Rotation::AnyOf(["10 MB", "never ever"])).contains("never ever"));
    }

    #[test]
    fn of_several_rules_the_first_to_apply_counts() {
        let rotation = Rotation::AnyOf([
            Rotation::Hourly,
            Rotation::DailyAt("00:30"),
            Rotation::Every("45 min"),
            Rotation::AnyOf(["10 MB", "1 MB"]),
        ]);
        let schedule = rotation.schedule().unwrap();
        assert_eq!(schedule.size, Some(1_000_000));
        assert_eq!(schedule.due(&Zone::Utc, 0, 0), Some(HOUR / 2));
        assert_eq!(schedule.due(&Zone::Utc, 0, HOUR / 2), Some(HOUR * 3 / 4));
        assert_eq!(schedule.due(&Zone::Utc, HOUR / 2, HOUR / 2), Some(HOUR));
        assert_eq!(Rotation::default().schedule().unwrap().due(&Zone::Utc, 0, 0), None);
    }

    #[test]
    fn a_name_turns_with_its_unit() {
        for (unit, next) in [
            (Unit::Second, 1_000_000_000),
            (Unit::Minute, 60_000_000_000),
            (Unit::Hour, HOUR),
            (Unit::Day, 24 * HOUR),
        ] {
            assert_eq!(Schedule::turn(&Zone::Utc, unit, 0), next);
            assert_eq!(Schedule::turn(&Zone::Utc, unit, -1), 0);
        }
    }

    #[test]
    fn no_time_makes_it_panic() {
        for time in [i64::MIN, -1, 0, i64::MAX] {
            let schedule = Rotation::AnyOf(["hourly", "00:00", "100 years"]).schedule().unwrap();
            assert!(schedule.due(&Zone::Utc, time, time).is_some());
            Schedule::turn(&Zone::Utc, Unit::Minute, time);
        }
    }
}
