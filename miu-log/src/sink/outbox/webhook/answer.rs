//! What a service says in its answer: why it does not take a message, and how long to wait.
//!
//! A1. Whatever an answer is, reading it ends, and says no more than there is: a JSON text is read as far as it goes.
//! A2. A reason is short, holds no control character, and has no part of the address in it.
//!
//! Pure. Called by the webhook.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::escape::escaped;
use crate::record::UnixNanos;

/// Longest time that a service is believed to ask for, as the outbox has it.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Longest reason that is shown, in characters.
const REASON: usize = 200;

/// Shortest part of an address that is taken for a secret, in characters. What is shorter can be any word.
const TELLING: usize = 8;

/// What is known of the body of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// `ok` of Telegram.
    pub(super) ok: Option<bool>,
    /// `error_code` of Telegram.
    pub(super) code: Option<u16>,
    pub(super) retry_after: Option<Duration>,
    /// `migrate_to_chat_id` of Telegram.
    pub(super) new_chat: Option<i64>,
    /// As it came.
    pub(super) reason: Option<String>,
}

/// Reads a body, if it is JSON.
pub(super) fn said(body: &str) -> Said {
    let mut said = Said::default();
    let mut rank = usize::MAX;
    if !body.trim_start().starts_with('{') {
        return said;
    }
    members(body, |depth, key, value| match (depth, key, value) {
        (1, "ok", Value::Other(word)) => said.ok = word.parse().ok(),
        (1, "error_code", Value::Other(number)) => said.code = number.parse().ok(),
        (2, "migrate_to_chat_id", Value::Other(number)) => said.new_chat = number.parse().ok(),
        (_, "retry_after", Value::Other(number)) => said.retry_after = seconds(number),
        (depth, _, Value::Text(text)) if !text.trim().is_empty() => {
            let names = [(1, "description"), (1, "message"), (1, "error"), (2, "message")];
            let found = names.iter().position(|name| *name == (depth, key)).unwrap_or(usize::MAX);
            if found < rank {
                (rank, said.reason) = (found, Some(text));
            }
        }
        _ => {}
    });
    said
}

enum Value<'a> {
    Text(String),
    /// A number, `true`, `false`, `null`.
    Other(&'a str),
}

/// Calls with each single value that has a key, and with how deep it stands.
fn members(body: &str, mut call: impl FnMut(usize, &str, Value<'_>)) {
    let (mut rest, mut depth) = (body.trim_start(), 0_usize);
    let mut key: Option<String> = None;
    while let Some(first) = rest.chars().next() {
        match first {
            '"' => {
                let Some((text, behind)) = string(&rest[1..]) else { return };
                rest = behind.trim_start();
                if let Some(value) = rest.strip_prefix(':') {
                    (key, rest) = (Some(text), value);
                } else if let Some(key) = key.take() {
                    call(depth, &key, Value::Text(text));
                }
            }
            '{' | '[' | '}' | ']' | ',' => {
                key = None;
                match first {
                    '{' | '[' => depth += 1,
                    ',' => {}
                    _ => depth = depth.saturating_sub(1),
                }
                rest = &rest[1..];
            }
            _ => {
                let ends = |it: char| matches!(it, ',' | '{' | '}' | '[' | ']' | '"') || it.is_whitespace();
                let end = rest.find(ends).unwrap_or(rest.len()).max(first.len_utf8());
                if let Some(key) = key.take() {
                    call(depth, &key, Value::Other(&rest[..end]));
                }
                rest = &rest[end..];
            }
        }
        rest = rest.trim_start();
    }
}

/// A string behind its first quote, and what is behind its last; None where that does not come.
fn string(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut units: Vec<u16> = Vec::new();
    let mut rest = text.chars();
    loop {
        let mut next = rest.next()?;
        if next == '\\' {
            next = match rest.next()? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'u' => {
                    let digits = rest.as_str().get(..4)?;
                    units.push(u16::from_str_radix(digits, 16).ok()?);
                    rest = rest.as_str()[4..].chars();
                    continue;
                }
                other => other,
            };
        } else if next == '"' {
            out.push_str(&String::from_utf16_lossy(&units));
            return Some((out, rest.as_str()));
        }
        // The halves of one character come one after the other.
        out.push_str(&String::from_utf16_lossy(&units));
        units.clear();
        out.push(next);
    }
}

/// A number as seconds; more than is believed is the most that is.
fn seconds(number: &str) -> Option<Duration> {
    let number: f64 = number.trim().parse().ok()?;
    if number.is_nan() || number < 0.0 {
        return None;
    }
    Duration::try_from_secs_f64(number.min(LONGEST.as_secs_f64())).ok()
}

/// What a header asks for in seconds.
pub(super) fn header_seconds(header: &str) -> Option<Duration> {
    let header = header.trim();
    let is_number = header.starts_with(|it: char| it.is_ascii_digit());
    if is_number && header.bytes().all(|it| it.is_ascii_digit() || it == b'.') {
        seconds(header)
    } else {
        None
    }
}

/// What `Retry-After` asks for: seconds, or a point in time, which is later than `date`, the answer's own time, or else than our time.
pub(super) fn retry_after(header: &str, date: Option<&str>, now: UnixNanos) -> Option<Duration> {
    header_seconds(header).or_else(|| {
        let until = point(header)?;
        let now = date
            .and_then(point)
            .or_else(|| Some(Offset::UTC.to_datetime(Timestamp::from_nanosecond(now.into()).ok()?)))?;
        let wait = until.duration_since(now);
        // What has passed already is not waited for.
        Some(Duration::try_from(wait).unwrap_or(Duration::ZERO).min(LONGEST))
    })
}

/// A point in time as HTTP has it, always in UTC: `Sun, 06 Nov 1994 08:49:37 GMT`. What day of the week that was is its own matter.
fn point(text: &str) -> Option<DateTime> {
    let (_, date) = text.trim().split_once(", ")?;
    DateTime::strptime("%d %b %Y %H:%M:%S GMT", date).ok()
}

/// Whether Telegram refuses a message because of the chat, or of what the bot may do there: no other message gets there either. It has one code for that and for
/// what is wrong with a message.
pub(super) fn is_about_chat(reason: &str) -> bool {
    const ABOUT: [&str; 18] = [
        "chat not found",
        "chat_id is empty",
        "chat_id_invalid",
        "peer_id_invalid",
        "upgraded to a supergroup",
        "chat was deleted",
        "group is deactivated",
        "user is deactivated",
        "channel_private",
        "not enough rights",
        "no rights to send",
        "need administrator rights",
        "chat_admin_required",
        "chat_write_forbidden",
        "chat_restricted",
        "user_banned_in_channel",
        "topic_closed",
        "bot is not a member",
    ];
    let reason = reason.to_lowercase();
    ABOUT.iter().any(|it| reason.contains(it))
}

/// A reason as it can be shown beside an address; None where it tells something of it.
pub(super) fn shown(reason: &str, address: &str) -> Option<String> {
    if tells(reason, address) {
        return None;
    }
    let mut out = String::new();
    let mut length = 0;
    for character in reason.trim().chars() {
        let piece = escaped(character.encode_utf8(&mut [0; 4]));
        let more = piece.chars().count();
        if length + more > REASON - 1 {
            out.push('…');
            break;
        }
        out.push_str(&piece);
        length += more;
    }
    (!out.is_empty()).then_some(out)
}

/// Whether it has something of an address behind its host or before it: so many characters of a segment, of a value, of a token.
fn tells(reason: &str, address: &str) -> bool {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let reasons = [reason.to_lowercase(), unescaped(reason).to_lowercase()];
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()));
    let login = authority.rsplit_once('@').map_or("", |(login, _)| login);
    let is_between = |it: char| matches!(it, '/' | '?' | '#' | '&' | '=' | '\\' | ':' | '@');
    let parts = login.split(is_between).chain(path.split(is_between));
    let token = path.split('/').find_map(|segment| segment.strip_prefix("bot")).filter(|it| it.contains(':'));
    let has = |part: &str| reasons.iter().any(|reason| reason.contains(part));
    if token.is_some_and(|token| has(&token.to_lowercase())) {
        return true;
    }
    parts.flat_map(|part| [part.to_lowercase(), unescaped(part).to_lowercase()]).any(|part| {
        let part: Vec<char> = part.chars().collect();
        part.windows(TELLING).any(|some| has(&some.iter().collect::<String>()))
    })
}

/// Without the `%`-escapes of an address.
fn unescaped(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let digits = behind.get(..2).and_then(|it| std::str::from_utf8(it).ok());
        let byte = digits.filter(|_| *first == b'%').and_then(|it| u8::from_str_radix(it, 16).ok());
        out.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON: &str = "Sun, 06 Nov 1994 12:00:00 GMT";

    fn secs(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn a_point_in_time_is_waited_for_from_the_answer_s_own_time_or_ours() {
        // Ten seconds after noon.
        let ours = 784_123_210_000_000_000;
        for (header, date, expected) in [
            ("Sun, 06 Nov 1994 12:00:37 GMT", Some(NOON), secs(37)),
            ("Sun, 06 Nov 1994 12:00:37 GMT", None, secs(27)),
            ("Sun, 06 Nov 1994 12:00:37 GMT", Some("noon"), secs(27)),
            ("Sun, 06 Nov 1994 11:00:00 GMT", Some(NOON), secs(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(NOON), secs(3600)),
            ("120", Some(NOON), secs(120)),
            ("0", None, secs(0)),
            ("1.5", None, Some(Duration::from_millis(1500))),
            ("Tue, 06 Nov 1994 12:00:01 GMT", Some(NOON), secs(1)),
            ("4000", None, secs(3600)),
            (&"9".repeat(400), None, secs(3600)),
            ("-5", None, None),
            ("1.2.3", None, None),
            ("soon", Some(NOON), None),
            ("Sun, 06 Nov 1994 25:00:00 GMT", Some(NOON), None),
            ("Sun, 06 Nov 1994 12:00:37", Some(NOON), None),
            ("", None, None),
        ] {
            assert_eq!(retry_after(header, date, ours), expected, "{header} {date:?}");
        }
    }

    #[test]
    fn a_body_says_why_and_how_long() {
        let telegram = r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 3","parameters":{"retry_after": 3}}"#;
        let expected = Said {
            ok: Some(false),
            code: Some(429),
            retry_after: secs(3),
            new_chat: None,
            reason: Some("Too Many Requests: retry after 3".to_owned()),
        };
        assert_eq!(said(telegram), expected);
        let reason = |body: &str| said(body).reason;
        assert_eq!(reason(r#"{"message": "Unknown Webhook", "code": 10015}"#).unwrap(), "Unknown Webhook");
        assert_eq!(
            reason(r#"{"error":{"message":"no \"such\" \ud83d\udd25\n"}}"#).unwrap(),
            "no \"such\" 🔥\n"
        );
        assert_eq!(reason(r#"{"error":"a","message":"b","x":[{"description":"c"}]}"#).unwrap(), "b");
        assert_eq!(reason(r#"{"error":null,"message":" "}"#), None);
        assert_eq!(said("<html>\"message\": \"x\"</html>"), Said::default());
        assert_eq!(said(r#"{"retry_after":1e999}"#).retry_after, secs(3600));
        assert_eq!(said(r#"{"retry_after":-1}"#).retry_after, None);
    }

    #[test]
    fn a_reason_is_short_and_speaks_to_no_terminal() {
        assert_eq!(
            shown("  chat\n\u{1b}[31m not found ", "https://x/").unwrap(),
            "chat\\n\\u{1b}[31m not found"
        );
        assert_eq!(shown(&"x".repeat(199), "https://x/").unwrap(), "x".repeat(199));
        for long in ["x".repeat(1000), "\u{1b}".repeat(1000)] {
            let shown = shown(&long, "https://x/").unwrap();
            assert!((190..=REASON).contains(&shown.chars().count()) && shown.ends_with('…'), "{shown}");
        }
        assert_eq!(shown(" \n", "https://x/"), None);
    }

    // F61
    #[test]
    fn a_reason_with_a_part_of_the_address_is_left_out() {
        let address =
            "https://ann:canary-0@hooks.example.org/in/canary-1/x?key=canary-2&to=canary%2F3#canary-4";
        for reason in [
            "no CANARY-0",
            "canary-1 is not known",
            "the key 'canary-2'",
            "canary/3",
            "canary%2F3",
            "%63anary-2",
            "no canary-4",
        ] {
            assert_eq!(shown(reason, address), None, "{reason}");
        }
        for harmless in ["hooks.example.org does not know you", "in x", "canary"] {
            assert_eq!(shown(harmless, address).unwrap(), harmless);
        }
        let telegram = "https://api.telegram.org/bot12:ab/sendMessage";
        assert_eq!(shown("no bot has 12:AB", telegram), None);
        let long = "https://api.telegram.org/bot123456:AAabcdefghijk/sendMessage";
        assert_eq!(shown("the token …defghijk is revoked", long), None);
        assert_eq!(shown("Bad Request: chat not found", long).unwrap(), "Bad Request: chat not found");
    }

    proptest! {
        #[test]
        fn any_body_and_any_header_are_read_to_their_end(text in "[\\PC\"{}:,\\\\\\[\\]u0-9 ]{0,200}") {
            said(&format!("{{{text}"));
            retry_after(&text, Some(&text), 0);
            let reason = shown(&text, &format!("https://x/{text}"));
            prop_assert!(reason.is_none_or(|it| it.chars().count() <= REASON));
        }
    }
}
