//! A program with `#[miu_log::main]` records how it ends, and what came first.
// L-05, V-37, V-38, V-39

use std::process::Command;

use miu_log_tests::{Entry, Outcome, Place, logs, names, run};

use crate::{FLUSH, prepare};

fn program(place: &Place, way: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_program"));
    prepare(&mut command, place);
    command.arg(way).arg(place.logs());
    command
}

fn ended(place: &Place, way: &str, code: i32) -> Outcome {
    let outcome = run(&mut program(place, way));
    assert_eq!(outcome.status.code(), Some(code), "{outcome:?}");
    assert_eq!(names(&place.runtime()), [""; 0], "left in the runtime directory");
    outcome
}

fn messages(place: &Place) -> Vec<String> {
    place.messages("app.log")
}

/// The record of the error that `main` returned.
#[track_caller]
fn assert_is_the_error(entry: &Entry) {
    assert_eq!((&*entry.level, &*entry.message), ("CRITICAL", "main returned an error: cannot serve"));
    let causes = ["error: cannot serve", "caused by: an error occurred when formatting an argument"];
    assert_eq!(entry.detail, causes);
    assert!(entry.location.starts_with("tests/src/bin/program.rs:"), "{entry:?}");
}

#[test]
fn an_error_that_main_returns_is_recorded_with_its_causes_though_main_has_dropped_the_repository() {
    for way in ["fails", "global", "thread"] {
        let place = Place::new();
        let outcome = ended(&place, way, 1);
        assert!(outcome.stderr.contains("Error: Failure"), "as ever: {outcome:?}");
        let app = place.entries("app.log");
        assert_eq!(app[0].message, "early");
        let main: Vec<_> = place.entries("db.log");
        assert!(main[0].location.starts_with("program:main:"), "{main:?}");
        if way == "thread" {
            // It was ended by another thread, before `main` returned.
            assert_eq!(app.len(), 1);
        } else {
            assert_eq!(app.len(), 2);
            assert_is_the_error(&app[1]);
            assert_is_the_error(&place.entries("error.log")[0]);
        }
    }
}

#[test]
fn an_error_before_a_repository_is_opened_leaves_what_was_logged_on_stderr() {
    let place = Place::new();
    let outcome = run(&mut program(&place, "before-open"));
    assert_eq!(outcome.status.code(), Some(1));
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert!(lines[0].ends_with(" - early"), "{outcome:?}");
    assert!(lines[1].starts_with("Error: Failure"), "{outcome:?}");
}

#[test]
fn an_exit_code_that_main_returns_is_recorded() {
    let place = Place::new();
    ended(&place, "code", 3);
    assert_eq!(messages(&place), ["early", "main returned exit code 3"]);
    let place = Place::new();
    ended(&place, "well", 0);
    assert_eq!(messages(&place), ["early"]);
}

#[test]
fn a_repository_that_was_shut_down_takes_no_last_record() {
    let place = Place::new();
    ended(&place, "shut-down", 1);
    assert_eq!(messages(&place), ["early"]);
}

#[test]
fn a_repository_that_is_dropped_on_the_way_can_be_opened_again() {
    let place = Place::new();
    ended(&place, "reopened", 1);
    assert_eq!(place.messages("db.log"), ["in main", "once more"]);
    let app = place.entries("app.log");
    assert_is_the_error(app.last().unwrap());
    assert_eq!(app.len(), 2, "{app:?}");
}

#[test]
fn a_panic_of_main_is_recorded_once() {
    let place = Place::new();
    ended(&place, "panics", 101);
    assert_eq!(messages(&place), ["early", "thread 'main' panicked: in main"]);
}

#[test]
fn a_worker_process_records_its_error_in_its_parents_files() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    let mut command = program(&place, "worker");
    repo.queue().share_with(&mut command).unwrap();
    assert_eq!(run(command.env("MIU_LOG_WORKER_NAME", "mailer")).status.code(), Some(1));
    repo.flush(FLUSH).unwrap();
    let error = place.entries("error.log");
    let [error] = &error[..] else { panic!("{error:?}") };
    assert_is_the_error(error);
    assert_eq!(error.thread, "mailer/main");
}

#[test]
fn an_async_main_below_a_runtimes_attribute_is_a_program_like_any_other() {
    let place = Place::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_program_async"));
    prepare(&mut command, &place);
    let outcome = run(command.arg(place.logs()));
    assert_eq!(outcome.status.code(), Some(1), "{outcome:?}");
    let app = place.entries("app.log");
    let said: Vec<&str> = app.iter().map(|entry| &*entry.message).collect();
    let error = "main returned an error: \"task n panicked with message \\\"of a task\\\"\"";
    assert_eq!(said, ["early", "thread 'main' panicked: of a task", error]);
    let db = place.entries("db.log");
    assert!(db.iter().all(|entry| entry.location.starts_with("program_async:main:")), "{db:?}");
}
