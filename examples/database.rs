//! The records of a small service in a database as well, where they can be asked for by customer, level and time.
//!
//! ```sh
//! cargo run --example database
//! cargo run --example database -- postgres://app:password@localhost:5432/app
//! ```
//!
//! The first one makes `logs/logs.db`, a SQLite file beside the log files. The second one writes into a PostgreSQL server. The table is `shop_logs` in both.

#![allow(clippy::print_stdout, reason = "an example shows what is in the table")]

use std::error::Error;
use std::fmt;
use std::time::Duration;

use miu_log::{Database, LogConfig, log_domains};
use miu_log_examples::Numbers;
use rusqlite::{Connection, OpenFlags};

/// The areas of the service.
#[log_domains(app, orders, db)]
pub mod logs {}

/// Where the rows go unless another place is given.
const FILE: &str = "logs/logs.db";

#[derive(Debug)]
struct Declined;

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bank declined the card")
    }
}

impl Error for Declined {}

/// One order: what it logs has the customer and the sum as fields.
fn serve(repo: &logs::Repository, number: u64, numbers: &mut Numbers) {
    let customer = ["ada", "grace", "linus", "O'Neil"][numbers.below(4) as usize];
    let cents = 100 + numbers.below(9_900);
    miu_log::info!(repo.orders, customer, cents, "order {number} taken");
    miu_log::debug!(repo.db, rows = 1, "order {number} stored");
    if number.is_multiple_of(25) {
        repo.orders.exception(format!("order {number} is not paid"), &Declined);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let database = Database::url(address.clone().unwrap_or_else(|| format!("sqlite:{FILE}")))
        .table_prefix("shop")
        .retention_days(30);
    let config = LogConfig::new("logs").console(false).sink_timeout(Duration::from_secs(30)).sink(database);
    let repo = logs::Repository::open(config)?;

    repo.app.info("service starting");
    std::thread::scope(|scope| {
        for worker in 0..4u64 {
            let repo = &repo;
            let work = move || {
                let mut numbers = Numbers::new(worker);
                for number in worker * 50..(worker + 1) * 50 {
                    serve(repo, number, &mut numbers);
                }
            };
            std::thread::Builder::new().name(format!("worker-{worker}")).spawn_scoped(scope, work)?;
        }
        Ok::<(), std::io::Error>(())
    })?;
    repo.app.info("service stopping");
    // Delivers what waits; what it cannot deliver in that time waits in the spool for the next start.
    repo.shutdown();

    if address.is_some() {
        println!("to look: psql <the address> -c 'SELECT level, count(*) FROM shop_logs GROUP BY level'");
        return Ok(());
    }
    let table = Connection::open_with_flags(FILE, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let rows: i64 = table.query_row("SELECT count(*) FROM shop_logs", [], |row| row.get(0))?;
    println!("{FILE} holds {rows} rows");
    let mut query = table.prepare(
        "SELECT extra_data ->> 'customer', count(*), sum(extra_data ->> 'cents') FROM shop_logs
         WHERE logger_name = 'orders' AND level = 'INFO' GROUP BY 1 ORDER BY 1",
    )?;
    let customers = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    for customer in customers {
        let (name, orders, cents): (String, i64, i64) = customer?;
        println!("{name}: {orders} orders, {}.{:02}", cents / 100, cents % 100);
    }
    let newest =
        "SELECT message, exception FROM shop_logs WHERE level = 'ERROR' ORDER BY timestamp DESC LIMIT 1";
    let (message, exception): (String, String) =
        table.query_row(newest, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    println!("the newest error: {message}: {exception}");
    Ok(())
}
