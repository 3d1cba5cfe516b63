//! The layout [`Logfmt`]: a record as `key=value key="some value"` on one line.
//!
//! Called through [`LineLayout`].

use crate::codec::{Corrupt, Value};
use crate::escape::is_harmless;
use crate::reading::Reading;
use crate::record::{Record, exception, known};
use crate::template::write_plain;
use crate::zone::Zone;

use super::any::{put_zone, read_zone};
use super::json_text::{escape_tail, push_integer, push_marked_base64, push_string};
use super::keys::Keys;
use super::origin::{Kept, Origins, field_names};
use super::rfc3339::{Rfc3339, TimePrecision};
use super::{LineLayout, Unwritten, whole_or_nothing};

/// A record in logfmt: `key=value` pairs on one line, for people and for machines.
///
/// ```text
/// ts=2026-11-20T13:00:00.123+01:00 level=WARNING logger=db module=shop::orders function=fill file=src/orders.rs line=42 process=main pid=100 thread=worker-3 tid=103 message="query took 81.2 ms" rows=12
/// ```
///
/// Keys whose value is not known are left out, and `exception` stands at the end where there is one. The time is RFC 3339, in the
/// repository's zone. Values are written as in a line of text (durations as `1.5ms`, floats as `1`), but for `None`, which is `null`, and raw bytes, which are
/// base64 with `… [cut, 20000000 bytes]` behind it if bytes of a huge record were cut.
///
/// A value stands bare if it is not empty, and nothing in it is a space, `=`, `"` or harmful in a line. Every other one is quoted as
/// a JSON string, and so is the message always: a parser of logfmt that undoes these escapes (`\"`, `\\`, `\n`, `\u001b`) has the very
/// same text. Characters that a key cannot have become `_`. A field with the name of one of the keys above, or of another field, becomes
/// `name_2`, and so on.
///
/// # Examples
///
/// ```
/// use miu_log::{Console, LogConfig, Logfmt, TimePrecision};
///
/// let layout = Logfmt::new().precision(TimePrecision::Seconds);
/// let config = LogConfig::new("logs").console(Console::stderr().layout(layout));
/// # let _ = config;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a layout does nothing until a configuration is given it"]
pub struct Logfmt {
    precision: TimePrecision,
    zone: Option<Zone>,
}

/// The keys of the layout's own.
const RESERVED: [&str; 13] = [
    "ts",
    "level",
    "logger",
    "module",
    "function",
    "file",
    "line",
    "process",
    "pid",
    "thread",
    "tid",
    "message",
    "exception",
];

impl Logfmt {
    /// Times to the millisecond in the repository's zone.
    pub fn new() -> Logfmt {
        Logfmt::default()
    }

    /// How exact the time is. Default: milliseconds.
    pub fn precision(mut self, precision: TimePrecision) -> Logfmt {
        self.precision = precision;
        self
    }

    /// The time zone, whatever the repository's is: a [`Zone`] or its name, such as `"Europe/Berlin"`. One that is no zone is an error when the
    /// repository is opened.
    pub fn zone(mut self, zone: impl Into<Zone>) -> Logfmt {
        self.zone = Some(zone.into());
        self
    }

    /// The layout that writes; `zone` is the repository's.
    pub(super) fn build(&self, zone: &Zone) -> LogfmtLayout {
        LogfmtLayout {
            origins: Origins::new(),
            stamp: Rfc3339::new(self.zone.as_ref().unwrap_or(zone).clone(), self.precision),
            spare: Vec::new(),
        }
    }

    /// Its own zone, if it has one.
    pub(super) fn own_zone(&self) -> Option<&Zone> {
        self.zone.as_ref()
    }

    /// The same in the repository's zone.
    pub(super) fn without_zone(self) -> Logfmt {
        Logfmt { zone: None, ..self }
    }

    pub(super) fn save_to(&self, out: &mut Vec<u8>) {
        out.push(self.precision as u8);
        put_zone(self.zone.as_ref(), out);
    }

    pub(super) fn restore(bytes: &mut Reading<'_>) -> Option<Logfmt> {
        let precision = TimePrecision::from_index(bytes.u8()?)?;
        let zone = read_zone(bytes)?;
        Some(Logfmt { precision, zone })
    }
}

/// Writes records in logfmt.
#[derive(Debug)]
pub(super) struct LogfmtLayout {
    origins: Origins,
    stamp: Rfc3339,
    spare: Vec<u8>,
}

/// What stands between time and message, and before the fields' values.
fn describe(record: &Record<'_>, kept: &mut Kept) {
    let site = record.site;
    let out = &mut kept.before;
    out.extend_from_slice(b" level=");
    out.extend_from_slice(record.level.as_str().as_bytes());
    let text = |key: &[u8], text: &str, out: &mut Vec<u8>| {
        if let Some(text) = known(text) {
            out.extend_from_slice(key);
            push_text(text, out);
        }
    };
    let number = |key: &[u8], number: u32, out: &mut Vec<u8>| {
        out.extend_from_slice(key);
        push_integer(number, out);
    };
    text(b" logger=", record.domain, out);
    text(b" module=", &site.module, out);
    text(b" function=", &site.function, out);
    text(b" file=", &site.file, out);
    if site.line > 0 {
        number(b" line=", site.line, out);
    }
    text(b" process=", record.process, out);
    number(b" pid=", record.process_id, out);
    text(b" thread=", record.thread, out);
    number(b" tid=", record.thread_id, out);
    out.extend_from_slice(b" message=\"");
    let mut keys = Keys::reserved(RESERVED);
    for name in field_names(record) {
        let name = keys.take(&fit(name));
        kept.add_key(|out| {
            out.push(b' ');
            out.extend_from_slice(name.as_bytes());
            out.push(b'=');
        });
    }
}

/// Whether a character may stand in a key and in a bare value.
fn is_bare(character: char) -> bool {
    !matches!(character, '=' | '"' | char::REPLACEMENT_CHARACTER) && !character.is_whitespace()
}

/// The name with `_` for every character that a key cannot have.
pub(super) fn fit(name: &str) -> String {
    let fit = |character: char| {
        let harmless = is_harmless(character.encode_utf8(&mut [0; 4]));
        if is_bare(character) && harmless { character } else { '_' }
    };
    if name.is_empty() { "_".to_owned() } else { name.chars().map(fit).collect() }
}

/// Appends text, quoted where it has to be.
fn push_text(text: &str, out: &mut Vec<u8>) {
    if !text.is_empty() && text.chars().all(is_bare) && is_harmless(text) {
        out.extend_from_slice(text.as_bytes());
    } else {
        push_string(text, out);
    }
}

#[inline]
fn write_value(value: &Value<'_>, out: &mut Vec<u8>) {
    match *value {
        Value::Str(text) | Value::Rendered(text) => push_text(text, out),
        Value::Char(character) => push_text(character.encode_utf8(&mut [0; 4]), out),
        Value::None => out.extend_from_slice(b"null"),
        // Padding is a `=`.
        Value::Bytes { kept, given } => {
            out.push(b'"');
            push_marked_base64(kept, given, out);
            out.push(b'"');
        }
        ref other => write_plain::<false>(other, out),
    }
}

impl LogfmtLayout {
    fn write_all(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        let LogfmtLayout { origins, stamp, spare } = self;
        let kept = origins.of(record, |kept| describe(record, kept));
        out.extend_from_slice(b"ts=");
        stamp.write(record.time, out);
        out.extend_from_slice(&kept.before);
        let start = out.len();
        let mut args = record.args;
        record.site.template.render_raw(&mut args, out)?;
        escape_tail(out, start, spare);
        out.push(b'"');
        let mut keys = kept.keys();
        for key in keys.by_ref().take(record.site.names.len()) {
            let Ok(ref value) = args.next() else { return Err(Corrupt) };
            out.extend_from_slice(key);
            write_value(value, out);
        }
        for (key, (_, value)) in keys.zip(record.extra.iter(&record.site.names)) {
            out.extend_from_slice(key);
            write_value(&value, out);
        }
        if let Some(exception) = exception(args)? {
            out.extend_from_slice(b" exception=");
            push_string(exception, out);
        }
        out.push(b'\n');
        Ok(())
    }
}

impl LineLayout for LogfmtLayout {
    fn write(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), Unwritten> {
        Ok(whole_or_nothing(out, |out| self.write_all(record, out))?)
    }
}
