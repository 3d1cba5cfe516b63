//! Whether a destination is tried at all: after a batch has failed for good it is left alone for a while, then tried once.
//!
//! Pure: time comes in as a number. Called by the outbox.

/// First and longest time for which a destination is left alone, in nanoseconds.
const FIRST: u64 = 30_000_000_000;
const LONGEST: u64 = 300_000_000_000;

/// What is known of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Circuit {
    /// It works, for all that is known.
    Closed,
    /// It is left alone until then; and for how long that was.
    Open { until: u64, pause: u64 },
    /// It is being tried once.
    HalfOpen { pause: u64 },
}

impl Circuit {
    /// From which time on there may be an attempt: 0 for at any time.
    pub(super) fn due(self) -> u64 {
        match self {
            Circuit::Open { until, .. } => until,
            Circuit::Closed | Circuit::HalfOpen { .. } => 0,
        }
    }

    /// An attempt begins.
    pub(super) fn begin(&mut self, now: u64) {
        if let Circuit::Open { until, pause } = *self
            && now >= until
        {
            *self = Circuit::HalfOpen { pause };
        }
    }

    /// Whether the attempt under way is the only one.
    pub(super) fn is_half_open(self) -> bool {
        matches!(self, Circuit::HalfOpen { .. })
    }

    /// Whether that attempt comes after the longest time for which a destination is left alone.
    pub(super) fn is_at_last(self) -> bool {
        matches!(self, Circuit::HalfOpen { pause: LONGEST })
    }

    /// A batch has failed for good: the destination is left alone, for twice as long as the last time.
    pub(super) fn open(&mut self, now: u64) {
        let pause = match *self {
            Circuit::Closed => FIRST,
            Circuit::Open { pause, .. } | Circuit::HalfOpen { pause } => (pause * 2).min(LONGEST),
        };
        *self = Circuit::Open { until: now.saturating_add(pause), pause };
    }

    /// The destination has answered.
    pub(super) fn close(&mut self) {
        *self = Circuit::Closed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_for_longer_each_time_and_closes_with_an_answer() {
        let mut circuit = Circuit::Closed;
        let mut now = 0;
        for pause in [30, 60, 120, 240, 300, 300] {
            assert!(!circuit.is_half_open() || now > 0);
            circuit.open(now);
            assert_eq!(circuit.due(), now + pause * 1_000_000_000);
            circuit.begin(circuit.due() - 1);
            assert!(!circuit.is_half_open());
            now = circuit.due();
            circuit.begin(now);
            assert!(circuit.is_half_open() && circuit.due() == 0);
            assert_eq!(circuit.is_at_last(), pause == 300);
        }
        circuit.close();
        circuit.begin(now);
        assert_eq!(circuit, Circuit::Closed);
    }
}
