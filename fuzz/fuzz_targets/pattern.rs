//! Arbitrary text as a layout's pattern, as a configuration file may hold it.
//!
//! A pattern is accepted or refused with an error; what is accepted can lay out a record.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| miu_log::__fuzz::pattern(text));
