//! What the files of a spool look like, byte by byte, and how their names are made.
//!
//! Whatever the bytes are, reading them does no harm: a record is given only where its checksum is right.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::Place;
use crate::hash::{fnv1a, words};
use crate::level::Level;
use crate::record::RecordId;
use crate::sink::Line;

/// What stands before a record: its length and its checksum.
const FRAME: usize = 12;

/// What stands before the names in a record.
const FIXED: usize = 26;

pub(super) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    // A pipe with the name of a file is no file, and nobody waits for who may open its other end.
    options.mode(0o600).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32);
    options
}

pub(super) fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:016}.spool"))
}

pub(super) fn number_of(name: &std::ffi::OsStr) -> Option<u64> {
    name.to_str()?.strip_suffix(".spool").filter(|number| number.len() == 16)?.parse().ok()
}

/// Where the next position is written: not over the one that counts, so that half a write spoils none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(bool);

impl Slot {
    /// In a page of its own: what a disk writes at once is no longer.
    fn at(self) -> u64 {
        if self.0 { 4096 } else { 0 }
    }

    fn other(self) -> Slot {
        Slot(!self.0)
    }
}

/// Up to where all has arrived, and where to write that next; the very beginning where nobody has said that yet.
///
/// # Errors
///
/// When it cannot be read. Nothing may be begun then: a position that is readable again later would be one in files that have other contents by then.
pub(super) fn read_position(file: &File) -> io::Result<(Place, Slot)> {
    let mut found = [None; 2];
    for (slot, found) in [Slot(false), Slot(true)].into_iter().zip(&mut found) {
        let mut bytes = [0; 24];
        match file.read_exact_at(&mut bytes, slot.at()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
            Err(error) => return Err(error),
        }
        *found = place(&bytes).map(|place| (place, slot.other()));
    }
    let farthest = found.into_iter().flatten().max_by_key(|(place, _)| *place);
    Ok(farthest.unwrap_or((Place::default(), Slot(false))))
}

/// Two numbers and their checksum: what is written in one place over and over, so that half of it is told from the whole.
pub(super) fn sealed(numbers: [u64; 2]) -> [u8; 24] {
    let mut bytes = [0; 24];
    bytes[..8].copy_from_slice(&numbers[0].to_le_bytes());
    bytes[8..16].copy_from_slice(&numbers[1].to_le_bytes());
    let sum = fnv1a(&bytes[..16]);
    bytes[16..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// The numbers, if nothing is wrong with them.
pub(super) fn unsealed(bytes: &[u8; 24]) -> Option<[u64; 2]> {
    let word = |at: usize| bytes[at..at + 8].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    (word(16) == fnv1a(&bytes[..16])).then(|| [word(0), word(8)])
}

/// The place in a slot, if it is a whole one.
fn place(bytes: &[u8; 24]) -> Option<Place> {
    // The next file's number is one more.
    unsealed(bytes).map(|[segment, offset]| Place { segment: segment.min(u64::MAX / 2), offset })
}

/// The same as `read_position`, of what somebody has read of the file.
pub(super) fn position_in(bytes: &[u8]) -> Place {
    let slots = [Slot(false), Slot(true)].into_iter();
    slots.filter_map(|slot| place(bytes.get(slot.at() as usize..)?.first_chunk()?)).max().unwrap_or_default()
}

/// Writes down up to where all has arrived; where to do that the next time.
pub(super) fn write_position(file: &File, slot: Slot, place: Place) -> io::Result<Slot> {
    file.write_all_at(&sealed([place.segment, place.offset]), slot.at())?;
    Ok(slot.other())
}

/// Where the whole records of a file end and when they were logged, and how many bytes behind them are none.
pub(super) fn scan(path: &Path) -> io::Result<(Vec<(u64, i64)>, u64)> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut options().read(true).open(path)?, &mut bytes)?;
    let (mut rest, mut ends, mut damaged) = (&bytes[..], Vec::new(), 0);
    loop {
        while let Some((record, after)) = decode(rest) {
            let time = record.time;
            rest = after;
            ends.push(((bytes.len() - rest.len()) as u64, time));
        }
        let Some(skip) = next_whole(rest) else { break };
        damaged += skip as u64;
        rest = &rest[skip..];
    }
    Ok((ends, damaged + rest.len() as u64))
}

/// Where the next whole record begins, if these bytes do not begin with one.
pub(super) fn next_whole(bytes: &[u8]) -> Option<usize> {
    (1..bytes.len().saturating_sub(FRAME + FIXED)).find(|at| decode(&bytes[*at..]).is_some())
}

/// Whether these bytes are the beginning of a record whose end is not there yet.
pub(super) fn is_begun(bytes: &[u8]) -> bool {
    bytes.len() < FRAME
        || bytes.first_chunk().is_some_and(|len| u32::from_le_bytes(*len) as usize > bytes.len() - FRAME)
}

pub(super) fn encode(line: &Line<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend([0; FRAME]);
    out.extend(line.id().source.to_le_bytes());
    out.extend(line.id().sequence.to_le_bytes());
    out.extend(line.unix_nanos().to_le_bytes());
    // Names of domains are identifiers, and as short.
    let domain = &line.domain().as_bytes()[..line.domain().len().min(u8::MAX.into())];
    out.extend([line.level() as u8, domain.len() as u8]);
    out.extend(domain);
    out.extend(line.as_bytes());
    // A batch holds less than 4 GiB of text.
    let len = (out.len() - start - FRAME) as u32;
    let sum = words(&out[start + FRAME..]);
    out[start..start + 4].copy_from_slice(&len.to_le_bytes());
    out[start + 4..start + FRAME].copy_from_slice(&sum.to_le_bytes());
}

/// A record as it stands in a file.
#[derive(Debug, PartialEq)]
pub(super) struct Decoded<'a> {
    pub(super) id: RecordId,
    pub(super) time: i64,
    pub(super) level: Level,
    pub(super) domain: &'a str,
    pub(super) text: &'a [u8],
}

/// The first record, and what follows it. None where there is no whole one.
pub(super) fn decode(bytes: &[u8]) -> Option<(Decoded<'_>, &[u8])> {
    let len = u32::from_le_bytes(*bytes.first_chunk()?) as usize;
    let sum = u64::from_le_bytes(*bytes.get(4..)?.first_chunk()?);
    let body = bytes.get(FRAME..)?.get(..len)?;
    if len < FIXED || words(body) != sum {
        return None;
    }
    let word = |at: usize| body[at..at + 8].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    let (domain, text) = body[FIXED..].split_at_checked(body[FIXED - 1].into())?;
    let decoded = Decoded {
        id: RecordId { source: word(0), sequence: word(8) },
        time: word(16).cast_signed(),
        level: Level::from_index(body[24])?,
        domain: std::str::from_utf8(domain).ok()?,
        text,
    };
    Some((decoded, &bytes[FRAME + len..]))
}
