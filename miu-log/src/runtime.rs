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

pub(crate) mod about;
mod life;
mod locks;

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FallocateFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use time::OffsetDateTime;

use about::About;
pub(crate) use locks::{FileLock, is_held};
use locks::{LOCK_PAUSE, share, take, take_after_the_folder};

use crate::error::Error;
use crate::folder::Folder;
use crate::hash::fnv1a;
use crate::notice::notice;
use crate::queue::blobs::BLOB_PREFIX;
use crate::queue::membership::MEMBER_PREFIX;
use crate::ring::control::{self, Control};
use crate::ring::fork::{self, OwnLock};
use crate::ring::segment;
use crate::rotate::naming::check_app;
use crate::sync::Ordering;

/// Environment variable that names another place for runtime directories.
pub(crate) const RUNTIME_DIR: &str = "MIU_LOG_RUNTIME_DIR";
/// Where files that could not be recovered are put aside.
pub(crate) const LEFT_BEHIND: &str = "left-behind-";
/// How many such runs are kept.
const MAX_LEFT_BEHIND: usize = 16;
/// Space that must be there for a start: one small ring.
const PROBE: u64 = 128 * 1024;
const HOLDER: &str = "holder";
/// The page that all processes share, and what a repository is.
pub(crate) const CONTROL: &str = "control";
/// How far the listener has got.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// What tells it from the one before and the next.
const LIFE: &str = "life";
/// The runtime directory inside the log folder.
const INSIDE: &str = ".miu";
/// The end of the name of the file that is locked for one of several repositories in a log folder.
const INSTANCE_LOCK: &str = ".miu-lock";
/// No holder's line is nearly as long.
const LONGEST_HOLDER: u64 = 256;

/// The runtime directory of one repository. Holds the lock on the log folder until it is dropped.
#[derive(Debug)]
pub(crate) struct RuntimeDir {
    path: PathBuf,
    /// Where an earlier run of this folder may have been instead.
    others: Vec<PathBuf>,
    log_folder: PathBuf,
    /// The control file, locked: that is how others see whether there is a listener.
    control_lock: Option<OwnLock>,
    /// The directory itself, locked: whose log folder has been moved away since is still its owner.
    _lock: OwnLock,
    /// On the log folder. A descriptor of its own, so that a forked child can let go of it. The last that is given back: whoever gets it
    /// finds the others free.
    _folder_lock: OwnLock,
    /// Where the repository shares its log folder with others: the file that is locked in its stead.
    instance: Option<Instance>,
    /// Processes go on in it when this one leaves.
    keep: bool,
    generation: u32,
}

impl RuntimeDir {
    /// Takes the log folder's lock and sets the directory up. With `take_over`, a repository that has the folder is asked to hand it over, and
    /// given so long. With an `instance`, its own name among the repositories that share the folder, it is that name that is taken.
    ///
    /// # Errors
    ///
    /// When another repository has the folder (the error names its process and since when), or no place can be used.
    pub(crate) fn open(
        folder: &Folder,
        instance: Option<&str>,
        env: impl Fn(&str) -> Option<OsString>,
        take_over: Option<TakeOver<'_>>,
    ) -> Result<RuntimeDir, Error> {
        let full = std::fs::canonicalize(folder.path())
            .map_err(|error| Error::io(format!("cannot find the log folder {:?}", folder.path()), error))?;
        let mut places = places(&full, instance, rustix::process::geteuid().as_raw(), &env);
        let cannot_lock =
            |errno: Errno| Error::io(format!("cannot lock the log folder {full:?}"), io::Error::from(errno));
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let own = rustix::fs::openat(folder.fd(), ".", flags, Mode::empty()).map_err(cannot_lock)?;
        let folder_lock = OwnLock::new(own);
        let (instance, mut taken) = match instance {
            None => (None, take(folder_lock.fd()).map_err(cannot_lock)?),
            Some(name) => {
                if !share(folder_lock.fd()).map_err(cannot_lock)? {
                    return Err(Error::in_use(format!(
                        "the log folder {full:?} is in use by a repository that shares it with no other; only such as are \
                         `isolated` can be in one folder: choose another one"
                    )));
                }
                let (instance, taken) = Instance::take(folder, name).map_err(|error| {
                    Error::io(format!("cannot lock the log files of {name:?} in {full:?}"), error)
                })?;
                (Some(instance), taken)
            }
        };
        if !taken && let Some(take_over) = &take_over {
            let lock = instance.as_ref().map_or(folder_lock.fd(), |instance| instance.lock.fd());
            taken = handed_over(lock, &places, take_over)?;
        }
        if !taken && let Some(instance) = &instance {
            return Err(Error::in_use(format!(
                "the log files of {:?} in {full:?} are in use by {}; each process has files of its own: give this one another \
                 name (`app`, or the variable NAME_APP)",
                instance.name,
                holder(&places)
            )));
        }
        if !taken {
            let asked = match take_over {
                Some(TakeOver { patience, .. }) => {
                    format!(", which did not hand it over within {patience:?}")
                }
                None => String::new(),
            };
            return Err(Error::in_use(format!(
                "the log folder {full:?} is in use by {}{asked}; one repository at a time owns a folder: share its queue, join \
                 it by `connect`, take it over by `take_over`, or choose another folder",
                holder(&places)
            )));
        }
        // Processes that go on without a listener are where they are.
        if !has_living(&places[0].path) && has_living(&places[1].path) {
            places.swap(0, 1);
        }
        let mut refusals = Vec::new();
        for Place { path, own_parent } in &places {
            match set_up(path, *own_parent) {
                Ok(lock) => {
                    if let Some(refusal) = refusals.first() {
                        notice("runtime", &format!("{refusal}; using {path:?} instead"));
                    }
                    let others = places.iter().map(|place| place.path.clone());
                    return Ok(RuntimeDir {
                        path: path.clone(),
                        others: others.filter(|other| other != path).collect(),
                        log_folder: full,
                        _folder_lock: folder_lock,
                        instance,
                        _lock: OwnLock::new(lock),
                        control_lock: None,
                        keep: false,
                        generation: fork::generation(),
                    });
                }
                Err(error) => refusals.push(format!("cannot use the runtime directory {path:?}: {error}")),
            }
        }
        Err(Error::config(format!(
            "no place for the runtime directory ({}); {RUNTIME_DIR} can name one",
            refusals.join("; ")
        )))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where rings of an earlier run may be besides.
    pub(crate) fn others(&self) -> &[PathBuf] {
        &self.others
    }

    /// The log folder's canonical path.
    pub(crate) fn log_folder(&self) -> &Path {
        &self.log_folder
    }

    /// Where a ring goes on that is full while there is no listener.
    pub(crate) fn spill(&self) -> PathBuf {
        let instance = self.instance.as_ref().map(|instance| &*instance.name);
        spill_of(&self.log_folder, instance)
    }

    /// Writes down who has the directory.
    pub(crate) fn sign(&self) -> Result<(), Error> {
        let now = OffsetDateTime::now_utc();
        let text = format!(
            "{} {:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z\n",
            std::process::id(),
            now.year(),
            u8::from(now.month()),
            now.day(),
            now.hour(),
            now.minute(),
            now.second()
        );
        let path = self.path.join(HOLDER);
        private_file(&path, true)
            .and_then(|mut holder| holder.write_all(text.as_bytes()))
            .map_err(|error| Error::io(format!("cannot write {path:?}"), error))
    }

    /// Opens a file of the directory, or makes it with mode 0600.
    pub(crate) fn file(&self, name: &str) -> Result<File, Error> {
        let path = self.path.join(name);
        private_file(&path, false).map_err(|error| Error::io(format!("cannot open {path:?}"), error))
    }

    /// The control file, if there is one.
    pub(crate) fn control(&self) -> Option<File> {
        let path = self.path.join(CONTROL);
        OpenOptions::new().read(true).write(true).custom_flags(OFlags::NOFOLLOW.bits() as i32).open(path).ok()
    }

    /// Puts a new control file in place, whole from the beginning.
    pub(crate) fn place_control(&self, fill: impl FnOnce(&File) -> io::Result<()>) -> Result<File, Error> {
        let (unfinished, path) = (self.path.join("control.new"), self.path.join(CONTROL));
        let made = private_file(&unfinished, true).and_then(|file| {
            rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, control::PAGE as u64)?;
            fill(&file)?;
            std::fs::rename(&unfinished, &path)?;
            Ok(file)
        });
        made.map_err(|error| Error::io(format!("cannot make the control file {path:?}"), error))
    }

    /// Takes the lock by which others see that there is a listener.
    pub(crate) fn lock_control(&mut self) -> Result<(), Error> {
        let failed = |error: io::Error| Error::io("cannot lock the control file", error);
        // A descriptor of its own: locks belong to the opening, not to the file.
        let own = File::open(self.path.join(CONTROL)).map_err(failed)?;
        if !take_after_the_folder(&own).map_err(|errno| failed(errno.into()))? {
            return Err(failed(io::Error::other("another process holds it")));
        }
        self.control_lock = Some(OwnLock::new(own.into()));
        Ok(())
    }

    /// Other processes go on in the directory, or there is something in it to be recovered: dropping it leaves everything as it is.
    pub(crate) fn keep(&mut self) {
        self.keep = true;
    }

    /// What is in it is written, or counted, before it is dropped.
    pub(crate) fn give_up(&mut self) {
        self.keep = false;
    }
}

impl Drop for RuntimeDir {
    fn drop(&mut self) {
        if self.generation != fork::generation() {
            // A forked child's copy: the directory is its parent's.
            return;
        }
        let _ = std::fs::remove_file(self.path.join(HOLDER));
        if !self.keep {
            // Everything in it is written, or was counted as abandoned. What cannot be removed is looked at by the next start.
            for name in [CHECKPOINT, LIFE, CONTROL] {
                let _ = std::fs::remove_file(self.path.join(name));
            }
            let _ = std::fs::remove_dir(&self.path);
            // Kept where there is something to be recovered: it is by this file that the instance is found.
            if let Some(instance) = &self.instance {
                let _ = rustix::fs::unlinkat(&instance.folder, &*instance.file, AtFlags::empty());
            }
        }
    }
}

/// One of the repositories that share a log folder: a hidden file in the folder is locked for it.
#[derive(Debug)]
struct Instance {
    name: String,
    file: String,
    folder: OwnedFd,
    lock: OwnLock,
}

impl Instance {
    /// Opens the file, makes it where it is missing, and takes the lock, if nobody has it. It is removed at a proper end, so that the name may lead to another
    /// file than the one that was locked: then that one is tried.
    fn take(folder: &Folder, name: &str) -> io::Result<(Instance, bool)> {
        let file = instance_file(name);
        let directory = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        loop {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let opened = rustix::fs::openat(folder.fd(), &*file, flags, Mode::RUSR | Mode::WUSR)?;
            let taken = take(&opened)?;
            let this = rustix::fs::fstat(&opened)?;
            let is_there = folder
                .stat(&file)
                .is_ok_and(|there| there.st_ino == this.st_ino && there.st_dev == this.st_dev);
            if is_there || !taken {
                let folder = rustix::fs::openat(folder.fd(), ".", directory, Mode::empty())?;
                let instance = Instance { name: name.to_owned(), file, folder, lock: OwnLock::new(opened) };
                return Ok((instance, taken));
            }
        }
    }
}

/// The file in the log folder that is locked for an instance.
pub(crate) fn instance_file(name: &str) -> String {
    format!(".{name}{INSTANCE_LOCK}")
}

/// The names of the repositories that share a log folder, or did so and have not ended properly.
pub(crate) fn instances(folder: &Folder) -> Vec<String> {
    instances_of(folder.names().unwrap_or_default())
}

/// The same, of the names of all files in the folder.
pub(crate) fn instances_of(files: impl IntoIterator<Item = String>) -> Vec<String> {
    let name = |file: String| Some(file.strip_prefix('.')?.strip_suffix(INSTANCE_LOCK)?.to_owned());
    let mut names: Vec<String> = files.into_iter().filter_map(name).collect();
    names.retain(|name| check_app(name).is_ok());
    names.sort();
    names
}

/// Where rings go on that are full while there is no listener, for this log folder.
pub(crate) fn spill_of(log_folder: &Path, instance: Option<&str>) -> PathBuf {
    log_folder.join(match instance {
        None => INSIDE.to_owned(),
        Some(instance) => format!("{INSIDE}-{instance}"),
    })
}

/// How another repository is asked for the folder that it has.
pub(crate) struct TakeOver<'a> {
    /// How long it may take.
    pub(crate) patience: Duration,
    /// Whether who asks can go on where it stops. Asked first: what has been handed over is not given back.
    pub(crate) fits: &'a dyn Fn(&About) -> Result<(), Error>,
}

/// Asks the listener of these places to hand over, and waits for the lock.
fn handed_over(lock: &OwnedFd, places: &[Place], take_over: &TakeOver<'_>) -> Result<bool, Error> {
    let open = |place: &Place| {
        let file = OpenOptions::new().read(true).write(true).open(place.path.join(CONTROL)).ok()?;
        Some((Control::open(&file).ok()?, About::read(&file)?))
    };
    let mut asked = Vec::new();
    for (control, about) in places.iter().filter_map(open) {
        (take_over.fits)(&about)?;
        asked.push(control);
    }
    let deadline = Instant::now() + take_over.patience;
    let mut taken = false;
    while !taken && Instant::now() < deadline {
        for control in &asked {
            control.page().listener.successor.store(std::process::id(), Ordering::Release);
            control.page().wake.waker.wake();
        }
        std::thread::sleep(LOCK_PAUSE);
        taken = matches!(rustix::fs::flock(lock, FlockOperation::NonBlockingLockExclusive), Ok(()));
    }
    for control in &asked {
        control.page().listener.successor.store(0, Ordering::Release);
    }
    Ok(taken)
}

/// Whether a process that has joined there is alive.
fn has_living(directory: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(directory) else { return false };
    entries.flatten().any(|entry| {
        entry.file_name().to_string_lossy().starts_with(MEMBER_PREFIX)
            && open_to_read(&entry.path()).is_ok_and(|file| is_held(&file).unwrap_or(false))
    })
}

/// A place for a runtime directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    /// The folder it is in is miu-log's own too, and must be as private.
    own_parent: bool,
}

/// The places that a repository of this user tries for this log folder (its canonical path), best first. One of several that share the folder has
/// places of its own.
pub(crate) fn places(
    log_folder: &Path,
    instance: Option<&str>,
    user: u32,
    env: &impl Fn(&str) -> Option<OsString>,
) -> [Place; 2] {
    let mut whose = log_folder.as_os_str().as_encoded_bytes().to_owned();
    if let Some(instance) = instance {
        // No path has a NUL in it.
        whose.push(0);
        whose.extend(instance.as_bytes());
    }
    let name = format!("{:016x}", fnv1a(&whose));
    let first = match env(RUNTIME_DIR).filter(|value| !value.is_empty()) {
        Some(place) => Place { path: PathBuf::from(place).join(name), own_parent: false },
        None => {
            let parent = PathBuf::from(format!("/dev/shm/miu-log-{user}"));
            Place { path: parent.join(name), own_parent: true }
        }
    };
    [first, Place { path: spill_of(log_folder, instance), own_parent: false }]
}

/// Makes the directory, takes it, and tries out whether there is space.
fn set_up(path: &Path, own_parent: bool) -> io::Result<OwnedFd> {
    if let Some(parent) = path.parent().filter(|_| own_parent) {
        make_private(parent)?;
    }
    make_private(path)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let lock = rustix::fs::open(path, flags, Mode::empty())?;
    if !take_after_the_folder(&lock)? {
        let text = "another repository uses it, whose log folder had this path and has been moved away";
        return Err(io::Error::other(text));
    }
    let probe = path.join("probe");
    let file = private_file(&probe, true)?;
    let reserved = if segment::file_may_have(PROBE) {
        rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, PROBE)
    } else {
        Err(Errno::FBIG)
    };
    std::fs::remove_file(&probe)?;
    reserved?;
    Ok(lock)
}

/// Whether this is a directory that only this user can enter.
pub(crate) fn is_private(path: &Path) -> bool {
    let user = rustix::process::geteuid().as_raw();
    std::fs::symlink_metadata(path)
        .is_ok_and(|found| found.is_dir() && found.uid() == user && found.permissions().mode() & 0o077 == 0)
}

/// A directory that only its owner can enter: made, or found to be so.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
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

pub(crate) fn private_file(path: &Path, empty: bool) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .read(true)
        .create(true)
        .truncate(empty)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits() as i32)
        .open(path)
}

/// Moves these files of a directory into a folder of their own in it, for somebody to look at.
pub(crate) fn put_aside(path: &Path, names: &[String]) -> io::Result<PathBuf> {
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
    for name in names {
        std::fs::rename(path.join(name), aside.join(name))?;
    }
    Ok(aside)
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
    name.starts_with(segment::FILE_PREFIX) || name.starts_with(BLOB_PREFIX)
}

/// Opens somebody's file for reading: a regular one, not a link, and without waiting for anybody.
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    open_regular(OpenOptions::new().read(true), path)
}

/// As `open_to_read`, for writing into what is there.
pub(crate) fn open_to_note(path: &Path) -> io::Result<File> {
    open_regular(OpenOptions::new().write(true), path)
}

fn open_regular(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = options.custom_flags(flags.bits() as i32).open(path);
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
        let first = RuntimeDir::open(&folder(&logs), None, here(temp.path()), None).unwrap();
        first.sign().unwrap();
        let second = RuntimeDir::open(&folder(&logs), None, here(temp.path()), None).unwrap_err();
        assert!(second.is_in_use());
        let text = second.to_string();
        assert!(text.contains(&format!("process {} since 20", std::process::id())), "{text}");
        drop(first);
        assert!(RuntimeDir::open(&folder(&logs), None, here(temp.path()), None).is_ok());
    }

    // The kernel closed the dying process's log folder before its runtime directory.
    #[test]
    fn a_process_that_is_just_ending_keeps_nobody_out_of_its_directory() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::set_permissions(temp.path(), PermissionsExt::from_mode(0o700)).unwrap();
        let logs = temp.path().join("logs");
        let first = RuntimeDir::open(&folder(&logs), None, here(temp.path()), None).unwrap();
        let path = first.path().to_owned();
        drop(first);
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
        let dying = File::open(&path).unwrap();
        assert_eq!(take(&dying), Ok(true));
        std::thread::scope(|scope| {
            let next =
                scope.spawn(|| RuntimeDir::open(&folder(&logs), None, here(temp.path()), None).unwrap());
            let log_folder = File::open(&logs).unwrap();
            while !is_held(&log_folder).unwrap() {
                std::thread::yield_now();
            }
            drop(dying);
            assert_eq!(next.join().unwrap().path(), path);
        });
    }

    #[test]
    fn repositories_that_share_a_folder_are_told_apart_by_their_names() {
        let temp = tempfile::tempdir().unwrap();
        let logs = temp.path().join("logs");
        let open = |instance| RuntimeDir::open(&folder(&logs), instance, here(temp.path()), None);
        let orders = open(Some("orders")).unwrap();
        let mailer = open(Some("Mailer")).unwrap();
        assert_ne!(orders.path(), mailer.path());
        assert_ne!(orders.spill(), mailer.spill());
        assert_eq!(instances(&folder(&logs)), ["Mailer", "orders"]);
        let text = open(Some("orders")).unwrap_err();
        assert!(text.is_in_use() && text.to_string().contains("the log files of \"orders\" in "), "{text}");
        assert!(open(None).unwrap_err().is_in_use(), "the whole folder cannot be had");
        drop((orders, mailer));
        assert!(instances(&folder(&logs)).is_empty(), "nothing stays in the folder");
        let whole = open(None).unwrap();
        let text = open(Some("orders")).unwrap_err().to_string();
        assert!(text.contains("shares it with no other"), "{text}");
        drop(whole);
        assert!(open(Some("orders")).is_ok());
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
        let runtime = RuntimeDir::open(&full, None, here(&open), None).unwrap();
        assert!(runtime.path().ends_with("logs/.miu"));
    }

    #[test]
    fn a_bounded_number_of_runs_is_kept() {
        let temp = tempfile::tempdir().unwrap();
        for _ in 0..MAX_LEFT_BEHIND + 5 {
            std::fs::write(temp.path().join("ring-1-0-0"), "records").unwrap();
            put_aside(temp.path(), &["ring-1-0-0".to_owned()]).unwrap();
        }
        assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), MAX_LEFT_BEHIND);
    }

    #[test]
    fn the_owner_of_a_moved_folder_keeps_its_runtime_directory() {
        let temp = tempfile::tempdir().unwrap();
        let logs = temp.path().join("logs");
        let first = RuntimeDir::open(&folder(&logs), None, here(temp.path()), None).unwrap();
        std::fs::write(first.path().join("ring-1-0-0"), "alive").unwrap();
        std::fs::rename(&logs, temp.path().join("moved")).unwrap();
        let second = RuntimeDir::open(&folder(&logs), None, here(temp.path()), None).unwrap();
        assert!(second.path().ends_with("logs/.miu"));
        assert_eq!(std::fs::read_to_string(first.path().join("ring-1-0-0")).unwrap(), "alive");
    }
}
