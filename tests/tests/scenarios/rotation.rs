//! Files that are rotated: by size, by the clock, on demand, and with dated names.
// L-30, L-39, L-40, L-42, V-20, V-25; F35, F74, F75

use std::time::Duration;

use miu_log::testing::ManualListener;
use miu_log::{Compression, LogConfig, Retention, Rotation, Zone};
use miu_log_tests::{Place, entries, logs, rotated};

use crate::FLUSH;

/// 2026-11-20 00:00 UTC.
const DAY: Duration = Duration::from_secs(1_795_132_800);
const HOUR: Duration = Duration::from_secs(3600);

fn stepped(place: &Place, rotation: impl Into<Rotation>, at: Duration) -> (LogConfig, ManualListener) {
    let listener = ManualListener::new();
    listener.set_unix_time(at);
    let config = LogConfig::new(place.logs())
        .intercept(false)
        .panic_hook(false)
        .console(false)
        .zone(Zone::Utc)
        .rotation(rotation);
    // What becomes of rotated files is not the subject here.
    let config = config.compression(Compression::None).retention(Retention::Forever);
    (config.manual_listener(&listener), listener)
}

/// The messages of a log file with its rotated ones, and how many files these are.
fn all_messages(place: &Place, name: &str) -> (Vec<String>, usize) {
    let mut files = rotated(&place.logs(), name);
    files.push(name.to_owned());
    let messages = files.iter().flat_map(|file| place.messages(file)).collect();
    (messages, files.len())
}

#[test]
fn a_file_is_rotated_before_it_grows_past_its_size_and_nothing_is_lost() {
    let place = Place::new();
    let (config, listener) = stepped(&place, "1 kB", DAY);
    let repo = logs::Repository::open(config).unwrap();
    let mut expected = Vec::new();
    for number in 0..100 {
        let message = format!("record {number} with some text behind it");
        repo.app.info(&*message);
        repo.db.error(&*message);
        expected.push(message);
        if number % 40 == 0 {
            listener.step();
            listener.advance(HOUR);
        }
    }
    drop(repo);
    for name in ["app.log", "db.log", "info.log", "error.log"] {
        let (messages, files) = all_messages(&place, name);
        assert_eq!(messages, expected, "{name}");
        assert!(files > 10, "{name}: {files}");
        for file in place.names() {
            assert!(place.text(&file).len() <= 1000, "{file}");
        }
    }
    assert_eq!(place.text("task.log"), "", "an empty file is not rotated");
}

#[test]
fn records_before_and_after_midnight_are_in_two_files_however_late_they_are_written() {
    let place = Place::new();
    let (config, listener) = stepped(&place, "00:00", DAY - HOUR);
    let repo = logs::Repository::open(config).unwrap();
    repo.app.info("yesterday");
    listener.advance(2 * HOUR);
    repo.app.info("today");
    listener.step();
    assert_eq!(place.messages("app.2026-11-19_23-00-00.log"), ["yesterday"]);
    assert_eq!(place.messages("app.log"), ["today"]);
    // Without a record it happens all the same.
    listener.advance(24 * HOUR);
    listener.step();
    assert_eq!(place.messages("app.2026-11-20_01-00-00.log"), ["today"]);
    assert_eq!(place.text("app.log"), "");
}

#[test]
fn a_restart_on_the_next_day_begins_a_new_file() {
    let place = Place::new();
    for (number, at) in [DAY - HOUR, DAY - HOUR / 2, DAY + HOUR].into_iter().enumerate() {
        let (config, _listener) = stepped(&place, "daily", at);
        let repo = logs::Repository::open(config).unwrap();
        miu_log::info!(repo.app, "run {number}");
    }
    assert_eq!(place.messages("app.2026-11-19_23-30-00.log"), ["run 0", "run 1"]);
    assert_eq!(place.messages("app.log"), ["run 2"]);
}

#[test]
fn on_demand_everything_logged_before_is_in_the_rotated_files() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    repo.app.info("before");
    repo.rotate().unwrap();
    assert_eq!(place.text("app.log"), "");
    repo.app.info("after");
    drop(repo);
    let files = rotated(&place.logs(), "app.log");
    let [before] = &files[..] else { panic!("{files:?}") };
    assert_eq!(
        (place.messages(before), place.messages("app.log")),
        (vec!["before".into()], vec!["after".into()])
    );
    assert!(rotated(&place.logs(), "db.log").is_empty());
}

#[test]
fn a_worker_thread_may_rotate_and_a_process_without_the_files_may_not() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    let worker = logs::Repository::worker(repo.queue());
    worker.task.info("by a worker");
    worker.rotate().unwrap();
    assert_eq!(rotated(&place.logs(), "task.log").len(), 1);
    repo.shutdown();
    assert!(repo.rotate().is_err());
}

#[test]
fn dated_names_make_a_file_a_day_with_a_link_to_the_current_one() {
    let place = Place::new();
    let (config, listener) = stepped(&place, Rotation::Never, DAY - HOUR);
    let config =
        config.app("orders").domain_file_name("{app}-{domain}_{time:YYYY-MM-DD}.log").level_files(false);
    let repo = logs::Repository::open(config).unwrap();
    assert!(place.names().iter().all(|name| !name.ends_with(".log")), "they come with their first record");
    repo.app.info("yesterday");
    listener.advance(2 * HOUR);
    repo.app.info("today");
    listener.step();
    assert_eq!(place.messages("orders-app_2026-11-19.log"), ["yesterday"]);
    assert_eq!(place.messages("orders-app_2026-11-20.log"), ["today"]);
    assert_eq!(place.messages("orders-app.log"), ["today"]);
    assert!(place.log("orders-app.log").is_symlink());
    drop(repo);
    assert_eq!(entries(&place.text("orders-app.log")).len(), 1);
}

#[test]
fn names_that_lead_elsewhere_or_to_one_file_twice_are_refused() {
    let place = Place::new();
    for (config, problem) in [
        (
            place.config().domain_file_name("../{domain}.log"),
            "has a / in it; log files are in the log folder itself",
        ),
        (place.config().domain_file_name("sub/{domain}.log"), "characters of a-z, 0-9, _ and -"),
        (place.config().domain_file_name("all.log"), "two sinks write the file \"all.log\""),
        (place.config().level_file_name("{domain}.log"), "has no value here"),
        (
            place.config().app("../x").domain_file_name("{app}.{domain}.log"),
            "cannot be part of a log file's name",
        ),
        (place.config().rotation("often"), "rotation is \"often\""),
        (place.config().file_mode(0o7777), "file_mode is 0o7777"),
    ] {
        let text = logs::Repository::open(config).unwrap_err().to_string();
        assert!(text.contains(problem), "{text}");
    }
    assert!(!place.root().join("x").exists());
}

#[test]
fn a_clock_that_steps_by_days_rotates_once_and_loses_nothing() {
    let place = Place::new();
    let (config, listener) = stepped(&place, "daily", DAY);
    let repo = logs::Repository::open(config).unwrap();
    let steps: [i64; 8] = [0, -3600, 86_400, -3600, 100, 90_000, 0, 172_800];
    for (number, step) in steps.iter().enumerate() {
        listener.set_unix_time(DAY.saturating_add_signed(*step));
        miu_log::info!(repo.app, "record {number}");
        listener.step();
    }
    drop(repo);
    let (mut messages, files) = all_messages(&place, "app.log");
    messages.sort();
    assert_eq!(messages, (0..8).map(|number| format!("record {number}")).collect::<Vec<_>>());
    assert_eq!(files, 3, "{:?}", place.names());
}

trait AddSigned {
    fn saturating_add_signed(self, seconds: i64) -> Duration;
}

impl AddSigned for Duration {
    fn saturating_add_signed(self, seconds: i64) -> Duration {
        Duration::from_secs(self.as_secs().saturating_add_signed(seconds))
    }
}

#[test]
fn a_rotation_that_could_not_be_done_is_an_error_that_names_the_file() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    repo.app.info("before");
    repo.flush(FLUSH).unwrap();
    std::fs::remove_dir_all(place.logs()).unwrap();
    repo.app.info("after");
    let text = repo.rotate().unwrap_err().to_string();
    assert!(text.starts_with("not every log file was rotated: ") && text.contains("app.log"), "{text}");
    assert!(text.contains("the log folder was removed"), "{text}");
    let stats = repo.stats();
    let app = stats.sinks.iter().find(|sink| sink.name == "app.log").unwrap();
    assert!(app.fault.as_ref().is_some_and(|fault| fault.contains("removed")), "{app:?}");
}
