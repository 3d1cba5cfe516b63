//! Where records go: the [`Sink`] trait, and the batch that a sink is given.
//!
//! The listener's thread calls a sink; a sink that may be slow or may hang sits behind a
//! queue and a thread of its own, so that it delays no other. A sink never sees the ring or another sink.

pub(crate) mod console;
pub(crate) mod file;
pub(crate) mod outbox;
pub(crate) mod queued;

use std::fmt;
use std::time::{Duration, Instant};

use crate::level::Level;
use crate::record::{RecordId, UnixNanos};

/// A destination of records.
///
/// The listener calls it from one thread, a batch at a time, in the order of the records' time. An
/// error or a panic never reaches the program: the router counts it, says it once on stderr and goes
/// on with the other sinks.
///
/// A sink must not flush or shut down the repository it belongs to: both wait for the sink.
///
/// # Examples
///
/// A sink that counts errors:
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// use miu_log::{Batch, Level, Sink, SinkError};
///
/// struct ErrorCount(Arc<AtomicUsize>);
///
/// impl Sink for ErrorCount {
///     fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
///         let errors = batch.iter().filter(|line| line.level() >= Level::Error).count();
///         self.0.fetch_add(errors, Ordering::Relaxed);
///         Ok(())
///     }
/// }
/// ```
pub trait Sink: Send {
    /// Takes a batch of records.
    ///
    /// # Errors
    ///
    /// [`SinkError`] says how many records of the batch were delivered all the same, and whether
    /// the rest may be offered again.
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError>;

    /// Hands everything taken so far to the operating system or the server.
    ///
    /// # Errors
    ///
    /// When the destination refuses.
    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Makes everything taken so far durable against loss of power.
    ///
    /// # Errors
    ///
    /// When the destination refuses.
    fn sync(&mut self) -> Result<(), SinkError> {
        self.flush()
    }

    /// A flush in steps, for sinks with a thread of their own: begins it, or looks whether the one begun is done. Never
    /// waits.
    #[doc(hidden)]
    fn poll_flush(&mut self, begin: bool) -> Result<bool, SinkError> {
        if begin {
            self.flush()?;
        }
        Ok(true)
    }

    /// The last call: hands over what is left, and waits for it no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// When something was left behind; [`lost`](Sink::lost) then counts it.
    fn close(&mut self, deadline: Instant) -> Result<(), SinkError> {
        let _ = deadline;
        self.flush()
    }

    /// Called about once a second, with or without records: for a look at the destination.
    ///
    /// # Errors
    ///
    /// When the destination has a fault that should be told.
    fn tick(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// For how long a sink with a thread of its own can be left alone: then [`tick`](Sink::tick) is called, if nothing else was. None: until there
    /// is something for it.
    #[doc(hidden)]
    fn rest(&self) -> Option<Duration> {
        None
    }

    /// How many of the records that [`write`](Sink::write) has taken were lost afterwards. A sink
    /// with a queue of its own counts them here; the number never falls.
    fn lost(&self) -> u64 {
        0
    }

    /// What became of the records that were taken, for sinks with a queue and a thread of their own: the caller of
    /// [`write`](Sink::write) does not see the thread's faults.
    #[doc(hidden)]
    fn health(&self) -> Health {
        Health::default()
    }

    /// Why it fails, where its own thread knows that.
    #[doc(hidden)]
    fn fault(&self) -> Option<String> {
        None
    }

    /// Opens what the next batch begins in, so that `file_position` is that of the right file before it gets a line: rotates a log
    /// file that is full. An error is one that stops no line; what does is said by `write`.
    #[doc(hidden)]
    fn prepare(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        let _ = batch;
        Ok(())
    }

    /// How many of these records belong into what was prepared: at least one. The rest is offered after the next `prepare`.
    #[doc(hidden)]
    fn quota(&self, batch: &Batch<'_>) -> usize {
        batch.len()
    }

    /// Rotates the log file, where there is one and it is not empty: because somebody asks, or where it is `due` at this time. Says
    /// whether it did.
    #[doc(hidden)]
    fn rotate(&mut self, now: UnixNanos, ask: Rotate) -> Result<bool, SinkError> {
        let _ = (now, ask);
        Ok(false)
    }

    /// A checkpoint has been written that needs no file but the present one.
    #[doc(hidden)]
    fn settled(&mut self) {}

    /// Forgets the rest of a line that was begun: somebody else takes the beginning away.
    #[doc(hidden)]
    fn forget(&mut self) {}

    /// Whether it writes a log file, open or not: only what waits for those is kept for the next start.
    #[doc(hidden)]
    fn is_log_file(&self) -> bool {
        false
    }

    /// The line, whole, of which its file holds a part only.
    #[doc(hidden)]
    fn owed(&self) -> Option<&[u8]> {
        None
    }

    /// Whether its file holds a part of a line only, whose rest is still to be written.
    #[doc(hidden)]
    fn is_torn(&self) -> bool {
        self.owed().is_some()
    }

    /// Whether it keeps on disk what it takes, so that [`sync`](Sink::sync) makes it durable: what becomes of other sinks' records is their own matter.
    #[doc(hidden)]
    fn is_on_disk(&self) -> bool {
        self.file_position().is_some()
    }

    /// Where the sink stands in its log file, if it writes one: what a checkpoint needs.
    #[doc(hidden)]
    fn file_position(&self) -> Option<FilePosition> {
        None
    }

    /// Name of that file in the log folder.
    #[doc(hidden)]
    fn file_name(&self) -> Option<&str> {
        None
    }
}

/// Why a log file may have to be rotated without a record for the next one.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotate {
    /// It is time for it, perhaps.
    IfDue,
    /// Somebody wants it.
    Now,
}

/// How a sink with a thread of its own is doing, all as of one moment.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Health {
    /// Errors and panics that nobody but the thread has seen.
    pub errors: u64,
    /// How often records were offered again.
    pub retries: u64,
    /// Records that were taken and are not dealt with yet.
    pub waiting: u64,
    /// As [`Sink::lost`].
    pub lost: u64,
    /// Records that went to the console and to stderr instead, and into the file of those that cannot be delivered.
    pub to_console: u64,
    pub to_stderr: u64,
    pub dead_letters: u64,
    /// Whether the last batch that was offered failed.
    pub failing: bool,
    /// Whether it did so by a panic.
    pub panicking: bool,
    /// Of a destination that is far away.
    pub remote: Option<RemoteHealth>,
}

/// How it is with a destination that is far away.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RemoteHealth {
    /// Batches, and records in them, that have arrived.
    pub batches: u64,
    pub delivered: u64,
    /// Records that had to be changed so that they could be delivered.
    pub altered: u64,
    /// Bytes that the spool takes.
    pub spool_bytes: u64,
    /// When the oldest record was logged that has not arrived.
    pub oldest: Option<UnixNanos>,
    pub circuit: CircuitState,
    /// Over the last ten seconds.
    pub batches_per_second: f64,
    pub records_per_second: f64,
}

/// Whether a destination is tried: a circuit breaker's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CircuitState {
    /// It works, for all that is known; a batch that failed may be waiting for its next attempt.
    #[default]
    Closed,
    /// A batch has failed after its last retry: the destination is left alone for a while.
    Open,
    /// That while is over, and one batch is being tried.
    HalfOpen,
    /// The destination has said that nothing gets there before somebody changes something: it is off until the next start.
    Off,
}

impl CircuitState {
    /// The state in words: `closed`, `open`, `half-open`, `off`.
    pub const fn as_str(self) -> &'static str {
        match self {
            CircuitState::Closed => "closed",
            CircuitState::Open => "open",
            CircuitState::HalfOpen => "half-open",
            CircuitState::Off => "off",
        }
    }
}

/// Identity of a log file, and how much of it consists of whole lines.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilePosition {
    /// Number of the device that holds the file.
    pub dev: u64,
    /// Number of the file on its device.
    pub ino: u64,
    /// Length in bytes up to the end of the last whole line that was written.
    pub len: u64,
    /// Whether a line was begun behind `len` whose rest is still to be written.
    pub torn: bool,
}

/// A log file and how much of it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileMark {
    pub(crate) name: String,
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) len: u64,
}

/// Records on their way into one sink, formatted, in order of time.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    pub(crate) domains: &'a [String],
    pub(crate) entries: &'a [Entry],
    pub(crate) text: &'a [u8],
}

/// Where one record's line stands in the text of its batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) time: UnixNanos,
    pub(crate) id: RecordId,
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) domain: u16,
    pub(crate) level: Level,
}

impl<'a> Batch<'a> {
    /// How many records there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The records, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Line<'a>> + use<'a> {
        let Batch { domains, entries, text } = *self;
        entries.iter().map(move |entry| Line {
            time: entry.time,
            id: entry.id,
            level: entry.level,
            domain: domains.get(usize::from(entry.domain)).map_or("", String::as_str),
            text: text.get(entry.start as usize..entry.end as usize).unwrap_or_default(),
        })
    }

    /// The batch in as few pieces as possible: records whose lines stand next to each other in the
    /// text, and the text they span. The router's batches are one run.
    pub(crate) fn runs(&self) -> impl Iterator<Item = Run<'a>> + use<'a> {
        let Batch { entries, text, .. } = *self;
        let adjacent = |one: &Entry, next: &Entry| one.end == next.start;
        entries.chunk_by(adjacent).map(move |entries| {
            let span = entries.first().zip(entries.last());
            let text = span.and_then(|(first, last)| text.get(first.start as usize..last.end as usize));
            Run { entries, text: text.unwrap_or_default() }
        })
    }
}

/// Records whose lines stand next to each other, and their text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) entries: &'a [Entry],
    pub(crate) text: &'a [u8],
}

impl<'a> Run<'a> {
    /// How many records the first `bytes` of the text hold whole, and where they end in the text.
    pub(crate) fn whole(&self, bytes: usize) -> (usize, usize) {
        let base = self.entries.first().map_or(0, |entry| entry.start as usize);
        let count = self.entries.partition_point(|entry| entry.end as usize - base <= bytes);
        let end = count.checked_sub(1).map_or(0, |last| self.entries[last].end as usize - base);
        (count, end)
    }

    /// The line that starts at this place of the text, which is the `index`th record's.
    pub(crate) fn line(&self, index: usize, start: usize) -> &'a [u8] {
        let len = self.entries.get(index).map_or(0, |entry| (entry.end - entry.start) as usize);
        self.text.get(start..start + len).unwrap_or_default()
    }
}

/// Records with their text, owned: what waits in a slot of the router or in a queue.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) entries: Vec<Entry>,
    /// The lines, each entry's right behind the one before: it ends where the last entry ends.
    pub(crate) text: Vec<u8>,
}

impl Held {
    pub(crate) fn batch<'a>(&'a self, domains: &'a [String]) -> Batch<'a> {
        Batch { domains, entries: &self.entries, text: &self.text }
    }

    /// Where the last line ends; text behind it is of a record that is not complete yet.
    pub(crate) fn end(&self) -> usize {
        self.entries.last().map_or(0, |entry| entry.end as usize)
    }

    /// Appends a record. Past 4 GiB of text it is refused, and that is said by `false`.
    #[inline]
    pub(crate) fn push(&mut self, line: &[u8], like: Entry) -> bool {
        let start = self.text.len();
        let Ok(end) = u32::try_from(start + line.len()) else { return false };
        self.text.extend_from_slice(line);
        self.entries.push(Entry { start: start as u32, end, ..like });
        true
    }

    /// Forgets the first `count` records.
    pub(crate) fn discard(&mut self, count: usize) {
        if count >= self.entries.len() {
            return self.clear();
        }
        if count > 0 {
            self.entries.drain(..count);
            let base = self.entries[0].start;
            self.text.drain(..base as usize);
            for entry in &mut self.entries {
                entry.start -= base;
                entry.end -= base;
            }
        }
    }

    /// Keeps what fits into `limit` bytes, and records from `Error` upwards into `reserve` bytes
    /// more; the newest go first. Gives the levels of those that went.
    pub(crate) fn shrink(&mut self, limit: usize, reserve: usize) -> Vec<Level> {
        let mut gone = Vec::new();
        if self.text.len() <= limit {
            return gone;
        }
        let mut kept = Held::default();
        for entry in &self.entries {
            let line = &self.text[entry.start as usize..entry.end as usize];
            let room = if entry.level >= Level::Error { limit + reserve } else { limit };
            if kept.text.len() + line.len() <= room {
                kept.push(line, *entry);
            } else {
                gone.push(entry.level);
            }
        }
        *self = kept;
        gone
    }

    /// Empties it; the memory is kept for reuse unless one huge batch has blown it up.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.text.clear();
        self.entries.shrink_to(KEPT_CAPACITY / size_of::<Entry>());
        self.text.shrink_to(KEPT_CAPACITY);
    }
}

/// Capacity in bytes that an emptied [`Held`] keeps at most.
const KEPT_CAPACITY: usize = 4 << 20;

/// One record of a [`Batch`].
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    time: UnixNanos,
    id: RecordId,
    level: Level,
    domain: &'a str,
    text: &'a [u8],
}

impl<'a> Line<'a> {
    /// When the record was logged, in nanoseconds since 1970-01-01 00:00 UTC.
    pub fn unix_nanos(&self) -> i64 {
        self.time
    }

    /// What tells the record from all others; the same if it is delivered once more.
    pub fn id(&self) -> RecordId {
        self.id
    }

    /// The record's level.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Name of the record's domain, e.g. `db`.
    pub fn domain(&self) -> &'a str {
        self.domain
    }

    /// The line as the sink's layout made it, its line end included: UTF-8, control characters
    /// escaped. An exception's further lines are part of it, indented.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.text
    }
}

/// What went wrong in a sink, and what became of the batch.
#[derive(Debug)]
pub struct SinkError {
    message: String,
    delivered: usize,
    retry: bool,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    folder_removed: bool,
}

impl SinkError {
    /// An error after which the rest of the batch is given up: `delivered` records of it arrived.
    pub fn fatal(message: impl Into<String>, delivered: usize) -> SinkError {
        SinkError { message: message.into(), delivered, retry: false, source: None, folder_removed: false }
    }

    /// A passing error: all but the first `delivered` records may be offered again.
    pub fn retryable(message: impl Into<String>, delivered: usize) -> SinkError {
        SinkError { retry: true, ..SinkError::fatal(message, delivered) }
    }

    /// The same error with what caused it.
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> SinkError {
        SinkError { source: Some(source.into()), ..self }
    }

    /// Says that the log folder is gone: one fault, however many files were in it.
    pub(crate) fn with_folder_removed(self, folder_removed: bool) -> SinkError {
        SinkError { folder_removed, ..self }
    }

    /// Whether the cause is that the log folder is gone.
    pub(crate) fn is_folder_removed(&self) -> bool {
        self.folder_removed
    }

    /// The same error of a batch that had so many records more before those that were offered, all of them delivered.
    pub(crate) fn behind(self, records: usize) -> SinkError {
        SinkError { delivered: self.delivered + records, ..self }
    }

    /// How many records of the batch were delivered.
    pub fn delivered(&self) -> usize {
        self.delivered
    }

    /// Whether the undelivered records may be offered again.
    pub fn may_retry(&self) -> bool {
        self.retry
    }
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SinkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// These lines, as records of level `Info`.
    pub(crate) fn held(lines: &[&str]) -> Held {
        let mut held = Held::default();
        for line in lines {
            held.push(line.as_bytes(), entry(Level::Info));
        }
        held
    }

    pub(crate) fn entry(level: Level) -> Entry {
        Entry { time: 0, id: RecordId::default(), start: 0, end: 0, domain: 0, level }
    }

    #[test]
    fn a_batch_gives_its_lines_and_runs() {
        let held = held(&["a\n", "bb\n", "", "c\n"]);
        let domains = ["app".to_owned()];
        let batch = held.batch(&domains);
        let lines: Vec<&[u8]> = batch.iter().map(|line| line.as_bytes()).collect();
        assert_eq!(lines, [&b"a\n"[..], b"bb\n", b"", b"c\n"]);
        assert!(batch.iter().all(|line| line.domain() == "app" && line.level() == Level::Info));
        assert_eq!(batch.runs().map(|run| run.text).collect::<Vec<_>>(), [b"a\nbb\nc\n"]);
        let apart = [held.entries[0], held.entries[3]];
        let batch = Batch { domains: &domains, entries: &apart, text: &held.text };
        assert_eq!(batch.runs().map(|run| run.text).collect::<Vec<_>>(), [b"a\n", b"c\n"]);
    }

    #[test]
    fn a_run_knows_which_lines_are_whole() {
        let held = held(&["a\n", "bbb\n", "c\n"]);
        let run = held.batch(&[]).runs().next().unwrap();
        for (bytes, whole) in [(0, (0, 0)), (1, (0, 0)), (2, (1, 2)), (5, (1, 2)), (6, (2, 6)), (8, (3, 8))] {
            assert_eq!(run.whole(bytes), whole);
        }
        assert_eq!(run.line(1, 2), b"bbb\n");
    }

    #[test]
    fn discarding_keeps_the_rest_readable() {
        let mut held = held(&["a\n", "bbb\n", "c\n"]);
        held.discard(1);
        held.push(b"d\n", entry(Level::Info));
        assert_eq!(held.batch(&[]).iter().flat_map(|line| line.as_bytes()).count(), 8);
        assert_eq!(held.text, b"bbb\nc\nd\n");
        assert_eq!(held.batch(&[]).runs().count(), 1);
    }

    #[test]
    fn shrinking_keeps_the_oldest_and_the_errors() {
        let mut held = Held::default();
        for level in [Level::Info, Level::Info, Level::Critical, Level::Info, Level::Error, Level::Error] {
            held.push(b"12345678\n\n", entry(level));
        }
        assert_eq!(held.shrink(20, 20), [Level::Info, Level::Error]);
        let levels: Vec<Level> = held.entries.iter().map(|entry| entry.level).collect();
        assert_eq!(levels, [Level::Info, Level::Info, Level::Critical, Level::Error]);
    }
}
