//! The runtime directory: where a repository's segments, dictionary and checkpoint live.
//!
//! `/dev/shm/miu-log-<uid>/<hash of the log folder>/`, or below the folder in `MIU_LOG_RUNTIME_DIR`, or
//! `<log folder>/.miu/` where neither can be had. It is for its owner alone, and space in it is tried out at the start, so that a
//! full memory file system shows as an error and never as a fault on access.
//!
//! The lock that makes a repository the only one of its log folder is on the log folder itself: programs that see
//! the same folder see the same lock, whatever runtime directory each has.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, FlockOperation, OFlags};
use rustix::io::Errno;
use time::OffsetDateTime;

use crate::error::Error;
use crate::folder::Folder;
use crate::hash::fnv1a;
use crate::notice::notice;

/// Environment variable that names another place for runtime directories.
pub(crate) const RUNTIME_DIR: &str = "MIU_LOG_RUNTIME_DIR";
/// Where segments of a run that did not end properly are put aside.
const LEFT_BEHIND: &str = "left-behind-";
/// Space that must be there for a start: one small ring.
const PROBE: u64 = 128 * 1024;
const HOLDER: &str = "holder";

/// The runtime directory of one repository. Holds the lock on the log folder until it is dropped.
#[derive(Debug)]
pub(crate) struct RuntimeDir {
    path: PathBuf,
    folder: Folder,
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
        let name = format!("{:016x}", fnv1a(full.as_os_str().as_encoded_bytes()));
        let places = places(&full, &name, &env);
        match rustix::fs::flock(folder.fd(), FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
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
                Ok(left_behind) => {
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
                    return Ok(RuntimeDir { path: path.clone(), folder: folder.clone() });
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

/// A place for a runtime directory.
struct Place {
    path: PathBuf,
    /// The folder it is in is miu-log's own too, and must be as private.
    own_parent: bool,
}

/// The places to try, best first.
fn places(log_folder: &Path, name: &str, env: &impl Fn(&str) -> Option<OsString>) -> [Place; 2] {
    let first = match env(RUNTIME_DIR).filter(|value| !value.is_empty()) {
        Some(place) => Place { path: PathBuf::from(place).join(name), own_parent: false },
        None => {
            let user = rustix::process::geteuid().as_raw();
            let parent = PathBuf::from(format!("/dev/shm/miu-log-{user}"));
            Place { path: parent.join(name), own_parent: true }
        }
    };
    [first, Place { path: log_folder.join(".miu"), own_parent: false }]
}

/// Makes the directory, puts aside what an earlier run left in it, tries out whether there is space, and writes down
/// who has it. The folder with what was put aside, if there was anything.
fn set_up(path: &Path, own_parent: bool) -> io::Result<Option<PathBuf>> {
    if let Some(parent) = path.parent().filter(|_| own_parent) {
        make_private(parent)?;
    }
    make_private(path)?;
    let left_behind = put_aside(path)?;
    let probe = path.join("probe");
    let file = private_file(&probe)?;
    let reserved = rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, PROBE);
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
    Ok(left_behind)
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
        rings |= text.starts_with("ring-") || text.starts_with("blob-");
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

/// Who holds the lock, as far as it has written it down.
fn holder(places: &[Place]) -> String {
    let found = places.iter().find_map(|place| std::fs::read_to_string(place.path.join(HOLDER)).ok());
    match found.as_deref().map(str::trim).and_then(|text| text.split_once(' ')) {
        Some((pid, since)) => format!("process {pid} since {since}"),
        None => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
