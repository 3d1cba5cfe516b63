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

use super::merge::End;
use crate::ring::segment::{
    CONSUMER_LINE, ConsumerLine, DATA, HEADER, Header, Identity, MIRROR, PROGRESS, PROGRESS_AT, Progress,
};
use crate::sync::{Ordering, fence};

/// Most bytes that one look copies.
const CHUNK: u64 = 256 * 1024;

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
        let read = header.tail.max(from);
        if read > header.head {
            return Err(Refusal::Malformed("it has been read further than it was written".to_owned()));
        }
        let ring = ForeignRing {
            file,
            path: path.to_owned(),
            capacity: header.capacity,
            read,
            freed: header.tail,
            loaded: read,
            head: read,
            accepted: header.accepted,
            chained: false,
            closed: false,
            buffer: Vec::new(),
            start: 0,
            broken: false,
        };
        Ok((ring, header.identity))
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
        self.accepted = progress.accepted;
        self.chained |= progress.chained;
        self.closed |= progress.closed;
        self.top_up();
        !self.broken
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
        self.read += len as u64;
        self.start += len;
        if self.buffer.len() - self.start < MIRROR && self.loaded < self.head {
            self.top_up();
        }
    }

    pub(crate) fn position(&self) -> u64 {
        self.read
    }

    /// Gives the space of everything read back (X3).
    pub(crate) fn free(&mut self) {
        if self.freed != self.read
            && self.file.write_all_at(&ConsumerLine::bytes(self.read), CONSUMER_LINE as u64).is_ok()
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
        for byte in 0..4 {
            assert!(send(&mut producer, 64, byte));
        }
        for from in [0u64, 64, 192, 256] {
            let (mut ring, _) = ForeignRing::open(&path, from).unwrap();
            assert!(ring.refresh());
            assert_eq!(ring.has_unread(), from < 256);
            assert!(from == 256 || u64::from(ring.unread()[0]) == from / 64);
        }
        assert!(matches!(ForeignRing::open(&path, 264), Err(Refusal::Malformed(_))));
    }

    #[test]
    fn a_segment_is_left_once_its_ring_goes_on_elsewhere_and_all_of_it_is_read() {
        let (folder, mut producer, path) = ring();
        assert!(send(&mut producer, 8, 1));
        let is_left = |from| ForeignRing::open(&path, from).unwrap().0.is_left();
        assert!(!is_left(8));
        let next = Identity { generation: 1, ..identity() };
        producer.chain(Arc::new(Segment::create(Some(folder.path()), SMALLEST, &next).unwrap()));
        assert!(!is_left(0) && is_left(8));
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
