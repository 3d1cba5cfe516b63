//! The side that appends: the listener's.

use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::fstat;

use super::format::{encode, options};
use super::{CHUNK, SEGMENT, Segment, Shared, Waiting, make, sync_names};
use crate::runtime::FileLock;
use crate::sink::Batch;

/// See the module above.
#[derive(Debug)]
pub(in super::super) struct Appender {
    shared: Arc<Shared>,
    /// The newest file, if it is one of this process.
    writer: Option<File>,
    /// The number of the next file.
    next: u64,
    buffer: Vec<u8>,
    /// What `take_removed` tells.
    removed: Option<u64>,
    /// Whether a file has to be durable when it is left.
    pub(in super::super) is_durable: bool,
    /// Up to where the newest file is durable.
    synced: u64,
    /// Whether its name is, and those of the folders that it is in.
    is_named: bool,
    are_folders_named: bool,
    /// What `take_unsynced` tells.
    unsynced: Vec<Unsynced>,
    /// Given back when the listener is done, whatever the other side still does.
    _taken: FileLock,
}

/// Why a record was not appended.
#[derive(Debug)]
pub(in super::super) enum Refusal {
    /// The bound is reached.
    Full,
    Io(io::Error),
}

/// What may be lost with the power.
#[derive(Debug)]
pub(in super::super) struct Unsynced {
    path: PathBuf,
    from: u64,
    to: u64,
    error: io::Error,
}

impl fmt::Display for Unsynced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unsynced { path, from, to, error } = self;
        write!(f, "cannot make {path:?} durable: {error}; bytes {from} to {to} may be lost with the power")
    }
}

impl Appender {
    pub(super) fn new(shared: Arc<Shared>, next: u64, taken: FileLock) -> Appender {
        Appender {
            shared,
            writer: None,
            next,
            buffer: Vec::new(),
            removed: None,
            is_durable: false,
            synced: 0,
            is_named: false,
            are_folders_named: false,
            unsynced: Vec::new(),
            _taken: taken,
        }
    }

    /// Makes durable what was appended to the newest file, if any of it still waits: all files before it are, where `is_durable`. What cannot be made so is told
    /// once, and that file gets nothing more: the system has forgotten what it could not write.
    pub(in super::super) fn sync(&mut self) -> Result<(), Unsynced> {
        let (number, to, pending) = {
            let state = self.shared.state();
            let last = state.segments.back().map(|last| (last.number, last.len));
            (last.map_or(0, |it| it.0), last.map_or(0, |it| it.1), state.pending)
        };
        let Some(writer) = self.writer.as_ref().filter(|_| pending > 0 && to > self.synced) else {
            return Ok(());
        };
        let mut synced = writer.sync_data();
        if synced.is_ok() && !self.is_named {
            synced = sync_names(&self.shared.folder, !self.are_folders_named);
        }
        match synced {
            Ok(()) => {
                self.synced = to;
                (self.is_named, self.are_folders_named) = (true, true);
                Ok(())
            }
            Err(error) => {
                let (path, from) = (self.shared.path_of(number), self.synced);
                self.end_file();
                Err(Unsynced { path, from, to, error })
            }
        }
    }

    /// Up to where the newest file is durable.
    #[cfg(test)]
    pub(super) fn synced(&self) -> u64 {
        self.synced
    }

    /// What could not be made durable when its file was left, since the last time it was asked.
    pub(in super::super) fn take_unsynced(&mut self) -> Vec<Unsynced> {
        std::mem::take(&mut self.unsynced)
    }

    /// Appends no more to the present file, and makes it durable if it has to be.
    fn leave_file(&mut self) {
        if self.is_durable
            && let Err(unsynced) = self.sync()
        {
            self.unsynced.push(unsynced);
        }
        self.end_file();
    }

    /// Whether files were removed under it since the last time it was asked, and how many records are gone with them.
    pub(in super::super) fn take_removed(&mut self) -> Option<u64> {
        self.removed.take()
    }

    /// Where somebody has removed the file that is appended to, all is begun anew: what was not read is gone.
    fn notice_removal(&mut self) {
        let is_there = |file: &File| fstat(file).is_ok_and(|stat| stat.st_nlink > 0);
        if self.writer.as_ref().is_none_or(is_there) {
            return;
        }
        self.writer = None;
        let mut state = self.shared.state();
        let gone = state.unread.records;
        state.segments.clear();
        state.pending = state.pending.saturating_sub(gone);
        (state.size, state.writing, state.unread) = (0, None, Waiting::default());
        state.removed += gone;
        state.removals += 1;
        drop(state);
        self.removed = Some(self.removed.unwrap_or(0) + gone);
    }

    /// What both sides know.
    pub(in super::super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The length at which a file is long enough.
    fn segment(&self) -> u64 {
        SEGMENT.min(self.shared.limit / 8)
    }

    /// Appends as many of these as there is room for, at this time of the monotonic clock; says how many, and why no more.
    pub(in super::super) fn append(&mut self, batch: &Batch<'_>, now: u64) -> (usize, Option<Refusal>) {
        self.notice_removal();
        let mut taken = 0;
        let mut lines = batch.iter().peekable();
        while let Some(first) = lines.peek() {
            let time = first.unix_nanos();
            let (used, room) = match self.writable() {
                Ok(found) => found,
                Err(error) => return (taken, Some(Refusal::Io(error))),
            };
            self.buffer.clear();
            let mut count = 0;
            while let Some(line) = lines.peek() {
                let before = self.buffer.len();
                encode(line, &mut self.buffer);
                if self.buffer.len() as u64 > room {
                    self.buffer.truncate(before);
                    break;
                }
                count += 1;
                lines.next();
                if used + self.buffer.len() as u64 >= self.segment() {
                    break;
                }
            }
            if count == 0 {
                return (taken, Some(Refusal::Full));
            }
            if let Some(writer) = &mut self.writer
                && let Err(error) = writer.write_all(&self.buffer)
            {
                // Half a record may stand there now, so the file ends here; what follows goes into another one. Where that fails as
                // well the checksum tells. A file that is empty again is gone on with: a fault that lasts leaves no trail of them.
                let is_empty = writer.set_len(used).is_ok() && used == 0;
                if !is_empty {
                    self.leave_file();
                }
                return (taken, Some(Refusal::Io(error)));
            }
            let (len, count) = (self.buffer.len() as u64, count as u64);
            let mut state = self.shared.state();
            state.size += len;
            state.pending += count;
            if state.unread.records == 0 {
                (state.unread.since, state.oldest) = (now, time);
            }
            state.unread.records += count;
            state.unread.bytes += len;
            if let Some(segment) = state.segments.back_mut() {
                segment.len += len;
                segment.records += count;
            }
            taken += count as usize;
        }
        (taken, None)
    }

    /// Appends no more to the present file.
    fn end_file(&mut self) {
        self.writer = None;
        self.shared.state().writing = None;
    }

    /// Sees to it that there is a file that can be written to. How long it is, and how many bytes all files may grow by.
    fn writable(&mut self) -> io::Result<(u64, u64)> {
        let limit = self.shared.limit;
        let segment = self.segment();
        let mut done = Vec::new();
        {
            let mut state = self.shared.state();
            let used = state.segments.back().map_or(0, |last| last.len);
            let is_done = state.pending == 0 && used >= CHUNK.min(segment);
            if self.writer.is_some() && used < segment && !is_done {
                return Ok((used, limit.saturating_sub(state.size)));
            }
            if state.pending == 0 {
                // All has arrived, and that has been written down.
                done.extend(state.segments.drain(..).map(|segment| segment.number));
                state.size = 0;
            }
        }
        self.leave_file();
        for number in done {
            // One that stays is removed by the next start.
            let _ = std::fs::remove_file(self.shared.path_of(number));
        }
        let number = self.next;
        let create = || options().append(true).create_new(true).open(self.shared.path_of(number));
        let file = match create() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.are_folders_named = false;
                make(&self.shared.folder)?;
                create()?
            }
            created => created?,
        };
        self.next += 1;
        self.writer = Some(file);
        (self.synced, self.is_named) = (0, false);
        let mut state = self.shared.state();
        state.writing = Some(number);
        state.segments.push_back(Segment { number, len: 0, records: 0 });
        Ok((0, limit.saturating_sub(state.size)))
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        self.end_file();
    }
}
