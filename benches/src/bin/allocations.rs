//! `allocations`: counts what a logging call allocates on its caller's thread, after the thread's first
//! records.
//!
//! A program of its own, because the counting allocator would disturb the timed ones. Takes names of peers;
//! without any it looks at miu-log and a few others. Each is measured in a child process.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use benches::allocator::{self, Counting};
use benches::peer::{Plan, Workload};
use benches::report::{Table, figure};
use benches::{Failure, child, peers, process, tsc};

const PEERS: [&str; 4] = ["miu-log", "tracing-appender", "slog-async", "spdlog-rs"];

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [first, peer, dir] if first == "--child" => measure_here(peer, dir),
        names => table(names),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("allocations: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn measure_here(peer: &str, dir: &str) -> Result<(), Failure> {
    process::stand_apart();
    let plan = Plan {
        dir: PathBuf::from(dir),
        workload: Workload::Probe,
        threads: 1,
        records_per_thread: 10_000,
        pair: tsc::Pair::Plain,
        probe: allocator::allocations,
    };
    let entry = peers::find(peer).ok_or_else(|| format!("unknown peer {peer:?}"))?;
    println!("{}", child::line(&(entry.run)(&plan)?));
    Ok(())
}

fn table(names: &[String]) -> Result<(), Failure> {
    let names: Vec<&str> =
        if names.is_empty() { PEERS.to_vec() } else { names.iter().map(String::as_str).collect() };
    let mut table = Table::new(["peer", "records", "allocations by the caller", "a record"]);
    for name in names {
        let dir = std::env::temp_dir().join(format!("miu-log-allocations-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--child", name]).arg(&dir);
        let outcome = child::figures(command);
        std::fs::remove_dir_all(&dir)?;
        let sample = outcome.map_err(|failure| format!("{name}: {failure}"))?;
        let [allocations, records] = ["probed", "records"].map(|key| sample.get(key).copied().unwrap_or(0.0));
        table.row(vec![
            name.into(),
            records.to_string(),
            allocations.to_string(),
            figure(allocations / records),
        ]);
    }
    println!("{}", table.to_markdown());
    Ok(())
}
