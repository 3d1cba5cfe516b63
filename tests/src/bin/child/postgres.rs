//! A role with a sink that writes to a PostgreSQL server.

use std::time::Duration;

use miu_log::{Database, Remote};
use miu_log_tests::logs;

use crate::{FLUSH, config};

/// Logs the numbers from `from` to `to` with a sink for this table that tries without end or, if it is to end at once, never again. Then it says so by a file beside
/// the log folder, and waits to be killed, or ends when all have arrived, or at once; or it says so when all have arrived, and logs one more once that file is gone.
pub(crate) fn postgres(folder: &str, more: &[String]) {
    let [url, prefix, from, to, end] = more else {
        panic!("usage: postgres <folder> <address> <prefix> <from> <to> <end>")
    };
    let retries = if end == "at-once" { 0 } else { 1_000_000 };
    // By a name of its own, so that it shows which one is used.
    let database = Remote::database(Database::url(&**url).table_prefix(&**prefix))
        .named(prefix)
        .first_pause(Duration::from_millis(5))
        .batch_age(Duration::from_millis(5))
        .retries(retries);
    let wait = if end == "at-once" { Duration::from_secs(5) } else { FLUSH };
    let config = config(folder).sink(database).sink_timeout(wait);
    let repo = logs::Repository::open(config).unwrap();
    for number in from.parse::<u32>().unwrap()..to.parse().unwrap() {
        miu_log::info!(repo.app, "n {number}");
    }
    repo.flush(FLUSH).unwrap();
    let sink = || repo.stats().sinks.into_iter().find(|sink| sink.name == *prefix).unwrap();
    let logged = std::path::Path::new(folder).with_file_name("logged");
    let arrive = || miu_log_tests::wait_until("all have arrived", || sink().held == 0);
    if end == "anew" {
        arrive();
    }
    std::fs::write(&logged, to).unwrap();
    match end.as_str() {
        "killed" => loop {
            std::thread::park();
        },
        "arrived" => arrive(),
        "anew" => {
            miu_log_tests::wait_until("it is to go on", || !logged.exists());
            miu_log::info!(repo.app, "n {to}");
            repo.flush(FLUSH).unwrap();
            arrive();
        }
        _ => {}
    }
    println!("held={} dropped={}", sink().held, sink().dropped);
}
