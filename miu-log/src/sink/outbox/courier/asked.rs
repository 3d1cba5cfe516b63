//! For how long a destination has asked to be left alone: the one place that knows, beside the pauses that are our own idea (`backoff`, `circuit`).
//!
//! Where there is a spool it is written down there, for the next start.

use std::time::Duration;

use super::Courier;
use crate::clock::nanos;
use crate::sink::outbox::deliver::DeliverError;

/// Longest time for which a destination is believed when it asks for patience.
const LONGEST_ASKED: Duration = Duration::from_secs(60 * 60);

impl Courier {
    /// What was asked of an earlier process holds for this one.
    pub(super) fn resume_pause(&mut self) {
        let clock = &self.kit.clock;
        let Some(spool) = &self.kit.spool else { return };
        let Some(left) = spool.pause(clock.unix_now(), nanos(LONGEST_ASKED)) else { return };
        self.asked_until = clock.monotonic().saturating_add(left);
        // Rounded up: it is not asked a moment sooner.
        let seconds = left.div_ceil(1_000_000_000);
        let text = format!("it has asked for a pause, of which {seconds} s are left");
        self.tell(&DeliverError::retry(text), "its records wait in its spool");
    }

    /// The destination has asked for patience.
    pub(super) fn ask(&mut self, now: u64, asked: Duration) {
        let pause = nanos(asked.min(LONGEST_ASKED));
        let until = now.saturating_add(pause);
        if until <= self.asked_until {
            return;
        }
        self.asked_until = until;
        if let Some(spool) = &self.kit.spool
            && let Err(error) = spool.keep_pause(self.kit.clock.unix_now(), pause)
        {
            self.errors += 1;
            let text = format!("cannot write down in its spool how long it is to wait: {error}");
            self.say("spool", &format!("{text}; after a restart it asks at once"));
        }
    }

    /// The destination has answered.
    pub(super) fn forget_pause(&mut self) {
        if std::mem::take(&mut self.asked_until) > 0
            && let Some(spool) = &self.kit.spool
        {
            spool.forget_pause();
        }
    }
}
