//! The side that reads and forgets: the sink's thread.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use super::format::{decode, next_whole, options, write_position};
use super::{CHUNK, Place, Shared, Slot, pause};
use crate::record::UnixNanos;
use crate::sink::{Entry, Held};

/// See the module above.
#[derive(Debug)]
pub(in super::super) struct Drain {
    shared: Arc<Shared>,
    reader: Option<(u64, File)>,
    /// What was read.
    read: Place,
    /// Where it writes down what has arrived.
    position: (File, Slot),
    removals: u64,
    buffer: Vec<u8>,
}

impl Drain {
    pub(super) fn new(shared: Arc<Shared>, position: (File, Slot), read: Place) -> Drain {
        Drain { shared, reader: None, read, position, removals: 0, buffer: Vec::new() }
    }

    /// What both sides know.
    pub(in super::super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The next file with something to read, and up to where it is whole.
    fn next_file(&mut self) -> Option<(u64, u64)> {
        let state = self.shared.state();
        state.segments.iter().find_map(|segment| {
            let from = if segment.number == self.read.segment { self.read.offset } else { 0 };
            let is_next = segment.number >= self.read.segment && segment.len > from;
            is_next.then(|| {
                self.read = Place { segment: segment.number, offset: from };
                (segment.number, segment.len)
            })
        })
    }

    /// Reads the next records, at most so many, and at most so many bytes of them but one at least. Names of domains are looked up in `domains`, or put
    /// there. Gives the place behind each record.
    pub(in super::super) fn read(
        &mut self,
        records: usize,
        bytes: usize,
        domains: &mut Vec<String>,
        held: &mut Held,
    ) -> io::Result<Vec<Place>> {
        let mut places = Vec::new();
        while places.len() < records
            && (places.is_empty() || held.text.len() < bytes)
            && let Some((number, len)) = self.next_file()
        {
            let before = places.len();
            let left = len - self.read.offset;
            let mut chunk = left.min(CHUNK.max(bytes as u64));
            loop {
                if let Err(error) = self.read_chunk(number, chunk) {
                    if places.is_empty() {
                        return Err(error);
                    }
                    // Told when nothing stands before it.
                    return Ok(self.count(places, held));
                }
                let mut rest = &self.buffer[..];
                while places.len() < records
                    && (places.is_empty() || held.text.len() < bytes)
                    && let Some((record, after)) = decode(rest)
                {
                    let domain = number_in(domains, record.domain);
                    let (time, id, level) = (record.time, record.id, record.level);
                    if !held.push(record.text, Entry { time, id, start: 0, end: 0, domain, level }) {
                        break;
                    }
                    self.read.offset += (rest.len() - after.len()) as u64;
                    places.push(self.read);
                    rest = after;
                }
                if places.len() > before {
                    break;
                }
                if chunk == left {
                    if let Some(damaged) = next_whole(&self.buffer) {
                        // What stands before the next record was told when it was found.
                        self.read.offset += damaged as u64;
                        break;
                    }
                    if places.is_empty() {
                        // The file is not what it was when it was counted: the rest of it is given up.
                        self.read.offset += left;
                        let damaged = "a file of the spool is damaged";
                        return Err(io::Error::new(io::ErrorKind::InvalidData, damaged));
                    }
                    return Ok(self.count(places, held));
                }
                chunk = left;
            }
        }
        Ok(self.count(places, held))
    }

    fn read_chunk(&mut self, number: u64, len: u64) -> io::Result<()> {
        let file = match &mut self.reader {
            Some((of, file)) if *of == number => file,
            reader => {
                let file = options().read(true).open(self.shared.path_of(number))?;
                &mut reader.insert((number, file)).1
            }
        };
        self.buffer.resize(len as usize, 0);
        file.read_exact_at(&mut self.buffer, self.read.offset)
    }

    /// What was read is unread no more.
    fn count(&mut self, places: Vec<Place>, held: &Held) -> Vec<Place> {
        let mut state = self.shared.state();
        state.unread.records = state.unread.records.saturating_sub(places.len() as u64);
        state.unread.bytes = self.bytes_behind(&state);
        if let Some(last) = held.entries.last() {
            // What follows was logged later, or about then.
            state.oldest = last.time;
        }
        places
    }

    fn bytes_behind(&self, state: &super::State) -> u64 {
        state.segments.iter().map(|segment| self.read.bytes_behind(segment.number, segment.len)).sum()
    }

    /// So many records have arrived, up to this place: they are not read again.
    pub(in super::super) fn acknowledge(&mut self, place: Place, records: u64) -> io::Result<()> {
        if self.shared.state().is_left {
            return Ok(());
        }
        let removals = self.shared.state().removals;
        if self.removals != removals {
            // The old one went with the folder.
            self.removals = removals;
            self.position.0 = options().write(true).create(true).open(self.shared.folder.join("position"))?;
        }
        let (position, slot) = &mut self.position;
        let written = write_position(position, *slot, place).map(|next| *slot = next);
        let mut done = Vec::new();
        let mut state = self.shared.state();
        state.pending = state.pending.saturating_sub(records);
        while let Some(first) = state.segments.front()
            && written.is_ok()
            && state.writing != Some(first.number)
            && (first.number < place.segment || (first.number == place.segment && first.len <= place.offset))
        {
            done.push(first.number);
            state.pop_front();
        }
        drop(state);
        self.remove(done).and(written)
    }

    /// How much is left of a pause that was asked of an earlier process, in nanoseconds; none may be longer than `longest`.
    pub(in super::super) fn pause(&self, now: UnixNanos, longest: u64) -> Option<u64> {
        pause::left(&self.shared.folder, now, longest)
    }

    /// The destination is not to be called for so many nanoseconds from now on, also by the next process.
    pub(in super::super) fn keep_pause(&self, now: UnixNanos, pause: u64) -> io::Result<()> {
        if self.shared.state().is_left { Ok(()) } else { pause::keep(&self.shared.folder, now, pause) }
    }

    /// The destination has been called.
    pub(in super::super) fn forget_pause(&self) {
        if !self.shared.state().is_left {
            // One that stays is over.
            let _ = pause::forget(&self.shared.folder);
        }
    }

    fn remove(&mut self, numbers: Vec<u64>) -> io::Result<()> {
        if !numbers.is_empty() {
            self.reader = None;
        }
        numbers.into_iter().try_for_each(|number| match std::fs::remove_file(self.shared.path_of(number)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        })
    }

    /// Nothing is appended any more: where all has arrived no file is left.
    pub(in super::super) fn finish(&mut self) -> io::Result<()> {
        let mut state = self.shared.state();
        if state.pending > 0 || state.is_left {
            return Ok(());
        }
        let done = state.segments.drain(..).map(|segment| segment.number).collect();
        state.size = 0;
        drop(state);
        self.remove(done)
    }

    /// What could not be read has been given up: so many records, which nobody gets.
    pub(in super::super) fn give_up_unreadable(&mut self) -> u64 {
        let mut state = self.shared.state();
        // Later files are intact for all that is known.
        let later = state.segments.iter().filter(|segment| segment.number > self.read.segment);
        let later: u64 = later.map(|segment| segment.records).sum();
        let gone = state.unread.records.saturating_sub(later);
        state.unread.records -= gone;
        state.pending = state.pending.saturating_sub(gone);
        // It is passed over as a whole, also what of it was in the middle of being read.
        if let Some(segment) = state.segments.iter().find(|segment| segment.number == self.read.segment) {
            self.read.offset = segment.len;
        }
        state.unread.bytes = self.bytes_behind(&state);
        gone
    }
}

/// The number of a domain among these, where it is put if it is not there.
pub(super) fn number_in(domains: &mut Vec<String>, name: &str) -> u16 {
    let number = domains.iter().position(|known| known == name).unwrap_or_else(|| {
        domains.push(name.to_owned());
        domains.len() - 1
    });
    u16::try_from(number).unwrap_or(u16::MAX)
}
