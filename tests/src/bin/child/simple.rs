//! Roles that only need a process because they look at it, or because their environment differs.

use std::error::Error;
use std::fmt;
use std::io::Read;

use miu_log::testing::{Capture, Expected};
use miu_log::{ColourChoice, Console, DropReason, Level, LogConfig, Logfmt, OtelJson};
use miu_log_tests::{logs, open_descriptors, threads};

use crate::{FLUSH, config};

pub(crate) fn one_record(folder: &str) {
    let repo = logs::Repository::open(config(folder)).unwrap();
    repo.app.success("one");
}

/// Opens the folder, or prints why not.
pub(crate) fn open(folder: &str) {
    match logs::Repository::open(config(folder)) {
        Ok(repo) => {
            repo.app.info("opened");
            println!("opened");
        }
        Err(error) => println!("{error}"),
    }
}

/// Has the folder until stdin says something or ends.
pub(crate) fn hold(folder: &str) {
    let repo = logs::Repository::open(config(folder)).unwrap();
    repo.app.info("held");
    repo.flush(FLUSH).unwrap();
    println!("holding");
    let _ = std::io::stdin().read(&mut [0]);
}

#[derive(Debug)]
struct Failure(&'static str, Option<Box<Failure>>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_ref().map(|cause| cause as _)
    }
}

pub(crate) fn exception(folder: &str) {
    let repo = logs::Repository::open(config(folder)).unwrap();
    let root = Failure("network is down", None);
    let error = Failure("pool is empty", Some(Box::new(Failure("connection refused", Some(Box::new(root))))));
    repo.db.exception("connection failed", &error);
    repo.db.error("the next record");
}

/// How many descriptors and threads a worker adds, with its first records.
pub(crate) fn worker_counts(folder: &str) {
    let repo = logs::Repository::open(config(folder)).unwrap();
    repo.app.info("the main thread has its ring");
    repo.flush(FLUSH).unwrap();
    let queue = repo.queue();
    let before = (open_descriptors(), threads());
    let after = std::thread::spawn(move || {
        let worker = logs::Repository::worker(queue);
        (0..100).for_each(|number| worker.task.info(format!("record {number}")));
        worker.flush(FLUSH).unwrap();
        // The thread that counts is one of those counted.
        (open_descriptors(), threads() - 1)
    });
    let after = after.join().unwrap();
    println!("descriptors={} threads={}", after.0.abs_diff(before.0), after.1.abs_diff(before.1));
}

pub(crate) fn console(folder: &str) {
    let repo = logs::Repository::open(LogConfig::new(folder)).unwrap();
    for number in 0..5_000 {
        miu_log::info!(repo.app, "record {number} of a service that has a console");
    }
}

pub(crate) fn one_console_record(folder: &str) {
    let repo = logs::Repository::open(LogConfig::new(folder)).unwrap();
    repo.app.info("one");
}

pub(crate) fn console_levels(folder: &str) {
    let console = Console::stdout().colour(ColourChoice::Always);
    let repo = logs::Repository::open(LogConfig::new(folder).console(console).level(Level::Trace)).unwrap();
    for level in Level::ALL {
        repo.app.log(level, "\u{1b}[31mforged");
    }
}

/// OpenTelemetry's JSON in the files, logfmt on a console that is to have colours.
pub(crate) fn two_layouts(folder: &str) {
    let console = Console::stdout().colour(ColourChoice::Always).layout(Logfmt::new());
    let config = LogConfig::new(folder).console(console).layout(OtelJson::new("orders"));
    let repo = logs::Repository::open(config).unwrap();
    miu_log::warning!(repo.app, key = "value", "two layouts");
}

/// A value whose text needs another record with such a value, for ever.
struct Endless<'a>(&'a logs::Repository, u32);

impl fmt::Display for Endless<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Endless(repo, level) = *self;
        miu_log::info!(repo.app, "inner {}", Endless(repo, level + 1));
        write!(f, "level {level}")
    }
}

pub(crate) fn endless_display(folder: &str) {
    let repo = logs::Repository::open(config(folder)).unwrap();
    miu_log::info!(repo.app, "outer {}", Endless(&repo, 0));
    repo.shutdown();
    println!("reentrant={}", repo.stats().dropped_for(DropReason::Reentrant));
}

/// Each record in a write of its own.
pub(crate) fn twenty_records(folder: &str) {
    // A flush gives a file that fails this long to work again; some scenarios have one that fails for good.
    let config = config(folder).sink_timeout(std::time::Duration::from_millis(50));
    let repo = logs::Repository::open(config).unwrap();
    for number in 0..20 {
        repo.app.info(format!("record {number}"));
        // A flush that fails is what some scenarios are about; the files show what became of it.
        let _ = repo.flush(FLUSH);
    }
}

/// Five records, one of them CRITICAL, each written before the next one.
pub(crate) fn durable(folder: &str, durability: miu_log::Durability) {
    let repo = logs::Repository::open(config(folder).durability(durability)).unwrap();
    for number in 0..5 {
        let level = if number == 3 { Level::Critical } else { Level::Info };
        repo.app.log(level, format_args!("record {number}"));
        repo.flush(FLUSH).unwrap();
    }
}

/// Two ERROR records, each written and made durable before the next thing happens.
pub(crate) fn durable_twice(folder: &str) {
    let repo = logs::Repository::open(config(folder).durability(miu_log::Durability::SyncOnError)).unwrap();
    for number in 0..2 {
        repo.app.error(format_args!("record {number}"));
        repo.flush(FLUSH).unwrap();
    }
    let stats = repo.stats();
    let sink = stats.sinks.iter().find(|sink| sink.name == "app.log").unwrap();
    println!("errors={} written={} dropped={}", sink.errors, sink.written, sink.dropped);
}

/// Tests side by side, whose code logs by the process-wide repository and by a facade.
pub(crate) fn captured_facades() {
    let test = |number: u64| {
        move || {
            let capture = Capture::of_process(logs::init).unwrap();
            miu_log::info!(logs::repo().app, number, "by itself");
            log::info!(number; "by log");
            for text in ["by itself", "by log"] {
                capture.assert_like(&Expected::new().exactly(text).domain("app").field("number", number));
            }
            capture.records().len()
        }
    };
    let tests: Vec<_> = (0..4).map(|number| std::thread::spawn(test(number))).collect();
    let counts: Vec<usize> = tests.into_iter().map(|test| test.join().unwrap()).collect();
    println!("tests={} records={}", counts.len(), counts.iter().sum::<usize>());
}
