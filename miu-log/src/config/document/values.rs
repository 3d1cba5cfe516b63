//! The values that keys have in common: sizes, times, names, rules for files. Each is checked as `open` would check it, so that what is wrong is told with its place.

use std::time::Duration;

use super::kind::{Kind, OneOrMore, Word, text, text_or_number};
use super::node::{Node, shown};
use super::problems::Problems;
use super::schema::Json;
use crate::config::file::check_mode;
use crate::config::{LARGEST_RING, LONGEST_TIMEOUT};
use crate::folder::valid_stem;
use crate::layout::ColourChoice;
use crate::queue::OverflowPolicy;
use crate::ring::segment::SMALLEST;
use crate::rotate::naming::{Keys, Naming, check_app};
use crate::rotate::{Compression, CompressionChoice, Retention, Rotation, words};
use crate::router::Durability;
use crate::zone::Zone;

/// A kind whose value is made into another one.
pub(super) struct Made<K, F>(K, F);

/// See [`Made`].
pub(super) fn made<K: Kind, T>(kind: K, make: impl Fn(K::Value) -> T) -> Made<K, impl Fn(K::Value) -> T> {
    Made(kind, make)
}

impl<T, K: Kind, F: Fn(K::Value) -> T> Kind for Made<K, F> {
    type Value = T;

    fn read(&self, node: &Node, path: &str, problems: &mut Problems) -> Option<T> {
        self.0.read(node, path, problems).map(&self.1)
    }

    fn schema(&self) -> Json {
        self.0.schema()
    }
}

/// Any text but an empty one.
pub(super) fn some_text(expected: &'static str) -> impl Kind<Value = String> {
    text(expected, move |text| match text {
        "" => Err(format!("the text is empty; {expected} is expected")),
        text => Ok(text.to_owned()),
    })
}

/// A time, up to a day.
pub(super) fn duration(shortest: Duration) -> impl Kind<Value = Duration> {
    text("a duration such as \"2 s\"", move |text| {
        let long = words::duration(text).map_err(|error| error.to_string())?;
        if (shortest..=LONGEST_TIMEOUT).contains(&long) {
            return Ok(long);
        }
        Err(format!("{}: {shortest:?} to {LONGEST_TIMEOUT:?} is accepted", shown(text)))
    })
}

/// How large a ring may be.
pub(super) fn ring_limit() -> impl Kind<Value = usize> {
    text_or_number("a size such as \"2 MiB\"", |text| {
        let size = words::size(text).map_err(|error| error.to_string())?;
        let limit = usize::try_from(size).unwrap_or(usize::MAX);
        if limit.is_power_of_two() && (SMALLEST..=LARGEST_RING).contains(&limit) {
            return Ok(limit);
        }
        Err(format!("{} is {size} bytes; a power of two from 64 KiB to 1 GiB is expected", shown(text)))
    })
}

/// Without what a problem says of the option: the path says it already.
fn plain(problem: String, option: &str) -> String {
    problem
        .strip_prefix(option)
        .and_then(|rest| rest.strip_prefix(" is "))
        .map_or(problem.clone(), str::to_owned)
}

pub(super) fn zone() -> impl Kind<Value = Zone> {
    text("a time zone such as \"Europe/Berlin\"", |text| {
        text.parse().map_err(|error: crate::error::Error| plain(error.to_string(), "zone"))
    })
}

pub(super) fn rotation() -> impl Kind<Value = Rotation> {
    let one = text_or_number("a rotation such as \"10 MB\", \"00:00\" or \"6 hours\"", |text| {
        let rotation = Rotation::from(text);
        rotation.schedule().map_err(|problem| plain(problem, "rotation"))?;
        Ok(rotation)
    });
    made(OneOrMore(one), Rotation::AnyOf)
}

pub(super) fn retention() -> impl Kind<Value = Retention> {
    let one = text_or_number("a retention such as \"5 files\", \"30 days\" or \"1 GB\"", |text| {
        let retention = Retention::from(text);
        retention.check()?;
        Ok(retention)
    });
    made(OneOrMore(one), Retention::AnyOf)
}

pub(super) fn compression() -> impl Kind<Value = Compression> {
    text("\"gz\", \"zstd\" or \"none\"", |text| CompressionChoice::from(text).check())
}

/// Permissions, in octal numbers as `chmod` has them: `0640`, `0o640` or `640`.
pub(super) fn mode() -> impl Kind<Value = u32> {
    text_or_number("a mode such as \"0640\"", |text| {
        let digits = text.strip_prefix("0o").unwrap_or(text);
        let mode = u32::from_str_radix(digits, 8)
            .map_err(|_| format!("{}: octal digits are expected, such as \"0640\"", shown(text)))?;
        check_mode(mode)?;
        Ok(mode)
    })
}

pub(super) fn app() -> impl Kind<Value = String> {
    text("the program's name", |text| check_app(text).map(|()| text.to_owned()))
}

pub(super) fn file_prefix() -> impl Kind<Value = String> {
    text("a prefix such as \"api\"", |text| {
        valid_stem(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
    })
}

/// A file's name with keys, of which some have no value for some files.
pub(super) fn file_name(has_domain: bool, has_level: bool) -> impl Kind<Value = String> {
    text("a file name such as \"errors.log\"", move |text| {
        let keys = Keys {
            domain: has_domain.then_some("domain"),
            level: has_level.then_some("level"),
            app: "app",
            pid: 1,
        };
        Naming::new(text, keys, &Zone::Utc).map(|_| text.to_owned())
    })
}

pub(super) fn colour() -> impl Kind<Value = ColourChoice> {
    Word(&[("auto", ColourChoice::Auto), ("always", ColourChoice::Always), ("never", ColourChoice::Never)])
}

pub(super) fn durability() -> impl Kind<Value = Durability> {
    text("\"os\", \"sync on error\" or \"sync every 1 s\"", |text| match text {
        "os" => Ok(Durability::Os),
        "sync on error" => Ok(Durability::SyncOnError),
        _ => {
            let every = text.strip_prefix("sync every ").map(words::duration);
            match every {
                Some(Ok(every)) => Ok(Durability::SyncEvery(every)),
                Some(Err(error)) => Err(error.to_string()),
                None => Err(format!(
                    "{}: accepted are \"os\", \"sync on error\" and times such as \"sync every 1 s\"",
                    shown(text)
                )),
            }
        }
    })
}

pub(super) fn overflow() -> impl Kind<Value = OverflowPolicy> {
    text("\"block\", \"drop newest\" or \"shed after 100 ms\"", |text| match text {
        "block" => Ok(OverflowPolicy::Block),
        "drop newest" => Ok(OverflowPolicy::DropNewest),
        _ => match text.strip_prefix("shed after ").map(words::duration) {
            Some(Ok(limit)) => Ok(OverflowPolicy::BlockThenShed(limit)),
            Some(Err(error)) => Err(error.to_string()),
            None => Err(format!(
                "{}: accepted are \"block\", \"drop newest\" and times such as \"shed after 100 ms\"",
                shown(text)
            )),
        },
    })
}
