//! Sinks of one's own: they get batches, and one that fails, panics or hangs harms no other.
// F13, F20, M-02, M-03, M-04, M-05, M-40, M-44

use std::sync::{Arc, Mutex};
use std::time::Duration;

use miu_log::{Batch, CustomSink, Level, Sink, SinkError, SinkState, Stats};
use miu_log_tests::{Place, logs, names, run, wait_until};

use crate::{FLUSH, child};

/// What a sink saw: for each batch, each record's level, domain and line.
type Seen = Arc<Mutex<Vec<Vec<(Level, String, String)>>>>;

struct Witness(Seen);

impl Sink for Witness {
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        let lines = batch.iter().map(|line| {
            let text = String::from_utf8(line.as_bytes().to_vec()).unwrap();
            assert!(line.unix_nanos() > 0);
            (line.level(), line.domain().to_owned(), text)
        });
        let lines: Vec<_> = lines.collect();
        assert!(lines.len() == batch.len() && !batch.is_empty());
        self.0.lock().unwrap().push(lines);
        Ok(())
    }
}

fn sink_named(stats: &Stats, name: &str) -> miu_log::SinkStats {
    stats.sinks.iter().find(|sink| sink.name == name).unwrap_or_else(|| panic!("{stats:?}")).clone()
}

// L-62
#[test]
fn a_hook_is_called_with_each_record_that_it_asks_for_and_may_log_itself() {
    let place = Place::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (told, own) = (seen.clone(), Arc::new(Mutex::new(None::<miu_log::Logger>)));
    let logger = own.clone();
    let alarm = CustomSink::on_record("alarm", move |record| {
        told.lock().unwrap().push((record.domain().to_owned(), record.level()));
        if let Some(logger) = &*logger.lock().unwrap() {
            logger.warning("alarm raised");
        }
    });
    let repo = logs::Repository::open(place.config().sink(alarm.min_level(Level::Error))).unwrap();
    *own.lock().unwrap() = Some(repo.task.clone());
    repo.db.error("one");
    repo.db.warning("not for it");
    repo.app.critical("two");
    repo.flush(FLUSH).unwrap();
    *own.lock().unwrap() = None;
    repo.shutdown();
    let expected = [("db".to_owned(), Level::Error), ("app".to_owned(), Level::Critical)];
    assert_eq!(*seen.lock().unwrap(), expected);
    assert_eq!(place.messages("task.log"), ["alarm raised", "alarm raised"]);
}

#[test]
fn a_sink_gets_batches_with_every_record_once_in_order() {
    let place = Place::new();
    let seen = Seen::default();
    let repo = logs::Repository::open(place.config().sink(Witness(seen.clone()))).unwrap();
    for number in 0..5_000_usize {
        miu_log::log!(
            repo.domain(logs::Domain::ALL[number % 4]),
            Level::ALL[1 + number % 6],
            "record {number}"
        );
    }
    repo.flush(FLUSH).unwrap();
    let batches = seen.lock().unwrap().clone();
    let records: Vec<_> = batches.concat();
    assert!(batches.len() < 1_000, "{} batches for 5000 records", batches.len());
    assert_eq!(records.len(), 5_000);
    for (number, (level, domain, text)) in records.iter().enumerate() {
        assert_eq!(
            (*level, domain.as_str()),
            (Level::ALL[1 + number % 6], logs::Domain::ALL[number % 4].as_str())
        );
        assert!(text.ends_with(&format!("| record {number}\n")), "{text:?}");
    }
    let sink = sink_named(&repo.stats(), "Witness");
    assert_eq!((sink.written, sink.dropped, sink.errors, sink.state), (5_000, 0, 0, SinkState::Working));
}

struct Faulty(fn(usize) -> Result<(), SinkError>, usize);

impl Sink for Faulty {
    fn write(&mut self, _: &Batch<'_>) -> Result<(), SinkError> {
        self.1 += 1;
        (self.0)(self.1)
    }
}

/// Runs a thousand records past this sink; everybody else must have them all. With a flush the sink has time for another
/// attempt, which at the end it has not.
fn others_are_complete(fault: fn(usize) -> Result<(), SinkError>, flush: bool) -> Stats {
    let place = Place::new();
    let seen = Seen::default();
    let config = place
        .config()
        .sink_timeout(Duration::from_secs(20))
        .sink(Faulty(fault, 0))
        .sink(Witness(seen.clone()));
    let repo = logs::Repository::open(config).unwrap();
    for number in 0..1_000 {
        miu_log::info!(repo.app, "record {number}");
    }
    if flush {
        repo.flush(FLUSH).unwrap();
    }
    repo.shutdown();
    assert_eq!(place.messages("app.log").len(), 1_000);
    assert_eq!(place.messages("info.log").len(), 1_000);
    assert_eq!(seen.lock().unwrap().concat().len(), 1_000);
    let stats = repo.stats();
    assert_eq!((stats.written, stats.dropped), (1_000, 0));
    stats
}

#[test]
fn a_sink_that_panics_harms_no_other() {
    // Without the panic hook: its reports would only be noise.
    let stats = others_are_complete(|_| std::panic::resume_unwind(Box::new("broken sink")), false);
    let sink = sink_named(&stats, "Faulty");
    assert_eq!((sink.written, sink.dropped), (0, 1_000), "{sink:?}");
}

#[test]
fn a_sink_that_refuses_harms_no_other() {
    let stats = others_are_complete(|_| Err(SinkError::fatal("no", 0)), false);
    let sink = sink_named(&stats, "Faulty");
    assert_eq!((sink.written, sink.dropped), (0, 1_000), "{sink:?}");
}

#[test]
fn a_sink_that_fails_once_is_offered_the_same_records_again() {
    let fault = |call| if call == 1 { Err(SinkError::retryable("not now", 0)) } else { Ok(()) };
    let stats = others_are_complete(fault, true);
    let sink = sink_named(&stats, "Faulty");
    assert_eq!((sink.written, sink.dropped), (1_000, 0), "{sink:?}");
}

#[test]
fn a_flush_that_takes_too_long_names_the_sink_it_waits_for() {
    struct Gate(std::sync::mpsc::Receiver<()>);
    impl Sink for Gate {
        fn write(&mut self, _: &Batch<'_>) -> Result<(), SinkError> {
            let _ = self.0.recv();
            Ok(())
        }
    }
    let place = Place::new();
    let (open, gate) = std::sync::mpsc::channel();
    let config =
        place.config().sink(CustomSink::new("archive", Gate(gate))).sink_timeout(Duration::from_secs(600));
    let repo = logs::Repository::open(config).unwrap();
    repo.app.info("one");
    wait_until("the flush to name the sink", || {
        let error = repo.flush(Duration::from_millis(20)).unwrap_err();
        error.is_timeout()
            && error.to_string().contains(": archive is waited for; 0 records were not read yet")
    });
    drop(open);
    repo.flush(FLUSH).unwrap();
}

#[test]
fn a_sink_that_hangs_ends_with_the_program_in_time_and_says_what_is_left() {
    let place = Place::new();
    let start = std::time::Instant::now();
    let outcome = run(&mut child(&place, "hanging-sink"));
    outcome.printed();
    // The sink's time is one second; the bound leaves room for a busy machine, not for a hang.
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    assert_eq!(place.messages("app.log").len(), 1_000);
    assert_eq!(names(&place.runtime()), [""; 0], "the listener itself has come to its end");
    assert!(outcome.stderr.contains("Stuck") && outcome.stderr.contains("1000 records"), "{outcome:?}");
}

#[test]
fn a_sink_that_logs_into_its_own_repository_holds_up_neither_flush_nor_end() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "logging-sink"));
    let messages = place.messages("app.log");
    assert_eq!(messages.iter().filter(|message| *message == "from the program").count(), 100, "{outcome:?}");
    outcome.printed();
}

#[test]
fn a_sink_behind_a_full_queue_loses_its_own_records_only_and_counts_them() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "flooded-sink"));
    assert_eq!(outcome.number("written"), 60_000);
    assert_eq!(place.messages("app.log").len(), 60_000);
    assert!(outcome.number("sink_dropped") > 0, "{outcome:?}");
    assert_eq!(outcome.number("sink_written") + outcome.number("sink_dropped"), 60_000, "{outcome:?}");
    assert!(
        outcome.number("sink_errors_seen") == 10,
        "ERROR is not dropped before lower levels: {outcome:?}"
    );
}
