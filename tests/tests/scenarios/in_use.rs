//! One repository at a time owns a folder; the second one learns whose it is.
// F37, P5, U-04, C12

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use miu_log_tests::{Place, logs, run, wait};

use crate::child;

/// `process <pid> since <year>-...` must be in the error's text.
fn assert_names(text: &str, process: u32) {
    let (_, rest) = text.split_once("is in use by process ").unwrap_or_else(|| panic!("{text}"));
    let (pid, rest) = rest.split_once(" since ").unwrap_or_else(|| panic!("{text}"));
    assert_eq!(pid, process.to_string());
    let since: String = rest.chars().take("2026-01-01T00:00:00Z".len()).collect();
    let digits: String = since.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert_eq!(digits, "9999-99-99T99:99:99Z", "{text}");
}

#[test]
fn a_second_repository_of_the_process_is_told_who_has_the_folder() {
    let place = Place::new();
    let first = logs::Repository::open(place.config()).unwrap();
    let error = logs::Repository::open(place.config()).unwrap_err();
    assert!(error.is_in_use());
    assert_names(&error.to_string(), std::process::id());
    // The same folder by another path is the same folder.
    let link = place.root().join("link");
    std::os::unix::fs::symlink(place.logs(), &link).unwrap();
    let error = logs::Repository::open(miu_log::LogConfig::new(&link).console(false)).unwrap_err();
    assert!(error.is_in_use(), "{error}");
    first.app.info("undisturbed");
    drop(first);
    assert_eq!(place.messages("app.log"), ["undisturbed"]);
    drop(logs::Repository::open(place.config()).unwrap());
}

#[test]
fn another_process_is_told_who_has_the_folder() {
    let place = Place::new();
    let mut holder = child(&place, "hold").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "holding\n");
    let outcome = run(&mut child(&place, "open"));
    assert_names(outcome.printed(), holder.id());
    holder.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(wait(&mut holder).success());
    assert_eq!(run(&mut child(&place, "open")).printed(), "opened");
    assert_eq!(place.messages("app.log"), ["held", "opened"]);
}

#[test]
fn a_holder_that_was_killed_holds_nothing() {
    let place = Place::new();
    let mut holder = child(&place, "hold").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said).unwrap();
    holder.kill().unwrap();
    wait(&mut holder);
    assert_eq!(run(&mut child(&place, "open")).printed(), "opened");
}
