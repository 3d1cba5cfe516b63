//! Levels and the debug switch: what the hot path's thresholds are made from.

use super::{CLOSED, Queue, lock};
use crate::level::Level;
use crate::stats::DropReason;
use crate::sync::Ordering;

/// What the thresholds are made from.
#[derive(Debug)]
pub(super) struct Levels {
    pub(super) of_domain: Vec<Level>,
    /// What `max_level` leaves of each domain, for calls that do not go through its own type.
    pub(super) floors: Vec<u8>,
    pub(super) debug_enabled: bool,
    pub(super) closed: bool,
}

impl Queue {
    pub(crate) fn domains(&self) -> &[&'static str] {
        &self.domains
    }

    pub(crate) fn domain_name(&self, domain: u8) -> &'static str {
        self.domains.get(usize::from(domain)).copied().unwrap_or("")
    }

    pub(crate) fn level(&self, domain: u8) -> Level {
        lock(&self.levels).of_domain.get(usize::from(domain)).copied().unwrap_or(Level::Trace)
    }

    pub(crate) fn set_level(&self, domain: u8, level: Level) {
        self.change_levels(|levels| {
            if let Some(of_domain) = levels.of_domain.get_mut(usize::from(domain)) {
                *of_domain = level;
            }
        });
    }

    /// No call below this level is taken, whatever the level is set to.
    pub(crate) fn set_floor(&self, domain: u8, least: u8) {
        self.change_levels(|levels| {
            if let Some(floor) = levels.floors.get_mut(usize::from(domain)) {
                *floor = least;
            }
        });
    }

    pub(crate) fn set_all_levels(&self, level: Level) {
        self.change_levels(|levels| levels.of_domain.fill(level));
    }

    pub(crate) fn debug_enabled(&self) -> bool {
        lock(&self.levels).debug_enabled
    }

    pub(crate) fn set_debug_enabled(&self, enabled: bool) {
        self.change_levels(|levels| levels.debug_enabled = enabled);
    }

    pub(super) fn change_levels(&self, change: impl FnOnce(&mut Levels)) {
        let mut levels = lock(&self.levels);
        change(&mut levels);
        self.apply(&levels);
    }

    pub(super) fn apply(&self, levels: &Levels) {
        let domains = levels.of_domain.iter().zip(&levels.floors);
        for (threshold, (level, floor)) in self.thresholds.iter().zip(domains) {
            let level = if levels.debug_enabled { *level } else { (*level).max(Level::Info) };
            let value = if levels.closed { CLOSED.cast_unsigned() } else { (level as u8).max(*floor) };
            threshold.store(value, Ordering::Relaxed);
        }
    }

    /// Counts a call that came after the shutdown.
    #[cold]
    #[inline(never)]
    pub(crate) fn refuse(&self, domain: u8, level: Level) {
        match &self.counted_by {
            Some(queue) => _ = queue.counters.unknown_domain.fetch_add(1, Ordering::Relaxed),
            None => self.counters.drop_one(DropReason::AfterShutdown, domain, level),
        }
    }
}
