//! Worker processes: one process owns the files, four others log into them, and one of these is killed on the way.
//!
//! The program starts itself four times. Each worker joins by `Repository::connect()` and acknowledges every record on its standard output, right
//! after the logging call. One of them would go on for ever; it is killed by SIGKILL. At the end the program compares what each worker has
//! acknowledged with what the files hold.

#![allow(clippy::print_stdout, reason = "an example shows what it has written")]

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use miu_log::{LogConfig, OverflowPolicy, WorkerEventKind, log_domains};
use miu_log_examples::log_folder;

/// The areas of the program. Workers that are programs of their own declare those that they need; they are matched by name.
#[log_domains(app, task)]
pub mod logs {}

/// Records of each worker that may finish.
const RECORDS: u64 = 2_000;
/// The worker that is killed, and after how many of its acknowledgements.
const KILLED: u32 = 3;
const KILLED_AFTER: u64 = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(2) {
        Some(number) => work(number.parse()?),
        None => lead(),
    }
}

/// What a worker process does.
fn work(number: u32) -> Result<(), Box<dyn Error>> {
    // The endpoint and this process's name are in the environment. No file is opened and no thread does the writing here.
    let repo = logs::Repository::connect()?;
    let records = if number == KILLED { u64::MAX } else { RECORDS };
    let mut acknowledgements = io::stdout().lock();
    for record in 0..records {
        miu_log::info!(repo.task, record, "task done");
        // The record is safe from here on, whatever becomes of this process.
        writeln!(acknowledgements, "{record}")?;
    }
    Ok(())
}

/// What the process does that has the files.
fn lead() -> Result<(), Box<dyn Error>> {
    let folder = log_folder();
    let (died, deaths) = mpsc::channel();
    let config = LogConfig::new(&folder)
        .console(false)
        // A worker whose ring is full waits; by default it would wait 100 ms, and then drop records and count them.
        .overflow(OverflowPolicy::Block)
        .on_worker(move |event| {
            if let WorkerEventKind::Died { cause, .. } = event.kind {
                // Nobody listens any more: then nobody wants to know.
                let _ = died.send(format!("{} died: {cause}", event.name));
            }
        });
    let repo = logs::Repository::open(config)?;
    repo.app.info("four workers are started");

    let mut workers = Vec::new();
    for number in 1..=4 {
        let mut command = Command::new(std::env::current_exe()?);
        repo.queue().share_with(&mut command)?;
        command.env("MIU_LOG_WORKER_NAME", format!("worker-{number}"));
        command.arg(&folder).arg(number.to_string()).stdout(Stdio::piped());
        workers.push((number, command.spawn()?));
    }

    let mut rows = Vec::new();
    for (number, mut worker) in workers {
        let acknowledged = acknowledged(number, &mut worker)?;
        if number == KILLED {
            // The listener can tell how a child ended as long as nobody has waited for it: so it is asked first.
            println!("{}", deaths.recv_timeout(Duration::from_secs(10))?);
        }
        let status = worker.wait()?;
        let ended = match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, signal) => format!("signal {}", signal.unwrap_or_default()),
        };
        rows.push((format!("worker-{number}"), ended, acknowledged));
    }
    // Everything that was logged is in the files after this, also what was found in the rings of the dead worker.
    repo.shutdown();

    let mut agree = true;
    println!("worker      ended            acknowledged   in task.log   in info.log   missing");
    for (name, ended, acknowledged) in rows {
        let by_domain = records_of(&name, &folder.join("task.log"))?;
        let by_level = records_of(&name, &folder.join("info.log"))?;
        let missing = (0..acknowledged).filter(|record| !by_domain.contains(record)).count();
        // A worker can be killed between a logging call and its acknowledgement, never further on.
        let more = by_domain.len() as u64 - acknowledged.min(by_domain.len() as u64);
        agree &= missing == 0 && by_level == by_domain && more <= 1;
        println!(
            "{name:<11} {ended:<16} {acknowledged:>12} {:>13} {:>13} {missing:>9}",
            by_domain.len(),
            by_level.len()
        );
    }
    println!("{}", if agree { "they agree" } else { "THEY DO NOT AGREE" });
    Ok(())
}

/// Reads a worker's acknowledgements to their end, and kills the one that is to be killed.
fn acknowledged(number: u32, worker: &mut Child) -> io::Result<u64> {
    let mut acknowledged = 0;
    let Some(output) = worker.stdout.take() else { return Ok(0) };
    for line in BufReader::new(output).split(b'\n') {
        line?;
        acknowledged += 1;
        if number == KILLED && acknowledged == KILLED_AFTER {
            worker.kill()?;
        }
    }
    Ok(acknowledged)
}

/// The records of a worker in a file; one that is there twice is an error.
fn records_of(name: &str, file: &Path) -> Result<BTreeSet<u64>, Box<dyn Error>> {
    let mut found = BTreeSet::new();
    for line in fs::read_to_string(file)?.lines().filter(|line| line.contains(&format!(" | {name}/"))) {
        let (_, record) = line.rsplit_once("record=").ok_or("a line without its record")?;
        if !found.insert(record.parse()?) {
            return Err(format!("{}: twice: {line}", file.display()).into());
        }
    }
    Ok(found)
}
