//! Configuration files: what they say is done, and done again when they change.
// P-10 to P-12, P-26, P-30, P-35, P-60, P-73, F72

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use miu_log::testing::ManualListener;
use miu_log::{ConfigFile, Level, LogConfig};
use miu_log_tests::{Place, logs, run, wait, wait_until};
use rustix::process::{Pid, Signal, kill_process};

use crate::child;

/// Writes the file as editors do: whole, and then under its name.
fn write(place: &Place, text: &str) -> PathBuf {
    let (new, path) = (place.root().join("config.new"), place.root().join("config.yml"));
    let folder = format!("folder: {}\n", place.logs().display());
    std::fs::write(&new, folder + text).unwrap();
    std::fs::rename(&new, &path).unwrap();
    path
}

/// A repository whose file is looked at by `look`.
struct Service {
    place: Place,
    listener: ManualListener,
    repo: logs::Repository,
}

impl Service {
    fn open(text: &str) -> Service {
        let place = Place::new();
        let path = write(&place, text);
        let listener = ManualListener::new();
        let config = LogConfig::from_file(path).unwrap().manual_listener(&listener);
        let repo = logs::Repository::open(config).unwrap();
        listener.step();
        Service { place, listener, repo }
    }

    /// A second goes by.
    fn look(&self) {
        self.listener.advance(Duration::from_secs(1));
        self.listener.step();
    }

    /// The file says this from now on, and has been looked at often enough.
    fn change(&self, text: &str) {
        write(&self.place, text);
        self.look();
        self.look();
    }

    /// What has been said of the configuration.
    fn told(&self) -> Vec<String> {
        let path = self.place.root().join("config.yml").display().to_string();
        let told =
            self.place.messages("app.log").into_iter().filter(|message| message.starts_with("configuration"));
        told.map(|message| message.replace(&path, "FILE")).collect()
    }
}

#[test]
fn a_service_is_what_its_file_says() {
    let place = Place::new();
    for (name, text) in [
        (
            "config.yml",
            format!(
                "folder: {}\nlevel_files: false\nconsole: {{format: '%(levelname)s %(message)s'}}\n",
                place.logs().display()
            ),
        ),
        (
            "config.toml",
            format!(
                "folder = {:?}\nlevel_files = false\n[console]\nformat = '%(levelname)s %(message)s'\n",
                place.logs()
            ),
        ),
    ] {
        let path = place.root().join(name);
        std::fs::write(&path, text).unwrap();
        let outcome = run(child(&place, "file-service").arg(&path));
        assert_eq!(outcome.printed(), "DEBUG debug of app\nINFO info of db");
        assert_eq!(place.names(), ["app.log", "db.log", "redis.log", "task.log"]);
        let outcome = run(child(&place, "file-service").arg(&path).env("MIU_LOG", "info,db=error"));
        assert_eq!(outcome.printed(), "");
        let outcome = run(child(&place, "file-service").arg(&path).env("MIU_LOG", "info, bd=error,lout"));
        assert!(
            outcome.printed().starts_with("the environment variable MIU_LOG, column 16: the unknown level"),
            "{outcome:?}"
        );
        assert_eq!(outcome.stderr, "");
    }
}

// P-31, P-34
#[test]
fn an_applications_file_sets_up_its_service_also_while_its_database_is_not_there() {
    let place = Place::new();
    let text = "
name: orders
logging:
  level: INFO
  database: {enabled: true, retention_days: 365}
  console: {enabled: true}
  components: {app: DEBUG}
database: {host: localhost, port: 1, username: orders, password: hunter2, database: orders, table_prefix: myopenaiapi}
";
    let path = place.root().join("config.yml");
    std::fs::write(&path, text).unwrap();
    let outcome = run(child(&place, "file-service").arg(&path).current_dir(place.root()));
    let lines: Vec<&str> = outcome.printed().lines().collect();
    assert!(
        lines[0].ends_with(" - app - DEBUG - debug of app")
            && lines[1].ends_with(" - db - INFO - info of db"),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 2);
    let stderr = &outcome.stderr;
    assert!(stderr.contains("postgres://localhost:1") && !stderr.contains("hunter2"), "{stderr}");
    assert!(stderr.contains("2 records are not delivered; they are in its spool"), "{stderr}");
    // Where nothing is said of a folder it is `logs`, from where the program was started.
    assert!(place.text("db.log").ends_with(" | info of db\n"));
}

// P-60
#[test]
fn a_lenient_service_starts_with_defaults_and_warnings() {
    let place = Place::new();
    let path = write(&place, "level: inof\nconsole: false\ndomains: {bd: info}\n");
    let strict = LogConfig::from_file(&path).unwrap_err().to_string();
    assert!(
        strict.contains("config.yml:2:8: level: the unknown level \"inof\"; did you mean \"info\"?"),
        "{strict}"
    );
    let listener = ManualListener::new();
    let config = ConfigFile::new(&path).lenient(true).load().unwrap().manual_listener(&listener);
    let repo = logs::Repository::open(config).unwrap();
    repo.app.debug("debug");
    drop(repo);
    let messages = place.messages("app.log");
    assert!(
        messages.iter().any(|it| it.contains(": level: ") && it.ends_with("; the default is taken: debug")),
        "{messages:?}"
    );
    assert!(
        messages.iter().any(|it| it.contains(": domains.bd: ") && it.ends_with("; it is left out")),
        "{messages:?}"
    );
    assert_eq!(messages.last().unwrap(), "debug");
    assert_eq!(place.messages("warning.log").len(), 2);
    // So is one whose file is not there.
    assert!(ConfigFile::new(place.root().join("nothing.yml")).lenient(true).load().is_ok());
}

// P-60
#[test]
fn a_lenient_service_starts_also_where_only_domains_are_unknown() {
    for (text, says) in [
        ("domains: {bd: info}\n", ": domains.bd: the unknown domain \"bd\""),
        ("routes: {sqlx: bd}\n", ": routes.sqlx: the route \"sqlx\" leads to the unknown domain \"bd\""),
        ("routes: {\"sqlx::\": db}\n", "the route \"sqlx::\" is no target"),
        ("default_route: nope\n", "the default route leads to the unknown domain \"nope\""),
    ] {
        let place = Place::new();
        let path = write(&place, &format!("console: false\nintercept: false\n{text}"));
        let strict = LogConfig::from_file(&path).unwrap().manual_listener(&ManualListener::new());
        assert!(logs::Repository::open(strict).unwrap_err().to_string().contains(says), "{text}");
        let listener = ManualListener::new();
        let config = ConfigFile::new(&path).lenient(true).load().unwrap().manual_listener(&listener);
        let repo = logs::Repository::open(config).unwrap_or_else(|error| panic!("{text}: {error}"));
        repo.app.info("started");
        drop(repo);
        let messages = place.messages("warning.log");
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert!(messages[0].contains(says) && messages[0].ends_with("; it is left out"), "{messages:?}");
        assert_eq!(place.messages("app.log").last().unwrap(), "started");
    }
}

#[test]
fn levels_change_with_the_file_and_everything_else_waits_for_a_restart() {
    let service = Service::open("level: info\nconsole: false\n");
    let repo = &service.repo;
    repo.app.debug("before");
    service.change(
        "level: warning\nconsole: false\ndomains: {db: debug}\nrotation: 5 MB\nsinks: [{file: more.log}]\n",
    );
    repo.app.info("app is at warning");
    repo.db.debug("db is at debug");
    service.change("level: warning\nconsole: false\ndomains: {db: debug}\nrotation: 5 MB\nsinks: [{file: more.log}]\ndebug_enabled: false\n");
    repo.db.debug("and debug is off");
    service.listener.step();
    assert_eq!(
        service.told(),
        [
            "configuration read again from FILE: level of app INFO -> WARNING; level of db INFO -> DEBUG; level of redis INFO -> WARNING; \
             level of task INFO -> WARNING; needs a restart: rotation, sinks",
            "configuration read again from FILE: debug_enabled true -> false",
        ]
    );
    assert_eq!(service.place.messages("db.log"), ["db is at debug"]);
    assert_eq!(service.place.messages("app.log").len(), 2);
    assert!(!service.place.log("more.log").exists());
}

#[test]
fn what_needs_a_restart_is_what_differs_from_what_runs() {
    let service = Service::open("rotation: 5 MB\nconsole: {level: info}\n");
    service.change("rotation: 6 MB\nconsole: {level: info, colour: never}\n");
    // Still another one, and one that is as it was.
    service.change("rotation: 7 MB\nconsole: {level: info}\n");
    service.change("console: {level: info}\n");
    service.change("rotation: 5 MB\nconsole: {level: info}\n");
    assert_eq!(
        service.told(),
        [
            "configuration read again from FILE: needs a restart: rotation, console",
            "configuration read again from FILE: needs a restart: rotation; as it runs again, without a restart: console",
            "configuration read again from FILE: needs a restart: rotation",
            "configuration read again from FILE: as it runs again, without a restart: rotation",
        ]
    );
}

#[test]
fn a_file_that_is_wrong_changes_nothing_and_is_told_once() {
    let service = Service::open("level: info\nconsole: false\n");
    for _ in 0..3 {
        service.change("level: inof\nconsole: maybe\n");
    }
    service.change("level: info\ndomains: {bd: info}\nconsole: false\n");
    service.repo.app.info("info is taken still");
    std::fs::remove_file(service.place.root().join("config.yml")).unwrap();
    service.look();
    service.look();
    service.change("level: info\nconsole: false\n");
    // The same text again, in a new file.
    service.change("level: info\nconsole: false\n");
    let told = service.told();
    let kept = "configuration not changed, the former one stays in force: FILE:";
    assert!(
        told[0].starts_with(kept) && told[0].contains("FILE:2:8: level: the unknown level \"inof\""),
        "{told:#?}"
    );
    assert!(told[0].contains("; FILE:3:10: console: here is \"maybe\""), "all at once: {told:#?}");
    assert!(told[1].contains("FILE:3:11: domains.bd: the unknown domain \"bd\""), "{told:#?}");
    assert!(told[2].contains("FILE: cannot be read: No such file"), "{told:#?}");
    assert_eq!(told[3], "configuration read again from FILE: nothing has changed");
    assert_eq!(told.len(), 4, "{told:#?}");
    assert!(service.place.messages("app.log").iter().any(|message| message == "info is taken still"));
    let warnings =
        service.place.entries("app.log").into_iter().filter(|entry| entry.level == "WARNING").count();
    assert_eq!(warnings, 3);
}

#[test]
fn a_file_that_was_emptied_changes_nothing_and_is_told_once() {
    let service = Service::open("level: error\nconsole: false\n");
    let path = service.place.root().join("config.yml");
    for text in ["", "# level: error\n", "\n"] {
        std::fs::write(&path, text).unwrap();
        service.look();
        service.look();
    }
    assert_eq!(service.repo.app.level(), Level::Error);
    service.change("level: error\nconsole: false\n");
    assert_eq!(
        service.told(),
        [
            "configuration not changed, the former one stays in force: FILE: the file is empty, or says nothing",
            "configuration read again from FILE: nothing has changed",
        ]
    );
}

#[test]
fn what_an_editor_has_written_half_of_is_not_read() {
    let service = Service::open("level: info\nconsole: false\n");
    let path = service.place.root().join("config.yml");
    // Each look finds another state: none of them is taken.
    for text in ["", "lev", "level: war", "level: warning\ncons"] {
        std::fs::write(&path, text).unwrap();
        service.look();
    }
    service.change("level: warning\nconsole: false\n");
    assert_eq!(service.told().len(), 1, "{:#?}", service.told());
    assert!(service.told()[0].contains("level of app INFO -> WARNING"));
}

#[test]
fn what_the_program_has_set_stays_unless_the_file_changes_that_very_thing() {
    let service = Service::open("level: info\nconsole: false\n");
    service.repo.app.set_level(Level::Critical);
    service.change("level: info\nconsole: false\ndomains: {db: error}\n");
    assert_eq!(service.repo.app.level(), Level::Critical);
    assert_eq!(service.repo.db.level(), Level::Error);
    // That of all domains is another level than that of this one.
    service.repo.redis.set_level(Level::Debug);
    service.change("level: debug\nconsole: false\ndomains: {db: error}\n");
    assert_eq!((service.repo.app.level(), service.repo.task.level()), (Level::Critical, Level::Debug));
    assert_eq!(service.repo.db.level(), Level::Error);
    // What the record names is what was in force.
    service.change("level: debug\nconsole: false\ndomains: {db: error, app: warning}\n");
    assert_eq!(service.repo.app.level(), Level::Warning);
    assert_eq!(
        service.told(),
        [
            "configuration read again from FILE: level of db INFO -> ERROR",
            "configuration read again from FILE: level of app stays CRITICAL, which the program has set; level of redis is DEBUG already; \
             level of task INFO -> DEBUG",
            "configuration read again from FILE: level of app CRITICAL -> WARNING",
        ]
    );
}

#[test]
fn a_file_can_say_that_it_is_not_looked_at_any_more() {
    let service = Service::open("level: info\nconsole: false\n");
    service.change("level: info\nconsole: false\nreload: false\n");
    service.change("level: error\nconsole: false\n");
    assert_eq!(service.told(), ["configuration read again from FILE: changes are not looked for any more"]);
    let service = Service::open("level: info\nconsole: false\nreload: false\n");
    service.change("level: error\nconsole: false\n");
    assert_eq!(service.told(), [""; 0]);
}

// The console's level, a real change of the file, and SIGHUP.
#[test]
fn a_running_process_takes_up_its_file_by_itself_and_at_once_by_sighup() {
    let place = Place::new();
    let text = "handle_signals: true\nlevel: debug\nlayout: '%(levelname)s %(message)s'\n";
    let path = write(&place, &format!("{text}console: {{stream: stderr, level: error}}\n"));
    let mut command = child(&place, "file-reload");
    command.env("MIU_LOG", "redis=debug");
    command.arg(&path).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let mut stdout = BufReader::new(process.stdout.take().unwrap()).lines();
    assert_eq!(stdout.next().unwrap().unwrap(), "ready");
    // Comes back when the line has been logged and written.
    let mut say = |line: &str| {
        writeln!(stdin, "{line}").unwrap();
        stdout.next().unwrap().unwrap()
    };
    assert_eq!(say("one"), "accepted=1");
    // By itself.
    write(&place, &format!("{text}console: {{stream: stderr, level: debug}}\n"));
    let log = || std::fs::read_to_string(place.log("app.log")).unwrap_or_default();
    wait_until("the change is taken up", || log().contains("level of the console ERROR -> DEBUG"));
    say("two");
    // By the signal.
    write(&place, &format!("{text}console: {{stream: stderr, level: critical}}\n"));
    kill_process(Pid::from_child(&process), Signal::HUP).unwrap();
    wait_until("the change is taken up", || log().contains("level of the console DEBUG -> CRITICAL"));
    say("three");
    // Of a level that `MIU_LOG` overrides nothing comes, but that is said.
    let text = text.replace("level: debug", "level: error");
    write(&place, &format!("{text}console: {{stream: stderr, level: critical}}\n"));
    wait_until("the change is told", || log().contains("; MIU_LOG overrides the level of redis\n"));
    drop(stdin);
    assert!(wait(&mut process).success());
    let mut shown = String::new();
    std::io::Read::read_to_string(&mut process.stderr.take().unwrap(), &mut shown).unwrap();
    assert!(shown.contains("DEBUG two\n") && !shown.contains("one") && !shown.contains("three"), "{shown}");
    assert!(log().contains("DEBUG one\n") && log().contains("DEBUG three\n"));
}

// P-31, P-36, P-70
#[test]
fn a_file_puts_records_into_the_database_of_its_application() {
    let place = Place::new();
    let (file, database) = (place.root().join("config.yml"), place.root().join("orders.db"));
    let text = format!(
        "logging:\n  folder: {}\n  console: false\n  panic_hook: false\n  database: {{enabled: true, level: warning, flush_interval: 1 hour}}\ndatabase:\n  url: sqlite:{}\n  table_prefix: orders\n  echo: true\n",
        place.logs().display(),
        database.display()
    );
    std::fs::write(&file, &text).unwrap();
    let repo = logs::Repository::open(LogConfig::from_file(&file).unwrap()).unwrap();
    repo.db.warning("disk almost full");
    repo.db.info("not for it");
    repo.app.error("connection lost");
    repo.flush(crate::FLUSH).unwrap();
    repo.shutdown();
    let table = rusqlite::Connection::open(&database).unwrap();
    let mut rows = table.prepare("SELECT level, logger_name, message FROM orders_logs ORDER BY id").unwrap();
    let rows: Vec<(String, String, String)> = rows
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let row = |level: &str, domain: &str, text: &str| (level.to_owned(), domain.to_owned(), text.to_owned());
    assert_eq!(rows, [row("WARNING", "db", "disk almost full"), row("ERROR", "app", "connection lost")]);
}
