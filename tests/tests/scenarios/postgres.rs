//! Records in a table of a PostgreSQL server: every column right, whatever the records are, whoever made the table.
// P-03, P-04, P-16, P-17, P-18 to P-22, P-27, P-28, P-50, P-58, P-61 to P-65, F66, F67

use std::time::Duration;

use miu_log::{Database, LogConfig, Remote, SinkStats, context, fields};
use miu_log_tests::postgres::Postgres;
use miu_log_tests::{Place, logs, run, wait_until};

use crate::{FLUSH, child};

/// The sink for this table. It tries without end, and soon.
pub(crate) fn sink(database: Database) -> Remote {
    Remote::database(database)
        .first_pause(Duration::from_millis(5))
        .batch_age(Duration::from_millis(5))
        .retries(1_000_000)
}

pub(crate) fn config(place: &Place, server: &Postgres, prefix: &str) -> LogConfig {
    place.config().sink(sink(Database::url(server.url()).table_prefix(prefix)))
}

pub(crate) fn stats(repo: &logs::Repository) -> SinkStats {
    repo.stats().sinks.into_iter().find(|sink| sink.name == "database").unwrap()
}

/// Waits until all that was logged is in the table.
pub(crate) fn arrive(repo: &logs::Repository) {
    repo.flush(FLUSH).unwrap();
    wait_until("all records have arrived", || stats(repo).held == 0);
}

/// What a query gives, the columns as text behind one another.
pub(crate) fn texts(server: &Postgres, query: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for message in server.connect().simple_query(query).unwrap() {
        if let postgres::SimpleQueryMessage::Row(row) = message {
            let columns: Vec<&str> = (0..row.len()).map(|at| row.get(at).unwrap_or("NULL")).collect();
            texts.push(columns.join(" "));
        }
    }
    texts
}

/// The numbers in the table, in their order.
pub(crate) fn numbers(server: &Postgres, prefix: &str) -> Vec<u32> {
    let query = format!(
        "SELECT substr(message, 3) FROM {prefix}_logs WHERE message LIKE 'n %' ORDER BY substr(message, 3)::int"
    );
    texts(server, &query).iter().map(|text| text.parse().unwrap()).collect()
}

#[derive(Debug)]
struct Failure;

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the stock is empty")
    }
}

impl std::error::Error for Failure {}

#[test]
fn the_table_has_the_columns_and_indexes_that_were_promised() {
    let (place, server) = (Place::new(), Postgres::shared());
    let repo = logs::Repository::open(config(&place, server, "shape")).unwrap();
    repo.app.info("one");
    arrive(&repo);
    let columns = "SELECT column_name, data_type, character_maximum_length, is_nullable, column_default FROM information_schema.columns \
                   WHERE table_name = 'shape_logs' ORDER BY ordinal_position";
    assert_eq!(
        texts(server, columns),
        [
            "id bigint NULL NO nextval('shape_logs_id_seq'::regclass)",
            "timestamp timestamp with time zone NULL YES CURRENT_TIMESTAMP",
            "level character varying 10 NO NULL",
            "logger_name character varying 255 NO NULL",
            "process_id integer NULL NO NULL",
            "thread_id bigint NULL NO NULL",
            "thread_name character varying 255 YES NULL",
            "hostname character varying 255 NO NULL",
            "message text NULL NO NULL",
            "exception text NULL YES NULL",
            "function_name character varying 255 YES NULL",
            "module character varying 255 YES NULL",
            "filename character varying 500 YES NULL",
            "lineno integer NULL YES NULL",
            "pathname text NULL YES NULL",
            "extra_data jsonb NULL YES NULL",
            "created_at timestamp with time zone NULL YES CURRENT_TIMESTAMP",
            "record_id uuid NULL YES NULL",
        ]
    );
    let indexes = "SELECT replace(indexdef, ' INDEX', '') FROM pg_indexes WHERE tablename = 'shape_logs' ORDER BY indexname";
    assert_eq!(
        texts(server, indexes),
        [
            "CREATE idx_shape_logs_composite ON public.shape_logs USING btree (\"timestamp\", level, logger_name)",
            "CREATE idx_shape_logs_hostname ON public.shape_logs USING btree (hostname)",
            "CREATE idx_shape_logs_level ON public.shape_logs USING btree (level)",
            "CREATE idx_shape_logs_logger ON public.shape_logs USING btree (logger_name)",
            "CREATE UNIQUE idx_shape_logs_record_id ON public.shape_logs USING btree (record_id)",
            "CREATE idx_shape_logs_timestamp ON public.shape_logs USING btree (\"timestamp\" DESC)",
            "CREATE UNIQUE shape_logs_pkey ON public.shape_logs USING btree (id)",
        ]
    );
    let sessions =
        "SELECT DISTINCT application_name FROM pg_stat_activity WHERE application_name = 'miu-log'";
    assert_eq!(texts(server, sessions), ["miu-log"]);
}

#[test]
fn a_record_has_all_that_was_logged_in_its_columns_with_its_types() {
    let (place, server) = (Place::new(), Postgres::shared());
    let repo = logs::Repository::open(config(&place, server, "full")).unwrap();
    let before = texts(server, "SELECT now()");
    let line = std::thread::scope(|scope| {
        let named = std::thread::Builder::new().name("worker-3".to_owned());
        let thread = named
            .spawn_scoped(scope, || {
                let _scope = context::scope(fields!(order = 17));
                let line = line!() + 1;
                miu_log::error!(repo.db, rows = 7, share = 0.5, good = true, name = "ann", "took {} ms", 12);
                repo.task.exception("failed", &Failure);
                line
            })
            .unwrap();
        thread.join().unwrap()
    });
    arrive(&repo);
    let row = "SELECT level, logger_name, thread_name, message, exception, lineno, filename, pathname, module, function_name FROM full_logs WHERE logger_name = 'db'";
    let path = file!();
    let found = texts(server, row).join("; ");
    assert!(
        found.starts_with(&format!("ERROR db worker-3 took 12 ms NULL {line} postgres.rs {path} ")),
        "{found}"
    );
    assert!(found.contains("scenarios::postgres"), "{found}");
    let types = "SELECT key, jsonb_typeof(value), value FROM full_logs, jsonb_each(extra_data) WHERE logger_name = 'db' ORDER BY key";
    let fields =
        ["good boolean true", "name string \"ann\"", "order number 17", "rows number 7", "share number 0.5"];
    assert_eq!(texts(server, types), fields);
    let exception = "SELECT level, message, exception FROM full_logs WHERE logger_name = 'task'";
    let found = texts(server, exception).join("; ");
    assert!(found.starts_with("ERROR failed ") && found.contains("the stock is empty"), "{found}");
    let identity = format!(
        "SELECT DISTINCT process_id = {}, hostname = '{}', record_id IS NOT NULL, timestamp BETWEEN '{}' AND created_at FROM full_logs",
        std::process::id(),
        rustix::system::uname().nodename().to_str().unwrap(),
        before[0],
    );
    assert_eq!(texts(server, &identity), ["t t t t"]);
    // The file has milliseconds, in the local time.
    let stamps = "SELECT to_char(date_trunc('milliseconds', timestamp), 'SS.MS') FROM full_logs ORDER BY id";
    let of_files = [place.entries("db.log"), place.entries("task.log")].concat();
    let of_files: Vec<&str> = of_files.iter().map(|entry| &entry.time[17..]).collect();
    assert_eq!(texts(server, stamps), of_files);
}

// F67
#[test]
fn no_record_is_so_strange_that_it_or_its_batch_does_not_arrive() {
    let (place, server) = (Place::new(), Postgres::shared());
    let repo = logs::Repository::open(config(&place, server, "poison")).unwrap();
    let long = "ö".repeat(256);
    std::thread::scope(|scope| {
        let named = std::thread::Builder::new().name(long.clone());
        named.spawn_scoped(scope, || repo.app.info("n 0")).unwrap();
    });
    repo.app.info("n 1\0");
    miu_log::info!(repo.app, text = "a\0b", "n 2");
    miu_log::info!(repo.app, text = "a\\u0000b", "n 3");
    miu_log::info!(repo.app, ratio = f64::NAN, most = f64::INFINITY, tiny = 5e-324, big = f64::MAX, "n 4");
    miu_log::info!(repo.app, big = u128::MAX, least = i128::MIN, "n 5");
    miu_log::info!(repo.app, text = "\u{1}\u{7f}\u{fffd}\u{10ffff}\"\\\n", "n 6");
    miu_log::info!(repo.app, text = "x".repeat(1 << 20), "n 7");
    repo.app.info("n 8'; DROP TABLE poison_logs; --");
    repo.app.info("n 9\t\\N\r\n\\.");
    arrive(&repo);
    let found = texts(server, "SELECT message FROM poison_logs ORDER BY id");
    assert_eq!(found.len(), 10);
    assert_eq!((&*found[1], &*found[9]), ("n 1", "n 9\t\\N\r\n\\."));
    let texts_of = |number: u32| {
        texts(server, &format!("SELECT extra_data->>'text' FROM poison_logs WHERE message = 'n {number}'"))
    };
    assert_eq!((texts_of(2), texts_of(3)), (vec!["ab".to_owned()], vec!["a\\u0000b".to_owned()]));
    assert_eq!(texts_of(6), ["\u{1}\u{7f}\u{fffd}\u{10ffff}\"\\\n"]);
    assert_eq!(texts_of(7)[0].len(), 1 << 20);
    // The library has cut it long before.
    assert_eq!(texts(server, "SELECT rtrim(thread_name, 'ö') FROM poison_logs WHERE message = 'n 0'"), [""]);
    let stats = stats(&repo);
    assert_eq!((stats.dead_letters, stats.dropped, stats.errors), (0, 0, 0), "{stats:?}");
    assert_eq!(stats.remote.unwrap().altered, 2);
}

// F66
#[test]
fn a_prefix_that_is_no_plain_name_is_refused() {
    let (place, server) = (Place::new(), Postgres::shared());
    for prefix in ["x; DROP TABLE t; --", "\"", "public.x", "größe", &"x".repeat(64)] {
        let error = logs::Repository::open(config(&place, server, prefix)).map(drop).unwrap_err().to_string();
        assert!(error.contains("table prefix"), "{error}");
    }
}

/// A table that another writer has made: without `record_id` and indexes.
fn make(server: &Postgres, prefix: &str) {
    server.sql(&format!(
        "CREATE TABLE {prefix}_logs (id BIGSERIAL PRIMARY KEY, timestamp TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP, level VARCHAR(10) NOT NULL, \
         logger_name VARCHAR(255) NOT NULL, process_id INTEGER NOT NULL, thread_id BIGINT NOT NULL, thread_name VARCHAR(255), hostname VARCHAR(255) NOT NULL, \
         message TEXT NOT NULL, exception TEXT, function_name VARCHAR(255), module VARCHAR(255), filename VARCHAR(500), lineno INTEGER, pathname TEXT, \
         extra_data JSONB, created_at TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP)"
    ));
}

/// Types of columns into which records fit as well.
const OTHER_TYPES: &str = "ALTER COLUMN process_id TYPE bigint, ALTER COLUMN thread_id TYPE integer, ALTER COLUMN lineno TYPE bigint, \
                           ALTER COLUMN extra_data TYPE json, ALTER COLUMN level TYPE varchar(8), ALTER COLUMN logger_name TYPE text, \
                           ALTER COLUMN message TYPE varchar, ALTER COLUMN timestamp TYPE timestamptz(3), ADD COLUMN record_id uuid";

#[test]
fn columns_of_other_types_that_fit_have_the_same_values() {
    let server = Postgres::shared();
    let columns = "level, logger_name, process_id, thread_id, thread_name, message, lineno, extra_data ->> 'rows', extra_data ->> 'text', \
                   now() - timestamp BETWEEN interval '-1 second' AND interval '1 minute'";
    let rows = ["usual", "varied"].map(|prefix| {
        make(server, prefix);
        if prefix == "varied" {
            server.sql(&format!(
                "CREATE DOMAIN varied_word AS varchar(255); ALTER TABLE varied_logs {OTHER_TYPES}, ALTER COLUMN thread_name TYPE varied_word, \
                 ALTER COLUMN id DROP DEFAULT, ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY"
            ));
        }
        let place = Place::new();
        let repo = logs::Repository::open(config(&place, server, prefix)).unwrap();
        miu_log::error!(repo.db, rows = 7, text = "a\"é", "took {} ms", 12);
        arrive(&repo);
        assert_eq!((stats(&repo).dead_letters, stats(&repo).errors), (0, 0));
        // And when a type changes while the program runs.
        let other = if prefix == "varied" { "integer" } else { "bigint" };
        server.sql(&format!("ALTER TABLE {prefix}_logs ALTER COLUMN lineno TYPE {other}"));
        repo.db.info("once more");
        arrive(&repo);
        assert_eq!(stats(&repo).dead_letters, 0);
        texts(server, &format!("SELECT {columns} FROM {prefix}_logs ORDER BY id"))
    });
    assert_eq!(rows[0], rows[1]);
    assert_eq!(rows[0].len(), 2);
    let process = std::process::id();
    assert!(rows[0][0].starts_with(&format!("ERROR db {process} ")), "{rows:?}");
    assert!(rows[0][0].ends_with(" 7 a\"é t"), "{rows:?}");
}

#[test]
fn a_column_that_no_record_fits_turns_the_sink_off_with_its_name_and_nothing_is_written() {
    let server = Postgres::shared();
    server.sql("CREATE DOMAIN unfit_word AS varchar(20)");
    for (at, (change, words)) in [
        (
            "ALTER COLUMN timestamp DROP DEFAULT, ALTER COLUMN timestamp TYPE double precision USING 0",
            "the column \"timestamp\" is of type double precision, and timestamp with time zone is expected",
        ),
        (
            "ALTER COLUMN timestamp DROP DEFAULT, ALTER COLUMN timestamp TYPE bigint USING 0",
            "the column \"timestamp\" is of type bigint",
        ),
        (
            "ALTER COLUMN thread_id TYPE double precision",
            "the column \"thread_id\" is of type double precision",
        ),
        ("ALTER COLUMN lineno TYPE real", "is of type real, and integer or bigint is expected"),
        (
            "ALTER COLUMN extra_data TYPE bytea USING NULL",
            "is of type bytea, and jsonb, json or text is expected",
        ),
        (
            "ALTER COLUMN hostname TYPE varchar(20)",
            "is of type character varying(20), and character varying(255) or text",
        ),
        (
            "ALTER COLUMN hostname TYPE unfit_word",
            "is of type unfit_word, and character varying(255) or text",
        ),
        ("DROP COLUMN module", "it has no column \"module\""),
        ("ALTER COLUMN exception SET NOT NULL", "the column \"exception\" is NOT NULL"),
        ("ALTER COLUMN id DROP DEFAULT", "the column \"id\" is NOT NULL and has no default"),
        ("ADD COLUMN record_id text", "the column \"record_id\" is of type text, and uuid is expected"),
    ]
    .into_iter()
    .enumerate()
    {
        let prefix = format!("unfit{at}");
        make(server, &prefix);
        server.sql(&format!("ALTER TABLE {prefix}_logs {change}"));
        let place = Place::new();
        let mut command = child(&place, "postgres");
        let outcome = run(command.args([&*server.url(), &prefix, "0", "1", "at-once"]));
        for words in [words, "it is off until the next start", "change it, or take another table prefix"] {
            assert!(outcome.stderr.contains(words), "{change}: {outcome:?}");
        }
        assert_eq!((outcome.number("held"), outcome.number("dropped")), (1, 0), "{outcome:?}");
        assert_eq!(texts(server, &format!("SELECT count(*) FROM {prefix}_logs")), ["0"]);
    }
}

#[test]
fn what_a_table_lacks_is_named_to_a_user_who_may_not_make_it() {
    let server = Postgres::shared();
    make(server, "lacking");
    server.sql(
        "CREATE ROLE stranger LOGIN; GRANT INSERT ON lacking_logs TO stranger; GRANT USAGE ON SEQUENCE lacking_logs_id_seq TO stranger;
         ALTER TABLE lacking_logs ADD COLUMN record_id uuid; CREATE UNIQUE INDEX by_id ON lacking_logs (record_id);
         CREATE INDEX by_level ON lacking_logs (level)",
    );
    let attempt = || {
        let place = Place::new();
        let mut command = child(&place, "postgres");
        run(command.args([&*server.url_of("stranger"), "lacking", "0", "1", "at-once"]))
    };
    let outcome = attempt();
    let words = "make what the table lacking_logs lacks: have its owner make the index idx_lacking_logs_timestamp on (timestamp DESC), \
                 the index idx_lacking_logs_level on (level), the index idx_lacking_logs_logger on";
    assert!(outcome.stderr.contains(words) && !outcome.stderr.contains("record_id"), "{outcome:?}");
    server.sql(
        "CREATE INDEX idx_lacking_logs_timestamp ON lacking_logs (timestamp DESC); CREATE INDEX idx_lacking_logs_level ON lacking_logs (level);
         CREATE INDEX idx_lacking_logs_logger ON lacking_logs (logger_name); CREATE INDEX idx_lacking_logs_hostname ON lacking_logs (hostname);
         CREATE INDEX idx_lacking_logs_composite ON lacking_logs (timestamp, level, logger_name)",
    );
    assert_eq!(attempt().number("held"), 0);
    assert_eq!(numbers(server, "lacking"), [0]);
    server.sql("DROP INDEX by_id; CREATE INDEX idx_lacking_logs_record_id ON lacking_logs (record_id)");
    let outcome = attempt();
    assert!(outcome.stderr.contains("that does not make record_id unique: drop that index"), "{outcome:?}");
}

#[test]
fn a_table_that_is_made_anew_while_the_program_runs_is_said() {
    let (place, server) = (Place::new(), Postgres::shared());
    let mut command = child(&place, "postgres");
    command.args([&*server.url(), "anew", "0", "1", "anew"]);
    let outcome = std::thread::scope(|scope| {
        let program = scope.spawn(|| run(&mut command));
        let logged = place.root().join("logged");
        wait_until("the first has arrived", || logged.exists());
        server.sql("DROP TABLE anew_logs");
        std::fs::remove_file(logged).unwrap();
        program.join().unwrap()
    });
    let words = "miu-log: anew: the table anew_logs of postgres://127.0.0.1:";
    assert!(outcome.stderr.contains(words), "{outcome:?}");
    assert!(outcome.stderr.contains(" was gone; it is made anew"), "{outcome:?}");
    assert_eq!(numbers(server, "anew"), [1]);
}

// P-58
#[test]
fn a_table_of_another_writer_gets_what_it_lacks_and_keeps_its_rows() {
    let (place, server) = (Place::new(), Postgres::shared());
    make(server, "shared");
    server.sql(
        "CREATE INDEX idx_shared_logs_level ON shared_logs (level);
         INSERT INTO shared_logs (level, logger_name, process_id, thread_id, hostname, message) VALUES ('INFO', 'a', 1, 1, 'h', 'n 0'), ('INFO', 'a', 1, 1, 'h', 'n 1')",
    );
    let repo = logs::Repository::open(config(&place, server, "shared")).unwrap();
    repo.app.info("n 2");
    arrive(&repo);
    assert_eq!(numbers(server, "shared"), [0, 1, 2]);
    let indexes = "SELECT count(*) FROM pg_indexes WHERE tablename = 'shared_logs'";
    assert_eq!(texts(server, indexes), ["7"]);
    // And when it goes while the program runs.
    server.sql("DROP TABLE shared_logs");
    repo.app.info("n 3");
    arrive(&repo);
    assert_eq!(numbers(server, "shared"), [3]);
    server.sql("ALTER TABLE shared_logs DROP COLUMN record_id");
    repo.app.info("n 4");
    arrive(&repo);
    assert_eq!(numbers(server, "shared"), [3, 4]);
    assert_eq!(texts(server, indexes), ["7"]);
}

// P-04, P-48 to P-50
#[test]
fn rows_that_are_too_old_are_deleted_by_the_index_and_no_others() {
    let (place, server) = (Place::new(), Postgres::shared());
    let old = logs::Repository::open(config(&place, server, "aged")).unwrap();
    arrive(&old);
    wait_until("the table is there", || texts(server, "SELECT to_regclass('aged_logs')") == ["aged_logs"]);
    old.shutdown();
    let insert = "INSERT INTO aged_logs (timestamp, level, logger_name, process_id, thread_id, hostname, message) SELECT now() - interval '1 hour' * n, 'INFO', 'a', 1, 1, 'h', \
                  'n ' || n FROM generate_series(1, 20000) AS n";
    server.sql(insert);
    server.sql("ANALYZE aged_logs");
    let scans = || {
        let query =
            "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'idx_aged_logs_timestamp'";
        texts(server, query)[0].parse::<u64>().unwrap()
    };
    let before = scans();
    let database = Database::url(server.url()).table_prefix("aged").retention_days(30);
    let second = Place::new();
    let repo = logs::Repository::open(place.config().sink(sink(database))).unwrap();
    let database = Database::url(server.url()).table_prefix("aged").retention_days(30).pool_size(1);
    let other = logs::Repository::open(second.config().sink(sink(database))).unwrap();
    // What is 720 hours old may go in the meantime or not.
    wait_until("the old rows are gone", || numbers(server, "aged").len() <= 720);
    assert!(numbers(server, "aged").into_iter().take(719).eq(1..720));
    // Four statements of 5000 rows at most, and the server counts them when it gets to it.
    wait_until("the index was used", || scans() >= before + 4);
    repo.app.info("n 30000");
    other.app.info("n 30001");
    arrive(&repo);
    arrive(&other);
    assert!(numbers(server, "aged").ends_with(&[30_000, 30_001]));
}

// P-48
#[test]
fn a_program_that_runs_for_a_moment_deletes_old_rows_as_well() {
    let server = Postgres::shared();
    make(server, "short");
    let insert = "INSERT INTO short_logs (timestamp, level, logger_name, process_id, thread_id, hostname, message) SELECT now() - interval '40 days', 'INFO', 'a', 1, 1, 'h', \
                  'n ' || n FROM generate_series(1, 12000) AS n";
    server.sql(insert);
    // How much each deletes is its affair: the thread of the one before may still be at it, and then it goes on without.
    let mut programs = 0;
    while !numbers(server, "short").is_empty() {
        programs += 1;
        assert!(programs < 100, "{} are left", numbers(server, "short").len());
        let place = Place::new();
        let database = Database::url(server.url()).table_prefix("short").retention_days(30);
        let repo = logs::Repository::open(place.config().sink(sink(database))).unwrap();
        repo.shutdown();
    }
}

/// The folder below the log folder in which records wait for the database.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    let copied = std::process::Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

#[test]
fn records_that_are_offered_a_second_time_are_there_once_and_as_the_first_time() {
    let server = Postgres::shared();
    server.sql("CREATE ROLE writer LOGIN");
    make(server, "otherwise");
    server.sql(&format!("ALTER TABLE otherwise_logs {OTHER_TYPES}; CREATE UNIQUE INDEX otherwise_by_id ON otherwise_logs (record_id)"));
    for (prefix, user) in [("twice", "postgres"), ("again", "writer"), ("otherwise", "postgres")] {
        let place = Place::new();
        if user == "writer" {
            // The table is there, and whoever writes may do nothing but that.
            let elsewhere = Place::new();
            let first = logs::Repository::open(config(&elsewhere, server, prefix)).unwrap();
            first.app.info("n 9999");
            arrive(&first);
            first.shutdown();
            server.sql(
                "GRANT INSERT ON again_logs TO writer; GRANT USAGE ON SEQUENCE again_logs_id_seq TO writer",
            );
        }
        let nobody =
            sink(Database::url("postgres://nobody@127.0.0.1:1/none").table_prefix(prefix)).retries(0);
        let repo = logs::Repository::open(place.config().sink(nobody).sink_timeout(Duration::from_millis(1)))
            .unwrap();
        for number in 0..200 {
            miu_log::error!(repo.db, rows = number, text = "a\0\\\"é", empty = "", "n {number}");
        }
        repo.task.exception("n 200", &Failure);
        repo.shutdown();
        let (spool, kept) = (place.logs().join(".outbox"), place.root().join("kept"));
        copy(&spool, &kept);
        let deliver = |more: std::ops::Range<u32>| {
            let url = server.url_of(user);
            let database = sink(Database::url(url).table_prefix(prefix));
            let repo = logs::Repository::open(place.config().sink(database)).unwrap();
            for number in more {
                repo.app.info(format!("n {number}"));
            }
            arrive(&repo);
            assert_eq!(stats(&repo).dead_letters, 0);
        };
        deliver(201..210);
        assert_eq!(numbers(server, prefix)[..210], (0..210).collect::<Vec<_>>());
        let table = format!("{prefix}_logs");
        server.sql(&format!(
            "CREATE TABLE {prefix}_kept AS TABLE {table}; DELETE FROM {table} WHERE message LIKE 'n 1%' OR message = 'n 200'"
        ));
        std::fs::remove_dir_all(&spool).unwrap();
        copy(&kept, &spool);
        deliver(210..220);
        assert_eq!(numbers(server, prefix)[..220], (0..220).collect::<Vec<_>>());
        let columns = "timestamp, level, logger_name, process_id, thread_id, thread_name, hostname, message, exception, function_name, module, filename, lineno, \
                       pathname, extra_data::text, record_id";
        let changed = format!("SELECT {columns} FROM {prefix}_kept EXCEPT SELECT {columns} FROM {table}");
        let changed = texts(server, &changed);
        assert!(changed.is_empty(), "{changed:?}");
    }
}

// P-57
#[test]
fn many_records_of_several_programs_arrive_in_one_table_that_they_make_together() {
    let server = Postgres::shared();
    let places: Vec<Place> = (0..3).map(|_| Place::new()).collect();
    std::thread::scope(|scope| {
        for (at, place) in places.iter().enumerate() {
            scope.spawn(move || {
                let mut command = child(place, "postgres");
                command.args([
                    &*server.url(),
                    "many",
                    &(at * 5_000).to_string(),
                    &(at * 5_000 + 5_000).to_string(),
                ]);
                let outcome = run(command.arg("arrived"));
                assert_eq!((outcome.number("held"), outcome.number("dropped")), (0, 0), "{outcome:?}");
            });
        }
    });
    assert!(numbers(server, "many").into_iter().eq(0..15_000));
    let ids = "SELECT count(DISTINCT record_id) FROM many_logs";
    assert_eq!(texts(server, ids), ["15000"]);
    let left = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%many_logs%' AND application_name = 'miu-log'";
    wait_until("no connection is left", || texts(server, left) == ["0"]);
}
