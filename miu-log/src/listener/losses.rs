//! Lines about what was lost: `dropped N records`, at the place where it happened, at most once a second and domain.
//!
//! A record that finds no room takes a number in its ring all the same: a gap in the numbers is where it would have been. At the first
//! gap the line is written before the record that follows it; what is lost in the second after that is told by the next line. The
//! counts are those of the moment: where the listener lags behind, a line tells also of records whose gaps come later.

use std::fmt::Write;

use crate::level::Level;
use crate::notice::records;
use crate::router::Untold;
use crate::stats::{Counters, DropReason};

/// Reasons that a line can still be written for: after the shutdown there is no listener.
const REPORTED: [DropReason; 4] =
    [DropReason::Full, DropReason::Reentrant, DropReason::NoMemory, DropReason::Signal];
/// Shortest time between two lines of a domain, in nanoseconds.
const INTERVAL: u64 = 1_000_000_000;
/// Threads that a line names.
const NAMED: usize = 4;

/// Missing numbers of a ring.
#[derive(Debug)]
struct Gap {
    serial: u64,
    thread: String,
    first: u64,
    last: u64,
    count: u64,
}

/// Remembers what has been reported.
#[derive(Debug)]
pub(crate) struct Losses {
    reported: Vec<[[u64; Level::ALL.len()]; REPORTED.len()]>,
    gaps: Vec<Gap>,
    /// Records that a line has told of before their gap was seen: the counters run ahead of what has been read.
    ahead: u64,
    /// When the last line was written, on the monotonic clock.
    at: Option<u64>,
}

impl Losses {
    pub(crate) fn new(domains: usize) -> Losses {
        Losses {
            reported: vec![[[0; Level::ALL.len()]; REPORTED.len()]; domains],
            gaps: Vec::new(),
            ahead: 0,
            at: None,
        }
    }

    /// These numbers are missing in a ring, which belongs to this thread. Whether a line is due.
    pub(crate) fn note(
        &mut self,
        serial: u64,
        thread: impl FnOnce() -> String,
        first: u64,
        last: u64,
        now: u64,
    ) -> bool {
        let count = last - first + 1;
        match self.gaps.iter_mut().find(|gap| gap.serial == serial) {
            Some(gap) => {
                gap.last = last;
                gap.count += count;
            }
            None => self.gaps.push(Gap { serial, thread: thread(), first, last, count }),
        }
        self.at.is_none_or(|at| now.saturating_sub(at) >= INTERVAL)
    }

    /// What was lost since the last call: the domain, and the message for its file.
    pub(crate) fn since_last(&mut self, counters: &Counters, now: u64) -> Vec<(usize, String)> {
        let mut messages = Vec::new();
        let missing = self.missing();
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
                    if reason == DropReason::Full {
                        self.ahead += total;
                    }
                    // Only what found no room in a ring has a number there.
                    let missing = if reason == DropReason::Full { &*missing } else { "" };
                    messages.push((
                        domain,
                        format!("dropped {} ({reason}): {}{missing}", records(total), parts.join(", ")),
                    ));
                }
            }
        }
        let count: u64 = self.gaps.drain(..).map(|gap| gap.count).sum();
        let unexplained = count.saturating_sub(self.ahead);
        self.ahead = self.ahead.saturating_sub(count);
        if unexplained > 0 {
            messages.push((0, format!("{} missing{missing}", records(unexplained))));
        }
        if !messages.is_empty() {
            self.at = Some(now);
        }
        messages
    }

    /// "; numbers 7 to 9 of main/worker-3".
    fn missing(&self) -> String {
        let mut text = String::new();
        for (index, Gap { thread, first, last, .. }) in self.gaps.iter().take(NAMED).enumerate() {
            text.push_str(if index == 0 { "; " } else { ", " });
            // Writing to a String cannot fail.
            let _ = if first == last {
                write!(text, "number {first} of {thread}")
            } else {
                write!(text, "numbers {first} to {last} of {thread}")
            };
        }
        if self.gaps.len() > NAMED {
            let _ = write!(text, ", and of {} more threads", self.gaps.len() - NAMED);
        }
        text
    }
}

/// What a log file says of the records that it had to do without while it failed.
pub(super) fn of_a_file(untold: &Untold) -> Vec<String> {
    let mut messages = Vec::new();
    let total: u64 = untold.dropped.iter().sum();
    let cause = &untold.cause;
    if total > 0 {
        let of_level = |(level, count): (Level, &u64)| (*count > 0).then(|| format!("{count} {level}"));
        let parts: Vec<String> = Level::ALL.into_iter().zip(&untold.dropped).filter_map(of_level).collect();
        messages.push(format!("dropped {} of this file ({cause}): {}", records(total), parts.join(", ")));
    }
    if untold.lost > 0 {
        messages.push(format!("lost {} of this file ({cause})", records(untold.lost)));
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_loss_is_reported_once_with_its_levels() {
        let counters = Counters::new(2);
        let mut losses = Losses::new(2);
        assert!(losses.since_last(&counters, 0).is_empty());
        counters.drop_one(DropReason::Full, 1, Level::Debug);
        counters.drop_one(DropReason::Full, 1, Level::Debug);
        counters.drop_one(DropReason::Full, 1, Level::Info);
        assert!(losses.note(7, || "main/w".to_owned(), 3, 5, 0));
        let message = "dropped 3 records (queue full): 2 DEBUG, 1 INFO; numbers 3 to 5 of main/w".to_owned();
        assert_eq!(losses.since_last(&counters, 0), [(1, message)]);
        assert!(losses.since_last(&counters, 0).is_empty());
    }

    #[test]
    fn a_line_a_second_is_enough_and_gaps_of_a_ring_are_told_together() {
        let counters = Counters::new(1);
        let mut losses = Losses::new(1);
        counters.drop_one(DropReason::Full, 0, Level::Info);
        assert!(losses.note(1, || "a".to_owned(), 0, 0, 5));
        let line = "dropped 1 record (queue full): 1 INFO; number 0 of a".to_owned();
        assert_eq!(losses.since_last(&counters, 5), [(0, line)]);
        for (serial, first) in [(1, 2), (1, 9), (2, 4), (3, 4), (4, 4), (5, 4)] {
            assert!(!losses.note(serial, || format!("t{serial}"), first, first, 5 + INTERVAL - 1));
        }
        assert!(losses.note(6, || "t6".to_owned(), 4, 4, 5 + INTERVAL));
        let line = "7 records missing; numbers 2 to 9 of t1, number 4 of t2, number 4 of t3, number 4 of t4, and of 2 more threads";
        assert_eq!(losses.since_last(&counters, 6), [(0, line.to_owned())]);
    }

    #[test]
    fn a_gap_of_records_that_were_told_before_is_not_told_again() {
        let counters = Counters::new(1);
        let mut losses = Losses::new(1);
        (0..5).for_each(|_| counters.drop_one(DropReason::Full, 0, Level::Info));
        losses.note(1, || "a".to_owned(), 3, 4, 0);
        assert_eq!(losses.since_last(&counters, 0).len(), 1);
        losses.note(1, || "a".to_owned(), 7, 9, 0);
        assert!(losses.since_last(&counters, 0).is_empty());
        losses.note(1, || "a".to_owned(), 11, 11, 0);
        let line = "1 record missing; number 11 of a".to_owned();
        assert_eq!(losses.since_last(&counters, 0), [(0, line)]);
    }
}
