//! Which records a sink is for.
//!
//! By levels and domains: a [`Filter`] is evaluated once, when the router builds its table, and no record ever meets it. By the record
//! itself: a [`RecordFilter`] is asked for each record that the table lets through, in the slots that have one. Called by the router and by the
//! configuration.

use std::fmt;
use std::sync::Arc;

use crate::domain::MAX_DOMAINS;
use crate::level::Level;
use crate::record::{LogRecord, Site};

/// A set of levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LevelSet(u8);

impl LevelSet {
    pub(crate) const ALL: LevelSet = LevelSet(0x7f);
    pub(crate) const NONE: LevelSet = LevelSet(0);

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

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set as a number, for [`LevelSet::from_bits`].
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    /// The set that was a number. None where it is no set of levels.
    pub(crate) fn from_bits(bits: u8) -> Option<LevelSet> {
        (bits & !LevelSet::ALL.0 == 0).then_some(LevelSet(bits))
    }

    /// The levels in it, lowest first.
    pub(crate) fn iter(self) -> impl Iterator<Item = Level> {
        Level::ALL.into_iter().filter(move |level| self.contains(*level))
    }

    pub(crate) const fn contains(self, level: Level) -> bool {
        self.0 & (1 << level as u8) != 0
    }
}

/// A set of domains, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DomainMask([u64; MAX_DOMAINS / 64]);

impl DomainMask {
    pub(crate) const ALL: DomainMask = DomainMask([u64::MAX; MAX_DOMAINS / 64]);
    pub(crate) const NONE: DomainMask = DomainMask([0; MAX_DOMAINS / 64]);

    /// The set with one domain more.
    pub(crate) fn with(mut self, domain: u16) -> DomainMask {
        if let Some(word) = self.0.get_mut(usize::from(domain / 64)) {
            *word |= 1 << (domain % 64);
        }
        self
    }

    pub(crate) fn contains(self, domain: u16) -> bool {
        self.0.get(usize::from(domain / 64)).is_some_and(|word| word & 1 << (domain % 64) != 0)
    }
}

/// Which records a sink sees, as far as domain and level say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) domains: DomainMask,
    pub(crate) levels: LevelSet,
}

impl Filter {
    /// Lets every record through.
    pub(crate) const ALL: Filter = Filter { domains: DomainMask::ALL, levels: LevelSet::ALL };

    /// Every record of one domain.
    pub(crate) fn domain(domain: u16) -> Filter {
        Filter { domains: DomainMask::NONE.with(domain), levels: LevelSet::ALL }
    }

    /// These levels of every domain.
    pub(crate) const fn levels(levels: LevelSet) -> Filter {
        Filter { domains: DomainMask::ALL, levels }
    }

    pub(crate) fn lets_through(self, domain: u16, level: Level) -> bool {
        self.domains.contains(domain) && self.levels.contains(level)
    }
}

/// What a program's own filter says of a record.
pub(crate) type Judge = Arc<dyn Fn(&LogRecord<'_>) -> bool + Send + Sync>;

/// Which records a sink sees, as far as the record itself says: all of its parts that are there have to agree.
#[derive(Clone, Default)]
pub(crate) struct RecordFilter {
    /// Modules, with all that is in them; none of them: all, also where the module is not known.
    pub(crate) targets: Arc<[String]>,
    pub(crate) judge: Option<Judge>,
}

impl RecordFilter {
    /// Whether it lets every record through.
    pub(crate) fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.judge.is_none()
    }

    /// Whether the call stands in one of the modules.
    pub(crate) fn fits(&self, site: &Site) -> bool {
        self.targets.is_empty() || self.targets.iter().any(|target| is_within(&site.module, target))
    }
}

impl fmt::Debug for RecordFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordFilter").field("targets", &self.targets).finish_non_exhaustive()
    }
}

/// Whether a module is this one, or in it.
fn is_within(module: &str, target: &str) -> bool {
    module.strip_prefix(target).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_set_holds_what_was_put_in() {
        for level in Level::ALL {
            assert!(LevelSet::ALL.contains(level) && !LevelSet::NONE.contains(level));
            assert_eq!(LevelSet::from(Level::Warning).contains(level), level >= Level::Warning);
            assert_eq!(LevelSet::only(Level::Info).contains(level), level == Level::Info);
            let both = LevelSet::only(Level::Error).with(Level::Critical);
            assert_eq!(both.contains(level), level >= Level::Error);
        }
        assert_eq!(LevelSet::from(Level::Trace), LevelSet::ALL);
        assert!(LevelSet::from(Level::Error).meets(LevelSet::only(Level::Critical)));
        assert!(!LevelSet::from(Level::Error).meets(LevelSet::only(Level::Info)));
        assert_eq!(LevelSet::from(Level::Error).iter().collect::<Vec<_>>(), [Level::Error, Level::Critical]);
        assert!(LevelSet::NONE.is_empty() && !LevelSet::only(Level::Trace).is_empty());
        assert_eq!(LevelSet::from_bits(LevelSet::ALL.bits()), Some(LevelSet::ALL));
        assert_eq!(LevelSet::from_bits(0x80), None);
    }

    #[test]
    fn a_filter_wants_domain_and_level() {
        assert!(Filter::ALL.lets_through(9, Level::Trace));
        assert!(Filter::domain(2).lets_through(2, Level::Trace));
        assert!(!Filter::domain(2).lets_through(1, Level::Critical));
        let warnings = Filter::levels(LevelSet::from(Level::Warning));
        assert!(warnings.lets_through(1, Level::Error) && !warnings.lets_through(1, Level::Info));
    }

    #[test]
    fn a_set_of_domains_reaches_to_the_last_one() {
        let set = DomainMask::NONE.with(0).with(64).with(255);
        let held: Vec<u16> = (0..300).filter(|domain| set.contains(*domain)).collect();
        assert_eq!(held, [0, 64, 255]);
        assert!(!DomainMask::ALL.contains(256));
    }

    #[test]
    fn a_target_is_a_module_with_all_in_it() {
        for module in ["shop::db", "shop::db::query"] {
            assert!(is_within(module, "shop::db"), "{module}");
        }
        for module in ["shop", "shop::dbx", "shop::d", "my_shop::db", ""] {
            assert!(!is_within(module, "shop::db"), "{module}");
        }
    }
}
