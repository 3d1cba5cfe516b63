//! Kills processes that log, in round after round, and checks that nothing they were promised is lost or doubled:
//! `chaos [rounds]`.
//!
//! A round is a process with the log folder and some worker processes beside it, each ended by SIGKILL at some moment or at a step
//! of the library, in some order, and started again at once; or the log folder is handed over; then all end properly, and what
//! is in the folder is held against what the logging calls had returned from. `CHAOS_SEED` repeats the rounds of an earlier run, `CHAOS_FIRST` begins with a later one of them. The processes
//! are the program `child`, which stands beside this one.

#![allow(clippy::print_stdout, reason = "it is a program that reports")]

use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use miu_log_tests::chaos::{Round, run};

/// How many rounds are run where nobody says.
const ROUNDS: u64 = 200;
/// How many records all processes of a round log together in one life, at most.
const RECORDS: u64 = 400_000;

/// After so many rounds that failed no more are run: their folders are kept.
const MOST_FAILED: usize = 10;

/// A line of the table at the end.
#[derive(Default)]
struct Sum {
    rounds: u64,
    reached: u64,
    acked: u64,
    recovered: u64,
    lost: u64,
    doubled: u64,
    failed: u64,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let rounds = match std::env::args().nth(1) {
        Some(text) => text.parse().map_err(|_| format!("`{text}` is not a number of rounds"))?,
        None => ROUNDS,
    };
    let seed = match number("CHAOS_SEED")? {
        Some(seed) => seed,
        None => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos() as u64 % 1_000_000_007,
    };
    let first = number("CHAOS_FIRST")?.unwrap_or(0);
    let child = std::env::current_exe()?.with_file_name("child");
    if !cfg!(feature = "failpoints") {
        println!("built without failpoints: processes are killed at random moments only");
    }
    println!("CHAOS_SEED={seed}");

    let start = Instant::now();
    let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
    let mut failed = Vec::new();
    for number in first..first + rounds {
        let round = Round::new(seed, number, RECORDS);
        let outcome = run(&round, &child)?;
        let report = &outcome.report;
        let verdict = match (outcome.is_clean(), !outcome.missed) {
            (true, true) => "ok",
            (true, false) => "ok (a step was not reached)",
            (false, _) => "FAILED",
        };
        println!(
            "{round}; acked {}, recovered {}, lost {}, doubled {}: {verdict}",
            report.acked, outcome.recovered, report.lost, report.doubled
        );
        if !outcome.is_clean() {
            println!("  {report}");
            outcome.problems.iter().for_each(|problem| println!("  {problem}"));
            outcome.kept.iter().for_each(|folder| println!("  kept {}", folder.display()));
            println!("  again: CHAOS_SEED={seed} CHAOS_FIRST={number} cargo xtask chaos 1");
            failed.push(number);
        }
        let sum = sums.entry(round.subject).or_default();
        sum.rounds += 1;
        sum.reached += u64::from(!outcome.missed);
        sum.acked += report.acked;
        sum.recovered += outcome.recovered;
        sum.lost += report.lost;
        sum.doubled += report.doubled;
        sum.failed += u64::from(!outcome.is_clean());
        if failed.len() == MOST_FAILED {
            println!("{MOST_FAILED} rounds have failed, that is enough");
            break;
        }
    }
    print_table(&sums);
    let run: u64 = sums.values().map(|sum| sum.rounds).sum();
    println!("{run} rounds in {} s, CHAOS_SEED={seed}", start.elapsed().as_secs());
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("failed: {failed:?}");
    Ok(ExitCode::FAILURE)
}

/// A number in the environment.
fn number(name: &str) -> Result<Option<u64>, Box<dyn Error>> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(text.parse().map_err(|_| format!("{name}={text} is not a number"))?)),
        Err(_) => Ok(None),
    }
}

fn print_table(sums: &BTreeMap<&str, Sum>) {
    let heads = ["rounds", "reached", "acked", "recovered", "lost", "doubled", "failed"];
    print!("\n{:<20}", "killed at");
    heads.iter().for_each(|head| print!("{head:>11}"));
    println!();
    for (subject, Sum { rounds, reached, acked, recovered, lost, doubled, failed }) in sums {
        print!("{subject:<20}");
        [rounds, reached, acked, recovered, lost, doubled, failed]
            .iter()
            .for_each(|number| print!("{number:>11}"));
        println!();
    }
    println!();
}
