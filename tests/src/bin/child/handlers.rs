//! Signal handlers of a program's own, and signals to itself: what the standard library has no call for.

#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) use libc::{SIGALRM, SIGINT, SIGTERM, SIGUSR1};

/// A handler. What it does must be fit for one.
pub(crate) type Handler = extern "C" fn(i32);

/// Makes it the signal's handler; the one before, as a number.
pub(crate) fn install(signal: i32, handler: Handler) -> usize {
    let mut before = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: zeros are a valid `sigaction`, and the handler stays for ever; what it does is its role's matter.
    unsafe {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_RESTART;
        assert_eq!(libc::sigaction(signal, &raw const action, before.as_mut_ptr()), 0);
        before.assume_init().sa_sigaction
    }
}

/// As `install`, with a handler that calls the one before it first, as those of some libraries do.
pub(crate) fn install_chained(signal: i32, handler: Handler) {
    static BEFORE: AtomicUsize = AtomicUsize::new(0);
    static HANDLER: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn chained(signal: i32) {
        for handler in [&BEFORE, &HANDLER] {
            // SAFETY: both were handlers of this type when they were stored, and functions are never removed.
            let handler = unsafe { std::mem::transmute::<usize, Handler>(handler.load(Ordering::Relaxed)) };
            handler(signal);
        }
    }
    HANDLER.store(handler as usize, Ordering::Relaxed);
    BEFORE.store(install(signal, chained), Ordering::Relaxed);
    assert!(BEFORE.load(Ordering::Relaxed) > 1, "there was a handler");
}

/// Has the signal come to this process every so many microseconds; 0 ends that.
pub(crate) fn alarm_every(microseconds: i64) {
    let every = libc::timeval { tv_sec: 0, tv_usec: microseconds };
    let timer = libc::itimerval { it_interval: every, it_value: every };
    // SAFETY: setitimer(2) reads one value of the right type.
    assert_eq!(unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, ptr::null_mut()) }, 0);
}

/// Raises the signal on this thread.
pub(crate) fn raise(signal: i32) {
    // SAFETY: C11 7.14.2.1.
    assert_eq!(unsafe { libc::raise(signal) }, 0);
}

/// Sends the signal to a thread of this process, which may have ended. Fit for a handler.
pub(crate) fn send(thread: i32, signal: i32) {
    // SAFETY: tgkill(2) takes numbers and touches no memory.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, signal) };
}

/// Makes a child by `fork` that waits for ever, has the signal come to it, and gives the signal that ended it.
pub(crate) fn end_of_forked_child(signal: i32) -> i32 {
    // SAFETY: fork(2); the child, which has this thread only, does nothing but wait: pause(2).
    let child = unsafe { libc::fork() };
    if child == 0 {
        loop {
            // SAFETY: as above.
            unsafe { libc::pause() };
        }
    }
    let mut status = 0;
    // SAFETY: kill(2) takes numbers; waitpid(2) writes one number.
    unsafe {
        assert_eq!(libc::kill(child, signal), 0);
        assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
    }
    libc::WTERMSIG(status)
}

/// Ends the process without another word: no destructor, no exit handler.
pub(crate) fn exit_at_once(code: i32) -> ! {
    // SAFETY: takes no pointer, and does not return.
    unsafe { libc::_exit(code) }
}
