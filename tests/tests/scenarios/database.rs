//! A database in a SQLite file: every record is a row of it, once, whatever happens to the process or to the file.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use miu_log::{Database, LogConfig, Remote, SinkState};
use miu_log_tests::{Outcome, Place, logs, names, run, wait_until};
use rusqlite::Connection;

use crate::{FLUSH, child, is_installed};

fn path(place: &Place) -> PathBuf {
    place.root().join("data/logs.db")
}

fn address(place: &Place) -> String {
    format!("sqlite://{}", path(place).display())
}

/// The usual configuration with this database, whose batches do not wait for others.
fn config(place: &Place) -> LogConfig {
    let database = Remote::database(Database::url(address(place)))
        .batch_age(Duration::from_millis(1))
        .first_pause(Duration::from_millis(1));
    place.config().sink(database)
}

/// The file as anybody can read it; it is not made.
fn read(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(Duration::from_secs(30))?;
    Ok(connection)
}

/// How many rows the program itself has logged. None where there is no table yet.
fn rows(path: &Path) -> usize {
    let query = "SELECT count(*) FROM miu_logs WHERE logger_name = 'app'";
    read(path)
        .and_then(|it| it.query_row(query, [], |row| row.get::<_, i64>(0)))
        .map_or(0, |rows| rows as usize)
}

/// How often each message with a number is in the table, which is whole.
fn messages(path: &Path) -> BTreeMap<String, usize> {
    let connection = read(path).unwrap();
    let check: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let mut query = connection.prepare("SELECT message FROM miu_logs WHERE message LIKE 'n %'").unwrap();
    let mut messages = BTreeMap::new();
    for message in query.query_map([], |row| row.get::<_, String>(0)).unwrap() {
        *messages.entry(message.unwrap()).or_default() += 1;
    }
    messages
}

/// Has all of it in the file itself, and nothing beside it.
fn fold(path: &Path) {
    read(path).unwrap().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    assert!(!path.with_file_name("logs.db-wal").exists());
}

/// Asserts that each of these numbers is in the table once, and nothing else.
fn assert_numbers(path: &Path, numbers: impl Iterator<Item = u64>) {
    let expected: BTreeMap<String, usize> = numbers.map(|number| (format!("n {number}"), 1)).collect();
    let found = messages(path);
    let twice: Vec<_> = found.iter().filter(|(_, times)| **times > 1).take(5).collect();
    assert!(twice.is_empty(), "there more than once: {twice:?}");
    let missing: Vec<_> = expected.keys().filter(|it| !found.contains_key(*it)).take(5).collect();
    assert!(
        missing.is_empty() && found.len() == expected.len(),
        "{} of {}, missing {missing:?}",
        found.len(),
        expected.len()
    );
}

#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("card refused\nby the bank")
    }
}

impl std::error::Error for Refused {}

#[test]
fn a_record_arrives_with_all_its_columns() {
    let place = Place::new();
    let repo = logs::Repository::open(config(&place)).unwrap();
    let line = line!() + 3;
    std::thread::scope(|scope| {
        let log = || {
            miu_log::error!(repo.app, rows = 7, who = "O'Neil \"x\"", "took {} ms", 12);
        };
        std::thread::Builder::new().name("worker-3".to_owned()).spawn_scoped(scope, log).unwrap();
    });
    repo.app.exception("card", &Refused);
    repo.flush(FLUSH).unwrap();
    wait_until("both are there", || rows(&path(&place)) == 2);
    let connection = read(&path(&place)).unwrap();
    let query = "SELECT level, logger_name, process_id, thread_id, thread_name, hostname, message, exception, function_name, \
                 module, filename, lineno, pathname, extra_data, timestamp, created_at, length(record_id) FROM miu_logs \
                 WHERE logger_name = 'app' ORDER BY id";
    let mut statement = connection.prepare(query).unwrap();
    let mut found = statement.query([]).unwrap();
    {
        let row = found.next().unwrap().unwrap();
        let text = |at: usize| row.get::<_, String>(at).unwrap();
        let number = |at: usize| row.get::<_, i64>(at).unwrap();
        assert_eq!((text(0), text(1), text(6)), ("ERROR".into(), "app".into(), "took 12 ms".into()));
        assert_eq!((number(2), number(11)), (std::process::id().into(), line.into()));
        assert!(number(3) > 0);
        assert!(text(4).ends_with("worker-3"), "{}", text(4));
        assert_eq!(text(5), rustix::system::uname().nodename().to_str().unwrap());
        assert_eq!(row.get::<_, Option<String>>(7).unwrap(), None);
        assert!(text(8).contains("a_record_arrives_with_all_its_columns"), "{}", text(8));
        assert!(text(9).ends_with("database"), "{}", text(9));
        assert_eq!((text(10), text(12)), ("database.rs".into(), file!().into()));
        let fields: serde_json::Value = serde_json::from_str(&text(13)).unwrap();
        assert_eq!(fields, serde_json::json!({"rows": 7, "who": "O'Neil \"x\""}));
        // The same point in time as in the log file, whatever the zone there is: seconds and milliseconds are those of every zone's.
        let (time, shown) = (text(14), &place.entries("app.log")[0].time);
        assert_eq!((&time[17..23], time.len()), (&shown[17..23], "2026-11-20T12:00:00.123456789Z".len()));
        assert!(text(15).starts_with("20") && number(16) == 16);
    }
    let row = found.next().unwrap().unwrap();
    let text = row.get::<_, String>(7).unwrap();
    assert!(text.starts_with("error: card refused\n") && text.contains("by the bank"), "{text}");
    assert_eq!(row.get::<_, Option<String>>(13).unwrap(), None);
    drop(repo);
}

#[test]
fn any_text_is_a_row_as_it_is_but_for_nul_and_what_is_too_long() {
    let place = Place::new();
    let repo = logs::Repository::open(config(&place)).unwrap();
    let texts = [
        "'); DROP TABLE miu_logs; --",
        "\"; ' ` \\ %s ?1 :a @b $c",
        "a\0b",
        "\u{202e}\u{1b}[2J日本",
        "\\u0000",
    ];
    let name = "ö".repeat(300);
    std::thread::scope(|scope| {
        let log = || {
            for text in texts {
                miu_log::info!(repo.app, text = text, "{}", text);
            }
        };
        std::thread::Builder::new().name(name.clone()).spawn_scoped(scope, log).unwrap();
    });
    repo.flush(FLUSH).unwrap();
    wait_until("all are there", || rows(&path(&place)) == texts.len());
    let connection = read(&path(&place)).unwrap();
    let query = "SELECT message, extra_data ->> 'text', length(thread_name) FROM miu_logs WHERE logger_name = 'app' ORDER BY id";
    let mut statement = connection.prepare(query).unwrap();
    let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    let found: Vec<(String, String, i64)> = found.collect::<Result<_, _>>().unwrap();
    for (text, (message, field, characters)) in texts.iter().zip(found) {
        let clean = text.replace('\0', "");
        assert_eq!((&*message, &*field), (&*clean, &*clean));
        assert!(characters <= 255, "{characters}");
    }
    wait_until("what was changed is counted", || {
        let stats = repo.stats();
        stats.sinks.iter().any(|sink| sink.name == "database" && sink.remote.as_ref().unwrap().altered == 1)
    });
}

#[test]
fn a_process_that_is_killed_while_it_writes_leaves_a_whole_file_and_after_a_restart_every_record_is_there_once()
 {
    let place = Place::new();
    let path = path(&place);
    let mut from = 0u64;
    for round in 0..6 {
        let before = rows(&path);
        let mut command = child(&place, "database");
        command.args([address(&place), from.to_string(), "ever".to_owned()]);
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_until("some are there", || rows(&path) > before + 100 * round);
        process.kill().unwrap();
        assert_eq!(process.wait().unwrap().signal(), Some(9));
        messages(&path);
        // Far beyond all that it can have logged.
        from += 1_000_000_000;
    }
    let from = from.to_string();
    let to = (from.parse::<u64>().unwrap() + 10).to_string();
    let ended = run(child(&place, "database").args([address(&place), from, to]));
    assert_eq!((ended.number("held"), ended.number("dropped")), (0, 0), "{ended:?}");
    let logged = place.messages("app.log");
    let numbers = logged.iter().filter_map(|message| message.strip_prefix("n ")?.parse().ok());
    assert_numbers(&path, numbers);
}

#[test]
fn two_processes_write_into_one_file_that_neither_has_found() {
    let places = [Place::new(), Place::new()];
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2u64)
            .map(|number| {
                let (place, address) = (&places[number as usize], address(&places[0]));
                let [from, to] = [number * 20_000, (number + 1) * 20_000].map(|it| it.to_string());
                scope.spawn(move || run(child(place, "database").args([address, from, to])))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for outcome in outcomes {
        assert_eq!((outcome.number("held"), outcome.number("dropped")), (0, 0), "{outcome:?}");
    }
    assert_numbers(&path(&places[0]), 0..40_000);
    assert!(names(path(&places[0]).parent().unwrap()).iter().all(|name| !name.contains("corrupt")));
}

#[test]
fn a_file_that_another_writer_keeps_locked_is_written_to_when_it_lets_go() {
    let place = Place::new();
    let database = Remote::database(Database::url(address(&place)))
        .batch_age(Duration::from_millis(1))
        .first_pause(Duration::from_millis(1))
        .request_timeout(Duration::from_millis(10))
        .retries(1_000_000);
    let repo = logs::Repository::open(place.config().sink(database)).unwrap();
    repo.app.info("n 0");
    wait_until("the first is there", || rows(&path(&place)) == 1);
    let other = read(&path(&place)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for number in 1..100 {
        miu_log::info!(repo.app, "n {number}");
    }
    let database = || repo.stats().sinks.into_iter().find(|sink| sink.name == "database").unwrap();
    wait_until("it was asked again", || database().retries >= 3);
    assert_eq!((database().state, rows(&path(&place))), (SinkState::Failing, 1));
    other.execute_batch("COMMIT").unwrap();
    wait_until("all are there", || rows(&path(&place)) == 100);
    assert_eq!(database().dropped, 0);
    repo.shutdown();
    assert_numbers(&path(&place), 0..100);
}

#[test]
fn two_databases_have_each_its_name_and_its_rows() {
    let place = Place::new();
    let of = |file: &str| place.root().join("data").join(file);
    let at = |file: &str| {
        let database = Database::url(format!("sqlite://{}", of(file).display()));
        Remote::database(database).batch_age(Duration::from_millis(1))
    };
    let twice = place.config().sink(at("one.db")).sink(at("two.db"));
    let error = logs::Repository::open(twice).err().unwrap().to_string();
    for words in ["another sink has this name", "Remote::named gives it", "LOG_DATABASE_URL"] {
        assert!(error.contains(words), "{error}");
    }
    let config = place.config().sink(at("one.db")).sink(at("two.db").named("audit"));
    let repo = logs::Repository::open(config).unwrap();
    repo.app.info("n 0");
    wait_until("it is in both", || ["one.db", "two.db"].iter().all(|file| rows(&of(file)) == 1));
    let stats = repo.stats();
    let names =
        stats.sinks.iter().map(|sink| &*sink.name).filter(|name| ["database", "audit"].contains(name));
    assert_eq!(names.count(), 2, "{stats:?}");
    repo.shutdown();
    assert!(place.log(".outbox/database").exists() && place.log(".outbox/audit").exists());
}

#[test]
fn a_file_with_a_damaged_header_is_moved_aside_and_said_and_the_records_go_into_a_new_one() {
    let place = Place::new();
    let path = path(&place);
    let numbers =
        |from: &str, to: &str| run(child(&place, "database").args([&*address(&place), from, to, "rows"]));
    numbers("0", "10").printed();
    fold(&path);
    let mut damaged = std::fs::read(&path).unwrap();
    damaged[..16].copy_from_slice(&[0xff; 16]);
    std::fs::write(&path, &damaged).unwrap();
    let outcome = numbers("10", "20");
    assert_eq!((outcome.number("held"), outcome.number("dropped"), outcome.number("errors")), (0, 0, 0));
    assert!(
        outcome.stderr.starts_with("miu-log: rows: the database \"")
            && outcome.stderr.contains("is damaged: ")
            && outcome.stderr.contains("it is moved to "),
        "{outcome:?}"
    );
    assert_numbers(&path, 10..20);
    let folder = path.parent().unwrap();
    let aside: Vec<String> =
        names(folder).into_iter().filter(|name| name.starts_with("logs.db.corrupt-")).collect();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(std::fs::read(folder.join(&aside[0])).unwrap(), damaged);
}

#[test]
fn a_file_that_never_was_a_database_is_left_as_it_is_and_the_records_wait() {
    let place = Place::new();
    let path = path(&place);
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "bread, milk, eggs\n").unwrap();
    let outcome = run(child(&place, "database").args([&*address(&place), "0", "10"]));
    let stderr = &outcome.stderr;
    assert!(stderr.contains("logs.db\" is no SQLite database, and is left as it is"), "{outcome:?}");
    assert!(stderr.contains("it is off until the next start"), "{outcome:?}");
    assert_eq!(outcome.number("dropped"), 0, "{outcome:?}");
    assert_eq!(std::fs::read(&path).unwrap(), b"bread, milk, eggs\n");
    assert_eq!(names(path.parent().unwrap()), ["logs.db"]);
    // Once it is out of the way, nothing is lost.
    std::fs::remove_file(&path).unwrap();
    run(child(&place, "database").args([&*address(&place), "10", "20"])).printed();
    assert_numbers(&path, 0..20);
}

#[test]
fn a_file_that_is_deleted_while_it_is_written_to_is_made_anew() {
    let place = Place::new();
    let path = path(&place);
    let repo = logs::Repository::open(config(&place)).unwrap();
    repo.app.info("n 0");
    wait_until("the first is there", || rows(&path) == 1);
    std::fs::remove_file(&path).unwrap();
    for number in 1..50 {
        miu_log::info!(repo.app, "n {number}");
    }
    repo.flush(FLUSH).unwrap();
    repo.shutdown();
    assert_numbers(&path, 1..50);
}

#[test]
fn rows_that_have_had_their_time_go_while_nothing_is_logged() {
    let place = Place::new();
    run(child(&place, "database").args([&*address(&place), "0", "2500"])).printed();
    let made_old = "UPDATE miu_logs SET timestamp = '2001' || substr(timestamp, 5) WHERE logger_name = 'app'";
    read(&path(&place)).unwrap().execute(made_old, []).unwrap();
    let database = Database::url(address(&place)).retention_days(30);
    let repo = logs::Repository::open(place.config().sink(database)).unwrap();
    wait_until("they are gone", || rows(&path(&place)) == 0);
    drop(repo);
}

#[test]
fn a_full_disk_keeps_the_records_waiting() {
    assert!(
        rustix::process::geteuid().is_root() && is_installed("unshare"),
        "this scenario mounts a memory file system of its own, which takes root and unshare"
    );
    let place = Place::new();
    let data = path(&place).parent().unwrap().to_owned();
    std::fs::create_dir(&data).unwrap();
    std::fs::create_dir(place.root().join("kept")).unwrap();
    let (shown, kept) = (data.display(), place.root().join("kept"));
    let script = format!(
        "mount -t tmpfs -o size=1m tmpfs {shown} && \"$0\" \"$@\" 0 20000; mount -o remount,size=64m {shown} && \
         \"$0\" \"$@\" 20000 20010 && cp {shown}/* {}",
        kept.display()
    );
    let mut command = crate::child_under("unshare", ["-m", "sh", "-c", &script], &place, "database");
    let outcome = run(command.arg(address(&place)));
    assert!(outcome.stderr.contains("has no room left on its disk"), "{outcome:?}");
    assert!(outcome.stderr.contains("records are not delivered; they are in its spool"), "{outcome:?}");
    outcome.printed();
    assert_numbers(&kept.join("logs.db"), 0..20_010);
}

#[test]
fn a_user_who_may_not_write_there_is_told_what_to_do_and_loses_nothing() {
    assert!(
        rustix::process::geteuid().is_root() && is_installed("setpriv"),
        "this scenario takes root and setpriv to become a user without rights"
    );
    let place = Place::new();
    run(child(&place, "database").args([&*address(&place), "0", "1"])).printed();
    std::fs::remove_dir_all(place.logs()).unwrap();
    let program = place.root().join("program");
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_child")).arg(&program).status();
    assert!(copied.unwrap().success());
    let open = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    std::fs::create_dir(place.logs()).unwrap();
    for (path, mode) in [(place.root(), 0o755), (&place.runtime(), 0o777), (&place.logs(), 0o777)] {
        open(path, mode);
    }
    let (file, folder) = (path(&place), path(&place).parent().unwrap().to_owned());
    let as_nobody = |from: &str, to: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
        command.arg("database").arg(place.logs()).args([&*address(&place), from, to]);
        run(command.env("MIU_LOG_RUNTIME_DIR", place.runtime()))
    };
    let assert_told = |folder_mode, file_mode, problem: &str| {
        open(&folder, folder_mode);
        open(&file, file_mode);
        let outcome = as_nobody("1", "3");
        outcome.printed();
        assert!(outcome.stderr.contains(problem), "{outcome:?}");
        assert!(outcome.stderr.contains("give that user the right to"), "{outcome:?}");
        assert!(outcome.stderr.contains("it is off until the next start"), "{outcome:?}");
    };
    fold(&file);
    assert_told(0o750, 0o640, "cannot be looked at as user 65534");
    fold(&file);
    assert_told(0o777, 0o644, "logs.db\" may not be written by user 65534");
    fold(&file);
    assert_told(0o755, 0o666, "the folder of the database");
    fold(&file);
    let other = read(&file).unwrap();
    other.execute_batch("INSERT INTO miu_logs (level, logger_name, process_id, thread_id, hostname, message) VALUES ('', '', 0, 0, '', '')").unwrap();
    open(&folder.join("logs.db-wal"), 0o600);
    assert_told(0o777, 0o666, "logs.db-wal\" may not be written by user 65534");
    drop(other);
    fold(&file);
    open(&folder, 0o777);
    let outcome = as_nobody("3", "4");
    assert_eq!(outcome.number("held"), 0, "{outcome:?}");
    // Once a run, for these are records of their own.
    let found = messages(&file);
    assert_eq!((found["n 0"], found["n 1"], found["n 2"], found["n 3"]), (1, 4, 4, 1));
}
