//! Sinks that hang, log themselves, or are too slow.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Duration;

use miu_log::{Batch, CustomSink, Level, Logger, OverflowPolicy, Sink, SinkError};
use miu_log_tests::logs;

use crate::{FLUSH, config};

/// Never returns.
struct Stuck;

impl Sink for Stuck {
    fn write(&mut self, _: &Batch<'_>) -> Result<(), SinkError> {
        loop {
            std::thread::park();
        }
    }
}

pub(crate) fn hanging(folder: &str) {
    let config = config(folder).sink_timeout(Duration::from_secs(1)).sink(Stuck);
    let repo = logs::Repository::open(config).unwrap();
    for number in 0..1_000 {
        miu_log::info!(repo.app, "record {number}");
    }
}

/// Logs each batch into the repository that it comes from.
struct Echo(Arc<OnceLock<Logger>>);

impl Sink for Echo {
    fn write(&mut self, _: &Batch<'_>) -> Result<(), SinkError> {
        if let Some(logger) = self.0.get() {
            logger.info("from the sink");
        }
        Ok(())
    }
}

pub(crate) fn logging(folder: &str) {
    let logger = Arc::new(OnceLock::new());
    let repo = logs::Repository::open(config(folder).sink(Echo(logger.clone()))).unwrap();
    let _ = logger.set(repo.app.clone());
    for _ in 0..100 {
        repo.app.info("from the program");
        repo.flush(FLUSH).unwrap();
    }
}

/// Takes nothing until its gate is opened.
struct Gated {
    gate: Arc<(Mutex<bool>, Condvar)>,
    errors: Arc<AtomicU64>,
}

impl Sink for Gated {
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        let (open, changed) = &*self.gate;
        drop(changed.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
        let errors = batch.iter().filter(|line| line.level() == Level::Error).count();
        self.errors.fetch_add(errors as u64, Ordering::Relaxed);
        Ok(())
    }
}

pub(crate) fn flooded(folder: &str) {
    let (gate, errors) = (Arc::new((Mutex::new(false), Condvar::new())), Arc::new(AtomicU64::new(0)));
    let sink = Gated { gate: gate.clone(), errors: errors.clone() };
    let config = config(folder)
        .overflow(OverflowPolicy::Block)
        .sink_timeout(Duration::from_millis(100))
        .sink(CustomSink::new("gated", sink));
    let repo = logs::Repository::open(config).unwrap();
    for number in 0..59_990 {
        miu_log::info!(repo.app, "record {number}");
    }
    // All that is before it has been offered to the sink's queue by the time a flush gives up on the sink.
    let _ = repo.flush(FLUSH);
    (0..10).for_each(|number| miu_log::error!(repo.app, "error {number}"));
    let _ = repo.flush(FLUSH);
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    repo.shutdown();
    let stats = repo.stats();
    let sink = stats.sinks.iter().find(|sink| sink.name == "gated").unwrap();
    println!(
        "written={} sink_written={} sink_dropped={} sink_errors_seen={}",
        stats.written,
        sink.written,
        sink.dropped,
        errors.load(Ordering::Relaxed)
    );
}
