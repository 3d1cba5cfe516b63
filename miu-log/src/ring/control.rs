//! The page that all processes of a repository share: levels, wake-up, flushes, and who is there.
//!
//! It begins as anonymous shared memory, so that a repository can be used before it has a runtime directory. When a listener
//! starts, the file `control` is mapped in its place; worker processes map the same file.
//!
//! C1. The page is mapped as long as the `Control` lives, at one address: `publish` changes what is behind it, not where it is.
//! C2. It holds atomics only, and every bit pattern is a valid page: whoever writes nonsense into it changes levels and wake-ups, never
//!     memory safety.
//! C3. `gates` points to the thresholds of this page or to a static table, each of which lives as long as the `Control`.
//!
//! Called by `queue`; numbers are in native byte order, for a page never leaves its machine.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;

use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

use super::segment::LAYOUT_VERSION;
use crate::sync::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering, Space, Waker};

/// The first eight bytes of the file: `miulogC1`.
pub(crate) const MAGIC: [u8; 8] = *b"miulogC1";
/// Length of the page. What follows it in the file is written once and read, never mapped.
pub(crate) const PAGE: usize = 8192;
/// Domains that a page has room for: as many as a record's header can name.
pub(crate) const DOMAINS: usize = 256;
/// Threshold of a queue that is shut down: every level passes it, so that a call gets as far as being counted, and a call
/// whose level is off costs no second look.
pub(crate) const CLOSED: i8 = -1;

type Thresholds = [AtomicU8; DOMAINS];

static SHUT: Thresholds = [const { AtomicU8::new(CLOSED.cast_unsigned()) }; DOMAINS];

/// Levels that can be set for a limited time at once.
const TEMPORARY: usize = 256;
/// Levels of targets that can be set at once.
pub(crate) const TARGETS: usize = 32;
/// Length of the longest text of one, in words.
pub(crate) const TARGET_WORDS: usize = 15;

/// What the processes share. All zeros is a page that takes every level.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Page {
    magic: AtomicU64,
    version: AtomicU32,
    /// 1 once debug and trace are switched off.
    pub(crate) debug_off: AtomicU32,
    /// Number of the next process that joins.
    pub(crate) next_member: AtomicU32,
    /// Goes up with each change of a level, in whichever process.
    pub(crate) level_changes: AtomicU32,
    /// Goes up with each change of a target's level, before `level_changes` does.
    pub(crate) target_changes: AtomicU32,
    _reserved: [AtomicU32; 57],
    /// Effective threshold per domain: the hot path's one load.
    pub(crate) thresholds: Thresholds,
    /// What the thresholds are made from: the level set for each domain, and what `max_level` leaves of it.
    pub(crate) levels: Thresholds,
    pub(crate) floors: Thresholds,
    pub(crate) wake: Wake,
    /// Callers that wait for room.
    pub(crate) space: Space,
    pub(crate) flush: Flush,
    pub(crate) listener: ListenerLine,
    /// Levels that are set for a limited time, in words of `queue::temporary`; 0: a free slot.
    pub(crate) temporary: [AtomicU64; TEMPORARY],
    /// How many of these were ever set.
    pub(crate) level_order: AtomicU32,
    /// 0 where the listener has seen that there are none.
    pub(crate) any_temporary: AtomicU32,
    pub(crate) targets: Targets,
}

/// Levels of targets: see `queue::targets`.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Targets {
    /// The state of each slot; 0: it is free.
    pub(crate) words: [AtomicU64; TARGETS],
    /// The target of each slot.
    pub(crate) texts: [[AtomicU64; TARGET_WORDS]; TARGETS],
}

/// Whether the listener sleeps.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Wake {
    pub(crate) waker: Waker,
}

/// Flushes asked for and answered.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Flush {
    pub(crate) requests: AtomicU64,
    pub(crate) answered: AtomicU64,
    /// The last one that was not done when its time was over.
    pub(crate) failed: AtomicU64,
    pub(crate) epoch: AtomicU32,
}

/// Between those who come and the listener.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct ListenerLine {
    /// Goes up with each file that a process has made in the runtime directory for the listener to find.
    pub(crate) arrivals: AtomicU32,
    /// A process that wants to be the listener, by its number; 0: none.
    pub(crate) successor: AtomicU32,
    /// The hand-turned clock, in nanoseconds, where the listener has one.
    pub(crate) manual_now: AtomicU64,
}

impl Page {
    fn zeroed() -> Page {
        let zeros = || [const { AtomicU8::new(0) }; DOMAINS];
        Page {
            magic: AtomicU64::new(0),
            version: AtomicU32::new(0),
            debug_off: AtomicU32::new(0),
            next_member: AtomicU32::new(0),
            level_changes: AtomicU32::new(0),
            target_changes: AtomicU32::new(0),
            _reserved: [const { AtomicU32::new(0) }; 57],
            thresholds: zeros(),
            levels: zeros(),
            floors: zeros(),
            wake: Wake { waker: Waker::new() },
            space: Space::new(),
            flush: Flush {
                requests: AtomicU64::new(0),
                answered: AtomicU64::new(0),
                failed: AtomicU64::new(0),
                epoch: AtomicU32::new(0),
            },
            listener: ListenerLine {
                arrivals: AtomicU32::new(0),
                successor: AtomicU32::new(0),
                manual_now: AtomicU64::new(0),
            },
            temporary: [const { AtomicU64::new(0) }; TEMPORARY],
            level_order: AtomicU32::new(0),
            any_temporary: AtomicU32::new(0),
            targets: Targets {
                words: [const { AtomicU64::new(0) }; TARGETS],
                texts: [const { [const { AtomicU64::new(0) }; TARGET_WORDS] }; TARGETS],
            },
        }
    }
}

const _: () = assert!(size_of::<Page>() <= PAGE && align_of::<Page>() <= PAGE);

/// A mapped page.
#[derive(Debug)]
pub(crate) struct Control {
    gates: AtomicPtr<Thresholds>,
    page: NonNull<Page>,
    /// Whether it is a mapping of its own; otherwise it is memory that is never given back.
    mapped: bool,
}

// SAFETY: the page is shared memory that belongs to no thread and holds atomics only (C2).
unsafe impl Send for Control {}
// SAFETY: as above.
unsafe impl Sync for Control {}

/// Why a file is no control page.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// It was made by another layout version: this one.
    Version(u32),
    /// It does not begin as a control page does.
    Strange,
    Io(io::Error),
}

impl Control {
    /// A page of this process and those it forks.
    pub(crate) fn anonymous() -> Control {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice replaces nothing.
        let base = unsafe { mmap_anonymous(std::ptr::null_mut(), PAGE, access, MapFlags::SHARED) };
        match base.ok().and_then(|base| NonNull::new(base.cast())) {
            Some(page) => Control::at(page, true),
            // For want of mappings: a page that cannot be published, and that no forked child shares.
            None => Control::at(NonNull::from(Box::leak(Box::new(Page::zeroed()))), false),
        }
    }

    /// Maps the page of a control file.
    pub(crate) fn open(file: &File) -> Result<Control, Unfit> {
        check(file)?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: as in `anonymous`. `check` has seen that the file has a whole page; the listener that made it never cuts it.
        let base = unsafe { mmap(std::ptr::null_mut(), PAGE, access, MapFlags::SHARED, file.as_fd(), 0) };
        let base = base.map_err(|errno| Unfit::Io(errno.into()))?;
        let page = NonNull::new(base.cast()).ok_or(Unfit::Strange)?;
        Ok(Control::at(page, true))
    }

    fn at(page: NonNull<Page>, mapped: bool) -> Control {
        let control = Control { gates: AtomicPtr::new(std::ptr::null_mut()), page, mapped };
        control.gates.store(control.own_gates(), Ordering::Relaxed);
        control
    }

    fn own_gates(&self) -> *mut Thresholds {
        std::ptr::from_ref(&self.page().thresholds).cast_mut()
    }

    /// Writes the page as it is now to the beginning of a file.
    pub(crate) fn write_to(&self, file: &File) -> io::Result<()> {
        let page = self.page();
        page.magic.store(u64::from_ne_bytes(MAGIC), Ordering::Relaxed);
        page.version.store(LAYOUT_VERSION, Ordering::Relaxed);
        let mut bytes = [0; PAGE];
        for (at, byte) in bytes[..size_of::<Page>()].iter_mut().enumerate() {
            // SAFETY: inside the page, which holds atomics only (C1, C2). Others may store to it: each byte is an old or a new one, and every
            // bit pattern is valid.
            *byte = unsafe { self.page.cast::<AtomicU8>().add(at).as_ref() }.load(Ordering::Relaxed);
        }
        file.write_all_at(&bytes, 0)
    }

    /// From now on the page is the one of this file.
    pub(crate) fn publish(&self, file: &File) -> Result<(), Unfit> {
        check(file)?;
        if !self.mapped {
            return Err(Unfit::Io(rustix::io::Errno::NOMEM.into()));
        }
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::SHARED | MapFlags::FIXED;
        // SAFETY: replaces exactly this page's own mapping (C1) with one of the same length and access, at once: a reader sees the old
        // page or the new one, each of which is valid (C2).
        let mapped = unsafe { mmap(self.page.as_ptr().cast(), PAGE, access, flags, file.as_fd(), 0) };
        mapped.map(|_| ()).map_err(|errno| Unfit::Io(errno.into()))
    }

    /// Goes on with the page of this file, which an earlier run has left: with its numbers of processes, and what is set here.
    pub(crate) fn take_up(&self, file: &File) -> Result<(), Unfit> {
        let (own, left) = (self.page(), Control::open(file)?);
        let left = left.page();
        let numbers = |page: &'_ Page| -> Vec<u8> {
            page.levels.iter().chain(&page.floors).map(|number| number.load(Ordering::Relaxed)).collect()
        };
        for (number, own) in left.levels.iter().chain(&left.floors).zip(numbers(own)) {
            number.store(own, Ordering::Relaxed);
        }
        left.listener.manual_now.store(own.listener.manual_now.load(Ordering::Relaxed), Ordering::Relaxed);
        Ok(())
    }

    /// The page.
    #[inline(always)]
    pub(crate) fn page(&self) -> &Page {
        // SAFETY: C1 and C2.
        unsafe { self.page.as_ref() }
    }

    /// The lowest level that a domain takes, as a number; [`CLOSED`] after `close`.
    #[inline(always)]
    pub(crate) fn threshold(&self, domain: u8) -> i8 {
        // SAFETY: C3.
        let gates = unsafe { &*self.gates.load(Ordering::Relaxed) };
        gates[usize::from(domain)].load(Ordering::Relaxed).cast_signed()
    }

    /// Closes the gates, for this process alone.
    pub(crate) fn close(&self) {
        self.gates.store(std::ptr::from_ref(&SHUT).cast_mut(), Ordering::Relaxed);
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if !self.mapped {
            return;
        }
        // SAFETY: address and length are those of the mapping (C1), and nothing borrowed from it outlives `self`.
        let _ = unsafe { munmap(self.page.as_ptr().cast(), PAGE) };
    }
}

/// Whether a file begins with a control page of this version.
pub(crate) fn check(file: &File) -> Result<(), Unfit> {
    let mut head = [0; 12];
    let len = file.metadata().map_err(Unfit::Io)?.len();
    if len < PAGE as u64 {
        return Err(Unfit::Strange);
    }
    file.read_exact_at(&mut head, 0).map_err(Unfit::Io)?;
    if head[..8] != MAGIC {
        return Err(Unfit::Strange);
    }
    match u32::from_ne_bytes([head[8], head[9], head[10], head[11]]) {
        LAYOUT_VERSION => Ok(()),
        version => Err(Unfit::Version(version)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_before_is_there_after_the_page_is_published() {
        let control = Control::anonymous();
        control.page().thresholds[3].store(4, Ordering::Relaxed);
        let file = tempfile::tempfile().unwrap();
        control.write_to(&file).unwrap();
        control.publish(&file).unwrap();
        assert_eq!(control.threshold(3), 4);
        let other = Control::open(&file).unwrap();
        other.page().thresholds[3].store(5, Ordering::Relaxed);
        assert_eq!(control.threshold(3), 5, "both map the same page");
    }

    #[test]
    fn a_page_that_is_taken_up_keeps_its_numbers_and_gets_the_levels_set_here() {
        let file = tempfile::tempfile().unwrap();
        let earlier = Control::anonymous();
        earlier.page().next_member.store(7, Ordering::Relaxed);
        earlier.page().floors[2].store(5, Ordering::Relaxed);
        earlier.write_to(&file).unwrap();
        let control = Control::anonymous();
        control.page().levels[1].store(3, Ordering::Relaxed);
        control.take_up(&file).unwrap();
        control.publish(&file).unwrap();
        let page = control.page();
        let found = [&page.levels[1], &page.floors[2]].map(|number| number.load(Ordering::Relaxed));
        assert_eq!((found, page.next_member.load(Ordering::Relaxed)), ([3, 0], 7));
    }

    #[test]
    fn a_closed_page_is_closed_for_its_process_alone() {
        let file = tempfile::tempfile().unwrap();
        let control = Control::anonymous();
        control.write_to(&file).unwrap();
        control.publish(&file).unwrap();
        let other = Control::open(&file).unwrap();
        control.close();
        assert_eq!((control.threshold(0), other.threshold(0)), (CLOSED, 0));
    }

    #[test]
    fn another_version_is_named_and_strange_files_are_refused() {
        let file = tempfile::tempfile().unwrap();
        assert!(matches!(check(&file), Err(Unfit::Strange)));
        Control::anonymous().write_to(&file).unwrap();
        assert!(check(&file).is_ok());
        file.write_all_at(&77u32.to_ne_bytes(), 8).unwrap();
        assert!(matches!(Control::open(&file), Err(Unfit::Version(77))));
        file.write_all_at(b"x", 0).unwrap();
        assert!(matches!(check(&file), Err(Unfit::Strange)));
    }
}
