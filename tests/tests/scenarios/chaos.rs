//! Some rounds of `cargo xtask chaos`, always the same ones: every kind of death, and every kind of its moment.

use std::path::Path;

use miu_log_tests::chaos::{End, Farewell, HAND_OVER, RESTART, Round, Victim, run};

const SEED: u64 = 1;
/// What all processes of a round log together: little, for programs that are not optimized.
const RECORDS: u64 = 20_000;

/// The first round that is like this.
fn round(wanted: impl Fn(&Round) -> bool) -> Round {
    let found = (0..20_000).map(|number| Round::new(SEED, number, RECORDS)).find(wanted);
    found.unwrap_or_else(|| panic!("no round is like this"))
}

/// The first round with this at its beginning, and worker processes.
fn first(victim: Victim, step: Option<&str>) -> Round {
    round(|round| {
        let begins = match (round.events.first().map(|event| event.end), step) {
            (Some(End::At(found, _)), Some(step)) => found == step,
            (Some(End::After(_)), None) => true,
            _ => false,
        };
        begins && round.workers > 1 && round.events[0].victim == victim
    })
}

#[track_caller]
fn assert_clean(rounds: &[Round]) {
    let mut acked = 0;
    for round in rounds {
        let outcome = run(round, Path::new(env!("CARGO_BIN_EXE_child"))).unwrap();
        assert!(outcome.is_clean(), "{round}: {}\n{:#?}", outcome.report, outcome.problems);
        acked += outcome.report.acked;
    }
    assert!(acked > 1000, "the processes have hardly logged: {acked}");
}

#[test]
fn nothing_is_lost_or_doubled_when_workers_are_killed() {
    assert_clean(&[
        first(Victim::Worker, None),
        first(Victim::Workers, None),
        first(Victim::Worker, Some("mid-payload")),
        first(Victim::Worker, Some("segment-registered")),
        first(Victim::Workers, Some("member-written")),
    ]);
}

#[test]
fn nothing_is_lost_or_doubled_when_the_listener_is_killed() {
    assert_clean(&[
        first(Victim::Listener, None),
        first(Victim::Listener, Some("sink-written")),
        first(Victim::Listener, Some("rotated")),
        first(Victim::Listener, Some("file-marked")),
        first(Victim::Listener, Some("checkpointed")),
        round(|round| round.subject == "replay-delivered" && round.workers > 1),
    ]);
}

#[test]
fn nothing_is_lost_or_doubled_when_all_are_killed_at_once() {
    assert_clean(&[
        first(Victim::All, None),
        first(Victim::All, Some("delivered")),
        round(|round| round.subject == "replay-removed" && round.events[0].victim == Victim::All),
    ]);
}

#[test]
fn nothing_is_lost_or_doubled_when_the_listener_changes_or_comes_back() {
    let hand_over = |victim| {
        round(move |round| {
            round.subject == HAND_OVER && round.workers > 1 && round.events[0].victim == victim
        })
    };
    assert_clean(&[
        hand_over(Victim::Nobody),
        hand_over(Victim::Listener),
        hand_over(Victim::Successor),
        round(|round| round.subject == RESTART && round.workers > 1 && round.farewell == Farewell::Listener),
    ]);
}
