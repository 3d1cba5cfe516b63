//! A thread's ring: made, grown, and, while there is no listener, gone on with in the log folder.
//!
//! Called by `queue::slow`, and by `queue::signal` for the ring that handlers share.

use std::any::Any;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::FlockOperation;

use super::membership::Membership;
use super::{OverflowPolicy, Queue, Registration, Settings, lock};
use crate::failpoint;
use crate::notice::notice;
use crate::ring::local;
use crate::ring::producer::Producer;
use crate::ring::segment::{Identity, NAME_MAX, SMALLEST, Segment};
use crate::ring::signal_frame::in_signal_handler;
use crate::sync::Ordering;

/// Bytes of rings that a guest may have in the log folder while there is no listener.
const SPILL_LIMIT: u64 = 64 * 1024 * 1024;
/// Capacity that a ring may reach before there is a listener.
const EARLY_LIMIT: usize = 1024 * 1024;

impl Queue {
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

    /// Whether this is a forked child's copy of a queue that is for its parent alone.
    pub(super) fn is_left_alone(&self) -> bool {
        let is_left = self.is_guest() && self.settings().is_private;
        if is_left && !in_signal_handler() {
            notice(
                "forked",
                "this process was forked from one whose log files are for itself: what it logs is dropped and counted until it \
                 opens a repository of its own",
            );
        }
        is_left
    }

    /// Goes on in the log folder: for a guest whose ring is full while there is no listener.
    pub(super) fn spill(self: &Arc<Queue>, producer: &mut Producer, settings: &Settings) -> bool {
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
    pub(super) fn leave_spill(self: &Arc<Queue>, producer: &mut Producer, settings: &Settings) -> bool {
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
    pub(super) fn grow(self: &Arc<Queue>, producer: &mut Producer, settings: &Settings) -> bool {
        let capacity = producer.segment().capacity() * 2;
        let identity = self.identity(producer.ring(), producer.generation() + 1);
        let Ok(segment) = self.create_segment(settings, capacity, &identity) else { return false };
        self.chain(producer, identity, segment);
        true
    }

    pub(super) fn new_producer(self: &Arc<Queue>) -> io::Result<Producer> {
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

    pub(super) fn register(&self, identity: Identity, segment: &Arc<Segment>) {
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
            is_private: false,
        };
        self.settings.get().unwrap_or(&EARLY)
    }

    /// A segment in the runtime directory or, where there is no room for it, in anonymous memory: what is in it is written all the
    /// same, but does not outlive the process. A guest, which has no use for memory that nobody else sees, goes to the log folder.
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
                let spilt = settings.spill.as_ref().and_then(|spill| {
                    let _ = DirBuilder::new().mode(0o700).create(spill);
                    Segment::create(Some(spill), capacity, identity).ok()
                });
                let instead = match spilt {
                    Some(_) => "using the log folder",
                    None => "records of threads without one are dropped and counted",
                };
                notice(
                    "segment",
                    &format!("cannot make a ring in the runtime directory: {error}; {instead}"),
                );
                spilt.ok_or(error)
            }
            created => created,
        }
    }
}

/// The thread's name, as much of it as a segment keeps, `main` for the first thread, `thread-<number>` where it has none.
pub(super) fn thread_name() -> String {
    if !local::is_alive() {
        return "ending".to_owned();
    }
    let thread = std::thread::current();
    match thread.name() {
        Some(name) => name[..name.floor_char_boundary(NAME_MAX)].to_owned(),
        None => format!("thread-{}", rustix::thread::gettid().as_raw_nonzero()),
    }
}
