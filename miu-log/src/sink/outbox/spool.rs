//! Records on disk that wait for a destination: written in order, read in order, and forgotten when they have arrived.
//!
//! S1. A record is in the hands of the operating system when `append` has counted it: it survives the end of the process.
//! S2. Records are read in the order in which they were appended, also by the next process; none is left out that is whole.
//! S3. What was acknowledged is not read again, but for a crash of the machine, after which it may be.
//! S4. The files take no more than the bound. What is acknowledged is given back a file at a time.
//! S5. Whatever is in the files, reading them does no harm: a record has a checksum, and what follows one that is wrong is left out, to the
//!     end of its file, and counted.
//!
//! ```text
//! <number>.spool   records: length u32 | checksum u64 | source u64 | sequence u64 | time i64 | level u8 | length of the domain u8 | domain | line
//! position         up to where all has arrived: number u64 | offset u64 | checksum u64
//! ```
//!
//! A process appends to files of its own: one that may end in half a record is read, never gone on with. Only one process has the log folder, and so
//! the spool. Called by the outbox.

use std::collections::VecDeque;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::hash::fnv1a;
use crate::level::Level;
use crate::record::RecordId;
use crate::sink::{Batch, Entry, Held, Line};

/// Length of a file, at least, before the next one is begun.
const SEGMENT: u64 = 1 << 20;

/// What stands before a record: its length and its checksum.
const FRAME: usize = 12;

/// What stands before the names in a record.
const FIXED: usize = 26;

/// What is read at once, at least.
const CHUNK: u64 = 64 * 1024;

/// A place between two records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    segment: u64,
    offset: u64,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    /// Up to the end of its last whole record.
    len: u64,
    records: u64,
}

/// See the module's description.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    limit: u64,
    segments: VecDeque<Segment>,
    /// The newest file, if it is one of this process.
    writer: Option<File>,
    reader: Option<(u64, File)>,
    /// What was read and what has arrived.
    read: Place,
    arrived: Place,
    position: File,
    /// The number of the next file.
    next: u64,
    /// Records that have not arrived, and those of them that were not read; and the bytes of these.
    pending: u64,
    unread: u64,
    unread_bytes: u64,
    buffer: Vec<u8>,
}

/// What was found in the files of earlier processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) records: u64,
    /// Bytes that are no record.
    pub(super) damaged: u64,
}

/// Why a record was not appended.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The bound is reached.
    Full,
    Io(io::Error),
}

impl Spool {
    /// Opens the spool in this folder, which is made where it is missing, for its owner alone.
    pub(super) fn open(folder: &Path, limit: u64) -> io::Result<(Spool, Found)> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let position = options().read(true).write(true).create(true).open(folder.join("position"))?;
        let mut arrived = read_position(&position);
        let mut numbers: Vec<u64> =
            std::fs::read_dir(folder)?.filter_map(|entry| number_of(&entry.ok()?.file_name())).collect();
        numbers.sort_unstable();
        let mut found = Found::default();
        let mut segments = VecDeque::new();
        let next = numbers.last().map_or(0, |last| last + 1).max(arrived.segment + 1);
        for number in numbers {
            let path = path_of(folder, number);
            let (whole, damaged) = if number < arrived.segment { (Vec::new(), 0) } else { scan(&path)? };
            if number == arrived.segment && !whole.contains(&arrived.offset) {
                // No place between two records, so nobody knows: from its beginning.
                arrived.offset = 0;
            }
            let from = if number == arrived.segment { arrived.offset } else { 0 };
            let records = whole.iter().filter(|end| **end > from).count() as u64;
            found.damaged += damaged;
            if records == 0 {
                std::fs::remove_file(&path)?;
                continue;
            }
            found.records += records;
            segments.push_back(Segment { number, len: whole.last().copied().unwrap_or(0), records });
        }
        let arrived = match segments.front() {
            Some(first) if first.number == arrived.segment => arrived,
            Some(first) => Place { segment: first.number, offset: 0 },
            None => Place { segment: next, offset: 0 },
        };
        let all: u64 = segments.iter().map(|segment| segment.len).sum();
        let spool = Spool {
            folder: folder.to_owned(),
            limit,
            segments,
            writer: None,
            reader: None,
            read: arrived,
            arrived,
            position,
            next,
            pending: found.records,
            unread: found.records,
            unread_bytes: all - if found.records > 0 { arrived.offset } else { 0 },
            buffer: Vec::new(),
        };
        Ok((spool, found))
    }

    /// Records that have not arrived.
    pub(super) fn pending(&self) -> u64 {
        self.pending
    }

    /// Records that wait to be read, and how many bytes they take.
    pub(super) fn unread(&self) -> (u64, u64) {
        (self.unread, self.unread_bytes)
    }

    /// Bytes that the files take.
    fn size(&self) -> u64 {
        self.segments.iter().map(|segment| segment.len).sum()
    }

    /// Appends as many of these as there is room for; says how many, and why no more.
    pub(super) fn append(&mut self, batch: &Batch<'_>) -> (usize, Option<Refusal>) {
        let mut taken = 0;
        let mut lines = batch.iter().peekable();
        while lines.peek().is_some() {
            let room = self.limit.saturating_sub(self.size());
            if let Err(error) = self.writable() {
                return (taken, Some(Refusal::Io(error)));
            }
            let Some(segment) = self.segments.back_mut() else { break };
            let mut bytes = std::mem::take(&mut self.buffer);
            bytes.clear();
            let mut count = 0;
            while let Some(line) = lines.peek() {
                let before = bytes.len();
                encode(line, &mut bytes);
                if bytes.len() as u64 > room {
                    bytes.truncate(before);
                    break;
                }
                count += 1;
                lines.next();
                if segment.len + bytes.len() as u64 >= SEGMENT.min(self.limit / 8) {
                    break;
                }
            }
            let written = match &mut self.writer {
                Some(writer) => writer.write_all(&bytes),
                None => Ok(()),
            };
            let len = bytes.len() as u64;
            self.buffer = bytes;
            if let Err(error) = written {
                // Half a record may stand there now, so the file ends here; what follows goes into another one.
                if let Some(writer) = self.writer.take() {
                    // Where that fails as well the checksum tells.
                    let _ = writer.set_len(segment.len);
                }
                return (taken, Some(Refusal::Io(error)));
            }
            segment.len += len;
            segment.records += count as u64;
            self.pending += count as u64;
            self.unread += count as u64;
            self.unread_bytes += len;
            taken += count;
            if count == 0 {
                return (taken, Some(Refusal::Full));
            }
        }
        (taken, None)
    }

    /// Sees to it that there is a file that can be written to.
    fn writable(&mut self) -> io::Result<()> {
        let full = self.segments.back().is_none_or(|last| last.len >= SEGMENT.min(self.limit / 8));
        if self.writer.is_some() && !full {
            return Ok(());
        }
        let number = self.next;
        let file = options().append(true).create_new(true).open(path_of(&self.folder, number))?;
        self.next += 1;
        self.writer = Some(file);
        if self.segments.is_empty() {
            self.arrived = Place { segment: number, offset: 0 };
            self.read = self.arrived;
        }
        self.segments.push_back(Segment { number, len: 0, records: 0 });
        Ok(())
    }

    /// Reads the next records, at most so many, and at most so many bytes of them but one at least. Names of domains are looked up in `domains`, or put
    /// there. Gives the place behind each record.
    pub(super) fn read(
        &mut self,
        records: usize,
        bytes: usize,
        domains: &mut Vec<String>,
        held: &mut Held,
    ) -> io::Result<Vec<Place>> {
        let mut places = Vec::new();
        while self.unread > 0 && places.is_empty() {
            let Some(at) = self.segments.iter().position(|segment| segment.number >= self.read.segment)
            else {
                break;
            };
            let segment = &self.segments[at];
            if segment.number > self.read.segment {
                self.read = Place { segment: segment.number, offset: 0 };
            }
            if self.read.offset >= segment.len {
                self.read = Place { segment: segment.number + 1, offset: 0 };
                continue;
            }
            let left = segment.len - self.read.offset;
            let mut chunk = left.min(CHUNK.max(bytes as u64));
            let file = match &mut self.reader {
                Some((number, file)) if *number == segment.number => file,
                reader => {
                    let file = options().read(true).open(path_of(&self.folder, segment.number))?;
                    &mut reader.insert((segment.number, file)).1
                }
            };
            loop {
                self.buffer.resize(chunk as usize, 0);
                file.read_exact_at(&mut self.buffer, self.read.offset)?;
                let mut rest = &self.buffer[..];
                while places.len() < records
                    && (places.is_empty() || held.text.len() < bytes)
                    && let Some((line, after)) = decode(rest)
                {
                    let domain = number_in(domains, line.domain);
                    let entry =
                        Entry { time: line.time, id: line.id, start: 0, end: 0, domain, level: line.level };
                    if !held.push(line.text, entry) {
                        break;
                    }
                    self.read.offset += (rest.len() - after.len()) as u64;
                    self.unread_bytes -= (rest.len() - after.len()) as u64;
                    places.push(self.read);
                    rest = after;
                }
                if !places.is_empty() {
                    break;
                }
                if chunk == left {
                    // The file is not what it was when it was counted: the rest of it is given up.
                    self.read.offset += left;
                    self.unread_bytes -= left;
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a file of the spool is damaged"));
                }
                chunk = left;
            }
        }
        self.unread -= places.len() as u64;
        Ok(places)
    }

    /// So many records have arrived, up to this place: they are not read again.
    pub(super) fn acknowledge(&mut self, place: Place, records: u64) -> io::Result<()> {
        self.pending -= records.min(self.pending);
        self.arrived = place;
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&place.segment.to_le_bytes());
        bytes[8..16].copy_from_slice(&place.offset.to_le_bytes());
        let sum = fnv1a(&bytes[..16]);
        bytes[16..].copy_from_slice(&sum.to_le_bytes());
        self.position.write_all_at(&bytes, 0)?;
        while let Some(first) = self.segments.front()
            && (first.number < place.segment || (first.number == place.segment && first.len <= place.offset))
        {
            let is_writer = self.segments.len() == 1;
            if is_writer && self.writer.is_some() && first.len < CHUNK {
                // Kept for what comes next: most records come one by one, and are delivered at once.
                break;
            }
            std::fs::remove_file(path_of(&self.folder, first.number))?;
            if is_writer {
                self.writer = None;
            }
            self.segments.pop_front();
            self.reader = None;
        }
        Ok(())
    }

    /// What could not be read has been given up: so many records, which nobody gets.
    pub(super) fn give_up_unreadable(&mut self) -> u64 {
        let gone = match self.segments.iter().rposition(|segment| segment.number > self.read.segment) {
            // Later files are intact for all that is known.
            Some(_) => {
                let later = self.segments.iter().filter(|segment| segment.number > self.read.segment);
                self.unread.saturating_sub(later.map(|segment| segment.records).sum())
            }
            None => self.unread,
        };
        self.unread -= gone;
        self.pending -= gone.min(self.pending);
        gone
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(OFlags::NOFOLLOW.bits() as i32);
    options
}

fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:016}.spool"))
}

fn number_of(name: &std::ffi::OsStr) -> Option<u64> {
    name.to_str()?.strip_suffix(".spool").filter(|number| number.len() == 16)?.parse().ok()
}

/// Up to where all has arrived; the very beginning where nobody has said that yet.
fn read_position(file: &File) -> Place {
    let mut bytes = [0; 24];
    if file.read_exact_at(&mut bytes, 0).is_err() {
        return Place::default();
    }
    let word = |at: usize| bytes[at..at + 8].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    if word(16) != fnv1a(&bytes[..16]) {
        return Place::default();
    }
    // The next file's number is one more.
    Place { segment: word(0).min(u64::MAX / 2), offset: word(8) }
}

/// Where the whole records of a file end, and how many bytes behind them are none.
fn scan(path: &Path) -> io::Result<(Vec<u64>, u64)> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut options().read(true).open(path)?, &mut bytes)?;
    let (mut rest, mut ends) = (&bytes[..], Vec::new());
    while let Some((_, after)) = decode(rest) {
        rest = after;
        ends.push((bytes.len() - rest.len()) as u64);
    }
    Ok((ends, rest.len() as u64))
}

/// The number of a domain among these, where it is put if it is not there.
fn number_in(domains: &mut Vec<String>, name: &str) -> u16 {
    let number = domains.iter().position(|known| known == name).unwrap_or_else(|| {
        domains.push(name.to_owned());
        domains.len() - 1
    });
    u16::try_from(number).unwrap_or(u16::MAX)
}

fn encode(line: &Line<'_>, out: &mut Vec<u8>) {
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
    let sum = fnv1a(&out[start + FRAME..]);
    out[start..start + 4].copy_from_slice(&len.to_le_bytes());
    out[start + 4..start + FRAME].copy_from_slice(&sum.to_le_bytes());
}

#[derive(Debug, PartialEq)]
struct Decoded<'a> {
    id: RecordId,
    time: i64,
    level: Level,
    domain: &'a str,
    text: &'a [u8],
}

/// The first record, and what follows it. None where there is no whole one.
fn decode(bytes: &[u8]) -> Option<(Decoded<'_>, &[u8])> {
    let len = u32::from_le_bytes(*bytes.first_chunk()?) as usize;
    let sum = u64::from_le_bytes(*bytes.get(4..)?.first_chunk()?);
    let body = bytes.get(FRAME..)?.get(..len)?;
    if fnv1a(body) != sum || len < FIXED {
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

#[cfg(test)]
mod tests;
