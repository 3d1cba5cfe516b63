//! What the two ends of a ring tell each other: the counters and marks that stand before a segment's data.
//!
//! Each end writes its own line and reads the other's. The order of the accesses to them is decided here and in `cursor`, so that
//! the loom models (`loom_tests`) run what the rings run.
//!
//! N1. A mark is set after the last commit, and is looked at before the counter is looked at for the last time: whoever sees the
//!     mark sees every record before it.
//! N2. Where a ring goes on in a further segment, that segment is registered before the mark is set: whoever sees the mark finds it.
//! N3. The consumer's counter counts only where its complement agrees with it, and only between what the producer has seen of it
//!     and what the producer has committed: the producer never takes more for free than was given back.
//!
//! Called by `producer`, `consumer` and `segment`.

use super::cursor::ConsumerCursor;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// What the producer writes. A cache line pair of its own: adjacent lines are fetched together.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct ProducerLine {
    /// Bytes ever committed (R3).
    pub(crate) head: AtomicU64,
    /// Records ever committed to this ring, over all its segments.
    pub(crate) accepted: AtomicU64,
    /// 1 once the ring goes on in a larger segment: nothing more will be committed here.
    pub(crate) chained: AtomicU32,
    /// 1 once the producer is gone.
    pub(crate) closed: AtomicU32,
    /// Records that found no room, by class, over all segments of the ring. What the classes are is for the queue to say.
    pub(crate) lost: [AtomicU64; CLASSES],
}

/// Classes of lost records.
pub(crate) const CLASSES: usize = 8;

/// What becomes of a segment that has been read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its producer may write more.
    Open,
    /// The ring goes on in its next segment.
    Chained,
    /// The producer is gone.
    Closed,
}

impl ProducerLine {
    /// Says that the ring goes on in a segment that is registered (N2): nothing more is committed here.
    pub(super) fn mark_chained(&self) {
        self.chained.store(1, Ordering::Release);
    }

    /// Says that the producer is gone.
    pub(crate) fn mark_closed(&self) {
        self.closed.store(1, Ordering::Release);
    }

    /// Whether the segment has been read to its very end, and why there is an end.
    ///
    /// The mark is read before the producer's counter is looked at once more (N1): what was committed before the mark was set is seen.
    pub(super) fn end(&self, cursor: &mut ConsumerCursor, capacity: u64) -> End {
        // Acquire: pairs with the stores of the marks.
        let end = if self.chained.load(Ordering::Acquire) != 0 {
            End::Chained
        } else if self.closed.load(Ordering::Acquire) != 0 {
            End::Closed
        } else {
            return End::Open;
        };
        if cursor.refresh(&self.head, capacity) && cursor.unread().1 > 0 { End::Open } else { end }
    }
}

/// What the consumer writes.
///
/// The listener writes the line of another process's ring by a system call, which does not promise to move eight bytes at once: the
/// complement beside the number shows whether it is whole.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct ConsumerLine {
    /// Bytes ever given back (R4).
    pub(super) tail: AtomicU64,
    /// The complement of that.
    pub(super) check: AtomicU64,
    /// Records ever given back, over all segments of the ring.
    pub(super) records: AtomicU64,
}

impl ConsumerLine {
    /// The line as it stands in a file.
    #[cfg(not(loom))]
    pub(crate) fn bytes(tail: u64, records: u64) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&tail.to_le_bytes());
        bytes[8..16].copy_from_slice(&(!tail).to_le_bytes());
        bytes[16..].copy_from_slice(&records.to_le_bytes());
        bytes
    }

    /// Says how many records have been given back.
    #[cfg(not(loom))]
    pub(crate) fn count(&self, records: u64) {
        self.records.store(records, Ordering::Relaxed);
    }

    /// The counter, if it is whole at this moment (R4).
    ///
    /// The number before its complement: one that is being written from the last byte to the first is seen with its new
    /// complement, and one that is written from the first byte to the last is never too large.
    pub(crate) fn load(&self) -> Option<u64> {
        let tail = self.tail.load(Ordering::Acquire);
        (self.check.load(Ordering::Acquire) == !tail).then_some(tail)
    }

    /// The counter, for a producer that has seen this much of it before and has committed so much: what makes no sense is passed
    /// over, for an old value is safe (R5, N3).
    pub(super) fn latest(&self, seen: u64, head: u64) -> u64 {
        self.load().filter(|tail| (seen..=head).contains(tail)).unwrap_or(seen)
    }

    /// The counter as the two words of a file say it, for this `head` and capacity. Whoever wrote them may have died between the two: then
    /// one word has the new value and the other the old one, and the larger that can be is the new one.
    pub(crate) fn settled(tail: u64, check: u64, head: u64, capacity: u64) -> Option<u64> {
        let possible = |tail: &u64| head.checked_sub(*tail).is_some_and(|unread| unread <= capacity);
        [tail, !check].into_iter().filter(possible).max()
    }

    /// Sets the counter (R4).
    pub(crate) fn store(&self, tail: u64) {
        self.check.store(!tail, Ordering::Release);
        self.tail.store(tail, Ordering::Release);
    }
}
