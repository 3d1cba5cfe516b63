//! Roles that fork without exec while a repository is open.

#![allow(unsafe_code)]
#![allow(clippy::print_stderr, reason = "what a child has to say of its end")]

use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use miu_log::OverflowPolicy;
use miu_log_tests::{logs, wait_until};

use crate::crashes::kill_self;
use crate::{FLUSH, config};

/// Forks; in the child 0, else the child's number.
pub(crate) fn bare_fork() -> i32 {
    // SAFETY: fork(2). The children do what is promised to work in them: they log, and panic.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork failed");
    child
}

/// Forks, for a child that must not go on after a panic.
pub(crate) fn fork() -> i32 {
    let child = bare_fork();
    if child == 0 {
        // A panic must not go on into what is the parent's: scopes that wait for threads that the child does not have.
        std::panic::set_hook(Box::new(|panic| {
            eprintln!("child: {panic}");
            end_at_once(101);
        }));
    }
    child
}

/// Ends without running anything.
pub(crate) fn end_at_once(code: i32) -> ! {
    // SAFETY: _exit(2).
    unsafe { libc::_exit(code) }
}

/// Waits for a child; its exit code, or none if a signal ended it.
pub(crate) fn wait_for(child: i32) -> Option<i32> {
    let mut status = 0;
    // SAFETY: waitpid(2) writes one number.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status))
}

fn opened(folder: &str) -> logs::Repository {
    logs::Repository::open(config(folder).overflow(OverflowPolicy::Block)).unwrap()
}

/// `<who> <process> <number>`.
fn log(repo: &logs::Repository, who: &str, count: u32) {
    let process = std::process::id();
    for number in 0..count {
        if number % 100 == 50 {
            miu_log::info!(repo.app, "{who} {process} {number} {}", "long".repeat(5_000));
        } else if number % 2 == 0 {
            miu_log::info!(repo.app, "{who} {process} {number}");
        } else {
            repo.app.info(format!("{who} {process} {number}"));
        }
    }
}

pub(crate) fn run(role: &str, folder: &str, more: &[String]) {
    match role {
        "fork-end" => end(folder, &more[0]),
        "fork-from-threads" => from_threads(folder, &more[0]),
        "fork-grandchild" => grandchild(folder),
        "fork-silent" => silent(folder),
        "fork-orphan" => orphan(folder),
        "fork-calls" => calls(folder),
        "fork-of-worker" => of_worker(),
        "fork-before-first" => before_first(folder),
        other => panic!("no role {other:?}"),
    }
}

/// A child logs and ends in some way; its parent logs on.
fn end(folder: &str, how: &str) {
    let repo = opened(folder);
    log(&repo, "before", 100);
    let child = fork();
    if child == 0 {
        log(&repo, "child", 1000);
        match how {
            "_exit" => end_at_once(0),
            "exit" => std::process::exit(0),
            "return" => return,
            "abort" => std::process::abort(),
            other => panic!("no end {other:?}"),
        }
    }
    log(&repo, "parent", 1000);
    let code = wait_for(child);
    log(&repo, "after", 10);
    repo.flush(FLUSH).unwrap();
    println!("child={child} parent={} code={}", std::process::id(), code.unwrap_or(-1));
}

/// Threads log all the time, in the fast path or in the slow one, while one forks again and again.
fn from_threads(folder: &str, how: &str) {
    const OF_CHILD: u32 = 10;
    let forks = if how == "growing" { 60 } else { 200 };
    let repo = opened(folder);
    let stop = AtomicBool::new(false);
    let logged = AtomicU64::new(0);
    let children: Vec<i32> = std::thread::scope(|scope| {
        for thread in 0..3 {
            let (repo, stop, logged) = (&repo, &stop, &logged);
            let grows = how == "growing";
            scope.spawn(move || {
                for round in 0_u32.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let burst = || {
                        let count = if grows { 400 } else { 50 };
                        let filler = if grows { "x".repeat(300) } else { String::new() };
                        for number in 0..count {
                            miu_log::info!(repo.db, "thread {thread} {round} {number} {filler}");
                        }
                        logged.fetch_add(count, Ordering::Relaxed);
                    };
                    if grows {
                        // A new ring each time, that has to grow.
                        std::thread::scope(|scope| _ = scope.spawn(burst));
                        repo.flush(FLUSH).unwrap();
                    } else {
                        burst();
                    }
                    if !grows && round % 4 == 0 {
                        std::thread::park_timeout(std::time::Duration::from_millis(1));
                    }
                }
            });
        }
        wait_until("threads to log", || logged.load(Ordering::Relaxed) > 1000);
        let mut children = Vec::new();
        for _ in 0..forks {
            let child = fork();
            if child == 0 {
                log(&repo, "child", OF_CHILD);
                end_at_once(0);
            }
            assert_eq!(wait_for(child), Some(0));
            children.push(child);
        }
        stop.store(true, Ordering::Relaxed);
        children
    });
    repo.flush(FLUSH).unwrap();
    let stats = repo.stats();
    println!(
        "children={} of_child={OF_CHILD} logged={} dropped={}",
        children.len(),
        logged.load(Ordering::Relaxed),
        stats.dropped
    );
}

/// A child of a child.
fn grandchild(folder: &str) {
    let repo = opened(folder);
    log(&repo, "parent", 50);
    let child = fork();
    if child == 0 {
        log(&repo, "child", 50);
        let grandchild = fork();
        if grandchild == 0 {
            log(&repo, "grandchild", 50);
            end_at_once(0);
        }
        assert_eq!(wait_for(grandchild), Some(0));
        log(&repo, "child-after", 50);
        end_at_once(0);
    }
    assert_eq!(wait_for(child), Some(0));
    log(&repo, "parent-after", 50);
    repo.shutdown();
}

/// A child that never logs leaves no trace.
fn silent(folder: &str) {
    let repo = opened(folder);
    log(&repo, "parent", 10);
    let child = fork();
    if child == 0 {
        std::process::exit(0);
    }
    assert_eq!(wait_for(child), Some(0));
    log(&repo, "after", 10);
    repo.shutdown();
}

/// The parent dies; the child goes on until stdin ends.
fn orphan(folder: &str) {
    let repo = opened(folder);
    log(&repo, "parent", 100);
    repo.flush(FLUSH).unwrap();
    if fork() != 0 {
        log(&repo, "unread", 100);
        kill_self();
    }
    log(&repo, "child", 100);
    println!("child={}", std::process::id());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    log(&repo, "late", 100);
    end_at_once(0);
}

/// All that a child may call on what it inherited, while threads of its parent are in all of it.
fn calls(folder: &str) {
    let repo = opened(folder);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    repo.db.info("busy");
                    let _ = repo.stats();
                    repo.set_debug_enabled(true);
                    let _ = repo.flush(FLUSH);
                }
            });
        }
        for round in 0..20 {
            let child = fork();
            if child == 0 {
                if round % 2 == 0 {
                    log(&repo, "child", 5);
                }
                repo.flush(FLUSH).unwrap();
                let before = repo.stats().dropped;
                repo.set_debug_enabled(true);
                assert_eq!(repo.shutdown().dropped, before);
                repo.app.info("too late");
                assert_eq!(repo.stats().dropped, before + 1);
                end_at_once(0);
            }
            assert_eq!(wait_for(child), Some(0), "round {round}");
        }
        stop.store(true, Ordering::Relaxed);
    });
    let child = fork();
    if child == 0 {
        log(&repo, "dropping", 5);
        drop(repo);
        end_at_once(0);
    }
    assert_eq!(wait_for(child), Some(0));
    log(&repo, "parent", 10);
    assert_eq!(repo.shutdown().dropped, 10, "one of each child that had joined and shut down");
}

/// A worker process forks.
fn of_worker() {
    let repo = logs::Repository::connect().unwrap();
    log(&repo, "worker", 50);
    let child = fork();
    if child == 0 {
        log(&repo, "child", 50);
        std::process::exit(0);
    }
    assert_eq!(wait_for(child), Some(0));
    log(&repo, "worker-after", 50);
    println!("child={child}");
}

/// The repository is there, its listener is not: it comes after the fork.
fn before_first(folder: &str) {
    let repo = logs::repo();
    repo.app.info("parent early");
    let child = fork();
    if child == 0 {
        repo.app.info("child early");
        let _ = repo.stats();
        std::process::exit(0);
    }
    assert_eq!(wait_for(child), Some(0));
    let repo = logs::init(config(folder)).unwrap();
    repo.app.info("parent");
}
