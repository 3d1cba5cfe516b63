//! The reading end of a ring. The listener has it.
//!
//! Rests on R1 to R5 of `cursor`, N1 to N3 of `lines` and S1 to S5 of `segment`.

use std::sync::Arc;

use super::cursor::ConsumerCursor;
pub(crate) use super::lines::End;
use super::segment::{MIRROR, Segment};
use crate::sync::Ordering;

/// The reading end of one segment.
#[derive(Debug)]
pub(crate) struct Consumer {
    cursor: ConsumerCursor,
    segment: Arc<Segment>,
    /// Records read, over all segments of the ring.
    records: u64,
}

impl Consumer {
    /// The reading end of a segment, of whose ring so many records have been read in earlier ones.
    pub(crate) fn new(segment: Arc<Segment>, records: u64) -> Consumer {
        // For another listener that begins with this segment.
        segment.consumer_line().count(records);
        Consumer { cursor: ConsumerCursor::new(), segment, records }
    }

    /// Looks for new records. False where the ring is corrupt.
    #[inline]
    pub(crate) fn refresh(&mut self) -> bool {
        self.cursor.refresh(&self.segment.producer_line().head, self.segment.capacity() as u64)
    }

    /// The unread bytes, as far as they are contiguous: at least the whole next record.
    #[inline]
    pub(crate) fn unread(&self) -> &[u8] {
        let (position, len) = self.cursor.unread();
        let capacity = self.segment.capacity();
        let offset = (position & (capacity as u64 - 1)) as usize;
        let len = (len as usize).min(capacity - offset + MIRROR);
        // SAFETY: `offset < capacity` and `offset + len <= capacity + MIRROR`: inside data and mirror (S1). The bytes are
        // committed and not freed (R2): nobody writes them while `self` is borrowed, for `free` takes `&mut self`.
        unsafe { std::slice::from_raw_parts(self.segment.data().as_ptr().add(offset), len) }
    }

    /// Whether there are unread bytes, as last seen.
    #[inline]
    pub(crate) fn has_unread(&self) -> bool {
        self.cursor.unread().1 > 0
    }

    /// Goes past `len` bytes that were read.
    #[inline]
    pub(crate) fn advance(&mut self, len: usize) {
        self.cursor.advance(len as u64);
        self.records += 1;
    }

    /// Records read so far.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// Up to where the ring has been read: what a checkpoint remembers.
    pub(crate) fn position(&self) -> u64 {
        self.cursor.unread().0
    }

    /// Gives the space of everything read back.
    #[inline]
    pub(crate) fn free(&mut self) {
        if let Some(tail) = self.cursor.free() {
            self.segment.consumer_line().count(self.records);
            self.segment.consumer_line().store(tail);
        }
    }

    /// Gives everything up, read or not: for a ring that is corrupt.
    pub(crate) fn abandon(&mut self) {
        let (_, unread) = self.cursor.unread();
        self.cursor.advance(unread);
    }

    /// Whether the segment has been read to its very end, and why there is an end.
    pub(crate) fn end(&mut self) -> End {
        self.segment.producer_line().end(&mut self.cursor, self.segment.capacity() as u64)
    }

    /// Records ever committed to the ring.
    pub(crate) fn accepted(&self) -> u64 {
        self.segment.producer_line().accepted.load(Ordering::Relaxed)
    }

    /// Records of the ring that found no room.
    pub(crate) fn lost(&self) -> u64 {
        self.segment.producer_line().lost.iter().map(|lost| lost.load(Ordering::Relaxed)).sum()
    }

    /// Whether the segment has a file.
    pub(crate) fn is_named(&self) -> bool {
        self.segment.is_named()
    }

    /// The segment, once nothing more is read from it.
    pub(crate) fn into_segment(self) -> Arc<Segment> {
        self.segment
    }
}

#[cfg(test)]
mod tests {
    use super::super::producer::Producer;
    use super::super::segment::{Identity, SMALLEST};
    use super::*;

    fn ring() -> (Producer, Consumer) {
        let identity = Identity {
            member: 1,
            process_id: 1,
            thread_id: 1,
            ring: 0,
            generation: 0,
            thread_name: String::new(),
        };
        let segment = Arc::new(Segment::create(None, SMALLEST, &identity).unwrap());
        (Producer::new(Arc::new(()), segment.clone(), 0), Consumer::new(segment, 0))
    }

    fn send(producer: &mut Producer, len: usize, byte: u8) -> bool {
        producer.extend(u64::MAX);
        producer.write(len, |slot, _| slot.fill(byte))
    }

    #[test]
    fn a_record_across_the_end_is_contiguous() {
        let (mut producer, mut consumer) = ring();
        let mut byte = 0u8;
        for _ in 0..1000 {
            byte = byte.wrapping_add(1);
            assert!(send(&mut producer, 4232, byte));
            assert!(consumer.refresh());
            assert_eq!(consumer.unread(), vec![byte; 4232]);
            consumer.advance(4232);
            consumer.free();
        }
    }

    #[test]
    fn a_full_ring_rejects_a_record_and_keeps_what_it_has() {
        let (mut producer, mut consumer) = ring();
        let mut sent = 0;
        while send(&mut producer, 4096, sent) {
            sent += 1;
        }
        assert_eq!(usize::from(sent), SMALLEST / 4096);
        for byte in 0..sent {
            assert!(consumer.refresh());
            assert_eq!(consumer.unread()[..4096], vec![byte; 4096]);
            consumer.advance(4096);
        }
        assert!(!send(&mut producer, 8, 0), "space is free only after the consumer says so");
        consumer.free();
        assert!(send(&mut producer, 8, 0));
    }

    #[test]
    fn the_end_is_seen_only_after_the_last_record() {
        let (mut producer, mut consumer) = ring();
        assert!(send(&mut producer, 8, 1));
        assert_eq!(consumer.end(), End::Open);
        drop(producer);
        assert_eq!(consumer.end(), End::Open);
        consumer.advance(8);
        assert_eq!(consumer.end(), End::Closed);
    }

    #[test]
    fn records_of_random_lengths_arrive_as_they_were_sent() {
        use proptest::prelude::*;
        proptest!(|(lens in proptest::collection::vec((1usize..2048, any::<u8>(), any::<bool>()), 1..300))| {
            let (mut producer, mut consumer) = ring();
            let mut model = std::collections::VecDeque::new();
            for (words, byte, drain) in lens {
                let len = words * 8;
                let used: usize = model.iter().map(|(len, _)| *len).sum();
                prop_assert_eq!(send(&mut producer, len, byte), used + len <= SMALLEST);
                if used + len <= SMALLEST {
                    model.push_back((len, byte));
                }
                if drain {
                    prop_assert!(consumer.refresh());
                    while let Some((len, byte)) = model.pop_front() {
                        prop_assert!(consumer.unread()[..len].iter().all(|seen| *seen == byte));
                        consumer.advance(len);
                    }
                    prop_assert!(!consumer.has_unread());
                    consumer.free();
                }
            }
        });
    }
}
