//! A destination that is reached for without a record: at the start, and again while a fault goes on and nothing waits, so that both ends of it are known.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::super::backoff::Backoff;
use super::super::deliver::{DeliverError, Kind};
use super::Courier;
use crate::own_thread::MuteThread;

impl Courier {
    /// Reaches for the destination while there is nothing for it: at the start, and again while a fault goes on.
    pub(super) fn connect(&mut self) {
        let now = self.kit.clock.monotonic();
        let is_first = !std::mem::replace(&mut self.has_connected, true);
        let before = self.circuit;
        self.circuit.begin(now);
        let mute = MuteThread::begin();
        let (deliverer, timeouts) = (&mut *self.kit.deliverer, self.kit.options.timeouts);
        let connected = catch_unwind(AssertUnwindSafe(|| deliverer.connect(timeouts)))
            .unwrap_or_else(|_| Err(DeliverError::retry("it panicked")));
        drop(mute);
        let error = match connected {
            Ok(()) => {
                self.circuit.close();
                self.unreached = 0;
                return self.passed();
            }
            Err(error) if error.kind == Kind::Unknown => {
                // It says nothing of the fault, and will not the next time.
                self.reach_again = None;
                self.circuit = before;
                return;
            }
            Err(error) => error,
        };
        self.errors += 1;
        if error.kind == Kind::Off {
            return self.turn_off(&error);
        }
        if let Kind::Retry(Some(asked)) = error.kind {
            self.ask(now, asked);
        }
        if self.circuit.is_half_open() {
            self.circuit.open(now);
        }
        self.retries += u64::from(!is_first);
        self.unreached = self.unreached.saturating_add(1);
        self.tell(&error, "it is tried again");
        self.reach_later();
    }

    /// The fault is looked at again after a pause, if nothing comes before.
    pub(super) fn reach_later(&mut self) {
        let backoff = Backoff { retries: u32::MAX, ..self.kit.options.backoff };
        let pause = backoff.pause(self.unreached.max(1), (self.kit.chance)());
        self.reach_again = pause.map(|pause| self.kit.clock.monotonic().saturating_add(pause));
    }

    /// When the destination is to be reached for: what is wrong at the start, or was wrong last, is known without a record.
    pub(super) fn connect_due(&self) -> Option<u64> {
        if self.is_off || self.kit.report.is_left() {
            return None;
        }
        if !self.has_connected {
            return Some(self.asked_until);
        }
        let is_idle = self.current.is_none() && self.waiting().records == 0;
        let due = self.reach_again.filter(|_| self.told && is_idle && !self.is_ending)?;
        Some(due.max(self.circuit.due()).max(self.asked_until))
    }
}
