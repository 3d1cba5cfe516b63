//! What stands behind a generated `Repository`: the queue, the listener and its end. Wires both halves together.

mod bridges;
mod captured;
mod connect;
mod last_words;
mod recover;
mod rotated;
mod sinks;
mod start;

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

pub use connect::Endpoint;
pub use recover::recover;

use crate::clock::Clock;
use crate::config::LogConfig;
use crate::config::reload::Reloader;
use crate::domain::{DomainSpec, MAX_DOMAINS};
use crate::error::Error;
use crate::level::Level;
use crate::lifecycle::early::StartupReport;
use crate::lifecycle::{exit, fork, panic_hook, program, signals};
use crate::listener::watch::Watch;
use crate::logger::{CappedLogger, Logger};
use crate::maintenance::thread::Maintenance;
use crate::notice::notice;
use crate::queue::{LevelChange, Queue};
use crate::runtime::RuntimeDir;
use crate::stats::{Published, Stats};
use crate::sync::{Ordering, lock};
use crate::testing::ManualListener;
use crate::worker::Recovery;

use bridges::Intercepting;
use start::Prepared;

/// How long a worker process's shutdown waits for the listener to write what it has logged.
const LEAVE: Duration = Duration::from_secs(2);
/// Looks at the listener's progress so often while waiting for its end.
const LOOK: Duration = Duration::from_millis(50);
/// How long a rotation that was asked for may take.
const ROTATION_TIMEOUT: Duration = Duration::from_secs(10);

/// The shared queue of a repository: what worker threads are given.
///
/// Cheap to clone, and usable from any thread. It keeps no file open, and the repository that it comes from decides when
/// logging ends.
#[derive(Clone)]
pub struct QueueHandle {
    inner: Arc<Inner>,
}

impl fmt::Debug for QueueHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueHandle").field("domains", &self.inner.queue.domains()).finish_non_exhaustive()
    }
}

/// What a shutdown came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Records taken into a ring, since the repository was opened; in a worker process, by that process.
    pub accepted: u64,
    /// Records given to the sinks, since the repository was opened.
    pub written: u64,
    /// Records that were not accepted, since then.
    pub dropped: u64,
    /// Accepted records that were not written: the listener did not come to an end in time, or they came in while it ended.
    pub abandoned: u64,
    /// Records that sinks gave up, each counted once per sink: see [`Stats::lost_by_sinks`].
    pub lost_by_sinks: u64,
}

/// Shared by the repository, its workers and the exit hook.
#[derive(Debug)]
pub(crate) struct Inner {
    queue: Arc<Queue>,
    published: Arc<Mutex<Published>>,
    started: OnceLock<Started>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Set by the first shutdown; later ones give the same report.
    report: Mutex<Option<ShutdownReport>>,
    /// When it was made, on the monotonic clock.
    since: u64,
    /// The domain of what no route is for, once it is opened.
    default_domain: OnceLock<u8>,
    /// Records that it accepted before it was opened.
    accepted_early: OnceLock<u64>,
}

/// What there is once the listener has been started.
#[derive(Debug)]
struct Started {
    manual: Option<ManualListener>,
    sink_timeout: Duration,
    /// Kept until the end, or until another process takes over: the locks.
    runtime: Arc<Mutex<Option<RuntimeDir>>>,
    recovery: Recovery,
    maintenance: Option<Maintenance>,
}

/// What a generated repository is made of.
///
/// The one that was opened shuts the listener down when it is dropped; handles for workers do not.
pub struct Core {
    inner: Arc<Inner>,
    specs: &'static [DomainSpec],
    /// For each domain of `specs`, its number in the queue. None: the queue does not have it.
    numbers: Vec<Option<u8>>,
    role: Role,
}

/// What a handle may do to the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Was opened: ends it, by `shutdown` or by being dropped.
    Owner,
    /// The process-wide one, which is never dropped: ends it by `shutdown`.
    Global,
    /// Logs only.
    Worker,
    /// Of a process that has joined another one's repository: takes leave, by `shutdown` or by being dropped.
    Guest,
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.specs.iter().map(|spec| spec.name).collect();
        f.debug_struct("Core").field("domains", &names).field("role", &self.role).finish_non_exhaustive()
    }
}

impl Core {
    /// Opens the folder, starts the listener.
    ///
    /// # Errors
    ///
    /// When the configuration is not valid, the folder or a file in it cannot be opened, or another repository has it.
    pub fn open(config: LogConfig, specs: &'static [DomainSpec]) -> Result<Core, Error> {
        let clock = config.manual.as_ref().map_or_else(Clock::system, ManualListener::clock);
        let core = Core::new(specs, clock, Role::Owner);
        core.start(config)?;
        Ok(core)
    }

    /// A repository that keeps its records until it is started.
    pub fn early(specs: &'static [DomainSpec]) -> Core {
        Core::new(specs, Clock::system(), Role::Global)
    }

    fn new(specs: &'static [DomainSpec], clock: Clock, role: Role) -> Core {
        let specs_kept = &specs[..specs.len().min(MAX_DOMAINS)];
        let inner = Inner::of_queue(Queue::detached(specs_kept, clock));
        let numbers = (0..specs.len()).map(|index| u8::try_from(index).ok()).collect();
        exit::watch(Arc::downgrade(&inner));
        Core { inner, specs, numbers, role }
    }

    /// Another handle of the process-wide repository.
    pub(crate) fn handle(&self) -> Core {
        Core { inner: self.inner.clone(), specs: self.specs, numbers: self.numbers.clone(), role: self.role }
    }

    /// Gives the repository its listener.
    pub(crate) fn start(&self, config: LogConfig) -> Result<(), Error> {
        config.validate()?;
        program::end_kept();
        if let Some(problem) = config.zone.complaint() {
            notice("zone", &problem);
        }
        let Core { inner, specs, .. } = self;
        if specs.len() > MAX_DOMAINS {
            return Err(Error::config(format!(
                "{} domains are too many; at most {MAX_DOMAINS} are possible",
                specs.len()
            )));
        }
        if inner.started.get().is_some() {
            return Err(Error::already_initialised("the repository has been started before"));
        }
        if config.manual.iter().chain(&config.captured_by).any(ManualListener::is_used) {
            return Err(Error::config(
                "the manual listener belongs to another repository; each needs one of its own",
            ));
        }
        if config.manual.is_some() && !matches!(inner.queue.clock(), Clock::Manual(_)) {
            return Err(Error::config(
                "a manual listener needs a repository of its own: use `open`, not `init`",
            ));
        }
        let routes = config.other_crates.check(specs)?;
        _ = inner.default_domain.set(routes.default);
        _ = inner.accepted_early.set(inner.queue.accepted());
        let mut config = config;
        let intercepting = Intercepting::prepare(&config.other_crates, routes)?;
        if let Some(listener) = config.captured_by.take() {
            return self.start_captured(&config, listener, intercepting);
        }
        let Prepared { mut listener, runtime, recovery, settings, maintenance } =
            start::prepare(&mut config, &inner.queue, &inner.published, specs)?;
        let paths = runtime.as_ref().map(|runtime| (runtime.path().to_owned(), runtime.spill()));
        let runtime = Arc::new(Mutex::new(runtime));
        let (sink_timeout, manual) = (config.sink_timeout, config.manual.clone());
        let (handle_signals, records_panics) = (config.handle_signals, config.records_panics());
        let started = Started {
            manual: manual.clone(),
            sink_timeout,
            runtime: runtime.clone(),
            recovery,
            maintenance: maintenance.clone(),
        };
        if inner.started.set(started).is_err() || !inner.queue.attach(settings) {
            return Err(Error::already_initialised("the repository has been started before"));
        }
        if let Some(manual) = &manual {
            manual.show_to(&inner.queue);
        }
        let joined = inner.queue.join_as(Some("main")).unwrap_or_else(|error| {
            notice(
                "join",
                &format!(
                    "cannot make this process's files in the runtime directory: {error}; its rings are in memory that does not \
                     outlive it"
                ),
            );
            None
        });
        let (kept, ending) = (runtime.clone(), maintenance.clone());
        if let Some((folder, spill)) = paths {
            listener.watch(Watch {
                folder,
                spill,
                own: joined.map_or(0, |membership| membership.number()),
                arrivals: None,
                refused: 0,
                asked: None,
                on_worker: config.on_worker,
                keep: Box::new(move || {
                    if let Some(runtime) = &mut *lock(&kept) {
                        runtime.keep();
                    }
                }),
                release: Box::new(move || {
                    if let Some(ending) = &ending {
                        ending.stop();
                    }
                    drop(lock(&runtime).take());
                }),
            });
        }
        listener.remark(std::mem::take(&mut config.remarks).into_iter().map(|text| (Level::Warning, text)));
        listener.remark(std::mem::take(&mut config.notes).into_iter().map(|text| (Level::Info, text)));
        if let Some(source) = config.source.take() {
            listener.set_upkeep(Box::new(Reloader::new(*source, inner.queue.clone(), specs)));
        }
        listener.set_level_of_target(intercepting.level_of_target(&inner.queue));
        if records_panics {
            panic_hook::tell(Arc::downgrade(inner));
        }
        // Before the listener's first pass: early records come before all others. After the panic hook: no panic falls in between.
        intercepting.begin(&inner.queue).inspect_err(|_| inner.queue.end())?;
        match manual {
            Some(manual) => manual.install(listener, maintenance.clone()),
            None => {
                let thread = std::thread::Builder::new()
                    .name("miu-log".to_owned())
                    .spawn(move || listener.run())
                    .map_err(|error| {
                        // Nobody will ever read: nobody must wait for that.
                        inner.queue.end();
                        Error::io("cannot start the listener's thread", error)
                    })?;
                *lock(&inner.thread) = Some(thread);
            }
        }
        if let Some(maintenance) = maintenance {
            maintenance.begin();
        }
        if handle_signals && let Err(error) = signals::handle() {
            // It logs as it should; what is missing is said, and does not make it useless.
            notice("signals", &format!("cannot handle SIGTERM and SIGINT: {error}"));
        }
        Ok(())
    }

    /// Joins a repository of this process, by its queue. Domains are matched by name. One that the queue does not have logs
    /// to nowhere, and a warning in the files says so once.
    #[track_caller]
    pub fn worker(queue: QueueHandle, specs: &'static [DomainSpec]) -> Core {
        let core = Core::join(queue, specs);
        let missing = core.missing();
        if !missing.is_empty() && !core.inner.queue.domains().is_empty() {
            Logger::new(core.inner.queue.clone(), 0)
                .warning(format_args!("{}; what they log is dropped", core.mismatch(&missing)));
        }
        core
    }

    /// Joins a repository of this process, by its queue.
    ///
    /// # Errors
    ///
    /// When the queue lacks one of the domains; the error lists both sides.
    pub fn try_worker(queue: QueueHandle, specs: &'static [DomainSpec]) -> Result<Core, Error> {
        let core = Core::join(queue, specs);
        match core.missing() {
            missing if missing.is_empty() => Ok(core),
            missing => Err(Error::domain_mismatch(core.mismatch(&missing))),
        }
    }

    fn join(queue: QueueHandle, specs: &'static [DomainSpec]) -> Core {
        let known = queue.inner.queue.domains();
        let number = |spec: &DomainSpec| known.iter().position(|name| *name == spec.name);
        let numbers =
            specs.iter().map(|spec| number(spec).and_then(|number| u8::try_from(number).ok())).collect();
        Core { inner: queue.inner, specs, numbers, role: Role::Worker }
    }

    fn missing(&self) -> Vec<&'static str> {
        let missing = self.specs.iter().zip(&self.numbers).filter(|(_, number)| number.is_none());
        missing.map(|(spec, _)| spec.name).collect()
    }

    fn mismatch(&self, missing: &[&str]) -> String {
        let own: Vec<_> = self.specs.iter().map(|spec| spec.name).collect();
        format!(
            "the worker's domains do not fit the queue's: {} missing there; the worker has {}, the queue has {}",
            missing.join(", "),
            own.join(", "),
            self.inner.queue.domains().join(", ")
        )
    }

    /// The logger of a domain, by its number.
    pub fn logger(&self, index: usize) -> Logger {
        match self.numbers.get(index).copied().flatten() {
            Some(number) => Logger::new(self.inner.queue.clone(), number),
            None => Logger::new(self.inner.queue.nowhere(), 0),
        }
    }

    /// The logger of a domain with `max_level`.
    pub fn capped_logger<const LEAST: u8>(&self, index: usize) -> CappedLogger<LEAST> {
        // For the repository's own program. What a worker's program leaves out, others may log.
        if matches!(self.role, Role::Owner | Role::Global)
            && let Some(number) = self.numbers.get(index).copied().flatten()
        {
            self.inner.queue.set_floor(number, LEAST);
        }
        CappedLogger::new(self.logger(index))
    }

    /// The queue, for workers.
    pub fn queue(&self) -> QueueHandle {
        QueueHandle { inner: self.inner.clone() }
    }

    /// What was brought into the files when this repository was opened, from runs that did not end properly. Empty in workers.
    pub fn recovery(&self) -> Recovery {
        self.inner.started.get().map(|started| started.recovery.clone()).unwrap_or_default()
    }

    /// Waits until everything logged before is handed to the operating system: to files, and to the spools of far destinations. Whether it has arrived there
    /// [`stats`](Core::stats) tells.
    ///
    /// # Errors
    ///
    /// When the time is over first, when a sink without a spool does not take its records within [`sink_timeout`](LogConfig::sink_timeout), or where there is no listener.
    pub fn flush(&self, timeout: Duration) -> Result<(), Error> {
        self.inner.flush(timeout)
    }

    /// Rotates every log file that is not empty: what was logged before stands in the rotated files, what is logged later in new ones. Waits
    /// until that is done, at most ten seconds.
    ///
    /// A file that cannot be renamed goes on as it is; that is told on stderr too, counted as an error of its sink and its
    /// [`fault`](crate::SinkStats::fault) until a rotation works. The others are rotated all the same.
    ///
    /// # Errors
    ///
    /// When a file could not be rotated: the text names each, and why. When the time is over first, or the files are another process's.
    pub fn rotate(&self) -> Result<(), Error> {
        if !self.inner.has_own_listener() || self.inner.queue.is_ended() {
            return Err(Error::closed(
                "this process does not have the log files: only the one that has can rotate them",
            ));
        }
        self.inner.queue.request_rotation();
        let flushed = self.inner.flush(ROTATION_TIMEOUT);
        let unrotated = lock(&self.inner.published).unrotated.clone();
        if unrotated.is_empty() {
            return flushed;
        }
        Err(Error::io("not every log file was rotated", unrotated.join("; ")))
    }

    /// Ends logging: everything accepted is written, files are closed. Later calls are counted as dropped.
    ///
    /// A worker's handle only flushes.
    pub fn shutdown(&self) -> ShutdownReport {
        match self.role {
            Role::Worker => self.inner.flush_as_worker(),
            Role::Owner | Role::Global | Role::Guest => self.inner.shutdown(),
        }
    }

    /// Switches debug and trace on or off, for all domains and handles, at once.
    pub fn set_debug_enabled(&self, enabled: bool) {
        self.inner.queue.set_debug_enabled(enabled);
    }

    /// Whether debug and trace are switched on.
    pub fn debug_enabled(&self) -> bool {
        self.inner.queue.debug_enabled()
    }

    /// Sets the lowest level that is taken, for all domains and handles, at once.
    pub fn set_level(&self, level: Level) -> LevelChange {
        self.inner.queue.set_all_levels(level)
    }

    /// What was logged before which stage of the start.
    pub fn startup_report(&self) -> StartupReport {
        StartupReport::new(self.inner.accepted_early.get().copied().unwrap_or_else(|| self.inner.accepted()))
    }

    /// Counters. Those of the sinks are as of the last flush, or at most a second old.
    pub fn stats(&self) -> Stats {
        self.inner.stats()
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        match self.role {
            Role::Owner if self.inner.started.get().is_some_and(|started| started.manual.is_some()) => {
                _ = self.inner.shutdown();
            }
            Role::Owner if self.inner.started.get().is_some() && !program::keep(&self.inner) => {
                _ = self.inner.shutdown();
            }
            Role::Guest if !program::keep(&self.inner) => self.inner.queue.leave(),
            _ => {}
        }
    }
}

impl Inner {
    pub(super) fn of_queue(queue: Arc<Queue>) -> Arc<Inner> {
        fork::watch();
        let since = queue.clock().monotonic();
        Arc::new(Inner {
            since,
            default_domain: OnceLock::new(),
            accepted_early: OnceLock::new(),
            queue,
            published: Arc::default(),
            started: OnceLock::new(),
            thread: Mutex::new(None),
            report: Mutex::new(None),
        })
    }

    /// Whether the listener of this repository is, or was, one of this very process.
    fn has_own_listener(&self) -> bool {
        self.started.get().is_some() && self.queue.is_home()
    }

    fn stats(&self) -> Stats {
        // In a forked child the lock may be held by a thread that the child does not have.
        let published =
            if self.has_own_listener() { lock(&self.published).clone() } else { Published::default() };
        Stats::collect(&self.queue.counters, self.queue.domains(), self.queue.accepted(), published)
    }

    fn flush(&self, timeout: Duration) -> Result<(), Error> {
        let started = self.started.get().filter(|_| self.has_own_listener());
        if started.is_none() && self.queue.folder().is_none() {
            return Err(Error::closed(
                "there is nothing to flush to: the repository has not been initialised",
            ));
        }
        if started.is_none() && !self.queue.has_listener() {
            return Err(Error::closed(
                "there is no listener at the moment; what was logged is kept for the next one",
            ));
        }
        let request = self.queue.request_flush();
        if let Some(Started { manual: Some(manual), .. }) = started {
            // One pass is bounded, a flush is not: pass until it is answered.
            while self.queue.wait_for_answer(request, Duration::ZERO).is_none() {
                manual.step();
            }
        }
        match self.queue.wait_for_answer(request, timeout) {
            Some(true) => Ok(()),
            Some(false) if self.queue.is_ended() => Err(Error::closed(
                "logging has ended, and what was logged in that very moment was not written: it is counted in `stats()`",
            )),
            Some(false) => Err(Error::timeout(format!(
                "a sink could not hand on its records in time{}; they are held or counted: `stats().sinks` shows which",
                self.behind()
            ))),
            None if started.is_none() => Err(Error::timeout(format!("flush was not done after {timeout:?}"))),
            None => {
                let pending = self.queue.accepted().saturating_sub(self.written());
                Err(Error::timeout(format!(
                    "flush was not done after {timeout:?}{}; {pending} records were not read yet",
                    self.behind()
                )))
            }
        }
    }

    /// Which sinks a flush waits for, for its error.
    fn behind(&self) -> String {
        if !self.has_own_listener() {
            // In a forked child the lock may be held by a thread that the child does not have.
            return String::new();
        }
        match &*lock(&self.published).behind {
            [] => String::new(),
            [one] => format!(": {one} is waited for"),
            all => format!(": {} are waited for", all.join(", ")),
        }
    }

    fn written(&self) -> u64 {
        self.queue.counters.total_written()
    }

    fn flush_as_worker(&self) -> ShutdownReport {
        let timeout = self.started.get().map_or(Duration::ZERO, |started| started.sink_timeout);
        // A worker's end is no reason to fail: what was accepted is written by the listener in any case.
        let _ = self.flush(timeout);
        self.report()
    }

    fn report(&self) -> ShutdownReport {
        let Stats { accepted, written, dropped, abandoned, lost_by_sinks, .. } = self.stats();
        ShutdownReport { accepted, written, dropped, abandoned, lost_by_sinks }
    }

    /// What is left to do when the process ends by itself.
    pub(crate) fn end_of_process(&self) {
        let accepted = self.queue.accepted();
        if self.started.get().is_none() && accepted > 0 {
            notice(
                "early",
                &format!("{accepted} records were logged and never written: `init` was not called"),
            );
        }
        self.shutdown();
    }

    /// Ends the listener and waits for it, as long as it makes progress. Idempotent.
    pub(crate) fn shutdown(&self) -> ShutdownReport {
        if !self.has_own_listener() {
            return self.leave();
        }
        let mut report = lock(&self.report);
        if let Some(report) = *report {
            return report;
        }
        let Some(started) = self.started.get() else { return self.report() };
        self.queue.close();
        self.queue.request_stop();
        match &started.manual {
            Some(manual) => {
                if let Some(listener) = manual.take() {
                    listener.finish();
                }
            }
            None => self.wait_for_listener(started.sink_timeout),
        }
        let pending = self
            .queue
            .accepted()
            .saturating_sub(self.written() + self.queue.counters.corrupt.load(Ordering::Relaxed));
        if pending > 0 {
            self.queue.counters.abandoned.store(pending, Ordering::Relaxed);
            notice("shutdown", &format!("{pending} accepted records were not written when logging ended"));
        }
        if let Some(maintenance) = &started.maintenance {
            maintenance.stop();
        }
        // The lock on the folder goes last: until now another repository must not open it.
        drop(lock(&started.runtime).take());
        *report.insert(self.report())
    }

    /// The end of a process whose records another one writes.
    fn leave(&self) -> ShutdownReport {
        if self.queue.folder().is_none() || self.queue.is_ended() {
            return self.report();
        }
        self.queue.close();
        // A worker's end is no reason to fail: what was accepted is written by the listener, now or later.
        let written = self.flush(LEAVE).is_ok();
        self.queue.leave();
        let report = self.report();
        ShutdownReport { written: if written { self.queue.accepted() } else { report.written }, ..report }
    }

    fn wait_for_listener(&self, patience: Duration) {
        let mut progress = (self.written(), std::time::Instant::now());
        while !self.queue.wait_for_end(LOOK) {
            let written = self.written();
            if written != progress.0 {
                progress = (written, std::time::Instant::now());
            }
            // The sinks' own time is over a moment earlier, unless the listener itself hangs in one of them.
            if progress.1.elapsed() > patience + 10 * LOOK {
                notice("shutdown", "the listener did not come to an end in time");
                self.queue.end();
                return;
            }
        }
        if let Some(thread) = lock(&self.thread).take() {
            // A panic of the listener's thread was reported where it happened.
            let _ = thread.join();
        }
    }
}
