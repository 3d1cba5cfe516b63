//! Whose turn it is to tell the facades of levels: one thread's at a time, so that what a thread has told stays so until something else is.
//!
//! T1. Code of others runs in a turn (layers of `tracing`, which have locks of their own): a thread in its turn takes no second one, and nobody waits for a
//!     turn longer than [`PATIENCE`].
//! T2. A turn is its process's: a forked child begins with none taken.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::lock;
use crate::ring::fork::PerProcess;
use crate::ring::signal_frame::in_signal_handler;
use crate::sync::{AtomicBool, Ordering, thread_local};

/// How long a turn is waited for: what a thread tells takes microseconds, or as long as a layer of the program takes.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct Turns {
    taken: Mutex<bool>,
    given_back: Condvar,
}

static TURNS: PerProcess<Turns> = PerProcess::new();

thread_local! {
    static MINE: AtomicBool = const { AtomicBool::new(false) };
}

/// What somebody does who finds the turn taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Otherwise {
    /// Nothing.
    Leave,
    /// Waits, and goes on when its patience is over.
    Wait,
}

/// Gives the turn back, whatever became of it.
struct Turn<'a>(&'a Turns);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        MINE.with(|mine| mine.store(false, Ordering::Relaxed));
        *lock(&self.0.taken) = false;
        self.0.given_back.notify_one();
    }
}

/// Runs the function in a turn. None where it did not run.
pub(crate) fn in_turn<R>(otherwise: Otherwise, run: impl FnOnce() -> R) -> Option<R> {
    let must_run = otherwise == Otherwise::Wait;
    if in_signal_handler() || MINE.with(|mine| mine.load(Ordering::Relaxed)) {
        return must_run.then(run);
    }
    let turns = TURNS.get();
    let mut taken = lock(&turns.taken);
    if must_run && *taken {
        let waited = turns.given_back.wait_timeout_while(taken, PATIENCE, |taken| *taken);
        taken = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
    }
    if *taken {
        drop(taken);
        return must_run.then(run);
    }
    *taken = true;
    drop(taken);
    MINE.with(|mine| mine.store(true, Ordering::Relaxed));
    let _turn = Turn(turns);
    Some(run())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    /// The turn is the process's: these tests take turns in taking it.
    static ALONE: Mutex<()> = Mutex::new(());

    #[test]
    fn a_second_thread_waits_for_its_turn_or_leaves() {
        let _alone = lock(&ALONE);
        let (started, has_started) = channel();
        let (go, may_go) = channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                in_turn(Otherwise::Wait, || {
                    started.send(()).unwrap();
                    may_go.recv().unwrap();
                })
            });
            has_started.recv().unwrap();
            assert_eq!(in_turn(Otherwise::Leave, || 1), None);
            go.send(()).unwrap();
            assert_eq!(in_turn(Otherwise::Wait, || 2), Some(2));
            assert_eq!(in_turn(Otherwise::Leave, || 3), Some(3));
        });
    }

    #[test]
    fn a_turn_in_a_turn_runs_where_it_must_and_a_panic_gives_it_back() {
        let _alone = lock(&ALONE);
        let within = in_turn(Otherwise::Wait, || {
            (in_turn(Otherwise::Wait, || 1), in_turn(Otherwise::Leave, || 2), in_turn(Otherwise::Wait, || 3))
        });
        assert_eq!(within, Some((Some(1), None, Some(3))));
        let panicked = std::panic::catch_unwind(|| in_turn(Otherwise::Wait, || panic!("on purpose")));
        assert!(panicked.is_err());
        assert_eq!(in_turn(Otherwise::Leave, || 4), Some(4));
    }
}
