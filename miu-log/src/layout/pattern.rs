//! What a line is made of: literal text, and `{keys}` that stand for parts of the record.
//!
//! A parsed [`Pattern`] is a list of steps that `line` follows for every record; `parse` reads it. Called by the configuration, where a mistake is
//! still cheap: an unknown key is an error that names its place.

mod parse;

use std::fmt;
use std::str::FromStr;

use super::colour::Tag;
use super::time_format::TimeFormat;
use crate::template::Spec;

/// What a line is made of: literal text, and keys in braces that stand for parts of the record.
///
/// | Key | Stands for |
/// |---|---|
/// | `{time}` | the time in the repository's zone, `2026-11-20 12:00:00.123`; `{time:…}` gives it another format |
/// | `{level}`, `{level.name}` | the level's name in capitals; coloured on a terminal |
/// | `{level.no}` | the level as a number: 5, 10, 20, 25, 30, 40 or 50 |
/// | `{domain}` | the domain, e.g. `db` |
/// | `{process}`, `{process.name}` | `main`, or the worker's name |
/// | `{thread}`, `{thread.name}` | the thread's name |
/// | `{pid}`, `{process.id}`, `{tid}`, `{thread.id}` | numbers of the process and the thread |
/// | `{module}`, `{function}` | where the call stands; empty for calls of the logging methods |
/// | `{file}`, `{file.path}`, `{file.name}`, `{line}` | the same, as file (path, or its last part) and line |
/// | `{name}` | the module, or the file where no module is known |
/// | `{location}` | `module:function:line`, or `file:line` where that is all there is |
/// | `{message}` | the message; every pattern has it |
/// | `{fields}` | <code> \| key=value key=value</code>, and nothing at all for a record without fields |
/// | `{rest}` | the same without those that the pattern names by `{extra[key]}` |
/// | `{extra}` | the fields as `key=value key=value` |
/// | `{extra[request_id]}` | the value of one field, quoted where it could be mistaken; empty for a record without it |
/// | `{extra[request_id]\|none}` | the same, with what stands there for a record without it |
/// | `{exception}` | nothing: the lines of an exception's detail follow the line in any case. Accepted at the end, also behind a line break |
///
/// A key may be padded as in `format!`: `{level:<8}`, `{thread:>12}`, `{pid:*^7}`, to 1000 columns at most. A brace is written
/// `{{` or `}}`. Literal text may hold tabs but no other control character, so that a record is always
/// one line; the line end is not part of a pattern. The lines of an exception's detail follow, each
/// behind `    | `.
///
/// # Time
///
/// `{time:YYYY-MM-DD HH:mm:ss.SSS}` is the format that `{time}` has anyway. These are its tokens; other letters are an error, and text stands in
/// brackets, as in `{time:HH[h]mm}`. `{time:rfc3339}` and `{time:iso8601}` are `2026-11-20T12:00:00.123+01:00`. With `!UTC` at the end the time is
/// universal time, whatever the zone.
///
/// | Token | Stands for |
/// |---|---|
/// | `YYYY`, `YY`, `Q` | year, its last two digits, quarter |
/// | `MMMM`, `MMM`, `MM`, `M` | month: `November`, `Nov`, two digits, one or two |
/// | `DDDD`, `DDD`, `DD`, `D` | day of the year (three digits, or as many as it has), day of the month (two digits, or one or two) |
/// | `dddd`, `ddd`, `d`, `E` | day of the week: `Friday`, `Fri`, `4` (Monday is 0), `5` (Monday is 1) |
/// | `HH`, `H`, `hh`, `h`, `A` | hour of 24, hour of 12, `AM` or `PM` |
/// | `mm`, `m`, `ss`, `s` | minute, second |
/// | `S` to `SSSSSSSSS` | the second's fraction in one to nine digits, cut |
/// | `Z`, `ZZ`, `zz` | offset `+01:00`, `+0100`, name `CET` |
/// | `X`, `x` | seconds, microseconds since 1970 |
///
/// # Colours
///
/// Tags colour what stands between them, on a console that is coloured; in files they are nothing: `<green>{time}</green>`, `<level>{message}</level>`
/// for the colour of the record's level. Others are `black`, `red`, `yellow`, `blue`, `magenta`, `cyan` and `white`, the same as `light-red` and so
/// on, `bold`, `dim`, `italic` and `underline`. They may be nested; `</>` ends the latest one. A `<` that begins a tag otherwise is written `\<`. A
/// level's name outside all tags has its own colour.
///
/// # Examples
///
/// ```
/// use miu_log::Pattern;
///
/// let pattern = Pattern::parse("{time:HH:mm:ss.SSS} {level: >8} [{domain}] <bold>{message}</bold>{fields}")?;
/// let with_context = Pattern::parse("{time} | {level} | REQ:{extra[request_id]|-} | {message}")?;
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
    /// A colour tag, until the end of the latest one.
    Begin(Tag),
    End,
}

/// What a key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Time(TimeFormat),
    Level,
    LevelNumber,
    Domain,
    Process,
    Thread,
    Pid,
    Tid,
    Module,
    Name,
    Function,
    Line,
    File,
    FileName,
    Location,
    Message,
    Fields,
    /// All but these.
    Rest(Vec<Field>),
    Extra,
    Field(Box<Field>),
}

/// One field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Escaped, as the names of a call site are.
    pub(super) name: String,
    /// As it stands in the pattern.
    pub(super) given: String,
    /// What stands there for a record without it.
    pub(super) default: String,
}

pub(super) use parse::WIDEST;
pub(crate) use parse::nearest;

impl Pattern {
    /// The pattern of a line where none is configured.
    pub const DEFAULT: &'static str =
        "{time} | {level:<8} | {domain} | {process}/{thread} | {location} | {message}{fields}";

    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// [`PatternError`] for an unknown key, token or colour, braces or tags that do not match, a malformed width, a control
    /// character, or a pattern without `{message}`; it says at which column, and what is accepted.
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        let steps = parse::steps(text)?;
        let is_message =
            |step: &Step| matches!(step, Step::Key(Key::Message) | Step::Padded(Key::Message, _));
        if !steps.iter().any(is_message) {
            return Err(PatternError::at(
                text.chars().count() + 1,
                "the end, and no {message} before it: a line needs its message",
            ));
        }
        Ok(Pattern { text: text.to_owned(), steps })
    }

    /// A pattern that may lack its message, to look at its other parts.
    #[cfg(test)]
    pub(super) fn part(text: &str) -> Pattern {
        Pattern { text: text.to_owned(), steps: parse::steps(text).unwrap() }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }
}

impl Default for Pattern {
    /// [`Pattern::DEFAULT`].
    fn default() -> Pattern {
        use Step::{Key as Part, Padded};
        let bar = || Step::Literal(" | ".to_owned());
        let level =
            Spec { align: Some(crate::template::Align::Left), width: 8, plain: false, ..Spec::DISPLAY };
        let steps = vec![
            Part(Key::Time(TimeFormat::Usual)),
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

    /// A pattern in any notation: the name of a [`preset`](Pattern::preset), one with `%(name)s` and no brace as [`Pattern::parse_percent`] reads
    /// it, or keys in braces as [`Pattern::parse`] reads them. No text has two meanings: a pattern in braces has its `{message}`.
    fn from_str(text: &str) -> Result<Pattern, PatternError> {
        let is_word = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if is_word(text) {
            Pattern::preset(text)
        } else if text.contains("%(") && !text.contains('{') {
            Pattern::parse_percent(text)
        } else {
            Pattern::parse(text)
        }
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
        insta::assert_snapshot!(problem("{time} {lvl}"), @r#"malformed pattern: at column 9 stands the unknown key "lvl"; did you mean {level}?; accepted are {time}, {level}, {level.name}, {level.no}, {domain}, {process}, {process.name}, {process.id}, {thread}, {thread.name}, {thread.id}, {pid}, {tid}, {module}, {name}, {function}, {line}, {file}, {file.name}, {file.path}, {location}, {message}, {fields}, {rest}, {extra}, {extra[key]}, {exception}"#);
        assert!(problem("é {mesage}").starts_with("malformed pattern: at column 4 stands the unknown key"));
        assert!(problem("{mesage}").contains("did you mean {message}?"));
        assert!(problem("{threads}").contains("did you mean {thread}?"));
        assert!(problem("{level.nam}").contains("did you mean {level.name}?"));
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
        assert!(problem("{extra[a]|\n}{message}").contains("control character"));
        assert!(problem("{time:HH\nmm}{message}").contains("column 9 stands a control character"));
    }

    #[test]
    fn doubled_braces_are_literal() {
        let pattern = Pattern::part("{{{level}}}");
        let literal = |text: &str| Step::Literal(text.to_owned());
        assert_eq!(pattern.steps(), [literal("{"), Step::Key(Key::Level), literal("}")]);
    }

    #[test]
    fn a_pattern_without_its_message_is_refused() {
        assert_eq!(
            problem("{time} {level}"),
            "malformed pattern: at column 15 stands the end, and no {message} before it: a line needs its message"
        );
        assert!(problem("").contains("no {message}"));
        assert!(Pattern::parse("{message:>9}").is_ok());
    }

    #[test]
    fn absurd_widths_are_refused() {
        assert!(Pattern::parse("{message:<1000}").is_ok());
        assert!(problem("{message:<1001}").contains("column 10 stands a width of more than 1000 columns"));
        assert!(problem("{message:<99999999999999999999}").contains("more than 1000"));
        assert!(problem("{time:>1001}").contains("more than 1000"));
    }

    #[test]
    fn a_time_is_padded_or_has_a_format() {
        let first = |text: &str| Pattern::part(text).steps()[0].clone();
        assert_eq!(first("{time:YYYY-MM-DD HH:mm:ss.SSS}"), Step::Key(Key::Time(TimeFormat::Usual)));
        assert!(matches!(first("{time:>30}"), Step::Padded(Key::Time(TimeFormat::Usual), _)));
        assert!(matches!(first("{time:HH:mm}"), Step::Key(Key::Time(TimeFormat::Other(_)))));
        let error = Pattern::parse("é {time:HH:mn} {message}").unwrap_err();
        assert_eq!(error.column(), 13);
        assert!(error.to_string().contains("the unknown token \"n\" of a time"), "{error}");
        assert_eq!(Pattern::parse("{time:HH:mm").unwrap_err().column(), 1);
    }

    #[test]
    fn one_field_has_a_name_and_a_default() {
        let field = |name: &str, default: &str| {
            Key::Field(Box::new(Field {
                name: name.to_owned(),
                given: name.to_owned(),
                default: default.to_owned(),
            }))
        };
        assert_eq!(Pattern::part("{extra[id]}").steps(), [Step::Key(field("id", ""))]);
        assert_eq!(Pattern::part("{extra[id]|no id}").steps(), [Step::Key(field("id", "no id"))]);
        assert!(
            matches!(&Pattern::part("{extra[id]|-:>9}").steps()[0], Step::Padded(key, _) if *key == field("id", "-"))
        );
        assert!(problem("{extra[]}{message}").contains("column 2 stands no name of a field"));
        assert!(problem("{extra[id}{message}").contains("no name of a field"));
        assert!(problem("{extra[id]x}").contains("column 1 stands a `{` without its `}`"));
    }

    #[test]
    fn an_exception_stands_at_the_end() {
        let wanted = Pattern::part("{message}");
        for text in ["{message}{exception}", "{message}\n{exception}"] {
            assert_eq!(Pattern::parse(text).unwrap().steps(), wanted.steps());
        }
        assert!(problem("{exception} {message}").contains("column 2 stands {exception} before the end"));
    }

    #[test]
    fn tags_are_matched_and_other_angles_are_text() {
        let literal = |text: &str| Step::Literal(text.to_owned());
        let steps =
            Pattern::part("<level><bold>{level}</bold></> <14> \\<red> < a<b>".trim_end_matches("<b>"));
        assert_eq!(
            steps.steps(),
            [
                Step::Begin(Tag::Level),
                Step::Begin(Tag::Bold),
                Step::Key(Key::Level),
                Step::End,
                Step::End,
                literal(" <14> <red> < a"),
            ]
        );
        assert!(problem("é<gren>{message}</gren>").contains(
            "column 2 stands the unknown tag <gren>; did you mean <green>?; accepted are <level>, <black>, "
        ));
        for tag in ["<RED>", "<fg #00005f>", "<bg 255,0,0>", "<b1>", "<Level>"] {
            let problem = problem(&format!("a{tag}{{message}}</>"));
            let expected = format!("column 2 stands the unknown tag {tag}");
            assert!(
                problem.contains(&expected) && problem.contains("accepted are <level>, <black>, "),
                "{problem}"
            );
        }
        assert!(problem("<RED>{message}</>").contains("did you mean <red>?"));
        assert_eq!(Pattern::part("<{level}> <=> a<1>").steps()[0], literal("<"));
        assert!(
            problem("<red>{message}</blue>").contains("column 15 stands </blue>, but the open tag is <red>")
        );
        assert!(problem("{message}</red>").contains("no tag is open"));
        assert!(problem("a <red>{message}").contains("column 3 stands a tag that is not closed"));
    }

    #[test]
    fn a_text_is_read_in_its_own_notation() {
        assert_eq!("loguru".parse::<Pattern>().unwrap(), Pattern::loguru());
        assert_eq!("%(message)s".parse::<Pattern>().unwrap().as_str(), "{message}{fields}");
        assert_eq!("{message} %(x".parse::<Pattern>().unwrap().as_str(), "{message} %(x");
        assert!("loguro".parse::<Pattern>().unwrap_err().to_string().contains("did you mean \"loguru\"?"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[{}:<^>a-z0-9é\\n ]{0,20}|\\PC{0,20}") {
            let _ = text.parse::<Pattern>();
        }

        #[test]
        fn no_parts_of_patterns_make_the_parser_panic(
            parts in proptest::collection::vec(
                prop::sample::select(vec![
                    "{", "}", "<", ">", "</", "\\", "time", "level", "red", "extra[", "]", "|", ":", "HH", "[", "!UTC", "8", "%(", ")s", "\n", "é",
                    "message", "exception", "{message}",
                ]),
                0..16,
            ),
        ) {
            let text = parts.concat();
            if let Err(error) = text.parse::<Pattern>() {
                prop_assert!((1..=text.chars().count() + 1).contains(&error.column()), "{} {}", text, error);
            }
        }
    }
}
