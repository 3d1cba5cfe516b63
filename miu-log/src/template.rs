//! The message of a call site, parsed once, and its rendering with a record's arguments.
//!
//! A template is normalised by the macros: literal text with `{{` and `}}`, and one positional
//! placeholder `{}` or `{:spec}` for each argument, in order. Literal text is escaped when it is
//! parsed, arguments when they are written, so that rendered text never needs another look; layouts that escape in a way of
//! their own render it raw. What an
//! argument looks like is what `std::fmt` gives for its type and spec (see [`value`]).
//!
//! The dictionary's reader parses, `layout` renders.

mod field;
mod spec;
#[cfg(test)]
mod tests;
mod value;

use std::fmt;

use crate::codec::{Args, Corrupt};
use crate::escape::escape_into;

pub(crate) use field::write_field;
pub(crate) use spec::{Align, Spec};
pub(crate) use value::{pad, write_plain, write_value};

/// A parsed message. The default is an empty one.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Template {
    /// All literal text, escaped, without the placeholders.
    literal: String,
    placeholders: Vec<Placeholder>,
    /// The same with its literal text as it was given, where escaping has changed that.
    raw: Option<Box<Template>>,
}

/// An argument's place: after the first `literal_end` bytes of the literal text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Placeholder {
    literal_end: usize,
    spec: Spec,
}

impl Template {
    /// Reads a normalised template.
    pub(crate) fn parse(text: &str) -> Result<Template, TemplateError> {
        let mut template = Template::parse_as::<true>(text)?;
        let raw = Template::parse_as::<false>(text)?;
        if raw != template {
            template.raw = Some(Box::new(raw));
        }
        Ok(template)
    }

    fn parse_as<const ESCAPED: bool>(text: &str) -> Result<Template, TemplateError> {
        let push = |plain: &str, literal: &mut Vec<u8>| match ESCAPED {
            true => escape_into(plain, literal),
            false => literal.extend_from_slice(plain.as_bytes()),
        };
        let mut literal = Vec::with_capacity(text.len());
        let mut placeholders = Vec::new();
        let mut rest = text;
        let error = |rest: &str, problem| TemplateError { at: text.len() - rest.len(), problem };
        while let Some(brace) = rest.find(['{', '}']) {
            let (plain, from_brace) = rest.split_at(brace);
            push(plain, &mut literal);
            if let Some(after) = from_brace.strip_prefix("{{").or_else(|| from_brace.strip_prefix("}}")) {
                literal.push(from_brace.as_bytes()[0]);
                rest = after;
                continue;
            }
            let Some(inside) = from_brace.strip_prefix('{') else {
                return Err(error(from_brace, "a lone `}`: a brace is written `}}`"));
            };
            let (spec, after) = match inside.strip_prefix(':') {
                Some(spec) => Spec::parse_prefix(spec),
                None => (Spec::DISPLAY, inside),
            };
            rest = after.trim_start().strip_prefix('}').ok_or_else(|| {
                error(after, "expected `}` here: a placeholder is `{}` or `{:spec}` with a literal spec")
            })?;
            placeholders.push(Placeholder { literal_end: literal.len(), spec });
        }
        push(rest, &mut literal);
        let literal = String::from_utf8(literal).map_err(|_| error("", "not UTF-8"))?;
        Ok(Template { literal, placeholders, raw: None })
    }

    /// Appends the message with the next arguments in its placeholders.
    #[inline]
    pub(crate) fn render(&self, args: &mut Args<'_>, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        self.render_as::<true>(args, out)
    }

    /// As [`Template::render`], without escaping anything: what is appended is text, but may hold line ends and worse.
    #[inline]
    pub(crate) fn render_raw(&self, args: &mut Args<'_>, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        self.raw.as_deref().unwrap_or(self).render_as::<false>(args, out)
    }

    #[inline]
    fn render_as<const ESCAPED: bool>(&self, args: &mut Args<'_>, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        let literal = self.literal.as_bytes();
        let mut written = 0;
        for &Placeholder { literal_end, ref spec } in &self.placeholders {
            if literal_end > written {
                out.extend_from_slice(literal.get(written..literal_end).unwrap_or_default());
                written = literal_end;
            }
            let Ok(ref value) = args.next() else { return Err(Corrupt) };
            write_value::<ESCAPED>(spec, value, out);
        }
        out.extend_from_slice(literal.get(written..).unwrap_or_default());
        Ok(())
    }

    /// Steps over the arguments that [`Template::render`] would take.
    pub(crate) fn skip(&self, args: &mut Args<'_>) -> Result<(), Corrupt> {
        for _ in &self.placeholders {
            args.next()?;
        }
        Ok(())
    }
}

/// A text that is no normalised template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TemplateError {
    /// In bytes from the template's start.
    at: usize,
    problem: &'static str,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed message template at byte {}: {}", self.at, self.problem)
    }
}

impl std::error::Error for TemplateError {}
