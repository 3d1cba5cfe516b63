//! Captures: records as values, in tests.
// L-63

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use miu_log::context::{self, CallInContext, Context, REQUEST_ID};
use miu_log::testing::{Capture, Expected};
use miu_log::{FieldValue, Level, fields, log_domains};
use miu_log_tests::{Place, logs};

fn opened(capture: &Capture) -> logs::Repository {
    logs::Repository::open(capture.config()).unwrap()
}

/// What a failed assertion says.
fn failure(assert: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(assert)).unwrap_err();
    panic.downcast_ref::<String>().unwrap().clone()
}

#[test]
fn records_are_there_as_values_with_their_types() {
    let capture = Capture::new();
    let repo = opened(&capture);
    let _scope = context::scope(REQUEST_ID.with("r-17"));
    miu_log::warning!(repo.db, rows = 3, ok = true, frame = [1_u8, 255], "took {} ms", 1.5);
    repo.app.bind(fields!(step = 2)).exception("failed", &std::io::Error::other("gone"));
    let records = capture.records();
    let [first, second] = &records[..] else { panic!("{records:?}") };
    assert_eq!((first.level(), first.domain(), first.message()), (Level::Warning, "db", "took 1.5 ms"));
    assert_eq!(first.field("rows"), Some(FieldValue::Signed(3)));
    assert_eq!(first.field("frame"), Some(FieldValue::Bytes { kept: &[1, 255], given: 2 }));
    assert_eq!(first.context().collect::<Vec<_>>(), [("request_id", FieldValue::Text("r-17"))]);
    assert_eq!(first.module(), Some("scenarios::captures"));
    assert!(
        first.location().starts_with("scenarios::captures:records_are_there_as_values_with_their_types:")
    );
    assert!(second.exception().unwrap().starts_with("error: gone"));
    assert_eq!(second.fields().map(|(name, _)| name).collect::<Vec<_>>(), ["request_id", "step"]);
    assert_eq!((capture.take().len(), capture.records().len()), (2, 0));
}

#[test]
fn captures_of_tests_that_run_side_by_side_have_their_own_records() {
    let test = |number: u32| {
        move || {
            let capture = Capture::new();
            let repo = opened(&capture);
            let worker = logs::Repository::worker(repo.queue());
            std::thread::scope(|scope| {
                scope.spawn(|| (0..100).for_each(|step| miu_log::info!(worker.task, number, "step {step}")));
                (0..100).for_each(|step| miu_log::debug!(repo.app, number, "step {step}"));
            });
            capture.assert_count(200, &Expected::new().field("number", number));
            capture.assert_count(200, &Expected::new());
        }
    };
    let tests: Vec<_> = (0..8).map(|number| std::thread::spawn(test(number))).collect();
    tests.into_iter().for_each(|test| test.join().unwrap());
}

#[test]
fn nothing_is_left_of_a_capture() {
    let capture = Capture::new();
    let repo = opened(&capture);
    repo.app.info("one");
    capture.assert_has(Level::Info, "one");
    assert!(!Path::new("captured").exists());
    repo.flush(crate::FLUSH).unwrap();
    let report = repo.shutdown();
    assert_eq!((report.accepted, report.written, report.dropped), (1, 1, 0));
    repo.app.info("after the end");
    drop(repo);
    capture.assert_count(1, &Expected::new());
    let again = logs::Repository::open(capture.config()).unwrap();
    again.app.info("two");
    capture.assert_has(Level::Info, "two");
    assert!(
        logs::Repository::open(capture.config())
            .unwrap_err()
            .to_string()
            .contains("belongs to another repository")
    );
}

#[test]
fn a_failed_assertion_says_what_was_expected_and_what_was_there() {
    let capture = Capture::new();
    assert_eq!(
        failure(|| capture.assert_has(Level::Error, "lost")),
        r#"no record is ERROR with "lost" in its message; nothing was logged"#
    );
    let repo = opened(&capture);
    miu_log::info!(repo.db, order = 7, user = "ann", "order {}", "taken");
    let text = failure(|| {
        capture.assert_like(
            &Expected::new().at_least(Level::Warning).domain("db").field("order", 8).without("user"),
        );
    });
    let (first, second) = text.split_once('\n').unwrap();
    assert_eq!(first, "no record is WARNING or above in db with order=8, no field user; this was logged:");
    assert!(second.starts_with("  INFO db scenarios::captures:a_failed_assertion_says"), "{second}");
    assert!(second.ends_with(r#" "order taken" order=7 user="ann""#), "{second}");
    let text = failure(|| capture.assert_none(&Expected::new().exactly("order taken")));
    assert!(
        text.starts_with(
            r#"1 records instead of 0 are of any level with the message "order taken"; this was"#
        ),
        "{text}"
    );
    assert!(capture.has(Level::Info, "taken") && !capture.has(Level::Info, "Taken"));
    assert_eq!(capture.find(&Expected::new().level(Level::Info)).unwrap().domain(), "db");
}

#[log_domains(app)]
mod global {}

/// A part of a service that logs to the process-wide repository.
fn serve(number: u32) {
    miu_log::info!(global::repo().app, number, "served");
}

#[test]
fn tests_that_share_the_process_wide_repository_see_their_own_records() {
    let test = |number: u32| {
        move || {
            let capture = Capture::of_process(global::init).unwrap();
            serve(number);
            std::thread::spawn((move || serve(number)).in_context(Context::current())).join().unwrap();
            std::thread::spawn(move || serve(number)).join().unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async { tokio::spawn(async move { serve(number) }).await }).unwrap();
            capture.assert_count(3, &Expected::new().message("served").field("number", number));
            capture.assert_count(3, &Expected::new());
            assert_eq!(capture.records()[0].context().count(), 0, "what tells tests apart is not shown");
        }
    };
    let tests: Vec<_> = (0..8).map(|number| std::thread::spawn(test(number))).collect();
    tests.into_iter().for_each(|test| test.join().unwrap());
    assert!(
        Capture::of_process(|_| global::init(miu_log::LogConfig::new("logs"))).is_ok(),
        "it is there already"
    );
}

#[test]
fn more_than_a_ring_holds_is_dropped_and_counted() {
    let capture = Capture::new();
    let repo = opened(&capture);
    let text = "x".repeat(10_000);
    (0..4000).for_each(|_| repo.app.info(&text));
    let dropped = repo.stats().dropped;
    assert!(dropped > 0);
    assert_eq!(capture.count(&Expected::new().level(Level::Info)) as u64, 4000 - dropped);
}

#[test]
fn records_of_other_crates_are_in_the_capture_of_their_test() {
    let place = Place::new();
    let outcome = miu_log_tests::run(&mut crate::child(&place, "captured-facades"));
    assert_eq!((outcome.number("tests"), outcome.number("records")), (4, 8), "{outcome:?}");
    assert!(!place.logs().exists());
}
