//! Layouts in a document: a pattern, a preset's name, `json`, `logfmt` or `otel`, or a table with options.

use super::kind::{Defined, FLAG, Key, Kind, OneOrMore, Table, TableOr, Word, key, text};
use super::values::{made, some_text, zone};
use crate::config::select::did_you_mean;
use crate::layout::{AnyLayout, Json, JsonKey, Logfmt, OtelJson, Pattern, TimePrecision};

const EXPECTED: &str =
    "a layout: a pattern such as \"{time} {level} {message}\", a preset's name, json, logfmt or otel";

/// What a line looks like.
pub(super) fn layout() -> Defined<impl Kind<Value = AnyLayout>> {
    let chosen = made(options(), |mut chosen: Vec<AnyLayout>| chosen.pop().unwrap_or_default());
    Defined("layout", TableOr(chosen, text(EXPECTED, by_name)))
}

fn by_name(text: &str) -> Result<AnyLayout, String> {
    match text {
        "json" => Ok(Json::new().into()),
        "logfmt" => Ok(Logfmt::new().into()),
        "otel" => Ok(OtelJson::default().into()),
        _ => text.parse().map(|pattern: Pattern| pattern.into()).map_err(|error| {
            format!(
                "{error}{}; also accepted are json, logfmt and otel",
                did_you_mean(text, ["json", "logfmt", "otel"])
            )
        }),
    }
}

/// A table with one of these keys.
fn options() -> Table<Vec<AnyLayout>> {
    Table {
        keys: vec![
            key(
                "pattern",
                "",
                "A pattern in any notation, or a preset's name.",
                text(EXPECTED, pattern),
                Vec::push,
            ),
            key("json", "", "JSON, an object a line.", json(), |chosen: &mut Vec<AnyLayout>, json| {
                chosen.push(json.into());
            }),
            key("logfmt", "", "Logfmt, key=value.", logfmt(), |chosen: &mut Vec<AnyLayout>, logfmt| {
                chosen.push(logfmt.into());
            }),
            key("otel", "", "OpenTelemetry's JSON.", otel(), |chosen: &mut Vec<AnyLayout>, otel| {
                chosen.push(otel.into());
            }),
        ],
        begin: Vec::new,
        // One that is wrong has been told.
        check: |chosen| match chosen.len() {
            0 | 1 => Ok(()),
            _ => {
                Err("here are several layouts; one of pattern, json, logfmt and otel is expected".to_owned())
            }
        },
    }
}

fn pattern(text: &str) -> Result<AnyLayout, String> {
    text.parse().map(|pattern: Pattern| pattern.into()).map_err(|error| error.to_string())
}

fn precision() -> impl Kind<Value = TimePrecision> {
    Word(&[
        ("seconds", TimePrecision::Seconds),
        ("millis", TimePrecision::Millis),
        ("micros", TimePrecision::Micros),
        ("nanos", TimePrecision::Nanos),
    ])
}

/// The names of the keys of a line, as they are by default.
const KEYS: [(&str, JsonKey); 14] = [
    ("timestamp", JsonKey::Timestamp),
    ("level", JsonKey::Level),
    ("logger", JsonKey::Logger),
    ("module", JsonKey::Module),
    ("function", JsonKey::Function),
    ("file", JsonKey::File),
    ("line", JsonKey::Line),
    ("process", JsonKey::Process),
    ("process_name", JsonKey::ProcessName),
    ("thread", JsonKey::Thread),
    ("thread_name", JsonKey::ThreadName),
    ("message", JsonKey::Message),
    ("extra", JsonKey::Extra),
    ("exception", JsonKey::Exception),
];

fn json() -> Table<Json> {
    Table {
        keys: vec![
            key(
                "precision",
                "millis",
                "How exact the time is.",
                precision(),
                |json: &mut Json, precision| {
                    *json = std::mem::take(json).precision(precision);
                },
            ),
            key("zone", "the zone of all lines", "The time zone.", zone(), |json: &mut Json, zone| {
                *json = std::mem::take(json).zone(zone);
            }),
            key(
                "flatten",
                "false",
                "Whether fields stand beside the other keys, instead of in extra.",
                FLAG,
                |json: &mut Json, wanted| {
                    *json = std::mem::take(json).flatten(wanted);
                },
            ),
            key(
                "rename",
                "",
                "Other names for keys of a line.",
                names(),
                |json: &mut Json, names: Vec<(JsonKey, String)>| {
                    for (key, name) in names {
                        *json = std::mem::take(json).rename(key, name);
                    }
                },
            ),
            key(
                "without",
                "",
                "Keys that are left out.",
                OneOrMore(Word(&KEYS)),
                |json: &mut Json, keys: Vec<JsonKey>| {
                    for key in keys {
                        *json = std::mem::take(json).without(key);
                    }
                },
            ),
        ],
        begin: Json::new,
        check: |_| Ok(()),
    }
}

fn names() -> Table<Vec<(JsonKey, String)>> {
    let renaming = |(name, json_key): (&'static str, JsonKey)| -> Key<Vec<(JsonKey, String)>> {
        key(
            name,
            "",
            "Its other name.",
            some_text("a name"),
            move |names: &mut Vec<(JsonKey, String)>, name| {
                names.push((json_key, name));
            },
        )
    };
    Table { keys: KEYS.map(renaming).into(), begin: Vec::new, check: |_| Ok(()) }
}

fn logfmt() -> Table<Logfmt> {
    Table {
        keys: vec![
            key(
                "precision",
                "millis",
                "How exact the time is.",
                precision(),
                |logfmt: &mut Logfmt, precision| {
                    *logfmt = std::mem::take(logfmt).precision(precision);
                },
            ),
            key("zone", "the zone of all lines", "The time zone.", zone(), |logfmt: &mut Logfmt, zone| {
                *logfmt = std::mem::take(logfmt).zone(zone);
            }),
        ],
        begin: Logfmt::new,
        check: |_| Ok(()),
    }
}

fn otel() -> Table<OtelJson> {
    Table {
        keys: vec![key(
            "service",
            "none",
            "The service's name.",
            some_text("a name"),
            |otel: &mut OtelJson, name: String| {
                *otel = OtelJson::new(name);
            },
        )],
        begin: OtelJson::default,
        check: |_| Ok(()),
    }
}
