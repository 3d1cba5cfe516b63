//! After a crash: what an earlier run has left in a runtime directory, and how it comes into the files, each record exactly once.
//!
//! Y1. The log files are cut to where the last checkpoint says they stood, then every ring is read from where it says it was read to. What
//!     was written behind the checkpoint is written again from the rings, which were not freed that far.
//! Y2. While that goes on checkpoints are written as always: a replay that is killed is taken up by the next one.
//! Y3. A file of a ring is removed only after a checkpoint says that all of it is in the log files, and no checkpoint forgets a ring of which
//!     there is still a file.
//! Y4. Where the log files cannot be written the replay is taken back: they are cut again, and what was to be recovered is put aside
//!     for the next start.
//! Y5. Nothing that is found is trusted: it may be half written, old, or made to harm whoever reads it.
//!
//! Called by `repository`, before the listener's first pass.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::checkpoint::{self, Checkpoint, Mark, Position, RingKey};
use super::peers::{Peer, member_of, names, ring_of};
use super::watch::recovered_records;
use super::{BATCH_BYTES, Listener};
use crate::clock::{Anchor, Calibration};
use crate::failpoint;
use crate::folder::Folder;
use crate::layout::moment;
use crate::level::Level;
use crate::notice::notice;
use crate::queue::blobs::BLOB_PREFIX;
use crate::queue::membership::{DICTIONARY_PREFIX, MEMBER_PREFIX};
use crate::ring::control::{self, Control};
use crate::ring::segment::FILE_PREFIX;
use crate::router::mirror::{self, HeldMark};
use crate::runtime::about::About;
use crate::runtime::{
    CHECKPOINT, CONTROL, LEFT_BEHIND, RuntimeDir, WrittenHolder, is_private, open_to_read, private_file,
    put_aside,
};
use crate::sync::Ordering;
use crate::worker::{ExitCause, RecoveredProcess, Recovery, system_time};

/// What earlier runs have left.
#[derive(Debug, Default)]
pub(crate) struct Previous {
    leftovers: Vec<Leftover>,
    /// The present runtime directory: what goes on in it.
    pub(crate) going_on: Option<GoingOn>,
    /// Its control file, where nothing goes on in it.
    pub(crate) idle: Option<OpenedControl>,
    /// The highest number that a process in it has, or had.
    pub(crate) highest: u32,
    /// Number of the last checkpoint of the present runtime directory.
    pub(crate) sequence: u64,
    /// Where the log files stood, and how far rings were read, as of the newest run.
    mark: Option<Mark>,
    /// What waited for log files, by the last checkpoint of the present runtime directory.
    held: Vec<HeldMark>,
}

/// Processes that go on without a listener.
#[derive(Debug)]
pub(crate) struct GoingOn {
    pub(crate) about: About,
    pub(crate) control: File,
    /// Numbers of these processes.
    members: Vec<u32>,
}

/// A directory with rings whose processes are gone.
#[derive(Debug)]
struct Leftover {
    folder: PathBuf,
    /// Where rings went on.
    spill: Option<PathBuf>,
    mark: Option<Mark>,
    domains: Option<Vec<String>>,
    /// Numbers of the processes that are gone.
    members: Vec<u32>,
    /// The present runtime directory has more in it than what is recovered.
    is_current: bool,
    /// Its checkpoint is the one that the log files were cut by.
    is_newest: bool,
}

impl Previous {
    /// Looks at what there is. Changes nothing.
    pub(crate) fn examine(runtime: &RuntimeDir) -> Previous {
        let mut previous = Previous::default();
        let mut folders = vec![runtime.path().to_owned()];
        folders.extend(runtime.others().iter().filter(|other| is_private(other)).cloned());
        for folder in folders.clone() {
            let aside = names(&folder).into_iter().filter(|name| name.starts_with(LEFT_BEHIND));
            folders.extend(aside.map(|name| folder.join(name)));
        }
        let newest = folders.iter().filter_map(|folder| WrittenHolder::read(folder)).map(|it| it.since).max();
        for folder in folders {
            let is_current = folder == runtime.path();
            let files = names(&folder);
            let mut mark =
                open_to_read(&folder.join(CHECKPOINT)).ok().and_then(|file| checkpoint::read(&file));
            let is_newest = match &newest {
                Some(newest) => WrittenHolder::read(&folder).is_some_and(|holder| holder.since == *newest),
                None => is_current,
            };
            if is_current {
                previous.sequence = mark.as_ref().map_or(0, |mark| mark.sequence);
                previous.held = mark.as_ref().map(|mark| mark.held.clone()).unwrap_or_default();
            }
            if is_newest {
                previous.mark.clone_from(&mark);
            } else if let Some(mark) = &mut mark {
                // A later run has written behind what this one says.
                mark.files.clear();
            }
            let control = OpenedControl::open(&folder);
            let mut members: Vec<u32> = files.iter().filter_map(|name| member_of(name)).collect();
            members.extend(files.iter().filter_map(|name| ring_of(name)).map(|(key, _)| key.member));
            members.sort_unstable();
            members.dedup();
            let lives = |number: &u32| Peer::open(&folder, *number).is_ok_and(|peer| peer.is_alive());
            if is_current {
                let shared = control.as_ref().and_then(|it| Control::open(&it.file).ok());
                let shared = shared.map_or(0, |it| it.page().next_member.load(Ordering::Relaxed));
                previous.highest = members.iter().copied().max().unwrap_or(0).max(shared);
            }
            let (living, gone): (Vec<u32>, Vec<u32>) = members.into_iter().partition(lives);
            if is_current
                && !living.is_empty()
                && let Some(OpenedControl { file, about }) = &control
                && let Ok(file) = file.try_clone()
            {
                previous.going_on = Some(GoingOn { about: about.clone(), control: file, members: living });
            }
            if is_current && previous.going_on.is_none() {
                previous.idle = OpenedControl::open(&folder);
            }
            // Rings in the log folder that went on from elsewhere are found from there.
            let has_control = is_current || control.is_some() || folder.join(CONTROL).exists();
            if gone.is_empty() || !has_control {
                continue;
            }
            // What is in the log folder belongs to the present runtime directory, where that is the one in the log folder.
            let spill = Some(runtime.spill())
                .filter(|spill| *spill != folder && (is_current || *spill != runtime.path()));
            previous.leftovers.push(Leftover {
                spill,
                mark,
                domains: control.map(|it| it.about.names().into_iter().map(str::to_owned).collect()),
                members: gone,
                is_current,
                is_newest,
                folder,
            });
        }
        // What the files were cut by comes first: until it is done, a death in here has them cut by it again.
        previous.leftovers.sort_by_key(|leftover| !leftover.is_newest);
        previous
    }

    /// Whether every run has ended properly.
    pub(crate) fn is_clean(&self) -> bool {
        self.leftovers.is_empty() && self.held.is_empty()
    }

    /// The domains of the newest run that has left something.
    pub(crate) fn about(&self) -> Option<About> {
        self.leftovers.iter().find_map(|it| OpenedControl::open(&it.folder)).map(|control| control.about)
    }

    /// Takes back what stands in the log files behind the last checkpoint (Y1): in those that are written again.
    pub(crate) fn cut_files(&self, folder: &Folder, is_written: impl Fn(&str) -> bool) {
        if let Some(mark) = &self.mark {
            cut(mark, folder, is_written);
        }
        failpoint::reach("cut");
    }
}

fn cut(mark: &Mark, folder: &Folder, is_written: impl Fn(&str) -> bool) {
    for file in mark.files.iter().filter(|file| is_written(&file.name)) {
        if let Err(error) = folder.cut(&file.name, (file.dev, file.ino), file.len) {
            let name = &file.name;
            notice(
                "recovery",
                &format!("{name}: lines after the last checkpoint stay, and may be doubled: {error}"),
            );
        }
    }
}

/// A control file that fits this version.
#[derive(Debug)]
pub(crate) struct OpenedControl {
    pub(crate) file: File,
    pub(crate) about: About,
}

impl OpenedControl {
    fn open(folder: &Path) -> Option<OpenedControl> {
        let path = folder.join(CONTROL);
        open_to_read(&path).ok()?;
        let file = File::options().read(true).write(true).open(path).ok()?;
        control::check(&file).ok()?;
        let about = About::read(&file)?;
        Some(OpenedControl { file, about })
    }
}

impl Listener {
    /// Brings what earlier runs have left into the files. What goes on is left for later passes, from where it was read to.
    pub(crate) fn replay(
        &mut self,
        previous: &Previous,
        log_folder: &Folder,
        runtime_folder: &Path,
    ) -> Recovery {
        let mut recovery = Recovery::default();
        let left = names(runtime_folder);
        let left: Vec<u64> = left.iter().filter_map(|name| mirror::number_of(name)).collect();
        self.router.secure_in(runtime_folder.to_owned(), left.iter().max().map_or(1, |last| last + 1));
        recovery.held_lines += self.adopt_held(&previous.held, None, &mut recovery.corrupt);
        if let (Some(mark), Some(going_on)) = (&previous.mark, &previous.going_on) {
            let goes_on = |key: &RingKey| going_on.members.contains(&key.member);
            self.kept.extend(mark.rings.iter().filter(|(key, _)| goes_on(key)));
        }
        // A checkpoint that forgets how far a ring was read would have it read again from where it was freed (Y2).
        for leftover in previous.leftovers.iter().filter(|leftover| leftover.is_current) {
            self.kept.extend(leftover.positions());
        }
        // The log files as they are now: the ones that the newest run had, cut back, and new ones.
        self.write_checkpoint();
        for number in left.into_iter().filter(|left| previous.held.iter().all(|mark| mark.number != *left)) {
            // No checkpoint names it: what was in it is in a log file, or still in a ring.
            let _ = std::fs::remove_file(runtime_folder.join(format!("{}{number}", mirror::HELD_PREFIX)));
        }
        if !previous.held.is_empty() {
            // These lines are older than what is in the rings.
            self.deliver();
        }
        for leftover in &previous.leftovers {
            self.replay_one(leftover, log_folder, &mut recovery);
        }
        if !recovery.is_empty() {
            self.queue.counters.recovered.fetch_add(recovery.records, Ordering::Relaxed);
            // Of a run that had nothing left there is nothing to tell in the log: one that crashes again and again would fill it.
            if recovery.records + recovery.corrupt + recovery.held_lines > 0 {
                self.say(0, Level::Info, &describe(&recovery));
            }
            self.deliver();
        }
        recovery
    }

    /// Takes up what waited for log files when a run ended. How many lines.
    fn adopt_held(&mut self, held: &[HeldMark], folder: Option<&Path>, corrupt: &mut u64) -> u64 {
        let mut lines = 0;
        for mark in held {
            match self.router.adopt(mark, folder) {
                Some(count) => lines += count,
                None => {
                    *corrupt += 1;
                    let text = format!(
                        "what waited for {} cannot be read to its end, or there is no such log file any more",
                        mark.name
                    );
                    notice("recovery", &text);
                }
            }
        }
        lines
    }

    fn replay_one(&mut self, leftover: &Leftover, log_folder: &Folder, recovery: &mut Recovery) {
        let corrupt_before = self.queue.counters.corrupt.load(Ordering::Relaxed);
        let own = self.calibration_of(leftover);
        let mut kept_before = self.kept.clone();
        if leftover.is_current {
            kept_before.retain(|key, _| !leftover.members.contains(&key.member));
        }
        // Members' numbers are those of one directory. Another one is read as a whole, by its own checkpoint, and given back at the end.
        let checkpoint = if leftover.is_current { None } else { self.checkpoint.take() };
        if !leftover.is_current {
            self.kept.clear();
        }
        self.kept.extend(leftover.positions());
        self.write_checkpoint();
        let elsewhere = self.queue.accepted_elsewhere.load(Ordering::Relaxed);
        let written = self.queue.counters.total_written();
        let bad = self.open_leftover(leftover);
        let mut held_lines = 0;
        if !leftover.is_current
            && let Some(mark) = &leftover.mark
        {
            held_lines = self.adopt_held(&mark.held, Some(&leftover.folder), &mut recovery.corrupt);
        }
        let finished = self.read_leftover();
        self.calibration = own;
        self.checkpoint = self.checkpoint.take().or(checkpoint);
        let mut peers = std::mem::take(&mut self.peers.all);
        if !finished {
            self.take_back(leftover, log_folder, kept_before);
            // What was written of it before counts as accepted; what is put aside, as nothing yet.
            let written = self.queue.counters.total_written() - written;
            self.queue.accepted_elsewhere.store(elsewhere + written, Ordering::Relaxed);
            return;
        }
        recovery.held_lines += held_lines;
        self.kept = kept_before;
        if !leftover.is_current {
            self.finish_other(leftover);
        }
        self.write_checkpoint();
        let corrupt = self.queue.counters.corrupt.load(Ordering::Relaxed) - corrupt_before;
        recovery.corrupt += corrupt + bad.len() as u64;
        if leftover.domains.as_ref().is_some_and(|theirs| theirs.iter().eq(self.queue.domains())) {
            // By the numbers of the same domains; told of with the next pass.
            for peer in peers.values_mut() {
                self.queue.counters.add_dropped(&peer.new_drops(self.queue.counters.drop_counters()));
            }
        }
        for peer in peers.values().filter(|peer| peer.recovered > 0 || !peer.has_left()) {
            recovery.records += peer.recovered;
            recovery.processes.push(RecoveredProcess {
                process_id: peer.about.process_id,
                name: peer.about.name.clone(),
                since: system_time(peer.about.since),
                records: peer.recovered,
            });
        }
        self.remove_leftover(leftover, &peers.into_values().collect::<Vec<_>>(), &bad);
    }

    /// Another directory's rings are in the files: says so in this one's checkpoint, before anything there is given back.
    fn finish_other(&mut self, leftover: &Leftover) {
        if let Some(checkpoint) = &mut self.checkpoint {
            checkpoint.keep_rings(self.kept.iter().map(|(key, position)| (*key, *position)));
        }
        self.write_checkpoint_as_of_last();
        let _ = std::fs::remove_file(leftover.folder.join(CHECKPOINT));
        self.remove_blob_files();
        self.readers.free();
        self.settle();
    }

    /// Converts time stamps as the earlier run would have. The present converter is given back.
    fn calibration_of(&mut self, leftover: &Leftover) -> Calibration {
        let clock = self.calibration.clock().clone();
        let anchor = match &leftover.mark {
            Some(Mark { anchor, .. }) => *anchor,
            // It died before its first checkpoint, which says how: by this one's rate.
            None => self.calibration.anchor(),
        };
        let Anchor { nanos_per_tick, .. } = anchor;
        let anchor = if nanos_per_tick.is_finite() && nanos_per_tick > 0.0 {
            anchor
        } else {
            self.calibration.anchor()
        };
        std::mem::replace(&mut self.calibration, Calibration::of_run(clock, anchor))
    }

    /// Registers all rings of a leftover. Gives the names of files that are no rings, though they are called so.
    fn open_leftover(&mut self, leftover: &Leftover) -> Vec<String> {
        let mut found = names(&leftover.folder);
        let mut folders = vec![leftover.folder.clone()];
        if let Some(spill) = &leftover.spill {
            found.extend(names(spill));
            folders.push(spill.clone());
        }
        let mut rings: Vec<(RingKey, u32, String)> = found
            .into_iter()
            .filter_map(|name| ring_of(&name).map(|(key, generation)| (key, generation, name)))
            .filter(|(key, ..)| leftover.members.contains(&key.member))
            .collect();
        rings.sort();
        for &number in &leftover.members {
            let mut peer = Peer::open(&leftover.folder, number).unwrap_or_else(|_| {
                let process = rings.iter().find(|(key, ..)| key.member == number);
                Peer::without_file(&leftover.folder, number, process.map_or(0, |_| number))
            });
            peer.gone = Some(ExitCause::Unknown);
            peer.domains = leftover.domains.as_ref().map(|theirs| self.translate(theirs));
            self.peers.all.insert(number, peer);
        }
        let mut bad = Vec::new();
        for (key, generation, name) in rings {
            if !self.open_ring(key, generation, &folders) {
                bad.push(name);
            }
        }
        leftover.members.iter().for_each(|&number| self.readers.orphan(number));
        bad
    }

    /// Numbers here of another run's domains. What has no domain any more goes to the first one.
    fn translate(&self, theirs: &[String]) -> Vec<u8> {
        let number = |name: &String| self.queue.domains().iter().position(|own| own == name);
        theirs.iter().map(|name| number(name).and_then(|it| u8::try_from(it).ok()).unwrap_or(0)).collect()
    }

    /// Reads all that is there. False where a log file does not take it.
    fn read_leftover(&mut self) -> bool {
        self.refresh();
        loop {
            let mut any = false;
            while let Some(turn) = self.readers.turn(u64::MAX) {
                any |= self.read_run(turn) > 0;
                if !any || self.router.pending_bytes() >= BATCH_BYTES {
                    break;
                }
            }
            if self.router.pending_records() > 0 || self.router.is_retry_due() {
                self.hand_out();
                failpoint::reach("replay-delivered");
                if self.router.held() > 0 {
                    self.blob_files.clear();
                    return false;
                }
            }
            if self.checkpoint.is_none() {
                self.refresh();
                if !any {
                    return true;
                }
                continue;
            }
            self.write_checkpoint();
            failpoint::reach("replay-checkpointed");
            self.remove_blob_files();
            self.readers.free();
            self.settle();
            self.refresh();
            if !any {
                return true;
            }
        }
    }

    /// Takes a replay back (Y4).
    fn take_back(&mut self, leftover: &Leftover, log_folder: &Folder, kept: HashMap<RingKey, Position>) {
        self.router.forget_held();
        self.readers.release_foreign();
        self.kept = kept;
        // The last checkpoint says how far the recovery had come: it stands with what is put aside.
        let reached = self.checkpoint.as_ref().and_then(Checkpoint::reached);
        if let Some(reached) = &reached {
            cut(reached, log_folder, |_| true);
            // What waited before the recovery goes on waiting.
            self.adopt_held(&reached.held, None, &mut 0);
        }
        self.router.look();
        self.write_checkpoint();
        let mut moved: Vec<String> =
            names(&leftover.folder).into_iter().filter(|name| leftover.owns(name)).collect();
        moved.sort();
        if !leftover.is_current {
            notice(
                "recovery",
                "a log file cannot be written: what an earlier run left is kept for the next start",
            );
            return;
        }
        match put_aside(&leftover.folder, &moved) {
            Ok(aside) => {
                let control = leftover.folder.join(CONTROL);
                let _ = std::fs::copy(control, aside.join(CONTROL));
                if let Some(reached) = reached {
                    let written = private_file(&aside.join(CHECKPOINT), true).and_then(|file| {
                        let mut checkpoint = Checkpoint::new(file, 0);
                        checkpoint.keep_rings(reached.rings.iter().map(|(key, position)| (*key, *position)));
                        checkpoint.write(reached.anchor, &[])
                    });
                    if let Err(error) = written {
                        notice("recovery", &format!("cannot write down how far the recovery came: {error}"));
                    }
                }
                notice(
                    "recovery",
                    &format!(
                        "a log file cannot be written: what an earlier run left is kept in {aside:?} for the next start"
                    ),
                );
            }
            Err(error) => notice("recovery", &format!("cannot put aside what an earlier run left: {error}")),
        }
    }

    /// Removes what has been recovered (Y3); what could not be read is put aside.
    fn remove_leftover(&self, leftover: &Leftover, peers: &[Peer], bad: &[String]) {
        if !bad.is_empty() {
            let here: Vec<String> =
                bad.iter().filter(|name| leftover.folder.join(name).exists()).cloned().collect();
            match put_aside(&leftover.folder, &here) {
                Ok(aside) => notice(
                    "recovery",
                    &format!("{} files that are no rings are kept in {aside:?}", bad.len()),
                ),
                Err(error) => {
                    notice("recovery", &format!("cannot put aside files that are no rings: {error}"));
                }
            }
        }
        let mut folders = vec![&leftover.folder];
        folders.extend(&leftover.spill);
        for folder in folders {
            for name in names(folder) {
                if ring_of(&name).is_some_and(|(key, _)| leftover.members.contains(&key.member)) {
                    let _ = std::fs::remove_file(folder.join(name));
                }
            }
        }
        failpoint::reach("replay-removed");
        peers.iter().for_each(Peer::remove_files);
        let left = names(&leftover.folder);
        if !leftover.is_current && !left.iter().any(|name| member_of(name).is_some()) {
            for name in left {
                if !name.starts_with(LEFT_BEHIND) {
                    let _ = std::fs::remove_file(leftover.folder.join(name));
                }
            }
            let _ = std::fs::remove_dir(&leftover.folder);
        }
    }
}

impl Leftover {
    /// How far the rings were read of processes that are gone.
    fn positions(&self) -> impl Iterator<Item = (RingKey, Position)> {
        let rings = self.mark.iter().flat_map(|mark| &mark.rings);
        rings.filter(|(key, _)| self.members.contains(&key.member)).map(|(key, position)| (*key, *position))
    }

    /// Whether a file belongs to the processes that are gone.
    fn owns(&self, name: &str) -> bool {
        [MEMBER_PREFIX, DICTIONARY_PREFIX, FILE_PREFIX, BLOB_PREFIX].into_iter().any(|prefix| {
            let number = name.strip_prefix(prefix).and_then(|rest| rest.split('-').next());
            number.and_then(|it| it.parse().ok()).is_some_and(|number| self.members.contains(&number))
        })
    }
}

/// "recovered 3 records of runs that did not end properly: 3 of process 7 (main, since …)".
fn describe(recovery: &Recovery) -> String {
    const SHOWN: usize = 32;
    let mut parts: Vec<String> = recovery
        .processes
        .iter()
        .take(SHOWN)
        .map(|process| {
            let since = process.since.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            format!(
                "{} of process {} ({}, since {})",
                process.records,
                process.process_id,
                process.name,
                moment(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
            )
        })
        .collect();
    if recovery.processes.len() > SHOWN {
        parts.push(format!("and {} more processes", recovery.processes.len() - SHOWN));
    }
    if recovery.corrupt > 0 {
        parts.push(format!("{} could not be read", recovery.corrupt));
    }
    if recovery.held_lines > 0 {
        parts.push(format!("{} lines had waited for log files that failed", recovery.held_lines));
    }
    format!(
        "{} from a run that did not end properly: {}",
        recovered_records(recovery.records),
        parts.join(", ")
    )
}
