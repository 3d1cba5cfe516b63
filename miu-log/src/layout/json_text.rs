//! Text in JSON: strings, numbers, raw bytes. Whatever the text was, what is appended is harmless: on one line, and on a terminal too.
//!
//! A string is escaped as JSON has it, and every character that [`crate::escape`] calls harmful is written as `\u001b`, those past U+FFFF as
//! two of these. A parser gives back the very text. Strings of plain text are copied after one look at each eight bytes.
//!
//! Called by the layouts for machines.

use std::time::Duration;

use crate::escape::{SUSPECT, is_harmful};

/// Bytes that need a closer look.
const SPECIAL: [bool; 256] = {
    let mut table = SUSPECT;
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table
};

/// Not 0 if one of the bytes is not printable ASCII, or is a quote or a backslash.
#[inline]
fn suspects(chunk: [u8; 8]) -> u64 {
    const ONE: u64 = 0x0101_0101_0101_0101;
    const LOW: u64 = 0x20 * ONE;
    const HIGH: u64 = 0x80 * ONE;
    const QUOTE: u64 = b'"' as u64 * ONE;
    const BACKSLASH: u64 = b'\\' as u64 * ONE;
    let word = u64::from_le_bytes(chunk);
    // A byte sets its high bit in one of the terms if it is below 0x20, 0x7f, above, or one of the two. Borrows and carries come
    // only from such bytes, so that they cannot make a clean word suspect.
    let [quote, backslash] = [word ^ QUOTE, word ^ BACKSLASH].map(|word| word.wrapping_sub(ONE));
    (word.wrapping_sub(LOW) | word.wrapping_add(ONE) | quote | backslash | word) & HIGH
}

/// Whether the bytes can stand in a JSON string as they are, and are ASCII.
#[inline]
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk::<8>() else {
        return bytes.iter().all(|byte| byte.is_ascii() && !SPECIAL[usize::from(*byte)]);
    };
    let (chunks, _) = bytes.as_chunks::<8>();
    chunks.iter().fold(suspects(*last), |found, chunk| found | suspects(*chunk)) == 0
}

/// Appends the text as what stands between the quotes of a string.
#[inline]
pub(super) fn push_escaped(text: &str, out: &mut Vec<u8>) {
    if is_plain(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        escape(text, out);
    }
}

/// Appends the text as a string.
#[inline]
pub(crate) fn push_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    push_escaped(text, out);
    out.push(b'"');
}

/// Escapes what was appended to `out` since it was `start` bytes long, for the inside of a string. `spare` is only borrowed for its
/// memory.
#[inline]
pub(super) fn escape_tail(out: &mut Vec<u8>, start: usize, spare: &mut Vec<u8>) {
    if !out.get(start..).is_none_or(is_plain) {
        escape_special_tail(out, start, spare);
    }
}

#[cold]
fn escape_special_tail(out: &mut Vec<u8>, start: usize, spare: &mut Vec<u8>) {
    spare.clear();
    spare.extend_from_slice(&out[start..]);
    out.truncate(start);
    escape(&String::from_utf8_lossy(spare), out);
}

fn escape(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let (mut copied, mut at) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        if !SPECIAL[usize::from(byte)] {
            // One plain byte seldom comes alone.
            let plain = bytes[at..].first_chunk::<8>().is_some_and(|chunk| suspects(*chunk) == 0);
            at += if plain { 8 } else { 1 };
            continue;
        }
        // A special byte starts a character, so that the text can be cut here.
        let Some(character) = text.get(at..).unwrap_or_default().chars().next() else { break };
        let clean = copied..at;
        at += character.len_utf8();
        let short = match character {
            '"' | '\\' => Some(byte),
            '\n' => Some(b'n'),
            '\r' => Some(b'r'),
            '\t' => Some(b't'),
            other if is_harmful(other) => None,
            _ => continue,
        };
        out.extend_from_slice(&bytes[clean]);
        copied = at;
        match short {
            Some(short) => out.extend_from_slice(&[b'\\', short]),
            None => character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| push_unit(*unit, out)),
        }
    }
    out.extend_from_slice(&bytes[copied..]);
}

/// A unit of UTF-16 as `\u001b`.
fn push_unit(unit: u16, out: &mut Vec<u8>) {
    let digit = |shift: u32| b"0123456789abcdef"[usize::from(unit >> shift & 15)];
    out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
}

/// Appends a whole number.
#[inline]
pub(super) fn push_integer(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends a number of type `f32` or `f64` in the shortest digits that read back as the same, with a point or an exponent. It has to be finite.
#[inline]
pub(super) fn push_finite(number: impl zmij::Float, out: &mut Vec<u8>) {
    out.extend_from_slice(zmij::Buffer::new().format(number).as_bytes());
}

/// Appends a duration as a number of seconds: exactly, with a point.
pub(super) fn push_seconds(duration: Duration, out: &mut Vec<u8>) {
    push_integer(duration.as_secs(), out);
    out.push(b'.');
    let mut rest = duration.subsec_nanos();
    let mut unit = 100_000_000;
    loop {
        out.push(b'0' + (rest / unit) as u8);
        rest %= unit;
        if rest == 0 {
            break;
        }
        unit /= 10;
    }
}

/// Appends bytes in base64 (RFC 4648, section 4), padded.
pub(super) fn push_base64(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = |[a, b, c]: [u8; 3]| {
        let bits = u32::from(a) << 16 | u32::from(b) << 8 | u32::from(c);
        [18, 12, 6, 0].map(|shift| DIGITS[(bits >> shift & 63) as usize])
    };
    let (triples, rest) = bytes.as_chunks::<3>();
    out.reserve(4 * triples.len() + 4);
    for triple in triples {
        out.extend_from_slice(&digits(*triple));
    }
    match *rest {
        [a] => out.extend_from_slice(&[digits([a, 0, 0])[0], digits([a, 0, 0])[1], b'=', b'=']),
        [a, b] => {
            let [first, second, third, _] = digits([a, b, 0]);
            out.extend_from_slice(&[first, second, third, b'=']);
        }
        _ => {}
    }
}

/// Appends, inside a string, bytes in base64 and behind them how many there were, if some were cut.
pub(super) fn push_marked_base64(kept: &[u8], given: u64, out: &mut Vec<u8>) {
    push_base64(kept, out);
    if (kept.len() as u64) < given {
        out.extend_from_slice("… [cut, ".as_bytes());
        push_integer(given, out);
        out.extend_from_slice(b" bytes]");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::escape::is_harmless;

    fn string(text: &str) -> String {
        let mut out = Vec::new();
        push_string(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    /// Text in which harmful and harmless characters stand side by side.
    fn hostile() -> impl Strategy<Value = String> {
        let character = prop_oneof![
            any::<char>(),
            proptest::char::range('\0', '\u{a0}'),
            proptest::char::range('\u{2000}', '\u{2070}'),
            proptest::char::range('\u{e0000}', '\u{e0090}'),
            Just('"'),
            Just('\\'),
        ];
        proptest::collection::vec(character, 0..60).prop_map(String::from_iter)
    }

    #[test]
    fn strings_are_escaped_as_json_has_it() {
        assert_eq!(string("plain, and longer than eight"), r#""plain, and longer than eight""#);
        assert_eq!(string("a\"b\\c\r\n\t"), r#""a\"b\\c\r\n\t""#);
        assert_eq!(string("Größe 日本…"), r#""Größe 日本…""#);
    }

    #[test]
    fn what_a_terminal_obeys_is_spelt_out() {
        assert_eq!(string("\u{1b}[2J\u{7f}\u{9b}\0"), r#""\u001b[2J\u007f\u009b\u0000""#);
        assert_eq!(string("\u{2028}\u{202e}\u{feff}\u{e0041}"), r#""\u2028\u202e\ufeff\udb40\udc41""#);
    }

    #[test]
    fn every_special_byte_is_found_at_every_place() {
        for len in 1..40 {
            for place in 0..len {
                for byte in 0..=255u8 {
                    let mut bytes = vec![b'a'; len];
                    bytes[place] = byte;
                    let plain = (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
                    assert_eq!(is_plain(&bytes), plain, "{bytes:?}");
                }
            }
        }
    }

    #[test]
    fn durations_are_exact_seconds() {
        let seconds = |duration| written(|out| push_seconds(duration, out));
        assert_eq!(seconds(Duration::ZERO), "0.0");
        assert_eq!(seconds(Duration::from_micros(1500)), "0.0015");
        assert_eq!(seconds(Duration::from_secs(90)), "90.0");
        assert_eq!(seconds(Duration::from_nanos(1)), "0.000000001");
        assert_eq!(seconds(Duration::MAX), "18446744073709551615.999999999");
    }

    #[test]
    fn bytes_are_base64() {
        // The examples of RFC 4648, section 10.
        let text = |text: &str| written(|out| push_base64(text.as_bytes(), out));
        let found = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(text);
        assert_eq!(found, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
        assert_eq!(written(|out| push_base64(&[0xfb, 0xff, 0xfe], out)), "+//+");
        assert_eq!(written(|out| push_marked_base64(b"foo", 9, out)), "Zm9v… [cut, 9 bytes]");
    }

    proptest! {
        #[test]
        fn a_string_is_harmless_and_parses_back(text in hostile()) {
            let string = string(&text);
            prop_assert!(is_harmless(&string), "{}", string);
            prop_assert_eq!(serde_json::from_str::<String>(&string).unwrap(), text);
        }

        #[test]
        fn tail_is_escaped_like_text(head in hostile(), tail in hostile()) {
            let mut out = head.clone().into_bytes();
            out.extend_from_slice(tail.as_bytes());
            escape_tail(&mut out, head.len(), &mut vec![7; 9]);
            let quoted = format!("\"{}\"", &String::from_utf8(out).unwrap()[head.len()..]);
            prop_assert_eq!(quoted, string(&tail));
        }

        #[test]
        fn finite_numbers_parse_back(wide: f64, narrow: f32) {
            let wide = f64::from_bits(wide.to_bits());
            let text = |write: &dyn Fn(&mut Vec<u8>)| written(write);
            if wide.is_finite() {
                let text = text(&|out| push_finite(wide, out));
                prop_assert_eq!(serde_json::from_str::<f64>(&text).unwrap(), wide);
            }
            if narrow.is_finite() {
                let text = text(&|out| push_finite(narrow, out));
                prop_assert_eq!(serde_json::from_str::<f32>(&text).unwrap(), narrow);
            }
        }
    }
}
