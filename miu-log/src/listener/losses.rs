//! Lines about what was lost: `dropped N records`, once a second and domain.

use crate::level::Level;
use crate::stats::{Counters, DropReason};

/// Reasons that a line can still be written for: after the shutdown there is no listener.
const REPORTED: [DropReason; 4] =
    [DropReason::Full, DropReason::Reentrant, DropReason::NoMemory, DropReason::Signal];

/// Remembers what has been reported.
#[derive(Debug)]
pub(crate) struct Losses {
    reported: Vec<[[u64; Level::ALL.len()]; REPORTED.len()]>,
}

impl Losses {
    pub(crate) fn new(domains: usize) -> Losses {
        Losses { reported: vec![[[0; Level::ALL.len()]; REPORTED.len()]; domains] }
    }

    /// What was lost since the last call: the domain, and the message for its file.
    pub(crate) fn since_last(&mut self, counters: &Counters) -> Vec<(usize, String)> {
        let mut messages = Vec::new();
        for (domain, reported) in self.reported.iter_mut().enumerate() {
            for (reason, reported) in REPORTED.into_iter().zip(reported) {
                let mut parts = Vec::new();
                let mut total = 0;
                for level in Level::ALL {
                    let now = counters.dropped(reason, domain, level);
                    let new = now - reported[level as usize];
                    reported[level as usize] = now;
                    if new > 0 {
                        total += new;
                        parts.push(format!("{new} {level}"));
                    }
                }
                if total > 0 {
                    let records = if total == 1 { "record" } else { "records" };
                    messages.push((
                        domain,
                        format!("dropped {total} {records} ({reason}): {}", parts.join(", ")),
                    ));
                }
            }
        }
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_loss_is_reported_once_with_its_levels() {
        let counters = Counters::new(2);
        let mut losses = Losses::new(2);
        assert!(losses.since_last(&counters).is_empty());
        counters.drop_one(DropReason::Full, 1, Level::Debug);
        counters.drop_one(DropReason::Full, 1, Level::Debug);
        counters.drop_one(DropReason::Full, 1, Level::Info);
        let message = "dropped 3 records (queue full): 2 DEBUG, 1 INFO".to_owned();
        assert_eq!(losses.since_last(&counters), [(1, message)]);
        assert!(losses.since_last(&counters).is_empty());
    }
}
