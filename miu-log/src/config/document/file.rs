//! The file of a document: read with bounds, and looked at from outside.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use super::node::At;
use super::problems::Problems;

/// Longest document, in bytes: none that people write is nearly as long.
const LONGEST: u64 = 1 << 20;

/// What a file looks like from outside: two looks that differ are of two states of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Device, inode, length, and when its text and its inode were changed last. None: it is not there.
    state: Option<[i64; 7]>,
}

impl Stamp {
    /// The state of the file that a path leads to now.
    pub(crate) fn of(path: &Path) -> Stamp {
        let state = std::fs::metadata(path).ok().map(|it| {
            [
                it.dev().cast_signed(),
                it.ino().cast_signed(),
                it.size().cast_signed(),
                it.mtime(),
                it.mtime_nsec(),
                it.ctime(),
                it.ctime_nsec(),
            ]
        });
        Stamp { state }
    }
}

/// The text of a document. None where it cannot be had: why is told.
pub(super) fn read(path: &Path, any_owner: bool, problems: &mut Problems) -> Option<String> {
    // Opening a pipe that nobody writes to must not wait.
    let opened = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path);
    let bytes = opened.and_then(|file| checked(file, any_owner));
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) => {
            problems.add_general(format_args!("cannot be read: {error}"));
            return None;
        }
    };
    if bytes.starts_with("\u{feff}".as_bytes()) {
        problems.add(
            At { line: 1, column: 1 },
            "",
            "here is a byte order mark; UTF-8 without one is expected",
        );
        return None;
    }
    match String::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = good.iter().filter(|&&byte| byte == b'\n').count() + 1;
            let begin = good.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            let column = String::from_utf8_lossy(&good[begin..]).chars().count() + 1;
            problems.add(At { line, column }, "", "here is a byte that is no UTF-8");
            None
        }
    }
}

fn checked(file: File, any_owner: bool) -> std::io::Result<Vec<u8>> {
    let refuse = |problem: String| Err(std::io::Error::other(problem));
    let found = file.metadata()?;
    if !found.is_file() {
        return refuse("it is no regular file".to_owned());
    }
    let user = rustix::process::geteuid().as_raw();
    if !any_owner && found.mode() & 0o002 != 0 {
        return refuse(format!(
            "anybody may write to it (mode {:04o}); 0644 or stricter is expected",
            found.mode() & 0o7777
        ));
    }
    if !any_owner && found.uid() != user && found.uid() != 0 {
        return refuse(format!(
            "it belongs to user {}; a file of user {user} or of root is expected",
            found.uid()
        ));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return refuse(format!("it is longer than {LONGEST} bytes"));
    }
    Ok(bytes)
}
