//! Another process's ring, read through its file.
//!
//! The listener maps no memory that another process may cut: it copies what it reads, and looks at the copy alone. So a process that
//! truncates its own file, or changes a length while it is being looked at, harms nobody but its own records.
//!
//! X1. Nothing of the file is used before it has been checked, and nothing is read twice.
//! X2. `read <= loaded <= head`, and `buffer[start..]` holds the bytes from `read` to `loaded`: at least the whole next record, where
//!     there is one.
//! X3. Space is given back by writing the consumer's counter into the file, after the checkpoint says so.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::codec::{Head, padded};
use crate::ring::consumer::End;
use crate::ring::lines::ConsumerLine;
use crate::ring::segment::{
    CONSUMER_LINE, DATA, HEADER, Header, Identity, MIRROR, PROGRESS, PROGRESS_AT, Progress,
};
use crate::sync::{Ordering, fence};

/// Most bytes that one look copies.
const CHUNK: u64 = 256 * 1024;

/// More records than any ring has ever had. A file that speaks of more is not believed, so that whatever the files say can be added up.
pub(crate) const MOST_RECORDS: u64 = 1 << 52;

/// See the module's description.
#[derive(Debug)]
pub(crate) struct ForeignRing {
    file: File,
    path: PathBuf,
    capacity: u64,
    read: u64,
    freed: u64,
    loaded: u64,
    head: u64,
    accepted: u64,
    lost: u64,
    /// Records read, over all segments of the ring.
    records: u64,
    chained: bool,
    closed: bool,
    buffer: Vec<u8>,
    start: usize,
    /// Something in the file is not as it must be: nothing more is read from it.
    broken: bool,
}

/// Why a ring's file is not read.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// There is no such file.
    Missing,
    /// No process has ever used it: it died, or is still at work, before it was whole.
    Unfinished,
    /// It is something else, in words.
    Malformed(String),
}

impl ForeignRing {
    /// Opens a ring's file, to be read from this position on, or from where its space has been given back, if that is further.
    pub(crate) fn open(path: &Path, from: u64) -> Result<(ForeignRing, Identity), Refusal> {
        let malformed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => Refusal::Missing,
            io::ErrorKind::UnexpectedEof => Refusal::Unfinished,
            _ => Refusal::Malformed(error.to_string()),
        };
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags.bits() as i32)
            .open(path)
            .map_err(malformed)?;
        let found = file.metadata().map_err(malformed)?;
        if !found.is_file() {
            return Err(Refusal::Malformed("it is not a regular file".to_owned()));
        }
        let mut bytes = [0; HEADER];
        file.read_exact_at(&mut bytes, 0).map_err(malformed)?;
        if bytes[..8] == [0; 8] {
            return Err(Refusal::Unfinished);
        }
        let header =
            Header::parse(&bytes, found.len()).map_err(|problem| Refusal::Malformed(problem.to_string()))?;
        if from > header.head {
            return Err(Refusal::Malformed("it has been read further than it was written".to_owned()));
        }
        let read = header.tail;
        let mut ring = ForeignRing {
            file,
            path: path.to_owned(),
            capacity: header.capacity,
            read,
            freed: header.tail,
            loaded: read,
            head: read,
            accepted: header.accepted.min(MOST_RECORDS),
            lost: header.lost.min(MOST_RECORDS),
            records: header.records.min(MOST_RECORDS),
            chained: false,
            closed: false,
            buffer: Vec::new(),
            start: 0,
            broken: false,
        };
        ring.skip_to(from)?;
        Ok((ring, header.identity))
    }

    /// Goes past records that an earlier listener has read and not given back.
    fn skip_to(&mut self, position: u64) -> Result<(), Refusal> {
        if position > self.read && !self.refresh() {
            return Err(Refusal::Malformed("its cursors make no sense".to_owned()));
        }
        while self.read < position {
            let Ok(head) = Head::parse(self.unread()) else {
                return Err(Refusal::Malformed("there is no record where one was read".to_owned()));
            };
            self.advance(padded(head.len as usize));
        }
        if position > 0 && self.read > position && position > self.freed {
            return Err(Refusal::Malformed("no record begins where it was read to".to_owned()));
        }
        Ok(())
    }

    /// Whether nothing is in it, and its producer has gone on elsewhere.
    pub(crate) fn is_left(&mut self) -> bool {
        self.refresh() && !self.has_unread() && self.chained
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Looks for new records. False where the ring is corrupt.
    pub(crate) fn refresh(&mut self) -> bool {
        let mut line = [0; PROGRESS];
        if self.broken || self.file.read_exact_at(&mut line, PROGRESS_AT).is_err() {
            return false;
        }
        // What the producer wrote before it stored its counter is seen by what is read from here on.
        fence(Ordering::Acquire);
        let Some(progress) = Progress::parse(&line) else { return false };
        if progress.head < self.head || progress.head - self.freed > self.capacity {
            return false;
        }
        self.head = progress.head;
        self.accepted = progress.accepted.min(MOST_RECORDS);
        self.lost = progress.lost.min(MOST_RECORDS);
        self.chained |= progress.chained;
        self.closed |= progress.closed;
        self.top_up();
        !self.broken
    }

    /// Whether a file holds nothing that is still to be read: its process died while it made the ring, or before it went on in it.
    pub(crate) fn is_unused(path: &Path) -> bool {
        match ForeignRing::open(path, 0) {
            Ok((mut ring, _)) => ring.refresh() && !ring.has_unread(),
            Err(refusal) => matches!(refusal, Refusal::Unfinished),
        }
    }

    /// Copies more, where less than the longest record is left (X2).
    fn top_up(&mut self) {
        while self.buffer.len() - self.start < MIRROR && self.loaded < self.head {
            self.buffer.drain(..self.start);
            self.start = 0;
            let offset = self.loaded & (self.capacity - 1);
            let len = (self.head - self.loaded).min(CHUNK).min(self.capacity - offset);
            let filled = self.buffer.len();
            self.buffer.resize(filled + len as usize, 0);
            if self.file.read_exact_at(&mut self.buffer[filled..], DATA as u64 + offset).is_err() {
                self.buffer.truncate(filled);
                self.broken = true;
                return;
            }
            self.loaded += len;
        }
    }

    /// The unread bytes, as far as they are here: at least the whole next record.
    #[inline]
    pub(crate) fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn has_unread(&self) -> bool {
        self.loaded > self.read
    }

    #[inline]
    pub(crate) fn advance(&mut self, len: usize) {
        self.records += 1;
        self.read += len as u64;
        self.start += len;
        if self.buffer.len() - self.start < MIRROR && self.loaded < self.head {
            self.top_up();
        }
    }

    pub(crate) fn position(&self) -> u64 {
        self.read
    }

    /// How far the ring was written at the last look.
    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    /// Gives the space of everything read back (X3).
    pub(crate) fn free(&mut self) {
        if self.freed != self.read
            && self
                .file
                .write_all_at(&ConsumerLine::bytes(self.read, self.records), CONSUMER_LINE as u64)
                .is_ok()
        {
            self.freed = self.read;
        }
    }

    /// Gives everything up, read or not: for a ring that is corrupt. Nothing more is read from it.
    pub(crate) fn abandon(&mut self) {
        self.read = self.head;
        self.loaded = self.head;
        self.buffer.clear();
        self.start = 0;
        self.broken = true;
    }

    /// Whether the ring has been read to its very end, and why there is an end.
    pub(crate) fn end(&mut self) -> End {
        if self.broken {
            return End::Closed;
        }
        let end = match (self.chained, self.closed) {
            (true, _) => End::Chained,
            (false, true) => End::Closed,
            (false, false) => return End::Open,
        };
        // The marks were read together with the counter, or after it: look once more.
        if self.refresh() && self.has_unread() { End::Open } else { end }
    }

    /// Records read so far, by this listener and those before it.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// The ring goes on here after so many records were read in its earlier segments.
    pub(crate) fn goes_on_after(&mut self, records: u64) {
        self.records = records;
        // For another listener that begins with this segment. Where it cannot be written only counters are wrong.
        let _ = self.file.write_all_at(&ConsumerLine::bytes(self.freed, records), CONSUMER_LINE as u64);
    }

    /// Records of the ring that found no room, as last seen.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Records ever committed to the ring, as last seen.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::ring::producer::Producer;
    use crate::ring::segment::{SMALLEST, Segment};

    fn identity() -> Identity {
        Identity {
            member: 1,
            process_id: 2,
            thread_id: 3,
            ring: 0,
            generation: 0,
            thread_name: "there".to_owned(),
        }
    }

    fn ring() -> (tempfile::TempDir, Producer, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let segment = Arc::new(Segment::create(Some(folder.path()), SMALLEST, &identity()).unwrap());
        let path = folder.path().join("ring-1-0-0");
        (folder, Producer::new(Arc::new(()), segment, 0), path)
    }

    fn send(producer: &mut Producer, len: usize, byte: u8) -> bool {
        producer.extend(u64::MAX);
        producer.write(len, |slot, _| slot.fill(byte))
    }

    /// A record's header with this call site, and nothing else.
    fn send_head(producer: &mut Producer, callsite: u32) {
        let head = Head { len: 64, callsite, ticks: 0, sequence: 0, domain: 0, level: 0, flags: 0 };
        producer.extend(u64::MAX);
        assert!(producer.write(64, |slot, _| slot[..24].copy_from_slice(&head.to_bytes())));
    }

    #[test]
    fn records_arrive_whole_and_in_order_round_and_round() {
        let (_folder, mut producer, path) = ring();
        let (mut ring, found) = ForeignRing::open(&path, 0).unwrap();
        assert_eq!(found, identity());
        for round in 0..200u32 {
            let byte = round as u8;
            for _ in 0..3 {
                assert!(send(&mut producer, 4232, byte));
            }
            assert!(ring.refresh());
            for _ in 0..3 {
                assert_eq!(ring.unread()[..4232], vec![byte; 4232]);
                ring.advance(4232);
            }
            assert!(!ring.has_unread());
            ring.free();
        }
        assert_eq!(ring.accepted(), 600);
    }

    #[test]
    fn space_that_was_not_given_back_is_read_again_from_the_position_given() {
        let (_folder, mut producer, path) = ring();
        (0..4).for_each(|number| send_head(&mut producer, number));
        for from in [0u64, 64, 192, 256] {
            let (mut ring, _) = ForeignRing::open(&path, from).unwrap();
            assert!(ring.refresh());
            assert_eq!((ring.has_unread(), ring.records()), (from < 256, from / 64));
            let next = Head::parse(ring.unread()).map(|head| u64::from(head.callsite));
            assert!(from == 256 || next == Ok(from / 64));
        }
        for from in [264, 32, 8] {
            assert!(matches!(ForeignRing::open(&path, from), Err(Refusal::Malformed(_))), "{from}");
        }
    }

    #[test]
    fn a_segment_is_left_once_its_ring_goes_on_elsewhere_and_all_of_it_is_read() {
        let (folder, mut producer, path) = ring();
        send_head(&mut producer, 1);
        let is_left = |from| ForeignRing::open(&path, from).unwrap().0.is_left();
        assert!(!is_left(64));
        let next = Identity { generation: 1, ..identity() };
        producer.chain(Arc::new(Segment::create(Some(folder.path()), SMALLEST, &next).unwrap()));
        assert!(!is_left(0) && is_left(64));
    }

    #[test]
    fn the_end_is_seen_after_the_last_record() {
        let (_folder, mut producer, path) = ring();
        let (mut ring, _) = ForeignRing::open(&path, 0).unwrap();
        assert!(send(&mut producer, 8, 1));
        drop(producer);
        assert!(ring.refresh());
        assert_eq!(ring.end(), End::Open);
        ring.advance(8);
        assert_eq!(ring.end(), End::Closed);
    }

    #[test]
    fn a_ring_without_a_record_is_unused_and_so_is_one_that_was_never_whole() {
        let (folder, mut producer, path) = ring();
        assert!(ForeignRing::is_unused(&path));
        assert!(send(&mut producer, 8, 1));
        assert!(!ForeignRing::is_unused(&path));
        for (bytes, unused) in [(vec![], true), (vec![0; HEADER], true), (vec![7; HEADER], false)] {
            let other = folder.path().join("ring-1-0-1");
            std::fs::write(&other, &bytes).unwrap();
            assert_eq!(ForeignRing::is_unused(&other), unused, "{} bytes", bytes.len());
        }
        assert!(!ForeignRing::is_unused(&folder.path().join("ring-1-0-2")));
    }

    #[test]
    fn a_file_that_was_cut_is_corrupt_and_no_more_than_that() {
        let (_folder, mut producer, path) = ring();
        let (mut ring, _) = ForeignRing::open(&path, 0).unwrap();
        assert!(send(&mut producer, 8, 1));
        let file = File::options().write(true).open(&path).unwrap();
        file.set_len(DATA as u64).unwrap();
        assert!(!ring.refresh());
        file.set_len(10).unwrap();
        assert!(!ring.refresh());
        ring.abandon();
        assert_eq!(ring.end(), End::Closed);
        assert!(matches!(ForeignRing::open(&path, 0), Err(Refusal::Unfinished)));
    }

    #[test]
    fn counts_that_no_ring_has_are_bounded_and_the_records_are_read() {
        let (_folder, mut producer, path) = ring();
        (0..3).for_each(|number| send_head(&mut producer, number));
        let file = File::options().write(true).open(&path).unwrap();
        // Accepted, and given back.
        for at in [PROGRESS_AT + 8, CONSUMER_LINE as u64 + 16] {
            file.write_all_at(&u64::MAX.to_le_bytes(), at).unwrap();
        }
        // Lost: the classes' sum.
        file.write_all_at(&u64::MAX.to_le_bytes(), PROGRESS_AT + PROGRESS as u64 - 8).unwrap();
        let (mut ring, _) = ForeignRing::open(&path, 64).unwrap();
        while ring.refresh() && ring.has_unread() {
            ring.advance(64);
        }
        assert_eq!((ring.accepted(), ring.lost()), (MOST_RECORDS, MOST_RECORDS));
        assert_eq!((ring.position(), ring.records()), (192, MOST_RECORDS + 3));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn no_bytes_make_the_reader_panic_or_go_round_for_ever(
            patches in prop::collection::vec((0usize..8192, any::<u8>()), 0..40),
            words in prop::collection::vec((prop::sample::select(vec![256usize, 264, 384, 392]), any::<u64>()), 0..3),
            from in 0u64..4096,
        ) {
            let (_folder, mut producer, path) = ring();
            for byte in 0..9 {
                send(&mut producer, 264, byte);
            }
            let file = File::options().write(true).open(&path).unwrap();
            for (at, byte) in patches {
                file.write_all_at(&[byte], at as u64).unwrap();
            }
            for (at, word) in words {
                file.write_all_at(&word.to_le_bytes(), at as u64).unwrap();
            }
            if let Ok((mut ring, _)) = ForeignRing::open(&path, from & !7) {
                let mut steps = 0;
                while ring.refresh() && ring.has_unread() {
                    ring.advance(ring.unread().len().min(264));
                    ring.free();
                    steps += 1;
                    prop_assert!(steps < 1_000_000);
                }
                ring.abandon();
                prop_assert_eq!(ring.end(), End::Closed);
            }
        }
    }
}
