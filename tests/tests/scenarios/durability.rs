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

/// What waits in the spool of a sink whose destination takes nothing, and the system calls on its files.
fn spool_calls(durability: &str) -> String {
    let role = ["durable-remote", durability, "INFO", "INFO", "INFO", "CRITICAL", "INFO"];
    let (_place, outcome, calls) = calls_on(".spool>", &role);
    assert_eq!((outcome.number("held"), outcome.number("errors")), (5, 0), "{outcome:?}");
    calls
}

#[test]
fn by_default_a_spool_is_left_to_the_operating_system() {
    let calls = spool_calls("os");
    assert!(!calls.contains(['s', 'n']) && calls.matches('w').count() == 5, "{calls}");
}

#[test]
fn an_error_in_a_spool_is_durable_before_it_is_acknowledged() {
    let calls = spool_calls("on-error");
    // With the names of its file and of the two folders that may be new.
    assert!(calls.contains("wcwcwcwsnnncwc"), "the fourth record is the CRITICAL one: {calls}");
    assert_eq!(calls.matches('s').count(), 1, "{calls}");
}

#[test]
fn a_spool_is_made_durable_once_in_an_interval_and_at_the_end() {
    let calls = spool_calls("every-hour");
    assert!((1..=2).contains(&calls.matches('s').count()), "{calls}");
    assert!(calls.trim_end_matches(['c', 'n']).ends_with('s'), "nothing is left at the end: {calls}");
}

#[test]
fn a_file_of_a_spool_is_durable_when_it_is_left() {
    for (durability, expected) in [("on-error", "wcsnnnwc"), ("os", "wcwc")] {
        let role = ["durable-remote", durability, "INFO:1100000", "INFO"];
        let (_place, _, calls) = calls_on(".spool>", &role);
        assert_eq!(calls.trim_start_matches('c'), expected);
    }
}

#[test]
fn a_failed_sync_of_a_spool_is_told_with_its_range_and_not_repeated() {
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
