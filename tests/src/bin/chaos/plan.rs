//! What happens in a round: chosen by chance from a seed, so that a round can be had again.

use std::fmt;
use std::time::Duration;

/// How many processes log in a round, at most.
const MOST_PROCESSES: u64 = 1;
/// How many records a process logs in one life, at most.
const MOST_RECORDS: u64 = 400_000;
/// A process that is killed at a moment lives so long, at most.
const LONGEST_LIFE_MILLIS: u64 = 500;
/// One that is killed while it brings back what the last one left lives so long, at most.
const LONGEST_REPLAY_MILLIS: u64 = 30;

/// Numbers by chance: splitmix64.
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The numbers of one round.
    pub(crate) fn new(seed: u64, round: u64) -> Chance {
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
}

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its stdin is closed, it ends properly.
    Orderly(Duration),
    /// It is killed so long after it was started.
    After(Duration),
    /// It kills itself at this arrival at this step.
    At(&'static str, u64),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Orderly(time) => write!(f, "an end after {} ms", time.as_millis()),
            End::After(time) => write!(f, "kill after {} ms", time.as_millis()),
            End::At(step, arrival) => write!(f, "{step}:{arrival}"),
        }
    }
}

/// Who is killed. With one process they are all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    /// The process that has the log folder.
    Listener,
    /// One that logs through it.
    Worker,
    /// Every process.
    All,
}

/// What a round is about: a step, or what is not a step.
pub(crate) const MOMENT: &str = "any moment";
pub(crate) const NO_DEATH: &str = "no death";

/// A round: some lives on one folder, one after the other; then the folder is closed properly and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) number: u64,
    pub(crate) subject: &'static str,
    pub(crate) threads: u64,
    pub(crate) processes: u64,
    pub(crate) victim: Victim,
    /// Bytes.
    pub(crate) ring_limit: u64,
    /// A thread rests for a moment after so many records; 0: never.
    pub(crate) rest_every: u64,
    /// Records of a thread.
    pub(crate) most: u64,
    /// How each life ends.
    pub(crate) ends: Vec<End>,
}

/// When a step can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "failpoints"), allow(dead_code, reason = "without failpoints there are no steps"))]
enum When {
    Logging,
    Replay,
}

/// The steps that this build has and this version of the matrix can reach.
#[cfg(feature = "failpoints")]
fn steps() -> Vec<(When, &'static str)> {
    use miu_log::failpoint::{Part, STEPS};
    let of = |part| match part {
        Part::Producer | Part::Listener => Some(When::Logging),
        Part::Replay => Some(When::Replay),
        // There are worker processes only where there are more processes than one.
        _ => (MOST_PROCESSES > 1).then_some(When::Logging),
    };
    STEPS.iter().filter_map(|(part, step)| Some((of(*part)?, *step))).collect()
}

#[cfg(not(feature = "failpoints"))]
fn steps() -> Vec<(When, &'static str)> {
    Vec::new()
}

/// How often a life can reach a step, roughly. More than it does is no harm: the round is counted as one in which it was not
/// reached.
fn most_arrivals(step: &str) -> u64 {
    match step {
        "before-payload" | "mid-payload" | "before-publish" | "after-publish" => 60_000,
        "blob-written" => 100,
        "segment-created" | "segment-registered" | "chained" => 6,
        "sink-written" => 600,
        "cut" => 8,
        "replay-delivered" | "replay-checkpointed" | "replay-removed" | "joined" => 2,
        _ => 100,
    }
}

/// All subjects, in the order in which rounds have them. Every other round is about any moment.
pub(crate) fn subjects() -> Vec<&'static str> {
    let steps = steps();
    let mut subjects: Vec<&str> = steps.iter().flat_map(|(_, step)| [MOMENT, *step]).collect();
    subjects.extend([MOMENT, NO_DEATH]);
    subjects
}

impl Round {
    /// The round of this number.
    pub(crate) fn new(seed: u64, number: u64) -> Round {
        let mut chance = Chance::new(seed, number);
        let subjects = subjects();
        let subject = subjects[number as usize % subjects.len()];
        let threads = chance.one_of(&[1, 4]);
        let processes = chance.up_to(MOST_PROCESSES);
        let victim = match processes {
            1 => Victim::All,
            _ => chance.one_of(&[Victim::Listener, Victim::Worker, Victim::All]),
        };
        let ring_limit = chance.one_of(&[64 * 1024, 256 * 1024, 2 * 1024 * 1024]);
        let rest_every = chance.one_of(&[0, 0, 50]);
        let moment =
            |chance: &mut Chance| End::After(Duration::from_millis(chance.up_to(LONGEST_LIFE_MILLIS)));
        let step = |chance: &mut Chance, step| End::At(step, chance.of_any_size(most_arrivals(step)));
        let mut ends = match steps().into_iter().find(|(_, step)| *step == subject) {
            Some((When::Logging, name)) => vec![step(&mut chance, name)],
            Some((When::Replay, name)) => vec![moment(&mut chance), step(&mut chance, name)],
            None if subject == NO_DEATH => {
                vec![End::Orderly(Duration::from_millis(chance.up_to(LONGEST_LIFE_MILLIS)))]
            }
            None => vec![moment(&mut chance)],
        };
        // Killed once more, most likely before all is back, and perhaps another time.
        while ends.len() < 4 && subject != NO_DEATH && chance.one_of(&[true, false, false]) {
            ends.push(End::After(Duration::from_millis(chance.up_to(LONGEST_REPLAY_MILLIS))));
        }
        Round {
            number,
            subject,
            threads,
            processes,
            victim,
            ring_limit,
            rest_every,
            most: MOST_RECORDS / threads,
            ends,
        }
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Round { number, threads, processes, victim, ring_limit, rest_every, ends, .. } = self;
        write!(f, "round {number}: threads {threads}, rings {} KiB", ring_limit / 1024)?;
        if *processes > 1 {
            write!(f, ", processes {processes}, {victim:?} killed")?;
        }
        if *rest_every > 0 {
            write!(f, ", at ease")?;
        }
        let ends: Vec<String> = ends.iter().map(End::to_string).collect();
        write!(f, "; {}", ends.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_rounds_again() {
        for number in 0..100 {
            assert_eq!(Round::new(7, number), Round::new(7, number));
        }
        assert!((0..100).any(|number| Round::new(7, number) != Round::new(8, number)));
    }

    #[test]
    fn every_subject_has_rounds_and_every_dimension_varies() {
        let rounds: Vec<Round> = (0..200).map(|number| Round::new(1, number)).collect();
        for subject in subjects() {
            assert!(rounds.iter().any(|round| round.subject == subject), "{subject}");
        }
        assert!([1, 4].iter().all(|threads| rounds.iter().any(|round| round.threads == *threads)));
        assert!([1, 2, 3].iter().all(|lives| rounds.iter().any(|round| round.ends.len() == *lives)));
        let mut moments = rounds.iter().filter(|round| round.subject == MOMENT).map(|round| round.ends[0]);
        assert!(moments.all(|end| matches!(end, End::After(time) if (1..=500).contains(&time.as_millis()))));
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
