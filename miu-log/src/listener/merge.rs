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

use std::path::PathBuf;

use super::checkpoint::{Position, RingKey};
use super::foreign::ForeignRing;
use super::reader::{Account, Done, Reader, Source, either};
use crate::queue::Registration;
use crate::record::Origin;
use crate::ring::consumer::{Consumer, End};
use crate::ring::segment::Identity;

/// The next record in time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// Which reader has it.
    pub(crate) reader: usize,
    /// The reader may go on up to and including this stamp: then another one's record is older.
    pub(crate) until: u64,
}

/// All rings that a listener reads.
#[derive(Debug)]
pub(crate) struct Readers {
    readers: Vec<Reader>,
    /// What the ids of their records are made of.
    origin: Origin,
    next_serial: u64,
    /// Rings that turned out corrupt, whose readers are gone.
    corrupt: Vec<String>,
}

impl Readers {
    /// No rings; those that come are of this origin.
    pub(crate) fn of(origin: Origin) -> Readers {
        Readers { readers: Vec::new(), origin, next_serial: 0, corrupt: Vec::new() }
    }

    /// Rings that come from now on are of this origin.
    pub(crate) fn set_origin(&mut self, origin: Origin) {
        self.origin = origin;
    }

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
        self.readers.push(Reader::new(source, identity, folders, self.next_serial, self.origin));
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
                let never_published = reader.never_published();
                match reader.source {
                    Source::Own(consumer) => {
                        let accepted = consumer.accepted();
                        done(Done::Ring(key.ring, accepted, consumer.into_segment()));
                    }
                    Source::Foreign(ring) => done(Done::File(ring.path().to_owned(), never_published)),
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::super::reader::open_named;
    use super::*;
    use crate::codec::{HEADER, Head};
    use crate::ring::producer::Producer;
    use crate::ring::segment::{SMALLEST, Segment};
    use crate::sync::Ordering;

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
        let mut readers = Readers::of(Origin::of_process(0));
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
        let mut readers = Readers::of(Origin::of_process(0));
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
    fn a_process_that_dies_between_the_count_and_the_record_has_one_record_less() {
        let folder = tempfile::tempdir().unwrap();
        let mut readers = Readers::of(Origin::of_process(0));
        let mut producer = ring(folder.path(), 1, &mut readers);
        assert!((1..=3).all(|stamp| send(&mut producer, stamp)));
        producer.segment().producer_line().accepted.store(4, Ordering::Relaxed);
        readers.refresh(10);
        assert_eq!(readers.accepted_elsewhere(), 4);
        let mut files = Vec::new();
        let mut settle = |readers: &mut Readers| {
            readers.settle(|done| match done {
                Done::File(_, never_published) => files.push(never_published),
                other => panic!("{other:?}"),
            });
        };
        while let Some(turn) = readers.turn(u64::MAX) {
            readers.reader(turn.reader).unwrap().advance(0);
        }
        settle(&mut readers);
        readers.orphan(1);
        settle(&mut readers);
        assert_eq!(files, [1], "when its process is gone, and not before");
    }

    #[test]
    fn numbers_that_no_process_gives_stop_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let mut readers = Readers::of(Origin::of_process(0));
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
        let mut readers = Readers::of(Origin::of_process(0));
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
