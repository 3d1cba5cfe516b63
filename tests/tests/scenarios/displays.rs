//! A `Display` that logs, and one that panics.
// F14, F15, L-20

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use miu_log::{DropReason, Level};
use miu_log_tests::{Place, logs, run};

use crate::{FLUSH, child};

struct Talkative<'a>(&'a logs::Repository);

impl fmt::Display for Talkative<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        miu_log::info!(self.0.app, "inner {}", 1);
        self.0.app.info(format_args!("inner {}", 2));
        f.write_str("shown")
    }
}

#[test]
fn what_a_display_logs_stands_before_the_record_it_is_part_of() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    let value = Talkative(&repo);
    miu_log::info!(repo.app, before = 7, seen = %value, "a {} b {value} c {}", 1, "text");
    repo.app.info(format_args!("method {value}"));
    repo.shutdown();
    let expected = [
        "inner 1",
        "inner 2",
        "inner 1",
        "inner 2",
        "a 1 b shown c text | before=7 seen=shown",
        "inner 1",
        "inner 2",
        "method shown",
    ];
    assert_eq!(place.messages("app.log"), expected);
}

#[test]
fn a_display_that_logs_itself_for_ever_is_cut() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "endless-display"));
    assert_eq!(outcome.number("reentrant"), 1);
    let mut messages = place.messages("app.log");
    messages.retain(|message| !message.starts_with("dropped "));
    assert!(messages.len() <= 9 && messages.last().unwrap() == "outer level 0", "{messages:?}");
    let warnings = place.messages("warning.log");
    assert_eq!(warnings, ["dropped 1 record (logged from within logging): 1 INFO"]);
}

struct Explosive(bool);

impl fmt::Display for Explosive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half of it")?;
        if self.0 {
            // Without the panic hook: four thousand reports would only be noise.
            std::panic::resume_unwind(Box::new("cannot be shown"));
        }
        Ok(())
    }
}

#[test]
fn a_display_that_panics_is_its_callers_affair_and_nobody_elses() {
    const ROUNDS: usize = 1_000;
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let repo = &repo;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let [first, middle, last] = [0, 1, 2].map(|place| Explosive(round % 3 == place));
                    let caught = catch_unwind(AssertUnwindSafe(|| match round % 2 {
                        0 => miu_log::info!(repo.app, n = 1, "{first} {thread} {middle} {} {last}", "text"),
                        _ => repo.app.info(format_args!("{first} {middle} {last}")),
                    }));
                    assert!(caught.is_err());
                    miu_log::info!(repo.app, "thread {thread} round {round} {}", Explosive(false));
                }
            });
        }
    });
    repo.flush(FLUSH).unwrap();
    let mut next = [0; 4];
    for message in place.messages("app.log") {
        let words: Vec<&str> = message.splitn(5, ' ').collect();
        let ["thread", thread, "round", round, "half of it"] = words[..] else { panic!("{message:?}") };
        let thread: usize = thread.parse().unwrap();
        assert_eq!(round, next[thread].to_string());
        next[thread] += 1;
    }
    assert_eq!(next, [ROUNDS; 4]);
    assert_eq!(repo.stats().accepted, 4 * ROUNDS as u64);
}

#[test]
fn a_display_that_reports_an_error_is_shown_as_far_as_it_came_with_a_mark() {
    struct Failing;
    impl fmt::Display for Failing {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("part")?;
            Err(fmt::Error)
        }
    }
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    miu_log::info!(repo.app, "a {} b", Failing);
    repo.shutdown();
    assert_eq!(place.messages("app.log"), ["a part… [formatting failed] b"]);
}

#[test]
fn a_display_may_shut_the_repository_down() {
    struct Closing<'a>(&'a logs::Repository);
    impl fmt::Display for Closing<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.shutdown();
            f.write_str("closed")
        }
    }
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    repo.app.info("before");
    miu_log::info!(repo.app, "too late {}", Closing(&repo));
    let stats = repo.stats();
    assert_eq!(place.messages("app.log"), ["before"]);
    assert_eq!(
        stats.dropped_for(DropReason::AfterShutdown) + stats.abandoned + stats.pending,
        1,
        "{stats:?}"
    );
    assert!(!repo.app.enabled(Level::Critical));
}
