//! Worker threads: one repository owns the files, the threads log through its queue.
//!
//! A worker's repository is made from a `QueueHandle`. It opens no file and starts no thread. A part of the program that
//! knows only some of the domains declares just these; they are matched by name.

#![allow(clippy::print_stdout, reason = "an example shows what it has written")]

use std::error::Error;
use std::thread;
use std::time::Duration;

use miu_log::{LogConfig, QueueHandle, log_domains};
use miu_log_examples::{log_folder, tree};

/// The areas of the whole program.
#[log_domains(app, db, task)]
pub mod logs {}

/// An import: a part of the program that could stand in a crate of its own.
mod import {
    use miu_log::{QueueHandle, log_domains};

    /// What the import logs to.
    #[log_domains(db, task)]
    pub mod logs {}

    /// Imports one file.
    pub(crate) fn run(queue: QueueHandle, file: u32) -> Result<(), miu_log::Error> {
        // `try_worker` is an error where the queue lacks a domain; `worker` says so in the log and goes on.
        let repo = logs::Repository::try_worker(queue)?;
        miu_log::info!(repo.task, file, "import started");
        for batch in 0..5_u32 {
            miu_log::debug!(repo.db, file, batch, "{} rows inserted", 100 * (file + 1));
        }
        miu_log::success!(repo.task, file, "import done");
        Ok(())
    }
}

/// Domains that the queue of this program does not have.
#[log_domains(app, billing)]
mod other {}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = log_folder();
    let repo = logs::Repository::open(LogConfig::new(&folder).console(false))?;
    repo.app.info("four imports are due");

    // A queue handle is cheap to clone and can be sent to any thread.
    let queue: QueueHandle = repo.queue();
    let mut threads = Vec::new();
    for file in 0..4 {
        let queue = queue.clone();
        let thread = thread::Builder::new().name(format!("import-{file}"));
        threads.push(thread.spawn(move || import::run(queue, file))?);
    }
    for thread in threads {
        thread.join().map_err(|_| "an import panicked")??;
    }

    // Scoped threads can also borrow the repository itself.
    thread::scope(|scope| {
        scope.spawn(|| repo.task.info("logged through a borrowed repository"));
    });

    if let Err(error) = other::Repository::try_worker(queue) {
        println!("refused: {error}");
    }

    // After a flush everything logged before it is in the files.
    repo.flush(Duration::from_secs(5))?;
    for domain in repo.stats().domains {
        println!("{}: {} records written", domain.name, domain.written.iter().sum::<u64>());
    }
    print!("{}", tree(&folder)?);
    Ok(())
}
