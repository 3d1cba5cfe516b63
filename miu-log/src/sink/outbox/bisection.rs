//! Which of the records in a batch that was refused is the one that cannot be delivered: found by halving.
//!
//! P1. The parts add up to the records that are left, in their order: what is in front is dealt with before what follows, so that
//!     a batch is always done up to some place.
//!
//! Pure. Called by the outbox.

/// The parts in which the rest of a batch is offered, the last one first.
#[derive(Debug)]
pub(super) struct Bisection {
    parts: Vec<usize>,
}

/// What to do with a part that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Offer its halves.
    Halved,
    /// It is one record, which cannot be delivered.
    Poison,
}

impl Bisection {
    pub(super) fn new(records: usize) -> Bisection {
        Bisection { parts: vec![records] }
    }

    /// How many of the first records are to be offered; none where all are dealt with.
    pub(super) fn next(&self) -> Option<usize> {
        self.parts.last().copied()
    }

    /// Offers no more than so many records at once.
    pub(super) fn limit(&mut self, most: usize) {
        if let Some(part) = self.parts.pop() {
            let first = part.min(most.max(1));
            self.parts.extend([part - first, first].into_iter().filter(|part| *part > 0));
        }
    }

    /// The first records are dealt with: some of the part that was offered.
    pub(super) fn done(&mut self, records: usize) {
        if let Some(part) = self.parts.last_mut() {
            *part = part.saturating_sub(records);
            if *part == 0 {
                self.parts.pop();
            }
        }
    }

    /// The part that was offered is refused as it is.
    pub(super) fn refused(&mut self) -> Refused {
        match self.parts.pop() {
            Some(part) if part > 1 => {
                self.parts.extend([part / 2, part - part / 2]);
                Refused::Halved
            }
            other => {
                self.parts.extend(other);
                Refused::Poison
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Offers all records to a destination that refuses a batch with one of these; what arrives, what is poison, and how often it was asked.
    fn run(records: usize, poison: &[usize]) -> (Vec<usize>, Vec<usize>, usize) {
        let (mut arrived, mut refused, mut asked, mut at) = (vec![], vec![], 0, 0);
        let mut bisection = Bisection::new(records);
        while let Some(part) = bisection.next() {
            asked += 1;
            let range = at..at + part;
            if !range.clone().any(|record| poison.contains(&record)) {
                arrived.extend(range);
            } else if bisection.refused() == Refused::Poison {
                refused.push(at);
            } else {
                continue;
            }
            bisection.done(part);
            at += part;
        }
        (arrived, refused, asked)
    }

    #[test]
    fn one_of_fifty_is_found_in_few_attempts() {
        let (arrived, refused, asked) = run(50, &[31]);
        assert_eq!((arrived.len(), refused), (49, vec![31]));
        assert!(asked <= 13, "{asked}");
    }

    #[test]
    fn a_part_is_offered_in_pieces_and_a_piece_that_is_refused_is_halved_alone() {
        let mut bisection = Bisection::new(10);
        bisection.limit(4);
        assert_eq!((bisection.next(), bisection.refused()), (Some(4), Refused::Halved));
        bisection.limit(4);
        assert_eq!(bisection.parts, [6, 2, 2]);
        bisection.limit(0);
        assert_eq!((bisection.next(), bisection.refused()), (Some(1), Refused::Poison));
        for done in [1, 1, 2] {
            bisection.done(done);
        }
        bisection.limit(100);
        assert_eq!(bisection.parts, [6]);
        bisection.done(6);
        bisection.limit(100);
        assert_eq!(bisection.next(), None);
    }

    proptest! {
        #[test]
        fn all_but_the_poison_arrive_once_in_order(records in 1..200usize, poison in prop::collection::btree_set(0..200usize, 0..20)) {
            let poison: Vec<usize> = poison.into_iter().filter(|&record| record < records).collect();
            let (arrived, refused, _) = run(records, &poison);
            let good: Vec<usize> = (0..records).filter(|record| !poison.contains(record)).collect();
            prop_assert_eq!(arrived, good);
            prop_assert_eq!(refused, poison);
        }
    }
}
