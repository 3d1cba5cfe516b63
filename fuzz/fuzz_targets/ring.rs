//! Arbitrary bytes as the contents of a ring that a worker process left behind.
//!
//! The consumer reads a segment that another process can write to at any time: it must not believe
//! a length, a cursor or a sequence number, and a broken ring is set aside, not followed.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| miu_log::__fuzz::ring(bytes));
