//! The language of patterns: literal text and `{keys}`, parsed once.
//!
//! A parsed [`Pattern`] is a list of steps that `line` follows for every record. Called by the
//! configuration, where a mistake is still cheap: an unknown key is an error that names its place.

use std::fmt;
use std::str::FromStr;

use crate::escape::is_harmless;
use crate::template::Spec;

/// What a line is made of: literal text, and keys in braces that stand for parts of the record.
///
/// | Key | Stands for |
/// |---|---|
/// | `{time}` | the local time, `2026-11-20 12:00:00.123` |
/// | `{level}` | the level's name in capitals; coloured on a terminal |
/// | `{domain}` | the domain, e.g. `db` |
/// | `{process}` | `main`, or the worker's name |
/// | `{thread}` | the thread's name |
/// | `{pid}`, `{tid}` | numbers of the process and the thread |
/// | `{module}`, `{function}` | where the call stands; empty for calls of the logging methods |
/// | `{file}`, `{line}` | the same, as file and line |
/// | `{location}` | `module:function:line`, or `file:line` where that is all there is |
/// | `{message}` | the message |
/// | `{fields}` | <code> \| key=value key=value</code>, and nothing at all for a record without fields |
///
/// A key may be padded as in `format!`: `{level:<8}`, `{thread:>12}`, `{pid:*^7}`. A brace is written
/// `{{` or `}}`. Literal text may hold tabs but no other control character, so that a record is always
/// one line; the line end is not part of a pattern. The lines of an exception's detail follow, each
/// behind `    | `.
///
/// # Examples
///
/// ```
/// use miu_log::Pattern;
///
/// let pattern = Pattern::parse("{time} {level:>8} [{domain}] {message}{fields}")?;
/// assert_eq!(pattern.as_str(), "{time} {level:>8} [{domain}] {message}{fields}");
///
/// let error = Pattern::parse("{time} {mesage}").unwrap_err();
/// assert!(error.to_string().contains("did you mean {message}?"));
/// # Ok::<(), miu_log::PatternError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    steps: Vec<Step>,
}

/// One part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Literal(String),
    Key(Key),
    /// A key whose text is filled up to a width.
    Padded(Key, Spec),
}

/// What a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Time,
    Level,
    Domain,
    Process,
    Thread,
    Pid,
    Tid,
    Module,
    Function,
    Line,
    File,
    Location,
    Message,
    Fields,
}

const KEYS: [(&str, Key); 14] = [
    ("time", Key::Time),
    ("level", Key::Level),
    ("domain", Key::Domain),
    ("process", Key::Process),
    ("thread", Key::Thread),
    ("pid", Key::Pid),
    ("tid", Key::Tid),
    ("module", Key::Module),
    ("function", Key::Function),
    ("line", Key::Line),
    ("file", Key::File),
    ("location", Key::Location),
    ("message", Key::Message),
    ("fields", Key::Fields),
];

impl Pattern {
    /// The pattern of a line where none is configured.
    pub const DEFAULT: &'static str =
        "{time} | {level:<8} | {domain} | {process}/{thread} | {location} | {message}{fields}";

    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// [`PatternError`] for an unknown key, braces that do not match, a malformed width or a control
    /// character; it says at which column, and what is accepted.
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        let error = |rest: &str, problem: String| {
            let before = text.get(..text.len() - rest.len()).unwrap_or_default();
            PatternError { column: before.chars().count() + 1, problem }
        };
        let mut steps = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let after = &rest[character.len_utf8()..];
            match character {
                '{' | '}' if after.starts_with(character) => {
                    literal.push(character);
                    rest = &after[1..];
                }
                '}' => return Err(error(rest, "a lone `}`; a brace is written `}}`".to_owned())),
                '{' => {
                    if !literal.is_empty() {
                        steps.push(Step::Literal(std::mem::take(&mut literal)));
                    }
                    let name_end = after.find([':', '}', '{']).unwrap_or(after.len());
                    let (name, after_name) = after.split_at(name_end);
                    let key = KEYS.iter().find(|(known, _)| *known == name).map(|(_, key)| *key);
                    let unclosed =
                        || error(rest, "a `{` without its `}`; a brace is written `{{`".to_owned());
                    let (step, after) = match (key, after_name.strip_prefix(':')) {
                        (_, None) if !after_name.starts_with('}') => return Err(unclosed()),
                        (None, _) => return Err(error(after, unknown_key(name))),
                        (Some(key), None) => (Step::Key(key), after_name),
                        (Some(key), Some(padding)) => {
                            let (spec, after) = Spec::parse_prefix(padding);
                            if !is_padding(&spec) || !after.starts_with('}') {
                                return Err(error(
                                    padding,
                                    format!(
                                        "malformed padding of {{{name}}}; accepted is a fill character, <, ^ \
                                         or >, and a width, as in {{{name}:<8}}"
                                    ),
                                ));
                            }
                            (if spec.width == 0 { Step::Key(key) } else { Step::Padded(key, spec) }, after)
                        }
                    };
                    steps.push(step);
                    rest = after.strip_prefix('}').ok_or_else(unclosed)?;
                }
                '\t' => {
                    literal.push(character);
                    rest = after;
                }
                _ if !is_harmless(character.encode_utf8(&mut [0; 4])) => {
                    return Err(error(
                        rest,
                        format!("the control character {character:?}; a line may hold text and tabs only"),
                    ));
                }
                _ => {
                    literal.push(character);
                    rest = after;
                }
            }
        }
        if !literal.is_empty() {
            steps.push(Step::Literal(literal));
        }
        Ok(Pattern { text: text.to_owned(), steps })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }
}

/// Whether a spec asks for nothing but padding, with a fill that may stand in a line.
fn is_padding(spec: &Spec) -> bool {
    let padding =
        Spec { fill: spec.fill, align: spec.align, width: spec.width, plain: spec.plain, ..Spec::DISPLAY };
    padding == *spec && is_harmless(spec.fill.encode_utf8(&mut [0; 4]))
}

fn unknown_key(name: &str) -> String {
    let near = KEYS.iter().map(|(known, _)| (distance(name, known), known)).min();
    let hint = match near {
        Some((distance, known)) if distance <= 2 => format!("; did you mean {{{known}}}?"),
        _ => String::new(),
    };
    let known = KEYS.map(|(known, _)| format!("{{{known}}}")).join(", ");
    format!("the unknown key {name:?}{hint}; accepted are {known}")
}

/// How many letters must be added, removed or changed to make one word of the other.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, from) in left.chars().enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (at, to) in right.chars().enumerate() {
            let change = diagonal + usize::from(from != to);
            diagonal = row[at + 1];
            row[at + 1] = change.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row.pop().unwrap_or(usize::MAX)
}

impl Default for Pattern {
    /// [`Pattern::DEFAULT`].
    fn default() -> Pattern {
        use Step::{Key as Part, Padded};
        let bar = || Step::Literal(" | ".to_owned());
        let level =
            Spec { align: Some(crate::template::Align::Left), width: 8, plain: false, ..Spec::DISPLAY };
        let steps = vec![
            Part(Key::Time),
            bar(),
            Padded(Key::Level, level),
            bar(),
            Part(Key::Domain),
            bar(),
            Part(Key::Process),
            Step::Literal("/".to_owned()),
            Part(Key::Thread),
            bar(),
            Part(Key::Location),
            bar(),
            Part(Key::Message),
            Part(Key::Fields),
        ];
        Pattern { text: Pattern::DEFAULT.to_owned(), steps }
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    /// The same as [`Pattern::parse`].
    fn from_str(text: &str) -> Result<Pattern, PatternError> {
        Pattern::parse(text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// A text that is no pattern, with the column of the mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    column: usize,
    problem: String,
}

impl PatternError {
    pub(super) fn at(column: usize, problem: impl Into<String>) -> PatternError {
        PatternError { column, problem: problem.into() }
    }

    /// Where the mistake stands, in characters; the first is column 1.
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed pattern: at column {} stands {}", self.column, self.problem)
    }
}

impl std::error::Error for PatternError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn problem(text: &str) -> String {
        Pattern::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn default_pattern_is_what_its_text_says() {
        assert_eq!(Pattern::parse(Pattern::DEFAULT).unwrap(), Pattern::default());
    }

    #[test]
    fn unknown_key_names_its_column_a_near_key_and_the_accepted_ones() {
        insta::assert_snapshot!(problem("{time} {lvl}"), @r#"malformed pattern: at column 9 stands the unknown key "lvl"; did you mean {level}?; accepted are {time}, {level}, {domain}, {process}, {thread}, {pid}, {tid}, {module}, {function}, {line}, {file}, {location}, {message}, {fields}"#);
        assert!(problem("é {mesage}").starts_with("malformed pattern: at column 4 stands the unknown key"));
        assert!(problem("{mesage}").contains("did you mean {message}?"));
        assert!(problem("{threads}").contains("did you mean {thread}?"));
        assert!(!problem("{correlation}").contains("did you mean"));
        assert!(problem("{}").contains("the unknown key \"\""));
        assert!(problem("{level !}").contains("the unknown key \"level !\""));
    }

    #[test]
    fn malformed_braces_and_widths_are_refused() {
        assert_eq!(Pattern::parse("ab {time").unwrap_err().column(), 4);
        assert_eq!(Pattern::parse("ab }").unwrap_err().column(), 4);
        assert_eq!(Pattern::parse("{time{level}").unwrap_err().column(), 1);
        assert_eq!(Pattern::parse("{level:wide}").unwrap_err().column(), 8);
        assert!(problem("{level:.3}").contains("as in {level:<8}"));
        assert!(problem("{level:08}").contains("malformed padding"));
        assert!(problem("{level:8x}").contains("malformed padding"));
        assert!(problem("{level:8").contains("malformed padding"));
        assert!(problem("{level:\n<8}").contains("malformed padding"));
    }

    #[test]
    fn control_characters_are_refused_except_tab() {
        assert!(problem("{time}\n{message}").contains("column 7 stands the control character '\\n'"));
        assert!(problem("\u{1b}[1m{message}").contains("column 1"));
        assert!(problem("\u{202e}{message}").contains("column 1"));
        assert!(Pattern::parse("{time}\t{message}").is_ok());
    }

    #[test]
    fn doubled_braces_are_literal() {
        let pattern = Pattern::parse("{{{level}}}").unwrap();
        let literal = |text: &str| Step::Literal(text.to_owned());
        assert_eq!(pattern.steps(), [literal("{"), Step::Key(Key::Level), literal("}")]);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[{}:<^>a-z0-9é\\n ]{0,20}|\\PC{0,20}") {
            let _ = Pattern::parse(&text);
        }
    }
}
