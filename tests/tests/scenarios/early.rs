//! What is logged before there is a repository is in its files, before all else, or on stderr.
// L-05 to L-11, L-14, L-16, L-26, L-54, L-63, F12

use miu_log_tests::{Entry, Outcome, Place, logs, names, run};

use crate::{FLUSH, child};

fn early(place: &Place, way: &str) -> Outcome {
    run(child(place, "early").arg(way).env("TZ", "UTC"))
}

/// The four records that every way begins with, as far as they are in a file.
const SOME: [&str; 4] =
    ["first, unseen | target=sqlx::query", "second, shown | rows=7", "third, of a thread", "fourth"];

fn messages(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| &*entry.message).collect()
}

#[test]
fn early_records_come_first_with_their_times_threads_and_places() {
    let place = Place::new();
    let outcome = early(&place, "open");
    // `sqlx` belongs to `db`, as it would later.
    let db = place.entries("db.log");
    assert_eq!(messages(&db), [SOME[0]]);
    let app = place.entries("app.log");
    let panic = "thread 'main' panicked: fifth";
    assert_eq!(messages(&app), [SOME[1], SOME[2], SOME[3], panic, "later", "later, by the facade"]);
    let levels: Vec<_> = app.iter().map(|entry| &*entry.level).collect();
    assert_eq!(levels, ["INFO", "WARNING", "ERROR", "CRITICAL", "INFO", "INFO"]);
    let threads: Vec<_> = app.iter().map(|entry| &*entry.thread).collect();
    assert_eq!(threads[..3], ["main/main", "main/loader", "main/main"]);
    assert!(app[..3].iter().all(|entry| entry.location.starts_with("child::early:")), "{app:?}");
    assert!(app[3].location.starts_with("tests/src/bin/child/early.rs:"), "{app:?}");
    assert!(app[3].detail.iter().any(|line| line.contains("early::run")), "{app:?}");
    assert!(app.is_sorted_by_key(|entry| &entry.time), "{app:?}");
    assert_eq!(place.messages("debug.log"), [SOME[0]]);
    assert_eq!(outcome.printed(), "early=1 log=4 tracing=0 panics=1 dropped=0 own=0 before=0");
    assert_eq!(names(&place.runtime()), [""; 0], "left in the runtime directory");
}

#[test]
fn early_records_from_info_on_are_shown_at_once_in_the_layout_of_loguru() {
    let place = Place::new();
    let outcome = early(&place, "level");
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{outcome:?}");
    for (line, (level, message)) in lines.iter().zip([
        ("INFO    ", "second, shown | rows=7"),
        ("WARNING ", "third, of a thread"),
        ("ERROR   ", "fourth"),
    ]) {
        let parts: Vec<&str> = line.splitn(3, " | ").collect();
        assert_eq!((parts[0].len(), parts[1]), (23, level), "{line}");
        let (origin, shown) = parts[2].split_once(" - ").unwrap();
        assert!(origin.starts_with("child::early:"), "{line}");
        assert_eq!(shown, message);
    }
    // The repository's own levels decide what its files get.
    assert_eq!(place.messages("app.log"), SOME[2..]);
    assert_eq!(place.messages("db.log"), SOME[..1]);
}

#[test]
fn what_is_held_goes_to_stderr_where_the_program_ends_without_a_repository() {
    for (way, code) in [("exit", 3), ("return", 0)] {
        let place = Place::new();
        let outcome = early(&place, way);
        assert_eq!(outcome.status.code(), Some(code));
        let lines: Vec<&str> = outcome.stderr.lines().collect();
        assert_eq!(lines.len(), 5, "{outcome:?}");
        assert!(
            lines[3].starts_with("miu-log: the program ends and no repository was opened"),
            "{outcome:?}"
        );
        assert!(lines[4].ends_with("first, unseen | target=sqlx::query"), "{outcome:?}");
        assert!(!place.logs().exists());
    }
}

#[test]
fn what_is_held_goes_to_stderr_before_a_panic_can_end_the_program() {
    for way in ["panic", "abort"] {
        let place = Place::new();
        let outcome = early(&place, way);
        assert!(!outcome.status.success());
        assert_eq!(outcome.stderr.matches("first, unseen").count(), 1, "{outcome:?}");
        assert_eq!(outcome.stderr.matches("second, shown").count(), 1, "{outcome:?}");
        let hook = outcome.stderr.find("panicked at").unwrap();
        assert!(outcome.stderr.find("first, unseen").unwrap() < hook, "{outcome:?}");
    }
}

#[test]
fn a_process_wide_repository_has_early_records_in_order_of_time() {
    let place = Place::new();
    let outcome = early(&place, "global");
    let app = place.entries("app.log");
    assert_eq!(messages(&app), [SOME[1], SOME[2], SOME[3], "between", "after between", "later"]);
    assert_eq!(outcome.printed(), "early=1 log=5 tracing=0 panics=0 dropped=0 own=1 before=0");
}

#[test]
fn a_wrong_order_is_visible_in_the_report() {
    let place = Place::new();
    assert_eq!(
        early(&place, "own-before").printed(),
        "early=1 log=5 tracing=0 panics=0 dropped=0 own=2 before=1"
    );
    let place = Place::new();
    assert_eq!(early(&place, "late").printed(), "early=0 log=0 tracing=0 panics=0 dropped=0 own=0 before=0");
    assert_eq!(place.messages("app.log"), ["not early"]);
    let place = Place::new();
    assert_eq!(early(&place, "never").printed(), "early=0 log=0 tracing=0 panics=0 dropped=0 own=0 before=0");
}

#[test]
fn early_events_of_tracing_have_their_fields_and_spans_and_are_there_once() {
    let place = Place::new();
    let outcome = early(&place, "tracing");
    assert_eq!((outcome.number("log"), outcome.number("tracing")), (4, 1), "{outcome:?}");
    let app = place.messages("app.log");
    let events: Vec<_> = app.iter().filter(|message| message.contains("event")).collect();
    assert_eq!(events.len(), 2, "{app:?}");
    assert!(events[0].starts_with("an event | ") && events[0].contains("rows=3"), "{events:?}");
    assert!(events.iter().all(|event| event.contains("id=7")), "{events:?}");
}

#[test]
fn another_logger_is_an_error_that_says_so_and_panics_are_collected_all_the_same() {
    let place = Place::new();
    let outcome = early(&place, "taken");
    assert!(outcome.printed().contains("`log` facade go to another logger"), "{outcome:?}");
    let messages = place.messages("app.log");
    assert!(messages.contains(&"thread 'main' panicked: early".to_owned()), "{messages:?}");
}

#[test]
fn more_than_can_be_kept_is_counted_and_told() {
    let place = Place::new();
    let outcome = early(&place, "many");
    let (dropped, all) = (outcome.number("dropped"), outcome.number("log"));
    assert_eq!(all, 20_004);
    let debug = place.messages("debug.log");
    assert_eq!(debug.len() as u64, 20_001 - dropped);
    let expected: Vec<String> = (0..debug.len() - 1).map(|number| number.to_string()).collect();
    assert_eq!(debug[1..], expected);
    let warnings = place.messages("warning.log");
    let told =
        format!("dropped {dropped} early records (no repository was open to take more): {dropped} DEBUG");
    assert_eq!(warnings, ["third, of a thread", &told]);
}

#[test]
fn a_record_that_is_too_long_for_a_ring_is_cut_with_a_mark() {
    let place = Place::new();
    early(&place, "long").printed();
    let messages = place.messages("app.log");
    let long = messages.last().unwrap();
    assert!(long.starts_with("xxxx") && long.ends_with("… [cut, 100000 bytes]"), "{}", long.len());
    assert!(long.len() > 4_000);
}

#[test]
fn a_forked_child_leaves_to_its_parent_what_came_before_the_fork() {
    let place = Place::new();
    let outcome = early(&place, "forked");
    outcome.printed();
    assert_eq!(place.messages("app.log"), SOME[1..]);
    assert_eq!(place.messages("db.log"), SOME[..1]);
    assert_eq!(outcome.stderr.matches("first, unseen").count(), 0, "{outcome:?}");
    assert_eq!(outcome.stderr.matches("of the child").count(), 1, "{outcome:?}");
}

#[test]
fn a_worker_process_has_its_early_records_in_its_parents_files() {
    let place = Place::new();
    let repo = logs::Repository::open(place.intercepting_config()).unwrap();
    let mut command = child(&place, "early");
    repo.queue().share_with(&mut command).unwrap();
    run(command.arg("worker").env("MIU_LOG_WORKER_NAME", "mailer")).printed();
    repo.flush(FLUSH).unwrap();
    let all = place.entries("app.log");
    let of = |thread: &str| {
        let entries = all.iter().filter(|entry| entry.thread == thread);
        entries.map(|entry| &*entry.message).collect::<Vec<_>>()
    };
    assert_eq!(of("mailer/main"), [SOME[1], SOME[3], "later"]);
    assert_eq!(of("mailer/loader"), [SOME[2]]);
}

#[test]
fn early_records_outlive_a_kill_once_the_repository_is_open() {
    let place = Place::new();
    let outcome = early(&place, "killed");
    assert!(!outcome.status.success());
    run(&mut child(&place, "recover")).printed();
    let app = place.entries("app.log");
    assert_eq!(messages(&app)[..4], [SOME[1], SOME[2], SOME[3], "later"]);
    assert_eq!(place.messages("db.log"), SOME[..1]);
}

#[test]
fn a_record_after_the_end_of_the_repository_is_not_an_early_one() {
    let place = Place::new();
    let outcome = early(&place, "shut-down");
    outcome.printed();
    assert_eq!(place.messages("app.log"), SOME[1..]);
    assert!(!outcome.stderr.contains("after the end"), "{outcome:?}");
}
