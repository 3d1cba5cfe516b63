//! Writes that fall short, are interrupted or fail: lines stay whole, and each is there once.
// F27 (write), F28, F29 (later), P6

use miu_log_tests::{Place, run};

use crate::child_with_fault;

/// Runs twenty records, each written by itself, with this fault injected into the writes to `app.log`.
fn with_fault(fault: &str) -> (Place, miu_log_tests::Outcome) {
    let place = Place::new();
    let path = place.log("app.log");
    let outcome = run(&mut child_with_fault(&place, (&path, "write", fault), "twenty-records"));
    outcome.printed();
    (place, outcome)
}

fn expected() -> Vec<String> {
    (0..20).map(|number| format!("record {number}")).collect()
}

#[test]
fn an_interrupted_write_is_made_again() {
    for fault in ["error=EINTR:when=3", "error=EINTR:when=2+2", "error=EAGAIN:when=5"] {
        let (place, outcome) = with_fault(fault);
        assert_eq!(place.messages("app.log"), expected(), "{fault}: {outcome:?}");
        assert_eq!(place.messages("info.log"), expected(), "{fault}");
    }
}

#[test]
fn after_a_short_write_the_rest_follows() {
    // The fault claims ten bytes that never reach the file: exactly these are missing, and the rest of the line follows.
    let (place, outcome) = with_fault("retval=10:when=3");
    let text = place.text("app.log");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 20, "{outcome:?}");
    let whole = place.text("info.log");
    for (index, (line, whole)) in lines.iter().zip(whole.lines()).enumerate() {
        assert_eq!(*line, if index == 2 { &whole[10..] } else { whole });
    }
}

#[test]
fn a_failed_write_is_tried_again_with_the_same_lines() {
    for fault in [
        "error=EIO:when=4",
        "error=ENOSPC:when=4",
        "error=EDQUOT:when=4",
        "error=EROFS:when=4..9",
        "error=EPERM:when=4..9",
        "error=EIO:when=2+2",
    ] {
        let (place, outcome) = with_fault(fault);
        assert_eq!(place.messages("app.log"), expected(), "{fault}: {outcome:?}");
        assert_eq!(place.messages("info.log"), expected(), "{fault}: the other files are not held up");
        assert!(
            outcome.stderr.contains("miu-log: ") && outcome.stderr.contains("app.log"),
            "it is told: {outcome:?}"
        );
    }
}

#[test]
fn a_disk_that_stays_full_is_counted_and_ends_the_program_in_time() {
    let (place, outcome) = with_fault("error=ENOSPC:when=4+");
    assert_eq!(place.messages("info.log"), expected());
    assert_eq!(place.messages("app.log"), expected()[..3]);
    assert!(outcome.stderr.contains("17 records for app.log"), "{outcome:?}");
}
