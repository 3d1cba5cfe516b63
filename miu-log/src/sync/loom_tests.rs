//! Loom models of the two sleep/wake protocols: no wake-up is lost, with no time-out to heal it.

use loom::sync::Arc;
use loom::thread;

use super::*;

/// Never used: in a model nothing ends a sleep but a wake-up.
const NEVER: Duration = Duration::MAX;

/// Either the sleeper sees the work on its second look, or the waker sees the sleeper (W3): the sleep ends.
#[test]
fn loom_no_wake_up_is_lost() {
    loom::model(|| {
        let shared = Arc::new((Waker::new(), AtomicU64::new(0)));
        let producer = {
            let shared = shared.clone();
            thread::spawn(move || {
                shared.1.store(1, Ordering::Release);
                shared.0.wake();
            })
        };
        // The listener's loop. A pass may miss what the waker has made visible; the look after the next announcement does not.
        loop {
            shared.0.announce_sleep();
            let work = shared.1.load(Ordering::Acquire) == 1;
            if !work {
                shared.0.sleep(NEVER);
            }
            shared.0.awake();
            if work {
                break;
            }
        }
        producer.join().unwrap();
    });
}

/// Waits until so much was freed. Whether there was room before the end.
fn wait_for(shared: &Shared, wanted: u64) -> bool {
    shared.space.wait(|| {
        if shared.ended.load(Ordering::Acquire) == 1 {
            return Ok(false);
        }
        if shared.tail.load(Ordering::Acquire) >= wanted { Ok(true) } else { Err(NEVER) }
    })
}

struct Shared {
    space: Space,
    tail: AtomicU64,
    ended: AtomicU32,
}

fn shared() -> Arc<Shared> {
    Arc::new(Shared { space: Space::new(), tail: AtomicU64::new(0), ended: AtomicU32::new(0) })
}

/// A caller that waits for more room than the first pass makes is woken by the second one (P3).
#[test]
fn loom_no_caller_sleeps_on_free_space() {
    loom::model(|| {
        let shared = shared();
        let caller = {
            let shared = shared.clone();
            thread::spawn(move || assert!(wait_for(&shared, 2)))
        };
        for tail in 1..=2 {
            shared.tail.store(tail, Ordering::Release);
            shared.space.announce();
        }
        caller.join().unwrap();
    });
}

/// Two callers, one pass: both go on.
#[test]
fn loom_all_callers_that_wait_are_woken() {
    loom::model(|| {
        let shared = shared();
        let callers = [(); 2].map(|()| {
            let shared = shared.clone();
            thread::spawn(move || assert!(wait_for(&shared, 1)))
        });
        shared.tail.store(1, Ordering::Release);
        shared.space.announce();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
    });
}

/// The end of the listener ends the waiting, wherever the caller is at that moment.
#[test]
fn loom_no_caller_waits_for_a_listener_that_has_ended() {
    loom::model(|| {
        let shared = shared();
        let caller = {
            let shared = shared.clone();
            thread::spawn(move || assert!(!wait_for(&shared, 1)))
        };
        shared.ended.store(1, Ordering::Release);
        shared.space.announce();
        caller.join().unwrap();
    });
}
