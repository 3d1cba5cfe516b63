//! Log files and other sinks that are added by hand: each has the records it was made for, its own layout, rotation, upkeep and mode, and
//! survives what the others survive.
// L-35, L-38 to L-41, L-60; P4, F60

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use miu_log::testing::ManualListener;
use miu_log::{
    AnyLayout, Batch, Compression, CustomSink, File, Json, Level, LogConfig, LogRecord, Pattern, Retention,
    Rotation, Sink, SinkError, Zone,
};
use miu_log_tests::{Place, logs, run, wait_until};

use crate::child;

/// 2026-11-20 12:00:00 UTC.
const NOON: Duration = Duration::from_secs(1_795_176_000);
const DAY: Duration = Duration::from_secs(86_400);

/// A record of each domain at each level, with the level in its message.
fn log_all(repo: &logs::Repository) {
    for domain in logs::Domain::ALL {
        for level in Level::ALL {
            repo.domain(*domain).log(level, format_args!("{domain} {level}"));
        }
    }
}

fn messages_of(domains: &[&str], levels: impl IntoIterator<Item = Level> + Clone) -> Vec<String> {
    domains
        .iter()
        .flat_map(|domain| levels.clone().into_iter().map(move |level| format!("{domain} {level}")))
        .collect()
}

#[test]
fn each_file_has_the_records_it_is_for() {
    let place = Place::new();
    let text = Pattern::parse("{message}").unwrap();
    let config = place
        .config()
        .level(Level::Trace)
        .sink(File::new("everything.log").layout(text))
        .sink(File::new("errors-too.log").min_level(Level::Error))
        .sink(File::new("only-success.log").level(Level::Success))
        .sink(File::new("two-levels.log").levels([Level::Trace, Level::Critical]))
        .sink(File::new("db-warnings.log").domain("db").min_level(Level::Warning))
        .sink(
            File::new("two-domains.log").domains([logs::Domain::App, logs::Domain::Task]).level(Level::Info),
        )
        .sink(
            File::new("judged.log")
                .min_level(Level::Error)
                .filter(|record| record.message().starts_with("redis ")),
        )
        .sink(File::new("nothing.log").domain("db").filter(|_| false));
    let repo = logs::Repository::open(config).unwrap();
    log_all(&repo);
    drop(repo);
    let all = ["app", "db", "redis", "task"];
    let lines: Vec<String> = place.text("everything.log").lines().map(str::to_owned).collect();
    assert_eq!(lines, messages_of(&all, Level::ALL));
    let errors = [Level::Error, Level::Critical];
    for (name, expected) in [
        ("errors-too.log", messages_of(&all, errors)),
        ("only-success.log", messages_of(&all, [Level::Success])),
        ("two-levels.log", messages_of(&all, [Level::Trace, Level::Critical])),
        ("db-warnings.log", messages_of(&["db"], [Level::Warning, Level::Error, Level::Critical])),
        ("two-domains.log", messages_of(&["app", "task"], [Level::Info])),
        ("judged.log", messages_of(&["redis"], errors)),
        ("nothing.log", Vec::new()),
    ] {
        assert_eq!(place.messages(name), expected, "{name}");
    }
    assert_eq!(place.messages("app.log").len(), Level::ALL.len(), "the usual files are as ever");
}

mod queries {
    pub(super) mod slow {
        pub(crate) fn log(repo: &miu_log_tests::logs::Repository) {
            miu_log::info!(repo.db, "in the module");
        }
    }
}

#[test]
fn a_target_takes_what_is_logged_in_a_module() {
    let place = Place::new();
    let module = concat!(module_path!(), "::queries");
    let repo = logs::Repository::open(place.config().sink(File::new("queries.log").target(module))).unwrap();
    miu_log::info!(repo.db, "beside the module");
    queries::slow::log(&repo);
    repo.db.info("a method does not tell its module");
    drop(repo);
    assert_eq!(place.messages("queries.log"), ["in the module"]);
}

#[test]
fn a_name_with_keys_makes_a_file_for_each() {
    let place = Place::new();
    let config = place
        .config()
        .level_files(false)
        .app("shop")
        .sink(File::new("{app}-{domain}-{level}.log").domains(["app", "db"]).min_level(Level::Error));
    let repo = logs::Repository::open(config).unwrap();
    assert_eq!(
        place.names(),
        ["app.log", "db.log", "redis.log", "task.log"],
        "they come with their first record"
    );
    repo.app.error("one");
    repo.db.critical("two");
    repo.redis.error("three");
    drop(repo);
    assert_eq!(place.messages("shop-app-error.log"), ["one"]);
    assert_eq!(place.messages("shop-db-critical.log"), ["two"]);
    assert_eq!(place.names().len(), 6, "{:?}", place.names());
}

// L-38 to L-41, L-60, F60
#[test]
fn the_files_of_a_service_in_production() {
    let place = Place::new();
    let listener = ManualListener::new();
    listener.set_unix_time(NOON);
    let extra = "{time} | {level} | {name}:{function}:{line} | {extra[order]|-} | {message}";
    let main = File::new("app_{time:YYYY-MM-DD}.log")
        .min_level(Level::Debug)
        .layout(Pattern::parse(extra).unwrap())
        .rotation("00:00")
        .retention("30 days")
        .compression("gz");
    let errors = File::new("errors_{time:YYYY-MM-DD}.log")
        .min_level(Level::Error)
        .rotation("100 MB")
        .retention("90 days")
        // A mode that no usual umask leaves as it is.
        .mode(0o622);
    let diagnosis = File::new("diagnosis.log").level(Level::Error).rotation("300 B").mode(0o600);
    let config = LogConfig::new(place.logs())
        .intercept(false)
        .console(false)
        .zone(Zone::Utc)
        .level_files(false)
        .domain_file_name("domains-{domain}.log")
        .manual_listener(&listener)
        .sink(main)
        .sink(errors)
        .sink(diagnosis);
    let repo = logs::Repository::open(config).unwrap();
    for day in 0..3 {
        miu_log::debug!(repo.db, order = 7, "day {day}");
        miu_log::error!(repo.app, "failure of day {day} {}", "x".repeat(200));
        listener.step();
        listener.advance(DAY);
    }
    let is_there = |name: &str| place.names().iter().any(|other| other == name);
    wait_until("yesterday's file is compressed", || {
        is_there("app_2026-11-21.log.gz") && !is_there("app_2026-11-21.log")
    });
    drop(repo);
    let first = place.text("app_2026-11-20.log.gz");
    let [debug, error] = first.lines().collect::<Vec<_>>()[..] else { panic!("{first}") };
    assert!(
        debug.starts_with("2026-11-20 12:00:00.000 | DEBUG | ") && debug.ends_with(" | 7 | day 0"),
        "{debug}"
    );
    assert!(error.contains(" | - | failure of day 0 "), "{error}");
    assert_eq!(std::fs::read_link(place.log("errors.log")).unwrap().to_str(), Some("errors_2026-11-22.log"));
    for name in place.names() {
        let mode = std::fs::metadata(place.log(&name)).unwrap().permissions().mode() & 0o777;
        let expected = if name.starts_with("errors") {
            Some(0o622)
        } else {
            name.starts_with("diagnosis").then_some(0o600)
        };
        assert!(expected.is_none_or(|expected| mode == expected), "{name}: {mode:o}");
    }
    let diagnoses = place.names().into_iter().filter(|name| name.starts_with("diagnosis")).count();
    assert_eq!(diagnoses, 3);
}

#[test]
fn each_keeps_its_rotated_files_by_its_own_rules() {
    let place = Place::new();
    let file = |name: &str, count| {
        File::new(name)
            .rotation(Rotation::Size("100 B"))
            .compression(Compression::None)
            .retention(Retention::Count(count))
    };
    let config = place.config().sink(file("one.log", 1)).sink(file("three.log", 3));
    let repo = logs::Repository::open(config).unwrap();
    for number in 0..20 {
        repo.app.info(format_args!("number {number} with a text that makes the line long enough"));
    }
    repo.flush(crate::FLUSH).unwrap();
    let count = |stem: &str| {
        place.names().iter().filter(|name| name.starts_with(stem) && **name != format!("{stem}.log")).count()
    };
    wait_until("the oldest are gone", || (count("one"), count("three")) == (1, 3));
    assert_eq!(place.messages("app.log").len(), 20);
}

#[test]
fn a_line_is_made_once_for_all_that_share_its_layout() {
    let place = Place::new();
    let made = Arc::new(AtomicUsize::new(0));
    let counted = made.clone();
    let layout = AnyLayout::from(move |record: &LogRecord<'_>, line: &mut String| {
        counted.fetch_add(1, Ordering::Relaxed);
        line.push_str(record.message());
        Ok(())
    });
    let own = CustomSink::new("own", Witness::default()).layout(layout.clone());
    let config = place
        .config()
        .sink(File::new("a.log").layout(layout.clone()))
        .sink(File::new("b.log").layout(layout).min_level(Level::Error))
        .sink(own);
    let repo = logs::Repository::open(config).unwrap();
    log_all(&repo);
    drop(repo);
    // TRACE is off.
    assert_eq!(made.load(Ordering::Relaxed), 4 * (Level::ALL.len() - 1));
    assert_eq!(place.text("b.log").lines().count(), 8);
}

/// Keeps the lines it is given.
#[derive(Clone, Default)]
struct Witness(Arc<Mutex<Vec<String>>>);

impl Sink for Witness {
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        self.0
            .lock()
            .unwrap()
            .extend(batch.iter().map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()));
        Ok(())
    }
}

#[test]
fn a_sink_of_ones_own_may_choose_too() {
    let place = Place::new();
    let [errors, db] = [Witness::default(), Witness::default()];
    let config = place
        .config()
        .sink(CustomSink::new("errors", errors.clone()).min_level(Level::Error).layout(Json::new()))
        .sink(
            CustomSink::new("db", db.clone())
                .domain("db")
                .filter(|record| record.level() == Level::Info)
                .layout(Pattern::parse("<{message}>").unwrap_or_default()),
        );
    let repo = logs::Repository::open(config).unwrap();
    log_all(&repo);
    drop(repo);
    let errors = errors.0.lock().unwrap();
    assert_eq!(errors.len(), 8);
    assert!(errors.iter().all(|line| line.starts_with('{') && line.ends_with("}\n")), "{errors:?}");
    assert_eq!(*db.0.lock().unwrap(), ["<db INFO>\n"]);
}

#[test]
fn a_sink_of_ones_own_may_be_called_console_where_there_is_none() {
    let place = Place::new();
    let mine = Witness::default();
    let config = || {
        LogConfig::new(place.logs())
            .intercept(false)
            .panic_hook(false)
            .sink(CustomSink::new("console", mine.clone()))
    };
    let repo = logs::Repository::open(config().console(false)).unwrap();
    repo.app.info("one");
    drop(repo);
    assert_eq!(mine.0.lock().unwrap().len(), 1);
    let error = logs::Repository::open(config()).unwrap_err().to_string();
    assert!(error.contains("another sink has this name"), "{error}");
}

#[test]
fn a_mistake_is_told_before_anything_is_made() {
    type Change = fn(LogConfig) -> LogConfig;
    let cases: [(Change, &[&str]); 10] = [
        (|config| config.sink(File::new("x.log").domain("databse")), &["x.log", "databse"]),
        (
            |config| config.sink(File::new("x.log").domain("tsk")),
            &["did you mean \"task\"", "app, db, redis, task"],
        ),
        (|config| config.sink(File::new("app.log")), &["two sinks", "app.log"]),
        (
            |config| config.sink(File::new("x.log")).sink(File::new("x.log").domain("db")),
            &["two sinks", "x.log"],
        ),
        (|config| config.sink(File::new("x.log").rotation("ten MB")), &["x.log", "ten MB"]),
        (|config| config.sink(File::new("x.log").retention("for ever")), &["x.log", "retention", "for ever"]),
        (|config| config.sink(File::new("x.log").mode(0o200)), &["x.log", "mode", "0o200"]),
        (|config| config.sink(File::new("x/y.log")), &["x/y.log"]),
        (|config| config.sink(File::new("x.log").levels([])), &["x.log", "no level"]),
        (
            |config| {
                let sink = || CustomSink::new("twice", Witness::default());
                config.sink(sink()).sink(sink())
            },
            &["twice", "another sink has this name"],
        ),
    ];
    for (change, parts) in cases {
        let place = Place::new();
        let error = logs::Repository::open(change(place.config())).unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{part:?} in {error}");
        }
        let made = if place.logs().exists() { place.names() } else { Vec::new() };
        assert!(made.iter().all(|name| name.starts_with('.')), "{error}: {made:?}");
    }
}

/// The numbers in a file with its rotated ones, in the order of their writing.
fn numbers(place: &Place, stem: &str) -> Vec<u32> {
    let (start, end) = stem.rsplit_once('.').unwrap();
    let mut names: Vec<String> =
        place.names().into_iter().filter(|name| name.starts_with(start) && name.ends_with(end)).collect();
    // The current one is the last; of those of the same second the first has no number.
    let age = |name: &String| {
        let middle = &name[start.len()..name.len() - end.len() - 1];
        let (second, number) =
            middle.rsplit_once('.').filter(|(second, _)| !second.is_empty()).unwrap_or((middle, "0"));
        (name == stem, second.to_owned(), number.parse::<u32>().unwrap_or(0))
    };
    names.sort_by_key(age);
    let text: String = names.iter().map(|name| place.text(name)).collect();
    let number = |line: &str| {
        let (_, rest) = line.split_once("number ")?;
        rest.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
    };
    text.lines().filter_map(number).collect()
}

/// Whether a file has the numbers that belong into it.
type Belongs = fn(u32) -> bool;

const FILES: [(&str, Belongs); 4] = [
    ("app.log", |_| true),
    ("errors.jsonl", |number| number % 3 == 0),
    ("detail-app.log", |number| number % 3 != 2),
    ("even.log", |number| number % 2 == 0),
];

/// Each file has each number once and in order, as far as the call has returned, and at most one more.
fn assert_numbers_once(place: &Place, acked: u32, context: &str) {
    for (name, belongs) in FILES {
        let found = numbers(place, name);
        let expected = |end: u32| (0..end).filter(|number| belongs(*number)).collect::<Vec<_>>();
        assert!(
            found == expected(acked) || found == expected(acked + 1),
            "{name}, {context}: {acked} acked, {found:?}"
        );
    }
}

#[test]
fn a_kill_at_any_step_costs_and_doubles_no_line() {
    let steps = [
        "after-read",
        "sink-written",
        "delivered",
        "checkpoint-half",
        "checkpointed",
        "freed",
        "file-marked",
    ];
    let mut killed = 0;
    for step in steps.into_iter().chain(["rotated"]) {
        for arrival in [2, 5] {
            let place = Place::new();
            let round = format!("{step}:{arrival}");
            let outcome = run(child(&place, "log-to-added").env("MIU_LOG_FAILPOINT", &round));
            assert!(outcome.status.success() || outcome.status.signal() == Some(9), "{round}: {outcome:?}");
            killed += usize::from(outcome.status.signal().is_some());
            run(&mut child(&place, "reopen-added")).printed();
            let acked = u32::try_from(outcome.stdout.matches("acked=").count()).unwrap();
            assert_numbers_once(&place, acked, &round);
            if acked > 60 {
                assert!(
                    place.names().iter().filter(|name| name.starts_with("errors.")).count() > 1,
                    "{round}"
                );
            }
        }
    }
    assert!(killed >= 12, "only {killed} of 16 runs were killed");
}

#[test]
fn recovery_without_a_repository_knows_them_but_for_filters() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "killed-with-added"));
    assert_eq!(outcome.status.signal(), Some(9), "{outcome:?}");
    let recovered = run(&mut child(&place, "recover"));
    recovered.printed();
    for (name, belongs) in FILES {
        let found = numbers(&place, name);
        let all: Vec<u32> = (0..66).filter(|number| belongs(*number)).collect();
        if name == "even.log" {
            // What was written before the end is still there; what was not, is not known to belong there.
            assert!(all.starts_with(&found) && found.len() >= 31, "{found:?}");
        } else {
            assert_eq!(found, all, "{name}");
        }
    }
    assert!(recovered.stderr.contains("even.log"), "{}", recovered.stderr);
    let mode = std::fs::metadata(place.log("errors.jsonl")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
}

// L-35
#[test]
fn three_processes_log_whole_lines_into_one_file() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "lead-three-workers"));
    let workers: Vec<&str> = outcome.printed().lines().collect();
    let text = place.text("multiprocess.log");
    assert_eq!(text.lines().count(), 30, "{text}");
    for worker in workers {
        let own: Vec<&str> =
            text.lines().filter(|line| line.contains(&format!(" | PID:{worker} | "))).collect();
        assert_eq!(own.len(), 10, "{text}");
        for (number, line) in own.iter().enumerate() {
            assert!(line.ends_with(&format!(" | INFO | message {number}")), "{line}");
        }
    }
}
