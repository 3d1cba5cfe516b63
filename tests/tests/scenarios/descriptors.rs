//! File descriptors: few left, none leaked to programs that are started.
// F23, F30, F24 (nothing of the logger's in a child)

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use miu_log_tests::{Place, logs, run};

use crate::child;

#[test]
fn a_program_that_is_started_inherits_nothing_of_the_logger() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    repo.app.info("has a ring now");
    repo.app.info("x".repeat(100_000));
    let outcome = run(Command::new("ls").args(["-l", "/proc/self/fd"]));
    let listing = outcome.printed();
    for part in
        [".log", "logs", "miu-log", "memfd", "ring-", "dictionary", "checkpoint", "member-", "control"]
    {
        assert!(!listing.contains(part), "{listing}");
    }
    assert!(listing.contains("/proc/"), "the listing lists: {listing}");
}

#[test]
fn opening_without_enough_descriptors_is_an_error_that_names_the_file() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "few-descriptors-at-open"));
    let text = outcome.printed();
    assert!(text.contains("Too many open files") && text.contains(".log"), "{text}");
    assert!(text.ends_with("opened"), "and the next attempt, with enough of them, works: {text}");
    assert_eq!(place.messages("app.log"), ["opened"]);
}

#[test]
fn running_out_of_descriptors_later_loses_nothing_uncounted() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "few-descriptors-later"));
    assert_eq!(
        outcome.number("accepted") + outcome.number("dropped"),
        outcome.number("calls"),
        "{outcome:?}"
    );
    assert_eq!(outcome.number("written"), outcome.number("accepted"));
    let messages = place.messages("app.log");
    for expected in ["main during", "main after", "thread after"] {
        assert!(messages.iter().any(|message| message == expected), "{expected}: {messages:?}");
    }
    assert_eq!(place.messages("success.log"), ["its file could not be made at first"]);
}

#[test]
fn without_descriptors_the_upkeep_says_so_once_and_goes_on_later() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "few-descriptors-rotated"));
    assert_eq!((outcome.number("then"), outcome.number("later")), (0, 40), "{outcome:?}");
    assert_eq!(outcome.stderr.lines().count(), 1, "one notice: {outcome:?}");
    assert!(outcome.stderr.contains("Too many open files"), "{outcome:?}");
}

#[test]
fn without_descriptors_lines_wait_where_they_outlive_the_process() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "few-descriptors-killed"));
    assert_eq!(outcome.status.signal(), Some(9), "{outcome:?}");
    assert_eq!(outcome.stderr.lines().count(), 1, "one notice: {outcome:?}");
    assert!(
        outcome.stderr.contains("success.log") && outcome.stderr.contains("Too many open files"),
        "{outcome:?}"
    );
    assert!(!place.log("success.log").exists());
    run(&mut child(&place, "reopen")).printed();
    let expected: Vec<String> = (0..10).map(|number| format!("number {number}")).collect();
    assert_eq!(place.messages("success.log"), expected);
}
