//! Where records go that neither the destination nor the spool takes: to the console, else to stderr, else nowhere, and each is counted.
//!
//! Called by the outbox.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::level::Level;
use crate::notice;
use crate::sink::{Batch, Sink};

/// Makes the console, when it is wanted first, to show what was not shown there anyway.
pub(crate) struct OpenConsole {
    pub(crate) open: Box<dyn FnOnce() -> Option<Box<dyn Sink>> + Send>,
    /// The level from which on all records are on the console already, as those of any other sink.
    pub(crate) shown_from: Level,
}

/// Shows a line on stderr; false where it could not.
pub(super) type Show = fn(&[u8]) -> bool;

/// The places, and how many records went to each.
pub(super) struct Fallback {
    open: Option<OpenConsole>,
    console: Option<(Box<dyn Sink>, Level)>,
    show: Show,
    pub(super) counts: Counts,
}

/// Records by where they went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) console: u64,
    pub(super) stderr: u64,
    /// Nowhere.
    pub(super) lost: u64,
}

impl fmt::Debug for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback").field("counts", &self.counts).finish_non_exhaustive()
    }
}

/// As much as stderr takes at once.
pub(super) fn to_stderr(line: &[u8]) -> bool {
    notice::show(line, Duration::ZERO)
}

impl Fallback {
    pub(super) fn new(open: Option<OpenConsole>, show: Show) -> Fallback {
        Fallback { open, console: None, show, counts: Counts::default() }
    }

    /// Takes all of these, one way or the other.
    pub(super) fn take(&mut self, batch: &Batch<'_>) {
        if let Some(OpenConsole { open, shown_from }) = self.open.take() {
            self.console = open().map(|console| (console, shown_from));
        }
        let mut shown = 0;
        let mut entries = batch.entries.to_vec();
        if let Some((_, from)) = &self.console {
            entries.retain(|entry| entry.level < *from);
            self.counts.console += (batch.len() - entries.len()) as u64;
        }
        let batch = Batch { entries: &entries, ..*batch };
        let total = batch.len();
        if let Some((console, _)) = self.console.as_mut().filter(|_| total > 0) {
            shown = match catch_unwind(AssertUnwindSafe(|| console.write(&batch))) {
                Ok(Ok(())) => total,
                Ok(Err(error)) => error.delivered().min(total),
                Err(_) => 0,
            };
        }
        self.counts.console += shown as u64;
        for line in batch.iter().skip(shown) {
            if (self.show)(line.as_bytes()) {
                self.counts.stderr += 1;
            } else {
                self.counts.lost += 1;
            }
        }
    }

    /// Waits for the console, if there is one, no longer than until then.
    pub(super) fn close(&mut self, deadline: Instant) {
        if let Some((console, _)) = &mut self.console {
            // What it says against that is counted by itself, and there is nobody left to be told.
            let _ = catch_unwind(AssertUnwindSafe(|| console.close(deadline)));
            self.counts.lost += console.lost();
            self.counts.console = self.counts.console.saturating_sub(console.lost());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::held;
    use super::*;
    use crate::sink::SinkError;

    struct Takes(usize);

    impl Sink for Takes {
        fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
            if batch.len() <= self.0 { Ok(()) } else { Err(SinkError::fatal("no room", self.0)) }
        }
    }

    #[test]
    fn console_then_stderr_then_silence_and_each_is_counted() {
        fn of_a(line: &[u8]) -> bool {
            line.starts_with(b"a")
        }
        let console =
            |shown_from| OpenConsole { open: Box::new(|| Some(Box::new(Takes(1)) as _)), shown_from };
        let mut fallback = Fallback::new(Some(console(Level::Error)), of_a);
        fallback.take(&held(&["x\n", "a1\n", "b\n", "a2\n"]).batch(&[]));
        assert_eq!(fallback.counts, Counts { console: 1, stderr: 2, lost: 1 });
        let mut fallback = Fallback::new(None, of_a);
        fallback.take(&held(&["x\n", "a1\n"]).batch(&[]));
        assert_eq!(fallback.counts, Counts { console: 0, stderr: 1, lost: 1 });
        // What the console shows anyway is not shown a second time.
        let mut fallback = Fallback::new(Some(console(Level::Info)), |_| panic!("shown again"));
        fallback.take(&held(&["x\n", "a1\n"]).batch(&[]));
        assert_eq!(fallback.counts, Counts { console: 2, stderr: 0, lost: 0 });
    }
}
