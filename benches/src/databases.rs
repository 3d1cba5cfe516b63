//! W7: records into a database, by miu-log and by hand.

mod by_hand;
mod outage;

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use miu_log::{Database, LogConfig, OverflowPolicy, Remote, Rotation, Stats, log_domains};

pub use outage::outage;

use crate::order::Order;
use crate::peer::Sample;
use crate::{Failure, process, tsc};

#[log_domains(app)]
pub(crate) mod logs {}

/// What the table's name begins with.
const PREFIX: &str = "bench";

/// How long everything may take to get there.
const PATIENCE: Duration = Duration::from_secs(280);

/// A way to get records into a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// PostgreSQL, `COPY` of 8192 rows at a time: the limit.
    Copy,
    /// PostgreSQL, multi-row `INSERT`s of 50 rows.
    Inserts,
    /// SQLite, 8192 rows a transaction: the limit.
    SqliteBatches,
    /// SQLite, 50 rows a transaction.
    SqliteInserts,
    /// miu-log, with its files.
    MiuLog,
    /// The latency of calls, files only.
    LatencyFiles,
    /// The latency of calls, with a database.
    LatencyDatabase,
}

impl Way {
    /// All of them.
    pub const ALL: [Way; 7] = [
        Way::Copy,
        Way::Inserts,
        Way::SqliteBatches,
        Way::SqliteInserts,
        Way::MiuLog,
        Way::LatencyFiles,
        Way::LatencyDatabase,
    ];

    /// Its name on a command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Way::Copy => "copy",
            Way::Inserts => "inserts",
            Way::SqliteBatches => "sqlite-batches",
            Way::SqliteInserts => "sqlite-inserts",
            Way::MiuLog => "miu-log",
            Way::LatencyFiles => "latency-files",
            Way::LatencyDatabase => "latency-database",
        }
    }

    /// Its name in a table.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Way::Copy => "by hand: COPY, 8192 rows each",
            Way::Inserts => "by hand: INSERT, 50 rows each",
            Way::SqliteBatches => "by hand: 8192 rows a transaction",
            Way::SqliteInserts => "by hand: 50 rows a transaction",
            Way::MiuLog => "miu-log, files and database",
            Way::LatencyFiles => "files",
            Way::LatencyDatabase => "files and database",
        }
    }
}

/// Measures one way once.
///
/// # Errors
///
/// When the database cannot be reached, or rows are not there in time.
pub fn run(way: Way, url: &str, records: u64, dir: &Path) -> Result<Sample, Failure> {
    match way {
        Way::Copy => by_hand::copy(url, records),
        Way::Inserts => by_hand::inserts(url, records),
        Way::SqliteBatches => by_hand::sqlite(url, records, 8192),
        Way::SqliteInserts => by_hand::sqlite(url, records, 50),
        Way::MiuLog => throughput(url, records, dir),
        Way::LatencyFiles => latency(None, records, dir),
        Way::LatencyDatabase => latency(Some(url), records, dir),
    }
}

fn config(dir: &Path, url: Option<&str>) -> LogConfig {
    let config = LogConfig::new(dir.join("logs"))
        .console(None)
        .rotation(Rotation::Never)
        .overflow(OverflowPolicy::Block);
    match url {
        Some(url) => {
            config.sink(Remote::database(Database::url(url).table_prefix(PREFIX)).spool_bytes(2 << 30))
        }
        None => config,
    }
}

fn log(repo: &logs::Repository, order: Order) {
    miu_log::info!(repo.app, "order {} filled at {} for {}", order.id, order.price, order.symbol);
}

/// Records that the database has not got yet.
fn held(stats: &Stats) -> u64 {
    stats.sinks.iter().filter(|sink| sink.remote.is_some()).map(|sink| sink.held).sum()
}

/// Waits until all that was logged is in the database, without asking for it to be hurried.
fn wait_for_all(repo: &logs::Repository, records: u64) -> Result<(), Failure> {
    let start = Instant::now();
    loop {
        let stats = repo.stats();
        let arrived: u64 =
            stats.sinks.iter().filter(|sink| sink.remote.is_some()).map(|sink| sink.written).sum();
        if arrived >= records && held(&stats) == 0 {
            return Ok(());
        }
        if start.elapsed() > PATIENCE {
            return Err(format!("{arrived} of {records} records have arrived: {:?}", stats.sinks).into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn throughput(url: &str, records: u64, dir: &Path) -> Result<Sample, Failure> {
    by_hand::prepare(url, dir)?;
    let repo = logs::Repository::open(config(dir, Some(url)))?;
    let (start, processor) = (Instant::now(), process::total_processor_seconds());
    for position in 0..records {
        log(&repo, black_box(Order::new(Order::id(0, position))));
    }
    let logged = start.elapsed();
    // Statistics are a second old at most, so the end is seen by flushes: the last batch is not full.
    while !repo.flush(Duration::from_secs(2)).is_ok_and(|()| held(&repo.stats()) == 0) {
        if start.elapsed() > PATIENCE {
            return Err(format!("not all have arrived: {:?}", repo.stats().sinks).into());
        }
    }
    let taken = start.elapsed();
    let processor = process::total_processor_seconds() - processor;
    let peak = process::peak_memory_kib();
    drop(repo);
    let (rows, different) = by_hand::count(url)?;
    Ok(Sample::from([
        ("rate".to_owned(), records as f64 / taken.as_secs_f64()),
        ("logged".to_owned(), logged.as_secs_f64()),
        ("missing".to_owned(), records as f64 - different as f64),
        ("twice".to_owned(), rows as f64 - different as f64),
        ("peak".to_owned(), peak as f64 / 1024.0),
        ("cpu".to_owned(), processor * 1e6 / records as f64),
    ]))
}

fn latency(url: Option<&str>, records: u64, dir: &Path) -> Result<Sample, Failure> {
    if let Some(url) = url {
        by_hand::prepare(url, dir)?;
    }
    let repo = logs::Repository::open(config(dir, url))?;
    let nanoseconds = tsc::nanoseconds_per_tick();
    let own = tsc::empty_pair(tsc::Pair::Fenced);
    let mut readings = Vec::with_capacity(records as usize);
    for position in 0..records {
        if position % 20 == 0 {
            std::thread::sleep(Duration::from_millis(2));
        }
        let order = black_box(Order::new(Order::id(0, position)));
        let before = tsc::begin(tsc::Pair::Fenced);
        log(&repo, order);
        readings.push(tsc::end(tsc::Pair::Fenced).wrapping_sub(before));
    }
    readings.drain(..20.min(readings.len()));
    let peak = process::peak_memory_kib();
    if url.is_some() {
        while !repo.flush(Duration::from_secs(2)).is_ok_and(|()| held(&repo.stats()) == 0) {}
        wait_for_all(&repo, records)?;
    }
    let step = tsc::resolution();
    let ticks = tsc::Ticks::new(readings, step);
    let quantile = |share: f64| ((ticks.quantile(share) - own) * nanoseconds).max(0.0);
    Ok(Sample::from([
        ("p50".to_owned(), quantile(0.5)),
        ("p99".to_owned(), quantile(0.99)),
        ("p999".to_owned(), quantile(0.999)),
        ("peak".to_owned(), peak as f64 / 1024.0),
    ]))
}
