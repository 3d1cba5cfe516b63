//! The processor's time stamp counter: the only clock fine enough for single calls of some ten nanoseconds.
//!
//! Two ways to bracket a call:
//! - [`Pair::Fenced`] (the default): `lfence; rdtsc; lfence` before and `rdtscp; lfence` after. Nothing of
//!   the call can slip out of the bracket and nothing from outside into it, so a call is charged with its
//!   whole latency.
//! - [`Pair::Plain`]: bare `rdtsc` on both sides, which lets the processor overlap the call with its
//!   surroundings as it would in a program. Smaller figures, less certain ones.
//!
//! The cost of an empty pair is measured by [`empty_pair`] and subtracted by the caller. On machines other
//! than x86-64 the monotonic clock takes the counter's place, with a resolution that suits throughput only.

#![allow(unsafe_code)]

use std::time::{Duration, Instant};

/// How a call is bracketed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    /// With fences.
    Fenced,
    /// Without.
    Plain,
}

/// The counter before a call.
#[inline(always)]
#[must_use]
pub fn begin(pair: Pair) -> u64 {
    match pair {
        Pair::Fenced => counter::fenced_begin(),
        Pair::Plain => counter::plain(),
    }
}

/// The counter after a call.
#[inline(always)]
#[must_use]
pub fn end(pair: Pair) -> u64 {
    match pair {
        Pair::Fenced => counter::fenced_end(),
        Pair::Plain => counter::plain(),
    }
}

/// Ticks that an empty pair takes: the median of many, measured as [`Ticks`] measures calls.
#[must_use]
pub fn empty_pair(pair: Pair) -> f64 {
    let samples = (0..100_000).map(|_| {
        let before = begin(pair);
        end(pair).wrapping_sub(before)
    });
    Ticks::new(samples.collect(), resolution()).quantile(0.5)
}

/// The step in which the counter moves. Many processors count in steps of some ten nanoseconds, scaled to
/// ticks.
#[must_use]
pub fn resolution() -> u64 {
    let mut step = 0;
    let mut last = begin(Pair::Fenced);
    for _ in 0..10_000 {
        let now = begin(Pair::Fenced);
        step = greatest_common_divisor(step, now.wrapping_sub(last));
        last = now;
    }
    step.max(1)
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Durations in ticks, sorted, whose quantiles are finer than the counter's step.
///
/// A duration of one and a half steps is read as one step half of the time and as two the other half, because
/// the counter's phase is random. So among equal readings the quantile is taken in proportion between half a
/// step below and half a step above, as is usual for grouped data.
#[derive(Debug)]
pub struct Ticks {
    sorted: Vec<u64>,
    step: u64,
}

impl Ticks {
    /// Sorts the readings of a counter that moves in steps of `step`.
    #[must_use]
    pub fn new(mut readings: Vec<u64>, step: u64) -> Self {
        readings.sort_unstable();
        Self { sorted: readings, step }
    }

    /// The duration below which `share` of the readings lie; zero if there are none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        let last = self.sorted.len().saturating_sub(1);
        let rank = (last as f64 * share).round() as usize;
        let Some(&reading) = self.sorted.get(rank) else { return 0.0 };
        let below = self.sorted.partition_point(|&other| other < reading);
        let equal = self.sorted.partition_point(|&other| other <= reading) - below;
        let place = (rank - below) as f64 + 0.5;
        reading as f64 + self.step as f64 * (place / equal as f64 - 0.5)
    }
}

/// Nanoseconds a tick, found by comparing the counter with the monotonic clock over a tenth of a second.
#[must_use]
pub fn nanoseconds_per_tick() -> f64 {
    let (clock, ticks) = (Instant::now(), begin(Pair::Fenced));
    while clock.elapsed() < Duration::from_millis(100) {
        std::hint::spin_loop();
    }
    let (elapsed, ticks) = (clock.elapsed(), end(Pair::Fenced).wrapping_sub(ticks));
    elapsed.as_nanos() as f64 / ticks as f64
}

#[cfg(target_arch = "x86_64")]
mod counter {
    use std::arch::x86_64::{__rdtscp, _mm_lfence, _rdtsc};

    #[inline(always)]
    pub(super) fn plain() -> u64 {
        // SAFETY: every x86-64 processor has RDTSC, and it touches no memory.
        unsafe { _rdtsc() }
    }

    #[inline(always)]
    pub(super) fn fenced_begin() -> u64 {
        // SAFETY: LFENCE and RDTSC are in every x86-64 processor, and they touch no memory.
        unsafe {
            _mm_lfence();
            let ticks = _rdtsc();
            _mm_lfence();
            ticks
        }
    }

    #[inline(always)]
    pub(super) fn fenced_end() -> u64 {
        let mut processor = 0;
        // SAFETY: RDTSCP is in every x86-64 processor made since 2008, and it writes only to the local
        // variable.
        unsafe {
            let ticks = __rdtscp(&raw mut processor);
            _mm_lfence();
            ticks
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod counter {
    use std::sync::OnceLock;
    use std::time::Instant;

    static START: OnceLock<Instant> = OnceLock::new();

    pub(super) fn plain() -> u64 {
        START.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }

    pub(super) fn fenced_begin() -> u64 {
        plain()
    }

    pub(super) fn fenced_end() -> u64 {
        plain()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantile_lies_between_the_steps_in_proportion() {
        let ticks = Ticks::new(vec![10, 20, 10, 20, 20, 20, 10, 20, 20, 20], 10);
        assert!((ticks.quantile(0.5) - 18.6).abs() < 0.1, "{}", ticks.quantile(0.5));
        assert_eq!(Ticks::new(vec![], 1).quantile(0.5), 0.0);
    }

    #[test]
    fn step_is_the_divisor_of_all_differences() {
        assert_eq!([30, 50, 20].into_iter().fold(0, greatest_common_divisor), 10);
    }
}
