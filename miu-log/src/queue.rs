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
//! Q3. While a thread is in its slow path a nested call (an allocator that logs) is dropped and counted.
//!
//! Called by `logger`; the listener takes what is registered here.

use std::any::Any;
use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_queue::SegQueue;

use crate::clock::Clock;
use crate::codec::{FLAG_BLOB, HEADER, Head, padded};
use crate::domain::{DomainSpec, MAX_DOMAINS};
use crate::encode::{Encode, MAX_RECORD, Out, Scratch};
use crate::level::Level;
use crate::ring::local;
use crate::ring::producer::Producer;
use crate::ring::segment::{Identity, MIRROR, SMALLEST, Segment};
use crate::stats::{Counters, DropReason};
use crate::sync::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, Waker, fence, futex_wait, futex_wake};

/// Threshold of a queue that is shut down: above every level.
pub(crate) const CLOSED: u8 = u8::MAX;
/// Bytes of blobs that may wait for the listener.
const MAX_BLOBS: u64 = 4 * MAX_RECORD as u64;
/// Segments kept for the next threads.
const MAX_POOLED: usize = 64;
/// Capacity that a ring may reach before there is a listener.
const EARLY_LIMIT: usize = 1024 * 1024;
/// A blocked caller looks at least this often, whoever wakes it.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

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
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Queue {
    /// Effective threshold per domain: the hot path's one load.
    thresholds: [AtomicU8; MAX_DOMAINS],
    clock: Clock,
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
    answered: Mutex<u64>,
    answer: Condvar,
    stop: AtomicBool,
    pub(crate) counters: Counters,
}

#[derive(Debug)]
struct Levels {
    of_domain: Vec<Level>,
    debug_enabled: bool,
    closed: bool,
}

#[derive(Debug, Default)]
struct Rings {
    live: HashMap<u64, Arc<Segment>>,
    retired_accepted: u64,
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

thread_local! {
    /// Set while the thread is in its slow path (Q3). Has no destructor.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// Q3: one slow path at a time.
struct Busy;

impl Busy {
    fn enter() -> Option<Busy> {
        if BUSY.replace(true) { None } else { Some(Busy) }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.set(false);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these locks guard is valid after every statement: a panic elsewhere makes it no worse.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    /// A queue without a listener: records wait in rings of bounded size until one takes it up.
    pub(crate) fn detached(specs: &[DomainSpec], clock: Clock) -> Arc<Queue> {
        let levels = Levels {
            of_domain: specs.iter().map(|spec| spec.level.unwrap_or(Level::Trace)).collect(),
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
            answered: Mutex::new(0),
            answer: Condvar::new(),
            stop: AtomicBool::new(false),
            counters: Counters::new(specs.len()),
        };
        queue.apply(&lock(&queue.levels));
        Arc::new(queue)
    }

    // ---- the hot path

    #[inline(always)]
    pub(crate) fn threshold(&self, domain: u8) -> u8 {
        self.thresholds[usize::from(domain)].load(Ordering::Relaxed)
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
        let write = |slot: &mut [u8], sequence: u64| {
            let head = Head {
                len: len as u32,
                callsite,
                ticks: self.clock.ticks(),
                sequence: sequence as u32,
                domain,
                level: level as u8,
                flags: 0,
            };
            let mut out = Out::new(slot);
            out.put(&head.to_bytes());
            arguments.put(scratch, &mut out);
        };
        let fits = len <= MIRROR && !scratch.too_deep();
        let key = Arc::as_ptr(self) as usize;
        if fits && local::with(key, |producer| producer.write(padded(len), write)) == Some(true) {
            if level >= Level::Error {
                self.wake();
            }
        } else {
            let record = Slow { level, domain, callsite, len, too_deep: scratch.too_deep() };
            self.enqueue_slowly(record, scratch.truncated(), &write, &|cap| {
                let mut bytes = Vec::new();
                arguments.put_long(scratch, cap, &mut bytes);
                bytes
            }, E::COUNT);
        }
    }

    // ---- the slow path

    #[cold]
    #[inline(never)]
    fn enqueue_slowly(
        self: &Arc<Queue>,
        record: Slow,
        truncated: bool,
        write: &dyn Fn(&mut [u8], u64),
        encode: &dyn Fn(usize) -> Vec<u8>,
        count: usize,
    ) {
        let Slow { level, domain, callsite, len, too_deep } = record;
        let Some(_busy) = Busy::enter() else {
            return self.counters.drop_one(DropReason::Reentrant, domain, level);
        };
        if too_deep {
            return self.counters.drop_one(DropReason::Reentrant, domain, level);
        }
        if truncated {
            self.counters.truncated.fetch_add(1, Ordering::Relaxed);
        }
        let outcome = if len <= MIRROR {
            self.admit_and_write(level, padded(len), write)
        } else {
            let cap = if len <= MAX_RECORD { usize::MAX } else { MAX_RECORD / count.max(1) };
            if cap != usize::MAX {
                self.counters.truncated.fetch_add(1, Ordering::Relaxed);
            }
            self.send_blob(level, domain, callsite, encode(cap))
        };
        match outcome {
            Ok(()) if level >= Level::Error => self.wake(),
            Ok(()) => {}
            Err(reason) => self.counters.drop_one(reason, domain, level),
        }
    }

    /// Writes a record of `len` padded bytes, by the thread's own ring or by the shared one.
    fn admit_and_write(
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
            let outcome =
                local::with(key, |producer| self.admit(producer, len, level, true).map(|()| producer.write(len, write)));
            match outcome {
                Some(Ok(true)) => {
                    local::with(key, |producer| self.after_admission(producer));
                    return Ok(());
                }
                Some(Ok(false)) => return Err(DropReason::Full),
                Some(Err(reason)) => return Err(reason),
                None => {}
            }
            let adopted = local::is_alive()
                && self.new_producer().is_ok_and(|producer| {
                    local::prune(|producer| is_ended(producer.owner()));
                    local::adopt(producer).is_ok()
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
        let mut shared = lock(&self.shared);
        if shared.is_none() {
            *shared = self.new_producer().ok();
        }
        let producer = shared.as_mut().ok_or(DropReason::NoMemory)?;
        self.admit(producer, len, level, false)?;
        let written = producer.write(len, write);
        self.after_admission(producer);
        if written { Ok(()) } else { Err(DropReason::Full) }
    }

    /// Makes room for a record, as far as growth and the overflow policy allow.
    fn admit(
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
            producer.shedding &= fill.used >= capacity / 4;
            if fill.used + len <= allowance {
                producer.extend(allowance);
                return Ok(());
            }
            if !producer.shedding && self.grow(producer, &settings) {
                continue;
            }
            let wait_until = match policy {
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
            let room = |producer: &mut Producer| producer.refresh(allowance).used + len <= allowance;
            if !self.wait_for_space(producer, room, wait_until) {
                // The time is over. What may use the reserve tries once more; everything else is dropped from here on.
                producer.shedding = true;
            }
        }
    }

    /// What only this one record was allowed must not be allowed to the next one.
    fn after_admission(&self, producer: &mut Producer) {
        let capacity = producer.segment().capacity() as u64;
        let fill = producer.refresh(allowance(capacity, Level::Trace, producer.shedding));
        if producer.shedding || fill.used >= capacity - capacity / 8 {
            producer.forget();
        }
    }

    /// Waits until `room` says yes: true; or until the time is over: false.
    fn wait_for_space(
        &self,
        producer: &mut Producer,
        room: impl Fn(&mut Producer) -> bool,
        until: Option<Instant>,
    ) -> bool {
        self.space_waiters.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let mut found = false;
        while self.state() == RUNNING {
            let epoch = self.space_epoch.load(Ordering::Acquire);
            if room(producer) {
                found = true;
                break;
            }
            let left = match until {
                Some(until) => until.saturating_duration_since(Instant::now()),
                None => LOOK_AGAIN,
            };
            if left.is_zero() {
                break;
            }
            self.wake();
            futex_wait(&self.space_epoch, epoch, left.min(LOOK_AGAIN));
        }
        self.space_waiters.fetch_sub(1, Ordering::Relaxed);
        found
    }

    /// Chains a segment of twice the size, if there may be one.
    fn grow(self: &Arc<Queue>, producer: &mut Producer, settings: &Settings) -> bool {
        let capacity = producer.segment().capacity() * 2;
        if capacity > settings.ring_limit {
            return false;
        }
        let identity = self.identity(producer.ring(), producer.generation() + 1);
        let Ok(segment) = Segment::create(settings.folder.as_deref(), capacity, &identity) else { return false };
        let segment = Arc::new(segment);
        self.register(identity, &segment);
        producer.chain(segment);
        true
    }

    fn new_producer(self: &Arc<Queue>) -> io::Result<Producer> {
        let settings = self.settings();
        let identity = self.identity(self.next_ring.fetch_add(1, Ordering::Relaxed), 0);
        let segment = match self.recycled(&identity, settings.folder.is_some()) {
            Some(segment) => segment,
            None => Arc::new(Segment::create(settings.folder.as_deref(), SMALLEST, &identity)?),
        };
        let owner: Arc<dyn Any + Send + Sync> = self.clone();
        let producer = Producer::new(owner, segment.clone(), identity.ring);
        self.register(identity, &segment);
        Ok(producer)
    }

    fn recycled(&self, identity: &Identity, named: bool) -> Option<Arc<Segment>> {
        let mut segment = self.pool.pop()?;
        let reused = Arc::get_mut(&mut segment)
            .filter(|only| only.is_named() == named)
            .map(|only| {
                only.identify(identity);
                only.rename(identity).is_ok()
            })
            .unwrap_or(false);
        if !reused {
            segment.unlink();
        }
        reused.then_some(segment)
    }

    fn identity(&self, ring: u64, generation: u32) -> Identity {
        Identity {
            process_id: rustix::process::getpid().as_raw_nonzero().get() as u32,
            thread_id: rustix::thread::gettid().as_raw_nonzero().get() as u32,
            ring,
            generation,
            thread_name: thread_name(),
        }
    }

    fn register(&self, identity: Identity, segment: &Arc<Segment>) {
        lock(&self.rings).live.insert(identity.ring, segment.clone());
        self.registrations.push(Registration { identity, segment: segment.clone() });
    }

    fn settings(&self) -> Settings {
        self.settings.get().cloned().unwrap_or(Settings {
            folder: None,
            policy: OverflowPolicy::DropNewest,
            ring_limit: EARLY_LIMIT,
        })
    }

    /// Hands a long record over: the arguments as a blob, and a short record in the ring that names it.
    fn send_blob(
        self: &Arc<Queue>,
        level: Level,
        domain: u8,
        callsite: u32,
        bytes: Vec<u8>,
    ) -> Result<(), DropReason> {
        let settings = self.settings();
        let size = bytes.len() as u64;
        let number = self.next_blob.fetch_add(1, Ordering::Relaxed);
        if self.blob_bytes.fetch_add(size, Ordering::Relaxed) + size > MAX_BLOBS && !self.wait_for_blobs(&settings) {
            self.blob_bytes.fetch_sub(size, Ordering::Relaxed);
            return Err(DropReason::Full);
        }
        let path = settings.folder.as_ref().map(|folder| {
            folder.join(format!("blob-{}-{number}", rustix::process::getpid().as_raw_nonzero()))
        });
        // The file is what survives this process. Without room for it the record is still written while the process lives.
        let path = path.filter(|path| {
            let options = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            options.and_then(|mut file| file.write_all(&bytes)).is_ok()
        });
        lock(&self.blobs).insert(number, Blob { bytes, path });
        let write = |slot: &mut [u8], sequence: u64| {
            let head = Head {
                len: (HEADER + 8) as u32,
                callsite,
                ticks: self.clock.ticks(),
                sequence: sequence as u32,
                domain,
                level: level as u8,
                flags: FLAG_BLOB,
            };
            let mut out = Out::new(slot);
            out.put(&head.to_bytes());
            out.put(&number.to_le_bytes());
        };
        let outcome = self.admit_and_write(level, HEADER + 8, &write);
        if outcome.is_err() {
            self.take_blob(number);
        }
        outcome
    }

    fn wait_for_blobs(&self, settings: &Settings) -> bool {
        let until = match settings.policy {
            OverflowPolicy::DropNewest => return false,
            OverflowPolicy::BlockThenShed(limit) => Instant::now().checked_add(limit),
            OverflowPolicy::Block => None,
        };
        while self.state() == RUNNING {
            let epoch = self.space_epoch.load(Ordering::Acquire);
            if self.blob_bytes.load(Ordering::Relaxed) <= MAX_BLOBS {
                return true;
            }
            let left = until.map_or(LOOK_AGAIN, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return false;
            }
            self.wake();
            futex_wait(&self.space_epoch, epoch, left.min(LOOK_AGAIN));
        }
        false
    }

    // ---- levels

    pub(crate) fn domains(&self) -> &[&'static str] {
        &self.domains
    }

    pub(crate) fn domain_name(&self, domain: u8) -> &'static str {
        self.domains.get(usize::from(domain)).copied().unwrap_or("")
    }

    pub(crate) fn level(&self, domain: u8) -> Level {
        lock(&self.levels).of_domain.get(usize::from(domain)).copied().unwrap_or(Level::Trace)
    }

    pub(crate) fn set_level(&self, domain: u8, level: Level) {
        self.change_levels(|levels| {
            if let Some(of_domain) = levels.of_domain.get_mut(usize::from(domain)) {
                *of_domain = level;
            }
        });
    }

    pub(crate) fn set_all_levels(&self, level: Level) {
        self.change_levels(|levels| levels.of_domain.fill(level));
    }

    pub(crate) fn debug_enabled(&self) -> bool {
        lock(&self.levels).debug_enabled
    }

    pub(crate) fn set_debug_enabled(&self, enabled: bool) {
        self.change_levels(|levels| levels.debug_enabled = enabled);
    }

    fn change_levels(&self, change: impl FnOnce(&mut Levels)) {
        let mut levels = lock(&self.levels);
        change(&mut levels);
        self.apply(&levels);
    }

    fn apply(&self, levels: &Levels) {
        for (threshold, level) in self.thresholds.iter().zip(&levels.of_domain) {
            let level = if levels.debug_enabled { *level } else { (*level).max(Level::Info) };
            let value = if levels.closed { CLOSED } else { level as u8 };
            threshold.store(value, Ordering::Relaxed);
        }
    }

    /// Counts a call that came after the shutdown.
    #[cold]
    #[inline(never)]
    pub(crate) fn refuse(&self, domain: u8, level: Level) {
        self.counters.drop_one(DropReason::AfterShutdown, domain, level);
    }

    // ---- the listener's side

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
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
        self.announce_space();
        self.answer(u64::MAX);
    }

    pub(crate) fn next_registration(&self) -> Option<Registration> {
        self.registrations.pop()
    }

    pub(crate) fn has_registrations(&self) -> bool {
        !self.registrations.is_empty()
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

    // ---- flush and stop

    /// Number of the last flush that was asked for.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Acquire)
    }

    /// All flushes up to this number are done.
    pub(crate) fn answer(&self, request: u64) {
        let mut answered = lock(&self.answered);
        if *answered < request {
            *answered = request;
            self.answer.notify_all();
        }
    }

    /// Asks for a flush; its number.
    pub(crate) fn request_flush(&self) -> u64 {
        let request = self.requests.fetch_add(1, Ordering::AcqRel) + 1;
        self.wake();
        request
    }

    /// Waits until the flush is done: true; or until the time is over: false.
    pub(crate) fn wait_for_answer(&self, request: u64, timeout: Duration) -> bool {
        let answered = lock(&self.answered);
        let (answered, _) = self
            .answer
            .wait_timeout_while(answered, timeout, |answered| *answered < request)
            .unwrap_or_else(PoisonError::into_inner);
        *answered >= request
    }

    pub(crate) fn request_stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake();
    }

    pub(crate) fn must_stop(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

/// A record on its way through the slow path.
#[derive(Clone, Copy, Debug)]
struct Slow {
    level: Level,
    domain: u8,
    callsite: u32,
    len: usize,
    too_deep: bool,
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

/// The thread's name, `main` for the first thread, `thread-<number>` where it has none.
fn thread_name() -> String {
    if !local::is_alive() {
        return "ending".to_owned();
    }
    let thread = std::thread::current();
    match thread.name() {
        Some(name) => name.to_owned(),
        None => format!("thread-{}", rustix::thread::gettid().as_raw_nonzero()),
    }
}
