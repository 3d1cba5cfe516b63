//! Typed keys of a context, with a default for where they are not set.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use super::{Context, current};
use crate::context::fields::{Fields, FieldsBuilder};
use crate::encode::FieldValue;
use crate::record;

/// The identity of a request; `no-request` outside of any.
pub const REQUEST_ID: Key<str> = Key::new("request_id", "no-request");
/// Who asks; `anonymous` where nobody is known.
pub const USER_ID: Key<str> = Key::new("user_id", "anonymous");

/// A key of a [`Context`]: its name in records, the type of its values, and what it is where it is not set.
///
/// A context is what stands in records, so that it holds no secrets: of a key that is called like one, and of a text with the shape of one, it has `***`, as
/// [`info!`](crate::info) says. That is what `get` gives then, or the default where the values are no texts.
///
/// # Examples
///
/// ```
/// use miu_log::context::{self, Key, REQUEST_ID};
///
/// static TENANT: Key<u64> = Key::new("tenant", &0);
///
/// assert_eq!((REQUEST_ID.get().as_str(), TENANT.get()), ("no-request", 0));
/// let _scope = context::scope(TENANT.with(7));
/// assert_eq!(TENANT.get(), 7);
/// ```
#[derive(Debug)]
pub struct Key<T: ContextValue + ?Sized + 'static> {
    name: &'static str,
    default: &'static T,
}

impl<T: ContextValue + ?Sized> Key<T> {
    /// A key of this name.
    pub const fn new(name: &'static str, default: &'static T) -> Key<T> {
        Key { name, default }
    }

    /// The name that it has in records.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it is where it is not set.
    pub const fn default(&self) -> &'static T {
        self.default
    }

    /// A context in which the key has this value, and nothing else.
    pub fn with(&self, value: impl ValueOf<T>) -> Context {
        self.fields(value.get()).into()
    }

    /// The key with its default.
    pub(super) fn default_fields(&self) -> Fields {
        self.fields(self.default)
    }

    fn fields(&self, value: &T) -> Fields {
        let mut builder = FieldsBuilder::new();
        builder.add_value(self.name, value);
        builder.finish()
    }

    /// Its value here and now: that of the context in force, else the default.
    pub fn get(&self) -> T::Owned {
        self.of(&Context { fields: current::current().fields })
    }

    /// Its value in this context, else the default. A value of another type, which [`fields!`](crate::fields) may have given to the name, counts as none.
    pub fn of(&self, context: &Context) -> T::Owned {
        context.fields.get(self.name).and_then(T::read).unwrap_or_else(|| self.default.to_owned())
    }
}

/// What the values of a [`Key`] may be: texts, bools and numbers.
pub trait ContextValue: FieldValue + ToOwned {
    /// Reads it from a field.
    #[doc(hidden)]
    fn read(value: record::FieldValue<'_>) -> Option<Self::Owned>;
}

impl ContextValue for str {
    fn read(value: record::FieldValue<'_>) -> Option<String> {
        match value {
            record::FieldValue::Text(text) => Some(text.to_owned()),
            _ => None,
        }
    }
}

impl ContextValue for bool {
    fn read(value: record::FieldValue<'_>) -> Option<bool> {
        match value {
            record::FieldValue::Bool(truth) => Some(truth),
            _ => None,
        }
    }
}

macro_rules! numbers {
    ($($kind:ty),*) => {$(
        impl ContextValue for $kind {
            fn read(value: record::FieldValue<'_>) -> Option<$kind> {
                match value {
                    record::FieldValue::Signed(number) => number.try_into().ok(),
                    record::FieldValue::Unsigned(number) => number.try_into().ok(),
                    _ => None,
                }
            }
        }
    )*};
}

numbers!(i8, i16, i32, i64, u8, u16, u32, u64, usize);

/// What a value of a [`Key`] may be given as: a text as `&str`, `String` and so on, anything by reference.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a value of a key of type `{T}`",
    label = "expected `{T}`"
)]
pub trait ValueOf<T: ?Sized> {
    /// The value.
    #[doc(hidden)]
    fn get(&self) -> &T;
}

impl<T: ?Sized, V: ValueOf<T> + ?Sized> ValueOf<T> for &V {
    fn get(&self) -> &T {
        (**self).get()
    }
}

macro_rules! given_as {
    ($($kind:ty as $value:ty),*) => {$(
        impl ValueOf<$value> for $kind {
            fn get(&self) -> &$value {
                self
            }
        }
    )*};
}

given_as!(
    str as str, String as str, Box<str> as str, Rc<str> as str, Arc<str> as str, Cow<'_, str> as str, bool as bool, i8 as i8,
    i16 as i16, i32 as i32, i64 as i64, u8 as u8, u16 as u16, u32 as u32, u64 as u64, usize as usize
);
