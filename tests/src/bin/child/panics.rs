//! Roles that panic, and roles that end by a reason of their own.

#![allow(clippy::print_stderr, reason = "what the hook of the program says")]

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use miu_log::LogRecord;
use miu_log_tests::logs;

use crate::{config, forks};

fn opened(folder: &str) -> logs::Repository {
    logs::Repository::open(config(folder)).unwrap()
}

/// A value that cannot be shown.
struct Explosive;

impl fmt::Display for Explosive {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("cannot be shown")
    }
}

/// Panics while another panic unwinds.
struct AgainInDrop;

impl Drop for AgainInDrop {
    fn drop(&mut self) {
        panic!("and again");
    }
}

/// A panic in it cannot unwind: it ends the process by `abort`.
extern "C" fn without_unwinding() {
    panic!("cannot unwind");
}

/// What a backtrace has to name.
#[inline(never)]
fn the_culprit() {
    panic!("boom\nsecond line");
}

pub(crate) fn run(folder: &str, way: &str) {
    std::panic::set_hook(Box::new(|panic| eprintln!("the former hook: {panic}")));
    if way == "as-worker" {
        return in_worker();
    }
    let config = config(folder);
    let repo = match way {
        "unwanted" => logs::Repository::open(config.panic_hook(false)),
        "in-layout" => logs::Repository::open(config.layout(|record: &LogRecord<'_>, line: &mut String| {
            assert_ne!(record.message(), "explode", "a layout's fault");
            line.push_str(record.message());
            Ok(())
        })),
        _ => logs::Repository::open(config),
    };
    let repo = repo.unwrap();
    repo.db.info("before");
    match way {
        "main" | "unwanted" => the_culprit(),
        "thread" => {
            let thread = std::thread::Builder::new().name("worker-3".to_owned());
            assert!(thread.spawn(the_culprit).unwrap().join().is_err());
            repo.db.info("after");
        }
        "nameless" => assert!(std::thread::spawn(the_culprit).join().is_err()),
        "abort" => without_unwinding(),
        "abort-in-thread" => std::thread::spawn(|| without_unwinding()).join().unwrap(),
        "twice" => {
            let _again = AgainInDrop;
            the_culprit();
        }
        "display" => {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                miu_log::info!(repo.db, "shows {} {}", 1, Explosive);
            }));
            assert!(caught.is_err());
            repo.db.info("after");
        }
        "in-context" => {
            let _scope = miu_log::context::scope(miu_log::context::REQUEST_ID.with("r-17"));
            the_culprit();
        }
        "not-a-text" => std::panic::panic_any(5),
        "poisoned" => {
            static LOCK: Mutex<u32> = Mutex::new(0);
            let holder = std::thread::spawn(|| {
                let _held = LOCK.lock().unwrap();
                the_culprit();
            });
            assert!(holder.join().is_err());
            *LOCK.lock().unwrap() += 1;
        }
        "in-layout" => {
            repo.db.error("explode");
            repo.db.error("after");
            repo.flush(crate::FLUSH).unwrap();
        }
        "exit-in-hook" => {
            let former = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                former(panic);
                std::process::exit(9);
            }));
            the_culprit();
        }
        "after-shutdown" => {
            repo.shutdown();
            the_culprit();
        }
        "worker-process" => {
            let mut command = std::process::Command::new(std::env::current_exe().unwrap());
            repo.queue().share_with(&mut command).unwrap();
            let status = command.args(["panic", folder, "as-worker"]).status().unwrap();
            assert!(!status.success());
        }
        "forked" => forked(),
        other => panic!("no way to panic: {other:?}"),
    }
}

/// In a process that has joined its parent's repository.
fn in_worker() {
    let _repo = logs::Repository::connect().unwrap();
    without_unwinding();
}

/// In a forked child, which has no listener.
fn forked() {
    let child = forks::bare_fork();
    if child == 0 {
        without_unwinding();
    }
    assert_eq!(forks::wait_for(child), None, "ended by a signal");
}

pub(crate) fn exit(folder: &str, more: &[String]) {
    let [code, reason] = more else { panic!("which code, and why?") };
    let repo = opened(folder);
    repo.set_level(miu_log::Level::Critical);
    let worker = logs::Repository::worker(repo.queue());
    std::thread::spawn(move || worker.db.critical("before")).join().unwrap();
    if reason == "ended" {
        repo.shutdown();
    }
    repo.exit(code.parse().unwrap(), reason);
}

pub(crate) fn exit_of_worker(more: &[String]) {
    let repo = logs::Repository::connect().unwrap();
    repo.exit(4, &more[0]);
}
