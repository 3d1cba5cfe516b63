//! When records that wait make a batch: there are enough of them, they are long enough, or the oldest has waited for long enough.
//!
//! Pure: time comes in as a number. Called by the outbox.

use std::time::Duration;

use crate::clock::nanos;

/// What makes a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batching {
    pub(crate) records: usize,
    /// How many go at once where so many wait.
    pub(crate) most: usize,
    pub(crate) bytes: usize,
    pub(crate) age: Duration,
    /// From the arrival of one batch to the next one's first attempt, at least.
    pub(crate) interval: Duration,
}

/// What waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) records: u64,
    pub(super) bytes: u64,
    /// When the oldest came, on the monotonic clock.
    pub(super) since: u64,
}

impl Batching {
    /// From which time on the records make a batch: 0 for those that do already. None where there are no records. `arrived` is when the last batch did, if
    /// one has.
    pub(super) fn due(&self, waiting: Waiting, arrived: Option<u64>) -> Option<u64> {
        if waiting.records == 0 {
            return None;
        }
        let enough = waiting.records >= self.records as u64 || waiting.bytes >= self.bytes as u64;
        let due = if enough { 0 } else { waiting.since.saturating_add(nanos(self.age)) };
        let next = arrived.map_or(0, |arrived| arrived.saturating_add(nanos(self.interval)));
        Some(if self.interval.is_zero() { due } else { due.max(next) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_bytes_or_age_make_a_batch() {
        let batching = Batching {
            records: 50,
            most: 50,
            bytes: 1000,
            age: Duration::from_nanos(7),
            interval: Duration::ZERO,
        };
        let due = |records, bytes| batching.due(Waiting { records, bytes, since: 100 }, Some(90));
        assert_eq!(due(0, 0), None);
        assert_eq!(due(1, 10), Some(107));
        assert_eq!(due(49, 999), Some(107));
        assert_eq!(due(50, 10), Some(0));
        assert_eq!(due(1, 1000), Some(0));
    }

    #[test]
    fn an_interval_is_kept_between_batches_and_not_before_the_first() {
        let (age, interval) = (Duration::from_nanos(7), Duration::from_nanos(20));
        let batching = Batching { records: 50, most: 50, bytes: 1000, age, interval };
        let due = |records, arrived| batching.due(Waiting { records, bytes: 1, since: 100 }, arrived);
        assert_eq!((due(1, None), due(50, None)), (Some(107), Some(0)));
        assert_eq!((due(1, Some(99)), due(50, Some(99)), due(0, Some(99))), (Some(119), Some(119), None));
        assert_eq!(due(1, Some(50)), Some(107));
    }
}
