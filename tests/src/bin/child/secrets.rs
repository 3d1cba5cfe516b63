//! A program that has a secret wherever one can be, and shows all that a program shows when it looks for what is wrong.

use std::error::Error;
use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

use miu_log::{ConfigFile, Database, Level, LogConfig, Remote, Secret, Webhook};
use miu_log_tests::logs;

use crate::{FLUSH, config};

/// Prints an error with all that it came from, as people and as programmers see it.
fn show(what: &str, error: &(dyn Error + 'static)) {
    let mut next = Some(error);
    while let Some(error) = next {
        println!("{what}: {error} {error:?} {error:#?}");
        next = error.source();
    }
}

fn print(what: &str, value: &impl Debug) {
    println!("{what}: {value:?} {value:#?}");
}

fn quick(remote: Remote) -> Remote {
    remote
        .batch_age(Duration::ZERO)
        .batch_interval(Duration::ZERO)
        .retries(0)
        .connect_timeout(Duration::from_secs(5))
}

/// Names and arguments as everybody on the machine sees them.
fn look_at_threads() {
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        for file in ["comm", "cmdline", "status"] {
            let bytes = std::fs::read(task.path().join(file)).unwrap_or_default();
            println!("{file}: {}", String::from_utf8_lossy(&bytes));
        }
    }
}

/// Says of each file below this folder whether the secret is in it: of those in shared memory nothing is left when the program has ended.
fn search(folder: &Path, secret: &str) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            search(&path, secret);
        } else if let Ok(bytes) = std::fs::read(&path) {
            let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            println!("searched: {} {}", path.display(), if found { "has it" } else { "clean" });
        }
    }
}

/// `secret` stands in everything; `files` are configurations with mistakes; the servers: one that leads elsewhere, one that tells the secret in its answers and
/// knows nobody, one that refuses every message so, one whose certificate nobody vouches for, and a port with nobody behind it.
pub(crate) fn run(folder: &str, more: &[String]) {
    let [secret, elsewhere, gone, refuses, untrusted, nobody, files @ ..] = more else {
        panic!("usage: secrets <folder> <file with the secret> <5 servers> <configuration>…")
    };
    // Arguments are for everybody to read: a program has its secrets from elsewhere.
    let secret = std::fs::read_to_string(secret).unwrap();
    let hooks = [
        ("redirected", Webhook::json(format!("http://{elsewhere}/{secret}"))),
        ("gone", Webhook::telegram_at(&format!("http://{gone}"), format!("1:{secret}"), 7)),
        ("refusing", Webhook::discord(format!("http://{refuses}/api/webhooks/1/{secret}"))),
        ("untrusted", Webhook::json(format!("https://ann:{secret}@{untrusted}/?token={secret}"))),
        ("unreached", Webhook::json(format!("http://{secret}@{nobody}/{secret}#{secret}"))),
        ("unknown", Webhook::json(format!("https://nowhere.invalid/{secret}"))),
        ("plain", Webhook::json(format!("http://example.org/{secret}"))),
        ("strange", Webhook::json(format!("ftp://ann:{secret}@example.org/{secret}"))),
        ("no-address", Webhook::json(secret.as_str())),
        ("no-token", Webhook::telegram(format!("1:{secret}/x"), 7)),
        ("in-a-name", Webhook::telegram_at(&format!("https://ann:{secret}@nowhere.invalid"), "1:x", 7)),
    ];
    let mut config = config(folder).level(Level::Trace);
    for (name, hook) in hooks {
        match hook {
            Ok(hook) => {
                print(name, &hook);
                // What is refused goes into a file, with the reason.
                config = config.sink(quick(Remote::webhook(name, hook)));
            }
            Err(error) => show(name, &error),
        }
    }
    print("secret", &Secret::from(secret.as_str()));
    print("config", &config);
    let repo = logs::Repository::open(config).unwrap();
    println!("endpoint: {:?}", repo.queue().endpoint());
    repo.app.error("something is wrong");
    repo.db.critical("very wrong");
    let flushed = repo.flush(FLUSH);
    print("flushed", &flushed);
    print("stats", &repo.stats());
    print("repo", &repo);
    print("report", &repo.startup_report());
    println!("report: {}", repo.startup_report());
    print("recovery", &repo.recovery());
    look_at_threads();
    search(Path::new(&std::env::var_os("MIU_LOG_RUNTIME_DIR").unwrap()), &secret);
    search(Path::new(folder), &secret);

    let databases = [
        format!("postgres://ann:{secret}@{nobody}/orders"),
        format!("postgres://ann:{secret}@{nobody}/orders?sslmode={secret}"),
        format!("postgres://ann:{secret}@nowhere.invalid/orders?password={secret}"),
        format!("postgres://ann:{secret}@{untrusted}/orders?sslmode=require"),
        format!("postgres://ann:{secret}@{gone}/orders?sslmode=disable"),
        format!("postgres://ann:p@ss/{secret}@{nobody}/orders"),
        format!("postgres://ann:p@{secret}/x@{nobody}/orders"),
        format!("postgres://ann:p/{secret}@{nobody}/orders"),
        format!("postgres://ann:p?{secret}@{nobody}/orders"),
        format!("postgresql+driver://ann:{secret}@{nobody}/orders"),
        format!("sqlite://ann:{secret}@localhost/logs.db"),
        format!("sqlite:{folder}/none/{{}}/logs.db?key={secret}"),
        format!("mysql://ann:{secret}@localhost/logs"),
        secret,
    ];
    for (number, url) in databases.into_iter().enumerate() {
        let database = Database::url(url).table_prefix("orders");
        print("database", &database);
        try_out(
            LogConfig::new(format!("{folder}/database-{number}")).sink(quick(Remote::database(database))),
        );
    }
    for (number, file) in files.iter().enumerate() {
        let file = ConfigFile::new(file).any_owner(true);
        print("file", &file);
        match file.clone().load() {
            Ok(config) => print("loaded", &config),
            Err(error) => show("file", &error),
        }
        match file.lenient(true).load() {
            Ok(config) => {
                // Its log folder is below where the program is.
                let here = format!("{folder}/file-{number}");
                std::fs::create_dir(&here).unwrap();
                std::env::set_current_dir(here).unwrap();
                try_out(config);
            }
            Err(error) => show("lenient file", &error),
        }
    }
    let debug = format!("{repo:?} {:?}", repo.stats());
    let panicked = std::thread::spawn(move || panic!("looked at: {debug}")).join();
    assert!(panicked.is_err());
    print("end", &repo.shutdown());
}

/// Opens it, logs an error and ends.
fn try_out(config: LogConfig) {
    let config = config.console(false).panic_hook(false);
    print("config", &config);
    match logs::Repository::open(config) {
        Ok(repo) => {
            repo.app.error("something is wrong");
            print("flushed", &repo.flush(FLUSH));
            print("stats", &repo.stats());
            print("end", &repo.shutdown());
        }
        Err(error) => show("open", &error),
    }
}
