//! Switching debug records and the levels of domains while the service runs.
//!
//! A switch is seen at once by every thread and every worker of the repository.

#![allow(clippy::print_stdout, reason = "an example shows what it has written")]

use std::error::Error;
use std::sync::mpsc;
use std::thread;

use miu_log::{Level, LogConfig, log_domains};
use miu_log_examples::{log_folder, tree};

/// `redis` starts at `warning`, whatever the configuration says.
#[log_domains(app, db, redis(level = "warning"))]
pub mod logs {}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = log_folder();
    // In production debug is usually off at the start.
    let repo = logs::Repository::open(LogConfig::new(&folder).debug_enabled(false))?;

    // A worker, to show that it sees the same: it logs one line of each kind whenever it is told the name of a phase.
    let (phases, told) = mpsc::channel::<&str>();
    let (answers, answered) = mpsc::channel();
    let queue = repo.queue();
    let worker = thread::Builder::new().name("worker".to_owned()).spawn(move || {
        let repo = logs::Repository::worker(queue);
        for phase in told {
            for logger in [&repo.app, &repo.db, &repo.redis] {
                logger.debug(format_args!("{phase}: debug"));
                logger.info(format_args!("{phase}: info"));
                logger.warning(format_args!("{phase}: warning"));
            }
            if answers.send(()).is_err() {
                break;
            }
        }
    })?;
    let run = |phase| -> Result<(), Box<dyn Error>> {
        phases.send(phase)?;
        Ok(answered.recv()?)
    };

    run("debug off")?;

    repo.set_debug_enabled(true);
    run("debug on")?;

    // One noisy domain can be made quieter, another one more talkative.
    repo.db.set_level(Level::Warning);
    repo.redis.set_level(Level::Debug);
    run("db at warning, redis at debug")?;

    // By name, as an administration page would.
    repo.get("db")?.set_level("info".parse()?);
    run("db at info")?;
    if let Err(error) = repo.get("cache") {
        println!("refused: {error}");
    }

    // All domains at once. Debug being off is stronger than any level.
    repo.set_level(Level::Trace);
    repo.set_debug_enabled(false);
    run("all at trace, debug off")?;

    // Work that serves only a record can be left out.
    if repo.app.enabled(Level::Debug) {
        repo.app.debug("never here");
    }

    drop(phases);
    worker.join().map_err(|_| "the worker panicked")?;
    repo.shutdown();
    print!("\n{}", tree(&folder)?);
    Ok(())
}
