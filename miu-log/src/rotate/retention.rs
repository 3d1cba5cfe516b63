//! How long rotated files are kept, and which of them have to go.
//!
//! [`expired`] and [`oversized`] are given what there is, and name what is to be deleted, in order. They hold:
//!
//! K1. Only rotated files are named, each once. Current ones count where bytes are counted, and stay.
//! K2. Of one log file the oldest go first: what is named is the beginning of its history, without gaps.
//! K3. No more is named than a rule asks for: with the last one kept, the rule would be broken.
//!
//! Pure: no file and no clock is touched. Called by the upkeep of rotated files.

use std::time::Duration;

use super::amount::{Period, Size};
use super::naming::Rotated;
use super::words;
use crate::record::UnixNanos;

/// How long rotated files are kept. The current file of each log is kept always, and counts nowhere but in [`Bytes`](Retention::Bytes).
///
/// | rule | keeps |
/// | --- | --- |
/// | `Retention::Forever` | everything |
/// | `Retention::Count(5)` | five rotated files of each log file, beside the current one |
/// | `Retention::Age("30 days")` | what has had a line within that time |
/// | `Retention::Bytes("1 GB")` | as much as fits, current files included |
/// | `Retention::KeepFree("10 %")` | as much as leaves that share, or that size, of the disk free |
/// | `Retention::AnyOf([..])` | what no rule of these wants deleted |
///
/// The default is `Retention::Count(5)`. A text says it as well: `"5 files"` or `"5"`, `"30 days"`, `"1 GB"`, `"10 %"`, `"forever"`. What
/// is wrong with it is said when the repository is opened.
///
/// `Count` and `Age` are for each log file by itself. `Bytes` and `KeepFree` of a `LogConfig` are for all log files together that have no retention
/// of their own, those of a single `File` for its own rotated files. For `Bytes` the oldest go first, and where two are of the same age the
/// one with records below WARNING only. `KeepFree` deletes all rotated files of that kind first (`debug.log` and `info.log`, which say again what the domains'
/// files say), oldest first, and then the others.
///
/// Files are deleted only by names that this configuration gives to rotated files; links, folders and files with a second name are left alone.
///
/// # Examples
///
/// ```
/// use miu_log::Retention;
///
/// let retention = Retention::AnyOf([Retention::Count(20), Retention::Age("90 days"), Retention::KeepFree("10 %")]);
/// # let _ = (retention, Retention::from("5 files"), Retention::from(5));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a retention does nothing until a configuration has it"]
pub struct Retention {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Count(usize),
    Age(Period),
    Bytes(Size),
    KeepFree(Room),
    /// A text that says nothing, with what is wrong with it.
    Unknown(String),
}

/// Room on a disk: a share of it, such as `"10 %"`, or a [`Size`].
///
/// What is wrong with it is said when the repository is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room(Given);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Given {
    Bytes(Size),
    /// In hundredths of a percent.
    Share(Result<u16, String>),
}

impl From<u64> for Room {
    fn from(bytes: u64) -> Room {
        Room(Given::Bytes(bytes.into()))
    }
}

impl From<&str> for Room {
    fn from(text: &str) -> Room {
        Room(if text.contains('%') {
            Given::Share(words::share(text).map_err(|error| error.to_string()))
        } else {
            Given::Bytes(text.into())
        })
    }
}

impl From<String> for Room {
    fn from(text: String) -> Room {
        Room::from(text.as_str())
    }
}

#[allow(non_upper_case_globals, non_snake_case, reason = "they read like the variants of an enum")]
impl Retention {
    /// Nothing is ever deleted.
    pub const Forever: Retention = Retention { rules: Vec::new() };

    /// So many rotated files of each log file are kept, beside the current one: at least one.
    pub fn Count(files: usize) -> Retention {
        Retention { rules: vec![Rule::Count(files)] }
    }

    /// A rotated file is kept until its last line is older than this. One whose name is dated counts from its last change, but no later than the
    /// end of the time in its name.
    pub fn Age(age: impl Into<Period>) -> Retention {
        Retention { rules: vec![Rule::Age(age.into())] }
    }

    /// All files together, current ones included, take at most so many bytes. Where the current ones alone take more, no rotated one is kept.
    pub fn Bytes(size: impl Into<Size>) -> Retention {
        Retention { rules: vec![Rule::Bytes(size.into())] }
    }

    /// So much of the disk is left free, whoever fills it: `"10 %"` or `"2 GB"`. It is looked at after each rotation and once a minute.
    pub fn KeepFree(room: impl Into<Room>) -> Retention {
        Retention { rules: vec![Rule::KeepFree(room.into())] }
    }

    /// A file is deleted as soon as one of these wants it.
    pub fn AnyOf<R: Into<Retention>>(rules: impl IntoIterator<Item = R>) -> Retention {
        Retention { rules: rules.into_iter().flat_map(|rule| rule.into().rules).collect() }
    }
}

impl Retention {
    /// The rules in numbers, of each kind the strictest.
    ///
    /// # Errors
    ///
    /// A text that names what was given, and what is accepted.
    pub(crate) fn check(&self) -> Result<Checked, String> {
        let mut checked = Checked::default();
        for rule in &self.rules {
            match rule {
                Rule::Count(0) => {
                    return Err(
                        "Count(0): each file would be deleted as soon as it is rotated; at least one \
                                rotated file is expected"
                            .to_owned(),
                    );
                }
                Rule::Count(files) => lower(&mut checked.files, *files),
                Rule::Age(age) => lower(&mut checked.age, age.check()?),
                Rule::Bytes(size) => lower(&mut checked.bytes, size.check()?),
                Rule::KeepFree(Room(Given::Bytes(size))) => higher(&mut checked.free_bytes, size.check()?),
                Rule::KeepFree(Room(Given::Share(share))) => higher(&mut checked.free_share, share.clone()?),
                Rule::Unknown(problem) => return Err(problem.clone()),
            }
        }
        Ok(checked)
    }
}

fn lower<T: Ord>(slot: &mut Option<T>, value: T) {
    *slot = slot.take().into_iter().chain([value]).min();
}

fn higher<T: Ord>(slot: &mut Option<T>, value: T) {
    *slot = slot.take().into_iter().chain([value]).max();
}

impl Default for Retention {
    fn default() -> Retention {
        Retention::Count(5)
    }
}

impl From<usize> for Retention {
    fn from(files: usize) -> Retention {
        Retention::Count(files)
    }
}

impl From<&str> for Retention {
    fn from(text: &str) -> Retention {
        let trimmed = text.trim();
        if trimmed.eq_ignore_ascii_case("forever") {
            return Retention::Forever;
        }
        if trimmed.contains('%') {
            return Retention::KeepFree(trimmed);
        }
        let (number, unit) = words::number_and_rest(trimmed);
        if let "" | "file" | "files" = unit.to_ascii_lowercase().as_str()
            && let Ok(files) = number.parse()
        {
            return Retention::Count(files);
        }
        // A unit of bytes ends with B, and no unit of time does.
        let problem = if unit.ends_with(['b', 'B']) {
            match words::size(text) {
                Ok(bytes) => return Retention::Bytes(bytes),
                Err(error) => error.reason,
            }
        } else {
            match words::duration(text) {
                Ok(age) => return Retention::Age(age),
                Err(error) => error.reason,
            }
        };
        const EXPECTED: &str = "a number of files such as \"5 files\", an age such as \"30 days\", a size of all files \
                                such as \"1 GB\", a share of the disk that is kept free such as \"10 %\", or \"forever\" is expected";
        Retention { rules: vec![Rule::Unknown(words::WordError::new(text, problem, EXPECTED).to_string())] }
    }
}

impl From<String> for Retention {
    fn from(text: String) -> Retention {
        Retention::from(text.as_str())
    }
}

/// The rules in numbers. None: there is no such rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checked {
    files: Option<usize>,
    age: Option<Duration>,
    bytes: Option<u64>,
    free_bytes: Option<u64>,
    /// In hundredths of a percent of the disk.
    free_share: Option<u16>,
}

impl Checked {
    /// Bytes of such a disk that are to be free.
    fn wanted(&self, total: u64) -> u64 {
        let share = u128::from(total) * u128::from(self.free_share.unwrap_or(0)) / 10_000;
        // A share is less than the whole, which fits.
        self.free_bytes.unwrap_or(0).max(share as u64)
    }

    /// Whether the disk has to be asked.
    pub(crate) fn concerns_disk(&self) -> bool {
        self.free_bytes.is_some() || self.free_share.is_some()
    }
}

/// What a log file holds, as far as it matters for what goes first. In that order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Records below WARNING only.
    Chatter,
    /// Anything.
    Ordinary,
}

/// One rotated file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept<'a> {
    pub(crate) name: &'a str,
    /// Number of the log file that it was part of.
    pub(crate) family: usize,
    /// Number of the retention that it falls under: files of several log files can share one.
    pub(crate) scope: usize,
    pub(crate) class: Class,
    /// Its place in the history of its log file.
    pub(crate) rotated: Rotated,
    /// When its last line was written.
    pub(crate) last_line: UnixNanos,
    /// Its length.
    pub(crate) bytes: u64,
    /// What the disk gets back for it.
    pub(crate) on_disk: u64,
}

/// How full a disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Disk {
    pub(crate) free: u64,
    pub(crate) total: u64,
}

/// The files that have to go by number or age. Given in any order; named by log file, the oldest first.
pub(crate) fn expired<'a>(scopes: &[Checked], files: &[Kept<'a>], now: UnixNanos) -> Vec<Kept<'a>> {
    let mut files = files.to_vec();
    files.sort_unstable_by_key(|file| (file.family, file.rotated, file.name));
    let mut named = Vec::new();
    for family in files.chunk_by(|one, other| one.family == other.family) {
        let Some(rules) = scopes.get(family[0].scope) else { continue };
        let surplus = rules.files.map_or(0, |files| family.len().saturating_sub(files));
        let is_old = |file: &Kept<'_>| {
            rules.age.is_some_and(|age| {
                // A file from the future has no age.
                let nanos = now.saturating_sub(file.last_line).max(0);
                u128::from(nanos.unsigned_abs()) > age.as_nanos()
            })
        };
        // Up to the first that is young enough, so that no history gets a gap.
        let old = family.iter().take_while(|file| is_old(file)).count();
        named.extend_from_slice(&family[..surplus.max(old)]);
    }
    named
}

/// The files that have to go because of what all take, or for room on the disk: `current` is what the current files take, by scope. In the order in which
/// they are to be deleted.
pub(crate) fn oversized<'a>(
    scopes: &[Checked],
    files: &[Kept<'a>],
    current: &[u64],
    disk: Option<Disk>,
) -> Vec<Kept<'a>> {
    let mut named = Vec::new();
    let mut freed: u64 = 0;
    for (scope, rules) in scopes.iter().enumerate() {
        let mut files: Vec<Kept<'a>> = files.iter().filter(|file| file.scope == scope).copied().collect();
        if let Some(most) = rules.bytes {
            files.sort_unstable_by_key(|file| {
                (file.rotated.time, file.class, file.family, file.rotated, file.name)
            });
            let current = current.get(scope).copied().unwrap_or(0);
            let mut total = files.iter().fold(current, |total, file| total.saturating_add(file.bytes));
            let mut gone = 0;
            while total > most && gone < files.len() {
                total = total.saturating_sub(files[gone].bytes);
                freed = freed.saturating_add(files[gone].on_disk);
                gone += 1;
            }
            named.extend(files.drain(..gone));
        }
        if let Some(disk) = disk.filter(|_| rules.concerns_disk()) {
            files.sort_unstable_by_key(|file| {
                (file.class, file.rotated.time, file.family, file.rotated, file.name)
            });
            let wanted = rules.wanted(disk.total);
            for file in files {
                if disk.free.saturating_add(freed) >= wanted {
                    break;
                }
                freed = freed.saturating_add(file.on_disk);
                named.push(file);
            }
        }
    }
    named
}

#[cfg(test)]
mod tests;
