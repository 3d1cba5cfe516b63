//! Levels for a limited time: in force at once everywhere, over by themselves, and said so.
// P-05, P-11, P-26

use std::time::Duration;

use miu_log::Level;
use miu_log::testing::ManualListener;
use miu_log_tests::{Entry, Place, logs, wait_until};

use crate::puppet::Puppet;

const MINUTE: Duration = Duration::from_secs(60);

fn opened(place: &Place) -> (logs::Repository, ManualListener) {
    let listener = ManualListener::new();
    listener.set_unix_time(Duration::from_secs(1_763_640_000));
    let repo = logs::Repository::open(place.config().level(Level::Info).manual_listener(&listener));
    (repo.unwrap(), listener)
}

/// What a domain's file says of levels.
fn said(place: &Place, file: &str) -> Vec<String> {
    place.messages(file).into_iter().filter(|message| message.starts_with("level is")).collect()
}

#[test]
fn a_level_for_ten_minutes_is_over_by_itself_and_a_record_says_so() {
    let place = Place::new();
    let (repo, listener) = opened(&place);
    repo.db.set_level(Level::Trace).for_(10 * MINUTE);
    repo.db.trace("taken");
    repo.app.debug("of another domain");
    listener.advance(10 * MINUTE - Duration::from_millis(10));
    listener.step();
    repo.db.debug("taken too");
    listener.advance(Duration::from_millis(10));
    listener.step();
    assert_eq!(repo.db.level(), Level::Info);
    repo.db.debug("no more");
    repo.db.info("as ever");
    listener.step();
    let over = "level is INFO again: the time for which TRACE was set is over";
    assert_eq!(place.messages("db.log"), ["taken", "taken too", over, "as ever"]);
    assert_eq!(place.text("app.log"), "");
}

#[test]
fn the_end_is_told_even_where_the_level_that_is_back_leaves_infos_out() {
    let place = Place::new();
    let (repo, listener) = opened(&place);
    repo.set_level(Level::Critical);
    repo.set_level(Level::Debug).for_(MINUTE);
    listener.advance(MINUTE);
    listener.step();
    let over = "level is CRITICAL again: the time for which DEBUG was set is over";
    for file in ["app.log", "db.log", "redis.log", "task.log"] {
        assert_eq!(said(&place, file), [over], "{file}");
    }
    let entries: Vec<Entry> = place.entries("info.log");
    assert_eq!(entries.len(), 4);
}

#[test]
fn a_worker_process_sees_a_level_come_and_go_and_may_set_one_that_outlives_it() {
    let place = Place::new();
    let (repo, listener) = opened(&place);
    let mut worker = Puppet::worker(&place, &repo.queue());
    let mut other = Puppet::worker(&place, &repo.queue());
    repo.db.set_level(Level::Debug).for_(MINUTE);
    assert_eq!(worker.tell("levels"), "app=INFO db=DEBUG");
    other.make("set-db-level-for error 30");
    drop(other);
    assert_eq!(worker.tell("levels"), "app=INFO db=ERROR");
    assert!(!repo.db.enabled(Level::Warning));
    listener.advance(MINUTE / 2);
    listener.step();
    assert_eq!(worker.tell("levels"), "app=INFO db=DEBUG");
    listener.advance(MINUTE / 2);
    listener.step();
    assert_eq!(worker.tell("levels"), "app=INFO db=INFO");
    assert_eq!(
        said(&place, "db.log"),
        [
            "level is DEBUG again: the time for which ERROR was set is over",
            "level is INFO again: the time for which DEBUG was set is over"
        ]
    );
}

#[test]
fn the_listener_s_thread_ends_a_level_without_being_asked() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    repo.app.set_level(Level::Error).for_(Duration::from_millis(1));
    wait_until("the level is over", || repo.app.level() == Level::Debug);
    drop(repo);
    assert_eq!(said(&place, "app.log").len(), 1);
}

#[test]
fn the_debug_switch_stands_above_a_level_for_a_time() {
    let place = Place::new();
    let (repo, listener) = opened(&place);
    repo.set_debug_enabled(false);
    repo.app.set_level(Level::Trace).for_(MINUTE);
    assert!(repo.app.enabled(Level::Info) && !repo.app.enabled(Level::Debug));
    repo.set_debug_enabled(true);
    assert!(repo.app.enabled(Level::Trace));
    listener.advance(MINUTE);
    listener.step();
    assert!(repo.app.enabled(Level::Info) && !repo.app.enabled(Level::Debug));
}

#[test]
fn a_new_start_begins_with_the_levels_of_its_configuration() {
    let place = Place::new();
    let (repo, _) = opened(&place);
    // Keeps the runtime directory in use.
    let mut worker = Puppet::worker(&place, &repo.queue());
    repo.db.set_level(Level::Error).for_(MINUTE);
    drop(repo);
    assert_eq!(worker.tell("levels"), "app=INFO db=ERROR");
    let (repo, listener) = opened(&place);
    assert_eq!(repo.db.level(), Level::Info);
    assert_eq!(worker.tell("levels"), "app=INFO db=INFO");
    listener.advance(MINUTE);
    listener.step();
    assert_eq!(said(&place, "db.log"), [""; 0]);
}
