//! The listener: takes records out of the rings, in order, and has them written.
//!
//! [`Listener::step`] makes one bounded pass: see new rings, read a batch in order of time, hand it to the router, write the
//! checkpoint, free the rings' space. The thread is a loop around it; tests step it by hand.
//!
//! E1. Space in a ring is freed only after its records were handed to the sinks.
//! E2. A pass ends after a bounded amount of text: a flood in one ring delays the files by no more than that.
//! E3. A flush is answered after everything that was visible when it was asked for has been handed on.
//!
//! Called by `repository`, which builds it. Knows the router, no concrete sink.

pub(crate) mod checkpoint;
mod embedded;
pub(crate) mod foreign;
mod losses;
mod merge;
pub(crate) mod peers;
mod reader;
mod remarks;
pub(crate) mod replay;
mod site;
mod thread;
pub(crate) mod watch;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use checkpoint::{Checkpoint, Position, RingKey};
use losses::Losses;
use merge::Readers;
use peers::{Peer, Peers};
use reader::{Done, Reader};
use site::{ensure_site, own_site};
use watch::Watch;

use crate::clock::Calibration;
use crate::codec::{Args, Corrupt, FLAG_BLOB, FLAG_EXTRA, FLAG_SITE, HEADER, Head};
use crate::context::fields::Fields;
use crate::failpoint;
use crate::level::Level;
use crate::notice::notice;
use crate::own_thread::OwnThread;
use crate::queue::Queue;
use crate::record::{Extra, Origin, Record, Site};
use crate::ring::signal_action;
use crate::router::{FlushState, Router};
use crate::sink::FileMark;
use crate::spare;
use crate::stats::{Published, RingStats};
use crate::sync::{Ordering, lock};

/// Text of a batch, over all files: then it is delivered (E2).
const BATCH_BYTES: usize = 512 * 1024;
/// Records younger than this are left for the next pass where there are several rings (M2).
const GRACE_NANOS: u64 = 20_000;
/// Losses and counters are looked at so often, in nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// What a pass came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Records read.
    pub(crate) records: usize,
}

/// What the listener calls once a second, and at once when SIGHUP has come: it may change what the router does.
pub(crate) trait Upkeep: Send {
    /// What is to be said of it in records.
    fn look(&mut self, at_once: bool, router: &mut Router) -> Vec<(Level, String)>;
}

/// Says where a target's records go, and from which level on they are taken.
pub(crate) type LevelOfTarget = Box<dyn Fn(&str) -> (u8, Level) + Send>;

/// See the module's description.
pub(crate) struct Listener {
    queue: Arc<Queue>,
    router: Router,
    calibration: Calibration,
    readers: Readers,
    /// Call sites by id, prepared at first need.
    sites: Vec<Option<Site>>,
    /// Stands in for a call site that nobody knows, and for the listener's own records.
    own_site: Site,
    /// Fields of every record that does not have them otherwise.
    defaults: Fields,
    /// For the ids of records of its own, and how many there were.
    own_source: u64,
    remarks: u64,
    checkpoint: Option<Checkpoint>,
    /// Other processes, and where they are looked for.
    peers: Peers,
    watch: Option<Watch>,
    /// How far an earlier listener has read rings that are not found again yet.
    kept: HashMap<RingKey, Position>,
    /// Files of long records, removed once these are written.
    blob_files: Vec<PathBuf>,
    losses: Losses,
    /// A gap in a ring's numbers is to be told before its next record.
    losses_due: bool,
    /// Monotonic time of this pass.
    now: u64,
    /// Records read since the last delivery, by domain and level.
    tally: Vec<u64>,
    /// Monotonic time of the last look at losses.
    looked: u64,
    /// How often SIGHUP had come at the last look at the log files.
    hangups: u64,
    published: Arc<Mutex<Published>>,
    #[cfg(feature = "metrics")]
    metrics: crate::metrics::Publisher,
    process: String,
    answered: u64,
    /// The flush that is asked for, and the time when that was seen: what is stamped later is not waited for.
    asked: Option<(u64, u64)>,
    /// The flush that is under way, and when its time is over.
    flush: Option<(u64, Instant)>,
    sink_timeout: Duration,
    /// How many of the rotations that were asked for are done, and why the last one did not do all files.
    rotated: u64,
    unrotated: Vec<String>,
    upkeep: Option<Box<dyn Upkeep>>,
    level_of_target: Option<LevelOfTarget>,
    /// When that was called last, on the monotonic clock.
    upkept: u64,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("rings", &self.readers.len()).finish_non_exhaustive()
    }
}

impl Listener {
    /// A listener for this queue. `published` is where it leaves counters from time to time; `sink_timeout` is how
    /// long a sink without progress may hold it up at a flush or at the end.
    pub(crate) fn new(
        queue: Arc<Queue>,
        router: Router,
        checkpoint: Option<Checkpoint>,
        published: Arc<Mutex<Published>>,
        sink_timeout: Duration,
    ) -> Listener {
        let domains = queue.domains().len();
        let own_origin = Origin::of_process(queue.clock().ticks());
        let mut listener = Listener {
            calibration: Calibration::new(queue.clock().clone()),
            router,
            readers: Readers::of(own_origin),
            sites: Vec::new(),
            own_site: own_site(),
            defaults: Fields::new(),
            own_source: own_origin.ring(0, std::process::id(), u64::MAX),
            remarks: 0,
            checkpoint,
            peers: Peers::default(),
            watch: None,
            kept: HashMap::new(),
            blob_files: Vec::new(),
            losses: Losses::new(domains),
            losses_due: false,
            now: 0,
            tally: vec![0; domains * Level::ALL.len()],
            looked: 0,
            hangups: signal_action::hangups(),
            published,
            #[cfg(feature = "metrics")]
            metrics: crate::metrics::Publisher::default(),
            process: "main".to_owned(),
            answered: queue.answered(),
            asked: None,
            flush: None,
            sink_timeout,
            rotated: 0,
            unrotated: Vec::new(),
            upkeep: None,
            level_of_target: None,
            upkept: 0,
            queue,
        };
        spare::keep();
        listener.publish_stats();
        listener
    }

    /// Every record that does not have them otherwise has these fields.
    pub(crate) fn set_defaults(&mut self, fields: Fields) {
        self.defaults = fields;
    }

    /// Its records' ids are those of this folder, whoever reads them.
    pub(crate) fn set_origin(&mut self, origin: Origin) {
        self.readers.set_origin(origin);
    }

    /// One pass.
    pub(crate) fn step(&mut self) -> Progress {
        let _own = OwnThread::begin();
        // In this order: what was logged before the request, and what is stamped before `now`, is in a ring whose registration
        // is seen.
        let request = self.queue.requests();
        let flushing = request > self.answered || self.queue.must_stop();
        let now = self.calibration.clock().ticks();
        while let Some(registration) = self.queue.next_registration() {
            self.readers.register(registration);
        }
        self.calibration.keep(now);
        let horizon = if self.calibration.clock().is_manual() {
            // It stands still, or goes back: what is there is due.
            u64::MAX
        } else if flushing || self.readers.len() <= 1 {
            now
        } else {
            now.saturating_sub(self.calibration.ticks_of(GRACE_NANOS))
        };
        let monotonic = self.calibration.clock().monotonic();
        let due = monotonic.saturating_sub(self.looked) >= SECOND || self.queue.must_stop();
        self.now = monotonic;
        if due {
            self.queue.notice_levels();
        }
        self.look_at_peers(monotonic, due);
        self.refresh();
        // Behind what was held, and before what comes now: there they are missing.
        self.tell_losses();
        if let Some(nanos) = self.calibration.take_step() {
            let seconds = nanos as f64 / 1e9;
            self.say(0, Level::Warning, &format!("clock stepped by {seconds:+.3} s"));
        }
        let hangups = signal_action::hangups();
        let at_once = std::mem::replace(&mut self.hangups, hangups) != hangups;
        if at_once || monotonic.saturating_sub(self.upkept) >= SECOND {
            self.upkept = monotonic;
            self.keep_up(at_once);
        }
        let mut progress = Progress::default();
        let mut complete = true;
        while let Some(turn) = self.readers.turn(horizon) {
            progress.records += self.read_run(turn);
            if std::mem::take(&mut self.losses_due) {
                self.report_losses();
            }
            if self.router.pending_bytes() >= BATCH_BYTES {
                complete = false;
                break;
            }
        }
        self.end_levels(monotonic);
        let unix = self.calibration.unix(now);
        let files_changed = self.router.tick(monotonic, unix, at_once, &mut |files| {
            _ = save(&mut self.checkpoint, &self.calibration, files);
        });
        if due || (flushing && complete) {
            self.looked = monotonic;
            self.report_losses();
        }
        failpoint::reach("after-read");
        if self.router.pending_records() > 0 {
            self.deliver();
        } else if files_changed {
            self.write_checkpoint();
        }
        if self.readers.free() {
            failpoint::reach("freed");
            self.queue.announce_space();
        }
        self.settle();
        failpoint::reach("settled");
        if self.bury_peers() {
            self.deliver();
        }
        let mut flushed = false;
        if request > self.answered {
            let until = if self.calibration.clock().is_manual() { u64::MAX } else { now };
            let (request, until) = *self.asked.get_or_insert((request, until));
            // Not more than that: where more comes in than can be written, nothing is ever complete.
            flushed = self.readers.turn(until).is_none() && !self.queue.has_registrations();
            if flushed {
                self.flush(request);
            }
        }
        if due {
            spare::keep();
            if !flushed {
                self.publish_stats();
            }
        }
        progress
    }

    /// Begins a flush, or looks how the one begun is doing: a sink that hangs holds up the answer, never the listener. Answers
    /// when it is done or when its time is over; a later request waits for that, and is then flushed by itself.
    fn flush(&mut self, request: u64) {
        let begun = self.flush;
        let (request, deadline) =
            *self.flush.get_or_insert_with(|| (request, Instant::now() + self.sink_timeout));
        let state = self.router.poll_flush(begun.is_none(), &mut |files| {
            _ = save(&mut self.checkpoint, &self.calibration, files);
        });
        if begun.is_none() {
            // Records that were held may stand in the files now.
            self.write_checkpoint();
        }
        if state == FlushState::Waiting && Instant::now() < deadline {
            lock(&self.published).behind = self.router.behind();
            return;
        }
        let rotations = self.queue.rotations_asked();
        if self.rotated != rotations {
            self.rotated = rotations;
            self.unrotated = self.router.rotate(self.calibration.unix(self.calibration.clock().ticks()));
            self.write_checkpoint();
        }
        self.flush = None;
        self.asked = None;
        self.publish_stats();
        self.answered = request;
        self.queue.answer(request, state == FlushState::Done);
    }

    /// Reads one ring's records while they are the oldest. How many.
    fn read_run(&mut self, turn: merge::Turn) -> usize {
        let mut records = 0;
        let Some(reader) = self.readers.reader(turn.reader) else { return 0 };
        let mut peer = match reader.member() {
            None => None,
            Some(member) => match self.peers.all.get_mut(&member) {
                Some(peer) => Some(peer),
                // Rings are registered after their process: this cannot be, and must not go round for ever.
                None => return 0,
            },
        };
        while reader.has_record() {
            if let Some((first, last)) = reader.gap() {
                let thread = || {
                    let process = peer.as_deref().map_or(&*self.process, |peer| &peer.name);
                    format!("{process}/{}", reader.thread)
                };
                if self.losses.note(reader.serial, thread, first, last, self.now) {
                    // What is missing is told before the record that follows.
                    self.losses_due = true;
                    break;
                }
            }
            let Some((mut head, bytes)) = reader.record() else { break };
            records += 1;
            let time = self.calibration.unix(head.ticks);
            let arguments = bytes.get(HEADER..).unwrap_or_default();
            let mut blob = None;
            let mut blob_file = None;
            if head.flags & FLAG_BLOB != 0 {
                (blob, blob_file) = take_blob(&self.queue, peer.as_deref(), arguments);
            }
            let arguments = match (head.flags & FLAG_BLOB, &blob) {
                (0, _) => arguments,
                (_, Some(bytes)) => bytes,
                (_, None) => &[],
            };
            let (known, process) = match &mut peer {
                None => {
                    ensure_site(&mut self.sites, head.callsite);
                    (self.sites.get(head.callsite as usize).and_then(Option::as_ref), &*self.process)
                }
                Some(peer) => {
                    head.domain = peer.domain(head.domain);
                    peer.recovered += u64::from(peer.gone.is_some());
                    let (site, name) = peer.site_and_name(head.callsite);
                    (Some(site), name)
                }
            };
            let mut embedded = None;
            let (site, arguments) = if head.flags & FLAG_SITE == 0 {
                (known, arguments)
            } else {
                match embedded::split(arguments) {
                    Ok((site, arguments)) => (Some(&*embedded.insert(site)), arguments),
                    Err(Corrupt) => (None, arguments),
                }
            };
            let (site, payload) = if head.flags & FLAG_EXTRA == 0 {
                (site, (Extra::NONE, arguments))
            } else {
                match Extra::split(arguments) {
                    Ok(payload) => (site, payload),
                    Err(Corrupt) => (None, (Extra::NONE, arguments)),
                }
            };
            let payload = (payload.0.with_defaults(self.defaults.as_bytes()), payload.1);
            let outcome = route(&mut self.router, &self.queue, site, process, reader, head, time, payload);
            match outcome {
                Ok(index) => {
                    if let Some(count) = self.tally.get_mut(index) {
                        *count += 1;
                    }
                }
                Err(Corrupt) => {
                    self.queue.counters.corrupt.fetch_add(1, Ordering::Relaxed);
                    notice("corrupt", "a record could not be decoded; it is left out and counted");
                }
            }
            self.blob_files.extend(blob_file);
            if !reader.advance(turn.until) || self.router.pending_bytes() >= BATCH_BYTES {
                break;
            }
        }
        records
    }

    /// Gives the batch to the sinks, then writes down how far that goes.
    fn deliver(&mut self) {
        self.hand_out();
        failpoint::reach("delivered");
        self.write_checkpoint();
        failpoint::reach("checkpointed");
        self.remove_blob_files();
        self.peers.note_told();
    }

    fn hand_out(&mut self) {
        // In a ring that went on elsewhere during the pass there were more than were seen at its beginning.
        self.count_accepted();
        // A file that is new since the last checkpoint is written down before it gets its first line.
        self.router.deliver(&mut |files| _ = save(&mut self.checkpoint, &self.calibration, files));
        for (index, count) in self.tally.iter_mut().enumerate().filter(|(_, count)| **count > 0) {
            self.queue.counters.add_written(index / Level::ALL.len(), index % Level::ALL.len(), *count);
            *count = 0;
        }
    }

    /// The records of these are written.
    fn remove_blob_files(&mut self) {
        for path in self.blob_files.drain(..) {
            // It served recovery only, and is no longer needed.
            let _ = std::fs::remove_file(path);
        }
    }

    fn write_checkpoint(&mut self) {
        if let Some(checkpoint) = &mut self.checkpoint {
            let kept = self.kept.iter().map(|(key, position)| (*key, *position));
            checkpoint.keep_rings(self.readers.positions().chain(kept));
            self.router.secure();
            checkpoint.keep_held(self.router.held_marks());
            failpoint::reach("held-written");
        }
        self.write_checkpoint_as_of_last();
    }

    /// Writes down where the files stand, with the rings as far as they were read at the last checkpoint: everything that was read has been
    /// written.
    fn write_checkpoint_as_of_last(&mut self) {
        if save(&mut self.checkpoint, &self.calibration, &self.router.positions()) {
            self.router.mark_files();
            failpoint::reach("held-marked");
            self.router.discard_mirrors();
        }
    }

    fn settle(&mut self) {
        let queue = &self.queue;
        self.readers.settle(|done| match done {
            Done::Segment(segment) => queue.recycle(segment),
            Done::Ring(ring, accepted, segment) => queue.retire(ring, accepted, segment),
            Done::File(path, never_published) => {
                queue.accepted_elsewhere.fetch_sub(never_published, Ordering::Relaxed);
                // All that was in it is written. Where it cannot be removed it is found again, and has nothing new.
                let _ = std::fs::remove_file(path);
            }
        });
    }

    /// Sees new records in all rings.
    fn refresh(&mut self) {
        let corrupt = self.readers.refresh(self.calibration.clock().ticks());
        if !corrupt.is_empty() {
            self.report_corrupt_rings(&corrupt);
        }
        self.count_accepted();
    }

    /// Counts what other processes have put into their rings, as far as it is seen.
    fn count_accepted(&mut self) {
        let elsewhere = self.readers.accepted_elsewhere();
        self.queue.accepted_elsewhere.fetch_add(elsewhere, Ordering::Relaxed);
    }

    /// From now on this is called as [`Upkeep`] says, for as long as the listener runs.
    pub(crate) fn set_upkeep(&mut self, upkeep: Box<dyn Upkeep>) {
        self.upkeep = Some(upkeep);
    }

    fn keep_up(&mut self, at_once: bool) {
        let Some(mut upkeep) = self.upkeep.take() else { return };
        let remarks = upkeep.look(at_once, &mut self.router);
        self.upkeep = Some(upkeep);
        self.remark(remarks);
    }

    fn publish_stats(&mut self) {
        let rings = self.readers.accounts().map(|account| {
            let peer = account.member.and_then(|member| self.peers.all.get(&member));
            RingStats {
                process: peer.map_or(&*self.process, |peer| &peer.about.name).to_owned(),
                process_id: account.identity.process_id,
                thread: account.identity.thread_name.clone(),
                accepted: account.accepted,
                written: account.records,
                dropped: account.lost,
                pending: account.accepted.saturating_sub(account.records),
            }
        });
        let published = Published {
            sinks: self.router.stats(self.calibration.clock().unix_now()),
            rings: rings.collect(),
            behind: self.router.behind(),
            unrotated: self.unrotated.clone(),
        };
        #[cfg(feature = "metrics")]
        {
            let (queue, published) = (&self.queue, published.clone());
            let stats =
                crate::stats::Stats::collect(&queue.counters, queue.domains(), queue.accepted(), published);
            self.metrics.publish(&stats);
        }
        *lock(&self.published) = published;
    }

    /// Whether lines wait for a log file that fails.
    pub(crate) fn holds_lines(&self) -> bool {
        self.router.held() > 0
    }
}

/// Writes a checkpoint: these files, and the rings as far as they were read at the last full one. Whether nothing is in its way.
fn save(checkpoint: &mut Option<Checkpoint>, calibration: &Calibration, files: &[FileMark]) -> bool {
    let Some(checkpoint) = checkpoint else { return true };
    let Err(error) = checkpoint.write(calibration.anchor(), files) else { return true };
    // An old one would have lines cut off that are not written again.
    checkpoint.invalidate();
    notice(
        "checkpoint",
        &format!("cannot write the checkpoint: {error}; after a crash in this state lines may be doubled"),
    );
    false
}

/// Formats one record into the router's buffers. The place in the tally to count it at.
#[expect(clippy::too_many_arguments, reason = "borrows of the listener's parts, which must stay apart")]
#[inline]
fn route(
    router: &mut Router,
    queue: &Queue,
    site: Option<&Site>,
    process: &str,
    reader: &Reader,
    head: Head,
    time: i64,
    (extra, arguments): (Extra<'_>, &[u8]),
) -> Result<usize, Corrupt> {
    let level = Level::from_index(head.level).ok_or(Corrupt)?;
    let domain = queue.domains().get(usize::from(head.domain)).ok_or(Corrupt)?;
    let record = Record {
        time,
        level,
        domain,
        process,
        thread: &reader.identity().thread_name,
        process_id: reader.identity().process_id,
        thread_id: reader.identity().thread_id,
        ring: reader.serial,
        id: reader.id(head),
        site: site.ok_or(Corrupt)?,
        args: Args::new(arguments),
        extra,
    };
    router.route(&record, u16::from(head.domain))?;
    Ok(usize::from(head.domain) * Level::ALL.len() + level as usize)
}

/// A long record's arguments, and the file that can be removed once they are written.
fn take_blob(queue: &Queue, peer: Option<&Peer>, payload: &[u8]) -> (Option<Vec<u8>>, Option<PathBuf>) {
    let Some(number) = payload.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)) else {
        return (None, None);
    };
    match peer {
        Some(peer) => {
            let (path, bytes) = peer.blob(number);
            (bytes, Some(path))
        }
        None => match queue.take_blob(number) {
            Some(blob) => (Some(blob.bytes), blob.path),
            None => (None, None),
        },
    }
}
