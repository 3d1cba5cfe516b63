//! Makes any text safe to stand in a line: nothing in it can end the line or speak to a terminal.
//!
//! E1. The output holds no control character and no line separator, whatever the input.
//! E2. Harmless text comes out as it went in; a backslash is harmless.
//! E3. Escaping text piece by piece gives the same as escaping it whole, and escaping twice the same
//!     as escaping once.
//!
//! What is escaped: the control characters (C0, DEL, C1), the line and paragraph separators, and every
//! invisible character that reorders, joins or hides its neighbours. Line feed, carriage return and tab
//! are written as `\n`, `\r` and `\t`, all others as `\u{1b}`.
//!
//! Called by `template` for messages and fields, by `layout` for names and details, and by whoever
//! builds text that [`crate::record`] promises to be escaped.

use std::io::Write as _;

/// What stands before every line of a detail. A layout sees to it that no record starts with it.
pub(crate) const DETAIL_MARK: &str = "    | ";

/// Bytes that need a closer look: ASCII control characters, and the first bytes of the characters
/// outside ASCII that [`is_harmful`] knows. Bytes inside a character are never among them.
pub(crate) const SUSPECT: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[0x7f] = true;
    table[0xc2] = true;
    table[0xd8] = true;
    table[0xe2] = true;
    table[0xef] = true;
    table[0xf3] = true;
    table
};

/// Whether this character must not reach a line as it is.
pub(crate) fn is_harmful(character: char) -> bool {
    matches!(character,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        // The Arabic letter mark, zero-width characters, the marks of direction.
        | '\u{61c}' | '\u{200b}'..='\u{200f}'
        // Separators of lines and paragraphs, embedding and override of direction.
        | '\u{2028}'..='\u{202e}'
        // The word joiner, invisible operators, isolation of direction, old format characters.
        | '\u{2060}'..='\u{206f}'
        // The byte order mark, and tags: text that no terminal shows.
        | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Whether all bytes are printable ASCII. Exact, and quick on short text: eight bytes at a time, the
/// last eight overlapping those before.
#[inline]
pub(crate) fn is_printable_ascii(bytes: &[u8]) -> bool {
    const LOW: u64 = 0x2020_2020_2020_2020;
    const ONE: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // A byte sets its high bit in one of the three terms if it is below 0x20, 0x7f, or above. Borrows
    // and carries come only from such bytes, so they cannot turn a clean word into a suspect one.
    let suspect = |chunk: [u8; 8]| {
        let word = u64::from_le_bytes(chunk);
        (word.wrapping_sub(LOW) | word.wrapping_add(ONE) | word) & HIGH
    };
    let Some(last) = bytes.last_chunk::<8>() else {
        return bytes.iter().all(|byte| (0x20..0x7f).contains(byte));
    };
    let (chunks, _) = bytes.as_chunks::<8>();
    chunks.iter().fold(suspect(*last), |found, chunk| found | suspect(*chunk)) == 0
}

/// Appends `text`, escaped.
#[inline]
pub(crate) fn escape_into(text: &str, out: &mut Vec<u8>) {
    if is_printable_ascii(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        escape_with(text, out, |_| None);
    }
}

/// `text`, escaped.
pub(crate) fn escaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    escape_into(text, &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Escapes what was appended to `out` since it was `start` bytes long. Bytes that are not UTF-8 become
/// the replacement character; callers append text only.
#[inline]
pub(crate) fn escape_tail(out: &mut Vec<u8>, start: usize) {
    if !out.get(start..).is_none_or(is_printable_ascii) {
        let tail = out.split_off(start);
        escape_with(&String::from_utf8_lossy(&tail), out, |_| None);
    }
}

/// Appends `text` between double quotes, escaped, with a backslash before every `"` and `\`.
pub(crate) fn quote_into(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    escape_with(text, out, |byte| match byte {
        b'"' => Some(b"\\\""),
        b'\\' => Some(b"\\\\"),
        _ => None,
    });
    out.push(b'"');
}

/// Whether escaping would change `text`.
pub(crate) fn is_harmless(text: &str) -> bool {
    is_printable_ascii(text.as_bytes()) || !text.chars().any(is_harmful)
}

/// Appends `text`, escaped; `also` may name ASCII bytes that are replaced as well.
fn escape_with(text: &str, out: &mut Vec<u8>, also: impl Fn(u8) -> Option<&'static [u8]>) {
    let bytes = text.as_bytes();
    let mut copied = 0;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let replacement = also(byte);
        if replacement.is_none() && !SUSPECT[usize::from(byte)] {
            at += 1;
            continue;
        }
        // A suspect byte starts a character, so that the text can be cut here.
        let (clean, rest) = (&bytes[copied..at], text.get(at..).unwrap_or_default());
        let Some(character) = rest.chars().next() else { break };
        at += character.len_utf8();
        if replacement.is_none() && !is_harmful(character) {
            continue;
        }
        out.extend_from_slice(clean);
        copied = at;
        match (replacement, character) {
            (Some(replacement), _) => out.extend_from_slice(replacement),
            (None, '\n') => out.extend_from_slice(b"\\n"),
            (None, '\r') => out.extend_from_slice(b"\\r"),
            (None, '\t') => out.extend_from_slice(b"\\t"),
            (None, other) => {
                // Writing to a vector cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(other));
            }
        }
    }
    out.extend_from_slice(&bytes[copied..]);
}

/// Appends a text of several lines, such as an error chain or a backtrace: each line on a line of its
/// own, after [`DETAIL_MARK`], escaped. Empty text adds nothing.
pub(crate) fn push_indented(text: &str, out: &mut Vec<u8>) {
    for line in text.lines() {
        out.extend_from_slice(DETAIL_MARK.as_bytes());
        escape_into(line, out);
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = Vec::new();
        escape_into(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn indented(text: &str) -> String {
        let mut out = Vec::new();
        push_indented(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// Text in which harmful and harmless characters stand side by side.
    fn hostile() -> impl Strategy<Value = String> {
        let character = prop_oneof![
            any::<char>(),
            proptest::char::range('\0', '\u{a0}'),
            proptest::char::range('\u{600}', '\u{620}'),
            proptest::char::range('\u{2000}', '\u{2070}'),
            proptest::char::range('\u{e0000}', '\u{e0090}'),
            Just('\u{feff}'),
            Just('\\'),
        ];
        proptest::collection::vec(character, 0..40).prop_map(String::from_iter)
    }

    #[test]
    fn line_ends_and_tabs_are_two_characters() {
        assert_eq!(escaped("a\r\nb\tc\\n"), r"a\r\nb\tc\n");
    }

    #[test]
    fn what_a_terminal_obeys_is_spelt_out() {
        assert_eq!(escaped("\u{1b}[2J\u{7}\u{7f}\u{9b}31m\u{8}"), r"\u{1b}[2J\u{7}\u{7f}\u{9b}31m\u{8}");
        assert_eq!(escaped("\u{85}\u{2028}\u{2029}\u{b}\u{c}"), r"\u{85}\u{2028}\u{2029}\u{b}\u{c}");
        assert_eq!(escaped("\u{202e}\u{2066}\u{200b}\u{2060}"), r"\u{202e}\u{2066}\u{200b}\u{2060}");
        assert_eq!(escaped("\u{feff}\u{e0041}\u{61c}\0"), r"\u{feff}\u{e0041}\u{61c}\u{0}");
    }

    #[test]
    fn text_of_any_script_stays_as_it_is() {
        for text in ["", "plain", "C:\\new", "Größe", "日本語", "Привет", "سلام", "👩🏽\u{a0}½…—"]
        {
            assert_eq!(escaped(text), text);
            assert!(is_harmless(text));
        }
    }

    #[test]
    fn every_suspect_byte_is_found_at_every_place() {
        for len in 1..40 {
            for place in 0..len {
                for byte in 0..=255u8 {
                    let mut bytes = vec![b'a'; len];
                    bytes[place] = byte;
                    assert_eq!(is_printable_ascii(&bytes), (0x20..0x7f).contains(&byte), "{bytes:?}");
                }
            }
        }
    }

    #[test]
    fn first_bytes_of_harmful_characters_are_suspect() {
        for character in ('\0'..=char::MAX).filter(|&character| is_harmful(character)) {
            let mut bytes = [0; 4];
            let text = character.encode_utf8(&mut bytes);
            assert!(SUSPECT[usize::from(text.as_bytes()[0])], "{character:?}");
        }
    }

    #[test]
    fn quoted_text_marks_quotes_and_backslashes() {
        let mut out = Vec::new();
        quote_into("a \"b\" \\ é\n", &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), r#""a \"b\" \\ é\n""#);
    }

    #[test]
    fn every_line_of_a_detail_is_marked() {
        assert_eq!(
            indented("one\r\ntwo\n\nfour\u{1b}\n"),
            "    | one\n    | two\n    | \n    | four\\u{1b}\n"
        );
        assert_eq!(indented(""), "");
    }

    proptest! {
        #[test]
        fn output_is_one_line_without_control_characters(text in hostile()) {
            let line = escaped(&text);
            prop_assert!(line.chars().all(|character| !character.is_control() && !is_harmful(character)));
            prop_assert_eq!(is_harmless(&text), line == text);
            prop_assert_eq!(escaped(&line), line);
        }

        #[test]
        fn escaping_goes_piece_by_piece(left in hostile(), right in hostile()) {
            prop_assert_eq!(escaped(&format!("{left}{right}")), escaped(&left) + &escaped(&right));
        }

        #[test]
        fn tail_is_escaped_like_text(head in hostile(), tail in hostile()) {
            let mut out = head.clone().into_bytes();
            out.extend_from_slice(tail.as_bytes());
            escape_tail(&mut out, head.len());
            prop_assert_eq!(String::from_utf8(out).unwrap(), head + &escaped(&tail));
        }

        #[test]
        fn every_physical_line_of_a_detail_is_marked(text in hostile()) {
            for line in indented(&text).lines() {
                prop_assert!(line.starts_with(DETAIL_MARK) && is_harmless(line));
            }
        }
    }
}
