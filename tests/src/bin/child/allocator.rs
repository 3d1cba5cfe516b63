//! An allocator that logs, in threads that ask for it: what it does in all others is what the system's does.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use miu_log::{DropReason, Level};
use miu_log_tests::logs;

use crate::{FLUSH, config};

#[global_allocator]
static ALLOCATOR: Logging = Logging;

static REPO: OnceLock<logs::Repository> = OnceLock::new();
/// Calls made by the allocator.
static CALLS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static LOGS: Cell<bool> = const { Cell::new(false) };
}

struct Logging;

// SAFETY: all memory is the system allocator's.
unsafe impl GlobalAlloc for Logging {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        log(layout.size());
        // SAFETY: passed on as it came.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        log(layout.size());
        // SAFETY: passed on as it came.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn log(size: usize) {
    if LOGS.get()
        && let Some(repo) = REPO.get()
    {
        CALLS.fetch_add(2, Ordering::Relaxed);
        miu_log::info!(repo.db, size, "memory");
        // A method, whose place is registered in another way.
        repo.redis.log(Level::Error, "memory");
    }
}

/// The first record of a thread, first records of statements, growth, a long record and a text: each of them allocates somewhere.
pub(crate) fn that_logs(folder: &str) {
    let repo = REPO.get_or_init(|| logs::Repository::open(config(folder)).unwrap());
    let mut own = 0;
    for round in 0..3 {
        own += std::thread::spawn(move || {
            let text = "x".repeat(20_000);
            LOGS.set(true);
            miu_log::info!(repo.app, round, "{} {:?}", "first", Some(round));
            repo.app.info("by a method");
            miu_log::info!(repo.app, "{text}");
            repo.app.info(format!("{round} made here"));
            for number in 0..3_000 {
                miu_log::info!(repo.app, "{number}");
            }
            LOGS.set(false);
            3_004
        })
        .join()
        .unwrap();
    }
    repo.flush(FLUSH).unwrap();
    let stats = repo.stats();
    println!(
        "calls={} own={own} accepted={} written={} dropped={} reentrant={}",
        CALLS.load(Ordering::Relaxed),
        stats.accepted,
        stats.written,
        stats.dropped,
        stats.dropped_for(DropReason::Reentrant),
    );
}
