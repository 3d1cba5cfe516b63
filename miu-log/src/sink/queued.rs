//! A sink behind a queue and a thread of its own: one that may be slow, or hang, delays nobody.
//!
//! Q1. `write` copies the batch and returns; it never waits for the sink behind the queue.
//! Q2. What waits is bounded in bytes, but an empty queue takes one record of any length. Past the bound records are refused and counted, those from
//!     ERROR upwards last.
//! Q3. Every record that was taken is, in the end, either delivered, or counted by `lost`.
//!     Its errors and panics that no call on this side returns are counted by `health`.
//! Q4. Nothing waits for the thread past a deadline: one that hangs is left behind.
//!
//! Batches go through a lock-free queue and back through another for reuse. The lock beside it holds
//! the counts; it is never held while the sink behind works. The router calls this side; the wrapped
//! sink sees only the thread.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;

use super::{Batch, Health, Held, Sink, SinkError};
use crate::level::Level;
use crate::notice::notice;
use crate::own_thread::OwnThread;
use crate::sync::lock;

/// Bytes that may wait, ordinarily.
pub(crate) const QUEUE_LIMIT: usize = 4 << 20;

/// Bytes that records from ERROR upwards may take beyond it.
pub(crate) const QUEUE_RESERVE: usize = 1 << 20;

/// Batches in the queue at most; what does not go in is gathered into one batch on this side.
const SLOTS: usize = 64;

/// Waiting batches are joined up to this many bytes before the sink is called.
const COALESCE: usize = 64 * 1024;

/// How long a `flush` without a deadline of its own waits.
const FLUSH_WAIT: Duration = Duration::from_secs(2);

/// First and longest pause after an error that may pass.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How often a batch is offered to a sink that panics on it.
const PANICS_PER_BATCH: u32 = 3;

/// A sink that runs on a thread of its own.
#[derive(Debug)]
pub(crate) struct Queued {
    shared: Arc<Shared>,
    /// What did not go into the queue yet.
    staged: Held,
    /// Number of the flush that was begun, once it has been asked for.
    ticket: Option<u64>,
    limit: usize,
    reserve: usize,
}

#[derive(Debug)]
struct Shared {
    name: String,
    domains: Vec<String>,
    waiting: ArrayQueue<Held>,
    spare: ArrayQueue<Held>,
    status: Mutex<Status>,
    /// Told when there is something to do for the thread.
    work: Condvar,
    /// Told when the thread has done something.
    done: Condvar,
}

#[derive(Debug, Default)]
struct Status {
    /// Bytes and records that were taken and are not dealt with.
    bytes: usize,
    records: u64,
    lost: u64,
    /// Errors and panics that nobody but the thread has seen, and offers after the first.
    errors: u64,
    retries: u64,
    /// Whether the last batch that was offered failed.
    failing: bool,
    panicking: bool,
    /// Numbers of the last flush that was asked for, and of the last one done.
    flush_wanted: u64,
    flush_done: u64,
    /// Whether one of the flushes asked for is a sync.
    sync_wanted: bool,
    flush_error: Option<String>,
    /// What the sink says of itself: what it was given it may still have.
    sink: Health,
    /// Whether the end is near: the thread pauses no more, and tries each batch once.
    hurried: bool,
    /// Whether nothing more will come: the thread ends when the queue is empty.
    closing: bool,
    /// Until when somebody waits for that.
    deadline: Option<Instant>,
    finished: bool,
}

impl Shared {
    fn status(&self) -> MutexGuard<'_, Status> {
        // Nothing that can panic runs under the lock; and even if, the counts stay usable.
        lock(&self.status)
    }
}

impl Queued {
    /// Puts `sink` behind a queue, on a thread named `miu-log-<name>`.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub(crate) fn new(name: &str, sink: Box<dyn Sink>, domains: Vec<String>) -> io::Result<Queued> {
        Queued::with_limits(name, sink, domains, QUEUE_LIMIT, QUEUE_RESERVE)
    }

    /// The same with other bounds, in bytes.
    pub(crate) fn with_limits(
        name: &str,
        sink: Box<dyn Sink>,
        domains: Vec<String>,
        limit: usize,
        reserve: usize,
    ) -> io::Result<Queued> {
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            domains,
            waiting: ArrayQueue::new(SLOTS),
            spare: ArrayQueue::new(SLOTS),
            status: Mutex::default(),
            work: Condvar::new(),
            done: Condvar::new(),
        });
        let worker = Worker { shared: Arc::clone(&shared), sink, ailing: false };
        thread::Builder::new().name(format!("miu-log-{name}")).spawn(move || worker.run())?;
        Ok(Queued { shared, staged: Held::default(), ticket: None, limit, reserve })
    }

    /// Has the thread ask its sink how long it may rest.
    pub(crate) fn nudge(&self) {
        // Taking the lock orders this after the thread's look at its sink, so that no wake-up is missed.
        drop(self.shared.status());
        self.shared.work.notify_one();
    }

    /// Moves what is staged into the queue if it has room, and wakes the thread.
    fn pass_on(&mut self) {
        if !self.staged.entries.is_empty() {
            let spare = self.shared.spare.pop().unwrap_or_default();
            let staged = std::mem::replace(&mut self.staged, spare);
            if let Err(refused) = self.shared.waiting.push(staged) {
                self.staged = refused;
            }
        }
        self.nudge();
    }

    /// Waits for the thread to reach a state, passing on what is staged as room comes up.
    fn wait(&mut self, deadline: Instant, reached: impl Fn(&Status) -> bool) -> Result<(), SinkError> {
        loop {
            self.pass_on();
            let shared = Arc::clone(&self.shared);
            let status = shared.status();
            if self.staged.entries.is_empty() && reached(&status) {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let text =
                    format!("{}: {} records are still waiting at the deadline", shared.name, status.records);
                return Err(SinkError::retryable(text, 0));
            }
            drop(shared.done.wait_timeout(status, left));
        }
    }

    /// Asks the thread for a flush once its queue is empty; the number under which it is done.
    fn request(&mut self, sync: bool) -> u64 {
        let mut status = self.shared.status();
        status.flush_wanted += 1;
        status.sync_wanted |= sync;
        status.flush_wanted
    }

    fn flush_or_sync(&mut self, deadline: Instant, sync: bool) -> Result<(), SinkError> {
        // The request is made when all is in the queue: the thread serves it when the queue is empty.
        self.wait(deadline, |_| true)?;
        let ticket = self.request(sync);
        self.wait(deadline, |status| status.flush_done >= ticket || status.finished)?;
        match self.shared.status().flush_error.take() {
            Some(text) => Err(SinkError::retryable(text, 0)),
            None => Ok(()),
        }
    }
}

impl Sink for Queued {
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        let (mut bytes, finished) = {
            let status = self.shared.status();
            (status.bytes, status.finished)
        };
        let before = bytes;
        let mut taken = 0;
        for run in batch.runs() {
            if !finished && bytes + run.text.len() <= self.limit {
                let base = run.entries[0].start;
                let shift = self.staged.text.len();
                // What waits is within the bound here, so that the text is far below 4 GiB.
                self.staged.text.extend_from_slice(run.text);
                self.staged.entries.extend(run.entries.iter().map(|entry| super::Entry {
                    start: (entry.start - base) + shift as u32,
                    end: (entry.end - base) + shift as u32,
                    ..*entry
                }));
                bytes += run.text.len();
                taken += run.entries.len();
                continue;
            }
            let base = run.entries[0].start as usize;
            for entry in run.entries {
                let room = if entry.level >= Level::Error { self.limit + self.reserve } else { self.limit };
                let line = &run.text[entry.start as usize - base..entry.end as usize - base];
                // A record longer than the whole bound has its chance when nothing else waits.
                let fits = bytes == 0 || bytes + line.len() <= room;
                if !finished && fits && self.staged.push(line, *entry) {
                    bytes += line.len();
                    taken += 1;
                }
            }
        }
        {
            let mut status = self.shared.status();
            status.bytes += bytes - before;
            status.records += taken as u64;
        }
        self.pass_on();
        if taken == batch.len() {
            return Ok(());
        }
        let text = if finished { "its thread has ended" } else { "its queue is full" };
        Err(SinkError::fatal(text, taken))
    }

    /// Waits for at most two seconds.
    fn flush(&mut self) -> Result<(), SinkError> {
        self.flush_or_sync(Instant::now() + FLUSH_WAIT, false)
    }

    /// Waits for at most two seconds.
    fn sync(&mut self) -> Result<(), SinkError> {
        self.flush_or_sync(Instant::now() + FLUSH_WAIT, true)
    }

    fn poll_flush(&mut self, begin: bool) -> Result<bool, SinkError> {
        if begin {
            self.ticket = None;
        }
        self.pass_on();
        if !self.staged.entries.is_empty() {
            return Ok(false);
        }
        let ticket = match self.ticket {
            Some(ticket) => ticket,
            None => {
                let ticket = self.request(false);
                self.pass_on();
                *self.ticket.insert(ticket)
            }
        };
        let mut status = self.shared.status();
        let done = status.flush_done >= ticket || status.finished;
        match status.flush_error.take_if(|_| done) {
            Some(text) => Err(SinkError::retryable(text, 0)),
            None => Ok(done),
        }
    }

    fn close(&mut self, deadline: Instant) -> Result<(), SinkError> {
        self.shared.status().hurried = true;
        let waited = self.wait(deadline, |_| true).and_then(|()| {
            let mut status = self.shared.status();
            (status.closing, status.deadline) = (true, Some(deadline));
            drop(status);
            self.wait(deadline, |status| status.finished)
        });
        let mut status = self.shared.status();
        status.closing = true;
        if waited.is_ok() {
            return Ok(());
        }
        // Left behind: counted now, since nobody will be there to do it later.
        let left = status.records;
        status.lost += left;
        status.records = 0;
        status.finished = true;
        drop(status);
        Err(SinkError::fatal(format!("{left} records could not be handed over before the deadline"), 0))
    }

    fn tick(&mut self) -> Result<(), SinkError> {
        self.pass_on();
        Ok(())
    }

    fn lost(&self) -> u64 {
        self.shared.status().lost
    }

    fn health(&self) -> Health {
        let status = self.shared.status();
        Health {
            errors: status.errors + status.sink.errors,
            retries: status.retries + status.sink.retries,
            waiting: status.records + status.sink.waiting,
            lost: status.lost + status.sink.lost,
            failing: status.failing || status.sink.failing,
            panicking: status.panicking,
            ..status.sink
        }
    }
}

impl Drop for Queued {
    /// Lets the thread end when it has done its work, without waiting for it.
    fn drop(&mut self) {
        self.pass_on();
        let mut status = self.shared.status();
        status.hurried = true;
        status.closing = true;
        drop(status);
        self.shared.work.notify_one();
    }
}

/// The thread's side.
struct Worker {
    shared: Arc<Shared>,
    sink: Box<dyn Sink>,
    /// Whether the last call failed: a fault is said when it begins, not all the time it lasts.
    ailing: bool,
}

impl Worker {
    fn run(mut self) {
        let _own = OwnThread::begin();
        let shared = Arc::clone(&self.shared);
        loop {
            if let Some(mut held) = shared.waiting.pop() {
                while held.text.len() < COALESCE
                    && let Some(mut next) = shared.waiting.pop()
                {
                    join(&mut held, &next);
                    next.clear();
                    // No room for spares means there are enough of them.
                    let _ = shared.spare.push(next);
                }
                self.deliver(&mut held);
                held.clear();
                let _ = shared.spare.push(held);
                continue;
            }
            let mut status = shared.status();
            if !shared.waiting.is_empty() {
                continue;
            }
            if status.flush_wanted > status.flush_done {
                let ticket = status.flush_wanted;
                let sync = std::mem::take(&mut status.sync_wanted);
                drop(status);
                let error = self.call(|sink| if sync { sink.sync() } else { sink.flush() }).err();
                let mut status = shared.status();
                status.flush_done = ticket;
                status.flush_error = error.map(|error| error.to_string());
                shared.done.notify_all();
                continue;
            }
            if status.closing {
                let status_deadline = status.deadline;
                drop(status);
                let deadline = status_deadline.unwrap_or_else(|| Instant::now() + FLUSH_WAIT);
                let closed = self.call(|sink| sink.close(deadline));
                let mut status = shared.status();
                status.errors += u64::from(closed.is_err());
                // Others say so by `health`.
                status.lost += self.sink.lost();
                status.finished = true;
                shared.done.notify_all();
                return;
            }
            let Some(rest) = self.sink.rest() else {
                drop(shared.work.wait(status));
                continue;
            };
            if !rest.is_zero() {
                status = shared.work.wait_timeout(status, rest).unwrap_or_else(PoisonError::into_inner).0;
            }
            drop(status);
            if self.sink.rest().is_some_and(|rest| rest.is_zero()) {
                let failed = self.call(|sink| sink.tick()).is_err();
                shared.status().errors += u64::from(failed);
            }
        }
    }

    /// Calls the sink; a panic becomes an error.
    fn call(&mut self, call: impl FnOnce(&mut dyn Sink) -> Result<(), SinkError>) -> Result<(), SinkError> {
        let sink = &mut *self.sink;
        let result = catch_unwind(AssertUnwindSafe(|| call(sink)));
        let health = self.sink.health();
        self.shared.status().sink = health;
        result.unwrap_or_else(|_| Err(SinkError::retryable("the sink panicked", 0)))
    }

    /// Hands one batch over, with as many attempts as it takes; what is given up is counted.
    fn deliver(&mut self, held: &mut Held) {
        let shared = Arc::clone(&self.shared);
        let mut pause = FIRST_PAUSE;
        let mut panics = 0;
        loop {
            let count = held.entries.len();
            let sink = &mut *self.sink;
            let batch = held.batch(&shared.domains);
            let (delivered, error, retry) = match catch_unwind(AssertUnwindSafe(|| sink.write(&batch))) {
                Ok(Ok(())) => (count, None, false),
                Ok(Err(error)) => (error.delivered().min(count), Some(error.to_string()), error.may_retry()),
                Err(_) => {
                    panics += 1;
                    (0, Some("the sink panicked".to_owned()), panics < PANICS_PER_BATCH)
                }
            };
            let before = held.text.len();
            held.discard(delivered);
            let failed = error.is_some();
            let panicked = panics > 0 && failed && delivered == 0;
            if error.is_none() {
                self.ailing = false;
            } else if !self.ailing {
                self.ailing = true;
                let plan = match (retry, panicked) {
                    (true, true) => "tried twice again, then dropped and counted",
                    (true, false) => "tried again",
                    (false, _) => "dropped and counted",
                };
                let error = error.unwrap_or_default();
                let left = count - delivered;
                notice(&shared.name, &format!("{}: {error}; {left} records are {plan}", shared.name));
            }
            let health = self.sink.health();
            let mut status = shared.status();
            let given_up = held.entries.len() as u64;
            let settled = !retry || given_up == 0 || status.hurried;
            status.errors += u64::from(failed);
            (status.failing, status.panicking) = (failed, panicked);
            status.sink = health;
            // Where the deadline has passed, the other side has counted all of these as lost.
            if !status.finished {
                status.records -= delivered as u64;
                status.bytes -= before - held.text.len();
                if settled {
                    status.lost += given_up;
                    status.records -= given_up;
                    status.bytes -= held.text.len();
                }
            }
            shared.done.notify_all();
            if settled {
                return;
            }
            drop(shared.work.wait_timeout_while(status, pause, |status| !status.hurried));
            shared.status().retries += 1;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Appends one batch's records to another's.
fn join(held: &mut Held, next: &Held) {
    let shift = held.text.len() as u32;
    held.text.extend_from_slice(&next.text);
    held.entries.extend(next.entries.iter().map(|entry| super::Entry {
        start: entry.start + shift,
        end: entry.end + shift,
        ..*entry
    }));
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::super::tests::{entry, held};
    use super::*;

    /// Passes on what it gets; waits for a permit before each batch where there is a gate.
    struct Probe {
        lines: mpsc::Sender<String>,
        gate: Option<mpsc::Receiver<Result<(), SinkError>>>,
    }

    impl Sink for Probe {
        fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
            if let Some(gate) = &self.gate {
                gate.recv().unwrap_or(Ok(()))?;
            }
            for line in batch.iter() {
                let _ = self.lines.send(String::from_utf8_lossy(line.as_bytes()).into_owned());
            }
            Ok(())
        }
    }

    type Gate = mpsc::Sender<Result<(), SinkError>>;

    fn probe(limit: usize, reserve: usize, gated: bool) -> (Queued, mpsc::Receiver<String>, Option<Gate>) {
        let (lines, received) = mpsc::channel();
        let (gate, permits) = mpsc::channel();
        let sink = Box::new(Probe { lines, gate: gated.then_some(permits) });
        let queued = Queued::with_limits("test", sink, vec![], limit, reserve).unwrap();
        (queued, received, gated.then_some(gate))
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn everything_arrives_in_order_before_flush_returns() {
        let (mut queued, received, _) = probe(1 << 20, 0, false);
        for number in 0..5000 {
            queued.write(&held(&[&format!("{number} a"), &format!("{number} b")]).batch(&[])).unwrap();
        }
        queued.flush_or_sync(soon(), false).unwrap();
        let lines: Vec<String> = received.try_iter().collect();
        let expected: Vec<String> = (0..5000).flat_map(|n| [format!("{n} a"), format!("{n} b")]).collect();
        assert_eq!(lines, expected);
        queued.close(soon()).unwrap();
        assert_eq!(queued.lost(), 0);
        assert!(queued.write(&held(&["late"]).batch(&[])).is_err());
    }

    #[test]
    fn a_full_queue_refuses_and_counts_and_keeps_room_for_errors() {
        let (mut queued, received, gate) = probe(100, 20, true);
        let mut taken = 0;
        for _ in 0..200 {
            match queued.write(&held(&["0123456789"]).batch(&[])) {
                Ok(()) => taken += 1,
                Err(error) => assert_eq!((error.delivered(), error.may_retry()), (0, false)),
            }
        }
        assert_eq!(taken, 10);
        let mut errors = Held::default();
        for level in [Level::Info, Level::Error, Level::Warning, Level::Critical, Level::Error] {
            errors.push(b"9876543210", entry(level));
        }
        assert_eq!(queued.write(&errors.batch(&[])).unwrap_err().delivered(), 2);
        drop(gate);
        queued.close(soon()).unwrap();
        assert_eq!(received.iter().count(), 12);
        assert_eq!(queued.lost(), 0);
    }

    #[test]
    fn more_batches_than_places_are_gathered_not_lost() {
        let (mut queued, received, gate) = probe(1 << 20, 0, true);
        for number in 0..1000 {
            queued.write(&held(&[&number.to_string()]).batch(&[])).unwrap();
        }
        drop(gate);
        queued.close(soon()).unwrap();
        assert_eq!(received.iter().collect::<Vec<_>>(), (0..1000).map(|n| n.to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn a_hanging_sink_is_left_behind_at_the_deadline_and_counted() {
        let (mut queued, _received, gate) = probe(1 << 20, 0, true);
        queued.write(&held(&["a", "b"]).batch(&[])).unwrap();
        queued.write(&held(&["c"]).batch(&[])).unwrap();
        assert!(!queued.poll_flush(true).unwrap());
        assert!(!queued.poll_flush(false).unwrap());
        let error = queued.close(Instant::now() + Duration::from_millis(1)).unwrap_err();
        assert!(error.to_string().starts_with("3 records"), "{error}");
        assert_eq!(queued.lost(), 3);
        drop(queued);
        drop(gate);
    }

    #[test]
    fn a_panicking_or_refusing_sink_loses_its_batch_only_and_counts_it() {
        struct Moody(mpsc::Sender<usize>);
        impl Sink for Moody {
            fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
                let text = batch.iter().next().map(|line| line.as_bytes().to_vec());
                match text.as_deref() {
                    Some(b"panic") => std::panic::resume_unwind(Box::new("moody")),
                    Some(b"fatal") => Err(SinkError::fatal("no", 1)),
                    _ => self.0.send(batch.len()).map_err(|_| SinkError::fatal("gone", 0)),
                }
            }
        }
        let (sender, received) = mpsc::channel();
        let mut queued = Queued::new("moody", Box::new(Moody(sender)), vec![]).unwrap();
        queued.write(&held(&["fatal", "b", "c"]).batch(&[])).unwrap();
        queued.flush_or_sync(soon(), false).unwrap();
        assert_eq!(queued.lost(), 2);
        queued.write(&held(&["fine"]).batch(&[])).unwrap();
        queued.flush_or_sync(soon(), false).unwrap();
        queued.write(&held(&["panic", "b"]).batch(&[])).unwrap();
        // At the end there is no pause between attempts, and one of them only.
        queued.close(soon()).unwrap();
        assert_eq!(queued.lost(), 4);
        assert_eq!(received.iter().collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn health_tells_the_thread_s_faults_and_what_waits() {
        let (mut queued, _received, gate) = probe(1 << 20, 0, true);
        let gate = gate.unwrap();
        assert_eq!(queued.health(), Health::default());
        queued.write(&held(&["a", "b"]).batch(&[])).unwrap();
        assert_eq!(queued.health(), Health { waiting: 2, ..Health::default() });
        gate.send(Err(SinkError::fatal("no", 1))).unwrap();
        queued.wait(soon(), |status| status.records == 0).unwrap();
        let failing = Health { errors: 1, lost: 1, failing: true, ..Health::default() };
        assert_eq!(queued.health(), failing);
        queued.write(&held(&["c"]).batch(&[])).unwrap();
        gate.send(Err(SinkError::retryable("not now", 0))).unwrap();
        queued.wait(soon(), |status| status.errors == 2).unwrap();
        assert_eq!(queued.health(), Health { errors: 2, waiting: 1, ..failing });
        gate.send(Ok(())).unwrap();
        queued.close(soon()).unwrap();
        assert_eq!(queued.health(), Health { errors: 2, retries: 1, failing: false, ..failing });
    }

    #[test]
    fn an_empty_queue_takes_a_record_longer_than_its_bound() {
        let (mut queued, received, gate) = probe(100, 20, true);
        let long = "x".repeat(1000);
        // One such record, not two; and nothing beside it.
        assert_eq!(queued.write(&held(&[&long, &long, "y"]).batch(&[])).unwrap_err().delivered(), 1);
        assert_eq!(queued.write(&held(&["z"]).batch(&[])).unwrap_err().delivered(), 0);
        gate.unwrap().send(Ok(())).unwrap();
        queued.wait(soon(), |status| status.records == 0).unwrap();
        queued.write(&held(&["z"]).batch(&[])).unwrap();
        queued.close(soon()).unwrap();
        assert_eq!(received.iter().collect::<Vec<_>>(), [long, "z".to_owned()]);
    }

    #[test]
    fn the_end_does_not_wait_for_a_pause() {
        let (mut queued, received, gate) = probe(1 << 20, 0, true);
        gate.as_ref().unwrap().send(Err(SinkError::retryable("not now", 0))).unwrap();
        queued.write(&held(&["a"]).batch(&[])).unwrap();
        drop(gate);
        let start = Instant::now();
        queued.close(soon()).unwrap();
        assert!(start.elapsed() < Duration::from_secs(10));
        assert_eq!(received.iter().count() as u64 + queued.lost(), 1);
    }
}
