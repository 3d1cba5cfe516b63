//! A slot at work: what it holds, how its sink is doing, and what becomes of a batch that it does not take.
//!
//! A sink that fails is tried again after a pause, which is longer for one that panics; meanwhile what it is to get is held, within bounds (T2, T3). Called by the
//! router; other parts of a slot's work have files of their own (`durability`, `rotation`, `secure`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::mirror::Mirror;
use super::{HOLD_LIMIT, HOLD_RESERVE, LEVELS, SECOND, Slot};
use crate::filter::{Filter, RecordFilter};
use crate::level::Level;
use crate::notice::notice;
use crate::sink::{Batch, FileMark, Held, Sink, SinkError};
use crate::stats::SinkState;
use crate::sync::{AtomicBool, Ordering};

/// Longest pause of a sink that panics again and again.
const LONGEST_PAUSE: u64 = 60 * SECOND;

/// How often a batch is offered to a sink that panics on it.
const PANICS_PER_BATCH: u32 = 3;

/// A slot at work.
pub(super) struct Station {
    pub(super) name: String,
    pub(super) sink: Box<dyn Sink>,
    pub(super) filter: Filter,
    pub(super) held: Held,
    pub(super) state: SinkState,
    /// When a failing sink is tried again.
    pub(super) due: u64,
    /// Panics in a row.
    panics: u32,
    /// How many of the held records were in the batch that panicked.
    suspects: usize,
    /// Whether the fault that is going on has been told.
    pub(super) told: bool,
    /// Whether it has been told, of whichever slot, that the log folder is gone: it is one fault for all
    /// its files, and does not pass.
    pub(super) folder_told: Arc<AtomicBool>,
    /// Whether it has done its part of the flush that was begun last.
    pub(super) flushed: bool,
    pub(super) taken: u64,
    pub(super) dropped: u64,
    pub(super) errors: u64,
    pub(super) retries: u64,
    /// The sink's own count of lost records, when it was last asked.
    pub(super) lost: u64,
    /// Its files since the last full checkpoint, with their lengths then: what has to be cut after a crash.
    pub(super) touched: Vec<FileMark>,
    /// Why its file could not be rotated, which has been told.
    pub(super) unrotated: Option<String>,
    /// There is more for it than belonged into the file it was offered for.
    pub(super) more: bool,
    /// Whether its file has got something that is not durable yet, and whether that has to be at once.
    pub(super) unsynced: bool,
    pub(super) urgent: bool,
    /// Number of its layout.
    pub(super) layout: usize,
    pub(super) record_filter: Option<RecordFilter>,
    /// Whether it has been told that its filter panicked.
    pub(super) filter_told: bool,
    /// Where what it holds is copied to.
    pub(super) mirror: Mirror,
    /// Records that its log file should tell of: dropped, by level, and lost after they were written.
    pub(super) untold: [u64; LEVELS],
    pub(super) untold_lost: u64,
    /// The last fault, in words.
    pub(super) cause: String,
}

impl Station {
    /// A slot that has not been offered anything.
    pub(super) fn new(slot: Slot, folder_told: Arc<AtomicBool>) -> Station {
        Station {
            name: slot.name,
            sink: slot.sink,
            filter: slot.filter,
            held: Held::default(),
            state: SinkState::Working,
            due: 0,
            panics: 0,
            suspects: 0,
            told: false,
            folder_told,
            flushed: true,
            taken: 0,
            dropped: 0,
            errors: 0,
            retries: 0,
            lost: 0,
            touched: Vec::new(),
            unrotated: None,
            more: false,
            unsynced: false,
            urgent: false,
            layout: slot.layout,
            record_filter: slot.record_filter,
            filter_told: false,
            mirror: Mirror::default(),
            untold: [0; LEVELS],
            untold_lost: 0,
            cause: String::new(),
        }
    }

    /// Whether a record may be put into the slot. Only a slot whose sink fails ever refuses.
    #[inline]
    pub(super) fn accepts(&self, level: Level) -> bool {
        self.state == SinkState::Working || {
            let room = if level >= Level::Error { HOLD_LIMIT + HOLD_RESERVE } else { HOLD_LIMIT };
            self.held.text.len() < room
        }
    }

    /// Its log file, and where it stands.
    pub(super) fn file(&self) -> Option<FileMark> {
        let position = self.sink.file_position()?;
        let name = self.sink.file_name()?.to_owned();
        Some(FileMark { name, dev: position.dev, ino: position.ino, len: position.len })
    }

    pub(super) fn is_due(&self, now: u64) -> bool {
        self.state == SinkState::Working || now >= self.due
    }

    /// Takes back what a layout has written and no entry names.
    pub(super) fn withdraw(&mut self) {
        self.held.text.truncate(self.held.end());
    }

    pub(super) fn held_records(&self) -> u64 {
        self.held.entries.len() as u64 + u64::from(self.is_torn())
    }

    /// Whether its file holds a part of a line only.
    pub(super) fn is_torn(&self) -> bool {
        self.sink.is_torn()
    }

    pub(super) fn total_dropped(&self) -> u64 {
        self.dropped + self.lost
    }

    /// Calls the sink for anything but a batch. A panic is an error; both are counted and told, as what could not be done, or by
    /// what the error says alone.
    pub(super) fn call<T>(
        &mut self,
        deed: &str,
        call: impl FnOnce(&mut dyn Sink) -> Result<T, SinkError>,
    ) -> Result<T, SinkError> {
        let sink = &mut *self.sink;
        let result = catch_unwind(AssertUnwindSafe(|| call(sink)))
            .unwrap_or_else(|_| Err(SinkError::fatal("the sink panicked", 0)));
        self.note_lost();
        if let Err(error) = &result {
            self.errors += 1;
            self.cause = error.to_string();
            let failed = if deed.is_empty() { String::new() } else { format!(" could not {deed}") };
            self.announce(error, &format!("{}{failed}: {error}", self.name));
        }
        result
    }

    /// Asks the sink how many records it has lost.
    pub(super) fn note_lost(&mut self) {
        let lost = self.sink.lost();
        if lost > self.lost {
            if self.sink.is_log_file() {
                self.untold_lost += lost - self.lost;
            }
            self.lost = lost;
        }
    }

    /// Offers the held records to the sink, and draws the consequences.
    pub(super) fn offer(&mut self, domains: &[String], now: u64) {
        if self.state != SinkState::Working {
            self.retries += 1;
        }
        let (sink, batch) = (&mut *self.sink, self.held.batch(domains));
        let count = sink.quota(&batch).clamp(1, batch.entries.len());
        let batch = Batch { entries: &batch.entries[..count], ..batch };
        match catch_unwind(AssertUnwindSafe(|| sink.write(&batch))) {
            Ok(Ok(())) => {
                self.taken += count as u64;
                self.discard(count);
                self.more = !self.held.entries.is_empty();
                self.recovered();
            }
            Ok(Err(error)) => {
                self.errors += 1;
                self.panics = 0;
                self.suspects = 0;
                let delivered = error.delivered().min(count);
                self.taken += delivered as u64;
                self.discard(delivered);
                self.cause = error.to_string();
                if error.may_retry() {
                    self.state = SinkState::Failing;
                    self.due = now + SECOND;
                    self.shrink();
                    self.tell(&error, "its records are held, up to 4 MiB, and tried again every second");
                } else {
                    self.drop_first(self.held.entries.len());
                    // The sink itself may go on: the next batch is offered as usual.
                    self.state = SinkState::Working;
                    self.tell(&error, "records that it does not take are dropped and counted");
                }
            }
            Err(_) => {
                self.errors += 1;
                self.panics += 1;
                self.suspects = if self.panics == 1 { count } else { self.suspects.min(count) };
                if self.panics.is_multiple_of(PANICS_PER_BATCH) {
                    // Perhaps it is these records that it panics on: they must not stop all that follow.
                    self.drop_first(self.suspects);
                    self.suspects = self.held.entries.len();
                }
                self.shrink();
                "the sink panicked".clone_into(&mut self.cause);
                self.suspects = self.suspects.min(self.held.entries.len());
                let pause = SECOND.saturating_mul(1 << (self.panics - 1).min(6)).min(LONGEST_PAUSE);
                self.state = SinkState::Disabled;
                self.due = now + pause;
                self.tell(
                    &SinkError::fatal("the sink panicked", 0),
                    "it is off for a second, then for longer each time it does so again",
                );
            }
        }
    }

    /// Asks a sink that failed, and for which nothing is held, whether it works again: it may owe the
    /// rest of a line.
    pub(super) fn resume(&mut self, now: u64) {
        self.retries += 1;
        let sink = &mut *self.sink;
        match catch_unwind(AssertUnwindSafe(|| sink.flush())) {
            Ok(Ok(())) => self.recovered(),
            Ok(Err(_)) | Err(_) => {
                self.errors += 1;
                self.due = now + SECOND;
            }
        }
    }

    fn tell(&mut self, fault: &SinkError, plan: &str) {
        if !std::mem::replace(&mut self.told, true) {
            self.announce(fault, &format!("{}: {fault}; {plan}", self.name));
        }
    }

    /// Says a fault; one that other slots have as well only once for all of them.
    pub(super) fn announce(&self, fault: &SinkError, text: &str) {
        if !fault.is_folder_removed() {
            notice(self.key(), text);
        } else if self.is_first_to_miss_the_folder() {
            let plan = "until then the records of every file are held, up to 4 MiB, then dropped and counted";
            notice("folder", &format!("{fault}; {plan}"));
        }
    }

    /// What its notices count as: a full disk is one fault for all files on it, and worth one line a second.
    fn key(&self) -> &str {
        if self.sink.is_log_file() { "log files" } else { &self.name }
    }

    pub(super) fn is_first_to_miss_the_folder(&self) -> bool {
        !self.folder_told.swap(true, Ordering::Relaxed)
    }

    fn recovered(&mut self) {
        if self.state != SinkState::Working || self.told {
            let text =
                format!("{} works again; {} of its records are lost in all", self.name, self.total_dropped());
            notice(self.key(), &text);
        }
        self.state = SinkState::Working;
        self.told = false;
        self.panics = 0;
        self.suspects = 0;
    }
}
