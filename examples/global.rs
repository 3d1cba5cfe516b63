//! One repository for the whole process: `logs::init` opens it, `logs::repo` gives it to any function.
//!
//! What is logged before `init` is kept, and comes first in the files.

#![allow(clippy::print_stdout, reason = "an example shows what it has written")]

use std::error::Error;
use std::time::Duration;

use miu_log::{LogConfig, log_domains};
use miu_log_examples::{log_folder, tree};

/// The areas of the service.
#[log_domains(app, db)]
pub mod logs {}

/// Reads the settings, which say where to log: so it runs before logging is set up.
fn settings() -> LogConfig {
    logs::repo().app.info("reading the settings");
    LogConfig::new(log_folder())
}

/// A function deep inside the program: nobody hands it a logger.
fn save(order: u32) {
    miu_log::info!(logs::repo().db, order, "order saved");
}

fn main() -> Result<(), Box<dyn Error>> {
    save(1);
    let config = settings();

    // A start that fails changes nothing: it can be tried again, and what was logged is still kept.
    if let Err(error) = logs::init(LogConfig::new("/dev/null/logs")) {
        logs::repo().app.exception("the first folder cannot be used", &error);
    }
    let repo = logs::init(config)?;
    repo.app.success("logging is set up");

    std::thread::spawn(|| save(2)).join().map_err(|_| "the thread panicked")?;

    // The second `init` is an error that says where the first one was.
    match logs::init(LogConfig::new("elsewhere")) {
        Ok(_) => return Err("the repository was opened twice".into()),
        Err(error) => println!("refused: {error}"),
    }

    repo.flush(Duration::from_secs(5))?;
    print!("{}", tree(&log_folder())?);

    // A process-wide repository is never dropped; what is logged last is written when the process ends.
    repo.app.info("service stopped");
    Ok(())
}
