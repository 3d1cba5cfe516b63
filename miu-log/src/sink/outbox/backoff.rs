//! How long to wait before a failed batch is offered again: exponential, with full jitter. What the destination asks for is kept by the courier.
//!
//! Pure: chance comes in as a number. Called by the outbox.

use std::time::Duration;

use crate::clock::nanos;

/// The pauses between attempts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    /// Attempts after the first one.
    pub(crate) retries: u32,
    /// The longest that the first pause can be; each further one can be twice as long.
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Backoff {
    /// The pause after so many failed attempts, in nanoseconds: anything from nothing to twice as much as before, as `chance` wants it. None
    /// where it is not to be tried again.
    pub(super) fn pause(&self, failed: u32, chance: u64) -> Option<u64> {
        if failed > self.retries {
            return None;
        }
        let doubled = nanos(self.first).saturating_mul(1 << failed.saturating_sub(1).min(32));
        let longest = doubled.min(nanos(self.longest));
        Some((u128::from(longest) * u128::from(chance) / u128::from(u64::MAX)) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    const BACKOFF: Backoff =
        Backoff { retries: 5, first: Duration::from_secs(1), longest: Duration::from_secs(10) };

    #[test]
    fn pauses_double_up_to_the_longest_and_end_after_five_retries() {
        let longest: Vec<_> = (1..=6).map(|failed| BACKOFF.pause(failed, u64::MAX)).collect();
        let seconds = [Some(1), Some(2), Some(4), Some(8), Some(10), None];
        assert_eq!(longest, seconds.map(|pause: Option<u64>| pause.map(|pause| pause * SECOND)));
    }

    #[test]
    fn a_pause_is_anything_down_to_nothing() {
        assert_eq!(BACKOFF.pause(3, 0), Some(0));
        assert_eq!(BACKOFF.pause(3, u64::MAX / 2), Some(2 * SECOND - 1));
    }

    #[test]
    fn many_failures_overflow_nothing() {
        let patient = Backoff { retries: u32::MAX, ..BACKOFF };
        assert_eq!(patient.pause(u32::MAX, u64::MAX), Some(10 * SECOND));
    }
}
