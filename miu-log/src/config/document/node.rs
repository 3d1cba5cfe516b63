//! What stands in a document, whichever notation it is in, each with its place.

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

/// A value in quotes, cut where it is long.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 64;
    match text.char_indices().nth(LONGEST) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}
