//! Roles with log files that were added by hand.

use std::io::Write;

use miu_log::{Compression, File, Json, Level, LogConfig, Pattern, Retention, Rotation};
use miu_log_tests::logs;

use crate::{FLUSH, config};

/// Beside the usual files: the errors of all domains, in JSON and soon rotated; a file each for two domains; and one with a filter.
fn with_files(folder: &str) -> LogConfig {
    let errors = File::new("errors.jsonl")
        .min_level(Level::Error)
        .layout(Json::new())
        .rotation(Rotation::Size("2 kB"))
        .retention(Retention::Forever)
        .compression(Compression::None)
        .mode(0o600);
    let details = File::new("detail-{domain}.log").domains(["app", "db"]).min_level(Level::Info);
    let even = File::new("even.log").filter(|record| record.message().ends_with(['0', '2', '4', '6', '8']));
    config(folder).sink(errors).sink(details).sink(even)
}

/// Numbered records, an ERROR, an INFO and a DEBUG in turn; each said on stdout once its call has returned.
fn log_numbers(repo: &logs::Repository, numbers: std::ops::Range<u32>) {
    let mut stdout = std::io::stdout();
    for number in numbers {
        let level = [Level::Error, Level::Info, Level::Debug][number as usize % 3];
        repo.app.log(level, format_args!("number {number}"));
        writeln!(stdout, "acked={number}").unwrap();
        stdout.flush().unwrap();
        if number.is_multiple_of(10) {
            repo.flush(FLUSH).unwrap();
        }
    }
}

/// Logs, and ends properly where no step kills it.
pub(crate) fn log_to_added(folder: &str) {
    let repo = logs::Repository::open(with_files(folder)).unwrap();
    log_numbers(&repo, 0..61);
}

/// Logs, and is killed with records in the rings.
pub(crate) fn killed_with_added(folder: &str) {
    let repo = logs::Repository::open(with_files(folder)).unwrap();
    log_numbers(&repo, 0..61);
    log_numbers(&repo, 61..66);
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
}

/// Starts again with the same files.
pub(crate) fn reopen_added(folder: &str) {
    drop(logs::Repository::open(with_files(folder)).unwrap());
}

/// One file for several processes, in a layout that tells them apart.
fn shared(folder: &str) -> LogConfig {
    let layout = Pattern::parse("{time} | PID:{pid} | {level} | {message}").unwrap();
    let file = File::new("multiprocess.log").level(Level::Info).domain("task").layout(layout);
    config(folder).sink(file)
}

/// Three worker processes log ten messages each into one file.
pub(crate) fn lead_three_workers(folder: &str) {
    let repo = logs::Repository::open(shared(folder)).unwrap();
    let this = std::env::current_exe().unwrap();
    let start = |_| {
        let mut command = std::process::Command::new(&this);
        command.args(["ten-messages", folder]);
        repo.queue().share_with(&mut command).unwrap();
        command.spawn().unwrap()
    };
    let workers: Vec<_> = (0..3).map(start).collect();
    for mut worker in workers {
        println!("{}", worker.id());
        assert!(worker.wait().unwrap().success());
    }
}

/// One of these.
pub(crate) fn ten_messages(_folder: &str) {
    let repo = logs::Repository::connect().unwrap();
    for number in 0..10 {
        repo.task.info(format_args!("message {number}"));
    }
}
