//! A console that is closed, gone or never read stops nothing else.
// F38, M-06, U-25, P6

use std::io::Read;
use std::process::Stdio;

use miu_log_tests::{Place, run, wait};

use crate::{child, child_under};

const RECORDS: usize = 5_000;

fn files_are_complete(place: &Place) {
    for name in ["app.log", "info.log"] {
        assert_eq!(place.messages(name).len(), RECORDS, "{name}");
    }
}

#[test]
fn the_console_shows_the_lines_of_the_files() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "console"));
    assert_eq!(outcome.printed(), place.text("app.log").trim_end());
    files_are_complete(&place);
    assert!(!outcome.stdout.contains('\u{1b}'), "a pipe is no terminal");
}

#[test]
fn colours_come_by_force_and_go_by_no_color() {
    let place = Place::new();
    let forced = run(child(&place, "one-console-record").env("CLICOLOR_FORCE", "1").env_remove("NO_COLOR"));
    assert!(forced.printed().contains("\u{1b}["), "{forced:?}");
    let none = run(child(&place, "one-console-record").env("NO_COLOR", "1").env_remove("CLICOLOR_FORCE"));
    assert!(!none.printed().contains('\u{1b}'), "{none:?}");
    assert!(!place.text("app.log").contains('\u{1b}'));
}

#[test]
fn each_level_has_its_colour() {
    let place = Place::new();
    let outcome = run(child(&place, "console-levels").env("NO_COLOR", ""));
    let lines: Vec<&str> = outcome.printed().lines().collect();
    let colours = [
        ("TRACE", "\u{1b}[2m"),
        ("DEBUG", "\u{1b}[34m"),
        ("INFO", "\u{1b}[32m"),
        ("SUCCESS", "\u{1b}[1;32m"),
        ("WARNING", "\u{1b}[33m"),
        ("ERROR", "\u{1b}[31m"),
        ("CRITICAL", "\u{1b}[35m"),
    ];
    assert_eq!(lines.len(), colours.len());
    for (line, (level, colour)) in lines.iter().zip(colours) {
        assert!(line.contains(&format!(" | {colour}{level}\u{1b}[0m")), "{line:?}");
        // Without the colour it is the line of the file: the message's own escape code is text in both.
        let plain = line.replace(colour, "").replace("\u{1b}[0m", "");
        assert!(place.text("app.log").lines().any(|found| found == plain), "{plain:?}");
        assert!(plain.ends_with("\\u{1b}[31mforged"));
    }
}

#[test]
fn a_closed_stdout_stops_nothing() {
    for script in ["exec \"$0\" \"$@\" >&-", "exec \"$0\" \"$@\" >&- 2>&- <&-"] {
        let place = Place::new();
        run(&mut child_under("sh", ["-c", script], &place, "console")).printed();
        files_are_complete(&place);
    }
}

#[test]
fn a_reader_that_goes_away_stops_nothing() {
    let place = Place::new();
    let mut process = child(&place, "console").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut first = [0; 24];
    process.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let status = wait(&mut process);
    assert!(status.success(), "{status:?}");
    files_are_complete(&place);
}

#[test]
fn a_pipe_that_nobody_reads_stops_nothing() {
    let place = Place::new();
    let mut process = child(&place, "console").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let pipe = process.stdout.take();
    let status = wait(&mut process);
    assert!(status.success(), "{status:?}");
    files_are_complete(&place);
    drop(pipe);
}

#[test]
fn a_full_device_as_stdout_stops_nothing() {
    let place = Place::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut process = child(&place, "console").stdout(full).stderr(Stdio::null()).spawn().unwrap();
    assert!(wait(&mut process).success());
    files_are_complete(&place);
}
