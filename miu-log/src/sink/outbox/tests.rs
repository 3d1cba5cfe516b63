//! Tests of the outbox against a destination that the test speaks for, by a clock that it turns.

mod faults;
mod pauses;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::super::tests::{entry, held};
use std::time::Duration;

use super::deliver::DeliverError;
use super::fallback::Counts;
use super::*;
use crate::clock::ManualTime;
use crate::level::Level;
use crate::record::RecordId;
use crate::sink::{CircuitState, Entry, Held};
use crate::sync::Ordering;

const SECOND: u64 = 1_000_000_000;

/// What a destination says to the attempts to come.
type Answer = Box<dyn FnMut(&[String]) -> Result<(), DeliverError> + Send>;

/// A destination that a test speaks for.
#[derive(Default)]
struct Peer {
    /// What it was offered, batch by batch, and what it took.
    offered: Vec<Vec<String>>,
    arrived: Vec<String>,
    answers: VecDeque<Result<(), DeliverError>>,
    always: Option<Answer>,
}

#[derive(Clone, Default)]
struct Destination(Arc<Mutex<Peer>>);

impl Deliver for Destination {
    fn deliver(&mut self, batch: &Batch<'_>, _timeouts: Timeouts) -> Result<(), DeliverError> {
        let lines: Vec<String> =
            batch.iter().map(|line| String::from_utf8_lossy(line.as_bytes()).trim_end().to_owned()).collect();
        let mut peer = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        peer.offered.push(lines.clone());
        let answer = match (peer.answers.pop_front(), &mut peer.always) {
            (Some(answer), _) => answer,
            (None, Some(always)) => always(&lines),
            (None, None) => Ok(()),
        };
        let taken = answer.as_ref().map_or_else(|error| error.delivered, |()| lines.len());
        peer.arrived.extend(lines[..taken].iter().cloned());
        answer
    }
}

impl Destination {
    fn peer<T>(&self, look: impl FnOnce(&mut Peer) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    fn answer(&self, answers: impl IntoIterator<Item = Result<(), DeliverError>>) {
        self.peer(|peer| peer.answers.extend(answers));
    }

    fn always(&self, answer: impl FnMut(&[String]) -> Result<(), DeliverError> + Send + 'static) {
        self.peer(|peer| peer.always = Some(Box::new(answer)));
    }

    fn arrived(&self) -> Vec<String> {
        self.peer(|peer| peer.arrived.clone())
    }

    fn attempts(&self) -> usize {
        self.peer(|peer| peer.offered.len())
    }
}

/// Both sides; the queue between them is passed at once.
struct Stage {
    intake: Intake,
    courier: Courier,
    time: Arc<ManualTime>,
    destination: Destination,
}

impl Stage {
    /// Batches of at most four records, seven seconds old; pauses are as long as they can be; nothing can be shown on stderr.
    fn new(folder: Option<&Path>, limit: u64) -> Stage {
        Stage::at(0, folder, limit)
    }

    /// The same, that many seconds after the beginning of all time.
    fn at(seconds: u64, folder: Option<&Path>, limit: u64) -> Stage {
        let (time, destination) = (Arc::new(ManualTime::default()), Destination::default());
        time.now.store(seconds * SECOND, Ordering::Relaxed);
        let options = Options {
            batching: Batching {
                records: 4,
                most: 4,
                bytes: 1000,
                age: Duration::from_secs(7),
                interval: Duration::ZERO,
            },
            backoff: Backoff { retries: 5, first: Duration::from_secs(1), longest: Duration::from_secs(60) },
            flush_wait: Duration::from_secs(60),
            timeouts: Timeouts::new(Duration::from_secs(10), Duration::from_secs(15)),
            spool: folder.map(|folder| (folder.to_owned(), limit)),
            is_durable: true,
        };
        let (intake, courier) = sides(
            "far",
            options,
            Box::new(destination.clone()),
            vec!["app".to_owned()],
            Fallback::new(None, |line| line.starts_with(b"shown")),
            Clock::Manual(time.clone()),
            Box::new(|| u64::MAX),
        );
        Stage { intake, courier, time, destination }
    }

    fn log(&mut self, lines: &[&str]) {
        self.take(&held(lines));
    }

    fn take(&mut self, held: &Held) {
        let domains = ["app".to_owned()];
        let batch = held.batch(&domains);
        let (taken, _) = self.intake.take(&batch);
        if taken < batch.len() {
            self.courier.write(&Batch { entries: &batch.entries[taken..], ..batch }).unwrap();
        }
    }

    fn in_memory(&self) -> u64 {
        self.intake.memory.lines().waiting().records
    }

    fn health(&self) -> Health {
        let pending = self.intake.appender.as_ref().map_or(0, |it| it.shared().pending());
        let health = self.courier.told_health();
        Health { waiting: health.waiting + self.in_memory() + pending, ..health }
    }

    fn pass(&self, seconds: u64) {
        self.time.now.fetch_add(seconds * SECOND, Ordering::Relaxed);
    }

    /// Lets it work as its thread does, until it wants to rest; for how long it wants to.
    fn run(&mut self) -> Option<u64> {
        loop {
            match self.courier.rest() {
                Some(rest) if rest.is_zero() => self.courier.tick().unwrap(),
                rest => return rest.map(|rest| rest.as_secs()),
            }
        }
    }
}

fn busy() -> Result<(), DeliverError> {
    Err(DeliverError::retry("busy"))
}

#[test]
fn four_records_make_a_batch_at_once_and_fewer_after_seven_seconds() {
    let folder = tempfile::tempdir().unwrap();
    for folder in [Some(folder.path()), None] {
        let mut stage = Stage::new(folder, 1 << 20);
        assert_eq!(stage.run(), None);
        stage.log(&["a", "b", "c", "d", "e"]);
        assert_eq!(stage.run(), Some(7));
        assert_eq!(stage.destination.arrived(), ["a", "b", "c", "d"]);
        stage.pass(6);
        assert_eq!((stage.run(), stage.destination.attempts()), (Some(1), 1));
        stage.pass(1);
        assert_eq!(stage.run(), None);
        assert_eq!(stage.destination.arrived(), ["a", "b", "c", "d", "e"]);
        assert_eq!((stage.health().waiting, stage.health().errors, stage.health().failing), (0, 0, false));
    }
}

#[test]
fn after_five_retries_with_growing_pauses_it_is_left_alone_and_then_tried_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(Some(folder.path()), 1 << 20);
    stage.destination.always(|_| busy());
    stage.log(&["a", "b", "c", "d"]);
    let mut pauses = Vec::new();
    let mut passed = 0;
    while passed <= 300 {
        let rest = stage.run().unwrap();
        pauses.push(rest);
        passed += rest;
        stage.pass(rest);
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 60, 120, 240]);
    let health = stage.health();
    assert_eq!((health.waiting, health.errors, health.retries, health.failing), (4, 9, 5, true));
    assert_eq!(health.remote.unwrap().circuit, CircuitState::Open);
    stage.destination.peer(|peer| peer.always = None);
    stage.log(&["e", "f", "g", "h"]);
    assert_eq!(stage.run(), None);
    assert_eq!(stage.destination.arrived(), ["a", "b", "c", "d", "e", "f", "g", "h"]);
    assert_eq!((stage.health().waiting, stage.health().failing), (0, false));
}

#[test]
fn what_has_arrived_of_a_batch_that_failed_is_not_offered_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(Some(folder.path()), 1 << 20);
    stage.destination.answer([Err(DeliverError::retry("lost").delivered(3))]);
    stage.log(&["a", "b", "c", "d"]);
    assert_eq!(stage.run(), Some(1));
    drop((stage.intake, stage.courier));
    let mut next = Stage::new(Some(folder.path()), 1 << 20);
    next.pass(7);
    assert_eq!(next.run(), None);
    assert_eq!(next.destination.arrived(), ["d"]);
}

#[test]
fn an_outage_is_caught_up_in_order_after_a_restart_with_the_same_ids() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(Some(folder.path()), 1 << 20);
    stage.destination.always(|_| busy());
    let lines: Vec<String> = (0..1000).map(|number| format!("line {number}")).collect();
    for (sequence, line) in lines.iter().enumerate() {
        let mut one = Held::default();
        let id = RecordId { source: 3, sequence: sequence as u64 };
        one.push(line.as_bytes(), Entry { id, ..entry(Level::Error) });
        stage.take(&one);
        stage.pass(1);
        stage.run();
    }
    assert_eq!(stage.destination.arrived(), [""; 0]);
    assert!(stage.destination.attempts() < 15, "{}", stage.destination.attempts());
    // Nothing is said to it: the process is gone.
    std::mem::forget(stage.courier);
    // But for the lock, which the system takes back.
    drop(stage.intake);
    let mut next = Stage::new(Some(folder.path()), 1 << 20);
    next.log(&["new"]);
    next.courier.take();
    let ids = next.courier.current.as_ref().unwrap().held.entries.iter().map(|entry| entry.id.sequence);
    assert_eq!(ids.collect::<Vec<_>>(), [0, 1, 2, 3]);
    next.pass(7);
    assert_eq!(next.run(), None);
    let arrived = next.destination.arrived();
    assert_eq!((&arrived[..1000], &*arrived[1000]), (&lines[..], "new"));
}

#[test]
fn a_poisonous_record_is_found_and_all_others_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(Some(folder.path()), 1 << 20);
    stage.destination.always(|lines| match lines.iter().any(|line| line.starts_with("bad")) {
        true => Err(DeliverError::refused("400 bad request")),
        false => Ok(()),
    });
    stage.log(&["a", "bad 1", "b", "c", "d", "bad 2", "bad 3", "e"]);
    assert_eq!(stage.run(), None);
    assert_eq!(stage.destination.arrived(), ["a", "b", "c", "d", "e"]);
    let health = stage.health();
    assert_eq!((health.dead_letters, health.lost, health.waiting), (3, 0, 0));
    let dead = std::fs::read_to_string(folder.path().join("dead-letters")).unwrap();
    let lines: Vec<&str> = dead.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines, ["bad 1", "bad 2", "bad 3"]);
    assert!(dead.contains(" app INFO: 400 bad request\nbad 1\n"), "{dead}");
}

#[test]
fn a_deliverer_that_panics_on_a_record_loses_that_one_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(Some(folder.path()), 1 << 20);
    stage.destination.always(|lines| {
        if lines.contains(&"bad".to_owned()) {
            std::panic::resume_unwind(Box::new("moody"));
        }
        Ok(())
    });
    stage.log(&["a", "bad", "b", "c"]);
    while let Some(rest) = stage.run() {
        stage.pass(rest);
    }
    assert_eq!(stage.health().dead_letters, 1);
    stage.destination.0.clear_poison();
    assert_eq!(stage.destination.arrived(), ["a", "b", "c"]);
}

#[test]
fn without_a_spool_what_fails_for_good_goes_elsewhere_and_is_counted() {
    let mut stage = Stage::new(None, 0);
    stage.destination.always(|_| busy());
    stage.log(&["shown", "shown", "x", "shown"]);
    for pause in [1, 2, 4, 8, 16] {
        assert_eq!(stage.run(), Some(pause));
        stage.pass(pause);
    }
    // Then it is reached for, which says nothing here.
    assert_eq!(stage.run(), Some(30));
    assert_eq!(stage.courier.kit.fallback.counts, Counts { console: 0, stderr: 3, lost: 1 });
    let health = stage.health();
    assert_eq!((health.to_stderr, health.lost, health.waiting), (3, 1, 0));
}

#[test]
fn a_full_spool_goes_on_in_bounded_memory_and_then_elsewhere_and_order_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(Some(folder.path()), 4000);
    stage.destination.always(|_| busy());
    let long = "x".repeat(1 << 20);
    let mut lines: Vec<String> = (0..100).map(|number| format!("{number}")).collect();
    lines.extend((0..6).map(|number| format!("{number}{long}")));
    for line in &lines {
        stage.log(&[line]);
    }
    let health = stage.health();
    assert_eq!(health.waiting + health.lost, 106);
    assert!((2..=4).contains(&health.lost), "{health:?}");
    let lost = health.lost as usize;
    stage.destination.peer(|peer| peer.always = None);
    stage.pass(7);
    while let Some(rest) = stage.run() {
        stage.pass(rest);
    }
    assert_eq!(stage.destination.arrived(), lines[..106 - lost]);
    // There is room again, on disk.
    stage.log(&["again"]);
    assert_eq!((stage.in_memory(), stage.health().waiting), (0, 1));
}

#[test]
fn a_destination_that_is_off_is_asked_no_more_until_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(Some(folder.path()), 1 << 20);
    stage.destination.always(|_| Err(DeliverError::off("401 unauthorized")));
    stage.log(&["a", "b", "c", "d"]);
    stage.log(&["e", "f", "g", "h"]);
    assert_eq!(stage.run(), None);
    stage.pass(100_000);
    assert_eq!((stage.run(), stage.destination.attempts()), (None, 1));
    assert_eq!((stage.health().waiting, stage.health().failing), (8, true));
    assert_eq!(stage.health().remote.unwrap().circuit, CircuitState::Off);
    drop((stage.intake, stage.courier));
    let mut next = Stage::new(Some(folder.path()), 1 << 20);
    assert_eq!(next.run(), None);
    assert_eq!(next.destination.arrived().len(), 8);
}

#[test]
fn the_end_tries_once_more_and_leaves_the_rest_in_the_spool() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(Some(folder.path()), 1 << 20);
    stage.destination.answer([busy(), Ok(()), busy()]);
    stage.log(&["a", "b", "c", "d", "e"]);
    assert_eq!(stage.run(), Some(1));
    stage.courier.close(Instant::now() + Duration::from_secs(60)).unwrap();
    assert_eq!((stage.destination.arrived().len(), stage.destination.attempts()), (4, 3));
    assert_eq!((stage.health().waiting, stage.health().lost), (1, 0));
    drop((stage.intake, stage.courier));
    let mut next = Stage::new(Some(folder.path()), 1 << 20);
    next.pass(7);
    next.run();
    assert_eq!(next.destination.arrived(), ["e"]);
}

#[test]
fn a_flush_delivers_what_there_is_without_waiting_for_more() {
    let mut stage = Stage::new(None, 0);
    stage.log(&["a"]);
    stage.courier.flush().unwrap();
    assert_eq!(stage.destination.arrived(), ["a"]);
    stage.log(&["b"]);
    assert_eq!(stage.run(), Some(7));
}

#[test]
fn a_destination_is_reached_for_before_there_is_anything_for_it_and_what_is_wrong_is_told() {
    struct Wrong(Option<DeliverError>);
    impl Deliver for Wrong {
        fn deliver(&mut self, _batch: &Batch<'_>, _timeouts: Timeouts) -> Result<(), DeliverError> {
            Ok(())
        }
        fn connect(&mut self, _timeouts: Timeouts) -> Result<(), DeliverError> {
            self.0.take().map_or(Ok(()), Err)
        }
    }
    for (error, circuit) in [
        (DeliverError::retry("not there"), CircuitState::Closed),
        (DeliverError::off("no such user"), CircuitState::Off),
    ] {
        let mut stage = Stage::new(None, 0);
        stage.courier.kit.deliverer = Box::new(Wrong(Some(error)));
        let again = (circuit == CircuitState::Closed).then_some(1);
        assert_eq!(stage.run(), again);
        let health = stage.health();
        assert_eq!((health.errors, health.failing, health.remote.unwrap().circuit), (1, true, circuit));
        stage.log(&["shown", "shown", "shown", "shown"]);
        stage.run();
        let arrives = circuit == CircuitState::Closed;
        assert_eq!(stage.health().remote.unwrap().delivered, if arrives { 4 } else { 0 });
        assert_eq!(
            (stage.health().failing, stage.health().to_stderr),
            (!arrives, if arrives { 0 } else { 4 })
        );
    }
}

#[test]
fn more_than_a_batch_goes_at_once_where_it_waits_and_people_see_what_is_shown() {
    struct Rows(Arc<Mutex<Vec<usize>>>);
    impl Deliver for Rows {
        fn deliver(&mut self, batch: &Batch<'_>, _timeouts: Timeouts) -> Result<(), DeliverError> {
            self.0.lock().unwrap().push(batch.len());
            if batch.len() == 1 { Err(DeliverError::refused("no")) } else { Ok(()) }
        }
        fn show<'a>(&self, line: &crate::sink::Line<'a>) -> std::borrow::Cow<'a, [u8]> {
            [b"shown ", line.as_bytes()].concat().into()
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(Some(folder.path()), 1 << 20);
    let sizes = Arc::default();
    stage.courier.kit.deliverer = Box::new(Rows(Arc::clone(&sizes)));
    stage.courier.kit.options.batching.most = 10;
    stage.run();
    stage.log(&["a"; 23]);
    assert_eq!(stage.run(), Some(7));
    stage.pass(7);
    stage.run();
    stage.log(&["last"]);
    stage.pass(7);
    stage.run();
    assert_eq!(*sizes.lock().unwrap(), [10, 10, 3, 1]);
    let dead = std::fs::read_to_string(folder.path().join("dead-letters")).unwrap();
    assert!(dead.ends_with("no\nshown last\n"), "{dead}");
}

#[test]
fn the_thread_is_woken_for_what_changes_its_rest_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(Some(folder.path()), 1 << 20);
    let one = held(&["a"]);
    let domains = ["app".to_owned()];
    let wakes: Vec<bool> = (0..6).map(|_| stage.intake.take(&one.batch(&domains)).1).collect();
    assert_eq!(wakes, [true, false, false, true, false, false]);
}

#[test]
fn what_comes_within_an_interval_makes_one_batch() {
    let mut stage = Stage::new(None, 0);
    stage.courier.kit.options.batching = Batching {
        records: 1000,
        most: 1000,
        bytes: 100_000,
        age: Duration::from_secs(5),
        interval: Duration::from_secs(20),
    };
    stage.run();
    for _ in 0..60 {
        stage.log(&["a"; 10]);
        stage.pass(1);
        stage.run();
    }
    let sizes = stage.destination.peer(|peer| peer.offered.iter().map(Vec::len).collect::<Vec<_>>());
    assert_eq!(sizes, [50, 200, 200]);
}

#[test]
fn an_attempt_that_hangs_is_seen_in_the_counters() {
    struct Looks(Report, Arc<Mutex<Vec<Health>>>);
    impl Deliver for Looks {
        fn deliver(&mut self, _batch: &Batch<'_>, _timeouts: Timeouts) -> Result<(), DeliverError> {
            self.1.lock().unwrap().push(self.0.health().0);
            Err(DeliverError::retry("not now"))
        }
    }
    let mut stage = Stage::new(None, 0);
    let seen = Arc::default();
    stage.courier.kit.deliverer = Box::new(Looks(stage.intake.report.clone(), Arc::clone(&seen)));
    stage.run();
    stage.log(&["a", "b", "c", "d"]);
    stage.run();
    let seen = seen.lock().unwrap();
    assert_eq!((seen[0].waiting, seen[0].remote.unwrap().oldest), (4, Some(0)));
    assert_eq!(stage.intake.report.fault().as_deref(), Some("not now"));
}

#[test]
fn a_spool_that_somebody_removes_is_made_anew_and_what_was_in_it_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox");
    let mut stage = Stage::new(Some(&path), 1 << 20);
    stage.run();
    stage.log(&["a", "b"]);
    std::fs::remove_dir_all(&path).unwrap();
    stage.log(&["c"]);
    let shared = Arc::clone(stage.intake.appender.as_ref().unwrap().shared());
    assert_eq!((shared.removed(), shared.pending()), (2, 1));
    stage.log(&["d", "e", "f"]);
    assert_eq!(stage.run(), None);
    assert_eq!(stage.destination.arrived(), ["c", "d", "e", "f"]);
    stage.log(&["g"]);
    drop((stage.intake, stage.courier));
    let mut next = Stage::new(Some(&path), 1 << 20);
    next.pass(7);
    next.run();
    assert_eq!(next.destination.arrived(), ["g"]);
}

#[test]
fn a_spool_belongs_to_one_program_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut one = Stage::new(Some(folder.path()), 1 << 20);
    let mut other = Stage::new(Some(folder.path()), 1 << 20);
    assert!(other.intake.appender.is_none());
    one.log(&["a", "b", "c", "d"]);
    other.log(&["e", "f", "g", "h"]);
    other.run();
    assert_eq!(other.destination.arrived(), ["e", "f", "g", "h"]);
    // The listener's side gives it back, whatever the other still does.
    drop(one.intake);
    assert!(Stage::new(Some(folder.path()), 1 << 20).intake.appender.is_some());
}
