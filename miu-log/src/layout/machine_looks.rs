//! The layouts for machines: what lines look like, to the letter.

use std::time::Duration;

use super::line::tests::{number, record, site, text};
use super::machine_tests::{Given, lines};
use super::*;
use crate::codec::tag;
use crate::record::Site;
use crate::zone::Zone;

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
