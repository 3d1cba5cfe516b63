//! Roles whose log files fail while they log.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use miu_log::{Level, SinkState, SinkStats};
use miu_log_tests::{logs, wait_until};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{FLUSH, config};

fn sink(repo: &logs::Repository, name: &str) -> SinkStats {
    repo.stats().sinks.into_iter().find(|sink| sink.name == name).unwrap()
}

/// Numbered records, each said on stdout once its call has returned.
fn log_numbers(repo: &logs::Repository, numbers: std::ops::Range<u32>) {
    let mut stdout = std::io::stdout();
    for number in numbers {
        repo.app.info(format_args!("number {number}"));
        writeln!(stdout, "acked={number}").unwrap();
        stdout.flush().unwrap();
        if number.is_multiple_of(10) {
            // It fails while the file does.
            let _ = repo.flush(FLUSH);
        }
    }
}

/// Forty lines wait for `app.log`, which is moved away, with something in its place; both paths.
fn held(folder: &str) -> (logs::Repository, PathBuf, PathBuf) {
    let (path, aside) = (Path::new(folder).join("app.log"), Path::new(folder).join("app.log.aside"));
    let repo = logs::Repository::open(config(folder).sink_timeout(Duration::from_millis(50))).unwrap();
    log_numbers(&repo, 0..20);
    std::fs::rename(&path, &aside).unwrap();
    std::fs::create_dir(&path).unwrap();
    wait_until("the file is missed", || sink(&repo, "app.log").errors > 0);
    log_numbers(&repo, 20..60);
    (repo, path, aside)
}

/// `app.log` is moved away and something is in its place; after a while it is put back. Many steps at which the process can be killed.
pub(crate) fn file_in_the_way(folder: &str) {
    let (repo, path, aside) = held(folder);
    assert_eq!(sink(&repo, "app.log").state, SinkState::Failing);
    std::fs::remove_dir(&path).unwrap();
    std::fs::rename(&aside, &path).unwrap();
    wait_until("the file works again", || {
        repo.app.debug("more to do");
        sink(&repo, "app.log").state == SinkState::Working
    });
    log_numbers(&repo, 60..80);
}

/// `app.log` cannot be written to, and the process is killed while lines wait for it.
pub(crate) fn killed_while_held(folder: &str) {
    let (repo, ..) = held(folder);
    assert!(repo.flush(FLUSH).is_err());
    assert_eq!(sink(&repo, "app.log").held, 40);
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
}

/// Logs on a disk that is full, then has it enlarged by `mount`, and goes on.
pub(crate) fn full_disk(folder: &str, more: &[String]) {
    let count: u32 = more[0].parse().unwrap();
    let start = std::time::Instant::now();
    let repo = logs::Repository::open(config(folder).overflow(miu_log::OverflowPolicy::Block)).unwrap();
    for number in 0..count {
        let level = match number {
            number if number.is_multiple_of(100) => Level::Error,
            number if number.is_multiple_of(10) => Level::Debug,
            _ => Level::Info,
        };
        repo.app.log(level, format_args!("number {number} {:>100}", "on a small disk"));
    }
    assert!(repo.flush(FLUSH).is_err(), "a flush does not say that all is written");
    let full = sink(&repo, "app.log");
    assert_eq!(full.state, SinkState::Failing);
    assert!(full.fault.as_ref().is_some_and(|fault| fault.contains("No space left")), "{full:?}");
    let status = std::process::Command::new("mount").args(["-o", "remount,size=64m", folder]).status();
    assert!(status.unwrap().success());
    wait_until("the files work again", || {
        repo.stats().sinks.iter().all(|sink| sink.state == SinkState::Working && sink.held == 0)
    });
    for number in 0..1000 {
        repo.app.info(format_args!("after {number}"));
    }
    repo.flush(FLUSH).unwrap();
    let after = sink(&repo, "app.log");
    assert_eq!(after.fault, None);
    repo.shutdown();
    let stats = repo.stats();
    println!(
        "accepted={} written={} dropped={} pending={} held_then={} lost={} seconds={}",
        stats.accepted,
        stats.written,
        stats.dropped,
        stats.pending,
        full.held,
        sink(&repo, "app.log").dropped,
        start.elapsed().as_secs(),
    );
}

/// Logs numbers all the time until stdin ends; then says how many, and how many of them `app.log` has lost as far as is known.
pub(crate) fn numbers_until_told(folder: &str, more: &[String]) {
    let repo = logs::Repository::open(config(folder).handle_signals(!more.is_empty())).unwrap();
    let stop = AtomicBool::new(false);
    let logged = std::thread::scope(|scope| {
        let logging = scope.spawn(|| {
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                repo.app.info(format_args!("number {number}"));
                number += 1;
                if number % 50 == 0 {
                    std::thread::park_timeout(Duration::from_millis(1));
                }
            }
            number
        });
        println!("logging");
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        stop.store(true, Ordering::Relaxed);
        logging.join().unwrap()
    });
    repo.shutdown();
    println!("logged={logged} lost={}", sink(&repo, "app.log").dropped);
}

/// For each line on stdin one SUCCESS record, whose file is made by the first of them, and what has become of it.
pub(crate) fn success_on_command(folder: &str) {
    let repo = logs::Repository::open(config(folder)).unwrap();
    for (number, _) in std::io::stdin().lines().enumerate() {
        repo.app.success(format_args!("number {number}"));
        let _ = repo.flush(FLUSH);
        let SinkStats { state, held, fault, .. } = sink(&repo, "success.log");
        println!("{state:?} held={held} {}", fault.unwrap_or_default());
    }
}

/// For each line on stdin a record and a rotation, and what has become of them.
pub(crate) fn rotate_on_command(folder: &str) {
    let repo = logs::Repository::open(config(folder).level_files(false)).unwrap();
    for (number, _) in std::io::stdin().lines().enumerate() {
        repo.app.info(format_args!("number {number}"));
        let rotated = repo.rotate().map_or_else(|error| error.to_string(), |()| "rotated".to_owned());
        let SinkStats { state, written, fault, .. } = sink(&repo, "app.log");
        println!("{state:?} written={written} {rotated} / {}", fault.unwrap_or_default());
    }
}

/// The files come to the limit of their size, which is then raised again.
pub(crate) fn file_size_limit(folder: &str) {
    let repo = logs::Repository::open(config(folder).overflow(miu_log::OverflowPolicy::Block)).unwrap();
    let log = |numbers: std::ops::Range<u32>| {
        numbers.for_each(|number| repo.app.info(format_args!("number {number} {:>100}", "of many")));
        repo.flush(FLUSH)
    };
    log(0..10).unwrap();
    let before = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: Some(300_000), ..before }).unwrap();
    assert!(log(10..3000).is_err());
    let full = sink(&repo, "app.log");
    assert!(full.fault.as_ref().is_some_and(|fault| fault.contains("File too large")), "{full:?}");
    assert_eq!(full.written + full.held + full.dropped, 3000, "a torn line is one record: {full:?}");
    assert!(std::fs::metadata(Path::new(folder).join("app.log")).unwrap().len() <= 300_000);
    setrlimit(Resource::Fsize, before).unwrap();
    log(3000..3010).unwrap();
    assert_eq!((sink(&repo, "app.log").state, sink(&repo, "app.log").dropped), (SinkState::Working, 0));
}
