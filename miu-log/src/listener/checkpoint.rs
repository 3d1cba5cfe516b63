//! Where the listener stands: what of the rings is in the files.
//!
//! Written after each batch and before its ring space is freed, into one of two slots in turn, so that the older one is whole
//! while the newer is being written. A slot is valid if its checksum is right; of two valid ones the higher sequence
//! number counts. The file lies beside the segments and is for whoever recovers them.
//!
//! ```text
//! slot | checksum u64 | length u32 | sequence u64 | anchor: ticks u64, unix i64, nanoseconds per tick f64
//!      | files u32, each: device u64, inode u64, length u64, name u32 + bytes
//!      | rings u32, each: number u64, generation u32, position u64 |
//! ```
//!
//! Numbers are little-endian. The checksum is FNV-1a over what follows it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::clock::Anchor;
use crate::hash::fnv1a;
use crate::ring::segment::file_may_have;
use crate::sink::FilePosition;

/// Distance of the two slots: room for some 50,000 rings. The file is sparse.
const SLOT: u64 = 1 << 20;

/// Writes checkpoints.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    file: File,
    sequence: u64,
    bytes: Vec<u8>,
}

impl Checkpoint {
    pub(crate) fn new(file: File) -> Checkpoint {
        Checkpoint { file, sequence: 0, bytes: Vec::new() }
    }

    /// Writes where the listener stands now.
    pub(crate) fn write<'a>(
        &mut self,
        anchor: Anchor,
        files: impl Iterator<Item = (&'a str, FilePosition)>,
        rings: impl Iterator<Item = (u64, u32, u64)>,
    ) -> io::Result<()> {
        self.sequence += 1;
        let bytes = &mut self.bytes;
        bytes.clear();
        bytes.extend([0; 12]);
        bytes.extend(self.sequence.to_le_bytes());
        bytes.extend(anchor.ticks.to_le_bytes());
        bytes.extend(anchor.unix.to_le_bytes());
        bytes.extend(anchor.nanos_per_tick.to_le_bytes());
        counted(bytes, files, |bytes, (name, position)| {
            bytes.extend(position.dev.to_le_bytes());
            bytes.extend(position.ino.to_le_bytes());
            bytes.extend(position.len.to_le_bytes());
            bytes.extend((name.len() as u32).to_le_bytes());
            bytes.extend(name.as_bytes());
        });
        counted(bytes, rings, |bytes, (ring, generation, position)| {
            bytes.extend(ring.to_le_bytes());
            bytes.extend(generation.to_le_bytes());
            bytes.extend(position.to_le_bytes());
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

    #[test]
    fn two_slots_take_turns_and_each_is_whole() {
        let file = tempfile::tempfile().unwrap();
        let mut checkpoint = Checkpoint::new(file.try_clone().unwrap());
        let anchor = Anchor { ticks: 1, unix: 2, nanos_per_tick: 0.5 };
        let position = FilePosition { dev: 1, ino: 2, len: 3, torn: false };
        for _ in 0..3 {
            let files = [("db.log", position)].into_iter();
            checkpoint.write(anchor, files, [(7, 0, 64)].into_iter()).unwrap();
        }
        for (slot, sequence) in [(0, 2u64), (1, 3)] {
            let mut bytes = vec![0; checkpoint.bytes.len()];
            file.read_exact_at(&mut bytes, slot * SLOT).unwrap();
            assert_eq!(bytes[..8], fnv1a(&bytes[8..]).to_le_bytes());
            assert_eq!(bytes[12..20], sequence.to_le_bytes());
        }
    }
}
