//! The layout [`OtelJson`]: a record as OpenTelemetry's files have it.
//!
//! All names, numbers and forms are those of the OpenTelemetry specification: the protobuf messages of OTLP and their encoding in JSON, the
//! data model of logs, and the semantic conventions for `code.*`, `thread.*`, `exception.*` and `service.*`. Called through [`LineLayout`].

use std::borrow::Cow;

use crate::codec::{Corrupt, Value};
use crate::level::Level;
use crate::reading::{Reading, put_counted};
use crate::record::{Record, exception, known};

use super::json_text::{
    escape_tail, push_base64, push_finite, push_integer, push_marked_base64, push_seconds, push_string,
};
use super::keys::Keys;
use super::origin::{Kept, Origins, field_names};
use super::{LineLayout, Unwritten, whole_or_nothing};

/// A record as an object of OpenTelemetry's JSON on one line: what the file exporter of a collector writes, and what its `otlpjsonfile` receiver
/// reads.
///
/// Each line is a [`LogsData`] message in OTLP's JSON form ([OTLP 1.x, JSON encoding], [file exporter]) with one resource, one scope and one record:
///
/// | field | value |
/// | --- | --- |
/// | `resource.attributes` | `service.name`, `process.pid`, and as `miu_log.process.name` `main` or the worker's name |
/// | `scope.name` | the domain |
/// | `timeUnixNano`, `observedTimeUnixNano` | both the time of the record, in nanoseconds, as strings |
/// | `severityNumber` | by the [table of severities]: TRACE 1, DEBUG 5, INFO 9, SUCCESS 10, WARNING 13, ERROR 17, CRITICAL 21 |
/// | `severityText` | the level |
/// | `body.stringValue` | the message |
/// | `attributes` | `code.function.name` (with its module), `code.file.path`, `code.line.number`, `thread.id`, `thread.name`, the fields, and of an exception `exception.message` and `exception.stacktrace` |
///
/// Fields are typed: integers that 64 bits with sign can hold are `intValue` (a string of digits), floats `doubleValue` (`"NaN"`, `"Infinity"` and `"-Infinity"` where they are
/// no number), bools `boolValue`, raw bytes `bytesValue` in base64, durations `doubleValue` in seconds, `None` an empty value, and everything else, larger integers and bytes that were cut
/// included, is `stringValue`. Where the module of a call is known and the function is not, the
/// attribute `miu_log.module` has it. No two attributes have the same key: a field
/// with a name of the table becomes `name_2`, and so on.
///
/// [`LogsData`]: https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/logs/v1/logs.proto
/// [OTLP 1.x, JSON encoding]: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
/// [file exporter]: https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/
/// [table of severities]: https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
///
/// # Examples
///
/// ```
/// use miu_log::{LogConfig, OtelJson};
///
/// let config = LogConfig::new("logs").layout(OtelJson::new("orders"));
/// # let _ = config;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a layout does nothing until a configuration is given it"]
pub struct OtelJson {
    service: String,
}

/// The keys of the layout's own.
const RESERVED: [&str; 8] = [
    "code.function.name",
    "miu_log.module",
    "code.file.path",
    "code.line.number",
    "thread.id",
    "thread.name",
    "exception.message",
    "exception.stacktrace",
];

impl OtelJson {
    /// Records of the service of this name: the attribute `service.name`.
    pub fn new(service: impl Into<String>) -> OtelJson {
        OtelJson { service: service.into() }
    }

    /// The layout that writes.
    pub(super) fn build(&self) -> OtelLayout {
        OtelLayout { service: self.service.clone(), origins: Origins::new(), spare: Vec::new() }
    }

    pub(super) fn save_to(&self, out: &mut Vec<u8>) {
        put_counted(out, self.service.as_bytes());
    }

    pub(super) fn restore(bytes: &mut Reading<'_>) -> Option<OtelJson> {
        Some(OtelJson::new(bytes.text()?))
    }
}

impl Default for OtelJson {
    /// The name that the conventions have for a service without one: `unknown_service`.
    fn default() -> OtelJson {
        OtelJson::new("unknown_service")
    }
}

/// Writes records in OpenTelemetry's form.
#[derive(Debug)]
pub(super) struct OtelLayout {
    service: String,
    origins: Origins,
    spare: Vec<u8>,
}

fn severity(level: Level) -> u32 {
    match level {
        Level::Trace => 1,
        Level::Debug => 5,
        Level::Info => 9,
        Level::Success => 10,
        Level::Warning => 13,
        Level::Error => 17,
        Level::Critical => 21,
    }
}

/// Begins an attribute, up to its value.
fn begin(key: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"key\":");
    push_string(key, out);
    out.extend_from_slice(b",\"value\":{");
}

/// Appends an attribute and, before it, a comma where one has to stand.
fn attribute(key: &str, value: &Value<'_>, out: &mut Vec<u8>) {
    if out.last().is_some_and(|last| *last == b'}') {
        out.push(b',');
    }
    begin(key, out);
    write_value(value, out);
    out.extend_from_slice(b"}}");
}

/// What stands before the time, between message and fields, and before the fields' values.
fn describe(service: &str, record: &Record<'_>, kept: &mut Kept) {
    let site = record.site;
    let out = &mut kept.before;
    out.extend_from_slice(b"{\"resourceLogs\":[{\"resource\":{\"attributes\":[");
    attribute("service.name", &Value::Str(service), out);
    attribute("process.pid", &Value::U32(record.process_id), out);
    attribute("miu_log.process.name", &Value::Str(record.process), out);
    out.extend_from_slice(b"]},\"scopeLogs\":[{\"scope\":{\"name\":");
    push_string(record.domain, out);
    out.extend_from_slice(b"},\"logRecords\":[{\"severityNumber\":");
    push_integer(severity(record.level), out);
    out.extend_from_slice(b",\"severityText\":\"");
    out.extend_from_slice(record.level.as_str().as_bytes());
    out.extend_from_slice(b"\",\"timeUnixNano\":\"");

    let out = &mut kept.behind;
    out.extend_from_slice(b"\"},\"attributes\":[");
    match (known(&site.module), known(&site.function)) {
        (Some(module), Some(function)) => {
            attribute("code.function.name", &Value::Str(&format!("{module}::{function}")), out);
        }
        (None, Some(function)) => attribute("code.function.name", &Value::Str(function), out),
        (Some(module), None) => attribute("miu_log.module", &Value::Str(module), out),
        (None, None) => {}
    }
    if let Some(file) = known(&site.file) {
        attribute("code.file.path", &Value::Str(file), out);
    }
    if site.line > 0 {
        attribute("code.line.number", &Value::U32(site.line), out);
    }
    attribute("thread.id", &Value::U32(record.thread_id), out);
    attribute("thread.name", &Value::Str(record.thread), out);
    let mut keys = Keys::reserved(RESERVED);
    for name in field_names(record) {
        let name = keys.take(name);
        kept.add_key(|out| {
            out.push(b',');
            begin(&name, out);
        });
    }
}

/// Appends an `AnyValue` without its braces.
#[inline]
fn write_value(value: &Value<'_>, out: &mut Vec<u8>) {
    match *value {
        Value::Str(text) | Value::Rendered(text) => write_text(text, out),
        Value::Char(character) => write_text(character.encode_utf8(&mut [0; 4]), out),
        Value::None => {}
        Value::Bool(truth) => {
            out.extend_from_slice(if truth { b"\"boolValue\":true" } else { b"\"boolValue\":false" });
        }
        Value::I8(number) => write_integer(number, out),
        Value::I16(number) => write_integer(number, out),
        Value::I32(number) => write_integer(number, out),
        Value::I64(number) => write_integer(number, out),
        Value::U8(number) => write_integer(number, out),
        Value::U16(number) => write_integer(number, out),
        Value::U32(number) => write_integer(number, out),
        Value::U64(number) => match i64::try_from(number) {
            Ok(number) => write_integer(number, out),
            Err(_) => write_text(&number.to_string(), out),
        },
        Value::I128(number) => match i64::try_from(number) {
            Ok(number) => write_integer(number, out),
            Err(_) => write_text(&number.to_string(), out),
        },
        Value::U128(number) => match i64::try_from(number) {
            Ok(number) => write_integer(number, out),
            Err(_) => write_text(&number.to_string(), out),
        },
        Value::F32(number) if number.is_finite() => write_finite(number, out),
        Value::F64(number) if number.is_finite() => write_finite(number, out),
        Value::F32(number) => write_not_finite(number.into(), out),
        Value::F64(number) => write_not_finite(number, out),
        Value::Duration(duration) => {
            out.extend_from_slice(b"\"doubleValue\":");
            push_seconds(duration, out);
        }
        Value::Ip(address) => write_text(&address.to_string(), out),
        Value::Bytes { kept, given } => {
            if (kept.len() as u64) < given {
                out.extend_from_slice(b"\"stringValue\":\"");
                push_marked_base64(kept, given, out);
            } else {
                out.extend_from_slice(b"\"bytesValue\":\"");
                push_base64(kept, out);
            }
            out.push(b'"');
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"stringValue\":");
    push_string(text, out);
}

fn write_integer(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"intValue\":\"");
    push_integer(number, out);
    out.push(b'"');
}

fn write_finite(number: impl zmij::Float, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"doubleValue\":");
    push_finite(number, out);
}

fn write_not_finite(number: f64, out: &mut Vec<u8>) {
    let name: &[u8] = if number.is_nan() {
        b"\"NaN\""
    } else if number > 0.0 {
        b"\"Infinity\""
    } else {
        b"\"-Infinity\""
    };
    out.extend_from_slice(b"\"doubleValue\":");
    out.extend_from_slice(name);
}

/// The error's own text, from an exception's: what stands before its causes, without the mark and the indent of further lines.
fn error_text(exception: &str) -> Cow<'_, str> {
    let ends = exception.match_indices('\n').find(|(at, _)| !exception[at + 1..].starts_with("    "));
    let text = &exception[..ends.map_or(exception.len(), |(at, _)| at)];
    let text = text.strip_prefix("error: ").unwrap_or(text);
    if text.contains('\n') { text.replace("\n    ", "\n").into() } else { text.into() }
}

impl OtelLayout {
    fn write_all(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        let OtelLayout { service, origins, spare } = self;
        let kept = origins.of(record, |kept| describe(service, record, kept));
        out.extend_from_slice(&kept.before);
        // Unsigned in OTLP: there is no time before 1970.
        let time = u64::try_from(record.time).unwrap_or(0);
        push_integer(time, out);
        out.extend_from_slice(b"\",\"observedTimeUnixNano\":\"");
        push_integer(time, out);
        out.extend_from_slice(b"\",\"body\":{\"stringValue\":\"");
        let start = out.len();
        let mut args = record.args;
        record.site.template.render_raw(&mut args, out)?;
        escape_tail(out, start, spare);
        out.extend_from_slice(&kept.behind);
        let mut keys = kept.keys();
        for key in keys.by_ref().take(record.site.names.len()) {
            let Ok(ref value) = args.next() else { return Err(Corrupt) };
            out.extend_from_slice(key);
            write_value(value, out);
            out.extend_from_slice(b"}}");
        }
        for (key, (_, value)) in keys.zip(record.extra.iter(&record.site.names)) {
            out.extend_from_slice(key);
            write_value(&value, out);
            out.extend_from_slice(b"}}");
        }
        if let Some(exception) = exception(args)? {
            attribute("exception.message", &Value::Str(&error_text(exception)), out);
            attribute("exception.stacktrace", &Value::Str(exception), out);
        }
        out.extend_from_slice(b"]}]}]}]}\n");
        Ok(())
    }
}

impl LineLayout for OtelLayout {
    fn write(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), Unwritten> {
        Ok(whole_or_nothing(out, |out| self.write_all(record, out))?)
    }
}
