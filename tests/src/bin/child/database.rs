//! Roles that log into a database.

use std::time::Duration;

use miu_log::{Database, Remote, SinkState};
use miu_log_tests::logs;

use crate::{FLUSH, config};

/// Logs the numbers from `from` to `to` into the database at this address, under a name of its own if there is one, and ends; or goes on for `ever`, until it is killed.
pub(crate) fn database(folder: &str, more: &[String]) {
    let [address, from, to, name @ ..] = more else {
        panic!("usage: database <folder> <address> <from> <to> [<name>]")
    };
    let mut database = Remote::database(Database::url(address.as_str())).batch_age(Duration::from_millis(1));
    let name = name.first().map_or("database", String::as_str);
    if name != "database" {
        database = database.named(name);
    }
    let repo = logs::Repository::open(config(folder).sink(database)).unwrap();
    let to = if to == "ever" { u64::MAX } else { to.parse().unwrap() };
    for number in from.parse::<u64>().unwrap()..to {
        miu_log::info!(repo.app, "n {number}");
        if to == u64::MAX && number.is_multiple_of(200) {
            // So that it does not run ahead of the database by more than can be caught up with.
            let _ = repo.flush(FLUSH);
        }
    }
    let sink = loop {
        // A flush gives up where the database does not take them now, or has much to catch up with.
        let flushed = repo.flush(FLUSH).is_ok();
        let stats = repo.stats();
        let sink = stats.sinks.into_iter().find(|sink| sink.name == name).unwrap();
        if sink.state != SinkState::Working || flushed && sink.held == 0 {
            break sink;
        }
    };
    println!("held={} dropped={} written={} errors={}", sink.held, sink.dropped, sink.written, sink.errors);
}
