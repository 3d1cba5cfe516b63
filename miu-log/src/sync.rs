//! The one place that names raw atomics: std's, or loom's where a model runs.
//!
//! Also the sleep/wake protocol between the listener and those who wake it. It needs a fence on both
//! sides: with a release store and an acquire load alone, each side may miss the other's store and
//! the listener sleeps on a full ring. Called by `ring`, `queue`, `callsite` and the listener.

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

/// For what a signal handler on the same thread may see: no loom model has one.
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicPtr, compiler_fence};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

/// Locks a mutex, whatever became of its last owner: what these guard is valid after every statement, so that a panic elsewhere
/// makes it no worse.
#[cfg(not(loom))]
pub(crate) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

const AWAKE: u32 = 0;
const ASLEEP: u32 = 1;

/// Whether the listener sleeps, and how it is woken.
///
/// W1. The sleeper announces itself, then looks for work once more, then sleeps.
/// W2. The waker makes its work visible, then looks whether somebody sleeps.
/// W3. A full fence stands between the two steps on either side, so that at least one of them sees the
///     other: no wake-up is lost. (Seen the other way: what a waker without a fence leaves behind is found by the
///     listener's next poll.)
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Waker {
    state: AtomicU32,
}

impl Waker {
    pub(crate) fn new() -> Waker {
        Waker { state: AtomicU32::new(AWAKE) }
    }

    /// The sleeper's first half: after this it must look for work once more (W1).
    pub(crate) fn announce_sleep(&self) {
        self.state.store(ASLEEP, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// The sleeper found work, or has slept.
    pub(crate) fn awake(&self) {
        self.state.store(AWAKE, Ordering::Relaxed);
    }

    /// The waker's half, after its work has been made visible. True where it must end the sleep.
    pub(crate) fn must_wake(&self) -> bool {
        fence(Ordering::SeqCst);
        self.state.load(Ordering::Relaxed) == ASLEEP && self.state.swap(AWAKE, Ordering::Relaxed) == ASLEEP
    }

    /// Sleeps until woken or until the time is over. Does not sleep where `wake` came since `announce_sleep`.
    #[cfg(not(loom))]
    pub(crate) fn sleep(&self, timeout: std::time::Duration) {
        futex_wait(&self.state, ASLEEP, timeout);
    }

    /// Ends the listener's sleep, if it sleeps. One fence where it does not; a system call where it does.
    #[cfg(not(loom))]
    pub(crate) fn wake(&self) {
        if self.must_wake() {
            futex_wake(&self.state);
        }
    }

    #[cfg(loom)]
    fn is_asleep(&self) -> bool {
        self.state.load(Ordering::Relaxed) == ASLEEP
    }
}

/// Waits until the word is no longer `expected`, at most so long. May return early.
#[cfg(not(loom))]
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32, timeout: std::time::Duration) {
    use rustix::thread::futex;
    let timeout = futex::Timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    // Whatever the outcome (woken, timed out, a signal, a changed word), the caller looks again.
    let _ = futex::wait(word, futex::Flags::empty(), expected, Some(&timeout));
}

/// Wakes everyone who waits on the word.
#[cfg(not(loom))]
pub(crate) fn futex_wake(word: &AtomicU32) {
    let _ = rustix::thread::futex::wake(word, rustix::thread::futex::Flags::empty(), i32::MAX as u32);
}

#[cfg(all(test, loom))]
mod loom_models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    /// Either the sleeper sees the work on its second look, or the waker sees the sleeper (W3).
    #[test]
    fn loom_no_wake_up_is_lost() {
        loom::model(|| {
            let shared = Arc::new((Waker::new(), AtomicU64::new(0)));
            let producer = {
                let shared = shared.clone();
                thread::spawn(move || {
                    shared.1.store(1, Ordering::Release);
                    shared.0.must_wake()
                })
            };
            shared.0.announce_sleep();
            let saw_work = shared.1.load(Ordering::Acquire) == 1;
            let woken = producer.join().unwrap();
            assert!(saw_work || woken, "the listener sleeps on a published record");
            assert!(!woken || !shared.0.is_asleep());
        });
    }
}
