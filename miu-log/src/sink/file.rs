//! The file sink: appends lines to one log file.
//!
//! W1. Lines are written whole and in order. After a short write the rest follows; after an error in
//!     the middle of a line the sink keeps that line and writes its rest before anything else, so that
//!     no half line is ever joined to another.
//!     A half line that others left at the end of the file is ended first, with the first record.
//! W2. A record is in the file once: an error says exactly how many records of the batch the file
//!     holds (the torn line, which the sink owes, counts as one of them).
//! W3. The sink follows no link and waits at no open (`folder`). It takes nothing out of a file, but for
//!     its own half of a line that cannot be finished at the end.
//! W4. Records that went into a file after it was deleted are counted as lost: those since the last look at
//!     which it still had its name. A file that was renamed keeps what it got.
//! W5. A file is rotated between two records only, when no torn line is owed, and its new name is nobody
//!     else's. Where that cannot be done it is told, and the file goes on as it is (`rotating`).
//!
//! The sink keeps no batch: records it could not write stay with the router, which offers them again.
//! Called by the router only; made by `config::files`.

mod rotating;

use std::fs::File;
use std::io;
use std::time::{Duration, Instant, UNIX_EPOCH};

use rustix::io::Errno;
use rustix::process::Resource;

use super::{Batch, FilePosition, Rotate, Run, Sink, SinkError};
use crate::folder::{Folder, FolderRemoved};
use crate::record::UnixNanos;
pub(crate) use rotating::Plan;

/// Most bytes that one write hands to the system.
const PIECE: usize = 256 * 1024;

/// How often EINTR or EAGAIN in a row are answered by trying again at once. A regular file gives
/// neither in practice; the bound is there so that a strange file system cannot hold the listener.
const PATIENCE: usize = 1000;

/// Appends lines to one log file.
///
/// - **When its queue is full:** it has none; the listener writes directly. A write to a regular file
///   goes to the page cache.
/// - **When the destination fails** (disk full, read-only, no file descriptor, removed): the error is
///   reported as one to retry. The router keeps up to 4 MiB of lines, and 1 MiB more for ERROR and
///   CRITICAL, tries again every second, and counts what it has to drop. A file that was removed or
///   renamed is noticed within a second and made anew.
/// - **Durability:** after `write` the lines are with the operating system, and survive the death of
///   the process; after `sync` they survive a loss of power.
#[derive(Debug)]
pub(crate) struct FileSink<P: Place = LogFolder> {
    place: P,
    plan: Plan,
    /// Name of the file that is open, or was last.
    name: String,
    /// Whether it is the first file of this run: one that is there may be rotated at the start.
    is_first: bool,
    /// Until the next look a file that could not be rotated is left as it is.
    deferred: bool,
    /// Whether the link to the current file is made.
    is_linked: bool,
    /// Names of former files that a checkpoint still needs.
    retired: Vec<String>,
    file: Option<Open<P::File>>,
    /// Whether the file was taken away and could not be made anew yet.
    is_missing: bool,
    /// A line of which the file holds a part only.
    owed: Option<Owed>,
    /// Owed lines that were given up at the end, and records in files that were deleted.
    lost: u64,
    /// Records that were written since the file was last seen under its name.
    unseen: u64,
}

#[derive(Debug)]
struct Open<F> {
    file: F,
    dev: u64,
    ino: u64,
    /// Length of the file as far as this sink knows; looked up again after errors and at each tick.
    len: u64,
    /// Length at the last `sync` that worked, or at the opening.
    synced: u64,
    /// When it was begun, and the time of its last line.
    begun: UnixNanos,
    last: UnixNanos,
    /// When it is to be rotated, and when its dated name may be another.
    due: Option<UnixNanos>,
    turn: Option<UnixNanos>,
    /// Whether the end of the file may be a half line that this sink did not write: it is looked at before
    /// the next line.
    strange_end: bool,
}

#[derive(Debug)]
struct Owed {
    line: Vec<u8>,
    /// How much of the line is in the file.
    sent: usize,
    /// Device and number of that file, and its length then.
    home: (u64, u64),
    home_len: u64,
}

/// What is known of a file from its descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    dev: u64,
    ino: u64,
    len: u64,
    /// It has no name any more: what is in it is gone when it is closed.
    deleted: bool,
    /// When it was written last.
    modified: UnixNanos,
}

/// Where a file sink finds its files: the log folder, or a double in tests.
pub(crate) trait Place: Send {
    type File: Append;

    /// Opens the file for appending; makes it where it is missing. With a mode it has this one then.
    fn open(&mut self, name: &str, mode: Option<u32>) -> io::Result<Self::File>;

    /// Device and number of the file that has the name now; none where there is no such file.
    fn occupant(&mut self, name: &str) -> Result<Option<(u64, u64)>, Errno>;

    /// Last byte of the file of that name, if it is the one with this device and number, and can be read.
    fn last_byte(&mut self, name: &str, identity: (u64, u64)) -> Option<u8>;

    /// Gives a file another name, which nothing else may have.
    fn rename(&mut self, from: &str, to: &str) -> Result<(), Errno>;

    /// All names in the folder.
    fn names(&mut self) -> Result<Vec<String>, Errno>;

    /// Has a symbolic link lead to a file, unless its name is that of something else.
    fn link(&mut self, name: &str, target: &str) -> Result<(), Errno>;

    /// Path of a file, for messages.
    fn describe(&self, name: &str) -> String;
}

/// The system calls on an open log file.
pub(crate) trait Append: Send {
    fn append(&mut self, bytes: &[u8]) -> Result<usize, Errno>;
    fn sync(&mut self) -> Result<(), Errno>;
    fn facts(&mut self) -> Result<Facts, Errno>;

    /// When the file was made, where that is known.
    fn made(&mut self) -> Option<UnixNanos>;

    /// Says of the file that it was written last at this time.
    fn date(&mut self, time: UnixNanos);

    /// Cuts the file to a length.
    fn cut(&mut self, len: u64) -> Result<(), Errno>;
}

/// The log folder as the place of log files.
#[derive(Debug)]
pub(crate) struct LogFolder(Folder);

impl Place for LogFolder {
    type File = File;

    fn open(&mut self, name: &str, mode: Option<u32>) -> io::Result<File> {
        self.0.open_log(name, mode)
    }

    fn occupant(&mut self, name: &str) -> Result<Option<(u64, u64)>, Errno> {
        match self.0.stat(name) {
            Ok(stat) => Ok(Some((stat.st_dev, stat.st_ino))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    fn last_byte(&mut self, name: &str, identity: (u64, u64)) -> Option<u8> {
        self.0.last_byte(name, identity)
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), Errno> {
        self.0.rename(from, to)
    }

    fn names(&mut self) -> Result<Vec<String>, Errno> {
        self.0.names()
    }

    fn link(&mut self, name: &str, target: &str) -> Result<(), Errno> {
        self.0.link(name, target)
    }

    fn describe(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}

impl Append for File {
    fn append(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        rustix::io::write(&*self, bytes)
    }

    fn sync(&mut self) -> Result<(), Errno> {
        rustix::fs::fdatasync(&*self)
    }

    fn facts(&mut self) -> Result<Facts, Errno> {
        let stat = rustix::fs::fstat(&*self)?;
        Ok(Facts {
            dev: stat.st_dev,
            ino: stat.st_ino,
            len: u64::try_from(stat.st_size).unwrap_or(0),
            deleted: stat.st_nlink == 0,
            modified: stat
                .st_mtime
                .saturating_mul(1_000_000_000)
                .saturating_add(stat.st_mtime_nsec.cast_signed()),
        })
    }

    fn made(&mut self) -> Option<UnixNanos> {
        let made = self.metadata().ok()?.created().ok()?;
        i64::try_from(made.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok()
    }

    fn date(&mut self, time: UnixNanos) {
        let Ok(since_1970) = u64::try_from(time) else { return };
        // A file with another date is rotated by that one, no more.
        let _ = self.set_modified(UNIX_EPOCH + Duration::from_nanos(since_1970));
    }

    fn cut(&mut self, len: u64) -> Result<(), Errno> {
        rustix::fs::ftruncate(&*self, len)
    }
}

impl FileSink {
    /// A sink whose file is opened now, and made where it is missing. One with a dated name comes with its first record, in
    /// any case.
    ///
    /// # Errors
    ///
    /// Those of [`Folder::open_log`].
    pub(crate) fn open(folder: &Folder, plan: Plan) -> io::Result<FileSink> {
        let mut sink = FileSink::lazy(folder, plan);
        if !sink.plan.naming.is_dated() {
            sink.file = Some(sink.opened()?);
        }
        Ok(sink)
    }

    /// A sink whose file is opened, and made where it is missing, with the first record.
    pub(crate) fn lazy(folder: &Folder, plan: Plan) -> FileSink {
        FileSink::at(LogFolder(folder.clone()), plan)
    }
}

impl<P: Place> FileSink<P> {
    fn at(place: P, plan: Plan) -> FileSink<P> {
        // A dated name is set right with the first record. Until then the file of this time is in use all the same, which an earlier run may
        // have made: the upkeep must not take it for a rotated one.
        let name = plan.naming.current(plan.opened);
        plan.in_use.add(&name);
        let mut sink = FileSink {
            place,
            plan,
            name,
            is_first: true,
            deferred: false,
            is_linked: false,
            retired: Vec::new(),
            file: None,
            is_missing: false,
            owed: None,
            lost: 0,
            unseen: 0,
        };
        sink.show_found();
        sink
    }

    fn opened(&mut self) -> io::Result<Open<P::File>> {
        let mut file = self.place.open(&self.name, self.plan.mode)?;
        let Facts { dev, ino, len, modified, .. } = file.facts()?;
        let made = if len == 0 { None } else { file.made() };
        let begun = made.map_or(modified, |made| made.min(modified));
        let mut open = Open {
            file,
            dev,
            ino,
            len,
            synced: len,
            begun,
            last: modified,
            due: None,
            turn: None,
            strange_end: true,
        };
        self.plan.set_times(&mut open);
        Ok(open)
    }

    /// Opens the file where it is not open.
    fn ready(&mut self) -> Result<(), SinkError> {
        if self.file.is_none() {
            let open = self.opened().map_err(|error| {
                let removed = FolderRemoved::caused(&error);
                SinkError::retryable(error.to_string(), 0).with_folder_removed(removed)
            })?;
            self.file = Some(open);
            self.is_missing = false;
        }
        Ok(())
    }

    /// Replaces the descriptor, if the name can be opened: the old one may never work again.
    fn renew(&mut self) {
        if let Ok(open) = self.opened() {
            // Counted; the fault that led here is told.
            let _ = self.leave_deleted();
            self.file = Some(open);
        }
    }

    /// Ends a half line that others left at the end of the file: a crash, or somebody's editor.
    fn end_strange_line(&mut self) -> Result<(), SinkError> {
        let Some(open) = &mut self.file else { return Ok(()) };
        if !open.strange_end {
            return Ok(());
        }
        open.measure();
        // A file whose end cannot be read is written to as it is.
        let last = if open.len == 0 { None } else { self.place.last_byte(&self.name, (open.dev, open.ino)) };
        if last.is_some_and(|byte| byte != b'\n')
            && let (_, Err(errno)) = open.put(b"\n")
        {
            return Err(self.failed("write to", errno, 0));
        }
        open.strange_end = false;
        Ok(())
    }

    /// Writes the rest of a torn line, if there is one.
    fn settle(&mut self) -> Result<(), SinkError> {
        if self.owed.is_none() {
            return Ok(());
        }
        self.ready()?;
        let (Some(open), Some(owed)) = (&mut self.file, &mut self.owed) else { return Ok(()) };
        open.measure();
        if owed.home != (open.dev, open.ino) || open.len < owed.home_len {
            // Another file, or one that was cut meanwhile: what had been written of the line is not there.
            owed.sent = 0;
        }
        if owed.sent == 0 {
            self.end_strange_line()?;
        }
        let (Some(open), Some(owed)) = (&mut self.file, &mut self.owed) else { return Ok(()) };
        let (sent, result) = open.put(&owed.line[owed.sent..]);
        owed.sent += sent;
        owed.home = (open.dev, open.ino);
        owed.home_len = open.len;
        match result {
            Ok(()) => {
                open.strange_end = false;
                self.owed = None;
                Ok(())
            }
            Err(errno) => Err(self.failed("write to", errno, 0)),
        }
    }

    /// Takes the part of a line that will never be finished out of the file again, so that whoever
    /// opens it next does not join a line to it. Only where that part is still the end of the file.
    fn retract(&mut self, owed: &Owed) {
        if let Some(open) = &mut self.file {
            open.measure();
            if owed.home == (open.dev, open.ino) && owed.home_len == open.len {
                // Where even that fails, the half line stays; the error of the write has been told.
                let _ = open.file.cut(open.len - owed.sent as u64);
                open.measure();
            }
        }
    }

    /// Writes a run of lines. On an error the line that was torn, if any, becomes the owed one.
    fn write_run(&mut self, run: Run<'_>) -> Result<(), (usize, Errno)> {
        let Some(open) = &mut self.file else { return Err((0, Errno::BADF)) };
        let (sent, result) = open.put(run.text);
        result.map_err(|errno| {
            let (whole, end) = run.whole(sent);
            if sent == end {
                return (whole, errno);
            }
            let line = run.line(whole, end).to_vec();
            self.owed = Some(Owed { line, sent: sent - end, home: (open.dev, open.ino), home_len: open.len });
            (whole + 1, errno)
        })
    }

    /// Counts what a file has got that was deleted meanwhile (W4), and says so. A torn line is not among it: it goes whole
    /// into the next file.
    fn leave_deleted(&mut self) -> Option<SinkError> {
        let open = self.file.as_mut()?;
        if !open.file.facts().is_ok_and(|facts| facts.deleted) {
            return None;
        }
        let lost = self.unseen - u64::from(self.owed.is_some()).min(self.unseen);
        self.lost += lost;
        self.unseen = 0;
        (lost > 0).then(|| {
            let text = format!(
                "{} was deleted; {lost} of the records written to it since it was last seen are lost with it",
                self.place.describe(&self.name)
            );
            SinkError::fatal(text, 0)
        })
    }

    fn failed(&self, deed: &str, errno: Errno, delivered: usize) -> SinkError {
        let text = format!("cannot {deed} {}: {errno}", self.place.describe(&self.name));
        SinkError::retryable(text, delivered).with_source(io::Error::from(errno))
    }
}

impl<F: Append> Open<F> {
    /// Writes bytes to the end, or as many of them as can be written.
    fn put(&mut self, bytes: &[u8]) -> (usize, Result<(), Errno>) {
        let mut sent = 0;
        let mut patience = PATIENCE;
        while sent < bytes.len() {
            let piece = &bytes[sent..bytes.len().min(sent + PIECE)];
            // Past RLIMIT_FSIZE the system does not only refuse, it kills by SIGXFSZ: never get there.
            let limit = rustix::process::getrlimit(Resource::Fsize).current;
            if limit.is_some_and(|limit| self.len >= limit) {
                self.measure();
                return (sent, Err(Errno::FBIG));
            }
            match self.file.append(piece) {
                Ok(0) => return (sent, Err(Errno::IO)),
                Ok(count) => {
                    let count = count.min(piece.len());
                    sent += count;
                    self.len += count as u64;
                    patience = PATIENCE;
                }
                Err(Errno::INTR | Errno::AGAIN) if patience > 0 => patience -= 1,
                Err(errno) => {
                    self.measure();
                    return (sent, Err(errno));
                }
            }
        }
        (sent, Ok(()))
    }

    /// Looks the length up: others may have cut or extended the file.
    fn measure(&mut self) {
        if let Ok(facts) = self.file.facts() {
            self.strange_end |= facts.len < self.len;
            self.len = facts.len;
            self.synced = self.synced.min(facts.len);
        }
    }
}

impl<P: Place> Sink for FileSink<P> {
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.ready()?;
        self.settle()?;
        self.end_strange_line()?;
        let mut delivered = 0;
        for run in batch.runs() {
            match self.write_run(run) {
                Ok(()) => {
                    self.note_last(run, run.entries.len());
                    delivered += run.entries.len();
                    self.unseen += run.entries.len() as u64;
                }
                Err((whole, errno)) => {
                    self.note_last(run, whole);
                    self.unseen += whole as u64;
                    let error = self.failed("write to", errno, delivered + whole);
                    if matches!(errno, Errno::IO | Errno::BADF | Errno::STALE | Errno::NODEV) {
                        self.renew();
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        if self.is_missing {
            self.ready()?;
        }
        self.settle()
    }

    fn sync(&mut self) -> Result<(), SinkError> {
        self.settle()?;
        let Some(open) = &mut self.file else { return Ok(()) };
        loop {
            match open.file.sync() {
                Ok(()) => {
                    open.synced = open.len;
                    return Ok(());
                }
                Err(Errno::INTR) => {}
                // After a failed sync the system has forgotten which pages were dirty: a second one that
                // works proves nothing. So the range is named, once, and the file opened anew.
                Err(errno) => {
                    let (from, to) = (open.synced, open.len);
                    self.renew();
                    let text = format!(
                        "cannot make {} durable: {errno}; bytes {from} to {to} may be lost with the power",
                        self.place.describe(&self.name)
                    );
                    return Err(SinkError::fatal(text, 0).with_source(io::Error::from(errno)));
                }
            }
        }
    }

    fn close(&mut self, _deadline: Instant) -> Result<(), SinkError> {
        let result = self.settle();
        if result.is_err()
            && let Some(owed) = self.owed.take()
        {
            self.lost += 1;
            self.retract(&owed);
        }
        self.date();
        result
    }

    /// Finds out whether the file was removed, renamed or cut, so that lines do not go for long into a
    /// file that has no name.
    fn tick(&mut self) -> Result<(), SinkError> {
        self.deferred = false;
        let Some(open) = &mut self.file else { return self.flush() };
        open.measure();
        let identity = (open.dev, open.ino);
        match self.place.occupant(&self.name) {
            Ok(Some(occupant)) if occupant == identity => {
                self.unseen = 0;
                self.settle()
            }
            Ok(_) => {
                // A line that was begun in the old file is finished there, if that is possible and of use.
                let gone = self.leave_deleted();
                let settled = if gone.is_some() { Ok(()) } else { self.settle() };
                // Not a moment longer: what is written to a file without a name is lost.
                self.file = None;
                self.is_missing = true;
                self.unseen = 0;
                settled.and_then(|()| self.ready())?;
                gone.map_or(Ok(()), Err)
            }
            Err(errno) => Err(self.failed("look up", errno, 0)),
        }
    }

    fn lost(&self) -> u64 {
        self.lost
    }

    fn prepare(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        self.prepare_for(batch)
    }

    fn quota(&self, batch: &Batch<'_>) -> usize {
        self.belonging(batch)
    }

    fn rotate(&mut self, now: UnixNanos, ask: Rotate) -> Result<bool, SinkError> {
        self.rotate_if(now, ask)
    }

    fn settled(&mut self) {
        self.release_retired();
    }

    fn forget(&mut self) {
        self.owed = None;
    }

    fn is_log_file(&self) -> bool {
        true
    }

    fn owed(&self) -> Option<&[u8]> {
        self.owed.as_ref().map(|owed| &*owed.line)
    }

    fn file_position(&self) -> Option<FilePosition> {
        let open = self.file.as_ref()?;
        let torn = self.owed.as_ref().map_or(0, |owed| owed.sent as u64);
        let len = open.len.saturating_sub(torn);
        Some(FilePosition { dev: open.dev, ino: open.ino, len, torn: self.owed.is_some() })
    }

    fn file_name(&self) -> Option<&str> {
        Some(&self.name)
    }
}

#[cfg(test)]
mod rotating_tests;
#[cfg(test)]
mod tests;
