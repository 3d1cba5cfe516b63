//! Times at the edges of what a clock can show.
// F76, F74, L-27

use std::time::Duration;

use miu_log::Zone;
use miu_log::testing::ManualListener;
use miu_log_tests::{Place, logs};

#[test]
fn edges_of_time_have_a_stamp_that_can_be_read() {
    let edges = [
        (Duration::ZERO, "1970-01-01 00:00:00.000"),
        (Duration::from_nanos(999_999_999), "1970-01-01 00:00:00.999"),
        (Duration::from_secs(951_782_400), "2000-02-29 00:00:00.000"),
        (Duration::new(1_483_228_799, 999_999_999), "2016-12-31 23:59:59.999"),
        (Duration::from_secs((1 << 31) - 1), "2038-01-19 03:14:07.000"),
        (Duration::from_secs(1 << 31), "2038-01-19 03:14:08.000"),
        (Duration::from_secs(4_102_444_800), "2100-01-01 00:00:00.000"),
        (Duration::from_nanos(i64::MAX as u64), "2262-04-11 23:47:16.854"),
    ];
    for (time, stamp) in edges {
        let place = Place::new();
        let listener = ManualListener::new();
        let repo = logs::Repository::open(place.config().zone(Zone::Utc).manual_listener(&listener)).unwrap();
        listener.set_unix_time(time);
        repo.app.info("m");
        listener.step();
        assert_eq!(place.entries("app.log")[0].time, stamp);
    }
}

#[test]
fn a_zone_is_fixed_or_an_error_of_open_that_names_it() {
    let place = Place::new();
    let listener = ManualListener::new();
    let config = place.config().zone("-03:30").manual_listener(&listener);
    let repo = logs::Repository::open(config).unwrap();
    listener.set_unix_time(Duration::from_secs(1 << 31));
    repo.app.info("m");
    repo.shutdown();
    assert_eq!(place.entries("app.log")[0].time, "2038-01-18 23:44:08.000");
    for bad in ["Middle/Earth", "+25:00", ""] {
        let error = logs::Repository::open(place.config().zone(bad)).unwrap_err().to_string();
        assert!(
            error.contains(&format!("zone is {bad:?}")) && error.contains("\"Europe/Berlin\""),
            "{error}"
        );
    }
}

#[test]
fn a_clock_past_its_range_does_no_harm() {
    let place = Place::new();
    let listener = ManualListener::new();
    let repo = logs::Repository::open(place.config().zone(Zone::Utc).manual_listener(&listener)).unwrap();
    for time in [Duration::from_nanos(u64::MAX), Duration::MAX, Duration::ZERO, Duration::from_nanos(1 << 63)]
    {
        listener.set_unix_time(time);
        repo.app.info("m");
        listener.step();
    }
    repo.shutdown();
    assert_eq!(place.messages("app.log"), ["m"; 4]);
}

#[test]
fn the_clock_of_a_test_stands_still_until_it_is_turned() {
    let place = Place::new();
    let listener = ManualListener::new();
    let repo = logs::Repository::open(place.config().zone(Zone::Utc).manual_listener(&listener)).unwrap();
    listener.set_unix_time(Duration::from_secs(1_763_640_000));
    repo.app.info("one");
    repo.app.info("two");
    listener.advance(Duration::from_millis(1_500));
    repo.app.info("three");
    assert_eq!(listener.step(), 3);
    let times: Vec<String> = place.entries("app.log").into_iter().map(|entry| entry.time).collect();
    assert_eq!(times, ["2025-11-20 12:00:00.000", "2025-11-20 12:00:00.000", "2025-11-20 12:00:01.500"]);
}

#[test]
fn a_standing_clock_hides_no_thread_from_the_listener() {
    let place = Place::new();
    let listener = ManualListener::new();
    let repo = logs::Repository::open(place.config().manual_listener(&listener)).unwrap();
    repo.app.info("main");
    std::thread::scope(|scope| {
        scope.spawn(|| repo.app.info("thread"));
    });
    assert_eq!(listener.step(), 2);
}

#[test]
fn a_clock_that_goes_back_keeps_the_order() {
    let place = Place::new();
    let listener = ManualListener::new();
    listener.set_unix_time(Duration::from_secs(1_763_640_000));
    let repo = logs::Repository::open(place.config().manual_listener(&listener)).unwrap();
    repo.app.info("one");
    listener.set_unix_time(Duration::from_secs(1_763_636_400));
    repo.app.info("two");
    listener.set_unix_time(Duration::from_secs(1_763_636_401));
    repo.app.info("three");
    listener.step();
    assert_eq!(place.messages("app.log"), ["one", "two", "three"]);
}

#[test]
fn a_clock_that_is_set_is_told_once_and_moves_stamps_alone() {
    for (shift, stamp) in [(-3600, "2025-11-20 11:00:00.100"), (86_400, "2025-11-21 12:00:00.100")] {
        let place = Place::new();
        let listener = ManualListener::new();
        listener.set_unix_time(Duration::from_secs(1_763_640_000));
        let repo = logs::Repository::open(place.config().zone(Zone::Utc).manual_listener(&listener)).unwrap();
        repo.app.info("before");
        listener.step();
        // Within one batch: two records before, two after, and none of them is read in between.
        repo.app.info("batch 0");
        repo.app.info("batch 1");
        listener.shift_wall_clock(shift);
        listener.advance(Duration::from_millis(100));
        repo.app.info("batch 2");
        repo.app.info("batch 3");
        listener.step();
        listener.advance(Duration::from_millis(100));
        repo.app.info("after");
        listener.step();
        repo.shutdown();
        let entries = place.entries("app.log");
        let messages: Vec<&str> = entries.iter().map(|entry| entry.message.as_str()).collect();
        let told = format!("clock stepped by {shift:+}.000 s");
        assert_eq!(messages, ["before", &told, "batch 0", "batch 1", "batch 2", "batch 3", "after"]);
        assert_eq!(entries[1].level, "WARNING");
        assert_eq!((entries[0].time.as_str(), entries[5].time.as_str()), ("2025-11-20 12:00:00.000", stamp));
        assert_eq!(place.names().len(), 8, "no file but the usual ones");
    }
}

#[test]
fn a_clock_that_is_set_makes_no_timer_due_and_holds_none_up() {
    for shift in [-3600, 86_400] {
        let place = Place::new();
        let listener = ManualListener::new();
        listener.set_unix_time(Duration::from_secs(1_763_640_000));
        let repo = logs::Repository::open(place.config().manual_listener(&listener)).unwrap();
        listener.advance(Duration::from_secs(1));
        listener.step();
        std::fs::remove_file(place.log("db.log")).unwrap();
        listener.shift_wall_clock(shift);
        listener.step();
        assert!(!place.log("db.log").exists(), "files are looked at once a second, which is not over");
        listener.advance(Duration::from_secs(1));
        listener.step();
        assert!(place.log("db.log").exists(), "and now it is");
        drop(repo);
    }
}
