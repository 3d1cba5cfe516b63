//! A file descriptor kept in reserve, for what the listener opens and closes again: without it, a process that has used up its descriptors
//! could not have lines copied, long records read or directories looked through, and would lose records for it.
//!
//! It is not for what stays open: it would be gone. Called by the listener and the router; the listener fetches it back once a second.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Mutex;

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

static SPARE: Mutex<Option<OwnedFd>> = Mutex::new(None);

/// Puts a descriptor in reserve, if there is none. What is not to be had now is asked for again.
pub(crate) fn keep() {
    // Never waited for: in a forked child somebody may have it locked whom the child does not have.
    if let Ok(mut spare) = SPARE.try_lock()
        && spare.is_none()
    {
        *spare = eventfd(0, EventfdFlags::CLOEXEC).ok();
    }
}

/// Does something that opens a file, and closes it again before it returns. Where there is no descriptor left for that, once more with
/// the one in reserve.
pub(crate) fn with<T>(mut deed: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let result = deed();
    let used_up =
        |error: &io::Error| matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE));
    if !result.as_ref().is_err_and(used_up) {
        return result;
    }
    let Some(spare) = SPARE.try_lock().ok().and_then(|mut spare| spare.take()) else { return result };
    drop(spare);
    let result = deed();
    keep();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_for_want_of_a_descriptor_is_done_again_and_nothing_else_is() {
        keep();
        for (errno, expected) in [(Errno::MFILE, 2), (Errno::NFILE, 2), (Errno::NOENT, 1)] {
            let mut attempts = 0;
            let result: io::Result<()> = with(|| {
                attempts += 1;
                Err(errno.into())
            });
            assert!(result.is_err());
            assert_eq!(attempts, expected);
        }
    }
}
