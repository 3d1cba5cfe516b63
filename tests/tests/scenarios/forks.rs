//! A fork without exec: the child logs under its own number, the parent's records are there once, nobody hangs.
// F22, V-32

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use miu_log_tests::{Entry, Place, logs, names, run, wait};

use crate::child;

/// Numbers of records that begin with this word, by the process that they name, in the order of the file.
fn by_process(entries: &[Entry], who: &str) -> BTreeMap<u32, Vec<u32>> {
    let mut found: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in entries {
        let mut words = entry.message.split(' ');
        if words.next() == Some(who) {
            let process: u32 = words.next().unwrap().parse().unwrap();
            found.entry(process).or_default().push(words.next().unwrap().parse().unwrap());
            let long = words.next().is_none_or(|filler| filler.len() == 20_000);
            assert!(long, "a long record is whole");
            // The process's own name stands before the thread's.
            let name = entry.thread.split('/').next().unwrap();
            assert!(name == format!("Worker-{process}") || name == "main" || name == "w", "{entry:?}");
        }
    }
    found
}

#[track_caller]
fn assert_logged(entries: &[Entry], who: &str, processes: usize, count: u32) {
    let found = by_process(entries, who);
    assert_eq!(found.len(), processes, "{who}: {:?}", found.keys());
    for (process, numbers) in found {
        assert_eq!(numbers, (0..count).collect::<Vec<_>>(), "{who} of process {process}");
    }
}

#[test]
fn a_childs_records_are_there_once_however_it_ends() {
    for (how, code) in [("_exit", 0), ("exit", 0), ("return", 0), ("abort", u64::MAX)] {
        let place = Place::new();
        let outcome = run(child(&place, "fork-end").arg(how));
        let entries = place.entries("app.log");
        for (who, count) in [("before", 100), ("parent", 1000), ("child", 1000), ("after", 10)] {
            assert_logged(&entries, who, 1, count);
        }
        if code == 0 {
            assert_eq!(outcome.number("code"), 0, "{how}");
        }
        let child: Vec<_> = by_process(&entries, "child").into_keys().collect();
        assert_eq!(u64::from(child[0]), outcome.number("child"), "{how}");
        let of_child = entries.iter().find(|entry| entry.message.starts_with("child")).unwrap();
        assert!(of_child.thread.starts_with(&format!("Worker-{}/", child[0])), "{how}: {of_child:?}");
        // One that did not take leave is said to have died.
        let died = entries.iter().filter(|entry| entry.message.contains(" died: process ")).count();
        assert_eq!(died, usize::from(matches!(how, "_exit" | "abort")), "{how}");
        assert_eq!(names(&place.runtime()), [""; 0], "{how}");
    }
}

fn many_forks(how: &str) {
    let place = Place::new();
    let outcome = run(child(&place, "fork-from-threads").arg(how));
    assert_eq!(outcome.number("dropped"), 0, "{outcome:?}");
    let entries = place.entries("app.log");
    let found = by_process(&entries, "child");
    let of_children: u64 = found.values().map(|numbers| numbers.len() as u64).sum();
    assert_eq!(of_children, outcome.number("children") * outcome.number("of_child"), "{how}");
    let of_threads = place.messages("db.log");
    assert_eq!(of_threads.len() as u64, outcome.number("logged"), "{how}");
    let mut unique = of_threads;
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len() as u64, outcome.number("logged"), "{how}: each once");
    assert_eq!(names(&place.runtime()), [""; 0], "{how}");
}

#[test]
fn forks_come_at_any_moment_of_other_threads_calls() {
    many_forks("steady");
}

#[test]
fn forks_come_at_any_moment_of_other_threads_slow_paths() {
    many_forks("growing");
}

#[test]
fn a_child_of_a_child_is_a_process_of_its_own() {
    let place = Place::new();
    run(&mut child(&place, "fork-grandchild")).printed();
    let entries = place.entries("app.log");
    for who in ["parent", "child", "grandchild", "child-after", "parent-after"] {
        assert_logged(&entries, who, 1, 50);
    }
    assert_eq!(names(&place.runtime()), [""; 0]);
}

#[test]
fn a_child_that_never_logs_leaves_no_trace() {
    let place = Place::new();
    run(&mut child(&place, "fork-silent")).printed();
    let entries = place.entries("app.log");
    assert_logged(&entries, "parent", 1, 10);
    assert_logged(&entries, "after", 1, 10);
    assert_eq!(entries.len(), 20);
    assert_eq!(names(&place.runtime()), [""; 0]);
}

#[test]
fn a_child_outlives_its_parent_and_goes_on_with_the_next_repository() {
    let place = Place::new();
    let mut parent = child(&place, "fork-orphan");
    let mut parent = parent.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let stdin = parent.stdin.take().unwrap();
    let mut said = String::new();
    let mut stdout = BufReader::new(parent.stdout.take().unwrap());
    stdout.read_line(&mut said).unwrap();
    let number: u32 = said.trim_end().strip_prefix("child=").unwrap().parse().unwrap();
    assert!(!wait(&mut parent).success());
    // The child lives, and has the folder not locked: what is there is read, and the folder left to it.
    let outcome = run(&mut child(&place, "reopen"));
    assert_eq!(outcome.number("corrupt"), 0, "{outcome:?}");
    let entries = place.entries("app.log");
    assert_logged(&entries, "unread", 1, 100);
    assert_logged(&entries, "child", 1, 100);
    drop(stdin);
    // The pipe ends with the last process that has it.
    stdout.read_line(&mut said).unwrap();
    run(&mut child(&place, "reopen")).printed();
    let entries = place.entries("app.log");
    for who in ["parent", "unread", "child", "late"] {
        assert_logged(&entries, who, 1, 100);
    }
    assert!(by_process(&entries, "late").contains_key(&number));
    assert_eq!(names(&place.runtime()), [""; 0]);
}

#[test]
fn nothing_that_a_child_calls_hangs() {
    let place = Place::new();
    run(&mut child(&place, "fork-calls")).printed();
    let entries = place.entries("app.log");
    assert_logged(&entries, "child", 10, 5);
    assert_logged(&entries, "dropping", 1, 5);
    assert_logged(&entries, "parent", 1, 10);
    assert_eq!(names(&place.runtime()), [""; 0]);
}

#[test]
fn a_worker_processs_child_is_a_worker_of_its_own() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    let mut worker = child(&place, "fork-of-worker");
    repo.queue().share_with(&mut worker).unwrap();
    let outcome = run(worker.env("MIU_LOG_WORKER_NAME", "w"));
    let number = outcome.number("child");
    repo.shutdown();
    let entries = place.entries("app.log");
    for who in ["worker", "child", "worker-after"] {
        assert_logged(&entries, who, 1, 50);
    }
    assert!(by_process(&entries, "child").contains_key(&(number as u32)));
}

#[test]
fn a_fork_before_the_listener_starts_harms_nobody() {
    let place = Place::new();
    run(&mut child(&place, "fork-before-first")).printed();
    assert_eq!(place.messages("app.log"), ["parent early", "parent"]);
}
