//! TOML as nodes.
//!
//! Numbers, truths and times are left as they are written, for the key to say what they mean.
//!
//! Without the cargo feature `toml` this is an error that says so.

use super::node::Node;
use super::problems::Problems;

#[cfg(not(feature = "toml"))]
pub(super) fn read(_text: &str, problems: &mut Problems) -> Option<Node> {
    problems.add_general(
        "TOML needs the cargo feature \"toml\" of miu-log, which this program is built without; switch it on",
    );
    None
}

#[cfg(feature = "toml")]
pub(super) use enabled::read;

#[cfg(feature = "toml")]
mod enabled {
    use toml::Spanned;
    use toml::de::{DeTable, DeValue};

    use super::{Node, Problems};
    use crate::config::document::node::{At, DEEPEST, Entry, Value};

    /// The document. None where it is no TOML: everything that keeps it from being some is told.
    pub(in crate::config::document) fn read(text: &str, problems: &mut Problems) -> Option<Node> {
        let (table, errors) = DeTable::parse_recoverable(text);
        let places = Places::of(text);
        for error in &errors {
            let start = error.span().map_or(0, |span| span.start);
            let at = places.at(start);
            let problem = match bare_word(text, start) {
                Some((_, key)) if may_be_secret(key) => {
                    "here is something without quotes; a text is written \"so\"".to_owned()
                }
                Some((word, _)) => format!("here is {word} without quotes; a text is written {word:?}"),
                None => error.message().replace('\n', "; "),
            };
            problems.add(at, "", format_args!("no TOML: {problem}"));
        }
        if !errors.is_empty() {
            return None;
        }
        let at = At { line: 1, column: 1 };
        let value = table_of(table.get_ref(), &places, 1, problems)?;
        Some(Node { at, value })
    }

    /// Whether what belongs to a key of this name is better not shown.
    fn may_be_secret(key: &str) -> bool {
        let key = key.to_ascii_lowercase();
        ["pass", "token", "secret", "url", "key", "auth", "discord", "telegram", "webhook", "database"]
            .iter()
            .any(|word| key.contains(word))
    }

    /// The word behind a `=`, here, which may well be a text that lacks its quotes, and what stands before the `=`. The parser takes the one for a number that
    /// begins so, the other for nothing.
    fn bare_word(text: &str, start: usize) -> Option<(&str, &str)> {
        let (before, rest) = text.split_at_checked(start)?;
        let fits = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
        let word = &rest[..rest.find(|character| !fits(character)).unwrap_or(rest.len())];
        let is_word = word.starts_with(|first: char| first.is_ascii_alphabetic()) && word.len() <= 64;
        let key = before.trim_end_matches(' ').strip_suffix('=')?;
        is_word.then(|| (word, key.lines().last().unwrap_or_default()))
    }

    fn table_of(
        table: &DeTable<'_>,
        places: &Places<'_>,
        depth: usize,
        problems: &mut Problems,
    ) -> Option<Value> {
        let mut entries = Vec::new();
        for (key, value) in table.iter() {
            let node = node_of(value, places, depth, problems)?;
            entries.push(Entry { key: key.get_ref().to_string(), at: places.at(key.span().start), node });
        }
        entries.sort_by_key(|entry| entry.at);
        Some(Value::Table(entries))
    }

    fn node_of(
        value: &Spanned<DeValue<'_>>,
        places: &Places<'_>,
        depth: usize,
        problems: &mut Problems,
    ) -> Option<Node> {
        let span = value.span();
        let at = places.at(span.start);
        if depth > DEEPEST {
            problems.add(
                at,
                "",
                format_args!("more than {DEEPEST} tables and lists in each other are not accepted"),
            );
            return None;
        }
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Scalar { text: text.to_string(), is_plain: false },
            DeValue::Array(values) => {
                let nodes = values.iter().map(|value| node_of(value, places, depth + 1, problems));
                Value::List(nodes.collect::<Option<_>>()?)
            }
            DeValue::Table(table) => table_of(table, places, depth + 1, problems)?,
            _ => Value::Scalar { text: places.text.get(span)?.to_owned(), is_plain: true },
        };
        Some(Node { at, value })
    }

    /// Where the lines of a text begin.
    struct Places<'a> {
        text: &'a str,
        lines: Vec<usize>,
    }

    impl Places<'_> {
        fn of(text: &str) -> Places<'_> {
            let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
            Places { text, lines: lines.collect() }
        }

        fn at(&self, offset: usize) -> At {
            let line = self.lines.partition_point(|begin| *begin <= offset).max(1);
            let begin = self.lines[line - 1];
            let before = self.text.get(begin..offset).unwrap_or_default();
            At { line, column: before.chars().count() + 1 }
        }
    }
}
