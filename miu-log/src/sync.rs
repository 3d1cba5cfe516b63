//! The one place that names raw atomics: std's, or those of a model's checker where a model runs.
//!
//! Also the two sleep/wake protocols: the listener and those who wake it, and callers that wait for room and the listener. Each needs a
//! fence on both sides: with a release store and an acquire load alone, each side may miss the other's store and
//! the listener sleeps on a full ring. Called by `ring`, `queue`, `callsite` and the listener.
//!
//! Under `--cfg loom` the protocols alone are built, on loom's types: every interleaving of a few steps, weak memory included. Under
//! `--cfg shuttle` the whole crate is built, on types that let another thread go on before every access: random
//! schedules of whole calls and passes, in sequential order.

#[cfg(any(loom, shuttle))]
mod futex;
#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(shuttle)]
mod stepping;

use std::time::Duration;

#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

/// For what a signal handler on the same thread may see: no model has one.
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicPtr, compiler_fence};

#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::thread_local;

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

#[cfg(any(loom, shuttle))]
pub(crate) use futex::{futex_wait, futex_wake};
#[cfg(shuttle)]
pub(crate) use shuttle::thread_local;
#[cfg(shuttle)]
pub(crate) use stepping::{
    AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, Ordering, fence, lock, rest, step as pause,
};

/// Locks a mutex, whatever became of its last owner: what these guard is valid after every statement, so that a panic elsewhere
/// makes it no worse.
#[cfg(not(any(loom, shuttle)))]
pub(crate) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Where schedules are tried: another thread goes on here.
#[cfg(not(shuttle))]
fn rest() {}

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
    pub(crate) fn sleep(&self, timeout: Duration) {
        // An ordinary record wakes nobody; in a random schedule the time is over whenever the scheduler says so.
        if cfg!(shuttle) {
            return rest();
        }
        futex_wait(&self.state, ASLEEP, timeout);
    }

    /// Ends the listener's sleep, if it sleeps. One fence where it does not; a system call where it does.
    pub(crate) fn wake(&self) {
        if self.must_wake() {
            futex_wake(&self.state);
        }
    }
}

/// Callers that wait for room.
///
/// P1. The caller says that it waits, then takes the number of the present epoch, then looks, then sleeps unless the epoch is over.
/// P2. The listener makes room (or whatever else ends the waiting), then looks whether somebody waits, and then begins a new epoch.
/// P3. A full fence stands between the first two steps on either side: a caller that the listener does not see sees what the listener has done.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Space {
    waiters: AtomicU32,
    epoch: AtomicU32,
}

impl Space {
    pub(crate) fn new() -> Space {
        Space { waiters: AtomicU32::new(0), epoch: AtomicU32::new(0) }
    }

    /// The listener's half, after its work has been made visible (P2). Costs a fence where nobody waits.
    pub(crate) fn announce(&self) {
        fence(Ordering::SeqCst);
        if self.waiters.load(Ordering::Relaxed) > 0 {
            // Release: whoever finds the new epoch sees the room.
            self.epoch.fetch_add(1, Ordering::Release);
            futex_wake(&self.epoch);
        }
    }

    /// Looks again and again until there is an outcome, and sleeps in between: at most as long as the look says, and not at all where
    /// something was announced since the look began (P1).
    pub(crate) fn wait<T>(&self, mut look: impl FnMut() -> Result<T, Duration>) -> T {
        self.waiters.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let outcome = loop {
            // Acquire: pairs with the release in `announce`.
            let epoch = self.epoch.load(Ordering::Acquire);
            match look() {
                Ok(outcome) => break outcome,
                Err(longest) => futex_wait(&self.epoch, epoch, longest),
            }
        };
        self.waiters.fetch_sub(1, Ordering::Relaxed);
        outcome
    }
}

/// Waits until the word is no longer `expected`, at most so long. May return early.
#[cfg(not(any(loom, shuttle)))]
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32, timeout: Duration) {
    use rustix::thread::futex;
    let timeout = futex::Timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    // Whatever the outcome (woken, timed out, a signal, a changed word), the caller looks again.
    let _ = futex::wait(word, futex::Flags::empty(), expected, Some(&timeout));
}

/// Wakes everyone who waits on the word.
#[cfg(not(any(loom, shuttle)))]
pub(crate) fn futex_wake(word: &AtomicU32) {
    let _ = rustix::thread::futex::wake(word, rustix::thread::futex::Flags::empty(), i32::MAX as u32);
}
