//! Any layout there is: what the configuration takes, how it becomes one that writes, and when two are the same.
//!
//! A layout that several files and sinks have is built once ([`Layouts`]), so that the router formats a record once for all of
//! them. Called by the configuration and by the repository's set-up; the runtime directory keeps a layout as bytes, for
//! whoever recovers its records.

use std::fmt;
use std::sync::{Arc, Mutex};

use super::LineLayout;
use super::custom::{CustomLayout, Layout, Shared};
use super::line::PatternLayout;
use super::pattern::Pattern;
use crate::reading::{Reading, put_counted};
use crate::zone::Zone;

/// A layout of any kind: a [`Pattern`], or any [`Layout`] of your own.
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
    Custom(Shared),
}

/// First byte of a layout that was saved. Whoever does not know the number takes the default.
const SAVED_VERSION: u8 = 1;

/// Second byte: the kind. Never reuse a number.
mod saved {
    pub(super) const PATTERN: u8 = 0;
    /// A program's own layout, which nobody else can build.
    pub(super) const CUSTOM: u8 = 255;
}

impl AnyLayout {
    /// Whether both write the same lines: equal patterns, or clones of one layout of your own.
    pub fn is_same(&self, other: &AnyLayout) -> bool {
        match (&self.0, &other.0) {
            (Kind::Pattern(one), Kind::Pattern(other)) => one == other,
            (Kind::Custom(one), Kind::Custom(other)) => Arc::ptr_eq(one, other),
            (Kind::Pattern(_) | Kind::Custom(_), _) => false,
        }
    }

    /// Whether it has colours where they are wanted.
    fn knows_colours(&self) -> bool {
        matches!(self.0, Kind::Pattern(_))
    }

    /// A layout that writes. Only patterns know colours.
    pub(crate) fn build(&self, colour: bool, zone: &Zone) -> Box<dyn LineLayout> {
        match &self.0 {
            Kind::Pattern(pattern) => Box::new(PatternLayout::new(pattern, colour, zone)),
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

impl<L: Layout + 'static> From<L> for AnyLayout {
    fn from(layout: L) -> AnyLayout {
        AnyLayout(Kind::Custom(Arc::new(Mutex::new(layout))))
    }
}

impl fmt::Debug for AnyLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Pattern(pattern) => pattern.fmt(f),
            Kind::Custom(_) => f.write_str("a layout of the program's own"),
        }
    }
}

/// The distinct layouts of a repository, each built once.
pub(crate) struct Layouts {
    zone: Zone,
    /// The layout and whether it is coloured.
    known: Vec<(AnyLayout, bool)>,
    built: Vec<Box<dyn LineLayout>>,
}

impl Layouts {
    /// None yet. All of them write times in this zone.
    pub(crate) fn new(zone: Zone) -> Layouts {
        Layouts { zone, known: Vec::new(), built: Vec::new() }
    }

    /// The number of a layout, for the router. It is built if it is not there yet.
    pub(crate) fn number_of(&mut self, layout: &AnyLayout, colour: bool) -> usize {
        let colour = colour && layout.knows_colours();
        let found =
            self.known.iter().position(|(known, coloured)| *coloured == colour && known.is_same(layout));
        found.unwrap_or_else(|| {
            self.known.push((layout.clone(), colour));
            self.built.push(layout.build(colour, &self.zone));
            self.built.len() - 1
        })
    }

    /// The layouts in the order of their numbers.
    pub(crate) fn into_built(self) -> Vec<Box<dyn LineLayout>> {
        self.built
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> AnyLayout {
        Pattern::parse(text).unwrap().into()
    }

    fn custom() -> AnyLayout {
        AnyLayout::from(|record: &crate::LogRecord<'_>, line: &mut String| {
            line.push_str(record.message());
            Ok(())
        })
    }

    #[test]
    fn layouts_are_the_same_by_value_and_a_programs_own_by_identity() {
        let own = custom();
        let distinct = [AnyLayout::default(), pattern("{message}"), own.clone(), custom()];
        for (at, one) in distinct.iter().enumerate() {
            for (other_at, other) in distinct.iter().enumerate() {
                assert_eq!(one.is_same(other), at == other_at, "{one:?} {other:?}");
            }
        }
        assert!(own.is_same(&own.clone()) && pattern("{message}").is_same(&pattern("{message}")));
    }

    #[test]
    fn a_layout_is_built_once_and_colours_are_for_patterns() {
        let mut layouts = Layouts::new(Zone::Utc);
        let own = custom();
        assert_eq!(layouts.number_of(&pattern("{level}"), false), 0);
        assert_eq!(layouts.number_of(&pattern("{level}"), true), 1);
        assert_eq!(layouts.number_of(&own, false), 2);
        assert_eq!(layouts.number_of(&own, true), 2);
        assert_eq!(layouts.number_of(&pattern("{level}"), false), 0);
        assert_eq!(layouts.into_built().len(), 3);
    }

    #[test]
    fn a_saved_layout_is_restored_but_for_a_programs_own() {
        for layout in [AnyLayout::default(), pattern("{message} |")] {
            let restored = AnyLayout::restore(&layout.save()).unwrap();
            assert!(restored.is_same(&layout), "{restored:?} {layout:?}");
        }
        assert!(AnyLayout::restore(&custom().save()).is_none());
        assert!(AnyLayout::restore(&[]).is_none());
        assert!(AnyLayout::restore(&[SAVED_VERSION + 1, saved::PATTERN, 0, 0, 0, 0]).is_none());
    }
}
