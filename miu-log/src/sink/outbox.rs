//! What stands between the pipeline and a destination that is far away: a spool on disk, batches, retries, and what becomes of records that get nowhere.
//!
//! O1. A record that was taken is in the spool before the listener goes on, or in bounded memory where there is no spool or it does not take it, until it
//!     has arrived; else it is a dead letter, on the console, on stderr or lost, and counted as such.
//! O2. Records are offered in their order, and none that arrived is offered again but after the death of the process or an answer that got lost.
//! O3. A destination is asked again after a pause that grows, no sooner than it asks for; after the last retry it is left alone and then
//!     tried once (`circuit`). What is too much for it is offered in smaller portions (`portion`), and no record is given up for that.
//! O4. A record that is refused by itself costs no other record. That the deliverer panics is held against a single record only.
//! O5. The listener waits for the file system, as it does for log files, never for the destination.
//!
//! The listener's side is here: it appends to the spool, and gives what the spool does not take to `memory`, where the thread's side finds it (`courier`). As soon as the spool takes it
//! that goes first, so that all stays in order. What has no room there goes through the [queue](super::queued), behind which the thread's side works; without a spool
//! everything does. The policies are pure, and have files of
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
mod memory;
mod portion;
mod rates;
mod report;
pub(crate) mod spool;
#[cfg(feature = "webhook")]
pub(crate) mod webhook;

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use backoff::Backoff;
pub(crate) use batching::Batching;
use batching::Waiting;
use courier::{Courier, Kit};
use deliver::{Deliver, Timeouts};
use fallback::Fallback;
pub(crate) use fallback::OpenConsole;
use memory::{Lines, Memory};
use rates::Rates;
use report::Report;
use spool::{Appender, Drain, Refusal, Shared, Unsynced};

use super::queued::Queued;
use super::{Batch, Health, Sink, SinkError};
use crate::clock::Clock;
use crate::escape::escaped;
use crate::notice::{notice, records};

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

/// For how long a spool that failed is left alone.
const SPOOL_PAUSE: u64 = 1_000_000_000;

/// What waits in the spool and in memory.
fn waiting(spool: Option<&Shared>, memory: &Lines) -> Waiting {
    let (spooled, memory) = (spool.map_or(Waiting::default(), Shared::unread), memory.waiting());
    Waiting {
        records: spooled.records + memory.records,
        bytes: spooled.bytes + memory.bytes,
        since: if spooled.records > 0 { spooled.since } else { memory.since },
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
    /// Records that went through the queue.
    queued_records: u64,
    /// Those that went no further, and those that were lost with the thread, once it has been left behind.
    left_behind: Option<u64>,
}

/// What decides where records wait.
struct Intake {
    name: String,
    batching: Batching,
    appender: Option<Appender>,
    report: Report,
    memory: Memory,
    domains: Vec<String>,
    clock: Clock,
    /// The fault of the spool that is going on has been told.
    told: bool,
    /// Where it could not be written to: no attempt before then.
    retry_at: u64,
    /// How often the spool could not be written to, and files of it that could not be made durable when they were left.
    errors: u64,
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Intake {
    /// Puts into the spool what it takes of the batch, and what follows into memory, as far as there is room. How many records that are, and whether they make work for the
    /// thread. Without a spool all goes through the queue.
    fn take(&mut self, batch: &Batch<'_>) -> (usize, bool) {
        let memory = self.memory.clone();
        let mut memory = memory.lines();
        let before = self.due(&memory);
        let now = self.clock.monotonic();
        let mut taken = 0;
        if self.spool_memory(&mut memory) {
            taken = self.append(batch, now);
        }
        if self.appender.is_some() && taken < batch.len() && !self.report.is_off() {
            let rest = Batch { entries: &batch.entries[taken..], ..*batch };
            taken += memory.push(&rest, now);
        }
        (taken, taken > 0 && before != self.due(&memory))
    }

    /// Puts into the spool what it takes of what waits in memory, which is newer than all that is there. Whether nothing is left of it.
    fn spool_memory(&mut self, memory: &mut Lines) -> bool {
        if !memory.held.entries.is_empty() && self.appender.is_some() {
            let domains = std::mem::take(&mut self.domains);
            let taken = self.append(&memory.held.batch(&domains), memory.since);
            self.domains = domains;
            memory.held.discard(taken);
        }
        memory.held.entries.is_empty()
    }

    /// From when on what waits makes a batch.
    fn due(&self, memory: &Lines) -> Option<u64> {
        let spool = self.appender.as_ref().map(|appender| &**appender.shared());
        self.batching.due(waiting(spool, memory), None)
    }

    /// Appends to the spool what it takes of these records, which have waited since then; how many.
    fn append(&mut self, batch: &Batch<'_>, since: u64) -> usize {
        let now = self.clock.monotonic();
        let Some(appender) = self.appender.as_mut().filter(|_| self.retry_at <= now) else { return 0 };
        let (taken, refusal) = appender.append(batch, since);
        if let Some(Refusal::Io(_)) = refusal {
            self.errors += 1;
            self.retry_at = now.saturating_add(SPOOL_PAUSE);
        }
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
        for unsynced in appender.take_unsynced() {
            self.errors += 1;
            say(&self.name, "durability", &unsynced.to_string());
        }
        if let Some(gone) = appender.take_removed() {
            let text = format!("its spool was removed, and {} with it", records(gone));
            say(&self.name, "spool", &format!("{text}, counted as lost; it is made anew"));
        }
        taken
    }

    /// Tries again to have in the spool what waits in memory.
    fn tick(&mut self) {
        let memory = self.memory.clone();
        self.spool_memory(&mut memory.lines());
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
    let (report, memory) = (Report::default(), Memory::default());
    let intake = Intake {
        name: name.to_owned(),
        batching: options.batching,
        appender,
        report: report.clone(),
        memory: memory.clone(),
        domains: domains.clone(),
        clock: clock.clone(),
        told: false,
        retry_at: 0,
        errors: 0,
    };
    let name = name.to_owned();
    let kit = Kit { name, options, deliverer, domains, spool, fallback, clock, chance, report, memory };
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
            if !found.put_aside.is_empty() {
                let text = format!("nothing in {:?} is a record", found.put_aside);
                say(
                    name,
                    "spool aside",
                    &format!("{text}; it is put aside under that name, and not read again"),
                );
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

/// Tells of what waits in this folder of spools for sinks that the program does not have: they were renamed, or left out. `is_own` says of the name of a spool's
/// folder whether it may be this program's and is none of its sinks'.
pub(crate) fn tell_of_others(spools: &Path, is_own: impl Fn(&str) -> bool) {
    let Ok(folders) = std::fs::read_dir(spools) else { return };
    for folder in folders.filter_map(Result::ok) {
        let name = folder.file_name().to_string_lossy().into_owned();
        if !is_own(&name) {
            continue;
        }
        // What cannot be read is told when a sink of that name opens it.
        let bytes = spool::waiting_in(&folder.path()).unwrap_or(0);
        if bytes > 0 {
            let text =
                format!("{bytes} bytes of records wait in {:?}, and no sink has this name", folder.path());
            let text = format!("{text}; they stay there until one has, or until you remove the folder");
            say(&escaped(&name).to_string(), "spool left", &text);
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
        Ok(Outbox {
            intake,
            queued,
            spool,
            rates: Rates::default(),
            flush_wait,
            flush_begun: None,
            queued_records: 0,
            left_behind: None,
        })
    }
}

impl Outbox {
    /// Records that the spool has not got, wherever they are.
    fn outside(&self) -> u64 {
        let queued = self.queued.health();
        let memory = self.intake.memory.lines();
        let (report, received) = self.intake.report.health();
        self.outside_of(&memory, &queued, report.waiting, received)
    }

    /// The same, as of one moment: in the queue, in memory, at hand.
    fn outside_of(&self, memory: &Lines, queued: &Health, at_hand: u64, received: u64) -> u64 {
        // What the queue has lost by itself is no longer in it.
        let lost = self.left_behind.unwrap_or(queued.lost);
        self.queued_records.saturating_sub(received + lost) + memory.waiting().records + at_hand
    }
}

impl Sink for Outbox {
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        let (taken, is_work) = self.intake.take(batch);
        if is_work {
            self.queued.nudge();
        }
        if taken == batch.len() {
            return Ok(());
        }
        let rest = Batch { entries: &batch.entries[taken..], ..*batch };
        let written = self.queued.write(&rest);
        let count = written.as_ref().map_or_else(SinkError::delivered, |()| rest.len());
        self.queued_records += count as u64;
        written.map_err(|error| error.behind(taken))
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
        let is_safe = || self.intake.appender.is_some() && self.outside() == 0;
        let is_enough = begun.elapsed() >= self.flush_wait && is_safe();
        Ok(self.queued.poll_flush(begin)? || is_enough)
    }

    fn tick(&mut self) -> Result<(), SinkError> {
        if let Some(remote) = self.intake.report.health().0.remote {
            self.rates.note(self.intake.clock.monotonic(), remote.batches, remote.delivered);
        }
        self.intake.tick();
        self.queued.tick()
    }

    fn close(&mut self, deadline: Instant) -> Result<(), SinkError> {
        self.intake.tick();
        let before = self.queued.lost();
        let closed = self.queued.close(deadline);
        let mut lost = 0;
        if closed.is_err() {
            // The thread is left behind. A request that hangs may come back one day, and changes nothing then.
            self.intake.report.leave();
            self.intake.tick();
            self.left_behind = Some(before);
            lost = self.outside();
            self.left_behind = Some(before + lost);
        }
        if let Some(appender) = self.intake.appender.take() {
            appender.shared().leave();
            let (left, name) = (appender.shared().pending(), &self.intake.name);
            if left > 0 {
                let are = if left == 1 { "is not delivered; it is" } else { "are not delivered; they are" };
                let text = format!("{} {are} in its spool, for the next start", records(left));
                say(name, "at its end", &text);
            }
        }
        if lost == 0 {
            return Ok(());
        }
        let text = format!("{} could not be handed over before the deadline", records(lost));
        Err(SinkError::fatal(format!("{text}; counted as lost"), 0))
    }

    fn lost(&self) -> u64 {
        self.health().lost
    }

    fn health(&self) -> Health {
        let queued = self.queued.health();
        // Behind this lock nothing is on its way from memory to the thread, or from the queue into memory.
        let memory = self.intake.memory.lines();
        let (report, received) = self.intake.report.health();
        let spool = self.spool.as_deref();
        let mut remote = report.remote.unwrap_or_default();
        let oldest = spool.and_then(Shared::oldest_unread);
        let oldest_in_memory = memory.held.entries.first().map(|entry| entry.time);
        remote.oldest = [remote.oldest, oldest, oldest_in_memory].into_iter().flatten().min();
        remote.spool_bytes = spool.map_or(0, Shared::size);
        (remote.batches_per_second, remote.records_per_second) = self.rates.per_second();
        let waiting = match self.left_behind {
            Some(_) => 0,
            None => self.outside_of(&memory, &queued, report.waiting, received),
        };
        Health {
            errors: self.intake.errors + queued.errors + report.errors,
            retries: queued.retries + report.retries,
            waiting: waiting + spool.map_or(0, Shared::pending),
            lost: self.left_behind.unwrap_or(queued.lost) + report.lost + spool.map_or(0, Shared::removed),
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
