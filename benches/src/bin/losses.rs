//! `losses`: how many of 10,000 records are in the file when the program ends right after logging them.
//!
//! Each logger logs in a process of its own, set up as in the other measurements and shut down as its documentation advises, and that process
//! ends in one of several ways. Takes names of peers; without any it looks at those of the README.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use benches::peer::{Plan, Workload};
use benches::report::Table;
use benches::{Failure, peers, tsc};
use rustix::process::{Signal, getpid, kill_process};

/// The peers of the README's table.
const PEERS: &[&str] = &[
    "miu-log",
    "tracing-appender",
    "slog-async",
    "flexi_logger",
    "flexi_logger-buffer",
    "log4rs",
    "fern",
    "spdlog-rs",
];

const RECORDS: u64 = 10_000;
/// The worst of so many runs is shown.
const ROUNDS: usize = 5;

/// A way to end, by its name.
type End = (&'static str, fn() -> u64);

const ENDS: [End; 6] = [
    ("return from main", || 0),
    ("panic in main", panic),
    ("process::exit", || std::process::exit(0)),
    ("SIGTERM", || die_by(Signal::TERM)),
    ("abort", || std::process::abort()),
    ("kill -9", || die_by(Signal::KILL)),
];

#[allow(clippy::panic, reason = "it is one of the ends that are measured")]
fn panic() -> u64 {
    panic!("an end that is measured")
}

fn die_by(signal: Signal) -> u64 {
    // Where the signal is handled, the end comes a moment later.
    while kill_process(getpid(), signal).is_ok() {
        std::thread::park();
    }
    0
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [first, peer, end, dir] if first == "--child" => log_and_end(peer, end, Path::new(dir)),
        names => table(names),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("losses: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn log_and_end(peer: &str, end: &str, dir: &Path) -> Result<(), Failure> {
    let entry = peers::find(peer).ok_or("unknown peer")?;
    let (_, probe) = ENDS.into_iter().find(|(name, _)| *name == end).ok_or("unknown end")?;
    (entry.run)(&Plan {
        dir: dir.to_owned(),
        workload: Workload::End,
        threads: 1,
        records_per_thread: RECORDS,
        pair: tsc::Pair::Plain,
        probe,
    })?;
    Ok(())
}

fn table(names: &[String]) -> Result<(), Failure> {
    let names: Vec<&str> =
        if names.is_empty() { PEERS.to_vec() } else { names.iter().map(String::as_str).collect() };
    let ends = ENDS.map(|(name, _)| name);
    let mut table = Table::new(std::iter::once("peer").chain(ends));
    for name in names {
        let mut row = vec![name.to_owned()];
        for end in ends {
            let mut worst: Option<(u64, u64)> = None;
            for _ in 0..ROUNDS {
                let dir = std::env::temp_dir().join(format!("miu-log-losses-{}", std::process::id()));
                let found = end_once(name, end, &dir);
                std::fs::remove_dir_all(&dir)?;
                let found = found?;
                worst = Some(worst.map_or(found, |worst| worst.min(found)));
            }
            let (at_once, later) = worst.unwrap_or_default();
            row.push(if at_once == later {
                at_once.to_string()
            } else {
                format!("{at_once}, {later} after recovery")
            });
        }
        table.row(row);
    }
    println!("Of {RECORDS} records in the file, the worst of {ROUNDS} runs:\n\n{}", table.to_markdown());
    Ok(())
}

/// How many records are in the files after the end, and how many after what the logger offers for recovery.
fn end_once(peer: &str, end: &str, dir: &Path) -> Result<(u64, u64), Failure> {
    std::fs::create_dir_all(dir)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--child", peer, end]).arg(dir);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let at_once = records(dir)?;
    if peer == "miu-log" {
        miu_log::recover(dir)?;
    }
    Ok((at_once, records(dir)?))
}

/// How many different records are whole lines of the folder's files.
fn records(dir: &Path) -> Result<u64, Failure> {
    let mut found = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(dir)? {
        let path: PathBuf = entry?.path();
        if path.is_file() {
            let text = std::fs::read(&path)?;
            let text = String::from_utf8_lossy(&text);
            let whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
            found.extend(whole.filter_map(|line| {
                let (_, rest) = line.split_once("order ")?;
                rest.split(' ').next()?.parse::<u64>().ok()
            }));
        }
    }
    Ok(found.len() as u64)
}
