//! The router: which sink sees which record, and what becomes of records a sink does not take.
//!
//! A table made once says for each domain and level which slots a record goes to. `route` formats a
//! record once per layout, straight into the buffer of one slot, and copies the line to the others;
//! `deliver` offers every slot's buffer to its sink as one batch.
//!
//! T1. A record that does not decode leaves no trace in any slot.
//! T2. A sink's error or panic stays with its slot: the others get their records all the same.
//! T3. A record is delivered, held for another attempt, or counted as dropped: nothing else. What a
//!     failing slot holds is bounded.
//! T4. Time comes in by `tick` only, so that tests need no clock.
//!
//! The listener's thread calls it; the configuration builds it.

mod durability;
pub(crate) mod mirror;
mod rotation;
mod secure;
mod select;
mod station;
mod table;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

pub use durability::Durability;
use secure::Mirrors;
pub(crate) use secure::Untold;
use select::Selection;
use station::Station;
use table::{Route, table_of};

use crate::codec::Corrupt;
use crate::failpoint;
use crate::filter::{Filter, RecordFilter};
use crate::layout::{LineLayout, Unwritten};
use crate::level::Level;
use crate::notice::notice;
use crate::record::{Record, UnixNanos};
use crate::sink::{Entry, FileMark, Rotate, Sink};
use crate::stats::{RemoteStats, SinkState, SinkStats};
use crate::sync::AtomicBool;

/// Bytes that a slot keeps at most while its sink fails.
const HOLD_LIMIT: usize = 4 << 20;

/// Bytes that records from ERROR upwards may take beyond it.
const HOLD_RESERVE: usize = 1 << 20;

/// Pause after an error that may pass, and first pause after a panic, in nanoseconds.
const SECOND: u64 = 1_000_000_000;

const LEVELS: usize = Level::ALL.len();

/// A sink and which records it is for.
pub(crate) struct Slot {
    /// What the sink is called in notices and counters: a file's name, `console`, or what the user chose.
    pub(crate) name: String,
    pub(crate) sink: Box<dyn Sink>,
    /// Number of the layout, among those given to the router.
    pub(crate) layout: usize,
    pub(crate) filter: Filter,
    /// What each record is asked that the filter lets through; most slots have none.
    pub(crate) record_filter: Option<RecordFilter>,
}

/// What a delivery came to, over all sinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeliveryReport {
    /// Records that were taken, counted once per sink.
    pub(crate) written: u64,
    /// Records that were lost since the last report, counted once per sink.
    pub(crate) dropped: u64,
    /// Records that wait for another attempt now, counted once per sink. While there are any, the
    /// files do not hold all that was routed.
    pub(crate) held: u64,
    /// Errors and panics.
    pub(crate) errors: u64,
}

/// How a flush is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlushState {
    /// A sink's thread is still at it.
    Waiting,
    /// Every sink has handed on what it was given.
    Done,
    /// A sink does not take its records; they are held and offered again later.
    Failed,
}

/// Writes these files into a checkpoint, before the first line is written to one that is new.
pub(crate) type Save<'a> = &'a mut dyn FnMut(&[FileMark]);

/// Takes records apart into slots, and slots to their sinks.
pub(crate) struct Router {
    domains: Vec<String>,
    layouts: Vec<Box<dyn LineLayout>>,
    /// Numbers of the layouts that show what was captured for a diagnosis.
    diagnosing: Vec<usize>,
    slots: Vec<Station>,
    /// What to do with a record, by domain and level.
    table: Vec<Route>,
    /// For the record at hand: in which slot each of its layouts' lines was made.
    leads: Vec<Option<usize>>,
    /// For the record at hand, where some of its slots have a record filter: which slots these leave.
    selection: Selection,
    /// Bytes and records routed since the last delivery, counted once per slot.
    pending_bytes: usize,
    pending_records: usize,
    /// Monotonic time of the last tick, and of the last look at the destinations.
    now: u64,
    looked: u64,
    durability: Durability,
    /// When files were made durable last.
    synced: u64,
    /// Of deliveries that nobody has been told of yet.
    unreported: DeliveryReport,
    /// Where what waits for log files is copied to.
    mirrors: Option<Mirrors>,
}

impl Router {
    /// A router for these domains; a record's domain is a number into them.
    pub(crate) fn new(domains: Vec<String>, layouts: Vec<Box<dyn LineLayout>>, slots: Vec<Slot>) -> Router {
        debug_assert!(slots.iter().all(|slot| slot.layout < layouts.len()), "a slot names no layout");
        let folder_told = Arc::new(AtomicBool::new(false));
        let slots: Vec<Station> =
            slots.into_iter().map(|slot| Station::new(slot, Arc::clone(&folder_told))).collect();
        Router {
            leads: Vec::with_capacity(layouts.len()),
            selection: Selection::default(),
            table: table_of(domains.len(), layouts.len(), &slots),
            domains,
            layouts,
            diagnosing: Vec::new(),
            slots,
            pending_bytes: 0,
            pending_records: 0,
            now: 0,
            looked: 0,
            durability: Durability::Os,
            synced: 0,
            unreported: DeliveryReport::default(),
            mirrors: None,
        }
    }

    /// These layouts are given what was captured for a diagnosis; no others.
    pub(crate) fn set_diagnosing(&mut self, layouts: Vec<usize>) {
        self.diagnosing = layouts;
    }

    /// Formats a record and puts it into the slots it is for.
    ///
    /// # Errors
    ///
    /// `Corrupt` when the record does not decode, or its domain is not one of the router's.
    pub(crate) fn route(&mut self, record: &Record<'_>, domain: u16) -> Result<(), Corrupt> {
        let at = usize::from(domain) * LEVELS + record.level as usize;
        let Router { table, layouts, diagnosing, slots, leads, selection, .. } = self;
        let mut route = table.get(at).ok_or(Corrupt)?;
        let without;
        let plain = if record.extra.has_captured() {
            without = Record { extra: record.extra.without_captured(), ..*record };
            &without
        } else {
            record
        };
        if route.is_selective {
            self.unreported.dropped += selection.choose(route, slots, plain)?;
            route = &selection.route;
        }
        // All layouts first, so that a record that does not decode can be taken back (T1).
        leads.clear();
        for group in &route.groups {
            let lead = group.slots.iter().copied().find(|&slot| slots[slot].accepts(record.level));
            leads.push(lead);
            let Some(lead) = lead else { continue };
            let text = &mut slots[lead].held.text;
            let layout = &mut layouts[group.layout];
            let record = if diagnosing.contains(&group.layout) { record } else { plain };
            match catch_unwind(AssertUnwindSafe(|| layout.write(record, text))) {
                Ok(Ok(())) if u32::try_from(text.len()).is_ok() => {}
                Ok(Err(Unwritten::Corrupt)) => {
                    for lead in leads.iter().flatten() {
                        slots[*lead].withdraw();
                    }
                    return Err(Corrupt);
                }
                failed => {
                    // The record decodes, but this layout cannot write it: the other layouts' lines stay.
                    slots[lead].withdraw();
                    let last = leads.len() - 1;
                    leads[last] = None;
                    let reason = match failed {
                        Err(_) => "panicked",
                        Ok(Ok(())) => "made a line past 4 GiB",
                        Ok(Err(Unwritten::Corrupt)) => "found the record corrupt",
                        Ok(Err(Unwritten::Failed(error))) => &format!("failed: {error}"),
                    };
                    for &slot in &group.slots {
                        slots[slot].cause = format!("its layout {reason}");
                    }
                    notice("layout", &format!("a layout {reason}; the record is dropped and counted"));
                }
            }
        }
        let like = Entry { time: record.time, id: record.id, start: 0, end: 0, domain, level: record.level };
        for (group, lead) in route.groups.iter().zip(leads.iter()) {
            let Some(lead) = *lead else {
                for &slot in &group.slots {
                    slots[slot].drop_one(record.level);
                    self.unreported.dropped += 1;
                }
                continue;
            };
            // The buffer is lent from its slot while the line is copied to the others.
            let text = std::mem::take(&mut slots[lead].held.text);
            let start = slots[lead].held.end();
            let line = &text[start..];
            for &slot in &group.slots {
                let station = &mut slots[slot];
                if slot == lead {
                    // The length was checked above.
                    let (start, end) = (start as u32, text.len() as u32);
                    station.held.entries.push(Entry { start, end, ..like });
                } else if !(station.accepts(record.level) && station.held.push(line, like)) {
                    station.drop_one(record.level);
                    self.unreported.dropped += 1;
                    continue;
                }
                self.pending_bytes += line.len();
                self.pending_records += 1;
            }
            slots[lead].held.text = text;
        }
        Ok(())
    }

    /// Bytes routed since the last delivery, over all slots.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// Records routed since the last delivery, counted once per slot.
    pub(crate) fn pending_records(&self) -> usize {
        self.pending_records
    }

    /// The files as they are now stand in a checkpoint.
    pub(crate) fn mark_files(&mut self) {
        for station in &mut self.slots {
            station.touched.clear();
            station.touched.extend(station.file());
            station.sink.settled();
        }
    }

    /// Forgets what is held for another attempt, half lines included.
    pub(crate) fn forget_held(&mut self) {
        for station in &mut self.slots {
            station.held.clear();
            station.mirror.outdated = true;
            let _ = catch_unwind(AssertUnwindSafe(|| station.sink.forget()));
        }
    }

    /// Lets the sinks look at their destinations: somebody else has changed them.
    pub(crate) fn look(&mut self) {
        for station in &mut self.slots {
            station.look(self.now);
        }
    }

    /// Offers what was routed to the sinks, and what is held where its pause is over.
    pub(crate) fn deliver(&mut self, save: Save<'_>) -> DeliveryReport {
        let report = self.offer(false, save);
        self.unreported = DeliveryReport::default();
        self.sync_urgent();
        report
    }

    /// Offers everything, also where a pause is not over.
    pub(crate) fn offer_all(&mut self, save: Save<'_>) {
        self.unreported = self.offer(true, save);
    }

    /// Whether a sink that failed is to be tried again.
    pub(crate) fn is_retry_due(&self) -> bool {
        self.slots.iter().any(|station| station.state != SinkState::Working && station.is_due(self.now))
    }

    /// Takes note of the time (`now` is monotonic, in nanoseconds): offers held records whose pause is over, and
    /// once a second, or `at_once`, lets the sinks look at their destinations, and rotate what is due. Says whether that may have changed a
    /// file, or which file it is: then a checkpoint made before is out of date.
    pub(crate) fn tick(&mut self, now: u64, unix: UnixNanos, at_once: bool, save: Save<'_>) -> bool {
        let mut changed = false;
        self.now = self.now.max(now);
        if at_once {
            self.slots.iter_mut().for_each(|station| station.due = self.now);
        }
        if self.is_retry_due() {
            self.unreported = self.offer(false, save);
            changed = true;
        }
        self.sync_due();
        if at_once || self.now.saturating_sub(self.looked) >= SECOND {
            self.looked = self.now;
            for station in &mut self.slots {
                if station.state == SinkState::Working {
                    let before = station.sink.file_position();
                    station.look(self.now);
                    changed |= station.sink.file_position() != before;
                    changed |= station.rotate(unix, Rotate::IfDue);
                }
            }
        }
        changed
    }

    /// The sinks that have not handed on all they were given, by name.
    pub(crate) fn behind(&self) -> Vec<String> {
        let behind = self.slots.iter().filter(|station| !station.flushed || station.held_records() > 0);
        behind.map(|station| station.name.clone()).collect()
    }

    /// A flush in steps, so that a sink that hangs delays nobody: `begin` offers everything, held records included, and asks every
    /// sink to hand it on; later calls look how that is going.
    pub(crate) fn poll_flush(&mut self, begin: bool, save: Save<'_>) -> FlushState {
        if begin {
            self.offer_all(save);
        }
        for station in &mut self.slots {
            if begin {
                station.flushed = false;
            }
            if !station.flushed {
                // What a sink says against it has been counted and told; asking once more would change nothing.
                station.flushed = station.call("flush", |sink| sink.poll_flush(begin)).unwrap_or(true);
            }
        }
        match self.slots.iter().all(|station| station.flushed) {
            false => FlushState::Waiting,
            true if self.held() > 0 => FlushState::Failed,
            true => FlushState::Done,
        }
    }

    /// The end: delivers everything once more and closes the sinks, none of them waiting past
    /// `deadline`. What is not delivered then is counted as dropped.
    pub(crate) fn shutdown(&mut self, deadline: Instant, save: Save<'_>) -> DeliveryReport {
        let mut report = self.offer(true, save);
        self.unreported = DeliveryReport::default();
        self.sync_last();
        // Sinks with a thread are only woken here, so that all of them work while each is waited for.
        for station in &mut self.slots {
            let _ = station.call("hand over what is left", |sink| sink.tick());
        }
        let mut unwritten = Vec::new();
        for station in &mut self.slots {
            let before = station.total_dropped();
            let torn = station.is_torn();
            if station.call("close", |sink| sink.close(deadline)).is_err() {
                report.errors += 1;
            }
            let left = station.held.entries.len() as u64;
            // Of a torn line that could not be finished the sink has counted the loss.
            let torn = u64::from(torn && station.total_dropped() > before);
            if left + torn > 0 {
                unwritten.push(format!("{} records for {}", left + torn, station.name));
            }
            station.dropped += left;
            station.held.clear();
            report.dropped += station.total_dropped() - before;
        }
        if !unwritten.is_empty() {
            // A key of its own: the fault itself may have been told a moment ago.
            let text = format!("{} could not be written before the end", unwritten.join(", "));
            notice("end", &text);
        }
        report.held = 0;
        report
    }

    /// Counters of every sink, at this time.
    pub(crate) fn stats(&self, now: UnixNanos) -> Vec<SinkStats> {
        let stats = |station: &Station| {
            // What the sink's own thread met with; asked for at once, so that the numbers fit each other.
            let health = station.sink.health();
            let lost = station.lost.max(health.lost);
            let state = match station.state {
                SinkState::Working if health.panicking => SinkState::Disabled,
                SinkState::Working if health.failing => SinkState::Failing,
                state => state,
            };
            // Of a line that is written in part the rest is held.
            let torn = u64::from(station.is_torn());
            let elsewhere = health.to_console + health.to_stderr + health.dead_letters;
            let taken = station.taken.saturating_sub(lost + health.waiting + torn + elsewhere);
            SinkStats {
                name: station.name.clone(),
                // The spool may hold records of earlier processes.
                written: health.remote.map_or(taken, |remote| remote.delivered),
                remote: health.remote.map(|remote| RemoteStats::new(&remote, now)),
                dropped: station.dropped + lost,
                held: station.held_records() + health.waiting,
                to_console: health.to_console,
                to_stderr: health.to_stderr,
                dead_letters: health.dead_letters,
                errors: station.errors + health.errors,
                retries: station.retries + health.retries,
                state,
                fault: match station.state {
                    SinkState::Working => station.unrotated.clone().or_else(|| station.sink.fault()),
                    _ => Some(station.cause.clone()),
                },
            }
        };
        self.slots.iter().map(stats).collect()
    }

    /// Where each log file stands: what a checkpoint keeps. Files that are not open are left out.
    pub(crate) fn positions(&self) -> Vec<FileMark> {
        self.slots.iter().filter_map(Station::file).collect()
    }

    /// Records that wait for another attempt.
    pub(crate) fn held(&self) -> u64 {
        self.slots.iter().map(Station::held_records).sum()
    }

    /// Offers all slots to their sinks; with `force` also where the pause is not over. In rounds, because a log file may be full
    /// before all records for it are written.
    fn offer(&mut self, force: bool, save: Save<'_>) -> DeliveryReport {
        let mut report = self.unreported;
        self.unreported = DeliveryReport::default();
        self.pending_bytes = 0;
        self.pending_records = 0;
        let (now, domains, durability) = (self.now, &self.domains, self.durability);
        let mut first = true;
        loop {
            let mut new = false;
            for station in &mut self.slots {
                let offered = if first { force || station.is_due(now) } else { station.more };
                if offered && !station.held.entries.is_empty() {
                    new |= station.prepare(domains);
                }
            }
            if new {
                let touched: Vec<FileMark> =
                    self.slots.iter().flat_map(|station| &station.touched).cloned().collect();
                save(&touched);
                failpoint::reach("file-marked");
            }
            for station in &mut self.slots {
                let (taken, dropped, errors) = (station.taken, station.total_dropped(), station.errors);
                let offered = if first { force || station.is_due(now) } else { station.more };
                station.more = false;
                if offered {
                    if !station.held.entries.is_empty() {
                        station.note_batch(durability);
                        station.offer(domains, now);
                        failpoint::reach("sink-written");
                    } else if station.state != SinkState::Working {
                        station.resume(now);
                    }
                }
                station.note_lost();
                report.written += station.taken - taken;
                report.dropped += station.total_dropped() - dropped;
                report.errors += station.errors - errors;
            }
            first = false;
            if !self.slots.iter().any(|station| station.more) {
                break;
            }
        }
        report.held = self.held();
        report
    }
}

#[cfg(test)]
mod tests;
