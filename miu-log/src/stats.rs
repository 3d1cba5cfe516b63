//! Counters of the pipeline itself, and the picture of them that `repo.stats()` gives.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::level::Level;
use crate::record::UnixNanos;
use crate::redact;
use crate::sink::{CircuitState, RemoteHealth};
use crate::sync::{AtomicU64, Ordering};

/// Why a record was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// Its ring was full and the overflow policy said so.
    Full,
    /// It was logged from within another logging call: nested too deep, or by an allocator.
    Reentrant,
    /// The repository was shut down.
    AfterShutdown,
    /// There was no memory for a ring.
    NoMemory,
    /// It was logged from a signal handler that had interrupted something it would have needed: see [`signal!`](crate::signal).
    Signal,
    /// It came through the `log` or `tracing` facade from a thread of miu-log's own, as that of a sink, or was logged by a [`Deliver`](crate::Deliver) on its thread: it
    /// would have to be delivered by the very code that made it. No line tells of it, for that line would bring the next one, and [`Stats::dropped`] does not count it.
    OwnThread,
}

impl DropReason {
    /// All reasons.
    pub const ALL: [DropReason; 6] = [
        DropReason::Full,
        DropReason::Reentrant,
        DropReason::AfterShutdown,
        DropReason::NoMemory,
        DropReason::Signal,
        DropReason::OwnThread,
    ];

    /// The reason in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            DropReason::Full => "queue full",
            DropReason::Reentrant => "logged from within logging",
            DropReason::AfterShutdown => "after shutdown",
            DropReason::NoMemory => "no memory for a ring",
            DropReason::Signal => "logged from a signal handler",
            DropReason::OwnThread => "logged by a thread of miu-log's own",
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

const LEVELS: usize = Level::ALL.len();

/// The live counters. None is on the hot path.
#[derive(Debug)]
pub(crate) struct Counters {
    domains: usize,
    /// Per reason, domain and level.
    dropped: Vec<AtomicU64>,
    /// Per domain and level; counted when the batch has been given to the sinks.
    written: Vec<AtomicU64>,
    pub(crate) truncated: AtomicU64,
    pub(crate) corrupt: AtomicU64,
    /// Accepted records that no listener will write any more.
    pub(crate) abandoned: AtomicU64,
    /// Calls on a worker's domain that the queue does not have.
    pub(crate) unknown_domain: AtomicU64,
    /// Records found in the rings of processes that did not end properly.
    pub(crate) recovered: AtomicU64,
    pub(crate) files: Arc<FileCounters>,
}

/// What was done to rotated files.
#[derive(Debug)]
pub(crate) struct FileCounters {
    pub(crate) compressed: AtomicU64,
    pub(crate) deleted: AtomicU64,
    /// Bytes that both have made free.
    pub(crate) freed: AtomicU64,
}

impl Default for FileCounters {
    fn default() -> FileCounters {
        FileCounters { compressed: AtomicU64::new(0), deleted: AtomicU64::new(0), freed: AtomicU64::new(0) }
    }
}

impl Counters {
    pub(crate) fn new(domains: usize) -> Counters {
        let zeros = |count: usize| (0..count).map(|_| AtomicU64::new(0)).collect();
        Counters {
            domains,
            dropped: zeros(DropReason::ALL.len() * domains * LEVELS),
            written: zeros(domains * LEVELS),
            truncated: AtomicU64::new(0),
            corrupt: AtomicU64::new(0),
            abandoned: AtomicU64::new(0),
            unknown_domain: AtomicU64::new(0),
            recovered: AtomicU64::new(0),
            files: Arc::default(),
        }
    }

    /// The place of a counter among all of dropped records.
    pub(crate) fn index(&self, reason: DropReason, domain: usize, level: Level) -> usize {
        (reason as usize * self.domains + domain) * LEVELS + level as usize
    }

    #[cold]
    pub(crate) fn drop_one(&self, reason: DropReason, domain: u8, level: Level) {
        if let Some(counter) = self.dropped.get(self.index(reason, domain.into(), level)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes over what another process has counted, in the order of `index`.
    pub(crate) fn add_dropped(&self, new: &[u64]) {
        for (counter, new) in self.dropped.iter().zip(new) {
            counter.fetch_add(*new, Ordering::Relaxed);
        }
    }

    /// How many counters of dropped records there are.
    pub(crate) fn drop_counters(&self) -> usize {
        self.dropped.len()
    }

    pub(crate) fn dropped(&self, reason: DropReason, domain: usize, level: Level) -> u64 {
        self.dropped
            .get(self.index(reason, domain, level))
            .map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    pub(crate) fn add_written(&self, domain: usize, level: usize, count: u64) {
        if let Some(counter) = self.written.get(domain * LEVELS + level) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    pub(crate) fn total_written(&self) -> u64 {
        self.written.iter().map(|counter| counter.load(Ordering::Relaxed)).sum()
    }

    pub(crate) fn written(&self, domain: usize, level: Level) -> u64 {
        self.written
            .get(domain * LEVELS + level as usize)
            .map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}

/// What the pipeline has done so far: a picture, taken by [`stats`](crate::Stats).
///
/// After a `flush` without concurrent calls, `accepted == written + corrupt + abandoned`; calls that were not accepted are
/// in `dropped`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// Records taken into a ring.
    pub accepted: u64,
    /// Records given to the sinks, by the listener of this process: 0 in a worker process. Lines that the pipeline writes about itself are
    /// not counted.
    pub written: u64,
    /// Records that were not accepted, all reasons together but for [`DropReason::OwnThread`]: what an HTTP client says of its work for a sink is no loss.
    pub dropped: u64,
    /// Accepted records that are not written yet.
    pub pending: u64,
    /// Records, or single values of them, that were cut because they were longer than 16 MiB.
    pub truncated: u64,
    /// Values of fields that were replaced by `***` because they are secrets, by this process and since it began, whichever repository they were for. A
    /// value of a [`context`](crate::context), or of a span, counts once and not with every record that it is in. Of other processes this does not know.
    pub redacted: u64,
    /// Records that could not be decoded.
    pub corrupt: u64,
    /// Accepted records that were given up, because the time of a shutdown was over.
    pub abandoned: u64,
    /// Records that were found in the rings of processes that did not end properly. They are part of `accepted`.
    pub recovered: u64,
    /// Calls of a worker on a domain that the repository does not have. They are part of `dropped`.
    pub unknown_domain: u64,
    /// Records that sinks gave up after they had been written for all the pipeline knows, each counted once per sink: a file on a
    /// full disk, a console that nobody reads. Lines that the pipeline wrote about itself are among them, where a sink lost those too; so a sink can
    /// lose more than were `accepted`. As current as `sinks`.
    pub lost_by_sinks: u64,
    /// Rotated files that were compressed.
    pub files_compressed: u64,
    /// Rotated files that were deleted, as the retention says.
    pub files_deleted: u64,
    /// Bytes that compressing and deleting have made free.
    pub file_bytes_freed: u64,
    /// Per domain.
    pub domains: Vec<DomainStats>,
    /// Per sink: files by name, the console, sinks added by hand. As of the last flush, or at most about a second old.
    pub sinks: Vec<SinkStats>,
    /// Per ring, of all threads and processes that have one now.
    pub rings: Vec<RingStats>,
}

/// Counters of one domain.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DomainStats {
    /// The domain's name.
    pub name: &'static str,
    /// Records given to the sinks, by level number.
    pub written: [u64; LEVELS],
    /// Records that were not accepted, by reason (as in [`DropReason::ALL`]) and level number.
    pub dropped: [[u64; LEVELS]; DropReason::ALL.len()],
}

impl DomainStats {
    /// Records of this level given to the sinks.
    pub fn written_at(&self, level: Level) -> u64 {
        self.written[level as usize]
    }

    /// Records given to the sinks, over all levels.
    pub fn total_written(&self) -> u64 {
        self.written.iter().sum()
    }

    /// Records that were not accepted, over all reasons and levels.
    pub fn total_dropped(&self) -> u64 {
        self.dropped.iter().flatten().sum()
    }

    /// Records of this level that were not accepted for this reason.
    pub fn dropped_at(&self, reason: DropReason, level: Level) -> u64 {
        self.dropped[reason as usize][level as usize]
    }
}

/// How a sink is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SinkState {
    /// It takes what it is given.
    Working,
    /// It failed; its records are held, up to a bound, and offered again.
    Failing,
    /// It panicked; its records are held, up to a bound, until it is tried again after a pause. Those on which it has panicked three times are
    /// dropped and counted, and it stays in this state until it takes others.
    Disabled,
}

/// Counters of one thread's ring: every call on it was accepted or dropped, and what was accepted is written or pending.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RingStats {
    /// Name of the process: `main`, or a worker's. It is any text: escape it before it is shown.
    pub process: String,
    /// Number of the process, as it sees itself.
    pub process_id: u32,
    /// Name of the thread. It is any text: escape it before it is shown.
    pub thread: String,
    /// Records taken into the ring.
    pub accepted: u64,
    /// Of these, records read and given to the sinks.
    pub written: u64,
    /// Records that found no room in it. Calls that were dropped before they came to a ring are counted per domain only.
    pub dropped: u64,
    /// Records in the ring.
    pub pending: u64,
}

/// What the listener tells about itself from time to time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Published {
    pub(crate) sinks: Vec<SinkStats>,
    pub(crate) rings: Vec<RingStats>,
    /// The sinks that a flush waits for, by name.
    pub(crate) behind: Vec<String>,
    /// Why files could not be rotated when that was asked for last.
    pub(crate) unrotated: Vec<String>,
}

/// Counters of one sink, as the listener left them last: at the last flush, or at most about a second ago. Call
/// `flush` first where numbers have to fit what was logged.
///
/// The lines that the pipeline writes about itself, such as `dropped 3 records`, are records here: a sink takes, holds and loses them like any other.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SinkStats {
    /// Name of the sink: its file's name, `console`, or the name it was added under.
    pub name: String,
    /// Records it has taken and not lost, whole: one of which a full disk took a part is `held` until it took the rest.
    pub written: u64,
    /// Records it should have got that are lost.
    pub dropped: u64,
    /// Records that are held for another attempt, or wait in the queue of a sink with a thread of its own.
    pub held: u64,
    /// Of a [`Remote`](crate::Remote): records that neither the destination nor the spool took, and that are on the console instead.
    pub to_console: u64,
    /// The same, on stderr.
    pub to_stderr: u64,
    /// Of a [`Remote`](crate::Remote): records that the destination refused one by one, and that are in the file `dead-letters`.
    pub dead_letters: u64,
    /// Errors and panics.
    pub errors: u64,
    /// How often records were offered again.
    pub retries: u64,
    /// How it is doing now.
    pub state: SinkState,
    /// Of a [`Remote`](crate::Remote): how it is with its destination.
    pub remote: Option<RemoteStats>,
    /// Why it does not work, where it does not: the error in words, such as a full disk. A log file that is written to and could not be rotated is
    /// [`Working`](SinkState::Working), and says here why it was not. Of a sink with a thread of its own, and of one that has just been found to
    /// work again, there is none.
    pub fault: Option<String>,
}

/// How it is with the destination of a [`Remote`](crate::Remote). Its queue depth is [`SinkStats::held`], also of earlier processes' records, and what has
/// arrived [`SinkStats::written`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RemoteStats {
    /// Whether it is tried.
    pub circuit: CircuitState,
    /// Batches that have arrived, or the part of one that has.
    pub batches: u64,
    /// Batches that arrive in a second, over the last ten seconds.
    pub batches_per_second: f64,
    /// Records that arrive in a second, over the last ten seconds.
    pub records_per_second: f64,
    /// Records that had to be changed so that the destination takes them: a text that was too long, a character that it does not know.
    pub altered: u64,
    /// Bytes that the spool takes on disk.
    pub spool_bytes: u64,
    /// How long ago the oldest record was logged that has not arrived. None where all have.
    pub oldest_pending: Option<Duration>,
}

impl RemoteStats {
    /// As of this time.
    pub(crate) fn new(health: &RemoteHealth, now: UnixNanos) -> RemoteStats {
        let age = |time: UnixNanos| Duration::from_nanos(now.saturating_sub(time).max(0).unsigned_abs());
        RemoteStats {
            circuit: health.circuit,
            batches: health.batches,
            batches_per_second: health.batches_per_second,
            records_per_second: health.records_per_second,
            altered: health.altered,
            spool_bytes: health.spool_bytes,
            oldest_pending: health.oldest.map(age),
        }
    }
}

impl Stats {
    pub(crate) fn collect(
        counters: &Counters,
        names: &[&'static str],
        accepted: u64,
        Published { sinks, rings, .. }: Published,
    ) -> Stats {
        let domains: Vec<DomainStats> = names
            .iter()
            .enumerate()
            .map(|(domain, name)| DomainStats {
                name,
                written: Level::ALL.map(|level| counters.written(domain, level)),
                dropped: DropReason::ALL
                    .map(|reason| Level::ALL.map(|level| counters.dropped(reason, domain, level))),
            })
            .collect();
        let written = domains.iter().flat_map(|domain| domain.written).sum();
        let unknown_domain = counters.unknown_domain.load(Ordering::Relaxed);
        let of_own =
            |domain: &DomainStats| domain.dropped[DropReason::OwnThread as usize].iter().sum::<u64>();
        let dropped: u64 = domains.iter().map(|domain| domain.total_dropped() - of_own(domain)).sum();
        let corrupt = counters.corrupt.load(Ordering::Relaxed);
        let abandoned = counters.abandoned.load(Ordering::Relaxed);
        Stats {
            accepted,
            written,
            dropped: dropped + unknown_domain,
            unknown_domain,
            lost_by_sinks: sinks.iter().map(|sink| sink.dropped).sum(),
            pending: accepted.saturating_sub(written + corrupt + abandoned),
            truncated: counters.truncated.load(Ordering::Relaxed),
            redacted: redact::replaced(),
            corrupt,
            abandoned,
            recovered: counters.recovered.load(Ordering::Relaxed),
            files_compressed: counters.files.compressed.load(Ordering::Relaxed),
            files_deleted: counters.files.deleted.load(Ordering::Relaxed),
            file_bytes_freed: counters.files.freed.load(Ordering::Relaxed),
            domains,
            sinks,
            rings,
        }
    }

    /// Records that were not accepted for this reason, over all domains and levels.
    pub fn dropped_for(&self, reason: DropReason) -> u64 {
        self.domains.iter().flat_map(|domain| domain.dropped[reason as usize]).sum()
    }
}
