//! Arbitrary bytes as one of the other files that a process leaves in a runtime directory: what it says of the repository, of itself,
//! of its statements, and how far its records were read.
//!
//! The first byte says which. Whoever reads them after a crash gets what makes sense, or nothing.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| miu_log::__fuzz::files(bytes));
