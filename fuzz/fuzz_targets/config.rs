//! Arbitrary text as a configuration file, in YAML and in TOML, and as levels that override it.
//!
//! It is accepted, and then is a valid configuration, or refused with what is wrong.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    miu_log::__fuzz::config(text);
});
