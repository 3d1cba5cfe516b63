//! The reading end of one ring, over all its segments, in this process or another one.
//!
//! Rests on M1, M3 and M4 of `merge`, which has the order across rings.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checkpoint::RingKey;
use super::foreign::{ForeignRing, Refusal};
use crate::codec::{Head, padded};
use crate::escape::escaped;
use crate::queue::Registration;
use crate::record::{Origin, RecordId};
use crate::ring::consumer::{Consumer, End};
use crate::ring::segment::{Identity, Segment, file_name};

/// Where a ring's bytes come from.
#[derive(Debug)]
pub(super) enum Source {
    /// A ring of this process.
    Own(Consumer),
    /// One of another process.
    Foreign(Box<ForeignRing>),
}

/// Does the same with either kind of ring.
macro_rules! either {
    ($source:expr, $ring:ident => $call:expr) => {
        match $source {
            Source::Own($ring) => $call,
            Source::Foreign($ring) => $call,
        }
    };
}

pub(super) use either;

/// The reading end of one ring, over all its segments.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(super) source: Source,
    /// Larger segments that a ring of this process goes on in, in order.
    pub(super) chained: VecDeque<Registration>,
    /// Segments read to their end since the last `settle`: given back once what they held is written.
    pub(super) left: Vec<Done>,
    /// Header of the next record, if one is visible.
    pub(super) next: Option<Head>,
    /// When the next record's turn is: its stamp, or later (M4).
    pub(super) due: u64,
    /// What lies in another process's ring from this place on was committed after this time; and the last look.
    pub(super) fresh: (u64, u64),
    pub(super) looked: Option<u64>,
    pub(super) identity: Identity,
    /// What its records' ids begin with, and what that is made of.
    pub(super) origin: Origin,
    pub(super) id_source: u64,
    /// Number of this reader in its listener.
    pub(crate) serial: u64,
    /// Name of the thread as it stands in a line.
    pub(crate) thread: String,
    /// Records were read since the space was last freed.
    pub(super) touched: bool,
    /// Its process is gone: what is visible now is all there will ever be.
    pub(super) orphaned: bool,
    /// What it held was given up, as corrupt; and nobody has been told yet.
    pub(super) given_up: bool,
    pub(super) unreported: bool,
    /// Where the next segment of another process's ring may be.
    pub(super) folders: Vec<PathBuf>,
    /// Number of the next record, if none is missing. None before the first one, of a ring that others have read before.
    pub(super) expected: Option<u64>,
    /// The gap before the record at hand has been told.
    pub(super) gap_told: bool,
    /// Missing numbers that have been told.
    pub(super) lost_told: u64,
    /// Records counted as accepted so far: of another process's ring.
    pub(super) counted: u64,
}

/// What `Readers::settle` has found at the end of a segment.
#[derive(Debug)]
pub(crate) enum Done {
    /// The ring goes on elsewhere; the segment is free.
    Segment(Arc<Segment>),
    /// The ring is at its end: its number, how many records it accepted, its segment.
    Ring(u64, u64, Arc<Segment>),
    /// A file of another process has been read to its end, and so many records that its process counted are not in it.
    File(PathBuf, u64),
}

impl Reader {
    pub(super) fn new(
        source: Source,
        identity: Identity,
        folders: Vec<PathBuf>,
        serial: u64,
        origin: Origin,
    ) -> Reader {
        let counted = either!(&source, ring => ring.records());
        let from_start =
            counted == 0 && identity.generation == 0 && either!(&source, ring => ring.position()) == 0;
        Reader {
            source,
            chained: VecDeque::new(),
            left: Vec::new(),
            next: None,
            due: 0,
            fresh: (0, 0),
            looked: None,
            serial,
            origin,
            id_source: origin.ring(identity.member, identity.process_id, identity.ring),
            thread: escaped(&identity.thread_name),
            identity,
            touched: false,
            orphaned: false,
            given_up: false,
            unreported: false,
            folders,
            expected: from_start.then_some(0),
            gap_told: false,
            lost_told: 0,
            counted,
        }
    }

    pub(super) fn is_own(&self) -> bool {
        matches!(self.source, Source::Own(_))
    }

    pub(super) fn is_of(&self, member: u32) -> bool {
        !self.is_own() && self.identity.member == member
    }

    pub(super) fn key(&self) -> RingKey {
        RingKey { member: self.identity.member, ring: self.identity.ring }
    }

    /// The process, if it is another one.
    pub(crate) fn member(&self) -> Option<u32> {
        (!self.is_own()).then_some(self.identity.member)
    }

    pub(super) fn describe(&self) -> String {
        format!("thread {} of process {}", self.thread, self.identity.process_id)
    }

    /// Keeps in mind what had been there at the last look, before another one (M4).
    pub(super) fn mark(&mut self, now: u64) {
        if let (Source::Foreign(ring), Some(looked)) = (&self.source, self.looked)
            && ring.position() >= self.fresh.0
        {
            self.fresh = (ring.head(), looked);
        }
        self.looked = Some(now);
    }

    /// Sees new records, also behind one that is known already. Where the ring turns out corrupt all it holds is given up.
    pub(super) fn look(&mut self) {
        if !either!(&mut self.source, ring => ring.refresh()) {
            self.give_up();
        } else if self.next.is_none() {
            self.peek();
            if self.next.is_none() {
                self.follow();
            }
        }
    }

    /// At the end of what is visible: goes on in the ring's next segment, if it has moved there (M3).
    ///
    /// The next segment's registration comes before the flag, but may still be in the registration queue: then the next pass
    /// goes on there, and all that it finds is stamped after this pass began.
    #[cold]
    #[inline(never)]
    pub(super) fn follow(&mut self) {
        while self.next.is_none() && either!(&mut self.source, ring => ring.end()) == End::Chained {
            let Some((source, identity)) = self.next_segment() else { break };
            let old = std::mem::replace(&mut self.source, source);
            self.left.push(match old {
                Source::Own(consumer) => Done::Segment(consumer.into_segment()),
                Source::Foreign(ring) => Done::File(ring.path().to_owned(), 0),
            });
            self.fresh = (0, 0);
            self.looked = None;
            self.identity.generation = identity.generation;
            self.identity.member = identity.member;
            self.id_source = self.origin.ring(identity.member, self.identity.process_id, self.identity.ring);
            if either!(&mut self.source, ring => ring.refresh()) {
                self.peek();
            } else {
                self.give_up();
            }
        }
    }

    pub(super) fn next_segment(&mut self) -> Option<(Source, Identity)> {
        if self.is_own() {
            let Registration { identity, segment } = self.chained.pop_front()?;
            let read = either!(&self.source, ring => ring.records());
            return Some((Source::Own(Consumer::new(segment, read)), identity));
        }
        let Some(generation) = self.identity.generation.checked_add(1) else {
            self.give_up();
            return None;
        };
        let next = Identity { generation, ..self.identity.clone() };
        let found = self.folders.iter().find_map(|folder| match open_named(folder, &next, 0) {
            Err(Refusal::Missing) => None,
            other => Some(other),
        });
        match found {
            Some(Ok((mut ring, found))) => {
                ring.goes_on_after(either!(&self.source, ring => ring.records()));
                Some((Source::Foreign(Box::new(ring)), found))
            }
            Some(Err(Refusal::Malformed(_))) | None => {
                // It went on where nobody else can follow, or in something that is no ring.
                self.give_up();
                None
            }
            Some(Err(_)) => None,
        }
    }

    pub(super) fn peek(&mut self) {
        self.next = None;
        if either!(&self.source, ring => ring.has_unread()) {
            match Head::parse(either!(&self.source, ring => ring.unread())) {
                Ok(head) => {
                    self.next = Some(head);
                    self.due = match &self.source {
                        Source::Foreign(ring) if ring.position() >= self.fresh.0 => {
                            head.ticks.max(self.fresh.1)
                        }
                        _ => head.ticks,
                    };
                }
                Err(_) => self.give_up(),
            }
        }
    }

    pub(super) fn give_up(&mut self) {
        // Of another process's ring nothing more is read after that: it is reported once.
        self.unreported |= self.is_own() || !self.given_up;
        self.given_up = true;
        self.next = None;
        either!(&mut self.source, ring => ring.abandon());
        self.touched = true;
    }

    pub(super) fn is_at_end(&mut self) -> bool {
        if self.next.is_some() {
            return false;
        }
        match either!(&mut self.source, ring => ring.end()) {
            End::Closed => true,
            // Its process died before it could say more.
            End::Open => self.orphaned && !either!(&self.source, ring => ring.has_unread()),
            End::Chained => false,
        }
    }

    /// Whether a record is at hand.
    #[inline]
    pub(crate) fn has_record(&self) -> bool {
        self.next.is_some()
    }

    /// The next record's header and bytes, header included.
    #[inline]
    pub(crate) fn record(&self) -> Option<(Head, &[u8])> {
        let head = self.next?;
        Some((head, either!(&self.source, ring => ring.unread()).get(..head.len as usize)?))
    }

    /// Goes past the record at hand. Whether the next one is stamped no later than `until`.
    #[inline]
    pub(crate) fn advance(&mut self, until: u64) -> bool {
        if let Some(head) = self.next.take() {
            self.expected = Some(self.number(head.sequence) + 1);
            self.gap_told = false;
            either!(&mut self.source, ring => ring.advance(padded(head.len as usize)));
            self.touched = true;
            if either!(&self.source, ring => ring.has_unread()) {
                self.peek();
            } else if !self.is_own() || !self.chained.is_empty() {
                self.follow();
            }
        }
        self.next.is_some() && self.due <= until
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The numbers that are missing before the record at hand; once.
    #[inline]
    pub(crate) fn gap(&mut self) -> Option<(u64, u64)> {
        let head = self.next.filter(|_| !self.gap_told)?;
        let missing = self.missing(head.sequence);
        if missing == 0 {
            return None;
        }
        self.gap_told = true;
        self.lost_told += missing;
        let first = self.expected?;
        Some((first, first + missing - 1))
    }

    /// The id of the record at hand.
    #[inline]
    pub(crate) fn id(&self, head: Head) -> RecordId {
        RecordId { source: self.id_source, sequence: self.number(head.sequence) }
    }

    /// The number of the record at hand, of which this is the low half.
    #[inline]
    fn number(&self, sequence: u32) -> u64 {
        match self.expected {
            Some(expected) => expected + self.missing(sequence),
            None => self.number_of(sequence),
        }
    }

    /// How many numbers are missing before this one. What looks like a step back is none.
    #[inline]
    pub(super) fn missing(&self, sequence: u32) -> u64 {
        match self.expected {
            Some(expected) => match sequence.wrapping_sub(expected as u32) {
                step if step < 1 << 31 => step.into(),
                _ => 0,
            },
            None => 0,
        }
    }

    /// The numbers that are missing behind the last record, as far as there is no newer one.
    pub(super) fn gap_at_the_end(&mut self) -> Option<(u64, u64)> {
        let missing = either!(&self.source, ring => ring.lost()).saturating_sub(self.lost_told);
        // Looked at in this order: a record that came between the losses is seen.
        let more = !either!(&mut self.source, ring => ring.refresh())
            || either!(&self.source, ring => ring.has_unread());
        let first = self.expected.filter(|_| missing > 0 && !more && self.next.is_none())?;
        self.lost_told += missing;
        self.expected = Some(first + missing);
        Some((first, first + missing - 1))
    }

    /// The whole of a number of which the record has the low half. Of another process's record it may be one that was never given:
    /// then the first, so that there is room for all that follow.
    #[cold]
    pub(super) fn number_of(&self, low: u32) -> u64 {
        let given = either!(&self.source, ring => ring.accepted().wrapping_add(ring.lost()));
        given.saturating_sub(u64::from((given as u32).wrapping_sub(low)))
    }

    /// Records put into another process's ring since the last call, beginning with those that were not read when it was found.
    pub(super) fn newly_accepted(&mut self) -> Option<u64> {
        let Source::Foreign(ring) = &self.source else { return None };
        // A ring that was read without its count being kept has at least as many as were read. Whatever the file says, it must be possible
        // to add it up.
        let accepted = ring.accepted().max(ring.records());
        let new = accepted.saturating_sub(self.counted).min(u64::from(u32::MAX));
        self.counted += new;
        Some(new)
    }

    /// Records that were counted and that the ring, read to its end, did not have: a process that is killed has counted the one that it was about to publish.
    pub(super) fn never_published(&self) -> u64 {
        let is_whole = self.orphaned && !self.given_up;
        let records = either!(&self.source, ring => ring.records());
        if is_whole { self.counted.saturating_sub(records) } else { 0 }
    }

    /// What the ring has taken and given so far.
    pub(crate) fn account(&self) -> Account<'_> {
        Account {
            identity: &self.identity,
            member: self.member(),
            accepted: either!(&self.source, ring => ring.accepted()),
            records: either!(&self.source, ring => ring.records()),
            lost: either!(&self.source, ring => ring.lost()),
        }
    }
}

/// A ring's counters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account<'a> {
    pub(crate) identity: &'a Identity,
    /// The process, if it is another one.
    pub(crate) member: Option<u32>,
    pub(crate) accepted: u64,
    /// Records read.
    pub(crate) records: u64,
    pub(crate) lost: u64,
}

/// Opens the file that a segment of this identity has in a folder.
pub(crate) fn open_named(
    folder: &Path,
    identity: &Identity,
    from: u64,
) -> Result<(ForeignRing, Identity), Refusal> {
    let (ring, found) = ForeignRing::open(&folder.join(file_name(identity)), from)?;
    let same =
        (found.member, found.ring, found.generation) == (identity.member, identity.ring, identity.generation);
    if same {
        Ok((ring, found))
    } else {
        Err(Refusal::Malformed("it is another ring than its name says".to_owned()))
    }
}
