//! What happens in a round: chosen by chance from a seed, so that a round can be had again.

use std::fmt;
use std::time::Duration;

/// Worker processes beside the listener's, at most.
const MOST_WORKERS: u64 = 4;
/// A process that is killed at a moment lives so long, at most.
const LONGEST_LIFE_MILLIS: u64 = 500;
/// One that is killed while it brings back what the last one left lives so long, at most.
const LONGEST_REPLAY_MILLIS: u64 = 30;
/// Every so many records one is longer than a ring's longest.
pub(super) const LONG_EVERY: u64 = 997;

/// Numbers by chance: splitmix64.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    /// The numbers of one round.
    fn new(seed: u64, round: u64) -> Chance {
        let mut chance = Chance(seed ^ round.wrapping_mul(0xd134_2543_de82_ef95));
        chance.next();
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 1 to `most`.
    fn up_to(&mut self, most: u64) -> u64 {
        self.next() % most + 1
    }

    /// A number from 1 to `most`, small ones as often as large ones: first its length in bits, then the number.
    fn of_any_size(&mut self, most: u64) -> u64 {
        let bits = self.up_to(u64::from(64 - most.leading_zeros()));
        self.up_to(most.min((1 << bits) - 1))
    }

    fn one_of<T: Copy>(&mut self, choice: &[T]) -> T {
        choice[self.next() as usize % choice.len()]
    }

    fn millis(&mut self, most: u64) -> Duration {
        Duration::from_millis(self.up_to(most))
    }
}

/// What happens to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its stdin is closed after so long, it ends properly.
    Orderly(Duration),
    /// It is killed after so long.
    After(Duration),
    /// It kills itself at this arrival at this step.
    At(&'static str, u64),
    /// After so long a second process takes the log folder over; so long after that one was started, the victims are killed.
    HandOver(Duration, Duration),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Orderly(time) => write!(f, "an end after {} ms", time.as_millis()),
            End::After(time) => write!(f, "kill after {} ms", time.as_millis()),
            End::At(step, arrival) => write!(f, "{step}:{arrival}"),
            End::HandOver(time, kill) => {
                write!(f, "hand-over after {} ms, kill after {} ms", time.as_millis(), kill.as_millis())
            }
        }
    }
}

/// To whom it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// Nobody: of a hand-over.
    Nobody,
    /// The process that has the log folder; at a hand-over, the one that gives it away.
    Listener,
    /// At a hand-over, the one that takes the log folder.
    Successor,
    /// One that logs through the listener.
    Worker,
    /// All of these.
    Workers,
    /// Every process at once: at a step, as soon as one has come to it.
    All,
}

impl Victim {
    /// Whether it is, or includes, the listener's process.
    pub fn has_listener(self) -> bool {
        matches!(self, Victim::Listener | Victim::All)
    }

    /// Whether it is, or includes, the worker of this number.
    pub fn has_worker(self, number: usize) -> bool {
        matches!(self, Victim::Workers | Victim::All) || (self == Victim::Worker && number == 0)
    }
}

/// Something that happens. Before it all processes run that are not running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// To whom.
    pub victim: Victim,
    /// What.
    pub end: End,
}

/// Who ends first, when all is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// The workers.
    Workers,
    /// The listener: what the workers log then is for the next one.
    Listener,
    /// All are told at once.
    Together,
}

/// What a round is about, where it is not a step.
pub const MOMENT: &str = "any moment";
/// See [`MOMENT`].
pub const NO_DEATH: &str = "no death";
/// See [`MOMENT`].
pub const HAND_OVER: &str = "hand-over";
/// See [`MOMENT`].
pub const RESTART: &str = "orderly restart";

/// A round: what happens on one folder, one after the other; then the folder is closed properly and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// Its number in the run.
    pub number: u64,
    /// What it is about: a step, or [`MOMENT`] and the like.
    pub subject: &'static str,
    /// Of each process.
    pub threads: u64,
    /// Processes beside the listener's.
    pub workers: usize,
    /// Bytes.
    pub ring_limit: u64,
    /// A thread rests for a moment after so many records; 0: never.
    pub rest_every: u64,
    /// Records of a thread in one life.
    pub most: u64,
    /// What happens.
    pub events: Vec<Event>,
    /// How it ends.
    pub farewell: Farewell,
}

/// Who can reach a step, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "failpoints"), allow(dead_code, reason = "without failpoints there are no steps"))]
enum When {
    /// Every process, while it logs or joins.
    Anybody,
    Listener,
    /// The listener's process when it starts after a death.
    Replay,
}

/// The steps that this build has.
#[cfg(feature = "failpoints")]
fn steps() -> Vec<(When, &'static str)> {
    use miu_log::failpoint::{Part, STEPS};
    let of = |part| match part {
        Part::Producer | Part::Worker => Some(When::Anybody),
        Part::Listener => Some(When::Listener),
        Part::Replay => Some(When::Replay),
        // Whether a process comes there before its end is not certain: they have scenarios of their own.
        Part::Files => None,
    };
    STEPS.iter().filter_map(|(part, step)| Some((of(*part)?, *step))).collect()
}

#[cfg(not(feature = "failpoints"))]
fn steps() -> Vec<(When, &'static str)> {
    Vec::new()
}

/// All subjects, in the order in which rounds have them. Every other round is not about a step.
pub fn subjects() -> Vec<&'static str> {
    let others = [MOMENT, HAND_OVER, MOMENT, RESTART].into_iter().cycle();
    let mut subjects: Vec<&str> =
        steps().iter().zip(others).flat_map(|((_, step), other)| [other, *step]).collect();
    subjects.extend([MOMENT, HAND_OVER, RESTART, NO_DEATH]);
    subjects
}

impl Round {
    /// The round of this number, in which all processes together log about so many records in each life.
    pub fn new(seed: u64, number: u64, records: u64) -> Round {
        let mut chance = Chance::new(seed, number);
        let subjects = subjects();
        let subject = subjects[number as usize % subjects.len()];
        let when = steps().into_iter().find(|(_, step)| *step == subject).map(|(when, _)| when);
        let workers = chance.up_to(MOST_WORKERS + 1) as usize - 1;
        let threads = chance.one_of(&[1, 4]);
        let mut round = Round {
            number,
            subject,
            threads,
            workers,
            ring_limit: chance.one_of(&[64 * 1024, 256 * 1024, 2 * 1024 * 1024]),
            rest_every: chance.one_of(&[0, 0, 50]),
            most: records / threads / (workers as u64 + 1),
            events: Vec::new(),
            farewell: chance.one_of(&[Farewell::Workers, Farewell::Listener, Farewell::Together]),
        };
        round.events = match (when, subject) {
            (Some(When::Anybody), step) => {
                let victim = round.any_victim(&mut chance);
                vec![round.at(&mut chance, victim, step)]
            }
            (Some(When::Listener), step) => {
                let victim = chance.one_of(&[Victim::Listener, Victim::Listener, Victim::All]);
                vec![round.at(&mut chance, victim, step)]
            }
            (Some(When::Replay), step) => {
                // There must be something to bring back: nobody rests, and the death comes right behind a record.
                round.rest_every = 0;
                let victim = chance.one_of(&[Victim::Listener, Victim::All]);
                let arrival = (round.most * round.threads / 2).min(500 + chance.up_to(5000));
                let death = Event { victim, end: End::At("after-publish", arrival) };
                vec![death, round.at(&mut chance, Victim::Listener, step)]
            }
            (None, NO_DEATH) => Vec::new(),
            (None, RESTART) => {
                vec![Event { victim: Victim::Listener, end: End::Orderly(chance.millis(200)) }]
            }
            (None, HAND_OVER) => vec![round.hand_over(&mut chance)],
            (None, _) => {
                let victim = round.any_victim(&mut chance);
                vec![Event { victim, end: End::After(chance.millis(LONGEST_LIFE_MILLIS)) }]
            }
        };
        // Something more, most likely before all is back, and perhaps another time.
        while round.events.len() < 4 && subject != NO_DEATH && chance.one_of(&[true, false]) {
            let event = match chance.up_to(6) {
                1 => Event { victim: Victim::Listener, end: End::Orderly(chance.millis(50)) },
                2 => round.hand_over(&mut chance),
                _ => {
                    let victim = round.any_victim(&mut chance);
                    Event { victim, end: End::After(chance.millis(LONGEST_REPLAY_MILLIS)) }
                }
            };
            round.events.push(event);
        }
        round
    }

    fn any_victim(&self, chance: &mut Chance) -> Victim {
        match self.workers {
            0 => Victim::Listener,
            _ => chance.one_of(&[Victim::Listener, Victim::Worker, Victim::Workers, Victim::All]),
        }
    }

    fn hand_over(&self, chance: &mut Chance) -> Event {
        let victim = chance.one_of(&[
            Victim::Nobody,
            Victim::Nobody,
            Victim::Listener,
            Victim::Successor,
            Victim::Worker,
            Victim::All,
        ]);
        Event { victim, end: End::HandOver(chance.millis(200), chance.millis(20)) }
    }

    /// A death at a step. The round is made so that the step is reached, most likely.
    fn at(&mut self, chance: &mut Chance, victim: Victim, step: &'static str) -> Event {
        let logged = self.most * self.threads;
        let most = match step {
            "before-payload" | "mid-payload" | "before-publish" | "after-publish" => logged * 9 / 10,
            "blob-written" => logged / LONG_EVERY / 2,
            // One for each thread; more come only where a ring grows.
            "segment-created" | "segment-registered" => self.threads,
            "chained" => {
                self.ring_limit = 2 * 1024 * 1024;
                self.rest_every = 0;
                1
            }
            "sink-written" => 60,
            "cut" | "joined" | "member-written" => 1,
            "replay-delivered" | "replay-checkpointed" | "replay-removed" => 1,
            _ => 20,
        };
        Event { victim, end: End::At(step, chance.of_any_size(most.max(1))) }
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Round { number, threads, workers, ring_limit, rest_every, events, farewell, .. } = self;
        write!(f, "round {number}: workers {workers}, threads {threads}, rings {} KiB", ring_limit / 1024)?;
        if *rest_every > 0 {
            write!(f, ", at ease")?;
        }
        for Event { victim, end } in events {
            write!(f, "; {victim:?}: {end}")?;
        }
        write!(f, "; {farewell:?} end first")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDS: u64 = 400_000;

    fn rounds(count: u64) -> Vec<Round> {
        (0..count).map(|number| Round::new(1, number, RECORDS)).collect()
    }

    #[test]
    fn a_seed_gives_the_same_rounds_again() {
        for number in 0..100 {
            assert_eq!(Round::new(7, number, RECORDS), Round::new(7, number, RECORDS));
        }
        assert!((0..100).any(|number| Round::new(7, number, RECORDS) != Round::new(8, number, RECORDS)));
    }

    #[test]
    fn every_subject_has_rounds_and_every_dimension_varies() {
        let rounds = rounds(200);
        for subject in subjects() {
            assert!(rounds.iter().any(|round| round.subject == subject), "{subject}");
        }
        assert!([1, 4].iter().all(|threads| rounds.iter().any(|round| round.threads == *threads)));
        assert!((0..=4).all(|workers| rounds.iter().any(|round| round.workers == workers)));
        assert!([1, 2, 3, 4].iter().all(|events| rounds.iter().any(|round| round.events.len() == *events)));
        for victim in [
            Victim::Nobody,
            Victim::Listener,
            Victim::Successor,
            Victim::Worker,
            Victim::Workers,
            Victim::All,
        ] {
            let is_one = |round: &Round| round.events.iter().any(|event| event.victim == victim);
            assert!(rounds.iter().any(is_one), "{victim:?}");
        }
    }

    #[test]
    fn only_the_listeners_process_dies_at_a_step_of_the_listener() {
        for round in rounds(400) {
            let when = steps().into_iter().find(|(_, step)| *step == round.subject).map(|(when, _)| when);
            for event in round.events.iter().filter(|event| matches!(event.end, End::At(..))) {
                assert!(when == Some(When::Anybody) || event.victim.has_listener(), "{round}");
            }
        }
    }

    #[test]
    fn small_numbers_are_as_likely_as_large_ones() {
        let mut chance = Chance::new(1, 1);
        let numbers: Vec<u64> = (0..1000).map(|_| chance.of_any_size(60_000)).collect();
        assert!(numbers.iter().all(|number| (1..=60_000).contains(number)));
        assert!(numbers.iter().filter(|number| **number < 256).count() > 300);
        assert!(numbers.iter().filter(|number| **number >= 256).count() > 300);
    }
}
