//! However a program ends, what it logged right before is in the files, and the runtime directory is empty.
// P4, F7 (but abort), F21 (flush), U-27, U-28, L-57, L-58, M-12, M-41

use miu_log_tests::{Place, names, run};

use crate::child;

/// Runs a program that logs ten thousand records and ends at once in this way.
fn all_is_written(way: &str, code: i32) {
    all_is_written_and(way, code, None);
}

/// The same for one that ends by a panic, which is a record too.
fn all_is_written_and(way: &str, code: i32, panic: Option<&str>) {
    let place = Place::new();
    let outcome = run(&mut child(&place, way));
    assert_eq!(outcome.status.code(), Some(code), "{outcome:?}");
    let expected: Vec<String> = (0..10_000).map(|number| format!("record {number}")).collect();
    for name in ["app.log", "info.log"] {
        let mut messages = place.messages(name);
        if let Some(panic) = panic.filter(|_| name == "app.log") {
            assert_eq!(messages.pop().unwrap(), panic);
        }
        assert!(messages == expected, "{name}: {} of 10000 in order; {outcome:?}", messages.len());
    }
    assert_eq!(names(&place.runtime()), [""; 0], "left in the runtime directory");
}

#[test]
fn return_from_main_loses_nothing() {
    all_is_written("end-by-return", 0);
}

#[test]
fn exit_loses_nothing() {
    all_is_written("end-by-exit", 3);
}

#[test]
fn exit_of_another_thread_loses_nothing() {
    all_is_written("end-by-exit-of-a-thread", 3);
}

#[test]
fn a_forgotten_repository_loses_nothing() {
    all_is_written("end-with-forgotten-repository", 0);
}

#[test]
fn a_leaked_repository_loses_nothing() {
    all_is_written("end-with-leaked-repository", 0);
}

#[test]
fn the_process_wide_repository_loses_nothing() {
    all_is_written("end-with-global-repository", 0);
}

#[test]
fn a_panic_of_the_main_thread_loses_nothing() {
    all_is_written_and("end-by-panic", 101, Some("thread 'main' panicked: the end"));
}

#[test]
fn a_panic_of_the_main_thread_with_a_leaked_repository_loses_nothing() {
    all_is_written_and("end-by-panic-leaked", 101, Some("thread 'main' panicked: the end"));
}

#[test]
fn a_panic_of_another_thread_loses_nothing() {
    all_is_written_and(
        "end-by-panic-of-a-thread",
        0,
        Some("a thread without a name panicked: the end of the thread"),
    );
}

#[test]
fn threads_that_still_log_do_not_hold_up_the_end() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "end-while-threads-log"));
    outcome.printed();
    // Each of the three threads logs its numbers in order, and the file ends somewhere among them, without a gap.
    let mut next = [0; 3];
    for message in place.messages("app.log") {
        let (thread, number) = message.split_once(' ').unwrap();
        let thread: usize = thread.parse().unwrap();
        assert_eq!(number, next[thread].to_string());
        next[thread] += 1;
    }
    assert!(next.iter().all(|count| *count >= 1_000), "{next:?}");
    // A thread may have been making a ring when the process ended: what stayed of that goes with the next start.
    if !names(&place.runtime()).is_empty() {
        run(&mut child(&place, "end-by-return")).printed();
        assert_eq!(names(&place.runtime()), [""; 0]);
    }
}
