//! Many threads, many records.

use std::sync::Barrier;

use miu_log::OverflowPolicy;
use miu_log::testing::ManualListener;
use miu_log_tests::{logs, memory_kib, open_descriptors};

use crate::{FLUSH, config};

/// Ten thousand threads of ten records, five hundred alive at a time.
pub(crate) fn churn(folder: &str) {
    const ALIVE: usize = 500;
    let repo = logs::Repository::open(config(folder).level_files(false)).unwrap();
    let queue = repo.queue();
    repo.flush(FLUSH).unwrap();
    let before = open_descriptors();
    for wave in 0..20 {
        let together = Barrier::new(ALIVE);
        std::thread::scope(|scope| {
            for thread in wave * ALIVE..(wave + 1) * ALIVE {
                let (queue, together) = (queue.clone(), &together);
                let builder = std::thread::Builder::new().stack_size(128 * 1024);
                let log = move || {
                    let worker = logs::Repository::worker(queue);
                    worker.app.info(format!("{thread} 0"));
                    together.wait();
                    (1..10).for_each(|number| miu_log::info!(worker.app, "{thread} {number}"));
                };
                builder.spawn_scoped(scope, log).unwrap();
            }
        });
    }
    repo.flush(FLUSH).unwrap();
    let descriptors = open_descriptors().saturating_sub(before);
    let stats = repo.stats();
    let peak = memory_kib("VmHWM:");
    println!("written={} dropped={} descriptors={descriptors} peak_kib={peak}", stats.written, stats.dropped);
}

/// A million records for a listener that never comes.
pub(crate) fn million(folder: &str, policy: OverflowPolicy) {
    let listener = ManualListener::new();
    let config = config(folder).overflow(policy).ring_limit(1024 * 1024).manual_listener(&listener);
    let repo = logs::Repository::open(config).unwrap();
    let before = memory_kib("VmRSS:");
    for number in 0..1_000_000 {
        miu_log::info!(repo.app, "record {number}");
    }
    let grown = memory_kib("VmHWM:").saturating_sub(before);
    let stats = repo.stats();
    println!(
        "accepted={} dropped={} pending={} grown_kib={grown}",
        stats.accepted, stats.dropped, stats.pending
    );
}

/// Memory after twice as many records as the rings, buffers and tables need to reach their size.
pub(crate) fn soak(folder: &str) {
    let repo = logs::Repository::open(config(folder).overflow(OverflowPolicy::Block)).unwrap();
    let log = || {
        for number in 0..60_000 {
            miu_log::info!(repo.app, number, "record {number} {}", "text");
        }
        repo.flush(FLUSH).unwrap();
        memory_kib("VmHWM:")
    };
    let warm = log();
    let grown = (0..2).map(|_| log()).max().unwrap_or(0) - warm;
    println!("written={} grown_kib={grown}", repo.stats().written);
}

/// Ten records, then what was counted.
pub(crate) fn ten_records(folder: &str) {
    let repo = logs::Repository::open(config(folder)).unwrap();
    for number in 0..10 {
        miu_log::info!(repo.app, "record {number}");
    }
    repo.shutdown();
    let stats = repo.stats();
    println!("accepted={} dropped={} written={}", stats.accepted, stats.dropped, stats.written);
}

/// Logs through the process-wide repository and forgets to initialise it.
pub(crate) fn never_initialised() {
    logs::repo().app.info("to nobody");
    logs::repo().db.info("to nobody either");
}

/// Eight threads of two thousand records.
pub(crate) fn eight_threads(folder: &str) {
    let repo = logs::Repository::open(config(folder)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let repo = &repo;
            scope.spawn(move || {
                for number in 0..2_000 {
                    miu_log::info!(repo.app, "thread {thread} record {number}");
                }
            });
        }
    });
    repo.shutdown();
    let stats = repo.stats();
    println!("accepted={} dropped={} written={}", stats.accepted, stats.dropped, stats.written);
}
