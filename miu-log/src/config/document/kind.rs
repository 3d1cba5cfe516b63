//! What a key takes: how it is read, and what the schema says of it. The two stand side by side, so that they agree.

use super::node::{At, Entry, Node, Value, joined, plain_key, shown};
use super::problems::Problems;
use super::schema::Json;
use crate::config::levels::{NAMES, unknown_level};
use crate::config::select::did_you_mean;
use crate::level::Level;

/// A kind of value.
pub(super) trait Kind {
    type Value;

    /// The value; where it is none of this kind that is told.
    fn read(&self, node: &Node, path: &str, problems: &mut Problems) -> Option<Self::Value>;

    fn schema(&self) -> Json;
}

/// A scalar that this function makes something of: the error says what is wrong with it.
pub(super) struct Text<F> {
    /// What is accepted, where it is no scalar at all.
    expected: &'static str,
    /// Whether a number is as good.
    or_number: bool,
    read: F,
}

/// See [`Text`].
pub(super) fn text<T>(
    expected: &'static str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Text<impl Fn(&str) -> Result<T, String>> {
    Text { expected, or_number: false, read }
}

/// A [`Text`] for which a number is as good.
pub(super) fn text_or_number<T>(
    expected: &'static str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Text<impl Fn(&str) -> Result<T, String>> {
    Text { expected, or_number: true, read }
}

impl<T, F: Fn(&str) -> Result<T, String>> Kind for Text<F> {
    type Value = T;

    fn read(&self, node: &Node, path: &str, problems: &mut Problems) -> Option<T> {
        let Value::Scalar { text, .. } = &node.value else {
            problems.add(
                node.at,
                path,
                format_args!("here is {}; {} is expected", node.describe(), self.expected),
            );
            return None;
        };
        let without_address = |problem: String| match text.contains("://") {
            true => problem.replace(text.as_str(), shown(text).trim_matches(['"', '…'])),
            false => problem,
        };
        (self.read)(text).map_err(|problem| problems.add(node.at, path, without_address(problem))).ok()
    }

    fn schema(&self) -> Json {
        if self.or_number {
            Json::object([("type", Json::texts(["string", "integer"]))])
        } else {
            Json::of_type("string")
        }
    }
}

/// One of a few words.
pub(super) struct Word<T: 'static>(pub(super) &'static [(&'static str, T)]);

impl<T: Clone> Kind for Word<T> {
    type Value = T;

    fn read(&self, node: &Node, path: &str, problems: &mut Problems) -> Option<T> {
        let names = || self.0.iter().map(|(name, _)| *name);
        let accepted = names().collect::<Vec<_>>().join(", ");
        let Value::Scalar { text, is_plain } = &node.value else {
            problems.add(node.at, path, format_args!("here is {}; accepted are {accepted}", node.describe()));
            return None;
        };
        let found = self.0.iter().find(|(name, _)| name == text && (*is_plain || !is_truth(name)));
        if found.is_none() {
            let hint = if !*is_plain && is_truth(text) && names().any(|name| name == text) {
                "; write it without quotes".to_owned()
            } else {
                did_you_mean(text, names())
            };
            problems.add(
                node.at,
                path,
                format_args!("here is {}{hint}; accepted are {accepted}", node.describe()),
            );
        }
        found.map(|(_, value)| value.clone())
    }

    fn schema(&self) -> Json {
        let json = |name: &str| if is_truth(name) { Json::Flag(name == "true") } else { Json::text(name) };
        Json::object([("enum", Json::List(self.0.iter().map(|(name, _)| json(name)).collect()))])
    }
}

fn is_truth(name: &str) -> bool {
    matches!(name, "true" | "false")
}

/// `true` or `false`.
pub(super) const FLAG: Word<bool> = Word(&[("true", true), ("false", false)]);

/// A level's name.
pub(super) struct LevelName;

impl Kind for LevelName {
    type Value = Level;

    fn read(&self, node: &Node, path: &str, problems: &mut Problems) -> Option<Level> {
        let Value::Scalar { text, .. } = &node.value else {
            let accepted = NAMES.join(", ");
            problems.add(node.at, path, format_args!("here is {}; accepted are {accepted}", node.describe()));
            return None;
        };
        // An address in the place of a level may be a secret in that of another key.
        let unknown = || if text.contains("://") { unknown_level("an address") } else { unknown_level(text) };
        text.parse().map_err(|_| problems.add(node.at, path, unknown())).ok()
    }

    fn schema(&self) -> Json {
        Json::reference(LEVEL)
    }
}

/// What levels are defined as in the schema.
pub(super) const LEVEL: &str = "level";

impl LevelName {
    pub(super) fn definition() -> Json {
        let capitals: Vec<&str> = Level::ALL.iter().map(|level| level.as_str()).collect();
        let names = NAMES.into_iter().chain(["warn", "err", "fatal"]).chain(capitals);
        Json::object([("enum", Json::texts(names))])
    }
}

/// One of them, or a list with at least one.
pub(super) struct OneOrMore<K>(pub(super) K);

impl<K: Kind> Kind for OneOrMore<K> {
    type Value = Vec<K::Value>;

    fn read(&self, node: &Node, path: &str, problems: &mut Problems) -> Option<Vec<K::Value>> {
        let Value::List(nodes) = &node.value else {
            return self.0.read(node, path, problems).map(|value| vec![value]);
        };
        if nodes.is_empty() {
            problems.add(node.at, path, "the list is empty; at least one value is expected");
            return None;
        }
        // All of them, so that all that is wrong is told.
        let read = |(number, node)| self.0.read(node, &format!("{path}[{number}]"), problems);
        let values: Vec<Option<K::Value>> = nodes.iter().enumerate().map(read).collect();
        values.into_iter().collect()
    }

    fn schema(&self) -> Json {
        let one = self.0.schema();
        let list = Json::of_type("array").with("items", one.clone()).with("minItems", Json::Number(1));
        Json::any_of([one, list])
    }
}

/// Any number of tables.
pub(super) struct ListOf<K>(pub(super) K);

impl<K: Kind> Kind for ListOf<K> {
    type Value = Vec<K::Value>;

    fn read(&self, node: &Node, path: &str, problems: &mut Problems) -> Option<Vec<K::Value>> {
        let nodes = match &node.value {
            Value::Nothing => &[],
            Value::List(nodes) => &**nodes,
            _ => {
                problems.add(node.at, path, format_args!("here is {}; a list is expected", node.describe()));
                return None;
            }
        };
        let read = |(number, node)| self.0.read(node, &format!("{path}[{number}]"), problems);
        Some(nodes.iter().enumerate().filter_map(read).collect())
    }

    fn schema(&self) -> Json {
        Json::of_type("array").with("items", self.0.schema())
    }
}

/// The entries of a table; of nothing there are none.
pub(super) fn entries_of<'a>(node: &'a Node, path: &str, problems: &mut Problems) -> Option<&'a [Entry]> {
    match &node.value {
        Value::Nothing => Some(&[]),
        Value::Table(entries) => Some(entries),
        _ => {
            problems.add(node.at, path, format_args!("here is {}; a table is expected", node.describe()));
            None
        }
    }
}

/// A table with any keys: each with its place in words, and its value.
pub(super) struct MapOf<K>(pub(super) K);

impl<K: Kind> Kind for MapOf<K> {
    type Value = Vec<(String, String, K::Value)>;

    fn read(&self, node: &Node, path: &str, problems: &mut Problems) -> Option<Self::Value> {
        let entries = entries_of(node, path, problems)?;
        let read = |Entry { key, at, node }: &Entry| {
            let path = joined(path, key);
            let value = self.0.read(node, &path, problems)?;
            Some((key.clone(), problems.place(*at, &path), value))
        };
        Some(entries.iter().filter_map(read).collect())
    }

    fn schema(&self) -> Json {
        Json::of_type("object").with("additionalProperties", self.0.schema())
    }
}

/// A kind that is defined once in the schema, and used in several places.
pub(super) struct Defined<K>(pub(super) &'static str, pub(super) K);

impl<K: Kind> Kind for Defined<K> {
    type Value = K::Value;

    fn read(&self, node: &Node, path: &str, problems: &mut Problems) -> Option<K::Value> {
        self.1.read(node, path, problems)
    }

    fn schema(&self) -> Json {
        Json::reference(self.0)
    }
}

impl<K: Kind> Defined<K> {
    pub(super) fn definition(&self) -> (&'static str, Json) {
        (self.0, self.1.schema())
    }
}

/// A table is one kind, everything else another one.
pub(super) struct TableOr<K, L>(pub(super) K, pub(super) L);

impl<K: Kind, L: Kind<Value = K::Value>> Kind for TableOr<K, L> {
    type Value = K::Value;

    fn read(&self, node: &Node, path: &str, problems: &mut Problems) -> Option<K::Value> {
        match node.value {
            // A key without a value is the beginning of a table, of which nothing is left.
            Value::Nothing | Value::Table(_) => self.0.read(node, path, problems),
            _ => self.1.read(node, path, problems),
        }
    }

    fn schema(&self) -> Json {
        Json::any_of([self.1.schema(), self.0.schema()])
    }
}

/// What a key does to what is being made.
trait Setting<T> {
    fn read(&self, node: &Node, path: &str, problems: &mut Problems, target: &mut T);
    fn schema(&self) -> Json;
}

struct Set<K, F>(K, F);

impl<T, K: Kind, F: Fn(&mut T, K::Value)> Setting<T> for Set<K, F> {
    fn read(&self, node: &Node, path: &str, problems: &mut Problems, target: &mut T) {
        if let Some(value) = self.0.read(node, path, problems) {
            (self.1)(target, value);
        }
    }

    fn schema(&self) -> Json {
        self.0.schema()
    }
}

/// A key of a table that makes a `T`.
pub(super) struct Key<T> {
    pub(super) name: &'static str,
    /// Another name for the same.
    alias: Option<&'static str>,
    /// The method of `LogConfig`, where that is called otherwise: who writes it is told the key.
    method: Option<&'static str>,
    about: &'static str,
    default: &'static str,
    setting: Box<dyn Setting<T>>,
}

/// See [`Key`]. `default` is what holds without it.
pub(super) fn key<T: 'static, K: Kind + 'static>(
    name: &'static str,
    default: &'static str,
    about: &'static str,
    kind: K,
    set: impl Fn(&mut T, K::Value) + 'static,
) -> Key<T> {
    Key { name, alias: None, method: None, about, default, setting: Box::new(Set(kind, set)) }
}

impl<T> Key<T> {
    pub(super) fn or(self, alias: &'static str) -> Key<T> {
        Key { alias: Some(alias), ..self }
    }

    pub(super) fn by_method(self, method: &'static str) -> Key<T> {
        Key { method: Some(method), ..self }
    }

    fn is(&self, name: &str) -> bool {
        self.name == name || self.alias == Some(name)
    }
}

/// A table of these keys and no others; `begin` is what is made of an empty one, given its place.
pub(super) struct Table<T> {
    pub(super) keys: Vec<Key<T>>,
    pub(super) begin: fn() -> T,
    /// What is to hold for all keys together: the problem, if there is one.
    pub(super) check: fn(&T) -> Result<(), String>,
}

impl<T> Table<T> {
    /// Reads the entries into `target`. Keys for which `is_foreign` says so are left alone.
    pub(super) fn read_into(
        &self,
        entries: &[Entry],
        path: &str,
        problems: &mut Problems,
        target: &mut T,
        is_foreign: impl Fn(&str) -> bool,
    ) {
        let mut given: Vec<(&str, At)> = Vec::new();
        for Entry { key, at, node } in entries {
            // A key that can be none may be a value with its key left out, and that may be a secret.
            let path = if plain_key(key) { joined(path, key) } else { path.to_owned() };
            let Some(known) = self.keys.iter().find(|known| known.is(key)) else {
                if !is_foreign(key) {
                    let names = || self.keys.iter().flat_map(|key| [Some(key.name), key.alias]).flatten();
                    let by_method = self.keys.iter().find(|known| known.method == Some(key));
                    let hint = match by_method {
                        Some(known) => format!("; did you mean {:?}?", known.name),
                        None => did_you_mean(key, names()),
                    };
                    let accepted = self.keys.iter().map(|key| key.name).collect::<Vec<_>>().join(", ");
                    let unknown = if plain_key(key) {
                        format!("the unknown key {}", shown(key))
                    } else {
                        "here is something that is no key".to_owned()
                    };
                    problems.add(*at, &path, format_args!("{unknown}{hint}; accepted are {accepted}"));
                }
                continue;
            };
            let before = given.iter().find(|(name, _)| *name == known.name);
            if let Some((_, At { line, column })) = before {
                let text = format!(
                    "{:?} is given at {line}:{column} already, where it may have its other name",
                    known.name
                );
                problems.add(*at, &path, text);
            }
            given.push((known.name, *at));
            let wrong_before = problems.count();
            known.setting.read(node, &path, problems, target);
            if !known.default.is_empty() {
                problems.note_default(wrong_before, known.default);
            }
        }
    }

    /// Whether there is such a key.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.keys.iter().any(|key| key.is(name))
    }

    /// The members of the schema's `properties`.
    pub(super) fn properties(&self) -> Json {
        let mut members = Vec::new();
        for key in &self.keys {
            let mut about = key.about.to_owned();
            if !key.default.is_empty() {
                about.push_str(&format!(" Default: {}.", key.default));
            }
            let described = |about: &str| key.setting.schema().with("description", Json::text(about));
            members.push((key.name.to_owned(), described(&about)));
            if let Some(alias) = key.alias {
                members.push((alias.to_owned(), described(&format!("The same as {}.", key.name))));
            }
        }
        Json::Object(members)
    }
}

impl<T> Kind for Table<T> {
    type Value = T;

    fn read(&self, node: &Node, path: &str, problems: &mut Problems) -> Option<T> {
        let entries = entries_of(node, path, problems)?;
        let mut target = (self.begin)();
        self.read_into(entries, path, problems, &mut target, |_| false);
        if let Err(problem) = (self.check)(&target) {
            problems.add(node.at, path, problem);
            return None;
        }
        Some(target)
    }

    fn schema(&self) -> Json {
        Json::of_type("object")
            .with("additionalProperties", Json::Flag(false))
            .with("properties", self.properties())
    }
}

/// A table with secrets in it: what stands in its place is not shown, for it may be one.
pub(super) struct Closed<T>(pub(super) Table<T>);

impl<T> Kind for Closed<T> {
    type Value = T;

    fn read(&self, node: &Node, path: &str, problems: &mut Problems) -> Option<T> {
        closed_entries_of(node, path, problems)?;
        self.0.read(node, path, problems)
    }

    fn schema(&self) -> Json {
        self.0.schema()
    }
}

/// As [`entries_of`], without a word of what stands in the place of a table.
pub(super) fn closed_entries_of<'a>(
    node: &'a Node,
    path: &str,
    problems: &mut Problems,
) -> Option<&'a [Entry]> {
    if matches!(node.value, Value::Scalar { .. }) {
        problems.add(node.at, path, "here is a single value; a table is expected");
        return None;
    }
    entries_of(node, path, problems)
}
