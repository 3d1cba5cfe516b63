//! The end of the process by `exit`, by a return from `main` or by a signal that is handled: every repository that is still open, leaked
//! ones too, is shut down.
//!
//! The listener's threads are still running then: they write what is in the rings, and the exit waits for them, bounded
//! by the repository's sink timeout. A worker process takes leave.

use std::sync::{Arc, Mutex, Once, Weak};

use super::early;
use crate::notice::notice;
use crate::queue::Queue;
use crate::repository::Inner;
use crate::ring::at_exit;
use crate::ring::fork::PerProcess;
use crate::sync::lock;

/// What is to be ended. A forked child ends what it has begun itself.
#[derive(Clone, Debug, Default)]
struct Open {
    repositories: Vec<Weak<Inner>>,
    guests: Vec<Weak<Queue>>,
}

static OPEN: PerProcess<Mutex<Open>> = PerProcess::new();

/// From now on this repository is shut down when the process ends.
pub(crate) fn watch(repository: Weak<Inner>) {
    register();
    let mut open = lock(OPEN.get());
    open.repositories.retain(|known| known.strong_count() > 0);
    open.repositories.push(repository);
}

/// From now on this guest takes leave when the process ends.
pub(crate) fn leave_at_end(queue: &Arc<Queue>) {
    register();
    let mut open = lock(OPEN.get());
    open.guests.retain(|known| known.strong_count() > 0);
    open.guests.push(Arc::downgrade(queue));
}

/// The repositories of this process that are there, opened or not.
pub(super) fn repositories() -> Vec<Arc<Inner>> {
    lock(OPEN.get()).repositories.iter().filter_map(Weak::upgrade).collect()
}

/// Records that they have accepted so far.
pub(super) fn accepted() -> u64 {
    repositories().iter().map(|repository| repository.accepted()).sum()
}

/// From now on the end of the process is noticed.
pub(super) fn register() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        if !at_exit::register(shut_down_all) {
            notice("exit", "cannot register for the end of the process: shut the repository down before it");
        }
    });
}

extern "C" fn shut_down_all() {
    end_all(None);
}

/// Shuts every open repository down. A signal that ends the process is named in a last record of each.
pub(crate) fn end_all(signal: Option<&'static str>) {
    // Copied: nothing waits for this lock while the sinks finish. Not taken out: who comes meanwhile, by `exit` or by a signal, waits for
    // the same repositories.
    let open = lock(OPEN.get()).clone();
    let repositories: Vec<_> = open.repositories.iter().filter_map(Weak::upgrade).collect();
    if let Some(signal) = signal {
        repositories.iter().for_each(|repository| repository.stop_for(signal));
    }
    for repository in repositories {
        repository.end_of_process();
    }
    for guest in open.guests.iter().filter_map(Weak::upgrade) {
        guest.leave();
    }
    early::at_end();
}
