//! `allocations`: counts what a logging call allocates on its caller's thread, after the thread's first
//! records.
//!
//! A program of its own, because the counting allocator would disturb the timed ones. Takes names of peers;
//! without any it looks at miu-log and a few others. Each is measured in a child process.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::{Command, ExitCode};

use benches::allocator::{self, Counting};
use benches::probe::{self, PEERS};
use benches::report::{Table, figure};
use benches::{Failure, child};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    probe::run("allocations", allocator::allocations, table)
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
