//! Tests of the outbox against a destination that the test speaks for, by a clock that it turns.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};

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
fn a_destination_for_which_it_is_too_much_at_once_gets_less_of_it_and_then_more_again() {
    let folder = tempfile::tempdir().unwrap();
    for folder in [Some(folder.path()), None] {
        let mut stage = Stage::new(folder, 1 << 20);
        stage.courier.kit.options.batching.most = 64;
        let mut arrived = 0;
        stage.destination.always(move |lines| {
            // Slow at first.
            if lines.len() > if arrived < 60 { 3 } else { 64 } {
                return Err(DeliverError::retry("timed out").smaller());
            }
            arrived += lines.len();
            Ok(())
        });
        let lines: Vec<String> = (0..200).map(|number| format!("{number}")).collect();
        stage.log(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let mut passed = 0;
        while let Some(rest) = stage.run() {
            passed += rest;
            stage.pass(rest);
        }
        assert_eq!(stage.destination.arrived(), lines);
        let sizes = stage.destination.peer(|peer| peer.offered.iter().map(Vec::len).collect::<Vec<_>>());
        assert_eq!(sizes[..11], [64, 32, 16, 8, 4, 2, 2, 2, 2, 4, 2], "{sizes:?}");
        assert!(sizes.ends_with(&[16, 32]) || sizes[30..].contains(&16), "{sizes:?}");
        let health = stage.health();
        assert_eq!((health.dead_letters, health.lost, health.to_stderr, health.failing), (0, 0, 0, false));
        assert!(passed < 100, "{passed}");
    }
}

#[test]
fn a_single_record_that_takes_too_long_is_left_alone_like_any_other_and_never_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(Some(folder.path()), 1 << 20);
    stage.destination.always(|_| Err(DeliverError::retry("timed out").smaller()));
    stage.log(&["a", "b", "c", "d"]);
    let mut pauses = Vec::new();
    while pauses.len() < 12 {
        let rest = stage.run().unwrap();
        pauses.push(rest);
        stage.pass(rest);
    }
    // Twice it got less; then the five retries of a record.
    assert_eq!(pauses, [1, 2, 1, 2, 4, 8, 16, 30, 60, 120, 240, 300]);
    let sizes = stage.destination.peer(|peer| peer.offered.iter().map(Vec::len).collect::<Vec<_>>());
    assert_eq!(sizes, [4, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
    assert_eq!((stage.health().dead_letters, stage.health().waiting), (0, 4));
    drop((stage.intake, stage.courier));
    // The next start finds its way down by itself.
    let mut next = Stage::new(Some(folder.path()), 1 << 20);
    next.destination.always(|lines| match lines.len() {
        1 => Ok(()),
        _ => Err(DeliverError::retry("timed out").smaller()),
    });
    next.pass(7);
    while let Some(rest) = next.run() {
        next.pass(rest);
    }
    assert_eq!(next.destination.arrived(), ["a", "b", "c", "d"]);
}

#[test]
fn what_a_destination_asks_for_is_waited_for() {
    let mut stage = Stage::new(None, 0);
    stage.destination.answer([Err(DeliverError::retry_after("slow down", Duration::from_secs(42)))]);
    stage.log(&["a", "b", "c", "d"]);
    assert_eq!(stage.run(), Some(42));
    stage.pass(41);
    assert_eq!((stage.run(), stage.destination.attempts()), (Some(1), 1));
    stage.pass(1);
    assert_eq!((stage.run(), stage.destination.attempts()), (None, 2));
}

#[test]
fn what_a_destination_asks_for_counts_up_to_an_hour_also_where_it_is_left_alone() {
    for (asked, waited) in [(7, 30), (77, 77), (1_000_000, 3600)] {
        let mut stage = Stage::new(None, 0);
        stage.courier.kit.options.backoff.retries = 0;
        stage.destination.answer([Err(DeliverError::retry_after("slow down", Duration::from_secs(asked)))]);
        stage.log(&["shown", "shown", "shown", "shown"]);
        assert_eq!(stage.run(), Some(waited));
        stage.log(&["a", "b", "c", "d"]);
        assert_eq!(stage.run(), Some(waited));
    }
}

#[test]
fn a_pause_that_was_asked_for_holds_for_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::at(1000, Some(folder.path()), 1 << 20);
    stage.destination.answer([Err(DeliverError::retry_after("slow down", Duration::from_secs(60)))]);
    stage.log(&["a", "b", "c", "d"]);
    assert_eq!(stage.run(), Some(60));
    drop((stage.intake, stage.courier));

    let mut next = Stage::at(1020, Some(folder.path()), 1 << 20);
    next.log(&["e", "f", "g", "h"]);
    assert_eq!(next.run(), Some(40));
    assert!(next.courier.rest().is_some() && !next.courier.has_connected, "it is not even reached for");
    next.courier.close(Instant::now() + Duration::from_secs(60)).unwrap();
    assert_eq!((next.destination.attempts(), next.health().failing), (0, true));
    drop((next.intake, next.courier));

    let mut last = Stage::at(1050, Some(folder.path()), 1 << 20);
    assert_eq!(last.run(), Some(10));
    last.pass(10);
    assert_eq!(last.run(), None);
    assert_eq!(last.destination.arrived(), ["a", "b", "c", "d", "e", "f", "g", "h"]);
    assert!(!last.health().failing && !folder.path().join("pause").exists());
}

#[test]
fn a_pause_from_a_time_that_is_to_come_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::at(1000, Some(folder.path()), 1 << 20);
    stage.destination.answer([Err(DeliverError::retry_after("slow down", Duration::from_secs(60)))]);
    stage.log(&["a", "b", "c", "d"]);
    stage.run();
    drop((stage.intake, stage.courier));
    let mut next = Stage::at(10, Some(folder.path()), 1 << 20);
    next.run();
    assert_eq!(next.destination.arrived().len(), 4);
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
fn the_end_keeps_to_what_was_asked_for_and_to_no_pause_of_ours() {
    for (answer, attempts) in [
        (DeliverError::retry_after("slow down", Duration::from_secs(60)), 1),
        (DeliverError::retry("busy"), 2),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut stage = Stage::new(Some(folder.path()), 1 << 20);
        stage.destination.answer([Err(answer)]);
        stage.log(&["a", "b", "c", "d"]);
        stage.run();
        stage.courier.close(Instant::now() + Duration::from_secs(60)).unwrap();
        assert_eq!(stage.destination.attempts(), attempts);
    }
    // A circuit that is open is tried once more as well.
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(Some(folder.path()), 1 << 20);
    stage.destination.always(|_| busy());
    stage.log(&["e", "f", "g", "h"]);
    while stage.courier.told_health().remote.unwrap().circuit == CircuitState::Closed {
        stage.pass(16);
        stage.run();
    }
    stage.destination.peer(|peer| peer.always = None);
    stage.courier.close(Instant::now() + Duration::from_secs(60)).unwrap();
    assert_eq!((stage.destination.arrived().len(), stage.health().waiting), (4, 0));
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

#[test]
fn a_spool_that_could_not_be_written_to_is_used_again_and_what_waited_in_memory_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox");
    let mut stage = Stage::new(Some(&path), 1 << 20);
    stage.destination.always(|_| busy());
    stage.run();
    std::fs::remove_dir_all(&path).unwrap();
    std::fs::write(&path, "in its way").unwrap();
    stage.log(&["a", "b"]);
    stage.log(&["c"]);
    assert_eq!((stage.in_memory(), stage.health().waiting), (3, 3));
    // Told in a counter, and not tried again for each record.
    assert_eq!(stage.intake.errors, 1);
    std::fs::remove_file(&path).unwrap();
    stage.pass(1);
    stage.log(&["d"]);
    assert_eq!((stage.in_memory(), stage.health().waiting), (0, 4));
    stage.run();
    std::mem::forget(stage.courier);
    drop(stage.intake);
    let mut next = Stage::new(Some(&path), 1 << 20);
    next.run();
    assert_eq!(next.destination.arrived(), ["a", "b", "c", "d"]);
}

#[test]
fn a_spool_that_was_full_takes_again_what_it_has_room_for_while_it_is_caught_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(Some(folder.path()), 4000);
    stage.courier.kit.options.backoff.retries = u32::MAX;
    let lines: Vec<String> = (0..120).map(|number| format!("{number}")).collect();
    stage.destination.always(|_| busy());
    for line in &lines[..100] {
        stage.log(&[line]);
    }
    let before = stage.in_memory();
    assert!(before > 0);
    stage.destination.answer((0..10).map(|_| Ok(())));
    stage.run();
    assert_eq!(stage.destination.arrived().len(), 40);
    assert_eq!(stage.in_memory(), before);
    // Without a record as well: the listener looks once a second.
    stage.intake.tick();
    assert_eq!(stage.in_memory(), 0);
    for line in &lines[100..] {
        stage.log(&[line]);
    }
    assert_eq!(stage.in_memory(), 0);
    stage.destination.peer(|peer| peer.always = None);
    while let Some(rest) = stage.run() {
        stage.pass(rest);
    }
    assert_eq!(stage.destination.arrived(), lines);
}

/// Hangs until it is let go on, and says when it is called and dropped.
struct Hangs {
    called: mpsc::Sender<()>,
    go_on: mpsc::Receiver<()>,
    _dropped: mpsc::Sender<()>,
}

impl Deliver for Hangs {
    fn deliver(&mut self, _batch: &Batch<'_>, _timeouts: Timeouts) -> Result<(), DeliverError> {
        self.called.send(()).unwrap();
        let _ = self.go_on.recv();
        Ok(())
    }
}

#[test]
fn what_is_in_memory_when_the_thread_is_left_behind_is_lost_and_counted_whatever_it_does_later() {
    let folder = tempfile::tempdir().unwrap();
    for spool in [None, Some((folder.path().to_owned(), 2000))] {
        let has_spool = spool.is_some();
        let ((called, calls), (let_go, go_on)) = (mpsc::channel(), mpsc::channel());
        let (dropped, is_dropped) = mpsc::channel();
        let options = Options { spool, ..Stage::new(None, 0).courier.kit.options };
        let domains = vec!["app".to_owned()];
        let hangs = Hangs { called, go_on, _dropped: dropped };
        let mut outbox = Outbox::new("far", options, Box::new(hangs), domains.clone(), None).unwrap();
        let log = |outbox: &mut Outbox, count: u64| {
            for _ in 0..count {
                outbox.write(&held(&["a line"]).batch(&domains)).unwrap();
            }
        };
        log(&mut outbox, 4);
        calls.recv().unwrap();
        log(&mut outbox, 96);
        let health = outbox.health();
        assert_eq!((health.waiting, health.lost), (100, 0));
        let error = outbox.close(Instant::now() + Duration::from_millis(10)).unwrap_err().to_string();
        let (health, in_spool) = (outbox.health(), outbox.spool.as_ref().map_or(0, |it| it.pending()));
        assert_eq!((health.waiting, health.lost, outbox.lost()), (in_spool, 100 - in_spool, 100 - in_spool));
        assert_eq!(in_spool > 0, has_spool);
        let text = format!("{} records could not be handed over before the deadline", 100 - in_spool);
        assert!(error.starts_with(&text), "{error}");
        // It comes back after all.
        let_go.send(()).unwrap();
        drop(let_go);
        assert!(is_dropped.recv().is_err());
        assert_eq!(outbox.health(), health);
        assert_eq!(health.remote.unwrap().delivered + health.to_stderr, 0);
    }
}

#[test]
fn a_deliverer_that_panics_with_every_record_is_left_alone_and_its_records_are_not_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(Some(folder.path()), 1 << 20);
    stage.destination.always(|_| std::panic::resume_unwind(Box::new("connection refused")));
    let lines: Vec<String> = (0..40).map(|number| format!("{number}")).collect();
    stage.log(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let mut passed = 0;
    while passed < 300 {
        let rest = stage.run().unwrap();
        passed += rest;
        stage.pass(rest);
        stage.destination.0.clear_poison();
    }
    let health = stage.health();
    assert_eq!((health.dead_letters, health.waiting, health.failing), (1, 39, true));
    assert_eq!(health.remote.unwrap().circuit, CircuitState::Open);
    assert!(stage.destination.attempts() < 15, "{}", stage.destination.attempts());
    stage.destination.peer(|peer| peer.always = None);
    while let Some(rest) = stage.run() {
        stage.pass(rest);
    }
    assert_eq!(stage.destination.arrived(), lines[1..]);
    assert!(!stage.health().failing);
}

#[test]
fn records_one_behind_the_other_that_make_a_deliverer_panic_do_not_stop_the_others_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(Some(folder.path()), 1 << 20);
    stage.destination.always(|lines| {
        if lines.iter().any(|line| line.starts_with("bad")) {
            std::panic::resume_unwind(Box::new("moody"));
        }
        Ok(())
    });
    stage.log(&["a", "bad 1", "bad 2", "bad 3", "b", "c", "bad 4", "d"]);
    while let Some(rest) = stage.run() {
        stage.pass(rest);
        stage.destination.0.clear_poison();
    }
    stage.destination.0.clear_poison();
    assert_eq!(stage.destination.arrived(), ["a", "b", "c", "d"]);
    assert_eq!((stage.health().dead_letters, stage.health().waiting), (4, 0));
}

/// Takes what it gets, and is reached, while it is up.
struct Reached(Arc<Mutex<bool>>);

impl Deliver for Reached {
    fn deliver(&mut self, _batch: &Batch<'_>, timeouts: Timeouts) -> Result<(), DeliverError> {
        self.connect(timeouts)
    }

    fn connect(&mut self, _timeouts: Timeouts) -> Result<(), DeliverError> {
        if *self.0.lock().unwrap() { Ok(()) } else { busy() }
    }
}

#[test]
fn a_fault_is_over_without_a_record_when_the_destination_is_reached_again() {
    let is_up = Arc::new(Mutex::new(false));
    let mut stage = Stage::new(None, 0);
    stage.courier.kit.deliverer = Box::new(Reached(Arc::clone(&is_up)));
    // At the start.
    for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!((stage.run(), stage.health().failing), (Some(pause), true));
        stage.pass(pause);
    }
    *is_up.lock().unwrap() = true;
    assert_eq!((stage.run(), stage.health().failing), (None, false));
    assert_eq!(stage.intake.report.fault(), None);
    // After a batch that was given away.
    *is_up.lock().unwrap() = false;
    stage.log(&["shown", "shown", "shown", "shown"]);
    for pause in [1, 2, 4, 8, 16, 30, 60] {
        assert_eq!(stage.run(), Some(pause));
        stage.pass(pause);
    }
    assert_eq!((stage.run(), stage.health().to_stderr), (Some(120), 4));
    assert_eq!(stage.health().remote.unwrap().circuit, CircuitState::Open);
    *is_up.lock().unwrap() = true;
    stage.pass(120);
    assert_eq!((stage.run(), stage.health().failing), (None, false));
    assert_eq!(stage.health().remote.unwrap().circuit, CircuitState::Closed);
}
