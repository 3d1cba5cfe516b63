//! A function that runs when the process ends by `exit` or by a return from `main`.

use std::ffi::c_int;

// SAFETY: the signature is that of C11 7.22.4.2, and the function may be called at any time.
unsafe extern "C" {
    /// C11 7.22.4.2.
    safe fn atexit(function: extern "C" fn()) -> c_int;
}

/// Registers the function. False where the C library has no room for another one.
pub(crate) fn register(function: extern "C" fn()) -> bool {
    atexit(function) == 0
}
