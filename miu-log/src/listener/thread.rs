//! The listener's thread: when it makes a pass and for how long it sleeps, and what its end is like.
//!
//! It never ends by a panic: a pass that panics is over, and the next one goes on. At the end passes are made until nothing is left, within bounds, then the sinks are closed.
//! Called by `repository`, which starts it, and by tests that step the listener by hand.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::{Listener, Progress, save};
use crate::notice::notice;
use crate::own_thread::OwnThread;

/// Shortest and longest sleep, and the share of the silence so far that is slept in between: an ordinary record is
/// seen with a delay of a thirty-second of the silence before it, and an idle program wakes 25 times a second.
const SHORTEST_SLEEP: Duration = Duration::from_micros(500);
const LONGEST_SLEEP: Duration = Duration::from_millis(40);
const SLEEP_SHARE: u32 = 32;
/// How long the end may take, at most, while other processes go on logging.
const LONGEST_END: Duration = Duration::from_secs(1);
/// How often the end waits for the records of processes that have ended during it. Each of them costs one; it is a bound in case a pass panics.
const BURIALS: u32 = 10_000;

impl Listener {
    /// The listener's thread: passes until it is told to stop, then the end.
    pub(crate) fn run(mut self) {
        let _own = OwnThread::begin();
        let mut last_work = Instant::now();
        loop {
            let progress = self.guarded_step();
            if progress.records > 0 {
                last_work = Instant::now();
                if !self.is_succeeded() {
                    continue;
                }
            }
            if self.queue.must_stop() {
                break;
            }
            if self.is_succeeded() && self.may_hand_over() {
                return self.hand_over();
            }
            self.queue.waker().announce_sleep();
            if !self.has_work() && !self.queue.must_stop() {
                let share = last_work.elapsed() / SLEEP_SHARE;
                let longest = if self.flush.is_none() { LONGEST_SLEEP } else { SHORTEST_SLEEP };
                self.queue.waker().sleep(share.clamp(SHORTEST_SLEEP, longest));
            }
            self.queue.waker().awake();
        }
        self.finish();
    }

    /// Whether a pass would find something to do.
    fn has_work(&mut self) -> bool {
        let known = self.flush.map_or(self.answered, |(request, _)| request);
        self.queue.has_registrations()
            || self.has_arrivals()
            || (self.is_succeeded() && !self.readers.any_unnamed())
            || self.queue.requests() > known
            || self.readers.any_unread()
    }

    /// A pass; a panic in it ends the pass, not the listener.
    pub(super) fn guarded_step(&mut self) -> Progress {
        catch_unwind(AssertUnwindSafe(|| self.step())).unwrap_or_else(|_| {
            notice("listener", "a pass of the listener panicked; it goes on with the next one");
            Progress::default()
        })
    }

    /// The end: everything that is in the rings, then the sinks.
    pub(crate) fn finish(mut self) {
        let _own = OwnThread::begin();
        let start = Instant::now();
        while self.guarded_step().records > 0 {
            // Processes that go on may log faster than this one reads: the rest is for the next listener.
            if start.elapsed() > LONGEST_END && self.readers.only_living_unread() {
                break;
            }
        }
        self.see_peers_off();
        let mut burials = BURIALS;
        while burials > 0 && (self.guarded_step().records > 0 || self.any_to_bury()) {
            burials = burials.saturating_sub(1);
            if start.elapsed() > 2 * LONGEST_END && self.readers.only_living_unread() {
                break;
            }
        }
        self.close_sinks();
        self.publish_stats();
        // What came in after the last pass, from calls that were under way, stays unwritten and is counted.
        while let Some(registration) = self.queue.next_registration() {
            self.readers.register(registration);
        }
        self.settle();
        self.leave_the_rest();
        self.leave_peers();
        // In this order: a thread that makes a segment later sees the end, and removes the file itself.
        self.queue.end();
        self.queue.remove_files();
    }

    /// The end of the sinks.
    pub(super) fn close_sinks(&mut self) {
        self.router.offer_all(&mut |files| _ = save(&mut self.checkpoint, &self.calibration, files));
        self.tell_losses();
        let deadline = Instant::now() + self.sink_timeout;
        self.router.shutdown(deadline, &mut |files| _ = save(&mut self.checkpoint, &self.calibration, files));
        self.write_checkpoint();
    }
}
