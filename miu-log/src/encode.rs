//! The caller's side of the wire format: arguments become bytes in the ring.
//!
//! Two steps. Staging runs user code (`Display`, `Debug`) for whatever has no raw encoding and keeps its text
//! in a reused thread-local buffer; encoding then copies plain bytes. User code never runs while a slot is open, so a
//! `Display` that panics or logs finds nothing half done.
//!
//! Which of the two a value gets is decided by its type, by method resolution: `Arg(&x).display(..)` finds [`ArgRaw`]
//! where the type has a raw encoding and [`ArgAny`], one reference further, where it has none.
//!
//! What a field takes as it is stands in [`field`], and what becomes of a secret in a field in [`checked`].
//!
//! Called by the macros' expansions and by `message`; imports the tags of `codec`, [`Bytes`] and `redact` only.

mod checked;
pub(crate) mod extra;
mod field;
mod scratch;
mod signal;

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use checked::REPLACED;
pub use checked::{FieldArg, FieldArgAny, FieldArgRaw, SecretArg, secret_value};
pub use field::{FieldValue, value};
pub use scratch::Scratch;
pub(crate) use scratch::{Cut, Nesting};
pub use signal::{SignalValue, signal_value};

use crate::bytes::Bytes;
use crate::codec::tag;
use crate::redact::shapes;

/// Bytes of a text's encoding before the text itself, and of bytes: tag and length.
pub(crate) const TEXT_HEAD: usize = 5;
/// Longest record: what is longer is cut, with a mark.
pub(crate) const MAX_RECORD: usize = 16 * 1024 * 1024;

/// Takes bytes, front to back, into a slot that has room for them.
pub struct Out<'a> {
    rest: &'a mut [u8],
}

impl<'a> Out<'a> {
    #[inline(always)]
    pub(crate) fn new(slot: &'a mut [u8]) -> Out<'a> {
        Out { rest: slot }
    }

    #[inline(always)]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        // Sizes are computed from the same values just before: there is always room. A slot too small would lose the
        // argument, not memory safety.
        if let Some((head, rest)) = std::mem::take(&mut self.rest).split_at_mut_checked(bytes.len()) {
            head.copy_from_slice(bytes);
            self.rest = rest;
        }
    }
}

impl fmt::Debug for Out<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Out").field("room", &self.rest.len()).finish()
    }
}

/// Staged arguments: a value, or a nested pair of a value and the rest.
pub trait Encode {
    /// How many values there are.
    const COUNT: usize;

    /// Flags of the record's header.
    const FLAGS: u8 = 0;

    /// How many values there are, where that is known at run time only.
    fn count(&self) -> usize {
        Self::COUNT
    }

    /// Length of the encoding in bytes.
    fn size(&self, scratch: &Scratch) -> usize;

    /// Writes the encoding.
    fn put(&self, scratch: &Scratch, out: &mut Out<'_>);

    /// Writes the encoding of a record too long for a ring; no text and no bytes are longer than `cap` and a mark.
    fn put_long(&self, scratch: &Scratch, cap: usize, out: &mut Vec<u8>);
}

impl Encode for () {
    const COUNT: usize = 0;

    #[inline(always)]
    fn size(&self, _: &Scratch) -> usize {
        0
    }

    #[inline(always)]
    fn put(&self, _: &Scratch, _: &mut Out<'_>) {}

    fn put_long(&self, _: &Scratch, _: usize, _: &mut Vec<u8>) {}
}

impl<Head: Encode, Rest: Encode> Encode for (Head, Rest) {
    const COUNT: usize = Head::COUNT + Rest::COUNT;

    #[inline(always)]
    fn size(&self, scratch: &Scratch) -> usize {
        self.0.size(scratch).saturating_add(self.1.size(scratch))
    }

    #[inline(always)]
    fn put(&self, scratch: &Scratch, out: &mut Out<'_>) {
        self.0.put(scratch, out);
        self.1.put(scratch, out);
    }

    fn put_long(&self, scratch: &Scratch, cap: usize, out: &mut Vec<u8>) {
        self.0.put_long(scratch, cap, out);
        self.1.put_long(scratch, cap, out);
    }
}

/// A type that is encoded as it is and formatted by the listener.
pub trait Raw {
    /// Length of the encoding in bytes, tag included.
    fn raw_size(&self) -> usize;

    /// Writes tag and value.
    fn raw_put(&self, out: &mut Out<'_>);

    /// Writes tag and value for a record too long for a ring: a text or bytes are cut to `cap` bytes and marked.
    fn raw_put_long(&self, _cap: usize, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + self.raw_size(), 0);
        self.raw_put(&mut Out::new(&mut out[start..]));
    }

    /// Whether it is a text with the shape of a secret.
    #[inline(always)]
    fn raw_looks_secret(&self) -> bool {
        false
    }

    /// Whether it is a secret where the name of its field says so.
    #[inline(always)]
    fn raw_can_be_secret(&self) -> bool {
        true
    }
}

macro_rules! raw_number {
    ($($kind:ty as $wide:ty, $tag:ident;)*) => {$(
        impl Raw for $kind {
            #[inline(always)]
            fn raw_size(&self) -> usize {
                1 + size_of::<$wide>()
            }

            #[inline(always)]
            fn raw_put(&self, out: &mut Out<'_>) {
                let mut bytes = [tag::$tag; 1 + size_of::<$wide>()];
                bytes[1..].copy_from_slice(&(*self as $wide).to_le_bytes());
                out.put(&bytes);
            }

            #[inline(always)]
            fn raw_can_be_secret(&self) -> bool {
                // A bool says whether there is one, and whether it is right.
                tag::$tag != tag::BOOL
            }
        }
    )*};
}

raw_number! {
    i8 as i8, I8; i16 as i16, I16; i32 as i32, I32; i64 as i64, I64; i128 as i128, I128; isize as i64, I64;
    u8 as u8, U8; u16 as u16, U16; u32 as u32, U32; u64 as u64, U64; u128 as u128, U128; usize as u64, U64;
    f32 as f32, F32; f64 as f64, F64; bool as u8, BOOL; char as u32, CHAR;
}

impl Raw for str {
    #[inline(always)]
    fn raw_size(&self) -> usize {
        5 + self.len()
    }

    #[inline(always)]
    fn raw_put(&self, out: &mut Out<'_>) {
        put_run(tag::STR, self.as_bytes(), out);
    }

    fn raw_put_long(&self, cap: usize, out: &mut Vec<u8>) {
        put_long_text(tag::STR, self, self.len(), cap, out);
    }

    #[inline(always)]
    fn raw_looks_secret(&self) -> bool {
        shapes::is_secret(self)
    }
}

/// Writes tag, length and bytes.
#[inline(always)]
fn put_run(tag: u8, bytes: &[u8], out: &mut Out<'_>) {
    put_run_head(tag, bytes.len(), out);
    out.put(bytes);
}

#[inline(always)]
fn put_run_head(tag: u8, len: usize, out: &mut Out<'_>) {
    // More than u32 can count never comes here: it is cut to `MAX_RECORD`.
    let mut head = [tag; 5];
    head[1..].copy_from_slice(&(len as u32).to_le_bytes());
    out.put(&head);
}

macro_rules! raw_by_deref {
    ($($(#[$bounds:tt])? [$($generics:tt)*] $kind:ty;)*) => {$(
        impl<$($generics)*> Raw for $kind {
            #[inline(always)]
            fn raw_size(&self) -> usize {
                (**self).raw_size()
            }

            #[inline(always)]
            fn raw_put(&self, out: &mut Out<'_>) {
                (**self).raw_put(out);
            }

            fn raw_put_long(&self, cap: usize, out: &mut Vec<u8>) {
                (**self).raw_put_long(cap, out);
            }

            #[inline(always)]
            fn raw_looks_secret(&self) -> bool {
                (**self).raw_looks_secret()
            }

            #[inline(always)]
            fn raw_can_be_secret(&self) -> bool {
                (**self).raw_can_be_secret()
            }
        }
    )*};
}

raw_by_deref! {
    [T: Raw + ?Sized] &T;
    [T: Raw + ?Sized] &mut T;
    [T: Raw + ?Sized] Box<T>;
    [T: Raw + ?Sized] Rc<T>;
    [T: Raw + ?Sized] Arc<T>;
    [] String;
    [] Cow<'_, str>;
}

impl Raw for Bytes<'_> {
    #[inline(always)]
    fn raw_size(&self) -> usize {
        5 + self.0.len()
    }

    #[inline(always)]
    fn raw_put(&self, out: &mut Out<'_>) {
        put_run(tag::BYTES, self.0, out);
    }

    fn raw_put_long(&self, cap: usize, out: &mut Vec<u8>) {
        put_long_bytes(self.0, |byte| *byte, cap, out);
    }
}

impl Raw for Duration {
    #[inline(always)]
    fn raw_size(&self) -> usize {
        13
    }

    #[inline(always)]
    fn raw_put(&self, out: &mut Out<'_>) {
        let mut bytes = [tag::DURATION; 13];
        bytes[1..9].copy_from_slice(&self.as_secs().to_le_bytes());
        bytes[9..].copy_from_slice(&self.subsec_nanos().to_le_bytes());
        out.put(&bytes);
    }

    #[inline(always)]
    fn raw_can_be_secret(&self) -> bool {
        false
    }
}

impl Raw for Ipv4Addr {
    #[inline(always)]
    fn raw_size(&self) -> usize {
        5
    }

    #[inline(always)]
    fn raw_put(&self, out: &mut Out<'_>) {
        out.put(&[tag::IPV4]);
        out.put(&self.octets());
    }
}

impl Raw for Ipv6Addr {
    #[inline(always)]
    fn raw_size(&self) -> usize {
        17
    }

    #[inline(always)]
    fn raw_put(&self, out: &mut Out<'_>) {
        out.put(&[tag::IPV6]);
        out.put(&self.octets());
    }
}

impl Raw for IpAddr {
    #[inline(always)]
    fn raw_size(&self) -> usize {
        match self {
            IpAddr::V4(address) => address.raw_size(),
            IpAddr::V6(address) => address.raw_size(),
        }
    }

    #[inline(always)]
    fn raw_put(&self, out: &mut Out<'_>) {
        match self {
            IpAddr::V4(address) => address.raw_put(out),
            IpAddr::V6(address) => address.raw_put(out),
        }
    }
}

/// A value with a raw encoding, staged.
#[derive(Debug)]
pub struct Plain<'a, T: ?Sized>(&'a T);

impl<'a, T: ?Sized> Plain<'a, T> {
    #[inline(always)]
    pub(crate) fn of(value: &'a T) -> Plain<'a, T> {
        Plain(value)
    }
}

impl<T: Raw + ?Sized> Encode for Plain<'_, T> {
    const COUNT: usize = 1;

    #[inline(always)]
    fn size(&self, _: &Scratch) -> usize {
        self.0.raw_size()
    }

    #[inline(always)]
    fn put(&self, _: &Scratch, out: &mut Out<'_>) {
        self.0.raw_put(out);
    }

    fn put_long(&self, _: &Scratch, cap: usize, out: &mut Vec<u8>) {
        self.0.raw_put_long(cap, out);
    }
}

/// Writes a text of which `given` bytes were given, and these are left.
fn put_long_text(tag: u8, text: &str, given: usize, cap: usize, out: &mut Vec<u8>) {
    let kept = &text[..text.floor_char_boundary(cap)];
    let mark = if kept.len() < given { format!("… [cut, {given} bytes]") } else { String::new() };
    out.push(tag);
    out.extend(((kept.len() + mark.len()) as u32).to_le_bytes());
    out.extend(kept.as_bytes());
    out.extend(mark.as_bytes());
}

/// Writes the bytes that are made of `units`. Those that are cut say how many were given: bytes have no room for a mark.
fn put_long_bytes<T>(units: &[T], byte: impl Fn(&T) -> u8, cap: usize, out: &mut Vec<u8>) {
    let kept = &units[..units.len().min(cap)];
    if kept.len() < units.len() {
        out.push(tag::BYTES_CUT);
        out.extend((units.len() as u64).to_le_bytes());
    } else {
        out.push(tag::BYTES);
    }
    out.extend((kept.len() as u32).to_le_bytes());
    out.extend(kept.iter().map(byte));
}

/// Text that the caller has formatted: a piece of the scratch buffer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text {
    start: usize,
    end: usize,
    /// How long the text would be if it had not been cut.
    given: usize,
}

impl Encode for Text {
    const COUNT: usize = 1;

    #[inline(always)]
    fn size(&self, _: &Scratch) -> usize {
        5 + (self.end - self.start)
    }

    #[inline(always)]
    fn put(&self, scratch: &Scratch, out: &mut Out<'_>) {
        put_run(tag::RENDERED, scratch.piece(*self).as_bytes(), out);
    }

    fn put_long(&self, scratch: &Scratch, cap: usize, out: &mut Vec<u8>) {
        put_long_text(tag::RENDERED, scratch.piece(*self), self.given, cap, out);
    }
}

/// Text that came formatted: an exception's detail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rendered<'a>(pub(crate) &'a str);

impl Encode for Rendered<'_> {
    const COUNT: usize = 1;

    fn size(&self, _: &Scratch) -> usize {
        5 + self.0.len()
    }

    fn put(&self, _: &Scratch, out: &mut Out<'_>) {
        put_run(tag::RENDERED, self.0.as_bytes(), out);
    }

    fn put_long(&self, _: &Scratch, cap: usize, out: &mut Vec<u8>) {
        put_long_text(tag::RENDERED, self.0, self.0.len(), cap, out);
    }
}

/// An argument of a message, on its way to being staged.
#[derive(Debug)]
pub struct Arg<'a, T: ?Sized>(pub &'a T);

/// Staging for types with a raw encoding. The format arguments are not looked at: making them is what lets the
/// compiler check the type against the placeholder.
pub trait ArgRaw {
    /// What the value becomes.
    type Staged: Encode;

    /// For `{}`.
    fn display(self, scratch: &mut Scratch, formatted: fmt::Arguments<'_>) -> Self::Staged;

    /// For `{:?}`.
    fn debug(self, scratch: &mut Scratch, formatted: fmt::Arguments<'_>) -> Self::Staged;

    /// For `{:x}`, `{:X}`, `{:o}`, `{:b}`, `{:e}` and `{:E}`.
    fn number(self, scratch: &mut Scratch, formatted: fmt::Arguments<'_>) -> Self::Staged;
}

impl<'a, T: Raw + ?Sized> ArgRaw for Arg<'a, T> {
    type Staged = Plain<'a, T>;

    #[inline(always)]
    fn display(self, _: &mut Scratch, _: fmt::Arguments<'_>) -> Plain<'a, T> {
        Plain(self.0)
    }

    #[inline(always)]
    fn debug(self, _: &mut Scratch, _: fmt::Arguments<'_>) -> Plain<'a, T> {
        Plain(self.0)
    }

    #[inline(always)]
    fn number(self, _: &mut Scratch, _: fmt::Arguments<'_>) -> Plain<'a, T> {
        Plain(self.0)
    }
}

/// Staging for all other types: formatted at once.
pub trait ArgAny {
    /// For `{}`.
    fn display(self, scratch: &mut Scratch, formatted: fmt::Arguments<'_>) -> Text;

    /// For `{:?}`.
    fn debug(self, scratch: &mut Scratch, formatted: fmt::Arguments<'_>) -> Text;

    /// For `{:x}` and the other number formats.
    fn number(self, scratch: &mut Scratch, formatted: fmt::Arguments<'_>) -> Text;
}

impl<T: ?Sized> ArgAny for &Arg<'_, T> {
    #[inline]
    fn display(self, scratch: &mut Scratch, formatted: fmt::Arguments<'_>) -> Text {
        scratch.eager(formatted)
    }

    #[inline]
    fn debug(self, scratch: &mut Scratch, formatted: fmt::Arguments<'_>) -> Text {
        scratch.eager(formatted)
    }

    #[inline]
    fn number(self, scratch: &mut Scratch, formatted: fmt::Arguments<'_>) -> Text {
        scratch.eager(formatted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Args, Value};

    fn encoded(scratch: &Scratch, value: &impl Encode) -> Vec<u8> {
        let mut bytes = vec![0; value.size(scratch)];
        value.put(scratch, &mut Out::new(&mut bytes));
        let mut long = Vec::new();
        value.put_long(scratch, usize::MAX, &mut long);
        assert_eq!(bytes, long);
        bytes
    }

    macro_rules! decodes_to {
        ($value:expr, $expected:expr) => {
            let bytes = encoded(&Scratch::new(), &Plain(&$value));
            let mut args = Args::new(&bytes);
            assert_eq!(args.next(), Ok($expected));
            assert!(args.is_empty());
        };
    }

    #[test]
    fn raw_values_are_read_back_as_they_were() {
        decodes_to!(-7i8, Value::I8(-7));
        decodes_to!(i128::MIN, Value::I128(i128::MIN));
        decodes_to!(usize::MAX, Value::U64(usize::MAX as u64));
        decodes_to!(-0.0f64, Value::F64(-0.0));
        decodes_to!('ß', Value::Char('ß'));
        decodes_to!(true, Value::Bool(true));
        decodes_to!("häß", Value::Str("häß"));
        decodes_to!(String::from("x"), Value::Str("x"));
        decodes_to!(Cow::Borrowed("x"), Value::Str("x"));
        decodes_to!(Duration::MAX, Value::Duration(Duration::MAX));
        decodes_to!(Ipv6Addr::LOCALHOST, Value::Ip(Ipv6Addr::LOCALHOST.into()));
        decodes_to!(Bytes(&[0, 255, 10]), Value::Bytes { kept: &[0, 255, 10], given: 3 });
        decodes_to!(Bytes(&[]), Value::Bytes { kept: &[], given: 0 });
        decodes_to!(&Box::new(Bytes(b"x")), Value::Bytes { kept: b"x", given: 1 });
    }

    #[test]
    fn the_type_decides_whether_a_value_is_raw() {
        struct Shown;
        impl fmt::Display for Shown {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("shown")
            }
        }
        let mut scratch = Scratch::new();
        let number = Arg(&5u8).display(&mut scratch, format_args!("{}", 5u8));
        let shown = Arg(&Shown).display(&mut scratch, format_args!("{}", Shown));
        assert_eq!(encoded(&scratch, &number), [tag::U8, 5]);
        assert_eq!(encoded(&scratch, &shown)[5..], *b"shown");
    }

    #[test]
    fn long_text_is_cut_between_characters_and_marked() {
        let mut out = Vec::new();
        Plain("öööö").put_long(&Scratch::new(), 5, &mut out);
        assert_eq!(Args::new(&out).next(), Ok(Value::Str("öö… [cut, 8 bytes]")));
    }

    #[test]
    fn long_bytes_are_cut_and_say_how_many_they_were() {
        let mut out = Vec::new();
        Plain(&Bytes(&[1, 2, 3, 4])).put_long(&Scratch::new(), 3, &mut out);
        Plain(&Bytes(&[1, 2, 3])).put_long(&Scratch::new(), 3, &mut out);
        let mut args = Args::new(&out);
        assert_eq!(args.next(), Ok(Value::Bytes { kept: &[1, 2, 3], given: 4 }));
        assert_eq!(args.next(), Ok(Value::Bytes { kept: &[1, 2, 3], given: 3 }));
        assert!(args.is_empty());
    }

    #[test]
    fn a_panic_while_formatting_leaves_the_thread_usable() {
        struct Panics;
        impl fmt::Display for Panics {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                panic!("as the test wants it")
            }
        }
        for _ in 0..20 {
            let outcome = std::panic::catch_unwind(|| Scratch::new().eager(format_args!("{Panics}")));
            assert!(outcome.is_err());
        }
        let mut scratch = Scratch::new();
        let text = scratch.eager(format_args!("{}", 1));
        assert!(scratch.is_whole());
        assert_eq!(scratch.piece(text), "1");
    }
}
