//! Which files there are, what is in them, and what they are never: coloured, truncated, open to others.
// U-03, U-08, U-23, U-24, U-26, C3, C11, M-10, M-31, F60

use std::os::unix::fs::PermissionsExt;

use miu_log::{ColourChoice, Console, Level, LogConfig};
use miu_log_tests::{Place, logs, names, run};

use crate::{child_under, everything};

const STANDARD: [&str; 8] =
    ["app.log", "db.log", "debug.log", "error.log", "info.log", "redis.log", "task.log", "warning.log"];

#[test]
fn domain_and_level_files_are_there_from_the_start() {
    let place = Place::new();
    let _repo = logs::Repository::open(place.config()).unwrap();
    assert_eq!(place.names(), STANDARD);
}

#[test]
fn each_level_file_holds_exactly_its_level_and_error_log_critical_too() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config().level(Level::Trace)).unwrap();
    repo.app.debug("a debug");
    repo.app.info("an info");
    repo.app.warning("a warning");
    repo.app.error("an error");
    repo.app.critical("a critical");
    repo.shutdown();
    assert_eq!(place.names(), STANDARD, "no trace and no success record, so no such file");
    assert_eq!(place.messages("debug.log"), ["a debug"]);
    assert_eq!(place.messages("info.log"), ["an info"]);
    assert_eq!(place.messages("warning.log"), ["a warning"]);
    assert_eq!(place.messages("error.log"), ["an error", "a critical"]);
    assert_eq!(place.entries("error.log")[1].level, "CRITICAL");
    assert_eq!(place.messages("app.log").len(), 5);
    assert_eq!(place.text("db.log"), "");
}

#[test]
fn trace_and_success_files_come_with_their_first_record() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config().level(Level::Trace)).unwrap();
    repo.app.trace("a trace");
    repo.app.success("a success");
    repo.shutdown();
    assert_eq!(place.messages("trace.log"), ["a trace"]);
    assert_eq!(place.messages("success.log"), ["a success"]);
    assert_eq!(place.text("info.log"), "");
}

#[test]
fn a_prefix_stands_before_every_name() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config().file_prefix("api").level(Level::Trace)).unwrap();
    repo.db.trace("a trace");
    repo.shutdown();
    let mut expected: Vec<String> = STANDARD.iter().map(|name| format!("api.{name}")).collect();
    expected.push("api.trace.log".to_owned());
    expected.sort();
    assert_eq!(place.names(), expected);
    assert_eq!(place.messages("api.db.log"), ["a trace"]);
}

#[test]
fn a_prefix_that_is_no_file_name_is_refused() {
    for prefix in ["../x", "a/b", "", "-rf", "API", "con", "a\n"] {
        let place = Place::new();
        let error = logs::Repository::open(place.config().file_prefix(prefix)).unwrap_err().to_string();
        assert!(error.contains("a-z, 0-9"), "{error}");
        assert!(names(place.root()).iter().all(|name| name == "logs"), "nothing outside the folder");
    }
}

#[test]
fn without_level_files_there_are_domain_files_only() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config().level_files(false)).unwrap();
    repo.app.error("an error");
    repo.shutdown();
    assert_eq!(place.names(), ["app.log", "db.log", "redis.log", "task.log"]);
}

#[test]
fn files_hold_no_colours_where_the_console_does() {
    let place = Place::new();
    let config = place.config().level(Level::Trace).console(Console::stderr().colour(ColourChoice::Always));
    let repo = logs::Repository::open(config).unwrap();
    for level in Level::ALL {
        repo.app.log(level, "plain \u{1b}[31mred\u{1b}[0m");
    }
    repo.shutdown();
    assert_eq!(place.messages("app.log").len(), Level::ALL.len());
    assert!(!everything(&place.logs()).contains('\u{1b}'));
}

#[test]
fn opening_keeps_what_the_files_hold() {
    let place = Place::new();
    for run in 0..3 {
        let repo = logs::Repository::open(place.config()).unwrap();
        repo.app.info(format!("run {run}"));
    }
    assert_eq!(place.messages("app.log"), ["run 0", "run 1", "run 2"]);
    assert_eq!(place.messages("info.log"), ["run 0", "run 1", "run 2"]);
}

#[test]
fn missing_parents_of_the_folder_are_made() {
    let place = Place::new();
    let deep = place.root().join("a/b/c");
    drop(
        logs::Repository::open(LogConfig::new(&deep).intercept(false).panic_hook(false).console(false))
            .unwrap(),
    );
    assert!(deep.join("app.log").is_file());
}

#[test]
fn folder_and_files_are_not_for_others_whatever_the_umask() {
    for (umask, folder, file) in [("000", 0o750, 0o640), ("022", 0o750, 0o640), ("077", 0o700, 0o600)] {
        let place = Place::new();
        let script = format!("umask {umask}; exec \"$0\" \"$@\"");
        run(&mut child_under("sh", ["-c", &script], &place, "one-record")).printed();
        let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(place.logs()), folder, "umask {umask}");
        for name in place.names() {
            assert_eq!(mode(place.log(&name)), file, "{name}, umask {umask}");
        }
    }
}
