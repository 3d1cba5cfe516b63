//! Entry points of the fuzz targets: everything that reads bytes or text it did not write.

// A fuzz target says what it found by a panic.
#![allow(clippy::expect_used)]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{MemfdFlags, memfd_create};

use crate::callsite::read_entry;
use crate::codec::{Args, Head, padded};
use crate::config::document;
use crate::context::fields::Fields;
use crate::domain::MAX_DOMAINS;
use crate::hash::fnv1a;
use crate::layout::Pattern;
use crate::listener::checkpoint;
use crate::listener::foreign::{ForeignRing, MOST_RECORDS};
use crate::record::Extra;
use crate::ring::consumer::Consumer;
use crate::ring::control::PAGE;
use crate::ring::member;
use crate::ring::producer::Producer;
use crate::ring::segment::{DATA, HEADER, Header, Identity, SMALLEST, Segment};
use crate::runtime::about::About;
use crate::template::Template;
use crate::zone::Zone;

/// A record's arguments, decoded and rendered.
pub fn record(template: &str, bytes: &[u8]) {
    if let Ok(template) = Template::parse(template) {
        let mut out = Vec::new();
        let _ = template.render(&mut Args::new(bytes), &mut out);
        assert!(std::str::from_utf8(&out).is_ok() && !out.contains(&b'\n'));
    }
    // The same bytes as fields from elsewhere: each name once, none of them a statement's own.
    if let Ok((extra, _)) = Extra::split(bytes) {
        let own = [template.to_owned()];
        let mut names: Vec<&str> = extra.iter(&own).map(|(name, _)| name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert!(names.len() == count && !names.contains(&template));
    }
    let restored = Fields::restore(bytes);
    assert!(restored.iter().count() == Fields::restore(restored.as_bytes()).iter().count());
}

/// A layout's pattern, in any notation. What is accepted is accepted again, as another process reads it.
pub fn pattern(text: &str) {
    for read in [Pattern::parse, Pattern::parse_percent, |text: &str| text.parse()] {
        match read(text) {
            Ok(pattern) => assert!(Pattern::parse(pattern.as_str()).is_ok_and(|again| again == pattern)),
            Err(error) => assert!((1..=text.chars().count() + 1).contains(&error.column())),
        }
    }
}

/// A configuration file's text, in both notations.
pub fn config(text: &str) {
    document::read_any(text);
}

/// A time zone's name, and times in it.
pub fn zone(text: &str) {
    let zone = Zone::from(text);
    assert!(zone.check().is_err() || Zone::from(zone.to_string()) == zone);
}

/// A ring's content, read as records.
pub fn ring(bytes: &[u8]) {
    let identity = Identity {
        member: 0,
        process_id: 1,
        thread_id: 1,
        ring: 0,
        generation: 0,
        thread_name: String::new(),
    };
    let Ok(segment) = Segment::create(None, SMALLEST, &identity) else { return };
    let segment = Arc::new(segment);
    let mut producer = Producer::new(Arc::new(()), segment.clone(), 0);
    let mut consumer = Consumer::new(segment, 0);
    for chunk in bytes.chunks(4096) {
        producer.extend(u64::MAX);
        producer.write(padded(chunk.len()), |slot, _| slot[..chunk.len()].copy_from_slice(chunk));
    }
    if !consumer.refresh() {
        return;
    }
    while consumer.has_unread() {
        let Ok(head) = Head::parse(consumer.unread()) else { break };
        let mut arguments = Args::new(&consumer.unread()[crate::codec::HEADER..head.len as usize]);
        while arguments.next().is_ok() {}
        consumer.advance(padded(head.len as usize));
    }
}

/// The first bytes of a segment's file, as another process may have left them: the file's length, eight bytes of it, then header and
/// data. Also what the data hold, read as records.
pub fn segment(bytes: &[u8]) {
    let Some((len, bytes)) = bytes.split_first_chunk() else { return };
    let len = u64::from_le_bytes(*len);
    let Ok(header) = Header::parse(bytes, len) else { return };
    assert!(header.unread <= header.capacity && header.capacity <= len);
    assert!(header.capacity.is_power_of_two());
    let data = &bytes[HEADER..];
    let mut unread = &data[..data.len().min(header.unread as usize)];
    while let Ok(head) = Head::parse(unread) {
        let mut arguments = Args::new(&unread[crate::codec::HEADER..head.len as usize]);
        while arguments.next().is_ok() {}
        unread = unread.get(padded(head.len as usize)..).unwrap_or_default();
    }
}

/// The longest file that a ring is read from here: it has no more memory than what was written to it.
const LONGEST: u64 = 1 << 20;

/// The same bytes as another process's ring: its file is read to its end, as the listener reads it. The data stand where the first
/// unread record is.
pub fn foreign(bytes: &[u8]) {
    let Some((len, bytes)) = bytes.split_first_chunk() else { return };
    let len = u64::from_le_bytes(*len).min(LONGEST);
    let (header, data) = bytes.split_at(bytes.len().min(HEADER));
    let Ok(file) = NamedFile::create(len) else { return };
    let at = Header::parse(header, len).map_or(0, |header| header.tail & (header.capacity - 1));
    let capacity = Header::parse(header, len).map_or(LONGEST, |header| header.capacity);
    let (now, later) = data.split_at(data.len().min((capacity - at) as usize));
    for (bytes, at) in [(header, 0), (now, DATA as u64 + at), (later, DATA as u64)] {
        if file.file.write_all_at(bytes, at).is_err() {
            return;
        }
    }
    if file.file.set_len(len).is_err() {
        return;
    }

    let Ok((mut ring, _)) = ForeignRing::open(&file.path, 0) else { return };
    let starts = read_to_the_end(&mut ring);
    let (end, records) = (ring.position(), ring.records());
    // Nothing was given back: whoever comes next goes on wherever this one was.
    if let Some(middle) = starts.get(starts.len() / 2) {
        let (mut again, _) = ForeignRing::open(&file.path, *middle).expect("it was read up to here");
        assert_eq!(again.position(), *middle);
        read_to_the_end(&mut again);
        assert_eq!((again.position(), again.records()), (end, records));
    }
    ring.free();
    // A count past all belief was not taken as it stood.
    let records = records.min(MOST_RECORDS);
    let (mut again, _) = ForeignRing::open(&file.path, end).expect("it was read up to here");
    read_to_the_end(&mut again);
    assert_eq!((again.position(), again.records()), (end, records));
    ring.end();
    ring.abandon();
    assert!(!ring.has_unread());
}

/// Reads whole records until there is none, or none that makes sense. Returns where they begin.
fn read_to_the_end(ring: &mut ForeignRing) -> Vec<u64> {
    let mut starts = Vec::new();
    while ring.refresh() && ring.has_unread() {
        let Ok(head) = Head::parse(ring.unread()) else { break };
        let mut arguments = Args::new(&ring.unread()[crate::codec::HEADER..head.len as usize]);
        while arguments.next().is_ok() {}
        starts.push(ring.position());
        ring.advance(padded(head.len as usize));
        assert!(starts.len() as u64 * 8 <= LONGEST && ring.position() <= ring.head());
    }
    starts
}

/// Files of the runtime directory that another process wrote: the first byte says which, the others are its content.
pub fn files(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else { return };
    match which % 5 {
        0 => {
            let about = with(bytes, PAGE as u64).and_then(|file| About::read(&file));
            assert!(about.is_none_or(|about| about.domains.len() <= MAX_DOMAINS));
        }
        1 => {
            let _ = with(bytes, 0).and_then(|file| checkpoint::read(&file));
        }
        2 => {
            // As above, with length and checksum as they are to be: else hardly any bytes would be looked at.
            let mut slot = vec![0; 8];
            slot.extend((bytes.len() as u32 + 12).to_le_bytes());
            slot.extend(bytes);
            let checksum = fnv1a(&slot[8..]);
            slot[..8].copy_from_slice(&checksum.to_le_bytes());
            let _ = with(&slot, 0).and_then(|file| checkpoint::read(&file));
        }
        3 => {
            let mut rest = bytes;
            while let Ok(Some((_, len))) = read_entry(rest) {
                assert!(len > 0);
                rest = &rest[len..];
            }
        }
        _ => {
            let Some(file) = with(bytes, 0) else { return };
            if let Ok((about, _)) = member::read(&file) {
                assert!(about.name.len() <= member::NAME_MAX);
            }
            member::read_drops(&file, &mut [0; 3]);
            member::read_told(&file, &mut [0; 3]);
        }
    }
}

/// A file without a name that holds these bytes from an offset on.
fn with(bytes: &[u8], at: u64) -> Option<File> {
    let file = File::from(memfd_create("miu-log-fuzz", MemfdFlags::CLOEXEC).ok()?);
    file.write_all_at(bytes, at).ok()?;
    Some(file)
}

/// A file with a name, until it is dropped; in memory where there is a folder for that.
struct NamedFile {
    path: PathBuf,
    file: File,
}

impl NamedFile {
    fn create(len: u64) -> io::Result<NamedFile> {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let path = folder.join(format!("miu-log-fuzz-{}", std::process::id()));
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.set_len(len)?;
        Ok(NamedFile { path, file })
    }
}

impl Drop for NamedFile {
    fn drop(&mut self) {
        // The next run takes the name again.
        let _ = fs::remove_file(&self.path);
    }
}
