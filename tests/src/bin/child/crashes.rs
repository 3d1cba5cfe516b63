//! Roles that log and then do not end properly, and those that start again after them.

use std::fmt;

use miu_log::context::{self, REQUEST_ID};
use miu_log::{Bytes, Json, JsonKey, Level, LogConfig, Pattern, Recovery, diagnose, fields, log_domains};
use miu_log_tests::logs;
use rustix::process::{Pid, Signal, getpid, kill_process};

use crate::config;

/// The domains of a later version: two are gone, one is new, and the order is another one.
#[log_domains(cache, db)]
mod later {}

#[derive(Debug)]
struct Failure;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connection refused")
    }
}

impl std::error::Error for Failure {}

/// Dies by SIGKILL.
pub(crate) fn kill_self() -> ! {
    kill_process(Pid::from_raw(getpid().as_raw_nonzero().get()).unwrap(), Signal::KILL).unwrap();
    unreachable!("nobody survives that");
}

/// One record of each kind, with its number: `n <number> …`.
pub(crate) fn log_one(repo: &logs::Repository, number: u32) {
    match number % 8 {
        0 => miu_log::info!(repo.app, "n {number} macro {}", "text"),
        1 => repo.app.warning(format_args!("n {number} method")),
        2 => miu_log::error!(repo.app, number, text = "a\nb", "n {number} fields"),
        3 => repo.app.exception(format!("n {number} exception"), &Failure),
        4 => miu_log::signal!(repo.app, Level::Warning, "n {} signal", number),
        5 => miu_log::info!(repo.app, frame = [0x0a_u8, 0xff], "n {number} bytes {}", Bytes(&[1, 2, 3])),
        6 if number % 200 == 6 => miu_log::info!(repo.app, "n {number} long {}", "0123456789".repeat(2_000)),
        6 => miu_log::trace!(repo.app, "n {number} trace"),
        _ => miu_log::success!(repo.app, "n {number} success"),
    }
}

fn log_all(repo: &logs::Repository, count: &str) {
    for number in 0..count.parse().unwrap() {
        log_one(repo, number);
    }
}

/// Logs in a context and dies before anything is written.
pub(crate) fn crash_in_context(folder: &str) {
    let repo = logs::Repository::open(config(folder).default_fields(fields!(region = "eu"))).unwrap();
    let _scope = context::scope(REQUEST_ID.with("r-17").with_fields(fields!(tenant = 7)));
    repo.app.info("lost?");
    kill_self();
}

/// Logs in a function whose arguments are captured, and dies before anything is written.
pub(crate) fn crash_diagnosed(folder: &str) {
    #[diagnose(number)]
    fn doomed(repo: &logs::Repository, number: u32) {
        repo.app.error("lost?");
        kill_self();
    }
    doomed(&logs::Repository::open(config(folder).diagnose(true)).unwrap(), 17);
}

/// Logs so many records and dies, in one of several ways.
pub(crate) fn crash(folder: &str, more: &[String]) {
    let [how, count] = more else { panic!("how, and how many?") };
    let repo = logs::Repository::open(config(folder).level(Level::Trace)).unwrap();
    if how == "hook" {
        std::panic::set_hook(Box::new(|_| std::process::abort()));
    }
    repo.flush(crate::FLUSH).unwrap();
    log_all(&repo, count);
    match how.as_str() {
        "kill" => kill_self(),
        "abort" => std::process::abort(),
        "hook" => panic!("ends in the hook"),
        "memory" => {
            let mut all = Vec::new();
            loop {
                all.push(vec![1_u8; 1 << 20]);
            }
        }
        other => panic!("no way to die: {other:?}"),
    }
}

/// A record a file, made and lost: files are made when they are first needed, deleted, made again; then the end.
pub(crate) fn crash_with_files(folder: &str) {
    let repo = logs::Repository::open(config(folder).level(Level::Trace)).unwrap();
    log_all(&repo, "100");
    repo.flush(crate::FLUSH).unwrap();
    std::fs::remove_file(format!("{folder}/app.log")).unwrap();
    std::fs::remove_file(format!("{folder}/success.log")).unwrap();
    miu_log_tests::wait_until("the files to be made again", || {
        repo.db.success("look");
        repo.app.success("look");
        repo.flush(crate::FLUSH).unwrap();
        ["app.log", "success.log"].iter().all(|name| std::path::Path::new(folder).join(name).exists())
    });
    for number in 100..200 {
        log_one(&repo, number);
    }
    kill_self();
}

/// Records in JSON, with options that are not the default, then the end.
pub(crate) fn crash_with_json(folder: &str) {
    let layout = Json::new().flatten(true).rename(JsonKey::Timestamp, "@timestamp").zone("+05:30");
    let repo = logs::Repository::open(config(folder).layout(layout)).unwrap();
    for number in 0..1_000 {
        miu_log::info!(repo.app, number, text = "a\nb", "a record");
    }
    kill_self();
}

/// Records in each domain, each by a thread of its own, then the end.
pub(crate) fn crash_in_all_domains(folder: &str) {
    let repo = logs::Repository::open(config(folder).file_prefix("old")).unwrap();
    std::thread::scope(|scope| {
        for (name, logger) in
            [("app", &repo.app), ("db", &repo.db), ("redis", &repo.redis), ("task", &repo.task)]
        {
            scope.spawn(move || {
                for number in 0..50 {
                    miu_log::info!(logger, "n {number} of {name}");
                }
            });
        }
    });
    kill_self();
}

fn print(recovery: &Recovery) {
    print!(
        "records={} corrupt={} processes={}",
        recovery.records,
        recovery.corrupt,
        recovery.processes.len()
    );
    for process in &recovery.processes {
        let since = process.since.elapsed().unwrap().as_secs() < 3600;
        print!(" pid={} name={} recent={since}", process.process_id, process.name);
    }
    println!();
}

/// Starts again and ends properly.
pub(crate) fn reopen(folder: &str) {
    let repo = logs::Repository::open(config(folder).level(Level::Trace)).unwrap();
    print(&repo.recovery());
    repo.db.info("reopened");
}

/// Starts again as another version of the program.
pub(crate) fn reopen_later(folder: &str) {
    let pattern = Pattern::parse("{level}|{domain}|{pid}|{message}").unwrap();
    let config = LogConfig::new(folder).console(false).layout(pattern).file_prefix("new");
    let repo = later::Repository::open(config).unwrap();
    print(&repo.recovery());
}

/// Recovers without a repository.
pub(crate) fn recover(folder: &str) {
    match miu_log::recover(folder) {
        Ok(recovery) => print(&recovery),
        Err(error) => println!("{error}"),
    }
}

/// Recovers while this process has a repository on the folder.
pub(crate) fn recover_own(folder: &str) {
    let repo = logs::Repository::open(config(folder)).unwrap();
    println!("{}", miu_log::recover(folder).unwrap_err());
    repo.app.info("undisturbed");
}

/// A worker that logs ten records for each line on stdin, and says so. What it cannot do is not its matter.
pub(crate) fn scripted_worker() {
    let repo = match logs::Repository::connect() {
        Ok(repo) => repo,
        Err(error) => return println!("{error}"),
    };
    println!("joined");
    let mut number = 0;
    for line in std::io::stdin().lines() {
        for _ in 0..10 {
            if line.as_deref().unwrap() == "long" {
                miu_log::info!(repo.app, "w {} {number} {}", std::process::id(), "long".repeat(5_000));
            } else {
                miu_log::info!(repo.app, "w {} {number}", std::process::id());
            }
            number += 1;
        }
        println!("logged dropped={}", repo.stats().dropped);
    }
}

/// A worker that logs without end, until stdin ends.
pub(crate) fn flooding_worker() {
    let repo = logs::Repository::connect().unwrap();
    std::thread::spawn(move || {
        for number in 0_u64.. {
            miu_log::info!(repo.db, "flood {number}");
            if number == 1000 {
                println!("joined");
            }
        }
    });
    let _ = std::io::stdin().lines().next();
}

/// A repository that others join, until stdin ends.
pub(crate) fn serve(folder: &str) {
    let repo = logs::Repository::open(config(folder)).unwrap();
    println!("{}", repo.queue().endpoint());
    let _ = std::io::stdin().lines().next();
    repo.app.info("served");
    repo.flush(crate::FLUSH).unwrap();
    println!("dropped={} corrupt={}", repo.stats().dropped, repo.stats().corrupt);
}
