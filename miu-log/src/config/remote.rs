//! A destination that is far away, as the configuration says it: which records go there, how they are put together, and what becomes of them while it
//! is not there.
//!
//! Called by the configuration and by `repository`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::LONGEST_TIMEOUT;
use super::added::{check_name, wrong};
use super::select::{Choice, selecting};
use crate::error::Error;
use crate::layout::AnyLayout;
use crate::sink::outbox::deliver::{Deliver, Timeouts};
use crate::sink::outbox::spool::tally::{FOLDER, name_of, owner_of};
use crate::sink::outbox::{Backoff, Batching, Options};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
use crate::sink::{
    Batch,
    outbox::{
        database::{Database, NAME},
        deliver::DeliverError,
    },
};
#[cfg(feature = "webhook")]
use crate::{layout::Pattern, level::Level, sink::outbox::webhook::Webhook};

/// Smallest spool: what is smaller holds no long record.
const SMALLEST_SPOOL: u64 = 64 << 10;

/// A sink for a destination that is far away, such as a server: a [`Deliver`] of your own with everything that it needs around it.
///
/// Records are put into a spool on disk, in batches (50 records, 256 KiB, or what has come within 5 s), and delivered in their order by a thread of the
/// sink's own. A batch that fails is offered again, five times, after pauses of at most 1, 2, 4, 8 and 16 s, of which chance
/// takes a part; a longer pause that the destination asks for is kept. After that the destination is left alone for 30 s, later for up to
/// five minutes, and then tried once at a time. Of a batch that it refuses the halves are offered, until the record is found that it does not
/// take, which goes into a file of its own. Where it says that a batch was [too much at once](crate::DeliverError::smaller) it gets less.
///
/// - **When its queue is full:** its queue is the spool, `.outbox/<name>/` in the log folder (`.outbox/<app>@<name>/` where programs [share it](crate::LogConfig::isolated)), up to 256 MiB, whatever the destination does. What has no room there, or cannot
///   be written, waits in memory, up to 4 MiB, until the spool takes it; what is more goes to the console, else to stderr, else it is dropped; each is counted ([`SinkStats`](crate::SinkStats)). Without a spool it waits in
///   memory only; past 16 MiB while one request hangs (20 MiB for ERROR and CRITICAL) new records are dropped and counted.
/// - **When the destination fails:** its records stay in the spool, and are delivered in order later, also after a restart. Without a spool a batch
///   goes to the console, stderr or nowhere after its last retry.
/// - **Durability:** a record is in the spool before its space in the ring is given back, so that it survives the end of the process, also a `kill -9`, and is delivered at
///   least once. A loss of power spares what [`LogConfig::durability`](crate::LogConfig::durability) says, as in the log files, and by default what the system had written; what is in memory alone
///   it takes. A second delivery, after an answer that got lost or a crash, also of the machine, has the same [`Line::id`](crate::Line::id). [`recover`](crate::recover()) delivers nothing.
///
/// A flush makes a batch of what waits and tries it, for half of [`sink_timeout`](crate::LogConfig::sink_timeout) at most; what is in the spool by then is safe, so that a
/// destination that fails or hangs is no error of a flush. So does the end of the program, which waits no longer than `sink_timeout` and says how many records are left in the spool. Where
/// a request hangs longer than that, records that were in memory only are counted as dropped, and told.
///
/// # Examples
///
/// ```
/// use miu_log::{Batch, Deliver, DeliverError, Level, LogConfig, Remote, Timeouts};
///
/// struct Telegraph;
///
/// impl Deliver for Telegraph {
///     fn deliver(&mut self, batch: &Batch<'_>, timeouts: Timeouts) -> Result<(), DeliverError> {
///         for line in batch.iter() {
///             // Send the line, and wait for the answer no longer than this.
///             let _ = (line.id(), line.as_bytes(), timeouts.request);
///         }
///         Ok(())
///     }
/// }
///
/// let config = LogConfig::new("logs").sink(Remote::new("telegraph", Telegraph).min_level(Level::Warning));
/// # let _ = config;
/// ```
pub struct Remote {
    pub(crate) name: String,
    pub(crate) deliverer: Box<dyn Deliver>,
    pub(crate) choice: Choice,
    pub(crate) layout: Option<AnyLayout>,
    pub(crate) diagnose: Option<bool>,
    pub(crate) console: bool,
    batching: Batching,
    backoff: Backoff,
    timeouts: Timeouts,
    spool: Option<u64>,
    /// Its deliverer takes no other lines than these.
    takes: Option<AnyLayout>,
    /// Why it cannot be.
    problem: Option<String>,
}

selecting!(Remote);

impl Remote {
    /// A sink under this name, for notices, counters and its folder below the log folder: letters, digits, `-`, `_` and `.`. Each sink has a name of its own.
    pub fn new(name: impl Into<String>, deliverer: impl Deliver + 'static) -> Remote {
        Remote::of(name.into(), Box::new(deliverer))
    }

    fn of(name: String, deliverer: Box<dyn Deliver>) -> Remote {
        Remote {
            name,
            deliverer,
            choice: Choice::default(),
            layout: None,
            diagnose: None,
            console: true,
            batching: Batching {
                records: 50,
                most: 50,
                bytes: 256 << 10,
                age: Duration::from_secs(5),
                interval: Duration::ZERO,
            },
            backoff: Backoff { retries: 5, first: Duration::from_secs(1), longest: Duration::from_secs(60) },
            timeouts: Timeouts::new(Duration::from_secs(10), Duration::from_secs(15)),
            spool: Some(256 << 20),
            takes: None,
            problem: None,
        }
    }

    /// Messages to a web service: of records from ERROR on, those of 5 s in the first, and then of 20 s (at most 100,000, or 16 MiB) in one batch, which is a message, or a few; a flush, and
    /// the end of the program, send what waits at once. They read `LEVEL domain: message`, without
    /// the time, so that equal ones are told once with their number. All of it can be said otherwise afterwards.
    #[cfg(feature = "webhook")]
    pub fn webhook(name: impl Into<String>, webhook: Webhook) -> Remote {
        Remote::new(name, webhook)
            .min_level(Level::Error)
            // It parses: there is a scenario that reads such lines.
            .layout(Pattern::parse("{level} {domain}: {message}").unwrap_or_default())
            .batch_records(100_000)
            .batch_bytes(16 << 20)
            .batch_interval(Duration::from_secs(20))
    }

    /// Rows of a table in a database, under the name `database` if it is not [`named`](Remote::named) otherwise: 50 records make a batch, and where more wait up to 8192 go at once.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub fn database(database: Database) -> Remote {
        let (deliverer, problem) = match database.engine() {
            Ok(deliverer) => (deliverer, None),
            Err(problem) => (Box::new(Nowhere) as Box<dyn Deliver>, Some(problem)),
        };
        let takes = Some(AnyLayout::rows());
        let remote = Remote { takes, problem, ..Remote::of(NAME.to_owned(), deliverer) };
        remote.layout(AnyLayout::rows()).batch_bytes(4 << 20).backlog_records(8192)
    }

    /// Another name than it has so far, as [`new`](Remote::new) takes it: for a second database, as each sink has a name of its own, also beside one of `LOG_DATABASE_URL` or of a configuration file. The spool belongs to the name: what
    /// waits under the old one stays there.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Remote {
        self.name = name.into();
        self
    }

    /// What the lines look like that it is given. Default: as in the files. A database takes none: what is in its columns is the same for all.
    #[must_use]
    pub fn layout(mut self, layout: impl Into<AnyLayout>) -> Remote {
        self.layout = Some(layout.into());
        self
    }

    /// Whether it shows what functions with [`#[diagnose]`](crate::diagnose) capture for errors. Default: as
    /// [`LogConfig::diagnose`](crate::LogConfig::diagnose) says.
    #[must_use]
    pub fn diagnose(mut self, wanted: bool) -> Remote {
        self.diagnose = Some(wanted);
        self
    }

    /// How many records make a batch. Default: 50. At least 1.
    #[must_use]
    pub fn batch_records(mut self, records: usize) -> Remote {
        self.batching.records = records;
        self
    }

    /// How many records go at once where so many wait, as after an outage or in a flood. Default: as many as make a batch; a
    /// database takes 8192. What is less than [`batch_records`](Remote::batch_records) counts as that.
    #[must_use]
    pub fn backlog_records(mut self, records: usize) -> Remote {
        self.batching.most = records;
        self
    }

    /// How many bytes of lines make a batch. One record that is longer is a batch of its own. Default: 256 KiB. At least 1.
    #[must_use]
    pub fn batch_bytes(mut self, bytes: usize) -> Remote {
        self.batching.bytes = bytes;
        self
    }

    /// How long a record waits for others at most. Default: 5 s. Zero delivers each as soon as it comes.
    #[must_use]
    pub fn batch_age(mut self, age: Duration) -> Remote {
        self.batching.age = age;
        self
    }

    /// How much time there is from the arrival of one batch to the next attempt, at least, except in a flush: for destinations that people read, or that count requests.
    /// What comes meanwhile makes one batch, if it has room. Between the parts of a batch that was refused there is as much time, also in a flush; at the end of the program no
    /// part is offered any more, and they stay in the spool. Default: none; 20 s for a webhook.
    #[must_use]
    pub fn batch_interval(mut self, interval: Duration) -> Remote {
        self.batching.interval = interval;
        self
    }

    /// How often a batch that failed is offered again before the destination is left alone. Default: 5.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Remote {
        self.backoff.retries = retries;
        self
    }

    /// The longest that the pause before the first retry can be; each further one can be twice as long, up to a minute. Default: 1 s. More than zero.
    #[must_use]
    pub fn first_pause(mut self, pause: Duration) -> Remote {
        self.backoff.first = pause;
        self.backoff.longest = self.backoff.longest.max(pause);
        self
    }

    /// How long reaching the destination may take. Default: 10 s. More than zero. It is for the deliverer to keep.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Remote {
        self.timeouts.connect = timeout;
        self
    }

    /// How long a delivery may take in all. Default: 15 s. More than zero. It is for the deliverer to keep.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Remote {
        self.timeouts.request = timeout;
        self
    }

    /// How many bytes the spool may take. Default: 256 MiB. At least 64 KiB.
    #[must_use]
    pub fn spool_bytes(mut self, bytes: u64) -> Remote {
        self.spool = Some(bytes);
        self
    }

    /// Nothing is put on disk: what waits is in memory, and lost if the process is killed. So it is without a log folder anyway.
    #[must_use]
    pub fn without_spool(mut self) -> Remote {
        self.spool = None;
        self
    }

    /// Whether the console gets what neither the destination nor the spool takes, before stderr does. Records that are shown there anyway, because of their level, are not
    /// shown again. A repository without a console has none for this either. Default:
    /// `true`.
    #[must_use]
    pub fn console_fallback(mut self, wanted: bool) -> Remote {
        self.console = wanted;
        self
    }

    /// An error about this sink.
    pub(crate) fn wrong(&self, problem: impl fmt::Display) -> Error {
        wrong(&self.name, problem)
    }

    /// How its outbox works, in this folder of spools; a sink may hold up a flush for so long, and what is on disk may have to survive a loss of power.
    pub(crate) fn options(
        &self,
        spools: Option<&Spools>,
        sink_timeout: Duration,
        is_durable: bool,
    ) -> Options {
        let spool = spools.map(|spools| spools.of(&self.name)).zip(self.spool);
        Options {
            batching: self.batching,
            backoff: self.backoff,
            timeouts: self.timeouts,
            // The rest is for the answer.
            flush_wait: sink_timeout / 2,
            spool,
            is_durable,
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        if let Some(problem) = &self.problem {
            return Err(self.wrong(problem));
        }
        check_name(&self.name).map_err(|problem| self.wrong(problem))?;
        let fits = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.');
        if !self.name.chars().all(fits) || self.name.starts_with('.') {
            return Err(self.wrong(
                "its name is that of a folder; letters, digits, '-', '_' and '.', which is not the first, are expected",
            ));
        }
        if let (Some(takes), Some(layout)) = (&self.takes, &self.layout)
            && !takes.is_same(layout)
        {
            return Err(self
                .wrong("a layout is not accepted for a database, which has a column for each part of a record; none is expected"));
        }
        if self.batching.records == 0 || self.batching.bytes == 0 {
            return Err(self
                .wrong("a batch of nothing is not accepted; at least one record and one byte are expected"));
        }
        for (option, time) in [
            ("batch_age", self.batching.age.max(Duration::from_nanos(1))),
            ("batch_interval", self.batching.interval.max(Duration::from_nanos(1))),
            ("first_pause", self.backoff.first),
            ("connect_timeout", self.timeouts.connect),
            ("request_timeout", self.timeouts.request),
        ] {
            if time.is_zero() || time > LONGEST_TIMEOUT {
                return Err(self.wrong(format!(
                    "{option} is {time:?}; more than zero and at most {LONGEST_TIMEOUT:?} is accepted"
                )));
            }
        }
        if let Some(bytes) = self.spool.filter(|bytes| *bytes < SMALLEST_SPOOL) {
            return Err(self.wrong(format!("spool_bytes is {bytes}; at least {SMALLEST_SPOOL} is accepted")));
        }
        self.layout.as_ref().map_or(Ok(()), AnyLayout::check).map_err(|error| self.wrong(error))
    }
}

/// Where the spools of a repository are: those of its remote sinks, and none of a program that shares its log folder.
#[derive(Clone, Debug)]
pub(crate) struct Spools {
    folder: PathBuf,
    /// The repository's name among those that share the log folder.
    app: Option<String>,
}

impl Spools {
    /// In this log folder, of a repository that has this name among those that share it, if any do.
    pub(crate) fn new(log_folder: &Path, instance: Option<&str>) -> Spools {
        // Wherever the program goes later, the spools stay where they are.
        let log_folder = std::path::absolute(log_folder).unwrap_or_else(|_| log_folder.to_owned());
        Spools { folder: log_folder.join(FOLDER), app: instance.map(str::to_owned) }
    }

    fn of(&self, sink: &str) -> PathBuf {
        self.folder.join(name_of(self.app.as_deref(), sink))
    }

    /// Where they all are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether a folder of this name is nobody's spool but perhaps this repository's, which has these sinks: what another program has left, of those that share
    /// the folder, may be what it goes on with.
    pub(crate) fn is_left(&self, name: &str, sinks: &[String]) -> bool {
        let (app, sink) = owner_of(name);
        if app == self.app.as_deref() {
            return !sinks.iter().any(|known| known == sink);
        }
        // Of a program that had the folder for itself, or, for such a one, of those that shared it.
        app.is_none() || self.app.is_none()
    }
}

/// Stands in for what cannot be.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
struct Nowhere;

#[cfg(any(feature = "postgres", feature = "sqlite"))]
impl Deliver for Nowhere {
    fn deliver(&mut self, _batch: &Batch<'_>, _timeouts: Timeouts) -> Result<(), DeliverError> {
        Err(DeliverError::off("there is no such destination"))
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("name", &self.name)
            .field("choice", &self.choice)
            .field("layout", &self.layout)
            .field("batching", &self.batching)
            .field("backoff", &self.backoff)
            .field("timeouts", &self.timeouts)
            .field("spool", &self.spool)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::Batch;
    use crate::sink::outbox::deliver::DeliverError;

    struct Nowhere;

    impl Deliver for Nowhere {
        fn deliver(&mut self, _batch: &Batch<'_>, _timeouts: Timeouts) -> Result<(), DeliverError> {
            Ok(())
        }
    }

    fn far() -> Remote {
        Remote::new("far", Nowhere)
    }

    #[test]
    fn what_cannot_be_is_refused_in_words() {
        let named = |name| Remote::new(name, Nowhere);
        for (remote, problem) in [
            (named(""), "1 to 64 bytes"),
            (named("../up"), "letters, digits"),
            (named(".hidden"), "letters, digits"),
            (far().batch_records(0), "a batch of nothing"),
            (far().batch_bytes(0), "a batch of nothing"),
            (far().batch_age(Duration::MAX), "batch_age is"),
            (far().first_pause(Duration::ZERO), "first_pause is 0ns; more than zero"),
            (far().request_timeout(Duration::ZERO), "request_timeout is 0ns"),
            (far().connect_timeout(Duration::MAX), "connect_timeout is"),
            (far().spool_bytes(100), "spool_bytes is 100; at least 65536"),
        ] {
            let error = remote.check().unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
        far().batch_age(Duration::ZERO).check().unwrap();
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn a_database_takes_no_layout() {
        use crate::{Database, layout::Json};

        let database = || Remote::database(Database::url("sqlite:logs.db"));
        database().check().unwrap();
        for layout in [Json::new().into(), AnyLayout::default()] {
            let error = database().layout(layout).check().unwrap_err().to_string();
            assert!(error.contains("a layout is not accepted for a database"), "{error}");
        }
    }

    #[test]
    fn a_spool_is_below_the_log_folder_if_there_is_one() {
        let at =
            |remote: Remote, spools: Option<&Spools>| remote.options(spools, Duration::ZERO, false).spool;
        let spools = Spools::new(Path::new("logs"), None);
        let (path, limit) = at(far(), Some(&spools)).unwrap();
        assert!(path.is_absolute() && path.ends_with("logs/.outbox/far") && limit == 256 << 20, "{path:?}");
        assert_eq!(at(far(), None), None);
        assert_eq!(at(far().without_spool(), Some(&spools)), None);
        let is_left = |name: &str| spools.is_left(name, &["far".to_owned()]);
        assert_eq!(["far", "near", "shop@far"].map(is_left), [false, true, true]);
    }

    #[test]
    fn programs_that_share_a_log_folder_share_no_spool() {
        let spools = |app| Spools::new(Path::new("logs"), Some(app));
        let path = |app| far().options(Some(&spools(app)), Duration::ZERO, false).spool.unwrap().0;
        assert!(
            path("shop").ends_with("logs/.outbox/shop@far") && path("mail").ends_with(".outbox/mail@far")
        );
        let is_left = |name: &str| spools("shop").is_left(name, &["far".to_owned()]);
        let names = ["shop@far", "shop@near", "mail@far", "far"];
        assert_eq!(names.map(is_left), [false, true, false, true]);
    }
}
