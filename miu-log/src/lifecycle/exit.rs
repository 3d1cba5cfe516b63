//! The end of the process by `exit` or by a return from `main`: every repository that is still open, leaked ones too,
//! is shut down.
//!
//! The listener's threads are still running then: they write what is in the rings, and the exit waits for them, bounded
//! by the repository's sink timeout.

use std::sync::{Mutex, Once, Weak};

use crate::notice::notice;
use crate::repository::Inner;
use crate::ring::at_exit;
use crate::sync::lock;

static OPEN: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

/// From now on this repository is shut down when the process ends.
pub(crate) fn watch(repository: Weak<Inner>) {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        if !at_exit::register(shut_down_all) {
            notice("exit", "cannot register for the end of the process: shut the repository down before it");
        }
    });
    let mut open = lock(&OPEN);
    open.retain(|known| known.strong_count() > 0);
    open.push(repository);
}

extern "C" fn shut_down_all() {
    // Taken out first: nothing waits for this lock while the sinks finish.
    let open = std::mem::take(&mut *lock(&OPEN));
    for repository in open.iter().filter_map(Weak::upgrade) {
        repository.end_of_process();
    }
}
