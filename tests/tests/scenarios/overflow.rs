//! A listener that does not come: each policy drops what it says, counts it exactly, and says so in the domain's file.
// F39, C8, L-28, M-20, M-28, P4

use std::time::Duration;

use miu_log::testing::ManualListener;
use miu_log::{DropReason, Level, OverflowPolicy, Stats};
use miu_log_tests::{Place, logs, run, wait_until};

use crate::{FLUSH, child};

const SMALL: usize = 64 * 1024;

/// A repository whose listener is never stepped unless the test does it.
fn stalled(place: &Place, policy: OverflowPolicy) -> (ManualListener, logs::Repository) {
    let listener = ManualListener::new();
    let config = place.config().overflow(policy).ring_limit(SMALL).manual_listener(&listener);
    let repo = logs::Repository::open(config).unwrap();
    (listener, repo)
}

fn dropped_at(stats: &Stats, level: Level) -> u64 {
    stats.domains.iter().map(|domain| domain.dropped_at(DropReason::Full, level)).sum()
}

/// Nothing is lost that is not counted: in the counters, in the file, and in the line about it.
fn assert_accounted(place: &Place, repo: &logs::Repository, calls: u64) {
    let before = repo.stats();
    assert_eq!(before.accepted + before.dropped, calls);
    assert_eq!(before.pending, before.accepted - before.written);
    repo.flush(FLUSH).unwrap();
    let stats = repo.stats();
    assert_eq!((stats.accepted, stats.dropped), (before.accepted, before.dropped));
    assert_eq!((stats.written, stats.pending), (stats.accepted, 0));
    let (own, of_the_program): (Vec<_>, Vec<_>) =
        place.entries("app.log").into_iter().partition(|entry| entry.message.starts_with("dropped "));
    assert_eq!(of_the_program.len() as u64, stats.written);
    let told: u64 =
        own.iter().map(|entry| entry.message.split(' ').nth(1).unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(told, stats.dropped, "{own:?}");
    assert!(own.iter().all(|entry| entry.level == "WARNING" && entry.message.contains("(queue full)")));
}

#[test]
fn drop_newest_keeps_the_first_records_and_counts_the_rest() {
    let place = Place::new();
    let (_listener, repo) = stalled(&place, OverflowPolicy::DropNewest);
    for number in 0..20_000 {
        miu_log::info!(repo.app, "record {number}");
    }
    let accepted = repo.stats().accepted;
    assert!((500..20_000).contains(&accepted), "{accepted}");
    assert_accounted(&place, &repo, 20_000);
    let expected: Vec<String> = (0..accepted).map(|number| format!("record {number}")).collect();
    assert_eq!(place.messages("info.log"), expected);
    let loss = format!(
        "dropped {0} records (queue full): {0} INFO; numbers {accepted} to 19999 of main/overflow::",
        20_000 - accepted
    );
    let [told] = &place.messages("warning.log")[..] else { panic!("one line for one loss") };
    assert!(told.starts_with(&loss), "{told}");
}

#[test]
fn drop_newest_takes_records_again_once_there_is_room() {
    let place = Place::new();
    let (listener, repo) = stalled(&place, OverflowPolicy::DropNewest);
    for number in 0..20_000 {
        miu_log::info!(repo.app, "record {number}");
    }
    let before = repo.stats();
    while listener.step() > 0 {}
    repo.app.info("after");
    let after = repo.stats();
    assert_eq!((after.accepted, after.dropped), (before.accepted + 1, before.dropped));
    assert_accounted(&place, &repo, 20_001);
}

#[test]
fn errors_find_room_after_lower_levels_find_none() {
    for policy in [OverflowPolicy::DropNewest, OverflowPolicy::BlockThenShed(Duration::from_millis(5))] {
        let place = Place::new();
        let (_listener, repo) = stalled(&place, policy);
        let mut calls = 0;
        while repo.stats().dropped == 0 {
            miu_log::info!(repo.app, "record {calls}");
            calls += 1;
        }
        for level in [Level::Warning, Level::Error, Level::Critical] {
            let (before, dropped_before) = (calls, dropped_at(&repo.stats(), level));
            while dropped_at(&repo.stats(), level) == dropped_before && calls < before + 100 {
                miu_log::log!(repo.app, level, "record {calls}");
                calls += 1;
            }
            let stats = repo.stats();
            if level >= Level::Error {
                let taken = calls - before - dropped_at(&stats, level);
                assert!(taken >= 50 || level == Level::Critical, "{policy:?}: {taken} {level} were taken");
            }
        }
        assert_accounted(&place, &repo, calls);
    }
}

#[test]
fn shedding_goes_by_level() {
    // At one fill after the other, the lowest levels stop being taken first.
    let place = Place::new();
    let (listener, repo) = stalled(&place, OverflowPolicy::BlockThenShed(Duration::from_millis(5)));
    let mut calls = 0;
    while repo.stats().dropped == 0 {
        miu_log::info!(repo.app, "record {calls}");
        calls += 1;
    }
    // Now it sheds, above a quarter: each level is taken up to its own bound.
    while listener.step() > 0 {}
    let stats = repo.stats();
    assert_eq!(stats.accepted, stats.written);
    for _ in 0..20_000 {
        miu_log::debug!(repo.app, "record {calls}");
        calls += 1;
    }
    assert!(dropped_at(&repo.stats(), Level::Debug) > 0);
    let infos = dropped_at(&repo.stats(), Level::Info);
    miu_log::error!(repo.app, "record {calls}");
    calls += 1;
    assert_eq!(dropped_at(&repo.stats(), Level::Error), 0);
    assert_eq!(dropped_at(&repo.stats(), Level::Info), infos);
    assert_accounted(&place, &repo, calls);
}

#[test]
fn block_waits_until_there_is_room_and_loses_nothing() {
    const RECORDS: u64 = 5_000;
    let place = Place::new();
    let (listener, repo) = stalled(&place, OverflowPolicy::Block);
    std::thread::scope(|scope| {
        let caller =
            scope.spawn(|| (0..RECORDS).for_each(|number| miu_log::info!(repo.app, "record {number}")));
        let mut seen = u64::MAX;
        // Each time its ring is full the caller stands still; each time the listener steps it goes on.
        while !caller.is_finished() {
            let accepted = repo.stats().accepted;
            if accepted == seen {
                listener.step();
            }
            seen = accepted;
            std::thread::yield_now();
        }
    });
    repo.flush(FLUSH).unwrap();
    let expected: Vec<String> = (0..RECORDS).map(|number| format!("record {number}")).collect();
    assert_eq!(place.messages("app.log"), expected);
    assert_eq!(repo.stats().dropped, 0);
}

#[test]
fn a_blocked_caller_is_freed_by_the_shutdown() {
    let place = Place::new();
    let (_listener, repo) = stalled(&place, OverflowPolicy::Block);
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| {
            let mut calls = 0_u64;
            while repo.app.enabled(Level::Info) {
                miu_log::info!(repo.app, "record {calls}");
                calls += 1;
            }
            calls
        });
        wait_until("the ring is full", || repo.stats().accepted > 500);
        let report = repo.shutdown();
        let calls = caller.join().unwrap();
        let stats = repo.stats();
        assert_eq!(stats.accepted + stats.dropped, calls);
        // One call may have been under way while the listener ended: then its record is counted as abandoned or pending.
        assert!(stats.accepted - report.written <= 1, "{stats:?}");
    });
}

#[test]
fn the_default_policy_with_a_live_listener_loses_nothing_of_a_burst() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    assert_eq!(OverflowPolicy::default(), OverflowPolicy::BlockThenShed(Duration::from_millis(100)));
    for number in 0..30_000 {
        miu_log::info!(repo.db, "record {number}");
    }
    repo.flush(FLUSH).unwrap();
    assert_eq!(repo.stats().dropped, 0);
    assert_eq!(place.messages("db.log").len(), 30_000);
}

#[test]
fn a_million_records_for_nobody_stay_within_the_bound() {
    for role in ["million-drop-newest", "million-shed"] {
        let place = Place::new();
        let outcome = run(&mut child(&place, role));
        assert_eq!(outcome.number("accepted") + outcome.number("dropped"), 1_000_000, "{outcome:?}");
        assert_eq!(outcome.number("pending"), outcome.number("accepted"));
        // One MiB is the ring's limit, and the segments it has outgrown together are no larger; the rest is for what the
        // program itself may vary by.
        assert!(outcome.number("grown_kib") <= 2 * 1024 + 512, "{outcome:?}");
    }
}

#[test]
fn memory_does_not_grow_with_the_number_of_records() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "soak"));
    assert_eq!(outcome.number("written"), 180_000);
    // A ring may still grow to its limit of two MiB, and batches with it; it must not be what 120,000 records need.
    assert!(outcome.number("grown_kib") < 8 * 1024, "{outcome:?}");
}

#[test]
fn a_ring_limit_that_cannot_be_is_refused() {
    for limit in [0, 1, 65_535, 100_000, usize::MAX] {
        let place = Place::new();
        let error = logs::Repository::open(place.config().ring_limit(limit)).unwrap_err().to_string();
        assert!(error.contains("ring_limit") && error.contains("power of two from 65536"), "{error}");
    }
}
