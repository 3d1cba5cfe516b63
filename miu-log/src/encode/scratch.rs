//! Where a statement keeps the text of what it formats at once: a buffer of the thread, taken out while it is needed.
//!
//! User code (`Display`, `Debug`) runs here and nowhere else. It may panic, and it may log: how deep it nests is bounded.
//!
//! B1. The thread's buffer is taken, and put back, under `STATE`, so that a statement that comes in between, in a signal handler or in a `Display` that
//!     logs, makes its own. In a handler it must not grow one: a text for which there is no room makes the record one that is dropped.

use std::cell::Cell;
use std::fmt::{self, Write};

use super::{MAX_RECORD, Text};
use crate::ring::signal_frame::in_signal_handler;
use crate::sync::{AtomicU8, Ordering, compiler_fence};

/// How deep a `Display` that logs may nest.
const MAX_DEPTH: u32 = 8;
/// A buffer that has grown beyond this is not kept.
const KEEP: usize = 64 * 1024;
/// What a buffer begins with.
const FIRST: usize = 256;

/// No buffer has been kept yet. Touching `BUFFER` for the first time allocates.
const NONE: u8 = 0;
/// The buffer is in `BUFFER`.
const AT_REST: u8 = 1;
/// A statement has it, or is about to take it or to put it back.
const TAKEN: u8 = 2;

thread_local! {
    /// The buffer of the thread. A statement takes it out while it needs it; a nested one makes its own.
    static BUFFER: Cell<String> = const { Cell::new(String::new()) };
    /// Where the buffer is (B1). Has no destructor.
    static STATE: AtomicU8 = const { AtomicU8::new(NONE) };
    /// How many `Display` and `Debug` of staged values are running. Has no destructor.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Why a part of a record is missing, so that it is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Too many `Display` that log were nested.
    TooDeep,
    /// There was no room for the text, and a signal handler must not make any.
    InHandler,
}

/// Whose the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// There is none yet.
    Nobody,
    /// It was taken from the thread's buffer, and goes back there.
    Thread,
    /// The thread's buffer was elsewhere. It becomes the thread's if that has none at the end.
    Statement,
}

/// Where a statement keeps the text of what it formats at once. Takes the thread's buffer at first need.
#[derive(Debug)]
pub struct Scratch {
    text: String,
    owner: Owner,
    cut: Option<Cut>,
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
        Scratch { text: String::new(), owner: Owner::Nobody, cut: None }
    }

    /// Formats now. This is where user code runs: it may panic (the caller sees it) and it may log (its record comes first).
    #[inline(never)]
    pub fn eager(&mut self, formatted: fmt::Arguments<'_>) -> Text {
        if self.owner == Owner::Nobody {
            (self.text, self.owner) = take();
        }
        let start = self.text.len();
        let Some(_level) = Nesting::enter() else {
            self.cut = Some(Cut::TooDeep);
            return Text { start, end: start, given: 0 };
        };
        let mut capped = Capped { text: &mut self.text, start, given: 0, in_handler: false };
        // An implementation that reports an error has written what it could: that much is kept, with a mark.
        if capped.write_fmt(formatted).is_err() {
            let _ = capped.write_str("… [formatting failed]");
        }
        let given = capped.given;
        if capped.in_handler {
            self.cut = Some(Cut::InHandler);
        }
        // Where it was cut the mark is put when the record is encoded: one that is as long as this is cut there in any case.
        Text { start, end: self.text.len(), given }
    }

    pub(super) fn piece(&self, text: Text) -> &str {
        self.text.get(text.start..text.end).unwrap_or_default()
    }

    /// Whether nothing is missing.
    #[inline(always)]
    pub(crate) fn is_whole(&self) -> bool {
        self.cut.is_none()
    }

    /// Why something is missing, if it is.
    pub(crate) fn cut(&self) -> Option<Cut> {
        self.cut
    }
}

impl Drop for Scratch {
    #[inline(always)]
    fn drop(&mut self) {
        if self.owner != Owner::Nobody {
            give_back(std::mem::take(&mut self.text), self.owner);
        }
    }
}

fn state() -> u8 {
    STATE.with(|state| state.load(Ordering::Relaxed))
}

fn set_state(new: u8) {
    compiler_fence(Ordering::SeqCst);
    STATE.with(|state| state.store(new, Ordering::Relaxed));
    compiler_fence(Ordering::SeqCst);
}

/// The thread's buffer if it is at rest, else an empty one.
fn take() -> (String, Owner) {
    if state() != AT_REST {
        return (String::new(), Owner::Statement);
    }
    set_state(TAKEN);
    let mut text = BUFFER.try_with(Cell::take).unwrap_or_default();
    text.clear();
    (text, Owner::Thread)
}

#[inline(never)]
fn give_back(text: String, owner: Owner) {
    let becomes_the_threads = match owner {
        Owner::Thread => true,
        // One without memory may be a handler's, where `BUFFER` must not be touched for the first time.
        _ => state() == NONE && text.capacity() > 0,
    };
    if !becomes_the_threads {
        return;
    }
    set_state(TAKEN);
    let text = if text.capacity() <= KEEP { text } else { String::new() };
    if BUFFER.try_with(|buffer| buffer.set(text)).is_ok() {
        set_state(AT_REST);
    }
}

/// Counts one running `Display` until it ends, by a panic too.
pub(crate) struct Nesting;

impl Nesting {
    pub(crate) fn enter() -> Option<Nesting> {
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
    /// It is not whole, for want of room in a signal handler.
    in_handler: bool,
}

impl Write for Capped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let full = self.given > self.text.len() - self.start;
        self.given = self.given.saturating_add(text.len());
        if full {
            return Ok(());
        }
        let room = MAX_RECORD.saturating_sub(self.text.len() - self.start);
        let kept = &text[..text.floor_char_boundary(room)];
        if kept.len() > self.text.capacity() - self.text.len() && !self.grow_for(kept.len()) {
            return Err(fmt::Error);
        }
        self.text.push_str(kept);
        Ok(())
    }
}

impl Capped<'_> {
    /// Makes room, except in a signal handler (B1).
    #[cold]
    fn grow_for(&mut self, len: usize) -> bool {
        self.in_handler = self.in_handler || in_signal_handler();
        if !self.in_handler {
            self.text.reserve(len.max(FIRST));
        }
        !self.in_handler
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::signal_action::testing::raise_with;
    use crate::sync::AtomicU32;

    /// What became of a short and of a long text, in a handler: a bit each where they were cut.
    static CUT: AtomicU32 = AtomicU32::new(0);

    extern "C" fn formats(_: i32) {
        let cut = |width: usize| {
            let mut scratch = Scratch::new();
            let text = scratch.eager(format_args!("{:>width$}", 1));
            assert!(scratch.cut().is_some() || scratch.piece(text).len() == width);
            u32::from(scratch.cut() == Some(Cut::InHandler))
        };
        CUT.store(cut(10) | cut(10 * FIRST) << 1, Ordering::Relaxed);
    }

    fn in_handler() -> u32 {
        raise_with(libc::SIGUSR1, formats, false);
        CUT.load(Ordering::Relaxed)
    }

    #[test]
    fn a_handler_uses_the_buffer_that_is_at_rest_and_grows_none() {
        let on_a_new_thread = || {
            assert_eq!(in_handler(), 0b11, "there is no buffer yet");
            let mut scratch = Scratch::new();
            scratch.eager(format_args!("{}", 1));
            assert_eq!(in_handler(), 0b11, "this statement is to give the thread its buffer");
            drop(scratch);
            assert_eq!(in_handler(), 0b10, "now there is one, of a certain length");
            let mut scratch = Scratch::new();
            let text = scratch.eager(format_args!("{}", 2));
            assert_eq!(in_handler(), 0b11, "it is taken");
            assert_eq!(scratch.piece(text), "2");
            drop(scratch);
            Scratch::new().eager(format_args!("{:>1$}", 1, 10 * FIRST));
            assert_eq!(in_handler(), 0, "it has grown");
            Scratch::new().eager(format_args!("{}", "x".repeat(2 * KEEP)));
            assert_eq!(in_handler(), 0b11, "one so large is not kept");
        };
        std::thread::spawn(on_a_new_thread).join().unwrap();
    }
}
