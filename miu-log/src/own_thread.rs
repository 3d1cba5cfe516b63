//! Whether a thread is one of miu-log's own: the listener's, or that of a sink. What such a thread logs through a facade would come back to it.
//!
//! Called where these threads begin, and by the receiver of other crates' records.

use crate::sync::{AtomicBool, Ordering, thread_local};

thread_local! {
    /// Has no destructor: can be read at any time of a thread's life.
    static OWN: AtomicBool = const { AtomicBool::new(false) };
}

/// The calling thread is one of miu-log's own, from now on.
pub(crate) fn begin() {
    OWN.with(|own| own.store(true, Ordering::Relaxed));
}

/// Whether the calling thread is one of miu-log's own.
#[inline]
pub(crate) fn is_own() -> bool {
    OWN.with(|own| own.load(Ordering::Relaxed))
}
