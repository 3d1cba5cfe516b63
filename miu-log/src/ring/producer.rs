//! The writing end of a ring. One thread has it.
//!
//! Rests on R1 to R5 of `cursor`, N1 to N3 of `lines` and S1 to S5 of `segment`. That a signal handler on the same thread finds no producer that is in use
//! is `local`'s matter (L3).

use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;

use super::cursor::{Fill, ProducerCursor};
use super::lines::ProducerLine;
use super::segment::{MIRROR, Segment};
use crate::failpoint;
use crate::sync::Ordering;

/// How far ahead of a record the producer asks for memory: ten cache lines, about as many records.
const AHEAD: u64 = 640;

/// The writing end. Dropping it closes the ring.
///
/// What a call touches comes first, so that it lies in one cache line.
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct Producer {
    /// Stands first: `local` reads it before it knows whether this is a producer.
    pub(super) key: usize,
    data: NonNull<u8>,
    mask: u64,
    cursor: ProducerCursor,
    line: NonNull<ProducerLine>,
    accepted: u64,
    /// Records that found no room. Each has taken a number, so that a gap in the numbers shows it.
    lost: u64,
    // What follows is for the slow path.
    segment: Arc<Segment>,
    ring: u64,
    generation: u32,
    /// The consumer's counter as it was last seen whole.
    tail: u64,
    /// Set while the ring sheds instead of blocking.
    pub(crate) shedding: bool,
    /// Set while the ring goes on in a place that it should leave again: each call takes the slow path and looks.
    pub(crate) spilt: bool,
    /// Keeps alive what `key` is the address of, so that no other can have the same.
    owner: Arc<dyn Any + Send + Sync>,
}

// SAFETY: the pointers lead into the segment that the producer holds, which may be used from any thread; exclusive use is
// what `&mut self` asks for.
unsafe impl Send for Producer {}

impl Producer {
    /// The end of a new ring. The caller promises that no other producer writes to this segment: it comes from
    /// `Segment::create` or was recycled by its only owner.
    pub(crate) fn new(owner: Arc<dyn Any + Send + Sync>, segment: Arc<Segment>, ring: u64) -> Producer {
        Producer {
            key: Arc::as_ptr(&owner).cast::<u8>() as usize,
            data: segment.data(),
            mask: segment.capacity() as u64 - 1,
            cursor: ProducerCursor::new(segment.capacity() as u64),
            line: NonNull::from(segment.producer_line()),
            accepted: 0,
            lost: 0,
            segment,
            ring,
            generation: 0,
            tail: 0,
            shedding: false,
            spilt: false,
            owner,
        }
    }

    /// Address of the owner: what the thread finds its producers by.
    #[inline(always)]
    pub(crate) fn key(&self) -> usize {
        self.key
    }

    pub(crate) fn owner(&self) -> &Arc<dyn Any + Send + Sync> {
        &self.owner
    }

    pub(crate) fn ring(&self) -> u64 {
        self.ring
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    pub(crate) fn segment(&self) -> &Segment {
        &self.segment
    }

    #[inline(always)]
    fn line(&self) -> &ProducerLine {
        // SAFETY: the line lies in the segment's mapping, which `self.segment` keeps alive (S1, S3).
        unsafe { self.line.as_ref() }
    }

    /// Writes one record of `len` bytes, a multiple of eight and at most [`MIRROR`]. False, and nothing done, where there
    /// may be no room, or the ring is half full: then `refresh` tells. `fill` gets the slot and the record's sequence number, and must not log.
    #[inline(always)]
    pub(crate) fn write(&mut self, len: usize, fill: impl FnOnce(&mut [u8], u64)) -> bool {
        debug_assert!(len <= MIRROR && len.is_multiple_of(8));
        let position = match self.cursor.claim(len as u64) {
            Some(position) => position,
            None => match self.look(len as u64) {
                Some(position) => position,
                None => return false,
            },
        };
        let offset = (position & self.mask) as usize;
        self.prefetch(position + AHEAD);
        // SAFETY: `offset < capacity` and `len <= MIRROR`, so the slot lies in data and mirror (S1). The cursor has given
        // `[position, position + len)` to the producer (R2), and `&mut self` is the only producer.
        let slot = unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr().add(offset), len) };
        failpoint::reach("before-payload");
        fill(slot, self.accepted + self.lost);
        failpoint::reach("before-publish");
        self.accepted += 1;
        // SAFETY: the line lies in the segment's mapping, which `self.segment` keeps alive (S1, S3). Not through `line()`, which
        // would borrow the cursor too.
        let line = unsafe { self.line.as_ref() };
        line.accepted.store(self.accepted, Ordering::Relaxed);
        self.cursor.commit(&line.head, len as u64);
        failpoint::reach("after-publish");
        true
    }

    /// Looks whether the consumer has made room. The position for a record of `len` bytes, if the ring is less than half full:
    /// anything else is for the slow path to decide.
    #[cold]
    fn look(&mut self, len: u64) -> Option<u64> {
        let fill = self.refresh(u64::MAX);
        if self.shedding || self.spilt || fill.used >= fill.capacity / 2 {
            self.cursor.forget();
            return None;
        }
        self.cursor.claim(len)
    }

    /// Asks for the cache line at this position, for writing. The consumer has read the line in the round before, so that
    /// it has to be taken back from another core, which is slow; asked for some records ahead it is there in time, also
    /// for the first record after a pause.
    #[inline(always)]
    fn prefetch(&self, position: u64) {
        #[cfg(target_arch = "x86_64")]
        {
            let address = self.data.as_ptr().wrapping_add((position & self.mask) as usize);
            // SAFETY: PREFETCHW is a hint: it neither faults nor changes memory, whatever the address. Processors that
            // do not know it treat it as a no-operation.
            unsafe {
                std::arch::asm!("prefetchw [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
            };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = position;
    }

    /// Looks how full the ring is and allows writing up to `allowance` bytes of it (or the half mark, see `cursor`).
    pub(crate) fn refresh(&mut self, allowance: u64) -> Fill {
        let tail = self.tail();
        self.cursor.refresh(tail, allowance)
    }

    /// The consumer's counter. One that makes no sense is passed over: an old one is safe (R5).
    fn tail(&mut self) -> u64 {
        self.tail = self.segment.consumer_line().latest(self.tail, self.cursor.head());
        self.tail
    }

    /// Allows writing up to `allowance` bytes of the ring, for one record that may use the reserve.
    pub(crate) fn extend(&mut self, allowance: u64) {
        let tail = self.tail();
        self.cursor.extend(tail, allowance);
    }

    /// The next write looks again.
    pub(crate) fn forget(&mut self) {
        self.cursor.forget();
    }

    /// Counts a record that found no room, in the class it belongs to: the next record's number shows that one is missing.
    pub(crate) fn lose(&mut self, class: usize) {
        self.lost += 1;
        if let Some(lost) = self.line().lost.get(class) {
            lost.store(lost.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }

    /// Writes into a segment that is not registered yet how many records the ring has accepted and lost: it counts for the whole ring.
    pub(crate) fn hand_over_count(&self, next: &Segment) {
        let (own, next) = (self.line(), next.producer_line());
        next.accepted.store(self.accepted, Ordering::Relaxed);
        for (own, next) in own.lost.iter().zip(&next.lost) {
            next.store(own.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// Goes on in a larger, registered segment. The consumer finds it when it has read this one to its end.
    pub(crate) fn chain(&mut self, next: Arc<Segment>) {
        self.line().mark_chained();
        failpoint::reach("chained");
        self.data = next.data();
        self.mask = next.capacity() as u64 - 1;
        self.cursor = ProducerCursor::new(next.capacity() as u64);
        self.line = NonNull::from(next.producer_line());
        self.segment = next;
        self.generation += 1;
        self.tail = 0;
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.line().mark_closed();
    }
}
