//! What the pipeline counts is told to the facade of the crate `metrics`: all of it, in time, and whatever the recorder does.
// P-66 to P-69

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};
use miu_log::testing::ManualListener;
use miu_log::{Batch, CustomSink, Deliver, DeliverError, Level, Remote, Sink, SinkError, Timeouts};
use miu_log_tests::{Place, logs};

use crate::FLUSH;

/// Remembers what it was told last of each metric, by name and labels, and how often a name was described.
#[derive(Clone, Default)]
struct Told {
    values: Arc<Mutex<BTreeMap<String, f64>>>,
    described: Arc<Mutex<BTreeMap<String, usize>>>,
    panics: bool,
}

struct One(Arc<Mutex<BTreeMap<String, f64>>>, String);

impl One {
    fn set(&self, value: f64) {
        self.0.lock().unwrap().insert(self.1.clone(), value);
    }
}

impl CounterFn for One {
    fn increment(&self, _: u64) {
        panic!("it is told how counters stand");
    }

    fn absolute(&self, value: u64) {
        self.set(value as f64);
    }
}

impl GaugeFn for One {
    fn increment(&self, _: f64) {
        panic!("it is told how gauges stand");
    }

    fn decrement(&self, _: f64) {
        panic!("it is told how gauges stand");
    }

    fn set(&self, value: f64) {
        One::set(self, value);
    }
}

impl Told {
    fn one(&self, key: &Key) -> Arc<One> {
        assert!(!self.panics, "no room for {}", key.name());
        let labels: Vec<String> = key.labels().map(|it| format!("{}={}", it.key(), it.value())).collect();
        Arc::new(One(self.values.clone(), format!("{}{{{}}}", key.name(), labels.join(","))))
    }

    fn value(&self, name: &str) -> Option<f64> {
        self.values.lock().unwrap().get(name).copied()
    }

    fn describe(&self, key: &KeyName, text: &SharedString) {
        assert!(!text.is_empty());
        *self.described.lock().unwrap().entry(key.as_str().to_owned()).or_default() += 1;
    }
}

impl Recorder for Told {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, text: SharedString) {
        self.describe(&key, &text);
    }

    fn describe_gauge(&self, key: KeyName, _: Option<Unit>, text: SharedString) {
        self.describe(&key, &text);
    }

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.one(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.one(key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// A sink that fails as long as it is told to.
struct Failing(Arc<Mutex<bool>>);

impl Sink for Failing {
    fn write(&mut self, _batch: &Batch<'_>) -> Result<(), SinkError> {
        if *self.0.lock().unwrap() { Err(SinkError::retryable("not now", 0)) } else { Ok(()) }
    }
}

#[test]
fn counters_are_told_with_a_flush_once_a_second_and_at_the_end() {
    let place = Place::new();
    let (told, listener) = (Told::default(), ManualListener::new());
    let repo = logs::Repository::open(place.config().manual_listener(&listener)).unwrap();
    with_local_recorder(&told, || {
        repo.db.error("one");
        repo.db.error("two");
        repo.flush(FLUSH).unwrap();
        let records = "miu_log_records_total{domain=db,level=error}";
        assert_eq!(told.value(records), Some(2.0));
        assert_eq!(told.value("miu_log_records_total{domain=app,level=info}"), Some(0.0));
        assert_eq!(told.value("miu_log_dropped_total{domain=db,reason=full}"), Some(0.0));
        assert_eq!(told.value("miu_log_sink_written_total{sink=db.log}"), Some(2.0));
        assert_eq!(told.value("miu_log_sink_up{sink=db.log}"), Some(1.0));
        assert_eq!(told.value("miu_log_pending_records{}"), Some(0.0));
        repo.db.error("three");
        listener.step();
        assert_eq!(told.value(records), Some(2.0), "not with each pass");
        listener.advance(Duration::from_secs(1));
        listener.step();
        assert_eq!(told.value(records), Some(3.0));
        repo.db.error("four");
        repo.shutdown();
        assert_eq!(told.value(records), Some(4.0));
        assert_eq!(told.value("miu_log_accepted_total{}"), Some(4.0));
    });
    let described = told.described.lock().unwrap();
    assert!(described.len() >= 20 && described.values().all(|times| *times == 1), "{described:?}");
    let names = told.values.lock().unwrap();
    for name in names.keys().map(|name| name.split('{').next().unwrap()) {
        assert!(described.contains_key(name), "{name}");
    }
}

#[test]
fn what_was_dropped_or_waits_for_a_sink_is_told() {
    let place = Place::new();
    let (told, listener) = (Told::default(), ManualListener::new());
    let fails = Arc::new(Mutex::new(true));
    let sink = CustomSink::new("far", Failing(fails.clone())).min_level(Level::Error);
    let repo = logs::Repository::open(place.config().sink(sink).manual_listener(&listener)).unwrap();
    with_local_recorder(&told, || {
        repo.db.error("one");
        miu_log_tests::wait_until("the sink has failed", || {
            let _ = repo.flush(FLUSH);
            told.value("miu_log_sink_errors_total{sink=far}") > Some(0.0)
        });
        assert_eq!(told.value("miu_log_sink_held_records{sink=far}"), Some(1.0));
        *fails.lock().unwrap() = false;
        miu_log_tests::wait_until("the sink works", || {
            let _ = repo.flush(FLUSH);
            told.value("miu_log_sink_held_records{sink=far}") == Some(0.0)
        });
        assert_eq!(told.value("miu_log_sink_written_total{sink=far}"), Some(1.0));
        assert!(told.value("miu_log_sink_retries_total{sink=far}") > Some(0.0));
    });
}

/// Takes nothing before somebody changes something.
struct Off;

impl Deliver for Off {
    fn deliver(&mut self, _: &Batch<'_>, _: Timeouts) -> Result<(), DeliverError> {
        Err(DeliverError::off("the key is wrong"))
    }
}

#[test]
fn how_it_is_with_a_destination_that_is_far_away_is_told() {
    let place = Place::new();
    let (told, listener) = (Told::default(), ManualListener::new());
    listener.set_unix_time(Duration::from_secs(1_763_640_000));
    let far = Remote::new("far", Off).batch_age(Duration::from_secs(3600));
    let repo = logs::Repository::open(place.config().sink(far).manual_listener(&listener)).unwrap();
    let connection = |state: &str| told.value(&format!("miu_log_sink_connection{{sink=far,state={state}}}"));
    with_local_recorder(&told, || {
        repo.app.info("one");
        miu_log_tests::wait_until("the destination is off", || {
            let _ = repo.flush(FLUSH);
            connection("off") == Some(1.0)
        });
        assert_eq!(
            (connection("closed"), connection("open"), connection("half-open")),
            (Some(0.0), Some(0.0), Some(0.0))
        );
        assert_eq!(told.value("miu_log_sink_up{sink=far}"), Some(0.0));
        assert_eq!(told.value("miu_log_sink_held_records{sink=far}"), Some(1.0));
        assert!(told.value("miu_log_sink_spool_bytes{sink=far}") > Some(0.0));
        for name in
            ["batches_total", "altered_total", "dead_letters_total", "to_stderr_total", "records_per_second"]
        {
            assert_eq!(told.value(&format!("miu_log_sink_{name}{{sink=far}}")), Some(0.0), "{name}");
        }
        listener.advance(Duration::from_secs(100));
        listener.step();
        assert_eq!(told.value("miu_log_sink_oldest_pending_seconds{sink=far}"), Some(100.0));
    });
    assert_eq!(told.value("miu_log_sink_batches_total{sink=app.log}"), None);
}

#[test]
fn a_recorder_that_panics_or_comes_late_loses_nothing() {
    let place = Place::new();
    let (bad, good) = (Told { panics: true, ..Told::default() }, Told::default());
    let listener = ManualListener::new();
    let repo = logs::Repository::open(place.config().manual_listener(&listener)).unwrap();
    with_local_recorder(&bad, || {
        repo.app.info("one");
        repo.flush(FLUSH).unwrap();
        repo.app.info("two");
        repo.flush(FLUSH).unwrap();
    });
    assert_eq!(place.messages("app.log"), ["one", "two"]);
    with_local_recorder(&good, || repo.flush(FLUSH).unwrap());
    assert_eq!(good.value("miu_log_records_total{domain=app,level=info}"), Some(2.0));
    let described = good.described.lock().unwrap();
    assert!(described.contains_key("miu_log_records_total"), "{described:?}");
}
