//! Whether the calling thread is at work for the logger itself: the listener, a sink's thread, the upkeep, a test that steps a listener.
//!
//! What happens on such a thread is not logged through the rings: a sink that panics with each record would make a record of each
//! panic, and whoever waits for a flush there waits for itself.
//!
//! Called by whoever starts such a thread, and asked by the panic hook and by whoever gives out rings; imports nothing but the floor.

use crate::sync::{AtomicBool, Ordering, thread_local};

thread_local! {
    /// Has no destructor: usable at any time of a thread's life.
    static OWN: AtomicBool = const { AtomicBool::new(false) };
    /// The same for whoever gets no ring.
    static MUTE: AtomicBool = const { AtomicBool::new(false) };
}

/// The thread gets no ring for as long as this lives: what a program's code for a far destination logs there would have to be delivered by that very code.
#[derive(Debug)]
pub(crate) struct MuteThread {
    before: bool,
}

impl MuteThread {
    /// From now on it gets none.
    pub(crate) fn begin() -> MuteThread {
        MuteThread { before: MUTE.with(|mute| mute.swap(true, Ordering::Relaxed)) }
    }

    /// Whether the calling thread gets none now.
    pub(crate) fn is_current() -> bool {
        MUTE.with(|mute| mute.load(Ordering::Relaxed))
    }
}

impl Drop for MuteThread {
    fn drop(&mut self) {
        MUTE.with(|mute| mute.store(self.before, Ordering::Relaxed));
    }
}

/// The thread is the logger's own for as long as this lives.
#[derive(Debug)]
pub(crate) struct OwnThread {
    before: bool,
}

impl OwnThread {
    /// From now on it is.
    pub(crate) fn begin() -> OwnThread {
        OwnThread { before: OWN.with(|own| own.swap(true, Ordering::Relaxed)) }
    }

    /// Whether the calling thread is one now.
    pub(crate) fn is_current() -> bool {
        OWN.with(|own| own.load(Ordering::Relaxed))
    }
}

impl Drop for OwnThread {
    fn drop(&mut self) {
        OWN.with(|own| own.store(self.before, Ordering::Relaxed));
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_the_logger_s_own_until_the_outermost_mark_goes() {
        assert!(!OwnThread::is_current());
        let outer = OwnThread::begin();
        drop(OwnThread::begin());
        assert!(OwnThread::is_current());
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(!OwnThread::is_current()));
        });
        drop(outer);
        assert!(!OwnThread::is_current());
    }
}
