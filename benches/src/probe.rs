//! What the two probes, `allocations` and `syscalls`, have in common: a parent that prints a table, and a child for each peer that
//! asks a counter around the calls of one thread.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is the body of two programs")]

use std::path::PathBuf;
use std::process::ExitCode;

use crate::peer::{Plan, Workload};
use crate::{Failure, child, peers, process, tsc};

/// The peers that a probe looks at if none is named.
pub const PEERS: [&str; 4] = ["miu-log", "tracing-appender", "slog-async", "spdlog-rs"];

/// The program: with `--child PEER DIR` it measures that peer here, asking `probe` around the calls; otherwise it gives the names to
/// `table`, which starts such children.
pub fn run(program: &str, probe: fn() -> u64, table: fn(&[String]) -> Result<(), Failure>) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [first, peer, dir] if first == "--child" => measure_here(peer, dir, probe),
        names => table(names),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{program}: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn measure_here(peer: &str, dir: &str, probe: fn() -> u64) -> Result<(), Failure> {
    process::stand_apart();
    let plan = Plan {
        dir: PathBuf::from(dir),
        workload: Workload::Probe,
        threads: 1,
        records_per_thread: 10_000,
        pair: tsc::Pair::Plain,
        probe,
    };
    let entry = peers::find(peer).ok_or_else(|| format!("unknown peer {peer:?}"))?;
    println!("{}", child::line(&(entry.run)(&plan)?));
    Ok(())
}
