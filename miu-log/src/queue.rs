//! The queue between loggers and the listener: rings, their registration, levels, overflow.
//!
//! One `Queue` belongs to a repository; its loggers, its workers and its listener share it. The hot path is
//! [`Queue::enqueue`]: find the thread's producer, write the record, done. Everything else is the slow path: a thread's
//! first record, a ring that is half full or full, a record too long for a ring.
//!
//! Q1. A record is accepted when its ring's counter says so, and then it is written by the listener; or it is not
//!     accepted, and then it is counted in `dropped`. There is no third way.
//! Q2. Nothing here waits for a lock while user code runs, and nothing waits for the listener longer than the
//!     overflow policy says.
//! Q3. While a thread is in its slow path a nested call (an allocator that logs, a signal handler) is dropped and counted.
//! Q4. What locks, allocates or waits asks first whether a signal handler is running, and then does not: what was interrupted may hold the very lock,
//!     the allocator's or one of ours, or be what is waited for. So an ordinary call in a handler is written where its thread's ring is at rest and
//!     has room, and its call site is registered; else it is dropped and counted.
//!
//! Called by `logger`; the listener takes what is registered here.

mod levels;
mod signal;
mod slow;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crossbeam_queue::SegQueue;
use levels::Levels;
use signal::ForSignals;
pub use signal::SignalSite;
use slow::Slow;

use crate::clock::Clock;
use crate::codec::{HEADER, Head, padded};
use crate::domain::{DomainSpec, MAX_DOMAINS};
use crate::encode::{Encode, Out, Scratch};
use crate::level::Level;
use crate::ring::local;
use crate::ring::producer::Producer;
use crate::ring::segment::{Identity, MIRROR, SMALLEST, Segment};
use crate::ring::signal_frame;
use crate::stats::{Counters, DropReason};
use crate::sync::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, Waker, fence, futex_wake, lock};

/// Threshold of a queue that is shut down: every level passes it, so that a call gets as far as being counted, and a call
/// whose level is off costs no second look.
pub(crate) const CLOSED: i8 = -1;
/// Segments kept for the next threads.
const MAX_POOLED: usize = 64;

/// What happens to a record whose ring is full.
///
/// A ring is full when it has grown to the configured limit and the listener has not caught up. Every
/// record that is dropped is counted (see [`Stats`](crate::Stats)) and reported by a line in its domain's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OverflowPolicy {
    /// The caller waits for room, at most this long. After that the ring sheds by level until it is a quarter full:
    /// TRACE and DEBUG find room in its first half, INFO and SUCCESS in three quarters, WARNING in seven eighths, ERROR and
    /// CRITICAL in all of it.
    BlockThenShed(Duration),
    /// The caller waits for room, however long it takes.
    Block,
    /// The record is dropped at once. ERROR and CRITICAL may use the last eighth of the ring.
    DropNewest,
}

impl Default for OverflowPolicy {
    /// Wait at most 100 ms, then shed by level.
    fn default() -> OverflowPolicy {
        OverflowPolicy::BlockThenShed(Duration::from_millis(100))
    }
}

/// What the queue is told when a listener takes it up.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The runtime directory: where segments are. Anonymous memory without.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) policy: OverflowPolicy,
    /// Capacity that a ring may reach.
    pub(crate) ring_limit: usize,
}

/// A segment that the listener does not know yet.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) identity: Identity,
    pub(crate) segment: Arc<Segment>,
}

/// See the module's description.
///
/// What a call reads comes first and lies, for the first few dozen domains, in one cache line.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Queue {
    clock: Clock,
    /// Effective threshold per domain: the hot path's one load.
    thresholds: [AtomicU8; MAX_DOMAINS],
    waker: Waker,
    /// What follows is for the slow path and the listener.
    levels: Mutex<Levels>,
    domains: Vec<&'static str>,
    settings: OnceLock<Settings>,
    state: AtomicU32,
    next_ring: AtomicU64,
    registrations: SegQueue<Registration>,
    pool: SegQueue<Arc<Segment>>,
    /// Rings by number, for counting what they accepted.
    rings: Mutex<Rings>,
    /// For threads that cannot have a ring of their own, and for want of memory.
    shared: Mutex<Option<Producer>>,
    blobs: Mutex<HashMap<u64, Blob>>,
    blob_bytes: AtomicU64,
    next_blob: AtomicU64,
    space_waiters: AtomicU32,
    space_epoch: AtomicU32,
    requests: AtomicU64,
    answered: Mutex<Answered>,
    answer: Condvar,
    stop: AtomicBool,
    pub(crate) counters: Counters,
    /// For a queue that takes nothing: the one that counts its calls.
    counted_by: Option<Arc<Queue>>,
    for_signals: ForSignals,
}

#[derive(Debug, Default)]
struct Rings {
    live: HashMap<u64, Arc<Segment>>,
    retired_accepted: u64,
}

/// How far flushes have been answered.
#[derive(Debug, Default)]
struct Answered {
    request: u64,
    /// The last one that was not done when its time was over.
    failed: u64,
}

/// The arguments of a record that is too long for a ring.
#[derive(Debug)]
pub(crate) struct Blob {
    pub(crate) bytes: Vec<u8>,
    /// The copy that outlives the process, removed once the record is written.
    pub(crate) path: Option<PathBuf>,
}

const DETACHED: u32 = 0;
const RUNNING: u32 = 1;
const ENDED: u32 = 2;

impl Queue {
    /// A queue without a listener: records wait in rings of bounded size until one takes it up.
    pub(crate) fn detached(specs: &[DomainSpec], clock: Clock) -> Arc<Queue> {
        // Before a handler can have anything to log to.
        signal_frame::prepare();
        let levels = Levels {
            of_domain: specs.iter().map(|spec| spec.level.unwrap_or(Level::Trace)).collect(),
            floors: vec![0; specs.len()],
            debug_enabled: true,
            closed: false,
        };
        let queue = Queue {
            thresholds: [const { AtomicU8::new(0) }; MAX_DOMAINS],
            clock,
            waker: Waker::new(),
            levels: Mutex::new(levels),
            domains: specs.iter().map(|spec| spec.name).collect(),
            settings: OnceLock::new(),
            state: AtomicU32::new(DETACHED),
            next_ring: AtomicU64::new(0),
            registrations: SegQueue::new(),
            pool: SegQueue::new(),
            rings: Mutex::default(),
            shared: Mutex::new(None),
            blobs: Mutex::default(),
            blob_bytes: AtomicU64::new(0),
            next_blob: AtomicU64::new(0),
            space_waiters: AtomicU32::new(0),
            space_epoch: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            answered: Mutex::default(),
            answer: Condvar::new(),
            stop: AtomicBool::new(false),
            counters: Counters::new(specs.len()),
            counted_by: None,
            for_signals: ForSignals::default(),
        };
        queue.apply(&lock(&queue.levels));
        Arc::new(queue)
    }

    /// A queue of one domain that takes nothing; its calls are counted as calls on an unknown domain of this queue.
    pub(crate) fn nowhere(self: &Arc<Queue>) -> Arc<Queue> {
        const SPECS: &[DomainSpec] = &[DomainSpec { name: "", file: "", level: None }];
        let mut nowhere = Queue::detached(SPECS, Clock::system());
        if let Some(nowhere) = Arc::get_mut(&mut nowhere) {
            nowhere.counted_by = Some(self.clone());
        }
        nowhere.end();
        nowhere
    }

    #[inline(always)]
    pub(crate) fn threshold(&self, domain: u8) -> i8 {
        self.thresholds[usize::from(domain)].load(Ordering::Relaxed).cast_signed()
    }

    /// Encodes a record into the calling thread's ring.
    #[inline(always)]
    pub(crate) fn enqueue<E: Encode>(
        self: &Arc<Queue>,
        level: Level,
        domain: u8,
        callsite: u32,
        scratch: &Scratch,
        arguments: &E,
    ) {
        let len = HEADER.saturating_add(arguments.size(scratch));
        let clock = &self.clock;
        // By value: what a closure refers to has to be read again behind the mark that `local` puts up.
        let write = move |slot: &mut [u8], sequence: u64| {
            let head = Head {
                len: len as u32,
                callsite,
                ticks: clock.ticks(),
                sequence: sequence as u32,
                domain,
                level: level as u8,
                flags: 0,
            };
            let mut out = Out::new(slot);
            out.put(&head.to_bytes());
            arguments.put(scratch, &mut out);
        };
        let fits = len <= MIRROR && scratch.is_whole();
        let key = Arc::as_ptr(self) as usize;
        if fits && local::with(key, |producer| producer.write(padded(len), write)) == Some(true) {
            if level >= Level::Error {
                self.wake();
            }
        } else {
            let record = Slow { level, domain, callsite, len, cut: scratch.cut() };
            self.enqueue_slowly(
                record,
                &write,
                &|cap| {
                    let mut bytes = Vec::new();
                    arguments.put_long(scratch, cap, &mut bytes);
                    bytes
                },
                E::COUNT,
            );
        }
    }

    // What follows is for the listener and the repository.

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Counts a call in a signal handler that could not be taken.
    #[cold]
    #[inline(never)]
    pub(crate) fn drop_in_handler(&self, domain: u8, level: Level) {
        self.counters.drop_one(DropReason::Signal, domain, level);
    }

    /// Wakes the listener, if it sleeps.
    #[cold]
    pub(crate) fn wake(&self) {
        self.waker.wake();
    }

    /// A listener takes the queue up. False where one has done so before.
    pub(crate) fn attach(&self, settings: Settings) -> bool {
        let first = self.settings.set(settings).is_ok();
        if first {
            self.prepare_for_signals();
            self.state.store(RUNNING, Ordering::Release);
        }
        first
    }

    fn state(&self) -> u32 {
        self.state.load(Ordering::Acquire)
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.state() == ENDED
    }

    /// From now on no call is accepted; each is counted.
    pub(crate) fn close(&self) {
        self.change_levels(|levels| levels.closed = true);
    }

    /// The listener has gone: those who wait for it stop waiting.
    pub(crate) fn end(&self) {
        self.close();
        self.state.store(ENDED, Ordering::Release);
        // It holds the queue, as the queue holds it.
        drop(lock(&self.shared).take());
        self.announce_space();
        self.answer(u64::MAX, true);
    }

    pub(crate) fn next_registration(&self) -> Option<Registration> {
        self.registrations.pop().or_else(|| self.for_signals.registration())
    }

    pub(crate) fn has_registrations(&self) -> bool {
        !self.registrations.is_empty() || self.for_signals.has_registration()
    }

    /// A ring is read to its end and its producer is gone.
    pub(crate) fn retire(&self, ring: u64, accepted: u64, segment: Arc<Segment>) {
        let mut rings = lock(&self.rings);
        rings.live.remove(&ring);
        rings.retired_accepted += accepted;
        drop(rings);
        self.recycle(segment);
    }

    /// Keeps a segment for the next thread, or gives it up.
    pub(crate) fn recycle(&self, segment: Arc<Segment>) {
        let reusable = segment.capacity() == SMALLEST && self.pool.len() < MAX_POOLED && !self.is_ended();
        if reusable {
            self.pool.push(segment);
        } else {
            segment.unlink();
        }
    }

    /// Removes the files of all segments and blobs: everything in them is written.
    pub(crate) fn remove_files(&self) {
        while let Some(segment) = self.pool.pop() {
            segment.unlink();
        }
        for segment in lock(&self.rings).live.values() {
            segment.unlink();
        }
    }

    /// Takes a long record's arguments, and frees their share of the bound.
    pub(crate) fn take_blob(&self, number: u64) -> Option<Blob> {
        let blob = lock(&self.blobs).remove(&number)?;
        self.blob_bytes.fetch_sub(blob.bytes.len() as u64, Ordering::Relaxed);
        Some(blob)
    }

    /// Tells blocked callers that there is room again. Costs a fence where nobody waits.
    pub(crate) fn announce_space(&self) {
        fence(Ordering::SeqCst);
        if self.space_waiters.load(Ordering::Relaxed) > 0 {
            self.space_epoch.fetch_add(1, Ordering::Release);
            futex_wake(&self.space_epoch);
        }
    }

    /// Records accepted so far, over all rings.
    pub(crate) fn accepted(&self) -> u64 {
        let rings = lock(&self.rings);
        let live: u64 =
            rings.live.values().map(|segment| segment.producer_line().accepted.load(Ordering::Relaxed)).sum();
        rings.retired_accepted + live
    }

    /// Number of the last flush that was asked for.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Acquire)
    }

    /// All flushes up to this number are done, or their time was over.
    pub(crate) fn answer(&self, request: u64, done: bool) {
        let mut answered = lock(&self.answered);
        if answered.request < request {
            if !done {
                answered.failed = request;
            }
            answered.request = request;
            self.answer.notify_all();
        }
    }

    /// Asks for a flush; its number.
    pub(crate) fn request_flush(&self) -> u64 {
        let request = self.requests.fetch_add(1, Ordering::AcqRel) + 1;
        self.wake();
        request
    }

    /// Waits until the flush is answered: whether it was done; none where the time is over first.
    pub(crate) fn wait_for_answer(&self, request: u64, timeout: Duration) -> Option<bool> {
        let answered = lock(&self.answered);
        let (answered, _) = self
            .answer
            .wait_timeout_while(answered, timeout, |answered| answered.request < request)
            .unwrap_or_else(PoisonError::into_inner);
        (answered.request >= request).then_some(answered.failed < request)
    }

    pub(crate) fn request_stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake();
    }

    pub(crate) fn must_stop(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}
