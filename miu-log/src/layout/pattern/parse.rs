//! The language of patterns, read: `{keys}`, `<tags>` and literal text between them. Called by `pattern`.

use super::{Field, Key, PatternError, Step};
use crate::escape::{escaped, is_harmless};
use crate::layout::colour::TAGS;
use crate::layout::time_format::TimeFormat;
use crate::template::Spec;

/// Widest padding: more columns than any terminal has.
pub(in crate::layout) const WIDEST: usize = 1_000;

const KEYS: [(&str, Key); 25] = [
    ("time", Key::Time(TimeFormat::Usual)),
    ("level", Key::Level),
    ("level.name", Key::Level),
    ("level.no", Key::LevelNumber),
    ("domain", Key::Domain),
    ("process", Key::Process),
    ("process.name", Key::Process),
    ("process.id", Key::Pid),
    ("thread", Key::Thread),
    ("thread.name", Key::Thread),
    ("thread.id", Key::Tid),
    ("pid", Key::Pid),
    ("tid", Key::Tid),
    ("module", Key::Module),
    ("name", Key::Name),
    ("function", Key::Function),
    ("line", Key::Line),
    ("file", Key::File),
    ("file.name", Key::FileName),
    ("file.path", Key::File),
    ("location", Key::Location),
    ("message", Key::Message),
    ("fields", Key::Fields),
    ("rest", Key::Rest(Vec::new())),
    ("extra", Key::Extra),
];

/// Where the lines of an exception stand: behind the line, whatever the pattern says.
const EXCEPTION: &str = "exception";

/// A mistake, and what is left of the text where it stands.
type Mistake<'a> = (&'a str, String);

/// The steps of a pattern.
pub(super) fn steps(text: &str) -> Result<Vec<Step>, PatternError> {
    let mut parser = Parser::default();
    let mut rest = text;
    while !rest.is_empty() {
        rest = parser.step(rest).map_err(|(rest, problem)| {
            let before = text.get(..text.len() - rest.len()).unwrap_or_default();
            PatternError::at(before.chars().count() + 1, problem)
        })?;
    }
    if let Some((_, open)) = parser.open.last() {
        let column = text.get(..text.len() - open).unwrap_or_default().chars().count() + 1;
        return Err(PatternError::at(column, "a tag that is not closed; `</>` closes the latest one"));
    }
    parser.end_literal();
    name_the_rest(&mut parser.steps);
    Ok(parser.steps)
}

/// Tells `{rest}` which fields the pattern names itself.
fn name_the_rest(steps: &mut [Step]) {
    let named = |step: &Step| match step {
        Step::Key(Key::Field(field)) | Step::Padded(Key::Field(field), _) => Some((**field).clone()),
        _ => None,
    };
    let all: Vec<Field> = steps.iter().filter_map(named).collect();
    for step in steps {
        if let Step::Key(Key::Rest(named)) | Step::Padded(Key::Rest(named), _) = step {
            named.clone_from(&all);
        }
    }
}

#[derive(Default)]
struct Parser<'a> {
    steps: Vec<Step>,
    literal: String,
    /// Open tags, each with how long the text was from it on.
    open: Vec<(&'a str, usize)>,
}

impl<'a> Parser<'a> {
    /// Reads one step or character. What is left behind it.
    fn step(&mut self, rest: &'a str) -> Result<&'a str, Mistake<'a>> {
        let Some(character) = rest.chars().next() else { return Ok(rest) };
        let after = &rest[character.len_utf8()..];
        match character {
            '{' | '}' if after.starts_with(character) => {
                self.literal.push(character);
                Ok(&after[1..])
            }
            '}' => Err((rest, "a lone `}`; a brace is written `}}`".to_owned())),
            '{' => {
                self.end_literal();
                let (step, after) = key(rest)?;
                self.steps.extend(step);
                Ok(after)
            }
            '<' => self.tag(rest),
            '\\' if after.starts_with('<') => {
                self.literal.push('<');
                Ok(&after[1..])
            }
            // Patterns of other loggers end with a line for the exception.
            '\n' if after == "{exception}" => Ok(""),
            _ if character != '\t' && !is_harmless(character.encode_utf8(&mut [0; 4])) => Err((
                rest,
                format!("the control character {character:?}; a line may hold text and tabs only"),
            )),
            _ => {
                self.literal.push(character);
                Ok(after)
            }
        }
    }

    fn end_literal(&mut self) {
        if !self.literal.is_empty() {
            self.steps.push(Step::Literal(std::mem::take(&mut self.literal)));
        }
    }

    /// Reads what begins with `<`: a tag, or text where it has not the form of one.
    fn tag(&mut self, rest: &'a str) -> Result<&'a str, Mistake<'a>> {
        // As wide as the tags of other loggers, such as `<RED>` and `<fg #00005f>`: what is not known is told, and not written into each line.
        let of_a_tag =
            |other: char| other.is_ascii_alphanumeric() || matches!(other, '-' | '/' | '#' | ',' | ' ');
        let name_end = rest[1..].find(|other| !of_a_tag(other));
        let name = name_end.map_or("", |end| &rest[1..=end]);
        let after = &rest[1 + name.len()..];
        let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/');
        let Some(after) = after.strip_prefix('>').filter(|_| begins) else {
            self.literal.push('<');
            return Ok(&rest[1..]);
        };
        self.end_literal();
        if let Some(closed) = name.strip_prefix('/') {
            match self.open.pop() {
                Some((open, _)) if closed.is_empty() || closed == open => self.steps.push(Step::End),
                Some((open, _)) => {
                    return Err((
                        rest,
                        format!("<{name}>, but the open tag is <{open}>; a `<` is written `\\<`"),
                    ));
                }
                None => {
                    return Err((rest, format!("<{name}>, but no tag is open; a `<` is written `\\<`")));
                }
            }
            return Ok(after);
        }
        let Some((_, tag)) = TAGS.iter().find(|(known, _)| *known == name) else {
            let known = TAGS.map(|(known, _)| format!("<{known}>")).join(", ");
            let hint = nearest(&name.to_ascii_lowercase(), TAGS.iter().map(|(known, _)| *known))
                .map_or_else(String::new, |near| format!("; did you mean <{near}>?"));
            return Err((
                rest,
                format!("the unknown tag <{name}>{hint}; accepted are {known}, and a `<` is written `\\<`"),
            ));
        };
        self.open.push((name, rest.len()));
        self.steps.push(Step::Begin(*tag));
        Ok(after)
    }
}

/// Reads a key with its braces. What is left behind it.
fn key(braced: &str) -> Result<(Option<Step>, &str), Mistake<'_>> {
    let unclosed = || (braced, "a `{` without its `}`; a brace is written `{{`".to_owned());
    let text = braced.strip_prefix('{').ok_or_else(unclosed)?;
    let (name, key, after) = match text.strip_prefix("extra[") {
        Some(field) => {
            let (field, after) = one_field(text, field)?;
            (&text[..text.len() - after.len()], Some(field), after)
        }
        None => {
            let (name, after) = text.split_at(text.find([':', '}', '{']).unwrap_or(text.len()));
            let key = KEYS.iter().find(|(known, _)| *known == name).map(|(_, key)| key.clone());
            (name, key, after)
        }
    };
    if !after.starts_with([':', '}']) {
        return Err(unclosed());
    }
    if name == EXCEPTION {
        return match after {
            "}" => Ok((None, "")),
            _ => Err((
                text,
                "{exception} before the end; the lines of an exception follow the whole line".to_owned(),
            )),
        };
    }
    let Some(key) = key else { return Err((text, unknown_key(name))) };
    let Some(padding) = after.strip_prefix(':') else {
        return Ok((Some(Step::Key(key)), &after[1..]));
    };
    let (spec, after) = Spec::parse_prefix(padding);
    if is_padding(&spec)
        && let Some(after) = after.strip_prefix('}')
    {
        if usize::from(spec.width) > WIDEST {
            return Err((
                padding,
                format!("a width of more than {WIDEST} columns; at most {WIDEST} are accepted"),
            ));
        }
        return Ok((Some(if spec.width == 0 { Step::Key(key) } else { Step::Padded(key, spec) }), after));
    }
    if matches!(key, Key::Time(_)) {
        let (format, after) = padding.split_once('}').ok_or_else(unclosed)?;
        let format = TimeFormat::parse(format).map_err(|(at, problem)| (&padding[at..], problem))?;
        return Ok((Some(Step::Key(Key::Time(format))), after));
    }
    Err((
        padding,
        format!(
            "malformed padding of {{{name}}}; accepted is a fill character, <, ^ or >, and a width, as in {{{name}:<8}}"
        ),
    ))
}

/// Reads `name]` or `name]|default`. What is left behind it.
fn one_field<'a>(text: &'a str, inside: &'a str) -> Result<(Key, &'a str), Mistake<'a>> {
    let name_end = inside.find(['[', ']', '{', '}']).unwrap_or(inside.len());
    let (name, after) = inside.split_at(name_end);
    let after = after
        .strip_prefix(']')
        .filter(|_| !name.is_empty())
        .ok_or_else(|| (text, "no name of a field; one is written {extra[request_id]}".to_owned()))?;
    let (default, after) = match after.strip_prefix('|') {
        Some(after) => after.split_at(after.find([':', '{', '}']).unwrap_or(after.len())),
        None => ("", after),
    };
    if !is_harmless(default) {
        return Err((text, "a control character in the text for a record without the field".to_owned()));
    }
    Ok((
        Key::Field(Box::new(Field {
            name: escaped(name),
            given: name.to_owned(),
            default: default.to_owned(),
        })),
        after,
    ))
}

/// Whether a spec asks for nothing but padding, with a fill that may stand in a line.
fn is_padding(spec: &Spec) -> bool {
    let padding =
        Spec { fill: spec.fill, align: spec.align, width: spec.width, plain: spec.plain, ..Spec::DISPLAY };
    padding == *spec && is_harmless(spec.fill.encode_utf8(&mut [0; 4]))
}

fn unknown_key(name: &str) -> String {
    let hint = nearest(name, KEYS.iter().map(|(known, _)| *known))
        .map_or_else(String::new, |near| format!("; did you mean {{{near}}}?"));
    let known = KEYS.map(|(known, _)| format!("{{{known}}}")).join(", ");
    format!("the unknown key {name:?}{hint}; accepted are {known}, {{extra[key]}}, {{exception}}")
}

/// The known word that is most like this one, if any is.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.map(|known| (distance(name, known), known)).min();
    near.filter(|(distance, _)| *distance <= 2).map(|(_, known)| known)
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
