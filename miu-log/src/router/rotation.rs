//! Which file a slot writes: rotated on demand and when it is due, opened for its first record, looked at once a second.
//!
//! A file that cannot be rotated goes on: that is counted, told once until a rotation works, and its fault meanwhile. One that was taken
//! away and cannot be made anew fails from the look on that notices it.
//!
//! Called by the router.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Router, SECOND, Station};
use crate::record::UnixNanos;
use crate::sink::{Rotate, Sink, SinkError};
use crate::stats::SinkState;

impl Router {
    /// Rotates every log file that is not empty. What was routed has been delivered. Says of each file that could not be rotated why.
    pub(crate) fn rotate(&mut self, unix: UnixNanos) -> Vec<String> {
        let mut failures = Vec::new();
        for station in self.slots.iter_mut().filter(|station| station.sink.is_log_file()) {
            station.rotate(unix, Rotate::Now);
            if station.state != SinkState::Working || !station.held.entries.is_empty() {
                failures.push(format!("{} fails and is not rotated: {}", station.name, station.cause));
            } else if let Some(error) = &station.unrotated {
                failures.push(error.clone());
            }
        }
        failures
    }
}

impl Station {
    /// Has the file opened that the first record goes into, or the one before rotated. Whether it is new since the last checkpoint.
    pub(super) fn prepare(&mut self, domains: &[String]) -> bool {
        let (sink, batch) = (&mut *self.sink, self.held.batch(domains));
        let identity = |sink: &dyn Sink| sink.file_position().map(|position| (position.dev, position.ino));
        let before = identity(sink);
        // A panic comes again where the records are offered.
        let result = catch_unwind(AssertUnwindSafe(|| sink.prepare(&batch))).unwrap_or(Ok(()));
        // That nothing was wrong means no rotation where the file is the same.
        if result.is_err() || identity(sink) != before {
            self.note_rotation(result);
        }
        let Some(file) = self.file() else { return false };
        let known = self.touched.iter().any(|mark| (mark.dev, mark.ino) == (file.dev, file.ino));
        if !known {
            self.touched.push(file);
        }
        !known
    }

    /// Rotates its log file, unless something is held for it. Whether it may be another one now.
    pub(super) fn rotate(&mut self, unix: UnixNanos, ask: Rotate) -> bool {
        if self.state != SinkState::Working || !self.held.entries.is_empty() {
            return false;
        }
        let sink = &mut *self.sink;
        let result = catch_unwind(AssertUnwindSafe(|| sink.rotate(unix, ask)));
        let rotated = result.unwrap_or_else(|_| Err(SinkError::fatal("the sink panicked", 0)));
        match rotated {
            Ok(false) => false,
            Ok(true) => {
                self.note_rotation(Ok(()));
                true
            }
            Err(error) => {
                self.note_rotation(Err(error));
                true
            }
        }
    }

    /// Counts a rotation that failed, and says it once until one works.
    fn note_rotation(&mut self, result: Result<(), SinkError>) {
        match result {
            Ok(()) => self.unrotated = None,
            Err(error) => {
                self.errors += 1;
                if self.unrotated.replace(error.to_string()).is_none() {
                    self.announce(
                        &error,
                        &format!("{}: {error}; it goes on as it is, and that is tried again", self.name),
                    );
                }
            }
        }
    }

    /// Has the sink look at its destination. A log file that is gone and cannot be made anew fails from now on: the next record would find no
    /// other state.
    pub(super) fn look(&mut self, now: u64) {
        if let Err(error) = self.call("", |sink| sink.tick())
            && self.sink.is_log_file()
            && error.may_retry()
            && self.sink.file_position().is_none()
            && self.state == SinkState::Working
        {
            (self.state, self.due, self.told) = (SinkState::Failing, now + SECOND, true);
        }
    }
}
