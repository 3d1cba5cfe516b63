//! The other processes of a repository: who has joined, who hangs, who is gone.
//!
//! A process is known by its file in the runtime directory. It is alive as long as it holds the lock on that file: no process number is
//! asked, which may have been given to another one. A process descriptor, where it can be had, only tells when to look at the
//! lock, and how a child of this process ended.
//!
//! Called by the listener, which reads the rings that are found here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};

use super::checkpoint::RingKey;
use super::site::{foreign_site, unknown_site};
use crate::callsite;
use crate::escape::escaped;
use crate::queue::blobs::BLOB_PREFIX;
use crate::queue::membership::{DICTIONARY_PREFIX, JOINING_PREFIX, MEMBER_PREFIX};
use crate::record::Site;
use crate::ring::member::{self, About, Pulse, State};
use crate::ring::segment::FILE_PREFIX;
use crate::runtime::{is_held, open_to_note, open_to_read};
use crate::spare;
use crate::worker::ExitCause;

/// A process is late when it has not checked in so long after it should have, in nanoseconds.
const GRACE: u64 = 1_000_000_000;
/// Longest file of a long record's arguments: their texts are cut at 16 MiB together, and each may have a mark.
const MAX_BLOB: usize = 17 * 1024 * 1024;
/// A process that has given its locks back has come to its end within this time, unless it has closed the file itself.
const ENDING: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
/// Most bytes of a dictionary read at once.
const PIECE: usize = 64 * 1024;
/// Longest entry of a dictionary that is believed: templates are string literals.
const LONGEST_ENTRY: usize = 4 * 1024 * 1024;
/// Most dropped records that are believed of one counter of a process.
const MOST_DROPS: u64 = 1 << 40;
/// Most call sites that are believed of a process.
const MOST_SITES: usize = 1 << 20;

/// Another process.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) number: u32,
    pub(crate) about: About,
    /// Its name as it stands in a line.
    pub(crate) name: String,
    folder: PathBuf,
    file: Option<File>,
    pidfd: Option<OwnedFd>,
    dictionary: Option<File>,
    dictionary_read: u64,
    /// What was read of an entry that was not whole.
    unparsed: Vec<u8>,
    /// It is not what it should be: no more is read of it.
    dictionary_is_broken: bool,
    sites: Vec<Option<Site>>,
    unknown: Site,
    /// Its domains' numbers here, where they are others than its own.
    pub(crate) domains: Option<Vec<u8>>,
    /// Records that it has dropped, by reason, domain and level, as last seen; empty before.
    drops: Vec<u64>,
    /// Not all of them are noted as told.
    untold: bool,
    next_check_in: u64,
    late: bool,
    /// It was gone when it was found.
    came_late: bool,
    /// How it ended, once it has.
    pub(crate) gone: Option<ExitCause>,
    /// Records read since then.
    pub(crate) recovered: u64,
}

/// What became of a process since the last look.
#[derive(Debug)]
pub(crate) enum Change {
    Late,
    Back,
    Gone,
}

impl Peer {
    fn new(folder: &Path, number: u32, about: About) -> Peer {
        Peer {
            number,
            name: escaped(&about.name),
            about,
            folder: folder.to_owned(),
            file: None,
            pidfd: None,
            dictionary: None,
            dictionary_read: 0,
            unparsed: Vec::new(),
            dictionary_is_broken: false,
            sites: Vec::new(),
            unknown: unknown_site(),
            domains: None,
            drops: Vec::new(),
            untold: false,
            next_check_in: u64::MAX,
            late: false,
            came_late: false,
            gone: None,
            recovered: 0,
        }
    }

    /// A process that has a file in the directory.
    pub(crate) fn open(folder: &Path, number: u32) -> Result<Peer, String> {
        let path = folder.join(format!("{MEMBER_PREFIX}{number}"));
        let file = open_to_read(&path).map_err(|error| error.to_string())?;
        let (about, pulse) = member::read(&file)?;
        let pid = i32::try_from(about.process_id).ok().and_then(Pid::from_raw);
        let pidfd = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        let mut peer = Peer::new(folder, number, about);
        peer.next_check_in = pulse.next_check_in;
        peer.file = Some(file);
        // One that was given to a stranger would tell of the stranger: it is asked only where the lock is held, or where it is that of a
        // child that nobody has waited for, whose number cannot have been given away.
        peer.came_late = !peer.is_alive();
        peer.pidfd = pidfd;
        if peer.came_late && peer.cause() == ExitCause::Unknown {
            peer.pidfd = None;
        }
        Ok(peer)
    }

    /// A process of which there are rings only.
    pub(crate) fn without_file(folder: &Path, number: u32, process_id: u32) -> Peer {
        Peer::new(folder, number, About { process_id, since: 0, name: format!("Worker-{process_id}") })
    }

    /// Whether the process lives: it holds the lock on its file.
    pub(crate) fn is_alive(&self) -> bool {
        self.file.as_ref().is_some_and(|file| is_held(file).unwrap_or(false))
    }

    /// Whether it has taken leave.
    pub(crate) fn has_left(&self) -> bool {
        self.pulse().is_some_and(|pulse| pulse.state == State::Left)
    }

    fn pulse(&self) -> Option<Pulse> {
        member::read(self.file.as_ref()?).ok().map(|(_, pulse)| pulse)
    }

    /// Looks how it is doing. `maybe_ended`: there is a reason to look at its lock.
    pub(crate) fn look(&mut self, now: u64, maybe_ended: bool) -> Option<Change> {
        if self.gone.is_some() {
            return None;
        }
        if maybe_ended && !self.is_alive() {
            self.gone = Some(self.cause());
            self.pidfd = None;
            return Some(Change::Gone);
        }
        if self.late || now > self.next_check_in.saturating_add(GRACE) {
            self.next_check_in = self.pulse()?.next_check_in;
            let late = now > self.next_check_in.saturating_add(GRACE) && !self.has_left();
            return match (std::mem::replace(&mut self.late, late), late) {
                (false, true) => Some(Change::Late),
                (true, false) => Some(Change::Back),
                _ => None,
            };
        }
        None
    }

    /// How the process ended, if it is a child of this one that nobody has waited for. It stays so: whoever waits for it finds it.
    fn cause(&self) -> ExitCause {
        let Some(pidfd) = &self.pidfd else { return ExitCause::Unknown };
        // A process that ends gives its locks back some moments before its end can be told.
        let mut polled = [PollFd::new(pidfd, PollFlags::IN)];
        let _ = poll(&mut polled, Some(&ENDING));
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::PidFd(pidfd.as_fd()), options) {
            Ok(Some(status)) => match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => ExitCause::Exited(code),
                (None, Some(signal)) => ExitCause::Killed(signal),
                (None, None) => ExitCause::Unknown,
            },
            _ => ExitCause::Unknown,
        }
    }

    /// Dropped records by reason, domain and level: those new since the last call, or since an earlier listener noted them.
    pub(crate) fn new_drops(&mut self, counters: usize) -> Vec<u64> {
        let Some(file) = &self.file else { return Vec::new() };
        if self.drops.is_empty() {
            self.drops.resize(counters, 0);
            member::read_told(file, &mut self.drops);
        }
        let mut now = vec![0; counters];
        member::read_drops(file, &mut now);
        for (now, before) in now.iter_mut().zip(&mut self.drops) {
            // Never back, and not beyond what may be added up.
            let counted = (*now).clamp(*before, MOST_DROPS.max(*before));
            *now = counted - std::mem::replace(before, counted);
            self.untold |= *now > 0;
        }
        now
    }

    /// Notes in the process's file which drops have been told of: the next listener begins there.
    fn note_told(&mut self) {
        if std::mem::take(&mut self.untold) {
            let path = self.folder.join(format!("{MEMBER_PREFIX}{}", self.number));
            // Where it cannot be noted it is told once more, after a restart.
            let _ = open_to_note(&path).and_then(|file| member::note_told(&file, &self.drops));
        }
    }

    /// A call site of the process, and the process's name. A site that its dictionary does not have is rendered without a template.
    pub(crate) fn site_and_name(&mut self, id: u32) -> (&Site, &str) {
        if !matches!(self.sites.get(id as usize), Some(Some(_))) {
            self.read_dictionary();
        }
        let site = match self.sites.get(id as usize) {
            Some(Some(site)) => site,
            _ => &self.unknown,
        };
        (site, &self.about.name)
    }

    /// Number here of a domain that the process knows by this number.
    pub(crate) fn domain(&self, number: u8) -> u8 {
        match &self.domains {
            None => number,
            Some(numbers) => numbers.get(usize::from(number)).copied().unwrap_or(u8::MAX),
        }
    }

    fn read_dictionary(&mut self) {
        if self.dictionary.is_none() {
            let path = self.folder.join(format!("{DICTIONARY_PREFIX}{}", self.number));
            self.dictionary = open_to_read(&path).ok();
        }
        let Some(dictionary) = &self.dictionary else { return };
        while !self.dictionary_is_broken {
            let filled = self.unparsed.len();
            self.unparsed.resize(filled + PIECE, 0);
            let read = dictionary.read_at(&mut self.unparsed[filled..], self.dictionary_read).unwrap_or(0);
            self.unparsed.truncate(filled + read);
            self.dictionary_read += read as u64;
            let mut used = 0;
            loop {
                match callsite::read_entry(&self.unparsed[used..]) {
                    // Entries are numbered from one, without gaps.
                    Ok(Some((entry, len))) if entry.id as usize == self.sites.len().max(1) => {
                        used += len;
                        self.sites.resize_with(self.sites.len().max(1), || None);
                        self.sites.push(foreign_site(&entry));
                    }
                    Ok(None) => break,
                    Ok(Some(_)) | Err(_) => {
                        self.dictionary_is_broken = true;
                        break;
                    }
                }
            }
            self.unparsed.drain(..used);
            self.dictionary_is_broken |= self.unparsed.len() > LONGEST_ENTRY || self.sites.len() > MOST_SITES;
            if read == 0 {
                return;
            }
        }
        // Nothing behind a fault can be trusted: what was read before it stays, and no more is.
        self.unparsed = Vec::new();
    }

    /// The arguments of a long record, and the file they are in.
    pub(crate) fn blob(&self, number: u64) -> (PathBuf, Option<Vec<u8>>) {
        let path = self.folder.join(format!("{BLOB_PREFIX}{}-{number}", self.number));
        let bytes = spare::with(|| {
            let mut bytes = Vec::new();
            open_to_read(&path)?.take(MAX_BLOB as u64 + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        });
        (path, bytes.ok().filter(|bytes| bytes.len() <= MAX_BLOB))
    }

    /// Removes what the process has left in the directory, its rings aside.
    pub(crate) fn remove_files(&self) {
        let own_blobs = format!("{BLOB_PREFIX}{}-", self.number);
        for name in names(&self.folder) {
            if name.starts_with(&own_blobs) {
                let _ = std::fs::remove_file(self.folder.join(name));
            }
        }
        // The member's file goes last: as long as it is there, whoever comes next knows whose the others are.
        for prefix in [DICTIONARY_PREFIX, MEMBER_PREFIX] {
            let _ = std::fs::remove_file(self.folder.join(format!("{prefix}{}", self.number)));
        }
    }
}

/// All other processes that a listener knows.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    pub(crate) all: BTreeMap<u32, Peer>,
}

impl Peers {
    /// Processes that a look at their lock may show to be gone.
    pub(crate) fn maybe_ended(&self, also_without_descriptor: bool) -> Vec<u32> {
        let mut polled: Vec<(u32, PollFd<'_>)> = Vec::new();
        let mut ended = Vec::new();
        for peer in self.all.values().filter(|peer| peer.gone.is_none()) {
            match &peer.pidfd {
                Some(pidfd) => polled.push((peer.number, PollFd::new(pidfd, PollFlags::IN))),
                None if also_without_descriptor || peer.came_late => ended.push(peer.number),
                None => {}
            }
        }
        if !polled.is_empty() {
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            let (numbers, mut fds): (Vec<u32>, Vec<PollFd<'_>>) = polled.into_iter().unzip();
            if poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0) {
                let ready = numbers.iter().zip(&fds).filter(|(_, fd)| !fd.revents().is_empty());
                ended.extend(ready.map(|(number, _)| *number));
            }
        }
        ended
    }

    /// Whether a process has come to its end, and nobody has taken leave of it yet.
    pub(crate) fn any_to_bury(&self) -> bool {
        self.all.values().any(|peer| peer.gone.is_none() && !peer.is_alive())
    }

    /// What was to be told of dropped records stands in the files.
    pub(crate) fn note_told(&mut self) {
        self.all.values_mut().for_each(Peer::note_told);
    }

    /// When the next process is late, on the monotonic clock. Zero where one is late already.
    pub(crate) fn next_deadline(&self) -> u64 {
        let deadline = |peer: &Peer| match peer.gone {
            Some(_) => u64::MAX,
            None if peer.late => 0,
            None => peer.next_check_in.saturating_add(GRACE),
        };
        self.all.values().map(deadline).min().unwrap_or(u64::MAX)
    }
}

/// Names of the files in a directory, as far as they are plain.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let names = spare::with(|| {
        let entries = std::fs::read_dir(folder)?.flatten();
        Ok(entries.filter_map(|entry| entry.file_name().into_string().ok()).collect())
    });
    names.unwrap_or_default()
}

/// Removes what processes have left in a directory that died before they had joined.
pub(crate) fn remove_unfinished(folder: &Path, names: &[String]) {
    for (name, number) in names.iter().filter_map(|name| Some((name, name.strip_prefix(JOINING_PREFIX)?))) {
        let path = folder.join(name);
        if open_to_read(&path).is_ok_and(|file| !is_held(&file).unwrap_or(true)) {
            // The dictionary first, as when a member's files are removed.
            let _ = std::fs::remove_file(folder.join(format!("{DICTIONARY_PREFIX}{number}")));
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The number in the name of a member's file.
pub(crate) fn member_of(name: &str) -> Option<u32> {
    name.strip_prefix(MEMBER_PREFIX)?.parse().ok()
}

/// Ring and generation in the name of a segment's file.
pub(crate) fn ring_of(name: &str) -> Option<(RingKey, u32)> {
    let mut parts = name.strip_prefix(FILE_PREFIX)?.split('-');
    let key = RingKey { member: parts.next()?.parse().ok()?, ring: parts.next()?.parse().ok()? };
    let generation = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some((key, generation))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process whose dictionary has these bytes.
    fn peer(folder: &Path, dictionary: &[u8]) -> Peer {
        std::fs::write(folder.join("dictionary-7"), dictionary).unwrap();
        Peer::without_file(folder, 7, 7)
    }

    /// An entry with this number and no text at all.
    fn entry(id: u32) -> Vec<u8> {
        let mut bytes = 33_u32.to_le_bytes().to_vec();
        bytes.extend(id.to_le_bytes());
        bytes.extend([0; 29]);
        bytes
    }

    #[test]
    fn counters_of_dropped_records_never_go_back_nor_out_of_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let file = tempfile::tempfile_in(folder.path()).unwrap();
        let set = |value: u64| file.write_all_at(&value.to_le_bytes(), member::HEAD as u64).unwrap();
        let mut peer = Peer::without_file(folder.path(), 7, 7);
        peer.file = Some(file.try_clone().unwrap());
        let mut news = Vec::new();
        for value in [3, 5, 1, u64::MAX, 0, u64::MAX, 7] {
            set(value);
            news.push(peer.new_drops(1)[0]);
        }
        assert_eq!(news, [3, 2, 0, MOST_DROPS - 5, 0, 0, 0]);
    }

    #[test]
    fn entries_are_believed_as_far_as_they_are_numbered_in_turn() {
        let folder = tempfile::tempdir().unwrap();
        let mut peer = peer(folder.path(), &[entry(1), entry(2), entry(900_000), entry(3)].concat());
        for id in [1, 2, 3, 900_000, u32::MAX] {
            peer.site_and_name(id);
        }
        assert_eq!((peer.sites.len(), peer.dictionary_is_broken), (3, true));
    }

    #[test]
    fn an_entry_that_never_ends_is_read_to_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let mut peer = peer(folder.path(), &entry(1));
        let file = File::options().write(true).open(folder.path().join("dictionary-7")).unwrap();
        file.write_all_at(&u32::MAX.to_le_bytes(), 37).unwrap();
        file.set_len(1 << 40).unwrap();
        for _ in 0..200 {
            peer.site_and_name(2);
        }
        assert!(peer.dictionary_read < 2 * LONGEST_ENTRY as u64 && peer.unparsed.is_empty());
        assert_eq!(peer.sites.len(), 2);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_of_dictionaries_panic(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
            id: u32,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut peer = peer(folder.path(), &[entry(1), bytes].concat());
            peer.site_and_name(id);
            proptest::prop_assert!(peer.sites.len() > 1);
        }
    }

    #[test]
    fn names_say_what_a_file_is() {
        assert_eq!(ring_of("ring-1-2-3"), Some((RingKey { member: 1, ring: 2 }, 3)));
        for other in
            ["ring-1-2", "ring-1-2-3-4", "ring-x-2-3", "blob-1-2", "ring-1-2--3", "ring-99999999999-1-1"]
        {
            assert_eq!(ring_of(other), None, "{other}");
        }
        assert_eq!((member_of("member-7"), member_of("member-"), member_of("holder")), (Some(7), None, None));
    }

    #[test]
    fn what_a_process_left_that_died_while_it_joined_is_removed_and_one_that_joins_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["joining-1", "dictionary-1", "joining-2", "dictionary-2", "dictionary-3", "member-3"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let joining = File::open(folder.path().join("joining-2")).unwrap();
        rustix::fs::flock(&joining, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
        remove_unfinished(folder.path(), &names(folder.path()));
        let mut left = names(folder.path());
        left.sort();
        assert_eq!(left, ["dictionary-2", "dictionary-3", "joining-2", "member-3"]);
    }
}
