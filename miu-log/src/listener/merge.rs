//! The listener's side of the rings: one reader a ring, and the order of records across rings.
//!
//! M1. Records of one ring come in the order in which they were committed, whatever their stamps say.
//! M2. Across rings the record with the smallest stamp comes first, among those that are visible. A record becomes visible some
//!     nanoseconds after its stamp was taken; the listener leaves the youngest records for its next pass, so that
//!     only a thread that loses the processor in between can come out of order.
//! M3. A ring's next segment is read only when the present one has been read to its end, and then at once, in the same pass:
//!     what is in it may be older than what other rings hold.
//! M4. Stamps of other processes are believed as far as they can be true: a record that was not there at a look was not committed
//!     before it. So a ring whose stamps all lie in the past keeps others waiting for what it holds at most, and not for ever.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checkpoint::{Position, RingKey};
use super::foreign::{ForeignRing, Refusal};
use crate::codec::{Head, padded};
use crate::escape::escaped;
use crate::queue::Registration;
use crate::ring::consumer::Consumer;
pub(crate) use crate::ring::consumer::End;
use crate::ring::segment::{Identity, Segment, file_name};

/// Where a ring's bytes come from.
#[derive(Debug)]
enum Source {
    /// A ring of this process.
    Own(Consumer),
    /// One of another process.
    Foreign(Box<ForeignRing>),
}

macro_rules! either {
    ($source:expr, $ring:ident => $call:expr) => {
        match $source {
            Source::Own($ring) => $call,
            Source::Foreign($ring) => $call,
        }
    };
}

/// The reading end of one ring, over all its segments.
#[derive(Debug)]
pub(crate) struct Reader {
    source: Source,
    /// Larger segments that a ring of this process goes on in, in order.
    chained: VecDeque<Registration>,
    /// Segments read to their end since the last `settle`: given back once what they held is written.
    left: Vec<Done>,
    /// Header of the next record, if one is visible.
    next: Option<Head>,
    /// When the next record's turn is: its stamp, or later (M4).
    due: u64,
    /// What lies in another process's ring from this place on was committed after this time; and the last look.
    fresh: (u64, u64),
    looked: Option<u64>,
    identity: Identity,
    /// Number of this reader in its listener.
    pub(crate) serial: u64,
    /// Name of the thread as it stands in a line.
    pub(crate) thread: String,
    /// Records were read since the space was last freed.
    touched: bool,
    /// Its process is gone: what is visible now is all there will ever be.
    orphaned: bool,
    /// What it held was given up, as corrupt; and nobody has been told yet.
    given_up: bool,
    unreported: bool,
    /// Where the next segment of another process's ring may be.
    folders: Vec<PathBuf>,
    /// Number of the next record, if none is missing. None before the first one, of a ring that others have read before.
    expected: Option<u64>,
    /// The gap before the record at hand has been told.
    gap_told: bool,
    /// Missing numbers that have been told.
    lost_told: u64,
    /// Records counted as accepted so far: of another process's ring.
    counted: u64,
}

/// What `Readers::settle` has found at the end of a segment.
#[derive(Debug)]
pub(crate) enum Done {
    /// The ring goes on elsewhere; the segment is free.
    Segment(Arc<Segment>),
    /// The ring is at its end: its number, how many records it accepted, its segment.
    Ring(u64, u64, Arc<Segment>),
    /// A file of another process has been read to its end.
    File(PathBuf),
}

/// The next record in time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// Which reader has it.
    pub(crate) reader: usize,
    /// The reader may go on up to and including this stamp: then another one's record is older.
    pub(crate) until: u64,
}

/// All rings that a listener reads.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    readers: Vec<Reader>,
    next_serial: u64,
    /// Rings that turned out corrupt, whose readers are gone.
    corrupt: Vec<String>,
}

impl Readers {
    /// A ring of this process, or a larger segment of one.
    pub(crate) fn register(&mut self, registration: Registration) {
        let ring = registration.identity.ring;
        let known = self.readers.iter_mut().find(|reader| reader.is_own() && reader.identity.ring == ring);
        if let Some(reader) = known {
            reader.chained.push_back(registration);
            return;
        }
        let Registration { identity, segment } = registration;
        self.add(Source::Own(Consumer::new(segment, 0)), identity, Vec::new());
    }

    /// A ring of another process. Its further segments are looked for in these folders.
    pub(crate) fn register_foreign(&mut self, ring: ForeignRing, identity: Identity, folders: Vec<PathBuf>) {
        self.add(Source::Foreign(Box::new(ring)), identity, folders);
    }

    fn add(&mut self, source: Source, identity: Identity, folders: Vec<PathBuf>) {
        self.next_serial += 1;
        let counted = either!(&source, ring => ring.records());
        let from_start =
            counted == 0 && identity.generation == 0 && either!(&source, ring => ring.position()) == 0;
        self.readers.push(Reader {
            source,
            chained: VecDeque::new(),
            left: Vec::new(),
            next: None,
            due: 0,
            fresh: (0, 0),
            looked: None,
            serial: self.next_serial,
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
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.readers.len()
    }

    /// Whether this ring is being read.
    pub(crate) fn knows(&self, key: RingKey) -> bool {
        self.readers.iter().any(|reader| !reader.is_own() && reader.key() == key)
    }

    /// Looks for new records in every ring, now. Gives the rings that turned out corrupt.
    pub(crate) fn refresh(&mut self, now: u64) -> Vec<String> {
        let mut corrupt = std::mem::take(&mut self.corrupt);
        for reader in &mut self.readers {
            reader.mark(now);
            reader.look();
            if std::mem::take(&mut reader.unreported) {
                corrupt.push(reader.describe());
            }
        }
        corrupt
    }

    /// Whether a record is visible in any ring.
    pub(crate) fn any_unread(&mut self) -> bool {
        self.readers.iter_mut().any(|reader| {
            // One that turns out corrupt has nothing; the next pass reports it.
            reader.look();
            reader.next.is_some()
        })
    }

    /// Whose turn it is, among records stamped no later than `horizon` (M2).
    pub(crate) fn turn(&self, horizon: u64) -> Option<Turn> {
        let (mut first, mut second) = (None, horizon);
        let mut least = u64::MAX;
        for (index, reader) in self.readers.iter().enumerate() {
            if reader.next.is_none() {
                continue;
            }
            if first.is_none() || reader.due < least {
                if first.is_some() {
                    second = second.min(least);
                }
                least = reader.due;
                first = Some(index);
            } else {
                second = second.min(reader.due);
            }
        }
        let reader = first.filter(|_| least <= horizon)?;
        Some(Turn { reader, until: second })
    }

    /// Missing numbers behind the last records of rings: thread, first and last number.
    pub(crate) fn gaps_at_the_end(&mut self, mut tell: impl FnMut(&Reader, u64, u64)) {
        for reader in &mut self.readers {
            if let Some((first, last)) = reader.gap_at_the_end() {
                tell(reader, first, last);
            }
        }
    }

    /// The counters of all rings.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = Account<'_>> {
        self.readers.iter().map(Reader::account)
    }

    pub(crate) fn reader(&mut self, index: usize) -> Option<&mut Reader> {
        self.readers.get_mut(index)
    }

    /// How far every ring that outlives its process has been read: what a checkpoint keeps.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (RingKey, Position)> {
        self.readers.iter().filter(|reader| reader.identity.member != 0).map(|reader| {
            let bytes = either!(&reader.source, ring => ring.position());
            (reader.key(), Position { generation: reader.identity.generation, bytes })
        })
    }

    /// Frees the space of everything read. Whether there was any.
    pub(crate) fn free(&mut self) -> bool {
        let mut any = false;
        for reader in self.readers.iter_mut().filter(|reader| reader.touched) {
            either!(&mut reader.source, ring => ring.free());
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
            reader.left.drain(..).for_each(&mut done);
            if reader.is_at_end() {
                let reader = self.readers.swap_remove(index);
                if reader.unreported {
                    self.corrupt.push(reader.describe());
                }
                let key = reader.key();
                match reader.source {
                    Source::Own(consumer) => {
                        let accepted = consumer.accepted();
                        done(Done::Ring(key.ring, accepted, consumer.into_segment()));
                    }
                    Source::Foreign(ring) => done(Done::File(ring.path().to_owned())),
                }
            } else {
                index += 1;
            }
        }
    }

    /// The process of these rings is gone.
    pub(crate) fn orphan(&mut self, member: u32) {
        for reader in self.readers.iter_mut().filter(|reader| reader.is_of(member)) {
            reader.orphaned = true;
        }
    }

    /// Records in rings of other processes that were counted as accepted and are not read.
    pub(crate) fn unread_elsewhere(&self) -> u64 {
        let foreign = self.readers.iter().filter(|reader| !reader.is_own());
        foreign
            .map(|reader| reader.counted.saturating_sub(either!(&reader.source, ring => ring.records())))
            .sum()
    }

    /// Whether rings of this process are still being read.
    pub(crate) fn any_of(&self, member: u32) -> bool {
        self.readers.iter().any(|reader| reader.is_of(member))
    }

    /// Gives up the rings of other processes without reading them; their files stay.
    pub(crate) fn release_foreign(&mut self) {
        self.readers.retain(Reader::is_own);
    }

    /// Whether a ring of this process has no file, and an end is not in sight: nobody else can read it.
    pub(crate) fn any_unnamed(&mut self) -> bool {
        self.readers.iter_mut().any(|reader| match &mut reader.source {
            Source::Own(consumer) => !consumer.is_named() && consumer.end() == End::Open,
            Source::Foreign(_) => false,
        })
    }

    /// Whether all that is left belongs to processes that go on.
    pub(crate) fn only_living_unread(&self) -> bool {
        self.readers.iter().all(|reader| reader.next.is_none() || !(reader.is_own() || reader.orphaned))
    }

    /// How many records other processes have put into their rings since the last call.
    pub(crate) fn accepted_elsewhere(&mut self) -> u64 {
        self.readers.iter_mut().filter_map(Reader::newly_accepted).sum()
    }
}

impl Reader {
    fn is_own(&self) -> bool {
        matches!(self.source, Source::Own(_))
    }

    fn is_of(&self, member: u32) -> bool {
        !self.is_own() && self.identity.member == member
    }

    fn key(&self) -> RingKey {
        RingKey { member: self.identity.member, ring: self.identity.ring }
    }

    /// The process, if it is another one.
    pub(crate) fn member(&self) -> Option<u32> {
        (!self.is_own()).then_some(self.identity.member)
    }

    fn describe(&self) -> String {
        format!("thread {} of process {}", self.thread, self.identity.process_id)
    }

    /// Keeps in mind what had been there at the last look, before another one (M4).
    fn mark(&mut self, now: u64) {
        if let (Source::Foreign(ring), Some(looked)) = (&self.source, self.looked)
            && ring.position() >= self.fresh.0
        {
            self.fresh = (ring.head(), looked);
        }
        self.looked = Some(now);
    }

    /// Sees new records, also behind one that is known already. Where the ring turns out corrupt all it holds is given up.
    fn look(&mut self) {
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
    fn follow(&mut self) {
        while self.next.is_none() && either!(&mut self.source, ring => ring.end()) == End::Chained {
            let Some((source, identity)) = self.next_segment() else { break };
            let old = std::mem::replace(&mut self.source, source);
            self.left.push(match old {
                Source::Own(consumer) => Done::Segment(consumer.into_segment()),
                Source::Foreign(ring) => Done::File(ring.path().to_owned()),
            });
            self.fresh = (0, 0);
            self.looked = None;
            self.identity.generation = identity.generation;
            self.identity.member = identity.member;
            if either!(&mut self.source, ring => ring.refresh()) {
                self.peek();
            } else {
                self.give_up();
            }
        }
    }

    fn next_segment(&mut self) -> Option<(Source, Identity)> {
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

    fn peek(&mut self) {
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

    fn give_up(&mut self) {
        // Of another process's ring nothing more is read after that: it is reported once.
        self.unreported |= self.is_own() || !self.given_up;
        self.given_up = true;
        self.next = None;
        either!(&mut self.source, ring => ring.abandon());
        self.touched = true;
    }

    fn is_at_end(&mut self) -> bool {
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
            let number = match self.expected {
                Some(expected) => expected + self.missing(head.sequence),
                None => self.number_of(head.sequence),
            };
            self.expected = Some(number + 1);
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

    /// How many numbers are missing before this one. What looks like a step back is none.
    #[inline]
    fn missing(&self, sequence: u32) -> u64 {
        match self.expected {
            Some(expected) => match sequence.wrapping_sub(expected as u32) {
                step if step < 1 << 31 => step.into(),
                _ => 0,
            },
            None => 0,
        }
    }

    /// The numbers that are missing behind the last record, as far as there is no newer one.
    fn gap_at_the_end(&mut self) -> Option<(u64, u64)> {
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
    fn number_of(&self, low: u32) -> u64 {
        let given = either!(&self.source, ring => ring.accepted().wrapping_add(ring.lost()));
        given.saturating_sub(u64::from((given as u32).wrapping_sub(low)))
    }

    /// Records put into another process's ring since the last call, beginning with those that were not read when it was found.
    fn newly_accepted(&mut self) -> Option<u64> {
        let Source::Foreign(ring) = &self.source else { return None };
        // A ring that was read without its count being kept has at least as many as were read. Whatever the file says, it must be possible
        // to add it up.
        let accepted = ring.accepted().max(ring.records());
        let new = accepted.saturating_sub(self.counted).min(u64::from(u32::MAX));
        self.counted += new;
        Some(new)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::HEADER;
    use crate::ring::producer::Producer;
    use crate::ring::segment::SMALLEST;

    /// A ring of another process, both of its ends.
    fn ring(folder: &Path, member: u32, readers: &mut Readers) -> Producer {
        let identity = Identity {
            member,
            process_id: member,
            thread_id: 1,
            ring: 0,
            generation: 0,
            thread_name: String::new(),
        };
        let segment = Arc::new(Segment::create(Some(folder), SMALLEST, &identity).unwrap());
        let (ring, found) = open_named(folder, &identity, 0).unwrap();
        readers.register_foreign(ring, found, vec![folder.to_owned()]);
        Producer::new(Arc::new(()), segment, 0)
    }

    /// A record with nothing in it. False where there is no room.
    fn send(producer: &mut Producer, ticks: u64) -> bool {
        producer.extend(SMALLEST as u64);
        producer.write(HEADER, |slot, sequence| {
            let (len, sequence) = (HEADER as u32, sequence as u32);
            let head = Head { len, callsite: 1, ticks, sequence, domain: 0, level: 0, flags: 0 };
            slot.copy_from_slice(&head.to_bytes());
        })
    }

    #[test]
    fn a_ring_whose_stamps_lie_keeps_others_waiting_for_what_it_holds_at_most() {
        let folder = tempfile::tempdir().unwrap();
        let mut readers = Readers::default();
        let mut liar = ring(folder.path(), 1, &mut readers);
        let mut honest = ring(folder.path(), 2, &mut readers);
        let mut now = 1000;
        while send(&mut liar, 0) {}
        readers.refresh(now);
        assert!(send(&mut honest, now + 1));
        let mut before = 0;
        loop {
            now += 10;
            readers.refresh(now);
            for _ in 0..100 {
                let reader = readers.turn(u64::MAX).map(|turn| turn.reader);
                let reader = reader.and_then(|reader| readers.reader(reader)).unwrap();
                if reader.member() == Some(2) {
                    return;
                }
                reader.advance(0);
                before += 1;
            }
            readers.free();
            while send(&mut liar, 0) {}
            assert!(before <= 2 * SMALLEST / HEADER, "{before}");
        }
    }

    #[test]
    fn records_that_were_there_before_are_read_by_their_stamps() {
        let folder = tempfile::tempdir().unwrap();
        let mut readers = Readers::default();
        let mut rings = [1, 2].map(|member| ring(folder.path(), member, &mut readers));
        readers.refresh(0);
        for stamp in 1..100 {
            assert!(send(&mut rings[stamp as usize % 2], stamp));
        }
        readers.refresh(200);
        let mut read = Vec::new();
        while let Some(turn) = readers.turn(u64::MAX) {
            let reader = readers.reader(turn.reader).unwrap();
            read.push(reader.record().unwrap().0.ticks);
            reader.advance(0);
        }
        assert_eq!(read, (1..100).collect::<Vec<_>>());
    }

    #[test]
    fn numbers_that_no_process_gives_stop_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let mut readers = Readers::default();
        let mut producer = ring(folder.path(), 1, &mut readers);
        // The first record's number is higher than the ring ever had; the second follows a gap; then the ring has lost everything.
        for sequence in [u32::MAX, 1 << 30] {
            producer.extend(SMALLEST as u64);
            let head = Head { len: 24, callsite: 1, ticks: 0, sequence, domain: 0, level: 0, flags: 0 };
            assert!(producer.write(24, |slot, _| slot.copy_from_slice(&head.to_bytes())));
        }
        readers.refresh(100);
        let mut read = 0;
        while let Some(turn) = readers.turn(u64::MAX) {
            let reader = readers.reader(turn.reader).unwrap();
            let _ = reader.gap();
            reader.advance(0);
            read += 1;
        }
        assert_eq!(read, 2);
        let file = std::fs::OpenOptions::new().write(true).open(folder.path().join("ring-1-0-0")).unwrap();
        let lost = crate::ring::segment::PROGRESS_AT + crate::ring::segment::PROGRESS as u64 - 8;
        std::os::unix::fs::FileExt::write_all_at(&file, &u64::MAX.to_le_bytes(), lost).unwrap();
        readers.refresh(200);
        let reader = readers.reader(0).unwrap();
        assert!(reader.gap_at_the_end().is_some_and(|(first, last)| first < last));
        assert_eq!(reader.gap_at_the_end(), None);
    }

    #[test]
    fn a_ring_whose_generations_are_used_up_has_no_next_segment() {
        let folder = tempfile::tempdir().unwrap();
        let mut readers = Readers::default();
        let mut producer = ring(folder.path(), 1, &mut readers);
        let next = Identity { generation: 1, ..readers.reader(0).unwrap().identity().clone() };
        producer.chain(Arc::new(Segment::create(Some(folder.path()), SMALLEST, &next).unwrap()));
        let reader = readers.reader(0).unwrap();
        reader.identity.generation = u32::MAX;
        assert!(either!(&mut reader.source, ring => ring.refresh()));
        reader.follow();
        assert!(reader.given_up && !reader.has_record());
    }
}
