//! What waits in memory, because the spool does not take it or because there is none: after all that is in the spool, and bounded.
//!
//! N1. All of it is newer than what is in the spool. Who appends to either does it behind this lock, and who takes from here looks behind it whether
//!     the spool has anything left.
//!
//! The lock comes after that of the queue, which is held while the thread is asked how long it rests, and before those of the spool and of the report; no user code runs
//! behind it. Used by both sides of the outbox.

use std::sync::{Arc, Mutex, MutexGuard};

use super::batching::Waiting;
use crate::sink::{Batch, Held};
use crate::sync::lock;

/// Bytes of lines that are kept; one record may be longer where nothing else is there.
const LIMIT: usize = 4 << 20;

/// What both sides have.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(Arc<Mutex<Lines>>);

/// What is in it.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) held: Held,
    /// When the oldest came, on the monotonic clock.
    pub(super) since: u64,
}

impl Memory {
    pub(super) fn lines(&self) -> MutexGuard<'_, Lines> {
        lock(&self.0)
    }
}

impl Lines {
    pub(super) fn waiting(&self) -> Waiting {
        let (records, bytes) = (self.held.entries.len() as u64, self.held.text.len() as u64);
        Waiting { records, bytes, since: self.since }
    }

    /// Takes the first of these, up to one for which there is no room; how many.
    pub(super) fn push(&mut self, batch: &Batch<'_>, now: u64) -> usize {
        if self.held.entries.is_empty() {
            self.since = now;
        }
        let mut taken = 0;
        for (entry, line) in batch.entries.iter().zip(batch.iter()) {
            let line = line.as_bytes();
            let fits = self.held.text.len() + line.len() <= LIMIT || self.held.entries.is_empty();
            if !(fits && self.held.push(line, *entry)) {
                break;
            }
            taken += 1;
        }
        taken
    }

    /// The first records, so many and so many bytes of them at most, but one at least.
    pub(super) fn first(&self, records: usize, bytes: usize) -> Held {
        let mut first = Held::default();
        for entry in self.held.entries.iter().take(records) {
            let line = &self.held.text[entry.start as usize..entry.end as usize];
            if !first.entries.is_empty() && first.text.len() + line.len() > bytes {
                break;
            }
            first.push(line, *entry);
        }
        first
    }
}
