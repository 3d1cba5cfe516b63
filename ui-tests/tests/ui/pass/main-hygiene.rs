//! What stands around `main` means nothing of the user's by mistake.

#![no_implicit_prelude]
#![allow(dead_code, non_upper_case_globals)]

const outcome: u8 = 1;
const program: u8 = 2;
static ending: u8 = 3;

#[derive(::core::fmt::Debug)]
struct Result;
struct Outcome;
struct Option;

trait EndsByError {
    fn ending(&self) {}
}

impl<T> EndsByError for T {}

#[::miu_log::main]
fn main() -> ::core::result::Result<(), Result> {
    ::core::assert_eq!(outcome + program + ending, 6);
    ::core::result::Result::Ok(())
}
