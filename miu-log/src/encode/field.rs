//! What a field takes as it is: every type with a raw encoding, `Option`s of them, and bytes.
//!
//! Fields take more than messages do, because they have no format spec: a slice of bytes is hexadecimal here, while `{:?}` in a
//! message has to give the list that `format!` gives.
//!
//! A slice of any integer but `u8` and `i8` is no value. There are two of them for a reason: if `u8` were the only one, the
//! compiler would take it for the type of `[1, 2, 3]`, and the list would be written as bytes without a word.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::checked::Checked;
use super::{Encode, Out, Raw, Scratch, put_long_bytes, put_run_head};
use crate::bytes::Bytes;
use crate::codec::tag;
use crate::redact::NotSecret;

/// A value that a field can hold as it is.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the value of a log field as it is",
    label = "not a number, text, bool, char, `Duration`, IP address or bytes",
    note = "write `%value` to log it with `Display`, or `?value` to log it with `Debug`",
    note = "raw bytes that are no slice are logged as `Bytes(&value)`, with `miu_log::Bytes`"
)]
pub trait FieldValue {
    /// Length of the encoding in bytes.
    fn field_size(&self) -> usize;

    /// Writes tag and value.
    fn field_put(&self, out: &mut Out<'_>);

    /// Writes tag and value for a record too long for a ring: a text or bytes are cut to `cap` bytes and marked.
    fn field_put_long(&self, cap: usize, out: &mut Vec<u8>);

    /// Whether it is a text with the shape of a secret.
    #[inline(always)]
    fn field_looks_secret(&self) -> bool {
        false
    }

    /// Whether it is a secret where the name of its field says so.
    #[inline(always)]
    fn field_can_be_secret(&self) -> bool {
        true
    }
}

macro_rules! field_as_raw {
    ($($kind:ty),*) => {$(
        impl FieldValue for $kind {
            #[inline(always)]
            fn field_size(&self) -> usize {
                self.raw_size()
            }

            #[inline(always)]
            fn field_put(&self, out: &mut Out<'_>) {
                self.raw_put(out);
            }

            fn field_put_long(&self, cap: usize, out: &mut Vec<u8>) {
                self.raw_put_long(cap, out);
            }

            #[inline(always)]
            fn field_looks_secret(&self) -> bool {
                self.raw_looks_secret()
            }

            #[inline(always)]
            fn field_can_be_secret(&self) -> bool {
                self.raw_can_be_secret()
            }
        }
    )*};
}

field_as_raw! {
    i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize, f32, f64, bool, char, str, Duration, Ipv4Addr, Ipv6Addr,
    IpAddr, Bytes<'_>
}

macro_rules! field_by_deref {
    ($([$($generics:tt)*] $kind:ty;)*) => {$(
        impl<$($generics)*> FieldValue for $kind {
            #[inline(always)]
            fn field_size(&self) -> usize {
                (**self).field_size()
            }

            #[inline(always)]
            fn field_put(&self, out: &mut Out<'_>) {
                (**self).field_put(out);
            }

            fn field_put_long(&self, cap: usize, out: &mut Vec<u8>) {
                (**self).field_put_long(cap, out);
            }

            #[inline(always)]
            fn field_looks_secret(&self) -> bool {
                (**self).field_looks_secret()
            }

            #[inline(always)]
            fn field_can_be_secret(&self) -> bool {
                (**self).field_can_be_secret()
            }
        }
    )*};
}

field_by_deref! {
    [T: FieldValue + ?Sized] &T;
    [T: FieldValue + ?Sized] &mut T;
    [T: FieldValue + ?Sized] Box<T>;
    [T: FieldValue + ?Sized] Rc<T>;
    [T: FieldValue + ?Sized] Arc<T>;
    [] String;
    [] Cow<'_, str>;
    [T: Byte] Vec<T>;
    [T: Byte + Clone] Cow<'_, [T]>;
}

impl<T: FieldValue> FieldValue for Option<T> {
    #[inline(always)]
    fn field_size(&self) -> usize {
        self.as_ref().map_or(1, T::field_size)
    }

    #[inline(always)]
    fn field_put(&self, out: &mut Out<'_>) {
        match self {
            Some(value) => value.field_put(out),
            None => out.put(&[tag::NONE]),
        }
    }

    fn field_put_long(&self, cap: usize, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.field_put_long(cap, out),
            None => out.push(tag::NONE),
        }
    }

    #[inline(always)]
    fn field_looks_secret(&self) -> bool {
        self.as_ref().is_some_and(T::field_looks_secret)
    }

    #[inline(always)]
    fn field_can_be_secret(&self) -> bool {
        self.as_ref().is_some_and(T::field_can_be_secret)
    }
}

impl<T: FieldValue + ?Sized> FieldValue for NotSecret<T> {
    #[inline(always)]
    fn field_size(&self) -> usize {
        self.0.field_size()
    }

    #[inline(always)]
    fn field_put(&self, out: &mut Out<'_>) {
        self.0.field_put(out);
    }

    fn field_put_long(&self, cap: usize, out: &mut Vec<u8>) {
        self.0.field_put_long(cap, out);
    }

    #[inline(always)]
    fn field_can_be_secret(&self) -> bool {
        false
    }
}

/// What slices of bytes consist of: `u8`, and `i8`, which the characters of C are on some machines.
#[diagnostic::on_unimplemented(
    message = "a list of `{Self}` cannot be the value of a log field as it is",
    label = "not a list of bytes: of lists, a field takes those of `u8` and `i8` alone",
    note = "write `?value` to log it with `Debug`"
)]
pub trait Byte: Sized {
    /// Writes the bytes, without tag and length.
    fn put_all(bytes: &[Self], out: &mut Out<'_>);

    /// The byte.
    fn get(&self) -> u8;
}

impl Byte for u8 {
    #[inline(always)]
    fn put_all(bytes: &[u8], out: &mut Out<'_>) {
        out.put(bytes);
    }

    #[inline(always)]
    fn get(&self) -> u8 {
        *self
    }
}

impl Byte for i8 {
    fn put_all(bytes: &[i8], out: &mut Out<'_>) {
        for byte in bytes {
            out.put(&byte.to_le_bytes());
        }
    }

    #[inline(always)]
    fn get(&self) -> u8 {
        self.cast_unsigned()
    }
}

impl<T: Byte> FieldValue for [T] {
    #[inline(always)]
    fn field_size(&self) -> usize {
        5 + self.len()
    }

    #[inline(always)]
    fn field_put(&self, out: &mut Out<'_>) {
        put_run_head(tag::BYTES, self.len(), out);
        T::put_all(self, out);
    }

    fn field_put_long(&self, cap: usize, out: &mut Vec<u8>) {
        put_long_bytes(self, T::get, cap, out);
    }
}

impl<T: Byte, const N: usize> FieldValue for [T; N] {
    #[inline(always)]
    fn field_size(&self) -> usize {
        self.as_slice().field_size()
    }

    #[inline(always)]
    fn field_put(&self, out: &mut Out<'_>) {
        self.as_slice().field_put(out);
    }

    fn field_put_long(&self, cap: usize, out: &mut Vec<u8>) {
        self.as_slice().field_put_long(cap, out);
    }
}

/// A field's value, staged.
#[derive(Debug)]
pub struct Field<'a, T: ?Sized>(&'a T);

impl<'a, T: ?Sized> Field<'a, T> {
    #[inline(always)]
    pub(super) fn of(value: &'a T) -> Field<'a, T> {
        Field(value)
    }
}

/// Stages a field's value. A text with the shape of a secret is replaced.
#[inline(always)]
pub fn value<T: FieldValue + ?Sized>(value: &T) -> Checked<Field<'_, T>> {
    Checked::new(Field(value), value.field_looks_secret())
}

impl<T: FieldValue + ?Sized> Encode for Field<'_, T> {
    const COUNT: usize = 1;

    #[inline(always)]
    fn size(&self, _: &Scratch) -> usize {
        self.0.field_size()
    }

    #[inline(always)]
    fn put(&self, _: &Scratch, out: &mut Out<'_>) {
        self.0.field_put(out);
    }

    fn put_long(&self, _: &Scratch, cap: usize, out: &mut Vec<u8>) {
        self.0.field_put_long(cap, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Args, Value};

    fn encoded<T: FieldValue + ?Sized>(given: &T) -> Vec<u8> {
        let (scratch, staged) = (Scratch::new(), value(given));
        let mut bytes = vec![0; staged.size(&scratch)];
        staged.put(&scratch, &mut Out::new(&mut bytes));
        let mut long = Vec::new();
        staged.put_long(&scratch, usize::MAX, &mut long);
        assert_eq!(bytes, long);
        bytes
    }

    #[test]
    fn an_absent_value_is_a_field_value() {
        assert_eq!(encoded(&None::<u8>), [tag::NONE]);
        assert_eq!(encoded(&Some(1u8)), [tag::U8, 1]);
        assert_eq!(encoded(&Some(&None::<&str>)), [tag::NONE]);
    }

    #[test]
    fn bytes_are_the_same_in_every_form() {
        let expected = [tag::BYTES, 3, 0, 0, 0, 0x0a, 0x1b, 0xff];
        let array = [0x0a_u8, 0x1b, 0xff];
        assert_eq!(encoded(&Bytes(&array)), expected);
        assert_eq!(encoded(&array), expected);
        assert_eq!(encoded(&&array), expected);
        assert_eq!(encoded(&array[..]), expected);
        assert_eq!(encoded(&array.to_vec()), expected);
        assert_eq!(encoded(&Some(array.to_vec())), expected);
        assert_eq!(encoded(&Cow::Borrowed(&array[..])), expected);
        assert_eq!(encoded(&Box::<[u8]>::from(array)), expected);
        assert_eq!(encoded(&Arc::<[u8]>::from(array)), expected);
        assert_eq!(encoded(&[0x0a_i8, 0x1b, -1]), expected);
    }

    #[test]
    fn long_values_are_cut_and_marked() {
        let scratch = Scratch::new();
        let mut out = Vec::new();
        value("öööö").put_long(&scratch, 5, &mut out);
        value(&Some(vec![-1_i8; 6])).put_long(&scratch, 2, &mut out);
        value(&7_u8).put_long(&scratch, 0, &mut out);
        let mut args = Args::new(&out);
        assert_eq!(args.next(), Ok(Value::Str("öö… [cut, 8 bytes]")));
        assert_eq!(args.next(), Ok(Value::Bytes { kept: &[255, 255], given: 6 }));
        assert_eq!(args.next(), Ok(Value::U8(7)));
        assert!(args.is_empty());
    }
}
