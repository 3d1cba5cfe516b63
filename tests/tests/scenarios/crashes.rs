//! What a program has logged is in the files after the next start, each record once, however it died.
// F1, F5, F7, F8, F18, L-40

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use miu_log_tests::{Outcome, Place, names, run};

use crate::{child, child_under};

/// The numbers of the records `n <number> …`, in the order of the file.
fn numbers(place: &Place, file: &str) -> Vec<u32> {
    let messages = place.messages(file);
    let of_crash = messages.iter().filter_map(|message| message.strip_prefix("n "));
    of_crash.map(|rest| rest.split(' ').next().unwrap().parse().unwrap()).collect()
}

/// All of them once, in order, in the domain's file; each once in the file of its level.
#[track_caller]
fn assert_each_once(place: &Place, count: u32) {
    assert_eq!(numbers(place, "app.log"), (0..count).collect::<Vec<_>>());
    assert_each_once_by_level(place, count);
}

#[track_caller]
fn assert_each_once_by_level(place: &Place, count: u32) {
    let levels = ["trace", "debug", "info", "success", "warning", "error", "critical"];
    let files = levels.map(|level| format!("{level}.log"));
    let there = files.iter().filter(|file| place.log(file).exists());
    let mut all: Vec<u32> = there.flat_map(|file| numbers(place, file)).collect();
    all.sort_unstable();
    assert_eq!(all, (0..count).collect::<Vec<_>>());
}

/// What the recovery said, as values and in the files.
#[track_caller]
fn assert_told(place: &Place, outcome: &Outcome, process: u32) {
    let records = outcome.number("records");
    let said: Vec<_> = place
        .entries("app.log")
        .into_iter()
        .filter(|entry| entry.message.contains("from a run that did not end properly"))
        .collect();
    if records > 0 {
        let [said] = &said[..] else { panic!("{said:?}") };
        assert_eq!(said.level, "INFO");
        let noun = if records == 1 { "record" } else { "records" };
        let begin = format!(
            "recovered {records} {noun} from a run that did not end properly: {records} of process {process} (main, since 20"
        );
        assert!(said.message.starts_with(&begin), "{said:?} {outcome:?}");
    } else {
        assert!(said.is_empty(), "all had been written: {said:?}");
    }
    assert_eq!((outcome.number("pid"), outcome.number("corrupt")), (u64::from(process), 0), "{outcome:?}");
    assert!(outcome.printed().contains("name=main recent=true"), "{outcome:?}");
}

/// Starts it and waits for its end; its number, and how it ended.
fn die(command: &mut Command) -> (u32, Option<i32>) {
    let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    let process = child.id();
    (process, miu_log_tests::wait(&mut child).signal())
}

#[test]
fn every_way_to_die_loses_nothing() {
    for (how, signal) in [("kill", 9), ("abort", 6), ("hook", 6)] {
        for count in [1_u32, 10_000] {
            let place = Place::new();
            let (process, ended_by) = die(child(&place, "crash").args([how, &count.to_string()]));
            assert_eq!(ended_by, Some(signal), "{how}");
            let outcome = run(&mut child(&place, "reopen"));
            assert_each_once(&place, count);
            assert_told(&place, &outcome, process);
            assert_eq!(names(&place.runtime()), [""; 0], "{how}");
            // What was recovered once is not recovered again.
            let outcome = run(&mut child(&place, "reopen"));
            assert_eq!((outcome.number("records"), outcome.number("processes")), (0, 0));
            assert_each_once(&place, count);
        }
    }
}

#[test]
fn the_details_of_recovered_records_are_those_of_all_others() {
    let place = Place::new();
    die(child(&place, "crash").args(["kill", "208"]));
    run(&mut child(&place, "reopen"));
    let entries = place.entries("app.log");
    let of = |number: &str| entries.iter().find(|entry| entry.message.starts_with(number)).unwrap();
    assert_eq!(of("n 0 ").message, "n 0 macro text");
    assert!(of("n 2 ").message.starts_with("n 2 fields | number=2 text=\"a\\nb\""), "{:?}", of("n 2 "));
    assert!(of("n 3 ").detail[0].contains("connection refused"), "{:?}", of("n 3 "));
    assert_eq!(of("n 4 ").message, "n 4 signal");
    assert_eq!(of("n 5 ").message, "n 5 bytes 010203 | frame=0aff");
    assert_eq!(of("n 206 ").message, format!("n 206 long {}", "0123456789".repeat(2_000)));
    assert!(of("n 1 ").location.contains("crashes.rs:") && of("n 0 ").location.contains("crashes:log_one:"));
    assert!(entries.iter().all(|entry| entry.thread.starts_with("main/")), "its name is the main process's");
}

#[test]
fn the_folder_inside_the_log_folder_keeps_records_as_well() {
    let place = Place::new();
    std::fs::write(place.root().join("unusable"), "a file").unwrap();
    let unusable = place.root().join("unusable/below");
    die(child(&place, "crash").args(["kill", "2000"]).env("MIU_LOG_RUNTIME_DIR", &unusable));
    assert!(place.log(".miu").is_dir());
    let outcome = run(child(&place, "reopen").env("MIU_LOG_RUNTIME_DIR", &unusable));
    assert!(outcome.stderr.contains(".miu"), "the place used instead is named: {outcome:?}");
    assert_each_once(&place, 2000);
    assert!(!place.log(".miu").exists(), "{:?}", names(&place.logs()));
    // A later run that has another place finds it all the same.
    die(child(&place, "crash").args(["kill", "0"]));
    run(&mut child(&place, "reopen"));
    assert_each_once(&place, 2000);
}

#[test]
fn a_later_run_finds_what_was_left_in_the_other_place() {
    let place = Place::new();
    let unusable = Path::new("/dev/null/none");
    die(child(&place, "crash").args(["kill", "2000"]).env("MIU_LOG_RUNTIME_DIR", unusable));
    let outcome = run(&mut child(&place, "reopen"));
    assert_eq!(outcome.number("corrupt"), 0, "{outcome:?}");
    assert_each_once(&place, 2000);
    assert!(!place.log(".miu").exists() && names(&place.runtime()).is_empty());
}

#[test]
fn an_out_of_memory_kill_loses_nothing() {
    let group = Path::new("/sys/fs/cgroup/memory");
    if !group.join("memory.limit_in_bytes").exists() {
        eprintln!("skipped: there is no memory control group (version 1) to be killed in");
        return;
    }
    let place = Place::new();
    let group = group.join(format!("miu-log-test-{}", std::process::id()));
    std::fs::create_dir(&group).unwrap();
    std::fs::write(group.join("memory.limit_in_bytes"), "33554432").unwrap();
    let script = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", group.display());
    let mut command = child_under("sh", ["-c", &script, "sh"], &place, "crash");
    let (process, ended_by) = die(command.args(["memory", "2000"]));
    std::fs::remove_dir(&group).unwrap();
    assert_eq!(ended_by, Some(9));
    let outcome = run(&mut child(&place, "reopen"));
    assert_each_once(&place, 2000);
    assert_told(&place, &outcome, process);
}

#[test]
fn files_that_are_made_late_or_again_have_no_line_twice() {
    let place = Place::new();
    die(&mut child(&place, "crash-with-files"));
    run(&mut child(&place, "reopen")).printed();
    // The first hundred went with the deleted files, or stand in the others.
    let late: Vec<u32> = numbers(&place, "app.log").into_iter().filter(|number| *number >= 100).collect();
    assert_eq!(late, (100..200).collect::<Vec<_>>());
    let success: Vec<u32> = numbers(&place, "success.log").into_iter().filter(|it| *it >= 100).collect();
    assert_eq!(success, (100..200).filter(|number| number % 8 == 7).collect::<Vec<_>>());
    assert_eq!(numbers(&place, "trace.log").len(), 25 - 1, "one of each eight, but for the long one");
}

#[test]
fn records_of_a_domain_that_is_gone_go_to_the_first_one() {
    let place = Place::new();
    die(&mut child(&place, "crash-in-all-domains"));
    let outcome = run(&mut child(&place, "reopen-later"));
    let read = |name: &str| std::fs::read_to_string(place.log(name)).unwrap_or_default();
    let old: usize = ["app", "db", "redis", "task"]
        .iter()
        .map(|name| read(&format!("old.{name}.log")).matches("| n ").count())
        .sum();
    let (cache, db) = (read("new.cache.log"), read("new.db.log"));
    let new = (cache.matches("|n ").count() + db.matches("|n ").count()) as u64;
    // What was read before the end stands in the old files; those that were cut are without it again.
    assert_eq!(old as u64 + new, 200, "{:?} {outcome:?}", names(&place.logs()));
    assert_eq!(new, outcome.number("records"), "{outcome:?}");
    for line in cache.lines().filter(|line| line.contains("|n ")) {
        assert!(line.starts_with("INFO|cache|") && !line.ends_with("of db"), "{line}");
    }
    for line in db.lines() {
        assert!(line.starts_with("INFO|db|") && line.ends_with(" of db"), "{line}");
    }
    assert_eq!(names(&place.runtime()), [""; 0]);
}

#[test]
fn an_allocator_may_log_at_any_time() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "allocator"));
    let calls = outcome.number("calls") + outcome.number("own");
    assert_eq!(outcome.number("accepted") + outcome.number("dropped"), calls, "{outcome:?}");
    assert_eq!(outcome.number("reentrant"), outcome.number("dropped"), "{outcome:?}");
    assert!(outcome.number("dropped") > 0 && !place.messages("db.log").is_empty(), "{outcome:?}");
    let own: Vec<_> = place.messages("app.log");
    assert!(own.iter().filter(|it| !it.starts_with("dropped ")).count() as u64 <= outcome.number("own"));
}

/// At every step, some time or other: files that are made late, deleted and made again, and a start that is killed as well.
#[cfg(feature = "failpoints")]
#[test]
fn a_death_at_any_step_doubles_no_line() {
    use miu_log::failpoint::{Part, STEPS};

    let of = |wanted: &[Part]| -> Vec<&str> {
        STEPS.iter().filter(|(part, _)| wanted.contains(part)).map(|(_, step)| *step).collect()
    };
    let mut deaths = 0;
    let mut replay = of(&[Part::Replay]).into_iter().cycle();
    for step in of(&[Part::Producer, Part::Listener]) {
        for arrival in [1, 3, 150] {
            let place = Place::new();
            let at = format!("{step}:{arrival}");
            die(child(&place, "crash-with-files").env("MIU_LOG_FAILPOINT", &at));
            // The first start after it may be killed too.
            let again = format!("{}:1", replay.next().unwrap());
            let mut second = child(&place, "reopen");
            let (_, ended_by) =
                die(second.env("MIU_LOG_FAILPOINT", &again).stdout(std::process::Stdio::null()));
            deaths += u32::from(ended_by == Some(9));
            run(&mut child(&place, "reopen")).printed();
            for file in names(&place.logs()).iter().filter(|name| name.ends_with(".log")) {
                let numbers = numbers(&place, file);
                let mut unique = numbers.clone();
                unique.sort_unstable();
                unique.dedup();
                assert_eq!(unique.len(), numbers.len(), "{at}, {again}: {file} has lines twice: {numbers:?}");
            }
            assert_eq!(names(&place.runtime()), [""; 0], "{at}, {again}");
        }
    }
    assert!(deaths > 10, "the starts were killed as well");
}

#[test]
fn of_a_run_that_left_nothing_no_file_tells() {
    let place = Place::new();
    for _ in 0..3 {
        die(child(&place, "crash").args(["kill", "0"]));
    }
    run(&mut child(&place, "reopen")).printed();
    let texts: Vec<String> = place.names().iter().map(|name| place.text(name)).collect();
    assert!(!texts.is_empty() && !texts.concat().contains("recovered"), "{texts:?}");
}
