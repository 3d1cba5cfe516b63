//! When log files are made durable, as the system calls show it.
// F9, F27 (fsync), DESIGN: Durability

use miu_log_tests::{Place, run};

use crate::{child_under, is_installed};

/// The system calls on `app.log` and the checkpoint, in order: `w` a line written, `s` made durable, `c` a checkpoint.
fn calls(role: &str) -> String {
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
        "trace=write,pwrite64,fdatasync",
    ];
    let outcome = run(&mut child_under("strace", arguments, &place, role));
    outcome.printed();
    assert_eq!(place.messages("app.log").len(), 5, "{outcome:?}");
    let text = std::fs::read_to_string(&trace).unwrap();
    let kind = |line: &str| match line {
        line if line.contains(" write(") && line.contains("/app.log>") => Some('w'),
        line if line.contains(" fdatasync(") && line.contains("/app.log>") => Some('s'),
        line if line.contains(" pwrite64(") && line.contains("/checkpoint>") => Some('c'),
        _ => None,
    };
    let mut calls: String = text.lines().filter_map(kind).collect();
    // How often the listener writes down where it stands is not what this is about.
    while calls.contains("cc") {
        calls = calls.replace("cc", "c");
    }
    calls
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
    assert!(is_installed("strace"), "this scenario injects faults into system calls by means of strace");
    let place = Place::new();
    let (trace, log) = (place.root().join("trace"), place.log("app.log"));
    let arguments = [
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-y",
        "-o",
        trace.to_str().unwrap(),
        "-P",
        log.to_str().unwrap(),
        "-e",
        "trace=write,fdatasync",
        "-e",
        "inject=fdatasync:error=EIO:when=1",
    ];
    let outcome = run(&mut child_under("strace", arguments, &place, "durable-twice"));
    let counts = ["errors", "written", "dropped"].map(|name| outcome.number(name));
    assert_eq!(counts, [1, 2, 0], "{outcome:?}");
    assert_eq!(place.messages("app.log"), ["record 0", "record 1"]);
    let len = place.text("app.log").lines().next().unwrap().len() + 1;
    let told = format!("Input/output error (os error 5); bytes 0 to {len} may be lost with the power");
    assert!(outcome.stderr.contains(&told), "{told}: {outcome:?}");
    let text = std::fs::read_to_string(&trace).unwrap();
    let call = |line: &str| {
        let (call, rest) = line.split_once(' ')?.1.trim_start().split_once('(')?;
        let descriptor: u32 = rest.split_once('<')?.0.parse().ok()?;
        Some((call.to_owned(), descriptor))
    };
    let calls: Vec<(String, u32)> = text.lines().filter_map(call).collect();
    let kinds: Vec<&str> = calls.iter().map(|(call, _)| call.as_str()).collect();
    // Once for each record, and not once more at the end.
    assert_eq!(kinds, ["write", "fdatasync", "write", "fdatasync"]);
    let descriptors: Vec<u32> = calls.iter().map(|(_, descriptor)| *descriptor).collect();
    assert!(descriptors[0] == descriptors[1] && descriptors[1] != descriptors[2], "opened anew: {calls:?}");
}
