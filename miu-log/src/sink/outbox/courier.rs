//! The thread's side of an outbox: what is offered to the destination, when, and what becomes of it.
//!
//! It stands behind [`queued`](super::super::queued), on whose thread it works: `tick` does one attempt, `rest` says when the next one is due, `write` takes what
//! the spool did not take. Records come from the spool first, for what is in memory is newer.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::batching::Waiting;
use super::bisection::{Bisection, Refused};
use super::circuit::Circuit;
use super::dead_letters::{self, DeadLetters};
use super::deliver::{Deliver, DeliverError, Kind, Timeouts};
use super::fallback::Fallback;
use super::portion::Portion;
use super::spool::{Drain, Place, Shared};
use super::{Options, Report, say};
use crate::clock::{Clock, nanos};
use crate::notice::records;
use crate::own_thread::MuteThread;
use crate::sink::{Batch, CircuitState, Health, Held, RemoteHealth, Sink, SinkError};

/// Bytes of lines that are kept in memory where they cannot be in the spool.
const MEMORY: usize = 4 << 20;

/// Longest time for which a destination is believed when it asks for patience.
const LONGEST_ASKED: Duration = Duration::from_secs(60 * 60);

/// What is left of the time for the end has to be longer than this for another attempt: one that is cut short would look like a fault.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(50);

/// After how many panics a batch counts as refused.
const PANICS_PER_BATCH: u32 = 3;

/// What a courier is given.
pub(super) struct Kit {
    pub(super) name: String,
    pub(super) options: Options,
    pub(super) deliverer: Box<dyn Deliver>,
    pub(super) domains: Vec<String>,
    pub(super) spool: Option<Drain>,
    pub(super) fallback: Fallback,
    pub(super) clock: Clock,
    pub(super) chance: Box<dyn FnMut() -> u64 + Send>,
    pub(super) report: Report,
}

/// See the module's description.
pub(super) struct Courier {
    pub(super) kit: Kit,
    /// What the spool did not take, with none in it that is older, and when the oldest of it came.
    pub(super) memory: Held,
    since: u64,
    pub(super) current: Option<Current>,
    circuit: Circuit,
    portion: Portion,
    dead: Option<DeadLetters>,
    /// The destination was asked for before there was anything for it.
    pub(super) has_connected: bool,
    /// Nothing gets there before the next start.
    is_off: bool,
    /// Whatever waits is a batch: somebody wants a flush, or the end is near.
    hurried: bool,
    /// The end is near: nothing is waited for but what the destination has asked for.
    is_ending: bool,
    /// The destination has asked not to be called before, perhaps an earlier process.
    asked_until: u64,
    /// When the last batch arrived.
    last_arrival: Option<u64>,
    errors: u64,
    retries: u64,
    dead_letters: u64,
    batches: u64,
    delivered: u64,
    /// The fault that is going on has been told.
    told: bool,
}

/// The batch at hand.
pub(super) struct Current {
    pub(super) held: Held,
    /// The place behind each record, if they are in the spool.
    places: Vec<Place>,
    parts: Bisection,
    failed: u32,
    /// How often it was too much at once, so that less of it is offered.
    lessened: u32,
    panics: u32,
    due: u64,
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier").field("name", &self.kit.name).finish_non_exhaustive()
    }
}

impl Courier {
    pub(super) fn new(kit: Kit) -> Courier {
        let mut courier = Courier {
            dead: kit
                .options
                .spool
                .as_ref()
                .map(|(folder, _)| DeadLetters::new(folder, kit.options.is_durable)),
            memory: Held::default(),
            since: kit.clock.monotonic(),
            current: None,
            circuit: Circuit::Closed,
            portion: Portion::new(),
            has_connected: false,
            is_off: false,
            hurried: false,
            is_ending: false,
            asked_until: 0,
            last_arrival: None,
            errors: 0,
            retries: 0,
            dead_letters: 0,
            batches: 0,
            delivered: 0,
            told: false,
            kit,
        };
        courier.resume_pause();
        courier
    }

    /// What was asked of an earlier process holds for this one.
    fn resume_pause(&mut self) {
        let clock = &self.kit.clock;
        let Some(spool) = &self.kit.spool else { return };
        let Some(left) = spool.pause(clock.unix_now(), nanos(LONGEST_ASKED)) else { return };
        self.asked_until = clock.monotonic().saturating_add(left);
        // Rounded up: it is not asked a moment sooner.
        let seconds = left.div_ceil(1_000_000_000);
        let text = format!("it has asked for a pause, of which {seconds} s are left");
        self.tell(&DeliverError::retry(text), "its records wait in its spool");
    }

    /// The destination has asked for patience.
    fn ask(&mut self, now: u64, asked: Duration) {
        let pause = nanos(asked.min(LONGEST_ASKED));
        let until = now.saturating_add(pause);
        if until <= self.asked_until {
            return;
        }
        self.asked_until = until;
        if let Some(spool) = &self.kit.spool
            && let Err(error) = spool.keep_pause(self.kit.clock.unix_now(), pause)
        {
            self.errors += 1;
            let text = format!("cannot write down in its spool how long it is to wait: {error}");
            self.say("spool", &format!("{text}; after a restart it asks at once"));
        }
    }

    fn spooled(&self) -> Option<&Shared> {
        self.kit.spool.as_ref().map(Drain::shared)
    }

    /// What waits, without the batch at hand.
    fn waiting(&self) -> Waiting {
        let memory = Waiting {
            records: self.memory.entries.len() as u64,
            bytes: self.memory.text.len() as u64,
            since: self.since,
        };
        let spooled = self.spooled().map_or(Waiting::default(), Shared::unread);
        Waiting {
            records: spooled.records + memory.records,
            bytes: spooled.bytes + memory.bytes,
            since: if spooled.records > 0 { spooled.since } else { memory.since },
        }
    }

    /// Records that it has and the spool has not.
    fn outside(&self) -> u64 {
        let at_hand = match &self.current {
            Some(current) if current.places.is_empty() => current.held.entries.len(),
            _ => 0,
        };
        (self.memory.entries.len() + at_hand) as u64
    }

    /// Records that have not arrived.
    fn pending(&self) -> u64 {
        self.spooled().map_or(0, Shared::pending) + self.outside()
    }

    /// When there is something to do, on the monotonic clock; 0 where that is now.
    fn due(&self) -> Option<u64> {
        if self.is_off {
            return None;
        }
        let due = match &self.current {
            Some(_) if self.is_ending => 0,
            Some(current) => current.due,
            None if self.hurried && self.waiting().records > 0 => 0,
            None => self.kit.options.batching.due(self.waiting(), self.last_arrival)?,
        };
        let circuit = if self.is_ending { 0 } else { self.circuit.due() };
        Some(due.max(circuit).max(self.asked_until))
    }

    /// How many records go at once.
    fn most(&self) -> usize {
        let batching = &self.kit.options.batching;
        batching.most.max(batching.records)
    }

    /// Puts the next records together, if there are any.
    pub(super) fn take(&mut self) {
        let bytes = self.kit.options.batching.bytes;
        let most = self.portion.most(self.most());
        let mut held = Held::default();
        let mut places = Vec::new();
        if let Some(spool) = &mut self.kit.spool
            && spool.shared().unread().records > 0
        {
            match spool.read(most, bytes, &mut self.kit.domains, &mut held) {
                Ok(read) if !read.is_empty() => places = read,
                failed => {
                    let error =
                        failed.map_or_else(|error| error.to_string(), |_| "it is not there".to_owned());
                    let gone = spool.give_up_unreadable();
                    self.errors += 1;
                    self.kit.fallback.counts.lost += gone;
                    let gone = records(gone);
                    self.say(
                        "spool",
                        &format!("{gone} in its spool cannot be read: {error}; counted as lost"),
                    );
                    return;
                }
            }
        } else {
            for entry in self.memory.entries.iter().take(most) {
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
            self.current = Some(Current { held, places, parts, failed: 0, lessened: 0, panics: 0, due: 0 });
        }
    }

    /// One attempt, if one is due. Whether another one may be made at once.
    fn step(&mut self, timeouts: Timeouts) -> bool {
        let now = self.kit.clock.monotonic();
        if self.due().is_none_or(|due| due > now) {
            return false;
        }
        if self.current.is_none() {
            self.take();
        }
        let most = self.portion.most(self.most());
        let Some(current) = &mut self.current else { return true };
        current.parts.limit(most);
        let Some(part) = current.parts.next() else { return true };
        self.circuit.begin(now);
        if current.failed + current.lessened > 0 {
            self.retries += 1;
        }
        self.publish();
        let Some(current) = &mut self.current else { return true };
        let batch = current.held.batch(&self.kit.domains);
        let batch = Batch { entries: &batch.entries[..part.min(batch.entries.len())], ..batch };
        let deliverer = &mut *self.kit.deliverer;
        let _mute = MuteThread::begin();
        let error = match catch_unwind(AssertUnwindSafe(|| deliverer.deliver(&batch, timeouts))) {
            Ok(Ok(())) => {
                self.portion.arrived(part, self.most());
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
            Kind::Retry(asked) => self.failed(&error, asked, part),
            Kind::Refused => self.refused(&error),
            Kind::Off => self.turn_off(&error),
        }
        self.settle();
        error.kind == Kind::Refused
    }

    /// The first records of the batch have arrived.
    fn arrived(&mut self, records: usize) {
        self.circuit.close();
        self.batches += 1;
        self.delivered += records as u64;
        self.last_arrival = Some(self.kit.clock.monotonic());
        if std::mem::take(&mut self.asked_until) > 0
            && let Some(spool) = &self.kit.spool
        {
            spool.forget_pause();
        }
        self.dealt_with(records);
        if std::mem::take(&mut self.told) {
            self.kit.report.set_fault(None);
            let left = self.pending();
            let wait = if left == 1 { "waits" } else { "wait" };
            self.say("fault", &format!("it works again; {} {wait}", crate::notice::records(left)));
        }
    }

    /// The first records of the batch are nobody's matter any more.
    fn dealt_with(&mut self, records: usize) {
        let Some(current) = &mut self.current else { return };
        current.parts.done(records);
        current.held.discard(records);
        (current.failed, current.lessened, current.due) = (0, 0, 0);
        if records > 0 && current.places.len() >= records {
            let place = current.places[records - 1];
            current.places.drain(..records);
            if let Some(spool) = &mut self.kit.spool
                && let Err(error) = spool.acknowledge(place, records as u64)
            {
                self.errors += 1;
                let text = format!("cannot write down in its spool what has arrived: {error}");
                self.say("spool", &format!("{text}; after a restart it is delivered once more"));
            }
        }
    }

    /// Forgets a batch of which nothing is left.
    fn settle(&mut self) {
        if self.current.as_ref().is_some_and(|current| current.parts.next().is_none()) {
            self.current = None;
        }
    }

    /// An attempt with so many records failed, and the next one may not.
    fn failed(&mut self, error: &DeliverError, asked: Option<Duration>, offered: usize) {
        let now = self.kit.clock.monotonic();
        if let Some(asked) = asked {
            self.ask(now, asked);
        }
        let is_less = error.is_too_much && self.portion.too_much(offered);
        let Some(current) = &mut self.current else { return };
        let (chance, backoff) = ((self.kit.chance)(), self.kit.options.backoff);
        let pause = if is_less {
            // What comes next is not the same once more. It has an end, as it gets less each time.
            current.lessened += 1;
            backoff.pause((current.failed + current.lessened).min(backoff.retries), chance)
        } else {
            current.failed += 1;
            let is_last = self.circuit.is_half_open();
            backoff.pause(current.failed, chance).filter(|_| !is_last)
        };
        if let Some(pause) = pause {
            current.due = now.saturating_add(pause);
            let less = if is_less { ", fewer at a time" } else { "" };
            self.tell(error, &format!("its records wait, and are offered again{less}"));
            return;
        }
        (current.failed, current.lessened, current.due) = (0, 0, 0);
        self.circuit.open(now);
        if current.places.is_empty() {
            self.tell(error, "without a spool its records go to the console or stderr");
            self.give_away();
        } else {
            self.tell(error, "its records wait in its spool");
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
        let one = current.held.batch(&self.kit.domains);
        let one = Batch { entries: &one.entries[..one.entries.len().min(1)], ..one };
        let one = shown(&*self.kit.deliverer, &one);
        let one = one.batch(&self.kit.domains);
        let buried = match &mut self.dead {
            Some(dead) => dead.take(&one, &error.to_string()),
            None => Err("there is no log folder for it".to_owned()),
        };
        match buried {
            Ok(()) => {
                self.dead_letters += 1;
                let folder =
                    self.kit.options.spool.as_ref().map(|(folder, _)| folder.join(dead_letters::NAME));
                let path = folder.unwrap_or_default();
                self.say(
                    "dead letters",
                    &format!("{error}; the record is kept in {path:?}, all others go on"),
                );
            }
            Err(problem) => {
                let text = format!("{error}; the record cannot be put among its dead letters: {problem}");
                self.kit.fallback.take(&one);
                self.say("dead letters", &format!("{text}; it goes to the console or stderr"));
            }
        }
        self.dealt_with(1);
    }

    /// Nothing gets there any more.
    fn turn_off(&mut self, error: &DeliverError) {
        self.is_off = true;
        let plan = if self.kit.spool.is_some() { "wait in its spool" } else { "go to the console or stderr" };
        self.kit.report.set_fault(Some(error.to_string()));
        self.say("off", &format!("{error}; it is off until the next start, and its records {plan}"));
        if self.current.as_ref().is_some_and(|current| current.places.is_empty()) {
            self.give_away();
        }
        let memory = std::mem::take(&mut self.memory);
        self.fall_back(&memory);
    }

    /// Gives the batch at hand to whoever takes it.
    fn give_away(&mut self) {
        if let Some(current) = self.current.take() {
            self.fall_back(&current.held);
        }
    }

    /// Has people see these instead.
    fn fall_back(&mut self, held: &Held) {
        if !held.entries.is_empty() {
            let shown = shown(&*self.kit.deliverer, &held.batch(&self.kit.domains));
            self.kit.fallback.take(&shown.batch(&self.kit.domains));
        }
    }

    /// Reaches for the destination before there is anything for it.
    fn connect(&mut self) {
        self.has_connected = true;
        let _mute = MuteThread::begin();
        let (deliverer, timeouts) = (&mut *self.kit.deliverer, self.kit.options.timeouts);
        let connected = catch_unwind(AssertUnwindSafe(|| deliverer.connect(timeouts)))
            .unwrap_or_else(|_| Err(DeliverError::retry("it panicked")));
        let Err(error) = connected else { return };
        self.errors += 1;
        match error.kind {
            Kind::Off => self.turn_off(&error),
            Kind::Retry(_) | Kind::Refused => {
                self.tell(&error, "it is tried again when there are records for it");
            }
        }
    }

    /// Says a fault once, until it has passed. At the end nothing is said but what is left: an attempt may have been cut short for that.
    fn tell(&mut self, error: &DeliverError, plan: &str) {
        self.kit.report.set_fault(Some(error.to_string()));
        if !self.is_ending && !std::mem::replace(&mut self.told, true) {
            self.say("fault", &format!("{error}; {plan}"));
        }
    }

    fn say(&self, kind: &str, text: &str) {
        say(&self.kit.name, kind, text);
    }

    /// What the other side is to know.
    fn publish(&self) {
        self.kit.report.set(self.told_health());
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
        self.fall_back(&left);
    }

    /// Delivers what there is, without waiting for anything but the destination; begins no attempt after the deadline. One that is under way then
    /// has its usual time, but for the end.
    fn hurry(&mut self, deadline: Instant, is_end: bool) {
        self.hurried = true;
        while let left = deadline.saturating_duration_since(Instant::now())
            && left > if is_end { SHORTEST_ATTEMPT } else { Duration::ZERO }
        {
            let timeouts = self.kit.options.timeouts;
            if !self.step(if is_end { timeouts.within(left) } else { timeouts }) {
                break;
            }
        }
        self.hurried = false;
    }
}

impl Sink for Courier {
    /// Takes everything: what the spool did not take.
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        if self.memory.entries.is_empty() {
            self.since = self.kit.clock.monotonic();
        }
        self.keep(batch);
        self.publish();
        Ok(())
    }

    /// Tries to deliver all there is; what does not get there stays where it is, and that is no error.
    fn flush(&mut self) -> Result<(), SinkError> {
        self.hurry(Instant::now() + self.kit.options.flush_wait, false);
        self.publish();
        Ok(())
    }

    fn tick(&mut self) -> Result<(), SinkError> {
        if self.has_connected {
            self.step(self.kit.options.timeouts);
        } else if self.asked_until <= self.kit.clock.monotonic() {
            self.connect();
        }
        self.publish();
        Ok(())
    }

    fn rest(&self) -> Option<Duration> {
        let due = if self.has_connected { self.due()? } else { self.asked_until };
        Some(Duration::from_nanos(due.saturating_sub(self.kit.clock.monotonic())))
    }

    fn close(&mut self, deadline: Instant) -> Result<(), SinkError> {
        // Once more, without any pause of ours.
        self.is_ending = true;
        // Somebody waits until then for what is said here as well.
        let left = deadline.saturating_duration_since(Instant::now());
        self.has_connected = true;
        self.hurry(Instant::now() + left - left / 8, true);
        if self.current.as_ref().is_some_and(|current| current.places.is_empty()) {
            self.give_away();
        }
        let memory = std::mem::take(&mut self.memory);
        self.fall_back(&memory);
        self.kit.fallback.close(deadline);
        if let Some(spool) = &mut self.kit.spool
            && let Err(error) = spool.finish()
        {
            // They are read by the next start, which finds that all in them has arrived.
            self.say("spool", &format!("cannot remove a file of its spool: {error}"));
        }
        self.publish();
        // What it has open is closed while somebody still waits for it.
        let closed = Box::new(Closed { altered: self.kit.deliverer.altered() });
        let deliverer = std::mem::replace(&mut self.kit.deliverer, closed);
        // There is nobody left whom a panic concerns.
        let _mute = MuteThread::begin();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(deliverer)));
        Ok(())
    }
}

impl Courier {
    /// As far as the spool does not tell it.
    pub(super) fn told_health(&self) -> Health {
        let counts = self.kit.fallback.counts;
        let first = |held: &Held| held.entries.first().map(|entry| entry.time);
        Health {
            errors: self.errors,
            retries: self.retries,
            waiting: self.outside(),
            lost: counts.lost,
            to_console: counts.console,
            to_stderr: counts.stderr,
            dead_letters: self.dead_letters,
            failing: self.told || self.is_off,
            panicking: false,
            remote: Some(RemoteHealth {
                batches: self.batches,
                delivered: self.delivered,
                altered: self.kit.deliverer.altered(),
                oldest: self.current.as_ref().and_then(|it| first(&it.held)).or_else(|| first(&self.memory)),
                circuit: match self.circuit {
                    _ if self.is_off => CircuitState::Off,
                    Circuit::Closed => CircuitState::Closed,
                    Circuit::Open { .. } => CircuitState::Open,
                    Circuit::HalfOpen { .. } => CircuitState::HalfOpen,
                },
                ..RemoteHealth::default()
            }),
        }
    }
}

/// Stands where the deliverer was.
struct Closed {
    altered: u64,
}

impl Deliver for Closed {
    fn deliver(&mut self, _batch: &Batch<'_>, _timeouts: Timeouts) -> Result<(), DeliverError> {
        Err(DeliverError::retry("it is closed"))
    }

    fn altered(&self) -> u64 {
        self.altered
    }
}

/// The records as people read them.
fn shown(deliverer: &dyn Deliver, batch: &Batch<'_>) -> Held {
    let mut held = Held::default();
    let _mute = MuteThread::begin();
    for (entry, line) in batch.entries.iter().zip(batch.iter()) {
        // What panics is shown as it is.
        let text = catch_unwind(AssertUnwindSafe(|| deliverer.show(&line)));
        held.push(text.as_deref().unwrap_or(line.as_bytes()), *entry);
    }
    held
}
