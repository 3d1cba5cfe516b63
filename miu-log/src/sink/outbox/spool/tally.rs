//! How much waits in the files of a spool, for somebody who looks at them from outside.
//!
//! Pure: what was read comes in as bytes, which may be those of a moment in which something is appended. Whatever they are, counting them takes a time that grows as
//! they do: behind a record that is damaged nothing more is looked for in its file. Called by `inspect`.

use super::Place;
use super::format::{decode, is_begun, number_of, position_in};
use crate::record::UnixNanos;

/// The folder of all spools, in the log folder.
pub(crate) const FOLDER: &str = ".outbox";

/// Between the names of a program and of its sink. No sink's name has it.
const BETWEEN: char = '@';

/// Name of the folder of a sink's spool, where programs share the log folder of that program's.
pub(crate) fn name_of(app: Option<&str>, sink: &str) -> String {
    app.map_or_else(|| sink.to_owned(), |app| format!("{app}{BETWEEN}{sink}"))
}

/// Whose the spool in a folder of this name is: the program's, if programs share the log folder, and the sink's name.
pub(crate) fn owner_of(name: &str) -> (Option<&str>, &str) {
    name.rsplit_once(BETWEEN).map_or((None, name), |(app, sink)| (Some(app), sink))
}

/// Name of the file that says what has arrived, and how much of it there is to read.
pub(crate) const POSITION: &str = "position";
pub(crate) const POSITION_LEN: u64 = 8192;

/// See the module's description.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    arrived: Place,
    pub(crate) records: u64,
    /// Of their files, without what has arrived.
    pub(crate) bytes: u64,
    pub(crate) oldest: Option<UnixNanos>,
}

impl Tally {
    /// Nothing yet, where this was read of the file that says what has arrived.
    pub(crate) fn new(position: &[u8]) -> Tally {
        Tally { arrived: position_in(position), ..Tally::default() }
    }

    /// The number of a file with records that has this name, unless all in it has arrived. In the order of these numbers they were written.
    pub(crate) fn number_of(&self, name: &str) -> Option<u64> {
        number_of(name.as_ref()).filter(|number| *number >= self.arrived.segment)
    }

    /// Adds what waits in the file with this number. False where something in it is damaged.
    pub(crate) fn add(&mut self, number: u64, contents: &[u8]) -> bool {
        let mut rest = contents;
        let mut whole: Vec<(u64, UnixNanos)> = Vec::new();
        while let Some((record, after)) = decode(rest) {
            whole.push(((contents.len() - after.len()) as u64, record.time));
            rest = after;
        }
        let offset = self.arrived.offset;
        let end = whole.last().map_or(0, |last| last.0);
        // A place that is none between two records says nothing, as to the next start.
        let is_place = offset > end || whole.iter().any(|(end, _)| *end == offset);
        let from = if number == self.arrived.segment && is_place { offset } else { 0 };
        let mut waiting = whole.iter().filter(|(end, _)| *end > from).peekable();
        if let Some((_, time)) = waiting.peek() {
            self.oldest.get_or_insert(*time);
        }
        self.records += waiting.count() as u64;
        self.bytes += end.saturating_sub(from);
        rest.is_empty() || is_begun(rest)
    }
}
