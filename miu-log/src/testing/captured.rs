//! A record as a value, for tests.

use std::fmt;

use super::capture::MARK;
use crate::level::Level;
use crate::record::{FieldValue, LogRecord};

/// A record that was captured.
///
/// Shown with `{}` it is what a failed assertion prints: level, domain, place, message and fields on one line, an exception behind it.
#[derive(Clone, Debug)]
pub struct CapturedRecord {
    level: Level,
    domain: String,
    message: String,
    fields: Vec<(String, Owned)>,
    /// How many of them are the call's own.
    own: usize,
    exception: Option<String>,
    module: Option<String>,
    location: String,
    thread: String,
    time: i64,
}

/// A field's value.
#[derive(Clone, Debug)]
enum Owned {
    Text(String),
    Bytes(Vec<u8>, u64),
    Other(FieldValue<'static>),
}

impl Owned {
    fn new(value: FieldValue<'_>) -> Owned {
        match value {
            FieldValue::Text(text) => Owned::Text(text.to_owned()),
            FieldValue::Bytes { kept, given } => Owned::Bytes(kept.to_vec(), given),
            FieldValue::None => Owned::Other(FieldValue::None),
            FieldValue::Bool(truth) => Owned::Other(FieldValue::Bool(truth)),
            FieldValue::Signed(number) => Owned::Other(FieldValue::Signed(number)),
            FieldValue::Unsigned(number) => Owned::Other(FieldValue::Unsigned(number)),
            FieldValue::Signed128(number) => Owned::Other(FieldValue::Signed128(number)),
            FieldValue::Unsigned128(number) => Owned::Other(FieldValue::Unsigned128(number)),
            FieldValue::Float32(number) => Owned::Other(FieldValue::Float32(number)),
            FieldValue::Float(number) => Owned::Other(FieldValue::Float(number)),
            FieldValue::Char(character) => Owned::Other(FieldValue::Char(character)),
            FieldValue::Duration(duration) => Owned::Other(FieldValue::Duration(duration)),
            FieldValue::Ip(address) => Owned::Other(FieldValue::Ip(address)),
        }
    }

    fn get(&self) -> FieldValue<'_> {
        match self {
            Owned::Text(text) => FieldValue::Text(text),
            Owned::Bytes(kept, given) => FieldValue::Bytes { kept, given: *given },
            Owned::Other(value) => *value,
        }
    }
}

impl CapturedRecord {
    pub(super) fn new(record: &LogRecord<'_>) -> CapturedRecord {
        let context = record.context().filter(|(name, _)| *name != MARK).count();
        let given = record.fields().filter(|(name, _)| *name != MARK);
        let fields: Vec<_> = given.map(|(name, value)| (name.to_owned(), Owned::new(value))).collect();
        CapturedRecord {
            level: record.level(),
            domain: record.domain().to_owned(),
            message: record.message().to_owned(),
            own: fields.len() - context,
            fields,
            exception: record.exception().map(str::to_owned),
            module: record.module().map(str::to_owned),
            location: record.location().to_owned(),
            thread: record.thread().to_owned(),
            time: record.unix_nanos(),
        }
    }

    /// The level.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The domain's name, such as `db`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The message with its arguments.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// All fields: the call's own, then those of its context and its logger.
    pub fn fields(&self) -> impl Iterator<Item = (&str, FieldValue<'_>)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.get()))
    }

    /// The fields that it has from its context and its logger.
    pub fn context(&self) -> impl Iterator<Item = (&str, FieldValue<'_>)> {
        self.fields().skip(self.own)
    }

    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<FieldValue<'_>> {
        self.fields().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// The text of an exception: the error, its causes, a backtrace where there is one.
    pub fn exception(&self) -> Option<&str> {
        self.exception.as_deref()
    }

    /// The module of the call, such as `shop::orders`. None for calls of the logging methods.
    pub fn module(&self) -> Option<&str> {
        self.module.as_deref()
    }

    /// Where the call stands: `module:function:line`, or `file:line`.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The thread's name.
    pub fn thread(&self) -> &str {
        &self.thread
    }

    /// When it was logged, in nanoseconds since 1970-01-01 00:00 UTC.
    pub fn unix_nanos(&self) -> i64 {
        self.time
    }
}

impl fmt::Display for CapturedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {:?}", self.level, self.domain, self.location, self.message)?;
        for (name, value) in self.fields() {
            match value {
                FieldValue::Text(text) => write!(f, " {name}={text:?}")?,
                value => write!(f, " {name}={value}")?,
            }
        }
        match &self.exception {
            Some(exception) => write!(f, "\n    {}", exception.replace('\n', "\n    ")),
            None => Ok(()),
        }
    }
}
