//! The layouts for machines: every line parses back to what was logged, whatever that was.

use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value as JsonValue;

use super::line::tests::{number, record, site, text};
use super::*;
use crate::codec::tag;
use crate::escape::{DETAIL_MARK, is_harmless};
use crate::level::Level;
use crate::record::Site;
use crate::template::{Template, write_plain};
use crate::zone::Zone;

fn line(layout: &AnyLayout, record: &Record<'_>) -> String {
    let mut layout = layout.build(false, &Zone::Utc);
    let mut out = b"before\n".to_vec();
    // The second time what is kept of the origin is copied.
    layout.write(record, &mut out).unwrap();
    let first = String::from_utf8(out.split_off(7)).unwrap();
    layout.write(record, &mut out).unwrap();
    assert_eq!(String::from_utf8(out.split_off(7)).unwrap(), first);
    first
}

fn lines(layout: impl Into<AnyLayout>, record: &Record<'_>) -> String {
    line(&layout.into(), record)
}

/// A value as a program logs it.
#[derive(Clone, Debug)]
enum Given {
    None,
    Bool(bool),
    I8(i8),
    I64(i64),
    U64(u64),
    I128(i128),
    U128(u128),
    F32(f32),
    F64(f64),
    Char(char),
    Str(String),
    Rendered(String),
    Duration(Duration),
    Ip(IpAddr),
    /// The bytes, and how many more there were.
    Bytes(Vec<u8>, u8),
}

impl Given {
    fn put(&self, args: &mut Vec<u8>) {
        let mut put = |tag: u8, bytes: &[u8]| {
            args.push(tag);
            args.extend_from_slice(bytes);
        };
        match self {
            Given::None => put(tag::NONE, &[]),
            Given::Bool(truth) => put(tag::BOOL, &[u8::from(*truth)]),
            Given::I8(number) => put(tag::I8, &number.to_le_bytes()),
            Given::I64(number) => put(tag::I64, &number.to_le_bytes()),
            Given::U64(number) => put(tag::U64, &number.to_le_bytes()),
            Given::I128(number) => put(tag::I128, &number.to_le_bytes()),
            Given::U128(number) => put(tag::U128, &number.to_le_bytes()),
            Given::F32(number) => put(tag::F32, &number.to_le_bytes()),
            Given::F64(number) => put(tag::F64, &number.to_le_bytes()),
            Given::Char(character) => put(tag::CHAR, &u32::from(*character).to_le_bytes()),
            Given::Str(given) => text(tag::STR, given, args),
            Given::Rendered(given) => text(tag::RENDERED, given, args),
            Given::Duration(duration) => {
                put(tag::DURATION, &duration.as_secs().to_le_bytes());
                args.extend_from_slice(&duration.subsec_nanos().to_le_bytes());
            }
            Given::Ip(IpAddr::V4(address)) => put(tag::IPV4, &address.octets()),
            Given::Ip(IpAddr::V6(address)) => put(tag::IPV6, &address.octets()),
            Given::Bytes(bytes, cut) => {
                let len = (bytes.len() as u32).to_le_bytes();
                match *cut {
                    0 => put(tag::BYTES, &len),
                    cut => {
                        put(tag::BYTES_CUT, &(bytes.len() as u64 + u64::from(cut)).to_le_bytes());
                        args.extend_from_slice(&len);
                    }
                }
                args.extend_from_slice(bytes);
            }
        }
    }

    /// Its text where that is neither quoted nor escaped.
    fn plain(&self) -> String {
        let (mut args, mut out) = (Vec::new(), Vec::new());
        self.put(&mut args);
        write_plain::<false>(&crate::codec::Args::new(&args).next().unwrap(), &mut out);
        String::from_utf8(out).unwrap()
    }

    /// Whether what `Json` made of it is this value.
    fn is(&self, found: &JsonValue) -> bool {
        match self {
            Given::None => found.is_null(),
            Given::Bool(truth) => found.as_bool() == Some(*truth),
            Given::I8(number) => found.as_i64() == Some((*number).into()),
            Given::I64(number) => found.as_i64() == Some(*number),
            Given::U64(number) => found.as_u64() == Some(*number),
            Given::I128(number) => whole(found) == Some(number.to_string()),
            Given::U128(number) => whole(found) == Some(number.to_string()),
            Given::F32(number) if number.is_finite() => found.as_f64().map(|it| it as f32) == Some(*number),
            Given::F64(number) if number.is_finite() => found.as_f64() == Some(*number),
            Given::Duration(duration) => {
                // Exact in its text, which is as near as a float comes in what was read.
                let seconds = format!("{}.{:09}", duration.as_secs(), duration.subsec_nanos());
                found.as_f64() == Some(seconds.parse().unwrap())
            }
            Given::Bytes(bytes, cut) => is_base64(found, bytes, *cut),
            other => found.as_str() == Some(other.plain().as_str()),
        }
    }

    /// Whether what `OtelJson` made of it is this value.
    fn is_otel(&self, found: &JsonValue) -> bool {
        let only = |kind: &str| match found.as_object().unwrap() {
            one if one.len() == 1 => one.get(kind).cloned().unwrap_or(JsonValue::Null),
            _ => JsonValue::Null,
        };
        let integer = |number: Option<i64>| match number {
            Some(number) => only("intValue").as_str() == Some(number.to_string().as_str()),
            None => only("stringValue").as_str() == Some(self.plain().as_str()),
        };
        let special = |number: f64| {
            let name = if number.is_nan() {
                "NaN"
            } else if number > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            };
            only("doubleValue").as_str() == Some(name)
        };
        match self {
            Given::None => found.as_object().unwrap().is_empty(),
            Given::Bool(_) => self.is(&only("boolValue")),
            Given::I8(number) => integer(Some((*number).into())),
            Given::I64(number) => integer(Some(*number)),
            Given::U64(number) => integer((*number).try_into().ok()),
            Given::I128(number) => integer((*number).try_into().ok()),
            Given::U128(number) => integer((*number).try_into().ok()),
            Given::F32(number) if !number.is_finite() => special((*number).into()),
            Given::F64(number) if !number.is_finite() => special(*number),
            Given::F32(_) | Given::F64(_) | Given::Duration(_) => self.is(&only("doubleValue")),
            Given::Bytes(_, 0) => self.is(&only("bytesValue")),
            _ => self.is(&only("stringValue")),
        }
    }

    /// Whether a value of `Logfmt`, already unquoted, is this one.
    fn is_logfmt(&self, found: &str) -> bool {
        match self {
            Given::None => found == "null",
            Given::Bytes(bytes, cut) => is_base64(&JsonValue::from(found), bytes, *cut),
            other => found == other.plain(),
        }
    }
}

/// The digits of an integer, a number or a string in JSON.
fn whole(found: &JsonValue) -> Option<String> {
    found.as_str().map(str::to_owned).or_else(|| Some(found.to_string()).filter(|_| found.is_number()))
}

fn is_base64(found: &JsonValue, bytes: &[u8], cut: u8) -> bool {
    let Some(found) = found.as_str() else { return false };
    let mark = format!("… [cut, {} bytes]", bytes.len() + usize::from(cut));
    let digits = if cut == 0 { Some(found) } else { found.strip_suffix(&mark) };
    digits.and_then(decoded).as_deref() == Some(bytes)
}

/// Base64 undone, written apart from the encoder.
fn decoded(digits: &str) -> Option<Vec<u8>> {
    let all: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).collect();
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for digit in digits.trim_end_matches('=').chars() {
        bits = bits << 6 | all.iter().position(|it| *it == digit)? as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    (digits.len().is_multiple_of(4) && bits == 0).then_some(bytes)
}

/// Reads a line in logfmt: keys, and values without quotes.
fn pairs(line: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = line;
    loop {
        let (key, after) = rest.split_once('=').unwrap_or_else(|| panic!("no pair: {rest:?} in {line:?}"));
        assert!(!key.is_empty() && !key.contains([' ', '"']), "{key:?} in {line:?}");
        let value;
        if after.starts_with('"') {
            let mut strings = serde_json::Deserializer::from_str(after).into_iter::<String>();
            value = strings.next().unwrap().unwrap();
            rest = &after[strings.byte_offset()..];
        } else {
            let end = after.find(' ').unwrap_or(after.len());
            assert!(!after[..end].contains(['"', '=']), "{line:?}");
            value = after[..end].to_owned();
            rest = &after[end..];
        }
        pairs.push((key.to_owned(), value));
        match rest.strip_prefix(' ') {
            Some(next) => rest = next,
            None if rest.is_empty() => return pairs,
            None => panic!("{rest:?} behind a value in {line:?}"),
        }
    }
}

/// The attributes of the one record in a line of `OtelJson`.
fn attributes(list: &JsonValue) -> Vec<(String, JsonValue)> {
    let attribute = |it: &JsonValue| {
        assert_eq!(it.as_object().unwrap().len(), 2, "{it}");
        (it["key"].as_str().unwrap().to_owned(), it["value"].clone())
    };
    list.as_array().unwrap().iter().map(attribute).collect()
}

fn hostile() -> impl Strategy<Value = String> {
    const TEXTS: [&str; 14] = [
        "a level=ERROR",
        "x=\"y",
        "\",\"level\":\"ERROR",
        "x\n2026-01-01 ERROR forged",
        "\u{1b}[2J\u{1b}]0;t\u{7}",
        "level",
        "ts",
        "timestamp",
        "",
        "    | at main",
        "\u{2028}\u{85}\u{b}\u{c}\u{7f}\u{9b}\u{202e}\u{feff}\u{e0041}\0",
        "C:\\new\\\"",
        "Größe 日本 👩🏽",
        "\u{fffd}",
    ];
    prop_oneof![
        proptest::sample::select(&TEXTS[..]).prop_map(str::to_owned),
        "\\PC{0,9}|.{0,9}|[\\x00-\\xa0\\u{2000}-\\u{2070} |=\"\\\\]{0,30}",
        "[a-z]{0,40}",
    ]
}

fn given() -> impl Strategy<Value = Given> {
    let duration = (any::<u64>(), 0..1_000_000_000_u32)
        .prop_map(|(seconds, nanos)| Given::Duration(Duration::new(seconds, nanos)));
    prop_oneof![
        Just(Given::None),
        any::<bool>().prop_map(Given::Bool),
        any::<i8>().prop_map(Given::I8),
        any::<i64>().prop_map(Given::I64),
        any::<u64>().prop_map(Given::U64),
        prop_oneof![any::<i128>(), any::<i64>().prop_map(i128::from), any::<u64>().prop_map(i128::from)]
            .prop_map(Given::I128),
        prop_oneof![any::<u128>(), any::<u64>().prop_map(u128::from)].prop_map(Given::U128),
        prop_oneof![any::<f32>(), any::<u32>().prop_map(f32::from_bits)].prop_map(Given::F32),
        prop_oneof![any::<f64>(), any::<u64>().prop_map(f64::from_bits), Just(f64::NEG_INFINITY)]
            .prop_map(Given::F64),
        any::<char>().prop_map(Given::Char),
        hostile().prop_map(Given::Str),
        hostile().prop_map(Given::Rendered),
        duration,
        any::<IpAddr>().prop_map(Given::Ip),
        (proptest::collection::vec(any::<u8>(), 0..20), prop_oneof![Just(0), any::<u8>()])
            .prop_map(|(bytes, cut)| Given::Bytes(bytes, cut)),
    ]
}

/// A record in which every text may be hostile.
#[derive(Clone, Debug)]
struct Whole {
    time: i64,
    level: usize,
    domain: String,
    process: String,
    thread: String,
    file: String,
    line: u32,
    module: String,
    function: String,
    /// Literal text of the message, and the argument behind it.
    message: (String, String),
    fields: Vec<(String, Given)>,
    exception: Option<String>,
}

fn whole_record() -> impl Strategy<Value = Whole> {
    let names = (hostile(), hostile(), hostile(), hostile(), hostile(), hostile());
    let fields = proptest::collection::vec((hostile(), given()), 0..6);
    let rest = (any::<i64>(), 0..Level::ALL.len(), any::<u32>(), (hostile(), hostile()), fields);
    (names, rest, proptest::option::of(hostile())).prop_map(|(names, rest, exception)| {
        let (domain, process, thread, file, module, function) = names;
        let (time, level, line, message, fields) = rest;
        Whole {
            time,
            level,
            domain,
            process,
            thread,
            file,
            line,
            module,
            function,
            message,
            fields,
            exception,
        }
    })
}

impl Whole {
    fn site(&self) -> Site {
        let template = self.message.0.replace('{', "{{").replace('}', "}}") + "{}";
        let names: Vec<&str> = self.fields.iter().map(|(name, _)| name.as_str()).collect();
        Site {
            id: 7,
            file: self.file.clone(),
            line: self.line,
            module: self.module.clone(),
            function: self.function.clone(),
            template: Template::parse(&template).unwrap(),
            ..site("", &names)
        }
    }

    fn args(&self) -> Vec<u8> {
        let mut args = Vec::new();
        text(tag::STR, &self.message.1, &mut args);
        self.fields.iter().for_each(|(_, value)| value.put(&mut args));
        if let Some(exception) = &self.exception {
            text(tag::RENDERED, exception, &mut args);
        }
        args
    }

    fn message(&self) -> String {
        format!("{}{}", self.message.0, self.message.1)
    }

    fn line(&self, layout: impl Into<AnyLayout>) -> String {
        let (site, args) = (self.site(), self.args());
        let record = Record {
            time: self.time,
            level: Level::ALL[self.level],
            domain: &self.domain,
            process: &self.process,
            thread: &self.thread,
            ..record(&site, &args)
        };
        let line = lines(layout, &record);
        let line = line.strip_suffix('\n').unwrap();
        assert!(is_harmless(line) && !line.starts_with(DETAIL_MARK), "{line:?}");
        line.to_owned()
    }

    /// Where the call stands, as far as it is known.
    fn known<'a>(&self, text: &'a str) -> Option<&'a str> {
        Some(text).filter(|text| !text.is_empty())
    }
}

/// The pairs of an object in their order, for serde_json sorts them. Two equal keys fail.
fn parsed(line: &str) -> serde_json::Map<String, JsonValue> {
    struct Strict(serde_json::Map<String, JsonValue>);
    impl<'de> serde::Deserialize<'de> for Strict {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Strict, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Strict;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }

                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Strict, A::Error> {
                    let mut found = serde_json::Map::new();
                    while let Some((key, value)) = map.next_entry::<String, JsonValue>()? {
                        assert!(!found.contains_key(&key), "{key:?} twice");
                        found.insert(key, value);
                    }
                    Ok(Strict(found))
                }
            }
            deserializer.deserialize_map(Visitor)
        }
    }
    serde_json::from_str::<Strict>(line).unwrap_or_else(|error| panic!("{error}: {line}")).0
}

/// The names that fields get beside these reserved ones.
fn names_of(whole: &Whole, reserved: &[&str], fit: impl Fn(&str) -> String) -> Vec<String> {
    let mut keys = keys::Keys::reserved(reserved.iter().copied());
    whole.fields.iter().map(|(name, _)| keys.take(&fit(name))).collect()
}

const JSON_KEYS: [&str; 14] = [
    "timestamp",
    "level",
    "logger",
    "module",
    "function",
    "file",
    "line",
    "process",
    "process_name",
    "thread",
    "thread_name",
    "message",
    "extra",
    "exception",
];

fn check_json(whole: &Whole, found: &serde_json::Map<String, JsonValue>) {
    let text = |key: &str| found[key].as_str();
    assert_eq!(text("level"), Some(Level::ALL[whole.level].as_str()));
    assert_eq!(text("logger"), Some(whole.domain.as_str()));
    assert_eq!(text("module"), whole.known(&whole.module));
    assert_eq!(text("function"), whole.known(&whole.function));
    assert_eq!(text("file"), whole.known(&whole.file));
    assert_eq!(found["line"].as_u64(), Some(whole.line.into()).filter(|line| *line > 0));
    assert_eq!((found["process"].as_u64(), found["thread"].as_u64()), (Some(100), Some(103)));
    assert_eq!(text("process_name"), Some(whole.process.as_str()));
    assert_eq!(text("thread_name"), Some(whole.thread.as_str()));
    assert_eq!(text("message"), Some(whole.message().as_str()));
    assert_eq!(found.get("exception").and_then(JsonValue::as_str), whole.exception.as_deref());
    assert!(text("timestamp").unwrap().ends_with('Z'));
}

proptest! {
    #[test]
    fn every_line_of_json_parses_back(whole in whole_record()) {
        let found = parsed(&whole.line(Json::new()));
        check_json(&whole, &found);
        let extra = found["extra"].as_object().unwrap();
        prop_assert_eq!(extra.len(), whole.fields.len());
        prop_assert_eq!(found.len(), 13 + usize::from(whole.exception.is_some()));
        for ((_, given), name) in whole.fields.iter().zip(names_of(&whole, &[], str::to_owned)) {
            prop_assert!(given.is(&extra[&name]), "{:?} is {}", given, extra[&name]);
        }
    }

    #[test]
    fn reserved_keys_win_in_flat_json(whole in whole_record()) {
        let found = parsed(&whole.line(Json::new().flatten(true)));
        check_json(&whole, &found);
        let reserved: Vec<&str> = JSON_KEYS.into_iter().filter(|key| *key != "extra").collect();
        prop_assert_eq!(found.len(), 12 + whole.fields.len() + usize::from(whole.exception.is_some()));
        for ((_, given), name) in whole.fields.iter().zip(names_of(&whole, &reserved, str::to_owned)) {
            prop_assert!(given.is(&found[&name]), "{:?} is {}", given, found[&name]);
        }
    }

    #[test]
    fn any_choice_of_keys_is_an_object(whole in whole_record(), left_out in any::<u16>(), name in hostile(), flatten: bool) {
        const ALL: [JsonKey; 14] = [
            JsonKey::Timestamp, JsonKey::Level, JsonKey::Logger, JsonKey::Module, JsonKey::Function, JsonKey::File,
            JsonKey::Line, JsonKey::Process, JsonKey::ProcessName, JsonKey::Thread, JsonKey::ThreadName,
            JsonKey::Message, JsonKey::Extra, JsonKey::Exception,
        ];
        let mut json = Json::new().flatten(flatten).rename(JsonKey::Level, name.clone()).rename(JsonKey::Message, name);
        let wanted = |at: usize| left_out >> at & 1 == 0;
        for (at, key) in ALL.into_iter().enumerate() {
            json = if wanted(at) { json } else { json.without(key) };
        }
        let found = parsed(&whole.line(json));
        let exception = wanted(13) && whole.exception.is_some();
        let own = (0..12).filter(|at| wanted(*at)).count() + usize::from(exception);
        let fields = match (wanted(12), flatten) {
            (false, _) => 0,
            (true, true) => whole.fields.len(),
            (true, false) => 1,
        };
        prop_assert_eq!(found.len(), own + fields);
    }

    #[test]
    fn every_line_of_logfmt_parses_back(whole in whole_record()) {
        let line = whole.line(Logfmt::new());
        let found = pairs(&line);
        let mut keys: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        prop_assert_eq!(keys.len(), found.len(), "a key comes twice in {}", line);
        let get = |key: &str| found.iter().find(|(it, _)| it == key).map(|(_, value)| value.as_str());
        prop_assert!(line.starts_with("ts="));
        prop_assert_eq!(get("level"), Some(Level::ALL[whole.level].as_str()));
        prop_assert_eq!(get("logger"), whole.known(&whole.domain));
        prop_assert_eq!(get("module"), whole.known(&whole.module));
        prop_assert_eq!(get("function"), whole.known(&whole.function));
        prop_assert_eq!(get("file"), whole.known(&whole.file));
        prop_assert_eq!(get("process"), whole.known(&whole.process));
        prop_assert_eq!(get("thread"), whole.known(&whole.thread));
        prop_assert_eq!((get("pid"), get("tid")), (Some("100"), Some("103")));
        prop_assert_eq!(get("message").map(str::to_owned), Some(whole.message()));
        prop_assert_eq!(get("exception"), whole.exception.as_deref());
        let reserved = [
            "ts", "level", "logger", "module", "function", "file", "line", "process", "pid", "thread", "tid",
            "message", "exception",
        ];
        for ((_, given), name) in whole.fields.iter().zip(names_of(&whole, &reserved, logfmt::fit)) {
            let value = get(&name).unwrap();
            prop_assert!(given.is_logfmt(value), "{:?} is {}", given, value);
        }
    }

    #[test]
    fn every_line_for_opentelemetry_parses_back(whole in whole_record()) {
        let found = parsed(&whole.line(OtelJson::new(whole.file.clone())));
        let one = |list: &JsonValue| match list.as_array().unwrap().as_slice() {
            [one] => one.clone(),
            other => panic!("{other:?}"),
        };
        let resource = one(&found["resourceLogs"]);
        let scope = one(&resource["scopeLogs"]);
        let record = one(&scope["logRecords"]);
        let string = |text: &str| serde_json::json!({ "stringValue": text });
        let own = attributes(&resource["resource"]["attributes"]);
        prop_assert_eq!(own, [
            ("service.name".to_owned(), string(&whole.file)),
            ("process.pid".to_owned(), serde_json::json!({ "intValue": "100" })),
            ("miu_log.process.name".to_owned(), string(&whole.process)),
        ]);
        prop_assert_eq!(scope["scope"]["name"].as_str(), Some(whole.domain.as_str()));
        let time = whole.time.max(0).to_string();
        prop_assert_eq!(record["timeUnixNano"].as_str(), Some(time.as_str()));
        prop_assert_eq!(&record["observedTimeUnixNano"], &record["timeUnixNano"]);
        prop_assert_eq!(record["severityNumber"].as_u64(), Some([1, 5, 9, 10, 13, 17, 21][whole.level]));
        prop_assert_eq!(record["severityText"].as_str(), Some(Level::ALL[whole.level].as_str()));
        prop_assert_eq!(&record["body"], &string(&whole.message()));

        let found = attributes(&record["attributes"]);
        let mut keys: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        prop_assert_eq!(keys.len(), found.len());
        let get = |key: &str| found.iter().find(|(it, _)| it == key).map(|(_, value)| value.clone());
        let function = whole.known(&whole.function).map(|function| match whole.known(&whole.module) {
            Some(module) => string(&format!("{module}::{function}")),
            None => string(function),
        });
        prop_assert_eq!(get("code.function.name"), function);
        prop_assert_eq!(get("code.file.path"), whole.known(&whole.file).map(string));
        prop_assert_eq!(get("thread.name"), Some(string(&whole.thread)));
        prop_assert_eq!(get("exception.stacktrace"), whole.exception.as_deref().map(string));
        let reserved = [
            "code.function.name", "miu_log.module", "code.file.path", "code.line.number", "thread.id", "thread.name",
            "exception.message", "exception.stacktrace",
        ];
        for ((_, given), name) in whole.fields.iter().zip(names_of(&whole, &reserved, str::to_owned)) {
            let value = get(&name).unwrap();
            prop_assert!(given.is_otel(&value), "{:?} is {}", given, value);
        }
    }

    #[test]
    fn every_line_of_text_is_one_line_and_its_detail(whole in whole_record()) {
        let (site, args) = (whole.site(), whole.args());
        let site = Site { location: crate::escape::escaped(&site.module), ..site };
        let record = Record { domain: &whole.domain, process: &whole.process, thread: &whole.thread, ..record(&site, &args) };
        for pattern in [Pattern::DEFAULT, "{message}{fields}", "{module}{function}{file}{domain}"] {
            let text = lines(Pattern::parse(pattern).unwrap(), &record);
            let (first, detail) = text.split_once('\n').unwrap();
            prop_assert!(is_harmless(first) && !first.starts_with(DETAIL_MARK), "{}", first);
            let lines = whole.exception.as_deref().map_or(0, |exception| exception.lines().count());
            prop_assert_eq!(detail.lines().count(), lines);
            prop_assert!(detail.lines().all(|line| line.starts_with(DETAIL_MARK) && is_harmless(line)));
        }
    }

    #[test]
    fn any_bytes_are_a_line_or_corrupt(args in proptest::collection::vec(0u8..22, 0..60)) {
        let site = site("{} {:>4} {:?}", &["field"]);
        for layout in [AnyLayout::from(Json::new()), Logfmt::new().into(), OtelJson::default().into()] {
            let mut out = b"kept".to_vec();
            match layout.build(false, &Zone::Utc).write(&record(&site, &args), &mut out) {
                Ok(()) => prop_assert!(out.ends_with(b"\n")),
                Err(unwritten) => prop_assert_eq!((unwritten, &out[..]), (Unwritten::Corrupt, &b"kept"[..])),
            }
        }
    }
}

/// A record with arguments, fields and an exception.
fn sample(args: &mut Vec<u8>) -> Site {
    text(tag::STR, "EUR\"USD", args);
    number(12, args);
    args.push(tag::NONE);
    text(tag::STR, "two words\n", args);
    Given::Bytes(vec![0xfb, 0xff], 0).put(args);
    Given::Duration(Duration::from_micros(1500)).put(args);
    text(tag::STR, "error: refused\n    by peer\ncaused by: port closed\nbacktrace:\n   0: main", args);
    site("query for {}", &["rows", "level", "text", "frame", "took"])
}

#[test]
fn json_looks_like_this() {
    let mut args = Vec::new();
    let site = sample(&mut args);
    let record = record(&site, &args);
    insta::assert_snapshot!(lines(Json::new(), &record), @r#"{"timestamp":"2026-11-20T12:00:00.123Z","level":"WARNING","logger":"db","module":"crate::module","function":"function","file":"src/module.rs","line":42,"process":100,"process_name":"main","thread":103,"thread_name":"worker-3","message":"query for EUR\"USD","extra":{"rows":12,"level":null,"text":"two words\n","frame":"+/8=","took":0.0015},"exception":"error: refused\n    by peer\ncaused by: port closed\nbacktrace:\n   0: main"}"#);
    let plain = self::site("plain", &[]);
    let plain = Record { args: crate::codec::Args::new(&[]), site: &plain, ..record };
    insta::assert_snapshot!(lines(Json::new().zone(Zone::Fixed(3600)).precision(TimePrecision::Micros), &plain), @r#"{"timestamp":"2026-11-20T13:00:00.123456+01:00","level":"WARNING","logger":"db","module":"crate::module","function":"function","file":"src/module.rs","line":42,"process":100,"process_name":"main","thread":103,"thread_name":"worker-3","message":"plain","extra":{}}"#);
    let chosen = Json::new()
        .flatten(true)
        .without(JsonKey::File)
        .without(JsonKey::ProcessName)
        .rename(JsonKey::Timestamp, "@timestamp")
        .rename(JsonKey::Logger, "level");
    insta::assert_snapshot!(lines(chosen, &record), @r#"{"@timestamp":"2026-11-20T12:00:00.123Z","level":"WARNING","level_2":"db","module":"crate::module","function":"function","line":42,"process":100,"thread":103,"thread_name":"worker-3","message":"query for EUR\"USD","rows":12,"level_3":null,"text":"two words\n","frame":"+/8=","took":0.0015,"exception":"error: refused\n    by peer\ncaused by: port closed\nbacktrace:\n   0: main"}"#);
}

#[test]
fn what_is_not_known_is_null() {
    let site = Site {
        module: String::new(),
        function: String::new(),
        file: String::new(),
        line: 0,
        ..site("{}", &[])
    };
    let mut args = Vec::new();
    number(1, &mut args);
    insta::assert_snapshot!(lines(Json::new(), &record(&site, &args)), @r#"{"timestamp":"2026-11-20T12:00:00.123Z","level":"WARNING","logger":"db","module":null,"function":null,"file":null,"line":null,"process":100,"process_name":"main","thread":103,"thread_name":"worker-3","message":"1","extra":{}}"#);
    insta::assert_snapshot!(lines(Logfmt::new(), &record(&site, &args)), @r#"ts=2026-11-20T12:00:00.123Z level=WARNING logger=db process=main pid=100 thread=worker-3 tid=103 message="1""#);
    insta::assert_snapshot!(lines(OtelJson::default(), &record(&site, &args)), @r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"unknown_service"}},{"key":"process.pid","value":{"intValue":"100"}},{"key":"miu_log.process.name","value":{"stringValue":"main"}}]},"scopeLogs":[{"scope":{"name":"db"},"logRecords":[{"severityNumber":13,"severityText":"WARNING","timeUnixNano":"1795176000123456789","observedTimeUnixNano":"1795176000123456789","body":{"stringValue":"1"},"attributes":[{"key":"thread.id","value":{"intValue":"103"}},{"key":"thread.name","value":{"stringValue":"worker-3"}}]}]}]}]}"#);
}

#[test]
fn logfmt_looks_like_this() {
    let mut args = Vec::new();
    let site = sample(&mut args);
    insta::assert_snapshot!(lines(Logfmt::new(), &record(&site, &args)), @r#"ts=2026-11-20T12:00:00.123Z level=WARNING logger=db module=crate::module function=function file=src/module.rs line=42 process=main pid=100 thread=worker-3 tid=103 message="query for EUR\"USD" rows=12 level_2=null text="two words\n" frame="+/8=" took=1.5ms exception="error: refused\n    by peer\ncaused by: port closed\nbacktrace:\n   0: main""#);
}

#[test]
fn opentelemetry_looks_like_this() {
    let mut args = Vec::new();
    let site = sample(&mut args);
    insta::assert_snapshot!(lines(OtelJson::new("orders"), &record(&site, &args)), @r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"orders"}},{"key":"process.pid","value":{"intValue":"100"}},{"key":"miu_log.process.name","value":{"stringValue":"main"}}]},"scopeLogs":[{"scope":{"name":"db"},"logRecords":[{"severityNumber":13,"severityText":"WARNING","timeUnixNano":"1795176000123456789","observedTimeUnixNano":"1795176000123456789","body":{"stringValue":"query for EUR\"USD"},"attributes":[{"key":"code.function.name","value":{"stringValue":"crate::module::function"}},{"key":"code.file.path","value":{"stringValue":"src/module.rs"}},{"key":"code.line.number","value":{"intValue":"42"}},{"key":"thread.id","value":{"intValue":"103"}},{"key":"thread.name","value":{"stringValue":"worker-3"}},{"key":"rows","value":{"intValue":"12"}},{"key":"level","value":{}},{"key":"text","value":{"stringValue":"two words\n"}},{"key":"frame","value":{"bytesValue":"+/8="}},{"key":"took","value":{"doubleValue":0.0015}},{"key":"exception.message","value":{"stringValue":"refused\nby peer"}},{"key":"exception.stacktrace","value":{"stringValue":"error: refused\n    by peer\ncaused by: port closed\nbacktrace:\n   0: main"}}]}]}]}]}"#);
}

#[test]
fn numbers_past_what_json_has_are_text() {
    let values = [
        Given::F64(f64::NAN),
        Given::F32(f32::INFINITY),
        Given::F64(f64::NEG_INFINITY),
        Given::F64(-0.0),
        Given::F64(1e300),
        Given::F64(2.0),
        Given::U64(u64::MAX),
        Given::U128(u128::from(u64::MAX)),
        Given::U128(u128::from(u64::MAX) + 1),
        Given::I128(i128::from(i64::MIN)),
        Given::I128(i128::MIN),
    ];
    let mut args = Vec::new();
    values.iter().for_each(|value| value.put(&mut args));
    let site = site("", &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"]);
    let line = lines(Json::new(), &record(&site, &args));
    let (_, extra) = line.split_once("\"extra\":").unwrap();
    insta::assert_snapshot!(extra, @r#"{"a":"NaN","b":"inf","c":"-inf","d":-0.0,"e":1e+300,"f":2.0,"g":18446744073709551615,"h":18446744073709551615,"i":"18446744073709551616","j":-9223372036854775808,"k":"-170141183460469231731687303715884105728"}}"#);
}
