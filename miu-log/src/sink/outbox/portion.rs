//! How many records are offered at once to a destination that has said it was too much: half as many each time, and twice as many again once it keeps up.
//!
//! T1. At least one record is offered, and never more than a batch has.
//! T2. What was too much is tried again after some deliveries only, after twice as many each time that it is too much again: a destination that stays slow is
//!     not held up by it over and over.
//!
//! Pure. A new start knows nothing of it, and finds its way down by itself. Called by the outbox.

/// After how many deliveries in a row twice as many records are tried, at first and at most.
const FIRST: u32 = 4;
const LONGEST: u32 = 256;

/// See the module's description.
#[derive(Debug)]
pub(super) struct Portion {
    /// None: as many as a batch has.
    most: Option<usize>,
    /// Deliveries of that many in a row.
    arrived: u32,
    /// How many of those it takes.
    patience: u32,
    /// As many have not arrived yet since there were fewer.
    is_trial: bool,
}

impl Portion {
    pub(super) fn new() -> Portion {
        Portion { most: None, arrived: 0, patience: FIRST, is_trial: false }
    }

    /// How many records may be offered, of a batch of so many at most.
    pub(super) fn most(&self, batch: usize) -> usize {
        self.most.map_or(batch, |most| most.min(batch))
    }

    /// So many were too much at once. Whether it will be fewer from now on.
    pub(super) fn too_much(&mut self, offered: usize) -> bool {
        if std::mem::take(&mut self.is_trial) {
            self.patience = (self.patience * 2).min(LONGEST);
        }
        self.arrived = 0;
        self.most = Some(self.most(offered / 2).max(1));
        offered > 1
    }

    /// So many have arrived at once, where a batch has that many at most.
    pub(super) fn arrived(&mut self, offered: usize, batch: usize) {
        if offered < self.most(batch) {
            return;
        }
        if std::mem::take(&mut self.is_trial) {
            (self.patience, self.arrived) = (FIRST, 0);
        }
        let Some(most) = self.most else { return };
        self.arrived += 1;
        if self.arrived >= self.patience {
            let doubled = most.saturating_mul(2);
            self.most = (doubled < batch).then_some(doubled);
            (self.arrived, self.is_trial) = (0, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offers so many times to a destination that takes this many at once: what it was offered.
    fn offer(portion: &mut Portion, times: usize, takes: usize) -> Vec<usize> {
        let offered = (0..times).map(|_| {
            let offered = portion.most(8192);
            if offered > takes {
                portion.too_much(offered);
            } else {
                portion.arrived(offered, 8192);
            }
            offered
        });
        offered.collect()
    }

    #[test]
    fn it_is_half_as_many_each_time_down_to_one_and_all_again_after_deliveries() {
        let mut portion = Portion::new();
        let down = [8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1, 1];
        assert_eq!(offer(&mut portion, 15, 0), down);
        let up = offer(&mut portion, 53, 8192);
        assert_eq!((&up[..6], up[51], up[52]), (&[1, 1, 1, 1, 2, 2][..], 4096, 8192));
        assert!(!portion.too_much(1) && portion.too_much(2));
    }

    #[test]
    fn what_is_too_much_again_and_again_is_tried_more_seldom() {
        let mut portion = Portion::new();
        for _ in 0..20 {
            offer(&mut portion, 300, 5000);
        }
        let offered = offer(&mut portion, 1000, 5000);
        let refused = offered.iter().filter(|offered| **offered > 5000).count();
        assert!((3..=4).contains(&refused), "{refused}");
        assert!(offered.iter().all(|offered| [4096, 8192].contains(offered)));
    }

    #[test]
    fn fewer_than_were_allowed_say_nothing() {
        let mut portion = Portion::new();
        portion.too_much(100);
        for _ in 0..100 {
            portion.arrived(49, 8192);
        }
        assert_eq!((portion.most(8192), portion.most(7)), (50, 7));
    }
}
