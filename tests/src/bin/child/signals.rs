//! Signals: handlers that log, and signals that end the program.

use std::fmt;
use std::hint::black_box;
use std::io::{Read, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use miu_log::{Batch, DropReason, Level, LogConfig, OverflowPolicy, Sink, SinkError, signal};
use miu_log_tests::{logs, wait_until};

use crate::handlers::{self, SIGALRM, SIGINT, SIGTERM, SIGUSR1};
use crate::{FLUSH, config};

/// What handlers log to: set before they are installed.
static REPO: OnceLock<logs::Repository> = OnceLock::new();
/// How many handlers have run, and how many are running.
static TICKS: AtomicU64 = AtomicU64::new(0);
static RUNNING: AtomicU64 = AtomicU64::new(0);
static OVER: AtomicBool = AtomicBool::new(false);

/// A value that is formatted at once.
struct Shown(u64);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

/// Something for the allocator to do.
fn allocate() -> usize {
    let texts: Vec<String> = (0..300).map(|number| format!("text {number}")).collect();
    black_box(texts).len()
}

/// Runs the body as one tick of a handler, unless it is all over.
fn tick(body: impl FnOnce(&logs::Repository, u64)) {
    RUNNING.fetch_add(1, Ordering::SeqCst);
    if !OVER.load(Ordering::SeqCst)
        && let Some(repo) = REPO.get()
    {
        body(repo, TICKS.fetch_add(1, Ordering::SeqCst));
    }
    RUNNING.fetch_sub(1, Ordering::SeqCst);
}

/// From here on no handler logs.
fn end_of_ticks() {
    handlers::alarm_every(0);
    OVER.store(true, Ordering::SeqCst);
    wait_until("the last handler to return", || RUNNING.load(Ordering::SeqCst) == 0);
}

fn opened(config: LogConfig) -> &'static logs::Repository {
    REPO.get_or_init(|| logs::Repository::open(config).unwrap())
}

fn print_counters(repo: &logs::Repository) {
    let stats = repo.stats();
    println!(
        "ticks={} accepted={} written={} corrupt={} abandoned={} dropped={} in_handlers={}",
        TICKS.load(Ordering::SeqCst),
        stats.accepted,
        stats.written,
        stats.corrupt,
        stats.abandoned,
        stats.dropped,
        stats.dropped_for(DropReason::Signal),
    );
}

/// Numbers of the threads that get a signal in turn.
static THREADS: [AtomicI32; 64] = [const { AtomicI32::new(0) }; 64];
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Logs in both ways, in whatever thread it is.
extern "C" fn log_both_ways(_: i32) {
    tick(|repo, number| {
        miu_log::info!(repo.db, "ordinary {number} {}", Shown(number));
        signal!(repo.redis, Level::Info, "signal {number} {}", number * 2);
    });
}

/// The same, and has another thread do it too.
extern "C" fn log_and_pass_on(signal: i32) {
    log_both_ways(signal);
    let next = NEXT.fetch_add(1, Ordering::Relaxed) % THREADS.len();
    let thread = THREADS[next].load(Ordering::Relaxed);
    if thread != 0 {
        handlers::send(thread, SIGUSR1);
    }
}

/// Every 200 µs a signal comes to this thread and one to another, the listener's among them, while all log and allocate. For three seconds,
/// or so many as are asked for.
pub(crate) fn storm(folder: &str, seconds: Option<&String>) {
    const LOGGING: usize = 4;
    let seconds = seconds.map_or(3, |text| text.parse().unwrap());
    let repo =
        opened(config(folder).level_files(false).overflow(OverflowPolicy::Block).ring_limit(128 * 1024));
    // Once in ordinary code, so that the call site of the handler is known.
    log_both_ways(0);
    handlers::install(SIGALRM, log_and_pass_on);
    handlers::install(SIGUSR1, log_both_ways);
    let until = Instant::now() + Duration::from_secs(seconds);
    let work = |thread: usize| {
        let mut number = 0u64;
        while Instant::now() < until {
            miu_log::info!(repo.app, "{thread} {number} text");
            miu_log::info!(repo.app, "{thread} {} {}", number + 1, Shown(number));
            repo.app.info(format!("{thread} {} owned", number + 2));
            number += 3;
            allocate();
        }
        number
    };
    let logged: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=LOGGING).map(|thread| scope.spawn(move || work(thread))).collect();
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let ids = tasks.map(|task| task.unwrap().file_name().to_str().unwrap().parse().unwrap());
        THREADS.iter().zip(ids).for_each(|(place, id)| place.store(id, Ordering::Relaxed));
        handlers::alarm_every(200);
        let own = work(0);
        own + threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>()
    });
    end_of_ticks();
    repo.flush(FLUSH).unwrap();
    println!("logged={logged}");
    print_counters(repo);
    repo.shutdown();
}

/// Four ordinary calls, each of which would lock and allocate.
extern "C" fn log_for_the_first_time(_: i32) {
    tick(|repo, number| {
        miu_log::info!(repo.app, "macro {number}");
        repo.app.info("method");
        miu_log::info!(repo.app, "formatted {}", Shown(number));
        repo.app.exception("exception", &fmt::Error);
    });
}

/// A thread that has never logged allocates all the time; handlers interrupt it and log, each time for the first time.
pub(crate) fn first_calls(folder: &str) {
    let repo = opened(config(folder));
    handlers::install(SIGALRM, log_for_the_first_time);
    handlers::alarm_every(100);
    while TICKS.load(Ordering::SeqCst) < 2_000 {
        allocate();
    }
    end_of_ticks();
    repo.flush(FLUSH).unwrap();
    print_counters(repo);
    repo.shutdown();
}

extern "C" fn log_signal(number: i32) {
    tick(|repo, tick| signal!(repo.app, Level::Error, "tick {tick} of signal {number}"));
}

/// `signal!` in a handler of a thread without a ring, and of one that has logged.
pub(crate) fn with_and_without_a_ring(folder: &str) {
    let repo = opened(config(folder));
    handlers::install(SIGUSR1, log_signal);
    handlers::raise(SIGUSR1);
    repo.app.info("ordinary");
    handlers::raise(SIGUSR1);
    repo.shutdown();
    handlers::raise(SIGUSR1);
    print_counters(repo);
}

/// Logs, says so, and waits for its end.
fn log_and_wait(repo: &logs::Repository) -> ! {
    for number in 0..10_000 {
        miu_log::info!(repo.app, "record {number}");
    }
    println!("ready");
    std::io::stdout().flush().unwrap();
    loop {
        // The parent keeps it open, and kills.
        assert!(std::io::stdin().read(&mut [0]).is_ok_and(|read| read > 0), "nobody ended the program");
    }
}

/// With the option, and a second repository without it.
pub(crate) fn handled(folder: &str) {
    let other = logs::Repository::open(config(&format!("{folder}/other"))).unwrap();
    other.app.info("of the other one");
    let repo = logs::Repository::open(config(folder).handle_signals(true)).unwrap();
    log_and_wait(&repo);
}

/// Without the option.
pub(crate) fn not_handled(folder: &str) {
    log_and_wait(&logs::Repository::open(config(folder)).unwrap());
}

/// How the program handles a signal itself.
extern "C" fn exit_with_seven(_: i32) {
    OVER.store(true, Ordering::SeqCst);
}

fn wait_for_own_handler(repo: &logs::Repository) -> ! {
    println!("ready");
    std::io::stdout().flush().unwrap();
    wait_until("the program's own handler", || OVER.load(Ordering::SeqCst));
    repo.app.info("by the program's own handler");
    repo.shutdown();
    std::process::exit(7);
}

pub(crate) fn own_handler_before(folder: &str) {
    handlers::install(SIGTERM, exit_with_seven);
    wait_for_own_handler(&logs::Repository::open(config(folder).handle_signals(true)).unwrap());
}

pub(crate) fn own_handler_after(folder: &str) {
    let repo = logs::Repository::open(config(folder).handle_signals(true)).unwrap();
    handlers::install(SIGTERM, exit_with_seven);
    wait_for_own_handler(&repo);
}

pub(crate) fn own_handler_chained(folder: &str) {
    let repo = logs::Repository::open(config(folder).handle_signals(true)).unwrap();
    handlers::install_chained(SIGTERM, exit_with_seven);
    wait_for_own_handler(&repo);
}

/// A child made by `fork` has no thread that could end it properly.
pub(crate) fn forked(folder: &str) {
    let repo = logs::Repository::open(config(folder).handle_signals(true)).unwrap();
    println!("ended_by={}", handlers::end_of_forked_child(SIGTERM));
    repo.app.info("the parent goes on");
}

/// An ignored SIGINT stays so.
pub(crate) fn ignored(folder: &str) {
    let repo = logs::Repository::open(config(folder).handle_signals(true)).unwrap();
    handlers::raise(SIGINT);
    repo.app.info("still there");
    log_and_wait(&repo);
}

struct Hangs;

impl Sink for Hangs {
    fn write(&mut self, _: &Batch<'_>) -> Result<(), SinkError> {
        loop {
            std::thread::park();
        }
    }
}

/// A sink that never comes to an end, and patience for an hour.
pub(crate) fn hanging(folder: &str) {
    let config = config(folder).handle_signals(true).sink_timeout(Duration::from_secs(3600));
    log_and_wait(&logs::Repository::open(config.sink(Hangs)).unwrap());
}
