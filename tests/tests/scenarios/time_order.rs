//! Records of several threads stand in the order in which they were logged, wherever that order is certain.
// P2, L-01, M-24

use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

use miu_log::testing::ManualListener;
use miu_log_tests::{Place, logs};

use crate::FLUSH;

#[test]
fn threads_that_take_turns_appear_in_turn() {
    const THREADS: usize = 4;
    const RECORDS: usize = 2_000;
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    let (turn, changed) = (Mutex::new(0), Condvar::new());
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (repo, turn, changed) = (&repo, &turn, &changed);
            scope.spawn(move || {
                loop {
                    let taken = turn.lock().unwrap();
                    let mine = |turn: &mut usize| *turn < RECORDS && *turn % THREADS != thread;
                    let mut number = changed.wait_while(taken, mine).unwrap();
                    if *number >= RECORDS {
                        return;
                    }
                    miu_log::info!(repo.domain(logs::Domain::ALL[*number % 3]), "{}", *number);
                    *number += 1;
                    changed.notify_all();
                }
            });
        }
    });
    repo.flush(FLUSH).unwrap();
    let expected: Vec<String> = (0..RECORDS).map(|number| number.to_string()).collect();
    assert_eq!(place.messages("info.log"), expected);
}

#[test]
fn the_first_record_of_a_thread_stands_before_what_was_logged_after_it() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    let mut expected = Vec::new();
    for round in 0..300 {
        repo.app.info(format!("{round} before"));
        thread::scope(|scope| {
            scope.spawn(|| repo.app.info(format!("{round} in the thread")));
        });
        repo.app.info(format!("{round} after"));
        expected.extend(["before", "in the thread", "after"].map(|what| format!("{round} {what}")));
    }
    repo.flush(FLUSH).unwrap();
    assert_eq!(place.messages("app.log"), expected);
}

#[test]
fn rings_that_have_grown_are_merged_in_order() {
    const THREADS: usize = 3;
    const RECORDS: usize = 3_000;
    let place = Place::new();
    let listener = ManualListener::new();
    let repo = logs::Repository::open(place.config().manual_listener(&listener)).unwrap();
    let text = "x".repeat(300);
    let (turn, changed) = (Mutex::new(0), Condvar::new());
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (repo, turn, changed, listener, text) = (&repo, &turn, &changed, &listener, &text);
            scope.spawn(move || {
                loop {
                    let taken = turn.lock().unwrap();
                    let mine = |turn: &mut usize| *turn < RECORDS && *turn % THREADS != thread;
                    let mut number = changed.wait_while(taken, mine).unwrap();
                    if *number >= RECORDS {
                        return;
                    }
                    listener.advance(Duration::from_nanos(1));
                    miu_log::info!(repo.app, "{} {text}", *number);
                    *number += 1;
                    changed.notify_all();
                }
            });
        }
    });
    // Nobody has read so far: each ring goes on in segments twice as large, several times.
    assert_eq!(repo.stats().written, 0);
    repo.flush(FLUSH).unwrap();
    let expected: Vec<String> = (0..RECORDS).map(|number| format!("{number} {text}")).collect();
    assert!(place.messages("app.log") == expected, "out of order");
}

#[test]
fn stamps_never_decrease_within_a_file() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..2_000).for_each(|number| miu_log::info!(repo.app, "{number}")));
        }
    });
    repo.flush(FLUSH).unwrap();
    let entries = place.entries("app.log");
    assert_eq!(entries.len(), 8_000);
    assert!(entries.is_sorted_by_key(|entry| &entry.time));
}
