//! Locks on files and folders, which the kernel gives back however a process ends.
//!
//! Called by the runtime directory, by whoever looks at one from outside, and by what else belongs to one process at a time.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::ring::fork::OwnLock;

/// How often the lock is tried again when all that stood in the way was somebody who looked at it.
const LOCK_ATTEMPTS: usize = 100;
/// How long that one is given each time: together, a tenth of a second.
pub(super) const LOCK_PAUSE: Duration = Duration::from_millis(1);

/// How long a process that has given up the log folder may take for the locks inside: the kernel takes them from one that was killed in any
/// order.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// A file that is locked for this process alone: a forked child does not keep the lock.
#[derive(Debug)]
pub(crate) struct FileLock {
    /// Given back with it.
    _lock: OwnLock,
}

impl FileLock {
    /// Takes the lock; None where another process has it.
    pub(crate) fn take(file: File) -> io::Result<Option<FileLock>> {
        let is_free = take(&file)?;
        Ok(is_free.then(|| FileLock { _lock: OwnLock::new(file.into()) }))
    }
}

/// Takes the lock on a log folder. False where a repository has it.
pub(super) fn take(folder: impl AsFd) -> Result<bool, Errno> {
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

/// Takes a part of the lock on a log folder, beside other repositories that share it. False where one has it for itself.
pub(super) fn share(folder: impl AsFd) -> Result<bool, Errno> {
    for _ in 0..LOCK_ATTEMPTS {
        match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockShared) {
            Ok(()) => return Ok(true),
            // It may be about to find out that it has to share.
            Err(Errno::WOULDBLOCK) => std::thread::sleep(LOCK_PAUSE),
            Err(errno) => return Err(errno),
        }
    }
    Ok(false)
}

/// Takes a lock that whoever had the log folder before may hold for a moment longer. False where it is another's.
pub(super) fn take_after_the_folder(file: impl AsFd) -> Result<bool, Errno> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        if take(&file)? {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        std::thread::sleep(LOCK_PAUSE);
    }
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
