//! A program with `#[miu_log::main]`: `program <way> <log folder>`.

#![allow(clippy::unwrap_used, reason = "a panic is a scenario's report")]
#![allow(clippy::print_stdout, reason = "stdout is what the scenario reads")]

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use miu_log::{LogConfig, Rotation};
use miu_log_tests::logs;

#[derive(Debug)]
struct Failure(fmt::Error);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot serve")
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn fails() -> Result<(), Failure> {
    Err(Failure(fmt::Error))
}

#[miu_log::main]
fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, way, folder] = &arguments[..] else { panic!("usage: program <way> <log folder>") };
    let config = || LogConfig::new(folder).console(false).rotation(Rotation::Never);
    log::info!("early");
    if way == "before-open" {
        fails()?;
    }
    if way == "global" {
        let repo = logs::init(config())?;
        miu_log::info!(repo.db, "in main");
        fails()?;
    }
    let repo = match way.as_str() {
        "worker" => logs::Repository::connect()?,
        _ => logs::Repository::open(config())?,
    };
    miu_log::info!(repo.db, "in main");
    match way.as_str() {
        "fails" | "worker" => fails()?,
        "code" => return Ok(ExitCode::from(3)),
        "shut-down" => {
            repo.shutdown();
            fails()?;
        }
        "reopened" => {
            let worker = logs::Repository::worker(repo.queue());
            drop(repo);
            // All of it is written, and no more is taken.
            assert!(std::fs::read_to_string(format!("{folder}/db.log"))?.contains("in main"));
            worker.db.info("after the drop");
            assert_eq!(worker.stats().dropped, 1);
            let repo = logs::Repository::open(config())?;
            repo.db.info("once more");
            fails()?;
        }
        "panics" => panic!("in main"),
        "thread" => {
            let thread = std::thread::spawn(move || drop(repo));
            thread.join().unwrap();
            // Dropped elsewhere: its folder is free at once.
            drop(miu_log::recover(folder)?);
            fails()?;
        }
        "well" => {}
        other => panic!("no way {other:?}"),
    }
    Ok(ExitCode::SUCCESS)
}
