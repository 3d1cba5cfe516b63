//! A field's value, as it stands behind `key=`.
//!
//! Numbers, truth values, addresses and durations are written bare. Text is written bare where it
//! cannot be mistaken for anything else; otherwise it stands in double quotes, with a backslash before
//! every `"` and `\`. It is quoted when it is empty, when it holds a space, `=`, `"` or `|`, or when
//! anything in it has to be escaped.
//!
//! Bytes are hexadecimal digits without a prefix, `0a1bff`: what a search for them would look for. They are quoted when there are
//! none, and when they were cut, since the mark that says so holds a space.
//!
//! Text that the program formatted (`?value`, `%value`) follows the same rule, but is written as it is
//! where it is one whole group already: a quoted string that ends with its last character, or
//! brackets of which the first is closed by the last character and by none before. So `["a b", "c"]`
//! stays readable, while no value can end early and go on as another field.
//!
//! Called by `layout`.

use crate::bytes::Case;
use crate::codec::Value;
use crate::escape::{escape_into, is_harmless, quote_into};

use super::value::{bytes, is_cut, write_plain};

/// Appends a field's value.
#[inline]
pub(crate) fn write_field(value: &Value<'_>, out: &mut Vec<u8>) {
    match *value {
        Value::Str(text) => write_text(text, out),
        Value::Char(character) => write_text(character.encode_utf8(&mut [0; 4]), out),
        Value::Rendered(text) if is_one_group(text) => escape_into(text, out),
        Value::Rendered(text) => write_text(text, out),
        Value::Bytes { kept, given } if kept.is_empty() || is_cut(kept, given) => {
            out.push(b'"');
            bytes(kept, given, Case::Lower, out);
            out.push(b'"');
        }
        ref other => write_plain::<true>(other, out),
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    let ambiguous = |byte: u8| matches!(byte, b' ' | b'=' | b'"' | b'|');
    if text.is_empty() || text.bytes().any(ambiguous) || !is_harmless(text) {
        quote_into(text, out);
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

/// Whether the text is a quoted string or a bracketed group that ends with its last character only.
fn is_one_group(text: &str) -> bool {
    if !text.starts_with(['"', '[', '{', '(']) {
        return false;
    }
    let mut depth = 0_usize;
    let mut quoted = false;
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' if quoted => {
                bytes.next();
                continue;
            }
            b'"' => quoted = !quoted,
            b'[' | b'{' | b'(' if !quoted => depth += 1,
            b']' | b'}' | b')' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && !quoted {
            return at + 1 == text.len();
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn field(value: Value<'_>) -> String {
        let mut out = Vec::new();
        write_field(&value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn plain_values_stand_bare() {
        assert_eq!(field(Value::U8(7)), "7");
        assert_eq!(field(Value::F64(1.0)), "1");
        assert_eq!(field(Value::Bool(true)), "true");
        assert_eq!(field(Value::None), "None");
        assert_eq!(field(Value::Duration(Duration::from_micros(1500))), "1.5ms");
        assert_eq!(field(Value::Ip("::1".parse().unwrap())), "::1");
        assert_eq!(field(Value::Str("C:\\größe/日本")), "C:\\größe/日本");
        assert_eq!(field(Value::Char('x')), "x");
    }

    #[test]
    fn text_that_could_be_mistaken_is_quoted() {
        assert_eq!(field(Value::Str("")), r#""""#);
        assert_eq!(field(Value::Str("a b")), r#""a b""#);
        assert_eq!(field(Value::Str("a=b")), r#""a=b""#);
        assert_eq!(field(Value::Str("a|b")), r#""a|b""#);
        assert_eq!(field(Value::Str("say \"hi\" \\o/")), r#""say \"hi\" \\o/""#);
        assert_eq!(field(Value::Str("a\nb")), r#""a\nb""#);
        assert_eq!(field(Value::Char(' ')), r#"" ""#);
        assert_eq!(field(Value::Char('\u{202e}')), r#""\u{202e}""#);
    }

    #[test]
    fn bytes_are_bare_digits_unless_there_are_none_or_some_were_cut() {
        assert_eq!(field(Value::Bytes { kept: &[0x0a, 0x1b, 0xff], given: 3 }), "0a1bff");
        assert_eq!(field(Value::Bytes { kept: &[], given: 0 }), r#""""#);
        assert_eq!(field(Value::Bytes { kept: &[0x0a, 0x1b], given: 3 }), r#""0a1b… [cut, 3 bytes]""#);
        assert_eq!(field(Value::Bytes { kept: &[], given: 3 }), r#""… [cut, 3 bytes]""#);
    }

    #[test]
    fn formatted_text_stays_as_it_is_only_where_it_is_one_group() {
        assert_eq!(field(Value::Rendered(r#"["a b", "]"]"#)), r#"["a b", "]"]"#);
        assert_eq!(field(Value::Rendered(r#""a \" b""#)), r#""a \" b""#);
        assert_eq!(field(Value::Rendered("(1, [2])\u{1b}")), r#""(1, [2])\u{1b}""#);
        assert_eq!(field(Value::Rendered("{1: \u{1b}}")), r"{1: \u{1b}}");
        assert_eq!(field(Value::Rendered("Some(1)")), "Some(1)");
        assert_eq!(field(Value::Rendered("Point { x: 1 }")), r#""Point { x: 1 }""#);
    }

    #[test]
    fn formatted_text_cannot_forge_another_field() {
        assert_eq!(field(Value::Rendered(r#""a" admin=true "b""#)), r#""\"a\" admin=true \"b\"""#);
        assert_eq!(field(Value::Rendered("[a] admin=true [b]")), r#""[a] admin=true [b]""#);
        assert_eq!(field(Value::Rendered("[never closed admin=true")), r#""[never closed admin=true""#);
        assert_eq!(field(Value::Rendered(r#"["] admin=true"#)), r#""[\"] admin=true""#);
    }
}
