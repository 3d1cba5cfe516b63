//! What becomes of records where a destination is slow, hangs or panics, and where the spool does not take them.

use std::sync::mpsc;

use super::*;

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
