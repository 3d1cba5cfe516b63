//! A server that is away for a while under a steady stream of records.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{PATIENCE, by_hand, config, held, log, logs};
use crate::order::Order;
use crate::peer::Sample;
use crate::{Failure, process};

/// Records a second, and how many of them come at once.
const RATE: u64 = 5000;
const AT_ONCE: u64 = 25;

/// How long the stream runs before the server is stopped, and after it was started.
const AROUND: Duration = Duration::from_secs(5);

/// Logs with the server there, away for so long, and there again; then waits until it has everything.
///
/// # Errors
///
/// When the database cannot be reached, or rows are not there in time.
pub fn outage(
    url: &str,
    dir: &Path,
    away: Duration,
    stop: impl FnOnce(),
    start: impl FnOnce(),
) -> Result<Sample, Failure> {
    by_hand::prepare(url, dir)?;
    let repo = logs::Repository::open(config(dir, Some(url)))?;
    let begin = Instant::now();
    let stamps = Stamps::default();
    let spool = AtomicU64::new(0);
    let started = std::thread::scope(|scope| {
        let watch = scope.spawn(|| stamps.watch(&dir.join("logs/app.log"), begin));
        let stream = scope.spawn(|| {
            while !stamps.ended.load(Ordering::Acquire) {
                for _ in 0..AT_ONCE {
                    let position = stamps.logged.load(Ordering::Relaxed);
                    log(&repo, Order::new(Order::id(0, position)));
                    stamps.logged.store(position + 1, Ordering::Release);
                }
                stamps.note(begin.elapsed());
                let due = Duration::from_micros(stamps.logged.load(Ordering::Relaxed) * 1_000_000 / RATE);
                std::thread::sleep(due.saturating_sub(begin.elapsed()));
            }
        });
        std::thread::sleep(AROUND);
        stop();
        std::thread::sleep(away);
        let bytes =
            repo.stats().sinks.iter().filter_map(|sink| sink.remote).map(|remote| remote.spool_bytes).max();
        spool.store(bytes.unwrap_or_default(), Ordering::Relaxed);
        start();
        let started = Instant::now();
        std::thread::sleep(AROUND);
        stamps.ended.store(true, Ordering::Release);
        let ended = stream.join().is_ok() && watch.join().is_ok();
        if ended { Ok(started) } else { Err("a thread of the measurement panicked") }
    })?;
    while repo.flush(Duration::from_secs(2)).is_err() || held(&repo.stats()) > 0 {
        if started.elapsed() > PATIENCE {
            return Err(format!("not all have arrived: {:?}", repo.stats().sinks).into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let caught_up = started.elapsed();
    let peak = process::peak_memory_kib();
    drop(repo);
    let (rows, different) = by_hand::count(url)?;
    let records = stamps.logged.load(Ordering::Acquire);
    Ok(Sample::from([
        ("records".to_owned(), records as f64),
        ("rows".to_owned(), rows as f64),
        ("twice".to_owned(), rows as f64 - different as f64),
        ("lost".to_owned(), records as f64 - different as f64),
        ("latest".to_owned(), stamps.latest.load(Ordering::Relaxed) as f64 / 1000.0),
        ("spool".to_owned(), spool.load(Ordering::Relaxed) as f64 / f64::from(1 << 20)),
        ("caught_up".to_owned(), caught_up.as_secs_f64()),
        ("peak".to_owned(), peak as f64 / 1024.0),
    ]))
}

/// When which record was logged, for whoever reads the file beside.
#[derive(Default)]
struct Stamps {
    logged: AtomicU64,
    ended: AtomicBool,
    /// The longest that a line took to be in its file, in microseconds.
    latest: AtomicU64,
    /// Records logged so far, and when that was.
    noted: std::sync::Mutex<std::collections::VecDeque<(u64, Duration)>>,
}

impl Stamps {
    fn note(&self, at: Duration) {
        if let Ok(mut noted) = self.noted.lock() {
            noted.push_back((self.logged.load(Ordering::Relaxed), at));
        }
    }

    /// Reads along, every two milliseconds, and keeps the longest delay.
    fn watch(&self, path: &Path, begin: Instant) -> Result<(), Failure> {
        let (mut lines, mut at, mut bytes) = (0, 0, Vec::new());
        while !(self.ended.load(Ordering::Acquire) && lines >= self.logged.load(Ordering::Acquire)) {
            std::thread::sleep(Duration::from_millis(2));
            let Ok(mut file) = std::fs::File::open(path) else { continue };
            file.seek(SeekFrom::Start(at))?;
            bytes.clear();
            file.read_to_end(&mut bytes)?;
            // Half a line is read again.
            bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
            at += bytes.len() as u64;
            lines += bytes.split(|byte| *byte == b'\n').filter(|line| has_order(line)).count() as u64;
            let now = begin.elapsed();
            let Ok(mut noted) = self.noted.lock() else { return Err("poisoned".into()) };
            while let Some((count, logged)) = noted.front().copied() {
                if count > lines {
                    // It is not there yet.
                    self.latest.fetch_max(now.saturating_sub(logged).as_micros() as u64, Ordering::Relaxed);
                    break;
                }
                self.latest.fetch_max(now.saturating_sub(logged).as_micros() as u64, Ordering::Relaxed);
                noted.pop_front();
            }
        }
        Ok(())
    }
}

fn has_order(line: &[u8]) -> bool {
    line.windows(7).any(|part| part == b"| order")
}
