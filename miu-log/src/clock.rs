//! What time it is: raw ticks on the caller's side, wall-clock time on the listener's.
//!
//! A record carries raw ticks: the time stamp counter where it is invariant, else nanoseconds of the monotonic
//! clock. Only the listener converts them, by an [`Anchor`] that it renews as it runs; a record's tick count
//! is close to the anchor, so that a small error of the rate does no harm. Tests use a clock that they turn by hand.

use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::record::UnixNanos;
use crate::ring::control::Control;
use crate::ring::tsc;
use crate::sync::{AtomicU64, Ordering};

/// Where ticks come from.
#[derive(Clone, Debug)]
pub(crate) enum Clock {
    /// The processor's invariant counter.
    Tsc,
    /// `CLOCK_MONOTONIC`, in nanoseconds.
    Monotonic,
    /// A clock that a test sets.
    Manual(Arc<ManualTime>),
    /// Such a clock in the listener's process, seen from another one.
    Elsewhere(Arc<Control>),
}

/// What a test sets, in nanoseconds: ticks, which are also the monotonic time, and how far ahead of them the wall clock is (as `i64`).
#[derive(Debug, Default)]
pub(crate) struct ManualTime {
    pub(crate) now: AtomicU64,
    pub(crate) ahead: AtomicU64,
}

impl ManualTime {
    /// Nanoseconds since 1970.
    fn unix(&self) -> UnixNanos {
        self.now.load(Ordering::Acquire).wrapping_add(self.ahead.load(Ordering::Acquire)).cast_signed()
    }
}

impl Clock {
    /// The best clock of this machine.
    pub(crate) fn system() -> Clock {
        if tsc::is_invariant() { Clock::Tsc } else { Clock::Monotonic }
    }

    /// The present tick.
    #[inline(always)]
    pub(crate) fn ticks(&self) -> u64 {
        match self {
            Clock::Tsc => tsc::ticks(),
            other => other.slow_ticks(),
        }
    }

    #[cold]
    fn slow_ticks(&self) -> u64 {
        match self {
            Clock::Tsc => tsc::ticks(),
            Clock::Monotonic => read(ClockId::Monotonic) as u64,
            Clock::Manual(time) => time.now.load(Ordering::Acquire),
            Clock::Elsewhere(control) => control.page().listener.manual_now.load(Ordering::Acquire),
        }
    }

    /// Whether it is turned by hand.
    pub(crate) fn is_manual(&self) -> bool {
        matches!(self, Clock::Manual(_) | Clock::Elsewhere(_))
    }

    /// Nanoseconds since 1970.
    pub(crate) fn unix_now(&self) -> UnixNanos {
        match self {
            Clock::Manual(time) => time.unix(),
            Clock::Elsewhere(_) => self.slow_ticks().cast_signed(),
            _ => read(ClockId::Realtime),
        }
    }

    /// The monotonic time in nanoseconds, for time-outs and intervals.
    pub(crate) fn monotonic(&self) -> u64 {
        match self {
            Clock::Manual(_) | Clock::Elsewhere(_) => self.slow_ticks(),
            _ => read(ClockId::Monotonic) as u64,
        }
    }
}

/// A duration in the unit of the monotonic time; what is longer than can be counted is the longest.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn read(clock: ClockId) -> i64 {
    let now = clock_gettime(clock);
    now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec)
}

/// Nanoseconds a renewed anchor lasts.
const RENEW_AFTER: u64 = 100_000_000;
/// A wall clock that moves more than this against the monotonic one was set; what is less is what both are slewed by.
const STEP: u64 = 1_000_000_000;
/// How long the first measurement of the counter's rate takes, in nanoseconds. The listener spends it, once.
const FIRST_BASELINE: i64 = 200_000;

/// How ticks become wall-clock time: one point where both are known, and the rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchor {
    pub(crate) ticks: u64,
    pub(crate) unix: UnixNanos,
    pub(crate) nanos_per_tick: f64,
}

/// The listener's converter: the clock, the present anchor and the baseline of the rate.
#[derive(Debug)]
pub(crate) struct Calibration {
    clock: Clock,
    anchor: Anchor,
    /// Ticks and monotonic time at the start: the rate is measured from here.
    baseline: (u64, i64),
    last: UnixNanos,
    /// Wall-clock time less monotonic time, at the last renewal.
    ahead: i64,
    /// How far the wall clock was set since that was last asked for.
    stepped: Option<i64>,
}

/// How far the wall clock was set, if it was: by its distance from the monotonic clock, before and now.
fn step(before: i64, now: i64) -> Option<i64> {
    let step = now.wrapping_sub(before);
    (step.unsigned_abs() > STEP).then_some(step)
}

impl Calibration {
    pub(crate) fn new(clock: Clock) -> Calibration {
        let baseline = (clock.ticks(), read(ClockId::Monotonic));
        if matches!(clock, Clock::Tsc) {
            while read(ClockId::Monotonic) - baseline.1 < FIRST_BASELINE {
                std::hint::spin_loop();
            }
        }
        let anchor = Anchor { ticks: 0, unix: 0, nanos_per_tick: 1.0 };
        let mut calibration = Calibration { baseline, ..Calibration::of_run(clock, anchor) };
        calibration.renew();
        // There was no time before.
        calibration.stepped = None;
        calibration
    }

    /// A converter of an earlier run's ticks: by that run's last anchor, which stays as it is.
    pub(crate) fn of_run(clock: Clock, anchor: Anchor) -> Calibration {
        Calibration { clock, anchor, baseline: (0, 0), last: i64::MIN, ahead: 0, stepped: None }
    }

    /// The clock this converts for.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The present anchor.
    pub(crate) fn anchor(&self) -> Anchor {
        self.anchor
    }

    /// Renews the anchor where it is old. Called once a pass.
    pub(crate) fn keep(&mut self, now_ticks: u64) {
        let age = now_ticks.wrapping_sub(self.anchor.ticks) as f64 * self.anchor.nanos_per_tick;
        // A clock that is turned by hand may be set without any time passing.
        if age > RENEW_AFTER as f64 || self.clock.is_manual() {
            self.renew();
        }
    }

    /// How far the wall clock was set, in nanoseconds, if it was since the last call: against the monotonic clock, by more than a second.
    pub(crate) fn take_step(&mut self) -> Option<i64> {
        self.stepped.take()
    }

    fn renew(&mut self) {
        match &self.clock {
            clock if clock.is_manual() => {
                let (now, unix) = (clock.slow_ticks(), clock.unix_now());
                self.anchor = Anchor { ticks: now, unix, nanos_per_tick: 1.0 };
                self.note(unix.wrapping_sub(now.cast_signed()));
            }
            clock => {
                // The wall clock is read between two tick readings, so that an interruption shows as a wide gap.
                let (mut best, mut gap) = ((0, 0, 0), u64::MAX);
                for _ in 0..4 {
                    let before = clock.ticks();
                    let unix = read(ClockId::Realtime);
                    let monotonic = read(ClockId::Monotonic);
                    let after = clock.ticks();
                    if after - before < gap {
                        gap = after - before;
                        best = (before + (after - before) / 2, unix, monotonic);
                    }
                }
                let (ticks, unix, monotonic) = best;
                let elapsed_ticks = ticks.wrapping_sub(self.baseline.0) as f64;
                let nanos_per_tick = match clock {
                    Clock::Tsc if elapsed_ticks > 0.0 => (monotonic - self.baseline.1) as f64 / elapsed_ticks,
                    _ => 1.0,
                };
                self.anchor = Anchor { ticks, unix, nanos_per_tick };
                self.note(unix - monotonic);
            }
        }
    }

    fn note(&mut self, ahead: i64) {
        if let Some(step) = step(self.ahead, ahead) {
            self.stepped = Some(self.stepped.unwrap_or(0).saturating_add(step));
        }
        self.ahead = ahead;
    }

    /// The wall-clock time of a record. Records come in the order of their ticks, and their times never go back by less
    /// than a second: what looks like that is the anchor's renewal, not a clock that was set.
    #[inline]
    pub(crate) fn unix(&mut self, ticks: u64) -> UnixNanos {
        let delta = ticks.wrapping_sub(self.anchor.ticks) as i64;
        let unix = self.anchor.unix.saturating_add((delta as f64 * self.anchor.nanos_per_tick) as i64);
        let back = self.last.saturating_sub(unix);
        self.last = if back > 0 && back < 1_000_000_000 { self.last } else { unix };
        self.last
    }

    /// So many nanoseconds in ticks.
    pub(crate) fn ticks_of(&self, nanos: u64) -> u64 {
        (nanos as f64 / self.anchor.nanos_per_tick) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_of_now_is_the_wall_clock_of_now() {
        let mut calibration = Calibration::new(Clock::system());
        let before = read(ClockId::Realtime);
        let unix = calibration.unix(calibration.clock().ticks());
        let after = read(ClockId::Realtime);
        assert!(unix > before - 1_000_000 && unix < after + 1_000_000, "{before} {unix} {after}");
    }

    #[test]
    fn small_steps_back_are_levelled_and_large_ones_are_followed() {
        let time = Arc::new(ManualTime::default());
        time.now.store(10_000_000_000, Ordering::Release);
        let mut calibration = Calibration::new(Clock::Manual(time));
        assert_eq!(calibration.unix(10_000_000_500), 10_000_000_500);
        assert_eq!(calibration.unix(10_000_000_100), 10_000_000_500);
        assert_eq!(calibration.unix(5_000_000_000), 5_000_000_000);
    }

    #[test]
    fn a_clock_that_was_set_is_told_from_one_that_is_slewed() {
        let second = 1_000_000_000;
        for (before, now, expected) in [
            (0, 0, None),
            (5 * second, 6 * second, None),
            (5 * second, 4 * second, None),
            (0, 3600 * second, Some(3600 * second)),
            (86_400 * second, 0, Some(-86_400 * second)),
            (0, second + 1, Some(second + 1)),
            (i64::MAX, i64::MIN, None),
        ] {
            assert_eq!(step(before, now), expected, "{before} {now}");
        }
    }

    #[test]
    fn the_system_s_clocks_do_not_step_by_themselves() {
        let mut calibration = Calibration::new(Clock::system());
        for _ in 0..100 {
            calibration.renew();
        }
        assert_eq!(calibration.take_step(), None);
        // As if the wall clock had been an hour ahead at the last look.
        calibration.ahead += 3600 * 1_000_000_000;
        calibration.renew();
        let step = calibration.take_step().unwrap();
        assert!((step + 3600 * 1_000_000_000).abs() < 1_000_000_000, "{step}");
        assert_eq!(calibration.take_step(), None);
    }
}
