//! Roles that are killed, and the one that closes the folder after them. See `miu_log_tests::chaos`.
//!
//! What they are to do stands in their environment; they go on until stdin ends.

use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use miu_log::{LogConfig, OverflowPolicy, Rotation};
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

/// Nothing may be dropped, so that a call that has returned is a promise; and files are rotated all the time.
fn keeping(folder: &str) -> LogConfig {
    config(folder).overflow(OverflowPolicy::Block).rotation(Rotation::Size("100 kB"))
}

/// Opens the folder and logs from some threads until stdin ends, or as much as it was told.
pub(crate) fn produce(folder: &str) {
    let config = keeping(folder)
        .ring_limit(number("CHAOS_RING_LIMIT") as usize)
        .take_over(std::env::var_os("CHAOS_TAKE_OVER").is_some());
    let repo = logs::Repository::open(config).unwrap();
    say_open(&repo);
    log_until_told(&repo);
    end(&repo);
}

/// Joins the repository of another process, and logs in the same way.
pub(crate) fn work(endpoint: &str) {
    let repo = logs::Repository::connect_to(endpoint).unwrap();
    println!("joined");
    log_until_told(&repo);
    end(&repo);
}

/// Opens the folder and ends properly.
pub(crate) fn close(folder: &str) {
    let repo = logs::Repository::open(keeping(folder)).unwrap();
    say_open(&repo);
    end(&repo);
}

/// Says where the repository can be joined, and how many records of earlier lives this start has brought into the files.
fn say_open(repo: &logs::Repository) {
    println!("endpoint={}", repo.queue().endpoint());
    println!("open recovered={}", repo.recovery().records);
    assert_eq!(repo.recovery().corrupt, 0);
}

fn end(repo: &logs::Repository) {
    let report = repo.shutdown();
    assert_eq!((report.dropped, report.abandoned), (0, 0), "{report:?}");
    assert_eq!(repo.stats().corrupt, 0);
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
