//! An allocator that counts, and that logs in threads that ask for it: what it does in all others is what the system's does.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use miu_log::context::{self, REQUEST_ID};
use miu_log::{DropReason, Level, fields};
use miu_log_tests::logs;

use crate::{FLUSH, config};

#[global_allocator]
static ALLOCATOR: Logging = Logging;

static REPO: OnceLock<logs::Repository> = OnceLock::new();
/// Calls made by the allocator.
static CALLS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static LOGS: Cell<bool> = const { Cell::new(false) };
    /// How often the thread has allocated something.
    static ALLOCATED: Cell<u64> = const { Cell::new(0) };
}

struct Logging;

// SAFETY: all memory is the system allocator's.
unsafe impl GlobalAlloc for Logging {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.set(ALLOCATED.get() + 1);
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

/// Scopes that are entered and left, and records in them, while every allocation and every release logs.
pub(crate) fn that_logs_in_scopes(folder: &str) {
    let repo = REPO.get_or_init(|| logs::Repository::open(config(folder)).unwrap());
    let thread = std::thread::spawn(move || {
        repo.app.info("the first record makes the ring");
        LOGS.set(true);
        for round in 0..100 {
            let outer = context::scope(fields!(round));
            let inner = context::scope(REQUEST_ID.with("r-17"));
            miu_log::info!(repo.app, "inner");
            drop(outer);
            drop(inner);
            let captured = repo.app.bind(fields!(bound = round));
            captured.info("bound");
        }
        LOGS.set(false);
    });
    thread.join().unwrap();
    repo.flush(FLUSH).unwrap();
    let stats = repo.stats();
    println!("calls={} corrupt={} accepted={}", CALLS.load(Ordering::Relaxed), stats.corrupt, stats.accepted);
}

/// What logging calls with fields from everywhere allocate, once their thread and their statements have logged.
pub(crate) fn nothing_in_context(folder: &str) {
    let repo = logs::Repository::open(config(folder).diagnose(true)).unwrap();
    let _scope = context::scope(REQUEST_ID.with("r-17").with_fields(fields!(tenant = 7)));
    let bound = repo.app.bind(fields!(session = 1));
    let calls = |count: u32| {
        for number in 0..count {
            miu_log::info!(bound, number, "by a macro");
            bound.warning("by a method");
            miu_log::error!(repo.db, "with a context alone");
        }
    };
    calls(1);
    let before = ALLOCATED.get();
    calls(50);
    let allocated = ALLOCATED.get() - before;
    repo.flush(FLUSH).unwrap();
    println!("allocated={allocated} written={}", repo.stats().written);
}
