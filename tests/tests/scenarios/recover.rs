//! Recovery without a repository.
// F5, M-35

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use miu_log_tests::{Place, names, run, wait};

use crate::child;

fn crash(place: &Place, count: u32) {
    let mut command = child(place, "crash");
    let status = command.args(["kill", &count.to_string()]).stderr(Stdio::null()).status().unwrap();
    assert!(!status.success());
}

fn records(place: &Place) -> usize {
    place.messages("app.log").iter().filter(|message| message.starts_with("n ")).count()
}

#[test]
fn it_does_what_the_next_start_would() {
    let place = Place::new();
    crash(&place, 3000);
    let outcome = run(&mut child(&place, "recover"));
    assert_eq!((outcome.number("corrupt"), outcome.number("processes")), (0, 1), "{outcome:?}");
    assert_eq!(records(&place), 3000);
    assert_eq!(names(&place.runtime()), [""; 0]);
    let outcome = run(&mut child(&place, "reopen"));
    assert_eq!(outcome.number("records"), 0);
    assert_eq!(records(&place), 3000);
}

#[test]
fn it_is_refused_while_a_repository_is_open_and_without_a_folder() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "recover"));
    assert!(outcome.printed().contains("there is no log folder"), "{outcome:?}");
    assert!(!place.logs().exists());
    let outcome = run(&mut child(&place, "recover-own"));
    assert!(outcome.printed().contains("is in use by process "), "{outcome:?}");
    assert_eq!(place.messages("app.log"), ["undisturbed"]);
    let outcome = run(&mut child(&place, "recover"));
    assert_eq!(outcome.printed(), "records=0 corrupt=0 processes=0");
}

#[test]
fn processes_that_live_are_left_alone() {
    let place = Place::new();
    let mut parent = child(&place, "fork-orphan");
    let mut parent = parent.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let stdin = parent.stdin.take().unwrap();
    let (mut said, mut stdout) = (String::new(), BufReader::new(parent.stdout.take().unwrap()));
    stdout.read_line(&mut said).unwrap();
    wait(&mut parent);
    let outcome = run(&mut child(&place, "recover"));
    assert_eq!(outcome.number("corrupt"), 0, "{outcome:?}");
    let count = |who: &str| place.messages("app.log").iter().filter(|it| it.starts_with(who)).count();
    assert_eq!((count("unread "), count("late ")), (100, 0));
    drop(stdin);
    stdout.read_line(&mut said).unwrap();
    let outcome = run(&mut child(&place, "recover"));
    assert_eq!(outcome.number("corrupt"), 0, "{outcome:?}");
    assert_eq!((count("unread "), count("child "), count("late ")), (100, 100, 100));
    assert_eq!(names(&place.runtime()), [""; 0]);
}

/// A small file system, mounted as a place's log folder until the value is dropped.
struct Mounted<'a>(&'a Place);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.logs()).status();
    }
}

#[test]
fn a_full_disk_loses_nothing_that_was_to_be_recovered() {
    let place = Place::new();
    std::fs::create_dir(place.logs()).unwrap();
    let mount = ["-t", "tmpfs", "-o", "size=2m", "miu-log-test"];
    let mounted = Command::new("mount").args(mount).arg(place.logs()).status().unwrap();
    assert!(mounted.success(), "it takes the right to mount");
    let _mounted = Mounted(&place);
    crash(&place, 300);
    // Room for a part of it at most.
    let filler = place.log("filler");
    let _ = std::fs::write(&filler, vec![1; 4 << 20]);
    let outcome = run(&mut child(&place, "reopen"));
    outcome.printed();
    assert!(outcome.stderr.contains("kept") && outcome.stderr.contains("for the next start"), "{outcome:?}");
    let runtime = place.runtime().join(&names(&place.runtime())[0]);
    assert!(names(&runtime).iter().any(|name| name.starts_with("left-behind-")), "{:?}", names(&runtime));
    // Still no room: it stays.
    run(&mut child(&place, "reopen")).printed();
    std::fs::remove_file(&filler).unwrap();
    let outcome = run(&mut child(&place, "reopen"));
    assert!(outcome.number("records") > 0, "{outcome:?}");
    let numbers: Vec<u32> = place
        .messages("app.log")
        .iter()
        .filter_map(|message| message.strip_prefix("n ")?.split(' ').next()?.parse().ok())
        .collect();
    assert_eq!(numbers, (0..300).collect::<Vec<_>>());
    assert_eq!(names(&place.runtime()), [""; 0]);
    let outcome = run(&mut child(&place, "reopen"));
    assert_eq!(outcome.number("records"), 0, "once: {outcome:?}");
}
