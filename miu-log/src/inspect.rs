//! Looks at a log folder from outside: who has it, what its rings hold, what earlier runs left, what remote sinks keep.
//!
//! I1. Nothing is written, made, renamed or removed, and no memory of another process is mapped: files are read, and of a ring
//!     only its header. A spool is read without its lock. Whether the folder is locked is found out without keeping anybody from locking it.
//! I2. What is read is not trusted: it may be short, old, another program's, or made to harm whoever reads it. Each length and
//!     each number is checked, links and everything but regular files are refused, and what is read is bounded.
//! I3. A file that cannot be read is reported beside those that can.
//!
//! Called by programs that watch a service, `miu-log status` first of all. `ring::segment` knows what a header looks like,
//! `runtime` where to look, and `sink::outbox` what is in a spool.

mod spools;

use std::ffi::OsString;
use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

pub use spools::SpoolState;

use crate::error::Error;
use crate::ring::segment::{CONSUMER_LINE, FILE_PREFIX, HEADER, Header};
use crate::runtime::{self, LEFT_BEHIND, WrittenHolder};

/// How many names of files are looked at. A repository has a file for each thread that logs.
const MOST_NAMES: usize = 100_000;
/// How often a header is read again whose parts do not fit together: its ring is in use.
const ATTEMPTS: usize = 100;

/// What [`inspect`] found: one moment of a log folder.
///
/// A service goes on meanwhile, so that the parts of it may be some microseconds apart.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// The log folder, as its canonical path.
    pub log_folder: PathBuf,
    /// The runtime directory that was found: where the rings are.
    pub runtime_directory: Option<PathBuf>,
    /// Who has the folder, or had it last.
    pub holder: Option<Holder>,
    /// The rings in the runtime directory, by process and number.
    pub rings: Vec<RingState>,
    /// What runs left that did not end properly.
    pub left_behind: Vec<LeftBehind>,
    /// What remote sinks keep: those of all programs that share the folder, also of such that have ended, and so only in what [`inspect`] finds, not [`inspect_app`].
    pub spools: Vec<SpoolState>,
    /// What is there and could not be read.
    pub unreadable: Vec<Unreadable>,
    /// The names of programs that share the folder, each with a repository of its own ([`LogConfig::isolated`](crate::LogConfig::isolated)), or did so and have not
    /// ended properly: [`inspect_app`] looks at one of them.
    pub apps: Vec<String>,
}

impl Inspection {
    /// Whether a repository is open on the folder.
    pub fn is_held(&self) -> bool {
        self.holder.as_ref().is_some_and(|holder| holder.alive)
    }
}

/// The process that has a log folder, or had it when it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Its number, as it sees itself. None where it has written it down in a place that could not be found or read.
    pub process_id: Option<u32>,
    /// When it opened the folder, in UTC: `2026-11-20T12:00:00Z`.
    pub since: Option<String>,
    /// Whether it has the folder still. If not, it did not end properly.
    pub alive: bool,
}

/// A thread's ring: what it has logged and the listener has not yet read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RingState {
    /// The process of the thread.
    pub process_id: u32,
    /// The thread's number.
    pub thread_id: u32,
    /// The thread's name. It is any text: escape it before it is shown.
    pub thread_name: String,
    /// Number of the ring in its process.
    pub ring: u64,
    /// 0 for the ring's first segment, one more for each larger one.
    pub generation: u32,
    /// How many bytes it can hold.
    pub capacity: u64,
    /// How many bytes the listener has not yet read, or has read and not yet written; at most the capacity.
    pub unread_bytes: u64,
    /// How many records the thread has put into the ring, over all its segments.
    pub accepted: u64,
    /// Of these, how many have been written and their space given back.
    pub written: u64,
    /// How many records found no room in the ring.
    pub dropped: u64,
    /// How many records are in it: `accepted` less `written`.
    pub pending: u64,
    /// Whether nothing more will come: the thread is gone, or goes on in a larger segment.
    pub ended: bool,
}

/// What a run left that did not end properly.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftBehind {
    /// The directory it is in.
    pub path: PathBuf,
    /// How many files of rings are in it.
    pub rings: usize,
}

/// A file or directory that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unreadable {
    /// Where it is.
    pub path: PathBuf,
    /// Why it could not be read.
    pub reason: String,
}

/// Looks at a log folder from outside: whether a repository is open on it, what its rings hold, what earlier runs left, what waits for destinations that are far away.
///
/// Changes nothing and disturbs nobody. The runtime directory is looked for where a repository of this user, or of the folder's
/// owner, would have put it. Where the service has `MIU_LOG_RUNTIME_DIR`, give it to the program that looks, too.
///
/// # Errors
///
/// When the folder is not there or may not be opened. Everything below it that cannot be read is part of the
/// [`Inspection`].
///
/// # Examples
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// let found = miu_log::inspect(folder.path())?;
/// assert!(!found.is_held());
/// let unread: u64 = found.rings.iter().map(|ring| ring.unread_bytes).sum();
/// assert_eq!(unread, 0);
/// # Ok::<(), miu_log::Error>(())
/// ```
pub fn inspect(log_folder: impl AsRef<Path>) -> Result<Inspection, Error> {
    inspect_with(log_folder.as_ref(), None, |name| std::env::var_os(name))
}

/// Looks at one of the programs that share a log folder, as [`inspect`] does at one that has it for itself.
///
/// # Errors
///
/// When the folder is not there or may not be opened.
pub fn inspect_app(log_folder: impl AsRef<Path>, app: &str) -> Result<Inspection, Error> {
    inspect_with(log_folder.as_ref(), Some(app), |name| std::env::var_os(name))
}

fn inspect_with(
    folder: &Path,
    app: Option<&str>,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Inspection, Error> {
    let unopened = |error| Error::io(format!("cannot look at the log folder {folder:?}"), error);
    let log_folder = std::fs::canonicalize(folder).map_err(unopened)?;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::DIRECTORY.bits() as i32)
        .open(&log_folder)
        .map_err(unopened)?;
    let cannot_tell = |error: io::Error| {
        Error::io(format!("cannot tell whether the log folder {folder:?} is in use"), error)
    };
    let held = |file: &File| runtime::is_held(file).map_err(|errno| cannot_tell(errno.into()));
    let alive = match app {
        None => held(&opened)?,
        // Its file is gone when it has ended properly.
        Some(app) => match runtime::open_to_read(&log_folder.join(runtime::instance_file(app))) {
            Ok(file) => held(&file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(cannot_tell(error)),
        },
    };
    let names = std::fs::read_dir(&log_folder).map_err(unopened)?.take(MOST_NAMES).flatten();
    let apps = runtime::instances_of(names.filter_map(|entry| entry.file_name().into_string().ok()));
    let users = [rustix::process::geteuid().as_raw(), opened.metadata().map_err(unopened)?.uid()];

    let mut look = Look { users, names_left: MOST_NAMES, unreadable: Vec::new() };
    let mut directories: Vec<Directory> = Vec::new();
    for place in users.iter().flat_map(|user| runtime::places(&log_folder, app, *user, &env)) {
        if directories.iter().all(|known| known.path != place.path) {
            directories.extend(look.open(place.path));
        }
    }
    // A run that did not end properly may have left its name in one place and the present one be in another.
    let current = (0..directories.len())
        .rev()
        .max_by(|&left, &right| directories[left].since().cmp(&directories[right].since()));

    let mut rings = Vec::new();
    let mut left_behind = Vec::new();
    for (number, directory) in directories.iter().enumerate() {
        let is_current = current == Some(number);
        left_behind.extend(look.put_aside(directory));
        if (!is_current || !alive) && directory.names.iter().any(|name| runtime::holds_records(name)) {
            left_behind.push(LeftBehind { path: directory.path.clone(), rings: directory.rings().count() });
        }
        if is_current {
            rings = look.rings(directory);
        }
    }
    let directory = current.map(|number| directories.swap_remove(number));
    let spools = if app.is_none() { look.spools(&log_folder) } else { Vec::new() };
    let (runtime_directory, written) = directory.map_or((None, None), |it| (Some(it.path), it.written));
    let holder = match written {
        Some(WrittenHolder { process_id, since }) => {
            Some(Holder { process_id: Some(process_id), since: Some(since), alive })
        }
        None => alive.then_some(Holder { process_id: None, since: None, alive }),
    };
    Ok(Inspection {
        log_folder,
        runtime_directory,
        holder,
        rings,
        left_behind,
        spools,
        unreadable: look.unreadable,
        apps,
    })
}

/// A runtime directory, or a part of one, with the names of what is in it.
struct Directory {
    path: PathBuf,
    /// Sorted.
    names: Vec<String>,
    written: Option<WrittenHolder>,
}

impl Directory {
    fn since(&self) -> Option<&str> {
        self.written.as_ref().map(|written| written.since.as_str())
    }

    fn rings(&self) -> impl Iterator<Item = &String> {
        self.names.iter().filter(|name| name.starts_with(FILE_PREFIX))
    }
}

/// One inspection on its way.
struct Look {
    /// Whose directories are looked into.
    users: [u32; 2],
    /// How many more names are taken.
    names_left: usize,
    unreadable: Vec<Unreadable>,
}

impl Look {
    /// None where there is no such directory, or none that can be read: the latter is reported.
    fn open(&mut self, path: PathBuf) -> Option<Directory> {
        match std::fs::symlink_metadata(&path).and_then(|found| self.names(&path, &found)) {
            Ok(names) => {
                let written = WrittenHolder::read(&path);
                Some(Directory { path, names, written })
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    self.report(&path, &error);
                }
                None
            }
        }
    }

    /// The names in a directory. Files of miu-log have plain names, so all others are left out.
    fn names(&mut self, path: &Path, found: &Metadata) -> io::Result<Vec<String>> {
        // Anybody can make a directory in the memory file system: what is in it would be anybody's word.
        if !found.is_dir() || !self.users.contains(&found.uid()) {
            let [user, owner] = self.users;
            let or = if owner == user { String::new() } else { format!(" or {owner}") };
            return Err(io::Error::other(format!("it is not a directory of user {user}{or}")));
        }
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path)? {
            if self.names_left == 0 {
                self.report(
                    path,
                    &format!("with it there are more than {MOST_NAMES} files; not all are shown"),
                );
                break;
            }
            self.names_left -= 1;
            names.extend(entry?.file_name().into_string().ok());
        }
        names.sort();
        Ok(names)
    }

    fn rings(&mut self, directory: &Directory) -> Vec<RingState> {
        let mut rings = Vec::new();
        for path in directory.rings().map(|name| directory.path.join(name)) {
            match read_ring(&path) {
                Ok(ring) => rings.extend(ring),
                Err(reason) => self.report(&path, &reason),
            }
        }
        rings.sort_by_key(|ring| (ring.process_id, ring.ring, ring.generation));
        rings
    }

    /// What was put aside when a later run began.
    fn put_aside(&mut self, directory: &Directory) -> Vec<LeftBehind> {
        let aside = directory.names.iter().filter(|name| name.starts_with(LEFT_BEHIND));
        let opened = aside.filter_map(|name| self.open(directory.path.join(name)));
        opened.map(|it| LeftBehind { rings: it.rings().count(), path: it.path }).collect()
    }

    fn report(&mut self, path: &Path, reason: &dyn fmt::Display) {
        self.unreadable.push(Unreadable { path: path.to_owned(), reason: reason.to_string() });
    }
}

/// Reads the header of a ring's file. None where the file is gone: its ring was read to the end.
fn read_ring(path: &Path) -> Result<Option<RingState>, String> {
    let mut outcome = Err(String::new());
    for _ in 0..ATTEMPTS {
        let mut header = [0; HEADER];
        let file = match runtime::open_to_read(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let len = match read_header(&file, &mut header) {
            Ok(len) => len,
            Err(error) => return Err(error.to_string()),
        };
        outcome = Header::parse(&header, len).map(ring_state).map_err(|malformed| malformed.to_string());
        if outcome.is_ok() {
            break;
        }
        std::thread::yield_now();
    }
    outcome.map(Some)
}

/// Reads both lines so that they fit together as far as can be: what was read is known before what was written, hence is
/// never ahead of it. The length of the file.
fn read_header(file: &File, header: &mut [u8; HEADER]) -> io::Result<u64> {
    let (before, consumer) = header.split_at_mut(CONSUMER_LINE);
    for (bytes, at) in [(consumer, CONSUMER_LINE), (before, 0)] {
        file.read_exact_at(bytes, at as u64).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::other("it is shorter than a ring's header"),
            _ => error,
        })?;
    }
    Ok(file.metadata()?.len())
}

fn ring_state(header: Header) -> RingState {
    let Header { identity, capacity, unread, accepted, lost, records, chained, closed, .. } = header;
    RingState {
        process_id: identity.process_id,
        thread_id: identity.thread_id,
        thread_name: identity.thread_name,
        ring: identity.ring,
        generation: identity.generation,
        capacity,
        unread_bytes: unread,
        accepted,
        written: records,
        dropped: lost,
        pending: accepted.saturating_sub(records),
        ended: chained || closed,
    }
}

#[cfg(test)]
mod tests;
