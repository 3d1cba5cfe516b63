//! The JSON Schema of a document: made of the same keys that read it, so that the two cannot differ.

use std::fmt::Write as _;

/// A JSON value, as much of it as a schema has.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Flag(bool),
    Number(u64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    pub(super) fn text(text: impl Into<String>) -> Json {
        Json::Text(text.into())
    }

    pub(super) fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Json {
        Json::List(texts.into_iter().map(Json::text).collect())
    }

    pub(super) fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
        Json::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// A schema of this type: `{"type": "string"}`.
    pub(super) fn of_type(name: &str) -> Json {
        Json::object([("type", Json::text(name))])
    }

    /// A schema that one of these fulfils.
    pub(super) fn any_of(schemas: impl IntoIterator<Item = Json>) -> Json {
        Json::object([("anyOf", Json::List(schemas.into_iter().collect()))])
    }

    /// A schema that is defined once, under this name, and used in several places.
    pub(super) fn reference(name: &str) -> Json {
        // Beside a bare reference nothing else would count, a description first of all.
        let reference = Json::object([("$ref", Json::text(format!("#/definitions/{name}")))]);
        Json::object([("allOf", Json::List(vec![reference]))])
    }

    /// The same object with one member more.
    pub(super) fn with(self, name: &str, value: Json) -> Json {
        match self {
            Json::Object(mut members) => {
                members.push((name.to_owned(), value));
                Json::Object(members)
            }
            other => other,
        }
    }

    /// In lines, for people.
    pub(super) fn pretty(&self) -> String {
        let mut out = String::new();
        self.write(0, &mut out);
        out.push('\n');
        out
    }

    fn write(&self, depth: usize, out: &mut String) {
        match self {
            Json::Flag(flag) => _ = write!(out, "{flag}"),
            Json::Number(number) => _ = write!(out, "{number}"),
            Json::Text(text) => write_text(text, out),
            Json::List(values) => {
                let simple = values.iter().all(|value| !matches!(value, Json::List(_) | Json::Object(_)));
                out.push('[');
                for (number, value) in values.iter().enumerate() {
                    if number > 0 {
                        out.push_str(if simple { ", " } else { "," });
                    }
                    if !simple {
                        new_line(depth + 1, out);
                    }
                    value.write(depth + 1, out);
                }
                if !simple {
                    new_line(depth, out);
                }
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (number, (name, value)) in members.iter().enumerate() {
                    if number > 0 {
                        out.push(',');
                    }
                    new_line(depth + 1, out);
                    write_text(name, out);
                    out.push_str(": ");
                    value.write(depth + 1, out);
                }
                if !members.is_empty() {
                    new_line(depth, out);
                }
                out.push('}');
            }
        }
    }
}

fn new_line(depth: usize, out: &mut String) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if u32::from(control) < 0x20 => _ = write!(out, "\\u{:04x}", u32::from(control)),
            other => out.push(other),
        }
    }
    out.push('"');
}
