//! A panic is a CRITICAL record with its place and backtrace, in the files however the process goes on or ends; so is the reason of an exit.
// L-04, L-58, V-33 to V-39, V-42, F7 (abort), F21

use std::os::unix::process::ExitStatusExt;

use miu_log_tests::{Entry, Outcome, Place, logs, run};

use crate::child;

const ABORT: i32 = 6;

/// Runs the role `panic` in this way.
fn panic(place: &Place, way: &str) -> Outcome {
    run(child(place, "panic").arg(way))
}

/// The records of panics, which stand in the first domain's file and in that of errors.
#[track_caller]
fn panics(place: &Place) -> Vec<Entry> {
    let entries = place.entries("app.log");
    assert_eq!(entries, place.entries("error.log"));
    assert!(entries.iter().all(|entry| entry.level == "CRITICAL"), "{entries:?}");
    entries
}

/// The one panic there was.
#[track_caller]
fn the_panic(place: &Place) -> Entry {
    let [entry] = &panics(place)[..] else { panic!("{:?}", panics(place)) };
    entry.clone()
}

#[track_caller]
fn has_backtrace(entry: &Entry, function: &str) {
    assert_eq!(entry.detail[0], "backtrace:", "{entry:?}");
    assert!(entry.detail.iter().any(|line| line.contains(function)), "{entry:?}");
    assert!(!entry.detail.iter().any(|line| line.contains("panic_hook")), "the hook itself: {entry:?}");
}

#[test]
fn a_panic_of_the_main_thread_is_recorded_with_place_and_backtrace() {
    let place = Place::new();
    let outcome = panic(&place, "main");
    assert_eq!(outcome.status.code(), Some(101));
    let entry = the_panic(&place);
    assert_eq!(entry.message, "thread 'main' panicked: boom\\nsecond line");
    assert_eq!(entry.thread, "main/main");
    assert!(entry.location.starts_with("tests/src/bin/child/panics.rs:"), "{entry:?}");
    has_backtrace(&entry, "panics::the_culprit");
    assert_eq!(outcome.stderr.matches("the former hook").count(), 1, "{outcome:?}");
    assert_eq!(place.messages("db.log"), ["before"]);
}

#[test]
fn a_panic_of_a_thread_is_recorded_and_the_process_goes_on() {
    let place = Place::new();
    panic(&place, "thread").printed();
    let entry = the_panic(&place);
    assert_eq!(entry.message, "thread 'worker-3' panicked: boom\\nsecond line");
    assert_eq!(entry.thread, "main/worker-3");
    assert_eq!(place.messages("db.log"), ["before", "after"]);
    let place = Place::new();
    panic(&place, "nameless").printed();
    assert_eq!(the_panic(&place).message, "a thread without a name panicked: boom\\nsecond line");
}

#[test]
fn a_panic_that_aborts_the_process_is_in_the_files_before() {
    for way in ["abort", "abort-in-thread"] {
        let place = Place::new();
        let outcome = panic(&place, way);
        assert_eq!(outcome.status.signal(), Some(ABORT), "{outcome:?}");
        let entries = panics(&place);
        assert!(entries[0].message.ends_with("panicked: cannot unwind"), "{entries:?}");
        // The runtime panics in turn when it comes to the end of what can be unwound.
        assert!(entries[1].message.contains("cannot unwind"), "{entries:?}");
        has_backtrace(&entries[0], "without_unwinding");
        assert_eq!(place.messages("db.log"), ["before"]);
    }
}

#[test]
fn a_panic_inside_a_panic_is_recorded_too() {
    let place = Place::new();
    let outcome = panic(&place, "twice");
    assert_eq!(outcome.status.signal(), Some(ABORT), "{outcome:?}");
    let messages: Vec<_> = panics(&place).into_iter().map(|entry| entry.message).collect();
    assert!(
        messages[0].ends_with("boom\\nsecond line") && messages[1].ends_with("and again"),
        "{messages:?}"
    );
}

#[test]
fn a_panic_while_logging_is_recorded_and_logging_goes_on() {
    let place = Place::new();
    panic(&place, "display").printed();
    assert_eq!(the_panic(&place).message, "thread 'main' panicked: cannot be shown");
    assert_eq!(place.messages("db.log"), ["before", "after"]);
}

#[test]
fn a_panic_has_the_context_of_its_thread() {
    let place = Place::new();
    panic(&place, "in-context");
    let message = the_panic(&place).message;
    assert_eq!(message, "thread 'main' panicked: boom\\nsecond line | request_id=r-17");
}

#[test]
fn a_payload_that_is_no_text_and_a_poisoned_lock_are_recorded() {
    let place = Place::new();
    assert_eq!(panic(&place, "not-a-text").status.code(), Some(101));
    assert_eq!(the_panic(&place).message, "thread 'main' panicked: (a payload that is no text)");
    let place = Place::new();
    assert_eq!(panic(&place, "poisoned").status.code(), Some(101));
    let entries = panics(&place);
    assert_eq!(entries.len(), 2);
    assert!(entries[1].message.contains("PoisonError"), "{entries:?}");
}

#[test]
fn a_panic_on_the_listener_s_thread_is_told_on_stderr_and_does_not_hang() {
    let place = Place::new();
    let outcome = panic(&place, "in-layout");
    outcome.printed();
    let lines = place.text("db.log");
    // Where it is told depends on when the listener comes by.
    let (told, others): (Vec<&str>, Vec<&str>) = lines.lines().partition(|line| line.starts_with("dropped "));
    assert_eq!(others, ["before", "after"], "{lines:?}");
    assert!(told.iter().all(|line| line.contains("of this file (its layout panicked): 1 ")), "{lines:?}");
    assert_eq!(place.text("app.log"), "", "no record of a panic");
    assert!(outcome.stderr.contains("a layout's fault"), "{outcome:?}");
}

#[test]
fn a_hook_that_ends_the_process_comes_after_the_record() {
    let place = Place::new();
    assert_eq!(panic(&place, "exit-in-hook").status.code(), Some(9));
    assert_eq!(the_panic(&place).message, "thread 'main' panicked: boom\\nsecond line");
}

#[test]
fn a_panic_is_no_record_where_that_is_not_wanted_or_logging_has_ended() {
    for way in ["unwanted", "after-shutdown"] {
        let place = Place::new();
        let outcome = panic(&place, way);
        assert_eq!(outcome.status.code(), Some(101));
        assert_eq!(place.text("app.log"), "");
        assert_eq!(outcome.stderr.matches("the former hook").count(), 1, "{outcome:?}");
    }
}

#[test]
fn a_panic_of_a_worker_process_or_a_forked_child_is_in_the_parent_s_files() {
    for way in ["worker-process", "forked"] {
        let place = Place::new();
        panic(&place, way).printed();
        let all = place.entries("error.log");
        let entries: Vec<_> = all.iter().filter(|entry| entry.message.contains("cannot unwind")).collect();
        assert_eq!(entries.len(), 2, "{way}: {all:?}");
        assert!(!entries[0].thread.starts_with("main/"), "{entries:?}");
        has_backtrace(entries[0], "without_unwinding");
    }
}

#[test]
fn an_exit_says_why_the_service_ran_and_stopped_whatever_the_level() {
    for (code, level, file) in [(0, "INFO", "info.log"), (78, "CRITICAL", "error.log")] {
        let place = Place::new();
        let outcome = run(child(&place, "exit").args([&code.to_string(), "nothing\nto do"]));
        assert_eq!(outcome.status.code(), Some(code), "{outcome:?}");
        let entries = place.entries("app.log");
        let [entry] = &entries[..] else { panic!("{entries:?}") };
        assert_eq!(entry.level, level);
        let begin = format!("stopping: nothing\\nto do | code={code} program=child ran=");
        assert!(entry.message.starts_with(&begin), "{entry:?}");
        assert!(entry.location.starts_with("tests/src/bin/child/panics.rs:"), "{entry:?}");
        assert!(place.messages(file).contains(&entry.message));
        assert_eq!(place.messages("db.log"), ["before"]);
    }
}

#[test]
fn an_exit_after_the_end_of_logging_says_why_on_stderr() {
    let place = Place::new();
    let outcome = run(child(&place, "exit").args(["3", "ended"]));
    assert_eq!(outcome.status.code(), Some(3));
    assert!(outcome.stderr.contains("miu-log: stopping: ended (exit code 3"), "{outcome:?}");
    assert_eq!(place.text("app.log"), "");
}

#[test]
fn an_exit_of_a_worker_process_is_in_the_parent_s_files() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    let mut command = child(&place, "exit-of-worker");
    repo.queue().share_with(&mut command).unwrap();
    let outcome = run(command.arg("no more work"));
    assert_eq!(outcome.status.code(), Some(4), "{outcome:?}");
    repo.flush(crate::FLUSH).unwrap();
    let messages = place.messages("error.log");
    assert!(
        messages.iter().any(|message| message.starts_with("stopping: no more work | code=4")),
        "{messages:?}"
    );
}
