//! Raw bytes as a value of a record: [`Bytes`], and what they look like as text.
//!
//! The text is two hexadecimal digits a byte, without prefix and without gaps. It is formatted like any other text: width, fill and
//! alignment pad it, a precision is the greatest number of digits. What the program's own `format!` makes of a [`Bytes`]
//! and what `template` makes of the same bytes in a record is one text; a property test there holds both together.
//!
//! `encode` copies the bytes as they are. Imports nothing of the crate.

use std::fmt::{self, Write as _};

/// Raw bytes as a field or an argument: `error!(repo.app, frame = Bytes(&frame), "bad frame")`.
///
/// The bytes are copied as they are, and the listener writes them in hexadecimal: `frame=0a1bff`. So a slice, array or vector of
/// bytes is written as a field without the wrapper too; in a message the wrapper is needed. Without bytes a field is `frame=""`.
///
/// | spec | text |
/// | --- | --- |
/// | `{}`, `{:x}` | `0a1bff` |
/// | `{:X}` | `0A1BFF` |
/// | `{:#x}`, `{:#X}` | `0x0a1bff`, `0x0A1BFF` |
/// | `{:.4}` | `0a1b`: the first four digits |
/// | `{:>8}`, `{:*<8}` | `  0a1bff`, `0a1bff**`: padded like text; `0` before the width and `+` mean nothing |
/// | `{:?}`, `{:#?}`, `{:x?}` | `Bytes(0a1bff)`, whatever width and precision |
///
/// Bytes of a record that is longer than 16 MiB are cut and followed by the mark `… [cut, 20000000 bytes]`, which says how many
/// there were. A field's value stands in double quotes then.
///
/// ```
/// use miu_log::Bytes;
///
/// let frame = vec![0x0a, 0x1b, 0xff];
/// assert_eq!(format!("{} {:#x} {:?}", Bytes(&frame), Bytes(&frame), Bytes(b"")), "0a1bff 0x0a1bff Bytes()");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes<'a>(pub &'a [u8]);

/// Which letters stand for ten to fifteen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Lower,
    Upper,
}

impl Case {
    /// The two digits of a byte.
    #[inline]
    fn digits(self, byte: u8) -> [u8; 2] {
        let digits = match self {
            Case::Lower => b"0123456789abcdef",
            Case::Upper => b"0123456789ABCDEF",
        };
        [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]
    }
}

/// Appends two digits for each byte.
pub(crate) fn hex_into(bytes: &[u8], case: Case, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + 2 * bytes.len(), 0);
    let (pairs, _) = out[start..].as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        *pair = case.digits(*byte);
    }
}

impl Bytes<'_> {
    /// Writes the first `count` digits.
    fn write_digits(self, case: Case, count: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const AT_ONCE: usize = 64;
        let mut left = count;
        for chunk in self.0.chunks(AT_ONCE) {
            let mut text = [0; 2 * AT_ONCE];
            for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(chunk) {
                *pair = case.digits(*byte);
            }
            let shown = left.min(2 * chunk.len());
            f.write_str(str::from_utf8(&text[..shown]).map_err(|_| fmt::Error)?)?;
            left -= shown;
            if left == 0 {
                break;
            }
        }
        Ok(())
    }

    fn write(self, case: Case, prefix: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0.len().saturating_mul(2);
        let count = f.precision().map_or(all, |precision| all.min(precision));
        let missing = f.width().unwrap_or(0).saturating_sub(prefix.len() + count);
        let before = match f.align() {
            None | Some(fmt::Alignment::Left) => 0,
            Some(fmt::Alignment::Center) => missing / 2,
            Some(fmt::Alignment::Right) => missing,
        };
        let fill = f.fill();
        (0..before).try_for_each(|_| f.write_char(fill))?;
        f.write_str(prefix)?;
        self.write_digits(case, count, f)?;
        (before..missing).try_for_each(|_| f.write_char(fill))
    }
}

impl fmt::Display for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(Case::Lower, "", f)
    }
}

impl fmt::LowerHex for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(Case::Lower, if f.alternate() { "0x" } else { "" }, f)
    }
}

impl fmt::UpperHex for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(Case::Upper, if f.alternate() { "0x" } else { "" }, f)
    }
}

impl fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bytes(")?;
        self.write_digits(Case::Lower, usize::MAX, f)?;
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_two_digits() {
        let all: Vec<u8> = (0..=255).collect();
        let expected: String = all.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut digits = b"before ".to_vec();
        hex_into(&all, Case::Lower, &mut digits);
        assert_eq!(String::from_utf8(digits).unwrap(), format!("before {expected}"));
        assert_eq!(Bytes(&all).to_string(), expected);
        assert_eq!(format!("{:X}", Bytes(&all)), expected.to_uppercase());
        assert_eq!(format!("{:?}", Bytes(&all)), format!("Bytes({expected})"));
    }

    #[test]
    fn bytes_are_formatted_like_the_text_of_their_digits() {
        let (bytes, text) = (Bytes(&[0x0a, 0x1b, 0xff]), "0a1bff");
        macro_rules! same {
            ($($spec:literal)*) => {$(assert_eq!(format!($spec, bytes), format!($spec, text), "{}", $spec);)*};
        }
        same!("{}" "{:8}" "{:>9}" "{:^9}" "{:*<9}" "{:é^9}" "{:09}" "{:+}" "{:#}" "{:.0}" "{:.3}" "{:.9}" "{:8.3}" "{:>8.3}");
        assert_eq!(
            format!("{bytes:#x} {bytes:#X} {bytes:#.3x} {bytes:>#9.3x}"),
            "0x0a1bff 0x0A1BFF 0x0a1     0x0a1"
        );
    }

    #[test]
    fn no_bytes_are_seen_in_debug() {
        assert_eq!(format!("{0} {0:#x} {0:?} {0:4}.", Bytes(&[])), " 0x Bytes()     .");
    }
}
