//! What a burst of records says in a message: equal ones once, with their number; cut into pieces at a service's limits; no more than a few messages.
//!
//! W1. A piece is no longer than the limit, in UTF-16 units, which no service counts less of; it ends between two characters.
//!
//! Pure. Called by the webhook.

use crate::level::Level;
use crate::record::RecordId;
use crate::sink::Batch;

/// Records of one level, domain and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group<'a> {
    pub(super) id: RecordId,
    pub(super) time: i64,
    pub(super) level: Level,
    pub(super) domain: &'a str,
    pub(super) text: &'a str,
    pub(super) count: usize,
}

/// The records of a batch, equal ones together, in the order of their first.
pub(super) fn groups<'a>(batch: &Batch<'a>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for line in batch.iter() {
        // A line is UTF-8.
        let text = std::str::from_utf8(line.as_bytes()).unwrap_or("?").trim_end();
        let (level, domain) = (line.level(), line.domain());
        match groups.iter_mut().find(|it| it.text == text && it.level == level && it.domain == domain) {
            Some(group) => group.count += 1,
            None => {
                groups.push(Group { id: line.id(), time: line.unix_nanos(), level, domain, text, count: 1 });
            }
        }
    }
    groups
}

/// How many a record is, for behind its text.
pub(super) fn times(count: usize) -> String {
    if count > 1 { format!(" (×{count})") } else { String::new() }
}

/// Length in UTF-16 units.
pub(super) fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The text in pieces of at most so many units, each character as `shown` has it.
pub(super) fn pieces(text: &str, limit: usize, shown: impl Fn(char, &mut String)) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let (mut length, mut one) = (0, String::new());
    for character in text.chars() {
        one.clear();
        shown(character, &mut one);
        let more = units(&one);
        if length + more > limit
            && let Some(last) = pieces.last()
            && !last.is_empty()
        {
            pieces.push(String::new());
            length = 0;
        }
        if let Some(last) = pieces.last_mut() {
            last.push_str(&one);
        }
        length += more;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sink::tests::held;

    #[test]
    fn equal_records_are_one_with_their_number() {
        let held = held(&["a\n", "b\n", "a\n", "a\n"]);
        let domains = ["app".to_owned()];
        let groups = groups(&held.batch(&domains));
        let shown: Vec<String> = groups.iter().map(|it| format!("{}{}", it.text, times(it.count))).collect();
        assert_eq!(shown, ["a (×3)", "b"]);
    }

    proptest! {
        #[test]
        fn pieces_are_within_the_limit_and_add_up(text in "\\PC{0,200}", limit in 2..50usize) {
            let pieces = pieces(&text, limit, |it, out| out.push(it));
            prop_assert_eq!(pieces.concat(), text);
            for piece in &pieces {
                prop_assert!(units(piece) <= limit);
            }
        }
    }
}
