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
//!
//! The sink keeps no batch: records it could not write stay with the router, which offers them again.
//! Called by the router only; made by `router::standard_slots`.

use std::fs::File;
use std::io;
use std::time::Instant;

use rustix::io::Errno;
use rustix::process::Resource;

use super::{Batch, FilePosition, Run, Sink, SinkError};
use crate::folder::{Folder, FolderRemoved};

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
pub(crate) struct FileSink<P: Place = LogFile> {
    place: P,
    file: Option<Open<P::File>>,
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
}

/// Where a file sink finds its file: the file system, or a double in tests.
pub(crate) trait Place: Send {
    type File: Append;

    /// Opens the file for appending; makes it where it is missing.
    fn open(&mut self) -> io::Result<Self::File>;

    /// Device and number of the file that has the name now; none where there is no such file.
    fn occupant(&mut self) -> Result<Option<(u64, u64)>, Errno>;

    /// Last byte of the file of that name, if it is the one with this device and number, and can be read.
    fn last_byte(&mut self, identity: (u64, u64)) -> Option<u8>;

    /// Path of the file, for messages.
    fn describe(&self) -> String;
}

/// The system calls on an open log file.
pub(crate) trait Append: Send {
    fn append(&mut self, bytes: &[u8]) -> Result<usize, Errno>;
    fn sync(&mut self) -> Result<(), Errno>;
    fn facts(&mut self) -> Result<Facts, Errno>;

    /// Cuts the file to a length.
    fn cut(&mut self, len: u64) -> Result<(), Errno>;
}

/// A log file's place in the log folder.
#[derive(Debug)]
pub(crate) struct LogFile {
    folder: Folder,
    name: String,
}

impl Place for LogFile {
    type File = File;

    fn open(&mut self) -> io::Result<File> {
        self.folder.open_log(&self.name)
    }

    fn occupant(&mut self) -> Result<Option<(u64, u64)>, Errno> {
        match self.folder.stat(&self.name) {
            Ok(stat) => Ok(Some((stat.st_dev, stat.st_ino))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    fn last_byte(&mut self, identity: (u64, u64)) -> Option<u8> {
        self.folder.last_byte(&self.name, identity)
    }

    fn describe(&self) -> String {
        self.folder.path().join(&self.name).display().to_string()
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
        })
    }

    fn cut(&mut self, len: u64) -> Result<(), Errno> {
        rustix::fs::ftruncate(&*self, len)
    }
}

impl FileSink {
    /// A sink whose file is opened now, and made where it is missing.
    ///
    /// # Errors
    ///
    /// Those of [`Folder::open_log`].
    pub(crate) fn open(folder: &Folder, name: &str) -> io::Result<FileSink> {
        let mut sink = FileSink::lazy(folder, name);
        sink.file = Some(sink.opened()?);
        Ok(sink)
    }

    /// A sink whose file is opened, and made where it is missing, with the first record.
    pub(crate) fn lazy(folder: &Folder, name: &str) -> FileSink {
        FileSink::at(LogFile { folder: folder.clone(), name: name.to_owned() })
    }
}

impl<P: Place> FileSink<P> {
    fn at(place: P) -> FileSink<P> {
        FileSink { place, file: None, owed: None, lost: 0, unseen: 0 }
    }

    fn opened(&mut self) -> io::Result<Open<P::File>> {
        let mut file = self.place.open()?;
        let Facts { dev, ino, len, .. } = file.facts()?;
        Ok(Open { file, dev, ino, len, synced: len, strange_end: true })
    }

    /// Opens the file where it is not open.
    fn ready(&mut self) -> Result<(), SinkError> {
        if self.file.is_none() {
            let open = self.opened().map_err(|error| {
                let removed = FolderRemoved::caused(&error);
                SinkError::retryable(error.to_string(), 0).with_folder_removed(removed)
            })?;
            self.file = Some(open);
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
        let last = if open.len == 0 { None } else { self.place.last_byte((open.dev, open.ino)) };
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
                self.place.describe()
            );
            SinkError::fatal(text, 0)
        })
    }

    fn failed(&self, deed: &str, errno: Errno, delivered: usize) -> SinkError {
        let text = format!("cannot {deed} {}: {errno}", self.place.describe());
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
                    delivered += run.entries.len();
                    self.unseen += run.entries.len() as u64;
                }
                Err((whole, errno)) => {
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
                        self.place.describe()
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
        result
    }

    /// Finds out whether the file was removed, renamed or cut, so that lines do not go for long into a
    /// file that has no name.
    fn tick(&mut self) -> Result<(), SinkError> {
        let Some(open) = &mut self.file else { return self.settle() };
        open.measure();
        let identity = (open.dev, open.ino);
        match self.place.occupant() {
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

    fn prepare(&mut self) -> Result<(), SinkError> {
        self.ready()
    }

    fn forget(&mut self) {
        self.owed = None;
    }

    fn file_position(&self) -> Option<FilePosition> {
        let open = self.file.as_ref()?;
        let torn = self.owed.as_ref().map_or(0, |owed| owed.sent as u64);
        let len = open.len.saturating_sub(torn);
        Some(FilePosition { dev: open.dev, ino: open.ino, len, torn: self.owed.is_some() })
    }
}

#[cfg(test)]
mod tests;
