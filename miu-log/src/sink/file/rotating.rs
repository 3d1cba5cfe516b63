//! When a file sink goes on in another file, and how it gets there.
//!
//! A rotation is one rename: the file, which is complete, gets the name of a rotated one, and the next one is made under the name that is free
//! then. A dated file whose time is over keeps its name. Between the two steps, and after them, a crash leaves files that are whole: the
//! checkpoint names them by device and number, and they are found under either name.
//!
//! A file is not compressed or deleted before [`release_retired`](FileSink::release_retired) has said that no checkpoint needs it any more.

use std::fmt;
use std::sync::Arc;

use rustix::io::Errno;

use super::{Append, FileSink, Open, Place};
use crate::failpoint;
use crate::record::UnixNanos;
use crate::rotate::naming::{InUse, Naming, Unit};
use crate::rotate::{Compression, Schedule};
use crate::sink::{Batch, Rotate, Run, SinkError};
use crate::zone::Zone;

/// How late a file that gets no records is rotated: those that were logged before its time may still be on their way.
const GRACE: UnixNanos = 1_000_000_000;

/// A file whose date is off by more than this is given the date of its last line: it is what decides about its rotation after a restart.
const DATE_TOLERANCE: UnixNanos = 2_000_000_000;

/// How much older the last line of a file may be than that of the one before, for its name to be made by that one.
const LONGEST_DISORDER: UnixNanos = 3_600_000_000_000;

/// Names that are tried for a rotated file, while somebody else takes them.
const ATTEMPTS: u32 = 100;

/// What a log file is called, when it is rotated, and what mode it has.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) naming: Naming,
    pub(crate) schedule: Schedule,
    pub(crate) zone: Zone,
    /// When the repository is opened: the file that has the name of this time is the current one, though its first record is still to come.
    pub(crate) opened: UnixNanos,
    /// None: as the umask says, and never wider than 0640.
    pub(crate) mode: Option<u32>,
    /// Whether a file has to be durable when it is left.
    pub(crate) is_durable: bool,
    pub(crate) in_use: InUse,
    /// Whether a link leads to the current file, where its name is dated: not if another log file has the link's name.
    pub(crate) has_link: bool,
    /// Called when there is a rotated file that may be compressed or deleted.
    pub(crate) rotated: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("naming", &self.naming)
            .field("schedule", &self.schedule)
            .finish_non_exhaustive()
    }
}

impl Plan {
    /// Sets when the file has to be left.
    pub(super) fn set_times<F>(&self, open: &mut Open<F>) {
        open.due = self.schedule.due(&self.zone, open.begun, open.last);
        open.turn = self.naming.unit().map(|unit| Schedule::turn(&self.zone, unit, open.last));
    }

    /// Whether the file's time is over.
    fn is_over<F>(&self, open: &Open<F>, name: &str, now: UnixNanos) -> bool {
        if open.due.is_some_and(|due| now >= due) {
            return true;
        }
        // A name that comes again every hour is another file's then; one of a month lasts longer than a day.
        open.turn.is_some_and(|turn| now >= turn)
            && (self.naming.unit() < Some(Unit::Day) || self.naming.current(now) != name)
    }
}

impl<P: Place> FileSink<P> {
    /// Opens the file that the first record goes into.
    pub(super) fn prepare_for(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        let Some(first) = batch.entries.first() else {
            // The rest of a torn line is to be written.
            let _ = self.ready();
            return Ok(());
        };
        if self.file.is_none() {
            self.rename_to(self.plan.naming.current(first.time));
        }
        // What stands in the way is said by `write`.
        if self.ready().is_err() {
            return Ok(());
        }
        let mut result = Ok(());
        let is_first = std::mem::take(&mut self.is_first);
        if let Some(open) = &mut self.file
            && open.len > 0
            && !self.deferred
        {
            let grown = open.len.saturating_add(u64::from(first.end - first.start));
            if self.plan.is_over(open, &self.name, first.time)
                || self.plan.schedule.size.is_some_and(|most| grown > most)
                || (is_first && self.plan.schedule.on_start)
            {
                result = self.turn_to(first.time);
                let _ = self.ready();
            } else if open.turn.is_some_and(|turn| first.time >= turn) {
                // The name stays what it is: the next time that it may not.
                open.last = first.time;
                self.plan.set_times(open);
            }
        } else if let Some(open) = &self.file
            && open.len == 0
        {
            let name = self.plan.naming.current(first.time);
            if name != self.name {
                // It was opened for a time in which nothing came.
                self.file = None;
                self.rename_to(name);
                let _ = self.ready();
            }
        }
        if let Some(open) = &mut self.file
            && open.len == 0
        {
            (open.begun, open.last) = (first.time, first.time);
            self.plan.set_times(open);
        }
        self.show_current();
        result
    }

    /// How many records belong into the file that is open.
    pub(super) fn belonging(&self, batch: &Batch<'_>) -> usize {
        let entries = batch.entries;
        let Some(open) = self.file.as_ref().filter(|_| !self.deferred) else { return entries.len() };
        let mut count = entries.len();
        if let Some(end) = open.due.into_iter().chain(open.turn).min() {
            count = entries.iter().position(|entry| entry.time >= end).unwrap_or(count);
        }
        if let Some(most) = self.plan.schedule.size {
            let start = entries.first().map_or(0, |entry| entry.start);
            let room = most.saturating_sub(open.len);
            count = count.min(entries.partition_point(|entry| u64::from(entry.end - start) <= room));
        }
        count.max(1)
    }

    /// Rotates the file without a record for the next one.
    pub(super) fn rotate_if(&mut self, now: UnixNanos, ask: Rotate) -> Result<bool, SinkError> {
        let Some(open) = self.file.as_ref().filter(|open| open.len > 0) else { return Ok(false) };
        let is_due = match ask {
            Rotate::Now => true,
            Rotate::IfDue => !self.deferred && self.plan.is_over(open, &self.name, now.saturating_sub(GRACE)),
        };
        if !is_due {
            return Ok(false);
        }
        self.turn_to(now)?;
        // A file that always has the same name is there at any time; a dated one comes with its first record.
        if !self.plan.naming.is_dated() {
            self.ready().inspect_err(|_| self.is_missing = true)?;
        }
        Ok(true)
    }

    /// Leaves the file for the one of this time, which is not opened yet.
    fn turn_to(&mut self, time: UnixNanos) -> Result<(), SinkError> {
        let result = self.leave(time);
        self.deferred = result.is_err();
        result
    }

    fn leave(&mut self, time: UnixNanos) -> Result<(), SinkError> {
        use super::Sink as _;
        self.settle()?;
        if self.plan.is_durable {
            self.sync()?;
        }
        self.date();
        let next = self.plan.naming.current(time);
        let Some((identity, last)) = self.file.as_ref().map(|open| ((open.dev, open.ino), open.last)) else {
            return Ok(());
        };
        let names = self.place.names().map_err(|errno| self.cannot_rotate(errno))?;
        let compressed =
            [Compression::Gz, Compression::Zstd].map(|it| format!("{}{}", self.name, it.ending()));
        if next == self.name || names.iter().any(|name| compressed.contains(name)) {
            match self.place.occupant(&self.name) {
                Ok(Some(occupant)) if occupant == identity => self.move_away(&names, last)?,
                // Somebody has taken it away.
                Ok(_) => {}
                Err(errno) => return Err(self.cannot_rotate(errno)),
            }
        } else {
            self.retired.push(self.name.clone());
            self.plan.in_use.add(&self.name);
        }
        self.file = None;
        self.unseen = 0;
        self.rename_to(next);
        Ok(())
    }

    /// Gives the file the name of a rotated one.
    fn move_away(&mut self, names: &[String], last: UnixNanos) -> Result<(), SinkError> {
        let naming = &self.plan.naming;
        let said = |last| naming.parse(&naming.rotated(&self.name, last, 1)).map(|rotated| rotated.time);
        let others = || {
            names.iter().filter_map(|name| naming.parse(name)).filter(|it| it.number < u32::MAX - ATTEMPTS)
        };
        // Names are in the order in which the files were written: also where an hour comes twice, and where the records of a recovery are
        // older than some that were written before. A clock that was wrong by more is another matter.
        let newest = others().map(|it| it.time).max();
        let last = match (newest, said(last)) {
            (Some(newest), Some(own)) if newest > own && newest - own <= LONGEST_DISORDER => newest,
            _ => last,
        };
        // Behind all that there are of the same time, so that their order stays right when older ones are deleted.
        let time = said(last);
        let same = others().filter(|it| Some(it.time) == time);
        let from = same.map(|it| it.number + 1).max().unwrap_or(u32::from(naming.is_dated()));
        for number in from..from + ATTEMPTS {
            let name = naming.rotated(&self.name, last, number);
            self.plan.in_use.add(&name);
            match self.place.rename(&self.name, &name) {
                Ok(()) => {
                    failpoint::reach("rotated");
                    self.retired.push(name);
                    return Ok(());
                }
                Err(errno) => {
                    self.plan.in_use.remove(&name);
                    if errno != Errno::EXIST {
                        return Err(self.cannot_rotate(errno));
                    }
                }
            }
        }
        Err(self.cannot_rotate(Errno::EXIST))
    }

    fn cannot_rotate(&self, errno: Errno) -> SinkError {
        self.failed("rotate", errno, 0)
    }

    /// From now on the file has this name.
    fn rename_to(&mut self, name: String) {
        if name != self.name {
            self.plan.in_use.add(&name);
            self.plan.in_use.remove(&self.name);
            self.name = name;
            self.is_linked = false;
        }
    }

    /// Has the link lead to the file of this time, where an earlier run has made that: its first record is still to come.
    pub(super) fn show_found(&mut self) {
        if self.plan.naming.is_dated() && self.place.occupant(&self.name).is_ok_and(|found| found.is_some()) {
            self.link();
        }
    }

    /// Has a link lead to the current file, where names are dated.
    fn show_current(&mut self) {
        if self.file.is_some() && !self.is_linked {
            self.link();
        }
    }

    fn link(&mut self) {
        self.is_linked = true;
        if self.plan.has_link
            && let Some(link) = self.plan.naming.undated()
        {
            // It is for convenience: where something else has the name, or links cannot be made, there is none.
            let _ = self.place.link(&link, &self.name);
        }
    }

    /// No checkpoint needs a former file any more.
    pub(super) fn release_retired(&mut self) {
        if self.retired.is_empty() {
            return;
        }
        for name in self.retired.drain(..) {
            self.plan.in_use.remove(&name);
        }
        if let Some(rotated) = &self.plan.rotated {
            rotated();
        }
    }

    /// Takes note of the last line that was written.
    pub(super) fn note_last(&mut self, run: Run<'_>, written: usize) {
        if let Some(open) = &mut self.file
            && let Some(last) = written.checked_sub(1).and_then(|last| run.entries.get(last))
        {
            open.last = last.time;
        }
    }

    /// Gives the file the date of its last line, where it has quite another one.
    pub(super) fn date(&mut self) {
        if let Some(open) = &mut self.file
            && open.len > 0
            && open.file.facts().is_ok_and(|facts| facts.modified.abs_diff(open.last) > DATE_TOLERANCE as u64)
        {
            open.file.date(open.last);
        }
    }
}
