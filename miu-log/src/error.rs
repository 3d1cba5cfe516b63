//! The one error type of set-up and shutdown. Logging calls have none: they never fail.

use std::fmt;

/// Why a repository could not be opened, joined, flushed or configured.
///
/// Its text says what was being done and where, and what the system answered to it. `Debug` shows the same text, so that
/// a `main` that returns the error ends with a readable line.
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    context: String,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Io,
    Config,
    InUse,
    AlreadyInitialised,
    DomainMismatch,
    Timeout,
    Closed,
}

impl Error {
    fn new(kind: Kind, context: impl Into<String>) -> Error {
        Error(Box::new(Inner { kind, context: context.into(), cause: None }))
    }

    pub(crate) fn io(
        context: impl Into<String>,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        let mut error = Error::new(Kind::Io, context);
        error.0.cause = Some(cause.into());
        error
    }

    /// For an error whose own text says already what was being done and where.
    pub(crate) fn explained(error: &std::io::Error) -> Error {
        Error::new(Kind::Io, error.to_string())
    }

    pub(crate) fn config(context: impl Into<String>) -> Error {
        Error::new(Kind::Config, context)
    }

    pub(crate) fn in_use(context: impl Into<String>) -> Error {
        Error::new(Kind::InUse, context)
    }

    pub(crate) fn already_initialised(context: impl Into<String>) -> Error {
        Error::new(Kind::AlreadyInitialised, context)
    }

    pub(crate) fn domain_mismatch(context: impl Into<String>) -> Error {
        Error::new(Kind::DomainMismatch, context)
    }

    pub(crate) fn timeout(context: impl Into<String>) -> Error {
        Error::new(Kind::Timeout, context)
    }

    pub(crate) fn closed(context: impl Into<String>) -> Error {
        Error::new(Kind::Closed, context)
    }

    /// Whether another repository, of this process or another one, has the log folder.
    pub fn is_in_use(&self) -> bool {
        self.0.kind == Kind::InUse
    }

    /// Whether the process-wide repository is there already.
    pub fn is_already_initialised(&self) -> bool {
        self.0.kind == Kind::AlreadyInitialised
    }

    /// Whether the time given was over before the work was done.
    pub fn is_timeout(&self) -> bool {
        self.0.kind == Kind::Timeout
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.context)?;
        match &self.0.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    /// What is behind the system's answer. The answer itself is part of the text, and is not repeated here.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_deref().and_then(std::error::Error::source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_pointer_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn the_text_ends_with_what_the_system_said() {
        let error = Error::io("cannot open logs/db.log", std::io::Error::from_raw_os_error(13));
        assert!(error.to_string().starts_with("cannot open logs/db.log: Permission denied"));
        assert_eq!(format!("{error:?}"), error.to_string());
        assert!(std::error::Error::source(&error).is_none(), "nothing is said twice");
    }
}
