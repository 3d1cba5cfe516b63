//! Levels that are set for a limited time: kept in the shared page, ended by the listener.
//!
//! V1. Each is one word in one slot of the page, put there and taken away by one exchange, so that a process that dies on the way leaves it whole or not
//!     at all.
//! V2. The level in force in a domain is the one set last of those whose time is not over; where there is none, the level that was set for good.
//!     Setting one for good takes the domain's others away.
//! V3. The listener alone ends them: whoever sets one need not live so long, and a record says that it is over.
//!
//! Called by `levels` and by the listener.

use std::sync::Arc;
use std::time::Duration;

use super::Queue;
use super::targets::Placed;
use crate::clock::nanos;
use crate::level::Level;
use crate::notice::notice;
use crate::sync::{AtomicU64, Ordering};

/// Unit of the end, in nanoseconds: 10 ms.
pub(super) const UNIT: u64 = 10_000_000;
/// The word: what it is for, level, order and end, from its lowest bit on.
pub(super) const LEVEL_AT: u32 = 8;
const ORDER_AT: u32 = 11;
const ORDER_BITS: u32 = 14;
const END_AT: u32 = ORDER_AT + ORDER_BITS;
pub(super) const LAST_END: u64 = (1 << (u64::BITS - END_AT)) - 1;

/// A level that is set until a certain time, as it stands in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Temporary {
    /// Number of the domain; in [`targets`](super::targets), the length of the target's text.
    pub(super) what: u8,
    pub(super) level: Level,
    /// Goes up with each one; wraps.
    pub(super) order: u32,
    /// In units of the monotonic clock; never 0.
    pub(super) end: u64,
}

impl Temporary {
    /// None where the slot is free, or holds nonsense.
    pub(super) fn of_word(word: u64) -> Option<Temporary> {
        let end = word >> END_AT;
        let level = Level::from_index((word >> LEVEL_AT) as u8 & 0b111)?;
        let order = (word >> ORDER_AT) as u32 & ((1 << ORDER_BITS) - 1);
        (end > 0).then_some(Temporary { what: word as u8, level, order, end })
    }

    pub(super) fn word(self) -> u64 {
        let Temporary { what, level, order, end } = self;
        let order = u64::from(order) & ((1 << ORDER_BITS) - 1);
        u64::from(what) | (level as u64) << LEVEL_AT | order << ORDER_AT | end.clamp(1, LAST_END) << END_AT
    }

    pub(super) fn is_over(self, now: u64) -> bool {
        self.end <= now / UNIT
    }

    pub(super) fn is_newer_than(self, other: Temporary) -> bool {
        let ahead = self.order.wrapping_sub(other.order) & ((1 << ORDER_BITS) - 1);
        ahead != 0 && ahead < 1 << (ORDER_BITS - 1)
    }
}

/// A level that has just been set, for one domain, for all of them or for a target.
///
/// It is in force already. [`for_`](LevelChange::for_) makes it one for a limited time.
#[derive(Debug)]
pub struct LevelChange {
    queue: Arc<Queue>,
    level: Level,
    changed: Changed,
}

/// What a level was set for.
#[derive(Debug)]
pub(super) enum Changed {
    Domains(Vec<Replaced>),
    Target(Placed),
}

/// What was in force in a domain before.
#[derive(Debug)]
pub(super) struct Replaced {
    pub(super) domain: u8,
    /// The level that was set for good.
    pub(super) level: u8,
    /// Those for a limited time, as words.
    pub(super) temporary: Vec<u64>,
}

impl LevelChange {
    pub(super) fn new(queue: Arc<Queue>, level: Level, changed: Changed) -> LevelChange {
        LevelChange { queue, level, changed }
    }

    /// The level is for this time only: after it, what was in force before is in force again, in all processes, and an INFO record of each
    /// domain, or of the domain that the target's records go to, says so. The end is exact to 10 ms and to the listener's next pass.
    ///
    /// Of several levels that are set for a limited time, the one set last is in force until its time is over, then the one set before it if its own
    /// is not over yet, and so on; at last the one that was set for good. Setting a level without a limit ends them all at once. So does a new start of the
    /// repository; while no process has the log files, nothing ends.
    ///
    /// There is room for 256 such levels of domains in all, one for each domain that they are set in, and for 32 levels of targets, whether for a limited time or
    /// not. Where there is none, the change is undone at once, and a
    /// line on stderr says so.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # #[miu_log::log_domains(app, db)] mod logs {}
    /// # let repo = logs::Repository::open(miu_log::LogConfig::new("logs")).unwrap();
    /// use std::time::Duration;
    ///
    /// repo.db.set_level(miu_log::Level::Trace).for_(Duration::from_secs(600));
    /// ```
    pub fn for_(self, time: Duration) {
        match &self.changed {
            Changed::Domains(replaced) => self.queue.limit(self.level, time, replaced),
            Changed::Target(placed) => self.queue.limit_target(placed, time),
        }
    }
}

/// A level whose time is over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) domain: u8,
    pub(crate) was: Level,
    pub(crate) is: Level,
}

impl Queue {
    /// The level that is in force in a domain for a limited time.
    pub(super) fn temporary_level(&self, domain: u8) -> Option<Level> {
        self.newest_temporary(domain).map(|temporary| temporary.level)
    }

    fn newest_temporary(&self, domain: u8) -> Option<Temporary> {
        let of_domain = self.temporaries().filter(|temporary| temporary.what == domain);
        of_domain.reduce(|newest, next| if next.is_newer_than(newest) { next } else { newest })
    }

    fn temporaries(&self) -> impl Iterator<Item = Temporary> {
        let words = self.page().temporary.iter().map(|slot| slot.load(Ordering::SeqCst));
        words.filter_map(Temporary::of_word)
    }

    /// Takes those of a domain away; their words.
    pub(super) fn remove_temporaries(&self, domain: u8) -> Vec<u64> {
        let mut removed = Vec::new();
        for slot in &self.page().temporary {
            let word = slot.load(Ordering::SeqCst);
            if Temporary::of_word(word).is_some_and(|temporary| temporary.what == domain)
                && take_away(slot, word)
            {
                removed.push(word);
            }
        }
        removed
    }

    /// Puts a word into a free slot. False where there is none.
    fn keep_temporary(&self, word: u64) -> bool {
        // Before and after: the listener may look in between.
        let any = &self.page().any_temporary;
        any.store(1, Ordering::SeqCst);
        let free =
            |slot: &AtomicU64| slot.compare_exchange(0, word, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        let kept = self.page().temporary.iter().any(free);
        any.store(1, Ordering::SeqCst);
        kept
    }

    /// When this time from now is over, in units of a word.
    pub(super) fn end_after(&self, time: Duration) -> u64 {
        self.clock().monotonic().saturating_add(nanos(time)).div_ceil(UNIT)
    }

    /// Makes a level that was just set one for a limited time.
    fn limit(&self, level: Level, time: Duration, replaced: &[Replaced]) {
        let end = self.end_after(time);
        let order = self.page().level_order.fetch_add(1, Ordering::SeqCst);
        let is_kept = self.change_levels(|page| {
            let mut is_kept = true;
            for Replaced { domain, level: before, temporary } in replaced {
                is_kept &= self.keep_temporary(Temporary { what: *domain, level, order, end }.word());
                // Not where somebody has set another one meanwhile.
                let _ = page.levels[usize::from(*domain)].compare_exchange(
                    level as u8,
                    *before,
                    Ordering::SeqCst,
                    Ordering::SeqCst,
                );
                is_kept &= temporary.iter().all(|word| self.keep_temporary(*word));
            }
            is_kept
        });
        if !is_kept {
            complain_of_room(level);
        }
    }

    /// Ends those whose time is over; what is in force now where one of them was. Called by the listener in each pass.
    pub(crate) fn end_temporary_levels(&self, now: u64) -> Vec<Ended> {
        if self.page().any_temporary.load(Ordering::Relaxed) == 0 || !self.is_any_due(now) {
            return Vec::new();
        }
        let mut ended: Vec<Ended> = Vec::new();
        self.change_levels(|page| {
            for domain in 0..self.domains().len() as u8 {
                let in_force = self.newest_temporary(domain).filter(|temporary| temporary.is_over(now));
                ended.extend(in_force.map(|Temporary { level, .. }| Ended { domain, was: level, is: level }));
            }
            for slot in &page.temporary {
                let word = slot.load(Ordering::SeqCst);
                // Nonsense, from a process that writes where it should not, must not fill the slots.
                if word != 0 && Temporary::of_word(word).is_none_or(|temporary| temporary.is_over(now)) {
                    let _ = take_away(slot, word);
                }
            }
        });
        for Ended { domain, is, .. } in &mut ended {
            *is = self.level(*domain);
        }
        ended
    }

    /// Whether there is one to be ended. Where there are none at all, that is noted down for the next pass.
    fn is_any_due(&self, now: u64) -> bool {
        let mut words = self.page().temporary.iter().map(|slot| slot.load(Ordering::SeqCst));
        let Some(first) = words.find(|word| *word != 0) else {
            self.page().any_temporary.store(0, Ordering::SeqCst);
            // One may have come since its slot was looked at; a thread that has made its thresholds without it makes them again.
            if self.temporaries().next().is_some() {
                self.change_levels(|page| page.any_temporary.store(1, Ordering::SeqCst));
            }
            return false;
        };
        let is_due =
            |word: u64| word != 0 && Temporary::of_word(word).is_none_or(|temporary| temporary.is_over(now));
        is_due(first) || words.any(is_due)
    }
}

/// Says on stderr that a level could not be kept.
pub(super) fn complain_of_room(level: Level) {
    let text =
        format!("there is no room for another level for a limited time: {level} is not in force everywhere");
    notice("levels", &text);
}

/// Empties a slot that has this word. False where it has another one by now.
pub(super) fn take_away(slot: &AtomicU64, word: u64) -> bool {
    slot.compare_exchange(word, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok()
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualTime};
    use crate::domain::DomainSpec;

    const SPECS: &[DomainSpec] = &[
        DomainSpec { name: "app", file: "app", level: Some(Level::Info) },
        DomainSpec { name: "db", file: "db", level: Some(Level::Warning) },
    ];
    const SECOND: Duration = Duration::from_secs(1);

    /// A queue, and the clock that its times go by.
    fn queue() -> (Arc<Queue>, Arc<ManualTime>) {
        let time = Arc::new(ManualTime::default());
        time.now.store(1_763_640_000_000_000_000, Ordering::Release);
        (Queue::detached(SPECS, Clock::Manual(time.clone())), time)
    }

    fn pass(queue: &Queue, time: &ManualTime, seconds: u64) -> Vec<Ended> {
        time.now.fetch_add(seconds * 1_000_000_000, Ordering::AcqRel);
        queue.end_temporary_levels(queue.clock().monotonic())
    }

    #[test]
    fn a_word_is_what_it_was_made_of() {
        let temporary = Temporary { what: 255, level: Level::Critical, order: 16_383, end: LAST_END };
        assert_eq!(Temporary::of_word(temporary.word()), Some(temporary));
        assert_eq!(Temporary::of_word(0), None);
        assert_eq!(Temporary::of_word(u64::MAX), None, "no level has this number");
        let first = Temporary { order: 0, ..temporary };
        assert!(first.is_newer_than(temporary) && !temporary.is_newer_than(first), "the order wraps");
    }

    #[test]
    fn a_level_for_a_time_goes_back_to_what_was_before() {
        let (queue, time) = queue();
        queue.set_level(0, Level::Trace).for_(2 * SECOND);
        assert_eq!((queue.level(0), queue.threshold(0)), (Level::Trace, Level::Trace as i8));
        assert_eq!(pass(&queue, &time, 1), []);
        assert_eq!(queue.level(0), Level::Trace);
        let ended = [Ended { domain: 0, was: Level::Trace, is: Level::Info }];
        assert_eq!(pass(&queue, &time, 1), ended);
        assert_eq!((queue.level(0), queue.threshold(0)), (Level::Info, Level::Info as i8));
        assert_eq!(pass(&queue, &time, 100), []);
        assert_eq!(queue.level(1), Level::Warning, "another domain's");
    }

    #[test]
    fn the_one_set_last_is_in_force_and_then_the_one_before_it() {
        let (queue, time) = queue();
        queue.set_level(0, Level::Debug).for_(10 * SECOND);
        queue.set_level(0, Level::Trace).for_(3 * SECOND);
        queue.set_all_levels(Level::Error).for_(SECOND);
        assert_eq!((queue.level(0), queue.level(1)), (Level::Error, Level::Error));
        assert_eq!(pass(&queue, &time, 1).len(), 2);
        assert_eq!((queue.level(0), queue.level(1)), (Level::Trace, Level::Warning));
        pass(&queue, &time, 2);
        assert_eq!(queue.level(0), Level::Debug);
        // One whose time is over while it is not in force goes without a word.
        queue.set_level(0, Level::Success).for_(20 * SECOND);
        assert_eq!(pass(&queue, &time, 10), []);
        assert_eq!(pass(&queue, &time, 10), [Ended { domain: 0, was: Level::Success, is: Level::Info }]);
    }

    #[test]
    fn a_level_for_good_ends_those_for_a_time() {
        let (queue, time) = queue();
        queue.set_level(0, Level::Debug).for_(SECOND);
        queue.set_level(0, Level::Critical);
        assert_eq!(queue.level(0), Level::Critical);
        assert_eq!(pass(&queue, &time, 2), []);
        assert_eq!(queue.level(0), Level::Critical);
    }

    #[test]
    fn where_there_is_no_room_the_change_is_undone() {
        let (queue, time) = queue();
        for _ in 0..256 {
            queue.set_level(1, Level::Debug).for_(SECOND);
        }
        queue.set_level(0, Level::Trace).for_(SECOND);
        assert_eq!((queue.level(0), queue.level(1)), (Level::Info, Level::Debug));
        assert_eq!(pass(&queue, &time, 1), [Ended { domain: 1, was: Level::Debug, is: Level::Warning }]);
        queue.set_level(0, Level::Trace).for_(SECOND);
        assert_eq!(queue.level(0), Level::Trace);
    }

    #[test]
    fn an_endless_time_does_not_end() {
        let (queue, time) = queue();
        queue.set_level(0, Level::Trace).for_(Duration::MAX);
        assert_eq!(pass(&queue, &time, 50 * 365 * 86_400), []);
        assert_eq!(queue.level(0), Level::Trace);
    }
}
