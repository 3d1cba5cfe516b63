//! The handler for signals that end the process: it notes the signal and wakes the thread that waits for one. SIGHUP is counted only: it
//! has the log files looked at.
//!
//! A1. The handler calls async-signal-safe functions only (POSIX.1-2017, 2.4.3; `futex` and `getpid` as bare system calls), and touches
//!     nothing but atomics.
//! A2. It acts only while it is the one installed. A handler that took its place later may call it, as those that chain do: then the signal is
//!     the other one's, and nothing happens here.
//! A3. A second signal, and one in a child made by `fork`, which has no thread that waits, ends the process at once.
//!
//! Called by `lifecycle::signals`.

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::time::Duration;

use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering, futex_wait, futex_wake};

pub(crate) const TERMINATE: c_int = libc::SIGTERM;
pub(crate) const INTERRUPT: c_int = libc::SIGINT;
pub(crate) const HANGUP: c_int = libc::SIGHUP;

/// How often SIGHUP came.
static HANGUPS: AtomicU64 = AtomicU64::new(0);

/// The signal that came; 0 while none has.
static CAME: AtomicU32 = AtomicU32::new(0);
/// A signal has come: the next one kills.
static ENDING: AtomicBool = AtomicBool::new(false);
/// The process that the waiting thread is in.
static PROCESS: AtomicU32 = AtomicU32::new(0);
/// The handler as it was installed: what `is_ours` compares with.
static INSTALLED: AtomicU64 = AtomicU64::new(0);

/// What a signal does at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    Default,
    Ignored,
    /// It has a handler.
    Handled,
}

/// What the signal does at present. One that cannot be asked for counts as handled: then it is left alone.
pub(crate) fn disposition(signal: c_int) -> Disposition {
    match handler_of(signal) {
        Some(libc::SIG_DFL) => Disposition::Default,
        Some(libc::SIG_IGN) => Disposition::Ignored,
        _ => Disposition::Handled,
    }
}

fn handler_of(signal: c_int) -> Option<libc::sighandler_t> {
    let mut present = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: sigaction(2) with no new action only writes the old one, into a place of the right type. Zeros are a valid `sigaction`.
    let action = unsafe {
        let answer = libc::sigaction(signal, ptr::null(), present.as_mut_ptr());
        (answer == 0).then(|| present.assume_init())
    };
    action.map(|action| action.sa_sigaction)
}

fn set(signal: c_int, handler: libc::sighandler_t, flags: c_int) -> io::Result<()> {
    // SAFETY: zeros are a valid `sigaction`: no flag, an empty mask.
    let mut action = unsafe { MaybeUninit::<libc::sigaction>::zeroed().assume_init() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: the action is valid, and its handler is `SIG_DFL` or one of this module, which keep to A1.
    if unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Makes this module's handler the signal's.
pub(crate) fn install(signal: c_int) -> io::Result<()> {
    let handler = on_signal as extern "C" fn(c_int) as libc::sighandler_t;
    INSTALLED.store(handler as u64, Ordering::Relaxed);
    PROCESS.store(this_process(), Ordering::Relaxed);
    // The program's own system calls go on, and a thread with a stack for signals uses it.
    set(signal, handler, libc::SA_RESTART | libc::SA_ONSTACK)
}

fn this_process() -> u32 {
    rustix::process::getpid().as_raw_nonzero().get().cast_unsigned()
}

extern "C" fn on_signal(signal: c_int) {
    if handler_of(signal).is_none_or(|handler| handler as u64 != INSTALLED.load(Ordering::Relaxed)) {
        return; // A2
    }
    let elsewhere = PROCESS.load(Ordering::Relaxed) != this_process();
    if signal == HANGUP && !elsewhere {
        HANGUPS.fetch_add(1, Ordering::Release);
        return;
    }
    if elsewhere || ENDING.swap(true, Ordering::Relaxed) {
        die_by(signal); // A3
    }
    CAME.store(signal.cast_unsigned(), Ordering::Release);
    futex_wake(&CAME);
}

/// How often SIGHUP has come, where it is handled.
pub(crate) fn hangups() -> u64 {
    HANGUPS.load(Ordering::Acquire)
}

/// Waits until a signal comes: which.
pub(crate) fn wait() -> c_int {
    const LONG: Duration = Duration::from_secs(60 * 60);
    loop {
        match CAME.load(Ordering::Acquire) {
            0 => futex_wait(&CAME, 0, LONG),
            signal => return signal.cast_signed(),
        }
    }
}

/// Ends the process by this signal, so that its parent sees that it did. Where the system spares it (it is the first process of a container, which a
/// signal with its default meaning does not kill) it exits with 128 and the signal's number, as shells show such a death.
pub(crate) fn die_by(signal: c_int) -> ! {
    // A signal that keeps its handler would come back to it; then the exit below ends the process.
    let _ = set(signal, libc::SIG_DFL, 0);
    let mut alone = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: all of these are async-signal-safe (A1); the set is initialised by `sigemptyset`, before it is used.
    unsafe {
        libc::sigemptyset(alone.as_mut_ptr());
        libc::sigaddset(alone.as_mut_ptr(), signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, alone.as_ptr(), ptr::null_mut());
        libc::raise(signal);
        libc::_exit(128 + signal)
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! A handler of a test's own.

    use std::sync::{Mutex, PoisonError};

    use super::*;

    static FIRST: Mutex<()> = Mutex::new(());
    static SECOND: Mutex<()> = Mutex::new(());

    /// Raises the signal, `SIGUSR1` or (within that one's handler) `SIGUSR2`, on this thread with this handler; on a stack of its own if asked to. One thread at
    /// a time: handlers are the process's.
    pub(crate) fn raise_with(signal: c_int, handler: extern "C" fn(c_int), own_stack: bool) {
        let turn = if signal == libc::SIGUSR1 { &FIRST } else { &SECOND };
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stack = if own_stack { vec![0u8; 256 * 1024] } else { Vec::new() };
        if own_stack {
            let given = libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: stack.len() };
            // SAFETY: the stack lives until the thread, which is the test's own, no longer raises anything.
            assert_eq!(unsafe { libc::sigaltstack(&raw const given, ptr::null_mut()) }, 0);
        }
        // Not on the stack of 8 KiB that the standard library gives each thread for signals: two handlers do not fit there.
        let flags = if own_stack { libc::SA_ONSTACK } else { 0 };
        set(signal, handler as libc::sighandler_t, flags).unwrap();
        // SAFETY: C11 7.14.2.1; the handler returns.
        assert_eq!(unsafe { libc::raise(signal) }, 0);
        set(signal, libc::SIG_DFL, 0).unwrap();
        if own_stack {
            let none = libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
            // SAFETY: no handler runs on the stack any more.
            assert_eq!(unsafe { libc::sigaltstack(&raw const none, ptr::null_mut()) }, 0);
        }
    }
}
