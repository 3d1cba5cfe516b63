//! Rotated files are compressed, and deleted when their time has come: beside the listener, on a thread of lowest priority.
//!
//! U1. Only names that one of the families gives to rotated files are touched, and of these only regular files with one name; never one that is
//!     in use. Everything is done relative to the open folder, and follows no link.
//!     The file that a dated name gives at this time is in use also before its first record, and that to which the link leads until the link
//!     leads to another: an idle program's link never dangles.
//! U2. A pass begins with what an earlier one has left: temporary files are removed, and a file that is there twice, compressed and not, becomes one.
//! U3. Number and age are looked at before files are compressed, sizes after that: no file goes for room that compressing makes.
//! U4. What fails is told once, and tried again after a growing pause. Nothing waits for a pass.
//!
//! A pass is [`Upkeep::pass`]; [`thread`] makes one after each rotation and once a minute, tests by hand. Built and told by the repository.

mod compress;
pub(crate) mod thread;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Dir, Stat};
use rustix::io::Errno;

use compress::{Failed, Job, Outcome, is_plain, length, remove};

use crate::clock::nanos;
use crate::failpoint;
use crate::folder::Folder;
use crate::notice::notice;
use crate::record::UnixNanos;
use crate::rotate::Compression;
use crate::rotate::naming::{InUse, Naming, Rotated};
use crate::rotate::retention::{Checked, Class, Disk, Kept, expired, oversized};
use crate::stats::FileCounters;
use crate::sync::Ordering;

/// First and longest pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// The failures of the disk as a whole are kept under this name, which no file has.
const DISK: &str = "";

/// One log file with its rotated ones.
#[derive(Clone, Debug)]
pub(crate) struct Family {
    pub(crate) naming: Naming,
    /// Number of its retention. Families with the same one share its bytes.
    pub(crate) scope: usize,
    pub(crate) compression: Compression,
    pub(crate) class: Class,
}

/// What is to be kept in order.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) folder: Folder,
    pub(crate) in_use: InUse,
    pub(crate) families: Vec<Family>,
    /// The retentions, by number.
    pub(crate) scopes: Vec<Checked>,
    pub(crate) counters: Arc<FileCounters>,
}

/// The time of a pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) unix: UnixNanos,
    /// Nanoseconds, for pauses.
    pub(crate) monotonic: u64,
}

/// Makes the passes, and remembers what failed.
#[derive(Debug)]
pub(crate) struct Upkeep {
    plan: Plan,
    pauses: HashMap<String, Pause>,
}

/// A file, or the disk, that has failed.
#[derive(Clone, Debug)]
struct Pause {
    /// Monotonic time of the next attempt.
    until: u64,
    long: Duration,
    told: String,
}

/// What the folder holds of the families.
#[derive(Debug, Default)]
struct Listing {
    files: Vec<Found>,
    /// Temporary files.
    parts: Vec<(String, Stat)>,
    /// Bytes of the current files, by scope.
    current: Vec<u64>,
    /// Whether there is a file that is left alone for its link only, or for its name: a later pass will look at it.
    waits: bool,
}

#[derive(Debug)]
struct Found {
    name: String,
    family: usize,
    rotated: Rotated,
    stat: Stat,
}

impl Upkeep {
    pub(crate) fn new(plan: Plan) -> Upkeep {
        Upkeep { plan, pauses: HashMap::new() }
    }

    /// Whether there is anything that a pass would have to do, now or later.
    pub(crate) fn has_work(&self, now: UnixNanos) -> bool {
        self.list(now)
            .is_ok_and(|listing| !listing.files.is_empty() || !listing.parts.is_empty() || listing.waits)
    }

    /// Makes one pass; looks between the pieces of its work whether it is to stop.
    pub(crate) fn pass(&mut self, now: Moment, stop: &dyn Fn() -> bool) {
        let listing = match self.list(now.unix) {
            Ok(listing) => listing,
            Err(errno) => {
                let path = self.plan.folder.path().display();
                let text = format!(
                    "cannot list the log folder {path}: {errno}; rotated files are not compressed or deleted"
                );
                return self.failed(DISK, now, text);
            }
        };
        // What is gone cannot fail any more.
        let names: HashSet<&str> = listing.files.iter().map(|file| &*file.name).collect();
        self.pauses.retain(|name, _| name == DISK || names.contains(&**name));
        for (name, stat) in &listing.parts {
            if let Err(errno) = remove(&self.plan.folder, &self.plan.in_use, name, stat) {
                self.failed(
                    DISK,
                    now,
                    format!("cannot remove the temporary file {}: {errno}", self.shown(name)),
                );
            }
        }
        let Listing { files, current, .. } = listing;
        let Some(files) = self.settle(files, now, stop) else { return };
        let named = numbers(&expired(&self.plan.scopes, &self.kept(&files), now.unix), &files);
        let files = self.delete(files, &named, now, stop);
        let Some(files) = self.compress(files, now, stop) else { return };
        let disk = self.plan.scopes.iter().any(Checked::concerns_disk).then(|| self.disk()).flatten();
        let named = numbers(&oversized(&self.plan.scopes, &self.kept(&files), &current, disk), &files);
        self.delete(files, &named, now, stop);
    }

    /// Looks into the folder.
    fn list(&self, now: UnixNanos) -> Result<Listing, Errno> {
        let dated = self.plan.families.iter().filter(|family| family.naming.is_dated());
        let found = dated.flat_map(|family| {
            let link = family.naming.undated().and_then(|link| self.plan.folder.link_target(&link));
            [Some(family.naming.current(now)), link]
        });
        let found: HashSet<String> = found.flatten().collect();
        let Plan { folder, in_use, families, scopes, .. } = &self.plan;
        let mut listing = Listing { current: vec![0; scopes.len()], ..Listing::default() };
        for entry in Dir::read_from(folder.fd())? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if let Some(target) = name.strip_prefix('.').and_then(|name| name.strip_suffix(".part")) {
                if self.parse(target).is_some_and(|(_, rotated)| rotated.compressed.is_some())
                    && let Some(stat) = folder.stat(name).ok().filter(is_plain)
                {
                    listing.parts.push((name.to_owned(), stat));
                }
                continue;
            }
            let parsed = self.parse(name);
            let current = || {
                families
                    .iter()
                    .position(|family| !family.naming.is_dated() && family.naming.current(0) == name)
            };
            let Some(family) = parsed.map(|(family, _)| family).or_else(current) else { continue };
            let Some(stat) = folder.stat(name).ok().filter(is_plain) else { continue };
            match parsed {
                Some((family, rotated)) if !in_use.contains(name) && !found.contains(name) => {
                    listing.files.push(Found { name: name.to_owned(), family, rotated, stat });
                }
                _ => {
                    listing.waits |= parsed.is_some() && !in_use.contains(name);
                    if let Some(bytes) = listing.current.get_mut(families[family].scope) {
                        *bytes += length(&stat);
                    }
                }
            }
        }
        // In the order of their age, so that what is interrupted has done the oldest.
        listing
            .files
            .sort_unstable_by(|one, other| (one.rotated, &one.name).cmp(&(other.rotated, &other.name)));
        Ok(listing)
    }

    /// Whose rotated file it is by its name.
    fn parse(&self, name: &str) -> Option<(usize, Rotated)> {
        let mut families = self.plan.families.iter().enumerate();
        families.find_map(|(number, family)| Some((number, family.naming.parse(name)?)))
    }

    /// The files as the retention sees them.
    fn kept<'a>(&self, files: &'a [Found]) -> Vec<Kept<'a>> {
        let kept = |file: &'a Found| {
            let Family { naming, scope, class, .. } = &self.plan.families[file.family];
            let changed = file.stat.st_mtime.saturating_mul(1_000_000_000);
            // A copy that was made later has a later time: the name says how late the last line can be.
            let end = file.rotated.time.saturating_add(naming.period());
            Kept {
                name: &file.name,
                family: file.family,
                scope: *scope,
                class: *class,
                rotated: file.rotated,
                last_line: changed.clamp(file.rotated.time, end),
                bytes: length(&file.stat),
                // The unit of this count is 512 bytes on every file system.
                on_disk: u64::try_from(file.stat.st_blocks).unwrap_or(0).saturating_mul(512),
            }
        };
        files.iter().map(kept).collect()
    }

    fn disk(&self) -> Option<Disk> {
        // What only the superuser may fill is not free.
        let stat = rustix::fs::fstatvfs(self.plan.folder.fd()).ok()?;
        Some(Disk {
            free: stat.f_bavail.saturating_mul(stat.f_frsize),
            total: stat.f_blocks.saturating_mul(stat.f_frsize),
        })
    }

    /// Deletes the files of these numbers, in this order; gives back the others.
    fn delete(
        &mut self,
        files: Vec<Found>,
        named: &[usize],
        now: Moment,
        stop: &dyn Fn() -> bool,
    ) -> Vec<Found> {
        let mut gone = vec![false; files.len()];
        for &number in named {
            let file = &files[number];
            if stop() {
                break;
            }
            match remove(&self.plan.folder, &self.plan.in_use, &file.name, &file.stat) {
                Ok(removed) => {
                    gone[number] = removed;
                    if removed {
                        self.plan.counters.deleted.fetch_add(1, Ordering::Relaxed);
                        self.plan.counters.freed.fetch_add(length(&file.stat), Ordering::Relaxed);
                        failpoint::reach("file-deleted");
                    }
                }
                Err(errno) => {
                    let text = format!("cannot delete the rotated file {}: {errno}", self.shown(&file.name));
                    self.failed(&file.name, now, text);
                }
            }
        }
        let mut numbers = 0..;
        files.into_iter().filter(|_| numbers.next().is_some_and(|number: usize| !gone[number])).collect()
    }

    /// Makes one of each file that is there twice, compressed and not; the files that there are then. None: stop.
    fn settle(&mut self, mut files: Vec<Found>, now: Moment, stop: &dyn Fn() -> bool) -> Option<Vec<Found>> {
        let names: HashSet<String> = files.iter().map(|file| file.name.clone()).collect();
        let twin = |file: &Found| {
            let mut endings = [Compression::Gz, Compression::Zstd].into_iter();
            endings.find(|ending| names.contains(&format!("{}{}", file.name, ending.ending())))
        };
        let mut gone = HashSet::new();
        for file in files.iter().filter(|file| file.rotated.compressed.is_none()) {
            let Some(compression) = twin(file).filter(|_| !self.rests(&file.name, now)) else { continue };
            if stop() {
                return None;
            }
            if let Some(Outcome::Compressed { .. }) =
                self.attempt(file, compression, now, stop, |job| job.settle_twin())
            {
                gone.insert(file.name.clone());
            }
        }
        files.retain(|file| !gone.contains(&file.name));
        Some(files)
    }

    /// Compresses what is to be compressed; the files that there are then. None: stop.
    fn compress(
        &mut self,
        mut files: Vec<Found>,
        now: Moment,
        stop: &dyn Fn() -> bool,
    ) -> Option<Vec<Found>> {
        for file in &mut files {
            if stop() {
                return None;
            }
            let compression = self.plan.families[file.family].compression;
            if file.rotated.compressed.is_some()
                || compression == Compression::None
                || self.rests(&file.name, now)
                || self.rests(DISK, now)
            {
                continue;
            }
            if let Some(Outcome::Compressed { .. }) =
                self.attempt(file, compression, now, stop, |job| job.compress())
            {
                self.pauses.remove(DISK);
                let name = format!("{}{}", file.name, compression.ending());
                // Should it be gone already, deleting it does nothing.
                file.stat = self.plan.folder.stat(&name).unwrap_or(file.stat);
                file.rotated.compressed = Some(compression);
                file.name = name;
            }
        }
        (!stop()).then_some(files)
    }

    /// Does a piece of work on a file; counts it, or notes that it failed.
    fn attempt(
        &mut self,
        file: &Found,
        compression: Compression,
        now: Moment,
        stop: &dyn Fn() -> bool,
        work: fn(&Job<'_>) -> io::Result<Outcome>,
    ) -> Option<Outcome> {
        let Plan { folder, in_use, .. } = &self.plan;
        match work(&Job { folder, in_use, name: &file.name, compression, stop }) {
            Ok(outcome) => {
                if let Outcome::Compressed { before, after } = outcome {
                    self.plan.counters.compressed.fetch_add(1, Ordering::Relaxed);
                    self.plan.counters.freed.fetch_add(before.saturating_sub(after), Ordering::Relaxed);
                }
                Some(outcome)
            }
            Err(error) => {
                let text = format!("{error}; the file is kept as it is, and this is tried again later");
                let what = if Failed::is_of_disk(&error) { DISK } else { &file.name };
                self.failed(what, now, text);
                None
            }
        }
    }

    /// Whether it failed so lately that it is left alone.
    fn rests(&self, name: &str, now: Moment) -> bool {
        self.pauses.get(name).is_some_and(|pause| now.monotonic < pause.until)
    }

    /// Notes a failure, and tells it unless it was told before.
    fn failed(&mut self, name: &str, now: Moment, text: String) {
        let before = self.pauses.remove(name);
        if before.as_ref().is_none_or(|pause| pause.told != text) {
            // One key for all: what fails for many files is worth a line a second.
            notice("files", &text);
        }
        let long = before.map_or(FIRST_PAUSE, |pause| (pause.long * 2).min(LONGEST_PAUSE));
        let until = now.monotonic.saturating_add(nanos(long));
        self.pauses.insert(name.to_owned(), Pause { until, long, told: text });
    }

    fn shown(&self, name: &str) -> String {
        self.plan.folder.path().join(name).display().to_string()
    }
}

/// The numbers that some files have among all.
fn numbers(some: &[Kept<'_>], all: &[Found]) -> Vec<usize> {
    let by_name: HashMap<&str, usize> =
        all.iter().enumerate().map(|(number, file)| (&*file.name, number)).collect();
    some.iter().filter_map(|file| by_name.get(file.name).copied()).collect()
}
