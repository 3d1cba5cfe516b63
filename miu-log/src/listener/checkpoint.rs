//! Where the listener stands: what of the rings is in the files.
//!
//! Written after each batch and before its ring space is freed, into one of two slots in turn, so that the older one is whole
//! while the newer is being written. A slot is valid if its checksum is right; of two valid ones the higher sequence
//! number counts. The file lies beside the segments and is for whoever recovers them.
//!
//! ```text
//! slot | checksum u64 | length u32 | sequence u64 | anchor: ticks u64, unix i64, nanoseconds per tick f64
//!      | files u32, each: device u64, inode u64, length u64, name u32 + bytes
//!      | rings u32, each: member u32, number u64, generation u32, position u64
//!      | held u32, each: number of the file u64, length u64, untold u64 for each level, name u32 + bytes |
//! ```
//!
//! Numbers are little-endian. The checksum is FNV-1a over what follows it. A file that is not there yet has device, inode and length 0.
//! What is held is what waits for log files that fail (`router::mirror`).

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::clock::Anchor;
#[cfg(feature = "failpoints")]
use crate::failpoint;
use crate::hash::fnv1a;
use crate::level::Level;
use crate::reading::{Reading, put_counted};
use crate::ring::segment::file_may_have;
use crate::router::mirror::HeldMark;
use crate::sink::FileMark;

/// Distance of the two slots: room for some 50,000 rings. The file is sparse.
const SLOT: u64 = 1 << 20;

/// A ring's place among all rings of a runtime directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RingKey {
    /// The process.
    pub(crate) member: u32,
    /// Number of the ring in its process.
    pub(crate) ring: u64,
}

/// How far a ring has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Number of the segment within the ring.
    pub(crate) generation: u32,
    /// Bytes of it that have been read.
    pub(crate) bytes: u64,
}

/// What the last whole checkpoint says.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) sequence: u64,
    pub(crate) anchor: Anchor,
    pub(crate) files: Vec<FileMark>,
    pub(crate) rings: HashMap<RingKey, Position>,
    pub(crate) held: Vec<HeldMark>,
}

/// Reads the last checkpoint of a file. None where there is no whole one.
pub(crate) fn read(file: &File) -> Option<Mark> {
    [0, SLOT].into_iter().filter_map(|at| read_slot(file, at)).max_by_key(|mark| mark.sequence)
}

fn read_slot(file: &File, at: u64) -> Option<Mark> {
    let mut head = [0; 12];
    file.read_exact_at(&mut head, at).ok()?;
    let mut start = Reading::new(&head);
    let (checksum, len) = (start.u64()?, start.u32()?);
    if u64::from(len) > SLOT || (len as usize) < head.len() {
        return None;
    }
    let mut bytes = vec![0; len as usize];
    file.read_exact_at(&mut bytes, at).ok()?;
    if fnv1a(&bytes[8..]) != checksum {
        return None;
    }
    let mut bytes = Reading::new(&bytes[12..]);
    let sequence = bytes.u64()?;
    let anchor = Anchor {
        ticks: bytes.u64()?,
        unix: bytes.u64()?.cast_signed(),
        nanos_per_tick: f64::from_bits(bytes.u64()?),
    };
    let mut files = Vec::new();
    for _ in 0..bytes.u32()? {
        let (dev, ino, len) = (bytes.u64()?, bytes.u64()?, bytes.u64()?);
        files.push(FileMark { dev, ino, len, name: bytes.text()?.to_owned() });
    }
    let mut rings = HashMap::new();
    for _ in 0..bytes.u32()? {
        let key = RingKey { member: bytes.u32()?, ring: bytes.u64()? };
        rings.insert(key, Position { generation: bytes.u32()?, bytes: bytes.u64()? });
    }
    let mut held = Vec::new();
    for _ in 0..bytes.u32()? {
        let (number, len) = (bytes.u64()?, bytes.u64()?);
        let mut untold = [0; Level::ALL.len()];
        for count in &mut untold {
            *count = bytes.u64()?;
        }
        held.push(HeldMark { number, len, untold, name: bytes.text()?.to_owned() });
    }
    Some(Mark { sequence, anchor, files, rings, held })
}

/// Writes checkpoints.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    file: File,
    sequence: u64,
    rings: Vec<(RingKey, Position)>,
    held: Vec<HeldMark>,
    bytes: Vec<u8>,
}

impl Checkpoint {
    /// Goes on in a file whose last checkpoint had this number; 0 for an empty one.
    pub(crate) fn new(file: File, sequence: u64) -> Checkpoint {
        Checkpoint { file, sequence, rings: Vec::new(), held: Vec::new(), bytes: Vec::new() }
    }

    /// The last checkpoint that was written.
    pub(crate) fn reached(&self) -> Option<Mark> {
        read(&self.file)
    }

    /// Makes every checkpoint of the file worthless: what it would say is not true any more, and could not be written.
    pub(crate) fn invalidate(&mut self) {
        // Where even this fails nothing can be done: the next checkpoint that can be written sets it right.
        for slot in [0, SLOT] {
            if file_may_have(slot + 12) {
                let _ = self.file.write_all_at(&[0; 12], slot);
            }
        }
    }

    /// From the next checkpoint on the rings have been read so far.
    pub(crate) fn keep_rings(&mut self, rings: impl Iterator<Item = (RingKey, Position)>) {
        self.rings.clear();
        self.rings.extend(rings);
    }

    /// From the next checkpoint on this waits for log files.
    pub(crate) fn keep_held(&mut self, held: impl Iterator<Item = HeldMark>) {
        self.held.clear();
        self.held.extend(held);
    }

    /// Writes where the files stand now, and how far the rings have been read.
    pub(crate) fn write(&mut self, anchor: Anchor, files: &[FileMark]) -> io::Result<()> {
        self.sequence += 1;
        let bytes = &mut self.bytes;
        bytes.clear();
        bytes.extend([0; 12]);
        bytes.extend(self.sequence.to_le_bytes());
        bytes.extend(anchor.ticks.to_le_bytes());
        bytes.extend(anchor.unix.to_le_bytes());
        bytes.extend(anchor.nanos_per_tick.to_le_bytes());
        counted(bytes, files.iter(), |bytes, file| {
            bytes.extend(file.dev.to_le_bytes());
            bytes.extend(file.ino.to_le_bytes());
            bytes.extend(file.len.to_le_bytes());
            put_counted(bytes, file.name.as_bytes());
        });
        counted(bytes, self.rings.iter(), |bytes, (key, position)| {
            bytes.extend(key.member.to_le_bytes());
            bytes.extend(key.ring.to_le_bytes());
            bytes.extend(position.generation.to_le_bytes());
            bytes.extend(position.bytes.to_le_bytes());
        });
        counted(bytes, self.held.iter(), |bytes, mark| {
            bytes.extend(mark.number.to_le_bytes());
            bytes.extend(mark.len.to_le_bytes());
            mark.untold.iter().for_each(|count| bytes.extend(count.to_le_bytes()));
            put_counted(bytes, mark.name.as_bytes());
        });
        let length = bytes.len() as u32;
        bytes[8..12].copy_from_slice(&length.to_le_bytes());
        let checksum = fnv1a(&bytes[8..]);
        bytes[..8].copy_from_slice(&checksum.to_le_bytes());
        let offset = (self.sequence % 2) * SLOT;
        let len = bytes.len() as u64;
        if len > SLOT || !file_may_have(offset + len) {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        #[cfg(feature = "failpoints")]
        {
            self.file.write_all_at(&bytes[..bytes.len() / 2], offset)?;
            failpoint::reach("checkpoint-half");
        }
        self.file.write_all_at(bytes, offset)
    }
}

/// Writes how many items there are, then the items.
fn counted<T>(bytes: &mut Vec<u8>, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut Vec<u8>, T)) {
    let at = bytes.len();
    bytes.extend([0; 4]);
    let mut count = 0u32;
    for item in items {
        write(bytes, item);
        count += 1;
    }
    bytes[at..at + 4].copy_from_slice(&count.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANCHOR: Anchor = Anchor { ticks: 1, unix: -2, nanos_per_tick: 0.5 };

    fn write(checkpoint: &mut Checkpoint, len: u64) {
        let file = FileMark { name: "db.log".to_owned(), dev: 1, ino: 2, len };
        let ring = (RingKey { member: 3, ring: 7 }, Position { generation: 1, bytes: len * 2 });
        checkpoint.keep_rings([ring].into_iter());
        let held = HeldMark { name: "db.log".to_owned(), number: 4, len, untold: [0, 0, 1, 0, 0, 0, len] };
        checkpoint.keep_held([held].into_iter());
        checkpoint.write(ANCHOR, &[file]).unwrap();
    }

    #[test]
    fn two_slots_take_turns_and_the_last_whole_one_counts() {
        let file = tempfile::tempfile().unwrap();
        assert!(read(&file).is_none());
        let mut checkpoint = Checkpoint::new(file.try_clone().unwrap(), 0);
        for len in 1..=3 {
            write(&mut checkpoint, len);
            let mark = read(&file).unwrap();
            assert_eq!((mark.sequence, mark.files[0].len), (len, len));
            assert_eq!(mark.files[0].name, "db.log");
            let held =
                HeldMark { name: "db.log".to_owned(), number: 4, len, untold: [0, 0, 1, 0, 0, 0, len] };
            assert_eq!(mark.held, [held]);
            assert_eq!((mark.anchor.unix, mark.anchor.nanos_per_tick), (-2, 0.5));
            let ring = mark.rings[&RingKey { member: 3, ring: 7 }];
            assert_eq!(ring, Position { generation: 1, bytes: len * 2 });
        }
        // The newer one is half written.
        file.write_all_at(b"x", SLOT + 40).unwrap();
        assert_eq!(read(&file).unwrap().sequence, 2);
        let mut next = Checkpoint::new(file.try_clone().unwrap(), 3);
        write(&mut next, 9);
        assert_eq!(read(&file).unwrap().sequence, 4);
        next.invalidate();
        assert!(read(&file).is_none());
    }

    #[test]
    fn no_bytes_make_the_reader_panic() {
        use proptest::prelude::*;
        proptest!(|(bytes in proptest::collection::vec(any::<u8>(), 0..300), sound: bool)| {
            let mut bytes = bytes;
            if sound && bytes.len() > 12 {
                let len = bytes.len() as u32;
                bytes[8..12].copy_from_slice(&len.to_le_bytes());
                let checksum = fnv1a(&bytes[8..]);
                bytes[..8].copy_from_slice(&checksum.to_le_bytes());
            }
            let file = tempfile::tempfile().unwrap();
            file.write_all_at(&bytes, 0).unwrap();
            let _ = read(&file);
        });
    }
}
