//! What waits for a failing log file outlives the process, and what it costs is told in that file.
//!
//! Before a checkpoint lets ring space go, [`Router::secure`] has copied what waits into files (`mirror`); the checkpoint names them by
//! [`Router::held_marks`], and after it [`Router::discard_mirrors`] removes those that are named no longer. At the next start
//! [`Router::adopt`] puts the lines where they were.
//!
//! Called by the listener.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::mirror::{self, HeldMark};
use super::{HOLD_LIMIT, HOLD_RESERVE, LEVELS, Router, SECOND, Station};
use crate::codec::Corrupt;
use crate::level::Level;
use crate::notice::notice;
use crate::record::Record;
use crate::sink::Entry;
use crate::stats::SinkState;

/// Where the files are, and which are to be removed.
#[derive(Debug)]
pub(super) struct Mirrors {
    folder: PathBuf,
    /// Number of the next file.
    next: u64,
    /// Files that the next checkpoint does not name.
    stale: Vec<u64>,
    /// That it cannot be written to has been told.
    told: bool,
}

/// What a log file should have got, and of which it does not tell yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Untold {
    /// Number of the slot.
    pub(crate) slot: usize,
    /// A domain whose records go there.
    pub(crate) domain: u16,
    /// Why.
    pub(crate) cause: String,
    /// Records that found no room, by level.
    pub(crate) dropped: [u64; LEVELS],
    /// Records that were gone when they had been written.
    pub(crate) lost: u64,
}

impl Router {
    /// From now on what waits for log files is copied into files of this folder, numbered from `next`.
    pub(crate) fn secure_in(&mut self, folder: PathBuf, next: u64) {
        self.mirrors = Some(Mirrors { folder, next, stale: Vec::new(), told: false });
    }

    /// Copies what waits for log files and is not copied yet. For a checkpoint that is about to be written, after which the ring space of
    /// these records is freed.
    pub(crate) fn secure(&mut self) {
        let Some(mirrors) = &mut self.mirrors else { return };
        for station in self.slots.iter_mut().filter(|station| station.sink.is_log_file()) {
            station.secure(mirrors, self.now);
        }
    }

    /// What a checkpoint has to say of lines that wait.
    pub(crate) fn held_marks(&self) -> impl Iterator<Item = HeldMark> {
        self.slots.iter().filter(|station| station.has_mark()).map(|station| {
            let (number, len) = station.mirror.file.unwrap_or_default();
            HeldMark { name: station.name.clone(), number, len, untold: station.untold }
        })
    }

    /// A checkpoint has been written: removes the files that it does not name.
    pub(crate) fn discard_mirrors(&mut self) {
        let Some(Mirrors { folder, stale, .. }) = &mut self.mirrors else { return };
        stale.drain(..).for_each(|number| mirror::remove(folder, number));
    }

    /// Takes up what a checkpoint names: lines that waited when the process ended. How many; none where there is no such slot, or not
    /// all of them could be read. `folder` is where the file is, if that is not the folder of this run: then it stays as it is.
    pub(crate) fn adopt(&mut self, mark: &HeldMark, folder: Option<&Path>) -> Option<u64> {
        let station = self.slots.iter_mut().find(|it| it.name == mark.name && it.sink.is_log_file())?;
        for (count, untold) in station.untold.iter_mut().zip(mark.untold) {
            *count = count.saturating_add(untold);
        }
        if station.cause.is_empty() {
            "the file failed in an earlier run".clone_into(&mut station.cause);
        }
        if mark.number == 0 {
            return Some(0);
        }
        let own = self.mirrors.as_mut().filter(|_| folder.is_none());
        let folder = folder.or(own.as_ref().map(|it| &*it.folder))?;
        let (lines, whole) = mirror::read(folder, mark.number, mark.len);
        let count = lines.entries.len();
        if station.held.entries.is_empty()
            && let Some(own) = own
        {
            own.next = own.next.max(mark.number + 1);
            own.stale.extend(station.mirror.file.take().map(|(number, _)| number));
            own.stale.retain(|number| *number != mark.number);
            station.mirror = mirror::Mirror {
                file: Some((mark.number, mark.len)),
                records: count,
                outdated: !whole,
                ..mirror::Mirror::default()
            };
        }
        for entry in &lines.entries {
            station.held.push(&lines.text[entry.start as usize..entry.end as usize], *entry);
        }
        if count > 0 {
            station.state = SinkState::Failing;
            station.due = 0;
        }
        whole.then_some(count as u64)
    }

    /// What the log files do not tell yet that work. It is told now.
    pub(crate) fn take_untold(&mut self) -> Vec<Untold> {
        let Router { slots, table, .. } = self;
        let mut untold = Vec::new();
        for (slot, station) in slots.iter_mut().enumerate() {
            if station.state != SinkState::Working || !station.has_untold() {
                continue;
            }
            let route = table.iter().position(|route| route.groups.iter().any(|it| it.slots.contains(&slot)));
            untold.push(Untold {
                slot,
                domain: u16::try_from(route.unwrap_or(0) / LEVELS).unwrap_or(0),
                cause: station.cause.clone(),
                dropped: std::mem::take(&mut station.untold),
                lost: std::mem::take(&mut station.untold_lost),
            });
        }
        untold
    }

    /// Formats a record for one slot alone.
    ///
    /// # Errors
    ///
    /// `Corrupt` when the record does not decode, or there is no such slot.
    pub(crate) fn route_to(&mut self, slot: usize, record: &Record<'_>, domain: u16) -> Result<(), Corrupt> {
        let station = self.slots.get_mut(slot).ok_or(Corrupt)?;
        let layout = self.layouts.get_mut(station.layout).ok_or(Corrupt)?;
        let mut line = Vec::new();
        // A layout of the program's own may panic or fail.
        match catch_unwind(AssertUnwindSafe(|| layout.write(record, &mut line))) {
            Ok(Ok(())) => {}
            _ => return Err(Corrupt),
        }
        station.held.push(
            &line,
            Entry { time: record.time, id: record.id, start: 0, end: 0, domain, level: record.level },
        );
        self.pending_bytes += line.len();
        self.pending_records += 1;
        Ok(())
    }
}

impl Station {
    fn has_mark(&self) -> bool {
        self.mirror.file.is_some() || self.untold != [0; LEVELS]
    }

    fn has_untold(&self) -> bool {
        self.untold != [0; LEVELS] || self.untold_lost > 0
    }

    /// Counts a record that finds no room, or that its sink does not take.
    pub(super) fn drop_one(&mut self, level: Level) {
        self.dropped += 1;
        if self.sink.is_log_file() {
            self.untold[level as usize] += 1;
        }
    }

    /// Drops the first `count` held records.
    pub(super) fn drop_first(&mut self, count: usize) {
        let levels: Vec<Level> = self.held.entries.iter().take(count).map(|entry| entry.level).collect();
        levels.into_iter().for_each(|level| self.drop_one(level));
        self.discard(count);
    }

    /// The first `count` held records are dealt with.
    pub(super) fn discard(&mut self, count: usize) {
        if count > 0 {
            self.held.discard(count);
            self.mirror.outdated = true;
        }
    }

    /// Keeps what may be kept. Whoever is kept once is kept the next time: what is in the mirror never goes by this.
    pub(super) fn shrink(&mut self) {
        let gone = self.held.shrink(HOLD_LIMIT, HOLD_RESERVE);
        gone.into_iter().for_each(|level| self.drop_one(level));
    }

    fn secure(&mut self, mirrors: &mut Mirrors, now: u64) {
        let torn = self.is_torn();
        let needed = self.state != SinkState::Working && (torn || !self.held.entries.is_empty());
        let mirror = &mut self.mirror;
        let outdated = std::mem::take(&mut mirror.outdated) || mirror.torn != torn || !needed;
        if outdated {
            mirrors.stale.extend(mirror.file.take().map(|(number, _)| number));
            (mirror.records, mirror.torn) = (0, false);
        }
        if !needed || now < self.mirror.due {
            return;
        }
        if self.held.entries.len() > self.mirror.records {
            self.shrink();
        }
        let mirror = &mut self.mirror;
        let mut bytes = Vec::new();
        if torn && mirror.file.is_none() {
            let like = Entry {
                time: 0,
                id: crate::record::RecordId::default(),
                start: 0,
                end: 0,
                domain: 0,
                level: Level::Info,
            };
            mirror::put(&mut bytes, &like, self.sink.owed().unwrap_or_default());
        }
        for entry in self.held.entries.iter().skip(mirror.records) {
            mirror::put(&mut bytes, entry, &self.held.text[entry.start as usize..entry.end as usize]);
        }
        if bytes.is_empty() {
            return;
        }
        let (number, len) = mirror.file.unwrap_or((mirrors.next, 0));
        match mirror::append(&mirrors.folder, number, len, &bytes) {
            Ok(()) => {
                mirrors.told = false;
                mirrors.next = mirrors.next.max(number + 1);
                mirror.file = Some((number, len + bytes.len() as u64));
                (mirror.records, mirror.torn) = (self.held.entries.len(), torn);
            }
            Err(error) => {
                if mirror.file.is_none() {
                    mirrors.stale.push(number);
                    mirrors.next = mirrors.next.max(number + 1);
                }
                mirror.due = now + SECOND;
                self.errors += 1;
                if !std::mem::replace(&mut mirrors.told, true) {
                    let text = format!(
                        "cannot copy what waits for {} to {:?}: {error}; it is in memory alone, and lost if the process is killed",
                        self.name, mirrors.folder
                    );
                    notice("held", &text);
                }
            }
        }
    }
}
