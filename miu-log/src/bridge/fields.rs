//! Fields as bytes: in a record, names and values apart; kept for other records, side by side, as `record::Extra` reads them.
//!
//! Called by `staging`, and by what keeps the fields of spans.

use super::sites;
use crate::codec::{Args, Value};
use crate::encode::{Encode, Raw, Rendered, Scratch};

/// Names and values that were written down, each value in the wire format.
pub(super) fn pairs<'a>(names: &'a [u8], values: &'a [u8]) -> impl Iterator<Item = (&'a str, &'a [u8])> {
    let mut values = Args::new(values);
    sites::listed(names).map_while(move |name| Some((name, whole(&mut values)?.0)))
}

/// Names and values of fields that stand side by side.
pub(super) fn listed(encoded: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    let mut rest = Args::new(encoded);
    std::iter::from_fn(move || match rest.next().ok()? {
        Value::Str(name) => Some((name, whole(&mut rest)?.0)),
        _ => None,
    })
}

/// The same, without those that come again later.
pub(super) fn latest(encoded: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    let is_last =
        move |number: usize, name: &str| listed(encoded).skip(number + 1).all(|(later, _)| later != name);
    listed(encoded)
        .enumerate()
        .filter(move |(number, (name, _))| is_last(*number, name))
        .map(|(_, pair)| pair)
}

/// Appends a field beside others. A text longer than `cap` is cut, with a mark.
pub(super) fn put(name: &str, value: &[u8], cap: usize, out: &mut Vec<u8>) {
    name.raw_put_long(usize::MAX, out);
    match Args::new(value).next() {
        Ok(Value::Str(text) | Value::Rendered(text)) if text.len() > cap => {
            Rendered(text).put_long(&Scratch::new(), cap, out);
        }
        _ => out.extend_from_slice(value),
    }
}

/// The next value: its bytes, and what it is.
fn whole<'a>(values: &mut Args<'a>) -> Option<(&'a [u8], Value<'a>)> {
    let rest = values.rest();
    let value = values.next().ok()?;
    Some((&rest[..rest.len() - values.rest().len()], value))
}

/// Fields that stand side by side, with new ones: those of the same name in their place, the others behind.
pub(super) fn updated(old: &[u8], new: &[u8]) -> (Vec<u8>, usize) {
    let (mut out, mut count) = (Vec::new(), 0);
    let known = |name: &str| listed(old).any(|(old, _)| old == name);
    let replaced = listed(old).map(|(name, value)| {
        let new = listed(new).filter(|(new, _)| *new == name).last();
        (name, new.map_or(value, |(_, value)| value))
    });
    for (name, value) in replaced.chain(listed(new).filter(|(name, _)| !known(name))) {
        put(name, value, usize::MAX, &mut out);
        count += 1;
    }
    (out, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(fields: &[(&str, u64)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, number) in fields {
            name.raw_put_long(usize::MAX, &mut out);
            number.raw_put_long(usize::MAX, &mut out);
        }
        out
    }

    fn read(encoded: &[u8]) -> Vec<(&str, u64)> {
        let number = |bytes: &[u8]| match Args::new(bytes).next() {
            Ok(Value::U64(number)) => number,
            other => panic!("{other:?}"),
        };
        listed(encoded).map(|(name, value)| (name, number(value))).collect()
    }

    #[test]
    fn new_values_stand_in_the_place_of_the_old_ones() {
        let (updated, count) = updated(&encoded(&[("a", 1), ("b", 2)]), &encoded(&[("c", 3), ("a", 4)]));
        assert_eq!((read(&updated), count), (vec![("a", 4), ("b", 2), ("c", 3)], 3));
    }

    #[test]
    fn of_a_name_that_comes_again_the_later_one_counts() {
        let fields = encoded(&[("a", 1), ("b", 2), ("a", 3)]);
        assert_eq!(latest(&fields).map(|(name, _)| name).collect::<Vec<_>>(), ["b", "a"]);
    }

    #[test]
    fn a_text_that_is_too_long_is_cut() {
        let mut value = Vec::new();
        "abcdef".raw_put_long(usize::MAX, &mut value);
        let mut out = Vec::new();
        put("name", &value, 3, &mut out);
        let cut = Args::new(listed(&out).next().unwrap().1).next();
        assert_eq!(cut, Ok(Value::Rendered("abc… [cut, 6 bytes]")));
    }
}
