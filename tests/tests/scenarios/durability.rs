//! When log files and spools are made durable, as the system calls show it.
// F9, F27 (fsync), DESIGN: Durability

use miu_log_tests::{Outcome, Place, names, run};

use crate::{child_under, child_with_fault, is_installed};

/// The system calls on `app.log` and the checkpoint, in order: `w` a line written, `s` made durable, `c` a checkpoint.
fn calls(role: &str) -> String {
    let (place, _, calls) = calls_on("/app.log>", &[role]);
    assert_eq!(place.messages("app.log").len(), 5);
    calls
}

/// The same on the files with this in their name, of this role; `n` stands for a folder made durable.
fn calls_on(name: &str, role: &[&str]) -> (Place, Outcome, String) {
    assert!(is_installed("strace"), "this scenario watches system calls by means of strace");
    let place = Place::new();
    let trace = place.root().join("trace");
    let arguments = [
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-y",
        "-o",
        trace.to_str().unwrap(),
        "-e",
        "trace=write,pwrite64,fdatasync,fsync",
    ];
    let outcome = run(child_under("strace", arguments, &place, role[0]).args(&role[1..]));
    outcome.printed();
    let text = std::fs::read_to_string(&trace).unwrap();
    let kind = |line: &str| match line {
        line if line.contains(" write(") && line.contains(name) => Some('w'),
        line if line.contains(" fdatasync(") && line.contains(name) => Some('s'),
        line if line.contains(" fsync(") => Some('n'),
        line if line.contains(" pwrite64(") && line.contains("/checkpoint>") => Some('c'),
        _ => None,
    };
    let mut calls: String = text.lines().filter_map(kind).collect();
    // How often the listener writes down where it stands is not what this is about.
    while calls.contains("cc") {
        calls = calls.replace("cc", "c");
    }
    (place, outcome, calls)
}

#[test]
fn by_default_the_operating_system_decides() {
    let calls = calls("durable-os");
    assert!(!calls.contains('s') && calls.matches('w').count() == 5, "{calls}");
}

#[test]
fn an_error_is_durable_before_it_is_acknowledged() {
    let calls = calls("durable-on-error");
    assert_eq!(calls.matches('s').count(), 1, "{calls}");
    assert!(calls.contains("wcwcwcwscwc"), "the fourth record is the CRITICAL one: {calls}");
}

#[test]
fn once_in_an_interval_and_at_the_end() {
    let calls = calls("durable-every-hour");
    assert!((1..=2).contains(&calls.matches('s').count()), "{calls}");
    let last = calls.trim_end_matches('c');
    assert!(last.ends_with('s'), "nothing is left at the end: {calls}");
}

#[test]
fn a_failed_sync_is_told_with_its_range_and_not_repeated() {
    let place = Place::new();
    let spool = place.log(".outbox/far");
    let first = spool.join("0000000000000001.spool");
    let mut command = child_with_fault(&place, (&first, "fdatasync", "error=EIO:when=1"), "durable-remote");
    let outcome = run(command.args(["on-error", "ERROR", "ERROR"]));
    let counts = ["errors", "held", "dropped"].map(|name| outcome.number(name));
    assert_eq!(counts, [1, 2, 0], "{outcome:?}");
    let len = std::fs::metadata(&first).unwrap().len();
    let told = format!(
        "miu-log: far could not be made durable: cannot make {first:?} durable: Input/output error (os error 5); \
         bytes 0 to {len} may be lost with the power"
    );
    assert_eq!(outcome.stderr.matches(" durable").count(), 2, "{outcome:?}");
    assert!(outcome.stderr.contains(&told), "{told}: {outcome:?}");
    // What comes after it is not in a file of which nobody knows what is on the disk.
    let files: Vec<String> = names(&spool).into_iter().filter(|name| name.ends_with(".spool")).collect();
    assert_eq!(files, ["0000000000000001.spool", "0000000000000002.spool"]);
}
