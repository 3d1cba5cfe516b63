//! Before the start, after the end, twice, and in the middle of it all.
// F12, U-27, U-28, U-06, L-57, L-58, M-12, M-41

use std::time::Duration;

use miu_log::{DropReason, log_domains};
use miu_log_tests::{Place, logs, run};

use crate::{FLUSH, child};

#[test]
fn shutdown_twice_is_harmless_and_says_the_same() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    repo.app.info("one");
    let first = repo.shutdown();
    assert_eq!((first.written, first.dropped, first.abandoned), (1, 0, 0));
    assert_eq!(repo.shutdown(), first);
    drop(repo);
    assert_eq!(place.messages("app.log"), ["one"]);
}

#[test]
fn calls_after_the_shutdown_are_counted_not_written() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    let worker = logs::Repository::worker(repo.queue());
    repo.app.info("before");
    repo.shutdown();
    repo.app.info("after");
    miu_log::error!(repo.db, n = 1, "after {}", 2);
    worker.app.debug("after");
    std::thread::scope(|scope| {
        scope.spawn(|| worker.task.info("after, first of its thread"));
    });
    assert!(!repo.app.enabled(miu_log::Level::Critical));
    let stats = repo.stats();
    assert_eq!(stats.dropped_for(DropReason::AfterShutdown), 4);
    assert_eq!((stats.accepted, stats.written, stats.pending), (1, 1, 0));
    assert!(repo.flush(Duration::from_millis(1)).is_ok(), "there is nothing left to flush");
    assert_eq!(crate::everything(&place.logs()).lines().count(), 2, "one record in two files");
}

#[test]
fn levels_cannot_reopen_what_is_shut_down() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    repo.shutdown();
    repo.set_debug_enabled(true);
    repo.set_level(miu_log::Level::Trace);
    repo.app.set_level(miu_log::Level::Trace);
    repo.app.critical("after");
    assert_eq!(repo.stats().dropped_for(DropReason::AfterShutdown), 1);
}

#[test]
fn the_folder_is_free_again_after_the_shutdown() {
    let place = Place::new();
    let first = logs::Repository::open(place.config()).unwrap();
    first.shutdown();
    let second = logs::Repository::open(place.config()).unwrap();
    first.app.info("to the closed one");
    second.app.info("to the open one");
    second.shutdown();
    assert_eq!(place.messages("app.log"), ["to the open one"]);
}

#[log_domains(app)]
mod early {}

#[test]
fn records_before_init_come_first_in_the_files() {
    let place = Place::new();
    early::repo().app.info("before init");
    assert!(early::repo().flush(Duration::from_millis(1)).is_err(), "there is nothing to flush to yet");
    let repo = early::init(place.config()).unwrap();
    repo.app.info("after init");
    early::repo().app.info("by repo()");
    repo.flush(FLUSH).unwrap();
    assert_eq!(place.messages("app.log"), ["before init", "after init", "by repo()"]);

    let error = early::init(place.config()).unwrap_err();
    assert!(error.is_already_initialised());
    assert!(error.to_string().contains("lifecycle.rs:"), "it names the first call: {error}");
}

#[log_domains(app)]
mod failing {}

// L-54
#[test]
fn records_of_a_program_that_never_calls_init_are_not_lost_in_silence() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "never-initialised"));
    assert!(outcome.stderr.contains("2 records were logged and never written"), "{outcome:?}");
}

#[test]
fn a_failed_init_can_be_tried_again() {
    let place = Place::new();
    std::fs::write(place.logs(), "a file where the folder should be").unwrap();
    let error = failing::init(place.config()).unwrap_err();
    assert!(!error.is_already_initialised() && error.to_string().contains("logs"), "{error}");
    failing::repo().app.info("kept meanwhile");
    std::fs::remove_file(place.logs()).unwrap();
    failing::init(place.config()).unwrap().flush(FLUSH).unwrap();
    assert_eq!(place.messages("app.log"), ["kept meanwhile"]);
}

#[log_domains(app)]
mod contested {}

#[test]
fn init_in_two_threads_has_one_winner() {
    let places = [Place::new(), Place::new()];
    let outcomes = std::thread::scope(|scope| {
        let start = |place: &Place| {
            let config = place.config();
            scope.spawn(move || contested::init(config).map(|repo| repo.app.info("mine")))
        };
        let threads = [start(&places[0]), start(&places[1])];
        threads.map(|thread| thread.join().unwrap())
    });
    contested::repo().flush(FLUSH).unwrap();
    let won = outcomes.iter().position(Result::is_ok).unwrap();
    let error = outcomes[1 - won].as_ref().unwrap_err();
    assert!(error.is_already_initialised(), "{error}");
    assert_eq!(places[won].messages("app.log"), ["mine"]);
    assert!(!places[1 - won].log("app.log").exists());
}

#[log_domains(app)]
mod flooded {}

#[test]
fn what_waits_for_init_is_bounded_and_the_rest_counted() {
    let place = Place::new();
    let text = "x".repeat(1_000);
    for number in 0..5_000 {
        flooded::repo().app.info(format_args!("{number} {text}"));
    }
    let repo = flooded::init(place.config()).unwrap();
    repo.flush(FLUSH).unwrap();
    let stats = repo.stats();
    assert!(stats.dropped > 0 && stats.accepted + stats.dropped == 5_000, "{stats:?}");
    let entries = place.entries("app.log");
    let kept: Vec<&str> = entries
        .iter()
        .filter(|entry| entry.level == "INFO")
        .map(|entry| entry.message.split(' ').next().unwrap())
        .collect();
    let first: Vec<String> = (0..stats.accepted).map(|number| number.to_string()).collect();
    assert_eq!(kept, first, "the oldest are kept");
    let loss = format!("dropped {} records (queue full): {} INFO", stats.dropped, stats.dropped);
    assert!(entries.iter().any(|entry| entry.message.starts_with(&loss)));
}

#[test]
fn drop_while_other_threads_log_neither_hangs_nor_tears() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "drop-while-logging"));
    let accounted = outcome.number("written") + outcome.number("dropped") + outcome.number("abandoned");
    assert_eq!(accounted, outcome.number("calls"), "{outcome:?}");
    assert_eq!(place.messages("app.log").len() as u64, outcome.number("written"));
}
