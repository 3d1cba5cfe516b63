//! The wire format of a record's arguments: one tag byte, then the value in little-endian.
//!
//! Records are self-describing: the tag gives type and width, so that any process that knows the
//! call site's template can render them, and nothing in a record is a pointer. Every length is
//! checked against the bytes that are there; a record that does not decode is `Corrupt`, never a
//! panic. `encode` writes this format on the caller's side, `template` renders what is read here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// First byte of every encoded argument. The numbers are part of the segment layout: never reuse one.
pub(crate) mod tag {
    pub(crate) const NONE: u8 = 0;
    pub(crate) const I8: u8 = 1;
    pub(crate) const I16: u8 = 2;
    pub(crate) const I32: u8 = 3;
    pub(crate) const I64: u8 = 4;
    pub(crate) const I128: u8 = 5;
    pub(crate) const U8: u8 = 6;
    pub(crate) const U16: u8 = 7;
    pub(crate) const U32: u8 = 8;
    pub(crate) const U64: u8 = 9;
    pub(crate) const U128: u8 = 10;
    pub(crate) const F32: u8 = 11;
    pub(crate) const F64: u8 = 12;
    pub(crate) const BOOL: u8 = 13;
    pub(crate) const CHAR: u8 = 14;
    /// A string as it is: u32 length, then UTF-8. The listener applies the placeholder's spec.
    pub(crate) const STR: u8 = 15;
    /// Text that the caller has formatted already, spec applied: u32 length, then UTF-8.
    pub(crate) const RENDERED: u8 = 16;
    /// u64 seconds, u32 nanoseconds.
    pub(crate) const DURATION: u8 = 17;
    pub(crate) const IPV4: u8 = 18;
    pub(crate) const IPV6: u8 = 19;
    /// Bytes as they are: u32 length, then so many bytes.
    pub(crate) const BYTES: u8 = 20;
    /// The beginning of bytes too long for a record: u64, how many were given, then as [`BYTES`], fewer than that.
    pub(crate) const BYTES_CUT: u8 = 21;
}

/// One decoded argument, borrowed from the record's bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    None,
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    I128(i128),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    U128(u128),
    F32(f32),
    F64(f64),
    Bool(bool),
    Char(char),
    Str(&'a str),
    Rendered(&'a str),
    Duration(Duration),
    Ip(IpAddr),
    /// Bytes, and how many there were before they were cut: where they were not, just as many.
    Bytes {
        kept: &'a [u8],
        given: u64,
    },
}

/// The bytes are not arguments in this format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Corrupt;

/// Reads the arguments of one record, front to back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Args<'a> {
    rest: &'a [u8],
}

impl<'a> Args<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Args<'a> {
        Args { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// All that are left; then there are none.
    pub(crate) fn take_all(&mut self) -> Args<'a> {
        std::mem::replace(self, Args::new(&[]))
    }

    /// The bytes that are left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Corrupt)?;
        self.rest = rest;
        Ok(*head)
    }

    /// A length, and so many bytes.
    #[inline]
    fn bytes(&mut self) -> Result<&'a [u8], Corrupt> {
        let len = u32::from_le_bytes(self.take()?) as usize;
        let (head, rest) = self.rest.split_at_checked(len).ok_or(Corrupt)?;
        self.rest = rest;
        Ok(head)
    }

    #[inline]
    fn text(&mut self) -> Result<&'a str, Corrupt> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Corrupt)
    }

    /// The next argument, or `Corrupt` where the bytes end or make no sense.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Value<'a>, Corrupt> {
        let [tag] = self.take()?;
        Ok(match tag {
            tag::NONE => Value::None,
            tag::I8 => Value::I8(i8::from_le_bytes(self.take()?)),
            tag::I16 => Value::I16(i16::from_le_bytes(self.take()?)),
            tag::I32 => Value::I32(i32::from_le_bytes(self.take()?)),
            tag::I64 => Value::I64(i64::from_le_bytes(self.take()?)),
            tag::I128 => Value::I128(i128::from_le_bytes(self.take()?)),
            tag::U8 => Value::U8(u8::from_le_bytes(self.take()?)),
            tag::U16 => Value::U16(u16::from_le_bytes(self.take()?)),
            tag::U32 => Value::U32(u32::from_le_bytes(self.take()?)),
            tag::U64 => Value::U64(u64::from_le_bytes(self.take()?)),
            tag::U128 => Value::U128(u128::from_le_bytes(self.take()?)),
            tag::F32 => Value::F32(f32::from_le_bytes(self.take()?)),
            tag::F64 => Value::F64(f64::from_le_bytes(self.take()?)),
            tag::BOOL => match self.take()? {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                _ => return Err(Corrupt),
            },
            tag::CHAR => Value::Char(char::from_u32(u32::from_le_bytes(self.take()?)).ok_or(Corrupt)?),
            tag::STR => Value::Str(self.text()?),
            tag::RENDERED => Value::Rendered(self.text()?),
            tag::DURATION => {
                let seconds = u64::from_le_bytes(self.take()?);
                let nanoseconds = u32::from_le_bytes(self.take()?);
                if nanoseconds >= 1_000_000_000 {
                    return Err(Corrupt);
                }
                Value::Duration(Duration::new(seconds, nanoseconds))
            }
            tag::IPV4 => Value::Ip(IpAddr::V4(Ipv4Addr::from(self.take::<4>()?))),
            tag::IPV6 => Value::Ip(IpAddr::V6(Ipv6Addr::from(self.take::<16>()?))),
            tag::BYTES => {
                let kept = self.bytes()?;
                Value::Bytes { kept, given: kept.len() as u64 }
            }
            tag::BYTES_CUT => {
                let given = u64::from_le_bytes(self.take()?);
                let kept = self.bytes()?;
                if given <= kept.len() as u64 {
                    return Err(Corrupt);
                }
                Value::Bytes { kept, given }
            }
            _ => return Err(Corrupt),
        })
    }
}

/// Length of a record's header.
pub(crate) const HEADER: usize = 24;
/// The record's arguments are in a blob: the payload is the blob's number.
pub(crate) const FLAG_BLOB: u8 = 1;
/// The record has no call site: its first arguments say what that would. File (text), line (u32), module (text), template (text).
pub(crate) const FLAG_SITE: u8 = 2;
/// Before the record's arguments stand further fields, from its context: as [`crate::record::Extra`] reads them.
pub(crate) const FLAG_EXTRA: u8 = 4;

/// What stands before a record's arguments: three little-endian words.
///
/// ```text
/// | length u32, header and arguments, without padding | call site u32 | ticks u64 | sequence u32 | domain u8 | level u8 | flags u8 | 0 |
/// ```
///
/// The next record begins at the next multiple of eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) len: u32,
    pub(crate) callsite: u32,
    pub(crate) ticks: u64,
    /// Low half of the record's number in its ring.
    pub(crate) sequence: u32,
    pub(crate) domain: u8,
    pub(crate) level: u8,
    pub(crate) flags: u8,
}

impl Head {
    #[inline(always)]
    pub(crate) fn to_bytes(self) -> [u8; HEADER] {
        let words = [
            u64::from(self.len) | u64::from(self.callsite) << 32,
            self.ticks,
            u64::from(self.sequence)
                | u64::from(self.domain) << 32
                | u64::from(self.level) << 40
                | u64::from(self.flags) << 48,
        ];
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&words[0].to_le_bytes());
        bytes[8..16].copy_from_slice(&words[1].to_le_bytes());
        bytes[16..].copy_from_slice(&words[2].to_le_bytes());
        bytes
    }

    /// Reads the header of the first record in `bytes`. The length is one that lies within `bytes`, padding included.
    #[inline]
    pub(crate) fn parse(bytes: &[u8]) -> Result<Head, Corrupt> {
        let head = bytes.first_chunk::<HEADER>().ok_or(Corrupt)?;
        let word = |index: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&head[index * 8..index * 8 + 8]);
            u64::from_le_bytes(word)
        };
        let (first, ticks, last) = (word(0), word(1), word(2));
        let len = first as u32;
        if (len as usize) < HEADER || padded(len as usize) > bytes.len() {
            return Err(Corrupt);
        }
        Ok(Head {
            len,
            callsite: (first >> 32) as u32,
            ticks,
            sequence: last as u32,
            domain: (last >> 32) as u8,
            level: (last >> 40) as u8,
            flags: (last >> 48) as u8,
        })
    }
}

/// The length with padding.
#[inline(always)]
pub(crate) const fn padded(len: usize) -> usize {
    (len + 7) & !7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_back_as_it_was_written() {
        let head = Head {
            len: 30,
            callsite: 7,
            ticks: u64::MAX - 1,
            sequence: u32::MAX,
            domain: 255,
            level: 6,
            flags: FLAG_BLOB,
        };
        let mut bytes = [0; 32];
        bytes[..HEADER].copy_from_slice(&head.to_bytes());
        assert_eq!(Head::parse(&bytes), Ok(head));
        assert_eq!(Head::parse(&bytes[..30]), Err(Corrupt), "its padding is missing");
    }

    #[test]
    fn the_wire_format_is_this() {
        let head = Head { len: 26, callsite: 1, ticks: 2, sequence: 3, domain: 4, level: 5, flags: 0 };
        assert_eq!(
            head.to_bytes(),
            [26, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 4, 5, 0, 0]
        );
    }

    #[test]
    fn bytes_are_corrupt_where_their_lengths_do_not_fit() {
        let value = |bytes: &[u8]| Args::new(bytes).next().map(|value| format!("{value:?}"));
        assert_eq!(Args::new(&[20, 2, 0, 0, 0, 7, 8]).next(), Ok(Value::Bytes { kept: &[7, 8], given: 2 }));
        assert_eq!(Args::new(&[20, 0, 0, 0, 0]).next(), Ok(Value::Bytes { kept: &[], given: 0 }));
        assert_eq!(value(&[20, 3, 0, 0, 0, 7, 8]), Err(Corrupt), "longer than the record");
        assert_eq!(value(&[20, 255, 255, 255, 255, 7]), Err(Corrupt), "longer than any record");
        assert_eq!(value(&[20, 1, 0, 0]), Err(Corrupt), "no whole length");

        let cut = [21, 9, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 7, 8];
        assert_eq!(Args::new(&cut).next(), Ok(Value::Bytes { kept: &[7, 8], given: 9 }));
        for given in 0..=2 {
            let mut whole = cut;
            whole[1] = given;
            assert_eq!(value(&whole), Err(Corrupt), "cut to {given} of 2");
        }
        for len in 0..cut.len() {
            assert_eq!(value(&cut[..len]), Err(Corrupt), "{len} bytes of it");
        }
        assert_eq!(value(&[22, 0, 0, 0, 0]), Err(Corrupt), "a tag that nobody has given out");
    }

    #[test]
    fn lengths_of_bytes_are_checked_whatever_they_are() {
        use proptest::prelude::*;
        let near = || prop_oneof![0..40u64, any::<u64>(), Just(u64::MAX)];
        proptest!(|(rest in proptest::collection::vec(any::<u8>(), 0..40), given in near(), len in near())| {
            let len = len as u32;
            let mut bytes = vec![tag::BYTES];
            bytes.extend(len.to_le_bytes());
            bytes.extend(&rest);
            let expected = rest.get(..len as usize);
            let whole = expected.map(|kept| Value::Bytes { kept, given: kept.len() as u64 });
            prop_assert_eq!(Args::new(&bytes).next(), whole.ok_or(Corrupt));

            bytes.splice(..1, [tag::BYTES_CUT].into_iter().chain(given.to_le_bytes()));
            let cut = expected.filter(|kept| given > kept.len() as u64).map(|kept| Value::Bytes { kept, given });
            prop_assert_eq!(Args::new(&bytes).next(), cut.ok_or(Corrupt));
        });
    }

    #[test]
    fn random_bytes_never_panic() {
        use proptest::prelude::*;
        proptest!(|(bytes in proptest::collection::vec(any::<u8>(), 0..200))| {
            let _ = Head::parse(&bytes);
            let mut args = Args::new(&bytes);
            while args.next().is_ok() {}
        });
    }
}
