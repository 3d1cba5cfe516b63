//! The thread's side of an outbox: what is offered to the destination, when, and what becomes of it.
//!
//! It stands behind [`queued`](super::super::queued), on whose thread it works: `tick` does one attempt, `rest` says when the next one is due, `write` takes what
//! the spool did not take. Records come from the spool first, for what is in memory is newer.

mod asked;
mod reach;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::batching::Waiting;
use super::bisection::{Bisection, Refused};
use super::circuit::Circuit;
use super::dead_letters::{self, DeadLetters};
use super::deliver::{Deliver, DeliverError, Kind, Timeouts};
use super::fallback::Fallback;
use super::memory::Memory;
use super::portion::Portion;
use super::report::Report;
use super::spool::{Drain, Place, Shared};
use super::{Options, say};
use crate::clock::{Clock, nanos};
use crate::notice::records;
use crate::own_thread::MuteThread;
use crate::sink::{Batch, CircuitState, Health, Held, RemoteHealth, Sink, SinkError};

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
    pub(super) memory: Memory,
}

/// See the module's description.
pub(super) struct Courier {
    pub(super) kit: Kit,
    pub(super) current: Option<Current>,
    circuit: Circuit,
    portion: Portion,
    dead: Option<DeadLetters>,
    /// The destination was asked for before there was anything for it.
    pub(super) has_connected: bool,
    /// When it is asked for again where nothing waits, and how often that was in vain.
    reach_again: Option<u64>,
    unreached: u32,
    /// Nothing gets there before the next start.
    is_off: bool,
    /// Whatever waits is a batch: somebody wants a flush, or the end is near.
    hurried: bool,
    /// The end is near: nothing is waited for but what the destination has asked for.
    is_ending: bool,
    /// The destination has asked not to be called before, perhaps an earlier process.
    asked_until: u64,
    /// When the last batch arrived, or was refused.
    last_arrival: Option<u64>,
    errors: u64,
    retries: u64,
    dead_letters: u64,
    batches: u64,
    delivered: u64,
    /// Records that came through the queue, and those that the deliverer has changed.
    received: u64,
    altered: u64,
    /// A record was put aside because of a panic, and nothing has been answered since.
    has_buried: bool,
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
            current: None,
            circuit: Circuit::Closed,
            portion: Portion::new(),
            has_connected: false,
            reach_again: None,
            unreached: 0,
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
            received: 0,
            altered: 0,
            has_buried: false,
            told: false,
            kit,
        };
        courier.resume_pause();
        courier
    }

    fn spooled(&self) -> Option<&Shared> {
        self.kit.spool.as_ref().map(Drain::shared)
    }

    /// What waits, without the batch at hand.
    fn waiting(&self) -> Waiting {
        let memory = self.kit.memory.lines();
        super::waiting(self.spooled(), &memory)
    }

    /// Records at hand that the spool has not got.
    fn outside(&self) -> u64 {
        let current = self.current.as_ref().filter(|current| current.places.is_empty());
        current.map_or(0, |current| current.held.entries.len() as u64)
    }

    /// Records that have not arrived.
    fn pending(&self) -> u64 {
        let memory = self.kit.memory.lines().waiting().records;
        self.spooled().map_or(0, Shared::pending) + memory + self.outside()
    }

    /// When there is something to do, on the monotonic clock; 0 where that is now.
    fn due(&self) -> Option<u64> {
        if self.is_off || self.kit.report.is_left() {
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
        let memory = self.kit.memory.clone();
        let mut memory = memory.lines();
        // Behind the lock: what is appended from now on is newer than what is in memory.
        if self.spooled().is_some_and(|spool| spool.unread().records > 0) {
            drop(memory);
            return self.take_spooled(most, bytes);
        }
        let held = memory.first(most, bytes);
        let count = held.entries.len();
        if self.take_in(held, Vec::new()) {
            memory.held.discard(count);
        }
    }

    fn take_spooled(&mut self, most: usize, bytes: usize) {
        let Some(spool) = &mut self.kit.spool else { return };
        let mut held = Held::default();
        let error = match spool.read(most, bytes, &mut self.kit.domains, &mut held) {
            Ok(places) if !places.is_empty() => {
                self.take_in(held, places);
                return;
            }
            Ok(_) => "it is not there".to_owned(),
            Err(error) => error.to_string(),
        };
        let Some(_held) = self.kit.report.hold() else { return };
        let gone = spool.give_up_unreadable();
        self.errors += 1;
        self.kit.fallback.counts.lost += gone;
        let gone = records(gone);
        self.say("spool", &format!("{gone} in its spool cannot be read: {error}; counted as lost"));
        self.tell_health();
    }

    /// These are the batch at hand, unless there are none, or it is too late for them.
    fn take_in(&mut self, held: Held, places: Vec<Place>) -> bool {
        let report = self.kit.report.clone();
        let Some(_held) = report.hold().filter(|_| !held.entries.is_empty()) else { return false };
        let parts = Bisection::new(held.entries.len());
        self.current = Some(Current { held, places, parts, failed: 0, lessened: 0, panics: 0, due: 0 });
        self.tell_health();
        true
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
        // Where it panics with everything, a single one shows as much.
        let is_one = self.has_buried && self.circuit.due() > 0;
        let most = if is_one { 1 } else { self.portion.most(self.most()) };
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
        let mute = MuteThread::begin();
        let answer = catch_unwind(AssertUnwindSafe(|| {
            let answer = deliverer.deliver(&batch, timeouts);
            (answer, deliverer.altered())
        }));
        drop(mute);
        if self.kit.report.is_left() {
            return false;
        }
        let Ok((answer, altered)) = answer else {
            self.errors += 1;
            return self.panicked(part);
        };
        self.altered = altered;
        let Err(error) = answer else {
            self.portion.arrived(part, self.most());
            self.arrived(part);
            self.space_out();
            return true;
        };
        if let Kind::Later(pause) = error.kind {
            self.ask(self.kit.clock.monotonic(), pause);
            return false;
        }
        self.errors += 1;
        let delivered = error.delivered.min(part);
        if delivered > 0 {
            self.arrived(delivered);
            if delivered == part {
                return true;
            }
        }
        match error.kind {
            Kind::Retry(asked) => self.failed(&error, asked, part),
            Kind::Later(pause) => self.failed(&error, Some(pause), part),
            Kind::Refused => self.refused(&error),
            Kind::Off => self.turn_off(&error),
            Kind::Unknown => self.failed(&error, None, part),
        }
        error.kind == Kind::Refused && !self.space_out()
    }

    /// Where there is to be time between batches there is also between the parts of one that was refused, and behind those. Whether that is so.
    fn space_out(&mut self) -> bool {
        let interval = nanos(self.kit.options.batching.interval);
        let now = self.kit.clock.monotonic();
        self.last_arrival = Some(now);
        if let Some(current) = &mut self.current {
            current.due = now.saturating_add(interval);
        }
        interval > 0
    }

    /// The first records of the batch have arrived.
    fn arrived(&mut self, records: usize) {
        let report = self.kit.report.clone();
        let Some(held) = report.hold() else { return };
        self.circuit.close();
        self.has_buried = false;
        self.batches += 1;
        self.delivered += records as u64;
        self.last_arrival = Some(self.kit.clock.monotonic());
        self.forget_pause();
        self.dealt_with(records);
        self.tell_health();
        drop(held);
        self.unreached = 0;
        self.passed();
    }

    /// The fault that was told is over, if there was one.
    fn passed(&mut self) {
        if std::mem::take(&mut self.told) {
            self.kit.report.set_fault(None);
            let left = self.pending();
            let wait = if left == 1 { "waits" } else { "wait" };
            self.say("fault", &format!("it works again; {} {wait}", records(left)));
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
        // A batch of which nothing is left is forgotten.
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
        self.leave_alone(error);
    }

    /// The batch has failed for good, for now: nothing is tried for a while.
    fn leave_alone(&mut self, error: &DeliverError) {
        let Some(current) = &mut self.current else { return };
        (current.failed, current.lessened, current.due) = (0, 0, 0);
        self.circuit.open(self.kit.clock.monotonic());
        self.reach_later();
        if self.kit.spool.is_some() {
            self.tell(error, "its records wait in its spool");
        } else {
            self.tell(error, "without a spool its records go to the console or stderr");
            self.give_away();
        }
    }

    /// The deliverer panicked with so many records. That is no answer: it may be a record's fault, or that of a destination which is not there. Whether another
    /// attempt may be made at once.
    fn panicked(&mut self, offered: usize) -> bool {
        let error = DeliverError::retry("it panicked");
        let Some(current) = &mut self.current else { return true };
        current.panics += 1;
        if current.panics < PANICS_PER_BATCH {
            self.failed(&error, None, offered);
            return false;
        }
        if offered > 1 {
            current.parts.refused();
            return true;
        }
        // One record after the other: it is not for what is in them, unless it goes on for long.
        if self.has_buried && !self.circuit.is_at_last() {
            self.leave_alone(&error);
            return false;
        }
        self.bury(&error);
        self.has_buried = true;
        if self.circuit.is_half_open() {
            self.circuit.open(self.kit.clock.monotonic());
        }
        true
    }

    /// The destination does not take these records as they are.
    fn refused(&mut self, error: &DeliverError) {
        // It has answered.
        self.circuit.close();
        self.has_buried = false;
        if self.current.as_mut().is_some_and(|current| current.parts.refused() == Refused::Poison) {
            self.bury(error);
        }
    }

    /// The first record of the batch cannot be delivered: it is put aside.
    fn bury(&mut self, error: &DeliverError) {
        let Some(current) = &self.current else { return };
        let one = current.held.batch(&self.kit.domains);
        let one = Batch { entries: &one.entries[..one.entries.len().min(1)], ..one };
        let one = shown(&*self.kit.deliverer, &one);
        let one = one.batch(&self.kit.domains);
        let report = self.kit.report.clone();
        let Some(_held) = report.hold() else { return };
        let buried = match &mut self.dead {
            Some(dead) => dead.take(&one, &error.to_string()),
            None => Err("without a spool there is no file for it".to_owned()),
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
        self.tell_health();
    }

    /// Nothing gets there any more.
    fn turn_off(&mut self, error: &DeliverError) {
        self.is_off = true;
        let plan = if self.kit.spool.is_some() { "wait in its spool" } else { "go to the console or stderr" };
        self.kit.report.set_fault(Some(error.to_string()));
        self.say("off", &format!("{error}; it is off until the next start, and its records {plan}"));
        self.give_all_away();
    }

    /// Gives all that the spool has not got to whoever takes it.
    fn give_all_away(&mut self) {
        if self.current.as_ref().is_some_and(|current| current.places.is_empty()) {
            self.give_away();
        }
        let memory = self.kit.memory.clone();
        let mut lines = memory.lines();
        let held = std::mem::take(&mut lines.held);
        let taken = self.take_in(held, Vec::new());
        drop(lines);
        if taken {
            self.give_away();
        }
    }

    /// Gives the batch at hand to whoever takes it.
    fn give_away(&mut self) {
        if let Some(current) = self.current.take() {
            self.fall_back(&current.held.batch(&self.kit.domains.clone()), 0);
        }
    }

    /// Has people see these instead, of which so many have just come through the queue.
    fn fall_back(&mut self, batch: &Batch<'_>, received: u64) {
        let shown = shown(&*self.kit.deliverer, batch);
        let report = self.kit.report.clone();
        let Some(_held) = report.hold() else { return };
        self.kit.fallback.take(&shown.batch(batch.domains));
        self.received += received;
        self.tell_health();
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
        if let Some(_held) = self.kit.report.hold() {
            self.tell_health();
        }
    }

    /// The same while the records are held.
    fn tell_health(&self) {
        self.kit.report.set(self.told_health(), self.received);
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
    /// Takes everything. Without a spool it waits in memory; where there is one, that has no room left for it.
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        let mut taken = 0;
        if self.kit.spool.is_none() && !self.is_off {
            let (memory, report) = (self.kit.memory.clone(), self.kit.report.clone());
            let mut lines = memory.lines();
            let Some(_held) = report.hold() else { return Ok(()) };
            taken = lines.push(batch, self.kit.clock.monotonic());
            self.received += taken as u64;
            self.tell_health();
        }
        if taken < batch.len() {
            let rest = Batch { entries: &batch.entries[taken..], ..*batch };
            self.fall_back(&rest, rest.len() as u64);
        }
        Ok(())
    }

    /// Tries to deliver all there is; what does not get there stays where it is, and that is no error.
    fn flush(&mut self) -> Result<(), SinkError> {
        self.hurry(Instant::now() + self.kit.options.flush_wait, false);
        self.publish();
        Ok(())
    }

    fn tick(&mut self) -> Result<(), SinkError> {
        if self.connect_due().is_some_and(|due| due <= self.kit.clock.monotonic()) {
            self.connect();
        } else if self.has_connected {
            self.step(self.kit.options.timeouts);
        }
        self.publish();
        Ok(())
    }

    fn rest(&self) -> Option<Duration> {
        let work = self.due().filter(|_| self.has_connected);
        let due = work.into_iter().chain(self.connect_due()).min()?;
        Some(Duration::from_nanos(due.saturating_sub(self.kit.clock.monotonic())))
    }

    fn close(&mut self, deadline: Instant) -> Result<(), SinkError> {
        // Once more, without any pause of ours.
        self.is_ending = true;
        // Somebody waits until then for what is said here as well.
        let left = deadline.saturating_duration_since(Instant::now());
        self.has_connected = true;
        self.hurry(Instant::now() + left - left / 8, true);
        self.give_all_away();
        self.kit.fallback.close(deadline);
        if let Some(spool) = &mut self.kit.spool
            && let Err(error) = spool.finish()
        {
            // They are read by the next start, which finds that all in them has arrived.
            self.say("spool", &format!("cannot remove a file of its spool: {error}"));
        }
        self.publish();
        // What it has open is closed while somebody still waits for it.
        let deliverer = std::mem::replace(&mut self.kit.deliverer, Box::new(Closed));
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
                altered: self.altered,
                oldest: self.current.as_ref().and_then(|it| it.held.entries.first()).map(|entry| entry.time),
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
struct Closed;

impl Deliver for Closed {
    fn deliver(&mut self, _batch: &Batch<'_>, _timeouts: Timeouts) -> Result<(), DeliverError> {
        Err(DeliverError::retry("it is closed"))
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
