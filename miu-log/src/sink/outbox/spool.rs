//! Records on disk that wait for a destination: written in order by the listener, read in order by the sink's thread, and forgotten when they have
//! arrived.
//!
//! S1. A record is in the hands of the operating system when `append` has counted it: it survives the end of the process.
//! S2. Records are read in the order in which they were appended, also by the next process; none is left out that is whole.
//! S3. What was acknowledged is not read again, but for a crash of the machine, after which it may be: the position on disk may be an older one, and is never one
//!     behind which something waits, for numbers of files are not used again.
//! S4. The files take no more than the bound. What is acknowledged is given back a file at a time.
//! S5. Whatever is in the files, reading them does no harm: a record has a checksum, and one that is wrong is left out and told; the
//!     next one that is right is looked for behind it.
//! S6. What both sides know is behind a lock, which neither holds while it works on a file's content. The file that is appended to is removed by the side
//!     that appends, or when that has ended.
//! S7. What has been appended when `sync` is called is durable after it, its file's name included, or it has arrived. Nobody else syncs: the position may fall back.
//!
//! ```text
//! <number>.spool   records, in this format; files in another one will have another name: length u32 | checksum u64 | source u64 | sequence u64 | time i64 | level u8 | length of the domain u8 | domain | line
//! lock             empty; locked by the program that has the spool
//! position         up to where all has arrived, in two slots, of which the farther one counts: number u64 | offset u64 | checksum u64
//! <number>.damaged a file of which nothing was a record, put aside; nobody reads or removes it
//! pause            until when the destination has asked not to be called; there if it has (`pause`)
//! ```
//!
//! A process appends to files of its own: one that may end in half a record is read, never gone on with. Only one process has the log folder, and so
//! the spool. Called by the outbox.

mod appender;
mod drain;
mod format;
mod pause;
pub(crate) mod tally;

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

pub(super) use appender::{Appender, Refusal, Unsynced};
pub(super) use drain::Drain;
use format::{Slot, number_of, options, path_of, read_position, scan};

use super::batching::Waiting;
use crate::record::UnixNanos;
use crate::runtime::FileLock;
use crate::sync::lock;

/// Length of a file, at least, before the next one is begun.
const SEGMENT: u64 = 1 << 20;

/// What is read at once, at least. A file of which less is used is gone on with though all in it has arrived.
const CHUNK: u64 = 64 * 1024;

/// A place between two records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    segment: u64,
    offset: u64,
}

impl Place {
    /// How many bytes of a file with this number and length are behind it.
    fn bytes_behind(self, number: u64, len: u64) -> u64 {
        match number.cmp(&self.segment) {
            Ordering::Less => 0,
            Ordering::Equal => len.saturating_sub(self.offset),
            Ordering::Greater => len,
        }
    }
}

#[derive(Debug)]
struct Segment {
    number: u64,
    /// Up to the end of its last whole record.
    len: u64,
    records: u64,
}

/// What both sides know.
#[derive(Debug)]
pub(super) struct Shared {
    folder: PathBuf,
    limit: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    segments: VecDeque<Segment>,
    /// Length of all of them.
    size: u64,
    /// The file that is appended to, the newest.
    writing: Option<u64>,
    /// Records that have not arrived.
    pending: u64,
    /// Those of them that were not read.
    unread: Waiting,
    /// When the first record that was not read was logged, or a bit before.
    oldest: UnixNanos,
    /// Nobody waits for the thread any more, and the files may be the next listener's: they are left alone.
    is_left: bool,
    /// Records that were in files which somebody has removed, and how often that was seen.
    removed: u64,
    removals: u64,
}

impl State {
    fn pop_front(&mut self) {
        if let Some(first) = self.segments.pop_front() {
            self.size -= first.len;
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Records that have not arrived.
    pub(super) fn pending(&self) -> u64 {
        self.state().pending
    }

    /// What waits to be read.
    pub(super) fn unread(&self) -> Waiting {
        self.state().unread
    }

    /// When the first record that was not read was logged, or a bit before; None where all were read.
    pub(super) fn oldest_unread(&self) -> Option<UnixNanos> {
        let state = self.state();
        (state.unread.records > 0).then_some(state.oldest)
    }

    /// Bytes that the files take.
    pub(super) fn size(&self) -> u64 {
        self.state().size
    }

    /// Records that were in files which somebody has removed.
    pub(super) fn removed(&self) -> u64 {
        self.state().removed
    }

    /// From now on the other side changes nothing any more.
    pub(super) fn leave(&self) {
        self.state().is_left = true;
    }

    fn path_of(&self, number: u64) -> PathBuf {
        path_of(&self.folder, number)
    }
}

/// What was found in the files of earlier processes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) records: u64,
    /// Bytes that are no record.
    pub(super) damaged: u64,
    /// Where files of which nothing is a record have been put aside.
    pub(super) put_aside: Vec<PathBuf>,
}

/// Opens the spool in this folder, which is made where it is missing, for its owner alone. What is found there has waited since `now`, on the monotonic
/// clock.
pub(super) fn open(folder: &Path, limit: u64, now: u64) -> io::Result<(Appender, Drain, Found)> {
    make(folder)?;
    let taken = lock_of(folder)?;
    let position = options().read(true).write(true).create(true).open(folder.join("position"))?;
    let (mut arrived, slot) = read_position(&position)?;
    let mut numbers: Vec<u64> =
        std::fs::read_dir(folder)?.filter_map(|entry| number_of(&entry.ok()?.file_name())).collect();
    numbers.sort_unstable();
    let mut found = Found::default();
    let mut state = State::default();
    let next = numbers.last().map_or(0, |last| last + 1).max(arrived.segment + 1);
    for number in numbers {
        let path = path_of(folder, number);
        let (whole, damaged) = if number < arrived.segment { (Vec::new(), 0) } else { scan(&path)? };
        if number == arrived.segment && !whole.iter().any(|(end, _)| *end == arrived.offset) {
            // No place between two records, so nobody knows: from its beginning.
            arrived.offset = 0;
        }
        let from = if number == arrived.segment { arrived.offset } else { 0 };
        let waiting = whole.iter().filter(|(end, _)| *end > from);
        let records = waiting.clone().count() as u64;
        found.damaged += damaged;
        let (Some((_, time)), Some((len, _))) = (waiting.clone().next(), whole.last()) else {
            if whole.is_empty() && damaged > 0 {
                found.put_aside.push(put_aside(&path)?);
            } else {
                std::fs::remove_file(&path)?;
            }
            continue;
        };
        if found.records == 0 {
            state.oldest = *time;
        }
        found.records += records;
        state.size += len;
        state.unread.bytes += len - from;
        state.segments.push_back(Segment { number, len: *len, records });
    }
    (state.pending, state.unread.records, state.unread.since) = (found.records, found.records, now);
    let read = match state.segments.front() {
        Some(first) if first.number == arrived.segment => arrived,
        Some(first) => Place { segment: first.number, offset: 0 },
        None => Place { segment: next, offset: 0 },
    };
    let shared = Arc::new(Shared { folder: folder.to_owned(), limit, state: Mutex::new(state) });
    Ok((Appender::new(Arc::clone(&shared), next, taken), Drain::new(shared, (position, slot), read), found))
}

/// Gives a file that nothing can be made of another name, for somebody to look at.
fn put_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = path.with_extension("damaged");
    std::fs::rename(path, &aside)?;
    Ok(aside)
}

/// Bytes that wait in a folder of which nothing is opened; none where another program has it.
pub(super) fn waiting_in(folder: &Path) -> io::Result<u64> {
    if !folder.join("lock").exists() || lock_of(folder).is_err() {
        return Ok(0);
    }
    let arrived = read_position(&options().read(true).open(folder.join("position"))?)?.0;
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Some(number) = number_of(&entry.file_name()) else { continue };
        bytes += arrived.bytes_behind(number, entry.metadata()?.len());
    }
    Ok(bytes)
}

fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Makes the names of the files in this folder durable, and those of the folders above that may be new.
fn sync_names(folder: &Path, all: bool) -> io::Result<()> {
    // Its own name, and that of the folder of all spools.
    let count = if all { 3 } else { 1 };
    folder.ancestors().take(count).try_for_each(|folder| File::open(folder)?.sync_all())
}

/// The file by whose lock the spool belongs to one program: two that keep apart may have the same log folder.
fn lock_of(folder: &Path) -> io::Result<FileLock> {
    let file = options().write(true).create(true).open(folder.join("lock"))?;
    FileLock::take(file)?.ok_or_else(|| {
        io::Error::new(io::ErrorKind::ResourceBusy, "another program with this log folder has it")
    })
}

#[cfg(test)]
mod tests;
