//! Panics become records: CRITICAL, with message, place, thread and backtrace, in the files before the process can end by them.
//!
//! The hook is installed once a process, by the first repository that wants it, and calls the one that was there before, which as a rule prints the
//! panic on stderr. It runs before anything is unwound, so that a panic which aborts the process, or whose thread never returns, is in the files too.
//!
//! H1. The record comes first, then the former hook: that one may end the process.
//! H2. Nothing in here panics, and no user code runs: a panic in a hook ends the process without a further word. The backtrace is the standard
//!     library's, and the payload is looked at only where it is a text.
//! H3. A panic on a thread of the logger's own goes to the former hook alone: its record would wait for the very thread, and a sink that panics with each
//!     record would make another one of it. So does one in a signal handler, where nothing may be locked.
//! H4. The list of repositories is tried a bounded number of times: in a forked child it may be held by a thread that the child does not have.
//!
//! Called by `repository` when one is opened, or joined, and by `early` before that.

use std::backtrace::Backtrace;
use std::panic::PanicHookInfo;
use std::sync::{Mutex, TryLockError, Weak};

use super::early;
use crate::callsite::Place;
use crate::own_thread::OwnThread;
use crate::repository::Inner;
use crate::ring::signal_frame::in_signal_handler;
use crate::sync::{AtomicBool, Ordering, lock, thread_local};

/// How often the list is tried (H4). Whoever has it keeps it for some hundred nanoseconds.
const PATIENCE: usize = 10_000;

/// The repositories that are told of panics, also by forked children.
static HEARERS: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

thread_local! {
    /// The thread is in the hook. Has no destructor.
    static IN_HOOK: AtomicBool = const { AtomicBool::new(false) };
}

/// What is said of a panic.
#[derive(Clone, Debug)]
pub(crate) struct Panic {
    pub(crate) text: String,
    pub(crate) backtrace: String,
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Panic {
    pub(crate) fn place(&self) -> Place<'_> {
        let Panic { file, line, column, .. } = self;
        Place { file, line: *line, column: *column, template: "{}", fields: &[] }
    }

    /// What stands on the record's further lines.
    pub(crate) fn detail(&self) -> String {
        format!("backtrace:\n{}", self.backtrace)
    }
}

/// From now on this repository is told of panics.
pub(crate) fn tell(repository: Weak<Inner>) {
    let mut hearers = lock(&HEARERS);
    hearers.retain(|known| known.strong_count() > 0);
    hearers.push(repository);
    drop(hearers);
    install();
}

/// Installs the hook, once.
pub(super) fn install() {
    static INSTALLED: Mutex<bool> = Mutex::new(false);
    let mut installed = lock(&INSTALLED);
    // While a thread unwinds it must not touch hooks: the next repository does.
    if *installed || std::thread::panicking() {
        return;
    }
    *installed = true;
    let former = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        record(info);
        former(info);
    }));
}

fn record(info: &PanicHookInfo<'_>) {
    if OwnThread::is_current() || in_signal_handler() {
        return;
    }
    if IN_HOOK.with(|inside| inside.swap(true, Ordering::Relaxed)) {
        return;
    }
    let hearers: Vec<_> = hearers().iter().filter_map(Weak::upgrade).collect();
    if hearers.is_empty() {
        early::panicked(|| describe(info));
    } else {
        let panic = describe(info);
        for repository in hearers {
            repository.record_panic(&panic);
        }
    }
    IN_HOOK.with(|inside| inside.store(false, Ordering::Relaxed));
}

fn hearers() -> Vec<Weak<Inner>> {
    for _ in 0..PATIENCE {
        match HEARERS.try_lock() {
            Ok(hearers) => return hearers.clone(),
            Err(TryLockError::Poisoned(hearers)) => return hearers.into_inner().clone(),
            Err(TryLockError::WouldBlock) => std::thread::yield_now(),
        }
    }
    Vec::new()
}

fn describe(info: &PanicHookInfo<'_>) -> Panic {
    let said = info.payload_as_str().unwrap_or("(a payload that is no text)");
    let thread = std::thread::current();
    let text = match thread.name() {
        Some(name) => format!("thread '{name}' panicked: {said}"),
        None => format!("a thread without a name panicked: {said}"),
    };
    let backtrace = Backtrace::force_capture().to_string();
    let backtrace = since_panic(&backtrace).to_owned();
    // It is known of every panic at present; the type allows for less.
    let (file, line, column) = info
        .location()
        .map_or(("(unknown)", 0, 0), |location| (location.file(), location.line(), location.column()));
    Panic { text, backtrace, file: file.to_owned(), line, column }
}

/// The backtrace from the panic on: what comes before are the hook and the capture itself.
fn since_panic(backtrace: &str) -> &str {
    let begins = ["rust_begin_unwind", "std::panicking::panic_with_hook", "std::panicking::begin_panic"];
    let found = begins.iter().filter_map(|begin| backtrace.find(begin)).max();
    let start = found.and_then(|found| backtrace[..found].rfind('\n')).map_or(0, |line_end| line_end + 1);
    backtrace[start..].trim_end()
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn a_backtrace_begins_with_the_panic() {
        let text = "   0: std::backtrace::Backtrace::force_capture\n             at /std\n   1: miu_log::x\n   \
                    2: __rustc::rust_begin_unwind\n   3: core::panicking::panic_fmt\n   4: app::work\n";
        assert_eq!(
            since_panic(text),
            "   2: __rustc::rust_begin_unwind\n   3: core::panicking::panic_fmt\n   4: app::work"
        );
        assert_eq!(since_panic("   0: app::work\n"), "   0: app::work", "without symbols all of it is kept");
        assert_eq!(since_panic("disabled backtrace"), "disabled backtrace");
    }
}
