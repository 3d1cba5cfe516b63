//! Workers that hang, come back, end properly or die: what the log and `on_worker` say about them, and when.
// M-22, M-37, M-38, M-47, M-43, C9, F50

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use miu_log::testing::ManualListener;
use miu_log::{ExitCause, Level, WorkerEvent, WorkerEventKind};
use miu_log_tests::{Entry, Place, logs, wait_until};

use crate::puppet::{Puppet, with_text};

/// How often a worker checks in by default.
const HEARTBEAT: Duration = Duration::from_secs(60);
const MILLISECOND: Duration = Duration::from_millis(1);

/// A repository of this process whose listener and clock are worked by hand.
struct Watched {
    listener: ManualListener,
    repo: logs::Repository,
    place: Place,
    events: Arc<Mutex<Vec<WorkerEvent>>>,
}

impl Watched {
    fn new() -> Watched {
        let place = Place::new();
        let listener = ManualListener::new();
        listener.set_unix_time(Duration::from_secs(1_763_640_000));
        let events = Arc::new(Mutex::new(Vec::new()));
        let told = events.clone();
        let config = place
            .config()
            .manual_listener(&listener)
            .on_worker(move |event: &WorkerEvent| told.lock().unwrap().push(event.clone()));
        let repo = logs::Repository::open(config).unwrap();
        Watched { listener, repo, place, events }
    }

    /// A worker that the listener knows.
    fn worker(&self) -> Puppet {
        let worker = Puppet::worker(&self.place, &self.repo.queue());
        self.listener.step();
        assert!(self.kinds(&worker).contains(&WorkerEventKind::Joined));
        worker
    }

    /// What was told of a worker, in order.
    fn kinds(&self, worker: &Puppet) -> Vec<WorkerEventKind> {
        let events = self.events.lock().unwrap();
        let own = events.iter().filter(|event| event.process_id == worker.id());
        own.inspect(|event| assert_eq!(event.name, format!("Worker-{}", worker.id())))
            .map(|event| event.kind)
            .collect()
    }

    /// Records of the first domain that speak of a worker.
    fn said_of(&self, worker: &Puppet) -> Vec<Entry> {
        let name = format!("Worker Worker-{} ", worker.id());
        with_text(&self.place.entries("app.log"), &name).into_iter().cloned().collect()
    }

    /// Steps until the listener has told so many things of a worker.
    fn step_until(&self, worker: &Puppet, told: usize) {
        wait_until("the listener has seen it", || {
            self.listener.step();
            self.kinds(worker).len() >= told
        });
    }
}

#[test]
fn a_worker_that_hangs_is_reported_once_when_it_is_a_second_late_and_once_more_when_it_is_back() {
    // M-37, M-38, F50
    let watched = Watched::new();
    let worker = watched.worker();
    worker.freeze();
    watched.listener.advance(HEARTBEAT + Duration::from_secs(1) - MILLISECOND);
    watched.listener.step();
    assert_eq!(watched.said_of(&worker), [], "at +0.999 s it is not late");
    watched.listener.advance(2 * MILLISECOND);
    watched.listener.step();
    let said = watched.said_of(&worker);
    let [warning] = &said[..] else { panic!("at +1.001 s it is late: {said:?}") };
    let text = format!("Worker Worker-{} appears dead", worker.id());
    assert_eq!((&*warning.level, &*warning.message), ("WARNING", &*text));
    // One warning an episode, however long it lasts.
    for _ in 0..5 {
        watched.listener.advance(2 * HEARTBEAT);
        watched.listener.step();
    }
    assert_eq!(watched.said_of(&worker).len(), 1);
    worker.signal("CONT");
    watched.step_until(&worker, 3);
    let said = watched.said_of(&worker);
    let text = format!("Worker Worker-{} is back", worker.id());
    assert_eq!((said.len(), &*said[1].level, &*said[1].message), (2, "INFO", &*text));
    // Another episode is another warning.
    worker.freeze();
    watched.listener.advance(HEARTBEAT + Duration::from_secs(1) + HEARTBEAT / 2);
    watched.listener.step();
    assert_eq!(watched.said_of(&worker).len(), 3);
    worker.signal("CONT");
    watched.step_until(&worker, 5);
    use WorkerEventKind::{AppearsDead, Back, Joined, Left};
    assert!(worker_ends(&watched, worker).ends_with(&[Joined, AppearsDead, Back, AppearsDead, Back, Left]));
}

/// Has a worker return from `main`; what was told of it in all.
fn worker_ends(watched: &Watched, mut worker: Puppet) -> Vec<WorkerEventKind> {
    let before = watched.kinds(&worker).len();
    worker.send("return");
    watched.step_until(&worker, before + 1);
    watched.kinds(&worker)
}

#[test]
fn a_worker_that_is_well_is_never_late() {
    // M-22
    let watched = Watched::new();
    let mut worker = watched.worker();
    let file = Path::new(&watched.repo.queue().endpoint().to_string()).join("member-2");
    let next_check_in = || std::fs::read(&file).unwrap()[32..40].to_owned();
    for number in 0..20 {
        let before = next_check_in();
        watched.listener.advance(HEARTBEAT / 2);
        wait_until("it has checked in", || next_check_in() != before);
        worker.make(&format!("log info {number}"));
        watched.listener.step();
    }
    assert_eq!(watched.kinds(&worker), [WorkerEventKind::Joined]);
    let times: Vec<String> = watched.place.entries("app.log").into_iter().map(|entry| entry.time).collect();
    assert!(times.is_sorted() && times[0] < times[19], "a worker has the listener's clock: {times:?}");
}

#[test]
fn a_worker_that_ends_properly_is_neither_dead_nor_died() {
    // M-47
    for way in ["shutdown", "drop", "return", "exit 3"] {
        let watched = Watched::new();
        let mut worker = watched.worker();
        worker.make("log info last words");
        match way {
            "shutdown" => {
                // It waits for its records to be written, as long as somebody steps.
                worker.send(way);
                let answer = std::cell::RefCell::new(None);
                wait_until("it has shut down", || {
                    watched.listener.step();
                    *answer.borrow_mut() = worker.try_answer();
                    answer.borrow().is_some()
                });
                assert_eq!(answer.into_inner().unwrap(), "written=1 dropped=0 abandoned=0");
            }
            "drop" => worker.make(way),
            _ => worker.send(way),
        }
        if ["shutdown", "drop"].contains(&way) {
            // It lives on without checking in: that is nobody's business any more.
            worker.freeze();
            watched.listener.advance(10 * HEARTBEAT);
            watched.listener.step();
            worker.signal("CONT");
            worker.send("return");
        }
        watched.step_until(&worker, 2);
        assert_eq!(watched.kinds(&worker), [WorkerEventKind::Joined, WorkerEventKind::Left], "{way}");
        assert_eq!(watched.said_of(&worker), [], "{way}");
        assert_eq!(watched.place.messages("app.log"), ["last words"], "{way}");
        assert_eq!(watched.repo.stats().recovered, 0, "{way}");
    }
}

#[test]
fn the_death_of_a_worker_is_seen_at_once_with_its_cause_and_what_it_left() {
    // M-43
    for (way, cause, text) in [
        ("kill", ExitCause::Killed(9), "killed by SIGKILL"),
        ("_exit 7", ExitCause::Exited(7), "exit code 7"),
        ("abort", ExitCause::Killed(6), "killed by SIGABRT"),
    ] {
        let watched = Watched::new();
        let mut bystander = watched.worker();
        let mut worker = watched.worker();
        worker.make("many 10 before");
        watched.listener.step();
        assert_eq!(watched.place.messages("app.log").len(), 10);
        // Nobody steps from here on: these are in its ring when it dies.
        worker.make("many 25 unread");
        match way {
            "kill" => worker.kill(),
            _ => worker.send(way),
        }
        worker.wait_for_death();
        // The clock stands still.
        watched.step_until(&worker, 2);
        let died = WorkerEventKind::Died { cause, recovered: 25 };
        assert_eq!(watched.kinds(&worker), [WorkerEventKind::Joined, died], "{way}");
        let said = watched.said_of(&worker);
        let [record] = &said[..] else { panic!("{way}: {said:?}") };
        assert_eq!(record.level, "WARNING");
        for part in [
            &*format!("Worker Worker-{} died: process {}, since 2025-11-20 ", worker.id(), worker.id()),
            text,
            "; recovered 25 records",
        ] {
            assert!(record.message.contains(part), "{part:?}: {}", record.message);
        }
        let messages = watched.place.messages("app.log");
        assert_eq!((messages.len(), &*messages[34]), (36, "unread 0 24"));
        assert_eq!(watched.repo.stats().recovered, 25);
        // Another worker does not notice.
        bystander.make("log info undisturbed");
        watched.listener.step();
        assert_eq!(watched.place.messages("app.log")[36], "undisturbed");
        assert_eq!(watched.kinds(&bystander), [WorkerEventKind::Joined]);
    }
}

#[test]
fn a_worker_that_hangs_and_then_dies_is_reported_twice() {
    let watched = Watched::new();
    let mut worker = watched.worker();
    worker.freeze();
    watched.listener.advance(HEARTBEAT + Duration::from_secs(2));
    watched.listener.step();
    worker.kill();
    watched.step_until(&worker, 3);
    let died = WorkerEventKind::Died { cause: ExitCause::Killed(9), recovered: 0 };
    assert_eq!(watched.kinds(&worker), [WorkerEventKind::Joined, WorkerEventKind::AppearsDead, died]);
    assert_eq!(watched.said_of(&worker).len(), 2);
}

#[test]
fn a_function_that_panics_or_logs_about_a_worker_harms_nobody() {
    let place = Place::new();
    let listener = ManualListener::new();
    let other: Arc<Mutex<Option<logs::Repository>>> = Arc::default();
    let logger = other.clone();
    let config = place.config().manual_listener(&listener).on_worker(move |event| {
        if let Some(repo) = &*logger.lock().unwrap() {
            repo.task.log(Level::Info, format!("{:?}", event.kind));
        }
        panic!("in on_worker");
    });
    let repo = logs::Repository::open(config).unwrap();
    *other.lock().unwrap() = Some(logs::Repository::worker(repo.queue()));
    let mut worker = Puppet::worker(&place, &repo.queue());
    worker.make("log info well");
    wait_until("both records are written", || {
        listener.step();
        place.messages("task.log") == ["Joined"] && place.messages("app.log") == ["well"]
    });
    drop(other.lock().unwrap().take());
}
