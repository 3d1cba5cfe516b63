//! A service that its environment sets up: `NAME_APP`, `RUN_ENVIRONMENT` and `PATH_TO_LOGS` say where it logs, and the code says nothing of it.
//!
//! ```sh
//! NAME_APP=orders RUN_ENVIRONMENT=development cargo run --example twelve_factor
//! NAME_APP=orders RUN_ENVIRONMENT=production PATH_TO_LOGS=logs NAME_CHILD_PROCESS_MAILER=orders-mailer cargo run --example twelve_factor
//! ```
//!
//! In development everything from DEBUG on goes to the terminal, and there is no file. In testing and production `logs/orders.log` has everything from INFO on,
//! of all domains. The child process that sends mails has a name and a file of its own. A variable that is missing or wrong ends the program at once, with exit code 78
//! and a line on stderr that says what is accepted.

use std::error::Error;
use std::process::Command;

use miu_log::{CommandExt, LogConfig, log_domains};

/// The areas of the service.
#[log_domains(app, db)]
pub mod logs {}

fn main() -> Result<(), Box<dyn Error>> {
    let repo = logs::init(LogConfig::from_env())?;
    if std::env::args().nth(1).as_deref() == Some("mailer") {
        miu_log::info!(repo.app, to = "ada@example.com", "mail sent");
        return Ok(());
    }
    miu_log::info!(repo.app, version = env!("CARGO_PKG_VERSION"), "service starting");
    miu_log::debug!(repo.db, "12 connections in the pool");
    miu_log::warning!(repo.db, rows = 12, "query took {} ms", 81);

    // The child inherits the environment, but for its name.
    let mut mailer = Command::new(std::env::current_exe()?);
    match mailer.arg("mailer").miu_child("MAILER") {
        Ok(mailer) => {
            let status = mailer.status()?;
            miu_log::info!(repo.app, code = status.code(), "mailer ended");
        }
        // It has no name: this service does without it.
        Err(error) => repo.app.exception("no mailer", &error),
    }
    miu_log::info!(repo.app, "service stopped");
    Ok(())
}
