//! What the machine can do when a logger costs nothing: no queue, no other thread, no lock.
//!
//! W1: read the time stamp counter and copy a finished line into a buffer. W2 and W3: one thread formats with
//! itoa and zmij into one buffer a file and writes it in pieces of 64 KiB. W4: the empty loop. Idle: the bare
//! program.

use std::cell::RefCell;
use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

use crate::order::{Domain, Level, Order};
use crate::peer::{Peer, Plan, Sample, Workload};
use crate::stamp::Stamp;
use crate::{Failure, process, tsc, workload};

/// Runs the plan on the floor.
pub(super) fn run(plan: &Plan) -> Result<Sample, Failure> {
    match plan.workload {
        Workload::Latency | Workload::Probe => workload::run::<Copier>(plan),
        Workload::Throughput | Workload::Routing => throughput(plan),
        Workload::Disabled => {
            let empty = (0..9).map(|_| workload::empty_loop(50_000_000)).fold(f64::MAX, f64::min);
            Ok(Sample::from([("call".into(), 0.0), ("empty".into(), empty)]))
        }
        Workload::Processes | Workload::Production | Workload::End | Workload::Json => {
            Err("the floor does not take part".into())
        }
        Workload::Idle => {
            std::thread::sleep(Duration::from_secs(2));
            Ok(workload::watch_idle())
        }
    }
}

const PIECE: usize = 64 * 1024;
const LINE: &[u8; 96] =
    b"2026-11-20 12:00:00.123 | INFO | benches::peers::floor:42 | order 10000000 filled at 100 for BTC";

thread_local! {
    static RING: RefCell<(usize, Box<[u8]>)> = RefCell::new((0, vec![0; PIECE].into_boxed_slice()));
}

/// Copies the line, as a logger does that leaves formatting to another thread; nothing reaches a file.
struct Copier;

impl Peer for Copier {
    fn setup(_plan: &Plan) -> Result<Self, Failure> {
        Ok(Self)
    }

    #[inline(always)]
    fn log(&self, order: Order) {
        RING.with_borrow_mut(|(place, ring)| {
            if *place + LINE.len() + 16 > ring.len() {
                *place = 0;
            }
            let slot = &mut ring[*place..*place + LINE.len() + 16];
            slot[..8].copy_from_slice(&tsc::begin(tsc::Pair::Plain).to_le_bytes());
            slot[8..16].copy_from_slice(&order.id.to_le_bytes());
            slot[16..].copy_from_slice(LINE);
            *place += LINE.len() + 16;
        });
    }

    fn log_routed(&self, _order: Order) {}

    fn log_disabled(&self, _order: Order) {}

    fn finish(self) -> Result<(), Failure> {
        Ok(())
    }
}

struct Pieces {
    file: File,
    buffer: Vec<u8>,
}

impl Pieces {
    fn create(plan: &Plan, stem: &str) -> Result<Self, Failure> {
        Ok(Self { file: File::create(plan.file(stem)?)?, buffer: Vec::with_capacity(PIECE + 256) })
    }

    fn put(&mut self, line: &[u8]) -> Result<(), Failure> {
        self.buffer.extend_from_slice(line);
        if self.buffer.len() >= PIECE {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), Failure> {
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// Makes lines with as little work as can be.
pub(crate) struct Line {
    text: Vec<u8>,
    stamp: Stamp,
    stamped_until: u64,
    ticks_per_nanosecond: f64,
    digits: itoa::Buffer,
    decimals: zmij::Buffer,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self {
            text: Vec::with_capacity(256),
            stamp: Stamp::now(),
            stamped_until: 0,
            ticks_per_nanosecond: 1.0 / tsc::nanoseconds_per_tick(),
            digits: itoa::Buffer::new(),
            decimals: zmij::Buffer::new(),
        }
    }

    /// The line of this order, with its end.
    #[inline(always)]
    pub(crate) fn make(&mut self, order: Order, level: Level) -> Result<&[u8], Failure> {
        // All lines of a millisecond have one time stamp, so the system's clock is read once in a millisecond, and the
        // counter, which costs less, says when that is over.
        let ticks = tsc::begin(tsc::Pair::Plain);
        if ticks >= self.stamped_until {
            let now = SystemTime::now();
            let nanoseconds = now.duration_since(SystemTime::UNIX_EPOCH)?.subsec_nanos();
            let left = f64::from(1_000_000 - nanoseconds % 1_000_000);
            self.stamped_until = ticks + (left * self.ticks_per_nanosecond) as u64;
            self.stamp = Stamp::of(now);
        }
        let line = &mut self.text;
        line.clear();
        line.extend_from_slice(self.stamp.as_bytes());
        line.extend_from_slice(match level {
            Level::Debug => b" | DEBUG | ",
            Level::Info => b" | INFO | ",
            Level::Warning => b" | WARN | ",
            Level::Error => b" | ERROR | ",
        });
        line.extend_from_slice(b"benches::peers::floor:42 | order ");
        line.extend_from_slice(self.digits.format(order.id).as_bytes());
        line.extend_from_slice(b" filled at ");
        let price = self.decimals.format(order.price);
        line.extend_from_slice(price.strip_suffix(".0").unwrap_or(price).as_bytes());
        line.extend_from_slice(b" for ");
        line.extend_from_slice(order.symbol.as_bytes());
        line.push(b'\n');
        Ok(line)
    }
}

fn throughput(plan: &Plan) -> Result<Sample, Failure> {
    let mut files = Vec::new();
    if plan.routes() {
        let stems = Domain::ALL.map(Domain::as_str).into_iter().chain(Level::ALL.map(Level::as_str));
        for stem in stems {
            files.push(Pieces::create(plan, stem)?);
        }
    } else {
        files.push(Pieces::create(plan, "app")?);
    }
    let mut line = Line::new();
    let processor = process::total_processor_seconds();
    let start = Instant::now();
    for position in 0..plan.records_per_thread {
        let order = Order::new(Order::id(0, position));
        let level = if plan.routes() { order.level() } else { Level::Info };
        let line = line.make(order, level)?;
        if plan.routes() {
            files[order.domain() as usize].put(line)?;
            files[4 + level as usize].put(line)?;
        } else {
            files[0].put(line)?;
        }
    }
    for file in &mut files {
        file.write()?;
    }
    let elapsed = start.elapsed();
    Ok(workload::throughput_sample(plan, processor, elapsed, elapsed))
}
