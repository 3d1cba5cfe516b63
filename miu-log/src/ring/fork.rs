//! What a fork without exec does to a logger: the child has a copy of all memory, and of its threads only one.
//!
//! K1. `GENERATION` goes up in every forked child before anything else of it runs. What a [`PerProcess`] holds belongs to the
//!     generation that made it: a child makes its own and never touches its parent's again, which may be locked for ever or half
//!     changed by a thread that the child does not have.
//! K2. A value that is left behind is leaked, so that a reference that was taken before the fork stays valid.
//!
//! A fork that does not go through the C library's `fork` is not seen.

use std::ffi::c_int;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use rustix::fs::{FlockOperation, Mode, OFlags};

use super::local;
use crate::sync::{AtomicI32, AtomicPtr, AtomicU32, Ordering};

type Hook = Option<extern "C" fn()>;

// SAFETY: the signature is that of POSIX pthread_atfork, and the function may be called at any time.
unsafe extern "C" {
    /// POSIX.1-2017 pthread_atfork.
    safe fn pthread_atfork(prepare: Hook, parent: Hook, child: Hook) -> c_int;
}

static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Number of forks between the first process of the program and this one.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Has these run around every fork: before it, after it in the parent, after it in the child. False where that cannot be had.
pub(crate) fn watch(prepare: extern "C" fn(), parent: extern "C" fn(), child: extern "C" fn()) -> bool {
    pthread_atfork(Some(prepare), Some(parent), Some(child)) == 0
}

/// The child's first step: its threads have no producers, and what it inherited belongs to its parent (K1).
pub(crate) fn begin_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    local::abandon_all();
    for slot in &LOCKS {
        let fd = slot.swap(NO_FD, Ordering::Relaxed);
        if fd != NO_FD {
            replace_by_nothing(fd);
        }
    }
}

const NO_FD: RawFd = -1;
/// Descriptors that hold a lock: a handful for each open repository.
static LOCKS: [AtomicI32; 256] = [const { AtomicI32::new(NO_FD) }; 256];

/// A descriptor whose lock ends with this process: a forked child does not keep it.
#[derive(Debug)]
pub(crate) struct OwnLock {
    fd: OwnedFd,
    generation: u32,
}

impl OwnLock {
    pub(crate) fn new(fd: OwnedFd) -> OwnLock {
        let free = |slot: &&AtomicI32| {
            slot.compare_exchange(NO_FD, fd.as_raw_fd(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        // Where there is no place left a forked child keeps the lock for as long as it lives.
        let _ = LOCKS.iter().find(free);
        OwnLock { fd, generation: generation() }
    }

    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.fd
    }
}

impl Drop for OwnLock {
    fn drop(&mut self) {
        if self.generation == generation() {
            let fd = self.fd.as_raw_fd();
            let own = |slot: &&AtomicI32| {
                slot.compare_exchange(fd, NO_FD, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            };
            let _ = LOCKS.iter().find(own);
            // Not left to the closing: a child that is just being started may have a copy for a moment.
            let _ = rustix::fs::flock(&self.fd, FlockOperation::Unlock);
        }
    }
}

/// Makes the descriptor lead nowhere. Its number stays taken, for the values that own it are still there.
fn replace_by_nothing(fd: RawFd) {
    let Ok(nothing) = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) else {
        return;
    };
    // SAFETY: the number is that of an open descriptor, whose owner is an `OwnLock`; it stays open, and is not closed here.
    let mut target = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(fd) });
    // Where that fails the child keeps its parent's lock while it lives, and nothing else happens.
    let _ = rustix::io::dup3(&nothing, &mut target, rustix::io::DupFlags::CLOEXEC);
}

/// A value of which each process has its own: see K1.
#[derive(Debug)]
pub(crate) struct PerProcess<T> {
    slot: AtomicPtr<Slot<T>>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: T,
}

// SAFETY: gives out shared references only, to a value that is made by whichever thread comes first and dropped by the last one.
unsafe impl<T: Send + Sync> Send for PerProcess<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for PerProcess<T> {}

impl<T: Default> PerProcess<T> {
    pub(crate) const fn new() -> PerProcess<T> {
        PerProcess { slot: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// This process's value, made at first use.
    #[inline]
    pub(crate) fn get(&self) -> &T {
        let current = self.slot.load(Ordering::Acquire);
        // SAFETY: it is null or comes from a box that is freed only with `self`, or never (K2).
        match unsafe { current.as_ref() } {
            Some(slot) if slot.generation == generation() => &slot.value,
            _ => self.make(current),
        }
    }

    /// This process's value, if there is one already. Allocates nothing.
    pub(crate) fn peek(&self) -> Option<&T> {
        // SAFETY: as in `get`.
        let slot = unsafe { self.slot.load(Ordering::Acquire).as_ref() }?;
        (slot.generation == generation()).then_some(&slot.value)
    }

    #[cold]
    fn make(&self, seen: *mut Slot<T>) -> &T {
        let made = Box::into_raw(Box::new(Slot { generation: generation(), value: T::default() }));
        match self.slot.compare_exchange(seen, made, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: it was made from a box just now, and is freed only with `self`, or never (K2).
            Ok(_) => unsafe { &(*made).value },
            Err(first) => {
                // SAFETY: nobody has seen it.
                drop(unsafe { Box::from_raw(made) });
                // SAFETY: another thread of this process came first: it is of this generation, and as above.
                unsafe { &(*first).value }
            }
        }
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        let slot = self.slot.load(Ordering::Acquire);
        // SAFETY: as in `get`.
        if unsafe { slot.as_ref() }.is_some_and(|slot| slot.generation == generation()) {
            // SAFETY: it comes from a box, `self` is the last to refer to it, and nobody else frees it.
            drop(unsafe { Box::from_raw(slot) });
        }
    }
}

impl<T: Default> Default for PerProcess<T> {
    fn default() -> PerProcess<T> {
        PerProcess::new()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn all_threads_of_a_process_share_one_value() {
        let shared: PerProcess<Mutex<Vec<u32>>> = PerProcess::new();
        std::thread::scope(|scope| {
            for number in 0..8 {
                let shared = &shared;
                scope.spawn(move || shared.get().lock().unwrap().push(number));
            }
        });
        let mut numbers = shared.get().lock().unwrap().clone();
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn a_descriptor_that_leads_nowhere_keeps_its_number() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let lock = OwnLock::new(writer.into());
        let number = lock.fd().as_raw_fd();
        assert!(LOCKS.iter().any(|slot| slot.load(Ordering::Relaxed) == number));
        replace_by_nothing(number);
        assert_eq!(rustix::io::write(lock.fd(), b"into the void"), Ok(13), "a broken pipe before");
    }
}
