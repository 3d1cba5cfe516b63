//! Levels and the debug switch: what the hot path's thresholds are made from.
//!
//! All of it is in the shared page, so that a change made in one process reaches all others with the next load.

use std::sync::{Arc, OnceLock};

use super::temporary::{Changed, LevelChange, Replaced};
use super::turn::{Otherwise, in_turn};
use super::{CLOSED, Page, Queue, lock};
use crate::level::Level;
use crate::ring::signal_frame::in_signal_handler;
use crate::stats::DropReason;
use crate::sync::Ordering;

/// What is called when a level was changed.
static WATCHER: OnceLock<fn()> = OnceLock::new();

/// From now on this is called, with no lock held and by one thread at a time, when a level was changed. The first one stays.
pub(crate) fn watch_levels(call: fn()) {
    let _ = WATCHER.set(call);
}

impl Queue {
    pub(crate) fn domains(&self) -> &[&'static str] {
        &self.domains
    }

    pub(crate) fn domain_name(&self, domain: u8) -> &'static str {
        self.domains.get(usize::from(domain)).copied().unwrap_or("")
    }

    /// The level in force, the debug switch left aside.
    pub(crate) fn level(&self, domain: u8) -> Level {
        Level::from_index(self.level_in_force(domain)).unwrap_or(Level::Trace)
    }

    fn level_in_force(&self, domain: u8) -> u8 {
        let for_good = self.page().levels[usize::from(domain)].load(Ordering::SeqCst);
        if self.page().any_temporary.load(Ordering::SeqCst) == 0 {
            return for_good;
        }
        self.temporary_level(domain).map_or(for_good, |level| level as u8)
    }

    pub(crate) fn set_level(self: &Arc<Queue>, domain: u8, level: Level) -> LevelChange {
        let replaced = self.change_levels(|_| vec![self.replace_level(domain, level)]);
        LevelChange::new(self.clone(), level, Changed::Domains(replaced))
    }

    fn replace_level(&self, domain: u8, level: Level) -> Replaced {
        let before = self.page().levels[usize::from(domain)].swap(level as u8, Ordering::SeqCst);
        Replaced { domain, level: before, temporary: self.remove_temporaries(domain) }
    }

    /// No call below this level is taken, whatever the level is set to.
    pub(crate) fn set_floor(&self, domain: u8, least: u8) {
        self.change_levels(|page| page.floors[usize::from(domain)].store(least, Ordering::SeqCst));
    }

    pub(crate) fn set_all_levels(self: &Arc<Queue>, level: Level) -> LevelChange {
        let domains = (0..self.domains.len()).map(|domain| domain as u8);
        let replaced =
            self.change_levels(|_| domains.map(|domain| self.replace_level(domain, level)).collect());
        LevelChange::new(self.clone(), level, Changed::Domains(replaced))
    }

    /// Whether a record that did not come by a logger is taken: its domain's level decides, or, where `alone` is given, that level in its place. The debug
    /// switch and what `max_level` has removed count in either case.
    #[inline]
    pub(crate) fn takes(&self, domain: u8, level: Level, alone: Option<Level>) -> bool {
        let Some(alone) = alone else { return level as i8 >= self.threshold(domain) };
        level >= alone
            && (level >= Level::Info || self.debug_enabled())
            && level as u8 >= self.page().floors[usize::from(domain)].load(Ordering::Relaxed)
    }

    pub(crate) fn debug_enabled(&self) -> bool {
        self.page().debug_off.load(Ordering::Relaxed) == 0
    }

    pub(crate) fn set_debug_enabled(&self, enabled: bool) {
        self.change_levels(|page| page.debug_off.store(u32::from(!enabled), Ordering::SeqCst));
    }

    pub(super) fn change_levels<R>(&self, change: impl FnOnce(&Page) -> R) -> R {
        let changing = lock(&self.local().changing);
        let outcome = change(self.page());
        self.apply_levels();
        drop(changing);
        // Another thread may have noticed the change by now, and not have told of it yet.
        self.tell_of_levels(Otherwise::Wait);
        outcome
    }

    /// Tells whoever watches levels, if one was changed since the last look, here or in another process.
    #[inline]
    pub(crate) fn notice_levels(&self) {
        let changes = self.page().level_changes.load(Ordering::Relaxed);
        if self.level_changes.load(Ordering::Relaxed) != changes {
            self.tell_of_levels(Otherwise::Leave);
        }
    }

    /// Whether somebody watches levels.
    pub(super) fn levels_are_watched(&self) -> bool {
        WATCHER.get().is_some()
    }

    #[cold]
    fn tell_of_levels(&self, otherwise: Otherwise) {
        // In a handler nobody is told: what follows locks. The next look finds the change again, as it does where another thread is telling.
        if in_signal_handler() {
            return;
        }
        let notice = || {
            let changes = self.page().level_changes.load(Ordering::Acquire);
            self.level_changes.store(changes, Ordering::Relaxed);
        };
        match WATCHER.get() {
            Some(call) => _ = in_turn(otherwise, || (notice(), call())),
            None => notice(),
        }
    }

    /// Whether the calls of this process are refused.
    pub(crate) fn is_closed(&self) -> bool {
        self.threshold(0) == CLOSED
    }

    /// Runs the function while no level changes in this process.
    pub(crate) fn with_levels_at_rest<R>(&self, run: impl FnOnce() -> R) -> R {
        let _changing = lock(&self.local().changing);
        run()
    }

    /// Makes the thresholds. Another process may change something meanwhile, and make them too: whoever comes last has seen both
    /// changes, for each looks again after its stores.
    pub(super) fn apply_levels(&self) {
        self.make_thresholds();
        self.page().level_changes.fetch_add(1, Ordering::SeqCst);
    }

    fn make_thresholds(&self) {
        let page = self.page();
        for domain in 0..self.domains.len() {
            loop {
                let debug_off = page.debug_off.load(Ordering::SeqCst);
                let level = self.level_in_force(domain as u8);
                let floor = page.floors[domain].load(Ordering::SeqCst);
                let least = if debug_off == 0 { level } else { level.max(Level::Info as u8) };
                let threshold = least.max(floor);
                page.thresholds[domain].store(threshold, Ordering::SeqCst);
                if page.debug_off.load(Ordering::SeqCst) == debug_off
                    && self.level_in_force(domain as u8) == level
                    && page.floors[domain].load(Ordering::SeqCst) == floor
                    && page.thresholds[domain].load(Ordering::SeqCst) == threshold
                {
                    break;
                }
            }
        }
    }

    /// Counts a call that came after the shutdown.
    #[cold]
    #[inline(never)]
    pub(crate) fn refuse(&self, domain: u8, level: Level) {
        match &self.counted_by {
            Some(queue) => _ = queue.counters.unknown_domain.fetch_add(1, Ordering::Relaxed),
            None => self.drop_one(DropReason::AfterShutdown, domain, level),
        }
    }
}
