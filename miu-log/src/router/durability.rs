//! When log files and spools are made durable: handed by the operating system to the disk, so that a loss of power spares them.

use std::time::Duration;

use super::{Router, Station};
use crate::clock::nanos;
use crate::level::Level;

/// When the log files, and the spools of remote sinks, are made durable (by `fdatasync`). Whatever is chosen, what was handed to the operating system survives the death of the process;
/// this is about a loss of power.
///
/// Only these are meant, not the console, sinks added by hand, and what a [`Remote`](crate::Remote) has in memory because its spool is full or fails. Records that have arrived are
/// their destination's matter. A file that cannot be made durable is told on stderr and counted
/// as an error of its sink; the range that may not be on disk is named there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// When the operating system sees fit: within half a minute, as a rule.
    #[default]
    Os,
    /// At once after each batch with an ERROR or CRITICAL record, for the files that this record is in, before its space in the ring is given back. Costs the listener some
    /// milliseconds each time; the logging calls do not wait for it.
    SyncOnError,
    /// Once in this time, for the files that have got something, and at the end.
    SyncEvery(Duration),
}

impl Router {
    /// From now on files are made durable as this says.
    pub(crate) fn set_durability(&mut self, durability: Durability) {
        self.durability = durability;
    }

    /// After a delivery, before it is acknowledged: makes durable what has to be at once.
    pub(super) fn sync_urgent(&mut self) {
        for station in self.slots.iter_mut().filter(|station| station.urgent) {
            station.sync();
        }
    }

    /// Makes durable what it is time for.
    pub(super) fn sync_due(&mut self) {
        let Durability::SyncEvery(interval) = self.durability else { return };
        if self.now.saturating_sub(self.synced) >= nanos(interval) {
            self.synced = self.now;
            self.slots.iter_mut().filter(|station| station.unsynced).for_each(Station::sync);
        }
    }

    /// At the end.
    pub(super) fn sync_last(&mut self) {
        if matches!(self.durability, Durability::SyncEvery(_)) {
            self.slots.iter_mut().filter(|station| station.unsynced).for_each(Station::sync);
        }
    }
}

impl Station {
    /// Takes note of what the batch at hand asks for.
    pub(super) fn note_batch(&mut self, durability: Durability) {
        if durability != Durability::Os && self.sink.is_on_disk() {
            self.unsynced = true;
            self.urgent |= durability == Durability::SyncOnError
                && self.held.entries.iter().any(|entry| entry.level >= Level::Error);
        }
    }

    fn sync(&mut self) {
        // A failed one is told and counted, and is not repeated as if that helped: the system has forgotten what it could not write.
        let _ = self.call("be made durable", |sink| sink.sync());
        (self.unsynced, self.urgent) = (false, false);
    }
}
