//! What log files are called: the current one, and those it was rotated to.
//!
//! A name is made from a template of literal text and `{keys}`. Without `{time:..}` the current file has always the same
//! name, `db.log`, and is renamed when it is full, to one with the time of its last line: `db.2026-11-20_23-59-58.log`. With it the
//! name is dated, `db_2026-11-20.log`, and the file keeps it; only where the same name comes again is it renamed, to `db_2026-11-20.1.log`.
//!
//! W1. A name made here has parts of `a-z`, `0-9`, `_` and `-` (and of `A-Z`, where the service's name has such) between single dots, each beginning with a letter or digit: it is the
//!     name of a file in one folder on every system, and never another log file's with a suffix.
//! W2. What [`Naming::parse`] takes is what this naming made, or exactly like it: `app.log.2` or `app-2.log` are never taken for
//!     rotated files of `app.log`.
//!
//! Pure: no file is touched. Called by the configuration, the file sink and the upkeep of rotated files.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

use super::Compression;
use crate::folder::valid_stem;
use crate::record::UnixNanos;
use crate::sync::lock;
use crate::zone::Zone;

/// Longest name: behind it there must be room for a date, a number and how it is compressed, in the 255 bytes of a file name.
const LONGEST: usize = 200;

/// What a name is made for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Keys<'a> {
    pub(crate) domain: Option<&'a str>,
    pub(crate) level: Option<&'a str>,
    pub(crate) app: &'a str,
    pub(crate) pid: u32,
}

/// How one log file and its rotated ones are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Naming {
    /// The template with all its keys replaced but for the time.
    label: String,
    /// All before the extension.
    stem: Vec<Part>,
    /// With its dot; empty where there is none.
    extension: String,
    zone: Zone,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Time(Vec<Piece>),
}

/// A piece of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    /// `-` or `_`.
    Separator(char),
}

const PIECES: [(&str, Piece); 6] = [
    ("YYYY", Piece::Year),
    ("MM", Piece::Month),
    ("DD", Piece::Day),
    ("HH", Piece::Hour),
    ("mm", Piece::Minute),
    ("ss", Piece::Second),
];

/// How often a dated name changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unit {
    Second,
    Minute,
    Hour,
    Day,
}

/// What the name of a rotated file says. In order of age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rotated {
    /// When its last line was written, or its period began.
    pub(crate) time: UnixNanos,
    /// Tells files of the same time apart: the older has the lower one. The file that has a dated name itself is the last of them.
    pub(crate) number: u32,
    /// How it is compressed.
    pub(crate) compressed: Option<Compression>,
}

/// The name that is most like this one, of those that can stand in a file's name.
fn fitting(name: &str) -> Option<String> {
    let fit = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => character,
        _ => '-',
    };
    let name: String = name.chars().map(fit).take(64).collect();
    let name = name.trim_start_matches(['-', '_']).to_owned();
    valid_stem(&name.to_ascii_lowercase()).is_ok().then_some(name)
}

/// Says what is wrong with a service's name in the names of its files, if anything is.
pub(crate) fn check_app(name: &str) -> Result<(), String> {
    valid_stem(&name.to_ascii_lowercase()).map_err(|_| {
        format!(
            "{name:?}, which cannot stand in a file's name; 1 to 64 letters a-z and A-Z, digits, _ and - are expected, beginning \
             with a letter or digit, and no name of a device such as \"con\"{}",
            fitting(name).map_or_else(String::new, |fit| format!("; {fit:?} would do"))
        )
    })
}

impl Naming {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// A text that says what is wrong with it and what is accepted.
    pub(crate) fn new(template: &str, keys: Keys<'_>, zone: &Zone) -> Result<Naming, String> {
        let has_capitals = keys.app.bytes().any(|byte| byte.is_ascii_uppercase());
        if has_capitals {
            // A service is called as it is called: its name may have capitals, and nothing else in a name may.
            Naming::new(template, Keys { app: &keys.app.to_ascii_lowercase(), ..keys }, zone)?;
        }
        let refuse = |problem: &str| Err(format!("the file name {template:?} {problem}"));
        let mut stem = Vec::new();
        let mut literal = String::new();
        let mut rest = template;
        while let Some(brace) = rest.find(['{', '}']) {
            literal.push_str(&rest[..brace]);
            let inside = rest[brace..].strip_prefix('{').and_then(|inside| inside.split_once('}'));
            let Some((key, after)) = inside else {
                return refuse(
                    "has a brace without its partner; expected are keys such as {domain} or {time:YYYY-MM-DD}",
                );
            };
            rest = after;
            let value = match key {
                "domain" => keys.domain.ok_or("{domain}"),
                "level" => keys.level.ok_or("{level}"),
                "app" => Ok(keys.app),
                "pid" => {
                    literal.push_str(&keys.pid.to_string());
                    continue;
                }
                _ => {
                    let Some(format) = key.strip_prefix("time:") else {
                        return refuse(&format!(
                            "has the unknown key {{{key}}}; accepted are {{domain}}, {{level}}, {{app}}, {{pid}} and {{time:YYYY-MM-DD}}"
                        ));
                    };
                    if stem.iter().any(|part| matches!(part, Part::Time(_))) {
                        return refuse("has two times; one is accepted, such as {time:YYYY-MM-DD_HH}");
                    }
                    if !literal.is_empty() {
                        stem.push(Part::Literal(std::mem::take(&mut literal)));
                    }
                    match pieces(format) {
                        Ok(pieces) => stem.push(Part::Time(pieces)),
                        Err(problem) => return refuse(&problem),
                    }
                    continue;
                }
            };
            match value {
                Ok(value) => literal.push_str(value),
                Err(key) => {
                    return refuse(&format!(
                        "has the key {key}, which has no value here: it is for the names of the files per domain or level"
                    ));
                }
            }
        }
        literal.push_str(rest);
        // The extension is what follows the last dot behind any date.
        let extension = match literal.rfind('.') {
            Some(dot) if dot > 0 || !stem.is_empty() => literal.split_off(dot),
            _ => String::new(),
        };
        if !literal.is_empty() || stem.is_empty() {
            stem.push(Part::Literal(literal));
        }
        let named = |part: &Part| match part {
            Part::Literal(text) => text.clone(),
            Part::Time(pieces) => format!("{{time:{}}}", format_of(pieces)),
        };
        let label = stem.iter().map(named).collect::<String>() + &extension;
        let naming = Naming { label, stem, extension, zone: zone.clone() };
        // Digits stand for the date: the rule is the same for each of them.
        let sample = naming.current(0);
        if sample.len() > LONGEST {
            return refuse(&format!("is longer than {LONGEST} bytes"));
        }
        if template.contains('/') {
            return refuse(
                "has a / in it; log files are in the log folder itself, none outside or below it, and parts of their names have 1 to 64 \
                 characters of a-z, 0-9, _ and -",
            );
        }
        for part in sample.split('.') {
            let plain = if has_capitals { part.to_ascii_lowercase() } else { part.to_owned() };
            if let Err(error) = valid_stem(&plain) {
                return refuse(&format!("is not accepted: {error}; parts are separated by single dots"));
            }
        }
        if matches!(naming.extension.as_str(), ".gz" | ".zst" | ".part") {
            return refuse("ends as compressed files do; name it by what is in it, such as .log");
        }
        Ok(naming)
    }

    /// What the files are called in notices and counters: the name, with `{time:..}` in place of a date.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// Whether the name changes with time.
    pub(crate) fn is_dated(&self) -> bool {
        self.unit().is_some()
    }

    /// How often the name changes, at most.
    pub(crate) fn unit(&self) -> Option<Unit> {
        let pieces = self.pieces()?;
        let unit = |piece: &Piece| match piece {
            Piece::Second => Some(Unit::Second),
            Piece::Minute => Some(Unit::Minute),
            Piece::Hour => Some(Unit::Hour),
            Piece::Day | Piece::Month | Piece::Year => Some(Unit::Day),
            Piece::Separator(_) => None,
        };
        pieces.iter().filter_map(unit).min()
    }

    /// How long after the time in a name its file can still have been written to, in nanoseconds: the length of its smallest piece.
    pub(crate) fn period(&self) -> UnixNanos {
        const SECOND: UnixNanos = 1_000_000_000;
        let long = |piece: &Piece| match piece {
            Piece::Second => Some(SECOND),
            Piece::Minute => Some(60 * SECOND),
            Piece::Hour => Some(60 * 60 * SECOND),
            Piece::Day => Some(24 * 60 * 60 * SECOND),
            Piece::Month => Some(31 * 24 * 60 * 60 * SECOND),
            Piece::Year => Some(366 * 24 * 60 * 60 * SECOND),
            Piece::Separator(_) => None,
        };
        self.pieces().unwrap_or(&STAMP).iter().filter_map(long).min().unwrap_or(SECOND)
    }

    fn pieces(&self) -> Option<&[Piece]> {
        self.stem.iter().find_map(|part| match part {
            Part::Time(pieces) => Some(pieces.as_slice()),
            Part::Literal(_) => None,
        })
    }

    /// The name of the file that records of this time go into.
    pub(crate) fn current(&self, time: UnixNanos) -> String {
        let mut name = self.stem(time);
        name.push_str(&self.extension);
        name
    }

    fn stem(&self, time: UnixNanos) -> String {
        let mut stem = String::new();
        for part in &self.stem {
            match part {
                Part::Literal(text) => stem.push_str(text),
                Part::Time(pieces) => write_pieces(pieces, self.civil(time), &mut stem),
            }
        }
        stem
    }

    /// The name without its date, for a link to the current file: `db_{time:..}.log` gives `db.log`. None where the name is not dated, or
    /// nothing is left.
    pub(crate) fn undated(&self) -> Option<String> {
        self.pieces()?;
        let literal = |part: &Part| match part {
            Part::Literal(text) => Some(text.clone()),
            Part::Time(_) => None,
        };
        let parts: Vec<String> = self.stem.iter().filter_map(literal).collect();
        let separator = ['_', '-', '.'];
        let stem = match parts.as_slice() {
            [before, after] => format!("{}{after}", before.trim_end_matches(separator)),
            parts => parts.concat().trim_matches(separator).to_owned(),
        };
        (!stem.is_empty() && valid_stem(stem.split('.').next().unwrap_or_default()).is_ok())
            .then(|| stem + &self.extension)
    }

    /// The name that the current file called `current` is given when it is rotated and its name is needed again: that with this number.
    pub(crate) fn rotated(&self, current: &str, last_line: UnixNanos, number: u32) -> String {
        let mut name = current.strip_suffix(&*self.extension).unwrap_or(current).to_owned();
        if !self.is_dated() {
            name.push('.');
            write_pieces(&STAMP, self.civil(last_line), &mut name);
        }
        if number > 0 {
            // Writing to a string cannot fail.
            let _ = write!(name, ".{number}");
        }
        name.push_str(&self.extension);
        name
    }

    /// What a name says, if it is one that this naming gives to a rotated file, or to a dated one. The caller knows which is the current one.
    pub(crate) fn parse(&self, name: &str) -> Option<Rotated> {
        let (name, compressed) = Compression::split(name);
        let mut rest = name.strip_suffix(&*self.extension)?;
        let mut time = None;
        for part in &self.stem {
            match part {
                Part::Literal(text) => rest = rest.strip_prefix(&**text)?,
                Part::Time(pieces) => {
                    let (civil, after) = read_pieces(pieces, rest)?;
                    time = Some(civil);
                    rest = after;
                }
            }
        }
        let dated = time.is_some();
        if !dated {
            let (civil, after) = read_pieces(&STAMP, rest.strip_prefix('.')?)?;
            time = Some(civil);
            rest = after;
        }
        let number = match rest.strip_prefix('.') {
            None if rest.is_empty() => {
                if dated {
                    u32::MAX
                } else {
                    0
                }
            }
            Some(digits) if !digits.starts_with(['0', '+']) => digits.parse().ok()?,
            _ => return None,
        };
        let local = time?.assume_utc().unix_timestamp();
        // The offset at about that time: an hour that comes twice is taken for its first one.
        let seconds = local - self.zone.offset_at(local - self.zone.offset_at(local));
        Some(Rotated { time: seconds.saturating_mul(1_000_000_000), number, compressed })
    }

    /// Whether current files of the other naming may be called as rotated, or dated, files of this one are.
    pub(crate) fn takes_files_of(&self, other: &Naming) -> bool {
        /// 2001-02-02 00:00 UTC. Small numbers, which may stand for any piece of a date; one of the times has an hour that may.
        const SAMPLE: UnixNanos = 981_072_122_000_000_000;
        const QUARTER: UnixNanos = 6 * 60 * 60 * 1_000_000_000;
        let samples = if other.is_dated() { 4 } else { 1 };
        (0..samples).any(|quarter| self.parse(&other.current(SAMPLE + quarter * QUARTER)).is_some())
    }

    /// Date and time on the wall.
    fn civil(&self, time: UnixNanos) -> PrimitiveDateTime {
        let seconds = time.div_euclid(1_000_000_000);
        // Nanoseconds of 64 bits span the years 1677 to 2262.
        let local = OffsetDateTime::from_unix_timestamp(seconds.saturating_add(self.zone.offset_at(seconds)));
        let local = local.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        PrimitiveDateTime::new(local.date(), local.time())
    }
}

/// The time of an undated file's last line.
const STAMP: [Piece; 11] = [
    Piece::Year,
    Piece::Separator('-'),
    Piece::Month,
    Piece::Separator('-'),
    Piece::Day,
    Piece::Separator('_'),
    Piece::Hour,
    Piece::Separator('-'),
    Piece::Minute,
    Piece::Separator('-'),
    Piece::Second,
];

fn pieces(format: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = format;
    while let Some(next) = rest.chars().next() {
        if let Some((token, piece)) = PIECES.iter().find(|(token, _)| rest.starts_with(token)) {
            if pieces.contains(piece) {
                return Err(format!("has {token} twice in its time"));
            }
            pieces.push(*piece);
            rest = &rest[token.len()..];
        } else if matches!(next, '-' | '_') {
            pieces.push(Piece::Separator(next));
            rest = &rest[1..];
        } else {
            return Err(format!(
                "has {rest:?} in its time; accepted are YYYY, MM, DD, HH, mm and ss, and - and _ between them"
            ));
        }
    }
    if !pieces.iter().any(|piece| !matches!(piece, Piece::Separator(_))) {
        return Err("has an empty time; expected is one such as {time:YYYY-MM-DD}".to_owned());
    }
    // Without its year a name would come again, and one file would be taken for another.
    let smallest = PIECES.iter().rposition(|(_, piece)| pieces.contains(piece)).unwrap_or(0);
    let missing = PIECES[..smallest].iter().filter(|(_, piece)| !pieces.contains(piece));
    let missing: Vec<&str> = missing.map(|(token, _)| *token).collect();
    if !missing.is_empty() {
        const LARGEST_FIRST: [&str; 6] =
            ["YYYY", "YYYY-MM", "YYYY-MM-DD", "YYYY-MM-DD_HH", "YYYY-MM-DD_HH-mm", "YYYY-MM-DD_HH-mm-ss"];
        return Err(format!(
            "has {} in its time without {}, so that the name would come again; a smaller piece needs all larger ones, as in {{time:{}}}",
            PIECES[smallest].0,
            missing.join(", "),
            LARGEST_FIRST[smallest]
        ));
    }
    Ok(pieces)
}

fn format_of(pieces: &[Piece]) -> String {
    let mut format = String::new();
    for piece in pieces {
        match piece {
            Piece::Separator(separator) => format.push(*separator),
            piece => {
                format.push_str(PIECES.iter().find(|(_, it)| it == piece).map_or("", |(token, _)| token));
            }
        }
    }
    format
}

fn write_pieces(pieces: &[Piece], civil: PrimitiveDateTime, out: &mut String) {
    for piece in pieces {
        let (value, width) = match *piece {
            Piece::Year => (civil.year().unsigned_abs(), 4),
            Piece::Month => (u32::from(u8::from(civil.month())), 2),
            Piece::Day => (civil.day().into(), 2),
            Piece::Hour => (civil.hour().into(), 2),
            Piece::Minute => (civil.minute().into(), 2),
            Piece::Second => (civil.second().into(), 2),
            Piece::Separator(separator) => {
                out.push(separator);
                continue;
            }
        };
        // Writing to a string cannot fail.
        let _ = write!(out, "{value:0width$}");
    }
}

/// The date and time that a text begins with, and the rest of the text. What the pieces do not say is as at the beginning of 1970.
fn read_pieces<'a>(pieces: &[Piece], text: &'a str) -> Option<(PrimitiveDateTime, &'a str)> {
    let (mut year, mut month, mut day, mut hour, mut minute, mut second) = (1970, 1, 1, 0, 0, 0);
    let mut rest = text;
    for piece in pieces {
        let (field, width) = match *piece {
            Piece::Year => (&mut year, 4),
            Piece::Month => (&mut month, 2),
            Piece::Day => (&mut day, 2),
            Piece::Hour => (&mut hour, 2),
            Piece::Minute => (&mut minute, 2),
            Piece::Second => (&mut second, 2),
            Piece::Separator(separator) => {
                rest = rest.strip_prefix(separator)?;
                continue;
            }
        };
        let digits = rest.get(..width).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))?;
        *field = digits.parse::<u16>().ok()?;
        rest = &rest[width..];
    }
    let small = |value: u16| u8::try_from(value).ok();
    let month = Month::try_from(small(month)?).ok()?;
    let date = Date::from_calendar_date(year.into(), month, small(day)?).ok()?;
    let time = Time::from_hms(small(hour)?, small(minute)?, small(second)?).ok()?;
    Some((PrimitiveDateTime::new(date, time), rest))
}

/// Names of files that must not be touched: those that are written to, and those that were until a moment ago and may still be cut after a
/// crash. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct InUse {
    names: Arc<Mutex<Vec<String>>>,
}

impl InUse {
    pub(crate) fn contains(&self, name: &str) -> bool {
        lock(&self.names).iter().any(|used| used == name)
    }

    /// Does something to the file of this name, unless it is in use. Who wants to use it from then on waits in [`add`](InUse::add) until it is done.
    pub(crate) fn unless<R>(&self, name: &str, deed: impl FnOnce() -> R) -> Option<R> {
        let names = lock(&self.names);
        (!names.iter().any(|used| used == name)).then(deed)
    }

    /// A file of this name is written to from now on: said before it is opened.
    pub(crate) fn add(&self, name: &str) {
        lock(&self.names).push(name.to_owned());
    }

    /// Nobody needs the file of this name any more; where several have said so, one of them.
    pub(crate) fn remove(&self, name: &str) {
        let mut names = lock(&self.names);
        if let Some(at) = names.iter().position(|used| used == name) {
            names.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEYS: Keys<'_> = Keys { domain: Some("db"), level: None, app: "orders", pid: 42 };
    /// 2026-11-20 23:59:58 UTC.
    const TIME: UnixNanos = 1_795_219_198_000_000_000;

    fn naming(template: &str) -> Naming {
        Naming::new(template, KEYS, &Zone::Utc).unwrap()
    }

    fn problem(template: &str) -> String {
        Naming::new(template, KEYS, &Zone::Utc).unwrap_err()
    }

    #[test]
    fn keys_stand_for_their_values() {
        let name = |template: &str| naming(template).current(TIME);
        assert_eq!(name("{domain}.log"), "db.log");
        assert_eq!(name("{app}-{pid}.{domain}.jsonl"), "orders-42.db.jsonl");
        assert_eq!(name("errors_{time:YYYY-MM-DD}.log"), "errors_2026-11-20.log");
        assert_eq!(name("{time:YYYY-MM-DD_HH-mm-ss}.log"), "2026-11-20_23-59-58.log");
        assert_eq!(name("app.log.{time:YYYYMM}"), "app.log.202611");
        assert_eq!(name("journal"), "journal");
        assert_eq!(naming("{app}_{time:YYYY-MM-DD_HH}.log").label(), "orders_{time:YYYY-MM-DD_HH}.log");
    }

    #[test]
    fn a_name_that_is_no_plain_file_name_is_refused_with_the_rule() {
        for template in [
            "",
            ".",
            "..",
            "a/b.log",
            "../../etc/cron.d/x",
            "app\n.log",
            "App.log",
            ".hidden",
            "a..log",
            "app.log.",
            "app .log",
            "con.log",
            "-rf",
            "app\0.log",
            "ö.log",
            "app.log ",
        ] {
            assert!(problem(template).contains("characters of a-z, 0-9, _ and -"), "{template:?}");
        }
        assert!(problem(&"a.".repeat(150)).contains("longer than 200 bytes"));
        assert!(problem(&"a".repeat(65)).contains("1 to 64 characters"));
        assert!(problem("app.log.gz").contains("ends as compressed files do"));
        assert!(problem("{level}.log").contains("has the key {level}, which has no value here"));
        assert!(problem("{host}.log").contains("has the unknown key {host}; accepted are {domain}"));
        assert!(problem("{time:YYYY/MM}.log").contains("has \"/MM\" in its time; accepted are YYYY"));
        assert!(problem("{time:YYYY-YYYY}.log").contains("YYYY twice"));
        assert!(problem("{time:-}.log").contains("empty time"));
        for (template, says) in [
            ("{time:DD}.log", "has DD in its time without YYYY, MM, so that the name would come again"),
            ("a_{time:HH}.log", "has HH in its time without YYYY, MM, DD, so that"),
            ("a_{time:YYYY-MM-DD_mm}.log", "has mm in its time without HH, so that"),
            ("a_{time:HH}.log", "as in {time:YYYY-MM-DD_HH}"),
        ] {
            assert!(problem(template).contains(says), "{}", problem(template));
        }
        assert!(problem("../{domain}.log").contains("has a / in it; log files are in the log folder itself"));
        assert!(problem("{time:YYYY}{time:MM}.log").contains("two times"));
        assert!(problem("{domain.log").contains("brace without its partner"));
        assert!(problem("domain}.log").contains("brace without its partner"));
    }

    #[test]
    fn a_service_s_name_that_cannot_stand_in_a_file_s_is_told_with_one_that_can() {
        assert_eq!(check_app("My-App_2"), Ok(()));
        for (name, end) in [
            ("My App", "; \"My-App\" would do"),
            ("_shop", "; \"shop\" would do"),
            ("con", "such as \"con\""),
            ("", "such as \"con\""),
        ] {
            let problem = check_app(name).unwrap_err();
            assert!(
                problem.starts_with(&format!("{name:?}, which cannot")) && problem.ends_with(end),
                "{problem}"
            );
        }
    }

    #[test]
    fn rotated_names_are_read_back() {
        let plain = naming("db.log");
        assert_eq!(plain.rotated("db.log", TIME, 0), "db.2026-11-20_23-59-58.log");
        assert_eq!(plain.rotated("db.log", TIME, 2), "db.2026-11-20_23-59-58.2.log");
        let dated = naming("db_{time:YYYY-MM-DD}.log");
        assert_eq!(dated.rotated("db_2026-11-20.log", TIME, 1), "db_2026-11-20.1.log");
        let read = |name| plain.parse(name).unwrap();
        assert_eq!(read("db.2026-11-20_23-59-58.log"), Rotated { time: TIME, number: 0, compressed: None });
        assert_eq!(
            read("db.2026-11-20_23-59-58.12.log.gz"),
            Rotated { time: TIME, number: 12, compressed: Some(Compression::Gz) }
        );
        let day = dated.parse("db_2026-11-20.log").unwrap();
        let first = dated.parse("db_2026-11-20.1.log.zst").unwrap();
        assert!(first < day, "the file that keeps the name is the latest");
        assert_eq!(first.compressed, Some(Compression::Zstd));
        assert!(day < dated.parse("db_2026-11-21.1.log").unwrap());
    }

    #[test]
    fn look_alikes_are_not_taken() {
        let plain = naming("app.log");
        for name in [
            "app.log",
            "app.log.2",
            "app-2.log",
            "app.log.bak",
            "app.1.log",
            "app.log.1.gz",
            "app.2026-01-01.log",
            "app-1.log",
            "app.2026-11-20_23-59-58.log.bak",
            "app.2026-11-20_23-59-58.01.log",
            "app.2026-11-20_23-59-58.0.log",
            "app.2026-11-20_23-59-58..log",
            "app.2026-11-20_23-59-58.+1.log",
            "app.2026-13-20_23-59-58.log",
            "app.2026-11-20_24-59-58.log",
            "app.2026-11-20_23-59-58.log.gz.gz",
            ".app.2026-11-20_23-59-58.log.gz.part",
            "db.2026-11-20_23-59-58.log",
            "app.db.2026-11-20_23-59-58.log",
            "app.2026-11-20T23-59-58.log",
            "app.٢026-11-20_23-59-58.log",
        ] {
            assert_eq!(plain.parse(name), None, "{name}");
        }
        let dated = naming("app_{time:YYYY-MM-DD}.log");
        for name in [
            "app.log",
            "app_2026-11-20.log.1",
            "app_2026-11-32.log",
            "app_2026-11-20_1.log",
            "app_20261120.log",
        ] {
            assert_eq!(dated.parse(name), None, "{name}");
        }
    }

    #[test]
    fn files_that_are_called_as_anothers_rotated_ones_are_found() {
        for (one, other, takes) in [
            ("app.log", "app.{time:YYYY-MM-DD_HH-mm-ss}.log", true),
            ("app.log", "app.2026-11-20_23-59-58.log", true),
            ("app_{time:YYYY-MM-DD}.log", "app_2026-11-20.1.log", true),
            ("app_{time:YYYY-MM-DD}.log", "app_{time:YYYY-DD-MM}.log", true),
            ("app_{time:YYYY-MM-DD_HH}.log", "app_{time:YYYY-HH-DD_MM}.log", true),
            ("app_{time:YYYYMMDD}.log", "app_{time:DDMMYYYY}.log", true),
            ("app.log", "app_{time:YYYY-MM-DD}.log", false),
            ("app_{time:YYYY-MM-DD}.log", "app_{time:YYYY-MM-DD_HH}.log", false),
            ("app.log", "app.db.log", false),
            ("app.log", "app.jsonl", false),
        ] {
            let (one, other) = (naming(one), naming(other));
            assert_eq!(one.takes_files_of(&other) || other.takes_files_of(&one), takes, "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_link_has_the_name_without_the_date() {
        let link = |template| naming(template).undated();
        assert_eq!(link("db_{time:YYYY-MM-DD}.log").as_deref(), Some("db.log"));
        assert_eq!(link("{time:YYYY-MM-DD}-db.log").as_deref(), Some("db.log"));
        assert_eq!(link("a-{time:YYYY}-b.log").as_deref(), Some("a-b.log"));
        assert_eq!(link("app.log.{time:YYYY}").as_deref(), Some("app.log"));
        assert_eq!(link("{time:YYYY-MM-DD}.log"), None);
        assert_eq!(link("db.log"), None);
    }

    #[test]
    fn a_name_changes_as_often_as_its_smallest_piece() {
        assert_eq!(naming("{time:YYYY-MM}.log").unit(), Some(Unit::Day));
        assert_eq!(naming("{time:YYYY-MM-DD_HH}.log").unit(), Some(Unit::Hour));
        assert_eq!(naming("{time:YYYYMMDDHHmmss}.log").unit(), Some(Unit::Second));
        assert_eq!(naming("a.log").unit(), None);
    }

    #[test]
    fn a_file_can_be_written_to_as_long_as_its_name_is_the_same() {
        const HOUR: UnixNanos = 60 * 60 * 1_000_000_000;
        assert_eq!(naming("{time:YYYY}.log").period(), 366 * 24 * HOUR);
        assert_eq!(naming("{time:YYYY-MM}.log").period(), 31 * 24 * HOUR);
        assert_eq!(naming("{time:YYYY-MM-DD_HH}.log").period(), HOUR);
        assert_eq!(naming("a.log").period(), 1_000_000_000);
    }

    #[test]
    fn nothing_is_done_to_a_file_in_use() {
        let in_use = InUse::default();
        in_use.add("a.log");
        assert_eq!(in_use.unless("a.log", || ()), None);
        assert_eq!(in_use.unless("b.log", || 5), Some(5));
        in_use.remove("a.log");
        assert_eq!(in_use.unless("a.log", || 5), Some(5));
    }

    proptest! {
        #[test]
        fn what_is_made_is_read_back(time in any::<i64>(), number in 0..u32::MAX, dated in any::<bool>()) {
            let naming = naming(if dated { "x_{time:YYYY-MM-DD_HH}.log" } else { "x.log" });
            let name = naming.rotated(&naming.current(time), time, number);
            let read = naming.parse(&name).unwrap();
            let expected = if dated && number == 0 { u32::MAX } else { number };
            prop_assert_eq!(read.number, expected);
            let unit = if dated { 3_600_000_000_000 } else { 1_000_000_000 };
            prop_assert!(time.abs_diff(read.time) <= unit);
        }

        #[test]
        fn no_text_makes_it_panic(template in "\\PC{0,20}|[a-z{}:YMDHms._-]{0,24}", name in "\\PC{0,30}") {
            if let Ok(naming) = Naming::new(&template, KEYS, &Zone::Utc) {
                let _ = (naming.parse(&name), naming.undated(), naming.unit());
            }
        }
    }
}
