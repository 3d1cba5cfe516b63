//! A memory file system that is small or full: told, counted, and never a fault on access.
// F44, P6, M-26

use miu_log_tests::{Outcome, Place, run};

use crate::{child_under, is_installed};

/// Runs the role with its runtime directory on a tmpfs of this size, private to it.
fn with_tmpfs(size: &str, place: &Place) -> Outcome {
    assert!(
        rustix::process::geteuid().is_root() && is_installed("unshare"),
        "this scenario mounts a memory file system of its own, which takes root and unshare"
    );
    let script = format!(
        "mount -t tmpfs -o size={size},mode=0700 tmpfs {} && exec \"$0\" \"$@\"",
        place.runtime().to_str().unwrap()
    );
    run(&mut child_under("unshare", ["-m", "sh", "-c", &script], place, "eight-threads"))
}

fn assert_accounted(outcome: &Outcome, place: &Place) {
    assert_eq!(outcome.number("accepted") + outcome.number("dropped"), 16_000, "{outcome:?}");
    assert_eq!(outcome.number("written"), outcome.number("accepted"), "{outcome:?}");
    let entries = place.entries("app.log");
    let written = entries.iter().filter(|entry| entry.level == "INFO").count() as u64;
    assert_eq!(written, outcome.number("written"));
}

#[test]
fn rings_that_find_no_room_are_in_other_memory_and_that_is_told() {
    let place = Place::new();
    let outcome = with_tmpfs("256k", &place);
    assert_accounted(&outcome, &place);
    assert_eq!(outcome.number("dropped"), 0, "{outcome:?}");
    assert!(outcome.stderr.contains("cannot make a ring in the runtime directory"), "{outcome:?}");
}

// F31
#[test]
fn a_limit_on_the_size_of_files_kills_nobody() {
    let place = Place::new();
    let script = "ulimit -f 1000 && exec \"$0\" \"$@\"";
    let outcome = run(&mut child_under("sh", ["-c", script], &place, "ten-records"));
    assert_eq!(outcome.printed(), "accepted=10 dropped=0 written=10", "{outcome:?}");
    assert_eq!(place.messages("app.log").len(), 10);
}

// F31
#[test]
fn files_at_the_limit_of_their_size_wait_for_it_to_be_raised() {
    let place = Place::new();
    let outcome = run(&mut crate::child(&place, "file-size-limit"));
    outcome.printed();
    assert!(outcome.stderr.contains("File too large"), "{outcome:?}");
    for name in ["app.log", "info.log"] {
        let messages = place.messages(name);
        assert_eq!(messages.len(), 3010, "{name}");
        let expected = |number: usize| format!("number {number} ");
        assert!((0..).zip(&messages).all(|(number, message)| message.starts_with(&expected(number))));
    }
}

#[test]
fn a_file_system_too_small_for_a_start_is_passed_over_and_that_is_told() {
    let place = Place::new();
    let outcome = with_tmpfs("64k", &place);
    assert_accounted(&outcome, &place);
    assert_eq!(outcome.number("dropped"), 0, "{outcome:?}");
    assert!(
        outcome.stderr.contains("No space left on device") && outcome.stderr.contains(".miu"),
        "{outcome:?}"
    );
    assert!(!place.log(".miu").exists(), "it is removed at the end");
}
