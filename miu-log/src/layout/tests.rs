//! Whole lines, as they stand in a file or on a terminal.

use proptest::prelude::*;

use super::*;
use crate::codec::tag;
use crate::template::Template;

/// 2026-11-20 12:00:00.123 UTC.
const NOON: i64 = 1_795_176_000_123_456_789;

fn escaped(text: &str) -> String {
    let mut out = Vec::new();
    escape_into(text, &mut out);
    String::from_utf8(out).unwrap()
}

pub(in crate::layout) fn site(template: &str, fields: &[&str]) -> Site {
    Site {
        id: 0,
        file: "src/module.rs".to_owned(),
        line: 42,
        module: "crate::module".to_owned(),
        function: "function".to_owned(),
        location: "crate::module:function:42".to_owned(),
        template: Template::parse(template).unwrap(),
        fields: fields.iter().map(|name| escaped(name)).collect(),
        names: fields.iter().map(|&name| name.to_owned()).collect(),
    }
}

pub(in crate::layout) fn text(tag: u8, text: &str, args: &mut Vec<u8>) {
    args.push(tag);
    args.extend_from_slice(&(text.len() as u32).to_le_bytes());
    args.extend_from_slice(text.as_bytes());
}

pub(in crate::layout) fn number(number: u64, args: &mut Vec<u8>) {
    args.push(tag::U64);
    args.extend_from_slice(&number.to_le_bytes());
}

pub(in crate::layout) fn record<'a>(site: &'a Site, args: &'a [u8]) -> Record<'a> {
    Record {
        time: NOON,
        level: Level::Warning,
        domain: "db",
        process: "main",
        thread: "worker-3",
        process_id: 100,
        thread_id: 103,
        ring: 0,
        id: crate::record::RecordId::default(),
        site,
        args: Args::new(args),
        extra: Extra::NONE,
    }
}

fn layout(pattern: &str) -> PatternLayout {
    PatternLayout::new(&Pattern::part(pattern), false, &Zone::Utc)
}

fn line(layout: &mut PatternLayout, record: &Record<'_>) -> String {
    let mut out = b"before\n".to_vec();
    layout.write(record, &mut out).unwrap();
    String::from_utf8(out).unwrap().strip_prefix("before\n").unwrap().to_owned()
}

#[test]
fn default_line() {
    let line = line(&mut layout(Pattern::DEFAULT), &record(&site("message", &[]), &[]));
    assert_eq!(
        line,
        "2026-11-20 12:00:00.123 | WARNING  | db | main/worker-3 | crate::module:function:42 | message\n"
    );
}

#[test]
fn default_line_with_arguments_and_fields() {
    let mut args = Vec::new();
    number(17, &mut args);
    text(tag::STR, "EURUSD", &mut args);
    text(tag::STR, "value", &mut args);
    text(tag::STR, "two words", &mut args);
    text(tag::RENDERED, "[1, 2]", &mut args);
    let site = site("order {:>4} of {:?}", &["key", "words", "list"]);
    insta::assert_snapshot!(line(&mut layout(Pattern::DEFAULT), &record(&site, &args)), @r#"2026-11-20 12:00:00.123 | WARNING  | db | main/worker-3 | crate::module:function:42 | order   17 of "EURUSD" | key=value words="two words" list=[1, 2]"#);
}

#[test]
fn detail_follows_indented() {
    let mut args = Vec::new();
    text(tag::STR, "connection failed", &mut args);
    number(3, &mut args);
    text(tag::STR, "error: refused\ncaused by: port \u{1b}[31m closed\n\nbacktrace:\n   0: main", &mut args);
    let site = site("{}", &["attempt"]);
    insta::assert_snapshot!(line(&mut layout(Pattern::DEFAULT), &record(&site, &args)), @r"
    2026-11-20 12:00:00.123 | WARNING  | db | main/worker-3 | crate::module:function:42 | connection failed | attempt=3
        | error: refused
        | caused by: port \u{1b}[31m closed
        | 
        | backtrace:
        |    0: main
    ");
    // The detail is found whether or not the pattern shows what stands before it.
    let short = line(&mut layout("{level}"), &record(&site, &args));
    assert!(short.starts_with("WARNING\n    | error: refused\n"), "{short}");
    assert_eq!(short.lines().count(), 6);
}

#[test]
fn only_the_level_is_coloured() {
    let pattern = Pattern::parse("{level:<8}|{level:^9}|{level} {message}").unwrap();
    let mut coloured = PatternLayout::new(&pattern, true, &Zone::Utc);
    let site = site("\u{1b}[31mred", &[]);
    let shown = format!("{:?}", line(&mut coloured, &record(&site, &[])));
    insta::assert_snapshot!(shown, @r#""\u{1b}[33mWARNING\u{1b}[0m | \u{1b}[33mWARNING\u{1b}[0m |\u{1b}[33mWARNING\u{1b}[0m \\u{1b}[31mred\n""#);
}

#[test]
fn every_key_can_be_shown_and_padded() {
    let mut args = Vec::new();
    number(1, &mut args);
    let site = site("hello", &["n"]);
    let mut all = layout(
        "{time}#{level}#{domain}#{process}#{thread}#{pid}#{tid}#{module}#{function}#{line}#{file}#{location}#{message}#{fields}",
    );
    insta::assert_snapshot!(line(&mut all, &record(&site, &args)), @"2026-11-20 12:00:00.123#WARNING#db#main#worker-3#100#103#crate::module#function#42#src/module.rs#crate::module:function:42#hello# | n=1");
    let mut padded = layout("{domain:>5}|{thread:.^12}|{line:4}|{message:3}|{{{fields:<9}}}");
    assert_eq!(line(&mut padded, &record(&site, &args)), "   db|..worker-3..|42  |hello|{ | n=1   }\n");
}

#[test]
fn fields_may_come_before_the_message() {
    let mut args = Vec::new();
    number(1, &mut args);
    number(2, &mut args);
    let site = site("n={}", &["field"]);
    let mut turned = layout("{fields} {message} {message}");
    assert_eq!(line(&mut turned, &record(&site, &args)), " | field=2 n=1 n=1\n");
}

#[test]
fn hostile_text_stays_in_its_place() {
    const BAD: &str = "x\r\n2026-01-01 00:00:00.000 | ERROR | forged\u{1b}[2J\u{2028}\u{202e}\u{85}";
    let name = escaped(BAD);
    let mut args = Vec::new();
    text(tag::STR, BAD, &mut args);
    text(tag::RENDERED, BAD, &mut args);
    text(tag::STR, BAD, &mut args);
    text(tag::RENDERED, BAD, &mut args);
    text(tag::STR, BAD, &mut args);
    let site = Site {
        id: 0,
        file: BAD.to_owned(),
        module: BAD.to_owned(),
        function: BAD.to_owned(),
        location: name,
        template: Template::parse(&format!("{BAD} {{:>9}} {{}}")).unwrap(),
        ..site("", &[BAD, BAD])
    };
    let record = Record { domain: BAD, process: BAD, thread: BAD, ..record(&site, &args) };
    insta::assert_snapshot!(line(&mut layout("{domain} {file} {message}{fields}"), &record), @r#"
    x\r\n2026-01-01 00:00:00.000 | ERROR | forged\u{1b}[2J\u{2028}\u{202e}\u{85} x\r\n2026-01-01 00:00:00.000 | ERROR | forged\u{1b}[2J\u{2028}\u{202e}\u{85} x\r\n2026-01-01 00:00:00.000 | ERROR | forged\u{1b}[2J\u{2028}\u{202e}\u{85} x\r\n2026-01-01 00:00:00.000 | ERROR | forged\u{1b}[2J\u{2028}\u{202e}\u{85} x\r\n2026-01-01 00:00:00.000 | ERROR | forged\u{1b}[2J\u{2028}\u{202e}\u{85} | x\r\n2026-01-01 00:00:00.000 | ERROR | forged\u{1b}[2J\u{2028}\u{202e}\u{85}="x\r\n2026-01-01 00:00:00.000 | ERROR | forged\u{1b}[2J\u{2028}\u{202e}\u{85}" x\r\n2026-01-01 00:00:00.000 | ERROR | forged\u{1b}[2J\u{2028}\u{202e}\u{85}="x\r\n2026-01-01 00:00:00.000 | ERROR | forged\u{1b}[2J\u{2028}\u{202e}\u{85}"
        | x
        | 2026-01-01 00:00:00.000 | ERROR | forged\u{1b}[2J\u{2028}\u{202e}\u{85}
    "#);
    let mut all = layout("{domain}{process}{thread}{module}{function}{file}{location}{message}{fields}");
    assert_eq!(line(&mut all, &record).lines().count(), 3);
}

#[test]
fn no_line_starts_like_a_detail() {
    let mut args = Vec::new();
    text(tag::STR, "    | at main", &mut args);
    let site = site("{}", &[]);
    assert_eq!(line(&mut layout("{message}"), &record(&site, &args)), "\\u{20}   | at main\n");
    assert_eq!(line(&mut layout("    | {level}"), &record(&site, &args)), "\\u{20}   | WARNING\n");
}

#[test]
fn template_text_in_an_argument_is_no_template() {
    let mut args = Vec::new();
    text(tag::STR, "${jndi:ldap://x} {} {0:>1000000000} %n%s $(id)", &mut args);
    let shown = line(&mut layout("{message}"), &record(&site("{}", &[]), &args));
    assert_eq!(shown, "${jndi:ldap://x} {} {0:>1000000000} %n%s $(id)\n");
}

#[test]
fn corrupt_record_leaves_the_buffer_as_it_was() {
    let mut surplus = Vec::new();
    number(1, &mut surplus);
    number(2, &mut surplus);
    number(3, &mut surplus);
    text(tag::STR, "two details", &mut surplus);
    for (site, args) in [
        (site("{} {}", &[]), &surplus[..9]),
        (site("{}", &["field"]), &surplus[..9]),
        (site("{}", &["field"]), &surplus[..17]),
        (site("{}", &["field"]), &surplus[..27]),
        (site("{}", &["field"]), &surplus[..]),
    ] {
        for pattern in [Pattern::DEFAULT, "{level}", "{fields}{message}"] {
            let mut out = b"kept".to_vec();
            assert_eq!(
                layout(pattern).write(&record(&site, args), &mut out).unwrap_err(),
                Unwritten::Corrupt
            );
            assert_eq!(out, b"kept");
        }
    }
}

/// The line that every preset is shown with.
fn preset_line(name: &str, colour: bool) -> String {
    let mut args = Vec::new();
    number(3, &mut args);
    let mut layout = PatternLayout::new(&Pattern::preset(name).unwrap(), colour, &Zone::Utc);
    line(&mut layout, &record(&site("message", &["attempt"]), &args))
}

// L-10, V-28, V-29, M-29, P-34
#[test]
fn every_preset_has_its_line() {
    let lines =
        ["loguru", "service", "service_console", "toolbox", "classic"].map(|name| preset_line(name, false));
    insta::assert_snapshot!(lines.concat(), @"
    2026-11-20 12:00:00.123 | WARNING  | crate::module:function:42 - message | attempt=3
    2026-11-20 12:00:00.123 | WARNING  | crate::module:function:42 | message | attempt=3
    12:00:00.123 | WARNING  | crate::module:function:42 | message | attempt=3
    2026-11-20 12:00:00,123 [WARNING] db - message | attempt=3
    2026-11-20 12:00:00,123 - db - WARNING - message | attempt=3
    ");
}

#[test]
fn the_loguru_preset_is_coloured_on_a_console_only() {
    insta::assert_snapshot!(format!("{:?}", preset_line("loguru", true)), @r#""\u{1b}[32m2026-11-20 12:00:00.123\u{1b}[0m | \u{1b}[33mWARNING \u{1b}[0m | \u{1b}[36mcrate::module:function:42\u{1b}[0m - \u{1b}[33mmessage\u{1b}[0m | attempt=3\n""#);
    assert!(!preset_line("loguru", false).contains('\u{1b}'));
}

// V-30
#[test]
fn every_preset_says_when_how_grave_where_and_what() {
    let is_shaped = |part: &str, shape: &str| {
        part.len() == shape.len()
            && part
                .chars()
                .zip(shape.chars())
                .all(|(shown, wanted)| shown == wanted || wanted == '0' && shown.is_ascii_digit())
    };
    for (name, time, place) in [
        ("loguru", "0000-00-00 00:00:00.000", "crate::module:function:42"),
        ("service", "0000-00-00 00:00:00.000", "crate::module:function:42"),
        ("service_console", "00:00:00.000", "crate::module:function:42"),
        ("toolbox", "0000-00-00 00:00:00,000", "db"),
        ("classic", "0000-00-00 00:00:00,000", "db"),
    ] {
        let shown = preset_line(name, false);
        assert!(is_shaped(&shown[..time.len()], time), "{shown}");
        for part in ["WARNING", place, "message"] {
            assert_eq!(shown.matches(part).count(), 1, "{name}: {shown}");
        }
    }
}

// L-51
#[test]
fn a_line_has_its_context_or_what_stands_for_it() {
    let mut args = Vec::new();
    text(tag::STR, "r-17", &mut args);
    text(tag::STR, "Ada L.", &mut args);
    let pattern =
        "{level} | REQ:{extra[request_id]|no-request} | USER:{extra[user]|nobody:>8} | {message}{exception}";
    let site_with = site("hello", &["request_id", "user"]);
    assert_eq!(
        line(&mut layout(pattern), &record(&site_with, &args)),
        "WARNING | REQ:r-17 | USER:\"Ada L.\" | hello\n"
    );
    let without = site("hello", &[]);
    assert_eq!(
        line(&mut layout(pattern), &record(&without, &[])),
        "WARNING | REQ:no-request | USER:  nobody | hello\n"
    );
    assert_eq!(line(&mut layout("{extra[user]}{extra}|{message}"), &record(&without, &[])), "|hello\n");
    assert_eq!(
        line(&mut layout("[{extra}]"), &record(&site_with, &args)),
        "[request_id=r-17 user=\"Ada L.\"]\n"
    );
}

#[test]
fn keys_with_a_point_are_parts_of_others() {
    let site = site("hello", &[]);
    let mut layout = layout(
        "{level.name} {level.no} {process.id} {process.name} {thread.id} {thread.name} {file.name} {file.path} {name}",
    );
    assert_eq!(
        line(&mut layout, &record(&site, &[])),
        "WARNING 30 100 main 103 worker-3 module.rs src/module.rs crate::module\n"
    );
    let unknown = Site { module: String::new(), ..site };
    assert_eq!(
        line(&mut PatternLayout::new(&Pattern::part("{name}"), false, &Zone::Utc), &record(&unknown, &[])),
        "src/module.rs\n"
    );
}

#[test]
fn tags_colour_what_stands_between_them() {
    let mut coloured = PatternLayout::new(
        &Pattern::part("<green>a<bold>b</bold>c</green>{level}<level>{level:^9}</level>\\<red>"),
        true,
        &Zone::Utc,
    );
    let shown = format!("{:?}", line(&mut coloured, &record(&site("", &[]), &[])));
    insta::assert_snapshot!(shown, @r#""\u{1b}[32ma\u{1b}[1mb\u{1b}[0m\u{1b}[32mc\u{1b}[0m\u{1b}[33mWARNING\u{1b}[0m\u{1b}[33m WARNING \u{1b}[0m<red>\n""#);
    let mut plain = layout("<green>a<bold>b</bold>c</green>{level}<level>{level:^9}</level>\\<red>");
    assert_eq!(line(&mut plain, &record(&site("", &[]), &[])), "abcWARNING WARNING <red>\n");
}

#[test]
fn no_coloured_line_starts_like_a_detail() {
    let mut args = Vec::new();
    text(tag::STR, "    | at main", &mut args);
    let mut coloured =
        PatternLayout::new(&Pattern::part("<red><bold>{message}</bold></red>"), true, &Zone::Utc);
    let shown = line(&mut coloured, &record(&site("{}", &[]), &args));
    assert!(shown.starts_with("\u{1b}[31m\u{1b}[1m\\u{20}   | at main\u{1b}[0m"), "{shown:?}");
}

#[test]
fn a_time_has_its_format_and_its_padding() {
    let site = site("x", &[]);
    let mut layout = layout("{time:HH:mm}|{time:>25}|{time:rfc3339}|{time:[at] h A}");
    assert_eq!(
        line(&mut layout, &record(&site, &[])),
        "12:00|  2026-11-20 12:00:00.123|2026-11-20T12:00:00.123+00:00|at 12 PM\n"
    );
}

proptest! {
    #[test]
    fn any_text_anywhere_gives_one_line(bad in "\\PC{0,9}|.{0,9}|[\\x00-\\xa0\\u{2000}-\\u{2070} |=\"\\\\]{0,20}", with_detail: bool) {
        let name = escaped(&bad);
        let mut args = Vec::new();
        text(tag::STR, &bad, &mut args);
        text(tag::STR, &bad, &mut args);
        text(tag::RENDERED, &bad, &mut args);
        if with_detail {
            text(tag::RENDERED, &bad, &mut args);
        }
        let template = bad.replace('{', "{{").replace('}', "}}");
        let site = Site { location: name, ..site(&(template + "{}"), &[&bad, &bad]) };
        let record = Record { domain: &bad, process: &bad, thread: &bad, ..record(&site, &args) };
        for pattern in [
            Pattern::DEFAULT,
            "{message}",
            "{domain}{fields}",
            "<level>{message}</level>{name}{file.name}{extra}",
            "{extra[x]|    | }{extra}{time:[    | ]HH}",
        ] {
            let text = line(&mut layout(pattern), &record);
            let (first, detail) = text.split_once('\n').unwrap();
            prop_assert!(!first.starts_with(DETAIL_MARK) && crate::escape::is_harmless(first), "{}", first);
            prop_assert!(with_detail || detail.is_empty());
            for line in detail.lines() {
                prop_assert!(line.starts_with(DETAIL_MARK) && crate::escape::is_harmless(line));
            }
        }
    }

    #[test]
    fn any_pattern_gives_one_line(
        parts in proptest::collection::vec(
            prop::sample::select(vec![
                "{message}", "{time:x SSS}", "{extra[a]|b}", "{extra}", "{level:>9}", "<red>", "</>", "<level>", "{location}", "    | ", "{name:^30}",
                "{time:[    | ]}", "%(message)s", "\t", "é",
            ]),
            0..9,
        ),
        bad in "[\\x00-\\xa0\\u{2000}-\\u{2070} |=\"\\\\]{0,20}",
        coloured: bool,
    ) {
        let mut args = Vec::new();
        text(tag::STR, &bad, &mut args);
        text(tag::STR, &bad, &mut args);
        let name = escaped(&bad);
        let site = Site { location: name, module: bad.clone(), ..site("{}", &["a"]) };
        if let Ok(pattern) = parts.concat().parse::<Pattern>() {
            let shown = line(&mut PatternLayout::new(&pattern, coloured, &Zone::Utc), &record(&site, &args));
            let (first, rest) = shown.split_once('\n').unwrap();
            prop_assert!(rest.is_empty());
            let codes = codes_at_start(first.as_bytes());
            prop_assert!(!first[codes..].starts_with(DETAIL_MARK));
            prop_assert!(coloured || crate::escape::is_harmless(&first.replace('\t', "")), "{}", first);
        }
    }

    #[test]
    fn any_bytes_are_a_line_or_corrupt(args in proptest::collection::vec(0u8..22, 0..60)) {
        let site = site("{} {:>4} {:?}", &["field"]);
        let mut out = Vec::new();
        if layout(Pattern::DEFAULT).write(&record(&site, &args), &mut out).is_err() {
            prop_assert!(out.is_empty());
        }
    }
}

/// Three records of two origins: the second finds the first one's text kept, the third must not.
#[test]
fn kept_text_serves_the_same_origin_only() {
    let pattern: Pattern = "{level} {thread} {location} {message}".parse().unwrap();
    let mut layout = PatternLayout::new(&pattern, false, &Zone::Utc);
    let site = Site { id: 5, ..site("plain", &[]) };
    let first = record(&site, &[]);
    let other = Record { ring: 1, thread: "other", ..first };
    let louder = Record { level: Level::Critical, ..first };
    let mut lines = Vec::new();
    for record in [&first, &first, &other, &louder, &first] {
        let mut line = Vec::new();
        layout.write(record, &mut line).unwrap();
        lines.push(String::from_utf8(line).unwrap());
    }
    assert_eq!((&lines[0], &lines[0]), (&lines[1], &lines[4]));
    assert!(lines[2].contains(" other ") && !lines[0].contains(" other "));
    assert!(lines[3].starts_with("CRITICAL "));
}
