//! Claim/commit protocol of the ring: pure arithmetic on two counters.
//!
//! The counters only ever grow; a position in the ring is the counter modulo the capacity, which is a
//! power of two. 2^64 bytes are never reached.
//!
//! R1. `tail <= head <= tail + capacity`: unread bytes never exceed the capacity.
//! R2. Bytes in `[head, tail + capacity)` belong to the producer, bytes in `[tail, head)` to the consumer; nobody
//!     else touches either.
//! R3. The producer writes a record, then stores `head` (release); the consumer loads `head` (acquire),
//!     then reads: it sees whole records only.
//! R4. The consumer reads, then stores `tail` (release); the producer loads `tail` (acquire), then
//!     overwrites: it overwrites only what has been read.
//! R5. Each side keeps the other's counter as it last saw it. A stale value is too small, hence safe: it
//!     shows less room, or fewer records, than there are.
//!
//! Called by `producer` and `consumer` only. The counters themselves live in the segment's header, each on its own
//! cache line, or in a loom model (`loom_tests`).

use crate::sync::{AtomicU64, Ordering};

/// The producer's view of the ring.
#[derive(Debug)]
pub(crate) struct ProducerCursor {
    /// Where the next record goes. The shared counter equals it between two records.
    head: u64,
    /// Up to here a record may be written without a look at anything shared.
    limit: u64,
    capacity: u64,
}

/// How full the ring was when the producer last looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fill {
    pub(crate) used: u64,
    pub(crate) capacity: u64,
}

impl ProducerCursor {
    pub(crate) fn new(capacity: u64) -> ProducerCursor {
        debug_assert!(capacity.is_power_of_two());
        ProducerCursor { head: 0, limit: 0, capacity }
    }

    /// The position for a record of `len` bytes, if it is known to fit (R5).
    #[inline(always)]
    pub(crate) fn claim(&self, len: u64) -> Option<u64> {
        if self.head + len <= self.limit { Some(self.head) } else { None }
    }

    /// Makes a claimed and written record visible (R3).
    #[inline(always)]
    pub(crate) fn commit(&mut self, shared_head: &AtomicU64, len: u64) {
        self.head += len;
        shared_head.store(self.head, Ordering::Release);
    }

    /// Takes the consumer's counter, loaded with acquire (R4), and allows claims up to `allowance` bytes of unread data, or up to half
    /// of the ring while less than that is unread: so the producer passes here again when the ring becomes half full.
    pub(crate) fn refresh(&mut self, tail: u64, allowance: u64) -> Fill {
        let used = self.head - tail;
        let half = self.capacity / 2;
        let allowed = if used < half { half } else { self.capacity };
        self.limit = tail + allowed.min(allowance).min(self.capacity);
        Fill { used, capacity: self.capacity }
    }

    /// Allows claims up to `allowance` bytes of unread data, as of the consumer's counter, whatever the half mark.
    pub(crate) fn extend(&mut self, tail: u64, allowance: u64) {
        self.limit = tail + allowance.min(self.capacity);
    }

    /// Where the next record goes.
    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    /// Takes back what `refresh` and `extend` allowed: the next claim looks again.
    #[cfg(not(loom))]
    pub(crate) fn forget(&mut self) {
        self.limit = 0;
    }
}

/// The consumer's view of the ring.
#[derive(Debug)]
pub(crate) struct ConsumerCursor {
    /// Up to here the records have been read. Not freed yet.
    read: u64,
    /// Up to here the space has been given back. The shared counter equals it.
    freed: u64,
    /// The producer's counter as last seen.
    head: u64,
}

impl ConsumerCursor {
    pub(crate) fn new() -> ConsumerCursor {
        ConsumerCursor { read: 0, freed: 0, head: 0 }
    }

    /// Position of the next unread record and how many bytes are there, as last seen.
    #[inline]
    pub(crate) fn unread(&self) -> (u64, u64) {
        (self.read, self.head - self.read)
    }

    /// Looks at the producer's counter (R3). False where it makes no sense (R1): the ring is corrupt.
    #[inline]
    pub(crate) fn refresh(&mut self, shared_head: &AtomicU64, capacity: u64) -> bool {
        let head = shared_head.load(Ordering::Acquire);
        if head < self.read || head - self.freed > capacity {
            return false;
        }
        self.head = head;
        true
    }

    /// Goes past a record that was read. Its space stays taken until `free`.
    #[inline]
    pub(crate) fn advance(&mut self, len: u64) {
        debug_assert!(self.read + len <= self.head);
        self.read += len;
    }

    /// Gives the space of everything read back: the counter to be stored with release (R4), where it has changed.
    #[inline]
    pub(crate) fn free(&mut self) -> Option<u64> {
        if self.freed == self.read {
            return None;
        }
        self.freed = self.read;
        Some(self.freed)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn shared() -> (AtomicU64, AtomicU64) {
        (AtomicU64::new(0), AtomicU64::new(0))
    }

    #[test]
    fn a_full_ring_gives_no_position() {
        let (head, tail) = shared();
        let mut producer = ProducerCursor::new(64);
        assert_eq!(producer.claim(8), None, "nothing is known to be free before the first look");
        producer.refresh(tail.load(Ordering::Acquire), 64);
        producer.commit(&head, producer.claim(32).map(|_| 32).unwrap());
        assert_eq!(producer.claim(8), None, "the half mark makes the producer look again");
        assert_eq!(producer.refresh(tail.load(Ordering::Acquire), 64), Fill { used: 32, capacity: 64 });
        assert_eq!(producer.claim(32), Some(32));
        producer.commit(&head, 32);
        producer.refresh(tail.load(Ordering::Acquire), 64);
        assert_eq!(producer.claim(8), None);
    }

    #[test]
    fn space_read_but_not_freed_stays_taken() {
        let (head, tail) = shared();
        let mut producer = ProducerCursor::new(64);
        let mut consumer = ConsumerCursor::new();
        producer.extend(tail.load(Ordering::Acquire), 64);
        producer.commit(&head, 64);
        assert!(consumer.refresh(&head, 64));
        consumer.advance(64);
        producer.extend(tail.load(Ordering::Acquire), 64);
        assert_eq!(producer.claim(8), None);
        tail.store(consumer.free().unwrap(), Ordering::Release);
        producer.extend(tail.load(Ordering::Acquire), 64);
        assert_eq!(producer.claim(64), Some(64));
    }

    #[test]
    fn an_allowance_keeps_a_reserve_free() {
        let (_, tail) = shared();
        let mut producer = ProducerCursor::new(64);
        producer.extend(tail.load(Ordering::Acquire), 48);
        assert_eq!(producer.claim(48), Some(0));
        assert_eq!(producer.claim(56), None);
    }

    #[test]
    fn a_head_beyond_the_capacity_or_behind_the_reader_is_refused() {
        let (head, _) = shared();
        let mut consumer = ConsumerCursor::new();
        head.store(65, Ordering::Relaxed);
        assert!(!consumer.refresh(&head, 64));
        head.store(64, Ordering::Relaxed);
        assert!(consumer.refresh(&head, 64));
        consumer.advance(32);
        head.store(8, Ordering::Relaxed);
        assert!(!consumer.refresh(&head, 64));
    }
}
