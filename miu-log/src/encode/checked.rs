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
        Checked::new(Text::default(), true)
    }

    fn debug(self, _: &mut Scratch, _: fmt::Arguments<'_>) -> Checked<Text> {
        Checked::new(Text::default(), true)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::codec::{Args, Value};
    use crate::context::fields::Fields;
    use crate::encode::value;
    use crate::fields;

    const ADDRESS: &str = "postgres://ann:canary@example.org/orders";

    /// Panics when it is looked at.
    struct Untouchable;

    impl fmt::Display for Untouchable {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("formatted");
        }
    }

    impl fmt::Debug for Untouchable {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("formatted");
        }
    }

    /// Has no raw encoding.
    #[derive(Debug)]
    struct Text(&'static str);

    impl fmt::Display for Text {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    fn shown(fields: &Fields) -> Vec<String> {
        fields.iter().map(|(_, value)| value.to_string()).collect()
    }

    #[test]
    fn a_field_that_is_called_a_secret_is_replaced_whatever_it_is_and_formatted_by_nobody() {
        let before = redact::replaced();
        let mut evaluated = 0;
        let mut next = || {
            evaluated += 1;
            evaluated
        };
        let fields = fields!(
            password = "canary",
            api_key = [1_u8, 2],
            pwd = String::from("canary"),
            cookie = Some(next()),
            token = %Untouchable,
            secret = ?Untouchable,
            jwt = %next(),
            user.credentials = ?Some("canary"),
        );
        assert_eq!(shown(&fields), ["***"; 8]);
        assert_eq!(evaluated, 2, "it is evaluated as any other");
        assert!(redact::replaced() >= before + 8);
    }

    #[test]
    fn what_cannot_be_a_secret_is_left_and_so_is_what_is_said_to_be_none() {
        let fields = fields!(
            a.token = None::<&str>,
            has_password = true,
            secret = Some(Duration::from_secs(1)),
            token = NotSecret("seen"),
            b.token = Some(&NotSecret(7)),
            c.token = %NotSecret(Text("seen")),
            d.token = ?NotSecret("seen"),
            address = NotSecret(ADDRESS),
            a.address = %NotSecret(ADDRESS),
            b.address = ?NotSecret(ADDRESS),
            token_count = 3,
        );
        let address = format!("{ADDRESS:?}");
        let expected = ["", "true", "1s", "seen", "7", "seen", "\"seen\"", ADDRESS, ADDRESS, &address, "3"]
            .map(str::to_owned);
        assert_eq!(shown(&fields)[1..], expected[1..]);
        assert_eq!(fields.get("a.token"), Some(crate::record::FieldValue::None));
    }

    #[test]
    fn texts_with_the_shape_of_a_secret_are_replaced_in_every_form() {
        let fields = fields!(
            a = ADDRESS,
            b = ADDRESS.to_owned(),
            c = Some(Arc::<str>::from(ADDRESS)),
            d = %ADDRESS,
            e = %Text(ADDRESS),
            f = ?ADDRESS,
            g = %format_args!("{ADDRESS}"),
            h = ?Text(ADDRESS),
            i = "to postgres://ann:canary@example.org",
        );
        let shown = shown(&fields);
        assert_eq!(shown[..7], ["***"; 7]);
        // What stands in the middle of a text is not looked for.
        assert!(shown[7].contains("canary") && shown[8].contains("canary"));
    }

    #[test]
    fn a_replaced_value_is_encoded_alike_for_records_of_any_length() {
        let scratch = Scratch::new();
        let staged = (value(ADDRESS), (secret_value(&7_u64), ()));
        let mut bytes = vec![0; staged.size(&scratch)];
        staged.put(&scratch, &mut Out::new(&mut bytes));
        let mut long = Vec::new();
        staged.put_long(&scratch, 2, &mut long);
        assert_eq!(bytes, long);
        let mut args = Args::new(&bytes);
        assert_eq!((args.next(), args.next()), (Ok(Value::Str("***")), Ok(Value::Str("***"))));
        assert!(args.is_empty());
    }
}
