//! A process's place in a runtime directory: its number, its file, its dictionary.
//!
//! The listener's process has one, each worker process, and each forked child from its first record on. The number goes into the names
//! of all files of the process, and is never given to another one of the same directory.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use rustix::fs::{FallocateFlags, FlockOperation, OFlags};

use super::{Queue, Settings};
use crate::callsite;
use crate::clock::{Clock, nanos};
use crate::failpoint;
use crate::level::Level;
use crate::lifecycle::exit;
use crate::own_thread::OwnThread;
use crate::ring::control::Page;
use crate::ring::fork::OwnLock;
use crate::ring::member::{About, Member};
use crate::ring::segment::file_may_have;
use crate::stats::DropReason;
use crate::sync::{AtomicU64, Ordering};

/// What the names of members' files and of dictionaries begin with.
pub(crate) const MEMBER_PREFIX: &str = "member-";
pub(crate) const DICTIONARY_PREFIX: &str = "dictionary-";
/// And those of members that are not whole yet.
pub(crate) const JOINING_PREFIX: &str = "joining-";
/// How often a process tries to join.
const ATTEMPTS: usize = 10;
/// Space reserved for a dictionary at the start: some hundred call sites.
const DICTIONARY: u64 = 64 * 1024;
/// A process looks at least so often whether it has to check in, where the clock is turned by hand.
/// How often a process whose facades have to follow the levels looks whether these were changed elsewhere, at least.
const LOOK_AT_LEVELS: Duration = Duration::from_secs(1);
const LOOK_MANUALLY: Duration = Duration::from_millis(5);

/// See the module's description.
#[derive(Debug)]
pub(crate) struct Membership {
    number: u32,
    member: Member,
    _lock: OwnLock,
    _dictionary: Arc<File>,
    dictionary_path: PathBuf,
    path: PathBuf,
    next_check_in: AtomicU64,
}

impl Membership {
    /// Joins: takes a number, writes down who this is, and has the dictionary written from now on.
    pub(super) fn join(
        folder: &Path,
        page: &Page,
        name: Option<&str>,
        clock: &Clock,
        heartbeat: Duration,
        domains: usize,
    ) -> io::Result<Membership> {
        let process_id = rustix::process::getpid().as_raw_nonzero().get() as u32;
        let name = fit_name(name, process_id);
        let about = About { process_id, since: clock.unix_now(), name };
        let mut attempts = ATTEMPTS;
        loop {
            // Numbers begin with one: zero is for rings that no other process can see.
            let number = page.next_member.fetch_add(1, Ordering::Relaxed) + 1;
            let next = clock.monotonic().saturating_add(nanos(heartbeat));
            attempts -= 1;
            match Membership::join_with(folder, number, &about, next, domains) {
                // The listener has looked at a file that was not locked yet, and took it for one that somebody died over; or the number is
                // one that somebody died over.
                Err(error) if attempts > 0 && is_passing(&error) => {}
                Err(error) => return Err(error),
                Ok(membership) => {
                    failpoint::reach("joined");
                    page.listener.arrivals.fetch_add(1, Ordering::Release);
                    page.wake.waker.wake();
                    return Ok(membership);
                }
            }
        }
    }

    fn join_with(
        folder: &Path,
        number: u32,
        about: &About,
        next: u64,
        domains: usize,
    ) -> io::Result<Membership> {
        let counters = DropReason::ALL.len() * domains * Level::ALL.len();
        // Under another name until it is whole and locked: the listener takes a member whose lock is free for dead. It comes first, for by it
        // the listener knows whose the dictionary is.
        let path = folder.join(format!("{MEMBER_PREFIX}{number}"));
        let unfinished = folder.join(format!("{JOINING_PREFIX}{number}"));
        let dictionary_path = folder.join(format!("{DICTIONARY_PREFIX}{number}"));
        // What is there already is another process's, and stays.
        let file = private(&unfinished)?;
        let join = || -> io::Result<_> {
            // A descriptor of its own: a mapping keeps the opening that it was made from, and with it the lock, in forked children too.
            let lock = File::open(&unfinished)?;
            rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
            let dictionary = private(&dictionary_path)?;
            if file_may_have(DICTIONARY) {
                // Where there is no room for it there may be for what is needed.
                let _ = rustix::fs::fallocate(&dictionary, FallocateFlags::KEEP_SIZE, 0, DICTIONARY);
            }
            let dictionary = callsite::record_in(dictionary)?;
            let member = Member::create(&file, about, next, counters)?;
            failpoint::reach("member-written");
            std::fs::rename(&unfinished, &path)?;
            Ok((dictionary, member, lock))
        };
        let (dictionary, member, lock) = join().inspect_err(|error| {
            if error.kind() != io::ErrorKind::AlreadyExists {
                let _ = std::fs::remove_file(&dictionary_path);
            }
            let _ = std::fs::remove_file(&unfinished);
        })?;
        Ok(Membership {
            number,
            member,
            _lock: OwnLock::new(OwnedFd::from(lock)),
            _dictionary: dictionary,
            dictionary_path,
            path,
            next_check_in: AtomicU64::new(next),
        })
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    pub(crate) fn count_drop(&self, index: usize) {
        self.member.count_drop(index);
    }

    /// Says that this process ends as it should: whatever it has logged is in its rings.
    pub(crate) fn leave(&self) {
        self.member.leave();
    }

    /// Removes the process's own files: for the listener's process, when all it has logged is written.
    pub(crate) fn remove_files(&self) {
        for path in [&self.path, &self.dictionary_path] {
            // Whatever stays is found and removed by the next start.
            let _ = std::fs::remove_file(path);
        }
    }

    fn check_in(&self, now: u64, heartbeat: Duration) {
        let interval = nanos(heartbeat);
        if now.saturating_add(interval / 2) >= self.next_check_in.load(Ordering::Relaxed) {
            let next = now.saturating_add(interval);
            self.next_check_in.store(next, Ordering::Relaxed);
            self.member.check_in(next);
        }
    }
}

/// A name that stands in a line's column without breaking it: what separates columns and threads is replaced.
fn fit_name(name: Option<&str>, process_id: u32) -> String {
    match name {
        Some(name) if !name.is_empty() => name.replace(['|', '/'], "_"),
        _ => format!("Worker-{process_id}"),
    }
}

fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, NotFound, WouldBlock};
    matches!(error.kind(), AlreadyExists | NotFound | WouldBlock)
}

/// Makes a new file of mode 0600.
pub(super) fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits() as i32)
        .open(path)
}

impl Queue {
    /// This process's place. Joins at the first call, where there is a directory to join.
    pub(crate) fn membership(self: &Arc<Queue>) -> Option<&Membership> {
        self.join_as(None).ok().flatten()
    }

    /// As `membership`, under this name.
    ///
    /// # Errors
    ///
    /// When the process could not join, now or before.
    pub(crate) fn join_as(self: &Arc<Queue>, name: Option<&str>) -> io::Result<Option<&Membership>> {
        let Some(Settings { folder: Some(folder), heartbeat, .. }) = self.settings.get() else {
            return Ok(None);
        };
        if let Some(Some(membership)) = self.local().membership.get() {
            return Ok(Some(membership));
        }
        let mut failure = None;
        let membership = self.local().membership.get_or_init(|| {
            match Membership::join(folder, self.page(), name, &self.clock, *heartbeat, self.domains.len()) {
                Ok(membership) => Some(membership),
                Err(error) => {
                    failure = Some(error);
                    None
                }
            }
        });
        self.prepare_for_signals();
        if let Some(error) = failure {
            return Err(error);
        }
        if membership.is_some() && self.is_guest() {
            exit::leave_at_end(self);
            self.start_beating();
        }
        match membership {
            Some(membership) => Ok(Some(membership)),
            None => Err(io::Error::other("an earlier attempt to join failed")),
        }
    }

    /// The membership, if this process has joined.
    pub(crate) fn joined(&self) -> Option<&Membership> {
        self.local.peek()?.membership.get()?.as_ref()
    }

    /// A thread that checks in, as long as the queue lives. Not in the listener's process, which needs no proof of its life.
    pub(crate) fn start_beating(self: &Arc<Queue>) {
        let local = self.local();
        if local.beating.swap(true, Ordering::Relaxed) {
            return;
        }
        let queue: Weak<Queue> = Arc::downgrade(self);
        // Without the thread the process is taken for hung after a while, which is said in a record and does no harm.
        let _ = std::thread::Builder::new().name("miu-log-beat".to_owned()).spawn(move || {
            let _own = OwnThread::begin();
            while let Some(pause) = queue.upgrade().and_then(|queue| queue.beat()) {
                std::thread::park_timeout(pause);
            }
        });
    }

    /// Checks in where it is time for it, and looks whether another process has changed a level. How long until the next look; none once there is nothing to show.
    fn beat(&self) -> Option<Duration> {
        let heartbeat = self.settings.get()?.heartbeat;
        if self.is_ended() {
            return None;
        }
        self.joined()?.check_in(self.clock.monotonic(), heartbeat);
        let pause = if self.clock.is_manual() { LOOK_MANUALLY } else { heartbeat / 4 };
        self.notice_levels();
        Some(if self.levels_are_watched() { pause.min(LOOK_AT_LEVELS) } else { pause })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::control::Control;

    fn join(folder: &Path, control: &Control) -> io::Result<Membership> {
        Membership::join(folder, control.page(), None, &Clock::system(), Duration::from_secs(1), 1)
    }

    #[test]
    fn a_number_that_somebody_died_over_is_passed_over_and_its_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let control = Control::anonymous();
        for name in ["joining-1", "dictionary-2"] {
            std::fs::write(folder.path().join(name), "somebody's").unwrap();
        }
        assert_eq!(join(folder.path(), &control).unwrap().number(), 3);
        let mut names: Vec<_> =
            folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["dictionary-2", "dictionary-3", "joining-1", "member-3"]);
        assert_eq!(std::fs::read_to_string(folder.path().join("dictionary-2")).unwrap(), "somebody's");
    }

    // M-34, M-48
    #[test]
    fn a_name_breaks_no_column_and_is_never_empty() {
        assert_eq!(fit_name(Some("x | ERROR | y/z"), 7), "x _ ERROR _ y_z");
        assert_eq!(fit_name(Some(""), 7), "Worker-7");
        assert_eq!(fit_name(None, 7), "Worker-7");
    }

    #[test]
    fn a_directory_that_is_gone_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        assert_eq!(join(&gone, &Control::anonymous()).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
