//! Records that are refused by themselves, one after the other, with nothing between them that arrived: that is the service's fault rather than theirs.
//!
//! N1. At most [`FEW`] of them count as refused without a pause; from then on each is offered once more after a pause, which grows, before it does. So a fault
//!     of the service costs few records and requests, and records that are at fault themselves stop those behind them for a time only.
//!
//! Pure. Called by the webhook.

use std::time::Duration;

use crate::record::RecordId;

/// So many in a row are taken for a fault of their own.
const FEW: u32 = 3;

/// The first pause and the longest one.
const FIRST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// See the module's description.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    in_a_row: u32,
    /// The record for which there was a pause.
    waited: Option<RecordId>,
}

impl Refusals {
    /// A message has arrived.
    pub(super) fn end(&mut self) {
        *self = Refusals::default();
    }

    /// A record is refused by itself: for how long it is to wait, after how many that were refused before it; none where it counts as refused.
    pub(super) fn pause(&mut self, record: RecordId) -> Option<(Duration, u32)> {
        if self.in_a_row >= FEW && self.waited != Some(record) {
            self.waited = Some(record);
            let pause = FIRST * 2_u32.saturating_pow((self.in_a_row - FEW).min(16));
            return Some((pause.min(LONGEST), self.in_a_row));
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.waited = None;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The minutes before each record is given up.
    fn minutes(refusals: &mut Refusals, records: std::ops::Range<u64>) -> Vec<u64> {
        let wait = |sequence| {
            let mut minutes = 0;
            while let Some((pause, _)) = refusals.pause(RecordId { source: 1, sequence }) {
                minutes += pause.as_secs() / 60;
            }
            minutes
        };
        records.map(wait).collect()
    }

    #[test]
    fn the_first_few_are_given_up_at_once_and_then_one_after_each_longer_pause() {
        let mut refusals = Refusals::default();
        assert_eq!(minutes(&mut refusals, 0..12), [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        refusals.end();
        assert_eq!(minutes(&mut refusals, 12..16), [0, 0, 0, 1]);
    }
}
