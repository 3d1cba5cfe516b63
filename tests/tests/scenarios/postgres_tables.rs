//! What the owner of a PostgreSQL table can do to it while programs log into it: rename it, drop an index, add rules of its own. No record is lost or there twice.
// P-16, P-18, P-53, P-58, F67, F68

use std::time::Duration;

use miu_log::{CircuitState, Database};
use miu_log_tests::postgres::Postgres;
use miu_log_tests::{Outcome, Place, logs, run, wait_until};

use crate::child;
use crate::postgres::{arrive, config, numbers, sink, stats, texts};

/// The names of the table's indexes.
fn indexes(server: &Postgres, prefix: &str) -> Vec<String> {
    texts(
        server,
        &format!("SELECT indexname FROM pg_indexes WHERE tablename = '{prefix}_logs' ORDER BY indexname"),
    )
}

/// A program that logs the numbers 0 and 1 with this user, of which the second comes after these statements.
fn between(server: &Postgres, user: &str, prefix: &str, statements: &str) -> Outcome {
    let place = Place::new();
    let mut command = child(&place, "postgres");
    command.args([&*server.url_of(user), prefix, "0", "1", "anew"]);
    std::thread::scope(|scope| {
        let program = scope.spawn(|| run(&mut command));
        let logged = place.root().join("logged");
        wait_until("the first has arrived", || logged.exists());
        server.sql(statements);
        std::fs::remove_file(logged).unwrap();
        program.join().unwrap()
    })
}

#[test]
fn a_table_that_is_renamed_is_followed_by_one_with_all_indexes_however_often() {
    let (place, server) = (Place::new(), Postgres::shared());
    let repo = logs::Repository::open(config(&place, server, "archived")).unwrap();
    repo.app.info("n 0");
    arrive(&repo);
    let expected = |number: &str| -> Vec<String> {
        ["composite", "hostname", "level", "logger", "record_id", "timestamp"]
            .map(|of| format!("idx_archived_logs_{of}{number}"))
            .to_vec()
    };
    let named = || {
        let mut names = indexes(server, "archived");
        names.retain(|name| name.starts_with("idx_"));
        names
    };
    assert_eq!(named(), expected(""));
    for (year, number) in [(1, "_2"), (2, "_3")] {
        server.sql(&format!("ALTER TABLE archived_logs RENAME TO archived_logs_{year}"));
        repo.app.info(format!("n {year}"));
        arrive(&repo);
        assert_eq!((numbers(server, "archived"), named()), (vec![year], expected(number)));
    }
    let unique = "SELECT pg_get_indexdef('idx_archived_logs_record_id_3'::regclass)";
    assert!(texts(server, unique)[0].starts_with("CREATE UNIQUE INDEX"));
    repo.shutdown();
    // What there is by another name is found again, also where the first name is free.
    server.sql("DROP TABLE archived_logs_1");
    let repo = logs::Repository::open(config(&place, server, "archived")).unwrap();
    repo.app.info("n 3");
    arrive(&repo);
    assert_eq!((numbers(server, "archived"), named()), (vec![2, 3], expected("_3")));
    assert_eq!((stats(&repo).errors, stats(&repo).dead_letters), (0, 0));
}

#[test]
fn an_index_that_is_dropped_while_the_program_runs_is_made_again() {
    let (place, server) = (Place::new(), Postgres::shared());
    let repo = logs::Repository::open(config(&place, server, "bare")).unwrap();
    repo.app.info("n 0");
    arrive(&repo);
    let all = indexes(server, "bare");
    assert_eq!(all.len(), 7);
    for (number, name) in [(1, "idx_bare_logs_level"), (2, "idx_bare_logs_record_id")] {
        server.sql(&format!("DROP INDEX {name}"));
        repo.app.info(format!("n {number}"));
        arrive(&repo);
        assert_eq!(indexes(server, "bare"), all);
    }
    assert_eq!(numbers(server, "bare"), [0, 1, 2]);
    assert_eq!(stats(&repo).errors, 0);
}

#[test]
fn an_index_that_cannot_be_made_again_holds_up_nothing_but_that_of_record_id() {
    let server = Postgres::shared();
    server.sql("CREATE ROLE guest LOGIN");
    for (prefix, index, arrived) in [("plain", "level", 2), ("doubled", "record_id", 1)] {
        let place = Place::new();
        let repo = logs::Repository::open(config(&place, server, prefix)).unwrap();
        arrive(&repo);
        let made = format!("SELECT to_regclass('{prefix}_logs')");
        wait_until("the table is there", || texts(server, &made) == [format!("{prefix}_logs")]);
        repo.shutdown();
        server.sql(&format!(
            "GRANT INSERT ON {prefix}_logs TO guest; GRANT USAGE ON SEQUENCE {prefix}_logs_id_seq TO guest"
        ));
        let dropped = format!("DROP INDEX idx_{prefix}_logs_{index}");
        let words = format!("have its owner make the {}index", if arrived == 1 { "unique " } else { "" });
        if arrived == 2 {
            let outcome = between(server, "guest", prefix, &dropped);
            assert!(outcome.stderr.contains(&words), "{outcome:?}");
            assert!(outcome.stderr.contains("records go on without it"), "{outcome:?}");
            assert_eq!((outcome.number("held"), outcome.number("dropped")), (0, 0), "{outcome:?}");
        } else {
            let url = Database::url(server.url_of("guest")).table_prefix(prefix);
            let repo = logs::Repository::open(place.config().sink(sink(url))).unwrap();
            repo.app.info("n 0");
            arrive(&repo);
            server.sql(&dropped);
            repo.app.info("n 1");
            wait_until("it is off", || stats(&repo).remote.unwrap().circuit == CircuitState::Off);
            let fault = stats(&repo).fault.unwrap();
            assert!(fault.contains(&words), "{fault}");
        }
        assert_eq!(numbers(server, prefix).len(), arrived);
    }
}

#[test]
fn rows_that_are_there_twice_are_named_where_nothing_makes_them_unique() {
    let server = Postgres::shared();
    let place = Place::new();
    let repo = logs::Repository::open(config(&place, server, "doubles")).unwrap();
    repo.app.info("n 0");
    arrive(&repo);
    repo.shutdown();
    server.sql(
        "DROP INDEX idx_doubles_logs_record_id;
         INSERT INTO doubles_logs (level, logger_name, process_id, thread_id, hostname, message, record_id)
         SELECT level, logger_name, process_id, thread_id, hostname, message, record_id FROM doubles_logs",
    );
    let place = Place::new();
    let mut command = child(&place, "postgres");
    let outcome = run(command.args([&*server.url(), "doubles", "0", "1", "at-once"]));
    for words in ["rows of doubles_logs with the same record_id", "it is off until the next start"] {
        assert!(outcome.stderr.contains(words), "{outcome:?}");
    }
    assert_eq!((outcome.number("held"), outcome.number("dropped")), (1, 0), "{outcome:?}");
    assert_eq!(numbers(server, "doubles"), [0, 0]);
}

// F67
#[test]
fn a_record_that_breaks_a_rule_of_the_table_s_owner_is_a_dead_letter_and_all_others_arrive() {
    let server = Postgres::shared();
    let trigger = "CREATE FUNCTION ruled() RETURNS trigger LANGUAGE plpgsql AS
                   $$ BEGIN IF NEW.message = 'n 0' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$;
                   CREATE TRIGGER ruled BEFORE INSERT ON ruled1_logs FOR EACH ROW EXECUTE FUNCTION ruled()";
    for (at, rule) in
        ["ALTER TABLE ruled0_logs ADD CONSTRAINT mine UNIQUE (message)", trigger].iter().enumerate()
    {
        let (place, prefix) = (Place::new(), format!("ruled{at}"));
        let repo = logs::Repository::open(config(&place, server, &prefix)).unwrap();
        repo.app.info("n 0");
        arrive(&repo);
        server.sql(rule);
        for number in [1, 2, 0, 3, 4] {
            repo.app.info(format!("n {number}"));
        }
        arrive(&repo);
        assert_eq!(numbers(server, &prefix), [0, 1, 2, 3, 4]);
        assert_eq!((stats(&repo).dead_letters, stats(&repo).dropped), (1, 0), "{rule}");
        let dead = place.text(".outbox/database/dead-letters");
        assert!(dead.contains(if at == 0 { "\"mine\"" } else { "not this one" }), "{dead}");
    }
}

#[test]
fn a_sequence_that_was_set_back_or_has_come_to_its_end_buries_no_record() {
    let (place, server) = (Place::new(), Postgres::shared());
    let repo = logs::Repository::open(config(&place, server, "counted")).unwrap();
    for number in 0..10 {
        repo.app.info(format!("n {number}"));
    }
    arrive(&repo);
    // Each attempt takes a number.
    server.sql("ALTER SEQUENCE counted_logs_id_seq RESTART");
    repo.app.info("n 10");
    arrive(&repo);
    assert!(stats(&repo).errors > 0);
    server.sql("ALTER SEQUENCE counted_logs_id_seq MAXVALUE 15");
    for number in 11..30 {
        repo.app.info(format!("n {number}"));
    }
    wait_until("the fault is told", || stats(&repo).fault.is_some());
    let fault = stats(&repo).fault.unwrap();
    assert!(fault.contains("has no number left for a row of counted_logs"), "{fault}");
    server.sql("ALTER SEQUENCE counted_logs_id_seq NO MAXVALUE");
    arrive(&repo);
    assert!(numbers(server, "counted").into_iter().eq(0..30));
    assert_eq!((stats(&repo).dead_letters, stats(&repo).dropped), (0, 0));
}

#[test]
fn a_column_that_no_record_fits_is_seen_while_the_program_runs_and_buries_no_record() {
    let server = Postgres::shared();
    for (prefix, change, words) in [
        (
            "tenants",
            "ADD COLUMN tenant text; UPDATE tenants_logs SET tenant = 'a'; ALTER TABLE tenants_logs ALTER COLUMN tenant SET NOT NULL",
            "the column \"tenant\" is NOT NULL and has no default",
        ),
        // Eight bytes of a number would be taken for it.
        (
            "floats",
            "ALTER COLUMN thread_id TYPE double precision",
            "the column \"thread_id\" is of type double precision",
        ),
    ] {
        let place = Place::new();
        let repo = logs::Repository::open(config(&place, server, prefix)).unwrap();
        repo.app.info("n 0");
        arrive(&repo);
        server.sql(&format!("ALTER TABLE {prefix}_logs {change}"));
        repo.app.info("n 1");
        wait_until("it is off", || stats(&repo).remote.unwrap().circuit == CircuitState::Off);
        let stats = stats(&repo);
        assert!(stats.fault.as_ref().unwrap().contains(words), "{stats:?}");
        assert_eq!((stats.dead_letters, stats.held), (0, 1));
        assert_eq!(numbers(server, prefix), [0]);
    }
}

#[test]
fn a_table_in_a_later_schema_of_the_path_gets_what_it_lacks_and_has_no_double_in_the_first() {
    let (place, server) = (Place::new(), Postgres::shared());
    let repo = logs::Repository::open(config(&place, server, "pathed")).unwrap();
    repo.app.info("n 0");
    arrive(&repo);
    repo.shutdown();
    server.sql(
        "DROP INDEX idx_pathed_logs_level; CREATE ROLE pathed LOGIN SUPERUSER; CREATE SCHEMA pathed AUTHORIZATION pathed;
         ALTER ROLE pathed SET search_path = pathed, public",
    );
    let database = Database::url(server.url_of("pathed")).table_prefix("pathed");
    let database = sink(database).request_timeout(Duration::from_secs(10));
    let repo = logs::Repository::open(place.config().sink(database)).unwrap();
    repo.app.info("n 1");
    arrive(&repo);
    assert_eq!(numbers(server, "pathed"), [0, 1]);
    assert_eq!(
        (indexes(server, "pathed").len(), texts(server, "SELECT to_regclass('pathed.pathed_logs')")),
        (7, vec!["NULL".to_owned()])
    );
}
