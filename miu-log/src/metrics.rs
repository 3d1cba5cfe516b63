//! Counters for whoever watches the program: what `stats` says, told to the facade of the crate `metrics`, so that any exporter has it.
//!
//! M1. Only the listener tells, once a second, with each flush and at the end: no logging call does.
//! M2. A recorder that panics ends what is told this time, and nothing else.
//! M3. Counters are told as they stand, not by how much they grew: a recorder that is installed late knows all of them.
//!
//! Called by `listener`, which hands the picture over without a lock.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ::metrics::{
    Key, KeyName, Label, Level as Weight, Metadata, Recorder, SharedString, Unit, with_recorder,
};

use crate::level::Level;
use crate::notice::notice;
use crate::sink::CircuitState;
use crate::stats::{DropReason, RemoteStats, SinkState, SinkStats, Stats};

/// Where they come from, for recorders that ask.
const METADATA: Metadata<'static> = Metadata::new("miu_log", Weight::INFO, Some("miu_log"));

/// What a metric is called and says.
struct Metric {
    name: &'static str,
    unit: Unit,
    about: &'static str,
}

const fn metric(name: &'static str, unit: Unit, about: &'static str) -> Metric {
    Metric { name, unit, about }
}

const RECORDS: Metric =
    metric("miu_log_records_total", Unit::Count, "Records given to the sinks, by domain and level.");
const DROPPED: Metric =
    metric("miu_log_dropped_total", Unit::Count, "Records that were not accepted, by domain and reason.");
const ACCEPTED: Metric = metric("miu_log_accepted_total", Unit::Count, "Records taken into a queue.");
const PENDING: Metric =
    metric("miu_log_pending_records", Unit::Count, "Accepted records that are not written yet.");
const CORRUPT: Metric = metric("miu_log_corrupt_total", Unit::Count, "Records that could not be decoded.");
const ABANDONED: Metric =
    metric("miu_log_abandoned_total", Unit::Count, "Accepted records that were given up at the end.");
const RECOVERED: Metric = metric(
    "miu_log_recovered_total",
    Unit::Count,
    "Records found in the queues of processes that did not end properly.",
);
const TRUNCATED: Metric =
    metric("miu_log_truncated_total", Unit::Count, "Records that were cut because they were too long.");
const REDACTED: Metric = metric(
    "miu_log_redacted_total",
    Unit::Count,
    "Values of fields that were replaced because they are secrets, by this process.",
);
const COMPRESSED: Metric =
    metric("miu_log_files_compressed_total", Unit::Count, "Rotated files that were compressed.");
const DELETED: Metric =
    metric("miu_log_files_deleted_total", Unit::Count, "Rotated files that were deleted.");
const FREED: Metric = metric(
    "miu_log_file_freed_bytes_total",
    Unit::Bytes,
    "Bytes that compressing and deleting rotated files has made free.",
);
const WRITTEN: Metric =
    metric("miu_log_sink_written_total", Unit::Count, "Records that the sink has taken and not lost.");
const LOST: Metric = metric("miu_log_sink_dropped_total", Unit::Count, "Records that the sink has lost.");
const HELD: Metric = metric(
    "miu_log_sink_held_records",
    Unit::Count,
    "Records that wait for the sink, in its queue, in its spool or for another attempt.",
);
const ERRORS: Metric = metric("miu_log_sink_errors_total", Unit::Count, "Errors and panics of the sink.");
const RETRIES: Metric =
    metric("miu_log_sink_retries_total", Unit::Count, "How often records were offered to the sink again.");
const TO_CONSOLE: Metric = metric(
    "miu_log_sink_to_console_total",
    Unit::Count,
    "Records that are on the console because nothing else took them.",
);
const TO_STDERR: Metric = metric(
    "miu_log_sink_to_stderr_total",
    Unit::Count,
    "Records that are on stderr because nothing else took them.",
);
const DEAD_LETTERS: Metric = metric(
    "miu_log_sink_dead_letters_total",
    Unit::Count,
    "Records that the destination refused one by one, and that are in the file dead-letters.",
);
const UP: Metric =
    metric("miu_log_sink_up", Unit::Count, "1 while the sink takes what it is given, 0 while it fails.");

const BATCHES: Metric =
    metric("miu_log_sink_batches_total", Unit::Count, "Batches that have arrived at the destination.");
const ALTERED: Metric = metric(
    "miu_log_sink_altered_total",
    Unit::Count,
    "Records that had to be changed so that the destination takes them.",
);
const SPOOL: Metric =
    metric("miu_log_sink_spool_bytes", Unit::Bytes, "Bytes that the sink's spool takes on disk.");
const OLDEST: Metric = metric(
    "miu_log_sink_oldest_pending_seconds",
    Unit::Seconds,
    "How long ago the oldest record was logged that has not arrived; 0 where all have.",
);
const BATCH_RATE: Metric = metric(
    "miu_log_sink_batches_per_second",
    Unit::CountPerSecond,
    "Batches that arrive in a second, over the last ten seconds.",
);
const RECORD_RATE: Metric = metric(
    "miu_log_sink_records_per_second",
    Unit::CountPerSecond,
    "Records that arrive in a second, over the last ten seconds.",
);
const CONNECTION: Metric = metric(
    "miu_log_sink_connection",
    Unit::Count,
    "1 for the state that the way to the destination is in: closed while it works, open while the destination is left alone, half-open while it is tried, off until the next start.",
);

const COUNTERS: [&Metric; 20] = [
    &RECORDS,
    &DROPPED,
    &ACCEPTED,
    &CORRUPT,
    &ABANDONED,
    &RECOVERED,
    &TRUNCATED,
    &REDACTED,
    &COMPRESSED,
    &DELETED,
    &FREED,
    &WRITTEN,
    &LOST,
    &ERRORS,
    &RETRIES,
    &TO_CONSOLE,
    &TO_STDERR,
    &DEAD_LETTERS,
    &BATCHES,
    &ALTERED,
];
const GAUGES: [&Metric; 8] = [&PENDING, &HELD, &UP, &SPOOL, &OLDEST, &BATCH_RATE, &RECORD_RATE, &CONNECTION];

/// Every state of a [`CONNECTION`].
const STATES: [CircuitState; 4] =
    [CircuitState::Closed, CircuitState::Open, CircuitState::HalfOpen, CircuitState::Off];

/// A reason in one word.
const fn word_of(reason: DropReason) -> &'static str {
    match reason {
        DropReason::Full => "full",
        DropReason::Reentrant => "reentrant",
        DropReason::AfterShutdown => "after_shutdown",
        DropReason::NoMemory => "no_memory",
        DropReason::Signal => "signal",
        DropReason::OwnThread => "own_thread",
    }
}

/// Tells a recorder what the pipeline has done.
#[derive(Debug, Default)]
pub(crate) struct Publisher {
    /// The recorder that knows what the names mean: where it is.
    described: Option<usize>,
}

impl Publisher {
    /// Tells all of it to the recorder that is in force.
    pub(crate) fn publish(&mut self, stats: &Stats) {
        let told = catch_unwind(AssertUnwindSafe(|| {
            with_recorder(|recorder| {
                let place = std::ptr::from_ref(recorder).addr();
                if self.described != Some(place) {
                    describe(recorder);
                    self.described = Some(place);
                }
                tell(recorder, stats);
            });
        }));
        // M2.
        if told.is_err() {
            notice("metrics", "the recorder of metrics panicked; it is asked again in a second");
        }
    }
}

fn describe(recorder: &dyn Recorder) {
    for Metric { name, unit, about } in COUNTERS {
        recorder.describe_counter(KeyName::from_const_str(name), Some(*unit), SharedString::const_str(about));
    }
    for Metric { name, unit, about } in GAUGES {
        recorder.describe_gauge(KeyName::from_const_str(name), Some(*unit), SharedString::const_str(about));
    }
}

/// M3.
fn counter(recorder: &dyn Recorder, metric: &Metric, labels: Vec<Label>, value: u64) {
    let key = Key::from_parts(metric.name, labels);
    recorder.register_counter(&key, &METADATA).absolute(value);
}

fn gauge(recorder: &dyn Recorder, metric: &Metric, labels: Vec<Label>, value: f64) {
    let key = Key::from_parts(metric.name, labels);
    recorder.register_gauge(&key, &METADATA).set(value);
}

fn label(name: &'static str, value: impl Into<Cow<'static, str>>) -> Label {
    Label::new(name, SharedString::from(value.into()))
}

fn tell(recorder: &dyn Recorder, stats: &Stats) {
    for domain in &stats.domains {
        for level in Level::ALL {
            let name = level.as_str().to_ascii_lowercase();
            let labels = vec![label("domain", domain.name), label("level", name)];
            counter(recorder, &RECORDS, labels, domain.written_at(level));
        }
        for reason in DropReason::ALL {
            let dropped = Level::ALL.map(|level| domain.dropped_at(reason, level)).iter().sum();
            let labels = vec![label("domain", domain.name), label("reason", word_of(reason))];
            counter(recorder, &DROPPED, labels, dropped);
        }
    }
    for (metric, value) in [
        (&ACCEPTED, stats.accepted),
        (&CORRUPT, stats.corrupt),
        (&ABANDONED, stats.abandoned),
        (&RECOVERED, stats.recovered),
        (&TRUNCATED, stats.truncated),
        (&REDACTED, stats.redacted),
        (&COMPRESSED, stats.files_compressed),
        (&DELETED, stats.files_deleted),
        (&FREED, stats.file_bytes_freed),
    ] {
        counter(recorder, metric, Vec::new(), value);
    }
    gauge(recorder, &PENDING, Vec::new(), stats.pending as f64);
    for sink in &stats.sinks {
        tell_of_sink(recorder, sink);
    }
}

fn tell_of_sink(recorder: &dyn Recorder, sink: &SinkStats) {
    let labels = || vec![label("sink", sink.name.clone())];
    for (metric, value) in
        [(&WRITTEN, sink.written), (&LOST, sink.dropped), (&ERRORS, sink.errors), (&RETRIES, sink.retries)]
    {
        counter(recorder, metric, labels(), value);
    }
    gauge(recorder, &HELD, labels(), sink.held as f64);
    gauge(recorder, &UP, labels(), flag(sink.state == SinkState::Working));
    let Some(remote) = &sink.remote else { return };
    for (metric, value) in [
        (&TO_CONSOLE, sink.to_console),
        (&TO_STDERR, sink.to_stderr),
        (&DEAD_LETTERS, sink.dead_letters),
        (&BATCHES, remote.batches),
        (&ALTERED, remote.altered),
    ] {
        counter(recorder, metric, labels(), value);
    }
    tell_of_remote(recorder, remote, labels);
}

fn tell_of_remote(recorder: &dyn Recorder, remote: &RemoteStats, labels: impl Fn() -> Vec<Label>) {
    let oldest = remote.oldest_pending.unwrap_or_default().as_secs_f64();
    for (metric, value) in [
        (&SPOOL, remote.spool_bytes as f64),
        (&OLDEST, oldest),
        (&BATCH_RATE, remote.batches_per_second),
        (&RECORD_RATE, remote.records_per_second),
    ] {
        gauge(recorder, metric, labels(), value);
    }
    for state in STATES {
        let mut labels = labels();
        labels.push(label("state", state.as_str()));
        gauge(recorder, &CONNECTION, labels, flag(remote.circuit == state));
    }
}

fn flag(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_prometheus_and_say_their_unit() {
        for metric in COUNTERS {
            assert!(metric.name.ends_with("_total"), "{}", metric.name);
            assert_eq!(metric.unit == Unit::Bytes, metric.name.contains("_bytes"), "{}", metric.name);
        }
        for metric in GAUGES {
            assert!(!metric.name.ends_with("_total"), "{}", metric.name);
            assert_eq!(metric.unit == Unit::Bytes, metric.name.ends_with("_bytes"), "{}", metric.name);
            assert_eq!(metric.unit == Unit::Seconds, metric.name.ends_with("_seconds"), "{}", metric.name);
        }
        let mut names: Vec<&str> = COUNTERS.iter().chain(&GAUGES).map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), COUNTERS.len() + GAUGES.len());
        let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        assert!(names.iter().all(|name| name.starts_with("miu_log_") && plain(name)));
    }
}
