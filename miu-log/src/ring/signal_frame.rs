//! Whether the calling code runs in a signal handler: on a stack for signals, or called, however far up, from the frame the kernel made.
//!
//! Asked only by what would lock, allocate or wait; a logging call on its short path never comes here. The unwinder is the one that
//! panics use, which the standard library links already. On Linux with glibc 2.35 or newer and gcc 12's unwinder or newer it finds its tables by
//! `_dl_find_object` (glibc manual, "Dynamic Linker Introspection": async-signal-safe; gcc 12 release notes, "libgcc": used instead of
//! `dl_iterate_phdr`), and keeps its state on the stack: no lock, no allocation. With older ones, and with musl, `dl_iterate_phdr` may wait for a
//! lock that is held while a library is loaded: there a handler that interrupts `dlopen` could still hang.
//!
//! F1. A frame whose address is not one behind a call is the frame of an interrupted function: the unwinder marks it so (`S` in its
//!     `.eh_frame` augmentation; the DWARF that libc has for its signal return). Ordinary frames never are.
//! F2. The walk reads the stack and the unwind tables only. Its first one in a process initialises the unwinder, under a `pthread_once`: `prepare`
//!     makes it before there is a queue that a handler could log to.
//!
//! F3. The walk takes nearly 5 KiB of stack. The standard library gives its threads 8 KiB for signals, of which the kernel's frame takes about three: so a
//!     handler on a stack for signals is told by asking the kernel, and no walk is made there.
//!
//! A handler is missed where a function between it and the frame asked for has no unwind tables (Rust has them by default on all Linux targets
//! that it supports, C on x86-64 and AArch64); then the call is taken for an ordinary one.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;

/// More frames than lie between a handler's entry and a call in it; a walk ends there.
const DEEPEST: u32 = 128;

/// The unwinder's own state; only pointers to it are handled here.
#[repr(C)]
struct Context {
    _opaque: [u8; 0],
}

const GO_ON: c_int = 0;
/// `_URC_END_OF_STACK`: any value but `GO_ON` ends the walk.
const STOP: c_int = 5;

// SAFETY: the signatures are those of the Itanium C++ ABI, "Exception Handling", level I, and of gcc's `unwind.h`.
unsafe extern "C" {
    fn _Unwind_Backtrace(
        visit: extern "C" fn(*mut Context, *mut c_void) -> c_int,
        argument: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIPInfo(context: *mut Context, ip_before_insn: *mut c_int) -> usize;
}

/// What a walk has seen.
struct Walk {
    frames: u32,
    interrupted: bool,
}

extern "C" fn visit(context: *mut Context, walk: *mut c_void) -> c_int {
    // SAFETY: `was_interrupted` gives the address of its own `Walk`, and borrows it no other way while the walk lasts.
    let walk = unsafe { &mut *walk.cast::<Walk>() };
    let mut before_instruction = 0;
    // SAFETY: the unwinder calls with a valid context, which is asked for nothing but its address (F1, F2).
    unsafe { _Unwind_GetIPInfo(context, &raw mut before_instruction) };
    walk.interrupted = before_instruction != 0;
    walk.frames += 1;
    if walk.interrupted || walk.frames == DEEPEST { STOP } else { GO_ON }
}

/// Whether a signal handler is running on this thread: then nothing may be waited for, for what was interrupted may have it. Some
/// microseconds; takes no lock and allocates nothing.
#[cold]
#[inline(never)]
pub(crate) fn in_signal_handler() -> bool {
    // Where schedules are tried each thread is a coroutine, on a stack that the unwinder does not know.
    cfg!(not(shuttle)) && (on_signal_stack() || was_interrupted())
}

/// Whether the thread is on its stack for signals (F3).
fn on_signal_stack() -> bool {
    let mut stack = MaybeUninit::<libc::stack_t>::zeroed();
    // SAFETY: sigaltstack(2) without a new stack only writes what there is, into a place of the right type; on Linux it is a bare system
    // call. Zeros are a valid `stack_t`.
    let flags = unsafe {
        libc::sigaltstack(ptr::null(), stack.as_mut_ptr());
        stack.assume_init().ss_flags
    };
    flags & libc::SS_ONSTACK != 0
}

/// Whether a frame up the stack was interrupted by a signal (F1).
#[inline(never)]
fn was_interrupted() -> bool {
    let mut walk = Walk { frames: 0, interrupted: false };
    // SAFETY: F2; `visit` neither unwinds nor keeps the pointer.
    unsafe { _Unwind_Backtrace(visit, (&raw mut walk).cast()) };
    walk.interrupted
}

/// Makes the unwinder ready (F2). Called before there is anything that a handler could log to.
pub(crate) fn prepare() {
    was_interrupted();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::signal_action::testing::raise_with;
    use crate::sync::{AtomicU32, Ordering};

    /// A call stack of this depth around the question.
    #[inline(never)]
    fn at_depth(depth: u32) -> bool {
        if depth == 0 { in_signal_handler() } else { std::hint::black_box(at_depth(depth - 1)) }
    }

    #[test]
    fn ordinary_code_is_in_no_handler() {
        assert!(!in_signal_handler());
        assert!(!at_depth(1000));
        assert!(!std::thread::spawn(in_signal_handler).join().unwrap());
        let caught = std::panic::catch_unwind(|| {
            struct Asks;
            impl Drop for Asks {
                fn drop(&mut self) {
                    assert!(!in_signal_handler());
                }
            }
            let _asks = Asks;
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(caught.is_err());
    }

    #[test]
    fn a_handler_is_seen_at_any_depth_on_any_stack_and_in_another_handler() {
        static SEEN: AtomicU32 = AtomicU32::new(0);
        extern "C" fn outer(_: c_int) {
            let inner = at_depth(0) && at_depth(20);
            SEEN.fetch_add(inner.into(), Ordering::Relaxed);
        }
        extern "C" fn nesting(_: c_int) {
            raise_with(libc::SIGUSR2, outer, false);
            SEEN.fetch_add(at_depth(3).into(), Ordering::Relaxed);
        }
        raise_with(libc::SIGUSR1, outer, false);
        assert_eq!(SEEN.swap(0, Ordering::Relaxed), 1);
        raise_with(libc::SIGUSR1, nesting, false);
        assert_eq!(SEEN.swap(0, Ordering::Relaxed), 2);
        std::thread::spawn(|| raise_with(libc::SIGUSR1, outer, true)).join().unwrap();
        assert_eq!(SEEN.swap(0, Ordering::Relaxed), 1);
        extern "C" fn by_its_frame(_: c_int) {
            SEEN.fetch_add(was_interrupted().into(), Ordering::Relaxed);
        }
        std::thread::spawn(|| raise_with(libc::SIGUSR1, by_its_frame, true)).join().unwrap();
        assert_eq!(SEEN.swap(0, Ordering::Relaxed), 1, "the walk sees it on that stack too");
        assert!(!in_signal_handler(), "the handlers have returned");
    }
}
