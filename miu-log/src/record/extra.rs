//! The fields that a record has from elsewhere than its statement: from the context it was logged in, and from its logger.
//!
//! They stand before the record's arguments, with their names: two lengths (u32), then so many bytes of fields, then so many bytes of captured
//! values. A field is its name as a text, then its value, as `codec` has them.
//!
//! X1. All of it has been read once when there is an `Extra`: whatever is asked of it later cannot fail.
//! X2. A name is given once. A statement's own field stands for all others of its name; of the rest the one that comes last.
//!
//! The listener splits it off; layouts go through it behind the statement's own fields.

use crate::codec::{Args, Corrupt, Value};

/// Most fields of a record that are believed: the search for names that come twice takes its time by the square of it.
const MOST: usize = 512;

/// See the module's description.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extra<'a> {
    /// What the configuration gives to all records. Unlike the others they are this process's own.
    defaults: Args<'a>,
    fields: Args<'a>,
    /// What functions gave for the diagnosis of errors: for those sinks only that ask for it.
    captured: Args<'a>,
}

impl<'a> Extra<'a> {
    /// No field.
    pub(crate) const NONE: Extra<'static> =
        Extra { defaults: Args::new(&[]), fields: Args::new(&[]), captured: Args::new(&[]) };

    /// Tells these fields and the record's arguments apart.
    pub(crate) fn split(payload: &'a [u8]) -> Result<(Extra<'a>, &'a [u8]), Corrupt> {
        let (len, rest) = payload.split_first_chunk().ok_or(Corrupt)?;
        let (captured_len, rest) = rest.split_first_chunk().ok_or(Corrupt)?;
        let (fields, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize).ok_or(Corrupt)?;
        let (captured, rest) =
            rest.split_at_checked(u32::from_le_bytes(*captured_len) as usize).ok_or(Corrupt)?;
        let (fields, captured) = (Args::new(fields), Args::new(captured));
        let mut count = 0;
        for mut all in [fields, captured] {
            while !all.is_empty() {
                pair(&mut all)?;
                count += 1;
                if count > MOST {
                    return Err(Corrupt);
                }
            }
        }
        Ok((Extra { fields, captured, ..Extra::NONE }, rest))
    }

    /// Whether there is none.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.defaults.is_empty() && self.fields.is_empty() && self.captured.is_empty()
    }

    /// The same, with these encoded fields where nothing else has their names.
    #[inline]
    pub(crate) fn with_defaults(self, defaults: &'a [u8]) -> Extra<'a> {
        Extra { defaults: Args::new(defaults), ..self }
    }

    /// Whether there are values that were captured for a diagnosis.
    #[inline]
    pub(crate) fn has_captured(&self) -> bool {
        !self.captured.is_empty()
    }

    /// The same without captured values.
    pub(crate) fn without_captured(self) -> Extra<'a> {
        Extra { captured: Args::new(&[]), ..self }
    }

    /// Names and values, but for those whose name is among the statement's `own` (X2).
    #[inline]
    pub(crate) fn iter<'o>(&self, own: &'o [String]) -> Fields<'a, 'o> {
        Fields { rest: self.defaults, next: [self.fields, self.captured], own }
    }

    /// The value of this name.
    pub(crate) fn get(&self, name: &str) -> Option<Value<'a>> {
        self.iter(&[]).find(|(other, _)| *other == name).map(|(_, value)| value)
    }
}

/// Goes through the fields of an [`Extra`].
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a, 'o> {
    rest: Args<'a>,
    /// What comes behind it.
    next: [Args<'a>; 2],
    own: &'o [String],
}

impl<'a> Iterator for Fields<'a, '_> {
    type Item = (&'a str, Value<'a>);

    fn next(&mut self) -> Option<(&'a str, Value<'a>)> {
        loop {
            while self.rest.is_empty() {
                self.rest = self.next.iter_mut().find(|next| !next.is_empty())?.take_all();
            }
            let (name, value) = pair(&mut self.rest).ok()?;
            let comes_again = has(self.rest, name) || self.next.iter().any(|next| has(*next, name));
            if !comes_again && !self.own.iter().any(|own| own == name) {
                return Some((name, value));
            }
        }
    }
}

fn has(mut rest: Args<'_>, name: &str) -> bool {
    while !rest.is_empty() {
        match pair(&mut rest) {
            Ok((other, _)) if other == name => return true,
            Ok(_) => {}
            Err(Corrupt) => return false,
        }
    }
    false
}

/// A name and its value.
pub(crate) fn pair<'a>(args: &mut Args<'a>) -> Result<(&'a str, Value<'a>), Corrupt> {
    let Value::Str(name) = args.next()? else { return Err(Corrupt) };
    Ok((name, args.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tag;

    fn fields(pairs: &[(&str, u8)]) -> Vec<u8> {
        let pair = |(name, value): &(&str, u8)| {
            [&[tag::STR][..], &(name.len() as u32).to_le_bytes(), name.as_bytes(), &[tag::U8, *value]]
                .concat()
        };
        pairs.iter().flat_map(pair).collect()
    }

    fn payload(pairs: &[(&str, u8)], captured: &[(&str, u8)]) -> Vec<u8> {
        let (pairs, captured) = (fields(pairs), fields(captured));
        let lens = [pairs.len(), captured.len()].map(|len| (len as u32).to_le_bytes()).concat();
        [lens, pairs, captured, vec![tag::BOOL, 1]].concat()
    }

    fn found(extra: Extra<'_>, own: &[&str]) -> Vec<(String, u8)> {
        let own: Vec<String> = own.iter().map(|&name| name.to_owned()).collect();
        let number = |(name, value): (&str, Value<'_>)| match value {
            Value::U8(number) => (name.to_owned(), number),
            other => panic!("{other:?}"),
        };
        extra.iter(&own).map(number).collect()
    }

    #[test]
    fn of_a_name_that_comes_twice_the_last_counts_and_the_statements_own_before_all() {
        let bytes = payload(&[("a", 1), ("b", 2), ("a", 3)], &[("c", 4), ("b", 5), ("own", 6)]);
        let (extra, rest) = Extra::split(&bytes).unwrap();
        assert_eq!(rest, [tag::BOOL, 1]);
        let all = [("a", 3), ("c", 4), ("b", 5)].map(|(name, value)| (name.to_owned(), value));
        assert_eq!(found(extra, &["own"]), all);
        let plain = [("b", 2), ("a", 3)].map(|(name, value)| (name.to_owned(), value));
        assert_eq!(found(extra.without_captured(), &[]), plain);
        assert_eq!((extra.get("a"), extra.get("x")), (Some(Value::U8(3)), None));
        assert!(Extra::NONE.is_empty() && !extra.is_empty());
        let defaults = fields(&[("d", 7), ("own", 8), ("a", 9)]);
        let expected = [("d", 7), ("b", 2), ("a", 3)].map(|(name, value)| (name.to_owned(), value));
        assert_eq!(found(extra.without_captured().with_defaults(&defaults), &["own"]), expected);
        assert_eq!(Extra::NONE.with_defaults(&defaults).get("a"), Some(Value::U8(9)));
    }

    #[test]
    fn what_makes_no_sense_is_corrupt() {
        let bytes = payload(&[("a", 1)], &[("b", 2)]);
        for len in 0..bytes.len() - 2 {
            assert!(Extra::split(&bytes[..len]).is_err(), "{len}");
        }
        let many = vec![("a", 1); MOST + 1];
        assert!(Extra::split(&payload(&many, &[])).is_err());
        assert!(Extra::split(&payload(&many[1..], &[])).is_ok());
        assert!(Extra::split(&[2, 0, 0, 0, 0, 0, 0, 0, tag::U8, 1]).is_err(), "a value without a name");
    }

    #[test]
    fn random_bytes_never_panic() {
        use proptest::prelude::*;
        proptest!(|(len in 0..40_u32, captured in 0..40_u32, bytes in proptest::collection::vec(any::<u8>(), 0..80))| {
            let payload = [&len.to_le_bytes()[..], &captured.to_le_bytes(), &bytes].concat();
            if let Ok((extra, _)) = Extra::split(&payload) {
                extra.iter(&[]).for_each(drop);
            }
        });
    }
}
