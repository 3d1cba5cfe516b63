//! `databases` (W7): how fast records get into a PostgreSQL server and a SQLite file, beside the same rows by hand, what callers notice of it, and what
//! an outage of a minute costs.
//!
//! It starts a server of its own, with PostgreSQL's own settings for durability. Each measurement is a child process.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::Path;
use std::process::{Command, ExitCode};

use benches::databases::{self, Way};
use benches::report::{Table, figure, ratio};
use benches::{Failure, child, process};
use miu_log_tests::postgres::Postgres;

const USAGE: &str =
    "usage: databases [--records N] [--rounds N] [--outage SECONDS] [--only NAME,NAME] [--dir FOLDER]
names: postgres, sqlite, latency, outage";

struct Choice {
    records: u64,
    rounds: usize,
    outage: u64,
    only: Vec<String>,
    dir: std::path::PathBuf,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [first, way, url, records, dir] if first == "--child" => measure(way, url, records, Path::new(dir)),
        _ => choice(&arguments).and_then(|choice| tables(&choice)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("databases: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn choice(arguments: &[String]) -> Result<Choice, Failure> {
    let mut choice =
        Choice { records: 1_000_000, rounds: 1, outage: 60, only: Vec::new(), dir: std::env::temp_dir() };
    let mut arguments = arguments.iter();
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match option.as_str() {
            "--records" => choice.records = value.parse()?,
            "--rounds" => choice.rounds = value.parse()?,
            "--outage" => choice.outage = value.parse()?,
            "--only" => choice.only = value.split(',').map(str::to_owned).collect(),
            "--dir" => choice.dir = value.into(),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(choice)
}

fn measure(way: &str, url: &str, records: &str, dir: &Path) -> Result<(), Failure> {
    process::stand_apart();
    let way = Way::ALL.into_iter().find(|one| one.name() == way).ok_or("no such way")?;
    println!("{}", child::line(&databases::run(way, url, records.parse()?, dir)?));
    Ok(())
}

/// One measurement, in a folder of its own.
fn once(way: Way, url: &str, records: u64, dir: &Path) -> Result<benches::peer::Sample, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--child", way.name(), url, &records.to_string()]).arg(dir);
    child::figures(command)
}

fn tables(choice: &Choice) -> Result<(), Failure> {
    let wants = |name: &str| choice.only.is_empty() || choice.only.iter().any(|only| only == name);
    println!("{}\n", process::machine());
    let server = Postgres::start(&["fsync=on", "synchronous_commit=on", "full_page_writes=on"]);
    if wants("postgres") {
        println!("W7, {} records into PostgreSQL (one round: best of {}):\n", choice.records, choice.rounds);
        let ways = [Way::Copy, Way::Inserts, Way::MiuLog];
        rates(choice, &ways, |_| server.url())?;
    }
    if wants("sqlite") {
        println!("W7, {} records into SQLite (one round: best of {}):\n", choice.records, choice.rounds);
        let ways = [Way::SqliteBatches, Way::SqliteInserts, Way::MiuLog];
        rates(choice, &ways, |dir| format!("sqlite:{}", dir.join("bench.db").display()))?;
    }
    if wants("latency") {
        latencies(choice, &server.url())?;
    }
    if wants("outage") {
        outage(choice, &server)?;
    }
    Ok(())
}

/// Records a second by each way, in turn.
fn rates(choice: &Choice, ways: &[Way], url: impl Fn(&Path) -> String) -> Result<(), Failure> {
    let mut best = vec![None; ways.len()];
    for _ in 0..choice.rounds {
        for (way, best) in ways.iter().zip(&mut best) {
            let dir = tempfile::Builder::new().prefix("miu-log-w7-").tempdir_in(&choice.dir)?;
            let sample = once(*way, &url(dir.path()), choice.records, dir.path())?;
            let rate = sample.get("rate").copied().unwrap_or_default();
            if best.as_ref().is_none_or(|(before, _)| rate > *before) {
                *best = Some((rate, sample));
            }
        }
    }
    let limit = best.first().and_then(Option::as_ref).map(|(rate, _)| *rate);
    let mut table = Table::new([
        "way",
        "records/s",
        "of the limit",
        "rows missing",
        "rows twice",
        "logged in s",
        "peak MiB",
        "CPU us a record",
    ]);
    for (way, best) in ways.iter().zip(&best) {
        let Some((rate, sample)) = best else { continue };
        let cell = |name: &str| sample.get(name).map_or("-".to_owned(), |value| figure(*value));
        table.row(vec![
            way.title().to_owned(),
            figure(*rate),
            ratio(Some(*rate), limit),
            cell("missing"),
            cell("twice"),
            cell("logged"),
            cell("peak"),
            cell("cpu"),
        ]);
    }
    println!("{}", table.to_markdown());
    Ok(())
}

/// W1 with and without the database behind it.
fn latencies(choice: &Choice, url: &str) -> Result<(), Failure> {
    let records = (choice.records / 10).max(1000);
    println!("W1 ({records} records in bursts of 20, 1 thread) while they go into PostgreSQL:\n");
    let mut table = Table::new(["sinks", "p50 ns", "p99 ns", "p99.9 ns", "peak MiB"]);
    for way in [Way::LatencyFiles, Way::LatencyDatabase] {
        let dir = tempfile::Builder::new().prefix("miu-log-w7-").tempdir_in(&choice.dir)?;
        let sample = once(way, url, records, dir.path())?;
        let cell = |name: &str| sample.get(name).map_or("-".to_owned(), |value| figure(*value));
        table.row(vec![way.title().to_owned(), cell("p50"), cell("p99"), cell("p999"), cell("peak")]);
    }
    println!("{}", table.to_markdown());
    Ok(())
}

/// The server is away for a while under 5,000 records a second.
fn outage(choice: &Choice, server: &Postgres) -> Result<(), Failure> {
    let seconds = choice.outage;
    println!("Outage: the server is stopped for {seconds} s under 5,000 records/s, then started:\n");
    let dir = tempfile::Builder::new().prefix("miu-log-w7-").tempdir_in(&choice.dir)?;
    let away = std::time::Duration::from_secs(seconds);
    let found =
        databases::outage(&server.url(), dir.path(), away, || server.stop(), || server.start_again())?;
    let mut table = Table::new([
        "records",
        "rows",
        "rows twice",
        "lost",
        "latest line ms",
        "spool MiB",
        "caught up in s",
        "peak MiB",
    ]);
    table.row(
        ["records", "rows", "twice", "lost", "latest", "spool", "caught_up", "peak"]
            .map(|name| found.get(name).map_or("-".to_owned(), |value| figure(*value)))
            .to_vec(),
    );
    println!("{}", table.to_markdown());
    Ok(())
}
