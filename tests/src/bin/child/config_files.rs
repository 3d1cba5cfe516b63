//! Roles that are set up by a configuration file.

use std::io::BufRead;

use miu_log::LogConfig;
use miu_log_tests::logs;

use crate::FLUSH;

/// One record of each of two levels in two domains, or what is wrong with the file.
pub(crate) fn service(more: &[String]) {
    let opened = LogConfig::from_file(&more[0]).and_then(logs::Repository::open);
    match opened {
        Ok(repo) => {
            miu_log::debug!(repo.app, "debug of app");
            miu_log::info!(repo.db, "info of db");
        }
        Err(error) => println!("{error}"),
    }
}

/// Logs a DEBUG record for each line on stdin, and says how many of them have been taken.
pub(crate) fn reload(more: &[String]) {
    let repo = logs::Repository::open(LogConfig::from_file(&more[0]).unwrap()).unwrap();
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        repo.app.debug(line.unwrap());
        repo.flush(FLUSH).unwrap();
        println!("accepted={}", repo.stats().accepted);
    }
}
