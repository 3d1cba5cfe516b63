//! One argument as text: exactly what `std::fmt` gives for its type and spec, then escaped.
//!
//! `{}` takes a direct way without any format machinery. With a spec, the body of the text is made
//! first, then padded, then escaped as a whole: widths and precisions count the characters that the
//! program asked for, as they do in `format!`. Text that the caller has formatted already is only escaped.
//!
//! Called by `template` for arguments and by `field` for values.

use std::io::Write as _;

use crate::bytes::{Case, hex_into};
use crate::codec::Value;
use crate::escape::{escape_into, escape_tail, is_printable_ascii};

use super::spec::{Align, Kind, Spec};

/// Appends one argument; without `ESCAPED` as it is, for a caller that escapes in a way of its own. It is taken by reference
/// because a copy of a value that has just been decoded would wait for the narrower stores that made it.
#[inline]
pub(crate) fn write_value<const ESCAPED: bool>(spec: &Spec, value: &Value<'_>, out: &mut Vec<u8>) {
    if spec.plain {
        write_plain::<ESCAPED>(value, out);
    } else {
        write_formatted::<ESCAPED>(spec, value, out);
    }
}

/// Appends text.
#[inline]
fn push_text<const ESCAPED: bool>(text: &str, out: &mut Vec<u8>) {
    if ESCAPED { escape_into(text, out) } else { out.extend_from_slice(text.as_bytes()) }
}

/// Escapes what was appended since `start`, where it is to be escaped.
#[inline]
fn finish<const ESCAPED: bool>(out: &mut Vec<u8>, start: usize) {
    if ESCAPED {
        escape_tail(out, start);
    }
}

/// Appends what `{}` gives. Durations, which have no `Display`, are written as `{:?}`.
#[inline]
pub(crate) fn write_plain<const ESCAPED: bool>(value: &Value<'_>, out: &mut Vec<u8>) {
    match *value {
        Value::Str(text) | Value::Rendered(text) => push_text::<ESCAPED>(text, out),
        Value::U64(number) => integer(number, out),
        Value::I64(number) => integer(number, out),
        Value::U32(number) => integer(number, out),
        Value::I32(number) => integer(number, out),
        Value::F64(number) => float(number, out),
        Value::U8(number) => integer(number, out),
        Value::U16(number) => integer(number, out),
        Value::I8(number) => integer(number, out),
        Value::I16(number) => integer(number, out),
        Value::U128(number) => integer(number, out),
        Value::I128(number) => integer(number, out),
        Value::F32(number) => float(number, out),
        Value::Bool(truth) => out.extend_from_slice(if truth { b"true" } else { b"false" }),
        Value::Char(character) => push_text::<ESCAPED>(character.encode_utf8(&mut [0; 4]), out),
        Value::None => out.extend_from_slice(b"None"),
        Value::Duration(duration) => print(out, format_args!("{duration:?}")),
        Value::Ip(address) => print(out, format_args!("{address}")),
        Value::Bytes { kept, given } => bytes(kept, given, Case::Lower, out),
    }
}

/// Bytes in hexadecimal, with a mark where they were cut.
pub(super) fn bytes(kept: &[u8], given: u64, case: Case, out: &mut Vec<u8>) {
    hex_into(kept, case, out);
    if is_cut(kept, given) {
        print(out, format_args!("… [cut, {given} bytes]"));
    }
}

pub(super) fn is_cut(kept: &[u8], given: u64) -> bool {
    (kept.len() as u64) < given
}

#[inline]
fn integer(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// The shortest digits that read back as the same number, and of these the nearest to it.
///
/// `zmij` finds them several times faster than the standard library, which is asked in two cases only:
/// where `zmij` writes an exponent, which `Display` never does, and where the number lies exactly
/// between two such texts, since the two libraries then choose differently. That is so if the number
/// has exactly one fractional bit more than its text has decimals: a number of so many fractional
/// bits has as many decimals, the last of them a 5, and this 5 alone has been dropped.
#[inline]
fn float<F: Fraction>(number: F, out: &mut Vec<u8>) {
    let mut buffer = zmij::Buffer::new();
    let digits = buffer.format(number).as_bytes();
    // `zmij` writes a whole number as `1.0`, `Display` as `1`.
    let digits = digits.strip_suffix(b".0").unwrap_or(digits);
    let decimals = || digits.iter().rev().position(|byte| *byte == b'.').unwrap_or(0);
    // Among texts of few digits, two are never so close together that both mean the same number.
    let is_tie = || digits.len() > F::SURE_DIGITS && number.fractional_bits() == decimals() as i32 + 1;
    if digits.contains(&b'e') || is_tie() {
        print(out, format_args!("{number}"));
    } else {
        out.extend_from_slice(digits);
    }
}

/// A float whose binary fraction can be measured.
trait Fraction: zmij::Float + Copy + std::fmt::Display {
    /// Any number of so many decimal digits survives being read and written again.
    const SURE_DIGITS: usize;

    /// How many bits the number has behind its binary point; nothing of meaning for 0, infinities and NaN.
    fn fractional_bits(self) -> i32;
}

impl Fraction for f64 {
    const SURE_DIGITS: usize = f64::DIGITS as usize;

    #[inline]
    fn fractional_bits(self) -> i32 {
        let exponent = (self.to_bits() >> 52 & 0x7ff) as i32;
        let mantissa = self.to_bits() | 1 << 52;
        1_075 - exponent - mantissa.trailing_zeros() as i32
    }
}

impl Fraction for f32 {
    const SURE_DIGITS: usize = f32::DIGITS as usize;

    #[inline]
    fn fractional_bits(self) -> i32 {
        let exponent = (self.to_bits() >> 23 & 0xff) as i32;
        let mantissa = self.to_bits() | 1 << 23;
        150 - exponent - mantissa.trailing_zeros() as i32
    }
}

/// Writes what needs the standard library.
fn print(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a vector cannot fail.
    let _ = out.write_fmt(text);
}

/// Appends an argument whose spec asks for something.
#[inline(never)]
fn write_formatted<const ESCAPED: bool>(spec: &Spec, value: &Value<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    let debug = matches!(spec.kind, Kind::Debug | Kind::DebugLowerHex | Kind::DebugUpperHex);
    match *value {
        Value::Rendered(text) => return push_text::<ESCAPED>(text, out),
        Value::None => return out.extend_from_slice(b"None"),
        // `Debug` of text knows no padding.
        Value::Str(text) if debug => return debug_text::<ESCAPED>(text, out),
        Value::Char(character) if debug => {
            print(out, format_args!("{character:?}"));
            return finish::<ESCAPED>(out, start);
        }
        Value::Str(text) => {
            out.extend_from_slice(text.as_bytes());
            padded_text(spec, start, out);
        }
        Value::Char(_) | Value::Bool(_) | Value::Ip(_) => {
            match *value {
                Value::Char(character) => {
                    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                ref other => write_plain::<ESCAPED>(other, out),
            }
            padded_text(spec, start, out);
        }
        Value::Bytes { kept, given } if debug => {
            out.extend_from_slice(b"Bytes(");
            bytes(kept, given, Case::Lower, out);
            out.push(b')');
            return;
        }
        Value::Bytes { kept, given } => formatted_bytes(spec, kept, given, out),
        Value::Duration(duration) => {
            match (spec.plus, spec.precision.map(usize::from)) {
                (false, None) => print(out, format_args!("{duration:?}")),
                (true, None) => print(out, format_args!("{duration:+?}")),
                (false, Some(precision)) => print(out, format_args!("{duration:.precision$?}")),
                (true, Some(precision)) => print(out, format_args!("{duration:+.precision$?}")),
            }
            pad(spec, Align::Left, start, out);
        }
        Value::F32(number) => {
            float_body(spec, number, out);
            padded_number(spec, start, out);
        }
        Value::F64(number) => {
            float_body(spec, number, out);
            padded_number(spec, start, out);
        }
        Value::I8(number) => whole(spec, number < 0, number.unsigned_abs().into(), number as u8 as u128, out),
        Value::I16(number) => {
            whole(spec, number < 0, number.unsigned_abs().into(), number as u16 as u128, out);
        }
        Value::I32(number) => {
            whole(spec, number < 0, number.unsigned_abs().into(), number as u32 as u128, out);
        }
        Value::I64(number) => {
            whole(spec, number < 0, number.unsigned_abs().into(), number as u64 as u128, out);
        }
        Value::I128(number) => whole(spec, number < 0, number.unsigned_abs(), number as u128, out),
        Value::U8(number) => whole(spec, false, number.into(), number.into(), out),
        Value::U16(number) => whole(spec, false, number.into(), number.into(), out),
        Value::U32(number) => whole(spec, false, number.into(), number.into(), out),
        Value::U64(number) => whole(spec, false, number.into(), number.into(), out),
        Value::U128(number) => whole(spec, false, number, number, out),
    }
    // Numbers are ASCII, but a fill may be any character.
    finish::<ESCAPED>(out, start);
}

/// Bytes like the text of their digits: the precision counts these, and the mark of what was cut comes after the last of them.
fn formatted_bytes(spec: &Spec, kept: &[u8], given: u64, out: &mut Vec<u8>) {
    let start = out.len();
    let case = if spec.kind == Kind::UpperHex { Case::Upper } else { Case::Lower };
    if spec.alternate && matches!(spec.kind, Kind::LowerHex | Kind::UpperHex) {
        out.extend_from_slice(b"0x");
    }
    let digits = out.len();
    match spec.precision.map(usize::from) {
        Some(precision) if precision <= 2 * kept.len() => {
            hex_into(&kept[..precision.div_ceil(2)], case, out);
            out.truncate(digits + precision);
        }
        _ => bytes(kept, given, case, out),
    }
    pad(spec, Align::Left, start, out);
}

/// `{:?}` of a string. What is printable ASCII without quotes needs no look at each character.
fn debug_text<const ESCAPED: bool>(text: &str, out: &mut Vec<u8>) {
    if is_printable_ascii(text.as_bytes()) && !text.bytes().any(|byte| matches!(byte, b'"' | b'\\')) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        let start = out.len();
        print(out, format_args!("{text:?}"));
        finish::<ESCAPED>(out, start);
    }
}

/// An integer of any width: `magnitude` without its sign, `bits` as the type's own two's complement.
fn whole(spec: &Spec, negative: bool, magnitude: u128, bits: u128, out: &mut Vec<u8>) {
    let start = out.len();
    let radix_prefix: &[u8] = match spec.kind {
        Kind::LowerHex | Kind::UpperHex | Kind::DebugLowerHex | Kind::DebugUpperHex => b"0x",
        Kind::Octal => b"0o",
        Kind::Binary => b"0b",
        Kind::Display | Kind::Debug | Kind::LowerExp | Kind::UpperExp => b"",
    };
    let signed = radix_prefix.is_empty();
    if signed && negative {
        out.push(b'-');
    } else if spec.plus {
        out.push(b'+');
    }
    if spec.alternate {
        out.extend_from_slice(radix_prefix);
    }
    let digits = out.len();
    match (spec.kind, precision_of(spec)) {
        (Kind::Display | Kind::Debug, _) => match u64::try_from(magnitude) {
            Ok(magnitude) => integer(magnitude, out),
            Err(_) => integer(magnitude, out),
        },
        (Kind::LowerHex | Kind::DebugLowerHex, _) => print(out, format_args!("{bits:x}")),
        (Kind::UpperHex | Kind::DebugUpperHex, _) => print(out, format_args!("{bits:X}")),
        (Kind::Octal, _) => print(out, format_args!("{bits:o}")),
        (Kind::Binary, _) => print(out, format_args!("{bits:b}")),
        (Kind::LowerExp, None) => print(out, format_args!("{magnitude:e}")),
        (Kind::UpperExp, None) => print(out, format_args!("{magnitude:E}")),
        (Kind::LowerExp, Some(precision)) => print(out, format_args!("{magnitude:.precision$e}")),
        (Kind::UpperExp, Some(precision)) => print(out, format_args!("{magnitude:.precision$E}")),
    }
    if spec.zero {
        zeros(spec, start, digits, out);
    } else {
        pad(spec, Align::Right, start, out);
    }
}

/// The precision for `std::fmt`. It counts the digit before the point too in the number formats with an exponent, in a `u16`, and panics
/// where that overflows (seen with Rust 1.95): there the largest precision is one less.
fn precision_of(spec: &Spec) -> Option<usize> {
    let most = if matches!(spec.kind, Kind::LowerExp | Kind::UpperExp) { u16::MAX - 1 } else { u16::MAX };
    spec.precision.map(|precision| usize::from(precision.min(most)))
}

/// A float's digits, sign and precision, without padding.
fn float_body<F>(spec: &Spec, number: F, out: &mut Vec<u8>)
where
    F: Fraction + std::fmt::Debug + std::fmt::LowerExp + std::fmt::UpperExp,
{
    match (spec.kind, spec.plus, precision_of(spec)) {
        (Kind::LowerExp, false, None) => print(out, format_args!("{number:e}")),
        (Kind::LowerExp, true, None) => print(out, format_args!("{number:+e}")),
        (Kind::LowerExp, false, Some(precision)) => print(out, format_args!("{number:.precision$e}")),
        (Kind::LowerExp, true, Some(precision)) => print(out, format_args!("{number:+.precision$e}")),
        (Kind::UpperExp, false, None) => print(out, format_args!("{number:E}")),
        (Kind::UpperExp, true, None) => print(out, format_args!("{number:+E}")),
        (Kind::UpperExp, false, Some(precision)) => print(out, format_args!("{number:.precision$E}")),
        (Kind::UpperExp, true, Some(precision)) => print(out, format_args!("{number:+.precision$E}")),
        // With a precision, `Debug` gives what `Display` gives.
        (_, false, Some(precision)) => print(out, format_args!("{number:.precision$}")),
        (_, true, Some(precision)) => print(out, format_args!("{number:+.precision$}")),
        (Kind::Debug | Kind::DebugLowerHex | Kind::DebugUpperHex, false, None) => {
            print(out, format_args!("{number:?}"));
        }
        (Kind::Debug | Kind::DebugLowerHex | Kind::DebugUpperHex, true, None) => {
            print(out, format_args!("{number:+?}"));
        }
        (_, false, None) => float(number, out),
        (_, true, None) => print(out, format_args!("{number:+}")),
    }
}

/// Pads the float that was appended since `start`.
fn padded_number(spec: &Spec, start: usize, out: &mut Vec<u8>) {
    if spec.zero {
        let sign = out.get(start).is_some_and(|byte| matches!(byte, b'+' | b'-'));
        zeros(spec, start, start + usize::from(sign), out);
    } else {
        pad(spec, Align::Right, start, out);
    }
}

/// Cuts the text that was appended since `start` to the precision, then pads it.
fn padded_text(spec: &Spec, start: usize, out: &mut Vec<u8>) {
    if let Some(precision) = spec.precision {
        let mut starts = out.iter().enumerate().skip(start).filter(|(_, byte)| is_char_start(**byte));
        if let Some((cut, _)) = starts.nth(usize::from(precision)) {
            out.truncate(cut);
        }
    }
    pad(spec, Align::Left, start, out);
}

/// Inserts zeros at `digits` until what was appended since `start` has the spec's width.
fn zeros(spec: &Spec, start: usize, digits: usize, out: &mut Vec<u8>) {
    let missing = usize::from(spec.width).saturating_sub(out.len() - start);
    out.resize(out.len() + missing, b'0');
    out[digits..].rotate_right(missing);
}

/// Fills what was appended since `start` up to the spec's width, on the sides that its alignment
/// leaves free; `usual` is the alignment where the spec names none.
pub(crate) fn pad(spec: &Spec, usual: Align, start: usize, out: &mut Vec<u8>) {
    let width = usize::from(spec.width);
    if width == 0 {
        return;
    }
    let len = out[start..].iter().filter(|byte| is_char_start(**byte)).count();
    let missing = width.saturating_sub(len);
    let before = match spec.align.unwrap_or(usual) {
        Align::Left => 0,
        Align::Centre => missing / 2,
        Align::Right => missing,
    };
    let mut fill = [0; 4];
    let fill = spec.fill.encode_utf8(&mut fill).as_bytes();
    for _ in 0..missing {
        out.extend_from_slice(fill);
    }
    // All filling is behind the text now: so much of it as belongs before is turned to the front.
    let behind = (missing - before) * fill.len();
    let end = out.len() - behind;
    out[start..end].rotate_right(before * fill.len());
}

/// Whether a byte of UTF-8 starts a character.
fn is_char_start(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
}
