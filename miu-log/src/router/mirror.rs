//! The file in which lines that wait for a failing log file survive the process.
//!
//! Ring space is freed although these lines are in no log file yet: one bad file must not stop the others. So they are copied
//! into a file of the runtime directory before that, and the checkpoint says which, and how much of it counts.
//!
//! ```text
//! held-<number>: records, each: time i64, domain u16, level u8, line u32 + bytes
//! ```
//!
//! V1. A file is only ever appended to, and its number is never given again in a run: whatever checkpoint counts, what it names is there
//!     as it was.
//! V2. A file is removed only after a checkpoint that does not name it.
//! V3. What is read back is not trusted: where it does not fit, it ends.
//!
//! Called by the router, which says what is to be in it, and when.

use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::Resource;

use crate::level::Level;
use crate::reading::{Reading, put_counted};
use crate::record::RecordId;
use crate::runtime::{open_to_read, private_file};
use crate::sink::{Entry, Held};
use crate::spare;

/// What the names of these files begin with.
pub(crate) const HELD_PREFIX: &str = "held-";

/// Bytes of a file that are read at most: more than what waits for one log file, its longest line included.
const MOST_BYTES: u64 = 256 << 20;

/// What a checkpoint says of lines that wait for a log file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeldMark {
    /// The slot that they wait in.
    pub(crate) name: String,
    /// Number of the file that holds them, and how much of it counts; (0, 0) where there is none.
    pub(crate) number: u64,
    pub(crate) len: u64,
    /// Records by level that found no room, and of which the log file does not tell yet.
    pub(crate) untold: [u64; Level::ALL.len()],
}

/// The file of one slot.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    /// Its number, and how much of it counts; none where nothing is in it.
    pub(super) file: Option<(u64, u64)>,
    /// How many of the held records are in it: the first ones.
    pub(super) records: usize,
    /// Before them it has the line that the sink owes.
    pub(super) torn: bool,
    /// Records that it begins with are held no longer.
    pub(super) outdated: bool,
    /// When it is tried again after an error.
    pub(super) due: u64,
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{HELD_PREFIX}{number}"))
}

/// The number in a file's name, if it is one of these.
pub(crate) fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix(HELD_PREFIX)?.parse().ok()
}

/// Removes the file of this number. One that stays is removed by the next start.
pub(super) fn remove(folder: &Path, number: u64) {
    let _ = std::fs::remove_file(path(folder, number));
}

/// Writes one record's line as it stands in the file.
pub(super) fn put(out: &mut Vec<u8>, entry: &Entry, line: &[u8]) {
    out.extend(entry.time.to_le_bytes());
    out.extend(entry.domain.to_le_bytes());
    out.push(entry.level as u8);
    put_counted(out, line);
}

/// Appends behind the part that counts; what a failed attempt has left there is overwritten. The file is open for that time only: it
/// must not cost a descriptor for as long as a disk is full.
pub(super) fn append(folder: &Path, number: u64, len: u64, bytes: &[u8]) -> io::Result<()> {
    // Past the limit the system does not only refuse, it kills by SIGXFSZ.
    let limit = rustix::process::getrlimit(Resource::Fsize).current;
    if limit.is_some_and(|limit| len + bytes.len() as u64 > limit) {
        return Err(Errno::FBIG.into());
    }
    spare::with(|| private_file(&path(folder, number), len == 0)?.write_all_at(bytes, len))
}

/// The lines that a checkpoint names, and whether all of them could be read.
pub(super) fn read(folder: &Path, number: u64, len: u64) -> (Held, bool) {
    let mut held = Held::default();
    let mut bytes = Vec::new();
    let read = open_to_read(&path(folder, number))
        .and_then(|file| file.take(len.min(MOST_BYTES)).read_to_end(&mut bytes));
    let mut rest = Reading::new(&bytes);
    while let Some((entry, line)) = next(&mut rest) {
        held.push(line, entry);
    }
    let whole = read.is_ok_and(|count| count as u64 == len) && rest.rest().is_empty();
    (held, whole)
}

fn next<'a>(bytes: &mut Reading<'a>) -> Option<(Entry, &'a [u8])> {
    let mut ahead = *bytes;
    let time = ahead.u64()?.cast_signed();
    let domain = u16::from_le_bytes([ahead.u8()?, ahead.u8()?]);
    let level = Level::from_index(ahead.u8()?)?;
    let line = ahead.counted().filter(|line| line.last() == Some(&b'\n'))?;
    *bytes = ahead;
    Some((Entry { time, id: RecordId::default(), start: 0, end: 0, domain, level }, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, level: Level) -> Vec<u8> {
        let mut out = Vec::new();
        put(
            &mut out,
            &Entry { time: -7, id: RecordId::default(), start: 0, end: 0, domain: 3, level },
            text.as_bytes(),
        );
        out
    }

    #[test]
    fn lines_are_read_back_as_far_as_they_count() {
        let temp = tempfile::tempdir().unwrap();
        let (one, two) = (line("one\n", Level::Info), line("two\n", Level::Error));
        append(temp.path(), 1, 0, &one).unwrap();
        append(temp.path(), 1, one.len() as u64, &two).unwrap();
        let (held, whole) = read(temp.path(), 1, (one.len() + two.len()) as u64);
        assert!(whole);
        assert_eq!(held.text, b"one\ntwo\n");
        assert_eq!(
            (held.entries[1].time, held.entries[1].domain, held.entries[1].level),
            (-7, 3, Level::Error)
        );
        let (held, whole) = read(temp.path(), 1, one.len() as u64);
        assert!(whole && held.text == b"one\n");
        // What a failed attempt has left is overwritten.
        append(temp.path(), 1, one.len() as u64, &line("2\n", Level::Info)).unwrap();
        assert_eq!(read(temp.path(), 1, (one.len() + two.len() - 2) as u64).0.text, b"one\n2\n");
        remove(temp.path(), 1);
        let (held, whole) = read(temp.path(), 1, 5);
        assert!(!whole && held.entries.is_empty());
    }

    #[test]
    fn no_bytes_make_the_reader_panic_and_no_line_lacks_its_end() {
        use proptest::prelude::*;
        let temp = tempfile::tempdir().unwrap();
        proptest!(|(mut bytes in proptest::collection::vec(any::<u8>(), 0..100), sound in 0usize..3)| {
            let mut all: Vec<u8> = (0..sound).flat_map(|_| line("x\n", Level::Info)).collect();
            all.append(&mut bytes);
            append(temp.path(), 1, 0, &all).unwrap();
            let (held, _) = read(temp.path(), 1, all.len() as u64);
            prop_assert!(held.entries.len() >= sound);
            prop_assert!(held.batch(&[]).iter().all(|line| line.as_bytes().ends_with(b"\n")));
        });
    }

    #[test]
    fn a_name_has_its_number() {
        assert_eq!(number_of("held-7"), Some(7));
        for name in ["held-", "held-x", "held", "ring-7"] {
            assert_eq!(number_of(name), None);
        }
    }
}
