//! `syscalls`: counts the system calls a logging thread makes while it logs, after its first records.
//!
//! Runs a child under `strace -f` and counts the calls of the logging thread between two that mark the
//! stretch (`getppid`). Takes names of peers; without any it looks at miu-log and a few others. Prints
//! nothing but a remark where strace is missing.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};

use benches::probe::{self, PEERS};
use benches::report::{Table, figure};
use benches::{Failure, child};

/// A call that no logger makes, so that it can mark the stretch in strace's output.
const MARK: &str = "getppid";

fn main() -> ExitCode {
    probe::run("syscalls", mark, table)
}

/// Makes the call that marks the stretch.
fn mark() -> u64 {
    rustix::process::getppid().map_or(0, |parent| parent.as_raw_nonzero().get() as u64)
}

fn table(names: &[String]) -> Result<(), Failure> {
    if Command::new("strace").arg("-V").output().is_err() {
        println!("strace is not installed, so system calls were not counted");
        return Ok(());
    }
    let names: Vec<&str> =
        if names.is_empty() { PEERS.to_vec() } else { names.iter().map(String::as_str).collect() };
    let mut table = Table::new(["peer", "records", "system calls by the caller", "a record", "which"]);
    for name in names {
        let dir = std::env::temp_dir().join(format!("miu-log-syscalls-{}", std::process::id()));
        let trace = dir.with_extension("strace");
        std::fs::create_dir_all(&dir)?;
        let mut command = Command::new("strace");
        command.args(["-f", "-o"]).arg(&trace).arg(std::env::current_exe()?);
        command.args(["--child", name]).arg(&dir);
        let outcome = child::figures(command).and_then(|sample| Ok((sample, calls(&trace)?)));
        std::fs::remove_dir_all(&dir)?;
        let _ = std::fs::remove_file(&trace);
        let (sample, calls) = outcome.map_err(|failure| format!("{name}: {failure}"))?;
        let records = sample.get("records").copied().unwrap_or(0.0);
        let total: u64 = calls.values().sum();
        let which: Vec<String> = calls.iter().map(|(call, count)| format!("{call} {count}")).collect();
        table.row(vec![
            name.into(),
            records.to_string(),
            total.to_string(),
            figure(total as f64 / records),
            which.join(", "),
        ]);
    }
    println!("{}", table.to_markdown());
    Ok(())
}

/// The calls between the two marks, of the thread that made the marks.
fn calls(trace: &Path) -> Result<BTreeMap<String, u64>, Failure> {
    count_calls(&std::fs::read_to_string(trace)?)
}

fn count_calls(trace: &str) -> Result<BTreeMap<String, u64>, Failure> {
    let mut caller = None;
    let mut calls = BTreeMap::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(char::is_whitespace) else { continue };
        // A call that another thread interrupts is shown twice; its second half begins with `<...`, a signal
        // with `---`.
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        let is_call = call.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        match (caller, call == MARK) {
            (None, true) => caller = Some(thread),
            (Some(marked), true) if marked == thread => return Ok(calls),
            (Some(marked), false) if marked == thread && is_call => {
                *calls.entry(call.to_owned()).or_insert(0) += 1;
            }
            _ => {}
        }
    }
    Err("the trace does not hold both marks".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_marking_threads_calls_between_the_marks_count() -> Result<(), Failure> {
        let trace = "7 write(1) = 1\n7 getppid() = 1\n8 write(3) = 9\n7 futex(0x7, FUTEX_WAKE <unfinished ...>\n\
                     8 read(3) = 1\n7 <... futex resumed>) = 1\n7 getppid() = 1\n7 write(1) = 1\n";
        assert_eq!(count_calls(trace)?, BTreeMap::from([("futex".to_owned(), 1)]));
        Ok(())
    }
}
