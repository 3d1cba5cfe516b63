//! Roles that are set up by their environment, as a service is.

use std::io::Read;
use std::process::{Command, Stdio};

use miu_log::{CommandExt, Database, LogConfig, Remote};
use miu_log_tests::{logs, rotated, wait_until};

use crate::FLUSH;
use crate::crashes::kill_self;
use crate::forks::{end_at_once, fork, wait_for};

/// One record of each of two levels in two domains.
pub(crate) fn service() {
    let repo = logs::Repository::open(LogConfig::from_env()).unwrap();
    miu_log::debug!(repo.app, "debug of app");
    miu_log::info!(repo.db, rows = 12, "info of db");
    miu_log::error!(repo.app, "error of app");
}

/// The same, with files per domain and per level.
pub(crate) fn service_with_all_files() {
    let config = LogConfig::from_env().domain_files(true).level_files(true);
    let repo = logs::Repository::open(config).unwrap();
    miu_log::info!(repo.db, "info of db");
}

/// Goes on only if its environment is right.
pub(crate) fn strict() {
    println!("before");
    let _config = LogConfig::from_env();
    println!("after");
}

/// The error instead of the end.
pub(crate) fn lenient() {
    match LogConfig::try_from_env() {
        Ok(_) => println!("right"),
        Err(error) => println!("{error}"),
    }
}

/// Opens, or prints why not.
pub(crate) fn open() {
    match logs::Repository::open(LogConfig::from_env()) {
        Ok(repo) => {
            repo.app.info("opened");
            println!("opened");
        }
        Err(error) => println!("{error}"),
    }
}

/// Has a database of its own beside that of the environment, first under the name that this one has, then under another.
pub(crate) fn databases() {
    let own = || Remote::database(Database::url("sqlite:own.db"));
    let error = logs::Repository::open(LogConfig::from_env().sink(own())).err().unwrap();
    println!("{error}");
    let repo = logs::Repository::open(LogConfig::from_env().sink(own().named("own"))).unwrap();
    repo.app.info("opened");
    repo.flush(FLUSH).unwrap();
    for sink in repo.stats().sinks {
        println!("{}={}", sink.name, sink.written);
    }
}

/// A thousand records of more than a hundred bytes.
pub(crate) fn thousand() {
    let repo = logs::Repository::open(LogConfig::from_env()).unwrap();
    for number in 0..1000 {
        miu_log::info!(repo.app, "record {number:04} {}", "x".repeat(100));
    }
}

/// Opens, and ends when there are no more than two rotated files and one for which there was no time.
pub(crate) fn open_until_tidy() {
    let _repo = logs::Repository::open(LogConfig::from_env()).unwrap();
    let folder = std::env::var("PATH_TO_LOGS").unwrap();
    wait_until("old files are deleted", || rotated(folder.as_ref(), "orders.log").len() <= 3);
}

/// Has a child of another name, and the child's number on stdout; both have their files until stdin ends.
pub(crate) fn parent() {
    let repo = logs::Repository::open(LogConfig::from_env()).unwrap();
    repo.app.info("parent");
    repo.flush(FLUSH).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["env-hold", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.miu_child("MAILER").unwrap().spawn().unwrap();
    let mut ready = [0; 8];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    assert_eq!(&ready, b"holding\n");
    println!("child={}", child.id());
    let _ = std::io::stdin().read(&mut [0]);
    drop(child.stdin.take());
    child.wait().unwrap();
    repo.app.info("parent again");
}

/// Has its file until stdin ends.
pub(crate) fn hold() {
    let repo = logs::Repository::open(LogConfig::from_env()).unwrap();
    repo.app.info("child");
    repo.flush(FLUSH).unwrap();
    println!("holding");
    let _ = std::io::stdin().read(&mut [0]);
}

/// A forked child logs into what it has inherited, and then into a repository of its own.
pub(crate) fn forked() {
    let repo = logs::Repository::open(LogConfig::from_env()).unwrap();
    repo.app.info("parent");
    let child = fork();
    if child == 0 {
        repo.app.error("inherited");
        repo.app.info("inherited, and long ".repeat(2_000));
        let refused = repo.stats().dropped;
        let own = logs::Repository::open(LogConfig::from_env().app("forked")).unwrap();
        miu_log::info!(own.app, refused, "own");
        own.shutdown();
        end_at_once(0);
    }
    println!("code={}", wait_for(child).unwrap());
}

/// Dies with records that nobody has written.
pub(crate) fn killed() {
    let repo = logs::Repository::open(LogConfig::from_env()).unwrap();
    for number in 0..100 {
        miu_log::info!(repo.app, "record {number}");
    }
    kill_self();
}
