//! When the passes are made: after each rotation and once a minute, on a thread that is started when it is first needed.
//!
//! T1. Nobody waits for a pass. At the end it is given a moment to come to the next piece of its work, and no more.
//! T2. With a clock that is turned by hand there is no thread: the passes are made by [`Maintenance::step`].
//!
//! The thread has the lowest priority (`nice` 19, for itself alone). Called by the repository and the manual listener.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::{Moment, Plan, Upkeep};
use crate::clock::{Clock, nanos};
use crate::notice::notice;
use crate::own_thread::OwnThread;
use crate::sync::{AtomicBool, Ordering, lock};

/// Ages and the room on the disk are looked at so often.
const INTERVAL: Duration = Duration::from_secs(60);

/// How long the end waits for the piece of work that is under way.
const MOMENT: Duration = Duration::from_millis(200);

/// The least priority there is.
const NICE: i32 = 19;

/// Keeps the rotated files of one repository in order. Clones share it.
#[derive(Clone)]
pub(crate) struct Maintenance {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    upkeep: Mutex<Upkeep>,
    status: Mutex<Status>,
    /// Told when there is something to do, and when it is done.
    changed: Condvar,
    /// Looked at between two pieces of work.
    stopping: AtomicBool,
}

#[derive(Debug, Default)]
struct Status {
    /// A pass is to be made.
    wanted: bool,
    /// There is a thread.
    running: bool,
    /// A pass is being made.
    busy: bool,
    /// Monotonic time of the last pass, by hand.
    last: Option<u64>,
}

impl fmt::Debug for Maintenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Maintenance").field("status", &*lock(&self.shared.status)).finish_non_exhaustive()
    }
}

impl Maintenance {
    /// Does nothing yet.
    pub(crate) fn new(plan: Plan, clock: Clock) -> Maintenance {
        let shared = Shared {
            clock,
            upkeep: Mutex::new(Upkeep::new(plan)),
            status: Mutex::default(),
            changed: Condvar::new(),
            stopping: AtomicBool::new(false),
        };
        Maintenance { shared: Arc::new(shared) }
    }

    /// The start: a pass is made if there is anything that one would look at.
    pub(crate) fn begin(&self) {
        if lock(&self.shared.upkeep).has_work(self.shared.clock.unix_now()) {
            self.finished();
        }
    }

    /// A file was rotated, or one is not needed any more: a pass is made, soon. Does not wait.
    pub(crate) fn finished(&self) {
        let mut status = lock(&self.shared.status);
        status.wanted = true;
        if self.shared.clock.is_manual() || self.is_stopping() {
            return;
        }
        if !status.running {
            let shared = self.shared.clone();
            let thread = std::thread::Builder::new().name("miu-log-files".to_owned());
            match thread.spawn(move || {
                let _own = OwnThread::begin();
                shared.run();
            }) {
                Ok(_) => status.running = true,
                Err(error) => {
                    drop(status);
                    let text = format!(
                        "cannot start the thread that compresses and deletes rotated files: {error}; \
                                        it is tried again with the next rotation"
                    );
                    return notice("files", &text);
                }
            }
        }
        drop(status);
        self.shared.changed.notify_all();
    }

    /// Makes a pass by hand, if one is wanted or a minute has gone by since the last one. For a clock that is turned by hand.
    pub(crate) fn step(&self) {
        if !self.shared.clock.is_manual() || self.is_stopping() {
            return;
        }
        let now = self.shared.clock.monotonic();
        {
            let mut status = lock(&self.shared.status);
            let due = status.last.is_some_and(|last| now.abs_diff(last) >= nanos(INTERVAL));
            if !due && !status.wanted {
                return;
            }
            status.wanted = false;
            status.last = Some(now);
        }
        self.pass();
    }

    /// Makes one pass, on this thread.
    pub(crate) fn pass(&self) {
        self.shared.pass();
    }

    /// The end: no further piece of work is begun. Waits for the one under way, for a moment at most; the rest is done after the next start.
    pub(crate) fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        let deadline = Instant::now() + MOMENT;
        let mut status = lock(&self.shared.status);
        self.shared.changed.notify_all();
        while status.busy {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            status = match self.shared.changed.wait_timeout(status, left) {
                Ok((status, _)) => status,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    #[cfg(test)]
    pub(super) fn is_running(&self) -> bool {
        lock(&self.shared.status).running
    }

    fn is_stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Acquire)
    }
}

impl Shared {
    fn run(&self) {
        // On Linux this is for the thread whose number is given. Where it is refused, the work is done all the same.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
        let mut status = lock(&self.status);
        while !self.stopping.load(Ordering::Acquire) {
            if !status.wanted {
                let (woken, waited) = match self.changed.wait_timeout(status, INTERVAL) {
                    Ok(woken) => woken,
                    Err(poisoned) => poisoned.into_inner(),
                };
                status = woken;
                status.wanted |= waited.timed_out();
                continue;
            }
            status.wanted = false;
            status.busy = true;
            drop(status);
            self.pass();
            status = lock(&self.status);
            status.busy = false;
            self.changed.notify_all();
        }
        status.running = false;
    }

    fn pass(&self) {
        let now = Moment { unix: self.clock.unix_now(), monotonic: self.clock.monotonic() };
        let stop = || self.stopping.load(Ordering::Acquire);
        let pass = || lock(&self.upkeep).pass(now, &stop);
        if catch_unwind(AssertUnwindSafe(pass)).is_err() {
            notice(
                "files",
                "the thread that compresses and deletes rotated files panicked; it goes on with its next pass",
            );
        }
    }
}
