//! A ring's memory: a file in the runtime directory (or an anonymous one), mapped.
//!
//! ```text
//! file     | identity 256 | producer's line 128 | consumer's line 128 | … 4096 | data: capacity bytes |
//! mapping  | the same ......................................................... data               | mirror |
//! ```
//!
//! The mirror is the first [`MIRROR`] bytes of the data, mapped a second time behind it: a record that
//! begins at the very end is contiguous in memory all the same. Records are never longer than the mirror.
//!
//! S1. The mapping is `DATA + capacity + MIRROR` bytes long, readable and writable, and lives as long as the `Segment`.
//! S2. The file's space is reserved before it is mapped, so that touching the mapping cannot fail for want of space.
//! S3. The two lines hold atomics only, and are touched only through shared references to them.
//! S4. The identity is written only by the one who holds the only handle to the segment, before it is registered.
//! S5. Data bytes are touched as the cursors' rule R2 says.
//!
//! No pointer is ever stored in a segment. Magic, version and capacity stand first, for whoever opens the file:
//! [`Header::parse`] reads them from bytes that anybody may have written.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::mem::offset_of;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use rustix::fs::{FallocateFlags, MemfdFlags, fallocate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

use super::lines::{CLASSES, ConsumerLine, ProducerLine};
use crate::sync::{Ordering, fence};

/// The first eight bytes of every segment: `miulogS1`.
pub(crate) const MAGIC: [u8; 8] = *b"miulogS1";
/// Version of everything in a segment: identity, lines, record header and argument tags.
pub(crate) const LAYOUT_VERSION: u32 = 4;
/// Where the data begins: one page, so that it can be mapped on its own.
pub(crate) const DATA: usize = 4096;
/// Length of the longest record.
pub(crate) const MIRROR: usize = 16 * 1024;
/// Capacity of the smallest ring.
pub(crate) const SMALLEST: usize = 64 * 1024;

const PRODUCER_LINE: usize = 256;
/// Where the consumer's line begins, and the identity and the producer's line end.
pub(crate) const CONSUMER_LINE: usize = 384;
/// Length of identity and both lines: all that [`Header::parse`] needs.
pub(crate) const HEADER: usize = CONSUMER_LINE + size_of::<ConsumerLine>();
const NAME: usize = 64;
/// Longest thread name kept, in bytes.
pub(crate) const NAME_MAX: usize = PRODUCER_LINE - NAME;

const _: () = {
    assert!(size_of::<ProducerLine>() == 128 && size_of::<ConsumerLine>() == 128);
    assert!(
        PRODUCER_LINE.is_multiple_of(align_of::<ProducerLine>())
            && CONSUMER_LINE.is_multiple_of(align_of::<ConsumerLine>())
    );
    assert!(PRODUCER_LINE + size_of::<ProducerLine>() <= CONSUMER_LINE && HEADER <= DATA);
    assert!(MIRROR <= SMALLEST && MIRROR.is_multiple_of(4096));
};

/// Whose ring this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Number of the process in its runtime directory. Never given twice there, unlike the system's own.
    pub(crate) member: u32,
    pub(crate) process_id: u32,
    pub(crate) thread_id: u32,
    /// Number of the ring in its process.
    pub(crate) ring: u64,
    /// 0 for a ring's first segment, one more for each larger one.
    pub(crate) generation: u32,
    /// Name of the thread, cut at [`NAME_MAX`] bytes.
    pub(crate) thread_name: String,
}

/// What stands before the data, as it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) identity: Identity,
    pub(crate) capacity: u64,
    /// Bytes ever committed, and ever given back.
    pub(crate) head: u64,
    pub(crate) tail: u64,
    /// Bytes committed and not yet given back; never more than the capacity.
    pub(crate) unread: u64,
    pub(crate) accepted: u64,
    /// Records that found no room.
    pub(crate) lost: u64,
    /// Records ever given back.
    pub(crate) records: u64,
    /// The ring goes on in a larger segment.
    pub(crate) chained: bool,
    /// Its producer is gone.
    pub(crate) closed: bool,
}

/// What the producer's line says, read from a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) head: u64,
    pub(crate) accepted: u64,
    /// Records that found no room, of all classes.
    pub(crate) lost: u64,
    pub(crate) chained: bool,
    pub(crate) closed: bool,
}

/// Where the producer's line stands in the file, and how much of it says something.
pub(crate) const PROGRESS_AT: u64 = PRODUCER_LINE as u64;
pub(crate) const PROGRESS: usize = offset_of!(ProducerLine, lost) + CLASSES * size_of::<u64>();

impl Progress {
    /// Reads it. Marks that are neither 0 nor 1 are refused.
    pub(crate) fn parse(bytes: &[u8; PROGRESS]) -> Option<Progress> {
        let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]));
        let mark_at = |at: usize| match u32::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte])) {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        };
        Some(Progress {
            head: u64_at(offset_of!(ProducerLine, head)),
            accepted: u64_at(offset_of!(ProducerLine, accepted)),
            lost: (0..CLASSES)
                .map(|class| u64_at(offset_of!(ProducerLine, lost) + class * size_of::<u64>()))
                .fold(0, u64::wrapping_add),
            chained: mark_at(offset_of!(ProducerLine, chained))?,
            closed: mark_at(offset_of!(ProducerLine, closed))?,
        })
    }
}

/// Why bytes are no segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// The version found.
    Version(u32),
    Otherwise(&'static str),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Version(found) => {
                write!(f, "it has layout version {found}; this program reads version {LAYOUT_VERSION}")
            }
            Malformed::Otherwise(problem) => f.write_str(problem),
        }
    }
}

impl Header {
    /// Reads the first bytes of a segment's file that is `file_len` bytes long. Nothing in them is trusted.
    ///
    /// The bytes of a ring in use change while they are read: a caller who wants them to fit together reads the consumer's line
    /// before the producer's, and tries again where they do not.
    pub(crate) fn parse(bytes: &[u8], file_len: u64) -> Result<Header, Malformed> {
        let wrong = |problem| Err(Malformed::Otherwise(problem));
        let Some(bytes) = bytes.first_chunk::<HEADER>() else {
            return wrong("it is shorter than a ring's header");
        };
        if bytes[..8] != MAGIC {
            return wrong("it does not begin as a ring does");
        }
        let version = u32_at(bytes, 8);
        if version != LAYOUT_VERSION {
            return Err(Malformed::Version(version));
        }
        if u32_at(bytes, 12) as usize != DATA {
            return wrong("its data begin at another place than this layout version says");
        }
        let capacity = u64_at(bytes, 16);
        if !capacity.is_power_of_two() || capacity < SMALLEST as u64 {
            return wrong("its capacity is not one that a ring can have");
        }
        if capacity.checked_add(DATA as u64).is_none_or(|whole| whole > file_len) {
            return wrong("the file is shorter than its capacity says");
        }
        let name_len = u32_at(bytes, 44) as usize;
        let Some(name) = bytes[NAME..PRODUCER_LINE].get(..name_len) else {
            return wrong("its thread's name is longer than there is room for");
        };
        let Ok(thread_name) = std::str::from_utf8(name) else {
            return wrong("its thread's name is not UTF-8");
        };
        let mut line = [0; PROGRESS];
        line.copy_from_slice(&bytes[PRODUCER_LINE..PRODUCER_LINE + PROGRESS]);
        let Some(Progress { head, accepted, lost, chained, closed }) = Progress::parse(&line) else {
            return wrong("its producer's marks are neither 0 nor 1");
        };
        let tail = u64_at(bytes, CONSUMER_LINE + offset_of!(ConsumerLine, tail));
        let check = u64_at(bytes, CONSUMER_LINE + offset_of!(ConsumerLine, check));
        let Some(tail) = ConsumerLine::settled(tail, check, head, capacity) else {
            return wrong("its cursors are further apart than its capacity");
        };
        let unread = head - tail;
        Ok(Header {
            identity: Identity {
                member: u32_at(bytes, 48),
                process_id: u32_at(bytes, 24),
                thread_id: u32_at(bytes, 28),
                ring: u64_at(bytes, 32),
                generation: u32_at(bytes, 40),
                thread_name: thread_name.to_owned(),
            },
            capacity,
            head,
            tail,
            unread,
            accepted,
            lost,
            records: u64_at(bytes, CONSUMER_LINE + offset_of!(ConsumerLine, records)),
            chained,
            closed,
        })
    }
}

fn u32_at(bytes: &[u8; HEADER], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]))
}

fn u64_at(bytes: &[u8; HEADER], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]))
}

/// A mapped segment. Producer and consumer share it.
#[derive(Debug)]
pub(crate) struct Segment {
    base: NonNull<u8>,
    capacity: usize,
    /// The file's path; none for an anonymous one.
    path: Option<PathBuf>,
}

// SAFETY: the mapping is ordinary shared memory that belongs to no thread. What it holds is either atomic (S3) or
// handed from one side to the other by the cursors (S5); the identity is written by an only owner (S4).
unsafe impl Send for Segment {}
// SAFETY: as above.
unsafe impl Sync for Segment {}

impl Segment {
    /// Creates a segment: a new file of mode 0600 in the folder, or an anonymous one without a folder.
    pub(crate) fn create(folder: Option<&Path>, capacity: usize, identity: &Identity) -> io::Result<Segment> {
        debug_assert!(capacity.is_power_of_two() && capacity >= SMALLEST);
        if !file_may_have((DATA + capacity) as u64) {
            return Err(rustix::io::Errno::FBIG.into());
        }
        let (fd, path) = match folder {
            Some(folder) => {
                let path = folder.join(file_name(identity));
                let file = OpenOptions::new()
                    .read(true)
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
                    .open(&path)?;
                (OwnedFd::from(file), Some(path))
            }
            None => (memfd_create("miu-log-ring", MemfdFlags::CLOEXEC)?, None),
        };
        let mapped = fallocate(&fd, FallocateFlags::empty(), 0, (DATA + capacity) as u64)
            .and_then(|()| map(&fd, capacity));
        match mapped {
            Ok(base) => {
                let mut segment = Segment { base, capacity, path };
                segment.identify(identity);
                Ok(segment)
            }
            Err(error) => {
                if let Some(path) = path {
                    // The file is useless; where it cannot even be removed the next start finds it empty.
                    let _ = std::fs::remove_file(path);
                }
                Err(error.into())
            }
        }
    }

    /// Writes who owns the segment, and forgets everything it held. The exclusive reference is what S4 asks for.
    ///
    /// The first eight bytes come last: a process that dies in here leaves no ring, rather than an old one under a new name.
    pub(crate) fn identify(&mut self, identity: &Identity) {
        let name = identity.thread_name.as_bytes();
        let name = &name[..identity.thread_name.floor_char_boundary(NAME_MAX.min(name.len()))];
        // SAFETY: S1 makes the first `PRODUCER_LINE` bytes valid, and they hold no line (S3). `&mut self` is the only
        // handle of this process; no other process writes an identity (S4).
        let bytes = unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr(), PRODUCER_LINE) };
        bytes.fill(0);
        fence(Ordering::SeqCst);
        bytes[8..12].copy_from_slice(&LAYOUT_VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&(DATA as u32).to_le_bytes());
        bytes[16..24].copy_from_slice(&(self.capacity as u64).to_le_bytes());
        bytes[24..28].copy_from_slice(&identity.process_id.to_le_bytes());
        bytes[28..32].copy_from_slice(&identity.thread_id.to_le_bytes());
        bytes[32..40].copy_from_slice(&identity.ring.to_le_bytes());
        bytes[40..44].copy_from_slice(&identity.generation.to_le_bytes());
        bytes[44..48].copy_from_slice(&(name.len() as u32).to_le_bytes());
        bytes[48..52].copy_from_slice(&identity.member.to_le_bytes());
        bytes[NAME..NAME + name.len()].copy_from_slice(name);
        let (producer, consumer) = (self.producer_line(), self.consumer_line());
        producer.head.store(0, Ordering::Relaxed);
        producer.accepted.store(0, Ordering::Relaxed);
        producer.chained.store(0, Ordering::Relaxed);
        producer.closed.store(0, Ordering::Relaxed);
        producer.lost.iter().for_each(|lost| lost.store(0, Ordering::Relaxed));
        consumer.store(0);
        consumer.count(0);
        fence(Ordering::SeqCst);
        // SAFETY: as above; that borrow has ended.
        let magic = unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr(), MAGIC.len()) };
        magic.copy_from_slice(&MAGIC);
    }

    /// How many data bytes there are: a power of two.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether it has a file that outlives the process.
    pub(crate) fn is_named(&self) -> bool {
        self.path.is_some()
    }

    pub(crate) fn producer_line(&self) -> &ProducerLine {
        // SAFETY: S1 and the const asserts: in bounds, aligned, and every bit pattern is a valid `ProducerLine`. S3: never
        // borrowed otherwise.
        unsafe { self.base.add(PRODUCER_LINE).cast::<ProducerLine>().as_ref() }
    }

    pub(crate) fn consumer_line(&self) -> &ConsumerLine {
        // SAFETY: as for `producer_line`.
        unsafe { self.base.add(CONSUMER_LINE).cast::<ConsumerLine>().as_ref() }
    }

    /// Says that everything ever committed has been read: for a segment that both sides have left.
    pub(crate) fn give_back_all(&self) {
        self.consumer_line().store(self.producer_line().head.load(Ordering::Acquire));
    }

    /// First data byte. `capacity + MIRROR` bytes are valid from here (S1).
    pub(super) fn data(&self) -> NonNull<u8> {
        // SAFETY: S1: the mapping is longer than `DATA`.
        unsafe { self.base.add(DATA) }
    }

    /// Renames the file to fit a new identity, before the segment is used again.
    pub(crate) fn rename(&mut self, identity: &Identity) -> io::Result<()> {
        if let Some(path) = &mut self.path {
            let renamed = path.with_file_name(file_name(identity));
            std::fs::rename(&*path, &renamed)?;
            *path = renamed;
        }
        Ok(())
    }

    /// Removes the file. The mapping stays until the segment is dropped.
    pub(crate) fn unlink(&self) {
        if let Some(path) = &self.path {
            // A file that is gone already is as good as removed.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: `base` and the length are those of the mapping (S1), and nothing borrowed from it outlives `self`.
        // A failure would leave the mapping in place, which harms nobody.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), DATA + self.capacity + MIRROR) };
    }
}

/// What the names of all segments' files begin with.
pub(crate) const FILE_PREFIX: &str = "ring-";

/// Name of a segment's file.
pub(crate) fn file_name(identity: &Identity) -> String {
    format!("{FILE_PREFIX}{}-{}-{}", identity.member, identity.ring, identity.generation)
}

/// Whether a file of this length is within the process's limit (`RLIMIT_FSIZE`). One that is not would be answered with a signal that
/// kills.
pub(crate) fn file_may_have(len: u64) -> bool {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    limit.is_none_or(|limit| len <= limit)
}

/// Maps header, data and mirror back to back.
fn map(fd: &OwnedFd, capacity: usize) -> rustix::io::Result<NonNull<u8>> {
    let length = DATA + capacity + MIRROR;
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice replaces nothing. It reserves the whole range.
    let base =
        unsafe { mmap_anonymous(std::ptr::null_mut(), length, ProtFlags::empty(), MapFlags::PRIVATE)? };
    let place = |offset: usize, file_offset: usize, len: usize| {
        let address = base.cast::<u8>().wrapping_add(offset).cast();
        // SAFETY: MAP_FIXED replaces only pages of the range reserved above: `offset + len <= length`. The file is at least
        // `file_offset + len` bytes long (S2).
        unsafe {
            mmap(address, len, access, MapFlags::SHARED | MapFlags::FIXED, fd.as_fd(), file_offset as u64)
        }
    };
    let placed = place(0, 0, DATA + capacity).and_then(|_| place(DATA + capacity, DATA, MIRROR));
    if let Err(error) = placed {
        // SAFETY: the range was mapped above and nobody has seen it.
        let _ = unsafe { munmap(base, length) };
        return Err(error);
    }
    NonNull::new(base.cast()).ok_or(rustix::io::Errno::NOMEM)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn identity() -> Identity {
        Identity {
            member: 7,
            process_id: 77,
            thread_id: 8,
            ring: 9,
            generation: 0,
            thread_name: "worker-3".to_owned(),
        }
    }

    #[test]
    fn the_file_begins_with_magic_version_and_capacity() {
        let folder = tempfile::tempdir().unwrap();
        let segment = Segment::create(Some(folder.path()), SMALLEST, &identity()).unwrap();
        let bytes = std::fs::read(folder.path().join("ring-7-9-0")).unwrap();
        assert_eq!(bytes.len(), DATA + SMALLEST);
        assert_eq!(bytes[..8], MAGIC);
        assert_eq!(bytes[8..12], LAYOUT_VERSION.to_le_bytes());
        assert_eq!(bytes[16..24], (SMALLEST as u64).to_le_bytes());
        assert_eq!(bytes[NAME..NAME + 8], *b"worker-3");
        segment.unlink();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_file_is_for_its_owner_alone_and_never_replaces_another() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let _segment = Segment::create(Some(folder.path()), SMALLEST, &identity()).unwrap();
        let mode = std::fs::metadata(folder.path().join("ring-7-9-0")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let second = Segment::create(Some(folder.path()), SMALLEST, &identity());
        assert_eq!(second.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    /// The bytes of a segment's file.
    fn file_of(identity: &Identity, change: impl FnOnce(&Segment)) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let segment = Segment::create(Some(folder.path()), SMALLEST, identity).unwrap();
        change(&segment);
        std::fs::read(folder.path().join(file_name(identity))).unwrap()
    }

    fn problem(bytes: &[u8]) -> String {
        Header::parse(bytes, bytes.len() as u64).unwrap_err().to_string()
    }

    #[test]
    fn what_a_segment_writes_down_is_read_back() {
        let bytes = file_of(&identity(), |segment| {
            segment.producer_line().head.store(640, Ordering::Release);
            segment.producer_line().accepted.store(9, Ordering::Relaxed);
            segment.producer_line().lost[1].store(2, Ordering::Relaxed);
            segment.producer_line().lost[7].store(3, Ordering::Relaxed);
            segment.consumer_line().store(64);
            segment.consumer_line().count(2);
        });
        let header = Header::parse(&bytes[..HEADER], bytes.len() as u64).unwrap();
        let expected = Header {
            identity: identity(),
            capacity: SMALLEST as u64,
            head: 640,
            tail: 64,
            unread: 576,
            accepted: 9,
            lost: 5,
            records: 2,
            chained: false,
            closed: false,
        };
        assert_eq!(header, expected);
        for mark in [offset_of!(ProducerLine, chained), offset_of!(ProducerLine, closed)] {
            let mut bytes = bytes.clone();
            bytes[PRODUCER_LINE + mark] = 1;
            let header = Header::parse(&bytes, bytes.len() as u64).unwrap();
            assert!(header.chained != header.closed);
        }
    }

    #[test]
    fn a_counter_whose_writer_died_between_its_two_words_is_the_new_one() {
        let good = file_of(&identity(), |segment| {
            segment.producer_line().head.store(640, Ordering::Release);
            segment.consumer_line().store(64);
        });
        let (old, new) = (ConsumerLine::bytes(64, 0), ConsumerLine::bytes(128, 0));
        let tail_of = |line: [&[u8]; 2]| {
            let mut bytes = good.clone();
            bytes[CONSUMER_LINE..CONSUMER_LINE + 16].copy_from_slice(&line.concat());
            Header::parse(&bytes, bytes.len() as u64).map(|header| header.tail)
        };
        assert_eq!(tail_of([&old[..8], &new[8..16]]), Ok(128));
        assert_eq!(tail_of([&new[..8], &old[8..16]]), Ok(128));
        // One word that no ring can have is not believed.
        assert_eq!(tail_of([&ConsumerLine::bytes(648, 0)[..8], &old[8..16]]), Ok(64));
    }

    #[test]
    fn another_layout_version_is_refused_by_naming_both() {
        let mut bytes = file_of(&identity(), |_| {});
        bytes[8..12].copy_from_slice(&77u32.to_le_bytes());
        let text = problem(&bytes);
        assert_eq!(text, format!("it has layout version 77; this program reads version {LAYOUT_VERSION}"));
    }

    #[test]
    fn each_number_that_no_ring_has_is_refused() {
        let good = file_of(&identity(), |_| {});
        let changed = |at: usize, to: &[u8]| {
            let mut bytes = good.clone();
            bytes[at..at + to.len()].copy_from_slice(to);
            problem(&bytes)
        };
        assert!(changed(0, b"x").contains("does not begin as a ring does"));
        assert!(changed(12, &[1]).contains("data begin at another place"));
        for capacity in [0, SMALLEST as u64 / 2, SMALLEST as u64 + 1, u64::MAX] {
            assert!(changed(16, &capacity.to_le_bytes()).contains("not one that a ring can have"));
        }
        for capacity in [SMALLEST as u64 * 2, 1 << 63] {
            assert!(changed(16, &capacity.to_le_bytes()).contains("shorter than its capacity says"));
        }
        assert!(changed(44, &u32::MAX.to_le_bytes()).contains("longer than there is room for"));
        assert!(changed(44, &(NAME_MAX as u32 + 1).to_le_bytes()).contains("longer than there is room for"));
        assert!(changed(NAME, &[0xff]).contains("not UTF-8"));
        assert!(changed(PRODUCER_LINE + offset_of!(ProducerLine, closed), &[2]).contains("neither 0 nor 1"));
        assert!(changed(CONSUMER_LINE, &ConsumerLine::bytes(8, 0)).contains("further apart"));
        assert!(changed(PRODUCER_LINE, &(SMALLEST as u64 + 8).to_le_bytes()).contains("further apart"));
        assert!(problem(&good[..HEADER - 1]).contains("shorter than a ring's header"));
        assert!(problem(&[]).contains("shorter than a ring's header"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_of_headers_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..2 * HEADER),
            begins_well: bool,
            patch in 12..HEADER,
            len: u64,
        ) {
            let mut bytes = bytes;
            if begins_well && bytes.len() >= HEADER {
                let good = file_of(&identity(), |_| {});
                bytes[..patch].copy_from_slice(&good[..patch]);
            }
            if let Ok(header) = Header::parse(&bytes, len) {
                prop_assert!(header.unread <= header.capacity && header.capacity <= len);
                prop_assert!(header.identity.thread_name.len() <= NAME_MAX);
            }
        }
    }

    #[test]
    fn a_long_thread_name_is_cut_between_characters() {
        let long = Identity { thread_name: "ö".repeat(200), ..identity() };
        assert!(Segment::create(None, SMALLEST, &long).is_ok());
    }
}
