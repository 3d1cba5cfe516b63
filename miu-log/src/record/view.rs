//! What a user's code sees of a record: [`LogRecord`], decoded whole before anybody is given it.
//!
//! V1. All arguments of a record have been read once when there is a view of it, so that nothing that is asked of the view can fail.
//!
//! Made by `layout` for layouts that a program brings along.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::{Record, Site};
use crate::bytes::Bytes;
use crate::codec::{Args, Corrupt, Value};
use crate::level::Level;

/// A record, as a [`Layout`](crate::Layout) is given it.
///
/// All texts are as the program gave them: they may hold line ends, escape codes and whatever else.
#[derive(Clone, Copy, Debug)]
pub struct LogRecord<'a> {
    record: &'a Record<'a>,
    message: &'a str,
    /// The fields' values.
    fields: Args<'a>,
    exception: Option<&'a str>,
}

impl<'a> LogRecord<'a> {
    /// A view of the record. Its message is rendered into `message`, which is emptied first.
    ///
    /// # Errors
    ///
    /// `Corrupt` where its arguments are not what its call site promises.
    pub(crate) fn new(record: &'a Record<'a>, message: &'a mut Vec<u8>) -> Result<LogRecord<'a>, Corrupt> {
        message.clear();
        let mut args = record.args;
        record.site.template.render_raw(&mut args, message)?;
        let fields = args;
        for _ in &record.site.fields {
            args.next()?;
        }
        let exception = exception(args)?;
        let message = str::from_utf8(message).map_err(|_| Corrupt)?;
        Ok(LogRecord { record, message, fields, exception })
    }

    /// When it was logged, in nanoseconds since 1970-01-01 00:00 UTC.
    pub fn unix_nanos(&self) -> i64 {
        self.record.time
    }

    /// The level.
    pub fn level(&self) -> Level {
        self.record.level
    }

    /// The domain's name, such as `db`.
    pub fn domain(&self) -> &'a str {
        self.record.domain
    }

    /// The message with its arguments.
    pub fn message(&self) -> &'a str {
        self.message
    }

    /// The fields, names and values: those of the call in their order, then those of its context and of its logger. No two of these have the same name.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, FieldValue<'a>)> + use<'a> {
        let mut args = self.fields;
        let names = &self.site().names;
        // All of them have been read before, see V1.
        let own = names.iter().map_while(move |name| Some((name.as_str(), args.next().ok()?.into())));
        own.chain(self.record.extra.iter(names).map(|(name, value)| (name, value.into())))
    }

    /// Of the fields those that are not the call's own: of its context and of its logger.
    pub fn context(&self) -> impl Iterator<Item = (&'a str, FieldValue<'a>)> + use<'a> {
        self.record.extra.iter(&self.site().names).map(|(name, value)| (name, value.into()))
    }

    /// The text of an exception, of several lines: the error, a line for each of its causes, then the backtrace where there is one.
    pub fn exception(&self) -> Option<&'a str> {
        self.exception
    }

    /// `main` for the listener's own process, else the worker's name.
    pub fn process(&self) -> &'a str {
        self.record.process
    }

    /// The system's number of the process.
    pub fn process_id(&self) -> u32 {
        self.record.process_id
    }

    /// The thread's name.
    pub fn thread(&self) -> &'a str {
        self.record.thread
    }

    /// The system's number of the thread.
    pub fn thread_id(&self) -> u32 {
        self.record.thread_id
    }

    /// The module of the call, such as `shop::orders`. None for calls of the logging methods, of which file and line are known.
    pub fn module(&self) -> Option<&'a str> {
        known(&self.site().module)
    }

    /// The function of the call, without its module. None where it is not known, as for calls of the logging methods.
    pub fn function(&self) -> Option<&'a str> {
        known(&self.site().function)
    }

    /// The source file of the call, as the compiler names it. None for records of miu-log's own.
    pub fn file(&self) -> Option<&'a str> {
        known(&self.site().file)
    }

    /// The line of the call in its source file. None for records of miu-log's own.
    pub fn line(&self) -> Option<u32> {
        Some(self.site().line).filter(|line| *line > 0)
    }

    /// Where the call stands, as far as it is known: `module:function:line`, or `file:line`. Unlike the other texts it is escaped as in a line.
    pub fn location(&self) -> &'a str {
        &self.site().location
    }

    fn site(&self) -> &'a Site {
        self.record.site
    }
}

/// The text, if there is one.
pub(crate) fn known(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// The detail that is left after message and fields.
pub(crate) fn exception(mut rest: Args<'_>) -> Result<Option<&str>, Corrupt> {
    if rest.is_empty() {
        return Ok(None);
    }
    match (rest.next()?, rest.is_empty()) {
        (Value::Str(text) | Value::Rendered(text), true) => Ok(Some(text)),
        _ => Err(Corrupt),
    }
}

/// The value of a record's field.
///
/// Written with `{}`, it is the text that stands in a line, neither quoted nor escaped.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum FieldValue<'a> {
    /// An `Option` that was `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// A signed number of at most 64 bits.
    Signed(i64),
    /// An unsigned number of at most 64 bits.
    Unsigned(u64),
    /// A signed number of 128 bits.
    Signed128(i128),
    /// An unsigned number of 128 bits.
    Unsigned128(u128),
    /// A number of type `f32`.
    Float32(f32),
    /// A number of type `f64`.
    Float(f64),
    /// A character.
    Char(char),
    /// Text, also that which the program made with `Display` (`%value`) or `Debug` (`?value`).
    Text(&'a str),
    /// A duration.
    Duration(Duration),
    /// An address.
    Ip(IpAddr),
    /// Raw bytes.
    Bytes {
        /// The bytes that are there.
        kept: &'a [u8],
        /// How many were logged: more than there are, where a record of more than 16 MiB was cut.
        given: u64,
    },
}

impl<'a> From<Value<'a>> for FieldValue<'a> {
    fn from(value: Value<'a>) -> FieldValue<'a> {
        match value {
            Value::None => FieldValue::None,
            Value::I8(number) => FieldValue::Signed(number.into()),
            Value::I16(number) => FieldValue::Signed(number.into()),
            Value::I32(number) => FieldValue::Signed(number.into()),
            Value::I64(number) => FieldValue::Signed(number),
            Value::I128(number) => FieldValue::Signed128(number),
            Value::U8(number) => FieldValue::Unsigned(number.into()),
            Value::U16(number) => FieldValue::Unsigned(number.into()),
            Value::U32(number) => FieldValue::Unsigned(number.into()),
            Value::U64(number) => FieldValue::Unsigned(number),
            Value::U128(number) => FieldValue::Unsigned128(number),
            Value::F32(number) => FieldValue::Float32(number),
            Value::F64(number) => FieldValue::Float(number),
            Value::Bool(truth) => FieldValue::Bool(truth),
            Value::Char(character) => FieldValue::Char(character),
            Value::Str(text) | Value::Rendered(text) => FieldValue::Text(text),
            Value::Duration(duration) => FieldValue::Duration(duration),
            Value::Ip(address) => FieldValue::Ip(address),
            Value::Bytes { kept, given } => FieldValue::Bytes { kept, given },
        }
    }
}

impl fmt::Display for FieldValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            FieldValue::None => f.pad("None"),
            FieldValue::Bool(truth) => fmt::Display::fmt(&truth, f),
            FieldValue::Signed(number) => fmt::Display::fmt(&number, f),
            FieldValue::Unsigned(number) => fmt::Display::fmt(&number, f),
            FieldValue::Signed128(number) => fmt::Display::fmt(&number, f),
            FieldValue::Unsigned128(number) => fmt::Display::fmt(&number, f),
            FieldValue::Float32(number) => fmt::Display::fmt(&number, f),
            FieldValue::Float(number) => fmt::Display::fmt(&number, f),
            FieldValue::Char(character) => fmt::Display::fmt(&character, f),
            FieldValue::Text(text) => f.pad(text),
            FieldValue::Duration(duration) => fmt::Debug::fmt(&duration, f),
            FieldValue::Ip(address) => fmt::Display::fmt(&address, f),
            FieldValue::Bytes { kept, given } if (kept.len() as u64) < given => {
                write!(f, "{}… [cut, {given} bytes]", Bytes(kept))
            }
            FieldValue::Bytes { kept, .. } => fmt::Display::fmt(&Bytes(kept), f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::template::write_plain;

    /// One value of each kind.
    fn values() -> Vec<Value<'static>> {
        vec![
            Value::None,
            Value::I8(-1),
            Value::I16(-2),
            Value::I32(-3),
            Value::I64(i64::MIN),
            Value::I128(i128::MIN),
            Value::U8(1),
            Value::U16(2),
            Value::U32(3),
            Value::U64(u64::MAX),
            Value::U128(u128::MAX),
            Value::F32(0.1),
            Value::F64(f64::NAN),
            Value::F64(1e300),
            Value::Bool(true),
            Value::Char('\n'),
            Value::Str("a\nb"),
            Value::Rendered("[1, 2]"),
            Value::Duration(Duration::from_micros(1500)),
            Value::Ip("::1".parse().unwrap()),
            Value::Bytes { kept: &[0x0a, 0xff], given: 2 },
            Value::Bytes { kept: &[0x0a, 0xff], given: 9 },
        ]
    }

    #[test]
    fn a_value_is_written_as_in_a_line() {
        for value in values() {
            let mut out = Vec::new();
            write_plain::<false>(&value, &mut out);
            assert_eq!(FieldValue::from(value).to_string(), String::from_utf8(out).unwrap(), "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn a_float_is_written_as_in_a_line(number: f64) {
            let mut out = Vec::new();
            write_plain::<false>(&Value::F64(number), &mut out);
            prop_assert_eq!(FieldValue::Float(number).to_string(), String::from_utf8(out).unwrap());
        }
    }
}
