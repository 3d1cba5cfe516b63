//! After a flush the files hold everything that was logged before it.
// L-57, M-02, U-24, P2, P4

use std::sync::atomic::{AtomicBool, Ordering};

use miu_log_tests::{Place, logs};

use crate::FLUSH;

#[test]
fn what_was_logged_before_a_flush_is_in_the_files_after_it_while_others_log_on() {
    let place = Place::new();
    // Small rings: a flush has to write what they hold before it, and here that is not to be the point.
    let config = place.config().level_files(false).ring_limit(64 * 1024);
    let repo = logs::Repository::open(config).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    (0..100).for_each(|number| miu_log::info!(repo.redis, "noise {number}"));
                    std::thread::yield_now();
                }
            });
        }
        for round in 0..50_usize {
            miu_log::info!(repo.app, "round {round}");
            repo.flush(FLUSH).unwrap();
            assert_eq!(place.messages("app.log").len(), round + 1);
        }
        over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_flush_covers_rings_that_have_grown() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config().level_files(false)).unwrap();
    let mut expected = 0;
    for records in [1, 10, 1_000, 5_000, 10_000] {
        // A thread of its own has a ring of its own, which grows from the smallest size.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..records).for_each(|number| miu_log::info!(repo.app, "record {number} of {records}"));
            });
        });
        expected += records;
        repo.flush(FLUSH).unwrap();
        assert_eq!(place.messages("app.log").len(), expected);
    }
}

#[test]
fn a_flush_by_several_threads_at_once_answers_each() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (repo, place) = (&repo, &place);
            scope.spawn(move || {
                for round in 0..10 {
                    miu_log::info!(repo.app, "{thread}-{round}");
                    repo.flush(FLUSH).unwrap();
                    // The others write meanwhile: only whole lines count.
                    let text = place.text("app.log");
                    assert!(text.contains(&format!("| {thread}-{round}\n")));
                }
            });
        }
    });
}

#[test]
fn an_empty_flush_is_a_flush() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    (0..100).for_each(|_| repo.flush(FLUSH).unwrap());
    assert_eq!(place.text("app.log"), "");
}
