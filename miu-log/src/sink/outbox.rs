//! What stands between the pipeline and a destination that is far away: a spool on disk, batches, retries, and what becomes of records that get nowhere.
//!
//! O1. A record that was taken is in the spool before the listener goes on, or in bounded memory where there is no spool or it does not take it, until it
//!     has arrived; else it is a dead letter, on the console, on stderr or lost, and counted as such.
//! O2. Records are offered in their order, and none that arrived is offered again but after the death of the process or an answer that got lost.
//! O3. A destination is asked again after a pause that grows, no sooner than it asks for; after the last retry it is left alone and then
//!     tried once (`circuit`).
//! O4. A record that is refused by itself costs no other record.
//! O5. The listener waits for the file system, as it does for log files, never for the destination.
//!
//! The listener's side is here: it appends to the spool, and gives what the spool does not take to the [queue](super::queued), behind which the
//! thread's side works (`courier`). While any of that is in memory the spool is left alone, so that all stays in order. The policies are pure, and have files of
//! their own. Made by the configuration.

mod backoff;
mod batching;
mod bisection;
mod circuit;
mod courier;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) mod database;
pub(crate) mod dead_letters;
pub(crate) mod deliver;
mod fallback;
mod portion;
mod rates;
pub(crate) mod spool;
#[cfg(feature = "webhook")]
pub(crate) mod webhook;

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub(crate) use backoff::Backoff;
pub(crate) use batching::Batching;
use courier::{Courier, Kit};
use deliver::{Deliver, Timeouts};
use fallback::Fallback;
pub(crate) use fallback::OpenConsole;
use rates::Rates;
use spool::{Appender, Drain, Refusal, Shared, Unsynced};

use super::queued::Queued;
use super::{Batch, Health, Sink, SinkError};
use crate::clock::Clock;
use crate::notice::{notice, records};
use crate::sync::lock;

/// How the outbox of one destination works.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) batching: Batching,
    pub(crate) backoff: Backoff,
    pub(crate) timeouts: Timeouts,
    /// For how long a flush waits for deliveries.
    pub(crate) flush_wait: Duration,
    /// Where the spool is, if there is one, and the bytes that it may take.
    pub(crate) spool: Option<(PathBuf, u64)>,
    /// Whether what is on disk has to survive a loss of power.
    pub(crate) is_durable: bool,
}

/// Bytes of lines that may wait for the thread where the spool does not take them; for ERROR and CRITICAL so many more.
const QUEUE: usize = 16 << 20;
const QUEUE_RESERVE: usize = QUEUE / 4;

/// What the thread's side tells of itself at any time, also before and during an attempt: its health, of which `waiting` are the records that it has and the
/// spool has not, and why it fails.
#[derive(Clone, Debug, Default)]
struct Report(Arc<Mutex<(Health, Option<String>)>>);

impl Report {
    fn set(&self, health: Health) {
        lock(&self.0).0 = health;
    }

    fn set_fault(&self, fault: Option<String>) {
        lock(&self.0).1 = fault;
    }

    fn health(&self) -> Health {
        lock(&self.0).0
    }

    fn fault(&self) -> Option<String> {
        lock(&self.0).1.clone()
    }

    /// Whether nothing is in memory alone.
    fn is_spooled(&self) -> bool {
        lock(&self.0).0.waiting == 0
    }
}

/// A notice of the sink of this name. Each kind has a key of its own, so that none is held back because another was said a moment ago.
fn say(name: &str, kind: &str, text: &str) {
    notice(&format!("{name} {kind}"), &format!("{name}: {text}"));
}

/// See the module's description.
#[derive(Debug)]
pub(crate) struct Outbox {
    intake: Intake,
    queued: Queued,
    /// Also after the end, for the counters.
    spool: Option<Arc<Shared>>,
    rates: Rates,
    flush_wait: Duration,
    /// When the flush under way was begun.
    flush_begun: Option<Instant>,
}

/// What decides where records wait.
struct Intake {
    name: String,
    batching: Batching,
    appender: Option<Appender>,
    report: Report,
    clock: Clock,
    /// The fault of the spool that is going on has been told.
    told: bool,
    /// Files of the spool that could not be made durable when they were left.
    errors: u64,
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Intake {
    /// Appends to the spool what it takes of the batch. How many records that are, and whether they make work for the thread.
    fn take(&mut self, batch: &Batch<'_>) -> (usize, bool) {
        // What is in memory is older than what comes: it has to be delivered first.
        let Some(appender) = self.appender.as_mut().filter(|_| self.report.is_spooled()) else {
            return (0, false);
        };
        let before = appender.shared().unread();
        let (taken, refusal) = appender.append(batch, self.clock.monotonic());
        let after = appender.shared().unread();
        match refusal {
            None => self.told = false,
            Some(refusal) if !std::mem::replace(&mut self.told, true) => {
                let reason = match refusal {
                    Refusal::Full => "is full".to_owned(),
                    Refusal::Io(error) => format!("cannot be written to: {error}"),
                };
                let text = format!("its spool {reason}; records wait in memory, up to 4 MiB");
                let text = format!("{text}, then go to the console or stderr, and are counted");
                say(&self.name, "spool", &text);
            }
            Some(_) => {}
        }
        if let Some(unsynced) = appender.take_unsynced() {
            self.errors += 1;
            say(&self.name, "durability", &unsynced.to_string());
        }
        if let Some(gone) = appender.take_removed() {
            let text = format!("its spool was removed, and {} with it", records(gone));
            say(&self.name, "spool", &format!("{text}, counted as lost; it is made anew"));
        }
        let (was, is) = (self.batching.due(before, None), self.batching.due(after, None));
        (taken, taken > 0 && was != is)
    }
}

/// Both sides of an outbox, which know of each other what is in the spool and in memory.
fn sides(
    name: &str,
    options: Options,
    mut deliverer: Box<dyn Deliver>,
    domains: Vec<String>,
    fallback: Fallback,
    clock: Clock,
    chance: Box<dyn FnMut() -> u64 + Send>,
) -> (Intake, Courier) {
    deliverer.set_name(name);
    let (appender, spool) = open_spool(name, &options, &clock).unzip();
    let report = Report::default();
    let intake = Intake {
        name: name.to_owned(),
        batching: options.batching,
        appender,
        report: report.clone(),
        clock: clock.clone(),
        told: false,
        errors: 0,
    };
    let name = name.to_owned();
    let kit = Kit { name, options, deliverer, domains, spool, fallback, clock, chance, report };
    (intake, Courier::new(kit))
}

/// Where there is no spool to be had that is told, and the outbox does without.
fn open_spool(name: &str, options: &Options, clock: &Clock) -> Option<(Appender, Drain)> {
    let (folder, limit) = options.spool.as_ref()?;
    match spool::open(folder, *limit, clock.monotonic()) {
        Ok((mut appender, drain, found)) => {
            appender.is_durable = options.is_durable;
            if found.damaged > 0 {
                let text = format!("{} bytes in its spool {folder:?} are no whole records", found.damaged);
                say(name, "spool", &format!("{text}; they are left out, all others are delivered"));
            }
            Some((appender, drain))
        }
        Err(error) => {
            let text = format!("its spool cannot be opened in {folder:?}: {error}");
            say(name, "spool", &format!("{text}; records wait in memory"));
            None
        }
    }
}

impl Outbox {
    /// An outbox of this name, with a thread of its own.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub(crate) fn new(
        name: &str,
        options: Options,
        deliverer: Box<dyn Deliver>,
        domains: Vec<String>,
        console: Option<OpenConsole>,
    ) -> io::Result<Outbox> {
        let fallback = Fallback::new(console, fallback::to_stderr);
        let seed = RandomState::new();
        let mut drawn = 0u64;
        let chance = Box::new(move || {
            drawn += 1;
            let mut hasher = seed.build_hasher();
            hasher.write_u64(drawn);
            hasher.finish()
        });
        let (clock, flush_wait) = (Clock::system(), options.flush_wait);
        let (intake, courier) = sides(name, options, deliverer, domains.clone(), fallback, clock, chance);
        let queued = Queued::with_limits(name, Box::new(courier), domains, QUEUE, QUEUE_RESERVE)?;
        let spool = intake.appender.as_ref().map(|appender| Arc::clone(appender.shared()));
        Ok(Outbox { intake, queued, spool, rates: Rates::default(), flush_wait, flush_begun: None })
    }
}

impl Sink for Outbox {
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        // In this order: what leaves the queue is counted outside before.
        let (taken, is_work) = if self.queued.is_empty() { self.intake.take(batch) } else { (0, false) };
        if is_work {
            self.queued.nudge();
        }
        if taken == batch.len() {
            return Ok(());
        }
        let rest = Batch { entries: &batch.entries[taken..], ..*batch };
        self.queued.write(&rest).map_err(|error| error.behind(taken))
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.queued.flush()
    }

    /// Makes durable what waits in the spool, on the listener's thread, as for a log file. What is in memory alone stays so.
    fn sync(&mut self) -> Result<(), SinkError> {
        let synced = self.intake.appender.as_mut().map_or(Ok(()), Appender::sync);
        synced.map_err(|unsynced: Unsynced| SinkError::fatal(unsynced.to_string(), 0))
    }

    fn is_on_disk(&self) -> bool {
        self.intake.appender.is_some()
    }

    /// Has the thread deliver what waits. What is in the spool is safe wherever that leads to, so that a destination that hangs or is slow holds
    /// nothing up for long, and is no error.
    fn poll_flush(&mut self, begin: bool) -> Result<bool, SinkError> {
        let begun = *if begin {
            self.flush_begun.insert(Instant::now())
        } else {
            self.flush_begun.get_or_insert_with(Instant::now)
        };
        let is_safe =
            || self.intake.appender.is_some() && self.queued.is_empty() && self.intake.report.is_spooled();
        let is_enough = begun.elapsed() >= self.flush_wait && is_safe();
        Ok(self.queued.poll_flush(begin)? || is_enough)
    }

    fn tick(&mut self) -> Result<(), SinkError> {
        if let Some(remote) = self.intake.report.health().remote {
            self.rates.note(self.intake.clock.monotonic(), remote.batches, remote.delivered);
        }
        self.queued.tick()
    }

    fn close(&mut self, deadline: Instant) -> Result<(), SinkError> {
        let before = self.queued.lost();
        let closed = self.queued.close(deadline);
        let is_lossless = self.queued.lost() == before;
        let Some(appender) = self.intake.appender.take() else { return closed };
        // A request that hangs may come back one day.
        appender.shared().leave();
        let (left, name) = (appender.shared().pending(), &self.intake.name);
        if left > 0 {
            let are = if left == 1 { "is not delivered; it is" } else { "are not delivered; they are" };
            let text = format!("{} {are} in its spool, for the next start", records(left));
            say(name, "at its end", &text);
        }
        // A request that hangs has been left behind, but no record with it.
        if is_lossless { Ok(()) } else { closed }
    }

    fn lost(&self) -> u64 {
        self.queued.lost()
    }

    fn health(&self) -> Health {
        // The queue's part first: what leaves it is in the report before.
        let (queued, report) = (self.queued.health(), self.intake.report.health());
        let spool = self.spool.as_deref();
        let mut remote = report.remote.unwrap_or_default();
        let oldest = spool.and_then(Shared::oldest_unread);
        remote.oldest = [remote.oldest, oldest].into_iter().flatten().min();
        remote.spool_bytes = spool.map_or(0, Shared::size);
        (remote.batches_per_second, remote.records_per_second) = self.rates.per_second();
        Health {
            errors: self.intake.errors + queued.errors + report.errors,
            retries: queued.retries + report.retries,
            waiting: queued.waiting + report.waiting + spool.map_or(0, Shared::pending),
            lost: queued.lost + report.lost + spool.map_or(0, Shared::removed),
            failing: queued.failing || report.failing,
            panicking: queued.panicking,
            remote: Some(remote),
            ..report
        }
    }

    fn fault(&self) -> Option<String> {
        self.intake.report.fault()
    }
}

#[cfg(test)]
mod tests;
