//! What `signal!` takes as arguments: types whose encoding reads nothing but the value itself, or a constant.

use super::{Plain, Raw};

/// A type that `signal!` takes: copied as it is, without a look at memory that the interrupted code may be changing.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be logged from a signal handler",
    label = "not an integer, `bool`, `char` or `&'static str`",
    note = "`signal!` takes integers, `bool`, `char` and `&'static str`, by value: anything else may allocate, lock or be half changed"
)]
pub trait SignalValue: Raw {}

macro_rules! signal_values {
    ($($kind:ty),*) => { $(impl SignalValue for $kind {})* };
}

signal_values!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize, bool, char, &'static str);

/// Stages an argument of `signal!`.
#[inline(always)]
pub fn signal_value<T: SignalValue>(value: &T) -> Plain<'_, T> {
    Plain::of(value)
}
