//! The log folder: opened once as a directory, and every log file opened relative to it.
//!
//! F1. A file is opened inside the folder that was opened at the start, whatever happens to the path.
//! F2. What is opened is a regular file with one name, not a link, FIFO, device, socket or folder;
//!     the open neither blocks nor follows a symbolic link, and the check is made on what was opened.
//! F3. An existing file is never truncated and its mode never widened; a new one is 0640 or stricter.
//! F4. A folder that was removed while it was in use is told apart from a file that is missing:
//!     [`FolderRemoved`].
//!
//! Called by the file sink and the configuration; imports nothing of the crate.

use std::fmt;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

/// Mode of a new log file; the umask may make it stricter.
const FILE_MODE: u32 = 0o640;

/// Mode of a new folder; the umask may make it stricter.
const FOLDER_MODE: u32 = 0o750;

/// How often an open is tried again when the file comes and goes under it.
const OPEN_ATTEMPTS: usize = 8;

/// An open log folder. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    fd: OwnedFd,
}

impl Folder {
    /// Opens a log folder. It and its parents are made, with mode 0750, where they are missing.
    ///
    /// # Errors
    ///
    /// The text names the path, the user and the system's reason, and says what is accepted.
    pub(crate) fn open(path: &Path) -> io::Result<Folder> {
        let explain = |error: io::Error| {
            let text = format!(
                "cannot open the log folder {path:?} as user {}: {error}; a folder is expected that this user \
                 may write to, or that can be made",
                rustix::process::geteuid().as_raw()
            );
            io::Error::new(error.kind(), text)
        };
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path).map_err(explain)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| explain(errno.into()))?;
        Ok(Folder { inner: Arc::new(Inner { path: path.to_owned(), fd }) })
    }

    /// The path under which the folder was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The open folder itself, for calls relative to it.
    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.inner.fd
    }

    /// Opens the log file `name` for appending; makes it where it is missing, with mode 0640 or stricter, as the umask says. With a `mode` the file has
    /// just this one afterwards.
    ///
    /// # Errors
    ///
    /// When the system refuses, or the name belongs to something that is no plain file of its own.
    /// The text names path, user and reason.
    pub(crate) fn open_log(&self, name: &str, mode: Option<u32>) -> io::Result<File> {
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
            return Err(self.refuse(name, io::ErrorKind::InvalidInput, "it is not a file name"));
        }
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        // Opening and making are two calls, so that it is known whether the file is new (F3).
        for _ in 0..OPEN_ATTEMPTS {
            let (fd, created) = match rustix::fs::openat(self.fd(), name, flags, Mode::empty()) {
                Ok(fd) => (fd, false),
                Err(Errno::NOENT) => {
                    let make = flags | OFlags::CREATE | OFlags::EXCL;
                    match rustix::fs::openat(
                        self.fd(),
                        name,
                        make,
                        Mode::from_raw_mode(mode.unwrap_or(FILE_MODE) & FILE_MODE),
                    ) {
                        Ok(fd) => (fd, true),
                        Err(Errno::EXIST) => continue,
                        Err(errno) => return Err(self.explain(name, errno)),
                    }
                }
                Err(errno) => return Err(self.explain(name, errno)),
            };
            let stat = rustix::fs::fstat(&fd).map_err(|errno| self.explain(name, errno))?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => {}
                other => return Err(self.refuse_kind(name, other)),
            }
            match stat.st_nlink {
                0 => continue,
                1 => {}
                links => {
                    let reason = format!("it is a hard link, one of {links} names of the same file");
                    return Err(self.refuse(name, io::ErrorKind::InvalidInput, &reason));
                }
            }
            if let Some(mode) = mode {
                if stat.st_mode & 0o7777 != mode {
                    let mode = Mode::from_raw_mode(mode);
                    rustix::fs::fchmod(&fd, mode).map_err(|errno| self.explain(name, errno))?;
                }
                return Ok(File::from(fd));
            }
            // The umask and a folder's access list can only have narrowed the mode; some file systems ignore both.
            if created && stat.st_mode & 0o7777 & !FILE_MODE != 0 {
                let narrowed = Mode::from_raw_mode(stat.st_mode & FILE_MODE);
                rustix::fs::fchmod(&fd, narrowed).map_err(|errno| self.explain(name, errno))?;
            }
            return Ok(File::from(fd));
        }
        Err(self.refuse(name, io::ErrorKind::Interrupted, "it is made and removed again all the time"))
    }

    /// The last byte of the file `name`, if that is the file with this device and number still, is not
    /// empty, and may be read. It is read by a descriptor of its own: the one for writing may not be read.
    pub(crate) fn last_byte(&self, name: &str, identity: (u64, u64)) -> Option<u8> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let fd = rustix::fs::openat(self.fd(), name, flags, Mode::empty()).ok()?;
        let stat = rustix::fs::fstat(&fd).ok()?;
        if (stat.st_dev, stat.st_ino) != identity {
            return None;
        }
        let last = u64::try_from(stat.st_size).ok()?.checked_sub(1)?;
        let mut byte = [0];
        let count = rustix::io::retry_on_intr(|| rustix::io::pread(&fd, &mut byte, last)).ok()?;
        (count == 1).then_some(byte[0])
    }

    /// Gives a file another name, unless something has that already.
    ///
    /// # Errors
    ///
    /// `EXIST` where the name is taken, else those of the system.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), Errno> {
        match rustix::fs::renameat_with(self.fd(), from, self.fd(), to, RenameFlags::NOREPLACE) {
            // Some file systems cannot do both at once. Nobody else makes such names here.
            Err(Errno::INVAL | Errno::NOSYS) => match self.stat(to) {
                Err(Errno::NOENT) => rustix::fs::renameat(self.fd(), from, self.fd(), to),
                Ok(_) => Err(Errno::EXIST),
                Err(errno) => Err(errno),
            },
            result => result,
        }
    }

    /// All names in the folder, in no order. Names that are no UTF-8 are left out: none of ours is such a one.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(crate) fn names(&self) -> Result<Vec<String>, Errno> {
        let mut names = Vec::new();
        for entry in Dir::read_from(self.fd())? {
            if let Ok(name) = entry?.file_name().to_str() {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Has a symbolic link of this name lead to a file in the folder. One that is there is replaced, in one step; anything else is left alone.
    ///
    /// # Errors
    ///
    /// `EXIST` where the name belongs to something that is no symbolic link, else those of the system.
    pub(crate) fn link(&self, name: &str, target: &str) -> Result<(), Errno> {
        match self.stat(name) {
            Err(Errno::NOENT) => return rustix::fs::symlinkat(target, self.fd(), name),
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {}
            Ok(_) => return Err(Errno::EXIST),
            Err(errno) => return Err(errno),
        }
        if rustix::fs::readlinkat(self.fd(), name, Vec::new())
            .is_ok_and(|old| old.as_bytes() == target.as_bytes())
        {
            return Ok(());
        }
        let new = format!(".{name}.part");
        match rustix::fs::unlinkat(self.fd(), &*new, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
        rustix::fs::symlinkat(target, self.fd(), &*new)?;
        rustix::fs::renameat(self.fd(), &*new, self.fd(), name)
    }

    /// Where a symbolic link leads, if this is the name of one.
    pub(crate) fn link_target(&self, name: &str) -> Option<String> {
        rustix::fs::readlinkat(self.fd(), name, Vec::new()).ok()?.into_string().ok()
    }

    /// Cuts the log file `name` to a length, if it is the one with this device and number still, and longer. Where that file has
    /// been rotated since, it is found under the name that it was given.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(crate) fn cut(&self, name: &str, identity: (u64, u64), len: u64) -> io::Result<()> {
        if self.cut_named(name, identity, len)? {
            return Ok(());
        }
        // A rotated file's name begins with all of the former name but its extension.
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        for other in self.names()? {
            // What cannot be opened is not ours to cut.
            if other.starts_with(stem) && self.cut_named(&other, identity, len).unwrap_or(false) {
                break;
            }
        }
        Ok(())
    }

    /// Cuts the file of this name, if it is the one with this device and number, and longer. Whether it is that one.
    fn cut_named(&self, name: &str, identity: (u64, u64), len: u64) -> io::Result<bool> {
        if name.contains('/') {
            // It was read from a file that anything may have been done to: nothing outside the folder is touched.
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no name of a log file"));
        }
        let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let fd = match rustix::fs::openat(self.fd(), name, flags, Mode::empty()) {
            Ok(fd) => fd,
            // What stands there is no log file, or gone.
            Err(Errno::NOENT | Errno::LOOP | Errno::ISDIR | Errno::NXIO) => return Ok(false),
            Err(errno) => return Err(errno.into()),
        };
        let stat = rustix::fs::fstat(&fd)?;
        if (stat.st_dev, stat.st_ino) != identity {
            return Ok(false);
        }
        if u64::try_from(stat.st_size).is_ok_and(|size| size > len) {
            rustix::fs::ftruncate(&fd, len)?;
        }
        Ok(true)
    }

    /// Whether the folder itself is gone: it is open, but has no name any more.
    fn is_removed(&self) -> bool {
        rustix::fs::fstat(self.fd()).is_ok_and(|stat| stat.st_nlink == 0)
    }

    /// What the name stands for now, without following a link.
    pub(crate) fn stat(&self, name: &str) -> Result<Stat, Errno> {
        rustix::fs::statat(self.fd(), name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// The error of a failed open, in terms of what stands in the way where that can be told.
    fn explain(&self, name: &str, errno: Errno) -> io::Error {
        // These mean that the name is no regular file: a link (LOOP), a folder, a FIFO or socket nobody reads.
        if matches!(errno, Errno::LOOP | Errno::ISDIR | Errno::NXIO)
            && let Ok(stat) = self.stat(name)
        {
            let kind = FileType::from_raw_mode(stat.st_mode);
            if kind != FileType::RegularFile {
                return self.refuse_kind(name, kind);
            }
        }
        if errno == Errno::NOENT && self.is_removed() {
            let removed = FolderRemoved { file: self.path().join(name) };
            return io::Error::new(io::ErrorKind::NotFound, removed);
        }
        // What stands there is as it should be, for all that is known.
        let error = io::Error::from(errno);
        io::Error::new(error.kind(), self.cannot_open(name, &error.to_string()))
    }

    fn refuse_kind(&self, name: &str, kind: FileType) -> io::Error {
        let what = match kind {
            FileType::Symlink => "it is a symbolic link",
            FileType::Directory => "it is a folder",
            FileType::Fifo => "it is a FIFO",
            FileType::Socket => "it is a socket",
            FileType::CharacterDevice | FileType::BlockDevice => "it is a device",
            _ => "it is not a regular file",
        };
        self.refuse(name, io::ErrorKind::InvalidInput, what)
    }

    fn refuse(&self, name: &str, kind: io::ErrorKind, reason: &str) -> io::Error {
        let text = self.cannot_open(name, reason);
        io::Error::new(kind, format!("{text}; a regular file with this one name is expected, or none"))
    }

    fn cannot_open(&self, name: &str, reason: &str) -> String {
        let user = rustix::process::geteuid().as_raw();
        format!("cannot open the log file {:?} as user {user}: {reason}", self.path().join(name))
    }
}

/// The log folder was removed while it was in use. Nothing can be made in it any more, and it does not come
/// back: a folder of the same name is another one (F1).
#[derive(Debug)]
pub(crate) struct FolderRemoved {
    file: PathBuf,
}

impl FolderRemoved {
    /// Whether this is the cause of an error of [`Folder::open_log`].
    pub(crate) fn caused(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|cause| cause.is::<FolderRemoved>())
    }
}

impl fmt::Display for FolderRemoved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot open the log file {:?} as user {}: the log folder was removed while it was in use; it is \
             expected to stay until the program ends, and is made anew when the program is started again",
            self.file,
            rustix::process::geteuid().as_raw()
        )
    }
}

impl std::error::Error for FolderRemoved {}

/// A text that may not be part of a log file's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvalidStem {
    given: String,
}

impl fmt::Display for InvalidStem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A hostile name is shown escaped, and no longer than what is accepted.
        let shown: String = self.given.chars().take(64).collect();
        write!(
            f,
            "{shown:?} cannot be part of a log file's name: expected 1 to 64 characters of a-z, 0-9, _ and -, the \
             first of them a letter or digit, and no device name of Windows (con, prn, aux, nul, com0 to com9, \
             lpt0 to lpt9)"
        )
    }
}

impl std::error::Error for InvalidStem {}

/// Checks that a text may be part of a log file's name on every system.
///
/// # Errors
///
/// [`InvalidStem`], whose text states the rule.
pub(crate) fn valid_stem(text: &str) -> Result<(), InvalidStem> {
    let bytes = text.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let fits = (1..=64).contains(&bytes.len())
        && bytes.first().is_some_and(plain)
        && bytes.iter().all(|byte| plain(byte) || matches!(byte, b'_' | b'-'));
    let device = match bytes {
        b"con" | b"prn" | b"aux" | b"nul" => true,
        [b'c', b'o', b'm', digit] | [b'l', b'p', b't', digit] => digit.is_ascii_digit(),
        _ => false,
    };
    if fits && !device { Ok(()) } else { Err(InvalidStem { given: text.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        (dir, folder)
    }

    fn refusal(folder: &Folder, name: &str) -> String {
        let text = folder.open_log(name, None).unwrap_err().to_string();
        assert!(text.contains(name) && text.contains("as user "), "{text}");
        text
    }

    #[test]
    fn opening_appends_and_never_truncates() {
        let (dir, folder) = folder();
        fs::write(dir.path().join("app.log"), "old\n").unwrap();
        folder.open_log("app.log", None).unwrap().write_all(b"new\n").unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("app.log")).unwrap(), "old\nnew\n");
    }

    #[test]
    fn nothing_outside_the_folder_is_cut() {
        let (dir, folder) = folder();
        let other = tempfile::NamedTempFile::new_in(dir.path().parent().unwrap()).unwrap();
        fs::write(other.path(), "0123456789").unwrap();
        let found = fs::metadata(other.path()).unwrap();
        let up = format!("../{}", other.path().file_name().unwrap().to_str().unwrap());
        for name in [up.as_str(), other.path().to_str().unwrap()] {
            assert!(folder.cut(name, (found.dev(), found.ino()), 5).is_err());
        }
        assert_eq!(fs::metadata(other.path()).unwrap().len(), 10);
    }

    #[test]
    fn only_the_same_file_is_cut_and_only_if_it_is_longer() {
        let (dir, folder) = folder();
        let path = dir.path().join("app.log");
        fs::write(&path, "one\ntwo\n").unwrap();
        let found = fs::metadata(&path).unwrap();
        let identity = (found.dev(), found.ino());
        folder.cut("app.log", (identity.0, identity.1 + 1), 4).unwrap();
        folder.cut("app.log", identity, 100).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        folder.cut("app.log", identity, 4).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
        folder.cut("gone.log", identity, 4).unwrap();
    }

    #[test]
    fn fifo_is_refused_without_blocking_with_and_without_a_reader() {
        let (dir, folder) = folder();
        let path = dir.path().join("app.log");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, Mode::from_raw_mode(0o600)).unwrap();
        assert!(refusal(&folder, "app.log").contains("it is a FIFO"));
        let _reader = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        assert!(refusal(&folder, "app.log").contains("it is a FIFO"));
    }

    #[test]
    fn what_is_no_plain_file_of_its_own_is_refused() {
        let (dir, folder) = folder();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("dir.log")).unwrap();
        assert!(refusal(&folder, "dir.log").contains("it is a folder"));
        symlink("/dev/full", at("full.log")).unwrap();
        assert!(refusal(&folder, "full.log").contains("it is a symbolic link"));
        symlink(at("target"), at("dangling.log")).unwrap();
        assert!(refusal(&folder, "dangling.log").contains("it is a symbolic link"));
        assert!(!at("target").exists());
        fs::write(at("victim"), "precious").unwrap();
        fs::hard_link(at("victim"), at("hard.log")).unwrap();
        assert!(refusal(&folder, "hard.log").contains("it is a hard link"));
        assert_eq!(fs::read_to_string(at("victim")).unwrap(), "precious");
        let _socket = std::os::unix::net::UnixListener::bind(at("sock.log")).unwrap();
        assert!(refusal(&folder, "sock.log").contains("it is a socket"));
        let dev = Folder::open(Path::new("/dev")).unwrap();
        assert!(refusal(&dev, "full").contains("it is a device"));
    }

    #[test]
    fn a_name_cannot_leave_the_folder() {
        let (_dir, folder) = folder();
        for name in ["../x.log", "a/b.log", "/etc/passwd", ".", "..", "", "a\0b", ".hidden"] {
            assert_eq!(
                folder.open_log(name, None).unwrap_err().kind(),
                io::ErrorKind::InvalidInput,
                "{name:?}"
            );
        }
    }

    #[test]
    fn the_folder_stays_the_one_that_was_opened() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(&dir.path().join("logs")).unwrap();
        fs::rename(dir.path().join("logs"), dir.path().join("moved")).unwrap();
        fs::create_dir(dir.path().join("logs")).unwrap();
        folder.open_log("app.log", None).unwrap();
        assert!(dir.path().join("moved/app.log").exists() && !dir.path().join("logs/app.log").exists());
    }

    #[test]
    fn a_removed_folder_is_told_apart_from_a_missing_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("logs");
        let folder = Folder::open(&path).unwrap();
        fs::remove_dir(&path).unwrap();
        // A folder that has the name afterwards is another one.
        fs::create_dir(&path).unwrap();
        let error = folder.open_log("app.log", None).unwrap_err();
        assert!(FolderRemoved::caused(&error));
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let text = refusal(&folder, "app.log");
        assert!(text.contains("the log folder was removed while it was in use"), "{text}");
        assert!(!text.contains("regular file"), "{text}");
        let folder = Folder::open(&path).unwrap();
        assert!(!FolderRemoved::caused(&folder.open_log("../x", None).unwrap_err()));
    }

    #[test]
    fn the_last_byte_is_that_of_the_same_file_or_none() {
        let (dir, folder) = folder();
        let path = dir.path().join("app.log");
        let identity = |path: &Path| fs::symlink_metadata(path).map(|meta| (meta.dev(), meta.ino())).unwrap();
        fs::write(&path, "").unwrap();
        assert_eq!(folder.last_byte("app.log", identity(&path)), None);
        fs::write(&path, "ab").unwrap();
        assert_eq!(folder.last_byte("app.log", identity(&path)), Some(b'b'));
        let (dev, ino) = identity(&path);
        assert_eq!(folder.last_byte("app.log", (dev, ino + 1)), None);
        assert_eq!(folder.last_byte("none.log", (dev, ino)), None);
        symlink(&path, dir.path().join("link.log")).unwrap();
        assert_eq!(folder.last_byte("link.log", (dev, ino)), None);
        let fifo = dir.path().join("fifo.log");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, Mode::from_raw_mode(0o600)).unwrap();
        assert_eq!(folder.last_byte("fifo.log", identity(&fifo)), None);
    }

    #[test]
    fn a_folder_that_cannot_be_says_where_who_and_why() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "").unwrap();
        for path in [path.clone(), path.join("below")] {
            let text = Folder::open(&path).unwrap_err().to_string();
            let user = format!("as user {}", rustix::process::geteuid().as_raw());
            assert!(text.contains(&format!("{path:?}")) && text.contains(&user), "{text}");
            assert!(text.contains("os error") && text.contains("is expected"), "{text}");
        }
    }

    // The umask belongs to the whole process, so all that depends on it is in this one test; the
    // modes of other tests' files do not matter to them.
    #[test]
    fn modes_are_0750_and_0640_or_stricter_under_any_umask() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        for (umask, folder_mode, file_mode) in [(0o000, 0o750, 0o640), (0o077, 0o700, 0o600)] {
            let path = dir.path().join(format!("{umask}/below"));
            let before = rustix::process::umask(Mode::from_raw_mode(umask));
            let folder = Folder::open(&path);
            let file = folder.as_ref().map(|folder| folder.open_log("app.log", None).map(drop));
            rustix::process::umask(before);
            file.unwrap().unwrap();
            assert_eq!(mode(path.parent().unwrap()), folder_mode);
            assert_eq!(mode(&path), folder_mode);
            assert_eq!(mode(&path.join("app.log")), file_mode);
        }
        // An existing file keeps its mode, be it stricter or wider.
        let folder = Folder::open(dir.path()).unwrap();
        for kept in [0o600, 0o664] {
            let path = dir.path().join("kept.log");
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(kept)).unwrap();
            folder.open_log("kept.log", None).unwrap();
            assert_eq!(mode(&path), kept);
        }
    }

    #[test]
    fn a_stem_is_letters_digits_underscore_and_hyphen() {
        for good in ["a", "0", "app", "api-2_x", "con1", "com", "com10", &"x".repeat(64)] {
            assert_eq!(valid_stem(good), Ok(()), "{good}");
        }
        let long = "x".repeat(300);
        for bad in [
            "",
            ".",
            "..",
            "../../etc/cron.d/x",
            "a/b",
            "a\0",
            &long,
            "-rf",
            "_a",
            "con",
            "nul",
            "com1",
            "lpt0",
            "app.",
            "app ",
            "app\n",
            "App",
            "e\u{301}",
            "\u{e9}",
            "a.b",
        ] {
            let text = valid_stem(bad).unwrap_err().to_string();
            assert!(text.contains("a-z, 0-9") && text.len() < 800, "{text}");
            assert!(!text.contains('\n') && !text.contains('\0'));
        }
    }
}
