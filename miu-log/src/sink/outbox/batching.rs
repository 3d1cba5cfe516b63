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
    /// From which time on the records make a batch: 0 for those that do already. None where there are no records.
    pub(super) fn due(&self, waiting: Waiting) -> Option<u64> {
        if waiting.records == 0 {
            return None;
        }
        let enough = waiting.records >= self.records as u64 || waiting.bytes >= self.bytes as u64;
        Some(if enough { 0 } else { waiting.since.saturating_add(nanos(self.age)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_bytes_or_age_make_a_batch() {
        let batching = Batching { records: 50, most: 50, bytes: 1000, age: Duration::from_nanos(7) };
        let due = |records, bytes| batching.due(Waiting { records, bytes, since: 100 });
        assert_eq!(due(0, 0), None);
        assert_eq!(due(1, 10), Some(107));
        assert_eq!(due(49, 999), Some(107));
        assert_eq!(due(50, 10), Some(0));
        assert_eq!(due(1, 1000), Some(0));
    }
}
