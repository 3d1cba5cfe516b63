//! The runtime directory: where a repository's segments, dictionary and checkpoint live.
//!
//! `/dev/shm/miu-log-<uid>/<hash of the log folder>/`, or below the folder in `MIU_LOG_RUNTIME_DIR`, or
//! `<log folder>/.miu/` where neither can be had. It is for its owner alone, and space in it is tried out at the start, so that a
//! full memory file system shows as an error and never as a fault on access.
//!
//! The lock that makes a repository the only one of its log folder is on the log folder itself: programs that see
//! the same folder see the same lock, whatever runtime directory each has.
//!
//! `repository` opens it; `inspect` looks at what others opened, by the same rules.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FallocateFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use time::OffsetDateTime;

use crate::error::Error;
use crate::folder::Folder;
use crate::hash::fnv1a;
use crate::notice::notice;
use crate::ring::segment;

/// Environment variable that names another place for runtime directories.
pub(crate) const RUNTIME_DIR: &str = "MIU_LOG_RUNTIME_DIR";
/// Where segments of a run that did not end properly are put aside.
pub(crate) const LEFT_BEHIND: &str = "left-behind-";
/// How many such runs are kept.
const MAX_LEFT_BEHIND: usize = 16;
/// Space that must be there for a start: one small ring.
const PROBE: u64 = 128 * 1024;
const HOLDER: &str = "holder";
/// No holder's line is nearly as long.
const LONGEST_HOLDER: u64 = 256;
/// How often the lock is tried again when all that stood in the way was somebody who looked at it.
const LOCK_ATTEMPTS: usize = 100;
/// How long that one is given each time: together, a tenth of a second.
const LOCK_PAUSE: Duration = Duration::from_millis(1);

/// The runtime directory of one repository. Holds the lock on the log folder until it is dropped.
#[derive(Debug)]
pub(crate) struct RuntimeDir {
    path: PathBuf,
    folder: Folder,
    /// The directory itself, locked: whose log folder has been moved away since is still its owner.
    _lock: OwnedFd,
}

impl RuntimeDir {
    /// Takes the log folder's lock and sets the directory up.
    ///
    /// # Errors
    ///
    /// When another repository has the folder (the error names its process and since when), or no place can be used.
    pub(crate) fn open(folder: &Folder, env: impl Fn(&str) -> Option<OsString>) -> Result<RuntimeDir, Error> {
        let full = std::fs::canonicalize(folder.path())
            .map_err(|error| Error::io(format!("cannot find the log folder {:?}", folder.path()), error))?;
        let places = places(&full, rustix::process::geteuid().as_raw(), &env);
        match take(folder.fd()) {
            Ok(true) => {}
            Ok(false) => {
                return Err(Error::in_use(format!(
                    "the log folder {full:?} is in use by {}; one repository at a time owns a folder: share its queue, or \
                     choose another folder",
                    holder(&places)
                )));
            }
            Err(errno) => {
                return Err(Error::io(
                    format!("cannot lock the log folder {full:?}"),
                    io::Error::from(errno),
                ));
            }
        }
        let mut refusals = Vec::new();
        for Place { path, own_parent } in &places {
            match set_up(path, *own_parent) {
                Ok((lock, left_behind)) => {
                    if let Some(refusal) = refusals.first() {
                        notice("runtime", &format!("{refusal}; using {path:?} instead"));
                    }
                    if let Some(left_behind) = left_behind {
                        notice(
                            "recovery",
                            &format!(
                                "an earlier run did not end properly; its rings are kept in {left_behind:?}"
                            ),
                        );
                    }
                    return Ok(RuntimeDir { path: path.clone(), folder: folder.clone(), _lock: lock });
                }
                Err(error) => refusals.push(format!("cannot use the runtime directory {path:?}: {error}")),
            }
        }
        unlock(folder);
        Err(Error::config(format!(
            "no place for the runtime directory ({}); {RUNTIME_DIR} can name one",
            refusals.join("; ")
        )))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a file of mode 0600 in the directory, in place of one of that name.
    pub(crate) fn create(&self, name: &str) -> Result<File, Error> {
        let path = self.path.join(name);
        private_file(&path).map_err(|error| Error::io(format!("cannot create {path:?}"), error))
    }
}

impl Drop for RuntimeDir {
    fn drop(&mut self) {
        // Everything in it is written, or was counted as abandoned. What cannot be removed is put aside at the next start.
        for name in [HOLDER, "dictionary", "checkpoint"] {
            let _ = std::fs::remove_file(self.path.join(name));
        }
        let _ = std::fs::remove_dir(&self.path);
        unlock(&self.folder);
    }
}

fn unlock(folder: &Folder) {
    // The lock goes with the last handle of the folder in any case.
    let _ = rustix::fs::flock(folder.fd(), FlockOperation::Unlock);
}

/// Takes the lock on a log folder. False where a repository has it.
fn take(folder: impl AsFd) -> Result<bool, Errno> {
    for _ in 0..LOCK_ATTEMPTS {
        match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK) => {}
            Err(errno) => return Err(errno),
        }
        if is_held(&folder)? {
            return Ok(false);
        }
        // Nobody has it: an inspection looked in that very moment, and must not keep a program from starting.
        // It may have been stopped right there, for as long as the processor is busy with others.
        std::thread::sleep(LOCK_PAUSE);
    }
    Ok(false)
}

/// Whether a repository has the lock on a log folder, of which this is an open handle without one.
///
/// Looks by taking a shared lock, which is given back at once. [`take`] knows that, and passes over it.
pub(crate) fn is_held(folder: impl AsFd) -> Result<bool, Errno> {
    match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockShared) {
        Ok(()) => rustix::fs::flock(&folder, FlockOperation::Unlock).map(|()| false),
        Err(Errno::WOULDBLOCK) => Ok(true),
        Err(errno) => Err(errno),
    }
}

/// A place for a runtime directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    /// The folder it is in is miu-log's own too, and must be as private.
    own_parent: bool,
}

/// The places that a repository of this user tries for this log folder (its canonical path), best first.
pub(crate) fn places(log_folder: &Path, user: u32, env: &impl Fn(&str) -> Option<OsString>) -> [Place; 2] {
    let name = format!("{:016x}", fnv1a(log_folder.as_os_str().as_encoded_bytes()));
    let first = match env(RUNTIME_DIR).filter(|value| !value.is_empty()) {
        Some(place) => Place { path: PathBuf::from(place).join(name), own_parent: false },
        None => {
            let parent = PathBuf::from(format!("/dev/shm/miu-log-{user}"));
            Place { path: parent.join(name), own_parent: true }
        }
    };
    [first, Place { path: log_folder.join(".miu"), own_parent: false }]
}

/// Makes the directory, puts aside what an earlier run left in it, tries out whether there is space, and writes down
/// who has it. The folder with what was put aside, if there was anything.
fn set_up(path: &Path, own_parent: bool) -> io::Result<(OwnedFd, Option<PathBuf>)> {
    if let Some(parent) = path.parent().filter(|_| own_parent) {
        make_private(parent)?;
    }
    make_private(path)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let lock = rustix::fs::open(path, flags, Mode::empty())?;
    if !take(&lock)? {
        let text = "another repository uses it, whose log folder had this path and has been moved away";
        return Err(io::Error::other(text));
    }
    let left_behind = put_aside(path)?;
    let probe = path.join("probe");
    let file = private_file(&probe)?;
    let reserved = if segment::file_may_have(PROBE) {
        rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, PROBE)
    } else {
        Err(Errno::FBIG)
    };
    std::fs::remove_file(&probe)?;
    reserved?;
    let now = OffsetDateTime::now_utc();
    let mut holder = private_file(&path.join(HOLDER))?;
    writeln!(
        holder,
        "{} {:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        std::process::id(),
        now.year(),
        u8::from(now.month()),
        now.day(),
        now.hour(),
        now.minute(),
        now.second()
    )?;
    Ok((lock, left_behind))
}

/// A directory that only its owner can enter: made, or found to be so.
fn make_private(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // Not followed: a link put there by somebody else is no directory of ours.
    let found = std::fs::symlink_metadata(path)?;
    let user = rustix::process::geteuid().as_raw();
    if !found.is_dir() || found.uid() != user {
        return Err(io::Error::other(format!("it is not a directory of user {user}")));
    }
    if found.permissions().mode() & 0o077 != 0 {
        return Err(io::Error::other("others may enter it; mode 0700 is expected"));
    }
    Ok(())
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .read(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits() as i32)
        .open(path)
}

/// Moves everything an earlier run left into a folder of its own.
fn put_aside(path: &Path) -> io::Result<Option<PathBuf>> {
    let mut left = Vec::new();
    let mut rings = false;
    for entry in std::fs::read_dir(path)? {
        let name = entry?.file_name();
        let text = name.to_string_lossy();
        if text.starts_with(LEFT_BEHIND) {
            continue;
        }
        rings |= holds_records(&text);
        left.push(name);
    }
    if left.is_empty() {
        return Ok(None);
    }
    if !rings {
        // Nothing that holds records: an earlier run ended before it had any.
        for name in left {
            std::fs::remove_file(path.join(name))?;
        }
        return Ok(None);
    }
    forget_oldest(path)?;
    let mut number = 1;
    let aside = loop {
        let aside = path.join(format!("{LEFT_BEHIND}{number}"));
        match DirBuilder::new().mode(0o700).create(&aside) {
            Ok(()) => break aside,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    };
    for name in left {
        std::fs::rename(path.join(&name), aside.join(&name))?;
    }
    Ok(Some(aside))
}

/// Makes room for one more run: memory is not without end, and a service may die again and again.
fn forget_oldest(path: &Path) -> io::Result<()> {
    let mut runs = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(LEFT_BEHIND) {
            runs.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    runs.sort();
    let surplus = (runs.len() + 1).saturating_sub(MAX_LEFT_BEHIND);
    for (_, run) in runs.drain(..surplus) {
        notice(
            "recovery",
            &format!("{run:?} is removed: {MAX_LEFT_BEHIND} runs that did not end properly are kept"),
        );
        std::fs::remove_dir_all(run)?;
    }
    Ok(())
}

/// Whether a file of this name, in a runtime directory, is there for the records in it.
pub(crate) fn holds_records(name: &str) -> bool {
    name.starts_with(segment::FILE_PREFIX) || name.starts_with("blob-")
}

/// Opens somebody's file for reading: a regular one, not a link, and without waiting for anybody.
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path);
    let file = opened.map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => io::Error::other("it is a symbolic link"),
        _ => error,
    })?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(file)
}

/// What the holder of a runtime directory has written down about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrittenHolder {
    pub(crate) process_id: u32,
    /// UTC, as `2026-11-20T12:00:00Z`: the order of the texts is that of the times.
    pub(crate) since: String,
}

impl WrittenHolder {
    /// Reads the holder's line of a runtime directory, if there is a proper one.
    pub(crate) fn read(directory: &Path) -> Option<WrittenHolder> {
        let mut text = String::new();
        open_to_read(&directory.join(HOLDER)).ok()?.take(LONGEST_HOLDER).read_to_string(&mut text).ok()?;
        let (process_id, since) = text.trim_end().split_once(' ')?;
        let shape = "0000-00-00T00:00:00Z";
        let fits = |(byte, like): (u8, u8)| if like == b'0' { byte.is_ascii_digit() } else { byte == like };
        (since.len() == shape.len() && since.bytes().zip(shape.bytes()).all(fits))
            .then_some(WrittenHolder { process_id: process_id.parse().ok()?, since: since.to_owned() })
    }
}

/// Who holds the lock, as far as it has written it down.
fn holder(places: &[Place]) -> String {
    match places.iter().find_map(|place| WrittenHolder::read(&place.path)) {
        Some(WrittenHolder { process_id, since }) => format!("process {process_id} since {since}"),
        None => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::{AtomicBool, Ordering};

    fn folder(path: &Path) -> Folder {
        Folder::open(path).unwrap()
    }

    fn here(place: &Path) -> impl Fn(&str) -> Option<OsString> {
        let place = place.as_os_str().to_owned();
        move |name| (name == RUNTIME_DIR).then(|| place.clone())
    }

    #[test]
    fn a_second_owner_of_the_folder_learns_who_the_first_is_and_since_when() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::set_permissions(temp.path(), PermissionsExt::from_mode(0o700)).unwrap();
        let logs = temp.path().join("logs");
        let first = RuntimeDir::open(&folder(&logs), here(temp.path())).unwrap();
        let second = RuntimeDir::open(&folder(&logs), here(temp.path())).unwrap_err();
        assert!(second.is_in_use());
        let text = second.to_string();
        assert!(text.contains(&format!("process {} since 20", std::process::id())), "{text}");
        drop(first);
        assert!(RuntimeDir::open(&folder(&logs), here(temp.path())).is_ok());
    }

    #[test]
    fn whoever_looks_at_the_lock_keeps_nobody_from_taking_it() {
        let temp = tempfile::tempdir().unwrap();
        let done = AtomicBool::new(false);
        let taken = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    is_held(File::open(temp.path()).unwrap()).unwrap();
                }
            });
            let taken = (0..300).filter(|_| File::open(temp.path()).is_ok_and(|it| take(&it) == Ok(true)));
            let taken = taken.count();
            done.store(true, Ordering::Relaxed);
            taken
        });
        assert_eq!(taken, 300);
    }

    #[test]
    fn a_lock_that_is_looked_at_for_ever_is_given_up() {
        let temp = tempfile::tempdir().unwrap();
        let looking = File::open(temp.path()).unwrap();
        rustix::fs::flock(&looking, FlockOperation::NonBlockingLockShared).unwrap();
        assert_eq!(take(File::open(temp.path()).unwrap()), Ok(false));
    }

    #[test]
    fn a_holder_that_is_no_process_and_time_is_nobody() {
        let temp = tempfile::tempdir().unwrap();
        let read = |text: &[u8]| {
            std::fs::write(temp.path().join(HOLDER), text).unwrap();
            WrittenHolder::read(temp.path())
        };
        let since = "2026-11-20T12:00:00Z".to_owned();
        assert_eq!(read(b"7 2026-11-20T12:00:00Z\n"), Some(WrittenHolder { process_id: 7, since }));
        for text in ["", "7", "7 now", "-1 2026-11-20T12:00:00Z", "7 2026-11-20T12:00:0\u{1b}Z", "x 2026"] {
            assert_eq!(read(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(read(&[0xff; 9000]), None);
        std::fs::remove_file(temp.path().join(HOLDER)).unwrap();
        std::os::unix::fs::symlink("/proc/self/status", temp.path().join(HOLDER)).unwrap();
        assert_eq!(WrittenHolder::read(temp.path()), None);
    }

    #[test]
    fn a_place_that_others_may_enter_is_passed_over() {
        let temp = tempfile::tempdir().unwrap();
        let open = temp.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
        let logs = temp.path().join("logs");
        let full = folder(&logs);
        let name = format!("{:016x}", fnv1a(logs.canonicalize().unwrap().as_os_str().as_encoded_bytes()));
        std::fs::create_dir(open.join(&name)).unwrap();
        std::fs::set_permissions(open.join(&name), PermissionsExt::from_mode(0o755)).unwrap();
        let runtime = RuntimeDir::open(&full, here(&open)).unwrap();
        assert!(runtime.path().ends_with("logs/.miu"));
    }

    #[test]
    fn a_bounded_number_of_runs_is_kept() {
        let temp = tempfile::tempdir().unwrap();
        for _ in 0..MAX_LEFT_BEHIND + 5 {
            std::fs::write(temp.path().join("ring-1-0-0"), "records").unwrap();
            put_aside(temp.path()).unwrap().unwrap();
        }
        assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), MAX_LEFT_BEHIND);
    }

    #[test]
    fn the_owner_of_a_moved_folder_keeps_its_runtime_directory() {
        let temp = tempfile::tempdir().unwrap();
        let logs = temp.path().join("logs");
        let first = RuntimeDir::open(&folder(&logs), here(temp.path())).unwrap();
        std::fs::write(first.path().join("ring-1-0-0"), "alive").unwrap();
        std::fs::rename(&logs, temp.path().join("moved")).unwrap();
        let second = RuntimeDir::open(&folder(&logs), here(temp.path())).unwrap();
        assert!(second.path().ends_with("logs/.miu"));
        assert_eq!(std::fs::read_to_string(first.path().join("ring-1-0-0")).unwrap(), "alive");
    }

    #[test]
    fn rings_of_an_earlier_run_are_put_aside_not_overwritten() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("runtime");
        make_private(&path).unwrap();
        std::fs::write(path.join("ring-1-0-0"), "records").unwrap();
        let aside = put_aside(&path).unwrap().unwrap();
        assert_eq!(std::fs::read_to_string(aside.join("ring-1-0-0")).unwrap(), "records");
        assert!(put_aside(&path).unwrap().is_none());
    }
}
