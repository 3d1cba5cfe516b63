//! Patterns in the notation of Python's `logging`: `%(asctime)s [%(levelname)s] %(name)s - %(message)s`.
//!
//! They are rewritten as patterns of this crate, which does the rest. The notation is that of the Python library reference, "LogRecord
//! attributes" and "printf-style String Formatting".

use super::pattern::{Pattern, PatternError, WIDEST, nearest};
use crate::escape::is_harmless;

/// What a name is here.
enum Name {
    Key(&'static str),
    /// A number: `0` before its width fills it with zeros.
    Number(&'static str),
    /// A time in this format, whose text has so many characters.
    Time(&'static str, usize),
}

/// Names that are known.
const NAMES: [(&str, Name); 16] = [
    ("asctime", Name::Time("YYYY-MM-DD HH:mm:ss,SSS", 23)),
    ("created", Name::Time("X.SSSSSS", 17)),
    ("filename", Name::Key("file.name")),
    ("funcName", Name::Key("function")),
    ("levelname", Name::Key("level")),
    ("levelno", Name::Number("level.no")),
    ("lineno", Name::Number("line")),
    ("message", Name::Key("message")),
    ("module", Name::Key("module")),
    ("msecs", Name::Time("SSS", 3)),
    ("name", Name::Key("domain")),
    ("pathname", Name::Key("file")),
    ("process", Name::Number("pid")),
    ("processName", Name::Key("process")),
    ("thread", Name::Number("tid")),
    ("threadName", Name::Key("thread")),
];

impl Pattern {
    /// Reads a pattern in the notation of Python's `logging`, for services that bring their configuration along:
    /// `%(asctime)s [%(levelname)s] %(name)s - %(message)s`.
    ///
    /// Known names: `asctime` (`2026-11-20 12:00:00,123`), `created` (seconds since 1970 with six digits behind the point), `msecs`, `levelname`,
    /// `levelno`, `name` (the domain), `message` (with the fields behind it), `process`, `processName`, `thread`, `threadName`, `module`, `funcName`,
    /// `lineno`, `filename`, `pathname`. A width of at most 1000, and `-` before it for text
    /// that is aligned to the left, stand before the `s` (or `d`). A percent sign is written `%%`.
    ///
    /// # Errors
    ///
    /// [`PatternError`] for an unknown name, an unfinished placeholder, a control character, or a pattern without `%(message)s`; it says at which column, and what is accepted.
    ///
    /// # Examples
    ///
    /// ```
    /// use miu_log::Pattern;
    ///
    /// let pattern = Pattern::parse_percent("%(asctime)s [%(levelname)-8s] %(name)s - %(message)s")?;
    /// assert_eq!(pattern.as_str(), "{time:YYYY-MM-DD HH:mm:ss,SSS} [{level:<8}] {domain} - {message}{fields}");
    /// # Ok::<(), miu_log::PatternError>(())
    /// ```
    pub fn parse_percent(text: &str) -> Result<Pattern, PatternError> {
        let mut rewritten = String::new();
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let column = text[..text.len() - rest.len()].chars().count() + 1;
            if !is_harmless(character.encode_utf8(&mut [0; 4])) && character != '\t' {
                return Err(PatternError::at(column, "a control character; a record is always one line"));
            }
            rest = &rest[character.len_utf8()..];
            match character {
                '{' | '}' => rewritten.extend([character, character]),
                // No tag: this notation has none.
                '<' => rewritten.push_str("\\<"),
                '%' if rest.starts_with('%') => {
                    rewritten.push('%');
                    rest = &rest[1..];
                }
                '%' => {
                    rest = placeholder(rest, &mut rewritten)
                        .map_err(|problem| PatternError::at(column, problem))?;
                }
                other => rewritten.push(other),
            }
        }
        if !rewritten.contains("{message") {
            return Err(PatternError::at(
                text.chars().count() + 1,
                "the end, and no %(message)s before it: a line needs its message",
            ));
        }
        Pattern::parse(&rewritten)
    }
}

/// Rewrites what stands behind a percent sign. What is left behind it.
fn placeholder<'a>(text: &'a str, out: &mut String) -> Result<&'a str, String> {
    let unfinished = || "expected `%(name)s` here, or `%%` for a percent sign".to_owned();
    let (given, rest) =
        text.strip_prefix('(').and_then(|rest| rest.split_once(')')).ok_or_else(unfinished)?;
    let Some((_, name)) = NAMES.iter().find(|(known, _)| *known == given) else {
        let known: Vec<_> = NAMES.iter().map(|(known, _)| *known).collect();
        let hint = nearest(given, known.iter().copied())
            .map_or_else(String::new, |near| format!("; did you mean %({near})s?"));
        return Err(format!("the unknown name {given:?}{hint}; accepted are {}", known.join(", ")));
    };
    let (align, rest) = match rest.strip_prefix('-') {
        Some(rest) => ('<', rest),
        None => ('>', rest),
    };
    let width_end = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    let (width, rest) = rest.split_at(width_end);
    let rest = rest.strip_prefix(['s', 'd', 'f']).ok_or_else(unfinished)?;
    let zero = width.starts_with('0') && align == '>';
    let width = width.trim_start_matches('0');
    let columns = if width.is_empty() { 0 } else { width.parse().unwrap_or(usize::MAX) };
    if columns > WIDEST {
        return Err(format!("a width of more than {WIDEST} columns; at most {WIDEST} are accepted"));
    }
    match *name {
        Name::Time(_, len) if columns > len => {
            return Err(format!("a width of {columns} for {given}, which always has {len} characters"));
        }
        Name::Time(format, _) => out.push_str(&format!("{{time:{format}}}")),
        Name::Key(key) | Name::Number(key) if columns == 0 => out.push_str(&format!("{{{key}}}")),
        Name::Number(key) if zero => out.push_str(&format!("{{{key}:0>{columns}}}")),
        Name::Key(key) | Name::Number(key) => out.push_str(&format!("{{{key}:{align}{columns}}}")),
    }
    if given == "message" {
        out.push_str("{fields}");
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // M-29, M-30, P-34
    #[test]
    fn what_python_services_use_is_rewritten() {
        for (percent, pattern) in [
            (
                "%(asctime)s [%(levelname)s] %(name)s - %(message)s",
                "{time:YYYY-MM-DD HH:mm:ss,SSS} [{level}] {domain} - {message}{fields}",
            ),
            (
                "%(asctime)s - %(name)s - %(levelname)s - %(message)s",
                "{time:YYYY-MM-DD HH:mm:ss,SSS} - {domain} - {level} - {message}{fields}",
            ),
            (
                "100%% {%(process)d} %(lineno)05d|%(funcName)-12s %(message)s",
                "100% {{{pid}}} {line:0>5}|{function:<12} {message}{fields}",
            ),
            (
                "<red>%(created)f %(msecs)03d %(levelno)s %(filename)s %(pathname)s %(message)4s",
                "\\<red>{time:X.SSSSSS} {time:SSS} {level.no} {file.name} {file} {message:>4}{fields}",
            ),
        ] {
            assert_eq!(Pattern::parse_percent(percent).unwrap().as_str(), pattern);
        }
    }

    #[test]
    fn a_mistake_is_named_with_its_column_and_what_is_accepted() {
        for (percent, column, text) in [
            (
                "%(asctime)s %(mesage)s",
                13,
                "the unknown name \"mesage\"; did you mean %(message)s?; accepted are asctime, created, ",
            ),
            ("x %s", 3, "`%(name)s`"),
            ("%(message", 1, "`%(name)s`"),
            ("%(message)", 1, "`%(name)s`"),
            ("a\nb", 2, "control character"),
            ("%(levelname)s", 14, "no %(message)s before it"),
            ("%(message)1001s", 1, "at most 1000"),
            ("%(asctime)30s %(message)s", 1, "a width of 30 for asctime, which always has 23 characters"),
        ] {
            let error = Pattern::parse_percent(percent).unwrap_err();
            assert_eq!(error.column(), column, "{percent}");
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in ".*", cut in "[%()a-z0-9-]{0,40}") {
            for text in [text, cut] {
                if let Err(error) = Pattern::parse_percent(&text) {
                    prop_assert!((1..=text.chars().count() + 1).contains(&error.column()), "{} {}", text, error);
                }
            }
        }
    }
}
