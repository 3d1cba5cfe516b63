//! `handle_signals`: SIGTERM and SIGINT end the program after everything logged before is written.
//!
//! SIGHUP has the listener look at its log files at once, as programs expect that rotate them from outside.
//!
//! One thread, `miu-log-signals`, serves all repositories of the process. When a signal comes it has each of them say why it ends, closes them,
//! waits for their listeners as `shutdown` does, and then ends the process by that very signal, with its default meaning. Repositories without the
//! option are ended too: the process ends.
//!
//! N1. A signal that is ignored or has a handler is left alone: the program's wish comes first. A handler that is installed later takes
//!     the signal over, also if it calls the one that it found.
//! N2. A second signal while sinks finish ends the process at once.
//!
//! Called by `repository`. The handler itself is `ring::signal_action`; it takes no lock and allocates nothing.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use super::exit;
use crate::notice::notice;
use crate::own_thread::OwnThread;
use crate::ring::signal_action::{self, Disposition, HANGUP, INTERRUPT, TERMINATE};
use crate::sync::lock;

/// From now on two signals end the program properly, and SIGHUP does not end it. Looks at them once a process.
pub(crate) fn handle() -> io::Result<()> {
    static HANDLED: Mutex<bool> = Mutex::new(false);
    let mut handled = lock(&HANDLED);
    if *handled {
        return Ok(());
    }
    // First the one who waits, then what it waits for.
    std::thread::Builder::new().name("miu-log-signals".to_owned()).spawn(end_by_signal)?;
    *handled = true;
    for signal in [TERMINATE, INTERRUPT, HANGUP] {
        match signal_action::disposition(signal) {
            Disposition::Default => signal_action::install(signal)?,
            // As `nohup` and shells do for background jobs; it stays so without a word.
            Disposition::Ignored => {}
            // Log files are looked at once a second anyhow.
            Disposition::Handled if signal == HANGUP => {}
            Disposition::Handled => notice(
                name(signal),
                &format!(
                    "{} has a handler already: it is left alone; flush or shut down there",
                    name(signal)
                ),
            ),
        }
    }
    Ok(())
}

fn name(signal: i32) -> &'static str {
    if signal == TERMINATE { "SIGTERM" } else { "SIGINT" }
}

/// The thread.
fn end_by_signal() {
    let _own = OwnThread::begin();
    let signal = signal_action::wait();
    // Whatever goes wrong in a sink, the process ends.
    if catch_unwind(AssertUnwindSafe(|| exit::end_all(Some(name(signal))))).is_err() {
        notice("signals", "a panic kept the repositories from ending properly");
    }
    signal_action::die_by(signal)
}
