//! The bodies that each service is sent.
//!
//! V1. Nothing in a record makes a service notify anybody, follow a link's preview or take text for markup, as far as the service lets one say so.
//! V2. No body is longer than the service takes. What does not go into [`MESSAGES`] messages is counted in the last one.
//!
//! Pure. Called by the webhook.

use super::text::{Group, pieces, units};
use crate::layout::push_json_string;
use crate::level::Level;

/// Messages for a batch, at most.
const MESSAGES: usize = 3;

/// What is sent at once.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) body: Vec<u8>,
    /// How many of the groups, from the first on, are told when it has arrived. The last message tells all: what is left out is counted in it.
    pub(super) told: usize,
}

/// Of Discord: characters of an embed and of all embeds of a message, and embeds of a message.
const EMBED: usize = 4096;
const EMBEDS: usize = 6000;
const EMBED_COUNT: usize = 10;

/// Of Telegram: characters of a message.
const TEXT: usize = 4096;

/// What is left for the line about records that are left out.
const SPARE: usize = 96;

/// Appends `"key":"text"`.
fn put(body: &mut Vec<u8>, key: &str, text: &str) {
    body.push(b'"');
    body.extend_from_slice(key.as_bytes());
    body.extend_from_slice(b"\":");
    push_json_string(text, body);
}

/// All records in one object, for a server of the user's own.
pub(super) fn json(groups: &[Group<'_>]) -> Vec<Message> {
    let mut body = b"{\"records\":[".to_vec();
    for (number, group) in groups.iter().enumerate() {
        body.extend_from_slice(if number > 0 { b",{" } else { b"{" });
        put(&mut body, "id", &group.id.to_string());
        body.extend_from_slice(
            format!(",\"unix_nanos\":{},\"count\":{},", group.time, group.count).as_bytes(),
        );
        put(&mut body, "level", group.level.as_str());
        body.push(b',');
        put(&mut body, "domain", group.domain);
        body.push(b',');
        put(&mut body, "text", group.text);
        body.push(b'}');
    }
    body.extend_from_slice(b"]}");
    vec![Message { body, told: groups.len() }]
}

/// How Discord shows a level.
fn colour(level: Level) -> u32 {
    match level {
        Level::Trace | Level::Debug => 0x95_a5a6,
        Level::Info => 0x34_98db,
        Level::Success => 0x2e_cc71,
        Level::Warning => 0xf1_c40f,
        Level::Error => 0xe7_4c3c,
        Level::Critical => 0x9b_2c9b,
    }
}

/// A character as Discord shows it and does nothing else with it.
fn plain(character: char, out: &mut String) {
    if matches!(character, '\\' | '*' | '_' | '~' | '`' | '|' | '<' | '>' | '[' | ']' | '#' | '@' | ':') {
        out.push('\\');
    }
    out.push(character);
}

/// The line about records that are left out.
fn left_out(records: usize) -> String {
    match records {
        1 => "and 1 more record, which is in the log files".to_owned(),
        _ => format!("and {records} more records, which are in the log files"),
    }
}

/// How many records are left out where only the first of these groups are shown.
fn behind(shown: usize, groups: &[Group<'_>]) -> usize {
    groups.iter().skip(shown).map(|group| group.count).sum()
}

/// Messages of embeds, coloured by level.
pub(super) fn discord(groups: &[Group<'_>]) -> Vec<Message> {
    let mut messages: Vec<(Vec<(Level, String)>, usize)> = vec![(Vec::new(), 0)];
    let (mut length, mut shown) = (0, 0);
    'all: for group in groups {
        for piece in pieces(&group.shown(), EMBED, plain) {
            // An embed of spaces alone is refused, and the others with it.
            if piece.trim().is_empty() {
                continue;
            }
            let more = units(&piece);
            let last = messages.last().map_or(0, |(embeds, _)| embeds.len());
            if last == EMBED_COUNT || length + more > EMBEDS {
                if messages.len() == MESSAGES {
                    break 'all;
                }
                messages.push((Vec::new(), shown));
                length = 0;
            }
            length += more;
            if let Some((embeds, _)) = messages.last_mut() {
                embeds.push((group.level, piece));
            }
        }
        shown += 1;
        if let Some((_, told)) = messages.last_mut() {
            *told = shown;
        }
    }
    let left = behind(shown, groups);
    let count = messages.len();
    let message = |(number, (embeds, told)): (usize, (Vec<(Level, String)>, usize))| {
        let is_last = number + 1 == count;
        let mut body = b"{\"allowed_mentions\":{\"parse\":[]},".to_vec();
        if left > 0 && is_last {
            put(&mut body, "content", &left_out(left));
            body.push(b',');
        }
        body.extend_from_slice(b"\"embeds\":[");
        for (number, (level, text)) in embeds.iter().enumerate() {
            body.extend_from_slice(if number > 0 { b",{" } else { b"{" });
            put(&mut body, "description", text);
            body.extend_from_slice(format!(",\"color\":{}}}", colour(*level)).as_bytes());
        }
        body.extend_from_slice(b"]}");
        Message { body, told: if is_last { groups.len() } else { told } }
    };
    messages.into_iter().enumerate().map(message).collect()
}

/// A sign for a level where there are no colours.
fn sign(level: Level) -> &'static str {
    match level {
        Level::Trace | Level::Debug => "⚪",
        Level::Info => "🔵",
        Level::Success => "🟢",
        Level::Warning => "🟡",
        Level::Error => "🔴",
        Level::Critical => "🟣",
    }
}

/// Messages of plain text: there is no parse mode, so that the service takes nothing for markup.
pub(super) fn telegram(groups: &[Group<'_>], chat: &str) -> Vec<Message> {
    let mut messages = vec![(String::new(), 0)];
    let mut shown = 0;
    'all: for group in groups {
        let text = format!("{} {}\n", sign(group.level), group.shown());
        for piece in pieces(&text, TEXT - SPARE, |it, out| out.push(it)) {
            if messages.last().is_some_and(|(last, _)| units(last) + units(&piece) > TEXT - SPARE) {
                if messages.len() == MESSAGES {
                    break 'all;
                }
                messages.push((String::new(), shown));
            }
            if let Some((message, _)) = messages.last_mut() {
                message.push_str(&piece);
            }
        }
        shown += 1;
        if let Some((_, told)) = messages.last_mut() {
            *told = shown;
        }
    }
    let left = behind(shown, groups);
    if left > 0
        && let Some((last, _)) = messages.last_mut()
    {
        // The end of a text may be among what is left out.
        if !last.ends_with('\n') {
            last.push('\n');
        }
        last.push_str(&left_out(left));
    }
    // The end of a line alone is no message.
    messages.retain(|(text, _)| !text.trim().is_empty());
    if let Some((_, told)) = messages.last_mut() {
        *told = groups.len();
    }
    let message = |(text, told): (String, usize)| {
        let mut body = b"{".to_vec();
        put(&mut body, "chat_id", chat);
        body.push(b',');
        put(&mut body, "text", text.trim_end());
        body.extend_from_slice(b",\"link_preview_options\":{\"is_disabled\":true}}");
        Message { body, told }
    };
    messages.into_iter().map(message).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::text::groups;
    use super::*;
    use crate::sink::tests::{entry, held};
    use crate::sink::{Entry, Held};

    fn parsed(messages: &[Message]) -> Vec<Value> {
        messages.iter().map(|it| serde_json::from_slice(&it.body).unwrap()).collect()
    }

    /// The messages of a batch of these lines, as ERROR.
    fn of(lines: &[&str], make: impl Fn(&[Group<'_>]) -> Vec<Message>) -> Vec<Value> {
        let mut held = Held::default();
        for line in lines {
            held.push(line.as_bytes(), Entry { ..entry(Level::Error) });
        }
        let domains = ["app".to_owned()];
        let messages = make(&groups(held.batch(&domains).iter()).0);
        let told = messages.iter().map(|it| it.told).collect::<Vec<_>>();
        assert!(told.is_sorted() && told.last() == Some(&lines.len()), "{told:?}");
        parsed(&messages)
    }

    #[test]
    fn a_server_of_one_s_own_gets_records_with_ids_and_counts() {
        let held = held(&["a \"b\"\n", "a \"b\"\n"]);
        let domains = ["app".to_owned()];
        let bodies = json(&groups(held.batch(&domains).iter()).0);
        let expected = serde_json::json!({"records": [{
            "id": "0".repeat(32), "unix_nanos": 0, "count": 2, "level": "INFO", "domain": "app", "text": "a \"b\""
        }]});
        assert_eq!(parsed(&bodies), [expected]);
    }

    // F63
    #[test]
    fn discord_notifies_nobody_and_takes_nothing_for_markup() {
        let messages = of(&["@everyone <@123> ```x``` **b** https://example.org\n"], discord);
        let [message] = &messages[..] else { panic!("{messages:?}") };
        assert_eq!(message["allowed_mentions"], serde_json::json!({"parse": []}));
        let text = message["embeds"][0]["description"].as_str().unwrap();
        assert_eq!(text, "\\@everyone \\<\\@123\\> \\`\\`\\`x\\`\\`\\` \\*\\*b\\*\\* https\\://example.org");
        assert_eq!(message["embeds"][0]["color"], 0xe7_4c3c);
    }

    #[test]
    fn discord_s_limits_are_kept_whatever_is_logged() {
        let many: Vec<String> = (0..1000).map(|number| format!("error {number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let (long, wide, stars) = ("x".repeat(6000), "🔥".repeat(5000), "*".repeat(30_000));
        for lines in [&many[..], &[&*long], &[&*wide, "after"], &[&*stars], &["one"]] {
            let messages = of(lines, discord);
            assert!((1..=MESSAGES).contains(&messages.len()));
            let mut embeds_in_all = 0;
            for message in &messages {
                let embeds = message["embeds"].as_array().unwrap();
                let lengths: Vec<usize> =
                    embeds.iter().map(|embed| units(embed["description"].as_str().unwrap())).collect();
                assert!(embeds.len() <= 10 && lengths.iter().all(|length| (1..=4096).contains(length)));
                assert!(lengths.iter().sum::<usize>() <= 6000, "{lengths:?}");
                assert!(message["content"].as_str().is_none_or(|content| content.len() < 2000));
                embeds_in_all += embeds.len();
            }
            if lines.len() == 1000 {
                let content = &messages.last().unwrap()["content"];
                assert_eq!(embeds_in_all, 30);
                assert_eq!(content, "and 970 more records, which are in the log files");
            }
        }
    }

    // F63
    #[test]
    fn telegram_gets_plain_text_within_its_limit() {
        let text = "<b>bold</b> _x_ ".repeat(300);
        let messages = of(&[&text, "second"], |groups| telegram(groups, "-100"));
        let texts: Vec<&str> = messages.iter().map(|message| message["text"].as_str().unwrap()).collect();
        assert!(texts.iter().all(|text| units(text) <= 4096 && !text.is_empty()), "{texts:?}");
        let all = texts.concat();
        assert!(all.starts_with("🔴 <b>bold</b> _x_") && all.ends_with("🔴 second"), "{all}");
        assert!(messages.iter().all(|it| it["chat_id"] == "-100" && it.get("parse_mode").is_none()));
        let many: Vec<String> = (0..1000).map(|number| format!("{number}{}", "x".repeat(100))).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let messages = of(&many, |groups| telegram(groups, "1"));
        assert_eq!(messages.len(), 3);
        let last = messages[2]["text"].as_str().unwrap();
        assert!(units(last) <= 4096 && last.contains(" more records, which are in the log files"), "{last}");
    }

    #[test]
    fn what_is_left_out_of_telegram_s_messages_has_a_line_of_its_own() {
        let last_line = |lines: &[&str]| {
            let messages = of(lines, |groups| telegram(groups, "1"));
            let last = messages.last().unwrap()["text"].as_str().unwrap();
            assert!(messages.len() == 3 && units(last) <= 4096, "{last}");
            last.lines().last().unwrap().to_owned()
        };
        let long = "@everyone ".repeat(2000);
        assert_eq!(last_line(&[&long]), "and 1 more record, which is in the log files");
        assert_eq!(last_line(&[&long, "b"]), "and 2 more records, which are in the log files");
        let full = ["a", "b", "c"].map(|it| it.repeat(3000));
        assert_eq!(last_line(&[&full[0], &full[1], &full[2], &"d".repeat(2000)]), left_out(1));
    }

    #[test]
    fn no_message_to_telegram_is_empty() {
        // The sign, a space and the text fill a message, so that the end of the line has no room in it.
        let exact = "x".repeat(TEXT - SPARE - units("🔴 "));
        for lines in [&[&*exact][..], &[&exact, "b"]] {
            let messages = of(lines, |groups| telegram(groups, "1"));
            assert_eq!(messages.len(), lines.len());
            assert!(
                messages.iter().all(|it| !it["text"].as_str().unwrap().trim().is_empty()),
                "{messages:?}"
            );
        }
    }
    #[test]
    fn a_record_without_a_text_is_no_empty_message() {
        let held = held(&["\n", "  \n"]);
        let domains = ["app".to_owned()];
        let groups = groups(held.batch(&domains).iter()).0;
        assert_eq!(parsed(&discord(&groups))[0]["embeds"][0]["description"], "(empty) (×2)");
        assert_eq!(parsed(&telegram(&groups, "1"))[0]["text"], "🔵 (empty) (×2)");
        assert_eq!(parsed(&json(&groups))[0]["records"][0]["text"], "");
        // As many spaces as an embed holds, and more behind them.
        let messages = of(&[&format!("{}b", " ".repeat(EMBED))], discord);
        assert_eq!(messages[0]["embeds"].as_array().unwrap().len(), 1);
        assert_eq!(messages[0]["embeds"][0]["description"], "b");
    }

    #[test]
    fn a_message_tells_the_records_that_end_in_it() {
        let texts = ["a", "b", "c"].map(|it| it.repeat(3000));
        let held = held(&[&texts[0], &texts[1], &texts[2], &"d".repeat(5000), "e"]);
        let domains = ["app".to_owned()];
        let groups = groups(held.batch(&domains).iter()).0;
        for (messages, expected) in
            [(discord(&groups), &[2, 3, 5][..]), (telegram(&groups, "1"), &[1, 2, 5]), (json(&groups), &[5])]
        {
            assert_eq!(messages.iter().map(|it| it.told).collect::<Vec<_>>(), expected);
        }
    }
}
