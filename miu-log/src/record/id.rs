//! What tells one record from all others, however often it is read: after a crash the next listener finds the same number for it.
//!
//! D1. A ring's source is made of what stays the same wherever its file is read: the start of the machine, the log folder, the process by
//!     its number in there, the ring. The sequence is the record's number in its ring, and lost records have theirs.
//!
//! Made by the listener, kept by whoever delivers records a second time.

use std::fmt;

use crate::folder::Folder;
use crate::hash::fnv1a;

/// What tells a record from all others: where it comes from, and its number there.
///
/// It stays the same when a record is delivered a second time, by the same process or by the next one after a crash, so that a receiver can
/// leave out what it has. Displayed as 32 hexadecimal digits. Of a ring that was spilt into the log folder and is read after the machine was started
/// anew the source is another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId {
    pub(crate) source: u64,
    pub(crate) sequence: u64,
}

impl RecordId {
    /// Where the record comes from, as a hash: the start of the machine, the log folder, the process and the thread's ring.
    pub fn source(&self) -> u64 {
        self.source
    }

    /// The record's number among those of its source.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Both as one number: ids of one source stand one behind the other.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(crate) fn number(&self) -> u128 {
        u128::from(self.source) << 64 | u128::from(self.sequence)
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.source, self.sequence)
    }
}

/// What all sources of one log folder have in common, for as long as the machine runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin(u64);

impl Origin {
    /// Of this log folder, while its runtime directory has this number (`runtime/life`).
    pub(crate) fn of_folder(folder: &Folder, life: u64) -> Origin {
        let (dev, ino) = rustix::fs::fstat(folder.fd()).map_or((0, 0), |stat| (stat.st_dev, stat.st_ino));
        Origin::of_identity(dev, ino, life)
    }

    fn of_identity(dev: u64, ino: u64, life: u64) -> Origin {
        Origin(hash(&[boot(), dev, ino, life]))
    }

    /// Of a pipeline that nothing outlives.
    pub(crate) fn of_process(ticks: u64) -> Origin {
        Origin(hash(&[boot(), u64::from(std::process::id()), ticks]))
    }

    /// The source of a ring, by its process and its number there.
    pub(crate) fn ring(self, member: u32, process_id: u32, ring: u64) -> u64 {
        hash(&[self.0, member.into(), process_id.into(), ring])
    }
}

/// Differs from one start of the machine to the next; where the system does not tell, it is always the same.
fn boot() -> u64 {
    fnv1a(&std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default())
}

fn hash(words: &[u64]) -> u64 {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    fnv1a(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_one_of_its_folder_process_and_ring() {
        let origin = Origin::of_identity(1, 2, 9);
        let source = origin.ring(3, 4, 5);
        assert_eq!(source, Origin::of_identity(1, 2, 9).ring(3, 4, 5));
        for other in [
            Origin::of_identity(2, 2, 9).ring(3, 4, 5),
            Origin::of_identity(1, 2, 8).ring(3, 4, 5),
            origin.ring(4, 4, 5),
            origin.ring(3, 5, 5),
            origin.ring(3, 4, 6),
        ] {
            assert_ne!(source, other);
        }
    }

    #[test]
    fn an_id_is_shown_as_32_digits() {
        assert_eq!(RecordId { source: 0xab, sequence: 16 }.to_string(), "00000000000000ab0000000000000010");
    }
}
