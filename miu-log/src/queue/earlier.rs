//! Records of earlier moments and other threads: those that were kept before there was a repository.
//!
//! Each thread's records go into a ring of their own, which has that thread's name, is as large as they need, and is closed behind them. The listener merges it
//! with the others by time, as any ring of a thread that has ended.
//!
//! Called by `lifecycle::early`, once, before the listener's first pass.

use std::any::Any;
use std::sync::Arc;

use super::Queue;
use super::rings::thread_name;
use crate::codec::{HEADER, Head, padded};
use crate::level::Level;
use crate::ring::producer::Producer;
use crate::ring::segment::{Identity, MIRROR, NAME_MAX, SMALLEST, Segment};
use crate::stats::DropReason;
use crate::sync::Ordering;

/// Longest arguments of such a record.
pub(crate) const LONGEST: usize = MIRROR - HEADER - 8;

/// A record, its arguments in the wire format.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) level: Level,
    pub(crate) domain: u8,
    pub(crate) callsite: u32,
    pub(crate) ticks: u64,
    /// At most [`LONGEST`] bytes.
    pub(crate) arguments: Vec<u8>,
}

/// The records of one thread, in their order.
#[derive(Debug)]
pub(crate) struct OfThread {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) records: Vec<Replayed>,
}

/// The calling thread's number and name, as its ring has them.
pub(crate) fn current_thread() -> (u32, String) {
    (rustix::thread::gettid().as_raw_nonzero().get() as u32, thread_name())
}

impl Queue {
    /// Takes the records of these threads. Those that there is no memory for are counted as dropped.
    ///
    /// All rings are full before the first one is registered, so that the listener of another process merges them as well. One that happens to look for new
    /// files by itself in between, as it does once a second, may write the records of one thread before those of the others.
    pub(crate) fn replay(self: &Arc<Queue>, threads: Vec<OfThread>) {
        let made: Vec<_> = threads.into_iter().filter_map(|thread| self.ring_of(thread)).collect();
        for (identity, segment) in made {
            self.register(identity, &segment);
        }
    }

    /// A ring with the records of a thread, closed.
    fn ring_of(self: &Arc<Queue>, thread: OfThread) -> Option<(Identity, Arc<Segment>)> {
        let OfThread { id, mut name, records } = thread;
        name.truncate(name.floor_char_boundary(NAME_MAX));
        let len = |record: &Replayed| padded(HEADER + record.arguments.len());
        let capacity = records.iter().map(len).sum::<usize>().next_power_of_two().max(SMALLEST);
        let ring = self.local().next_ring.fetch_add(1, Ordering::Relaxed);
        let identity = Identity { thread_id: id, thread_name: name, ..self.identity(ring, 0) };
        let Ok(segment) = self.create_segment(self.settings(), capacity, &identity) else {
            records
                .iter()
                .for_each(|record| self.drop_one(DropReason::NoMemory, record.domain, record.level));
            return None;
        };
        let segment = Arc::new(segment);
        let owner: Arc<dyn Any + Send + Sync> = self.clone();
        let mut producer = Producer::new(owner, segment.clone(), ring);
        producer.extend(capacity as u64);
        for record in &records {
            let Replayed { level, domain, callsite, ticks, arguments } = record;
            let written = len(record) <= MIRROR
                && producer.write(len(record), |slot, sequence| {
                    let head = Head {
                        len: (HEADER + arguments.len()) as u32,
                        callsite: *callsite,
                        ticks: *ticks,
                        sequence: sequence as u32,
                        domain: *domain,
                        level: *level as u8,
                        flags: 0,
                    };
                    let (start, rest) = slot.split_at_mut(HEADER);
                    start.copy_from_slice(&head.to_bytes());
                    rest[..arguments.len()].copy_from_slice(arguments);
                });
            if !written {
                self.drop_one(DropReason::NoMemory, *domain, *level);
            }
        }
        Some((identity, segment))
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::domain::DomainSpec;

    #[test]
    fn more_than_a_small_ring_holds_is_taken_and_what_is_too_long_is_counted() {
        const SPECS: &[DomainSpec] = &[DomainSpec { name: "app", file: "app", level: None }];
        let queue = Queue::detached(SPECS, Clock::system());
        let record =
            |len| Replayed { level: Level::Info, domain: 0, callsite: 1, ticks: 7, arguments: vec![0; len] };
        let records = (0..100).map(|_| record(LONGEST)).chain([record(MIRROR)]).collect();
        queue.replay(vec![OfThread { id: 1, name: "é".repeat(1000), records }]);
        assert_eq!(queue.accepted(), 100);
        assert_eq!(queue.counters.dropped(DropReason::NoMemory, 0, Level::Info), 1);
        let registered = queue.next_registration().unwrap();
        assert!(registered.identity.thread_name.len() <= NAME_MAX);
        assert_eq!(registered.segment.producer_line().accepted.load(Ordering::Relaxed), 100);
    }
}
