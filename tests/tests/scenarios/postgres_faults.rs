//! What a PostgreSQL server can do to a program that logs into it: go away, hang, refuse, be somebody else. No record is lost or there twice, and each fault has
//! words of its own.
// P-06, P-08, P-41 to P-47, P-51 to P-53, P-58, P-59, P-72, F68, F69

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::time::Duration;

use miu_log::{CircuitState, Database, Remote};
use miu_log_tests::postgres::Postgres;
use miu_log_tests::{Outcome, Place, logs, run, wait, wait_until};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::postgres::{arrive, config, sink, stats, texts};
use crate::{FLUSH, child};

/// How many records are in the table.
fn count(server: &Postgres, prefix: &str) -> usize {
    texts(server, &format!("SELECT count(*) FROM {prefix}_logs"))[0].parse().unwrap()
}

/// Each number once, and nothing else.
#[track_caller]
fn assert_complete(server: &Postgres, prefix: &str, numbers: u32) {
    let query = format!("SELECT message FROM {prefix}_logs ORDER BY substr(message, 3)::int");
    let expected: Vec<String> = (0..numbers).map(|number| format!("n {number}")).collect();
    assert!(texts(server, &query) == expected, "{} of {numbers}", count(server, prefix));
}

/// A program that logs these numbers and waits to be killed, once it has logged them all.
fn logged(place: &Place, server: &Postgres, prefix: &str, numbers: std::ops::Range<u32>) -> Child {
    let _ = std::fs::remove_file(place.root().join("logged"));
    let mut command = child(place, "postgres");
    command.args([&*server.url(), prefix, &numbers.start.to_string(), &numbers.end.to_string(), "killed"]);
    command.spawn().unwrap()
}

fn kill(mut child: Child, place: &Place) {
    wait_until("all is logged", || place.root().join("logged").exists());
    child.kill().unwrap();
    assert_eq!(wait(&mut child).signal(), Some(9));
}

#[test]
fn neither_a_server_nor_a_program_that_is_killed_costs_a_record_or_doubles_one() {
    let (place, server) = (Place::new(), Postgres::start(&[]));
    // The server loses its power while the program writes, and the program is killed while it writes.
    let program = logged(&place, &server, "stream", 0..6_000);
    wait_until("some are there", || {
        texts(&server, "SELECT to_regclass('stream_logs')") == ["stream_logs"] && count(&server, "stream") > 0
    });
    server.kill();
    server.start_again();
    let before = count(&server, "stream");
    wait_until("the connection is made anew", || {
        let now = count(&server, "stream");
        now == 6_000 || now > before
    });
    kill(program, &place);
    // The server is stopped before the program begins, and comes back; then its connections are cut, again and again.
    server.stop();
    let program = logged(&place, &server, "stream", 6_000..12_000);
    server.start_again();
    let mut cut = 0;
    wait_until("connections were cut while records came", || {
        let query =
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'miu-log'";
        cut += texts(&server, query).len();
        cut >= 5 || count(&server, "stream") >= 12_000
    });
    assert!(cut > 0);
    kill(program, &place);
    let mut last = child(&place, "postgres");
    last.args([&*server.url(), "stream", "12000", "12100", "arrived"]);
    let ended = run(&mut last);
    assert_eq!((ended.number("held"), ended.number("dropped")), (0, 0), "{ended:?}");
    assert_complete(&server, "stream", 12_100);
    let ids = "SELECT count(DISTINCT record_id) FROM stream_logs";
    assert_eq!(texts(&server, ids), ["12100"]);
}

#[test]
fn a_server_that_hangs_holds_up_no_file_and_gets_everything_when_it_goes_on() {
    let (place, server) = (Place::new(), Postgres::start(&[]));
    let database = Database::url(server.url()).table_prefix("hung").retention_days(1);
    let remote = sink(database).request_timeout(Duration::from_millis(300));
    let repo = logs::Repository::open(place.config().sink(remote)).unwrap();
    repo.app.info("n 0");
    arrive(&repo);
    server.freeze();
    for number in 1..200 {
        repo.app.info(format!("n {number}"));
    }
    wait_until("the file has them", || place.text("app.log").ends_with("n 199\n"));
    wait_until("the sink has given up waiting, twice", || stats(&repo).errors >= 2);
    // Neither a flush nor the end waits for such a server without end.
    repo.flush(FLUSH).unwrap();
    assert!(stats(&repo).held > 0);
    server.go_on();
    arrive(&repo);
    assert_complete(&server, "hung", 200);
    assert_eq!(stats(&repo).dropped, 0);
    server.freeze();
    repo.app.info("n 200");
    repo.shutdown();
    server.go_on();
    let repo = logs::Repository::open(config(&place, &server, "hung")).unwrap();
    arrive(&repo);
    assert_complete(&server, "hung", 201);
}

#[test]
fn a_table_that_somebody_has_locked_gets_its_records_afterwards() {
    let (place, server) = (Place::new(), Postgres::shared());
    let database = Database::url(server.url()).table_prefix("locked");
    let remote = sink(database).request_timeout(Duration::from_millis(200));
    let repo = logs::Repository::open(place.config().sink(remote)).unwrap();
    repo.app.info("n 0");
    arrive(&repo);
    let mut other = server.connect();
    let mut lock = other.transaction().unwrap();
    lock.batch_execute("LOCK TABLE locked_logs IN ACCESS EXCLUSIVE MODE").unwrap();
    for number in 1..100 {
        repo.app.info(format!("n {number}"));
    }
    wait_until("the sink has tried", || stats(&repo).retries > 0);
    lock.rollback().unwrap();
    arrive(&repo);
    assert_complete(server, "locked", 100);
}

#[test]
fn a_server_for_which_a_batch_is_too_much_gets_less_at_once_also_after_a_restart() {
    let (place, server) = (Place::new(), Postgres::shared());
    let remote = || {
        let database = Database::url(server.url()).table_prefix("slow");
        sink(database).request_timeout(Duration::from_millis(1_000))
    };
    let repo = logs::Repository::open(place.config().sink(remote())).unwrap();
    repo.app.info("n 0");
    arrive(&repo);
    // A batch of all of them takes three times as long as it may.
    server.sql(
        "CREATE FUNCTION slow() RETURNS trigger AS $$ BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END $$ LANGUAGE plpgsql;
         CREATE TRIGGER slow BEFORE INSERT ON slow_logs FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    let mut other = server.connect();
    let mut lock = other.transaction().unwrap();
    lock.batch_execute("LOCK TABLE slow_logs IN ACCESS EXCLUSIVE MODE").unwrap();
    for number in 1..300 {
        repo.app.info(format!("n {number}"));
    }
    // Nothing is there of an outage but what waits.
    repo.shutdown();
    lock.rollback().unwrap();
    drop(repo);
    let repo = logs::Repository::open(place.config().sink(remote())).unwrap();
    wait_until("all has arrived", || stats(&repo).held == 0);
    assert_complete(server, "slow", 300);
    let stats = stats(&repo);
    assert_eq!((stats.dropped, stats.dead_letters, stats.written), (0, 0, 299));
    assert!(stats.errors > 0 && stats.remote.unwrap().batches > 3, "{stats:?}");
}

#[test]
fn a_connection_that_is_cut_in_the_middle_of_a_batch_costs_no_record_and_doubles_none() {
    let (place, server) = (Place::new(), Postgres::shared());
    server.sql("CREATE ROLE cut LOGIN SUPERUSER");
    let database = Database::url(server.url_of("cut")).table_prefix("cut");
    let repo = logs::Repository::open(place.config().sink(sink(database))).unwrap();
    repo.app.info("n 0");
    arrive(&repo);
    let mut other = server.connect();
    let mut lock = other.transaction().unwrap();
    lock.batch_execute("LOCK TABLE cut_logs IN ACCESS EXCLUSIVE MODE").unwrap();
    for number in 1..300 {
        repo.app.info(format!("n {number}"));
    }
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'cut' AND wait_event_type = 'Lock'";
    // The first time it is done once more on a new connection, the second time that is an error, and the batch is offered again.
    wait_until("a batch that is being written was cut twice", || {
        texts(server, cut);
        stats(&repo).errors > 0
    });
    lock.rollback().unwrap();
    arrive(&repo);
    assert_complete(server, "cut", 300);
}

/// A program that logs the number 0 into this database, tries once, and ends.
fn once(url: &str, prefix: &str) -> (Place, Outcome) {
    let place = Place::new();
    let mut command = child(&place, "postgres");
    command.args([url, prefix, "0", "1", "at-once"]);
    let outcome = run(&mut command);
    let shown = format!("{} {}", outcome.stderr, outcome.stdout);
    assert!(!shown.contains("canary") && !shown.contains("panicked"), "{outcome:?}");
    (place, outcome)
}

// P-72
#[test]
fn each_way_not_to_get_into_the_table_has_its_own_words_and_shows_no_password() {
    let server = Postgres::shared();
    let port = server.port();
    let (_, made) = once(&server.url(), "words");
    assert_eq!(made.number("held"), 0, "{made:?}");
    server.sql(
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC;
         CREATE ROLE canary_guest LOGIN;
         CREATE ROLE canary_ann LOGIN PASSWORD 'right' IN ROLE passwords;
         CREATE ROLE canary_many LOGIN CONNECTION LIMIT 0;
         CREATE ROLE canary_reader LOGIN;
         GRANT INSERT ON words_logs TO canary_reader;
         GRANT USAGE ON SEQUENCE words_logs_id_seq TO canary_reader;
         ALTER ROLE canary_reader SET default_transaction_read_only = on;",
    );
    let nobody = { TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port() };
    let at = |user: &str, database: &str| format!("postgres://{user}@127.0.0.1:{port}/{database}");
    let off = "it is off until the next start";
    let later = "tried again";
    let mut texts = Vec::new();
    for (url, prefix, words, then) in [
        (
            at("canary_ann:canary", "postgres"),
            "words",
            "does not let this user in: check user and password",
            off,
        ),
        (
            at("canary_ann", "postgres"),
            "words",
            "wants a password, and the address has none: put user:password into the address",
            off,
        ),
        (at("nobody_canary", "postgres"), "words", "does not let this user in", off),
        (at("canary_guest", "nowhere"), "words", "has no database of the name", off),
        (at("canary_guest", "postgres"), "words", "GRANT INSERT on it", off),
        (at("canary_guest", "postgres"), "other", "does not let this user make the table other_logs", off),
        (at("canary_many", "postgres"), "words", "has too many connections", later),
        (at("canary_reader", "postgres"), "words", "is read-only", "wait"),
        (
            format!("postgres://a:canary@127.0.0.1:{nobody}/b"),
            "words",
            "is not reached: Connection refused",
            later,
        ),
        (
            format!("postgres://a:canary@canary.invalid:{nobody}/b?sslmode=disable"),
            "words",
            "is not reached: ",
            later,
        ),
    ] {
        let place = Place::new();
        let mut command = child(&place, "postgres");
        let outcome = run(command.args([&*url, prefix, "0", "1", "at-once"]));
        let text = outcome.stderr.replace("canary.invalid", "");
        // Either comes first, what is done before there are records or the flush.
        let says = text.contains(then) || then == later && text.contains("its records wait");
        assert!(text.contains(words) && says, "{url}: {text}");
        assert!(!text.contains("canary") && !outcome.stdout.contains("canary"), "{url}: {text}");
        assert!(text.contains("1 record is not delivered; it is in its spool"), "{text}");
        texts.push(text);
    }
    assert_eq!(count(server, "words"), 1);
}

#[test]
fn records_wait_while_a_server_takes_no_more_connections_and_while_it_is_read_only() {
    let (place, server) = (Place::new(), Postgres::shared());
    server.sql(
        "CREATE ROLE waiting LOGIN CONNECTION LIMIT 0; GRANT CREATE ON SCHEMA public TO waiting; ALTER ROLE waiting SET default_transaction_read_only = on",
    );
    let database = Database::url(server.url_of("waiting")).table_prefix("waiting");
    let repo = logs::Repository::open(place.config().sink(sink(database))).unwrap();
    repo.app.info("n 0");
    wait_until("the sink has tried", || stats(&repo).retries > 0);
    server.sql("ALTER ROLE waiting CONNECTION LIMIT 1");
    let tried = stats(&repo).retries;
    wait_until("the sink has tried again", || stats(&repo).retries > tried + 1);
    server.sql("ALTER ROLE waiting RESET default_transaction_read_only");
    // What a session was told when it began stays with it.
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'waiting'");
    arrive(&repo);
    assert_complete(server, "waiting", 1);
}

/// A certificate for this name, signed by that one, with its key, as PEM.
fn signed(name: &str, days: i64, issuer: &Issuer<'_, KeyPair>) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = IsCa::ExplicitNoCa;
    if days < 0 {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 2, 1);
    }
    (params.signed_by(&key, issuer).unwrap().pem(), key.serialize_pem())
}

// F69
#[test]
fn a_server_is_trusted_by_its_certificate_alone_and_never_in_plain_text() {
    let (folder, server) = (Place::new(), Postgres::start(&[]));
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let roots = folder.root().join("root s.pem");
    std::fs::write(&roots, params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let url = |host: &str, mode: &str| {
        format!("postgres://postgres@{host}:{}/postgres?sslmode={mode}", server.port())
    };
    let with_roots = |mode: &str| {
        let path = roots.to_str().unwrap().replace(' ', "%20");
        format!("{}&sslrootcert={path}", url("localhost", mode))
    };
    let refused = |url: &str, words: &str| {
        let (_, outcome) = once(url, "trust");
        assert!(outcome.stderr.contains(words), "{url}: {outcome:?}");
        assert_eq!(outcome.number("held"), 1);
    };
    refused(
        &with_roots("verify-full"),
        "has no TLS: server does not support TLS: give it a certificate, or write ?sslmode=disable",
    );
    refused(
        &url("localhost", "require"),
        "has no TLS: server does not support TLS: give it a certificate, or write ?sslmode=disable",
    );
    let (certificate, key) = signed("localhost", 1, &issuer);
    server.with_certificate(&certificate, &key);
    // The browsers' roots have not signed it, and `require` is no less than `verify-full`.
    refused(&url("localhost", "verify-full"), "UnknownIssuer");
    refused(&url("localhost", "require"), "UnknownIssuer");
    let (_, outcome) = once(&with_roots("verify-full"), "trust");
    assert_eq!(outcome.number("held"), 0, "{outcome:?}");
    assert_eq!(count(&server, "trust"), 1);
    // Of the connection that is there at the time.
    let place = Place::new();
    let database = sink(Database::url(with_roots("require")).table_prefix("trust"));
    let repo = logs::Repository::open(place.config().sink(database)).unwrap();
    repo.app.info("n 1");
    arrive(&repo);
    let query = "SELECT DISTINCT ssl, version FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'miu-log'";
    assert_eq!(texts(&server, query), ["t TLSv1.3"]);
    repo.shutdown();
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    server.with_certificate(&own.cert.pem(), &own.signing_key.serialize_pem());
    refused(&with_roots("verify-full"), "TLS failed");
    let (certificate, key) = signed("db.example.org", 1, &issuer);
    server.with_certificate(&certificate, &key);
    refused(&with_roots("require"), "TLS failed");
    let (certificate, key) = signed("localhost", -1, &issuer);
    server.with_certificate(&certificate, &key);
    refused(&with_roots("verify-full"), "TLS failed");
    assert_eq!(count(&server, "trust"), 2);
}

#[test]
fn a_socket_of_this_machine_is_an_address_as_well() {
    let (place, server) = (Place::new(), Postgres::shared());
    let folder = server.folder().to_str().unwrap().replace('/', "%2F");
    let url = format!("postgres://postgres@{folder}:{}/postgres", server.port());
    let repo = logs::Repository::open(
        place.config().sink(Remote::database(Database::url(url).table_prefix("socket"))),
    )
    .unwrap();
    repo.app.info("n 0");
    arrive(&repo);
    assert_complete(server, "socket", 1);
}

#[test]
fn a_server_that_says_nothing_leaves_time_for_the_next_one_in_the_address() {
    let (place, server) = (Place::new(), Postgres::shared());
    // The system takes connections for it, and nobody reads from them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", silent.local_addr().unwrap().port(), server.port());
    let url = format!("postgres://postgres@{hosts}/postgres");
    // Less for all of it than for a connection, in the second place.
    for (number, request) in [(0, 15_000), (1, 800)] {
        let remote = sink(Database::url(&*url).table_prefix("several"))
            .connect_timeout(Duration::from_millis(1_000))
            .request_timeout(Duration::from_millis(request));
        let repo = logs::Repository::open(place.config().sink(remote)).unwrap();
        repo.app.info(format!("n {number}"));
        arrive(&repo);
    }
    assert_complete(server, "several", 2);
    drop(silent);
    let (_, outcome) = once("postgres://ann@127.0.0.1:1,127.0.0.1:2/x", "several");
    let words = "postgres://127.0.0.1:1,127.0.0.1:2 is not reached: Connection refused";
    assert!(outcome.stderr.contains(words), "{outcome:?}");
}

/// A message of the client's: its first one, or one with a letter before its length.
fn message(client: &mut TcpStream, has_letter: bool) -> std::io::Result<Vec<u8>> {
    let mut head = vec![0; if has_letter { 5 } else { 4 }];
    client.read_exact(&mut head)?;
    let length = u32::from_be_bytes(head[head.len() - 4..].try_into().unwrap());
    let mut body = vec![0; length as usize - 4];
    client.read_exact(&mut body)?;
    Ok(body)
}

/// Asks a client to log in by SCRAM with so many iterations; whether it answers.
fn ask(client: &mut TcpStream, iterations: &str) -> std::io::Result<Vec<u8>> {
    let request = |kind: u32, text: &str| {
        let length = text.len() as u32 + 8;
        [b"R", &length.to_be_bytes()[..], &kind.to_be_bytes(), text.as_bytes()].concat()
    };
    message(client, false)?;
    client.write_all(&request(10, "SCRAM-SHA-256\0\0"))?;
    let first = String::from_utf8_lossy(&message(client, true)?).into_owned();
    let nonce = first.split_once("r=").unwrap().1;
    client.write_all(&request(11, &format!("r={nonce}more,s=c2FsdHNhbHQ=,i={iterations}")))?;
    message(client, true)
}

#[test]
fn a_server_that_wants_a_login_without_end_gets_none() {
    // More than anybody sets, as much as a number of the protocol's holds, and more than that.
    for iterations in ["1000000", "4294967295", "99999999999999999999"] {
        let (place, listener) = (Place::new(), TcpListener::bind("127.0.0.1:0").unwrap());
        let url = format!("postgres://ann:canary@{}/x", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || ask(&mut listener.accept().unwrap().0, iterations));
        let repo = logs::Repository::open(place.config().sink(sink(Database::url(url)))).unwrap();
        repo.app.info("n 0");
        wait_until("it is off", || stats(&repo).remote.unwrap().circuit == CircuitState::Off);
        let fault = stats(&repo).fault.unwrap();
        assert!(fault.contains("the way to log in is not settled") && !fault.contains("canary"), "{fault}");
        wait_until("its record waits", || stats(&repo).held == 1);
        // It is the one attempt there was, and the connection is closed.
        assert!(server.join().unwrap().is_err());
    }
}
