//! Programs whose crates log through `log` and `tracing`. The facades are one a process, so that each of these is a program of its own.

use std::cell::RefCell;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use miu_log::testing::ManualListener;
use miu_log::{Batch, DropReason, Json, Level, LogConfig, Sink, SinkError};
use miu_log_tests::{logs, wait_until};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::{FLUSH, config};

/// An error with a cause.
#[derive(Debug)]
struct Failure(std::num::ParseIntError);

impl Failure {
    fn new() -> Failure {
        Failure("x".parse::<u8>().unwrap_err())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bad port")
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

fn open(config: LogConfig) -> logs::Repository {
    logs::Repository::open(config).unwrap()
}

/// One record of each facade in each domain, by routes, and all kinds of values.
pub(crate) fn both(folder: &str) {
    let config = config(folder)
        .layout(Json::new())
        .route("shop::cart", "task")
        .target_level("quiet", Level::Error)
        .target_level("loud", Level::Trace)
        .level(Level::Info);
    let repo = open(config);
    log::info!("log to the default");
    log::info!(target: "sqlx::query", rows = 7, share = 0.5, done = true, user = "ann", letter = 'x'; "log {} to db", 1);
    log::warn!(target: "redis", shown:% = 12, debugged:? = Some(1), big = u128::MAX; "log to redis");
    let failure = Failure::new();
    log::error!(target: "shop::cart::add", error:err = failure; "log to task");
    log::info!(target: "shop::cartoon", "log beside the route");
    tracing::info!("tracing to the default");
    tracing::info!(target: "sqlx::query", rows = 7, share = 0.5, done = true, user = "ann", "tracing {} to db", 1);
    tracing::warn!(target: "redis", shown = %12, debugged = ?Some(1), big = u128::MAX, "tracing to redis");
    let error = Failure::new();
    tracing::error!(target: "shop::cart::add", error = &error as &dyn std::error::Error, "tracing to task");
    tracing::info!(target: "shop::cartoon", "tracing beside the route");
    log::warn!(target: "quiet::part", "never seen");
    tracing::warn!(target: "quiet::part", "never seen");
    log::trace!(target: "loud", "log at trace");
    tracing::trace!(target: "loud", "tracing at trace");
    log::debug!("never seen");
    tracing::debug!(target: "hyper::client", "never seen");
    log::info!(target: "mio::poll", "log of a runtime");
    repo.shutdown();
}

/// What the facades are asked for, as levels change.
pub(crate) fn levels(folder: &str) {
    fn enabled() -> String {
        let tracing = [
            tracing::enabled!(target: "a", tracing::Level::ERROR),
            tracing::enabled!(target: "b", tracing::Level::WARN),
            tracing::enabled!(target: "c", tracing::Level::INFO),
            tracing::enabled!(target: "d", tracing::Level::DEBUG),
            tracing::enabled!(target: "e", tracing::Level::TRACE),
        ];
        format!("{}/{}", log::max_level(), tracing.iter().filter(|enabled| **enabled).count())
    }
    let repo = open(config(folder).level(Level::Warning));
    let mut seen = vec![enabled()];
    let mut after = |change: &dyn Fn()| {
        change();
        seen.push(enabled());
    };
    after(&|| _ = repo.app.set_level(Level::Debug));
    after(&|| repo.set_debug_enabled(false));
    after(&|| repo.set_debug_enabled(true));
    after(&|| _ = repo.set_level(Level::Trace));
    after(&|| _ = repo.set_level(Level::Success));
    after(&|| _ = repo.set_level(Level::Critical));
    // A domain that no statement of another crate leads to, but that of `sqlx`.
    after(&|| _ = repo.db.set_level(Level::Info));
    after(&|| _ = repo.shutdown());
    println!("{}", seen.join(" "));
}

/// Levels of targets, changed while the program runs.
pub(crate) fn target_levels(folder: &str) {
    fn log_all(step: &str) {
        log::trace!(target: "sqlx::query", "{step}: log trace of a query");
        log::debug!(target: "sqlx::query", "{step}: log debug of a query");
        log::debug!(target: "sqlx::pool", "{step}: log debug of the pool");
        log::error!(target: "sqlxtra", "{step}: log error beside it");
        tracing::trace!(target: "sqlx::query", "{step}: tracing trace of a query");
        tracing::debug!(target: "sqlx::query", "{step}: tracing debug of a query");
        tracing::debug!(target: "sqlx::pool", "{step}: tracing debug of the pool");
    }
    let listener = ManualListener::new();
    let config = config(folder).level(Level::Error).target_level("sqlx::pool", Level::Critical);
    let repo = open(config.manual_listener(&listener));
    let mut levels = vec![log::max_level().to_string()];
    let mut step = |name: &str| {
        log_all(name);
        levels.push(format!("{name}={}", log::max_level()));
    };
    step("before");
    repo.set_target_level("sqlx", Level::Debug).unwrap();
    step("debug");
    repo.set_target_level("sqlx::query", Level::Trace).unwrap().for_(Duration::from_secs(60));
    step("trace");
    repo.set_debug_enabled(false);
    step("no-debug");
    repo.set_debug_enabled(true);
    listener.advance(Duration::from_secs(60));
    listener.step();
    step("over");
    assert!(repo.reset_target_level("sqlx"));
    assert!(!repo.reset_target_level("sqlx"));
    step("back");
    repo.set_target_level("sqlx::pool", Level::Debug).unwrap();
    step("pool");
    println!("{}", levels.join(" "));
    repo.shutdown();
}

/// A logger of the program's own.
struct Own;

impl log::Log for Own {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        println!("own: {}", record.args());
    }

    fn flush(&self) {}
}

/// Somebody else has the `log` facade.
pub(crate) fn other_logger(folder: &str) {
    log::set_logger(&Own).unwrap();
    log::set_max_level(log::LevelFilter::Error);
    let error = logs::Repository::open(config(folder).intercept(true)).unwrap_err();
    println!("{} {error}", error.is_already_initialised());
    let error = logs::Repository::open(config(folder).route("a", "app")).unwrap_err();
    println!("{}", error.is_already_initialised());
    let repo = open(config(folder));
    log::error!("to whom it was before");
    repo.app.info("ours");
    assert_eq!(log::max_level(), log::LevelFilter::Error, "not ours to change");
    repo.shutdown();
}

/// Somebody else has the `tracing` facade.
pub(crate) fn other_subscriber(folder: &str) {
    tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
    let error = logs::Repository::open(config(folder).intercept(true)).unwrap_err();
    println!("{} {error}", error.is_already_initialised());
    let repo = open(config(folder));
    log::error!("through log");
    repo.shutdown();
}

/// Two repositories of one process, one after the other and both at once.
pub(crate) fn two_repositories(folder: &str) {
    let other = format!("{folder}/other");
    let first = open(config(folder));
    let second = open(config(&other));
    log::info!("for the first");
    second.shutdown();
    let error = logs::Repository::open(config(&other).intercept(true)).unwrap_err();
    println!("{} {error}", error.is_already_initialised());
    first.shutdown();
    let third = open(config(&other).intercept(true));
    log::info!("for the third");
    tracing::info!("for the third too");
    third.shutdown();
}

/// What comes after the shutdown is counted.
pub(crate) fn after_shutdown(folder: &str) {
    let repo = open(config(folder).level(Level::Info));
    log::info!("in time");
    tracing::info!("in time");
    repo.shutdown();
    for _ in 0..5 {
        log::info!("too late");
        tracing::info!("too late");
        log::debug!("off anyway");
    }
    println!("dropped={}", repo.stats().dropped_for(DropReason::AfterShutdown));
}

/// Logs when it is dropped.
struct LogsAtTheEnd(&'static str);

impl Drop for LogsAtTheEnd {
    fn drop(&mut self) {
        log::info!("log {}", self.0);
        tracing::info!("tracing {}", self.0);
    }
}

thread_local! {
    static BEFORE: RefCell<Option<LogsAtTheEnd>> = const { RefCell::new(None) };
    static AFTER: RefCell<Option<LogsAtTheEnd>> = const { RefCell::new(None) };
}

/// Records of a thread's destructors, made before and after its first record.
pub(crate) fn at_a_threads_end(folder: &str) {
    let repo = open(config(folder));
    std::thread::spawn(|| {
        BEFORE.set(Some(LogsAtTheEnd("made before")));
        log::info!("log in the thread");
        tracing::info!("tracing in the thread");
        AFTER.set(Some(LogsAtTheEnd("made after")));
    })
    .join()
    .unwrap();
    std::thread::spawn(|| BEFORE.set(Some(LogsAtTheEnd("the first records")))).join().unwrap();
    repo.shutdown();
}

/// A worker process whose crates log.
pub(crate) fn worker() {
    let repo = logs::Repository::connect().unwrap();
    log::info!(target: "shop::cart", number = 1; "log of a worker");
    let span = tracing::info_span!("order", id = 9);
    span.in_scope(|| tracing::info!(target: "sqlx::query", rows = 2, "tracing of a worker"));
    println!("{}", log::max_level());
    repo.shutdown();
}

/// A worker process that logs nothing until another process wants more.
pub(crate) fn worker_levels() {
    let repo = logs::Repository::connect().unwrap();
    println!("{}", log::max_level());
    wait_until("the facade follows", || log::max_level() == log::LevelFilter::Trace);
    log::trace!("log at trace");
    tracing::trace!("tracing at trace");
    repo.shutdown();
}

/// Records made by hand, of texts that want to be something else.
pub(crate) fn hostile(folder: &str) {
    let repo = open(config(folder));
    let forged = "2026-01-01 00:00:00.000 | ERROR    | app | main | x:1 | forged";
    for text in ["${jndi:ldap://x}\n{} {} {0:>1000000000} %n%s", &format!("a\n{forged}"), "\x1b[2J"] {
        log::logger().log(
            &log::Record::builder()
                .level(log::Level::Info)
                .target(text)
                .module_path(text.split(' ').next())
                .file(text.split(' ').next())
                .line(Some(1))
                .args(format_args!("{text}"))
                .build(),
        );
    }
    repo.shutdown();
}

/// A sink that uses a crate that logs.
struct Chatty;

impl Sink for Chatty {
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        for _ in batch.iter() {
            log::info!("posting");
            tracing::info!("posting");
            log::warn!("posting is slow");
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        log::info!("flushing");
        Ok(())
    }

    fn sync(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// N records in, N records out, however much a sink logs.
pub(crate) fn sinks_that_log(folder: &str) {
    let repo = open(config(folder).sink(Chatty));
    for number in 0..100 {
        log::info!("record {number}");
        if number % 10 == 0 {
            repo.flush(FLUSH).unwrap();
        }
    }
    let report = repo.shutdown();
    // Its thread goes on for a moment after the end of logging.
    let stats = repo.stats();
    let own = stats.dropped_for(DropReason::OwnThread) + stats.dropped_for(DropReason::AfterShutdown);
    println!("accepted={} written={} own={own}", report.accepted, report.written);
}

/// `tracing` tells both facades of each event.
pub(crate) fn doubles(folder: &str) {
    let repo = open(config(folder).level(Level::Trace));
    for number in 0..3 {
        tracing::info!(number, "an event");
        log::info!("a record");
    }
    let span = tracing::info_span!("a span", inside = true);
    span.in_scope(|| tracing::warn!(target: "other", "inside"));
    drop(span);
    repo.shutdown();
}

/// Statements of both facades on one line, as a macro of the program's own makes them.
pub(crate) fn one_line(folder: &str) {
    macro_rules! notify {
        ($event:expr, $record:expr) => {
            tracing::info!(number = 1, "{}", $event);
            log::error!("{}", $record);
            log::info!("{}", $record);
        };
    }
    let repo = open(config(folder).level(Level::Trace));
    for _ in 0..2 {
        notify!("request begins", "payment failed");
        notify!("a", "b");
    }
    repo.shutdown();
}

/// Eight threads reach each of ten statements for the first time at once.
pub(crate) fn doubles_of_threads(folder: &str) {
    let repo = open(config(folder).level(Level::Trace));
    let barrier = std::sync::Barrier::new(8);
    macro_rules! statements {
        ($($number:literal)*) => {
            $(
                barrier.wait();
                tracing::info!("statement {}", $number);
            )*
        };
    }
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                statements!(0 1 2 3 4 5 6 7 8 9);
            });
        }
    });
    repo.shutdown();
}

/// The `log` facade leads to `tracing`, which leads here.
pub(crate) fn log_tracer(folder: &str) {
    tracing_log::LogTracer::init().unwrap();
    let subscriber = tracing_subscriber::registry().with(miu_log::tracing_layer());
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let repo = open(config(folder).level(Level::Info));
    log::info!(target: "sqlx::query", "by way of tracing");
    log::debug!(target: "sqlx::query", "never seen");
    log::info!(target: "h2::proto", "of the web");
    log::info!("of this module");
    tracing::info!("an event");
    repo.shutdown();
}

/// A layer of somebody else's, which notes what it sees.
struct Notes(&'static Mutex<Vec<String>>);

impl<S: tracing::Subscriber> Layer<S> for Notes {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        self.0.lock().unwrap().push(event.metadata().level().to_string());
    }
}

/// Other layers see what they want, whatever is wanted here, and the other way round.
pub(crate) fn layers(folder: &str) {
    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let errors = tracing_subscriber::filter::LevelFilter::ERROR;
    static ERRORS: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let subscriber = tracing_subscriber::registry()
        .with(miu_log::tracing_layer())
        .with(Notes(&SEEN))
        .with(Notes(&ERRORS).with_filter(errors));
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let repo = open(config(folder).level(Level::Warning));
    let say = || {
        tracing::error!("error");
        tracing::warn!("warning");
        tracing::info!("info");
        tracing::trace!("trace");
    };
    say();
    repo.app.set_level(Level::Trace);
    say();
    println!("{} {}", SEEN.lock().unwrap().len(), ERRORS.lock().unwrap().len());
    repo.shutdown();
}

/// Fields of spans are in the records inside.
pub(crate) fn spans(folder: &str) {
    let repo = open(config(folder).layout(Json::new()).level(Level::Warning));
    let request = tracing::info_span!("request", id = 7u64, user = tracing::field::Empty, path = %"/cart", own = "outer");
    let _request = request.enter();
    tracing::warn!(rows = 1, "before");
    {
        let _scope = miu_log::context::scope(miu_log::context::REQUEST_ID.with("r-17"));
        tracing::warn!("event in a scope");
        log::warn!("record in a scope");
    }
    request.record("user", "ann");
    let step = tracing::info_span!("step", number = 2i64, own = "inner");
    step.in_scope(|| {
        tracing::warn!("nested");
        request.record("user", "bob");
        tracing::warn!(number = 3i64, "hidden");
        let debug = tracing::debug_span!("detail", seen = false);
        debug.in_scope(|| tracing::warn!("no more than before"));
        tracing::warn!(parent: None, "outside");
        tracing::warn!(parent: &request, "of the request");
    });
    repo.shutdown();
}

/// The begin and the end of spans.
pub(crate) fn span_events(folder: &str) {
    let repo = open(config(folder).layout(Json::new()).span_events(true).level(Level::Info));
    let span = tracing::info_span!("request", id = 7);
    span.in_scope(|| tracing::info!("inside"));
    tracing::debug_span!("never seen").in_scope(|| ());
    drop(span);
    repo.shutdown();
}

/// Targets and names that are made up at run time: more than are kept.
pub(crate) fn made_up(folder: &str) {
    let repo = open(config(folder));
    for number in 0..20_000 {
        let target = format!("made::up{number}");
        log::info!(target: target.as_str(), number; "record {number}");
    }
    let report = repo.shutdown();
    println!("written={}", report.written);
}

/// Logs when it is shown.
struct Shown;

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        log::info!("log from a display");
        tracing::info!("tracing from a display");
        f.write_str("shown")
    }
}

/// Values that log, panic, or go on without end.
pub(crate) fn displays_that_log(folder: &str) {
    struct Panics;
    impl fmt::Display for Panics {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("as the scenario wants it")
        }
    }
    struct Endless;
    impl fmt::Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            log::info!("{}", Endless);
            f.write_str("endless")
        }
    }
    std::panic::set_hook(Box::new(|_| ()));
    let repo = open(config(folder));
    log::info!("log {Shown}");
    tracing::info!("tracing {}", Shown);
    let _ = std::panic::catch_unwind(|| log::info!("{Panics}"));
    let _ = std::panic::catch_unwind(|| tracing::info!("{}", Panics));
    log::info!("{Endless}");
    repo.flush(Duration::from_secs(60)).unwrap();
    log::info!("after");
    let dropped = repo.stats().dropped_for(DropReason::Reentrant);
    println!("dropped={dropped}");
    repo.shutdown();
}

/// Nothing is installed where the program does not want it.
pub(crate) fn off(folder: &str) {
    let repo = open(config(folder).intercept(false));
    log::error!("nowhere");
    tracing::error!("nowhere");
    log::set_logger(&Own).unwrap();
    repo.shutdown();
}
