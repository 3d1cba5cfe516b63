//! Arbitrary bytes as a record's arguments, decoded and rendered with an arbitrary template.
//!
//! Another process wrote the record, and a torn or hostile one must be `corrupt`, never a panic, a
//! hang or memory without bound. The input is the template, a zero byte, then the arguments.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|&byte| byte == 0).unwrap_or(input.len());
    let (template, rest) = input.split_at(end);
    // A template comes from the dictionary, which is checked to be UTF-8 before it gets this far.
    if let Ok(template) = std::str::from_utf8(template) {
        miu_log::__fuzz::record(template, rest.get(1..).unwrap_or_default());
    }
});
