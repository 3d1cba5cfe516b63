//! How much gets to a destination in a second: over the last ten seconds, from counters that only grow.
//!
//! Pure: time comes in as a number. Called by the outbox.

use std::collections::VecDeque;

/// How far back it looks, in nanoseconds.
const SPAN: u64 = 10_000_000_000;

/// Counters as they were.
#[derive(Debug, Default)]
pub(super) struct Rates {
    /// Time, batches, records; the oldest first.
    noted: VecDeque<(u64, u64, u64)>,
}

impl Rates {
    /// The counters at this time.
    pub(super) fn note(&mut self, now: u64, batches: u64, records: u64) {
        // The last one before the span is kept, for what was at its beginning.
        while self.noted.get(1).is_some_and(|(time, ..)| time + SPAN <= now) {
            self.noted.pop_front();
        }
        self.noted.push_back((now, batches, records));
    }

    /// Batches and records in a second.
    pub(super) fn per_second(&self) -> (f64, f64) {
        let (Some(first), Some(last)) = (self.noted.front(), self.noted.back()) else { return (0.0, 0.0) };
        let seconds = last.0.saturating_sub(first.0) as f64 / 1e9;
        if seconds <= 0.0 {
            return (0.0, 0.0);
        }
        let rate = |from: u64, to: u64| to.saturating_sub(from) as f64 / seconds;
        (rate(first.1, last.1), rate(first.2, last.2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_longer_ago_than_ten_seconds_counts_no_more() {
        let mut rates = Rates::default();
        assert_eq!(rates.per_second(), (0.0, 0.0));
        rates.note(0, 0, 0);
        assert_eq!(rates.per_second(), (0.0, 0.0));
        for second in 1..=10 {
            rates.note(second * SPAN / 10, second, second * 50);
        }
        assert_eq!(rates.per_second(), (1.0, 50.0));
        for second in 11..=25 {
            rates.note(second * SPAN / 10, 10, 500);
        }
        assert_eq!(rates.per_second(), (0.0, 0.0));
        assert!(rates.noted.len() <= 11);
    }
}
