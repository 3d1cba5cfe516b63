//! Ways in which a program ends right after it has logged.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use miu_log::OverflowPolicy;
use miu_log_tests::{logs, wait_until};

use crate::config;

fn opened(folder: &str) -> logs::Repository {
    logs::Repository::open(config(folder)).unwrap()
}

fn log(repo: &logs::Repository) {
    for number in 0..10_000 {
        miu_log::info!(repo.app, "record {number}");
    }
}

pub(crate) fn by_return(folder: &str) {
    log(&opened(folder));
}

pub(crate) fn by_exit(folder: &str) {
    let repo = opened(folder);
    log(&repo);
    std::process::exit(3);
}

pub(crate) fn by_exit_of_a_thread(folder: &str) {
    let repo = opened(folder);
    let worker = logs::Repository::worker(repo.queue());
    let thread = std::thread::spawn(move || {
        log(&worker);
        std::process::exit(3);
    });
    let _ = thread.join();
}

pub(crate) fn with_forgotten_repository(folder: &str) {
    let repo = opened(folder);
    log(&repo);
    std::mem::forget(repo);
}

pub(crate) fn with_leaked_repository(folder: &str) {
    let repo = Box::leak(Box::new(opened(folder)));
    log(repo);
}

pub(crate) fn with_global_repository(folder: &str) {
    log(logs::init(config(folder)).unwrap());
}

pub(crate) fn by_panic(folder: &str) {
    let repo = opened(folder);
    log(&repo);
    panic!("the end");
}

pub(crate) fn by_panic_leaked(folder: &str) {
    let repo = Box::leak(Box::new(opened(folder)));
    log(repo);
    panic!("the end");
}

pub(crate) fn by_panic_of_a_thread(folder: &str) {
    let repo = opened(folder);
    let worker = logs::Repository::worker(repo.queue());
    let thread = std::thread::spawn(move || {
        log(&worker);
        panic!("the end of the thread");
    });
    assert!(thread.join().is_err());
}

/// Three threads log without end; main returns in the middle of it.
pub(crate) fn while_threads_log(folder: &str) {
    static LOGGED: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];
    let repo = logs::Repository::open(config(folder).overflow(OverflowPolicy::Block)).unwrap();
    for (thread, logged) in LOGGED.iter().enumerate() {
        let worker = logs::Repository::worker(repo.queue());
        std::thread::spawn(move || {
            for number in 0_u64.. {
                miu_log::info!(worker.app, "{thread} {number}");
                logged.store(number, Ordering::Relaxed);
            }
        });
    }
    wait_until("every thread has logged", || {
        LOGGED.iter().all(|logged| logged.load(Ordering::Relaxed) > 1_000)
    });
}

/// The repository goes while four threads log; every call is accounted for.
pub(crate) fn drop_while_logging(folder: &str) {
    let repo = logs::Repository::open(
        config(folder).overflow(OverflowPolicy::BlockThenShed(Duration::from_secs(10))),
    );
    let repo = repo.unwrap();
    let witness = logs::Repository::worker(repo.queue());
    let calls: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let worker = logs::Repository::worker(repo.queue());
                scope.spawn(move || {
                    let mut calls = 0;
                    // A while beyond the end, so that calls fall before, into and behind it.
                    let mut beyond = 100;
                    while beyond > 0 {
                        miu_log::info!(worker.app, "record {calls}");
                        calls += 1;
                        beyond -= u32::from(!worker.app.enabled(miu_log::Level::Critical));
                    }
                    calls
                })
            })
            .collect();
        wait_until("the threads log", || witness.stats().accepted > 1_000);
        drop(repo);
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let stats = witness.stats();
    let left = stats.abandoned + stats.pending;
    println!("calls={calls} written={} dropped={} abandoned={left}", stats.written, stats.dropped);
}
