//! Where a statement keeps the text of what it formats at once: a buffer of the thread, taken out while it is needed.
//!
//! User code (`Display`, `Debug`) runs here and nowhere else. It may panic, and it may log: how deep it nests is bounded.

use std::cell::Cell;
use std::fmt::{self, Write};

use super::{MAX_RECORD, Text};

/// How deep a `Display` that logs may nest.
const MAX_DEPTH: u32 = 8;
/// A buffer that has grown beyond this is not kept.
const KEEP: usize = 64 * 1024;

thread_local! {
    /// The buffer of the thread. A statement takes it out while it needs it; a nested one makes its own.
    static BUFFER: Cell<String> = const { Cell::new(String::new()) };
    /// How many `Display` and `Debug` of staged values are running. Has no destructor.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Where a statement keeps the text of what it formats at once. Takes the thread's buffer at first need.
#[derive(Debug)]
pub struct Scratch {
    text: String,
    borrowed: bool,
    too_deep: bool,
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch::new()
    }
}

impl Scratch {
    /// An empty scratch. Costs nothing until it is used.
    #[inline(always)]
    pub const fn new() -> Scratch {
        Scratch { text: String::new(), borrowed: false, too_deep: false }
    }

    /// Formats now. This is where user code runs: it may panic (the caller sees it) and it may log (its record comes first).
    #[inline(never)]
    pub fn eager(&mut self, formatted: fmt::Arguments<'_>) -> Text {
        if !self.borrowed {
            self.borrowed = true;
            self.text = BUFFER.try_with(Cell::take).unwrap_or_default();
            self.text.clear();
        }
        let start = self.text.len();
        let Some(_level) = Nesting::enter() else {
            self.too_deep = true;
            return Text { start, end: start, given: 0 };
        };
        let mut capped = Capped { text: &mut self.text, start, given: 0 };
        // An implementation that reports an error has written what it could: that much is kept, with a mark.
        if capped.write_fmt(formatted).is_err() {
            let _ = capped.write_str("… [formatting failed]");
        }
        let given = capped.given;
        // Where it was cut the mark is put when the record is encoded: one that is as long as this is cut there in any case.
        Text { start, end: self.text.len(), given }
    }

    pub(super) fn piece(&self, text: Text) -> &str {
        self.text.get(text.start..text.end).unwrap_or_default()
    }

    /// Whether a value was left out because too many `Display` that log were nested: then the record is dropped.
    #[inline(always)]
    pub(crate) fn too_deep(&self) -> bool {
        self.too_deep
    }
}

impl Drop for Scratch {
    #[inline(always)]
    fn drop(&mut self) {
        if self.borrowed {
            give_back(std::mem::take(&mut self.text));
        }
    }
}

#[inline(never)]
fn give_back(text: String) {
    if text.capacity() <= KEEP {
        let _ = BUFFER.try_with(|buffer| buffer.set(text));
    }
}

/// Counts one running `Display` until it ends, by a panic too.
struct Nesting;

impl Nesting {
    fn enter() -> Option<Nesting> {
        if DEPTH.get() >= MAX_DEPTH {
            return None;
        }
        DEPTH.set(DEPTH.get() + 1);
        Some(Nesting)
    }
}

impl Drop for Nesting {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Keeps the first `MAX_RECORD` bytes and counts all.
struct Capped<'a> {
    text: &'a mut String,
    start: usize,
    given: usize,
}

impl Write for Capped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let full = self.given > self.text.len() - self.start;
        self.given = self.given.saturating_add(text.len());
        if !full {
            let room = MAX_RECORD.saturating_sub(self.text.len() - self.start);
            self.text.push_str(&text[..text.floor_char_boundary(room)]);
        }
        Ok(())
    }
}
