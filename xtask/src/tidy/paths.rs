//! The paths that a file of Rust source names, with `use` trees taken apart.
//!
//! Called by `imports`, which resolves them. Works on code that `source` has cleared of comments
//! and literals.

use crate::tidy::source::{is_word, words};

/// A path as it is written, such as `crate::sink::Sink`.
#[derive(Debug, PartialEq)]
pub(crate) struct Named {
    /// Where it starts in the code.
    pub(crate) position: usize,
    /// Its parts; a trailing `self` of a tree is left out, a glob is `*`.
    pub(crate) segments: Vec<String>,
    /// The name it gets here: the alias, or its last part.
    pub(crate) name: String,
    /// Whether a `use` brings it in.
    pub(crate) imported: bool,
    /// Whether that `use` is visible outside this module.
    pub(crate) exported: bool,
}

/// The paths of all `use` items.
pub(crate) fn imports(code: &str) -> Vec<Named> {
    let mut found = Vec::new();
    for position in words(code, "use") {
        // `use<'a>` in bounds is no item.
        let mut cursor = Cursor { code, at: position + "use".len() };
        if cursor.peek() == Some('<') {
            continue;
        }
        let exported = is_public(&code[..position]);
        // `use ::std::..` names a crate as much as `use std::..` does.
        cursor.eat("::");
        cursor.tree(&mut Vec::new(), exported, &mut found);
    }
    found
}

/// The paths in code, `use` items left out, that start with this word and go on with `::`.
pub(crate) fn mentions(code: &str, first: &str) -> Vec<Named> {
    let mut found = Vec::new();
    for position in words(code, first) {
        let before = code[..position].trim_end();
        if let Some(outer) = before.strip_suffix("::")
            && outer.trim_end().ends_with(|c: char| is_word(c) || c == '>')
        {
            // The middle of a longer path.
            continue;
        }
        let mut cursor = Cursor { code, at: position + first.len() };
        let mut segments = vec![first.to_owned()];
        while cursor.eat("::") {
            match cursor.word() {
                Some(word) => segments.push(word),
                None => break,
            }
        }
        if segments.len() > 1 && !in_use_item(before) {
            let name = segments.last().cloned().unwrap_or_default();
            found.push(Named { position, segments, name, imported: false, exported: false });
        }
    }
    found
}

/// Whether the text before a place ends inside a `use` item.
fn in_use_item(before: &str) -> bool {
    let item = before.rsplit(';').next().unwrap_or(before);
    // Braces belong to the tree only while they are open after the word itself.
    words(item, "use").last().is_some_and(|at| {
        let tail = &item[at + "use".len()..];
        !tail.trim_start().starts_with('<')
            && tail.matches('{').count() >= tail.matches('}').count()
            && tail.chars().all(|c| is_word(c) || c.is_whitespace() || "{}:,*#".contains(c))
    })
}

/// Whether what stands before a `use` makes it visible: `pub` or `pub(..)`.
fn is_public(before: &str) -> bool {
    let before = before.trim_end();
    let before = match before.strip_suffix(')') {
        Some(inside) => inside.rsplit_once('(').map_or("", |(outside, _)| outside).trim_end(),
        None => before,
    };
    before.ends_with("pub")
}

struct Cursor<'a> {
    code: &'a str,
    at: usize,
}

impl Cursor<'_> {
    fn skip_space(&mut self) {
        let rest = &self.code[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn peek(&mut self) -> Option<char> {
        self.skip_space();
        self.code[self.at..].chars().next()
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip_space();
        let found = self.code[self.at..].starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn word(&mut self) -> Option<String> {
        self.skip_space();
        let rest = &self.code[self.at..];
        let rest = rest.strip_prefix("r#").unwrap_or(rest);
        let length: usize = rest.chars().take_while(|&c| is_word(c)).map(char::len_utf8).sum();
        let word = rest[..length].to_owned();
        self.at = self.code.len() - rest.len() + length;
        (!word.is_empty()).then_some(word)
    }

    /// Reads one tree of a `use` item below `prefix`.
    fn tree(&mut self, prefix: &mut Vec<String>, exported: bool, found: &mut Vec<Named>) {
        let depth = prefix.len();
        self.skip_space();
        let position = self.at;
        loop {
            if self.eat("{") {
                while !self.eat("}") && self.at < self.code.len() {
                    let before = self.at;
                    self.tree(prefix, exported, found);
                    self.eat(",");
                    if self.at == before {
                        // Not a use tree after all: give up rather than stand still.
                        break;
                    }
                }
                prefix.truncate(depth);
                return;
            }
            let word = if self.eat("*") { Some("*".to_owned()) } else { self.word() };
            match word {
                // `self` inside braces is the path so far.
                Some(word) if word == "self" && depth > 0 => {}
                Some(word) => prefix.push(word),
                None => break,
            }
            if !self.eat("::") {
                break;
            }
        }
        let mut name = prefix.last().cloned().unwrap_or_default();
        let before_alias = self.at;
        match self.word() {
            Some(word) if word == "as" => name = self.word().unwrap_or(name),
            Some(_) => self.at = before_alias,
            None => {}
        }
        if !prefix.is_empty() {
            found.push(Named { position, segments: prefix.clone(), name, imported: true, exported });
        }
        prefix.truncate(depth);
    }
}
