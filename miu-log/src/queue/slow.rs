//! The slow path of a call: a thread's first record, a ring that is half full or full, a long record.
//!
//! Here live the overflow policy and the ways out for threads that cannot have a ring; `rings` makes rings and has them grow, `blobs` takes long
//! records. Q1 to Q4 of `queue` are kept here; called by `Queue::enqueue` alone.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{ENDED, OverflowPolicy, Queue, RUNNING, lock};
use crate::callsite;
use crate::codec::{HEADER, padded};
use crate::encode::{Cut, MAX_RECORD, TEXT_HEAD};
use crate::level::Level;
use crate::own_thread::MuteThread;
use crate::ring::local;
use crate::ring::producer::Producer;
use crate::ring::segment::MIRROR;
use crate::ring::signal_frame::in_signal_handler;
use crate::stats::DropReason;
use crate::sync::{AtomicBool, Ordering, compiler_fence, thread_local};

/// A blocked caller looks at least this often, whoever wakes it.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(10);

thread_local! {
    /// Set while the thread is in its slow path (Q3). Has no destructor. Atomic for signal handlers, as the marks of `ring::local` are: one that
    /// comes between the load and the store of `enter` has left it as it was.
    static BUSY: AtomicBool = const { AtomicBool::new(false) };
}

/// Q3: one slow path at a time.
struct Busy;

impl Busy {
    fn enter() -> Option<Busy> {
        BUSY.with(|busy| {
            if busy.load(Ordering::Relaxed) {
                return None;
            }
            busy.store(true, Ordering::Relaxed);
            compiler_fence(Ordering::SeqCst);
            Some(Busy)
        })
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        compiler_fence(Ordering::SeqCst);
        BUSY.with(|busy| busy.store(false, Ordering::Relaxed));
    }
}

/// How waiting for room came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waited {
    /// There is room.
    Room,
    /// The time is over.
    TimeOver,
    /// Nobody will make room: the listener is gone, or the queue is at its end.
    Alone,
}

/// A record on its way through the slow path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slow {
    pub(super) level: Level,
    pub(super) domain: u8,
    pub(super) callsite: u32,
    pub(super) flags: u8,
    pub(super) len: usize,
    /// Why a part of it is missing, if one is.
    pub(super) cut: Option<Cut>,
}

impl Queue {
    #[cold]
    #[inline(never)]
    pub(super) fn enqueue_slowly(
        self: &Arc<Queue>,
        record: Slow,
        write: &dyn Fn(&mut [u8], u64),
        encode: &dyn Fn(usize) -> Vec<u8>,
        count: usize,
    ) {
        let Slow { level, domain, len, cut, .. } = record;
        if let Some(cut) = cut {
            let reason = if cut == Cut::InHandler { DropReason::Signal } else { DropReason::Reentrant };
            return self.drop_one(reason, domain, level);
        }
        let Some(_busy) = Busy::enter().filter(|_| !local::is_in_use() && !callsite::is_held()) else {
            let reason = if in_signal_handler() { DropReason::Signal } else { DropReason::Reentrant };
            return self.drop_one(reason, domain, level);
        };
        let outcome = if self.is_left_alone() {
            Err(DropReason::AfterShutdown)
        } else if len > MIRROR && in_signal_handler() {
            Err(DropReason::Signal)
        } else if len <= MIRROR {
            self.admit_and_write(level, padded(len), write)
        } else {
            // With this cap at least one text of a record that is too long is cut.
            let share = (MAX_RECORD - HEADER) / count.max(1);
            let cap = if len <= MAX_RECORD { usize::MAX } else { share.saturating_sub(TEXT_HEAD) };
            if cap != usize::MAX {
                self.counters.truncated.fetch_add(1, Ordering::Relaxed);
            }
            self.send_blob(record, encode(cap))
        };
        match outcome {
            Ok(()) if level >= Level::Error => self.wake(),
            Ok(()) => {}
            Err(reason) => self.drop_one(reason, domain, level),
        }
    }

    /// Writes a record of `len` padded bytes, by the thread's own ring or by the shared one.
    pub(super) fn admit_and_write(
        self: &Arc<Queue>,
        level: Level,
        len: usize,
        write: &dyn Fn(&mut [u8], u64),
    ) -> Result<(), DropReason> {
        if self.state() == ENDED {
            return Err(DropReason::AfterShutdown);
        }
        let key = Arc::as_ptr(self) as usize;
        loop {
            let outcome = local::with_exclusively(key, |producer| {
                self.admit(producer, len, level, true).map(|()| producer.write(len, write))
            });
            match outcome {
                Some(Ok(true)) => {
                    local::with_exclusively(key, |producer| self.after_admission(producer));
                    return Ok(());
                }
                Some(Ok(false)) => return Err(DropReason::Full),
                Some(Err(reason)) => return Err(reason),
                // Q4: from here on there are locks and allocations.
                None if in_signal_handler() => return Err(DropReason::Signal),
                None if MuteThread::is_current() => return Err(DropReason::OwnThread),
                None => {}
            }
            let adopted = local::is_alive()
                && self.new_producer().is_ok_and(|producer| {
                    local::prune(|producer| is_ended(producer.owner()));
                    local::adopt(producer)
                });
            if !adopted {
                return self.write_shared(level, len, write);
            }
        }
    }

    /// Writes into the ring that threads without one of their own share. Never waits for room.
    fn write_shared(
        self: &Arc<Queue>,
        level: Level,
        len: usize,
        write: &dyn Fn(&mut [u8], u64),
    ) -> Result<(), DropReason> {
        let mut shared = lock(&self.local().shared);
        if self.state() == ENDED {
            return Err(DropReason::AfterShutdown);
        }
        if shared.is_none() {
            *shared = self.new_producer().ok();
        }
        let producer = shared.as_mut().ok_or(DropReason::NoMemory)?;
        self.admit(producer, len, level, false)?;
        let written = producer.write(len, write);
        self.after_admission(producer);
        if written { Ok(()) } else { Err(DropReason::Full) }
    }

    /// Makes room for a record, as far as growth and the overflow policy allow. One that finds none takes a number
    /// all the same.
    fn admit(
        self: &Arc<Queue>,
        producer: &mut Producer,
        len: usize,
        level: Level,
        may_wait: bool,
    ) -> Result<(), DropReason> {
        let outcome = self.make_room(producer, len, level, may_wait);
        if outcome == Err(DropReason::Full) {
            producer.lose(level as usize);
        }
        outcome
    }

    fn make_room(
        self: &Arc<Queue>,
        producer: &mut Producer,
        len: usize,
        level: Level,
        may_wait: bool,
    ) -> Result<(), DropReason> {
        let settings = self.settings();
        let may_wait = may_wait && self.state() == RUNNING;
        let policy = if may_wait { settings.policy } else { OverflowPolicy::DropNewest };
        let len = len as u64;
        let mut deadline = None;
        loop {
            let capacity = producer.segment().capacity() as u64;
            let allowance = allowance(capacity, level, producer.shedding);
            let fill = producer.refresh(allowance);
            if fill.used >= capacity / 2 {
                self.wake();
            }
            if producer.spilt && fill.used == 0 && self.leave_spill(producer, settings) {
                continue;
            }
            producer.shedding &= fill.used >= capacity / 4;
            if fill.used + len <= allowance {
                producer.extend(allowance);
                return Ok(());
            }
            if !producer.shedding && capacity * 2 <= settings.ring_limit as u64 {
                if in_signal_handler() {
                    return Err(DropReason::Signal);
                }
                if self.grow(producer, settings) {
                    continue;
                }
            }
            if !self.has_listener() {
                if producer.shedding {
                    return Err(DropReason::Full);
                }
                // From here on less is allowed, also to this record.
                producer.shedding = !self.spill(producer, settings);
                continue;
            }
            let wait_until = match policy {
                // What ended between the look at it and this one is not for want of room.
                OverflowPolicy::DropNewest if self.is_ended() => return Err(DropReason::AfterShutdown),
                OverflowPolicy::DropNewest => return Err(DropReason::Full),
                OverflowPolicy::BlockThenShed(_) if producer.shedding => return Err(DropReason::Full),
                OverflowPolicy::BlockThenShed(limit) => {
                    *deadline.get_or_insert_with(|| Instant::now().checked_add(limit))
                }
                OverflowPolicy::Block => None,
            };
            if self.state() != RUNNING {
                return Err(DropReason::AfterShutdown);
            }
            // Q4: the listener may need what was interrupted, or be it.
            if in_signal_handler() {
                return Err(DropReason::Signal);
            }
            let room = |producer: &mut Producer| producer.refresh(allowance).used + len <= allowance;
            if self.wait_for_space(producer, room, wait_until) == Waited::TimeOver {
                // What may use the reserve tries once more; everything else is dropped from here on.
                producer.shedding = true;
            }
        }
    }

    /// What only this one record was allowed must not be allowed to the next one.
    fn after_admission(&self, producer: &mut Producer) {
        let capacity = producer.segment().capacity() as u64;
        let fill = producer.refresh(allowance(capacity, Level::Trace, producer.shedding));
        if producer.shedding || producer.spilt || fill.used >= capacity - capacity / 8 {
            producer.forget();
        }
    }

    /// Waits until `room` says yes, or until waiting makes no sense any more.
    fn wait_for_space(
        &self,
        producer: &mut Producer,
        room: impl Fn(&mut Producer) -> bool,
        until: Option<Instant>,
    ) -> Waited {
        self.page().space.wait(|| {
            if self.state() != RUNNING || !self.has_listener() {
                return Ok(Waited::Alone);
            }
            if room(producer) {
                return Ok(Waited::Room);
            }
            let left = until.map_or(LOOK_AGAIN, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(Waited::TimeOver);
            }
            self.wake();
            Err(left.min(LOOK_AGAIN))
        })
    }
}

/// How many bytes of the ring a record of this level may leave taken.
fn allowance(capacity: u64, level: Level, shedding: bool) -> u64 {
    match level {
        Level::Error | Level::Critical => capacity,
        Level::Trace | Level::Debug if shedding => capacity / 2,
        Level::Info | Level::Success if shedding => capacity - capacity / 4,
        _ => capacity - capacity / 8,
    }
}

fn is_ended(owner: &Arc<dyn Any + Send + Sync>) -> bool {
    owner.downcast_ref::<Queue>().is_some_and(Queue::is_ended)
}
