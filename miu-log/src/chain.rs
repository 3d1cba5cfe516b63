//! An error and what caused it, as text: on lines of its own (`exception`), or on one line (a field).
//!
//! Called by `logger`, and by programs.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::error::Error;
use std::fmt;

/// How many causes of an error are followed.
const MAX_CAUSES: usize = 64;

/// An error with its causes on one line, for a field or an argument: `cannot load: no route: timed out`.
///
/// A cause whose text the text before it ends with already, as some errors have it, is not repeated. At most 64 causes are followed.
///
/// # Examples
///
/// ```
/// use miu_log::{ErrorChain, fields};
///
/// let error = std::io::Error::other("gone".parse::<u8>().unwrap_err());
/// let fields = fields!(error = %ErrorChain(&error), attempt = 2);
/// assert_eq!(fields.get("error").unwrap().to_string(), "invalid digit found in string");
/// ```
#[derive(Clone, Copy)]
pub struct ErrorChain<'a>(pub &'a dyn Error);

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = self.0.to_string();
        f.write_str(&before)?;
        let mut cause = self.0.source();
        for _ in 0..MAX_CAUSES {
            let Some(error) = cause else { return Ok(()) };
            let text = error.to_string();
            if !before.ends_with(&text) {
                write!(f, ": {text}")?;
            }
            before = text;
            cause = error.source();
        }
        f.write_str(": …")
    }
}

impl fmt::Debug for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

/// The error and its causes, a line each, then the backtrace if there is one.
pub(crate) fn lines(error: &dyn Error) -> String {
    let mut text = causes(error);
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        text.push_str(&format!("\nbacktrace:\n{backtrace}"));
    }
    text
}

/// The error and its causes, a line each.
pub(crate) fn causes(error: &dyn Error) -> String {
    causes_of(&error.to_string(), error.source())
}

/// The same, for an error whose type does not let it be borrowed as one.
pub(crate) fn causes_of(error: &str, mut cause: Option<&(dyn Error + 'static)>) -> String {
    // An error's own further lines stand deeper than ours: its text cannot pass for a cause.
    let indented = |text: &str| text.replace('\n', "\n    ");
    let mut text = format!("error: {}", indented(error));
    for _ in 0..MAX_CAUSES {
        let Some(error) = cause else { break };
        text.push_str(&format!("\ncaused by: {}", indented(&error.to_string())));
        cause = error.source();
    }
    if cause.is_some() {
        text.push_str("\ncaused by: … (more causes)");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Failure(&'static str, Option<Box<Failure>>);

    impl fmt::Display for Failure {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Failure {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    fn chain(texts: &[&'static str]) -> Failure {
        let (first, rest) = texts.split_first().unwrap();
        Failure(first, (!rest.is_empty()).then(|| Box::new(chain(rest))))
    }

    #[test]
    fn causes_stand_behind_the_error_once() {
        let shown = |texts: &[&'static str]| ErrorChain(&chain(texts)).to_string();
        assert_eq!(shown(&["lost", "no route", "timed out"]), "lost: no route: timed out");
        assert_eq!(shown(&["lost: no route", "no route", "timed out"]), "lost: no route: timed out");
        assert_eq!(shown(&["alone"]), "alone");
        let many: Vec<&'static str> =
            (0..70).map(|number| if number % 2 == 0 { "even" } else { "odd" }).collect();
        assert_eq!(shown(&many).matches("odd").count(), 32);
        assert!(shown(&many).ends_with(": even: …"));
        assert!(lines(&chain(&["lost", "no\nroute"])).starts_with("error: lost\ncaused by: no\n    route"));
    }
}
