//! The batch at hand: its messages, which of them have arrived, and which of its records that tells.
//!
//! F1. Messages are made once for a batch, however often it is offered.
//! F2. A record that is in a message that has arrived is in no other one, also where another message is refused and the batch comes again in parts.
//! F3. What is known of a batch is forgotten with it: when another one comes.
//!
//! Pure. Called by the webhook.

use std::collections::VecDeque;

use super::message::Message;
use super::text::{Group, groups};
use crate::record::RecordId;
use crate::sink::Batch;

/// See the module's description.
#[derive(Debug, Default)]
pub(super) struct Offer {
    /// The records of the batch that have not been dealt with.
    records: VecDeque<Known>,
    /// How many of them are offered.
    len: usize,
    /// What tells those that no message has told.
    messages: Vec<Message>,
    arrived: usize,
}

/// What is known of a record.
#[derive(Debug)]
struct Known {
    id: RecordId,
    is_told: bool,
    /// Which of the groups it is in, if it is offered and not told.
    group: usize,
}

impl Offer {
    /// Takes a batch, or the part that comes of one, and has messages made of what has not been told.
    pub(super) fn begin(&mut self, batch: &Batch<'_>, make: impl FnOnce(&[Group<'_>]) -> Vec<Message>) {
        let Some(first) = batch.iter().next().map(|line| line.id()) else {
            *self = Offer::default();
            return;
        };
        let same = self.records.iter().position(|it| it.id == first);
        if same == Some(0) && self.len == batch.len() {
            return;
        }
        // What stands before it has been dealt with.
        self.records.drain(..same.unwrap_or(self.records.len()));
        let known = self.records.len();
        let new = batch.iter().skip(known).map(|line| Known { id: line.id(), is_told: false, group: 0 });
        self.records.extend(new);
        let untold = batch.iter().zip(&self.records).filter(|(_, known)| !known.is_told);
        let (groups, members) = groups(untold.map(|(line, _)| line));
        let untold = self.records.iter_mut().take(batch.len()).filter(|known| !known.is_told);
        untold.zip(members).for_each(|(known, group)| known.group = group);
        (self.len, self.arrived) = (batch.len(), 0);
        self.messages = if groups.is_empty() { Vec::new() } else { make(&groups) };
    }

    /// The message that is to be sent next; none where all have arrived.
    pub(super) fn next(&self) -> Option<&[u8]> {
        self.messages.get(self.arrived).map(|message| &*message.body)
    }

    /// That message has arrived.
    pub(super) fn arrived(&mut self) {
        self.arrived += 1;
    }

    /// All of its messages have arrived.
    pub(super) fn done(&mut self) {
        self.records.drain(..self.len);
        (self.len, self.arrived) = (0, 0);
        self.messages.clear();
    }

    /// It does not come again as it is: what has been told of it is written down. How many records these are, from the first on.
    pub(super) fn part(&mut self) -> usize {
        let told = self.arrived.checked_sub(1).map_or(0, |last| self.messages[last].told);
        for record in self.records.iter_mut().take(self.len) {
            record.is_told |= record.group < told;
        }
        // Which group a record is in holds for these messages only.
        (self.len, self.arrived) = (0, 0);
        self.messages.clear();
        self.records.iter().take_while(|record| record.is_told).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::Level;
    use crate::sink::tests::entry;
    use crate::sink::{Entry, Held};

    /// Records of these texts, numbered from there on.
    fn numbered(from: u64, texts: &[&str]) -> Held {
        let mut held = Held::default();
        for (sequence, text) in (from..).zip(texts) {
            held.push(text.as_bytes(), Entry { id: RecordId { source: 1, sequence }, ..entry(Level::Error) });
        }
        held
    }

    /// Two groups a message: the texts with their numbers.
    fn pairs(groups: &[Group<'_>]) -> Vec<Message> {
        let message = |(number, pair): (usize, &[Group<'_>])| Message {
            body: pair.iter().map(Group::shown).collect::<Vec<_>>().join(" ").into_bytes(),
            told: groups.len().min(number * 2 + 2),
        };
        groups.chunks(2).enumerate().map(message).collect()
    }

    /// The messages of these, of which so many arrive.
    fn sent(offer: &mut Offer, held: &Held, most: usize) -> Vec<String> {
        offer.begin(&held.batch(&["app".to_owned()]), pairs);
        let mut sent = Vec::new();
        while sent.len() < most
            && let Some(body) = offer.next()
        {
            sent.push(String::from_utf8(body.to_vec()).unwrap());
            offer.arrived();
        }
        sent
    }

    #[test]
    fn the_messages_of_a_batch_are_made_once_however_often_it_is_offered() {
        let (mut offer, mut made) = (Offer::default(), 0);
        let (one, other) = (numbered(0, &["a", "b", "c"]), numbered(3, &["a", "b", "c"]));
        for held in [&one, &one, &one, &other, &other] {
            offer.begin(&held.batch(&["app".to_owned()]), |groups| {
                made += 1;
                pairs(groups)
            });
        }
        assert_eq!(made, 2);
    }

    #[test]
    fn a_batch_goes_on_behind_the_last_message_that_arrived() {
        let mut offer = Offer::default();
        let held = numbered(0, &["a", "b", "c", "d", "e"]);
        assert_eq!(sent(&mut offer, &held, 1), ["a b"]);
        assert_eq!(sent(&mut offer, &held, 9), ["c d", "e"]);
    }

    #[test]
    fn the_parts_of_a_batch_leave_out_what_has_been_told() {
        let mut offer = Offer::default();
        let texts = ["a", "b", "c", "a", "d", "b", "e", "a"];
        assert_eq!(sent(&mut offer, &numbered(0, &texts), 1), ["a (×3) b (×2)"]);
        // Before the first record that was not told.
        assert_eq!(offer.part(), 2);
        assert_eq!(sent(&mut offer, &numbered(2, &texts[2..5]), 0), [""; 0]);
        assert_eq!(offer.part(), 0);
        assert_eq!(sent(&mut offer, &numbered(2, &texts[2..3]), 9), ["c"]);
        offer.done();
        assert_eq!(sent(&mut offer, &numbered(3, &texts[3..5]), 9), ["d"]);
        offer.done();
        assert_eq!(sent(&mut offer, &numbered(5, &texts[5..]), 9), ["e"]);
        offer.done();
        assert_eq!(sent(&mut offer, &numbered(8, &["a", "b"]), 9), ["a b"]);
    }

    #[test]
    fn what_is_known_of_a_batch_is_forgotten_when_another_one_comes() {
        let mut offer = Offer::default();
        sent(&mut offer, &numbered(0, &["a", "b", "c"]), 1);
        assert_eq!(offer.part(), 2);
        assert_eq!(sent(&mut offer, &numbered(3, &["a"]), 9), ["a"]);
        assert_eq!(offer.records.len(), 1);
    }
}
