//! [`Fields`]: names and values, encoded once, as they stand in records.
//!
//! F1. A set of fields is bounded, in bytes and in number, and so is each of its values. What is too long is cut, with the mark that cut arguments
//!     have; fields that find no room are left out, and [`CUT`] says how many.
//! F2. A name stands in a set once: the later value takes the earlier one's place.
//!
//! Made by `fields!`, by typed keys and by the bridges; contexts and loggers hold them.

use std::fmt;
use std::sync::Arc;

use crate::codec::{Args, Value, tag};
use crate::encode::{self, Encode, FieldValue, Scratch};
use crate::record::{self, pair};
use crate::redact::names;

/// Bytes of a set of fields.
pub(crate) const MOST_BYTES: usize = 4096;
/// Fields of a set.
pub(crate) const MOST_FIELDS: usize = 64;
/// Bytes of a text, or of raw bytes, in a set.
const LONGEST_VALUE: usize = 1024;
/// Bytes of a name.
const LONGEST_NAME: usize = 128;
/// The field that says how many were left out.
const CUT: &str = "fields_left_out";
/// Room for that field.
const CUT_ROOM: usize = 5 + CUT.len() + 9;

/// Names and values for many records: encoded once, copied into each.
///
/// [`fields!`](crate::fields) makes them; [`bind`](crate::Logger::bind) gives them to a logger, [`context::scope`](crate::context::scope) to everything
/// that is logged in a scope. A clone costs a counter.
///
/// A set holds 64 fields and 4 KiB, and a text or bytes in it 1 KiB: what is longer is cut, with a mark, and fields that find no room are left
/// out, which the field `fields_left_out` counts. A name that comes twice has its later value. Secrets are replaced by `***`, as in a record: see [`info!`](crate::info).
#[derive(Clone, Default)]
pub struct Fields {
    bytes: Option<Arc<[u8]>>,
}

impl Fields {
    /// No fields.
    pub const fn new() -> Fields {
        Fields { bytes: None }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_none()
    }

    /// Names and values, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = (&str, record::FieldValue<'_>)> {
        let mut args = Args::new(self.as_bytes());
        std::iter::from_fn(move || {
            let (name, value) = pair(&mut args).ok()?;
            Some((name, value.into()))
        })
    }

    /// The value of this name, if it is there.
    pub fn get(&self, name: &str) -> Option<record::FieldValue<'_>> {
        self.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// These fields, and of the others those whose names are not among these.
    pub(crate) fn over(&self, others: &Fields) -> Fields {
        match (self.is_empty(), others.is_empty()) {
            (true, _) => others.clone(),
            (_, true) => self.clone(),
            _ if self.is_same(others) => self.clone(),
            _ => {
                let mut all = FieldsBuilder::over(others);
                all.add_all(self);
                all.finish()
            }
        }
    }

    fn is_same(&self, other: &Fields) -> bool {
        match (&self.bytes, &other.bytes) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        }
    }

    /// The fields of these bytes, which are what `as_bytes` gave to somebody who kept it. What makes no sense is left out.
    pub(crate) fn restore(bytes: &[u8]) -> Fields {
        let mut builder = FieldsBuilder::new();
        builder.add_bytes(bytes);
        builder.finish()
    }

    /// As they stand in a record.
    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or_default()
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Makes [`Fields`].
#[derive(Debug, Default)]
pub struct FieldsBuilder {
    bytes: Vec<u8>,
    count: usize,
    left_out: u64,
}

impl FieldsBuilder {
    /// None yet.
    #[must_use]
    pub fn new() -> FieldsBuilder {
        FieldsBuilder::default()
    }

    /// Begins with these.
    fn over(fields: &Fields) -> FieldsBuilder {
        let mut builder = FieldsBuilder::new();
        builder.add_all(fields);
        builder
    }

    /// Adds a value that is staged as a record's.
    pub fn add(&mut self, name: &str, scratch: &Scratch, staged: &impl Encode) {
        let mut value = Vec::new();
        staged.put_long(scratch, LONGEST_VALUE, &mut value);
        if !scratch.is_whole() {
            // A `Display` that logs, nested too deep.
            self.left_out += 1;
            return;
        }
        self.add_encoded(name, &value);
    }

    /// Adds a value as it is, of a name that nobody has looked at.
    pub(crate) fn add_value<T: FieldValue + ?Sized>(&mut self, name: &str, given: &T) {
        if names::is_secret(name) {
            add_secret_field(self, name, given);
        } else {
            add_field(self, name, given);
        }
    }

    fn add_all(&mut self, fields: &Fields) {
        self.add_bytes(fields.as_bytes());
    }

    fn add_bytes(&mut self, bytes: &[u8]) {
        let mut args = Args::new(bytes);
        while let Ok(Value::Str(name)) = args.next() {
            let before = args.rest();
            let Ok(value) = args.next() else { break };
            match value {
                Value::U64(count) if name == CUT => self.left_out += count,
                _ => self.add_encoded(name, &before[..before.len() - args.rest().len()]),
            }
        }
    }

    fn add_encoded(&mut self, name: &str, value: &[u8]) {
        let name = &name[..name.floor_char_boundary(LONGEST_NAME)];
        self.remove(name);
        let len = 5 + name.len() + value.len();
        if self.count == MOST_FIELDS - 1 || self.bytes.len() + len + CUT_ROOM > MOST_BYTES {
            self.left_out += 1;
            return;
        }
        put_name(name, &mut self.bytes);
        self.bytes.extend_from_slice(value);
        self.count += 1;
    }

    fn remove(&mut self, name: &str) {
        let mut args = Args::new(&self.bytes);
        let len = |args: &Args<'_>| args.rest().len();
        let whole = len(&args);
        let mut start = 0;
        while let Ok((other, _)) = pair(&mut args) {
            let end = whole - len(&args);
            if other == name {
                self.bytes.drain(start..end);
                self.count -= 1;
                return;
            }
            start = end;
        }
    }

    /// The fields.
    #[must_use]
    pub fn finish(mut self) -> Fields {
        if self.left_out > 0 {
            put_name(CUT, &mut self.bytes);
            self.bytes.push(tag::U64);
            self.bytes.extend(self.left_out.to_le_bytes());
        }
        Fields { bytes: (!self.bytes.is_empty()).then(|| self.bytes.into()) }
    }
}

/// Adds a field's value as it is. A text with the shape of a secret is replaced.
pub fn add_field<T: FieldValue + ?Sized>(builder: &mut FieldsBuilder, name: &str, value: &T) {
    builder.add(name, &Scratch::new(), &encode::value(value));
}

/// Adds a field whose name says that it is a secret.
pub fn add_secret_field<T: FieldValue + ?Sized>(builder: &mut FieldsBuilder, name: &str, value: &T) {
    builder.add(name, &Scratch::new(), &encode::secret_value(value));
}

fn put_name(name: &str, out: &mut Vec<u8>) {
    out.push(tag::STR);
    out.extend((name.len() as u32).to_le_bytes());
    out.extend_from_slice(name.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::FieldValue as Seen;

    fn numbers(pairs: &[(&str, u32)]) -> Fields {
        let mut builder = FieldsBuilder::new();
        for (name, number) in pairs {
            builder.add_value(name, number);
        }
        builder.finish()
    }

    fn shown(fields: &Fields) -> String {
        fields.iter().map(|(name, value)| format!("{name}={value} ")).collect()
    }

    #[test]
    fn the_later_value_of_a_name_counts() {
        let fields = numbers(&[("a", 1), ("b", 2), ("a", 3)]);
        assert_eq!(shown(&fields), "b=2 a=3 ");
        assert_eq!(shown(&numbers(&[("c", 4), ("b", 5)]).over(&fields)), "a=3 c=4 b=5 ");
        assert_eq!(fields.get("a"), Some(Seen::Unsigned(3)));
        assert!(numbers(&[]).is_empty() && fields.get("x").is_none());
    }

    #[test]
    fn what_is_too_long_is_cut_and_what_finds_no_room_is_counted() {
        let mut builder = FieldsBuilder::new();
        for number in 0..10 {
            builder.add_value(&format!("f{number}"), &*"x".repeat(2000));
        }
        let fields = builder.finish();
        assert!(fields.as_bytes().len() <= MOST_BYTES);
        let Some(Seen::Text(text)) = fields.get("f0") else { panic!("{fields:?}") };
        assert!(text.ends_with("… [cut, 2000 bytes]") && text.len() < 1100);
        assert_eq!(fields.get("f3"), None);
        assert_eq!(fields.get(CUT), Some(Seen::Unsigned(7)));

        let names: Vec<String> = (0..100).map(|number| format!("n{number}")).collect();
        let many = numbers(&names.iter().map(|name| (&**name, 1)).collect::<Vec<_>>());
        assert_eq!((many.iter().count(), many.get(CUT)), (MOST_FIELDS, Some(Seen::Unsigned(37))));
        let all = many.over(&fields);
        assert_eq!(all.iter().count(), MOST_FIELDS);
        assert!(matches!(all.get(CUT), Some(Seen::Unsigned(count)) if count > 40), "{all:?}");
        assert!(all.as_bytes().len() <= MOST_BYTES);
    }

    #[test]
    fn fields_are_restored_as_they_were_and_what_makes_no_sense_is_none() {
        let fields = numbers(&[("a", 1), ("b", 2)]);
        assert_eq!(shown(&Fields::restore(fields.as_bytes())), "a=1 b=2 ");
        let cut = &fields.as_bytes()[..fields.as_bytes().len() - 1];
        assert_eq!(shown(&Fields::restore(cut)), "a=1 ");
        assert!(Fields::restore(&[255, 7]).is_empty());
    }

    #[test]
    fn a_name_is_cut_between_characters() {
        let fields = numbers(&[(&"ö".repeat(100), 1)]);
        assert_eq!(fields.iter().next().unwrap().0, "ö".repeat(64));
    }
}
