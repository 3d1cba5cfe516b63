//! Logging from the destructor of a thread-local: written or counted, and never an abort.
// F16, L-61

use miu_log_tests::{Place, run};

use crate::child;

/// The program logs once in the thread (or not at all), once in the destructor; both must be there.
fn the_destructor_is_heard(role: &str, expected: &[&str]) {
    let place = Place::new();
    let outcome = run(&mut child(&place, role));
    outcome.printed();
    assert_eq!(place.messages("task.log"), expected, "{outcome:?}");
}

#[test]
fn a_thread_local_made_before_the_first_record() {
    the_destructor_is_heard("tls-before", &["in the thread", "in the destructor"]);
}

#[test]
fn a_thread_local_made_after_the_first_record() {
    the_destructor_is_heard("tls-after", &["in the thread", "in the destructor"]);
}

#[test]
fn a_thread_that_never_logged_before() {
    the_destructor_is_heard("tls-never", &["in the destructor"]);
}

#[test]
fn the_main_thread_after_the_shutdown() {
    let place = Place::new();
    run(&mut child(&place, "tls-main")).printed();
    assert_eq!(place.messages("task.log"), ["in the thread"]);
}

#[test]
fn a_drop_that_logs_while_a_panic_unwinds() {
    the_destructor_is_heard("drop-in-panic", &["in the thread", "in the destructor"]);
}
