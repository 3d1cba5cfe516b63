//! The measured loops. They run in a child process that measures one peer once.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use crate::order::Order;
use crate::peer::{Peer, Plan, Sample, Workload};
use crate::{Failure, process, tsc};

/// Calls made back to back before a pause in the latency workload.
const BURST: u64 = 20;

/// The pause between two bursts.
const PAUSE: Duration = Duration::from_millis(2);

/// How long the idle workload watches.
const IDLE: Duration = Duration::from_secs(10);

/// Runs the plan's workload with this peer.
///
/// # Errors
///
/// When the logger cannot be set up or finished.
pub fn run<P: Peer>(plan: &Plan) -> Result<Sample, Failure> {
    match plan.workload {
        Workload::Latency => latency::<P>(plan),
        Workload::Throughput => throughput::<P>(plan, P::log),
        Workload::Routing | Workload::Production => throughput::<P>(plan, P::log_routed),
        Workload::Json => throughput::<P>(plan, P::log_fields),
        Workload::Disabled => disabled::<P>(plan),
        Workload::Idle => idle::<P>(plan),
        Workload::Probe => probe::<P>(plan),
        Workload::End => end::<P>(plan),
        Workload::Processes => Err("worker processes are measured by `processes`".into()),
    }
}

/// W1: every call of every thread bracketed by the time stamp counter.
fn latency<P: Peer>(plan: &Plan) -> Result<Sample, Failure> {
    let peer = P::setup(plan)?;
    let nanoseconds = tsc::nanoseconds_per_tick();
    let own = tsc::empty_pair(plan.pair);
    let barrier = Barrier::new(plan.threads as usize);
    let (processor, clock) = (process::total_processor_seconds(), Instant::now());
    let measured: Vec<Vec<u32>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..plan.threads)
            .map(|thread| {
                let (peer, barrier) = (&peer, &barrier);
                scope.spawn(move || {
                    let mut ticks = vec![0_u32; plan.records_per_thread as usize];
                    barrier.wait();
                    for position in 0..plan.records_per_thread {
                        if position % BURST == 0 {
                            std::thread::sleep(PAUSE);
                        }
                        let order = black_box(Order::new(Order::id(thread, position)));
                        let before = tsc::begin(plan.pair);
                        peer.log(order);
                        let taken = tsc::end(plan.pair).wrapping_sub(before);
                        ticks[position as usize] = u32::try_from(taken).unwrap_or(u32::MAX);
                    }
                    ticks
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_default()).collect()
    });
    let share = (process::total_processor_seconds() - processor) / clock.elapsed().as_secs_f64();
    peer.finish()?;
    let step = tsc::resolution();
    // The first burst of a thread pays for what is set up once a thread, and is left out.
    let settled = || measured.iter().map(|ticks| ticks.get(BURST as usize..).unwrap_or_default());
    let all = tsc::Ticks::new(settled().flatten().map(|&ticks| ticks.into()).collect(), step);
    let first = settled().flat_map(|ticks| ticks.iter().step_by(BURST as usize));
    let first = tsc::Ticks::new(first.map(|&ticks| ticks.into()).collect(), step);
    let in_nanoseconds = |ticks: f64| (ticks - own).max(0.0) * nanoseconds;
    let mut sample = Sample::new();
    sample.insert("pair".into(), own * nanoseconds);
    sample.insert("share".into(), share * 100.0);
    for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)] {
        sample.insert(name.into(), in_nanoseconds(all.quantile(share)));
    }
    sample.insert("first".into(), in_nanoseconds(first.quantile(0.5)));
    Ok(sample)
}

/// W2, W3, W6 and W8: as fast as the threads can, until the last line has been handed to the operating system.
fn throughput<P: Peer>(plan: &Plan, log: impl Fn(&P, Order) + Send + Copy) -> Result<Sample, Failure> {
    let peer = P::setup(plan)?;
    let barrier = Barrier::new(plan.threads as usize + 1);
    let processor = process::total_processor_seconds();
    let mut start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..plan.threads {
            let (peer, barrier) = (&peer, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for position in 0..plan.records_per_thread {
                    log(peer, Order::new(Order::id(thread, position)));
                }
            });
        }
        barrier.wait();
        start = Instant::now();
    });
    let called = start.elapsed();
    peer.finish()?;
    let finished = start.elapsed();
    Ok(throughput_sample(plan, processor, called, finished))
}

/// The figures of a throughput run: the processor time before it, and how long calls and all of it took.
pub(crate) fn throughput_sample(plan: &Plan, processor: f64, called: Duration, finished: Duration) -> Sample {
    let records = (plan.threads * plan.records_per_thread) as f64;
    Sample::from([
        ("rate".into(), records / finished.as_secs_f64()),
        ("call_rate".into(), records / called.as_secs_f64()),
        ("cpu_ns".into(), (process::total_processor_seconds() - processor) * 1e9 / records),
        ("peak_kib".into(), process::peak_memory_kib() as f64),
    ])
}

/// W4: the loop with a disabled call, less the same loop without it.
fn disabled<P: Peer>(plan: &Plan) -> Result<Sample, Failure> {
    let peer = P::setup(plan)?;
    let order = black_box(Order::new(Order::id(0, 0)));
    let with_call = |turns: u64| {
        let start = Instant::now();
        for turn in 0..turns {
            peer.log_disabled(Order { id: black_box(turn), ..order });
        }
        start.elapsed().as_nanos() as f64 / turns as f64
    };
    // A first look says how many turns fit into a twentieth of a second.
    let rough = with_call(100_000).max(0.2);
    let turns = (5e7 / rough) as u64;
    let (mut call, mut empty) = (f64::MAX, f64::MAX);
    for _ in 0..9 {
        empty = empty.min(empty_loop(turns));
        call = call.min(with_call(turns));
    }
    peer.finish()?;
    Ok(Sample::from([("call".into(), (call - empty).max(0.0)), ("empty".into(), empty)]))
}

/// Nanoseconds a turn of the loop without a call.
pub(crate) fn empty_loop(turns: u64) -> f64 {
    let start = Instant::now();
    for turn in 0..turns {
        black_box(turn);
    }
    start.elapsed().as_nanos() as f64 / turns as f64
}

/// Start, a few records, then nothing for ten seconds.
fn idle<P: Peer>(plan: &Plan) -> Result<Sample, Failure> {
    let peer = P::setup(plan)?;
    for position in 0..plan.records_per_thread {
        peer.log(Order::new(Order::id(0, position)));
    }
    // Two seconds let the logger write those records and fall into its idle rhythm.
    std::thread::sleep(Duration::from_secs(2));
    let sample = watch_idle();
    peer.finish()?;
    Ok(sample)
}

/// Watches this process for ten seconds.
pub(crate) fn watch_idle() -> Sample {
    let (processor, clock) = (process::processor_seconds(), Instant::now());
    std::thread::sleep(IDLE);
    let share = (process::processor_seconds() - processor) / clock.elapsed().as_secs_f64();
    Sample::from([("share".into(), share * 100.0), ("memory_kib".into(), process::memory_kib() as f64)])
}

/// Records, and what the plan does then. Where that returns or panics, the peer ends as it should.
fn end<P: Peer>(plan: &Plan) -> Result<Sample, Failure> {
    let peer = P::setup(plan)?;
    for position in 0..plan.records_per_thread {
        peer.log(Order::new(Order::id(0, position)));
    }
    (plan.probe)();
    peer.finish()?;
    Ok(Sample::new())
}

/// Bursts with pauses that make no system call, between two calls of the plan's probe.
fn probe<P: Peer>(plan: &Plan) -> Result<Sample, Failure> {
    let peer = P::setup(plan)?;
    let mut position = 0;
    let mut burst = || {
        for _ in 0..BURST {
            peer.log(Order::new(Order::id(0, position)));
            position += 1;
        }
        let pause = Instant::now();
        while pause.elapsed() < PAUSE {
            std::hint::spin_loop();
        }
    };
    burst();
    let before = (plan.probe)();
    for _ in 1..plan.records_per_thread / BURST {
        burst();
    }
    let after = (plan.probe)();
    peer.finish()?;
    let records = (plan.records_per_thread / BURST - 1) * BURST;
    Ok(Sample::from([
        ("probed".into(), after.wrapping_sub(before) as f64),
        ("records".into(), records as f64),
    ]))
}
