//! What stands in a document, whichever notation it is in, each with its place.

use crate::secret::Secret;

/// Levels of tables and lists in each other that are accepted: no configuration needs nearly as many.
pub(super) const DEEPEST: usize = 16;

/// A place in a document: line and column, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) at: At,
    pub(super) value: Value,
}

/// A value. What it means is for the key to say: `no` and `12` are texts to a key that takes texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing, as behind a key without a value.
    Nothing,
    Scalar {
        text: String,
        /// Without quotes, so that it may be a number or a truth.
        is_plain: bool,
    },
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: At,
    pub(super) node: Node,
}

impl Node {
    /// What it is, for an error: `the text "x"`, `a list`.
    pub(super) fn describe(&self) -> String {
        match &self.value {
            Value::Nothing => "nothing".to_owned(),
            Value::Scalar { text, is_plain: true } => shown(text),
            Value::Scalar { text, is_plain: false } => format!("the text {}", shown(text)),
            Value::List(_) => "a list".to_owned(),
            Value::Table(_) => "a table".to_owned(),
        }
    }

    /// Every single value in it, by the path of its keys: what two documents are compared by.
    pub(super) fn flatten(&self, path: &str, out: &mut Vec<(String, String)>) {
        match &self.value {
            Value::Nothing => {}
            Value::Scalar { text, .. } => out.push((path.to_owned(), text.clone())),
            Value::List(nodes) => {
                for (number, node) in nodes.iter().enumerate() {
                    node.flatten(&format!("{path}[{number}]"), out);
                }
            }
            Value::Table(entries) => {
                for entry in entries {
                    entry.node.flatten(&joined(path, &entry.key), out);
                }
            }
        }
    }
}

/// The path of a key in a table.
pub(super) fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Whether a text may be a key, of ours or of anybody's. What is none is not shown: it may be a secret whose key was left out.
pub(super) fn plain_key(text: &str) -> bool {
    let fits = |it: char| it.is_alphanumeric() || matches!(it, '_' | '-' | '.' | ' ');
    text.chars().count() <= 48 && text.chars().all(fits)
}

/// A value in quotes, cut where it is long. Of an address only scheme and host: the rest of it may be a secret.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 64;
    if let Some((scheme, _)) = text.split_once("://") {
        let origin = Secret::from(text).origin();
        // What stands before may be anything, but for a word.
        let scheme = if plain_key(scheme) { scheme } else { "" };
        return format!("{:?}…", origin.unwrap_or_else(|| format!("{scheme}://")));
    }
    match text.char_indices().nth(LONGEST) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}
