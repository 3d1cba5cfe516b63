//! Any layout there is: what the configuration takes, how it becomes one that writes, and when two are the same.
//!
//! A layout that several files and sinks have is built once ([`Layouts`]), so that the router formats a record once for all of
//! them. Called by the configuration and by the repository's set-up; the runtime directory keeps a layout as bytes, for
//! whoever recovers its records.

use std::fmt;
use std::sync::{Arc, Mutex};

use super::LineLayout;
use super::custom::{CustomLayout, Layout, Shared};
use super::json::Json;
use super::line::PatternLayout;
use super::logfmt::Logfmt;
use super::otel::OtelJson;
use super::pattern::Pattern;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
use super::row::RowLayout;
use crate::error::Error;
use crate::reading::{Reading, put_counted};
use crate::zone::Zone;

/// A layout of any kind: a [`Pattern`], [`Json`], [`Logfmt`], [`OtelJson`], or any [`Layout`] of your own.
///
/// Clones are the same layout: given to several files and sinks, a record is formatted once for all of them.
///
/// # Examples
///
/// ```
/// use miu_log::{AnyLayout, Console, LogConfig, Pattern};
///
/// let short = AnyLayout::from(Pattern::parse("{time} {level} {message}")?);
/// let config = LogConfig::new("logs").layout(short.clone()).console(Console::stderr().layout(short));
/// # let _ = config;
/// # Ok::<(), miu_log::PatternError>(())
/// ```
#[derive(Clone)]
pub struct AnyLayout(Kind);

#[derive(Clone)]
enum Kind {
    Pattern(Pattern),
    Json(Box<Json>),
    Logfmt(Logfmt),
    OtelJson(OtelJson),
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    Row,
    Custom(Shared),
}

/// First byte of a layout that was saved. Whoever does not know the number takes the default.
const SAVED_VERSION: u8 = 1;

/// Second byte: the kind. Never reuse a number.
mod saved {
    pub(super) const PATTERN: u8 = 0;
    pub(super) const JSON: u8 = 1;
    pub(super) const LOGFMT: u8 = 2;
    pub(super) const OTEL_JSON: u8 = 3;
    /// A program's own layout, which nobody else can build.
    pub(super) const CUSTOM: u8 = 255;
}

impl AnyLayout {
    /// Rows of a table, for databases.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(crate) fn rows() -> AnyLayout {
        AnyLayout(Kind::Row)
    }

    /// Whether both write the same lines: layouts of one kind with the same options, or clones of one layout of your own.
    pub fn is_same(&self, other: &AnyLayout) -> bool {
        match (&self.0, &other.0) {
            (Kind::Pattern(one), Kind::Pattern(other)) => one == other,
            (Kind::Json(one), Kind::Json(other)) => one == other,
            (Kind::Logfmt(one), Kind::Logfmt(other)) => one == other,
            (Kind::OtelJson(one), Kind::OtelJson(other)) => one == other,
            #[cfg(any(feature = "postgres", feature = "sqlite"))]
            (Kind::Row, Kind::Row) => true,
            (Kind::Custom(one), Kind::Custom(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// Whether it has colours where they are wanted.
    fn knows_colours(&self) -> bool {
        matches!(self.0, Kind::Pattern(_))
    }

    /// Reads what its own zone needs, and says what is wrong with that.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let zone = match &self.0 {
            Kind::Json(json) => json.own_zone(),
            Kind::Logfmt(logfmt) => logfmt.own_zone(),
            _ => None,
        };
        zone.map_or(Ok(()), Zone::check)
    }

    /// The same layout in the repository's zone, where its own cannot be had on this system.
    pub(crate) fn with_a_zone_that_is_there(self) -> AnyLayout {
        match (self.check(), self.0) {
            (Err(_), Kind::Json(json)) => json.without_zone().into(),
            (Err(_), Kind::Logfmt(logfmt)) => logfmt.without_zone().into(),
            (_, kind) => AnyLayout(kind),
        }
    }

    /// A layout that writes. Only patterns know colours.
    pub(crate) fn build(&self, colour: bool, zone: &Zone) -> Box<dyn LineLayout> {
        match &self.0 {
            Kind::Pattern(pattern) => Box::new(PatternLayout::new(pattern, colour, zone)),
            Kind::Json(json) => Box::new(json.build(zone)),
            Kind::Logfmt(logfmt) => Box::new(logfmt.build(zone)),
            Kind::OtelJson(otel) => Box::new(otel.build()),
            #[cfg(any(feature = "postgres", feature = "sqlite"))]
            Kind::Row => Box::new(RowLayout::new()),
            Kind::Custom(shared) => Box::new(CustomLayout::new(Arc::clone(shared))),
        }
    }

    /// The layout as bytes, for [`AnyLayout::restore`].
    pub(crate) fn save(&self) -> Vec<u8> {
        let mut out = vec![SAVED_VERSION];
        match &self.0 {
            Kind::Pattern(pattern) => {
                out.push(saved::PATTERN);
                put_counted(&mut out, pattern.as_str().as_bytes());
            }
            Kind::Json(json) => {
                out.push(saved::JSON);
                json.save_to(&mut out);
            }
            Kind::Logfmt(logfmt) => {
                out.push(saved::LOGFMT);
                logfmt.save_to(&mut out);
            }
            Kind::OtelJson(otel) => {
                out.push(saved::OTEL_JSON);
                otel.save_to(&mut out);
            }
            // It is for no file.
            #[cfg(any(feature = "postgres", feature = "sqlite"))]
            Kind::Row => out.push(saved::CUSTOM),
            Kind::Custom(_) => out.push(saved::CUSTOM),
        }
        out
    }

    /// The layout that was saved. None for a program's own, and for what is no layout that this version knows.
    pub(crate) fn restore(bytes: &[u8]) -> Option<AnyLayout> {
        let mut bytes = Reading::new(bytes);
        if bytes.u8()? != SAVED_VERSION {
            return None;
        }
        match bytes.u8()? {
            saved::PATTERN => Pattern::parse(bytes.text()?).ok().map(AnyLayout::from),
            saved::JSON => Json::restore(&mut bytes).map(AnyLayout::from),
            saved::LOGFMT => Logfmt::restore(&mut bytes).map(AnyLayout::from),
            saved::OTEL_JSON => OtelJson::restore(&mut bytes).map(AnyLayout::from),
            _ => None,
        }
    }
}

impl Default for AnyLayout {
    /// [`Pattern::DEFAULT`].
    fn default() -> AnyLayout {
        AnyLayout::from(Pattern::default())
    }
}

impl From<Pattern> for AnyLayout {
    fn from(pattern: Pattern) -> AnyLayout {
        AnyLayout(Kind::Pattern(pattern))
    }
}

impl From<Json> for AnyLayout {
    fn from(json: Json) -> AnyLayout {
        AnyLayout(Kind::Json(Box::new(json)))
    }
}

impl From<Logfmt> for AnyLayout {
    fn from(logfmt: Logfmt) -> AnyLayout {
        AnyLayout(Kind::Logfmt(logfmt))
    }
}

impl From<OtelJson> for AnyLayout {
    fn from(otel: OtelJson) -> AnyLayout {
        AnyLayout(Kind::OtelJson(otel))
    }
}

impl<L: Layout + 'static> From<L> for AnyLayout {
    fn from(layout: L) -> AnyLayout {
        AnyLayout(Kind::Custom(Arc::new(Mutex::new(layout))))
    }
}

impl fmt::Debug for AnyLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Pattern(pattern) => pattern.fmt(f),
            Kind::Json(json) => json.fmt(f),
            Kind::Logfmt(logfmt) => logfmt.fmt(f),
            Kind::OtelJson(otel) => otel.fmt(f),
            #[cfg(any(feature = "postgres", feature = "sqlite"))]
            Kind::Row => f.write_str("rows"),
            Kind::Custom(_) => f.write_str("a layout of the program's own"),
        }
    }
}

/// Writes a layout's own zone, for [`read_zone`].
pub(super) fn put_zone(zone: Option<&Zone>, out: &mut Vec<u8>) {
    let name = zone.map(|zone| zone.pinned().to_string());
    put_counted(out, name.unwrap_or_default().as_bytes());
}

/// Reads a layout's own zone, if it has one. None where it makes no sense.
pub(super) fn read_zone(bytes: &mut Reading<'_>) -> Option<Option<Zone>> {
    let name = bytes.text()?;
    Some(Some(name).filter(|name| !name.is_empty()).map(Zone::from))
}

/// The distinct layouts of a repository, each built once.
pub(crate) struct Layouts {
    zone: Zone,
    /// The layout, whether it is coloured, and whether it shows what was captured for a diagnosis.
    known: Vec<(AnyLayout, bool, bool)>,
    built: Vec<Box<dyn LineLayout>>,
}

impl Layouts {
    /// None yet. All of them write times in this zone.
    pub(crate) fn new(zone: &Zone) -> Layouts {
        Layouts { zone: zone.clone(), known: Vec::new(), built: Vec::new() }
    }

    /// The number of a layout, for the router. It is built if it is not there yet.
    pub(crate) fn number_of(&mut self, layout: &AnyLayout, colour: bool, diagnose: bool) -> usize {
        let colour = colour && layout.knows_colours();
        let same = |(known, coloured, diagnosing): &(AnyLayout, bool, bool)| {
            (*coloured, *diagnosing) == (colour, diagnose) && known.is_same(layout)
        };
        self.known.iter().position(same).unwrap_or_else(|| {
            self.known.push((layout.clone(), colour, diagnose));
            self.built.push(layout.build(colour, &self.zone));
            self.built.len() - 1
        })
    }

    /// The numbers of those that show what was captured for a diagnosis.
    pub(crate) fn diagnosing(&self) -> Vec<usize> {
        self.known
            .iter()
            .enumerate()
            .filter(|(_, (_, _, diagnose))| *diagnose)
            .map(|(number, _)| number)
            .collect()
    }

    /// The layouts in the order of their numbers.
    pub(crate) fn into_built(self) -> Vec<Box<dyn LineLayout>> {
        self.built
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{JsonKey, TimePrecision};

    fn pattern(text: &str) -> AnyLayout {
        Pattern::parse(text).unwrap().into()
    }

    fn custom() -> AnyLayout {
        AnyLayout::from(|record: &crate::LogRecord<'_>, line: &mut String| {
            line.push_str(record.message());
            Ok(())
        })
    }

    /// Layouts of which no two are the same.
    fn known() -> Vec<AnyLayout> {
        vec![
            AnyLayout::default(),
            pattern("{message} |"),
            Json::new().into(),
            Json::new().flatten(true).into(),
            Json::new().zone(Zone::Fixed(-60)).precision(TimePrecision::Nanos).into(),
            Json::new().rename(JsonKey::Level, "ö \"severity").without(JsonKey::File).into(),
            Logfmt::new().into(),
            Logfmt::new().zone(Zone::Utc).precision(TimePrecision::Seconds).into(),
            OtelJson::default().into(),
            OtelJson::new("orders").into(),
        ]
    }

    #[test]
    fn layouts_are_the_same_by_value_and_a_programs_own_by_identity() {
        let own = custom();
        let mut distinct = known();
        distinct.extend([own.clone(), custom()]);
        for (at, one) in distinct.iter().enumerate() {
            for (other_at, other) in distinct.iter().enumerate() {
                assert_eq!(one.is_same(&other.clone()), at == other_at, "{one:?} {other:?}");
            }
        }
        assert!(own.is_same(&own.clone()) && pattern("{message}").is_same(&pattern("{message}")));
    }

    #[test]
    fn a_layout_is_built_once_and_colours_are_for_patterns() {
        let mut layouts = Layouts::new(&Zone::Utc);
        let own = custom();
        assert_eq!(layouts.number_of(&pattern("{message}!"), false, false), 0);
        assert_eq!(layouts.number_of(&pattern("{message}!"), true, false), 1);
        assert_eq!(layouts.number_of(&own, false, false), 2);
        assert_eq!(layouts.number_of(&own, true, false), 2);
        assert_eq!(layouts.number_of(&pattern("{message}!"), false, false), 0);
        assert_eq!(layouts.number_of(&own, true, true), 3);
        assert_eq!(layouts.diagnosing(), [3]);
        assert_eq!(layouts.into_built().len(), 4);
    }

    #[test]
    fn a_saved_layout_is_restored_but_for_a_programs_own() {
        for layout in known() {
            let saved = layout.save();
            let restored = AnyLayout::restore(&saved).unwrap();
            assert!(restored.is_same(&layout), "{restored:?} {layout:?}");
            assert!((0..saved.len()).all(|len| AnyLayout::restore(&saved[..len]).is_none()), "{layout:?}");
        }
        let nowhere = AnyLayout::from(Json::new().flatten(true).zone("Middle/Earth"));
        assert!(nowhere.check().is_err());
        let somewhere = AnyLayout::restore(&nowhere.save()).unwrap().with_a_zone_that_is_there();
        assert!(somewhere.is_same(&Json::new().flatten(true).into()), "{somewhere:?}");
        assert!(AnyLayout::restore(&custom().save()).is_none());
        assert!(AnyLayout::restore(&[]).is_none());
        assert!(AnyLayout::restore(&[SAVED_VERSION + 1, saved::PATTERN, 0, 0, 0, 0]).is_none());
    }
}
