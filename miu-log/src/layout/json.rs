//! The layout [`Json`]: a record as an object on one line.
//!
//! A line is written from the front: time, what is the same for all records of an origin (kept as bytes), message, fields, exception. Called
//! through [`LineLayout`].

use crate::codec::{Corrupt, Value};
use crate::reading::{Reading, put_counted};
use crate::record::{Record, exception, known};
use crate::zone::Zone;

use super::any::{put_zone, read_zone};
use super::json_text::{
    escape_tail, push_finite, push_integer, push_marked_base64, push_seconds, push_string,
};
use super::keys::Keys;
use super::origin::{Kept, Origins, field_names};
use super::rfc3339::{Rfc3339, TimePrecision};
use super::{LineLayout, Unwritten, whole_or_nothing};

/// A record as a JSON object on one line.
///
/// ```json
/// {"timestamp":"2026-11-20T13:00:00.123+01:00","level":"WARNING","logger":"db","module":"shop::orders","function":"fill","file":"src/orders.rs","line":42,"process":100,"process_name":"main","thread":103,"thread_name":"worker-3","message":"query took 81.2 ms","extra":{"rows":12}}
/// ```
///
/// | key | value |
/// | --- | --- |
/// | `timestamp` | RFC 3339 with offset, in the repository's [zone](crate::LogConfig::zone), to the millisecond |
/// | `level` | `TRACE`, `DEBUG`, `INFO`, `SUCCESS`, `WARNING`, `ERROR` or `CRITICAL` |
/// | `logger` | the domain |
/// | `module`, `function`, `file`, `line` | where the call stands; `null` for what is not known |
/// | `process`, `thread` | the system's numbers |
/// | `process_name`, `thread_name` | `main` or the worker's name; the thread's name |
/// | `message` | the message |
/// | `extra` | an object with the fields in the order of the call |
/// | `exception` | an exception's error, causes and backtrace, a line each; there only where there is one |
///
/// The values of fields:
///
/// | value | in JSON |
/// | --- | --- |
/// | integers of up to 64 bits, floats | numbers; floats in the shortest digits that read back as the same |
/// | `i128` and `u128` | numbers where 64 bits suffice, else strings of digits |
/// | NaN and the infinities | the strings `"NaN"`, `"inf"` and `"-inf"` |
/// | bools, `None` | `true`, `false`, `null` |
/// | texts, chars, addresses, whatever `%value` and `?value` made | strings |
/// | `Duration` | the number of seconds, exactly: `0.0015` |
/// | raw bytes | a string in base64, with `… [cut, 20000000 bytes]` behind it if bytes of a huge record were cut |
///
/// Every line is an object that a parser reads back to the very same texts. Control characters, line separators and characters that
/// reorder or hide their neighbours are written as `\u001b`, so that a line does no harm on a terminal either. No two keys of an object
/// are the same: of equal names the later becomes `name_2`, and so on.
///
/// # Examples
///
/// ```
/// use miu_log::{Json, JsonKey, LogConfig, TimePrecision, Zone};
///
/// let layout = Json::new()
///     .precision(TimePrecision::Micros)
///     .zone(Zone::Utc)
///     .rename(JsonKey::Timestamp, "@timestamp")
///     .without(JsonKey::ProcessName)
///     .flatten(true);
/// let config = LogConfig::new("logs").layout(layout);
/// # let _ = config;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a layout does nothing until a configuration is given it"]
pub struct Json {
    /// The names of the keys, by number. None where there is to be no such key.
    names: [Option<String>; JsonKey::ALL.len()],
    flatten: bool,
    precision: TimePrecision,
    zone: Option<Zone>,
}

/// A key of [`Json`], as it is called by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JsonKey {
    /// `timestamp`
    Timestamp,
    /// `level`
    Level,
    /// `logger`
    Logger,
    /// `module`
    Module,
    /// `function`
    Function,
    /// `file`
    File,
    /// `line`
    Line,
    /// `process`
    Process,
    /// `process_name`
    ProcessName,
    /// `thread`
    Thread,
    /// `thread_name`
    ThreadName,
    /// `message`
    Message,
    /// `extra`
    Extra,
    /// `exception`
    Exception,
}

impl JsonKey {
    /// All of them, in the order of a line.
    const ALL: [JsonKey; 14] = [
        JsonKey::Timestamp,
        JsonKey::Level,
        JsonKey::Logger,
        JsonKey::Module,
        JsonKey::Function,
        JsonKey::File,
        JsonKey::Line,
        JsonKey::Process,
        JsonKey::ProcessName,
        JsonKey::Thread,
        JsonKey::ThreadName,
        JsonKey::Message,
        JsonKey::Extra,
        JsonKey::Exception,
    ];

    fn name(self) -> &'static str {
        match self {
            JsonKey::Timestamp => "timestamp",
            JsonKey::Level => "level",
            JsonKey::Logger => "logger",
            JsonKey::Module => "module",
            JsonKey::Function => "function",
            JsonKey::File => "file",
            JsonKey::Line => "line",
            JsonKey::Process => "process",
            JsonKey::ProcessName => "process_name",
            JsonKey::Thread => "thread",
            JsonKey::ThreadName => "thread_name",
            JsonKey::Message => "message",
            JsonKey::Extra => "extra",
            JsonKey::Exception => "exception",
        }
    }
}

impl Json {
    /// All keys under their own names, times to the millisecond in the repository's zone, fields in `extra`.
    pub fn new() -> Json {
        Json {
            names: JsonKey::ALL.map(|key| Some(key.name().to_owned())),
            flatten: false,
            precision: TimePrecision::Millis,
            zone: None,
        }
    }

    /// How exact the time is. Default: milliseconds.
    pub fn precision(mut self, precision: TimePrecision) -> Json {
        self.precision = precision;
        self
    }

    /// The time zone, whatever the repository's is: a [`Zone`] or its name, such as `"Europe/Berlin"`. One that is no zone is an error when the
    /// repository is opened.
    pub fn zone(mut self, zone: impl Into<Zone>) -> Json {
        self.zone = Some(zone.into());
        self
    }

    /// Whether fields stand beside the other keys instead of in `extra`, which is left out then. A field with the name of another key
    /// is renamed: `level` becomes `level_2`. Default: `false`.
    pub fn flatten(mut self, wanted: bool) -> Json {
        self.flatten = wanted;
        self
    }

    /// Another name for a key. One that another key has becomes `name_2`.
    pub fn rename(mut self, key: JsonKey, name: impl Into<String>) -> Json {
        self.names[key as usize] = Some(name.into());
        self
    }

    /// Leaves a key out. Without [`JsonKey::Extra`] no fields are written.
    pub fn without(mut self, key: JsonKey) -> Json {
        self.names[key as usize] = None;
        self
    }

    /// The layout that writes; `zone` is the repository's.
    pub(super) fn build(&self, zone: &Zone) -> JsonLayout {
        let mut taken = Keys::default();
        let mut names = self.names.clone();
        if self.flatten {
            names[JsonKey::Extra as usize] = None;
        }
        let keys = names.map(|name| name.map(|name| key(&taken.take(&name))));
        let placement = match (&self.names[JsonKey::Extra as usize], self.flatten) {
            (None, _) => Placement::Nowhere,
            (Some(_), true) => Placement::Top,
            (Some(_), false) => Placement::Extra,
        };
        JsonLayout {
            origins: Origins::new(),
            stamp: Rfc3339::new(self.zone.as_ref().unwrap_or(zone).clone(), self.precision),
            spare: Vec::new(),
            form: Form { keys, reserved: taken, placement },
        }
    }

    /// Its own zone, if it has one.
    pub(super) fn own_zone(&self) -> Option<&Zone> {
        self.zone.as_ref()
    }

    /// The same in the repository's zone.
    pub(super) fn without_zone(self) -> Json {
        Json { zone: None, ..self }
    }

    pub(super) fn save_to(&self, out: &mut Vec<u8>) {
        out.extend([u8::from(self.flatten), self.precision as u8]);
        put_zone(self.zone.as_ref(), out);
        for name in &self.names {
            out.push(u8::from(name.is_some()));
            put_counted(out, name.as_deref().unwrap_or_default().as_bytes());
        }
    }

    pub(super) fn restore(bytes: &mut Reading<'_>) -> Option<Json> {
        let flatten = bytes.u8()? != 0;
        let precision = TimePrecision::from_index(bytes.u8()?)?;
        let zone = read_zone(bytes)?;
        let mut names = JsonKey::ALL.map(|_| None);
        for name in &mut names {
            let wanted = bytes.u8()? != 0;
            *name = Some(bytes.text()?.to_owned()).filter(|_| wanted);
        }
        Some(Json { names, flatten, precision, zone })
    }
}

impl Default for Json {
    /// [`Json::new`].
    fn default() -> Json {
        Json::new()
    }
}

/// A name as a key: with its quotes and the colon.
fn key(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    push_string(name, &mut out);
    out.push(b':');
    out
}

/// Where the fields stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placement {
    Extra,
    Top,
    Nowhere,
}

/// Writes records as JSON objects.
#[derive(Debug)]
pub(super) struct JsonLayout {
    origins: Origins,
    stamp: Rfc3339,
    spare: Vec<u8>,
    form: Form,
}

/// What an object looks like.
#[derive(Debug)]
struct Form {
    keys: [Option<Vec<u8>>; JsonKey::ALL.len()],
    /// The names of all keys.
    reserved: Keys,
    placement: Placement,
}

impl Form {
    fn key(&self, key: JsonKey) -> Option<&[u8]> {
        self.keys[key as usize].as_deref()
    }

    /// Whether nothing stands before the key: then there is no comma.
    fn is_first(&self, key: JsonKey) -> bool {
        self.keys[..key as usize].iter().all(Option::is_none)
    }

    /// Begins a pair, if the key is wanted.
    fn begin(&self, key: JsonKey, out: &mut Vec<u8>) -> bool {
        let Some(name) = self.key(key) else { return false };
        if !self.is_first(key) {
            out.push(b',');
        }
        out.extend_from_slice(name);
        true
    }

    fn text(&self, key: JsonKey, text: &str, out: &mut Vec<u8>) {
        if self.begin(key, out) {
            push_string(text, out);
        }
    }

    fn known_text(&self, key: JsonKey, text: &str, out: &mut Vec<u8>) {
        if self.begin(key, out) {
            match known(text) {
                Some(text) => push_string(text, out),
                None => out.extend_from_slice(b"null"),
            }
        }
    }

    fn number(&self, key: JsonKey, number: Option<u32>, out: &mut Vec<u8>) {
        if self.begin(key, out) {
            match number {
                Some(number) => push_integer(number, out),
                None => out.extend_from_slice(b"null"),
            }
        }
    }

    /// What stands between time and message, and before the fields' values.
    fn describe(&self, record: &Record<'_>, kept: &mut Kept) {
        let site = record.site;
        let out = &mut kept.before;
        if self.key(JsonKey::Timestamp).is_some() {
            out.push(b'"');
        }
        self.text(JsonKey::Level, record.level.as_str(), out);
        self.text(JsonKey::Logger, record.domain, out);
        self.known_text(JsonKey::Module, &site.module, out);
        self.known_text(JsonKey::Function, &site.function, out);
        self.known_text(JsonKey::File, &site.file, out);
        self.number(JsonKey::Line, Some(site.line).filter(|line| *line > 0), out);
        self.number(JsonKey::Process, Some(record.process_id), out);
        self.text(JsonKey::ProcessName, record.process, out);
        self.number(JsonKey::Thread, Some(record.thread_id), out);
        self.text(JsonKey::ThreadName, record.thread, out);
        if self.begin(JsonKey::Message, out) {
            out.push(b'"');
        }
        if self.begin(JsonKey::Extra, &mut kept.behind) {
            kept.behind.push(b'{');
        }
        self.describe_fields(record, kept);
    }

    fn describe_fields(&self, record: &Record<'_>, kept: &mut Kept) {
        let (mut names, alone) = match self.placement {
            Placement::Nowhere => return,
            Placement::Extra => (Keys::default(), true),
            Placement::Top => (self.reserved.clone(), self.is_first(JsonKey::Extra)),
        };
        for (number, name) in field_names(record).enumerate() {
            let name = names.take(name);
            kept.add_key(|out| {
                if number > 0 || !alone {
                    out.push(b',');
                }
                out.extend_from_slice(&key(&name));
            });
        }
    }
}

impl JsonLayout {
    fn write_all(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        let JsonLayout { origins, stamp, spare, form } = self;
        let kept = origins.of(record, |kept| form.describe(record, kept));
        out.push(b'{');
        if let Some(key) = form.key(JsonKey::Timestamp) {
            out.extend_from_slice(key);
            out.push(b'"');
            stamp.write(record.time, out);
        }
        out.extend_from_slice(&kept.before);
        let mut args = record.args;
        if form.key(JsonKey::Message).is_some() {
            let start = out.len();
            record.site.template.render_raw(&mut args, out)?;
            escape_tail(out, start, spare);
            out.push(b'"');
        } else {
            record.site.template.skip(&mut args)?;
        }
        out.extend_from_slice(&kept.behind);
        if form.placement == Placement::Nowhere {
            for _ in &record.site.names {
                args.next()?;
            }
        } else {
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
        }
        if form.placement == Placement::Extra {
            out.push(b'}');
        }
        if let Some(exception) = exception(args)? {
            let is_first = form.is_first(JsonKey::Exception)
                && (form.placement != Placement::Top || field_names(record).next().is_none());
            if let Some(key) = form.key(JsonKey::Exception) {
                out.extend_from_slice(if is_first { b"" } else { b"," });
                out.extend_from_slice(key);
                push_string(exception, out);
            }
        }
        out.extend_from_slice(b"}\n");
        Ok(())
    }
}

impl LineLayout for JsonLayout {
    fn write(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), Unwritten> {
        Ok(whole_or_nothing(out, |out| self.write_all(record, out))?)
    }
}

/// Appends a field's value. It is taken by reference because a copy of a value that has just been decoded would wait for the
/// narrower stores that made it.
#[inline]
pub(super) fn write_value(value: &Value<'_>, out: &mut Vec<u8>) {
    match *value {
        Value::Str(text) | Value::Rendered(text) => push_string(text, out),
        Value::U64(number) => push_integer(number, out),
        Value::I64(number) => push_integer(number, out),
        Value::U32(number) => push_integer(number, out),
        Value::I32(number) => push_integer(number, out),
        Value::F64(number) if number.is_finite() => push_finite(number, out),
        Value::Bool(truth) => out.extend_from_slice(if truth { b"true" } else { b"false" }),
        Value::None => out.extend_from_slice(b"null"),
        Value::U8(number) => push_integer(number, out),
        Value::U16(number) => push_integer(number, out),
        Value::I8(number) => push_integer(number, out),
        Value::I16(number) => push_integer(number, out),
        Value::F32(number) if number.is_finite() => push_finite(number, out),
        Value::F32(number) => push_string(&number.to_string(), out),
        Value::F64(number) => push_string(&number.to_string(), out),
        Value::U128(number) => match u64::try_from(number) {
            Ok(number) => push_integer(number, out),
            Err(_) => push_string(&number.to_string(), out),
        },
        Value::I128(number) => match (i64::try_from(number), u64::try_from(number)) {
            (Ok(number), _) => push_integer(number, out),
            (_, Ok(number)) => push_integer(number, out),
            _ => push_string(&number.to_string(), out),
        },
        Value::Char(character) => push_string(character.encode_utf8(&mut [0; 4]), out),
        Value::Duration(duration) => push_seconds(duration, out),
        Value::Ip(address) => push_string(&address.to_string(), out),
        Value::Bytes { kept, given } => {
            out.push(b'"');
            push_marked_base64(kept, given, out);
            out.push(b'"');
        }
    }
}
