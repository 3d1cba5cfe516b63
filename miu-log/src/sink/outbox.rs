//! What stands between the pipeline and a destination that is far away: batches, retries, a spool on disk, and what becomes of records that get nowhere.
//!
//! O1. A record that was taken is in the spool, or in bounded memory where there is no spool or it does not take it, until it has arrived; else it is
//!     a dead letter, on the console, on stderr or lost, and counted as such.
//! O2. Records are offered in their order, and none that arrived is offered again but after the death of the process or an answer that got lost.
//! O3. A destination is asked again after a pause that grows, no sooner than it asks for; after the last retry it is left alone and then
//!     tried once (`circuit`).
//! O4. A record that is refused by itself costs no other record.
//!
//! It stands behind [`queued`](super::queued), on whose thread it works: `write` puts records into the spool, `tick` does one attempt, `rest` says when
//! the next one is due. The policies are pure, and have files of their own. Made by the configuration.

mod backoff;
mod batching;
mod bisection;
mod circuit;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) mod database;
mod dead_letters;
pub(crate) mod deliver;
mod fallback;
mod spool;
#[cfg(feature = "webhook")]
pub(crate) mod webhook;

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub(crate) use backoff::Backoff;
use backoff::asked_for;
pub(crate) use batching::Batching;
use batching::Waiting;
use bisection::{Bisection, Refused};
use circuit::Circuit;
use dead_letters::DeadLetters;
use deliver::{Deliver, DeliverError, Kind, Timeouts};
use fallback::Fallback;
pub(crate) use fallback::OpenConsole;
use spool::{Place, Refusal, Spool};

use super::{Batch, Health, Held, Sink, SinkError};
use crate::clock::Clock;
use crate::notice::notice;

/// Bytes of lines that are kept in memory where they cannot be in the spool.
const MEMORY: usize = 4 << 20;

/// How long a flush may take.
const FLUSH_WAIT: Duration = Duration::from_secs(2);

/// After how many panics a batch counts as refused.
const PANICS_PER_BATCH: u32 = 3;

/// How the outbox of one destination works.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) batching: Batching,
    pub(crate) backoff: Backoff,
    pub(crate) timeouts: Timeouts,
    /// Where the spool is, if there is one, and the bytes that it may take.
    pub(crate) spool: Option<(PathBuf, u64)>,
}

/// See the module's description.
pub(crate) struct Outbox {
    name: String,
    options: Options,
    deliverer: Box<dyn Deliver>,
    clock: Clock,
    chance: Box<dyn FnMut() -> u64 + Send>,
    domains: Vec<String>,
    spool: Option<Spool>,
    /// What the spool did not take, with none in it that is older.
    memory: Held,
    /// When the oldest record that waits came.
    since: u64,
    current: Option<Current>,
    circuit: Circuit,
    fallback: Fallback,
    dead: Option<DeadLetters>,
    /// Nothing gets there before the next start.
    is_off: bool,
    /// Whatever waits is a batch: somebody wants a flush, or the end is near.
    hurried: bool,
    errors: u64,
    retries: u64,
    dead_letters: u64,
    /// The fault that is going on has been told; and that of the spool.
    told: bool,
    spool_told: bool,
}

/// The batch at hand.
struct Current {
    held: Held,
    /// The place behind each record, if they are in the spool.
    places: Vec<Place>,
    parts: Bisection,
    failed: u32,
    panics: u32,
    due: u64,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("name", &self.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Outbox {
    /// An outbox of this name. Where there is no spool to be had that is told, and it does without.
    pub(crate) fn new(
        name: &str,
        options: Options,
        deliverer: Box<dyn Deliver>,
        domains: Vec<String>,
        console: Option<OpenConsole>,
    ) -> Outbox {
        let fallback = Fallback::new(console, fallback::to_stderr);
        let seed = RandomState::new();
        let mut drawn = 0u64;
        let chance = move || {
            drawn += 1;
            let mut hasher = seed.build_hasher();
            hasher.write_u64(drawn);
            hasher.finish()
        };
        Outbox::with(name, options, deliverer, domains, fallback, Clock::system(), Box::new(chance))
    }

    fn with(
        name: &str,
        options: Options,
        deliverer: Box<dyn Deliver>,
        domains: Vec<String>,
        fallback: Fallback,
        clock: Clock,
        chance: Box<dyn FnMut() -> u64 + Send>,
    ) -> Outbox {
        let mut spool = None;
        if let Some((folder, limit)) = &options.spool {
            match Spool::open(folder, *limit) {
                Ok((opened, found)) => {
                    if found.damaged > 0 {
                        let text =
                            format!("{name}: {} bytes in its spool are no whole record", found.damaged);
                        notice(name, &format!("{text}; they are left out"));
                    }
                    spool = Some(opened);
                }
                Err(error) => notice(
                    name,
                    &format!(
                        "{name}: its spool cannot be opened in {folder:?}: {error}; records wait in memory"
                    ),
                ),
            }
        }
        let dead = options.spool.as_ref().map(|(folder, _)| DeadLetters::new(folder));
        Outbox {
            name: name.to_owned(),
            since: clock.monotonic(),
            options,
            deliverer,
            clock,
            chance,
            domains,
            spool,
            memory: Held::default(),
            current: None,
            circuit: Circuit::Closed,
            fallback,
            dead,
            is_off: false,
            hurried: false,
            errors: 0,
            retries: 0,
            dead_letters: 0,
            told: false,
            spool_told: false,
        }
    }

    /// What waits, without the batch at hand.
    fn waiting(&self) -> Waiting {
        let (records, bytes) = self.spool.as_ref().map_or((0, 0), Spool::unread);
        Waiting {
            records: records + self.memory.entries.len() as u64,
            bytes: bytes + self.memory.text.len() as u64,
            since: self.since,
        }
    }

    /// Records that have not arrived.
    fn pending(&self) -> u64 {
        let at_hand = match &self.current {
            Some(current) if current.places.is_empty() => current.held.entries.len() as u64,
            _ => 0,
        };
        self.spool.as_ref().map_or(0, Spool::pending) + self.memory.entries.len() as u64 + at_hand
    }

    /// When there is something to do, on the monotonic clock; 0 where that is now.
    fn due(&self) -> Option<u64> {
        if self.is_off {
            return None;
        }
        let due = match &self.current {
            Some(current) => current.due,
            None if self.hurried && self.waiting().records > 0 => 0,
            None => self.options.batching.due(self.waiting())?,
        };
        Some(due.max(self.circuit.due()))
    }

    /// Puts the next records together, if there are any.
    fn take(&mut self) {
        let Batching { records, bytes, .. } = self.options.batching;
        let mut held = Held::default();
        let mut places = Vec::new();
        if let Some(spool) = &mut self.spool
            && spool.unread().0 > 0
        {
            match spool.read(records, bytes, &mut self.domains, &mut held) {
                Ok(read) if !read.is_empty() => places = read,
                failed => {
                    let error =
                        failed.map_or_else(|error| error.to_string(), |_| "it is not there".to_owned());
                    let gone = spool.give_up_unreadable();
                    self.errors += 1;
                    self.fallback.counts.lost += gone;
                    let text = format!("{}: {gone} records in its spool cannot be read: {error}", self.name);
                    notice(&self.name, &format!("{text}; they are counted as lost"));
                    return;
                }
            }
        } else {
            for entry in self.memory.entries.iter().take(records) {
                let line = &self.memory.text[entry.start as usize..entry.end as usize];
                if !held.entries.is_empty() && held.text.len() + line.len() > bytes {
                    break;
                }
                held.push(line, *entry);
            }
            self.memory.discard(held.entries.len());
        }
        if !held.entries.is_empty() {
            let parts = Bisection::new(held.entries.len());
            self.current = Some(Current { held, places, parts, failed: 0, panics: 0, due: 0 });
        }
    }

    /// One attempt, if one is due. Whether another one may be made at once.
    fn step(&mut self, timeouts: Timeouts) -> bool {
        let now = self.clock.monotonic();
        if self.due().is_none_or(|due| due > now) {
            return false;
        }
        if self.current.is_none() {
            self.take();
        }
        let Some(current) = &mut self.current else { return true };
        let Some(part) = current.parts.next() else { return true };
        self.circuit.begin(now);
        if current.failed > 0 {
            self.retries += 1;
        }
        let batch = current.held.batch(&self.domains);
        let batch = Batch { entries: &batch.entries[..part.min(batch.entries.len())], ..batch };
        let deliverer = &mut *self.deliverer;
        let error = match catch_unwind(AssertUnwindSafe(|| deliverer.deliver(&batch, timeouts))) {
            Ok(Ok(())) => {
                self.arrived(part);
                self.settle();
                return true;
            }
            Ok(Err(error)) => error,
            Err(_) => {
                current.panics += 1;
                let text = "it panicked";
                if current.panics >= PANICS_PER_BATCH {
                    DeliverError::refused(text)
                } else {
                    DeliverError::retry(text)
                }
            }
        };
        self.errors += 1;
        let delivered = error.delivered.min(part);
        if delivered > 0 {
            self.arrived(delivered);
            if delivered == part {
                self.settle();
                return true;
            }
        }
        match error.kind {
            Kind::Retry(asked) => self.failed(&error, asked),
            Kind::Refused => self.refused(&error),
            Kind::Off => self.turn_off(&error),
        }
        self.settle();
        error.kind == Kind::Refused
    }

    /// The first records of the batch have arrived.
    fn arrived(&mut self, records: usize) {
        self.circuit.close();
        if std::mem::take(&mut self.told) {
            notice(&self.name, &format!("{} works again; {} records wait", self.name, self.pending()));
        }
        self.dealt_with(records);
    }

    /// The first records of the batch are nobody's matter any more.
    fn dealt_with(&mut self, records: usize) {
        let Some(current) = &mut self.current else { return };
        current.parts.done(records);
        current.held.discard(records);
        (current.failed, current.due) = (0, 0);
        if records > 0 && current.places.len() >= records {
            let place = current.places[records - 1];
            current.places.drain(..records);
            if let Some(spool) = &mut self.spool
                && let Err(error) = spool.acknowledge(place, records as u64)
            {
                self.errors += 1;
                let text = format!("{}: cannot write down in its spool what has arrived: {error}", self.name);
                notice(&self.name, &format!("{text}; after a restart it is delivered once more"));
            }
        }
    }

    /// Forgets a batch of which nothing is left.
    fn settle(&mut self) {
        if self.current.as_ref().is_some_and(|current| current.parts.next().is_none()) {
            self.current = None;
        }
    }

    /// An attempt failed, and the next one may not.
    fn failed(&mut self, error: &DeliverError, asked: Option<Duration>) {
        let now = self.clock.monotonic();
        let Some(current) = &mut self.current else { return };
        current.failed += 1;
        let chance = (self.chance)();
        let pause = self.options.backoff.pause(current.failed, chance, asked);
        if let Some(pause) = pause
            && !self.circuit.is_half_open()
        {
            current.due = now.saturating_add(pause);
            self.tell(&format!("{error}; its records wait, and are offered again"));
            return;
        }
        (current.failed, current.due) = (0, 0);
        self.circuit.open(now, asked.map_or(0, asked_for));
        if current.places.is_empty() {
            self.tell(&format!("{error}; without a spool its records go to the console"));
            self.give_away();
        } else {
            self.tell(&format!("{error}; its records wait in its spool"));
        }
    }

    /// The destination does not take these records as they are.
    fn refused(&mut self, error: &DeliverError) {
        // It has answered.
        self.circuit.close();
        let Some(current) = &mut self.current else { return };
        if current.parts.refused() == Refused::Halved {
            return;
        }
        let one = current.held.batch(&self.domains);
        let one = Batch { entries: &one.entries[..one.entries.len().min(1)], ..one };
        let buried = match &mut self.dead {
            Some(dead) => dead.take(&one, &error.to_string()),
            None => Err("there is no log folder for it".to_owned()),
        };
        match buried {
            Ok(()) => {
                self.dead_letters += 1;
                let text = format!("{}: {error}; the record is in its file of dead letters", self.name);
                notice(&self.name, &text);
            }
            Err(problem) => {
                let text = format!("{}: {error}; the record cannot be put among its dead letters", self.name);
                notice(&self.name, &format!("{text}: {problem}"));
                self.fallback.take(&one);
            }
        }
        self.dealt_with(1);
    }

    /// Nothing gets there any more.
    fn turn_off(&mut self, error: &DeliverError) {
        self.is_off = true;
        let plan = if self.spool.is_some() { "wait in its spool" } else { "go to the console" };
        notice(
            &self.name,
            &format!("{}: {error}; it is off until the next start, and its records {plan}", self.name),
        );
        if self.current.as_ref().is_some_and(|current| current.places.is_empty()) {
            self.give_away();
        }
        let memory = std::mem::take(&mut self.memory);
        self.fallback.take(&memory.batch(&self.domains));
    }

    /// Gives the batch at hand to whoever takes it.
    fn give_away(&mut self) {
        if let Some(current) = self.current.take() {
            self.fallback.take(&current.held.batch(&self.domains));
        }
    }

    /// Says a fault once, until it has passed.
    fn tell(&mut self, text: &str) {
        if !std::mem::replace(&mut self.told, true) {
            notice(&self.name, &format!("{}: {text}", self.name));
        }
    }

    /// What the spool does not take waits in memory, or goes elsewhere.
    fn keep(&mut self, batch: &Batch<'_>) {
        let mut left = Held::default();
        for (entry, line) in batch.entries.iter().zip(batch.iter()) {
            let fits =
                self.memory.text.len() + line.as_bytes().len() <= MEMORY || self.memory.entries.is_empty();
            if !(fits && !self.is_off && left.entries.is_empty() && self.memory.push(line.as_bytes(), *entry))
            {
                left.push(line.as_bytes(), *entry);
            }
        }
        if !left.entries.is_empty() {
            self.fallback.take(&left.batch(&self.domains));
        }
    }

    /// Delivers what there is, without waiting for anything but the destination.
    fn hurry(&mut self, deadline: Instant) {
        self.hurried = true;
        while let left = deadline.saturating_duration_since(Instant::now())
            && !left.is_zero()
            && self.step(self.options.timeouts.within(left))
        {}
        self.hurried = false;
    }
}

impl Sink for Outbox {
    /// Takes everything.
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        if self.waiting().records == 0 {
            self.since = self.clock.monotonic();
        }
        let mut taken = 0;
        // What is in memory is older than what comes: it has to be delivered first.
        if let Some(spool) = &mut self.spool
            && self.memory.entries.is_empty()
        {
            let (appended, refusal) = spool.append(batch);
            taken = appended;
            match refusal {
                None => self.spool_told = false,
                Some(refusal) if !std::mem::replace(&mut self.spool_told, true) => {
                    let reason = match refusal {
                        Refusal::Full => "is full".to_owned(),
                        Refusal::Io(error) => format!("cannot be written to: {error}"),
                    };
                    let text = format!("{}: its spool {reason}; records wait in memory", self.name);
                    notice(&self.name, &format!("{text}, then go to the console"));
                }
                Some(_) => {}
            }
        }
        if taken < batch.len() {
            self.keep(&Batch { entries: &batch.entries[taken..], ..*batch });
        }
        Ok(())
    }

    /// Tries to deliver all there is; what does not get there stays where it is, and that is no error.
    fn flush(&mut self) -> Result<(), SinkError> {
        self.hurry(Instant::now() + FLUSH_WAIT);
        Ok(())
    }

    fn tick(&mut self) -> Result<(), SinkError> {
        self.step(self.options.timeouts);
        Ok(())
    }

    fn rest(&self) -> Option<Duration> {
        let due = self.due()?;
        Some(Duration::from_nanos(due.saturating_sub(self.clock.monotonic())))
    }

    fn close(&mut self, deadline: Instant) -> Result<(), SinkError> {
        if let Some(current) = &mut self.current {
            // Once more, without the pause.
            current.due = 0;
        }
        // Somebody waits until then for what is said here as well.
        let left = deadline.saturating_duration_since(Instant::now());
        self.hurry(Instant::now() + left - left / 8);
        if self.current.as_ref().is_some_and(|current| current.places.is_empty()) {
            self.give_away();
        }
        let memory = std::mem::take(&mut self.memory);
        if !memory.entries.is_empty() {
            self.fallback.take(&memory.batch(&self.domains));
        }
        self.fallback.close(deadline);
        let left = self.spool.as_ref().map_or(0, Spool::pending);
        if left > 0 {
            let text = format!("{}: {left} records are not delivered", self.name);
            // Under a key of its own: it must not be held back for what was said a moment ago.
            notice(
                &format!("{} at its end", self.name),
                &format!("{text}; they are in its spool, for the next start"),
            );
        }
        Ok(())
    }

    fn health(&self) -> Health {
        Health {
            errors: self.errors,
            retries: self.retries,
            waiting: self.pending(),
            lost: self.fallback.counts.lost,
            to_console: self.fallback.counts.console,
            to_stderr: self.fallback.counts.stderr,
            dead_letters: self.dead_letters,
            failing: self.told || self.is_off,
            panicking: false,
        }
    }
}

#[cfg(test)]
mod tests;
