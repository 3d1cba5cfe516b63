//! Scenarios: what a program that logs can rely on, one idea a module.
//!
//! They are one program, because each test program costs a link. What counts threads, descriptors or memory of a whole process, or
//! ends one, is done by the program `child`.

#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

mod added_files;
mod bad_paths;
mod bridges;
mod broken_rings;
mod captures;
mod chaos;
mod churn;
mod clock;
mod config_files;
mod console;
mod context;
mod counters;
mod crashes;
mod database;
mod debug_toggle;
mod descriptors;
mod destructors;
mod diagnosis;
mod displays;
mod domains;
mod durability;
mod early;
mod ends;
mod environment;
mod exception;
mod fields;
mod files;
mod flush;
mod forks;
mod formats;
mod heartbeats;
mod held_lines;
mod hostile;
mod huge;
mod in_use;
mod injected;
mod kept_files;
mod layouts;
mod level_limits;
mod lifecycle;
mod logrotate;
mod main_job;
mod metrics;
mod overflow;
mod panics;
mod postgres;
mod postgres_faults;
mod postgres_tables;
mod processes;
mod programs;
mod puppet;
mod recover;
mod redaction;
mod remote;
mod restart;
mod rotation;
mod secrets;
mod signals;
mod sinks;
mod small_memory;
mod take_over;
mod target_levels;
mod time_order;
mod workers;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use miu_log_tests::Place;

/// Longer than any flush takes.
const FLUSH: Duration = Duration::from_secs(60);

/// The child program in this role, on this place's log folder and with its runtime directory.
fn child(place: &Place, role: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_child"));
    prepare(&mut command, place);
    command.arg(role).arg(place.logs());
    command
}

/// The child program in this role, started by another program, which is given it as its last arguments.
fn child_under<'a>(
    program: &str,
    arguments: impl IntoIterator<Item = &'a str>,
    place: &Place,
    role: &str,
) -> Command {
    let mut command = Command::new(program);
    prepare(&mut command, place);
    command.args(arguments).arg(env!("CARGO_BIN_EXE_child")).arg(role).arg(place.logs());
    command
}

/// The child program in this role, with a fault injected into these system calls on this file.
fn child_with_fault(place: &Place, (path, call, fault): (&Path, &str, &str), role: &str) -> Command {
    assert!(is_installed("strace"), "this scenario injects faults into system calls by means of strace");
    let (path, trace) = (path.to_str().unwrap(), format!("trace={call}"));
    let inject = format!("inject={call}:{fault}");
    let to_nowhere = ["-f", "--seccomp-bpf", "-qq", "-o", "/dev/null"];
    let arguments = to_nowhere.into_iter().chain(["-P", path, "-e", &trace, "-e", &inject]);
    child_under("strace", arguments, place, role)
}

fn prepare(command: &mut Command, place: &Place) {
    command
        .env("MIU_LOG_RUNTIME_DIR", place.runtime())
        .env_remove("RUST_BACKTRACE")
        .env_remove("RUST_LIB_BACKTRACE");
}

/// Whether a program can be found; a scenario that needs it says so when it fails.
fn is_installed(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).exists()))
}

/// The text of every file in a folder, for asserting that something is nowhere.
fn everything(folder: &Path) -> String {
    let names = miu_log_tests::names(folder);
    names.iter().filter_map(|name| std::fs::read_to_string(folder.join(name)).ok()).collect()
}
