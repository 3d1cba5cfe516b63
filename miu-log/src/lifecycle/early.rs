//! Records from before the first repository: kept, shown, and given to the repository that is opened first.
//!
//! `early_init` puts a collector into the slot of the facades (`bridge::receiver`) and installs the panic hook. What comes is written down with its time and
//! thread, up to a bound, and from INFO on shown on stderr. The first repository that takes the facades' records gets all of it, into rings of
//! the threads it came from, before its listener makes its first pass: so that it stands before everything later, in order of time.
//!
//! Y1. Memory is bounded by [`MOST_BYTES`] and [`MOST_RECORDS`]; what comes beyond is shown all the same, counted by level, and told when the repository is opened.
//! Y2. What is kept changes under the lock of the dictionary (`callsite::exclusively`), which a fork waits for. A forked child leaves to its parent what came
//!     before the fork.
//! Y3. Nothing waits for stderr: what it does not take at once is not shown, and comes with the rest where the program ends without a repository.
//! Y4. A record that was on its way while the repository took over goes to the repository.
//!
//! Called by the program, by `repository`, by the panic hook and at the end of the process.

mod kept;
mod shown;

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use kept::{Kept, What};
use shown::Display;

use super::exit;
use super::panic_hook::{self, Panic};
use crate::bridge;
use crate::bridge::receiver::{self, Collector, Destination, Facade, ForeignRecord, Origin};
use crate::bridge::routes::Routes;
use crate::callsite;
use crate::clock::Clock;
use crate::error::Error;
use crate::level::Level;
use crate::logger::Logger;
use crate::notice::show;
use crate::queue::{OfThread, Replayed};
use crate::ring::{fork, signal_frame};
use crate::sync::{AtomicU64, Ordering, lock};

/// Bytes of records that are kept (Y1).
const MOST_BYTES: usize = 1024 * 1024;
/// Records that are kept (Y1).
const MOST_RECORDS: usize = 10_000;
/// How long stderr may take for what is left at the end of the program.
const LAST_PATIENCE: Duration = Duration::from_secs(1);
/// From here on records are shown.
const SHOWN: Level = Level::Info;

/// What [`early_init`] has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EarlyInit {
    /// Records are collected from now on.
    Installed,
    /// It was called before: nothing was done.
    AlreadyInitialised,
    /// A repository has the records already: there is nothing to collect. What was logged before that was not seen.
    TooLate,
}

/// Collects, from now on, what other crates log through `log` and `tracing`, and panics, until a repository is opened, which gets all of it. Meant to be the
/// first statement of `main`; [`#[miu_log::main]`](macro@crate::main) does it.
///
/// Records from DEBUG on are kept, with their times, threads and places: up to 10,000 of them and 1 MiB; more is counted, and told by a WARNING when the
/// repository is opened. Those from INFO on are also shown on stderr at once, in the layout [`Pattern::loguru`](crate::Pattern::loguru), coloured on a terminal;
/// what stderr does not take at once is not waited for. The repository that is opened first has the records go by its own routes
/// and levels, before everything that is logged later; [`startup_report`](crate::generated::Repository::startup_report) says how many there were.
///
/// Where the program ends without a repository, or panics, the records that were not shown are written to stderr.
///
/// A second call does nothing.
///
/// # Errors
///
/// When another logger or subscriber was installed before: the error says whose records do not come. Those of the other facade, and panics, are collected
/// all the same.
///
/// # Examples
///
/// ```no_run
/// # #[miu_log::log_domains(app)] mod logs {}
/// miu_log::early_init()?;
/// // Whatever is called here may log through `log` or `tracing`.
/// let repo = logs::Repository::open(miu_log::LogConfig::new("logs"))?;
/// # Ok::<(), miu_log::Error>(())
/// ```
pub fn early_init() -> Result<EarlyInit, Error> {
    static DONE: Mutex<bool> = Mutex::new(false);
    let mut done = lock(&DONE);
    if std::mem::replace(&mut *done, true) {
        return Ok(EarlyInit::AlreadyInitialised);
    }
    // Before a handler can have anything to log to, and before there is anything that a fork could tear apart.
    signal_frame::prepare();
    super::fork::watch();
    let early = EARLY.get_or_init(Early::new);
    early.own_before.store(exit::accepted(), Ordering::Relaxed);
    panic_hook::install();
    exit::register();
    let taken = receiver::change(|present| match present {
        Some(Destination::Routes(routes)) if !routes.queue().is_ended() => Err(()),
        _ => Ok(Some(Destination::Collector(early.clone()))),
    });
    if taken.is_err() {
        early.exclusively(|state| state.released = Some(false));
        return Ok(EarlyInit::TooLate);
    }
    bridge::install().map_err(Error::already_initialised)?;
    Ok(EarlyInit::Installed)
}

static EARLY: OnceLock<Arc<Early>> = OnceLock::new();

/// See the module's description.
#[derive(Debug)]
struct Early {
    state: Mutex<State>,
    display: Display,
    clock: Clock,
    /// Records that were not kept, by level.
    lost: [AtomicU64; Level::ALL.len()],
    /// Records that were logged by repositories' own loggers before `early_init`.
    own_before: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    kept: Vec<Kept>,
    bytes: usize,
    /// Set when a repository has taken what was kept; false where there was one before.
    released: Option<bool>,
    report: Counts,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    from_log: u64,
    from_tracing: u64,
    panics: u64,
}

impl Early {
    fn new() -> Arc<Early> {
        Arc::new(Early {
            state: Mutex::default(),
            display: Display::new(),
            clock: Clock::system(),
            lost: [const { AtomicU64::new(0) }; Level::ALL.len()],
            own_before: AtomicU64::new(0),
        })
    }

    /// Runs the function on what is kept (Y2). None in a signal handler, and in an allocator that logs.
    fn exclusively<R>(&self, run: impl FnOnce(&mut State) -> R) -> Option<R> {
        callsite::exclusively(|_| run(&mut lock(&self.state)))
    }

    fn is_collecting(&self) -> bool {
        self.exclusively(|state| state.released.is_none()).unwrap_or(false)
    }

    /// Keeps a record, if there is room. False where a repository has taken over.
    #[allow(clippy::result_large_err, reason = "a box would allocate under the lock")]
    fn keep(&self, kept: Kept, count: impl FnOnce(&mut Counts)) -> bool {
        let level = kept.level;
        let mut kept = Some(kept);
        let outcome = self.exclusively(|state| {
            if state.released.is_some() {
                return false;
            }
            count(&mut state.report);
            let bytes = state.bytes + kept.as_ref().map_or(0, Kept::bytes);
            if bytes <= MOST_BYTES && state.kept.len() < MOST_RECORDS {
                state.bytes = bytes;
                state.kept.extend(kept.take());
            }
            true
        });
        // What was not taken goes only now, when nothing is locked any more: an allocator may log.
        let is_ours = outcome.unwrap_or(true);
        if is_ours && kept.is_some() {
            self.count_lost(level);
        }
        is_ours
    }

    fn count_lost(&self, level: Level) {
        self.lost[level as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn record(&self, level: Level, what: What, shown: bool) -> Kept {
        Kept::new(self.clock.ticks(), self.clock.unix_now(), level, what, shown)
    }

    /// Writes what was not shown to stderr, behind this line. It stays kept.
    fn show_rest(&self, reason: &str) {
        let generation = fork::generation();
        let rest = self.exclusively(|state| {
            let mut rest = Vec::new();
            for kept in state.kept.iter_mut().filter(|kept| kept.generation == generation && !kept.shown) {
                kept.shown = true;
                rest.push(kept.clone());
            }
            rest
        });
        let rest = rest.unwrap_or_default();
        if rest.is_empty() {
            return;
        }
        let mut text = format!("miu-log: {reason}; what was logged and not shown before:\n").into_bytes();
        for kept in &rest {
            self.display.write(kept, &mut text);
        }
        let lost = self.lost();
        if let Some(lost) = in_words(&lost) {
            text.extend(format!("miu-log: {lost}\n").as_bytes());
        }
        show(&text, LAST_PATIENCE);
    }

    fn lost(&self) -> [u64; Level::ALL.len()] {
        std::array::from_fn(|level| self.lost[level].load(Ordering::Relaxed))
    }
}

impl Collector for Early {
    fn wants(&self, origin: &Origin<'_>) -> bool {
        origin.level >= Level::Debug
    }

    fn collect(&self, record: &ForeignRecord<'_>) {
        let level = record.origin.level;
        let mut kept = self.record(level, What::of_facade(record), false);
        kept.shown = level >= SHOWN && self.is_collecting() && self.display.show(&kept);
        let facade = record.origin.facade;
        let is_taken = self.keep(kept, |counts| match facade {
            Facade::Log => counts.from_log += 1,
            Facade::Tracing => counts.from_tracing += 1,
        });
        if !is_taken && let Some(Destination::Routes(routes)) = receiver::current() {
            routes.take(record);
        }
    }

    fn lose(&self, origin: &Origin<'_>) {
        self.count_lost(origin.level);
    }

    fn least(&self) -> Level {
        Level::Debug
    }
}

/// A panic, where no repository has it. What was not shown before is shown now: the process may be about to end.
pub(super) fn panicked(describe: impl FnOnce() -> Panic) {
    let Some(early) = EARLY.get().filter(|early| early.is_collecting()) else { return };
    // The former hook shows it.
    let kept = early.record(Level::Critical, What::Panic(describe()), true);
    early.keep(kept, |counts| counts.panics += 1);
    early.show_rest("a thread panics before a repository is opened");
}

/// The process ends.
pub(super) fn at_end() {
    if let Some(early) = EARLY.get().filter(|early| early.is_collecting()) {
        early.show_rest("the program ends and no repository was opened");
    }
}

/// Gives what was kept to the repository that has these routes. Called before its listener's first pass.
pub(crate) fn release(routes: &Routes) {
    let Some(early) = EARLY.get() else { return };
    let kept = early.exclusively(|state| {
        state.released.get_or_insert(true);
        std::mem::take(&mut state.kept)
    });
    let queue = routes.queue();
    // Ticks of another clock mean nothing: then it is the time of now.
    let is_clock = std::mem::discriminant(queue.clock()) == std::mem::discriminant(&early.clock);
    let now = queue.clock().ticks();
    let mut threads: Vec<OfThread> = Vec::new();
    for kept in kept.into_iter().flatten().filter(|kept| kept.generation == fork::generation()) {
        let Some((domain, callsite, arguments)) = kept.what.settle(routes, kept.level) else { continue };
        let ticks = if is_clock { kept.ticks } else { now };
        let record = Replayed { level: kept.level, domain, callsite, ticks, arguments };
        match threads.iter_mut().find(|thread| (thread.id, &thread.name) == (kept.thread_id, &kept.thread)) {
            Some(thread) => thread.records.push(record),
            None => threads.push(OfThread { id: kept.thread_id, name: kept.thread, records: vec![record] }),
        }
    }
    queue.replay(threads);
    if let Some(lost) = in_words(&early.lost()) {
        Logger::new(queue.clone(), routes.default_domain()).warning(lost);
    }
}

/// What was not kept, in words.
fn in_words(lost: &[u64]) -> Option<String> {
    let total: u64 = lost.iter().sum();
    let parts = Level::ALL.into_iter().zip(lost).filter(|(_, count)| **count > 0);
    let parts: Vec<String> = parts.map(|(level, count)| format!("{count} {level}")).collect();
    let noun = if total == 1 { "record" } else { "records" };
    (total > 0).then(|| {
        format!("dropped {total} early {noun} (no repository was open to take more): {}", parts.join(", "))
    })
}

/// What was logged before which stage of the start: `repo.startup_report()`.
///
/// The right order is: `early_init` first, then whatever may log, then the repository. A wrong one shows in `early_init` being false, and in
/// `own_before_early_init`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StartupReport {
    /// Whether `early_init` was called before a repository had the records of other crates.
    pub early_init: bool,
    /// Records of the `log` facade between `early_init` and the first repository.
    pub from_log: u64,
    /// Records of the `tracing` facade between them.
    pub from_tracing: u64,
    /// Panics between them.
    pub panics: u64,
    /// Records of these that were not kept: past the bound, of a signal handler, or nested too deep.
    pub dropped: u64,
    /// Records of the process-wide repository before its `init`.
    pub own_before_open: u64,
    /// Records of repositories' own loggers before `early_init`.
    pub own_before_early_init: u64,
}

impl StartupReport {
    /// Of a repository to which this many records were logged before it was opened.
    pub(crate) fn new(own_before_open: u64) -> StartupReport {
        let none = StartupReport { own_before_open, ..StartupReport::default() };
        let Some(early) = EARLY.get() else { return none };
        let (counts, is_in_time) =
            early.exclusively(|state| (state.report, state.released != Some(false))).unwrap_or_default();
        StartupReport {
            early_init: is_in_time,
            from_log: counts.from_log,
            from_tracing: counts.from_tracing,
            panics: counts.panics,
            dropped: early.lost().iter().sum(),
            own_before_early_init: early.own_before.load(Ordering::Relaxed),
            ..none
        }
    }
}

impl fmt::Display for StartupReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StartupReport { from_log, from_tracing, panics, dropped, .. } = self;
        let when = if self.early_init { "in time" } else { "not called in time" };
        write!(
            f,
            "early_init: {when}; before it: {} records of own loggers; before the repository was opened: {from_log} records of log, \
             {from_tracing} of tracing, {panics} panics, {} of own loggers; {dropped} of these dropped",
            self.own_before_early_init, self.own_before_open
        )
    }
}
