//! Lines that wait for a log file that fails: they survive a kill, come in their place, and are there once.
// F25, F29 (later), P4, P5

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;

use miu_log_tests::{Outcome, Place, names, run};

use crate::{child, child_under, is_installed};

/// Takes away what stands in the place of `app.log`, if it still does.
fn clear_the_way(place: &Place) {
    let aside = place.log("app.log.aside");
    if aside.exists() {
        if place.log("app.log").is_dir() {
            std::fs::remove_dir(place.log("app.log")).unwrap();
        }
        std::fs::rename(aside, place.log("app.log")).unwrap();
    }
}

/// The numbers in `app.log` and `info.log` are those from 0 on, each once and in order, at least as far as was acked.
fn assert_numbers_once(place: &Place, outcome: &Outcome, context: &str) {
    let acked = outcome.stdout.matches("acked=").count();
    for name in ["app.log", "info.log"] {
        let messages = place.messages(name).into_iter().filter(|message| message.starts_with("number "));
        let numbers: Vec<u32> = messages.map(|message| message["number ".len()..].parse().unwrap()).collect();
        let expected: Vec<u32> = (0..).take(numbers.len()).collect();
        assert_eq!(numbers, expected, "{name}, {context}");
        assert!(
            (acked..=acked + 1).contains(&numbers.len()),
            "{name}, {context}: {acked} acked, {} written",
            numbers.len()
        );
    }
}

/// Nothing is left of what was held.
fn assert_nothing_left(place: &Place) {
    assert_eq!(names(&place.runtime()), [""; 0]);
}

#[test]
fn lines_that_waited_when_the_process_was_killed_are_written_by_the_next_start() {
    for role in ["reopen", "recover"] {
        let place = Place::new();
        let outcome = run(&mut child(&place, "killed-while-held"));
        assert_eq!(outcome.status.signal(), Some(9), "{outcome:?}");
        clear_the_way(&place);
        run(&mut child(&place, role)).printed();
        assert_numbers_once(&place, &outcome, role);
        let told = place.messages("app.log").join("\n");
        assert!(told.contains("40 lines had waited for log files that failed"), "{told}");
        assert_nothing_left(&place);
    }
}

// F60
#[test]
fn what_waits_is_for_its_owner_alone_whatever_the_umask() {
    let place = Place::new();
    let script = "umask 000; exec \"$0\" \"$@\"";
    let outcome = run(&mut child_under("sh", ["-c", script], &place, "killed-while-held"));
    assert_eq!(outcome.status.signal(), Some(9), "{outcome:?}");
    let folder = place.runtime().join(&names(&place.runtime())[0]);
    let held: Vec<String> = names(&folder).into_iter().filter(|name| name.starts_with("held-")).collect();
    assert_eq!(held.len(), 1, "{held:?}");
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(folder.join(&held[0])), mode(folder)), (0o600, 0o700));
}

#[test]
fn lines_go_on_waiting_where_the_file_fails_at_the_next_start_too() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "killed-while-held"));
    // `recover` opens the file at its start, and says what is in the way.
    let text = run(&mut child(&place, "recover")).stdout;
    assert!(text.contains("app.log") && text.contains("it is a folder"), "{text}");
    clear_the_way(&place);
    run(&mut child(&place, "reopen")).printed();
    assert_numbers_once(&place, &outcome, "the third start");
    assert_nothing_left(&place);
}

#[test]
fn a_kill_at_any_step_loses_and_doubles_no_line_that_waited() {
    let steps = ["after-read", "sink-written", "delivered", "held-written", "checkpoint-half", "held-marked"];
    let more = ["checkpointed", "freed"];
    let arrivals = [3, 5, 8, 11];
    let rounds: Vec<String> = steps
        .iter()
        .chain(&more)
        .flat_map(|step| arrivals.map(|arrival| format!("{step}:{arrival}")))
        .collect();
    let killed = std::thread::scope(|scope| {
        let threads: Vec<_> = rounds
            .chunks(rounds.len() / 4)
            .map(|rounds| {
                scope.spawn(move || {
                    let killed_at = |round: &String| {
                        let place = Place::new();
                        let outcome = run(child(&place, "file-in-the-way").env("MIU_LOG_FAILPOINT", round));
                        let killed = outcome.status.signal() == Some(9);
                        assert!(killed || outcome.status.success(), "{round}: {outcome:?}");
                        let was_held = place.log("app.log.aside").exists();
                        clear_the_way(&place);
                        run(&mut child(&place, "reopen")).printed();
                        assert_numbers_once(&place, &outcome, round);
                        assert_nothing_left(&place);
                        killed && was_held
                    };
                    rounds.iter().filter(|round| killed_at(round)).count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
    });
    assert!(killed >= rounds.len() / 4, "only {killed} of {} were killed while lines waited", rounds.len());
}

/// Runs the role with its log folder on a full disk of 1 MB; its files are copied to `copy` in the end.
fn on_a_full_disk(place: &Place, records: &str) -> Outcome {
    assert!(
        rustix::process::geteuid().is_root() && is_installed("unshare"),
        "this scenario mounts a memory file system of its own, which takes root and unshare"
    );
    let (logs, copy) = (place.logs(), place.root().join("copy"));
    std::fs::create_dir(&logs).unwrap();
    std::fs::create_dir(&copy).unwrap();
    let (logs, copy) = (logs.display(), copy.display());
    let script = format!(
        "mount -t tmpfs -o size=1m tmpfs {logs} && head -c 512k /dev/zero > {logs}/ballast && \"$0\" \"$@\" {records} && \
         cp {logs}/*.log {copy}"
    );
    let outcome = run(&mut child_under("unshare", ["-m", "sh", "-c", &script], place, "full-disk"));
    outcome.printed();
    outcome
}

/// What is in a file of the copy: whole lines, and the numbers of the records.
fn copied(place: &Place, name: &str) -> Vec<miu_log_tests::Entry> {
    miu_log_tests::entries(&std::fs::read_to_string(place.root().join("copy").join(name)).unwrap())
}

fn assert_accounted(outcome: &Outcome, records: u64) {
    assert_eq!(outcome.number("accepted"), records + 1000);
    assert_eq!(outcome.number("written"), records + 1000);
    assert_eq!((outcome.number("dropped"), outcome.number("pending")), (0, 0));
    let lines = outcome.stderr.lines().count() as u64;
    assert!(lines >= 1 && lines <= outcome.number("seconds") + 1, "a line a second: {outcome:?}");
    assert!(outcome.stderr.contains("No space left on device"), "{outcome:?}");
}

#[test]
fn a_full_disk_costs_nothing_that_can_be_held() {
    let place = Place::new();
    let outcome = on_a_full_disk(&place, "20000");
    assert_accounted(&outcome, 20_000);
    assert!(outcome.number("held_then") > 0);
    assert_eq!(outcome.number("lost"), 0);
    let messages: Vec<String> = copied(&place, "app.log").into_iter().map(|entry| entry.message).collect();
    assert_eq!(messages.len(), 21_000);
    for (number, message) in messages.iter().enumerate() {
        let expected =
            if number < 20_000 { format!("number {number} ") } else { format!("after {}", number - 20_000) };
        assert!(message.starts_with(&expected), "{number}: {message}");
    }
}

#[test]
fn what_a_full_disk_costs_is_dropped_by_level_and_told_in_the_file() {
    let place = Place::new();
    let outcome = on_a_full_disk(&place, "60000");
    assert_accounted(&outcome, 60_000);
    let entries = copied(&place, "app.log");
    let told: Vec<(usize, String)> = entries
        .iter()
        .map(|entry| entry.message.clone())
        .enumerate()
        .filter(|(_, text)| text.starts_with("dropped "))
        .collect();
    let [(at, told)] = &told[..] else { panic!("{told:?}") };
    let lost = outcome.number("lost");
    assert!(lost > 0);
    assert!(told.starts_with(&format!("dropped {lost} records of this file (")), "{told}");
    assert!(told.contains("No space left on device") && !told.contains(" ERROR"), "{told}");
    assert_eq!(*at, entries.len() - 1001, "it is where they are missing");
    let numbers = entries.iter().filter(|entry| entry.message.starts_with("number ")).count() as u64;
    assert_eq!(numbers + lost, 60_000);
    let errors = entries.iter().filter(|entry| entry.level == "ERROR").count();
    assert_eq!(errors, 600, "they are held in a reserve of their own");
}
