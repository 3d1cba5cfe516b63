//! The listener is handed over to another process while everybody logs.
// F37, P5

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;

use miu_log_tests::{Place, names, wait, wait_until};

use crate::child;
use crate::puppet::{Puppet, assert_exactly_once, number, with_text};

#[test]
fn nothing_is_lost_or_doubled_when_the_listener_is_handed_over_twice() {
    let place = Place::new();
    let mut first = Puppet::listener(&place);
    let endpoint = first.tell("endpoint");
    let mut worker = Puppet::worker_of(&place, &endpoint);
    first.make("threads 2 first 50");
    first.make("threads 1 first 2000");
    worker.make("threads 2 worker 50");
    first.wait_for_more(100);
    worker.wait_for_more(100);

    let mut second = Puppet::new(&place);
    let refused = second.tell("open");
    let expected = format!("is in use by process {} since 20", first.id());
    assert!(refused.starts_with("error: ") && refused.contains(&expected), "{refused}");
    assert_eq!(second.tell("take-over"), "ok recovered=0");
    second.make("threads 2 second 20");
    for process in [&mut first, &mut worker, &mut second] {
        process.wait_for_more(100);
    }
    // The first one goes on as a worker: its flush is answered by the second.
    first.make("flush");
    worker.make("flush");
    assert_eq!(second.tell("endpoint"), endpoint);

    let mut third = Puppet::new(&place);
    assert_eq!(third.tell("take-over"), "ok recovered=0");
    let refused = second.tell("endpoint");
    assert_eq!(refused, endpoint);
    for process in [&mut first, &mut worker, &mut second] {
        process.wait_for_more(100);
    }
    let mut late = Puppet::worker_of(&place, &endpoint);
    late.make("many 100 late");
    let counts = [&mut first, &mut worker, &mut second].map(|process| process.counts("stop"));
    third.make("flush");
    let stats = third.tell("stats");
    assert_eq!(number(&stats, "accepted"), number(&stats, "written"), "{stats}");
    assert_eq!((number(&stats, "pending"), number(&stats, "dropped")), (0, 0), "{stats}");
    let entries = place.entries("app.log");
    for (tag, counts) in ["first", "worker", "second"].into_iter().zip(&counts) {
        assert_exactly_once(&entries, tag, counts);
    }
    assert_exactly_once(&entries, "late", &[100]);
    assert_eq!(place.text("app.log"), place.text("info.log"));

    // The end of those that were the listener once is that of workers.
    for mut process in [first, second, worker, late] {
        let report = process.tell("shutdown");
        assert_eq!((number(&report, "dropped"), number(&report, "abandoned")), (0, 0), "{report}");
        assert!(process.ended_by("return").success());
    }
    third.make("log info still there");
    assert!(third.ended_by("return").success());
    let messages = place.messages("app.log");
    assert_eq!(messages.last().unwrap(), "still there");
    assert_eq!(messages.iter().filter(|text| text.contains("died")).count(), 0, "nobody died");
    assert_eq!(names(&place.runtime()), [""; 0]);
}

#[test]
fn a_former_listener_that_is_killed_loses_nothing() {
    let place = Place::new();
    let mut first = Puppet::listener(&place);
    first.make("many 100 before");
    let mut second = Puppet::new(&place);
    assert_eq!(second.tell("take-over"), "ok recovered=0");
    second.freeze();
    first.make("many 100 after");
    first.killed();
    second.signal("CONT");
    second.make("flush");
    let entries = place.entries("app.log");
    assert_exactly_once(&entries, "before", &[100]);
    assert_exactly_once(&entries, "after", &[100]);
}

#[test]
fn one_with_other_domains_is_refused_before_anything_is_handed_over() {
    let place = Place::new();
    let mut first = Puppet::listener(&place);
    let text = Puppet::new(&place).tell("take-over-others");
    for part in ["its domains do not fit", "it has app, db, redis, task", "this one has app, billing"] {
        assert!(text.contains(part), "{text}");
    }
    first.make("log info going on");
    first.make("flush");
    assert_eq!(place.messages("app.log"), ["going on"]);
    let refused = Puppet::new(&place).tell("open");
    assert!(refused.contains(&format!("is in use by process {} since 20", first.id())), "{refused}");
}

#[test]
fn one_that_dies_while_it_waits_is_given_nothing() {
    let place = Place::new();
    let mut first = Puppet::listener(&place);
    let control = Path::new(&first.tell("endpoint")).join("control");
    first.freeze();
    let before = std::fs::read(&control).unwrap();
    let mut second = Puppet::new(&place);
    second.send("take-over");
    wait_until("it has asked", || std::fs::read(&control).unwrap() != before);
    second.killed();
    first.signal("CONT");
    first.make("log info going on");
    first.make("flush");
    assert_eq!(place.messages("app.log"), ["going on"]);
    // The next one that asks is heard.
    let mut third = Puppet::new(&place);
    assert_eq!(third.tell("take-over"), "ok recovered=0");
    first.make("log info as a worker");
    first.make("flush");
    assert_eq!(place.messages("app.log"), ["going on", "as a worker"]);
}

#[test]
fn to_take_over_from_nobody_is_to_open() {
    let place = Place::new();
    let mut puppet = Puppet::new(&place);
    assert_eq!(puppet.tell("take-over"), "ok recovered=0");
    puppet.make("log info alone");
    assert!(puppet.ended_by("return").success());
    assert_eq!(place.messages("app.log"), ["alone"]);
}

#[test]
fn one_that_cannot_hand_over_goes_on_and_the_other_is_told_after_a_while() {
    // Logged before `init`: in memory that no other process sees.
    let early = Place::new();
    let mut holder =
        child(&early, "early-hold").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "holding\n");
    // Stopped: it does not even hear.
    let stopped = Place::new();
    let mut sleeper = Puppet::listener(&stopped);
    sleeper.freeze();

    let mut takers = [Puppet::new(&early), Puppet::new(&stopped)];
    takers.iter_mut().for_each(|taker| taker.send("take-over"));
    for (taker, id) in takers.iter_mut().zip([holder.id(), sleeper.id()]) {
        let text = taker.answer("take-over");
        let expected = format!("is in use by process {id} since 20");
        assert!(text.contains(&expected) && text.contains("which did not hand it over within 10s"), "{text}");
    }
    holder.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(wait(&mut holder).success());
    assert_eq!(early.messages("app.log"), ["before init", "going on"]);
    sleeper.signal("CONT");
    sleeper.make("log info going on");
    sleeper.make("flush");
    assert_eq!(stopped.messages("app.log"), ["going on"]);
    // It is the listener still: a worker of its own knows.
    let mut worker = Puppet::worker_of(&stopped, &sleeper.tell("endpoint"));
    worker.make("flush");
    assert_eq!(with_text(&stopped.entries("app.log"), "died").len(), 0);
}
