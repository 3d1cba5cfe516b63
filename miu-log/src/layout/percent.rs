//! Patterns in the notation of Python's `logging`: `%(asctime)s [%(levelname)s] %(name)s - %(message)s`.
//!
//! They are rewritten as patterns of this crate, which does the rest. The notation is that of the Python library reference, "LogRecord
//! attributes" and "printf-style String Formatting".

use super::pattern::{Pattern, PatternError};

/// Names that are known, and what each is here.
const NAMES: [(&str, &str); 13] = [
    ("asctime", "time"),
    ("levelname", "level"),
    ("name", "domain"),
    ("message", "message"),
    ("process", "pid"),
    ("processName", "process"),
    ("thread", "tid"),
    ("threadName", "thread"),
    ("module", "module"),
    ("funcName", "function"),
    ("lineno", "line"),
    ("filename", "file"),
    ("pathname", "file"),
];

impl Pattern {
    /// Reads a pattern in the notation of Python's `logging`, for services that bring their configuration along:
    /// `%(asctime)s [%(levelname)s] %(name)s - %(message)s`.
    ///
    /// Known names: `asctime` (with a point before the milliseconds), `levelname`, `name` (the domain), `message` (with the fields behind it),
    /// `process`, `processName`, `thread`, `threadName`, `module`, `funcName`, `lineno`, `filename`, `pathname`. A width, and `-` before it for text
    /// that is aligned to the left, stand before the `s` (or `d`). A percent sign is written `%%`.
    ///
    /// # Errors
    ///
    /// [`PatternError`] for an unknown name, an unfinished placeholder or a control character; it says at which column, and what is accepted.
    ///
    /// # Examples
    ///
    /// ```
    /// use miu_log::Pattern;
    ///
    /// let pattern = Pattern::parse_percent("%(asctime)s [%(levelname)-8s] %(name)s - %(message)s")?;
    /// assert_eq!(pattern.as_str(), "{time} [{level:<8}] {domain} - {message}{fields}");
    /// # Ok::<(), miu_log::PatternError>(())
    /// ```
    pub fn parse_percent(text: &str) -> Result<Pattern, PatternError> {
        let mut rewritten = String::new();
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let column = text[..text.len() - rest.len()].chars().count() + 1;
            if character.is_control() && character != '\t' {
                return Err(PatternError::at(column, "a control character; a record is always one line"));
            }
            rest = &rest[character.len_utf8()..];
            match character {
                '{' | '}' => rewritten.extend([character, character]),
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
        Pattern::parse(&rewritten)
    }
}

/// Rewrites what stands behind a percent sign. What is left behind it.
fn placeholder<'a>(text: &'a str, out: &mut String) -> Result<&'a str, String> {
    let unfinished = || "expected `%(name)s` here, or `%%` for a percent sign".to_owned();
    let (name, rest) = text.strip_prefix('(').and_then(|rest| rest.split_once(')')).ok_or_else(unfinished)?;
    let Some((_, key)) = NAMES.iter().find(|(known, _)| *known == name) else {
        let known: Vec<_> = NAMES.iter().map(|(known, _)| *known).collect();
        return Err(format!("unknown name {name:?}; known are {}", known.join(", ")));
    };
    let (align, rest) = match rest.strip_prefix('-') {
        Some(rest) => ('<', rest),
        None => ('>', rest),
    };
    let width_end = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    let (width, rest) = rest.split_at(width_end);
    let rest = rest.strip_prefix(['s', 'd']).ok_or_else(unfinished)?;
    let width = width.trim_start_matches('0');
    if width.is_empty() {
        out.push_str(&format!("{{{key}}}"));
    } else {
        out.push_str(&format!("{{{key}:{align}{width}}}"));
    }
    if *key == "message" {
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
                "{time} [{level}] {domain} - {message}{fields}",
            ),
            (
                "%(asctime)s - %(name)s - %(levelname)s - %(message)s",
                "{time} - {domain} - {level} - {message}{fields}",
            ),
            ("100%% {%(process)d} %(lineno)05d|%(funcName)-12s", "100% {{{pid}}} {line:>5}|{function:<12}"),
        ] {
            assert_eq!(Pattern::parse_percent(percent).unwrap().as_str(), pattern);
        }
    }

    #[test]
    fn a_mistake_is_named_with_its_column_and_what_is_accepted() {
        for (percent, column, text) in [
            ("%(asctime)s %(mesage)s", 13, "unknown name \"mesage\"; known are asctime, levelname"),
            ("x %s", 3, "`%(name)s`"),
            ("%(message", 1, "`%(name)s`"),
            ("%(message)", 1, "`%(name)s`"),
            ("a\nb", 2, "control character"),
        ] {
            let error = Pattern::parse_percent(percent).unwrap_err();
            assert_eq!(error.column(), column, "{percent}");
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in ".*", cut in "[%()a-z0-9-]{0,40}") {
            let _ = Pattern::parse_percent(&text);
            let _ = Pattern::parse_percent(&cut);
        }
    }
}
