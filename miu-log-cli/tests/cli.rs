//! The real program, on folders of a live repository, of nobody, and with broken files in them.

#![allow(clippy::unwrap_used, reason = "every use is a test, where a panic is the report")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use miu_log::testing::ManualListener;
use miu_log::{Batch, Deliver, DeliverError, LogConfig, Remote, Timeouts, log_domains};

#[log_domains(app)]
mod logs {}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_miu-log"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = program(arguments).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn status(folder: &Path) -> (i32, String, String) {
    run(&["status", folder.to_str().unwrap()])
}

/// A folder without a repository, with a runtime directory in it.
fn abandoned() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join(".miu");
    fs::create_dir(&inside).unwrap();
    (folder, inside)
}

#[test]
fn status_of_a_live_repository_shows_holder_and_unread_rings() {
    let folder = tempfile::tempdir().unwrap();
    let listener = ManualListener::new();
    let config = LogConfig::new(folder.path()).console(false).manual_listener(&listener);
    let repo = logs::Repository::open(config).unwrap();
    let queue = repo.queue();
    let worker = std::thread::Builder::new().name("evil\u{1b}[2J\nname".to_owned());
    let worker = worker.spawn(move || {
        let repo = logs::Repository::worker(queue);
        repo.app.info("one");
        repo.app.info("two");
    });
    worker.unwrap().join().unwrap();
    let (code, out, err) = status(folder.path());
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains(&format!("yes, by process {} since 20", std::process::id())), "{out}");
    assert!(!out.contains('\u{1b}'), "{out:?}");
    let row = out.lines().find(|line| line.ends_with("evil\\u{1b}[2J\\nname")).unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    let [process, _, _, capacity, unread, accepted, state, _] = cells[..] else { panic!("{row}") };
    assert_eq!(process, std::process::id().to_string());
    assert_eq!((capacity, accepted, state), ("65536", "2", "ended"));
    assert!(unread.parse::<u64>().unwrap() > 0);

    while listener.step() > 0 {}
    let (_, out, _) = status(folder.path());
    assert!(out.lines().all(|line| !line.contains("unread") || line.contains(" 0 bytes")), "{out}");
    let lines = fs::read_to_string(folder.path().join("app.log")).unwrap();
    assert_eq!(lines.lines().count(), 2, "looking takes nothing away");

    drop(repo);
    let (code, out, _) = status(folder.path());
    assert_eq!(code, 3, "{out}");
}

#[test]
fn status_of_a_folder_that_nobody_has_is_3_and_of_none_is_1() {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, err) = status(folder.path());
    assert_eq!((code, err.as_str()), (3, ""));
    assert!(out.contains("in use             no\n") && out.contains("none was found"), "{out}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

    let missing = folder.path().join("missing");
    let (code, out, err) = status(&missing);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.starts_with("error: cannot look at the log folder"), "{err}");
    assert!(!missing.exists());
}

#[test]
fn status_of_a_folder_that_programs_share_does_not_say_that_nobody_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = LogConfig::new(folder.path()).console(false).isolated(true).app("alpha");
    let _repo = logs::Repository::open(config).unwrap();
    let (code, out, err) = status(folder.path());
    assert_eq!((code, err.as_str()), (0, ""));
    let (head, of_app) = out.split_once("\nof the app alpha").unwrap();
    assert!(
        head.contains("in use             see its apps, below\n") && !head.contains("none was found"),
        "{out}"
    );
    assert!(of_app.contains("in use             yes, by process"), "{out}");
}

/// A destination that is not there until it is told, and takes no record with `bad` in it. How many it has taken.
#[derive(Clone, Default)]
struct Fussy(Arc<(AtomicBool, AtomicU64)>);

impl Deliver for Fussy {
    fn deliver(&mut self, batch: &Batch<'_>, _timeouts: Timeouts) -> Result<(), DeliverError> {
        if batch.iter().any(|line| line.as_bytes().windows(3).any(|it| it == b"bad")) {
            return Err(DeliverError::refused("it is bad"));
        }
        if !self.0.0.load(Ordering::Acquire) {
            return Err(DeliverError::retry("it is down"));
        }
        self.0.1.fetch_add(batch.len() as u64, Ordering::Release);
        Ok(())
    }
}

/// Waits for this, which has to come true within a minute.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn status_shows_what_waits_in_spools_and_what_was_refused_while_a_program_runs_and_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let far = Fussy::default();
    let open = || {
        let remote =
            Remote::new("far", far.clone()).batch_age(Duration::ZERO).first_pause(Duration::from_millis(1));
        let config =
            LogConfig::new(folder.path()).console(false).panic_hook(false).sink(remote.retries(1_000_000));
        logs::Repository::open(config.sink_timeout(Duration::from_secs(2))).unwrap()
    };
    let repo = open();
    repo.app.error("bad");
    wait_until("it is refused", || repo.stats().sinks.iter().any(|sink| sink.dead_letters == 1));
    for number in 0..3 {
        repo.app.error(format!("record {number}"));
    }
    repo.flush(Duration::from_secs(60)).unwrap();
    let shown = |code: i32| {
        let (found, out, err) = status(folder.path());
        assert_eq!((found, err.as_str()), (code, ""), "{out}");
        let row = out.lines().find(|line| line.ends_with("  far")).unwrap_or_else(|| panic!("{out}"));
        let cells: Vec<String> = row.split_whitespace().map(str::to_owned).collect();
        let [records, bytes, age, refused, _] = &cells[..] else { panic!("{out}") };
        let dead = fs::canonicalize(folder.path()).unwrap().join(".outbox/far/dead-letters");
        assert!(out.contains(&format!("{dead:?}: 1 record\n")), "{out}");
        assert_eq!(refused, "1");
        (records.clone(), bytes.parse::<u64>().unwrap(), age.ends_with('s'))
    };
    let (records, bytes, has_age) = shown(0);
    assert!(records == "3" && bytes > 100 && has_age, "{records} {bytes}");
    drop(repo);
    assert_eq!(shown(3), (records, bytes, true));

    // Looking has taken nothing away.
    far.0.0.store(true, Ordering::Release);
    let repo = open();
    wait_until("they have arrived", || far.0.1.load(Ordering::Acquire) == 3);
    wait_until("that is written down", || repo.stats().sinks.iter().all(|sink| sink.held == 0));
    assert_eq!(shown(0), ("0".to_owned(), 0, false));
}

#[test]
fn broken_rings_are_named_with_the_reason() {
    let (folder, inside) = abandoned();
    fs::write(inside.join("ring-1-0-0"), b"miulogS1").unwrap();
    let mut newer = b"miulogS1\x09\0\0\0".to_vec();
    newer.resize(9000, 0xff);
    fs::write(inside.join("ring-1-1-0"), newer).unwrap();
    fs::write(inside.join("ring-1-2-\u{1b}[2J"), [0xff; 70_000]).unwrap();
    fs::write(inside.join("holder"), [0xff; 70_000]).unwrap();
    let (code, out, err) = status(folder.path());
    assert_eq!((code, err.as_str()), (3, ""), "{out}");
    assert!(out.contains("ring-1-0-0\": it is shorter than a ring's header"), "{out}");
    assert!(out.contains("it has layout version 9; this program reads version "), "{out}");
    assert!(out.contains("it does not begin as a ring does") && !out.contains('\u{1b}'), "{out:?}");
    assert!(out.contains("/.miu\": 3 rings"), "{out}");
}

#[test]
fn a_reader_who_goes_away_is_no_error() {
    let (folder, inside) = abandoned();
    // More than a pipe holds, so that the program is still writing when nobody reads any more.
    for number in 0..2000 {
        fs::write(inside.join(format!("ring-1-{number}-0")), "").unwrap();
    }
    let mut child = program(&["status", folder.path().to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    assert_eq!((status.code(), String::from_utf8(stderr).unwrap().as_str()), (Some(3), ""));
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let Output { status, stderr, .. } = program(&["pattern", "{message}"]).stdout(full).output().unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(String::from_utf8(stderr).unwrap().starts_with("error: cannot write to stdout: No space left"));
}

#[test]
fn pattern_shows_a_sample_line() {
    let (code, out, err) = run(&["pattern", "{level:<8}|{domain}|{message}{fields}"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, "WARNING |db|query took 81.2 ms | rows=12 user=\"Ada L.\"\n");
    assert_eq!(run(&["pattern", "- {message}"]).1, "- query took 81.2 ms\n");
}

// F77: the zone is what the environment says when the program starts.
#[test]
fn local_time_is_that_of_the_environment_and_a_bad_one_is_told() {
    let sample = |tz: &str| {
        let Output { stdout, stderr, .. } =
            program(&["pattern", "{time:Z zz} {message}"]).env("TZ", tz).output().unwrap();
        (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    };
    assert_eq!(sample("XYZ-05:30"), ("+05:30 XYZ query took 81.2 ms\n".to_owned(), String::new()));
    assert_eq!(sample(""), ("+00:00 UTC query took 81.2 ms\n".to_owned(), String::new()));
    let (line, notice) = sample("Middle/Earth");
    assert_eq!(line, "+00:00 UTC query took 81.2 ms\n");
    assert!(notice.starts_with("miu-log: TZ is \"Middle/Earth\": "), "{notice}");
    assert!(notice.ends_with("; times are written in UTC\n"), "{notice}");
}

#[test]
fn a_pattern_may_be_a_preset_or_in_the_notation_of_python() {
    let (code, out, _) = run(&["pattern", "service_console"]);
    assert!(code == 0 && out.ends_with(" | query took 81.2 ms | rows=12 user=\"Ada L.\"\n"), "{out}");
    let (code, out, _) = run(&["pattern", "[%(levelname)s] %(name)s - %(message)s"]);
    assert_eq!((code, out.as_str()), (0, "[WARNING] db - query took 81.2 ms | rows=12 user=\"Ada L.\"\n"));
    let (code, _, err) = run(&["pattern", "servise"]);
    assert!(code == 1 && err.contains("did you mean \"service\"?"), "{err}");
}

#[test]
fn a_mistake_in_a_pattern_is_pointed_at() {
    let (code, out, err) = run(&["pattern", "{time} {lvl}"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.starts_with("error: malformed pattern: at column 9 stands the unknown key \"lvl\""), "{err}");
    assert!(err.ends_with("\n\n  {time} {lvl}\n          ^\n"), "{err}");
}

#[test]
fn wrong_usage_is_2_and_help_names_the_exit_codes() {
    for arguments in [&[][..], &["stauts"], &["status", "a", "b"], &["pattern"]] {
        let (code, out, err) = run(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
        assert!(err.contains("Usage: miu-log"), "{err}");
    }
    let (code, out, _) = run(&["status", "--help"]);
    assert!(
        code == 0 && out.contains("[default: logs]") && out.contains("3  nobody has the folder"),
        "{out}"
    );
    assert!(run(&["--help"]).1.contains("status") && run(&["--version"]).1.starts_with("miu-log 0."));
}

/// Has a repository log in this very folder and die: by a copy of what a living one has there.
fn dead_run(records: u32) -> (tempfile::TempDir, PathBuf, PathBuf) {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().unwrap();
    let (logs, runtime) = (root.path().join("logs"), root.path().join("runtime"));
    fs::create_dir(&runtime).unwrap();
    let listener = ManualListener::new();
    let config = LogConfig::new(&logs).console(false).level_files(false).manual_listener(&listener);
    let repo = logs::Repository::open(config).unwrap();
    for number in 0..records {
        miu_log::info!(repo.app, "record {number}");
    }
    let there = PathBuf::from(repo.queue().endpoint().to_string());
    let copy = runtime.join(there.file_name().unwrap());
    fs::create_dir(&copy).unwrap();
    fs::set_permissions(&copy, PermissionsExt::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(&there).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
    }
    while listener.step() > 0 {}
    repo.shutdown();
    fs::write(logs.join("app.log"), "").unwrap();
    (root, logs, copy)
}

fn recover(logs: &Path, copy: &Path) -> (i32, String, String) {
    let mut command = program(&["recover", logs.to_str().unwrap()]);
    let Output { status, stdout, stderr } =
        command.env("MIU_LOG_RUNTIME_DIR", copy.parent().unwrap()).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn recover_brings_a_dead_runs_records_into_the_files_once() {
    let (_root, logs, copy) = dead_run(3);
    let (code, out, err) = recover(&logs, &copy);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("recovered          3 records of 1 processes"), "{out}");
    let row = format!("{}        3  main", std::process::id());
    assert!(out.contains(&row), "{out}");
    let lines = fs::read_to_string(logs.join("app.log")).unwrap();
    assert_eq!(lines.lines().filter(|line| line.contains("| record ")).count(), 3, "{lines}");
    assert!(!copy.exists());
    let (code, out, _) = recover(&logs, &copy);
    assert_eq!((code, out.as_str()), (0, "nothing to recover: every run has ended properly\n"));
}

#[test]
fn recover_says_what_could_not_be_read() {
    let (_root, logs, copy) = dead_run(3);
    fs::write(copy.join("ring-1-77-0"), [0xa5; 9000]).unwrap();
    let (code, out, err) = recover(&logs, &copy);
    assert_eq!(code, 3, "{out}{err}");
    assert!(out.contains("3 records of 1 processes") && out.contains("could not be read  1 "), "{out}");
    assert!(err.contains("left-behind-1"), "{err}");
}

#[test]
fn recover_is_refused_while_a_service_has_the_folder_and_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let repo = logs::Repository::open(LogConfig::new(folder.path()).console(false)).unwrap();
    let (code, out, err) = run(&["recover", folder.path().to_str().unwrap()]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("is in use by process"), "{err}");
    drop(repo);
    let (code, _, err) = run(&["recover", folder.path().join("missing").to_str().unwrap()]);
    assert!(code == 1 && err.contains("there is no log folder"), "{err}");
    let (code, _, _) = run(&["recover"]);
    assert_eq!(code, 2);
}

#[test]
fn a_file_with_all_that_a_program_can_have_is_good_and_a_mistake_beside_a_secret_does_not_tell_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yml");
    let check = |text: &str| {
        fs::write(&file, text).unwrap();
        run(&["check", &file.to_string_lossy()])
    };
    let good = "logging:\n  database: {enabled: true}\n  webhook: {url: \"https://example.org/canary\"}\ndatabase:\n  url: postgres://ann:canary@db/orders\n";
    let (code, stdout, stderr) = check(good);
    assert_eq!((code, stdout.ends_with(" is good\n")), (0, true), "{stdout}{stderr}");
    let (code, stdout, stderr) = check(&good.replace("  url: postgres", "  host: postgres"));
    assert!(code != 0 && stderr.contains("database.host: here is more than a host's name"), "{stderr}");
    assert!(!format!("{stdout}{stderr}").contains("canary"));
}
