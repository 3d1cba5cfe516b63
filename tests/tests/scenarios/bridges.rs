//! Records of crates that log through `log` and `tracing`: they are in the files of the domains, once, as what they were.
// L-04, L-13, L-15, L-16, L-18, L-19, L-20, L-23, F12, F19

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use miu_log_tests::{Place, logs, run, wait};
use serde_json::{Value, json};

use crate::{FLUSH, child};

/// What a role printed.
fn printed(place: &Place, role: &str) -> String {
    run(&mut child(place, role)).printed().to_owned()
}

/// A JSON log file's records.
fn objects(place: &Place, name: &str) -> Vec<Value> {
    place.text(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn messages(objects: &[Value]) -> Vec<&str> {
    objects.iter().map(|object| object["message"].as_str().unwrap()).collect()
}

#[test]
fn both_facades_land_in_the_files_of_the_domains_that_the_routes_say() {
    let place = Place::new();
    printed(&place, "bridge-both");
    let [app, db, redis, task] =
        ["app", "db", "redis", "task"].map(|name| objects(&place, &format!("{name}.log")));
    assert_eq!(
        messages(&app),
        [
            "log to the default",
            "log beside the route",
            "tracing to the default",
            "tracing beside the route",
            "log at trace",
            "tracing at trace",
            "log of a runtime"
        ]
    );
    assert_eq!(messages(&db), ["log 1 to db", "tracing 1 to db"]);
    assert_eq!(messages(&redis), ["log to redis", "tracing to redis"]);
    assert_eq!(messages(&task), ["log to task", "tracing to task"]);
    let levels: Vec<&Value> = [&app[4], &db[0], &redis[0], &task[0]].map(|object| &object["level"]).into();
    assert_eq!(levels, ["TRACE", "INFO", "WARNING", "ERROR"]);
}

#[test]
fn values_keep_their_types_and_records_their_place() {
    let place = Place::new();
    printed(&place, "bridge-both");
    let db = objects(&place, "db.log");
    let mut extra = json!({ "rows": 7, "share": 0.5, "done": true, "user": "ann", "target": "sqlx::query" });
    assert_eq!(db[1]["extra"], extra);
    extra["letter"] = json!("x");
    assert_eq!(db[0]["extra"], extra);
    for object in &db {
        assert_eq!(object["module"], "child::bridges");
        assert_eq!(object["file"], "tests/src/bin/child/bridges.rs");
        assert!(object["line"].as_u64().unwrap() > 40);
    }
    for object in objects(&place, "redis.log") {
        let expected = json!({
            "shown": "12", "debugged": "Some(1)", "big": u128::MAX.to_string(), "target": "redis"
        });
        assert_eq!(object["extra"], expected);
    }
}

#[test]
fn an_error_is_a_field_and_its_causes_are_the_records() {
    // L-18
    let place = Place::new();
    printed(&place, "bridge-both");
    for object in objects(&place, "task.log") {
        assert_eq!(object["extra"]["error"], "bad port");
        assert_eq!(object["exception"], "error: bad port\ncaused by: invalid digit found in string");
    }
}

#[test]
fn the_facades_follow_the_levels() {
    // The second number: how many of the five levels `tracing` takes.
    let place = Place::new();
    let expected = "WARN/2 DEBUG/4 INFO/3 DEBUG/4 TRACE/5 WARN/2 OFF/0 INFO/0 INFO/0";
    assert_eq!(printed(&place, "bridge-levels"), expected);
}

#[test]
fn a_logger_that_was_there_before_is_an_error_where_it_matters_and_said_where_not() {
    // L-07
    let place = Place::new();
    let printed = printed(&place, "bridge-other-logger");
    let lines: Vec<&str> = printed.lines().collect();
    assert!(
        lines[0].starts_with(
            "true the records of the `log` facade go to another logger, which was installed before"
        ),
        "{printed}"
    );
    assert_eq!(lines[1..], ["true", "own: to whom it was before"]);
    let app = place.entries("app.log");
    assert!(app[0].level == "WARNING" && app[0].message.contains("go to another logger"), "{app:?}");
    assert_eq!(app[1].message, "ours");
}

#[test]
fn a_subscriber_that_was_there_before_leaves_the_other_facade_alone() {
    let place = Place::new();
    let printed = printed(&place, "bridge-other-subscriber");
    assert!(
        printed.starts_with("true the records of the `tracing` facade go to another subscriber"),
        "{printed}"
    );
    let app = place.messages("app.log");
    assert!(app[0].contains("go to another subscriber"), "{app:?}");
    assert_eq!(app[1..], ["through log"]);
}

#[test]
fn one_repository_has_the_records_until_it_is_shut_down() {
    let place = Place::new();
    let printed = printed(&place, "bridge-two-repositories");
    assert!(printed.starts_with("true the records of other crates go to another repository"), "{printed}");
    assert_eq!(place.messages("app.log"), ["for the first"]);
    assert_eq!(place.messages("other/app.log"), ["for the third", "for the third too"]);
}

#[test]
fn what_comes_after_the_shutdown_is_counted() {
    // F12
    let place = Place::new();
    assert_eq!(printed(&place, "bridge-after-shutdown"), "dropped=10");
    assert_eq!(place.messages("app.log"), ["in time", "in time"]);
}

#[test]
fn destructors_of_a_thread_log_through_both_facades() {
    let place = Place::new();
    printed(&place, "bridge-thread-end");
    let mut messages = place.messages("app.log");
    messages.sort();
    let mut expected = Vec::new();
    for facade in ["log", "tracing"] {
        for place in ["in the thread", "made after", "made before", "the first records"] {
            expected.push(format!("{facade} {place}"));
        }
    }
    assert_eq!(messages, expected);
}

#[test]
fn a_worker_process_has_the_routes_of_its_repository() {
    let place = Place::new();
    let config = place.intercepting_config().layout(miu_log::Json::new()).level(miu_log::Level::Info);
    let config = config.route("shop", "task").route("sqlx", "redis");
    let repo = logs::Repository::open(config).unwrap();
    let mut command = child(&place, "bridge-worker");
    repo.queue().share_with(&mut command).unwrap();
    assert_eq!(run(&mut command).printed(), "INFO");
    repo.flush(FLUSH).unwrap();
    let (task, redis) = (objects(&place, "task.log"), objects(&place, "redis.log"));
    assert_eq!((messages(&task), &task[0]["extra"]["number"]), (vec!["log of a worker"], &json!(1)));
    assert_eq!(messages(&redis), ["tracing of a worker"]);
    assert_eq!(redis[0]["extra"], json!({ "rows": 2, "target": "sqlx::query", "id": 9 }));
}

#[test]
fn the_facades_of_a_worker_process_follow_levels_that_another_one_sets() {
    let place = Place::new();
    let repo = logs::Repository::open(place.intercepting_config().level(miu_log::Level::Error)).unwrap();
    let mut command = child(&place, "bridge-worker-levels");
    repo.queue().share_with(&mut command).unwrap();
    let mut worker = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(worker.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ERROR\n");
    let _ = repo.set_level(miu_log::Level::Trace);
    assert!(wait(&mut worker).success());
    repo.flush(FLUSH).unwrap();
    let mut messages = place.messages("trace.log");
    messages.retain(|message| message.ends_with(" at trace"));
    assert_eq!(messages, ["log at trace", "tracing at trace"]);
}

#[test]
fn hostile_texts_are_texts() {
    // F57
    let place = Place::new();
    printed(&place, "bridge-hostile");
    let entries = place.entries("app.log");
    assert_eq!(entries.len(), 3);
    let text = "${jndi:ldap://x}\\n{} {} {0:>1000000000} %n%s";
    assert_eq!(entries[0].message, format!("{text} | target=\"{text}\""));
    assert_eq!(entries[0].location, "${jndi:ldap://x}\\n{}:1");
    assert!(entries[1].message.starts_with("a\\n2026-01-01"), "{entries:?}");
    assert_eq!(
        (&*entries[2].message, &*entries[2].location),
        ("\\u{1b}[2J", "\\u{1b}[2J:1"),
        "its module is its target"
    );
}

#[test]
fn a_sink_that_logs_makes_no_record_of_a_record() {
    // F19
    let place = Place::new();
    let outcome = run(&mut child(&place, "bridge-sinks"));
    assert_eq!((outcome.number("accepted"), outcome.number("written")), (100, 100));
    assert!(outcome.number("own") >= 300, "{outcome:?}");
    assert_eq!(place.messages("app.log").len(), 100);
}

#[test]
fn an_event_that_is_told_to_both_facades_is_one_record() {
    // L-13
    let place = Place::new();
    printed(&place, "bridge-doubles");
    let expected = [
        "an event | number=0",
        "a record",
        "an event | number=1",
        "a record",
        "an event | number=2",
        "a record",
        "inside | target=other inside=true",
    ];
    assert_eq!(place.messages("app.log"), expected);
}

#[test]
fn statements_of_both_facades_on_one_line_are_all_recorded() {
    let place = Place::new();
    printed(&place, "bridge-one-line");
    let once = ["request begins | number=1", "payment failed", "payment failed", "a | number=1", "b", "b"];
    assert_eq!(place.messages("app.log"), [once, once].concat());
}

#[test]
fn threads_that_reach_an_event_together_at_its_first_time_make_one_record_each() {
    // L-13
    for _ in 0..10 {
        let place = Place::new();
        printed(&place, "bridge-doubles-of-threads");
        let mut messages = place.messages("app.log");
        messages.sort();
        let expected: Vec<String> = (0..80).map(|number| format!("statement {}", number / 8)).collect();
        assert_eq!(messages, expected);
    }
}

#[test]
fn log_by_way_of_tracing_is_one_record_from_where_it_was_logged() {
    // L-13, L-16
    let place = Place::new();
    printed(&place, "bridge-log-tracer");
    assert_eq!(place.messages("db.log"), ["by way of tracing | target=sqlx::query"]);
    assert_eq!(
        place.messages("app.log")[1..],
        ["of the web | target=h2::proto", "of this module", "an event"]
    );
    let entry = &place.entries("db.log")[0];
    assert!(entry.location.starts_with("child::bridges:"), "{entry:?}");
}

#[test]
fn other_layers_see_what_they_want() {
    let place = Place::new();
    assert_eq!(printed(&place, "bridge-layers"), "8 2");
    let messages = place.messages("app.log");
    assert_eq!(messages, ["error", "warning", "error", "warning", "info", "trace"]);
}

#[test]
fn fields_of_spans_are_in_the_records_inside_outermost_first() {
    let place = Place::new();
    printed(&place, "bridge-spans");
    let extras: Vec<(String, String)> = objects(&place, "app.log")
        .iter()
        .map(|object| (object["message"].as_str().unwrap().to_owned(), object["extra"].to_string()))
        .collect();
    let request = r#""id":7,"path":"/cart","own":"outer""#;
    let expected = [
        ("before", format!(r#"{{"rows":1,{request}}}"#)),
        ("event in a scope", format!(r#"{{"request_id":"r-17",{request}}}"#)),
        ("record in a scope", r#"{"request_id":"r-17"}"#.to_owned()),
        ("nested", r#"{"id":7,"path":"/cart","user":"ann","number":2,"own":"inner"}"#.to_owned()),
        ("hidden", r#"{"number":3,"id":7,"path":"/cart","user":"bob","own":"inner"}"#.to_owned()),
        (
            "no more than before",
            r#"{"id":7,"path":"/cart","user":"bob","number":2,"own":"inner"}"#.to_owned(),
        ),
        ("outside", "{}".to_owned()),
        ("of the request", r#"{"id":7,"path":"/cart","own":"outer","user":"bob"}"#.to_owned()),
    ];
    assert_eq!(extras.len(), expected.len(), "{extras:?}");
    for ((message, extra), (expected_message, expected)) in extras.iter().zip(&expected) {
        assert_eq!(message, expected_message);
        let (found, expected): (Value, Value) =
            (serde_json::from_str(extra).unwrap(), serde_json::from_str(expected).unwrap());
        assert_eq!(found, expected, "{message}");
    }
}

#[test]
fn begin_and_end_of_spans_are_records_where_that_is_asked_for() {
    let place = Place::new();
    printed(&place, "bridge-span-events");
    let app = objects(&place, "app.log");
    assert_eq!(messages(&app), ["request: new", "inside", "request: close"]);
    assert!(app.iter().all(|object| object["extra"]["id"] == 7), "{app:?}");
    let close = &app[2]["extra"];
    assert!(close["busy"].as_f64().unwrap() >= 0.0 && close["idle"].as_f64().unwrap() >= 0.0, "{close}");
}

#[test]
fn targets_that_are_made_up_are_all_written_however_many() {
    let place = Place::new();
    assert_eq!(run(&mut child(&place, "bridge-made-up")).number("written"), 20_000);
    let entries = place.entries("app.log");
    for (number, entry) in entries.iter().enumerate() {
        let (message, fields) = entry.message.split_once(" | ").unwrap();
        assert_eq!(message, format!("record {number}"));
        assert!(fields.contains(&format!("target=made::up{number}")), "{fields}");
        assert!(fields.contains(&format!("number={number}")), "{fields}");
    }
}

#[test]
fn values_that_log_and_values_that_panic_do_no_harm() {
    // L-20
    let place = Place::new();
    assert_eq!(printed(&place, "bridge-displays"), "dropped=1");
    let messages = place.messages("app.log");
    let inner = ["log from a display", "tracing from a display"];
    assert_eq!(messages[..6], [inner[0], inner[1], "log shown", inner[0], inner[1], "tracing shown"]);
    assert!(messages[6..8].iter().all(|message| message.contains("panicked")), "{messages:?}");
    assert_eq!(messages[8..16], ["endless"; 8]);
    assert_eq!(messages[16..], ["dropped 1 record (logged from within logging): 1 INFO", "after"]);
}

#[test]
fn where_it_is_not_wanted_nothing_is_installed() {
    let place = Place::new();
    printed(&place, "bridge-off");
    assert_eq!(place.text("app.log"), "");
}

#[test]
fn an_unknown_domain_is_named_with_what_was_meant() {
    let place = Place::new();
    let error = logs::Repository::open(place.config().route("redis", "reddis")).unwrap_err().to_string();
    let expected = "the route \"redis\" leads to the unknown domain \"reddis\"; did you mean \"redis\"?; the domains are app, db, redis, task";
    assert_eq!(error, expected);
    assert!(!place.logs().exists(), "nothing was begun");
}
