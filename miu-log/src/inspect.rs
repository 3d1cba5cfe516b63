//! Looks at a log folder from outside: who has it, what its rings hold, what earlier runs left.
//!
//! I1. Nothing is written, made, renamed or removed, and no memory of another process is mapped: files are read, and of a ring
//!     only its header. Whether the folder is locked is found out without keeping anybody from locking it.
//! I2. What is read is not trusted: it may be short, old, another program's, or made to harm whoever reads it. Each length and
//!     each number is checked, links and everything but regular files are refused, and what is read is bounded.
//! I3. A file that cannot be read is reported beside those that can.
//!
//! Called by programs that watch a service, `miu-log status` first of all. `ring::segment` knows what a header looks like,
//! `runtime` where to look.

use std::ffi::OsString;
use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

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

/// Looks at a log folder from outside: whether a repository is open on it, what its rings hold, what earlier runs left.
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
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;
    use crate::folder::Folder;
    use crate::ring::segment::{Identity, SMALLEST, Segment};
    use crate::runtime::RuntimeDir;
    use crate::sync::Ordering;

    /// A log folder and the place of its runtime directory, which nobody else uses.
    struct Place {
        temp: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Place {
            let temp = tempfile::tempdir().unwrap();
            fs::create_dir(temp.path().join("logs")).unwrap();
            Place { temp }
        }

        fn logs(&self) -> PathBuf {
            self.temp.path().join("logs")
        }

        fn env(&self) -> impl Fn(&str) -> Option<OsString> {
            let place = self.temp.path().as_os_str().to_owned();
            move |name| (name == runtime::RUNTIME_DIR).then(|| place.clone())
        }

        fn open(&self) -> RuntimeDir {
            let runtime =
                RuntimeDir::open(&Folder::open(&self.logs()).unwrap(), None, self.env(), None).unwrap();
            runtime.sign().unwrap();
            runtime
        }

        fn look(&self) -> Inspection {
            inspect_with(&self.logs(), None, self.env()).unwrap()
        }

        /// The runtime directory inside the log folder, as another run may have left it.
        fn inside(&self) -> PathBuf {
            let path = self.logs().join(".miu");
            fs::create_dir_all(&path).unwrap();
            path
        }

        /// Every file and directory, with its length and the time of its last change.
        fn everything(&self) -> Vec<(PathBuf, u64, i64, i64)> {
            let mut found = Vec::new();
            let mut left = vec![self.temp.path().to_owned()];
            while let Some(path) = left.pop() {
                let data = fs::symlink_metadata(&path).unwrap();
                if data.is_dir() {
                    left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                }
                found.push((path, data.len(), data.mtime_nsec(), data.ctime_nsec()));
            }
            found.sort();
            found
        }
    }

    fn identity(ring: u64) -> Identity {
        Identity {
            member: 7,
            process_id: 7,
            thread_id: 8,
            ring,
            generation: 0,
            thread_name: "wörker".to_owned(),
        }
    }

    #[test]
    fn nobody_has_an_empty_folder() {
        let place = Place::new();
        let found = place.look();
        assert_eq!(found.log_folder, place.logs().canonicalize().unwrap());
        assert!(!found.is_held() && found.holder.is_none() && found.runtime_directory.is_none());
        assert!(found.rings.is_empty() && found.left_behind.is_empty() && found.unreadable.is_empty());
    }

    #[test]
    fn a_missing_folder_is_an_error_and_is_not_made() {
        let place = Place::new();
        let path = place.temp.path().join("missing");
        let text = inspect_with(&path, None, place.env()).unwrap_err().to_string();
        assert!(text.contains("cannot look at the log folder") && text.contains("missing"), "{text}");
        assert!(!path.exists());
        fs::write(&path, "").unwrap();
        assert!(inspect_with(&path, None, place.env()).unwrap_err().to_string().contains("os error 20"));
    }

    #[test]
    fn holder_and_rings_of_a_repository_are_found_and_nothing_is_changed() {
        let place = Place::new();
        let runtime = place.open();
        let first = Segment::create(Some(runtime.path()), SMALLEST, &identity(10)).unwrap();
        let second = Segment::create(Some(runtime.path()), 2 * SMALLEST, &identity(9)).unwrap();
        first.producer_line().head.store(96, Ordering::Release);
        first.producer_line().accepted.store(2, Ordering::Relaxed);
        first.producer_line().lost[0].store(4, Ordering::Relaxed);
        first.consumer_line().store(48);
        first.consumer_line().count(1);
        second.producer_line().closed.store(1, Ordering::Release);
        let before = place.everything();
        let found = place.look();
        assert_eq!(place.everything(), before);
        assert!(found.is_held());
        assert_eq!(found.runtime_directory.as_deref(), Some(runtime.path()));
        let holder = found.holder.unwrap();
        assert_eq!(holder.process_id, Some(std::process::id()));
        assert!(holder.since.unwrap().starts_with("20"));
        let [nine, ten] = &found.rings[..] else { panic!("{:?}", found.rings) };
        assert_eq!((nine.ring, nine.capacity, nine.unread_bytes, nine.ended), (9, 131_072, 0, true));
        let expected = RingState {
            process_id: 7,
            thread_id: 8,
            thread_name: "wörker".to_owned(),
            ring: 10,
            generation: 0,
            capacity: 65_536,
            unread_bytes: 48,
            accepted: 2,
            written: 1,
            dropped: 4,
            pending: 1,
            ended: false,
        };
        assert_eq!(*ten, expected);
        assert!(found.left_behind.is_empty() && found.unreadable.is_empty());
    }

    #[test]
    fn a_run_that_did_not_end_properly_is_left_behind_before_and_after_the_next_start() {
        let place = Place::new();
        let runtime = place.open();
        let path = runtime.path().to_owned();
        drop(Segment::create(Some(&path), SMALLEST, &identity(1)).unwrap());
        // What a killed process leaves: no lock, and all its files.
        let holder = fs::read(path.join("holder")).unwrap();
        drop(runtime);
        fs::write(path.join("holder"), holder).unwrap();
        let found = place.look();
        assert!(!found.is_held() && found.holder.as_ref().is_some_and(|holder| holder.process_id.is_some()));
        assert_eq!(found.left_behind, [LeftBehind { path: path.clone(), rings: 1 }]);
        assert_eq!(found.rings.len(), 1);

        runtime::put_aside(&path, &["ring-7-1-0".to_owned()]).unwrap();
        let _next = place.open();
        let found = place.look();
        assert!(found.is_held() && found.rings.is_empty());
        assert_eq!(found.left_behind, [LeftBehind { path: path.join("left-behind-1"), rings: 1 }]);
    }

    #[test]
    fn files_that_are_no_rings_are_reported_and_the_others_shown() {
        let place = Place::new();
        let inside = place.inside();
        drop(Segment::create(Some(&inside), SMALLEST, &identity(1)).unwrap());
        fs::copy(inside.join("ring-7-1-0"), inside.join("ring-cut")).unwrap();
        OpenOptions::new().write(true).open(inside.join("ring-cut")).unwrap().set_len(9000).unwrap();
        fs::write(inside.join("ring-empty"), "").unwrap();
        fs::write(inside.join("ring-junk"), [b'x'; 9000]).unwrap();
        fs::create_dir(inside.join("ring-folder")).unwrap();
        symlink(inside.join("ring-7-1-0"), inside.join("ring-link")).unwrap();
        let fifo = inside.join("ring-fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        let found = place.look();
        assert_eq!(found.rings.len(), 1);
        let name = |it: &Unreadable| it.path.file_name().unwrap().to_string_lossy().into_owned();
        let reasons: Vec<_> = found.unreadable.iter().map(|it| (name(it), it.reason.as_str())).collect();
        let [cut, empty, fifo, folder, junk, link] = &reasons[..] else { panic!("{reasons:?}") };
        assert_eq!(*cut, ("ring-cut".to_owned(), "the file is shorter than its capacity says"));
        assert_eq!(*empty, ("ring-empty".to_owned(), "it is shorter than a ring's header"));
        assert_eq!(*fifo, ("ring-fifo".to_owned(), "it is not a regular file"));
        assert_eq!(*folder, ("ring-folder".to_owned(), "it is not a regular file"));
        assert_eq!(*junk, ("ring-junk".to_owned(), "it does not begin as a ring does"));
        assert_eq!(*link, ("ring-link".to_owned(), "it is a symbolic link"));
    }

    #[test]
    fn names_beyond_the_bound_are_not_taken_and_that_is_reported() {
        let place = Place::new();
        for name in ["ring-1", "ring-2", "ring-3"] {
            fs::write(place.inside().join(name), "").unwrap();
        }
        let user = rustix::process::geteuid().as_raw();
        let mut look = Look { users: [user, user], names_left: 2, unreadable: Vec::new() };
        assert_eq!(look.open(place.inside()).unwrap().names.len(), 2);
        assert!(look.unreadable[0].reason.contains("more than 100000 files"), "{:?}", look.unreadable);
    }

    #[test]
    fn a_directory_that_is_a_link_is_not_followed() {
        let place = Place::new();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("holder"), "7 2026-11-20T12:00:00Z\n").unwrap();
        symlink(elsewhere.path(), place.logs().join(".miu")).unwrap();
        let found = place.look();
        assert!(found.holder.is_none() && found.runtime_directory.is_none());
        assert!(found.unreadable[0].reason.starts_with("it is not a directory of user"));
    }

    #[test]
    fn of_two_places_the_one_written_to_last_counts() {
        let place = Place::new();
        let runtime = place.open();
        let inside = place.inside();
        fs::write(inside.join("holder"), "7 2001-01-01T00:00:00Z\n").unwrap();
        fs::write(inside.join("ring-7-0-0"), "").unwrap();
        let found = place.look();
        assert_eq!(found.holder.unwrap().process_id, Some(std::process::id()));
        assert_eq!(found.runtime_directory.as_deref(), Some(runtime.path()));
        let inside = inside.canonicalize().unwrap();
        assert_eq!(found.left_behind, [LeftBehind { path: inside.clone(), rings: 1 }]);
        fs::write(inside.join("holder"), "8 2999-01-01T00:00:00Z\n").unwrap();
        assert_eq!(place.look().holder.unwrap().process_id, Some(8));
    }

    #[test]
    fn a_ring_in_use_is_never_taken_for_a_broken_one() {
        let place = Place::new();
        let inside = place.inside();
        let segment = Segment::create(Some(&inside), SMALLEST, &identity(1)).unwrap();
        let done = crate::sync::AtomicBool::new(false);
        let found: Vec<_> = std::thread::scope(|scope| {
            scope.spawn(|| {
                let (producer, consumer) = (segment.producer_line(), segment.consumer_line());
                let mut at = 0;
                while !done.load(Ordering::Relaxed) {
                    at += 64;
                    producer.head.store(at, Ordering::Release);
                    consumer.store(at);
                }
            });
            while segment.consumer_line().load() == Some(0) {
                std::thread::yield_now();
            }
            let found = (0..2000).map(|_| read_ring(&inside.join("ring-7-1-0"))).collect();
            done.store(true, Ordering::Relaxed);
            found
        });
        assert!(found.iter().all(|ring| matches!(ring, Ok(Some(_)))), "{found:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_files_make_an_inspection_fail(
            holder in prop::collection::vec(any::<u8>(), 0..600),
            ring in prop::collection::vec(any::<u8>(), 0..1200),
        ) {
            let place = Place::new();
            let inside = place.inside();
            fs::write(inside.join("holder"), &holder).unwrap();
            fs::write(inside.join("ring-1-2-3"), &ring).unwrap();
            let found = place.look();
            prop_assert!(found.rings.is_empty() && found.unreadable.len() == 1);
        }
    }
}
