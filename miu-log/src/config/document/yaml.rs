//! YAML as nodes.
//!
//! Plain values are left as they are written: `no` is not taken for a truth, nor `1e3` for a number. Aliases, anchors, tags, keys that are no text and a second
//! document are refused: a configuration does without them, and they are how a small file becomes a large one.
//!
//! Without the cargo feature `yaml` this is an error that says so.

use super::node::Node;
use super::problems::Problems;

#[cfg(not(feature = "yaml"))]
pub(super) fn read(_text: &str, problems: &mut Problems) -> Option<Node> {
    problems.add_general(
        "YAML needs the cargo feature \"yaml\" of miu-log, which this program is built without; switch it on",
    );
    None
}

#[cfg(feature = "yaml")]
pub(super) use enabled::read;

#[cfg(feature = "yaml")]
mod enabled {
    use granit_parser::{Event, Marker, Parser, ScalarStyle, Span};

    use super::{Node, Problems};
    use crate::config::document::node::{At, DEEPEST, Entry, Value, plain_key};

    /// A table or list that is not at its end.
    enum Open {
        List(At, Vec<Node>),
        Table(At, Vec<Entry>, Option<(String, At)>),
    }

    /// The document, as far as it makes sense. None where nothing can be made of it.
    pub(in crate::config::document) fn read(text: &str, problems: &mut Problems) -> Option<Node> {
        let mut reader = Reader { open: Vec::new(), root: None };
        let mut documents = 0;
        for event in Parser::new_from_str(text) {
            let (event, span) = match event {
                Ok(next) => next,
                Err(error) => {
                    problems.add(place(*error.marker()), "", format_args!("no YAML: {}", error.info()));
                    return None;
                }
            };
            let at = at(&span);
            let refused = match &event {
                Event::Alias(_) => Some("an alias (*)"),
                Event::Scalar(_, _, anchor, _)
                | Event::SequenceStart(_, anchor, _)
                | Event::MappingStart(_, anchor, _)
                    if *anchor != 0 =>
                {
                    Some("an anchor (&)")
                }
                Event::Scalar(_, _, _, Some(_))
                | Event::SequenceStart(_, _, Some(_))
                | Event::MappingStart(_, _, Some(_)) => Some("a tag (!)"),
                _ => None,
            };
            if let Some(what) = refused {
                problems.add(at, "", format_args!("{what} is not accepted; write the value itself"));
                return None;
            }
            match event {
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents > 1 {
                        problems.add(at, "", "a second document (---) is not accepted");
                        return None;
                    }
                }
                Event::Scalar(text, style, _, _) => {
                    let is_plain = style == ScalarStyle::Plain;
                    let value = if is_plain && matches!(&*text, "" | "~" | "null") {
                        Value::Nothing
                    } else {
                        Value::Scalar { text: text.into_owned(), is_plain }
                    };
                    reader.put(Node { at, value }, problems)?;
                }
                Event::SequenceStart(..) => reader.begin(Open::List(at, Vec::new()), at, problems)?,
                Event::MappingStart(..) => reader.begin(Open::Table(at, Vec::new(), None), at, problems)?,
                Event::SequenceEnd | Event::MappingEnd => reader.end(problems)?,
                _ => {}
            }
        }
        Some(reader.root.unwrap_or(Node { at: At { line: 1, column: 1 }, value: Value::Nothing }))
    }

    fn at(span: &Span) -> At {
        place(span.start)
    }

    fn place(marker: Marker) -> At {
        At { line: marker.line(), column: marker.col() + 1 }
    }

    struct Reader {
        open: Vec<Open>,
        root: Option<Node>,
    }

    impl Reader {
        fn begin(&mut self, open: Open, at: At, problems: &mut Problems) -> Option<()> {
            if self.open.len() == DEEPEST {
                problems.add(
                    at,
                    "",
                    format_args!("more than {DEEPEST} tables and lists in each other are not accepted"),
                );
                return None;
            }
            self.open.push(open);
            Some(())
        }

        fn end(&mut self, problems: &mut Problems) -> Option<()> {
            let node = match self.open.pop()? {
                Open::List(at, nodes) => Node { at, value: Value::List(nodes) },
                Open::Table(at, entries, _) => Node { at, value: Value::Table(entries) },
            };
            self.put(node, problems)
        }

        fn put(&mut self, node: Node, problems: &mut Problems) -> Option<()> {
            match self.open.last_mut() {
                None => self.root = Some(node),
                Some(Open::List(_, nodes)) => nodes.push(node),
                Some(Open::Table(_, entries, key @ None)) => {
                    let Value::Scalar { text, .. } = node.value else {
                        problems.add(
                            node.at,
                            "",
                            format_args!("a key is expected, and not {}", node.describe()),
                        );
                        return None;
                    };
                    if let Some(first) = entries.iter().find(|entry| entry.key == text) {
                        let At { line, column } = first.at;
                        let key = if plain_key(&text) { format!("key {text:?}") } else { "same".to_owned() };
                        let again = format!("the {key} stands here again; it is at {line}:{column} already");
                        problems.add(node.at, "", again);
                    }
                    *key = Some((text, node.at));
                }
                Some(Open::Table(_, entries, key)) => {
                    let (key, at) = key.take()?;
                    entries.push(Entry { key, at, node });
                }
            }
            Some(())
        }
    }
}
