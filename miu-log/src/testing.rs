//! For tests: records as values ([`Capture`]), and a listener that is stepped and a clock that is turned by hand ([`ManualListener`]).

pub(crate) mod capture;
mod captured;
mod expected;

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

pub use capture::{Capture, ScopedCapture};
pub use captured::CapturedRecord;
pub use expected::Expected;

use crate::clock::{Clock, ManualTime};
use crate::listener::Listener;
use crate::maintenance::thread::Maintenance;
use crate::queue::Queue;
use crate::sync::{Ordering, lock};

/// A listener without a thread, with a clock that stands still until it is turned. Worker processes have the same clock.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use miu_log::testing::ManualListener;
/// use miu_log::{LogConfig, Zone, log_domains};
///
/// #[log_domains(app)]
/// mod logs {}
///
/// # let folder = tempfile::tempdir().unwrap();
/// let listener = ManualListener::new();
/// listener.set_unix_time(Duration::from_secs(1_763_640_000));
/// let config = LogConfig::new(folder.path()).console(false).zone(Zone::Utc).manual_listener(&listener);
/// let repo = logs::Repository::open(config).unwrap();
///
/// repo.app.info("one");
/// assert_eq!(listener.step(), 1);
/// let line = std::fs::read_to_string(folder.path().join("app.log")).unwrap();
/// assert!(line.starts_with("2025-11-20 12:00:00.000 | INFO     | app | main/"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualListener {
    time: Arc<ManualTime>,
    listener: Arc<Mutex<Option<Listener>>>,
    maintenance: Arc<Mutex<Option<Maintenance>>>,
    /// Whose worker processes see the clock too.
    queue: Arc<Mutex<Weak<Queue>>>,
}

impl ManualListener {
    /// A listener for one repository: see [`LogConfig::manual_listener`](crate::LogConfig::manual_listener). Its clock
    /// stands at 1970-01-01 00:00 UTC.
    ///
    /// `flush`, `shutdown` and dropping the repository make the passes they need by themselves. Under
    /// [`OverflowPolicy::Block`](crate::OverflowPolicy::Block) a call that finds its ring full waits until another thread steps.
    pub fn new() -> ManualListener {
        ManualListener::default()
    }

    /// Makes one pass: reads what is there, writes it. How many records it read.
    ///
    /// Rotated files are compressed and deleted behind it, in the step that has rotated a file, in the first one if an earlier run has left some, and from then
    /// on in the first step of each minute.
    pub fn step(&self) -> usize {
        let records = lock(&self.listener).as_mut().map_or(0, |listener| listener.step().records);
        if let Some(maintenance) = &*lock(&self.maintenance) {
            maintenance.step();
        }
        records
    }

    /// Sets the clock, forwards or backwards.
    pub fn set_unix_time(&self, since_1970: Duration) {
        let ahead = self.time.ahead.load(Ordering::Acquire);
        self.time.now.store((since_1970.as_nanos() as u64).wrapping_sub(ahead), Ordering::Release);
        self.show();
    }

    /// Turns the clock forward.
    pub fn advance(&self, by: Duration) {
        self.time.now.fetch_add(by.as_nanos() as u64, Ordering::AcqRel);
        self.show();
    }

    /// Sets the wall clock alone: forward by so many seconds, or back where there are fewer than none. As when an administrator sets it, or
    /// the system learns the right time: no time passes, and whatever waits for a time to pass is not touched.
    pub fn shift_wall_clock(&self, seconds: i64) {
        let nanos = seconds.wrapping_mul(1_000_000_000).cast_unsigned();
        self.time.ahead.fetch_add(nanos, Ordering::AcqRel);
    }

    /// Lets other processes see what time it is.
    fn show(&self) {
        let queue = lock(&self.queue);
        if let Some(queue) = queue.upgrade() {
            queue.page().listener.manual_now.store(self.time.now.load(Ordering::Acquire), Ordering::Release);
        }
    }

    pub(crate) fn clock(&self) -> Clock {
        Clock::Manual(self.time.clone())
    }

    /// Other processes that join this queue have this clock.
    pub(crate) fn show_to(&self, queue: &Arc<Queue>) {
        *lock(&self.queue) = Arc::downgrade(queue);
        self.show();
    }

    pub(crate) fn install(&self, listener: Listener, maintenance: Option<Maintenance>) {
        *lock(&self.listener) = Some(listener);
        *lock(&self.maintenance) = maintenance;
    }

    /// Makes passes until everything that was logged before is read.
    pub(crate) fn drain(&self) {
        let Some(queue) = lock(&self.queue).upgrade() else { return };
        let request = queue.request_flush();
        while queue.wait_for_answer(request, Duration::ZERO).is_none() && self.is_used() {
            self.step();
        }
    }

    pub(crate) fn is_used(&self) -> bool {
        lock(&self.listener).is_some()
    }

    pub(crate) fn take(&self) -> Option<Listener> {
        lock(&self.listener).take()
    }
}
