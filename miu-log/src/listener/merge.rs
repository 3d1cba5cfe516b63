//! The listener's side of the rings: one reader a ring, and the order of records across rings.
//!
//! M1. Records of one ring come in the order in which they were committed, whatever their stamps say.
//! M2. Across rings the record with the smallest stamp comes first, among those that are visible. A record becomes visible some
//!     nanoseconds after its stamp was taken; the listener leaves the youngest records for its next pass, so that
//!     only a thread that loses the processor in between can come out of order.
//! M3. A ring's next segment is read only when the present one has been read to its end, and then at once, in the same pass:
//!     what is in it may be older than what other rings hold.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::codec::{Head, padded};
use crate::escape::escape_into;
use crate::queue::Registration;
use crate::ring::consumer::{Consumer, End};
use crate::ring::segment::{Identity, Segment};

/// The reading end of one ring, over all its segments.
#[derive(Debug)]
pub(crate) struct Reader {
    consumer: Consumer,
    /// Larger segments that the ring goes on in, in order.
    chained: VecDeque<Arc<Segment>>,
    /// Segments read to their end since the last `settle`: given back once what they held is written.
    left: Vec<Arc<Segment>>,
    /// Header of the next record, if one is visible.
    next: Option<Head>,
    identity: Identity,
    /// Name of the thread as it stands in a line.
    pub(crate) thread: String,
    /// Records were read since the space was last freed.
    touched: bool,
}

/// What `Readers::settle` has found at the end of a segment.
#[derive(Debug)]
pub(crate) enum Done {
    /// The ring goes on elsewhere; the segment is free.
    Segment(Arc<Segment>),
    /// The ring is at its end: its number, how many records it accepted, its segment.
    Ring(u64, u64, Arc<Segment>),
}

/// The next record in time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// Which reader has it.
    pub(crate) reader: usize,
    /// The reader may go on up to and including this stamp: then another one's record is older.
    pub(crate) until: u64,
}

/// All rings of the queue.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    readers: Vec<Reader>,
}

impl Readers {
    pub(crate) fn register(&mut self, registration: Registration) {
        let Registration { identity, segment } = registration;
        if let Some(reader) = self.readers.iter_mut().find(|reader| reader.identity.ring == identity.ring) {
            reader.chained.push_back(segment);
            return;
        }
        let mut thread = Vec::new();
        escape_into(&identity.thread_name, &mut thread);
        self.readers.push(Reader {
            consumer: Consumer::new(segment),
            chained: VecDeque::new(),
            left: Vec::new(),
            next: None,
            identity,
            thread: String::from_utf8_lossy(&thread).into_owned(),
            touched: false,
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.readers.len()
    }

    /// Looks for new records in every ring. Returns how many rings turned out corrupt.
    pub(crate) fn refresh(&mut self) -> u64 {
        self.readers.iter_mut().map(Reader::look).sum()
    }

    /// Whether a record is visible in any ring.
    pub(crate) fn any_unread(&mut self) -> bool {
        self.readers.iter_mut().any(|reader| {
            reader.look();
            reader.next.is_some()
        })
    }

    /// Whose turn it is, among records stamped no later than `horizon` (M2).
    pub(crate) fn turn(&self, horizon: u64) -> Option<Turn> {
        let (mut first, mut second) = (None, horizon);
        let mut least = u64::MAX;
        for (index, reader) in self.readers.iter().enumerate() {
            let Some(head) = &reader.next else { continue };
            if first.is_none() || head.ticks < least {
                if first.is_some() {
                    second = second.min(least);
                }
                least = head.ticks;
                first = Some(index);
            } else {
                second = second.min(head.ticks);
            }
        }
        let reader = first.filter(|_| least <= horizon)?;
        Some(Turn { reader, until: second })
    }

    pub(crate) fn reader(&mut self, index: usize) -> Option<&mut Reader> {
        self.readers.get_mut(index)
    }

    /// Number, generation and position of every ring: what a checkpoint keeps.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (u64, u32, u64)> {
        self.readers
            .iter()
            .map(|reader| (reader.identity.ring, reader.identity.generation, reader.consumer.position()))
    }

    /// Frees the space of everything read. Whether there was any.
    pub(crate) fn free(&mut self) -> bool {
        let mut any = false;
        for reader in self.readers.iter_mut().filter(|reader| reader.touched) {
            reader.consumer.free();
            reader.touched = false;
            any = true;
        }
        any
    }

    /// Goes on to next segments and takes leave of rings whose threads are gone (M3).
    pub(crate) fn settle(&mut self, mut done: impl FnMut(Done)) {
        let mut index = 0;
        while index < self.readers.len() {
            let reader = &mut self.readers[index];
            reader.left.drain(..).for_each(|segment| done(Done::Segment(segment)));
            if reader.next.is_none() && reader.consumer.end() == End::Closed {
                let reader = self.readers.swap_remove(index);
                let accepted = reader.consumer.accepted();
                done(Done::Ring(reader.identity.ring, accepted, reader.consumer.into_segment()));
            } else {
                index += 1;
            }
        }
    }
}

impl Reader {
    /// Sees new records, also behind one that is known already. 1 where the ring is corrupt: then all it holds is given up.
    fn look(&mut self) -> u64 {
        if !self.consumer.refresh() {
            return self.give_up();
        }
        if self.next.is_some() {
            return 0;
        }
        let corrupt = self.peek();
        if self.next.is_none() {
            self.follow();
        }
        corrupt
    }

    /// At the end of what is visible: goes on in the ring's next segment, if it has moved there (M3).
    ///
    /// The next segment's registration comes before the flag, but may still be in the registration queue: then the next pass
    /// goes on there, and all that it finds is stamped after this pass began.
    #[cold]
    #[inline(never)]
    fn follow(&mut self) {
        while self.next.is_none() && !self.chained.is_empty() && self.consumer.end() == End::Chained {
            let Some(segment) = self.chained.pop_front() else { break };
            let old = std::mem::replace(&mut self.consumer, Consumer::new(segment));
            self.identity.generation += 1;
            self.left.push(old.into_segment());
            if self.consumer.refresh() {
                self.peek();
            } else {
                self.give_up();
            }
        }
    }

    fn peek(&mut self) -> u64 {
        if !self.consumer.has_unread() {
            self.next = None;
            return 0;
        }
        match Head::parse(self.consumer.unread()) {
            Ok(head) => {
                self.next = Some(head);
                0
            }
            Err(_) => self.give_up(),
        }
    }

    fn give_up(&mut self) -> u64 {
        self.next = None;
        self.consumer.abandon();
        self.touched = true;
        1
    }

    /// The next record's header and bytes, header included.
    #[inline]
    pub(crate) fn record(&self) -> Option<(Head, &[u8])> {
        let head = self.next?;
        Some((head, self.consumer.unread().get(..head.len as usize)?))
    }

    /// Goes past the record at hand. Whether the next one is stamped no later than `until`.
    #[inline]
    pub(crate) fn advance(&mut self, until: u64) -> bool {
        if let Some(head) = self.next.take() {
            self.consumer.advance(padded(head.len as usize));
            self.touched = true;
            if self.consumer.has_unread() {
                self.peek();
            } else if !self.chained.is_empty() {
                self.follow();
            }
        }
        self.next.is_some_and(|next| next.ticks <= until)
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }
}
