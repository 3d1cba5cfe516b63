//! Until when a destination has asked not to be called, for the next start: what it has asked of a program holds for the process after this one as well.
//!
//! ```text
//! pause   until i64 | written down at i64 | checksum u64, both as nanoseconds since 1970
//! ```
//!
//! The clock on the wall is all that two processes share, and it can be put anywhere. So what it says is believed only where it makes sense: a pause that was written down
//! in the future, or that is longer than any may be, is none. Called by the side that reads.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::format::{options, sealed, unsealed};
use crate::record::UnixNanos;

fn path(folder: &Path) -> PathBuf {
    folder.join("pause")
}

/// How much is left now of a pause that may be as long as `longest`, in nanoseconds. A file that says nothing any more is removed.
pub(super) fn left(folder: &Path, now: UnixNanos, longest: u64) -> Option<u64> {
    let file = options().read(true).open(path(folder)).ok()?;
    let left = read(file).and_then(|(until, written)| {
        let whole = u64::try_from(until.checked_sub(written)?).ok()?;
        let is_sane = written <= now && whole <= longest;
        u64::try_from(until.checked_sub(now)?).ok().filter(|left| *left > 0 && is_sane)
    });
    if left.is_none() {
        // One that stays says as little to the next start.
        let _ = forget(folder);
    }
    left
}

fn read(mut file: File) -> Option<(UnixNanos, UnixNanos)> {
    let mut bytes = [0; 24];
    file.read_exact(&mut bytes).ok()?;
    unsealed(&bytes).map(|[until, written]| (until.cast_signed(), written.cast_signed()))
}

/// Writes down a pause of so many nanoseconds from now on.
pub(super) fn keep(folder: &Path, now: UnixNanos, pause: u64) -> io::Result<()> {
    let until = now.saturating_add_unsigned(pause);
    let bytes = sealed([until.cast_unsigned(), now.cast_unsigned()]);
    // Half of it is none.
    options().write(true).create(true).truncate(false).open(path(folder))?.write_all_at(&bytes, 0)
}

/// There is none any more.
pub(super) fn forget(folder: &Path) -> io::Result<()> {
    match std::fs::remove_file(path(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: u64 = 3600;

    #[test]
    fn what_is_left_is_what_was_asked_for_less_what_has_passed() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert_eq!(left(folder, 0, LONGEST), None);
        keep(folder, 1000, 50).unwrap();
        keep(folder, 1000, 60).unwrap();
        assert_eq!(left(folder, 1000, LONGEST), Some(60));
        assert_eq!(left(folder, 1059, LONGEST), Some(1));
        assert_eq!(left(folder, 1060, LONGEST), None);
        assert!(!path(folder).exists());
        forget(folder).unwrap();
    }

    #[test]
    fn a_clock_that_makes_no_sense_and_a_file_that_is_damaged_say_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for (pause, now) in [(60, 999), (60, i64::MIN), (60, i64::MAX), (LONGEST + 1, 1000), (u64::MAX, 1000)]
        {
            keep(folder, 1000, pause).unwrap();
            assert_eq!(left(folder, now, LONGEST), None, "{pause} {now}");
            assert!(!path(folder).exists());
        }
        for at in 0..24 {
            keep(folder, 1000, 60).unwrap();
            let mut bytes = std::fs::read(path(folder)).unwrap();
            bytes[at] ^= 1;
            std::fs::write(path(folder), &bytes).unwrap();
            assert_eq!(left(folder, 1000, LONGEST), None, "{at}");
            std::fs::write(path(folder), &bytes[..at]).unwrap();
            assert_eq!(left(folder, 1000, LONGEST), None, "{at}");
        }
    }
}
