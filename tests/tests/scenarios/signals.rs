//! Signals: calls in a handler neither hang nor harm, and a signal that ends the program takes nothing along.
// F6, F17, L-56, V-40, C13

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;

use miu_log::testing::ManualListener;
use miu_log::{DropReason, Level, log_domains, signal};
use miu_log_tests::{Outcome, Place, names, run, wait, wait_until};
use rustix::process::{Pid, Signal, kill_process};

use crate::{child, child_under};

/// Every accepted record was written.
#[track_caller]
fn assert_accounts(outcome: &Outcome) {
    assert_eq!(outcome.number("accepted"), outcome.number("written"), "{outcome:?}");
    assert_eq!((outcome.number("corrupt"), outcome.number("abandoned")), (0, 0), "{outcome:?}");
}

/// The second words of messages that begin with this one; each is there once.
fn numbers(messages: &[String], kind: &str) -> HashSet<u64> {
    let of_kind = messages.iter().filter_map(|message| message.strip_prefix(kind)?.strip_prefix(' '));
    let mut numbers = HashSet::new();
    for text in of_kind {
        let (number, rest) = text.split_once(' ').unwrap();
        let number: u64 = number.parse().unwrap();
        let expected = if kind == "signal" { format!("{}", number * 2) } else { format!("<{number}>") };
        assert_eq!(rest, expected, "torn: {text}");
        assert!(numbers.insert(number), "twice: {kind} {number}");
    }
    numbers
}

#[test]
fn handlers_that_log_all_the_time_disturb_nothing() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "signal-storm"));
    assert_accounts(&outcome);
    let mut next = [0u64; 5];
    for message in place.messages("app.log") {
        let mut words = message.splitn(3, ' ');
        let thread: usize = words.next().unwrap().parse().unwrap();
        assert_eq!(words.next(), Some(next[thread].to_string().as_str()), "{message}");
        let third =
            [String::from("text"), format!("<{}>", next[thread].wrapping_sub(1)), String::from("owned")];
        assert_eq!(words.next().unwrap(), third[next[thread] as usize % 3]);
        next[thread] += 1;
    }
    assert_eq!(next.iter().sum::<u64>(), outcome.number("logged"));
    let ordinary = numbers(&place.messages("db.log"), "ordinary");
    let signals = numbers(&place.messages("redis.log"), "signal");
    let (ticks, dropped) = (outcome.number("ticks"), outcome.number("in_handlers"));
    assert!(ticks > 1000, "{outcome:?}");
    assert_eq!(ordinary.len() as u64 + signals.len() as u64 + dropped, 2 * ticks, "{outcome:?}");
    assert_eq!(dropped, outcome.number("dropped"), "all others waited for room");
    assert!(signals.len() as u64 > ticks / 2 && !ordinary.is_empty(), "{outcome:?}");
}

#[test]
fn a_first_call_in_a_handler_is_dropped_and_counted() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "signal-first-calls"));
    assert_accounts(&outcome);
    assert_eq!(outcome.number("in_handlers"), 4 * outcome.number("ticks"), "{outcome:?}");
    assert_eq!(outcome.number("accepted"), 0, "nothing could be registered");
    let lines = place.text("app.log");
    assert!(lines.contains("records (logged from a signal handler): "), "{lines}");
}

#[test]
fn a_handler_writes_with_or_without_a_ring_of_its_thread() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "signal-rings"));
    assert_accounts(&outcome);
    assert_eq!(
        (outcome.number("accepted"), outcome.number("dropped")),
        (3, 1),
        "one came after the shutdown"
    );
    let entries = place.entries("app.log");
    let lines: Vec<_> = entries.iter().map(|entry| (entry.thread.as_str(), entry.message.as_str())).collect();
    let (first, second) = ("tick 0 of signal 10", "tick 1 of signal 10");
    assert_eq!(lines, [("main/signal", first), ("main/main", "ordinary"), ("main/main", second)]);
    assert!(entries[0].location.starts_with("child::signals:"), "{:?}", entries[0]);
    assert_eq!(place.entries("error.log").len(), 2);
    assert_eq!(names(&place.runtime()), [""; 0], "left in the runtime directory");
}

#[test]
fn signal_takes_every_logger_and_writes_what_format_writes() {
    #[log_domains(app, db(max_level = "warning"))]
    mod own {}

    let place = Place::new();
    let listener = ManualListener::new();
    let repo = own::Repository::open(place.config().manual_listener(&listener)).unwrap();
    let (text, shared) = ("a\nb", Arc::new(repo.app.clone()));
    signal!(repo.app, Level::Info, "{} {:?} {:>6} {0}", 1u8, 'x', text);
    signal!(&repo.app, Level::Critical, "{:#06x} {:+} {true_or} {{}}", 255, i128::MIN, true_or = true);
    signal!(shared, Level::Debug, "{text}",);
    signal!(repo.db, Level::Info, "below the compiled level");
    signal!(repo.db, Level::Warning, "plain");
    repo.app.set_level(Level::Error);
    signal!(repo.app, Level::Warning, "below the level");
    let huge: &'static str = Box::leak("x".repeat(20_000).into_boxed_str());
    signal!(repo.app, Level::Error, "{}", huge);
    repo.flush(crate::FLUSH).unwrap();
    let expected = [
        format!("{} {:?} {:>6} {0}", 1, 'x', text).replace('\n', "\\n"),
        format!("{:#06x} {:+} true {{}}", 255, i128::MIN),
        String::from("a\\nb"),
    ];
    let entries = place.entries("app.log");
    let messages: Vec<_> = entries.iter().map(|entry| entry.message.as_str()).collect();
    assert_eq!(messages[..3], expected);
    assert!(
        messages[3].starts_with("dropped 1 record (logged from a signal handler): 1 ERROR"),
        "{messages:?}"
    );
    let line = line!() - 22;
    assert_eq!(entries[0].location, format!("{}:{line}", module_path!()));
    assert_eq!(place.messages("db.log"), ["plain"]);
    assert_eq!(repo.stats().dropped_for(DropReason::Signal), 1, "what is longer than 16 KiB finds no room");
}

/// A child to which the two signals mean what they mean by default, though the tests run in the background of a shell, which ignores
/// `SIGINT` there.
fn by_default(place: &Place, role: &str) -> std::process::Command {
    child_under("env", ["--default-signal=INT,TERM"], place, role)
}

/// A child that has said that it is ready.
struct Ready {
    child: Child,
    stderr: Option<std::process::ChildStderr>,
}

impl Ready {
    fn start(mut command: std::process::Command) -> Ready {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let stderr = child.stderr.take();
        assert_eq!(line, "ready\n");
        Ready { child, stderr }
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its end, and what it said on stderr.
    fn end(mut self) -> (ExitStatus, String) {
        let status = wait(&mut self.child);
        let mut said = String::new();
        self.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (status, said)
    }
}

#[test]
fn a_handled_signal_writes_everything_and_is_what_the_parent_sees() {
    for (signal, number, name) in [(Signal::TERM, 15, "SIGTERM"), (Signal::INT, 2, "SIGINT")] {
        let place = Place::new();
        let ready = Ready::start(by_default(&place, "signal-handled"));
        ready.send(signal);
        let (status, said) = ready.end();
        assert_eq!((status.signal(), said.as_str()), (Some(number), ""));
        let entries = place.entries("app.log");
        assert_eq!(entries.len(), 10_001);
        assert!(
            entries[..10_000].iter().enumerate().all(|(at, entry)| entry.message == format!("record {at}"))
        );
        let last = &entries[10_000];
        assert_eq!(
            (last.message.as_str(), last.location.as_str()),
            (format!("stopping: {name}").as_str(), "miu_log")
        );
        let other = place.text("other/app.log");
        assert!(other.contains("of the other one") && other.contains("stopping"), "{other}");
        assert_eq!(names(&place.runtime()), [""; 0], "left in the runtime directory");
    }
}

#[test]
fn a_signal_that_is_not_handled_keeps_its_meaning() {
    for (signal, number) in [(Signal::TERM, 15), (Signal::INT, 2)] {
        let place = Place::new();
        let ready = Ready::start(by_default(&place, "signal-not-handled"));
        ready.send(signal);
        assert_eq!(ready.end().0.signal(), Some(number));
        assert!(!place.text("app.log").contains("stopping"));
    }
}

#[test]
fn the_programs_own_handler_comes_first() {
    for (role, notice) in [
        (
            "signal-own-before",
            "miu-log: SIGTERM has a handler already: it is left alone; flush or shut down there\n",
        ),
        ("signal-own-after", ""),
        ("signal-own-chained", ""),
    ] {
        let place = Place::new();
        let ready = Ready::start(child(&place, role));
        ready.send(Signal::TERM);
        let (status, said) = ready.end();
        assert_eq!((status.code(), said.as_str()), (Some(7), notice), "{role}");
        assert_eq!(place.messages("app.log"), ["by the program's own handler"], "{role}");
    }
}

#[test]
fn an_ignored_signal_stays_ignored() {
    let place = Place::new();
    let arguments = ["-c", "trap '' INT; exec \"$@\"", "sh"];
    let ready = Ready::start(child_under("sh", arguments, &place, "signal-ignored"));
    ready.send(Signal::TERM);
    let (status, said) = ready.end();
    assert_eq!((status.signal(), said.as_str()), (Some(15), ""));
    assert_eq!(place.messages("app.log")[0], "still there");
    assert_eq!(place.messages("app.log").len(), 10_002);
}

#[test]
fn a_signal_ends_a_forked_child_at_once() {
    let place = Place::new();
    assert_eq!(run(&mut child(&place, "signal-forked")).number("ended_by"), 15);
    assert_eq!(place.messages("app.log"), ["the parent goes on"]);
}

#[test]
fn a_second_signal_ends_the_program_at_once() {
    let place = Place::new();
    let ready = Ready::start(by_default(&place, "signal-hanging"));
    ready.send(Signal::TERM);
    wait_until("the end to begin", || place.text("app.log").contains("stopping: SIGTERM"));
    ready.send(Signal::INT);
    assert_eq!(ready.end().0.signal(), Some(2), "the sink hangs for an hour");
}
