//! The slow path of a call: a thread's first record, a ring that is half full or full, a long record.
//!
//! Here live growth, the overflow policy, and the ways out for threads that cannot have a ring. Q1 to Q4 of `queue` are kept
//! here; called by `Queue::enqueue` alone.

use std::any::Any;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;

use super::membership::Membership;
use super::{Blob, ENDED, OverflowPolicy, Queue, RUNNING, Registration, Settings, lock};
use crate::callsite;
use crate::codec::{FLAG_BLOB, HEADER, Head, padded};
use crate::encode::{Cut, MAX_RECORD, Out, TEXT_HEAD};
use crate::failpoint;
use crate::level::Level;
use crate::notice::notice;
use crate::ring::local;
use crate::ring::producer::Producer;
use crate::ring::segment::{Identity, MIRROR, NAME_MAX, SMALLEST, Segment, file_may_have};
use crate::ring::signal_frame::in_signal_handler;
use crate::stats::DropReason;
use crate::sync::{AtomicBool, Ordering, compiler_fence, thread_local};

/// Bytes of blobs that may wait for the listener.
const MAX_BLOBS: u64 = 4 * MAX_RECORD as u64;
/// Capacity that a ring may reach before there is a listener.
const EARLY_LIMIT: usize = 1024 * 1024;
/// Bytes of rings that a guest may have in the log folder while there is no listener.
const SPILL_LIMIT: u64 = 64 * 1024 * 1024;
/// What the names of long records' files begin with.
pub(crate) const BLOB_PREFIX: &str = "blob-";
/// A blocked caller looks at least this often, whoever wakes it.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

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
        let Slow { level, domain, callsite, len, cut } = record;
        if let Some(cut) = cut {
            let reason = if cut == Cut::InHandler { DropReason::Signal } else { DropReason::Reentrant };
            return self.drop_one(reason, domain, level);
        }
        let Some(_busy) = Busy::enter().filter(|_| !local::is_in_use() && !callsite::is_held()) else {
            let reason = if in_signal_handler() { DropReason::Signal } else { DropReason::Reentrant };
            return self.drop_one(reason, domain, level);
        };
        let outcome = if len > MIRROR && in_signal_handler() {
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
            self.send_blob(level, domain, callsite, encode(cap))
        };
        match outcome {
            Ok(()) if level >= Level::Error => self.wake(),
            Ok(()) => {}
            Err(reason) => self.drop_one(reason, domain, level),
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

    /// Whether a listener reads this queue. In its own process there is one as long as the queue runs.
    pub(crate) fn has_listener(&self) -> bool {
        if !self.is_guest() {
            return true;
        }
        let Some(Settings { control: Some(control), .. }) = self.settings.get() else { return false };
        // The listener holds a lock on the file; who can have it as well for a moment sees that nobody does.
        match rustix::fs::flock(control, FlockOperation::NonBlockingLockShared) {
            Ok(()) => {
                // Given back at once; where that fails a listener that starts in this moment tries again.
                let _ = rustix::fs::flock(control, FlockOperation::Unlock);
                false
            }
            Err(_) => true,
        }
    }

    /// Goes on in the log folder: for a guest whose ring is full while there is no listener.
    fn spill(self: &Arc<Queue>, producer: &mut Producer, settings: &Settings) -> bool {
        let Some(folder) = &settings.spill else { return false };
        let capacity = producer.segment().capacity() * 2;
        let spilt = &self.local().spilt;
        if spilt.fetch_add(capacity as u64, Ordering::Relaxed) + capacity as u64 > SPILL_LIMIT {
            spilt.fetch_sub(capacity as u64, Ordering::Relaxed);
            return false;
        }
        let _ = DirBuilder::new().mode(0o700).create(folder);
        let identity = self.identity(producer.ring(), producer.generation() + 1);
        let went_on = Segment::create(Some(folder), capacity, &identity)
            .map(|segment| self.chain(producer, identity, segment))
            .is_ok();
        producer.spilt |= went_on;
        if !went_on {
            spilt.fetch_sub(capacity as u64, Ordering::Relaxed);
        }
        went_on
    }

    /// Goes back from the log folder into the runtime directory: all that was spilt has been read.
    fn leave_spill(self: &Arc<Queue>, producer: &mut Producer, settings: &Settings) -> bool {
        if !self.is_guest() || !self.has_listener() {
            return false;
        }
        let spilt = producer.segment().capacity() as u64;
        let identity = self.identity(producer.ring(), producer.generation() + 1);
        let Ok(segment) = self.create_segment(settings, SMALLEST, &identity) else { return false };
        self.chain(producer, identity, segment);
        producer.spilt = false;
        self.local().spilt.fetch_sub(spilt, Ordering::Relaxed);
        true
    }

    fn chain(self: &Arc<Queue>, producer: &mut Producer, identity: Identity, segment: Segment) {
        let segment = Arc::new(segment);
        producer.hand_over_count(&segment);
        self.register(identity, &segment);
        producer.chain(segment);
    }

    /// Chains a segment of twice the size, if there is memory for one.
    fn grow(self: &Arc<Queue>, producer: &mut Producer, settings: &Settings) -> bool {
        let capacity = producer.segment().capacity() * 2;
        let identity = self.identity(producer.ring(), producer.generation() + 1);
        let Ok(segment) = self.create_segment(settings, capacity, &identity) else { return false };
        self.chain(producer, identity, segment);
        true
    }

    fn new_producer(self: &Arc<Queue>) -> io::Result<Producer> {
        let settings = self.settings();
        if self.membership().is_none() && self.is_guest() {
            return Err(io::Error::other("this process could not join the repository"));
        }
        let identity = self.identity(self.local().next_ring.fetch_add(1, Ordering::Relaxed), 0);
        let segment = match self.recycled(&identity, settings.folder.is_some() && identity.member != 0) {
            Some(segment) => segment,
            None => Arc::new(self.create_segment(settings, SMALLEST, &identity)?),
        };
        let owner: Arc<dyn Any + Send + Sync> = self.clone();
        let producer = Producer::new(owner, segment.clone(), identity.ring);
        self.register(identity, &segment);
        Ok(producer)
    }

    fn recycled(&self, identity: &Identity, named: bool) -> Option<Arc<Segment>> {
        let mut segment = self.local().pool.pop()?;
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

    pub(super) fn identity(&self, ring: u64, generation: u32) -> Identity {
        Identity {
            member: self.joined().map_or(0, Membership::number),
            process_id: rustix::process::getpid().as_raw_nonzero().get() as u32,
            thread_id: rustix::thread::gettid().as_raw_nonzero().get() as u32,
            ring,
            generation,
            thread_name: thread_name(),
        }
    }

    fn register(&self, identity: Identity, segment: &Arc<Segment>) {
        failpoint::reach("segment-created");
        let mut rings = lock(&self.local().rings);
        if !self.is_guest() {
            rings.live.insert(identity.ring, segment.clone());
            drop(rings);
            self.registrations.push(Registration { identity, segment: segment.clone() });
        } else {
            // The listener tells nobody here when it is done with a ring: those that have ended are counted and let go.
            let mut ended = 0;
            rings.live.retain(|_, segment| {
                let line = segment.producer_line();
                let over = line.closed.load(Ordering::Acquire) != 0;
                ended += if over { line.accepted.load(Ordering::Relaxed) } else { 0 };
                !over
            });
            rings.retired_accepted += ended;
            rings.live.insert(identity.ring, segment.clone());
        }
        self.announce_arrival(segment);
        failpoint::reach("segment-registered");
        if self.is_ended() && !self.is_guest() {
            // It came after the end has removed all files.
            segment.unlink();
        }
    }

    /// Tells the listener of another process that there is a file to be found.
    pub(super) fn announce_arrival(&self, segment: &Segment) {
        if segment.is_named() && self.is_guest() {
            self.page().listener.arrivals.fetch_add(1, Ordering::Release);
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        static EARLY: Settings = Settings {
            folder: None,
            spill: None,
            control: None,
            policy: OverflowPolicy::DropNewest,
            ring_limit: EARLY_LIMIT,
            heartbeat: Duration::ZERO,
        };
        self.settings.get().unwrap_or(&EARLY)
    }

    /// A segment in the runtime directory or, where there is no room for it, in anonymous memory: what is in it is written all the
    /// same, but does not outlive the process. A guest has no use for memory that nobody else sees.
    pub(super) fn create_segment(
        &self,
        settings: &Settings,
        capacity: usize,
        identity: &Identity,
    ) -> io::Result<Segment> {
        // A process that could not join has no number by which its rings could be told from those of others.
        let folder = settings.folder.as_deref().filter(|_| identity.member != 0);
        match Segment::create(folder, capacity, identity) {
            Err(error) if folder.is_some() && !self.is_guest() => {
                notice(
                    "segment",
                    &format!(
                        "cannot make a ring in the runtime directory: {error}; using memory that does not outlive the process"
                    ),
                );
                Segment::create(None, capacity, identity)
            }
            Err(error) if folder.is_some() => {
                notice("segment", &format!("cannot make a ring in the runtime directory: {error}"));
                Err(error)
            }
            created => created,
        }
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
        let local = self.local();
        let size = bytes.len() as u64;
        let number = local.next_blob.fetch_add(1, Ordering::Relaxed);
        if local.blob_bytes.fetch_add(size, Ordering::Relaxed) + size > MAX_BLOBS
            && !self.wait_for_blobs(settings)
        {
            local.blob_bytes.fetch_sub(size, Ordering::Relaxed);
            return Err(DropReason::Full);
        }
        let member = self.membership().map_or(0, Membership::number);
        // Of a process that has no number nothing can be recovered.
        let folder = settings.folder.as_ref().filter(|_| member != 0);
        let path = folder.map(|folder| folder.join(format!("{BLOB_PREFIX}{member}-{number}")));
        // The file is what survives this process. Without room for it the record is still written while the process lives, if
        // the listener is here.
        let path = path.filter(|path| write_private(path, &bytes));
        failpoint::reach("blob-written");
        let is_guest = self.is_guest();
        if path.is_none() && is_guest {
            local.blob_bytes.fetch_sub(size, Ordering::Relaxed);
            return Err(DropReason::NoMemory);
        }
        let bytes = if is_guest { Vec::new() } else { bytes };
        lock(&local.blobs).insert(number, Blob { bytes, size, path });
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
        if outcome.is_err()
            && let Some(path) = self.take_blob(number).and_then(|blob| blob.path)
        {
            // Its record was dropped: there is nothing to recover.
            let _ = std::fs::remove_file(path);
        }
        outcome
    }

    fn wait_for_blobs(&self, settings: &Settings) -> bool {
        let until = match settings.policy {
            OverflowPolicy::DropNewest if !self.is_guest() => return false,
            OverflowPolicy::DropNewest => Some(Instant::now()),
            OverflowPolicy::BlockThenShed(limit) => Instant::now().checked_add(limit),
            OverflowPolicy::Block => None,
        };
        self.page().space.wait(|| {
            if self.state() != RUNNING {
                return Ok(false);
            }
            if self.is_guest() {
                self.forget_read_blobs();
            }
            if self.local().blob_bytes.load(Ordering::Relaxed) <= MAX_BLOBS {
                return Ok(true);
            }
            let left = until.map_or(LOOK_AGAIN, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() || !self.has_listener() {
                return Ok(false);
            }
            self.wake();
            Err(left.min(LOOK_AGAIN))
        })
    }

    /// In a guest: the listener removes the file of a long record that is written.
    fn forget_read_blobs(&self) {
        let local = self.local();
        let mut freed = 0;
        lock(&local.blobs).retain(|_, blob| {
            let waits = blob.path.as_ref().is_some_and(|path| path.exists());
            freed += if waits { 0 } else { blob.size };
            waits
        });
        local.blob_bytes.fetch_sub(freed, Ordering::Relaxed);
    }
}

/// Writes a new file of mode 0600. Where that fails nothing is left of it: false.
fn write_private(path: &Path, bytes: &[u8]) -> bool {
    if !file_may_have(bytes.len() as u64) {
        return false;
    }
    let Ok(mut file) = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) else {
        return false;
    };
    let written = file.write_all(bytes).is_ok();
    if !written {
        // Half of a record's arguments are of no use to anybody.
        let _ = std::fs::remove_file(path);
    }
    written
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

/// The thread's name, as much of it as a segment keeps, `main` for the first thread, `thread-<number>` where it has none.
fn thread_name() -> String {
    if !local::is_alive() {
        return "ending".to_owned();
    }
    let thread = std::thread::current();
    match thread.name() {
        Some(name) => name[..name.floor_char_boundary(NAME_MAX)].to_owned(),
        None => format!("thread-{}", rustix::thread::gettid().as_raw_nonzero()),
    }
}
