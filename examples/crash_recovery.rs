//! A crash: the program is killed with records that no file holds yet, and the next start brings them into the files.
//!
//! The program starts itself as a process that logs and kills itself in the middle of it. Then it opens the same folder, as a service does that
//! is started again: there is nothing to call, and `repo.recovery()` tells what was found.

#![allow(clippy::print_stdout, reason = "an example shows what it has written")]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use miu_log::{LogConfig, OverflowPolicy, log_domains};
use miu_log_examples::log_folder;
use rustix::process::{Signal, getpid, kill_process};

/// The areas of the service.
#[log_domains(app, db)]
pub mod logs {}

/// Orders that the service saves before it dies.
const ORDERS: u64 = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = log_folder();
    if std::env::args().nth(2).is_some() {
        return log_and_die(&folder);
    }

    let status = Command::new(std::env::current_exe()?).arg(&folder).arg("die").status()?;
    println!("the service logged {ORDERS} orders and died: {status}");
    println!("then the files held {} of them", orders(&folder)?);

    let repo = logs::Repository::open(config(&folder))?;
    let recovery = repo.recovery();
    for process in &recovery.processes {
        println!("recovered {} records of process {:?}", process.records, process.name);
    }
    println!("now they hold {}, {} could not be read", orders(&folder)?, recovery.corrupt);

    repo.app.info("started again");
    repo.shutdown();

    // The end was a proper one: the next start has nothing to recover.
    let repo = logs::Repository::open(config(&folder))?;
    println!("nothing to recover at the next start: {}", repo.recovery().is_empty());
    Ok(())
}

fn config(folder: &Path) -> LogConfig {
    // A caller whose ring is full waits; by default it would wait 100 ms, and then drop records and count them.
    LogConfig::new(folder).console(false).overflow(OverflowPolicy::Block)
}

/// The service at its first start.
fn log_and_die(folder: &Path) -> Result<(), Box<dyn Error>> {
    let repo = logs::Repository::open(config(folder))?;
    repo.app.info("started");
    for order in 0..ORDERS {
        miu_log::debug!(repo.db, order, "order saved");
    }
    // No destructor runs, no exit handler, no thread goes on.
    kill_process(getpid(), Signal::KILL)?;
    Ok(())
}

/// How many different orders are in the file of their domain; one that is there twice is an error.
fn orders(folder: &Path) -> Result<usize, Box<dyn Error>> {
    let mut found = Vec::new();
    // Whole lines only: the process may have been killed within the last one.
    for line in fs::read_to_string(folder.join("db.log"))?
        .split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n'))
    {
        let (_, order) = line.rsplit_once("order=").ok_or("a line without its order")?;
        found.push(order.parse::<u64>()?);
    }
    found.sort_unstable();
    let all = found.len();
    found.dedup();
    if all == found.len() { Ok(all) } else { Err("an order is in the file twice".into()) }
}
