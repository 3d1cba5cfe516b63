//! The queue between loggers and the listener: rings, their registration, levels, overflow.
//!
//! One `Queue` belongs to a repository; its loggers, its workers and its listener share it. The hot path is
//! [`Queue::enqueue`]: find the thread's producer, write the record, done. Everything else is the slow path: a thread's
//! first record, a ring that is half full or full, a record too long for a ring.
//!
//! A queue is at *home* in the process whose listener reads it, and a *guest* in every other one: in worker processes, in forked
//! children, and in a process that has handed its listener over. A guest's rings are found by the listener in the runtime directory.
//!
//! Q1. A record is accepted when its ring's counter says so, and then it is written by the listener; or it is not
//!     accepted, and then it is counted in `dropped`. There is no third way.
//! Q2. Nothing here waits for a lock while user code runs, and nothing waits for the listener longer than the
//!     overflow policy says. A guest whose listener is gone does not wait at all.
//! Q3. While a thread is in its slow path a nested call (an allocator that logs, a signal handler) is dropped and counted.
//! Q4. What locks, allocates or waits asks first whether a signal handler is running, and then does not: what was interrupted may hold the very lock,
//!     the allocator's or one of ours, or be what is waited for. So an ordinary call in a handler is written where its thread's ring is at rest and
//!     has room, and its call site is registered; else it is dropped and counted.
//! Q5. What is in `Local` belongs to one process: a forked child begins with an empty one.
//!
//! Called by `logger`; the listener takes what is registered here.

pub(crate) mod blobs;
mod earlier;
mod levels;
pub(crate) mod membership;
mod rings;
#[cfg(all(test, shuttle))]
mod shuttle_tests;
mod signal;
mod slow;
mod targets;
mod temporary;
mod turn;

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use crossbeam_queue::SegQueue;
pub(crate) use earlier::{LONGEST, OfThread, Replayed, current_thread};
pub(crate) use levels::watch_levels;
use membership::Membership;
use signal::ForSignals;
pub use signal::SignalSite;
use slow::Slow;
pub(crate) use targets::{EndedTarget, LONGEST_TARGET, MOST_TARGETS, is_within};
pub(crate) use temporary::Ended;
pub use temporary::LevelChange;
pub(crate) use turn::{Otherwise, in_turn};

use crate::callsite;
use crate::clock::Clock;
use crate::codec::{HEADER, Head, padded};
use crate::domain::DomainSpec;
use crate::encode::{Encode, Out, Scratch};
use crate::failpoint;
use crate::level::Level;
pub(crate) use crate::ring::control::CLOSED;
use crate::ring::control::{Control, Page};
use crate::ring::fork::{self, PerProcess};
use crate::ring::local;
use crate::ring::producer::Producer;
use crate::ring::segment::{Identity, MIRROR, SMALLEST, Segment};
use crate::ring::signal_frame;
use crate::stats::{Counters, DropReason};
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering, Waker, futex_wait, futex_wake, lock};

/// How long a flush that cannot fail waits.
#[cfg(feature = "log")]
const FLUSH: Duration = Duration::from_secs(2);
/// Segments kept for the next threads.
const MAX_POOLED: usize = 64;

/// What happens to a record whose ring is full.
///
/// A ring is full when it has grown to the configured limit and the listener has not caught up. Every
/// record that is dropped is counted (see [`Stats`](crate::Stats)) and reported by a line in its domain's file.
///
/// In a worker process whose listener is gone nothing waits, whatever the policy: a full ring goes on in a file in the log
/// folder, up to 64 MiB a process, and what does not fit there is dropped by level.
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

/// What the queue is told when a listener takes it up, or when it joins one.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The runtime directory: where segments are. Anonymous memory without.
    pub(crate) folder: Option<PathBuf>,
    /// Where a guest's ring goes on that is full while there is no listener.
    pub(crate) spill: Option<PathBuf>,
    /// The control file, by which a guest sees whether there is a listener.
    pub(crate) control: Option<File>,
    pub(crate) policy: OverflowPolicy,
    /// Capacity that a ring may reach.
    pub(crate) ring_limit: usize,
    /// How often a guest shows that it is well.
    pub(crate) heartbeat: Duration,
    /// The queue is for the process of its listener, and for those that join it by themselves: what a forked child logs into it is refused.
    pub(crate) is_private: bool,
}

/// A segment that the listener does not know yet.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) identity: Identity,
    pub(crate) segment: Arc<Segment>,
}

/// See the module's description.
///
/// What a call reads comes first.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Queue {
    clock: Clock,
    control: Control,
    /// What follows is for the slow path and the listener.
    domains: Vec<&'static str>,
    settings: OnceLock<Settings>,
    state: AtomicU32,
    /// One more than the fork generation that has the listener; 0 where another process has it, or none.
    home: AtomicU32,
    registrations: SegQueue<Registration>,
    local: PerProcess<Local>,
    stop: AtomicBool,
    /// As many changes of levels were noticed.
    level_changes: AtomicU32,
    /// How many rotations of the log files were asked for.
    rotations: AtomicU64,
    pub(crate) counters: Counters,
    /// Records that other processes have put into their rings since the listener knows these.
    pub(crate) accepted_elsewhere: AtomicU64,
    /// For a queue that takes nothing: the one that counts its calls.
    counted_by: Option<Arc<Queue>>,
}

/// A process's own part of a queue (Q5).
#[derive(Debug, Default)]
struct Local {
    /// Held while levels change.
    changing: Mutex<()>,
    next_ring: AtomicU64,
    pool: SegQueue<Arc<Segment>>,
    /// Rings by number, for counting what they accepted.
    rings: Mutex<Rings>,
    /// For threads that cannot have a ring of their own, and for want of memory.
    shared: Mutex<Option<Producer>>,
    blobs: Mutex<HashMap<u64, Blob>>,
    blob_bytes: AtomicU64,
    next_blob: AtomicU64,
    /// Bytes of rings in the log folder.
    spilt: AtomicU64,
    /// None in it: the process could not join.
    membership: OnceLock<Option<Membership>>,
    /// A thread checks in from time to time.
    beating: AtomicBool,
    for_signals: ForSignals,
}

#[derive(Debug, Default)]
struct Rings {
    live: HashMap<u64, Arc<Segment>>,
    retired_accepted: u64,
}

/// The arguments of a record that is too long for a ring.
#[derive(Debug)]
pub(crate) struct Blob {
    /// Empty where another process's listener reads the file.
    pub(crate) bytes: Vec<u8>,
    size: u64,
    /// The copy that outlives the process, removed once the record is written.
    pub(crate) path: Option<PathBuf>,
}

const DETACHED: u32 = 0;
const RUNNING: u32 = 1;
const ENDED: u32 = 2;

impl Queue {
    /// A queue without a listener: records wait in rings of bounded size until one takes it up.
    pub(crate) fn detached(specs: &[DomainSpec], clock: Clock) -> Arc<Queue> {
        let domains = specs.iter().map(|spec| spec.name).collect();
        let queue = Queue::new(Control::anonymous(), domains, clock);
        for (level, spec) in queue.page().levels.iter().zip(specs) {
            level.store(spec.level.unwrap_or(Level::Trace) as u8, Ordering::Relaxed);
        }
        queue.apply_levels();
        Arc::new(queue)
    }

    /// The queue of a process that has joined another one's listener.
    pub(crate) fn guest(
        control: Control,
        domains: Vec<&'static str>,
        clock: Clock,
        settings: Settings,
    ) -> Arc<Queue> {
        let queue = Queue::new(control, domains, clock);
        if queue.settings.set(settings).is_ok() {
            queue.state.store(RUNNING, Ordering::Release);
        }
        Arc::new(queue)
    }

    fn new(control: Control, domains: Vec<&'static str>, clock: Clock) -> Queue {
        // Before a handler can have anything to log to.
        signal_frame::prepare();
        failpoint::prepare();
        Queue {
            clock,
            control,
            counters: Counters::new(domains.len()),
            domains,
            settings: OnceLock::new(),
            state: AtomicU32::new(DETACHED),
            home: AtomicU32::new(0),
            registrations: SegQueue::new(),
            local: PerProcess::new(),
            stop: AtomicBool::new(false),
            level_changes: AtomicU32::new(0),
            rotations: AtomicU64::new(0),
            accepted_elsewhere: AtomicU64::new(0),
            counted_by: None,
        }
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
        self.control.threshold(domain)
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
                flags: E::FLAGS,
            };
            let mut out = Out::new(slot);
            out.put(&head.to_bytes());
            failpoint::reach("mid-payload");
            arguments.put(scratch, &mut out);
        };
        let fits = len <= MIRROR && scratch.is_whole();
        let key = Arc::as_ptr(self) as usize;
        if fits && local::with(key, |producer| producer.write(padded(len), write)) == Some(true) {
            if level >= Level::Error {
                self.wake();
            }
        } else {
            let record = Slow { level, domain, callsite, flags: E::FLAGS, len, cut: scratch.cut() };
            self.enqueue_slowly(
                record,
                &write,
                &|cap| {
                    let mut bytes = Vec::new();
                    arguments.put_long(scratch, cap, &mut bytes);
                    bytes
                },
                arguments.count(),
            );
        }
    }

    // What follows is for the listener and the repository.

    /// The runtime directory, once there is one.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.settings.get()?.folder.as_deref()
    }

    /// A guest takes leave: nothing more is accepted here, and its listener knows that it ends as it should.
    pub(crate) fn leave(&self) {
        self.end();
        if let Some(membership) = self.joined() {
            membership.leave();
        }
    }

    fn local(&self) -> &Local {
        self.local.get()
    }

    pub(crate) fn page(&self) -> &Page {
        self.control.page()
    }

    pub(crate) fn control(&self) -> &Control {
        &self.control
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.page().wake.waker
    }

    /// Counts a call whose statement could not be registered: one in a signal handler, or of an allocator.
    #[cold]
    #[inline(never)]
    pub(crate) fn drop_unregistered(&self, domain: u8, level: Level) {
        let reason = if callsite::is_held() && !signal_frame::in_signal_handler() {
            DropReason::Reentrant
        } else {
            DropReason::Signal
        };
        self.drop_one(reason, domain, level);
    }

    /// Wakes the listener, if it sleeps.
    #[cold]
    pub(crate) fn wake(&self) {
        self.waker().wake();
    }

    /// A listener of this process takes the queue up. False where one has done so before.
    pub(crate) fn attach(&self, settings: Settings) -> bool {
        let first = self.settings.set(settings).is_ok();
        if first {
            self.home.store(fork::generation() + 1, Ordering::Release);
            self.state.store(RUNNING, Ordering::Release);
            if self.folder().is_none() {
                self.prepare_for_signals();
            }
        }
        first
    }

    /// Whether the listener is in this process.
    pub(crate) fn is_home(&self) -> bool {
        self.home.load(Ordering::Acquire) == fork::generation() + 1
    }

    /// Whether this process's records are read by the listener of another one.
    pub(crate) fn is_guest(&self) -> bool {
        self.settings.get().is_some() && !self.is_home()
    }

    /// Another process's listener reads this queue from now on.
    pub(crate) fn become_guest(&self) {
        self.home.store(0, Ordering::Release);
        // Files of segments that are kept for reuse look like the beginnings of rings.
        self.empty_pool();
        self.announce_space();
        self.announce_answer();
    }

    fn state(&self) -> u32 {
        self.state.load(Ordering::Acquire)
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.state() == ENDED
    }

    /// From now on no call of this process is accepted; each is counted.
    pub(crate) fn close(&self) {
        if self.levels_are_watched() {
            // Not while somebody is asked what is wanted: nothing is refused for its level any more, so that it is counted.
            in_turn(Otherwise::Wait, || self.control.close());
        } else {
            self.control.close();
        }
    }

    /// The listener has gone: those who wait for it stop waiting.
    pub(crate) fn end(&self) {
        self.close();
        self.state.store(ENDED, Ordering::Release);
        // It holds the queue, as the queue holds it.
        drop(lock(&self.local().shared).take());
        self.announce_space();
        self.announce_answer();
    }

    pub(crate) fn next_registration(&self) -> Option<Registration> {
        self.registrations.pop().or_else(|| self.local().for_signals.registration())
    }

    pub(crate) fn has_registrations(&self) -> bool {
        !self.registrations.is_empty() || self.local().for_signals.has_registration()
    }

    /// A ring is read to its end and its producer is gone.
    pub(crate) fn retire(&self, ring: u64, accepted: u64, segment: Arc<Segment>) {
        let mut rings = lock(&self.local().rings);
        rings.live.remove(&ring);
        rings.retired_accepted += accepted;
        drop(rings);
        self.recycle(segment);
    }

    /// Keeps a segment for the next thread, or gives it up.
    pub(crate) fn recycle(&self, segment: Arc<Segment>) {
        // Whoever finds its file after a crash, in a ring that no checkpoint names any more, is to find nothing in it.
        segment.give_back_all();
        let pool = &self.local().pool;
        let reusable = segment.capacity() == SMALLEST && pool.len() < MAX_POOLED && !self.is_ended();
        if reusable {
            pool.push(segment);
        } else {
            segment.unlink();
        }
    }

    /// Removes the files of all segments and blobs: everything in them is written.
    pub(crate) fn remove_files(&self) {
        self.empty_pool();
        for segment in lock(&self.local().rings).live.values() {
            segment.unlink();
        }
    }

    fn empty_pool(&self) {
        while let Some(segment) = self.local().pool.pop() {
            segment.unlink();
        }
    }

    /// Takes a long record's arguments, and frees their share of the bound.
    pub(crate) fn take_blob(&self, number: u64) -> Option<Blob> {
        let local = self.local();
        let blob = lock(&local.blobs).remove(&number)?;
        local.blob_bytes.fetch_sub(blob.size, Ordering::Relaxed);
        Some(blob)
    }

    /// Tells blocked callers that there is room again. Costs a fence where nobody waits.
    pub(crate) fn announce_space(&self) {
        self.page().space.announce();
    }

    /// Records accepted so far: by this process's rings, and by those of others as far as the listener is here.
    pub(crate) fn accepted(&self) -> u64 {
        let rings = lock(&self.local().rings);
        let live: u64 =
            rings.live.values().map(|segment| segment.producer_line().accepted.load(Ordering::Relaxed)).sum();
        rings.retired_accepted + live + self.accepted_elsewhere.load(Ordering::Relaxed)
    }

    /// Whether the listener of this process has come past every record that was accepted.
    fn is_all_written(&self) -> bool {
        let accepted = self.accepted();
        accepted <= self.counters.total_written() + self.counters.corrupt.load(Ordering::Relaxed)
    }

    /// Number of the last flush that was asked for.
    pub(crate) fn requests(&self) -> u64 {
        self.page().flush.requests.load(Ordering::Acquire)
    }

    /// Number of the last flush that was answered.
    pub(crate) fn answered(&self) -> u64 {
        self.page().flush.answered.load(Ordering::Acquire)
    }

    /// All flushes up to this number are done, or their time was over. The listener alone answers.
    pub(crate) fn answer(&self, request: u64, done: bool) {
        let flush = &self.page().flush;
        if self.answered() < request {
            if !done {
                flush.failed.store(request, Ordering::Release);
            }
            flush.answered.store(request, Ordering::Release);
            self.announce_answer();
        }
    }

    fn announce_answer(&self) {
        let flush = &self.page().flush;
        flush.epoch.fetch_add(1, Ordering::Release);
        futex_wake(&flush.epoch);
    }

    /// Asks for a rotation of all log files, which the next flush ends with.
    pub(crate) fn request_rotation(&self) {
        self.rotations.fetch_add(1, Ordering::AcqRel);
    }

    /// How many rotations were asked for.
    pub(crate) fn rotations_asked(&self) -> u64 {
        self.rotations.load(Ordering::Acquire)
    }

    /// Asks for a flush; its number.
    pub(crate) fn request_flush(&self) -> u64 {
        let request = self.page().flush.requests.fetch_add(1, Ordering::AcqRel) + 1;
        self.wake();
        request
    }

    /// Waits until the flush is answered, or the listener has ended: whether all was written; none where the time is over first.
    pub(crate) fn wait_for_answer(&self, request: u64, timeout: Duration) -> Option<bool> {
        let flush = &self.page().flush;
        let deadline = Instant::now() + timeout;
        loop {
            let epoch = flush.epoch.load(Ordering::Acquire);
            if self.answered() >= request {
                return Some(flush.failed.load(Ordering::Acquire) < request);
            }
            if self.is_ended() {
                // What came in after the listener's last pass is written by nobody.
                return Some(self.is_guest() || self.is_all_written());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            futex_wait(&flush.epoch, epoch, left);
        }
    }

    /// Asks for a flush and waits for it, at most two seconds, where somebody answers by himself.
    #[cfg(feature = "log")]
    pub(crate) fn flush_briefly(&self) {
        if self.state() == RUNNING && self.has_listener() && !matches!(self.clock, Clock::Manual(_)) {
            let request = self.request_flush();
            let _ = self.wait_for_answer(request, FLUSH);
        }
    }

    /// Waits until the listener of this process has come to its end. False where the time is over first.
    pub(crate) fn wait_for_end(&self, timeout: Duration) -> bool {
        self.wait_for_answer(u64::MAX, timeout).is_some()
    }

    pub(crate) fn request_stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake();
    }

    pub(crate) fn must_stop(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Counts a record that was not accepted, here and where the listener of another process sees it.
    #[cold]
    pub(crate) fn drop_one(&self, reason: DropReason, domain: u8, level: Level) {
        self.counters.drop_one(reason, domain, level);
        if self.is_guest()
            && let Some(membership) = self.joined()
        {
            membership.count_drop(self.counters.index(reason, domain.into(), level));
        }
    }
}
