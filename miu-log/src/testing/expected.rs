//! What a test expects of a record.

use std::fmt;

use super::captured::CapturedRecord;
use crate::level::Level;

/// What a record is to be like. All that is said has to be so; nothing said is any record.
///
/// # Examples
///
/// ```
/// use miu_log::Level;
/// use miu_log::testing::Expected;
///
/// let expected = Expected::new().level(Level::Error).domain("db").message("lost").field("order", 7);
/// assert_eq!(expected.to_string(), r#"ERROR in db with "lost" in its message, order=7"#);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "it expects nothing until a capture is asked for it"]
pub struct Expected {
    level: Option<Level>,
    at_least: Option<Level>,
    domain: Option<String>,
    texts: Vec<String>,
    exact: Option<String>,
    /// None for the value: there is to be no such field.
    fields: Vec<(String, Option<String>)>,
    exception: Vec<String>,
}

impl Expected {
    /// Any record.
    pub fn new() -> Expected {
        Expected::default()
    }

    /// Of this level.
    pub fn level(self, level: Level) -> Expected {
        Expected { level: Some(level), ..self }
    }

    /// Of this level or a higher one.
    pub fn at_least(self, level: Level) -> Expected {
        Expected { at_least: Some(level), ..self }
    }

    /// In this domain.
    pub fn domain(self, name: impl Into<String>) -> Expected {
        Expected { domain: Some(name.into()), ..self }
    }

    /// With this text somewhere in its message. May be said several times.
    pub fn message(mut self, text: impl Into<String>) -> Expected {
        self.texts.push(text.into());
        self
    }

    /// With exactly this message.
    pub fn exactly(self, message: impl Into<String>) -> Expected {
        Expected { exact: Some(message.into()), ..self }
    }

    /// With this field, its own or of its context, whose value is written like this one: `7` is like the text `"7"`.
    pub fn field(mut self, name: impl Into<String>, value: impl fmt::Display) -> Expected {
        self.fields.push((name.into(), Some(value.to_string())));
        self
    }

    /// Without a field of this name.
    pub fn without(mut self, name: impl Into<String>) -> Expected {
        self.fields.push((name.into(), None));
        self
    }

    /// With an exception whose text (error, causes, backtrace) has this in it.
    pub fn exception(mut self, text: impl Into<String>) -> Expected {
        self.exception.push(text.into());
        self
    }

    /// Whether a record is like this.
    pub fn fits(&self, record: &CapturedRecord) -> bool {
        self.level.is_none_or(|level| record.level() == level)
            && self.at_least.is_none_or(|level| record.level() >= level)
            && self.domain.as_ref().is_none_or(|domain| record.domain() == domain)
            && self.texts.iter().all(|text| record.message().contains(text))
            && self.exact.as_ref().is_none_or(|message| record.message() == message)
            && self.fields.iter().all(|(name, value)| {
                record.field(name).map(|found| found.to_string()).as_ref() == value.as_ref()
            })
            && self.exception.iter().all(|text| record.exception().is_some_and(|found| found.contains(text)))
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(level) = self.level {
            parts.push(level.to_string());
        }
        if let Some(level) = self.at_least {
            parts.push(format!("{level} or above"));
        }
        let mut head = if parts.is_empty() { "of any level".to_owned() } else { parts.join(", ") };
        if let Some(domain) = &self.domain {
            head += &format!(" in {domain}");
        }
        let mut rest: Vec<String> =
            self.texts.iter().map(|text| format!("{text:?} in its message")).collect();
        rest.extend(self.exact.iter().map(|message| format!("the message {message:?}")));
        rest.extend(self.fields.iter().map(|(name, value)| match value {
            Some(value) => format!("{name}={value}"),
            None => format!("no field {name}"),
        }));
        rest.extend(self.exception.iter().map(|text| format!("{text:?} in its exception")));
        f.write_str(&head)?;
        if rest.is_empty() { Ok(()) } else { write!(f, " with {}", rest.join(", ")) }
    }
}
