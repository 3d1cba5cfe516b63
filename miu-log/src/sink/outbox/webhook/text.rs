//! What a burst of records says in a message: equal ones once, with their number; cut into pieces at a service's limits; no more than a few messages.
//!
//! W1. A piece is no longer than the limit, in UTF-16 units, which no service counts less of; it ends between two characters.
//!
//! Pure. Called by the webhook.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::level::Level;
use crate::record::RecordId;
use crate::sink::Line;

/// What people see where a record says nothing: no service takes an empty message.
const NOTHING: &str = "(empty)";

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

/// Records, equal ones together, in the order of their first; and which of these each record is in.
pub(super) fn groups<'a>(lines: impl Iterator<Item = Line<'a>>) -> (Vec<Group<'a>>, Vec<usize>) {
    let (mut groups, mut members) = (Vec::new(), Vec::new());
    // There can be 100,000 that are all different.
    let mut known = HashMap::new();
    for line in lines {
        // A line is UTF-8.
        let text = std::str::from_utf8(line.as_bytes()).unwrap_or("?").trim_end();
        let (level, domain) = (line.level(), line.domain());
        let number = match known.entry((level, domain, text)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                groups.push(Group { id: line.id(), time: line.unix_nanos(), level, domain, text, count: 0 });
                *new.insert(groups.len() - 1)
            }
        };
        groups[number].count += 1;
        members.push(number);
    }
    (groups, members)
}

impl Group<'_> {
    /// What it says to people: the text, and how many records say it.
    pub(super) fn shown(&self) -> String {
        let text = if self.text.is_empty() { NOTHING } else { self.text };
        format!("{text}{}", times(self.count))
    }
}

/// How many a record is, for behind its text.
fn times(count: usize) -> String {
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
        let (groups, members) = groups(held.batch(&domains).iter());
        assert_eq!(groups.iter().map(Group::shown).collect::<Vec<_>>(), ["a (×3)", "b"]);
        assert_eq!(members, [0, 1, 0, 0]);
    }

    #[test]
    fn as_many_different_records_as_a_batch_has_are_told_apart_without_comparing_each_with_each() {
        let lines: Vec<String> =
            (0..100_000).map(|number| format!("request {number:08} failed: timeout\n")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let (held, domains) = (held(&lines), ["app".to_owned()]);
        // Each with each, that are five thousand million comparisons.
        let (groups, members) = groups(held.batch(&domains).iter());
        assert!(groups.len() == 100_000 && members.into_iter().eq(0..100_000));
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
