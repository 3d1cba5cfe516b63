//! Arbitrary bytes as a segment's file: a header that another process has written, or has begun to write, and data.
//!
//! Whoever opens a ring after a crash knows nothing of who made it. A header is refused or its numbers fit together; nothing
//! in the data is followed further than the data go. The listener reads it to its end through its file, twice, and gets as far.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    miu_log::__fuzz::segment(bytes);
    miu_log::__fuzz::foreign(bytes);
});
