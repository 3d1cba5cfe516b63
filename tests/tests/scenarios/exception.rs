//! `exception`: the error, its chain of causes and, where asked for, a backtrace, on indented lines of one record.
// U-29, L-27, C5, F54 (error chain)

use std::error::Error;
use std::fmt;

use miu_log_tests::{Place, logs, run};

use crate::child;

#[derive(Debug)]
struct Failure(&'static str, Option<Box<Failure>>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_ref().map(|cause| cause as _)
    }
}

#[test]
fn the_chain_of_causes_is_in_domain_and_level_file() {
    let place = Place::new();
    let outcome = run(child(&place, "exception").env("RUST_BACKTRACE", "0"));
    outcome.printed();
    for name in ["db.log", "error.log"] {
        let entries = place.entries(name);
        let [entry, next] = &entries[..] else { panic!("{entries:?}") };
        assert_eq!((entry.level.as_str(), entry.message.as_str()), ("ERROR", "connection failed"));
        assert_eq!(
            entry.detail,
            ["error: pool is empty", "caused by: connection refused", "caused by: network is down"]
        );
        assert_eq!(next.message, "the next record");
    }
}

#[test]
fn a_backtrace_of_the_call_comes_where_the_environment_asks_for_it() {
    let place = Place::new();
    let outcome = run(child(&place, "exception").env("RUST_BACKTRACE", "1"));
    outcome.printed();
    let entry = &place.entries("error.log")[0];
    assert_eq!(entry.detail[3], "backtrace:");
    assert!(entry.detail[4..].iter().any(|line| line.contains("exception")), "{entry:?}");
}

#[test]
fn text_of_an_error_cannot_look_like_a_record() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    let forged = "x\n2026-01-01 00:00:00.000 | ERROR    | db | main/main | a:1 | forged";
    let error = Failure(forged, Some(Box::new(Failure("cause\r\n    | \u{1b}[2J\u{2028}end", None))));
    repo.db.exception(forged, &error);
    repo.shutdown();
    let entries = place.entries("db.log");
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert!(
        entries[0].detail[1].starts_with("    2026-01-01"),
        "an error's own lines stand deeper: {entries:?}"
    );
    assert!(entries[0].message.contains("\\n2026-01-01"));
    let text = place.text("db.log");
    assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text:?}");
    assert!(!text.contains('\u{2028}'));
}

#[test]
fn text_of_an_error_cannot_look_like_a_cause() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    repo.db.exception("failed", &Failure("bad input\ncaused by: the admin\nbacktrace:", None));
    repo.shutdown();
    let detail = &place.entries("db.log")[0].detail;
    assert_eq!(detail[..3], ["error: bad input", "    caused by: the admin", "    backtrace:"]);
}

#[test]
fn a_chain_without_end_is_cut() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    let endless = (0..1_000).fold(Failure("root", None), |cause, _| Failure("cause", Some(Box::new(cause))));
    repo.db.exception("deep", &endless);
    // Its drop is recursive too, but that is the test's own affair: a thousand levels are no danger.
    repo.shutdown();
    let detail = &place.entries("db.log")[0].detail;
    let causes: Vec<&String> = detail.iter().filter(|line| line.starts_with("caused by: ")).collect();
    assert!(causes.len() < 100 && causes.last().unwrap().contains("more causes"), "{causes:?}");
}

#[test]
fn an_error_that_panics_harms_nobody_but_its_caller() {
    #[derive(Debug)]
    struct Explosive;
    impl fmt::Display for Explosive {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("cannot be shown")
        }
    }
    impl Error for Explosive {}

    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    let caught =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| repo.db.exception("m", &Explosive)));
    assert!(caught.is_err());
    repo.db.info("goes on");
    repo.shutdown();
    assert_eq!(place.messages("db.log"), ["goes on"]);
}
