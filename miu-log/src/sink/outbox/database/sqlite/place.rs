//! Where a SQLite file is: made with its folders, told from another one of its name, moved aside.
//!
//! P1. What is opened is a plain file with one name: no link, no folder, no device. An open never follows a symbolic link in the file's own name,
//!     nor in those of what SQLite keeps beside it.
//! P2. A new file is 0640 or stricter, and its folders 0750; what is there keeps its mode.
//! P3. Of several processes one makes the file, and one moves it aside: both is done under a lock beside it, `<name>-lock`. A journal that is left
//!     of a file that is gone is removed before the next one is made, as it would be taken for the new one's.
//! P4. The file itself is never opened here once it is there: closing any descriptor of it gives up the locks that SQLite holds in this process. But for
//!     one that SQLite does not take for a database, and beside which nothing shows that it was one.
//! P5. Only what is or was a database is moved aside.
//!
//! Called by the engine.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Access, CWD, FlockOperation, OFlags, RenameFlags};
use rustix::io::Errno;

use super::super::super::deliver::DeliverError;

/// Modes of what is made here, as those of log files.
const FOLDER_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;

/// How often the lock is looked at.
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// What SQLite keeps beside the file.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// The file that is made here beside it.
const LOCK: &str = "-lock";

/// How a database begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Number of the device and of the file on it.
pub(super) type Identity = (u64, u64);

/// See the module's description.
#[derive(Clone, Debug)]
pub(super) struct Place {
    path: PathBuf,
}

impl Place {
    /// The file that an address names: `sqlite:<path>` or `sqlite:///<absolute path>`. The working directory counts now, and not later.
    ///
    /// # Errors
    ///
    /// A text that says what is wrong with the address.
    pub(super) fn of(address: &str) -> Result<Place, String> {
        let rest = address.strip_prefix("sqlite:").unwrap_or(address);
        let path = match rest.strip_prefix("//") {
            None => rest,
            Some(path) if path.starts_with('/') => path,
            Some(_) => {
                return Err(wrong("has a host in it"));
            }
        };
        if path.starts_with(':') {
            return Err(wrong("is none of a file"));
        }
        if path.contains(['?', '\0']) {
            return Err(wrong("has a question mark or a NUL in it"));
        }
        let path = std::path::absolute(path).map_err(|_| wrong("has no path"))?;
        if rest.ends_with('/') || path.file_name().is_none() {
            return Err(wrong("is that of a folder"));
        }
        Ok(Place { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Which file has the path now, if one has.
    ///
    /// # Errors
    ///
    /// When it cannot be looked at, or is no plain file.
    pub(super) fn identity(&self) -> Result<Option<Identity>, DeliverError> {
        let found = match std::fs::symlink_metadata(&self.path) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("cannot be looked at", &error)),
        };
        if !found.is_file() || found.nlink() > 1 {
            let what = if found.is_symlink() {
                "a symbolic link"
            } else if found.is_dir() {
                "a folder"
            } else if found.is_file() {
                "a hard link"
            } else {
                "no file"
            };
            let path = &self.path;
            return Err(DeliverError::off(format!(
                "the database {path:?} is {what}; a plain file with one name is expected, or none"
            )));
        }
        Ok(Some((found.dev(), found.ino())))
    }

    /// Makes the file and its folders where they are missing. The path by which SQLite is to open it, and which file that is.
    ///
    /// # Errors
    ///
    /// When the system refuses, or another process makes it until the deadline.
    pub(super) fn make(&self, deadline: Instant) -> Result<(PathBuf, Identity), DeliverError> {
        let folder = self.folder();
        DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(folder)
            .map_err(|error| self.failed("cannot be given its folder", &error))?;
        let identity = match self.identity()? {
            Some(identity) => identity,
            None => {
                let _lock = self.lock(deadline)?;
                self.make_locked()?
            }
        };
        for end in BESIDE {
            // SQLite would follow it.
            let path = self.beside(end);
            if path.is_symlink() {
                let text = format!(
                    "the database's file {path:?} is a symbolic link; a plain file is expected, or none"
                );
                return Err(DeliverError::off(text));
            }
        }
        // A folder may be a link: SQLite refuses those anywhere in a path once it is told to refuse that of the file.
        let folder = folder.canonicalize().map_err(|error| self.failed("cannot be opened", &error))?;
        Ok((folder.join(self.name()), identity))
    }

    fn make_locked(&self) -> Result<Identity, DeliverError> {
        if let Some(identity) = self.identity()? {
            return Ok(identity);
        }
        for end in BESIDE {
            match std::fs::remove_file(self.beside(end)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(self.failed("cannot be freed of what is left of another one", &error));
                }
                _ => {}
            }
        }
        self.create_whole().map_err(|error| self.failed("cannot be made", &error))?;
        let made = self.identity()?;
        made.ok_or_else(|| DeliverError::retry(format!("the database {:?} was removed at once", self.path)))
    }

    /// Makes the file under another name first (P4).
    fn create_whole(&self) -> io::Result<()> {
        let new = self.beside("-new");
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => drop(self.create(&new, true)?),
        }
        match rustix::fs::renameat_with(CWD, &new, CWD, &self.path, RenameFlags::NOREPLACE) {
            // Some file systems cannot do both at once.
            Err(Errno::INVAL | Errno::NOSYS) => std::fs::rename(&new, &self.path),
            // Somebody without the lock was quicker.
            Err(Errno::EXIST) => std::fs::remove_file(&new),
            other => Ok(other?),
        }
    }

    /// Whether the file, which SQLite does not read, was a database: it begins as one, or beside it is what only a database has.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub(super) fn is_database(&self) -> Result<bool, DeliverError> {
        if [LOCK].iter().chain(&BESIDE).any(|end| self.beside(end).symlink_metadata().is_ok()) {
            return Ok(true);
        }
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let mut begin = [0; MAGIC.len()];
        let read = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(&self.path)
            .and_then(|mut file| file.read_exact(&mut begin));
        match read {
            Ok(()) => Ok(begin == *MAGIC),
            // It is shorter.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(self.failed("cannot be read", &error)),
        }
    }

    /// What is told of a file that never was a database.
    pub(super) fn foreign(&self) -> DeliverError {
        DeliverError::off(format!(
            "the file {:?} is no SQLite database, and is left as it is; give the database another path, or move the file away",
            self.path
        ))
    }

    /// Gives the file another name, with what SQLite keeps beside it, if it is this one still: `<name>.corrupt-<time>`. None where it is another one by now.
    ///
    /// # Errors
    ///
    /// As of [`make`](Place::make).
    pub(super) fn set_aside(
        &self,
        identity: Identity,
        time: &str,
        deadline: Instant,
    ) -> Result<Option<PathBuf>, DeliverError> {
        let _lock = self.lock(deadline)?;
        if self.identity()? != Some(identity) {
            return Ok(None);
        }
        let name = |number: u32| {
            let more = if number > 1 { format!("-{number}") } else { String::new() };
            self.beside(&format!(".corrupt-{time}{more}"))
        };
        let aside = (1..1000).map(name).find(|path| path.symlink_metadata().is_err());
        let aside = aside.unwrap_or_else(|| name(1000));
        std::fs::rename(&self.path, &aside)
            .map_err(|error| self.failed("is damaged and cannot be moved aside", &error))?;
        for end in BESIDE {
            // What is not there, or stays, is removed before the next file is made.
            let _ = std::fs::rename(self.beside(end), with_end(&aside, end));
        }
        Ok(Some(aside))
    }

    /// Says what the user may not do there, if that is what is wrong.
    pub(super) fn complaint(&self) -> Option<String> {
        let may = |path: &Path| rustix::fs::access(path, Access::READ_OK | Access::WRITE_OK);
        let denied = |path: &Path| matches!(may(path), Err(Errno::ACCESS | Errno::PERM));
        let (user, path) = (rustix::process::geteuid().as_raw(), &self.path);
        let beside = BESIDE.map(|end| self.beside(end));
        if let Some(path) = [path].into_iter().chain(&beside).find(|path| denied(path)) {
            Some(format!(
                "the database's file {path:?} may not be written by user {user}; give that user the right to"
            ))
        } else if denied(self.folder()) {
            Some(format!(
                "the folder of the database {path:?} may not be written by user {user}, who has to make files beside it; give that user the right to"
            ))
        } else {
            None
        }
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    fn name(&self) -> &Path {
        self.path.file_name().map_or(Path::new(""), Path::new)
    }

    fn beside(&self, end: &str) -> PathBuf {
        with_end(&self.path, end)
    }

    fn create(&self, path: &Path, is_new: bool) -> io::Result<File> {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let mut options = OpenOptions::new();
        options.write(true).create(true).create_new(is_new).mode(FILE_MODE).custom_flags(flags).open(path)
    }

    /// Whoever has it may make the file or move it aside.
    fn lock(&self, deadline: Instant) -> Result<File, DeliverError> {
        let path = self.beside(LOCK);
        let file = self.create(&path, false).map_err(|error| self.failed("cannot be locked", &error))?;
        loop {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(file),
                Err(Errno::WOULDBLOCK | Errno::INTR) if Instant::now() < deadline => {
                    std::thread::sleep(LOCK_PAUSE);
                }
                Err(errno) => return Err(self.failed("cannot be locked", &errno.into())),
            }
        }
    }

    fn failed(&self, what: &str, error: &io::Error) -> DeliverError {
        let (path, user) = (&self.path, rustix::process::geteuid().as_raw());
        let text = format!("the database {path:?} {what} as user {user}: {error}");
        match error.kind() {
            ErrorKind::PermissionDenied => {
                DeliverError::off(format!("{text}; give that user the right to, or another path"))
            }
            ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::AlreadyExists
            | ErrorKind::InvalidFilename => {
                DeliverError::off(format!("{text}; a file in a folder that can be made is expected"))
            }
            _ if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
                DeliverError::off(format!("{text}; a plain file is expected where a link is"))
            }
            _ => DeliverError::retry(text),
        }
    }
}

fn wrong(what: &str) -> String {
    format!(
        "the address of the SQLite database {what}; sqlite:<path> or sqlite:///<absolute path> is expected"
    )
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
