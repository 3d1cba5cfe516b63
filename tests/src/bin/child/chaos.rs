//! Roles that are killed, and the one that closes the folder after them. See `miu_log_tests::chaos`.
//!
//! What they are to do stands in their environment; they go on until stdin ends.

use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use miu_log::{LogConfig, OverflowPolicy};
use miu_log_tests::chaos::{Acked, Work};
use miu_log_tests::logs;

use crate::config;

/// A variable that the driver sets.
fn told(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn number(name: &str) -> u64 {
    told(name).parse().unwrap()
}

/// Nothing may be dropped, so that a call that has returned is a promise.
fn keeping(folder: &str) -> LogConfig {
    config(folder).overflow(OverflowPolicy::Block)
}

/// Opens the folder and logs from some threads until stdin ends, or as much as it was told.
pub(crate) fn produce(folder: &str) {
    let repo =
        logs::Repository::open(keeping(folder).ring_limit(number("CHAOS_RING_LIMIT") as usize)).unwrap();
    println!("open recovered={}", recovered(&repo));
    log_until_told(&repo);
    let report = repo.shutdown();
    assert_eq!((report.dropped, report.abandoned), (0, 0), "{report:?}");
}

/// Opens the folder and ends properly.
pub(crate) fn close(folder: &str) {
    let repo = logs::Repository::open(keeping(folder)).unwrap();
    println!("open recovered={}", recovered(&repo));
    let report = repo.shutdown();
    assert_eq!((report.dropped, report.abandoned), (0, 0), "{report:?}");
}

/// How many records of earlier lives this start has brought into the files.
fn recovered(repo: &logs::Repository) -> u64 {
    repo.recovery().records
}

fn log_until_told(repo: &logs::Repository) {
    let tag = told("CHAOS_TAG");
    let threads = number("CHAOS_THREADS") as usize;
    let most = number("CHAOS_MOST");
    let rest_every = number("CHAOS_REST_EVERY");
    let acked = Acked::create(Path::new(&told("CHAOS_ACKED")), threads).unwrap();
    let (stop, left) = (AtomicBool::new(false), AtomicUsize::new(threads));
    let loggers = [&repo.app, &repo.db, &repo.redis, &repo.task];
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (tag, acked, stop, left) = (tag.as_str(), &acked, &stop, &left);
            scope.spawn(move || {
                for number in 1..=most {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    Work { tag, thread, number }.log(loggers);
                    acked.set(thread, number);
                    if rest_every > 0 && number.is_multiple_of(rest_every) {
                        std::thread::park_timeout(Duration::from_millis(1));
                    }
                }
                if left.fetch_sub(1, Ordering::Relaxed) == 1 {
                    println!("done");
                }
            });
        }
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        stop.store(true, Ordering::Relaxed);
    });
}
