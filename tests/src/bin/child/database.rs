//! Roles that log into a database.

use std::time::Duration;

use miu_log::{Database, Remote};
use miu_log_tests::logs;

use crate::{FLUSH, config};

/// Logs the numbers from `from` to `to` into the database at this address, and ends; or goes on for `ever`, until it is killed.
pub(crate) fn database(folder: &str, more: &[String]) {
    let [address, from, to] = more else { panic!("usage: database <folder> <address> <from> <to>") };
    let database = Remote::database(Database::url(address.as_str())).batch_age(Duration::from_millis(1));
    let repo = logs::Repository::open(config(folder).sink(database)).unwrap();
    let to = if to == "ever" { u64::MAX } else { to.parse().unwrap() };
    for number in from.parse::<u64>().unwrap()..to {
        miu_log::info!(repo.app, "n {number}");
        if to == u64::MAX && number % 200 == 0 {
            // So that it does not run ahead of the database by more than can be caught up with.
            let _ = repo.flush(FLUSH);
        }
    }
    repo.flush(FLUSH).unwrap();
    let stats = repo.stats();
    let sink = stats.sinks.iter().find(|sink| sink.name == "database").unwrap();
    println!("held={} dropped={} written={} errors={}", sink.held, sink.dropped, sink.written, sink.errors);
}
