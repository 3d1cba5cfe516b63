//! Tests of the engine against real files, by a clock that is turned by hand.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use super::super::tests::row;
use super::*;
use crate::clock::ManualTime;
use crate::layout::Row;
use crate::level::Level;
use crate::record::RecordId;
use crate::sink::outbox::deliver::Kind;
use crate::sink::tests::entry;
use crate::sink::{Entry, Held};
use crate::sync::Ordering;

const DAY: u64 = 86_400_000_000_000;

/// 2026-11-21 20:26:40.000000005 UTC.
const NOW: u64 = 1_795_292_800_000_000_005;

fn timeouts() -> Timeouts {
    Timeouts::new(Duration::from_millis(20), Duration::from_millis(20))
}

/// An engine for the file at this path, and its clock.
fn engine_of(path: &Path, days: Option<u32>) -> (Sqlite, Arc<ManualTime>) {
    let time = Arc::new(ManualTime::default());
    time.now.store(NOW, Ordering::Release);
    let place = Place::of(&format!("sqlite:{}", path.display())).unwrap();
    let table = Table::new("miu").unwrap();
    (Sqlite::by_clock(place, table, days, Clock::Manual(Arc::clone(&time))), time)
}

fn engine(path: &Path) -> Sqlite {
    engine_of(path, None).0
}

/// Records with these numbers, of the present time.
fn records(numbers: std::ops::Range<u64>) -> Held {
    records_at(numbers, NOW, row())
}

fn records_at(numbers: std::ops::Range<u64>, time: u64, row: Row<'_>) -> Held {
    let mut held = Held::default();
    for sequence in numbers {
        let id = RecordId { source: u64::MAX, sequence };
        held.push(&row.to_bytes(), Entry { time: time.cast_signed(), id, ..entry(Level::Error) });
    }
    held
}

fn deliver(engine: &mut Sqlite, held: &Held) -> Result<(), DeliverError> {
    engine.deliver(&held.batch(&["app".to_owned()]), timeouts())
}

fn read(path: &Path) -> Connection {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap()
}

fn count(path: &Path) -> i64 {
    read(path).query_row("SELECT count(*) FROM miu_logs", [], |row| row.get(0)).unwrap()
}

fn integrity(path: &Path) -> String {
    read(path).query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
}

/// The names in a folder that begin so.
fn names(folder: &Path, begin: &str) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with(begin)).collect();
    names.sort();
    names
}

#[test]
fn an_address_is_a_path_and_says_what_else_is_accepted() {
    let here = std::env::current_dir().unwrap();
    for (address, path) in [
        ("sqlite:logs/logs.db", here.join("logs/logs.db")),
        ("sqlite:/var/x.db", "/var/x.db".into()),
        ("sqlite:///var/x y%20.db", "/var/x y%20.db".into()),
    ] {
        assert_eq!(Place::of(address).unwrap().path(), path, "{address}");
    }
    for address in [
        "sqlite:",
        "sqlite://host/x",
        "sqlite::memory:",
        "sqlite:x?mode=ro",
        "sqlite:a/",
        "sqlite:/",
        "sqlite:a/..",
    ] {
        let problem = Place::of(address).unwrap_err();
        assert!(problem.contains("sqlite:<path> or sqlite:///"), "{problem}");
    }
}

#[test]
fn every_column_of_a_record_is_in_the_table_and_a_record_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("below/it/logs.db");
    let mut engine = engine(&path);
    engine.connect(timeouts()).unwrap();
    deliver(&mut engine, &records(1..3)).unwrap();
    deliver(&mut engine, &records(1..4)).unwrap();
    assert_eq!(count(&path), 3);
    let (time, id): (String, String) = read(&path)
        .query_row(
            "SELECT timestamp, typeof(extra_data) || hex(record_id) FROM miu_logs WHERE id = 2",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!((&*time, &*id), ("2026-11-21T20:26:40.000000005Z", "textFFFFFFFFFFFFFFFF0000000000000002"));
    let all: String = read(&path)
        .query_row(
            "SELECT concat_ws('|', level, logger_name, process_id, thread_id, thread_name, hostname, message, \
             exception, function_name, module, filename, lineno, pathname, extra_data) FROM miu_logs WHERE id = 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(
        all,
        "ERROR|app|100|103|worker-3|host|it's \"so\"\n|went wrong\n  because|function|crate::module|module.rs|42|\
         src/module.rs|{\"rows\":7}"
    );
    let created: i64 = read(&path)
        .query_row("SELECT count(*) FROM miu_logs WHERE created_at GLOB '20??-*'", [], |row| row.get(0))
        .unwrap();
    assert_eq!((created, engine.altered()), (3, 0));
}

#[test]
fn the_file_and_its_folders_are_as_private_as_log_files_and_hold_a_write_ahead_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("below/logs.db");
    let mut engine = engine(&path);
    deliver(&mut engine, &records(0..1)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    for name in names(path.parent().unwrap(), "") {
        let mode = mode(&path.with_file_name(&name));
        assert_eq!(mode & !0o640, 0, "{name} has {mode:o}");
    }
    assert_eq!(mode(path.parent().unwrap()) & !0o750, 0);
    assert_eq!(names(path.parent().unwrap(), ""), ["logs.db", "logs.db-lock", "logs.db-shm", "logs.db-wal"]);
}

#[test]
fn texts_of_any_kind_are_data_and_what_was_changed_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.db");
    let mut engine = engine(&path);
    let long = "ö'\"".repeat(300);
    let evil = "'); DROP TABLE miu_logs; --\0";
    let row = Row { message: evil, thread: &long, fields: Some("{\"a\":\"\\u0000\"}"), ..row() };
    let held = records_at(0..2, NOW, row);
    deliver(&mut engine, &held).unwrap();
    deliver(&mut engine, &held).unwrap();
    assert_eq!(engine.altered(), 2);
    let (message, thread, json): (String, String, String) = read(&path)
        .query_row("SELECT message, thread_name, extra_data ->> 'a' FROM miu_logs LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    assert_eq!((&*message, &*thread, &*json), (&evil[..evil.len() - 1], &*"ö'\"".repeat(85), ""));
}

#[test]
fn a_line_that_is_no_row_refuses_the_batch_and_leaves_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.db");
    let mut engine = engine(&path);
    let mut held = records(0..1);
    held.push(b"text\n", entry(Level::Info));
    assert_eq!(deliver(&mut engine, &held).unwrap_err().kind, Kind::Refused);
    assert_eq!(count(&path), 0);
}

#[test]
fn a_file_that_another_writer_has_locked_is_waited_for_and_then_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.db");
    let mut engine = engine(&path);
    deliver(&mut engine, &records(0..1)).unwrap();
    let other = read(&path);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = deliver(&mut engine, &records(1..2)).unwrap_err();
    assert_eq!(error.kind, Kind::Retry(None));
    assert!(error.to_string().contains("is locked by another writer"), "{error}");
    other.execute_batch("COMMIT").unwrap();
    deliver(&mut engine, &records(1..2)).unwrap();
    assert_eq!(count(&path), 2);
}

#[test]
fn a_full_disk_is_retried_and_the_batch_is_whole_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.db");
    let mut engine = engine(&path);
    deliver(&mut engine, &records(0..1)).unwrap();
    // What SQLite says when it cannot make the file longer.
    let bound = |pages: i64| {
        let store = lock(&engine.store);
        let connection = &store.open.as_ref().unwrap().connection;
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    };
    bound(1);
    let error = deliver(&mut engine, &records(1..5000)).unwrap_err();
    assert_eq!(error.kind, Kind::Retry(None));
    assert!(error.to_string().contains("has no room left"), "{error}");
    assert_eq!(count(&path), 1);
    deliver(&mut engine, &records(1..5000)).unwrap();
    assert_eq!(count(&path), 5000);
}

#[test]
fn a_file_that_never_was_a_database_turns_the_sink_off_and_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("note.txt");
    for note in [b"short".to_vec(), b"SQLite format 4\0".to_vec(), b"bread, milk, eggs\n".repeat(1000)] {
        fs::write(&path, &note).unwrap();
        for attempt in [engine(&path).connect(timeouts()), deliver(&mut engine(&path), &records(0..1))] {
            let error = attempt.unwrap_err();
            assert_eq!(error.kind, Kind::Off);
            let text = error.to_string();
            assert!(text.contains("note.txt\" is no SQLite database, and is left as it is"), "{text}");
            assert!(text.contains("give the database another path"), "{text}");
        }
        assert_eq!(fs::read(&path).unwrap(), note);
        assert_eq!(names(folder.path(), ""), ["note.txt"]);
    }
}

#[test]
fn an_empty_file_becomes_a_database_and_one_that_begins_as_a_database_is_taken_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.db");
    fs::write(&path, "").unwrap();
    deliver(&mut engine(&path), &records(0..2)).unwrap();
    assert_eq!(names(folder.path(), ""), ["logs.db"]);
    let mut damaged = fs::read(&path).unwrap();
    damaged[16..].fill(0xff);
    fs::write(&path, &damaged).unwrap();
    deliver(&mut engine(&path), &records(2..5)).unwrap();
    assert_eq!((count(&path), &*integrity(&path)), (3, "ok"));
    assert_eq!(fs::read(folder.path().join("logs.db.corrupt-20261121T202640Z")).unwrap(), damaged);
}

#[test]
fn a_database_that_no_longer_begins_as_one_is_moved_aside_and_the_batch_goes_into_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.db");
    deliver(&mut engine(&path), &records(0..1)).unwrap();
    assert_eq!(names(folder.path(), ""), ["logs.db", "logs.db-lock"]);
    let junk = b"this is no database, whatever its name says. ".repeat(100);
    fs::write(&path, &junk).unwrap();
    let mut engine = engine(&path);
    deliver(&mut engine, &records(0..3)).unwrap();
    assert_eq!((count(&path), &*integrity(&path)), (3, "ok"));
    assert_eq!(names(folder.path(), "logs.db.corrupt"), ["logs.db.corrupt-20261121T202640Z"]);
    assert_eq!(fs::read(folder.path().join("logs.db.corrupt-20261121T202640Z")).unwrap(), junk);
    // A second one in the same second.
    drop(engine);
    fs::write(&path, &junk).unwrap();
    deliver(&mut engine_of(&path, None).0, &records(0..1)).unwrap();
    assert_eq!(
        names(folder.path(), "logs.db.corrupt"),
        ["logs.db.corrupt-20261121T202640Z", "logs.db.corrupt-20261121T202640Z-2"]
    );
}

#[test]
fn a_file_that_is_damaged_under_the_running_engine_is_moved_aside_with_its_journal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.db");
    let mut engine = engine(&path);
    deliver(&mut engine, &records(0..2000)).unwrap();
    lock(&engine.store)
        .open
        .as_ref()
        .unwrap()
        .connection
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    let pages = fs::metadata(&path).unwrap().len() / 4096;
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    for page in 1..pages {
        std::os::unix::fs::FileExt::write_all_at(&file, &[0xff; 4096], page * 4096).unwrap();
    }
    // The connection knows its pages by heart as long as nobody else writes.
    lock(&engine.store).open.as_ref().unwrap().connection.execute_batch("PRAGMA shrink_memory").unwrap();
    deliver(&mut engine, &records(2000..2010)).unwrap();
    assert_eq!((count(&path), &*integrity(&path)), (10, "ok"));
    let aside = names(folder.path(), "logs.db.corrupt");
    assert!(
        aside.iter().any(|name| name.ends_with("Z")) && aside.iter().any(|name| name.ends_with("Z-wal")),
        "{aside:?}"
    );
}

#[test]
fn a_file_that_is_deleted_or_replaced_is_noticed_and_its_journal_is_not_taken_for_the_new_one_s() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.db");
    let mut engine = engine(&path);
    deliver(&mut engine, &records(0..5)).unwrap();
    fs::remove_file(&path).unwrap();
    deliver(&mut engine, &records(5..7)).unwrap();
    assert_eq!((count(&path), &*integrity(&path)), (2, "ok"));
    // Another process has put a file of its own there.
    let (other, old) = (folder.path().join("other.db"), folder.path().join("old.db"));
    deliver(&mut engine_of(&other, None).0, &records(0..10)).unwrap();
    fs::rename(&path, &old).unwrap();
    fs::rename(&other, &path).unwrap();
    let _ = fs::rename(folder.path().join("logs.db-wal"), folder.path().join("old.db-wal"));
    let _ = fs::remove_file(folder.path().join("logs.db-shm"));
    deliver(&mut engine, &records(10..11)).unwrap();
    assert_eq!((count(&path), &*integrity(&path)), (11, "ok"));
    assert_eq!((count(&old), &*integrity(&old)), (2, "ok"));
}

#[test]
fn a_file_that_gets_another_name_has_all_its_rows_under_that_one() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("logs.db"), folder.path().join("old.db"));
    let mut engine = engine(&path);
    deliver(&mut engine, &records(0..5)).unwrap();
    assert!(fs::metadata(folder.path().join("logs.db-wal")).unwrap().len() > 0);
    fs::rename(&path, &old).unwrap();
    deliver(&mut engine, &records(5..7)).unwrap();
    assert_eq!((count(&path), count(&old)), (2, 5));
    assert_eq!((integrity(&path), integrity(&old)), ("ok".to_owned(), "ok".to_owned()));
}

#[test]
fn a_table_that_is_dropped_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.db");
    let mut engine = engine(&path);
    deliver(&mut engine, &records(0..1)).unwrap();
    read(&path).execute_batch("DROP TABLE miu_logs").unwrap();
    deliver(&mut engine, &records(0..2)).unwrap();
    assert_eq!(count(&path), 2);
}

/// The table's indexes.
fn indexes(path: &Path) -> Vec<String> {
    let connection = read(path);
    let query = "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'miu_logs' ORDER BY name";
    let mut statement = connection.prepare(query).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_table_that_is_renamed_is_followed_by_one_with_all_indexes_however_often() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.db");
    let mut engine = engine(&path);
    deliver(&mut engine, &records(0..3)).unwrap();
    let first = indexes(&path);
    assert_eq!(first.len(), 6);
    for (at, number) in [(1, "_2"), (2, "_3")] {
        read(&path).execute_batch(&format!("ALTER TABLE miu_logs RENAME TO miu_logs_{at}")).unwrap();
        // The second time it is there already.
        for _ in 0..2 {
            deliver(&mut engine, &records(0..3)).unwrap();
        }
        let expected: Vec<String> = first.iter().map(|name| format!("{name}{number}")).collect();
        assert_eq!((indexes(&path), count(&path)), (expected, 3));
    }
    // What there is by another name is found again, also where the first name is free.
    read(&path).execute_batch("DROP TABLE miu_logs_1").unwrap();
    deliver(&mut engine, &records(3..4)).unwrap();
    assert_eq!((indexes(&path).len(), count(&path)), (6, 4));
}

#[test]
fn an_index_that_is_dropped_is_made_again_and_a_column_that_no_record_fits_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.db");
    let mut engine = engine(&path);
    deliver(&mut engine, &records(0..1)).unwrap();
    let all = indexes(&path);
    for (number, of) in [(1, "level"), (2, "record_id")] {
        read(&path).execute_batch(&format!("DROP INDEX idx_miu_logs_{of}")).unwrap();
        deliver(&mut engine, &records(number..number + 1)).unwrap();
        assert_eq!(indexes(&path), all);
    }
    let other = "DROP TABLE miu_logs; CREATE TABLE miu_logs (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL)";
    read(&path).execute_batch(other).unwrap();
    let error = deliver(&mut engine, &records(3..4)).unwrap_err();
    assert_eq!(error.kind, Kind::Off, "{error}");
}

#[test]
fn what_is_no_plain_file_of_its_own_turns_the_sink_off_and_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("dir")).unwrap();
    symlink(at("target"), at("link")).unwrap();
    fs::write(at("victim"), "precious").unwrap();
    fs::hard_link(at("victim"), at("hard")).unwrap();
    for (name, problem) in [
        ("dir", "is a folder"),
        ("link", "is a symbolic link"),
        ("hard", "is a hard link"),
        ("victim/logs.db", "as user"),
    ] {
        let error = engine(&at(name)).connect(timeouts()).unwrap_err();
        assert_eq!(error.kind, Kind::Off, "{error}");
        assert!(error.to_string().contains(problem) && error.to_string().contains("expected"), "{error}");
    }
    engine(&at("plain")).connect(timeouts()).unwrap();
    symlink(at("target"), at("plain-wal")).unwrap();
    let error = engine(&at("plain")).connect(timeouts()).unwrap_err();
    assert_eq!(error.kind, Kind::Off);
    assert!(error.to_string().contains("plain-wal\" is a symbolic link"), "{error}");
    assert!(!at("target").exists());
    assert_eq!(fs::read_to_string(at("victim")).unwrap(), "precious");
    // A folder on the way may be a link.
    symlink(at("dir"), at("way")).unwrap();
    deliver(&mut engine(&at("way/logs.db")), &records(0..1)).unwrap();
    assert_eq!(count(&at("dir/logs.db")), 1);
}

#[test]
fn a_table_of_another_writer_gets_what_it_lacks_and_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.db");
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch(
            "CREATE TABLE miu_logs (id INTEGER PRIMARY KEY, timestamp TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP, \
             level TEXT, logger_name TEXT, process_id INTEGER, thread_id INTEGER, thread_name TEXT, hostname TEXT, \
             message TEXT, exception TEXT, function_name TEXT, module TEXT, filename TEXT, lineno INTEGER, pathname TEXT, \
             extra_data JSONB, created_at TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP, own INTEGER DEFAULT 7); \
             INSERT INTO miu_logs (message) VALUES ('old'), ('old')",
        )
        .unwrap();
    deliver(&mut engine(&path), &records(0..2)).unwrap();
    deliver(&mut engine(&path), &records(0..2)).unwrap();
    assert_eq!(count(&path), 4);
    let query =
        "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE type = 'index' ORDER BY name)";
    let indexes: String = other.query_row(query, [], |row| row.get(0)).unwrap();
    let expected = ["composite", "hostname", "level", "logger", "record_id", "timestamp"];
    assert_eq!(indexes, expected.map(|of| format!("idx_miu_logs_{of}")).join(","));
    let own: i64 = other.query_row("SELECT sum(own) FROM miu_logs", [], |row| row.get(0)).unwrap();
    assert_eq!(own, 28);
}

#[test]
fn a_table_that_cannot_take_records_turns_the_sink_off_in_words() {
    for (sql, problem) in [
        ("CREATE VIEW miu_logs AS SELECT 1 AS id", "is a view; take another table prefix"),
        ("CREATE TABLE miu_logs (id INTEGER)", "has no column \"timestamp\"; add it"),
        (
            "CREATE INDEX idx_miu_logs_record_id ON miu_logs (record_id)",
            "makes record_id unique; drop that index",
        ),
        ("ALTER TABLE miu_logs ADD COLUMN own INTEGER NOT NULL DEFAULT 1", ""),
        (
            "INSERT INTO miu_logs SELECT id + 100, timestamp, level, logger_name, process_id, thread_id, thread_name, hostname, \
             message, exception, function_name, module, filename, lineno, pathname, extra_data, created_at, record_id FROM miu_logs",
            "cannot be given what it lacks",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs.db");
        if !sql.contains("CREATE VIEW") && !sql.contains("(id INTEGER)") {
            deliver(&mut engine(&path), &records(0..1)).unwrap();
            read(&path).execute_batch("DROP INDEX idx_miu_logs_record_id").unwrap();
        }
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let connected = engine(&path).connect(timeouts());
        if problem.is_empty() {
            connected.unwrap();
            continue;
        }
        let error = connected.unwrap_err();
        assert_eq!(error.kind, Kind::Off, "{error}");
        assert!(error.to_string().contains(problem), "{error}");
    }
}

#[test]
fn rows_are_deleted_in_pieces_when_they_are_old_enough_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.db");
    let (mut engine, time) = engine_of(&path, Some(7));
    deliver(&mut engine, &records_at(0..2500, NOW - 7 * DAY - 1, row())).unwrap();
    deliver(&mut engine, &records_at(2500..2600, NOW - 7 * DAY, row())).unwrap();
    deliver(&mut engine, &records(2600..2700)).unwrap();
    let piece = || lock(&engine.store).delete_chunk(7).unwrap();
    assert_eq!((piece(), count(&path)), (Next::More, 1700));
    assert_eq!((piece(), count(&path)), (Next::More, 700));
    assert_eq!((piece(), count(&path)), (Next::Done, 200));
    assert_eq!((piece(), count(&path)), (Next::Done, 200));
    time.now.fetch_add(1, Ordering::AcqRel);
    assert_eq!((piece(), count(&path)), (Next::Done, 100));
    assert!(engine.upkeep.is_none(), "by a clock that is turned by hand there is no thread");
}

#[test]
fn rows_whose_time_is_written_as_sqlite_does_are_deleted_at_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.db");
    let (mut engine, _) = engine_of(&path, Some(1));
    deliver(&mut engine, &records(0..5)).unwrap();
    let times = [
        "2026-11-20 20:26:39",
        "2026-11-20 20:26:40",
        "2026-11-20 23:00:00",
        "2026-11-20T20:26:39Z",
        "2026-11-20T23:00:00Z",
    ];
    for (id, time) in (1..).zip(times) {
        read(&path).execute("UPDATE miu_logs SET timestamp = ?1 WHERE id = ?2", (time, id)).unwrap();
    }
    assert_eq!(lock(&engine.store).delete_chunk(1).unwrap(), Next::Done);
    let query = "SELECT group_concat(id) FROM (SELECT id FROM miu_logs ORDER BY id)";
    let left: String = read(&path).query_row(query, [], |row| row.get(0)).unwrap();
    assert_eq!(left, "2,3,5");
}

#[test]
fn old_rows_are_found_by_the_index_on_their_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.db");
    deliver(&mut engine(&path), &records(0..1)).unwrap();
    let query = format!("EXPLAIN QUERY PLAN {}", retention::statement(&Table::new("miu").unwrap()));
    let connection = read(&path);
    let mut statement = connection.prepare(&query).unwrap();
    let plan = statement.query_map(("", "2026", 5), |row| row.get::<_, String>(3)).unwrap();
    let plan: Vec<String> = plan.collect::<Result<_, _>>().unwrap();
    assert!(
        plan.iter()
            .any(|step| step.contains("COVERING INDEX idx_miu_logs_timestamp (timestamp>? AND timestamp<?)")),
        "{plan:?}"
    );
    assert!(plan.iter().all(|step| !step.starts_with("SCAN")), "{plan:?}");
}

#[test]
fn the_thread_that_deletes_goes_on_by_itself_and_ends_with_the_engine() {
    let (sender, pieces) = std::sync::mpsc::channel();
    let mut left = 3;
    let upkeep = Upkeep::start(move || {
        left -= 1;
        sender.send(left).unwrap();
        assert!(left != 1, "a panic is a piece that did not work");
        Next::More
    })
    .unwrap();
    let wait = Duration::from_secs(60);
    assert_eq!((pieces.recv_timeout(wait), pieces.recv_timeout(wait)), (Ok(2), Ok(1)));
    drop(upkeep);
    // Its end of the channel goes with the thread.
    assert_eq!(pieces.recv_timeout(wait), Err(std::sync::mpsc::RecvTimeoutError::Disconnected));
}

#[test]
fn with_the_clock_of_the_machine_rows_are_deleted_without_a_delivery() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.db");
    deliver(&mut engine(&path), &records_at(0..1200, DAY, row())).unwrap();
    let place = Place::of(&format!("sqlite:{}", path.display())).unwrap();
    let mut engine = Sqlite::by_clock(place, Table::new("miu").unwrap(), Some(1), Clock::system());
    engine.connect(timeouts()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while count(&path) > 0 {
        assert!(Instant::now() < deadline, "{} rows are left", count(&path));
        std::thread::yield_now();
    }
    assert_eq!(fs::metadata(&path).unwrap().nlink(), 1);
}
