//! Arbitrary text as a layout's pattern, as a configuration file may hold it.
//!
//! In every notation a pattern is accepted or refused with an error at a place in it; what is accepted is accepted again. The same text as the
//! name of a time zone.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    miu_log::__fuzz::pattern(text);
    miu_log::__fuzz::zone(text);
});
