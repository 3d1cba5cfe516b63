//! What the thread's side tells of itself at any time, also before and during an attempt, and who has the say over its records when it is left behind.
//!
//! L1. Records change hands (arrive, become dead letters, go elsewhere) while the thread [holds](Report::hold) them, and with what is told of them. Once it is left
//!     behind it holds none: what it had is counted by the other side, and nothing that it does later counts.
//!
//! While they are held nothing is called that is not ours, so that nobody waits for long. Called by both sides of the outbox.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::sink::{CircuitState, Health};
use crate::sync::lock;

/// See the module's description.
#[derive(Clone, Debug, Default)]
pub(super) struct Report(Arc<Told>);

#[derive(Debug, Default)]
struct Told {
    /// Whether the thread has been left behind.
    is_left: Mutex<bool>,
    status: Mutex<Status>,
}

#[derive(Clone, Debug, Default)]
struct Status {
    /// Of which `waiting` are the records of the batch at hand, if the spool has not got them.
    health: Health,
    /// Why it fails.
    fault: Option<String>,
    /// Records that it was given through the queue.
    received: u64,
}

impl Report {
    /// The right to dispose of records, until it is dropped; none where the thread has been left behind.
    pub(super) fn hold(&self) -> Option<MutexGuard<'_, bool>> {
        Some(lock(&self.0.is_left)).filter(|is_left| !**is_left)
    }

    /// Leaves the thread behind.
    pub(super) fn leave(&self) {
        *lock(&self.0.is_left) = true;
    }

    pub(super) fn is_left(&self) -> bool {
        *lock(&self.0.is_left)
    }

    pub(super) fn set(&self, health: Health, received: u64) {
        let mut status = lock(&self.0.status);
        (status.health, status.received) = (health, received);
    }

    pub(super) fn set_fault(&self, fault: Option<String>) {
        lock(&self.0.status).fault = fault;
    }

    pub(super) fn fault(&self) -> Option<String> {
        lock(&self.0.status).fault.clone()
    }

    /// How it is, and how many records it was given through the queue.
    pub(super) fn health(&self) -> (Health, u64) {
        let status = lock(&self.0.status);
        (status.health, status.received)
    }

    /// Whether nothing gets to the destination before the next start.
    pub(super) fn is_off(&self) -> bool {
        lock(&self.0.status).health.remote.is_some_and(|remote| remote.circuit == CircuitState::Off)
    }
}
