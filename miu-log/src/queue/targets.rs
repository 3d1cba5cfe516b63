//! Levels of targets, set while the program runs: kept in the shared page, read where a record of another crate looks for its route.
//!
//! G1. A slot is a word, which says whether there is anything in it, and a text. Whoever wants a free one claims it by one exchange, writes the text, and
//!     makes it valid by another. A reader takes the text only if the word is the same before and after; no two words of a slot are the same, for
//!     each has a number of its own.
//! G2. The words are those of `temporary`, with the text's length in place of the domain. One that is set for good ends at the end of time. Of several that have one
//!     text the newest is in force.
//! G3. The listener ends those whose time is over, and frees what a process claimed and did not finish within a minute. Should that process come back to
//!     life in between two of its stores, it can spoil a text that came after it: then a level is in force for a target that nobody named.
//! G4. Nothing is locked or allocated where a target's level is looked up, and what is read is held against its bounds: a page with nonsense in it gives
//!     levels that nobody set, and nothing worse.
//! G5. A change counts `target_changes` up after it is made: whoever has read that number before he looks a level up keeps it only as long as the number is the same.
//!
//! Called by the routes of other crates' records, by the repository and by the listener.

use std::sync::Arc;
use std::time::Duration;

use super::temporary::{
    Changed, LAST_END, LEVEL_AT, LevelChange, Temporary, UNIT, complain_of_room, take_away,
};
use super::{Page, Queue};
use crate::level::Level;
use crate::ring::control::{TARGET_WORDS, TARGETS};
use crate::sync::Ordering;

/// Most levels of targets that can be set at once.
pub(crate) const MOST_TARGETS: usize = TARGETS;
/// Bytes of the longest target.
pub(crate) const LONGEST_TARGET: usize = TARGET_WORDS * size_of::<u64>();
/// A claimed slot has this in place of a level, and the time when it is given up as its end.
const CLAIMED: u64 = 0b111 << LEVEL_AT;
const CLAIM: Duration = Duration::from_secs(60);

/// A level of a target that has just been set.
#[derive(Debug)]
pub(super) struct Placed {
    target: String,
    slot: usize,
    word: u64,
    /// The words of those that it has replaced.
    replaced: Vec<u64>,
}

/// A level of a target whose time is over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EndedTarget {
    pub(crate) target: String,
    pub(crate) was: Level,
}

/// The text of a slot.
struct Text {
    bytes: [u8; LONGEST_TARGET],
    len: usize,
}

impl Text {
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Whether a target is the one that the prefix names, or within it.
pub(crate) fn is_within(target: &[u8], prefix: &[u8]) -> bool {
    target.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"::"))
}

impl Queue {
    /// Goes up with each change of a target's level: see G5.
    #[inline]
    pub(crate) fn target_changes(&self) -> u32 {
        self.page().target_changes.load(Ordering::Acquire)
    }

    /// The level that was set for this target, or for the longest prefix of it, and the prefix's length.
    pub(crate) fn target_level(&self, target: &str) -> Option<(usize, Level)> {
        let mut found: Option<Temporary> = None;
        for (slot, word, entry) in self.target_words() {
            let is_better = found.is_none_or(|found| {
                entry.what > found.what || (entry.what == found.what && entry.is_newer_than(found))
            });
            let fits = |text: Text| is_within(target.as_bytes(), text.bytes());
            if is_better
                && usize::from(entry.what) <= target.len()
                && self.target_text(slot, word, entry).is_some_and(fits)
            {
                found = Some(entry);
            }
        }
        found.map(|found| (usize::from(found.what), found.level))
    }

    /// All targets that a level was set for, and which.
    pub(crate) fn target_levels(&self) -> Vec<(String, Level)> {
        self.newest_targets().into_iter().map(|(text, entry)| (text, entry.level)).collect()
    }

    fn newest_targets(&self) -> Vec<(String, Temporary)> {
        let mut found: Vec<(String, Temporary)> = Vec::new();
        for (slot, word, entry) in self.target_words() {
            let Some(text) = self.target_text(slot, word, entry) else { continue };
            let text = String::from_utf8_lossy(text.bytes());
            match found.iter_mut().find(|(known, _)| *known == text) {
                Some((_, newest)) if entry.is_newer_than(*newest) => *newest = entry,
                Some(_) => {}
                None => found.push((text.into_owned(), entry)),
            }
        }
        found
    }

    /// Sets the level of a target, which is at most [`LONGEST_TARGET`] long. None where there is no room.
    pub(crate) fn set_target_level(self: &Arc<Queue>, target: &str, level: Level) -> Option<LevelChange> {
        let what = u8::try_from(target.len()).ok().filter(|len| usize::from(*len) <= LONGEST_TARGET)?;
        let order = self.page().level_order.fetch_add(1, Ordering::SeqCst);
        let word = Temporary { what, level, order, end: LAST_END }.word();
        let (slot, replaced) = self.change_targets(|_| {
            let replaced = self.remove_target(target);
            let slot = self.place_target(target, word);
            if slot.is_none() {
                // Somebody else has taken what was freed.
                replaced.iter().for_each(|word| _ = self.place_target(target, *word));
            }
            slot.map(|slot| (slot, replaced))
        })?;
        let placed = Placed { target: target.to_owned(), slot, word, replaced };
        Some(LevelChange::new(self.clone(), level, Changed::Target(placed)))
    }

    /// Takes all levels of this very target away. False where there was none.
    pub(crate) fn reset_target_level(&self, target: &str) -> bool {
        self.change_targets(|_| !self.remove_target(target).is_empty())
    }

    /// Takes the levels of all targets away.
    pub(crate) fn reset_target_levels(&self) {
        self.change_targets(|page| {
            page.targets.words.iter().for_each(|slot| slot.store(0, Ordering::SeqCst));
        });
    }

    /// Makes a level that was just set one for a limited time.
    pub(super) fn limit_target(&self, placed: &Placed, time: Duration) {
        let Placed { target, slot, word, replaced } = placed;
        let Some(entry) = Temporary::of_word(*word) else { return };
        let limited = Temporary { end: self.end_after(time), ..entry }.word();
        let is_kept = self.change_targets(|page| {
            let slot = &page.targets.words[*slot];
            // Not where somebody has set another one meanwhile, or taken it away.
            slot.compare_exchange(*word, limited, Ordering::SeqCst, Ordering::SeqCst).is_err()
                || replaced.iter().all(|word| self.place_target(target, *word).is_some())
        });
        if !is_kept {
            complain_of_room(entry.level);
        }
    }

    /// Ends those whose time is over; those that were in force. Called by the listener in each pass.
    pub(crate) fn end_target_levels(&self, now: u64) -> Vec<EndedTarget> {
        if !self.page().targets.words.iter().any(|slot| is_due(slot.load(Ordering::SeqCst), now)) {
            return Vec::new();
        }
        self.change_targets(|page| {
            let newest = self.newest_targets().into_iter().filter(|(_, entry)| entry.is_over(now));
            let ended = newest.map(|(target, entry)| EndedTarget { target, was: entry.level }).collect();
            for slot in &page.targets.words {
                let word = slot.load(Ordering::SeqCst);
                if is_due(word, now) {
                    let _ = take_away(slot, word);
                }
            }
            ended
        })
    }

    fn change_targets<R>(&self, change: impl FnOnce(&Page) -> R) -> R {
        self.change_levels(|page| {
            let outcome = change(page);
            page.target_changes.fetch_add(1, Ordering::SeqCst);
            outcome
        })
    }

    /// The slots that are in use.
    fn target_words(&self) -> impl Iterator<Item = (usize, u64, Temporary)> {
        self.page().targets.words.iter().enumerate().filter_map(|(slot, word)| {
            let word = word.load(Ordering::SeqCst);
            Some((slot, word, Temporary::of_word(word)?))
        })
    }

    /// The text of a slot that had this word. None where it has another one by now (G1).
    fn target_text(&self, slot: usize, word: u64, entry: Temporary) -> Option<Text> {
        let targets = &self.page().targets;
        let len = usize::from(entry.what);
        let mut bytes = [0; LONGEST_TARGET];
        let used = bytes.get_mut(..len).filter(|used| !used.is_empty())?;
        for (chunk, word) in used.chunks_mut(8).zip(&targets.texts[slot]) {
            // Acquire: who sees a text of later sees that the slot was claimed for it, too.
            let word = word.load(Ordering::Acquire).to_ne_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        (targets.words[slot].load(Ordering::SeqCst) == word).then_some(Text { bytes, len })
    }

    /// Puts a target into a free slot.
    fn place_target(&self, target: &str, word: u64) -> Option<usize> {
        let targets = &self.page().targets;
        let number = Temporary::of_word(word)?;
        let given_up = Temporary { end: self.end_after(CLAIM), ..number }.word();
        let claim = given_up | CLAIMED;
        let free = |slot: &usize| {
            let slot = &targets.words[*slot];
            slot.compare_exchange(0, claim, Ordering::SeqCst, Ordering::SeqCst).is_ok()
        };
        let slot = (0..TARGETS).find(free)?;
        for (chunk, place) in target.as_bytes().chunks(8).zip(&targets.texts[slot]) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            place.store(u64::from_ne_bytes(word), Ordering::Release);
        }
        let valid = targets.words[slot].compare_exchange(claim, word, Ordering::SeqCst, Ordering::SeqCst);
        valid.is_ok().then_some(slot)
    }

    /// Takes those of this very target away; their words.
    fn remove_target(&self, target: &str) -> Vec<u64> {
        let is_it = |(slot, word, entry): &(usize, u64, Temporary)| {
            let text = self.target_text(*slot, *word, *entry);
            text.is_some_and(|text| text.bytes() == target.as_bytes())
        };
        let removed = self.target_words().filter(is_it);
        let removed = removed.filter(|(slot, word, _)| take_away(&self.page().targets.words[*slot], *word));
        removed.map(|(_, word, _)| word).collect()
    }
}

/// Whether a slot is to be freed: its time is over, or that of a claim; or it holds nonsense, which would be there for ever.
fn is_due(word: u64, now: u64) -> bool {
    if word == 0 {
        return false;
    }
    match Temporary::of_word(word) {
        Some(entry) => entry.is_over(now) || usize::from(entry.what) > LONGEST_TARGET || entry.what == 0,
        None => {
            // A claim is a word with another level.
            let end = Temporary::of_word(word & !CLAIMED).map_or(0, |entry| entry.end);
            let longest = now.saturating_add(crate::clock::nanos(CLAIM)).div_ceil(UNIT) + 1;
            end <= now / UNIT || end > longest
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualTime};
    use crate::domain::DomainSpec;

    const SPECS: &[DomainSpec] = &[DomainSpec { name: "app", file: "app", level: None }];
    const SECOND: Duration = Duration::from_secs(1);

    fn queue() -> (Arc<Queue>, Arc<ManualTime>) {
        let time = Arc::new(ManualTime::default());
        time.now.store(1_763_640_000_000_000_000, Ordering::Release);
        (Queue::detached(SPECS, Clock::Manual(time.clone())), time)
    }

    fn pass(queue: &Queue, time: &ManualTime, seconds: u64) -> Vec<(String, Level)> {
        time.now.fetch_add(seconds * 1_000_000_000, Ordering::AcqRel);
        let ended = queue.end_target_levels(queue.clock().monotonic());
        ended.into_iter().map(|ended| (ended.target, ended.was)).collect()
    }

    fn level(queue: &Queue, target: &str) -> Option<Level> {
        queue.target_level(target).map(|(_, level)| level)
    }

    #[test]
    fn the_longest_prefix_that_ends_at_a_modules_border_is_in_force() {
        let (queue, _) = queue();
        queue.set_target_level("sqlx", Level::Error).unwrap();
        queue.set_target_level("sqlx::query", Level::Debug).unwrap();
        assert_eq!(queue.target_level("sqlx::query::slow"), Some((11, Level::Debug)));
        assert_eq!(queue.target_level("sqlx::pool"), Some((4, Level::Error)));
        assert_eq!([level(&queue, "sqlxtra"), level(&queue, "sql"), level(&queue, "")], [None; 3]);
        assert!(queue.reset_target_level("sqlx::query") && !queue.reset_target_level("sqlx::query"));
        assert_eq!(level(&queue, "sqlx::query"), Some(Level::Error));
    }

    #[test]
    fn a_level_that_is_set_again_takes_the_place_of_the_one_before() {
        let (queue, _) = queue();
        for _ in 0..2 * MOST_TARGETS {
            queue.set_target_level("a", Level::Debug).unwrap();
            queue.set_target_level("a", Level::Error).unwrap();
        }
        assert_eq!(queue.target_levels(), [("a".to_owned(), Level::Error)]);
    }

    #[test]
    fn a_level_for_a_time_is_over_and_what_was_before_is_back() {
        let (queue, time) = queue();
        queue.set_target_level("a::b", Level::Error).unwrap();
        queue.set_target_level("a::b", Level::Debug).unwrap().for_(10 * SECOND);
        queue.set_target_level("a::b", Level::Trace).unwrap().for_(2 * SECOND);
        let changes = queue.target_changes();
        assert_eq!((pass(&queue, &time, 1), level(&queue, "a::b")), (vec![], Some(Level::Trace)));
        assert_eq!(queue.target_changes(), changes, "nothing has changed");
        assert_eq!(pass(&queue, &time, 1), [("a::b".to_owned(), Level::Trace)]);
        assert!(queue.target_changes() != changes);
        assert_eq!(level(&queue, "a::b"), Some(Level::Debug));
        assert_eq!(pass(&queue, &time, 8), [("a::b".to_owned(), Level::Debug)]);
        assert_eq!(level(&queue, "a::b"), Some(Level::Error));
        assert_eq!((pass(&queue, &time, 1_000_000), level(&queue, "a::b")), (vec![], Some(Level::Error)));
    }

    #[test]
    fn one_that_ends_while_another_is_in_force_ends_without_a_word() {
        let (queue, time) = queue();
        queue.set_target_level("a", Level::Debug).unwrap().for_(SECOND);
        queue.set_target_level("a", Level::Trace).unwrap().for_(5 * SECOND);
        assert_eq!(pass(&queue, &time, 2), []);
        assert_eq!(pass(&queue, &time, 3), [("a".to_owned(), Level::Trace)]);
        assert_eq!(level(&queue, "a"), None);
        queue.set_target_level("a", Level::Debug).unwrap().for_(SECOND);
        queue.set_target_level("a", Level::Trace).unwrap();
        assert_eq!((pass(&queue, &time, 2), level(&queue, "a")), (vec![], Some(Level::Trace)), "for good");
    }

    #[test]
    fn what_was_taken_back_before_is_not_limited_later() {
        let (queue, time) = queue();
        let change = queue.set_target_level("a", Level::Debug).unwrap();
        queue.set_target_level("a", Level::Error).unwrap();
        change.for_(SECOND);
        assert_eq!((pass(&queue, &time, 2), level(&queue, "a")), (vec![], Some(Level::Error)));
    }

    #[test]
    fn there_is_room_for_so_many_and_a_freed_slot_is_used_again() {
        let (queue, _) = queue();
        let target = |number: usize| format!("{number:0>LONGEST_TARGET$}");
        for number in 0..MOST_TARGETS {
            assert!(queue.set_target_level(&target(number), Level::Debug).is_some(), "{number}");
        }
        assert!(queue.set_target_level("one::more", Level::Debug).is_none());
        assert!(queue.set_target_level(&target(3), Level::Error).is_some(), "in place of its own");
        assert_eq!(
            [3, 4].map(|number| level(&queue, &target(number))),
            [Some(Level::Error), Some(Level::Debug)]
        );
        assert!(queue.reset_target_level(&target(0)));
        assert!(queue.set_target_level("one::more", Level::Debug).is_some());
        assert!(queue.set_target_level(&"x".repeat(LONGEST_TARGET + 1), Level::Debug).is_none());
        queue.reset_target_levels();
        assert_eq!(queue.target_levels(), []);
    }

    #[test]
    fn what_a_process_claimed_and_did_not_finish_is_freed_after_a_minute() {
        let (queue, time) = queue();
        let own = Temporary { what: 3, level: Level::Trace, order: 9, end: queue.end_after(CLAIM) };
        let slot = &queue.page().targets.words[0];
        slot.store(own.word() | CLAIMED, Ordering::SeqCst);
        assert_eq!(queue.target_levels(), []);
        assert_eq!(pass(&queue, &time, 59), []);
        assert!(slot.load(Ordering::SeqCst) != 0);
        assert_eq!(pass(&queue, &time, 1), []);
        assert_eq!(slot.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn nonsense_in_the_page_is_a_level_at_worst_and_does_not_stay() {
        let (queue, time) = queue();
        let far = |what: u8| Temporary { what, level: Level::Debug, order: 1, end: LAST_END }.word();
        let words = [u64::MAX, far(255), far(0), far(4), 1];
        for (slot, word) in queue.page().targets.words.iter().zip(words) {
            slot.store(word, Ordering::SeqCst);
        }
        let text = u64::from_ne_bytes([0xff, 0xfe, b':', 0, 1, 2, 3, 4]);
        queue.page().targets.texts[3][0].store(text, Ordering::SeqCst);
        assert_eq!([level(&queue, "a"), level(&queue, "")], [None; 2]);
        assert_eq!(queue.target_levels().len(), 1);
        pass(&queue, &time, 1);
        let left = queue.page().targets.words.iter().filter(|slot| slot.load(Ordering::SeqCst) != 0);
        assert_eq!(left.count(), 1, "the one that could have been set");
    }

    #[test]
    fn threads_that_read_meanwhile_see_a_whole_target_or_none() {
        let (queue, _) = queue();
        let (one, other) = ("a".repeat(LONGEST_TARGET), "b".repeat(LONGEST_TARGET));
        let done = crate::sync::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..2000 {
                    for target in [&one, &other] {
                        queue.set_target_level(target, Level::Debug).unwrap();
                        queue.reset_target_level(target);
                    }
                }
                done.store(true, Ordering::SeqCst);
            });
            while !done.load(Ordering::SeqCst) {
                for (target, _) in queue.target_levels() {
                    assert!(target == one || target == other, "{target}");
                }
            }
        });
    }
}
