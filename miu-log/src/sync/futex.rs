//! The kernel's part of a sleep, for models: no time-outs, and nobody wakes by chance, so that a lost wake-up is a sleep for ever, which
//! both checkers report.

use std::time::Duration;

#[cfg(loom)]
use loom::{
    lazy_static,
    sync::{Condvar, Mutex},
};
#[cfg(shuttle)]
use shuttle::{
    lazy_static,
    sync::{Condvar, Mutex},
};

use super::{AtomicU32, Ordering};

/// Who sleeps: how often each word's sleepers were woken, by the word's address.
struct Sleepers {
    woken: Mutex<Vec<(usize, u64)>>,
    changed: Condvar,
}

lazy_static! {
    static ref SLEEPERS: Sleepers = Sleepers { woken: Mutex::new(Vec::new()), changed: Condvar::new() };
}

/// How often they were woken so far. Most models have one such word.
fn times(woken: &mut Vec<(usize, u64)>, address: usize) -> &mut u64 {
    let at = woken.iter().position(|(known, _)| *known == address).unwrap_or_else(|| {
        woken.push((address, 0));
        woken.len() - 1
    });
    &mut woken[at].1
}

/// Sleeps until woken, unless the word has changed: looks at it and lies down in one step.
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32, _longest: Duration) {
    let address = std::ptr::from_ref(word) as usize;
    let Ok(mut woken) = SLEEPERS.woken.lock() else { return };
    if word.load(Ordering::Relaxed) != expected {
        return;
    }
    let before = *times(&mut woken, address);
    while *times(&mut woken, address) == before {
        let Ok(again) = SLEEPERS.changed.wait(woken) else { return };
        woken = again;
    }
}

/// Wakes everyone who waits on the word.
pub(crate) fn futex_wake(word: &AtomicU32) {
    let Ok(mut woken) = SLEEPERS.woken.lock() else { return };
    *times(&mut woken, std::ptr::from_ref(word) as usize) += 1;
    SLEEPERS.changed.notify_all();
}
