//! The way of a record that is logged in a signal handler by `signal!`: no lock, no allocation, no lazy initialisation, no waiting.
//!
//! G1. The record names no call site, which would have to be registered: where it comes from and its message stand in the record itself.
//! G2. It goes into the thread's own ring, if that is at rest and has room known on the short path; else into the reserve, one ring that all threads share,
//!     unless somebody is writing there at this moment; else it is dropped and counted.
//! G3. The reserve is made with the listener, before any handler can use it, and the listener takes it up with its first record: until
//!     then it costs the listener one load a pass.
//!
//! Called by the expansion of `signal!`, and by the lifecycle for its own record.

use std::sync::{Arc, OnceLock};

use super::{Queue, Registration};
use crate::codec::{FLAG_SITE, HEADER, Head, padded};
use crate::encode::{Encode, Out, Plain, Scratch};
use crate::level::Level;
use crate::ring::local;
use crate::ring::reserve::{Load, Reserve};
use crate::ring::segment::{Identity, MIRROR, SMALLEST, Segment};
use crate::stats::DropReason;
use crate::sync::{AtomicBool, Ordering};

/// What the records of the reserve give as their thread: it has none of its own.
const THREAD: &str = "signal";

/// Where a `signal!` stands and what it says.
#[derive(Clone, Copy, Debug)]
pub struct SignalSite {
    template: &'static str,
    file: &'static str,
    line: u32,
    module: &'static str,
}

impl SignalSite {
    /// Describes a statement.
    pub const fn new(
        template: &'static str,
        file: &'static str,
        line: u32,
        module: &'static str,
    ) -> SignalSite {
        SignalSite { template, file, line, module }
    }

    /// The record's first arguments, in the order in which the listener takes them (G1).
    fn encoded(&self) -> impl Encode {
        let SignalSite { template, file, line, module } = self;
        (Plain::of(file), (Plain::of(line), (Plain::of(module), Plain::of(template))))
    }
}

/// What the queue keeps for handlers that find no ring of their thread.
#[derive(Debug, Default)]
pub(super) struct ForSignals {
    made: OnceLock<Made>,
}

#[derive(Debug)]
struct Made {
    reserve: Reserve,
    segment: Arc<Segment>,
    identity: Identity,
    /// The listener knows of it.
    registered: AtomicBool,
}

impl ForSignals {
    /// The reserve's registration, once: when it has its first record (G3).
    pub(super) fn registration(&self) -> Option<Registration> {
        let made = self.made.get().filter(|made| made.is_due())?;
        made.registered.store(true, Ordering::Relaxed);
        Some(Registration { identity: made.identity.clone(), segment: made.segment.clone() })
    }

    /// Whether there is a registration to come for.
    pub(super) fn has_registration(&self) -> bool {
        self.made.get().is_some_and(Made::is_due)
    }
}

impl Made {
    fn is_due(&self) -> bool {
        // Only the listener asks; what it then reads it reads behind an acquiring load of the counter of bytes.
        !self.registered.load(Ordering::Relaxed)
            && self.segment.producer_line().accepted.load(Ordering::Relaxed) > 0
    }
}

impl Queue {
    /// Makes the reserve (G3). Without memory for it there is none, and what would have gone there is dropped and counted.
    pub(super) fn prepare_for_signals(&self) {
        let local = self.local();
        let ring = local.next_ring.fetch_add(1, Ordering::Relaxed);
        let identity = Identity { thread_id: 0, thread_name: THREAD.to_owned(), ..self.identity(ring, 0) };
        let Ok(segment) = self.create_segment(self.settings(), SMALLEST, &identity) else { return };
        let segment = Arc::new(segment);
        super::lock(&local.rings).live.insert(ring, segment.clone());
        self.announce_arrival(&segment);
        let reserve = Reserve::new(segment.clone(), ring);
        let registered = AtomicBool::new(false);
        // The one who attaches the listener is the only one who comes here.
        let _ = local.for_signals.made.set(Made { reserve, segment, identity, registered });
    }

    /// Takes a record in a signal handler, or counts it (G2).
    pub(crate) fn enqueue_signal<E: Encode>(
        &self,
        level: Level,
        domain: u8,
        site: &SignalSite,
        arguments: &E,
    ) {
        let scratch = &Scratch::new();
        let site = site.encoded();
        let len = HEADER + site.size(scratch) + arguments.size(scratch);
        let write = |slot: &mut [u8], sequence: u64| {
            let head = Head {
                len: len as u32,
                callsite: 0,
                ticks: self.clock.ticks(),
                sequence: sequence as u32,
                domain,
                level: level as u8,
                flags: FLAG_SITE,
            };
            let mut out = Out::new(slot);
            out.put(&head.to_bytes());
            site.put(scratch, &mut out);
            arguments.put(scratch, &mut out);
        };
        let key = std::ptr::from_ref(self) as usize;
        let load = if len > MIRROR {
            None
        } else if local::with(key, |producer| producer.write(padded(len), write)) == Some(true) {
            Some(Load::Light)
        } else {
            let made = self.local.peek().and_then(|local| local.for_signals.made.get());
            made.and_then(|made| made.reserve.try_write(padded(len), write))
        };
        match load {
            None => self.drop_one(DropReason::Signal, domain, level),
            Some(load) if load == Load::Heavy || level >= Level::Error => self.wake(),
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;
    use crate::clock::Clock;
    use crate::domain::DomainSpec;
    use crate::queue::OverflowPolicy;

    const SITE: SignalSite = SignalSite::new("text {}", "file.rs", 7, "module");

    fn queue(has_listener: bool) -> Arc<Queue> {
        const SPECS: &[DomainSpec] = &[DomainSpec { name: "app", file: "app", level: None }];
        let queue = Queue::detached(SPECS, Clock::system());
        if has_listener {
            let settings = Settings {
                folder: None,
                spill: None,
                control: None,
                policy: OverflowPolicy::Block,
                ring_limit: SMALLEST,
                heartbeat: std::time::Duration::ZERO,
                is_private: false,
            };
            assert!(queue.attach(settings));
        }
        queue
    }

    fn send(queue: &Queue) {
        queue.enqueue_signal(Level::Info, 0, &SITE, &(Plain::of(&1u64), ()));
    }

    fn dropped(queue: &Queue) -> u64 {
        queue.counters.dropped(DropReason::Signal, 0, Level::Info)
    }

    #[test]
    fn the_reserve_is_there_with_the_listener_and_registered_with_its_first_record() {
        let early = queue(false);
        send(&early);
        assert_eq!((early.accepted(), dropped(&early)), (0, 1), "nobody has made a reserve");

        let queue = queue(true);
        assert!(!queue.has_registrations() && queue.next_registration().is_none(), "it is empty");
        send(&queue);
        assert!(queue.has_registrations());
        let registration = queue.next_registration().unwrap();
        assert_eq!((registration.identity.thread_name.as_str(), queue.accepted()), (THREAD, 1));
        send(&queue);
        assert!(!queue.has_registrations() && queue.next_registration().is_none(), "once is enough");
        assert_eq!((queue.accepted(), dropped(&queue)), (2, 0));
    }

    #[test]
    fn a_full_reserve_drops_and_counts_and_never_waits() {
        let queue = queue(true);
        (0..2000).for_each(|_| send(&queue));
        let (accepted, dropped) = (queue.accepted(), dropped(&queue));
        assert!(accepted > 500 && dropped > 0, "{accepted} {dropped}");
        assert_eq!(accepted + dropped, 2000);
    }
}
