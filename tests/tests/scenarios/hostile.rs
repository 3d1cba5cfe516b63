//! Text from outside, wherever it comes in: one physical line per record, no control of a terminal, no second formatting.
// F42, F54, F55, F57, P6

use miu_log::testing::ManualListener;
use miu_log_tests::{Place, escaped, logs};

use crate::everything;

const HOSTILE: [&str; 22] = [
    "x\n2026-01-01 00:00:00.000 | ERROR    | app | main/main | a:1 | forged",
    "\n",
    "\r",
    "\r\n",
    "\u{2028}2026-01-01",
    "\u{2029}",
    "\u{85}",
    "\u{b}",
    "\u{c}",
    "\u{1b}[2J\u{1b}]0;title\u{7}\u{1b}]52;c;aGk=\u{7}",
    "\u{9b}31m\u{90}\u{9d}",
    "\u{7f}\u{8}",
    "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}",
    "\u{2066}\u{2067}\u{2068}\u{2069}",
    "a\u{200b}b\u{200d}c\u{2060}d\u{feff}e",
    "\u{e0001}\u{e0041}\u{e007f}",
    "nul \0 in the middle",
    "${jndi:ldap://x} $ENV{HOME} $(id) `id`",
    "{} {0} {name} {0:>1000000000} %n%s%999999999d",
    "    | looks like a detail",
    "\u{301}\u{301} combining, \u{fffd} replaced",
    "key=value level=CRITICAL \"",
];

/// Whether no terminal and no reader of lines can be led astray.
fn assert_clean(text: &str) {
    for character in text.chars().filter(|character| *character != '\n') {
        let dangerous = character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{e0000}'..='\u{e007f}' | '\u{61c}');
        assert!(!dangerous, "{character:?} in {text:?}");
    }
}

#[test]
fn in_a_message_it_is_one_line() {
    let place = Place::new();
    let listener = ManualListener::new();
    let repo = logs::Repository::open(place.config().manual_listener(&listener)).unwrap();
    let mut expected = Vec::new();
    for text in HOSTILE {
        repo.app.info(text);
        repo.app.info(format_args!("{text}{}", 1));
        miu_log::info!(repo.app, "a {text} b {}", text);
        miu_log::info!(repo.app, "{:?}", text);
        expected.extend([
            escaped(text),
            escaped(&format!("{text}1")),
            escaped(&format!("a {text} b {text}")),
        ]);
        expected.push(escaped(&format!("{text:?}")));
    }
    listener.step();
    assert_eq!(place.messages("app.log"), expected);
    assert_clean(&everything(&place.logs()));
}

#[test]
fn in_a_field_it_is_one_line_and_one_value() {
    let place = Place::new();
    let listener = ManualListener::new();
    let repo = logs::Repository::open(place.config().manual_listener(&listener)).unwrap();
    for text in HOSTILE {
        miu_log::info!(repo.app, value = text, shown = %text, seen = ?text, end = 1, "m");
    }
    listener.step();
    let messages = place.messages("app.log");
    assert_eq!(messages.len(), HOSTILE.len());
    assert!(messages.iter().all(|message| message.starts_with("m | value=") && message.ends_with(" end=1")));
    assert_clean(&everything(&place.logs()));
}

#[test]
fn in_a_threads_name_it_is_one_line() {
    let place = Place::new();
    let listener = ManualListener::new();
    let repo = logs::Repository::open(place.config().manual_listener(&listener)).unwrap();
    let named = HOSTILE.into_iter().filter(|name| !name.contains('\0'));
    let mut expected = 0;
    for name in named {
        std::thread::scope(|scope| {
            let builder = std::thread::Builder::new().name(name.to_owned());
            builder.spawn_scoped(scope, || repo.app.info("m")).unwrap();
        });
        expected += 1;
    }
    while listener.step() > 0 {}
    let text = place.text("app.log");
    assert_clean(&text);
    assert_eq!(text.lines().count(), expected);
    assert!(text.lines().all(|line| line.starts_with("1970-01-01") && line.ends_with(" | m")));
}

#[test]
fn a_long_threads_name_is_cut_at_a_character() {
    let place = Place::new();
    let listener = ManualListener::new();
    let repo = logs::Repository::open(place.config().manual_listener(&listener)).unwrap();
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("日".repeat(10_000));
        builder.spawn_scoped(scope, || repo.app.info("m")).unwrap();
    });
    while listener.step() > 0 {}
    let thread = place.entries("app.log").remove(0).thread;
    let name = thread.strip_prefix("main/").unwrap();
    assert!(
        !name.is_empty() && name.len() < 1_000 && name.chars().all(|character| character == '日'),
        "{name:?}"
    );
}

#[test]
fn bytes_that_are_no_text_arrive_replaced() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let listener = ManualListener::new();
    let repo = logs::Repository::open(place.config().manual_listener(&listener)).unwrap();
    let name = OsStr::from_bytes(b"bad \xff\xfe\xed\xa0\x80 name\n");
    miu_log::info!(repo.app, path = ?name, "{} {:?}", name.display(), name);
    listener.step();
    let message = &place.messages("app.log")[0];
    assert!(message.starts_with(&escaped(&format!("{} {name:?} | path=", name.display()))), "{message:?}");
    assert_clean(&place.text("app.log"));
}
