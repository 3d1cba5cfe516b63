//! Which records a sink is for: a set of levels, of one domain or of all.
//!
//! Filters are evaluated once, when the router builds its table; no record ever meets one. Called by
//! the router and by the configuration.

use crate::level::Level;

/// A set of levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LevelSet(u8);

impl LevelSet {
    pub(crate) const ALL: LevelSet = LevelSet(0x7f);

    /// This level and no other.
    pub(crate) const fn only(level: Level) -> LevelSet {
        LevelSet(1 << level as u8)
    }

    /// This level and all above it.
    pub(crate) const fn from(least: Level) -> LevelSet {
        LevelSet(LevelSet::ALL.0 & (0x7f << least as u8))
    }

    /// The set with one level more.
    pub(crate) const fn with(self, level: Level) -> LevelSet {
        LevelSet(self.0 | 1 << level as u8)
    }

    /// Whether a level is in both.
    pub(crate) const fn meets(self, other: LevelSet) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn contains(self, level: Level) -> bool {
        self.0 & (1 << level as u8) != 0
    }
}

/// Which records a sink sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Number of the only domain that is let through; every domain where there is none.
    pub(crate) domain: Option<u16>,
    pub(crate) levels: LevelSet,
}

impl Filter {
    /// Lets every record through.
    pub(crate) const ALL: Filter = Filter { domain: None, levels: LevelSet::ALL };

    /// Every record of one domain.
    pub(crate) const fn domain(domain: u16) -> Filter {
        Filter { domain: Some(domain), levels: LevelSet::ALL }
    }

    /// These levels of every domain.
    pub(crate) const fn levels(levels: LevelSet) -> Filter {
        Filter { domain: None, levels }
    }

    pub(crate) fn lets_through(self, domain: u16, level: Level) -> bool {
        self.domain.is_none_or(|only| only == domain) && self.levels.contains(level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_set_holds_what_was_put_in() {
        for level in Level::ALL {
            assert!(LevelSet::ALL.contains(level));
            assert_eq!(LevelSet::from(Level::Warning).contains(level), level >= Level::Warning);
            assert_eq!(LevelSet::only(Level::Info).contains(level), level == Level::Info);
            let both = LevelSet::only(Level::Error).with(Level::Critical);
            assert_eq!(both.contains(level), level >= Level::Error);
        }
        assert_eq!(LevelSet::from(Level::Trace), LevelSet::ALL);
        assert!(LevelSet::from(Level::Error).meets(LevelSet::only(Level::Critical)));
        assert!(!LevelSet::from(Level::Error).meets(LevelSet::only(Level::Info)));
    }

    #[test]
    fn a_filter_wants_domain_and_level() {
        assert!(Filter::ALL.lets_through(9, Level::Trace));
        assert!(Filter::domain(2).lets_through(2, Level::Trace));
        assert!(!Filter::domain(2).lets_through(1, Level::Critical));
        let warnings = Filter::levels(LevelSet::from(Level::Warning));
        assert!(warnings.lets_through(1, Level::Error) && !warnings.lets_through(1, Level::Info));
    }
}
