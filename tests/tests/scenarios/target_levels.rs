//! Levels of targets: set while the service runs, in all its processes, over by themselves.

use std::time::Duration;

use miu_log::Level;
use miu_log::testing::ManualListener;
use miu_log_tests::{Place, logs, run, wait_until};

use crate::puppet::Puppet;
use crate::{FLUSH, child};

const MINUTE: Duration = Duration::from_secs(60);

fn opened(place: &Place) -> (logs::Repository, ManualListener) {
    let listener = ManualListener::new();
    listener.set_unix_time(Duration::from_secs(1_763_640_000));
    let config = place.config().level(Level::Info).default_route("redis").manual_listener(&listener);
    (logs::Repository::open(config).unwrap(), listener)
}

fn has_levels(puppet: &mut Puppet, expected: &str) {
    let mut seen = String::new();
    wait_until(&format!("the facades are asked for {expected}"), || {
        seen = puppet.tell("foreign-levels");
        seen == expected
    });
}

#[test]
fn both_facades_follow_the_level_of_a_target_and_the_longest_prefix_counts() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "bridge-target-levels"));
    assert_eq!(
        outcome.printed(),
        "ERROR before=ERROR debug=DEBUG trace=TRACE no-debug=INFO over=DEBUG back=ERROR pool=DEBUG"
    );
    assert_eq!(
        place.messages("db.log"),
        [
            "debug: log debug of a query | target=sqlx::query",
            "debug: tracing debug of a query | target=sqlx::query",
            "trace: log trace of a query | target=sqlx::query",
            "trace: log debug of a query | target=sqlx::query",
            "trace: tracing trace of a query | target=sqlx::query",
            "trace: tracing debug of a query | target=sqlx::query",
            "level of target sqlx::query is DEBUG again: the time for which TRACE was set is over",
            "over: log debug of a query | target=sqlx::query",
            "over: tracing debug of a query | target=sqlx::query",
            "pool: log debug of the pool | target=sqlx::pool",
            "pool: tracing debug of the pool | target=sqlx::pool",
        ]
    );
    assert_eq!(place.messages("app.log").len(), 7, "what is beside the target goes on as before");
}

#[test]
fn what_is_no_target_too_long_or_one_too_many_is_refused_by_what_is_accepted() {
    let place = Place::new();
    let (repo, _listener) = opened(&place);
    let problem = |target: &str| repo.set_target_level(target, Level::Debug).unwrap_err().to_string();
    for target in ["", "sqlx::", "::sqlx", "sq lx"] {
        assert_eq!(
            problem(target),
            format!(
                "cannot set the level of {target:?}, which is no target; the path of a module is expected, such as \"sqlx\" or \"sqlx::query\", \
                 without a \"::\" at its end"
            )
        );
    }
    let long = "a".repeat(121);
    assert_eq!(
        problem(&long),
        format!(
            "cannot set the level of the target {long:?}: it has 121 bytes; at most 120 are accepted, and a shorter path stands for all modules inside it"
        )
    );
    for number in 0..32 {
        repo.set_target_level(&format!("crate{number}"), Level::Debug).unwrap();
    }
    assert_eq!(
        problem("sqlx"),
        "cannot set the level of the target \"sqlx\": 32 levels of targets are set already, which is the most; `reset_target_level` makes room"
    );
    repo.set_target_level("crate7", Level::Trace).unwrap();
    assert!(repo.reset_target_level("crate7") && !repo.reset_target_level("crate7"));
    repo.set_target_level("sqlx", Level::Trace).unwrap();
}

#[test]
fn worker_processes_see_the_level_of_a_target_come_and_go_and_may_set_one_that_outlives_them() {
    let place = Place::new();
    let listener = ManualListener::new();
    let config = place.intercepting_config().level(Level::Info).manual_listener(&listener);
    let repo = logs::Repository::open(config).unwrap();
    // A worker takes its crates' records as its repository would; whether that one has those of this process is another test's matter.
    let mut worker = Puppet::worker(&place, &repo.queue());
    let mut other = Puppet::worker(&place, &repo.queue());
    has_levels(&mut worker, "INFO log=false tracing=false");
    worker.make("foreign before");
    repo.set_target_level("sqlx", Level::Debug).unwrap().for_(MINUTE);
    has_levels(&mut worker, "DEBUG log=true tracing=true");
    worker.make("foreign for-a-minute");
    other.make("set-target-for sqlx::query error 30");
    drop(other);
    has_levels(&mut worker, "DEBUG log=false tracing=false");
    worker.make("foreign not-now");
    listener.step();
    listener.advance(MINUTE / 2);
    listener.step();
    has_levels(&mut worker, "DEBUG log=true tracing=true");
    worker.make("foreign again");
    listener.step();
    listener.advance(MINUTE / 2);
    listener.step();
    has_levels(&mut worker, "INFO log=false tracing=false");
    worker.make("foreign after");
    worker.make("set-target sqlx::query debug");
    worker.make("foreign at-once");
    assert!(repo.reset_target_level("sqlx::query"));
    has_levels(&mut worker, "INFO log=false tracing=false");
    repo.flush(FLUSH).unwrap();
    let of_target = |text: &str| format!("{text} | target=sqlx::query");
    assert_eq!(
        place.messages("db.log"),
        [
            of_target("log for-a-minute"),
            of_target("tracing for-a-minute"),
            "level of target sqlx::query is DEBUG again: the time for which ERROR was set is over".to_owned(),
            of_target("log again"),
            of_target("tracing again"),
            "level of target sqlx is INFO again: the time for which DEBUG was set is over".to_owned(),
            of_target("log at-once"),
            of_target("tracing at-once"),
        ]
    );
}

#[test]
fn the_end_is_told_in_the_domain_that_the_targets_records_go_to() {
    let place = Place::new();
    let (repo, listener) = opened(&place);
    repo.redis.set_level(Level::Critical);
    repo.set_target_level("sea_query", Level::Debug).unwrap().for_(MINUTE);
    listener.advance(MINUTE);
    listener.step();
    let over = "level of target sea_query is CRITICAL again: the time for which DEBUG was set is over";
    assert_eq!(place.messages("redis.log"), [over]);
}

#[test]
fn a_new_start_begins_without_levels_of_targets() {
    let place = Place::new();
    let (repo, _) = opened(&place);
    // Keeps the runtime directory in use.
    let mut worker = Puppet::worker(&place, &repo.queue());
    repo.set_target_level("sqlx", Level::Debug).unwrap();
    repo.set_target_level("hyper", Level::Debug).unwrap().for_(MINUTE);
    assert_eq!(worker.tell("reset-target sqlx"), "true");
    repo.set_target_level("sqlx", Level::Debug).unwrap();
    drop(repo);
    let (repo, _listener) = opened(&place);
    assert!(!repo.reset_target_level("sqlx") && !repo.reset_target_level("hyper"));
    assert_eq!(worker.tell("reset-target sqlx"), "false");
}
