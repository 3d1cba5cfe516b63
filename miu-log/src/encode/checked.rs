//! Fields whose values may be secrets: what is one becomes `***` when it is staged (X1 in [`crate::redact`]).
//!
//! Which staging a field has is the macros' choice by its name: [`value`](super::value) and [`FieldArg`] look at the shape of texts alone,
//! [`secret_value`] and [`SecretArg`] let nothing through. A [`NotSecret`] goes through all of them.

use std::fmt;

use super::{Encode, FieldValue, Out, Plain, Raw, Scratch, Text};
use crate::codec::tag;
use crate::encode::field::Field;
use crate::redact::{self, NotSecret, REPLACEMENT, shapes};

/// What is encoded instead of a secret.
pub(crate) const REPLACED: [u8; 8] = [tag::STR, REPLACEMENT.len() as u8, 0, 0, 0, b'*', b'*', b'*'];

/// A staged value, or what stands for it.
#[derive(Debug)]
pub struct Checked<S> {
    staged: S,
    is_secret: bool,
}

impl<S> Checked<S> {
    #[inline(always)]
    pub(super) fn new(staged: S, is_secret: bool) -> Checked<S> {
        if is_secret {
            redact::count();
        }
        Checked { staged, is_secret }
    }
}

impl<S: Encode> Encode for Checked<S> {
    const COUNT: usize = S::COUNT;

    #[inline(always)]
    fn size(&self, scratch: &Scratch) -> usize {
        if self.is_secret { REPLACED.len() } else { self.staged.size(scratch) }
    }

    #[inline(always)]
    fn put(&self, scratch: &Scratch, out: &mut Out<'_>) {
        if self.is_secret {
            out.put(&REPLACED);
        } else {
            self.staged.put(scratch, out);
        }
    }

    fn put_long(&self, scratch: &Scratch, cap: usize, out: &mut Vec<u8>) {
        if self.is_secret {
            out.extend_from_slice(&REPLACED);
        } else {
            self.staged.put_long(scratch, cap, out);
        }
    }
}

/// Stages the value of a field whose name says that it is a secret. What cannot be one is left: nothing, a bool, a duration.
#[inline(always)]
pub fn secret_value<T: FieldValue + ?Sized>(value: &T) -> Checked<Field<'_, T>> {
    Checked::new(Field::of(value), value.field_can_be_secret())
}

/// The value of a field with `%` or `?`, on its way to being staged.
#[derive(Debug)]
pub struct FieldArg<'a, T: ?Sized>(pub &'a T);

/// The same where the field's name says that it is a secret.
#[derive(Debug)]
pub struct SecretArg<'a, T: ?Sized>(pub &'a T);

/// Staging for types with a raw encoding; see [`ArgRaw`](super::ArgRaw).
pub trait FieldArgRaw<'a, T: ?Sized> {
    /// For `%`.
    fn display(self, scratch: &mut Scratch, formatted: fmt::Arguments<'_>) -> Checked<Plain<'a, T>>;
}

impl<'a, T: Raw + ?Sized> FieldArgRaw<'a, T> for FieldArg<'a, T> {
    #[inline(always)]
    fn display(self, _: &mut Scratch, _: fmt::Arguments<'_>) -> Checked<Plain<'a, T>> {
        Checked::new(Plain::of(self.0), self.0.raw_looks_secret())
    }
}

/// Staging for all other types: formatted at once, unless it is a secret by its name.
pub trait FieldArgAny {
    /// For `%`.
    fn display(self, scratch: &mut Scratch, formatted: fmt::Arguments<'_>) -> Checked<Text>;

    /// For `?`.
    fn debug(self, scratch: &mut Scratch, formatted: fmt::Arguments<'_>) -> Checked<Text>;
}

impl<T: ?Sized> FieldArgAny for &FieldArg<'_, T> {
    fn display(self, scratch: &mut Scratch, formatted: fmt::Arguments<'_>) -> Checked<Text> {
        let text = scratch.eager(formatted);
        Checked::new(text, shapes::is_secret(scratch.piece(text)))
    }

    fn debug(self, scratch: &mut Scratch, formatted: fmt::Arguments<'_>) -> Checked<Text> {
        let text = scratch.eager(formatted);
        Checked::new(text, shapes::is_secret_in_quotes(scratch.piece(text).as_bytes()))
    }
}

impl<T: ?Sized> FieldArgAny for &SecretArg<'_, T> {
    fn display(self, _: &mut Scratch, _: fmt::Arguments<'_>) -> Checked<Text> {
        Checked::new(Text::EMPTY, true)
    }

    fn debug(self, _: &mut Scratch, _: fmt::Arguments<'_>) -> Checked<Text> {
        Checked::new(Text::EMPTY, true)
    }
}

macro_rules! shows_what_is_not_secret {
    ($($argument:ident),*) => {$(
        // Methods of the type itself come before those of traits.
        impl<T: ?Sized> $argument<'_, NotSecret<T>> {
            /// For `%`.
            pub fn display(self, scratch: &mut Scratch, formatted: fmt::Arguments<'_>) -> Checked<Text> {
                Checked::new(scratch.eager(formatted), false)
            }

            /// For `?`.
            pub fn debug(self, scratch: &mut Scratch, formatted: fmt::Arguments<'_>) -> Checked<Text> {
                Checked::new(scratch.eager(formatted), false)
            }
        }
    )*};
}

shows_what_is_not_secret!(FieldArg, SecretArg);
