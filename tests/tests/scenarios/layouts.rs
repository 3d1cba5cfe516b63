//! Layouts for machines and layouts of a program's own, in the files of a repository and on its console.
// L-46, L-47, L-48, F54, F55, F56

use std::fmt::Write as _;
use std::process::Stdio;
use std::time::Duration;

use miu_log::testing::ManualListener;
use miu_log::{Bytes, Json, LogConfig, LogRecord, OtelJson, Zone};
use miu_log_tests::{Place, escaped, logs, run};
use serde_json::{Value, json};

use crate::child;

/// The objects in a log file, a line each.
fn objects(place: &Place, name: &str) -> Vec<Value> {
    let text = place.text(name);
    assert!(text.ends_with('\n'), "the last line is torn");
    let object = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(object).collect()
}

fn open(config: LogConfig) -> (logs::Repository, ManualListener) {
    let listener = ManualListener::new();
    let repo = logs::Repository::open(config.manual_listener(&listener)).unwrap();
    listener.set_unix_time(Duration::from_millis(1_795_176_000_123));
    (repo, listener)
}

#[test]
fn every_file_is_json_with_typed_fields() {
    let place = Place::new();
    let (repo, listener) = open(place.config().zone(Zone::Fixed(3_600)).layout(Json::new()));
    let hostile = "x\"\r\n2026-01-01 ERROR forged\u{1b}[2J\u{2028}\u{202e}\u{85}\\u0041";
    let logger = &repo.db;
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("work\ner\"".to_owned());
        thread
            .spawn_scoped(scope, || {
                miu_log::error!(
                    logger,
                    rows = 12,
                    share = 0.5,
                    done = true,
                    none = None::<u8>,
                    text = hostile,
                    took = Duration::from_micros(1_500),
                    frame = Bytes(&[0xfb, 0xff]),
                    huge = u128::MAX,
                    level = "mine",
                    "query {hostile}"
                );
            })
            .unwrap();
    });
    listener.step();
    for name in ["db.log", "error.log"] {
        let objects = objects(&place, name);
        let [object] = &objects[..] else { panic!("{objects:?}") };
        assert_eq!(object["timestamp"], "2026-11-20T13:00:00.123+01:00");
        assert_eq!((&object["level"], &object["logger"]), (&json!("ERROR"), &json!("db")));
        assert_eq!(object["message"], format!("query {hostile}"));
        assert_eq!((&object["thread_name"], &object["process_name"]), (&json!("work\ner\""), &json!("main")));
        assert_eq!(object["process"], std::process::id());
        assert!(object["thread"].as_u64().unwrap() > 0);
        assert_eq!(object["module"], module_path!());
        assert_eq!(object["file"], file!());
        assert!(object["function"].as_str().unwrap().starts_with("every_file_is_json"), "{object}");
        assert!(object["line"].as_u64().unwrap() > 30);
        let extra = json!({
            "rows": 12, "share": 0.5, "done": true, "none": null, "text": hostile, "took": 0.0015, "frame": "+/8=",
            "huge": u128::MAX.to_string(), "level": "mine",
        });
        assert_eq!(object["extra"], extra);
    }
    let text = place.text("db.log");
    assert_eq!(escaped(text.trim_end()), text.trim_end(), "a line is harmless on a terminal");
}

#[test]
fn an_exception_is_part_of_its_object() {
    let place = Place::new();
    let (repo, listener) = open(place.config().layout(Json::new()));
    let error = std::io::Error::other("port\nclosed");
    repo.db.exception("connection failed", &error);
    repo.db.info("a method");
    listener.step();
    let objects = objects(&place, "db.log");
    let [failed, method] = &objects[..] else { panic!("{objects:?}") };
    assert_eq!((&failed["message"], &failed["level"]), (&json!("connection failed"), &json!("ERROR")));
    assert!(failed["exception"].as_str().unwrap().starts_with("error: port\n    closed"), "{failed}");
    assert_eq!((method.get("exception"), &method["module"]), (None, &Value::Null));
    assert_eq!(method["file"], file!());
}

#[test]
fn files_and_console_have_layouts_of_their_own() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "two-layouts"));
    let [line] = outcome.printed().lines().collect::<Vec<_>>()[..] else { panic!("{outcome:?}") };
    assert!(line.starts_with("ts=") && line.contains(" level=WARNING logger=app "), "{line}");
    assert!(line.ends_with(" message=\"two layouts\" key=value"), "{line}");
    assert!(!outcome.stdout.contains('\u{1b}'), "colours are for patterns");
    let objects = objects(&place, "app.log");
    let [object] = &objects[..] else { panic!("{objects:?}") };
    let resource = &object["resourceLogs"][0];
    let record = &resource["scopeLogs"][0]["logRecords"][0];
    assert_eq!(resource["resource"]["attributes"][0]["value"]["stringValue"], "orders");
    assert_eq!(
        (&record["body"]["stringValue"], &record["severityNumber"]),
        (&json!("two layouts"), &json!(13))
    );
}

#[test]
fn what_a_crash_has_left_is_recovered_in_the_layout_of_its_program() {
    let place = Place::new();
    let status = child(&place, "crash-with-json").stderr(Stdio::null()).status().unwrap();
    assert!(!status.success());
    let outcome = run(&mut child(&place, "recover"));
    assert_eq!((outcome.number("corrupt"), outcome.number("processes")), (0, 1), "{outcome:?}");
    let objects = objects(&place, "app.log");
    let numbers: Vec<u64> = objects.iter().filter_map(|object| object["number"].as_u64()).collect();
    assert_eq!(numbers, (0..1_000).collect::<Vec<u64>>());
    assert!(objects.iter().all(|object| object["@timestamp"].is_string() && object.get("extra").is_none()));
}

#[test]
fn a_layout_of_the_programs_own_writes_one_line_whatever_it_tries() {
    let place = Place::new();
    let layout = |record: &LogRecord<'_>, line: &mut String| {
        write!(line, "{}\t{}", record.level(), record.message())?;
        for (name, value) in record.fields() {
            write!(line, " {name}={value}")?;
        }
        line.push_str("\u{1b}[31m\n");
        Ok(())
    };
    let (repo, listener) = open(place.config().layout(layout));
    miu_log::warning!(repo.app, rows = 12, text = "two words", "a\nb");
    listener.step();
    for name in ["app.log", "warning.log"] {
        assert_eq!(place.text(name), "WARNING\\ta\\nb rows=12 text=two words\\u{1b}[31m\n");
    }
}

#[test]
fn a_layout_that_fails_costs_its_lines_only_and_they_are_counted() {
    let place = Place::new();
    let layout = |record: &LogRecord<'_>, line: &mut String| match record.message() {
        "fail" => Err("no such thing".into()),
        "panic" => panic!("a layout's fault"),
        message => {
            line.push_str(message);
            Ok(())
        }
    };
    let (repo, listener) = open(place.config().level_files(false).layout(layout));
    for message in ["first", "fail", "panic", "last"] {
        repo.app.info(message);
    }
    listener.step();
    assert_eq!(place.text("app.log"), "first\nlast\n");
    let sinks = repo.stats().sinks;
    let app = sinks.iter().find(|sink| sink.name == "app.log").unwrap();
    assert_eq!((app.written, app.dropped), (2, 2));
}

#[test]
fn a_zone_that_a_layout_asks_for_and_nobody_has_is_an_error_of_open() {
    let place = Place::new();
    let error = logs::Repository::open(place.config().layout(Json::new().zone("Middle/Earth"))).unwrap_err();
    assert!(error.to_string().contains("zone is \"Middle/Earth\""), "{error}");
    assert!(logs::Repository::open(place.config().layout(OtelJson::new("orders"))).is_ok());
}
