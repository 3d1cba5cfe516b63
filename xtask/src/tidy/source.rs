//! Rust source with code, comments and tests told apart.
//!
//! A small scanner, not a parser: it knows comments, every kind of string literal, characters
//! beside lifetimes, and the extent of items under `#[cfg(test)]`. The texts it gives have the line
//! structure of the original, so a position in one is a position in all.

/// One file of Rust source.
pub(crate) struct Source {
    /// The source with comments and the contents of literals turned to spaces.
    pub(crate) code: String,
    /// The source with everything but comments turned to spaces.
    pub(crate) comments: String,
    /// For each line, whether it belongs to a test.
    test_lines: Vec<bool>,
    /// For each line, whether its end is inside a string literal.
    open_lines: Vec<bool>,
    /// Where each line starts.
    starts: Vec<usize>,
}

impl Source {
    /// Scans a file; the path tells whether all of it is tests.
    pub(crate) fn read(path: &str, text: &str) -> Self {
        let (code, comments, open_breaks) = split(text);
        let mut starts = vec![0];
        starts.extend(text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at + 1));
        let mut source = Self {
            test_lines: vec![false; starts.len()],
            open_lines: vec![false; starts.len()],
            code,
            comments,
            starts,
        };
        for position in open_breaks {
            let line = source.line_of(position);
            source.open_lines[line - 1] = true;
        }
        if is_test_file(path) || source.code.contains("#![cfg(test)]") {
            source.test_lines.fill(true);
        } else {
            for (from, to) in test_items(&source.code) {
                let (first, last) = (source.line_of(from), source.line_of(to));
                source.test_lines[first - 1..last].fill(true);
            }
        }
        source
    }

    /// The line, counted from 1, of a position.
    pub(crate) fn line_of(&self, position: usize) -> usize {
        self.starts.partition_point(|&start| start <= position)
    }

    /// Whether a line, counted from 1, belongs to a test.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.test_lines.get(line - 1).copied().unwrap_or(false)
    }

    /// Whether a line, counted from 1, ends inside a string literal, where white space means itself.
    pub(crate) fn ends_in_literal(&self, line: usize) -> bool {
        self.open_lines.get(line - 1).copied().unwrap_or(false)
    }

    /// Every place in the code where this word stands by itself.
    pub(crate) fn code_words<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        words(&self.code, word)
    }
}

/// Every place where a word stands in a text with no letter, digit or underscore beside it.
pub(crate) fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// Whether a character can be part of an identifier.
pub(crate) fn is_word(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

/// Whether a whole file is tests by its place: `tests.rs`, `loom_tests.rs`, or anything in a folder `tests`.
fn is_test_file(path: &str) -> bool {
    let inside = path.split_once("/src/").map_or("", |(_, inside)| inside);
    let stem = inside.rsplit('/').next().and_then(|name| name.strip_suffix(".rs")).unwrap_or("");
    stem == "tests" || stem.ends_with("_tests") || inside.split('/').rev().skip(1).any(|part| part == "tests")
}

/// The code and the comments of a text, each with the rest blanked, and the line breaks inside literals.
fn split(text: &str) -> (String, String, Vec<usize>) {
    let bytes = text.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    let mut comments = Vec::with_capacity(bytes.len());
    let mut open_breaks = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let (kind, end) = token(text, at);
        for &byte in &bytes[at..end] {
            let blank = if byte == b'\n' { b'\n' } else { b' ' };
            code.push(if kind == Kind::Code { byte } else { blank });
            comments.push(if kind == Kind::Comment { byte } else { blank });
        }
        if kind == Kind::Literal {
            open_breaks.extend(text[at..end].match_indices('\n').map(|(offset, _)| at + offset));
        }
        at = end;
    }
    // Tokens end between characters, so both are UTF-8; were they not, the marks would only blur a name.
    (
        String::from_utf8_lossy(&code).into_owned(),
        String::from_utf8_lossy(&comments).into_owned(),
        open_breaks,
    )
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// The kind and the end of what starts at a position.
fn token(text: &str, at: usize) -> (Kind, usize) {
    let rest = &text[at..];
    let end_of = |length: Option<usize>| length.map_or(text.len(), |length| at + length);
    if rest.starts_with("//") {
        return (Kind::Comment, end_of(rest.find('\n')));
    }
    if rest.starts_with("/*") {
        return (Kind::Comment, end_of(block_comment_length(rest)));
    }
    if let Some(length) = string_length(text, at) {
        return (Kind::Literal, (at + length).min(text.len()));
    }
    if let Some(inner) = rest.strip_prefix('\'') {
        let mut characters = inner.char_indices();
        let first = characters.next();
        let second = characters.next();
        match (first, second) {
            (Some((_, '\\')), Some((_, escaped))) => {
                // The escaped character may be a quote itself.
                let skipped = 1 + '\\'.len_utf8() + escaped.len_utf8();
                return (Kind::Literal, end_of(rest[skipped..].find('\'').map(|found| skipped + found + 1)));
            }
            (Some(_), Some((close, '\''))) => return (Kind::Literal, at + 1 + close + 1),
            // A lifetime or a label.
            _ => {}
        }
    }
    // A whole identifier at once, so that the `r` of `for"` is never taken for the prefix of a string.
    let word: usize = rest.chars().take_while(|&c| is_word(c)).map(char::len_utf8).sum();
    let one = rest.chars().next().map_or(1, char::len_utf8);
    (Kind::Code, at + word.max(one))
}

fn block_comment_length(rest: &str) -> Option<usize> {
    let mut depth = 0usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    None
}

/// The length of the string literal that starts here, its prefix and hashes included.
fn string_length(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    let prefix = ["br", "cr", "r", "b", "c", ""].into_iter().find(|prefix| rest.starts_with(prefix))?;
    let after = &rest[prefix.len()..];
    let hashes = if prefix.ends_with('r') { after.len() - after.trim_start_matches('#').len() } else { 0 };
    let body = after[hashes..].strip_prefix('"')?;
    let opened = prefix.len() + hashes + 1;
    if prefix.ends_with('r') {
        let close = format!("\"{}", "#".repeat(hashes));
        return Some(opened + body.find(&close).map_or(body.len(), |found| found + close.len()));
    }
    let mut escaped = false;
    for (offset, character) in body.char_indices() {
        match character {
            '"' if !escaped => return Some(opened + offset + 1),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    Some(opened + body.len())
}

/// The extents of the items under a `#[cfg(..)]` whose condition asks for `test`.
fn test_items(code: &str) -> Vec<(usize, usize)> {
    let mut items = Vec::new();
    for (at, opening) in code.match_indices("#[cfg(") {
        let condition_start = at + opening.len();
        let Some(length) = balanced(&code[condition_start..], ')') else { continue };
        let condition = &code[condition_start..condition_start + length];
        if words(condition, "test").next().is_some() && !condition.replace(' ', "").contains("not(test)") {
            let after = condition_start + length;
            items.push((at, after + item_length(&code[after..])));
        }
    }
    items
}

/// How far the item goes: to the end of its first block, or to its semicolon.
fn item_length(code: &str) -> usize {
    let mut depth = 0usize;
    for (at, character) in code.char_indices() {
        match character {
            ';' if depth == 0 => return at,
            '{' if depth == 0 => {
                return at + 1 + balanced(&code[at + 1..], '}').unwrap_or(code.len() - at - 1);
            }
            // The end of what is around the item.
            '}' if depth == 0 => return at,
            '(' | '[' => depth += 1,
            // The attribute's own brackets close first.
            ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    code.len()
}

/// The length up to the bracket that closes what was opened just before this code.
fn balanced(code: &str, close: char) -> Option<usize> {
    let mut depth = 0usize;
    for (at, character) in code.char_indices() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth > 0 => depth -= 1,
            found if found == close => return Some(at),
            _ => {}
        }
    }
    None
}
