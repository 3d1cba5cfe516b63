//! A fork without exec: the child logs as a worker process of its own, from its first record on.
//!
//! The one lock that a child needs as its parent has it, with all that it guards, is that of the dictionary: it is taken before the fork and given
//! back after it, on both sides. Everything else that can be locked belongs to one process (`ring::fork`), or is never waited for.

use std::sync::Once;

use crate::callsite;
use crate::notice::notice;
use crate::ring::fork;

/// From now on forks are watched.
pub(crate) fn watch() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        if !fork::watch(before, after, in_child) {
            notice("fork", "cannot watch forks: a child that is forked without exec must not log");
        }
    });
}

extern "C" fn before() {
    callsite::before_fork();
}

extern "C" fn after() {
    callsite::after_fork();
}

extern "C" fn in_child() {
    fork::begin_child();
    callsite::begin_child();
    callsite::after_fork();
}
