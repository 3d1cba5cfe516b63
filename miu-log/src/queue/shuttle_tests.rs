//! Random schedules of whole calls and passes: the real queue, the real loggers and the real listener, whose every access to something
//! shared lets another thread go on. `cargo xtask shuttle` runs them; `sync::stepping` has the rules.
//!
//! Time stands still: nothing here is healed by a time-out but the listener's own sleep, which may end at any moment.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::thread::{self, JoinHandle};
use tempfile::TempDir;

use super::{Queue, Settings};
use crate::clock::Clock;
use crate::codec::{Corrupt, Value};
use crate::domain::DomainSpec;
use crate::filter::Filter;
use crate::layout::{LineLayout, Unwritten};
use crate::level::Level;
use crate::listener::Listener;
use crate::logger::Logger;
use crate::queue::OverflowPolicy;
use crate::record::Record;
use crate::ring::local;
use crate::ring::segment::{FILE_PREFIX, SMALLEST};
use crate::router::{Router, Slot};
use crate::sink::{Batch, Sink, SinkError};
use crate::stats::{DropReason, Published, Stats};
use crate::sync::lock;

/// Schedules of each model where `SHUTTLE_ITERATIONS` does not say.
const SCHEDULES: usize = 2000;
/// A listener's pass needs more than the checker gives its threads.
const STACK: usize = 256 * 1024;
/// Changes of priority in a schedule.
const SWITCHES: usize = 3;
/// Longer than any schedule takes.
const LONG: Duration = Duration::from_secs(3600);
/// Length of a long record's text: four of them fill the smallest ring.
const LONG_TEXT: usize = SMALLEST / 4 - 64;

/// The first thread's domain, and that of all others.
const NAMES: [&str; 2] = ["app", "task"];
const SPECS: &[DomainSpec] = &[
    DomainSpec { name: NAMES[0], file: NAMES[0], level: None },
    DomainSpec { name: NAMES[1], file: NAMES[1], level: None },
];

fn try_schedules(model: impl Fn() + Send + Sync + 'static) {
    let schedules =
        std::env::var("SHUTTLE_ITERATIONS").map_or(SCHEDULES, |text| text.parse().expect("a number"));
    let mut config = shuttle::Config::new();
    config.stack_size = STACK;
    config.silence_warnings = true;
    // One half with a free choice at every step. In the other one threads have priorities, which change at a few steps: there a thread
    // may stand still while another one goes a long way.
    let (free, few) = (schedules.div_ceil(2), schedules / 2);
    let model = Arc::new(model);
    let again = model.clone();
    shuttle::Runner::new(RandomScheduler::new(free), config.clone()).run(move || model());
    if few > 0 {
        shuttle::Runner::new(PctScheduler::new(SWITCHES, few), config).run(move || again());
    }
}

/// Writes `thread number` of what `Caller::log` has logged, and `own` for the listener's own records.
struct Plain;

impl LineLayout for Plain {
    fn write(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), Unwritten> {
        match record.args.clone().next()? {
            Value::Str(text) => {
                let mut words = text.split_whitespace();
                let (thread, number) = (words.next().ok_or(Corrupt)?, words.next().ok_or(Corrupt)?);
                out.extend_from_slice(format!("{thread} {number}\n").as_bytes());
            }
            _ => out.extend_from_slice(b"own\n"),
        }
        Ok(())
    }
}

/// What was written: thread and number.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<(usize, usize)>>>);

impl Sink for Written {
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        let mut written = self.0.lock().unwrap();
        for line in batch.iter() {
            let text = std::str::from_utf8(line.as_bytes()).unwrap();
            if let Some((thread, number)) = text.trim_end().split_once(' ') {
                written.push((thread.parse().unwrap(), number.parse().unwrap()));
            }
        }
        Ok(())
    }
}

impl Written {
    /// The numbers of a thread's records, in the order in which they were written.
    fn of(&self, thread: usize) -> Vec<usize> {
        self.0.lock().unwrap().iter().filter(|(who, _)| *who == thread).map(|(_, number)| *number).collect()
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// A repository's inside.
struct World {
    queue: Arc<Queue>,
    written: Written,
    /// None where it hangs.
    listener: Option<JoinHandle<()>>,
    /// Calls that have returned, by thread. Looked at by the model alone, hence no step.
    returned: Arc<Mutex<Vec<usize>>>,
    folder: Option<TempDir>,
}

fn settings(folder: Option<&TempDir>, ring_limit: usize) -> Settings {
    Settings {
        folder: folder.map(|folder| folder.path().to_owned()),
        spill: None,
        control: None,
        policy: OverflowPolicy::Block,
        ring_limit,
        heartbeat: Duration::ZERO,
        is_private: false,
    }
}

impl World {
    /// With rings of up to so many bytes; named ones lie in a folder.
    fn new(ring_limit: usize, named: bool) -> World {
        let queue = Queue::detached(SPECS, Clock::Manual(Arc::default()));
        let written = Written::default();
        let slot = Slot {
            name: "memory".to_owned(),
            sink: Box::new(written.clone()),
            layout: 0,
            filter: Filter::ALL,
            record_filter: None,
        };
        let router = Router::new(NAMES.map(str::to_owned).to_vec(), vec![Box::new(Plain)], vec![slot]);
        let listener = Listener::new(queue.clone(), router, None, Arc::default(), LONG);
        let folder = named.then(|| tempfile::tempdir().unwrap());
        queue.attach(settings(folder.as_ref(), ring_limit));
        assert_eq!(queue.membership().is_some(), named);
        let listener = Some(thread::spawn(move || listener.run()));
        World { queue, written, listener, returned: Arc::default(), folder }
    }

    /// Without a pass of the listener, which hangs in a sink.
    fn hanging() -> World {
        let queue = Queue::detached(SPECS, Clock::Manual(Arc::default()));
        queue.attach(settings(None, SMALLEST));
        World { queue, written: Written::default(), listener: None, returned: Arc::default(), folder: None }
    }

    fn caller(&self, number: usize) -> Caller {
        let mut returned = self.returned.lock().unwrap();
        let threads = returned.len().max(number + 1);
        returned.resize(threads, 0);
        let domain = number.min(1) as u8;
        Caller { number, logger: Logger::new(self.queue.clone(), domain), returned: self.returned.clone() }
    }

    /// A thread that logs so many records of this length, and ends.
    fn spawn(&self, number: usize, records: usize, len: usize) -> JoinHandle<()> {
        let mut caller = self.caller(number);
        thread::spawn(move || (0..records).for_each(|_| caller.log(len)))
    }

    /// The orderly end, as `Inner::shutdown` has it. The calls that had returned when it began, by thread.
    fn shut_down(self) -> Ended {
        let mut before = self.returned.lock().unwrap().clone();
        self.queue.close();
        self.queue.request_stop();
        match self.listener {
            Some(listener) => {
                assert!(self.queue.wait_for_end(LONG));
                listener.join().unwrap();
            }
            None => {
                // Its time is over.
                before.fill(0);
                self.queue.end();
            }
        }
        Ended {
            queue: self.queue,
            written: self.written,
            before,
            returned: self.returned,
            folder: self.folder,
        }
    }
}

struct Caller {
    number: usize,
    logger: Logger,
    returned: Arc<Mutex<Vec<usize>>>,
}

impl Caller {
    /// Logs the thread's next record.
    fn log(&mut self, len: usize) {
        let number = self.returned.lock().unwrap()[self.number];
        let text = format!("{} {number} {}", self.number, "x".repeat(len));
        // The checker gives up a thread's variables in the order of their first use, and also those without a destructor, which live
        // as long as their thread does otherwise: with the producers first it comes to the same.
        assert!(local::is_alive());
        self.logger.info(text.as_str());
        self.returned.lock().unwrap()[self.number] += 1;
    }
}

/// A repository after its end.
struct Ended {
    queue: Arc<Queue>,
    written: Written,
    before: Vec<usize>,
    returned: Arc<Mutex<Vec<usize>>>,
    folder: Option<TempDir>,
}

impl Ended {
    /// What holds after every end, once all threads are through. How many records were not written and not dropped.
    fn check(self) -> u64 {
        let returned = self.returned.lock().unwrap().clone();
        let stats = Stats::collect(&self.queue.counters, &NAMES, self.queue.accepted(), Published::default());
        assert_eq!(stats.corrupt, 0);
        assert_eq!(stats.written, self.written.len() as u64, "each record that is counted was written");
        let calls: usize = returned.iter().sum();
        assert_eq!(calls as u64, stats.accepted + stats.dropped, "each call was accepted or counted");
        assert_eq!(stats.dropped, stats.dropped_for(DropReason::AfterShutdown), "and dropped for one reason");
        for (thread, before) in self.before.iter().enumerate() {
            let numbers = self.written.of(thread);
            let whole: Vec<usize> = (0..numbers.len()).collect();
            assert_eq!(numbers, whole, "thread {thread}: in order, once each, without a gap");
            assert!(numbers.len() >= *before, "thread {thread}: {before} calls had returned before the end");
        }
        if let Some(folder) = &self.folder {
            let names = std::fs::read_dir(folder.path()).unwrap();
            let names: Vec<_> =
                names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            assert!(!names.iter().any(|name| name.starts_with(FILE_PREFIX)), "left behind: {names:?}");
        }
        stats.pending
    }
}

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Threads get rings, end, and leave them to the next ones, while the listener takes them up, reads them, and gives them back.
#[test]
fn shuttle_rings_are_registered_and_recycled() {
    try_schedules(|| {
        let world = World::new(SMALLEST, false);
        let first = world.spawn(0, 2, 8);
        let second = world.spawn(1, 1, 8);
        join([first]);
        let third = world.spawn(2, 2, 8);
        join([second, third]);
        let ended = world.shut_down();
        let rings = lock(&ended.queue.local().rings);
        assert_eq!(rings.live.len(), 1, "all rings but the one for signals have ended");
        assert_eq!(rings.retired_accepted, 5);
        drop(rings);
        assert_eq!(ended.check(), 0);
    });
}

/// A ring grows while it is read, and its thread waits for room once it may not grow any more.
#[test]
fn shuttle_a_ring_grows_under_load() {
    try_schedules(|| {
        let world = World::new(2 * SMALLEST, false);
        let threads = [world.spawn(0, 10, LONG_TEXT), world.spawn(1, 5, LONG_TEXT)];
        join(threads);
        let ended = world.shut_down();
        assert_eq!(lock(&ended.queue.local().rings).live.len(), 1);
        assert_eq!(ended.check(), 0);
    });
}

/// The end comes while threads log, make their first ring, and end.
#[test]
fn shuttle_an_end_counts_every_call_and_leaves_no_ring() {
    try_schedules(|| {
        let world = World::new(SMALLEST, true);
        let mut main = world.caller(0);
        main.log(8);
        let threads = [world.spawn(1, 2, 8), world.spawn(2, 1, 8)];
        let ended = world.shut_down();
        main.log(8);
        join(threads);
        ended.check();
    });
}

/// The listener hangs, and is given up, while threads wait for room: they wait no longer, and what they were about to log is counted.
#[test]
fn shuttle_an_end_frees_those_who_wait_for_room() {
    try_schedules(|| {
        let world = World::hanging();
        let threads = [world.spawn(0, 6, LONG_TEXT), world.spawn(1, 5, LONG_TEXT)];
        let ended = world.shut_down();
        join(threads);
        ended.check();
    });
}

/// A flush is answered, whether the listener goes on or ends, and says yes only if what was logged before is written.
#[test]
fn shuttle_a_flush_is_answered_and_tells_the_truth() {
    try_schedules(|| {
        let world = World::new(SMALLEST, false);
        let mut caller = world.caller(0);
        let (queue, written) = (world.queue.clone(), world.written.clone());
        let flushing = thread::spawn(move || {
            for _ in 0..2 {
                caller.log(8);
                let request = queue.request_flush();
                let done = queue.wait_for_answer(request, LONG).expect("an answer comes");
                let logged = caller.returned.lock().unwrap()[0] as u64;
                let dropped = queue.counters.dropped(DropReason::AfterShutdown, 0, Level::Info);
                if done {
                    assert_eq!(written.of(0).len() as u64 + dropped, logged, "flushed, and not all written");
                }
            }
        });
        let other = world.spawn(1, 1, 8);
        let ended = world.shut_down();
        join([flushing, other]);
        ended.check();
    });
}
