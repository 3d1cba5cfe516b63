//! What a repository says of the process itself, in its default domain: that a part of it panicked, why it ends.
//!
//! These records are taken whatever level is in force, and are in the files before the process ends, as far as the listener and the sinks
//! come to that in time.
//!
//! Called by `lifecycle`, and by the program for `exit`.

use std::fmt;
use std::panic::Location;
use std::path::Path;
use std::time::Duration;

use super::{Core, Inner, LEAVE};
use crate::callsite::Place;
use crate::encode::{Plain, Rendered, signal_value};
use crate::level::Level;
use crate::lifecycle::panic_hook::Panic;
use crate::lifecycle::program::Ending;
use crate::logger::{Logger, submit_signal};
use crate::notice::notice;
use crate::queue::SignalSite;

/// What is said at an exit, and the fields behind it.
const EXIT: (&str, &[&str]) = ("stopping: {}", &["code", "program", "ran"]);

impl Core {
    /// Ends the process with this exit code, after a last record that says why, and after everything logged before is written.
    #[track_caller]
    pub fn exit(&self, code: i32, reason: impl fmt::Display) -> ! {
        let reason = reason.to_string();
        if !self.inner.record_exit(code, &reason, Location::caller()) {
            notice("exit", &format!("stopping: {reason} (exit code {code}; logging had ended before)"));
        }
        self.inner.shutdown();
        // What else there is to be ended is, by the hook of `lifecycle::exit`.
        std::process::exit(code)
    }
}

impl Inner {
    /// The domain for what concerns the whole process: that of other crates' records which no route is for.
    fn own_logger(&self) -> Logger {
        Logger::new(self.queue.clone(), self.default_domain.get().copied().unwrap_or(0))
    }

    /// Records accepted so far.
    pub(crate) fn accepted(&self) -> u64 {
        self.queue.accepted()
    }

    /// Records a panic of this process, and waits until it is in the files.
    pub(crate) fn record_panic(&self, panic: &Panic) {
        let detail = panic.detail();
        let arguments = (Plain::of(&*panic.text), (Rendered(&detail), ()));
        if self.own_logger().tell(Level::Critical, panic.place(), &arguments) {
            // Whatever keeps it from the files now: it is in the ring, as all that was logged before.
            let _ = self.flush(self.patience());
        }
    }

    /// Records how the program's `main` ended, also where the repository takes nothing else any more.
    pub(crate) fn record_ending(&self, ending: &Ending, place: Place<'_>) {
        if self.queue.folder().is_none() || self.queue.is_ended() {
            return;
        }
        let (logger, text) = (self.own_logger(), Plain::of(&*ending.text));
        let is_written = match &ending.detail {
            Some(detail) => logger.tell_at_the_end(Level::Critical, place, &(text, (Rendered(detail), ()))),
            None => logger.tell_at_the_end(Level::Critical, place, &(text, ())),
        };
        if is_written {
            let _ = self.flush(self.patience());
        }
    }

    /// Takes no more, and has everything so far written; the end comes later.
    pub(crate) fn rest(&self) {
        self.queue.close();
        let _ = self.flush(self.patience());
    }

    /// Records why the process ends with this code. False where logging has ended before.
    fn record_exit(&self, code: i32, reason: &str, location: &Location<'static>) -> bool {
        let level = if code == 0 { Level::Info } else { Level::Critical };
        let (template, fields) = EXIT;
        let place = Place { template, fields, ..Place::of(location) };
        let ran = Duration::from_nanos(self.queue.clock().monotonic().saturating_sub(self.since));
        let program = program_name();
        let fields = (Plain::of(&code), (Plain::of(&*program), (Plain::of(&ran), ())));
        self.own_logger().tell(level, place, &(Plain::of(reason), fields))
    }

    /// The process is about to be ended by this signal: says so, and lets the listener come to its end. Does not wait.
    pub(crate) fn stop_for(&self, signal: &'static str) {
        if self.started.get().is_none() {
            return;
        }
        let first = self.own_logger();
        if first.enabled(Level::Info) {
            let site = SignalSite::new("stopping: {}", "", 0, "miu_log");
            submit_signal(&first, Level::Info, &site, &(signal_value(&signal), ()));
        }
        self.queue.close();
        self.queue.request_stop();
    }

    /// How long the end of something waits for the files.
    fn patience(&self) -> Duration {
        self.started.get().map_or(LEAVE, |started| started.sink_timeout)
    }
}

/// What the program was started as.
fn program_name() -> String {
    let started_as = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&started_as).file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
