//! The ring that signal handlers write to when their thread has none at rest: one for all threads, taken for a moment each, never
//! waited for.
//!
//! V1. Whoever sets `taken` from false to true has the producer until it sets it back; nobody else reaches it. A handler that
//!     interrupts that one on its own thread finds it taken, as any other thread does.
//!
//! Called by `queue::signal`.

use std::any::Any;
use std::cell::UnsafeCell;
use std::sync::Arc;

use super::producer::Producer;
use super::segment::Segment;
use crate::sync::{AtomicBool, Ordering};

/// See the module's description.
#[derive(Debug)]
pub(crate) struct Reserve {
    taken: AtomicBool,
    producer: UnsafeCell<Producer>,
}

// SAFETY: the producer may be sent (`Producer` says why), and V1 makes its use exclusive; the flag is atomic.
unsafe impl Sync for Reserve {}

impl Reserve {
    /// A reserve with this segment, which no other producer writes to.
    pub(crate) fn new(segment: Arc<Segment>, ring: u64) -> Reserve {
        // It is found by nobody but its queue, which owns it: there is no address to keep.
        let nobody: Arc<dyn Any + Send + Sync> = Arc::new(());
        let producer = UnsafeCell::new(Producer::new(nobody, segment, ring));
        Reserve { taken: AtomicBool::new(false), producer }
    }

    /// Writes a record, as [`Producer::write`] does, into whatever room there is. How full the ring is then, as a share of two halves; none, and nothing
    /// done, where somebody else has the ring or there is no room.
    pub(crate) fn try_write(&self, len: usize, fill: impl FnOnce(&mut [u8], u64)) -> Option<Load> {
        if self.taken.swap(true, Ordering::Acquire) {
            return None;
        }
        // SAFETY: V1: the flag was free and is ours now.
        let producer = unsafe { &mut *self.producer.get() };
        producer.extend(u64::MAX);
        let load = producer.write(len, fill).then(|| {
            let fill = producer.refresh(u64::MAX);
            if fill.used >= fill.capacity / 2 { Load::Heavy } else { Load::Light }
        });
        // Pairs with the acquiring swap above: the next one sees what was written to the producer.
        self.taken.store(false, Ordering::Release);
        load
    }
}

/// How full a ring is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// Less than half.
    Light,
    /// Half and more: the listener should come.
    Heavy,
}

#[cfg(test)]
mod tests {
    use super::super::segment::{Identity, SMALLEST};
    use super::*;

    fn reserve() -> (Reserve, Arc<Segment>) {
        let identity = Identity {
            member: 1,
            process_id: 1,
            thread_id: 0,
            ring: 0,
            generation: 0,
            thread_name: String::new(),
        };
        let segment = Arc::new(Segment::create(None, SMALLEST, &identity).unwrap());
        (Reserve::new(segment.clone(), 0), segment)
    }

    #[test]
    fn a_nested_write_finds_it_taken() {
        let (reserve, segment) = reserve();
        let mut nested = Some(Load::Light);
        let written = reserve.try_write(64, |slot, _| {
            nested = reserve.try_write(64, |slot, _| slot.fill(2));
            slot.fill(1);
        });
        assert_eq!((written, nested), (Some(Load::Light), None));
        assert_eq!(segment.producer_line().accepted.load(Ordering::Relaxed), 1);
        assert_eq!(reserve.try_write(64, |slot, _| slot.fill(3)), Some(Load::Light));
    }

    #[test]
    fn all_of_it_can_be_filled_and_nothing_more() {
        let (reserve, _segment) = reserve();
        let loads: Vec<_> = (0..SMALLEST / 4096 + 2).map(|_| reserve.try_write(4096, |_, _| {})).collect();
        let half = SMALLEST / 4096 / 2;
        assert!(loads[..half - 1].iter().all(|load| *load == Some(Load::Light)));
        assert!(loads[half - 1..2 * half].iter().all(|load| *load == Some(Load::Heavy)));
        assert!(loads[2 * half..].iter().all(Option::is_none));
    }

    #[test]
    fn threads_that_meet_there_lose_nothing_that_was_taken() {
        let (reserve, segment) = reserve();
        let written: u64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        (0..500).filter(|_| reserve.try_write(16, |slot, _| slot.fill(7)).is_some()).count()
                            as u64
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let line = segment.producer_line();
        assert_eq!(line.accepted.load(Ordering::Relaxed), written);
        assert_eq!(line.head.load(Ordering::Relaxed), 16 * written);
    }
}
