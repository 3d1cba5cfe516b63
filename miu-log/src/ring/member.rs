//! What a process says about itself: a file in the runtime directory, mapped by that process alone and read by the listener.
//!
//! ```text
//! | magic u64 | version u32 | process u32 | since i64 | state u32 | name's length u32 | next check-in u64 | name 192 … 256
//! | dropped records u64, by reason, domain and level | as many, of them those that a listener has told of |
//! ```
//!
//! The process holds a lock on the file as long as it lives, whoever else sees its number: the kernel gives the lock back when it ends,
//! however it ends.
//!
//! The last part is the listener's: it notes there what the log files say already, for the next one.
//!
//! N1. The file is mapped as long as the `Member` lives, and only this process cuts it: which it never does.
//! N2. What is mapped holds atomics only, or is written once, before the file has its name.
//!
//! Called by `queue` and, for reading, by the listener.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::segment::{LAYOUT_VERSION, file_may_have};
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// The first eight bytes: `miulogM1`.
pub(crate) const MAGIC: [u8; 8] = *b"miulogM1";
/// Length of what stands before the counters.
pub(crate) const HEAD: usize = 256;
const STATE: usize = 24;
const CHECK_IN: usize = 32;
const NAME: usize = 64;
/// Longest name kept, in bytes.
pub(crate) const NAME_MAX: usize = HEAD - NAME;

/// How a process stands to the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It logs, as long as it lives.
    Joined,
    /// It has taken leave: all it had to say is in its rings.
    Left,
}

/// What a member's file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) process_id: u32,
    /// When it joined, in nanoseconds since 1970.
    pub(crate) since: i64,
    pub(crate) name: String,
}

/// The changing part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pulse {
    pub(crate) state: State,
    /// Until when it will have checked in again, on the monotonic clock in nanoseconds.
    pub(crate) next_check_in: u64,
}

/// This process's own file.
#[derive(Debug)]
pub(crate) struct Member {
    base: NonNull<u8>,
    counters: usize,
}

// SAFETY: what is mapped belongs to no thread and holds atomics where it changes (N2).
unsafe impl Send for Member {}
// SAFETY: as above.
unsafe impl Sync for Member {}

impl Member {
    /// Fills an empty file and maps it. The space is reserved, so that touching the mapping cannot fail.
    pub(crate) fn create(
        file: &File,
        about: &About,
        next_check_in: u64,
        counters: usize,
    ) -> io::Result<Member> {
        let len = HEAD + 2 * counters * 8;
        if !file_may_have(len as u64) {
            return Err(rustix::io::Errno::FBIG.into());
        }
        fallocate(file, FallocateFlags::empty(), 0, len as u64)?;
        let name = &about.name.as_bytes()[..about.name.floor_char_boundary(NAME_MAX.min(about.name.len()))];
        let mut head = [0; HEAD];
        head[0..8].copy_from_slice(&MAGIC);
        head[8..12].copy_from_slice(&LAYOUT_VERSION.to_le_bytes());
        head[12..16].copy_from_slice(&about.process_id.to_le_bytes());
        head[16..24].copy_from_slice(&about.since.to_le_bytes());
        head[28..32].copy_from_slice(&(name.len() as u32).to_le_bytes());
        head[CHECK_IN..CHECK_IN + 8].copy_from_slice(&next_check_in.to_le_bytes());
        head[NAME..NAME + name.len()].copy_from_slice(name);
        file.write_all_at(&head, 0)?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice replaces nothing; the file is as long as this.
        let base = unsafe { mmap(std::ptr::null_mut(), len, access, MapFlags::SHARED, file.as_fd(), 0)? };
        let base = NonNull::new(base.cast()).ok_or(rustix::io::Errno::NOMEM)?;
        Ok(Member { base, counters })
    }

    fn number(&self, at: usize) -> &AtomicU64 {
        // SAFETY: callers give offsets within the mapping that are multiples of eight, and it is page-aligned (N1); touched by
        // atomics only from here on (N2).
        unsafe { self.base.add(at).cast::<AtomicU64>().as_ref() }
    }

    /// Says until when this process will have checked in again.
    pub(crate) fn check_in(&self, next: u64) {
        self.number(CHECK_IN).store(next, Ordering::Release);
    }

    /// One more dropped record.
    pub(crate) fn count_drop(&self, index: usize) {
        if index < self.counters {
            self.number(HEAD + index * 8).fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes leave.
    pub(crate) fn leave(&self) {
        // SAFETY: as in `number`; four-byte aligned.
        let state = unsafe { self.base.add(STATE).cast::<AtomicU32>().as_ref() };
        state.store(1, Ordering::Release);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // SAFETY: address and length are those of the mapping (N1), and nothing borrowed from it outlives `self`.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), HEAD + 2 * self.counters * 8) };
    }
}

/// Reads what a member's file says. Nothing in it is trusted; the error is the problem in words.
pub(crate) fn read(file: &File) -> Result<(About, Pulse), String> {
    let mut head = [0; HEAD];
    file.read_exact_at(&mut head, 0).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => "it is shorter than what a process says about itself".to_owned(),
        _ => error.to_string(),
    })?;
    let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|byte| head[at + byte]));
    let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| head[at + byte]));
    if head[..8] != MAGIC {
        return Err("it does not begin as what a process says about itself".to_owned());
    }
    if u32_at(8) != LAYOUT_VERSION {
        return Err(format!(
            "it has layout version {}; this program reads version {LAYOUT_VERSION}",
            u32_at(8)
        ));
    }
    let name = head[NAME..].get(..u32_at(28) as usize).ok_or("its name is longer than there is room for")?;
    let name = std::str::from_utf8(name).map_err(|_| "its name is not UTF-8")?;
    let about = About { process_id: u32_at(12), since: u64_at(16).cast_signed(), name: name.to_owned() };
    let state = if u32_at(STATE) == 0 { State::Joined } else { State::Left };
    Ok((about, Pulse { state, next_check_in: u64_at(CHECK_IN) }))
}

/// Reads the counters of dropped records, as many as there are.
pub(crate) fn read_drops(file: &File, counters: &mut [u64]) {
    read_counters(file, counters, HEAD);
}

/// Reads how many of them have been told of.
pub(crate) fn read_told(file: &File, counters: &mut [u64]) {
    let at = HEAD + counters.len() * 8;
    read_counters(file, counters, at);
}

/// Writes how many of them have been told of.
pub(crate) fn note_told(file: &File, counters: &[u64]) -> io::Result<()> {
    let bytes: Vec<u8> = counters.iter().flat_map(|counter| counter.to_le_bytes()).collect();
    file.write_all_at(&bytes, (HEAD + bytes.len()) as u64)
}

fn read_counters(file: &File, counters: &mut [u64], at: usize) {
    let mut bytes = vec![0; counters.len() * 8];
    if file.read_exact_at(&mut bytes, at as u64).is_ok() {
        for (counter, bytes) in counters.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *counter = u64::from_le_bytes(*bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_says_is_read_back_as_it_changes() {
        let file = tempfile::tempfile().unwrap();
        let about = About { process_id: 7, since: -5, name: "mailer".to_owned() };
        let member = Member::create(&file, &about, 60, 3).unwrap();
        assert_eq!(read(&file), Ok((about.clone(), Pulse { state: State::Joined, next_check_in: 60 })));
        member.check_in(120);
        member.count_drop(2);
        member.count_drop(2);
        member.count_drop(3);
        member.leave();
        assert_eq!(read(&file), Ok((about, Pulse { state: State::Left, next_check_in: 120 })));
        let mut drops = [0; 3];
        read_drops(&file, &mut drops);
        assert_eq!(drops, [0, 0, 2]);
        let mut told = [7; 3];
        read_told(&file, &mut told);
        assert_eq!(told, [0; 3]);
        note_told(&file, &drops).unwrap();
        member.count_drop(2);
        read_told(&file, &mut told);
        read_drops(&file, &mut drops);
        assert_eq!((told, drops), ([0, 0, 2], [0, 0, 3]));
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let file = tempfile::tempfile().unwrap();
        let about = About { process_id: 7, since: 0, name: "ö".repeat(200) };
        Member::create(&file, &about, 0, 0).unwrap();
        assert_eq!(read(&file).unwrap().0.name, "ö".repeat(NAME_MAX / 2));
    }

    #[test]
    fn bytes_that_no_process_wrote_are_refused_with_the_reason() {
        let file = tempfile::tempfile().unwrap();
        assert!(read(&file).unwrap_err().contains("shorter"));
        Member::create(&file, &About { process_id: 7, since: 0, name: String::new() }, 0, 0).unwrap();
        for (at, bytes, reason) in [
            (28, &u32::MAX.to_le_bytes()[..], "longer than there is room"),
            (8, &77u32.to_le_bytes()[..], "layout version 77"),
            (0, b"x", "does not begin"),
        ] {
            file.write_all_at(bytes, at).unwrap();
            assert!(read(&file).unwrap_err().contains(reason));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(
            patches in proptest::collection::vec((0..HEAD + 24, proptest::num::u8::ANY), 0..40),
            len in 0..HEAD as u64 + 100,
        ) {
            let file = tempfile::tempfile().unwrap();
            let about = About { process_id: 7, since: 0, name: "mailer".to_owned() };
            Member::create(&file, &about, 60, 3).unwrap();
            for (at, byte) in patches {
                file.write_all_at(&[byte], at as u64).unwrap();
            }
            file.set_len(len).unwrap();
            if let Ok((about, _)) = read(&file) {
                proptest::prop_assert!(about.name.len() <= NAME_MAX && len >= HEAD as u64);
            }
            read_drops(&file, &mut [0; 3]);
        }
    }
}
