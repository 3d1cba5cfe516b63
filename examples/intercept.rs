//! Other crates log through `log` and `tracing`: their records land in the files of the service's domains, with their fields.

#![allow(clippy::print_stdout, reason = "an example shows what it has written")]

use std::error::Error;
use std::fs;

use miu_log::{Level, LogConfig, log_domains};
use miu_log_examples::log_folder;

#[log_domains(app, db, http, billing)]
pub mod logs {}

/// Stands for crates that the service uses. A crate's own records have its modules as targets; these here are named, to look like them.
mod crates {
    /// As a database driver does, through `tracing`.
    pub(super) fn query(rows: u64) {
        tracing::debug!(target: "sqlx::query", rows, elapsed_ms = 1.25, "select from orders");
    }

    /// As a client of a web service does, through `log`.
    pub(super) fn post(url: &str, status: u16) {
        log::debug!(target: "hyper::client", "connected");
        log::warn!(target: "reqwest::retry", status, url; "answered late, trying again");
    }

    /// As a library of your own does, through both.
    pub(super) mod payments {
        pub(crate) fn charge(cents: u64) -> Result<(), std::num::ParseIntError> {
            log::info!(cents; "charging");
            let answer = "declined".parse::<u64>();
            answer.map(|_| ()).inspect_err(|error| {
                tracing::error!(error = error as &dyn std::error::Error, "not charged");
            })
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = log_folder();
    let config = LogConfig::new(&folder)
        .console(false)
        // `sqlx`, `hyper` and `reqwest` are known: the service has domains that are called `db` and `http`.
        .route("intercept::crates::payments", "billing")
        // Of this one only what matters. Of `hyper`, as of other crates that a web service is made of, nothing below INFO is taken anyway.
        .target_level("sqlx::pool", Level::Warning);
    let repo = logs::Repository::open(config)?;

    repo.app.info("the service's own records");

    // The fields of a span are in all records inside.
    let request = tracing::info_span!("request", id = 17, user = tracing::field::Empty);
    request.in_scope(|| {
        tracing::info!("request accepted");
        request.record("user", "ann");
        crates::query(2);
        tracing::info!(target: "sqlx::pool", "not taken");
    });
    crates::post("https://pay.example", 503);
    // It has told why, in its own domain.
    let _ = crates::payments::charge(4200);

    // The facades follow the levels: what is off costs a load and a branch, in `log` as in `tracing`.
    repo.set_level(Level::Warning);
    println!("log takes {} and above", log::max_level());
    log::info!("off");

    repo.shutdown();
    for file in ["app.log", "db.log", "http.log", "billing.log"] {
        println!("{file}:\n{}", fs::read_to_string(folder.join(file))?);
    }
    Ok(())
}
