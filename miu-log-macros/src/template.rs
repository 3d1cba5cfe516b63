//! The grammar of format strings, as `std::fmt` has it, and the normal form the listener reads.
//!
//! The macro understands the whole grammar so that it can say what is wrong with a message in its
//! own words, and so that it can bring every message into one normal form: literal text with
//! `{{` and `}}`, and one purely positional placeholder per use. Called by `lower::record`.

use std::fmt::Write as _;

/// A message, cut into literal text and placeholders.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Template {
    pub(crate) pieces: Vec<Piece>,
}

/// A part of a message.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece {
    /// Text as it is shown, escapes resolved.
    Text(String),
    /// A place where a value is shown.
    Use(Placeholder),
}

/// `{argument:spec}`.
#[derive(Debug, PartialEq)]
pub(crate) struct Placeholder {
    /// The placeholder as the user wrote it, for messages.
    pub(crate) source: String,
    /// Where it begins: the character's number in the message, from 1.
    pub(crate) column: usize,
    pub(crate) argument: Reference,
    pub(crate) spec: Spec,
}

/// Which argument is meant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reference {
    /// The next positional one.
    Next,
    /// The positional one of this number.
    Index(usize),
    /// A named or captured one.
    Name(String),
}

/// What follows the colon.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Spec {
    pub(crate) fill: Option<char>,
    pub(crate) align: Option<char>,
    pub(crate) sign: Option<char>,
    pub(crate) alternate: bool,
    pub(crate) zero: bool,
    pub(crate) width: Count,
    pub(crate) precision: Count,
    pub(crate) kind: Kind,
}

/// A width or a precision.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Count {
    #[default]
    None,
    /// Written as a number.
    Literal(u16),
    /// Taken from an argument: `2$`, `name$`, or `*` for the next positional one.
    Argument(Reference),
}

/// The trait that formats the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Display,
    Debug,
    DebugLowerHex,
    DebugUpperHex,
    Pointer,
    LowerHex,
    UpperHex,
    Octal,
    Binary,
    LowerExp,
    UpperExp,
}

impl Kind {
    const ALL: [(Kind, &'static str); 11] = [
        (Kind::Display, ""),
        (Kind::Debug, "?"),
        (Kind::DebugLowerHex, "x?"),
        (Kind::DebugUpperHex, "X?"),
        (Kind::Pointer, "p"),
        (Kind::LowerHex, "x"),
        (Kind::UpperHex, "X"),
        (Kind::Octal, "o"),
        (Kind::Binary, "b"),
        (Kind::LowerExp, "e"),
        (Kind::UpperExp, "E"),
    ];

    fn as_str(self) -> &'static str {
        Kind::ALL.into_iter().find(|(kind, _)| *kind == self).map_or("", |(_, text)| text)
    }
}

/// The forms a placeholder may have, for messages.
pub(crate) const FORMS: &str = "a placeholder is `{}`, `{0}` or `{name}`, with options after a colon: `{:[[fill]<^>][+][#][0][width][.precision][type]}`";

const NOT_CLOSED: &str = "this `{` is never closed; write `{{` to show a `{`";

/// What is wrong with a message.
#[derive(Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) column: usize,
    pub(crate) what: String,
}

/// Cuts `text` into pieces, or says everything that is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Template, Vec<Fault>> {
    let mut cursor = Cursor { chars: text.chars().collect(), at: 0 };
    let mut template = Template::default();
    let mut literal = String::new();
    let mut faults = Vec::new();
    while let Some(c) = cursor.bump() {
        match c {
            '{' if cursor.eat('{') => literal.push('{'),
            '}' if cursor.eat('}') => literal.push('}'),
            '}' => faults.push(Fault {
                column: cursor.at,
                what: "this `}` closes nothing; write `}}` to show a `}`".to_owned(),
            }),
            '{' => {
                let start = cursor.at - 1;
                match placeholder(&mut cursor) {
                    Ok((argument, spec)) => {
                        if !literal.is_empty() {
                            template.pieces.push(Piece::Text(std::mem::take(&mut literal)));
                        }
                        template.pieces.push(Piece::Use(Placeholder {
                            source: cursor.chars[start..cursor.at].iter().collect(),
                            column: start + 1,
                            argument,
                            spec,
                        }));
                    }
                    Err(what) => {
                        // Go on behind this placeholder, so that the next mistake is found too.
                        while cursor.peek().is_some_and(|c| c != '}' && c != '{') {
                            cursor.at += 1;
                        }
                        let closed = cursor.eat('}');
                        let source: String = cursor.chars[start..cursor.at].iter().collect();
                        let what = if closed { format!("`{source}`: {what}") } else { NOT_CLOSED.to_owned() };
                        faults.push(Fault { column: start + 1, what });
                    }
                }
            }
            c => literal.push(c),
        }
    }
    if !literal.is_empty() {
        template.pieces.push(Piece::Text(literal));
    }
    if faults.is_empty() { Ok(template) } else { Err(faults) }
}

impl Spec {
    /// Whether the listener can apply this spec to an encoded value: nothing in it depends on
    /// another argument or on the caller's memory, and its type is one of the six plain ones.
    pub(crate) fn is_deferrable(&self) -> bool {
        let counts_are_literal =
            ![&self.width, &self.precision].into_iter().any(|count| matches!(count, Count::Argument(_)));
        let kind = match self.kind {
            Kind::DebugLowerHex | Kind::DebugUpperHex | Kind::Pointer => false,
            Kind::Debug => !self.alternate,
            _ => true,
        };
        counts_are_literal && kind && !matches!(self.fill, Some('{' | '}'))
    }

    /// The spec as text, with `width` and `precision` as the numbers of the arguments that give them.
    pub(crate) fn render(&self, width: Option<usize>, precision: Option<usize>) -> String {
        let mut out = String::new();
        out.extend(self.align.and(self.fill));
        out.extend(self.align);
        out.extend(self.sign);
        out.extend(self.alternate.then_some('#'));
        out.extend(self.zero.then_some('0'));
        // Writing to a String cannot fail.
        let _ = match (width, &self.width) {
            (Some(index), _) => write!(out, "{index}$"),
            (None, Count::Literal(number)) => write!(out, "{number}"),
            _ => Ok(()),
        };
        let _ = match (precision, &self.precision) {
            (Some(index), _) => write!(out, ".{index}$"),
            (None, Count::Literal(number)) => write!(out, ".{number}"),
            _ => Ok(()),
        };
        out.push_str(self.kind.as_str());
        out
    }
}

/// A placeholder with this spec and no argument: `{}` or `{:spec}`.
pub(crate) fn positional(spec: &str) -> String {
    if spec.is_empty() { "{}".to_owned() } else { format!("{{:{spec}}}") }
}

/// Literal text with its braces doubled.
pub(crate) fn escape(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

/// The characters of a message and how many of them have been read.
struct Cursor {
    chars: Vec<char>,
    at: usize,
}

impl Cursor {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn peek_second(&self) -> Option<char> {
        self.chars.get(self.at + 1).copied()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.at += usize::from(found);
        found
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.peek().is_some_and(&accept) {
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect()
    }
}

/// What stands between the braces, and the closing brace.
fn placeholder(cursor: &mut Cursor) -> Result<(Reference, Spec), String> {
    let argument = reference(cursor)?.unwrap_or(Reference::Next);
    let spec = if cursor.eat(':') { spec(cursor)? } else { Spec::default() };
    cursor.take_while(char::is_whitespace);
    match cursor.peek() {
        Some('}') => {
            cursor.at += 1;
            Ok((argument, spec))
        }
        Some(c @ ('.' | '(' | '[')) if matches!(argument, Reference::Name(_)) && spec == Spec::default() => {
            Err(format!(
                "`{c}` cannot stand here, only a plain name can be captured; pass the expression as an argument after the message"
            ))
        }
        Some('{') | None => Err(NOT_CLOSED.to_owned()),
        Some(c) => Err(format!("`{c}` cannot stand here; {FORMS}")),
    }
}

/// An argument's number or name, if there is one.
fn reference(cursor: &mut Cursor) -> Result<Option<Reference>, String> {
    match cursor.peek() {
        Some(c) if c.is_ascii_digit() => {
            let digits = cursor.take_while(|c| c.is_ascii_digit());
            let index = digits.parse::<u16>().map_err(|_| format!("there is no argument number {digits}"))?;
            Ok(Some(Reference::Index(usize::from(index))))
        }
        Some(c) if begins_name(c) => {
            let name = cursor.take_while(continues_name);
            match name.as_str() {
                "r" if cursor.peek() == Some('#') => {
                    Err("a name in a message is written without `r#`, keyword or not".to_owned())
                }
                "_" => Err("`_` is not a name".to_owned()),
                "crate" | "super" | "Self" => Err(format!("`{name}` is not a value")),
                _ => Ok(Some(Reference::Name(name))),
            }
        }
        _ => Ok(None),
    }
}

fn begins_name(c: char) -> bool {
    // Whether the compiler takes a letter outside ASCII in a name is checked with the compiler's
    // own table when the name becomes a token.
    c == '_' || c.is_alphabetic()
}

fn continues_name(c: char) -> bool {
    begins_name(c) || c.is_alphanumeric()
}

fn spec(cursor: &mut Cursor) -> Result<Spec, String> {
    let mut spec = Spec::default();
    let is_align = |c: Option<char>| matches!(c, Some('<' | '^' | '>'));
    if is_align(cursor.peek_second()) {
        spec.fill = cursor.bump();
        spec.align = cursor.bump();
    } else if is_align(cursor.peek()) {
        spec.align = cursor.bump();
    }
    if matches!(cursor.peek(), Some('+' | '-')) {
        spec.sign = cursor.bump();
    }
    spec.alternate = cursor.eat('#');
    // `0$` is a width taken from argument 0, not a flag.
    if cursor.peek() == Some('0') && cursor.peek_second() != Some('$') {
        spec.zero = cursor.eat('0');
    }
    spec.width = count(cursor, "width")?;
    if cursor.eat('.') {
        spec.precision =
            if cursor.eat('*') { Count::Argument(Reference::Next) } else { count(cursor, "precision")? };
    }
    let kind = if cursor.eat('?') {
        "?".to_owned()
    } else {
        let mut word = cursor.take_while(continues_name);
        if matches!(word.as_str(), "x" | "X") && cursor.eat('?') {
            word.push('?');
        }
        word
    };
    spec.kind = Kind::ALL
        .into_iter()
        .find(|(_, text)| *text == kind)
        .map(|(kind, _)| kind)
        .ok_or_else(|| unknown_kind(&kind))?;
    Ok(spec)
}

fn unknown_kind(kind: &str) -> String {
    let hint = match kind {
        "d" | "i" | "u" | "s" | "f" | "v" | "D" | "S" => {
            "; `{}` shows numbers and text, `{:.2}` two decimals"
        }
        "g" | "G" => "; `{}` shows floats in full, `{:e}` with an exponent",
        _ => "",
    };
    format!(
        "`{kind}` is not a format type; accepted are none, `?`, `x?`, `X?`, `x`, `X`, `o`, `b`, `e`, `E` and `p`{hint}"
    )
}

/// A width or precision: `8`, `1$`, `name$`, or nothing.
fn count(cursor: &mut Cursor, what: &str) -> Result<Count, String> {
    let start = cursor.at;
    if cursor.peek().is_some_and(|c| c.is_ascii_digit()) {
        let digits = cursor.take_while(|c| c.is_ascii_digit());
        let number =
            digits.parse::<u16>().map_err(|_| format!("the {what} {digits} is above the limit of 65535"))?;
        return Ok(if cursor.eat('$') {
            Count::Argument(Reference::Index(usize::from(number)))
        } else {
            Count::Literal(number)
        });
    }
    if cursor.peek().is_some_and(begins_name) {
        let name = cursor.take_while(continues_name);
        if cursor.eat('$') {
            return match name.as_str() {
                "_" | "crate" | "super" | "Self" => Err(format!("`{name}` is not a value")),
                _ => Ok(Count::Argument(Reference::Name(name))),
            };
        }
        // It was the format type.
        cursor.at = start;
    }
    Ok(Count::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Placeholder {
        let mut pieces = parse(text).unwrap().pieces;
        assert_eq!(pieces.len(), 1, "{text}: {pieces:?}");
        match pieces.remove(0) {
            Piece::Use(placeholder) => placeholder,
            Piece::Text(text) => panic!("{text:?} is text"),
        }
    }

    fn fault(text: &str) -> String {
        let faults = parse(text).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults[0].what.clone()
    }

    #[test]
    fn doubled_braces_are_text() {
        assert_eq!(parse("a{{b}}c").unwrap().pieces, [Piece::Text("a{b}c".to_owned())]);
        assert_eq!(escape("a{b}c"), "a{{b}}c");
    }

    #[test]
    fn an_argument_is_next_numbered_or_named() {
        assert_eq!(only("{}").argument, Reference::Next);
        assert_eq!(only("{ }").argument, Reference::Next);
        assert_eq!(only("{007}").argument, Reference::Index(7));
        assert_eq!(only("{größe_1}").argument, Reference::Name("größe_1".to_owned()));
        assert_eq!(only("{type}").argument, Reference::Name("type".to_owned()));
    }

    #[test]
    fn every_part_of_a_spec_is_kept() {
        let spec = only("{v:é^+#012.3e}").spec;
        assert_eq!(spec.render(None, None), "é^+#012.3e");
        assert!(spec.is_deferrable());
    }

    #[test]
    fn specs_survive_normalisation() {
        for text in [
            "",
            "?",
            "#?",
            "x?",
            "X?",
            "#x?",
            "x",
            "X",
            "#010b",
            "o",
            "e",
            "E",
            "p",
            "<<5",
            "^9",
            ">>9",
            "+",
            "-",
            "+08.3",
            "5",
            "05",
            "00",
            ".0",
            ".7?",
            "->5",
            "0",
            "#X",
            "<",
            "*<+#07.2E",
        ] {
            assert_eq!(only(&positional(text)).spec.render(None, None), text);
        }
    }

    #[test]
    fn widths_and_precisions_may_come_from_arguments() {
        let spec = only("{:>w$.2$}").spec;
        assert_eq!(spec.width, Count::Argument(Reference::Name("w".to_owned())));
        assert_eq!(spec.precision, Count::Argument(Reference::Index(2)));
        assert_eq!(spec.render(Some(1), Some(2)), ">1$.2$");
        assert_eq!(only("{:.*}").spec.precision, Count::Argument(Reference::Next));
        assert_eq!(only("{:x$}").spec.width, Count::Argument(Reference::Name("x".to_owned())));
    }

    #[test]
    fn zero_before_a_dollar_is_an_argument_not_a_flag() {
        let spec = only("{:0$}").spec;
        assert!(!spec.zero);
        assert_eq!(spec.width, Count::Argument(Reference::Index(0)));
        let spec = only("{:00$}").spec;
        assert!(spec.zero);
        assert_eq!(spec.width, Count::Argument(Reference::Index(0)));
    }

    #[test]
    fn what_needs_the_caller_is_not_deferred() {
        for text in ["{:#?}", "{:p}", "{:x?}", "{:#X?}", "{:w$}", "{:.*}", "{:.1$}", "{:}<5}", "{:{>5}"] {
            assert!(!only(text).spec.is_deferrable(), "{text}");
        }
        for text in ["{}", "{:?}", "{:#x}", "{:#}", "{:>8.2}", "{:e}"] {
            assert!(only(text).spec.is_deferrable(), "{text}");
        }
    }

    #[test]
    fn white_space_is_accepted_before_the_closing_brace_only() {
        assert_eq!(only("{0 }").argument, Reference::Index(0));
        assert_eq!(only("{:x\n}").spec.kind, Kind::LowerHex);
        assert!(fault("{ 0}").contains("`0` cannot stand here"));
    }

    #[test]
    fn a_placeholder_knows_where_it_is() {
        let pieces = parse("äb {x:5}").unwrap().pieces;
        let Piece::Use(placeholder) = &pieces[1] else { panic!("{pieces:?}") };
        assert_eq!((placeholder.column, placeholder.source.as_str()), (4, "{x:5}"));
    }

    #[test]
    fn mistakes_are_named() {
        assert!(fault("{").contains("never closed"));
        assert!(fault("a } b").contains("closes nothing"));
        assert!(fault("{:d}").contains("`d` is not a format type"));
        assert!(fault("{a.b}").contains("only a plain name"));
        assert!(fault("{_}").contains("`_` is not a name"));
        assert!(fault("{r#type}").contains("without `r#`"));
        assert!(fault("{:65536}").contains("limit of 65535"));
        assert!(fault("{:?x}").contains("`x` cannot stand here"));
        assert!(fault("{:1_000}").contains("`_000` is not a format type"));
    }

    #[test]
    fn all_mistakes_of_a_message_are_found() {
        let columns: Vec<usize> = parse("{:d} } {_}").unwrap_err().iter().map(|fault| fault.column).collect();
        assert_eq!(columns, [1, 6, 8]);
    }
}
