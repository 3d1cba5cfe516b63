//! Compresses one rotated file, so that a death between any two steps loses no line.
//!
//! Z1. The original is removed only after its compressed copy is whole, synced and has its name; and only if it is still the file that was
//!     read, of the length that was read, and nobody has begun to write to it again.
//! Z2. No name is ever taken from another file: the copy is made under a name of its own and renamed where nothing is.
//! Z3. The copy is never more open to others than the original, at no moment and whatever the umask.
//! Z4. What fails or is stopped leaves the original as it was, and no temporary file.
//!
//! Called by the upkeep, on its thread.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

use flate2::GzBuilder;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use rustix::fs::{
    Advice, AtFlags, FileType, Gid, Mode, OFlags, RenameFlags, Stat, Timespec, Timestamps, Uid,
};
use rustix::io::Errno;
use rustix::process::Resource;

use crate::failpoint;
use crate::folder::Folder;
use crate::rotate::Compression;
use crate::rotate::naming::InUse;

/// Bytes that are read and compressed between two looks at whether to stop: about a millisecond's work.
const PIECE: usize = 128 * 1024;

/// Of 40 MB of log lines level 1 makes a 4.5th at 260 MB/s, level 4 a 7.2nd at 140, level 6 a 7.8th at 85: past 4, what is gained
/// is small, and a burst of lines has to be compressed about as fast as it can be written.
const GZ_LEVEL: u32 = 4;

/// Level 1 is smaller and three times as fast as gzip at level 4; level 3 is no smaller on log lines.
#[cfg(feature = "zstd")]
const ZSTD_LEVEL: i32 = 1;

/// What a rotated file is to become.
pub(super) struct Job<'a> {
    pub(super) folder: &'a Folder,
    pub(super) in_use: &'a InUse,
    pub(super) name: &'a str,
    pub(super) compression: Compression,
    /// Whether the end is near.
    pub(super) stop: &'a dyn Fn() -> bool,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The compressed file stands in its place.
    Compressed { before: u64, after: u64 },
    /// It is as it was: the end is near, or it is written to again, or is no plain file of its own any more.
    Left,
}

impl Job<'_> {
    /// Name of the compressed file.
    fn target(&self) -> String {
        format!("{}{}", self.name, self.compression.ending())
    }

    /// Compresses the file.
    ///
    /// # Errors
    ///
    /// Those of the system, and that a file of the compressed one's name is there already. The text says what was being done to which file.
    pub(super) fn compress(&self) -> io::Result<Outcome> {
        let target = self.target();
        let Some((mut source, stat)) =
            open_plain(self.folder, self.name).map_err(|e| self.failed("open", e))?
        else {
            return Ok(Outcome::Left);
        };
        if self.folder.stat(&target).is_ok() {
            return Err(self.failed("compress", io::Error::from(Errno::EXIST)));
        }
        let part = Part::make(self.folder, &target).map_err(|e| self.failed("make a file to compress", e))?;
        failpoint::reach("part-made");
        let Some(after) = self.copy(&mut source, &stat, &part).map_err(|e| self.failed("compress", e))?
        else {
            return Ok(Outcome::Left);
        };
        failpoint::reach("part-whole");
        self.exchange(part, &target, &stat, after)
            .map_err(|e| self.failed("put the compressed file in the place of", e))
    }

    /// Writes the compressed copy and syncs it; its length. None: stop, or the original has changed.
    fn copy(&self, source: &mut File, stat: &Stat, part: &Part<'_>) -> io::Result<Option<u64>> {
        // Whether the system can take advice changes nothing.
        let _ = rustix::fs::fadvise(&*source, 0, None, Advice::Sequential);
        let mut encoder = Encoder::new(self.compression, self.name, stat, part.file.try_clone()?)?;
        let mut piece = vec![0; PIECE];
        let mut length: u64 = 0;
        loop {
            if (self.stop)() {
                return Ok(None);
            }
            match source.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => {
                    encoder.write_all(&piece[..count])?;
                    length += count as u64;
                    failpoint::reach("part-half");
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        encoder.finish()?;
        let now = rustix::fs::fstat(&*source)?;
        if !is_same(stat, &now) || u64::try_from(now.st_size) != Ok(length) {
            return Ok(None);
        }
        part.take_after(stat)?;
        part.file.sync_all()?;
        // It is not read again soon: its pages are better used for something else.
        let _ = rustix::fs::fadvise(&*source, 0, None, Advice::DontNeed);
        Ok(Some(part.file.metadata()?.len()))
    }

    /// The last steps: the copy gets its name, the original goes.
    fn exchange(&self, part: Part<'_>, target: &str, stat: &Stat, after: u64) -> io::Result<Outcome> {
        if (self.stop)() {
            return Ok(Outcome::Left);
        }
        part.rename_to(target)?;
        failpoint::reach("part-renamed");
        // A loss of power must not find the removal on the disk and the rename not.
        rustix::fs::fsync(self.folder.fd())?;
        if !remove(self.folder, self.in_use, self.name, stat)? {
            // Somebody has begun to write to the original: the copy has not all of it.
            rustix::fs::unlinkat(self.folder.fd(), target, AtFlags::empty())?;
            return Ok(Outcome::Left);
        }
        failpoint::reach("original-removed");
        Ok(Outcome::Compressed { before: length(stat), after })
    }

    /// Removes the original of a compressed file that is there already, if it holds the same: a death came between the last two steps.
    /// Every byte is compared; that happens once after such a death, and a name alone is no proof.
    ///
    /// # Errors
    ///
    /// Those of the system, and that the two do not hold the same; then both are left.
    pub(super) fn settle_twin(&self) -> io::Result<Outcome> {
        let target = self.target();
        let copy =
            open_plain(self.folder, &target).map_err(|e| self.failed("read the compressed file of", e))?;
        let original = open_plain(self.folder, self.name).map_err(|e| self.failed("open", e))?;
        let (Some((copy, copied)), Some((mut original, stat))) = (copy, original) else {
            return Ok(Outcome::Left);
        };
        let same = match decoder(self.compression, copy) {
            Some(decoder) => match decoder.and_then(|mut decoder| self.compare(&mut *decoder, &mut original))
            {
                Ok(Some(same)) => same,
                Ok(None) => return Ok(Outcome::Left),
                // What cannot be decompressed is no copy.
                Err(_) => false,
            },
            None => false,
        };
        if !same {
            let text =
                format!("{target} is there already, and does not hold the same; both are left as they are");
            return Err(self.failed("compress", io::Error::new(io::ErrorKind::AlreadyExists, text)));
        }
        match remove(self.folder, self.in_use, self.name, &stat) {
            Ok(true) => Ok(Outcome::Compressed { before: length(&stat), after: length(&copied) }),
            Ok(false) => Ok(Outcome::Left),
            Err(errno) => Err(self.failed("remove the original of the compressed file of", errno.into())),
        }
    }

    /// Whether both give the same bytes. None: stop.
    fn compare(&self, one: &mut dyn Read, other: &mut File) -> io::Result<Option<bool>> {
        let (mut left, mut right) = (vec![0; PIECE], vec![0; PIECE]);
        loop {
            if (self.stop)() {
                return Ok(None);
            }
            let (count, others) = (fill(one, &mut left)?, fill(other, &mut right)?);
            if left[..count] != right[..others] {
                return Ok(Some(false));
            }
            if count == 0 {
                return Ok(Some(true));
            }
        }
    }

    fn failed(&self, deed: &str, error: io::Error) -> io::Error {
        let text = format!("cannot {deed} {}: {error}", self.folder.path().join(self.name).display());
        io::Error::new(error.kind(), Failed { text, errno: error.raw_os_error() })
    }
}

/// A failure in words, with the system's number of it.
#[derive(Debug)]
pub(super) struct Failed {
    text: String,
    errno: Option<i32>,
}

impl Failed {
    /// Whether it is the disk that fails, or descriptors are used up: then it fails for other files as well.
    pub(super) fn is_of_disk(error: &io::Error) -> bool {
        let failed = error.get_ref().and_then(|cause| cause.downcast_ref::<Failed>());
        failed.and_then(|failed| failed.errno).is_some_and(|errno| {
            let of_all = [Errno::NOSPC, Errno::DQUOT, Errno::ROFS, Errno::MFILE, Errno::NFILE, Errno::NOMEM];
            of_all.contains(&Errno::from_raw_os_error(errno))
        })
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failed {}

/// Opens a file for reading, if it is a regular file with one name, and says what it is. Follows no link and waits for nobody.
fn open_plain(folder: &Folder, name: &str) -> io::Result<Option<(File, Stat)>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let fd = match rustix::fs::openat(folder.fd(), name, flags, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    let stat = rustix::fs::fstat(&fd)?;
    Ok(is_plain(&stat).then(|| (File::from(fd), stat)))
}

/// Whether it is a regular file with one name.
pub(super) fn is_plain(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_nlink == 1
}

/// Whether it is still that file, as it was.
pub(super) fn is_same(before: &Stat, now: &Stat) -> bool {
    is_plain(now)
        && (before.st_dev, before.st_ino, before.st_size) == (now.st_dev, now.st_ino, now.st_size)
        && (before.st_mtime, before.st_mtime_nsec) == (now.st_mtime, now.st_mtime_nsec)
}

/// The name under which a compressed file is made.
pub(super) fn part_name(target: &str) -> String {
    format!(".{target}.part")
}

/// A compressed file that has not got its name yet; removed unless it gets it.
struct Part<'a> {
    folder: &'a Folder,
    name: String,
    file: File,
    kept: bool,
}

impl<'a> Part<'a> {
    fn make(folder: &'a Folder, target: &str) -> io::Result<Part<'a>> {
        let name = part_name(target);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // For its owner alone, until it is known for whom the original was (Z3).
        let fd: OwnedFd = rustix::fs::openat(folder.fd(), &*name, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(Part { folder, name, file: File::from(fd), kept: false })
    }

    /// Gives it the owner, mode and times of the original.
    fn take_after(&self, original: &Stat) -> io::Result<()> {
        let own = rustix::fs::fstat(&self.file)?;
        let mut mode = original.st_mode & 0o777;
        if (own.st_uid, own.st_gid) != (original.st_uid, original.st_gid) {
            let (owner, group) = (Uid::from_raw(original.st_uid), Gid::from_raw(original.st_gid));
            if rustix::fs::fchown(&self.file, Some(owner), Some(group)).is_err() {
                // What its group and others might do was said of another owner's file.
                mode &= 0o700;
            }
        }
        rustix::fs::fchmod(&self.file, Mode::from_raw_mode(mode))?;
        let time = |tv_sec: i64, tv_nsec: u64| Timespec { tv_sec, tv_nsec: tv_nsec as i64 };
        let times = Timestamps {
            last_access: time(original.st_atime, original.st_atime_nsec),
            last_modification: time(original.st_mtime, original.st_mtime_nsec),
        };
        Ok(rustix::fs::futimens(&self.file, &times)?)
    }

    /// Gives it its name, if that is free (Z2).
    fn rename_to(mut self, target: &str) -> io::Result<()> {
        let fd = self.folder.fd();
        match rustix::fs::renameat_with(fd, &*self.name, fd, target, RenameFlags::NOREPLACE) {
            // Some file systems do not know the flag. The folder is locked against other repositories, so that nothing comes in between.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                if self.folder.stat(target).is_ok() {
                    return Err(Errno::EXIST.into());
                }
                rustix::fs::renameat(fd, &*self.name, fd, target)?;
            }
            other => other?,
        }
        self.kept = true;
        Ok(())
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        if !self.kept {
            // What is left nonetheless is removed by the next pass.
            let _ = rustix::fs::unlinkat(self.folder.fd(), &*self.name, AtFlags::empty());
        }
    }
}

/// Writes to a file, but not past the limit at which the system does not only refuse, but kills by SIGXFSZ.
#[derive(Debug)]
struct Limited {
    file: File,
    written: u64,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let limit = rustix::process::getrlimit(Resource::Fsize).current;
        if limit.is_some_and(|limit| self.written >= limit) {
            return Err(Errno::FBIG.into());
        }
        let count = self.file.write(bytes)?;
        self.written += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Encoder {
    Gz(GzEncoder<Limited>),
    #[cfg(feature = "zstd")]
    Zstd(zstd::stream::write::Encoder<'static, Limited>),
}

impl Encoder {
    fn new(compression: Compression, name: &str, stat: &Stat, file: File) -> io::Result<Encoder> {
        let out = Limited { file, written: 0 };
        match compression {
            Compression::Gz => {
                // A time that does not fit into the format's 32 bits is left out.
                let time = u32::try_from(stat.st_mtime).unwrap_or(0);
                let builder = GzBuilder::new().filename(name).mtime(time);
                Ok(Encoder::Gz(builder.write(out, flate2::Compression::new(GZ_LEVEL))))
            }
            #[cfg(feature = "zstd")]
            Compression::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(out, ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                Ok(Encoder::Zstd(encoder))
            }
            _ => Err(Errno::OPNOTSUPP.into()),
        }
    }

    fn finish(self) -> io::Result<Limited> {
        match self {
            Encoder::Gz(encoder) => encoder.finish(),
            #[cfg(feature = "zstd")]
            Encoder::Zstd(encoder) => encoder.finish(),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Encoder::Gz(encoder) => encoder.write_all(bytes),
            #[cfg(feature = "zstd")]
            Encoder::Zstd(encoder) => encoder.write_all(bytes),
        }
    }
}

/// Reads a compressed file. None: this build cannot.
fn decoder(compression: Compression, file: File) -> Option<io::Result<Box<dyn Read>>> {
    match compression {
        Compression::Gz => Some(Ok(Box::new(GzDecoder::new(file)))),
        #[cfg(feature = "zstd")]
        Compression::Zstd => {
            let decoder = zstd::stream::read::Decoder::new(file);
            Some(decoder.map(|decoder| Box::new(decoder) as Box<dyn Read>))
        }
        _ => None,
    }
}

/// Reads until the buffer is full or there is no more.
fn fill(from: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

pub(super) fn length(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

/// Removes a file, if it is still the one that was found, and nobody has begun to write to it. Whether it did.
///
/// Who wants to write to it says so first, and waits for this one system call: so either the name is free before it is opened, or it stays (Z1).
pub(super) fn remove(folder: &Folder, in_use: &InUse, name: &str, found: &Stat) -> Result<bool, Errno> {
    let removed = in_use.unless(name, || match folder.stat(name) {
        Ok(now) if is_same(found, &now) => {
            rustix::fs::unlinkat(folder.fd(), name, AtFlags::empty()).map(|()| true)
        }
        Ok(_) | Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno),
    });
    removed.unwrap_or(Ok(false))
}
