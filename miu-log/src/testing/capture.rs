//! Captures: repositories in memory alone, whose records a test looks at as values.
//!
//! A captured repository is a real one: rings, listener and router are those of a service. It has no folder, no thread and one sink, which keeps the
//! records. Whoever asks for the records makes the listener's passes first, so that what was logged before is there, without waiting.

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, OnceLock, Weak};

use super::ManualListener;
use super::captured::CapturedRecord;
use super::expected::Expected;
use crate::config::LogConfig;
use crate::context::fields::FieldsBuilder;
use crate::context::{Scope, scope};
use crate::error::Error;
use crate::layout::AnyLayout;
use crate::level::Level;
use crate::record::{FieldValue, LogRecord};
use crate::sink::{Batch, Sink, SinkError};
use crate::sync::{AtomicU64, Ordering, lock};

/// The field by which records of one process-wide repository find the capture of their test.
pub(super) const MARK: &str = "miu_log.capture";

/// Bytes that a thread's ring of a captured repository may grow to: nobody empties it before the test looks.
const RING_LIMIT: usize = 16 << 20;

/// Keeps records of a repository as values, for tests.
///
/// [`Capture::config`] opens a repository in memory, which leaves nothing behind: give it to the code under test. Each test has its own, so that tests
/// that run side by side do not see each other's records. For code that logs to the process-wide repository see [`Capture::of_process`].
///
/// There is no thread and no waiting: whoever asks sees all that was logged before, by whichever thread. A thread may have 16 MiB of records
/// between two looks; what is more is dropped and counted as usual.
///
/// # Examples
///
/// ```
/// use miu_log::testing::{Capture, Expected};
/// use miu_log::{Level, log_domains};
///
/// #[log_domains(app, db)]
/// mod logs {}
///
/// fn take_order(repo: &logs::Repository, order: u32) {
///     miu_log::info!(repo.db, order, "order taken");
/// }
///
/// let capture = Capture::new();
/// let repo = logs::Repository::open(capture.config()).unwrap();
/// take_order(&repo, 7);
/// capture.assert_has(Level::Info, "order taken");
/// capture.assert_like(&Expected::new().domain("db").field("order", 7));
/// capture.assert_none(&Expected::new().at_least(Level::Warning));
/// ```
#[derive(Clone, Default)]
pub struct Capture {
    records: Records,
    listener: ManualListener,
}

/// Records that have been read.
type Records = Arc<Mutex<Vec<CapturedRecord>>>;

/// Those of each capture that is still there.
type Captures = Arc<Mutex<HashMap<u64, Weak<Mutex<Vec<CapturedRecord>>>>>>;

impl Capture {
    /// A capture for one repository.
    pub fn new() -> Capture {
        Capture::default()
    }

    /// The configuration of the repository that is captured. It takes all levels; of its options those that are about levels, and `diagnose`, may be
    /// changed, and that it takes the records of other crates too, by `intercept(true)`; the others mean nothing here. No other process can join it.
    pub fn config(&self) -> LogConfig {
        let records = self.records.clone();
        // The facades of other crates have one receiver in a process: no test is to take it from another by the way.
        self.config_of(move |record| lock(&records).push(CapturedRecord::new(record))).intercept(false)
    }

    fn config_of(&self, mut take: impl FnMut(&LogRecord<'_>) + Send + 'static) -> LogConfig {
        let layout = AnyLayout::from(move |record: &LogRecord<'_>, _: &mut String| {
            take(record);
            Ok(())
        });
        let mut config = LogConfig::new("captured").console(false).level(Level::Trace).layout(layout);
        config.ring_limit = RING_LIMIT;
        config.captured_by = Some(self.listener.clone());
        config
    }

    /// A capture of what this test logs to the process-wide repository. The first one installs that; all of them give `init` of the same module.
    ///
    /// The capture has what this thread logs from now on, and what is logged in its [context](crate::context), until it is dropped: in tasks that are polled
    /// on this thread (as all of a `#[tokio::test]` are), and in threads and tasks that are given [`Context::current`](crate::context::Context::current).
    /// What is logged elsewhere is in no capture. The records of other crates are captured as the module's own are.
    ///
    /// # Errors
    ///
    /// When the process-wide repository has been initialised otherwise.
    ///
    /// # Examples
    ///
    /// ```
    /// use miu_log::testing::Capture;
    /// use miu_log::{Level, log_domains};
    ///
    /// #[log_domains(app)]
    /// mod logs {}
    ///
    /// let capture = Capture::of_process(logs::init).unwrap();
    /// logs::repo().app.info("started");
    /// capture.assert_has(Level::Info, "started");
    /// ```
    pub fn of_process<R: 'static>(
        init: impl FnOnce(LogConfig) -> Result<R, Error>,
    ) -> Result<ScopedCapture, Error> {
        let mut hubs = lock(HUBS.get_or_init(Mutex::default));
        let hub = match hubs.get(&TypeId::of::<R>()) {
            Some(hub) => hub.clone(),
            None => {
                let hub = Hub::default();
                init(hub.config())?;
                hubs.insert(TypeId::of::<R>(), hub.clone());
                hub
            }
        };
        drop(hubs);
        Ok(hub.open())
    }

    /// All records so far, in order of time.
    pub fn records(&self) -> Vec<CapturedRecord> {
        self.listener.drain();
        lock(&self.records).clone()
    }

    /// All records so far, which are forgotten.
    pub fn take(&self) -> Vec<CapturedRecord> {
        self.listener.drain();
        std::mem::take(&mut *lock(&self.records))
    }

    /// Whether there is a record of this level whose message has this text in it.
    pub fn has(&self, level: Level, text: &str) -> bool {
        self.find(&Expected::new().level(level).message(text)).is_some()
    }

    /// The first record like this.
    pub fn find(&self, expected: &Expected) -> Option<CapturedRecord> {
        self.records().into_iter().find(|record| expected.fits(record))
    }

    /// How many records are like this.
    pub fn count(&self, expected: &Expected) -> usize {
        self.records().iter().filter(|record| expected.fits(record)).count()
    }

    /// Asserts that there is a record of this level whose message has this text in it.
    ///
    /// # Panics
    ///
    /// When there is none; the message shows what there is.
    #[track_caller]
    pub fn assert_has(&self, level: Level, text: &str) {
        self.assert_like(&Expected::new().level(level).message(text));
    }

    /// Asserts that there is a record like this. The first one.
    ///
    /// # Panics
    ///
    /// When there is none; the message shows what there is.
    #[track_caller]
    pub fn assert_like(&self, expected: &Expected) -> CapturedRecord {
        let records = self.records();
        match records.iter().find(|record| expected.fits(record)) {
            Some(record) => record.clone(),
            None => panic!("no record is {expected}{}", Shown(&records)),
        }
    }

    /// Asserts that there is no record like this.
    ///
    /// # Panics
    ///
    /// When there is one; the message shows what there is.
    #[track_caller]
    pub fn assert_none(&self, expected: &Expected) {
        self.assert_count(0, expected);
    }

    /// Asserts that there are so many records like this.
    ///
    /// # Panics
    ///
    /// When there are more or fewer; the message shows what there is.
    #[track_caller]
    pub fn assert_count(&self, count: usize, expected: &Expected) {
        let records = self.records();
        let found = records.iter().filter(|record| expected.fits(record)).count();
        assert!(found == count, "{found} records instead of {count} are {expected}{}", Shown(&records));
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&*lock(&self.records)).finish()
    }
}

/// Records in a failure message.
struct Shown<'a>(&'a [CapturedRecord]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            0 => return f.write_str("; nothing was logged"),
            1 => f.write_str("; this was logged:")?,
            count => write!(f, "; these {count} records were logged:")?,
        }
        self.0.iter().try_for_each(|record| write!(f, "\n  {record}"))
    }
}

/// A [`Capture`] of the process-wide repository, for the thread that made it: see [`Capture::of_process`].
#[derive(Debug)]
#[must_use = "the records are captured only as long as the capture is kept"]
pub struct ScopedCapture {
    capture: Capture,
    _scope: Scope,
}

impl Deref for ScopedCapture {
    type Target = Capture;

    fn deref(&self) -> &Capture {
        &self.capture
    }
}

/// The captured process-wide repositories, by the type of `init`'s result.
static HUBS: OnceLock<Mutex<HashMap<TypeId, Hub>>> = OnceLock::new();

/// One process-wide repository, and whose its records are.
#[derive(Clone, Default)]
struct Hub {
    listener: ManualListener,
    captures: Captures,
}

impl Hub {
    fn config(&self) -> LogConfig {
        let captures = self.captures.clone();
        let capture = Capture { records: Records::default(), listener: self.listener.clone() };
        capture.config_of(move |record| {
            let mark = record.fields().find(|(name, _)| *name == MARK);
            let Some((_, FieldValue::Unsigned(number))) = mark else { return };
            let records = lock(&captures).get(&number).and_then(Weak::upgrade);
            if let Some(records) = records {
                lock(&records).push(CapturedRecord::new(record));
            }
        })
    }

    fn open(&self) -> ScopedCapture {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let records = Records::default();
        let mut captures = lock(&self.captures);
        captures.retain(|_, records| records.strong_count() > 0);
        captures.insert(number, Arc::downgrade(&records));
        drop(captures);
        let mut mark = FieldsBuilder::new();
        mark.add_value(MARK, &number);
        let capture = Capture { records, listener: self.listener.clone() };
        ScopedCapture { capture, _scope: scope(mark.finish()) }
    }
}

/// Where the lines of a captured repository go: nowhere, their records are kept already.
pub(crate) struct Nowhere;

impl Sink for Nowhere {
    fn write(&mut self, _: &Batch<'_>) -> Result<(), SinkError> {
        Ok(())
    }
}
