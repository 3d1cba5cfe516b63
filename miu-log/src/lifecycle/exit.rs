//! The end of the process by `exit`, by a return from `main` or by a signal that is handled: every repository that is still open, leaked
//! ones too, is shut down.
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
    end_all(None);
}

/// Shuts every open repository down. A signal that ends the process is named in a last record of each.
pub(crate) fn end_all(signal: Option<&'static str>) {
    // Copied: nothing waits for this lock while the sinks finish. Not taken out: who comes meanwhile, by `exit` or by a signal, waits for
    // the same repositories.
    let open = lock(&OPEN).clone();
    let open: Vec<_> = open.iter().filter_map(Weak::upgrade).collect();
    if let Some(signal) = signal {
        open.iter().for_each(|repository| repository.stop_for(signal));
    }
    for repository in open {
        repository.end_of_process();
    }
}
