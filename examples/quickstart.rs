//! The main job: four domains of one service, logged from four threads, into a file per domain and a file per level.
//!
//! ```sh
//! cargo run --example quickstart            # writes to the folder `logs`
//! cargo run --example quickstart -- FOLDER
//! ```
//!
//! The service takes orders: two threads answer requests, one keeps a cache warm, one runs tasks in the background. What
//! they do is made up, and the same in every run. Log files are appended to, so a second run in the same folder adds its
//! lines to those of the first.

#![allow(clippy::print_stdout, reason = "an example shows what it has written")]

use std::error::Error;
use std::fmt;
use std::io;
use std::thread;
use std::time::Duration;

use miu_log::{LogConfig, QueueHandle, log_domains};
use miu_log_examples::{Numbers, log_folder, tree};

/// The areas of the order service.
#[log_domains(app, db, redis, task)]
pub mod logs {}

/// What one thread of the service does.
type Job = fn(&logs::Repository, Numbers);

fn main() -> Result<(), Box<dyn Error>> {
    let folder = log_folder();
    let repo = logs::Repository::open(LogConfig::new(&folder))?;
    repo.app.info("order service starting");

    let jobs: [(&str, Job); 4] =
        [("http-1", requests), ("http-2", requests), ("cache", cache), ("jobs", background)];
    let mut threads = Vec::new();
    for (seed, (name, job)) in (1..).zip(jobs) {
        let queue: QueueHandle = repo.queue();
        threads.push(thread::Builder::new().name(name.to_owned()).spawn(move || {
            let repo = logs::Repository::worker(queue);
            job(&repo, Numbers::new(seed));
        })?);
    }
    for thread in threads {
        thread.join().map_err(|_| "a thread of the service panicked")?;
    }

    repo.app.success("order service stopped");
    // Files and console are complete after this.
    let report = repo.shutdown();

    println!("\n{} records written, {} dropped\n", report.written, report.dropped);
    print!("{}", tree(&folder)?);
    Ok(())
}

/// Answers requests for orders.
fn requests(repo: &logs::Repository, mut numbers: Numbers) {
    for _ in 0..40 {
        let order = 10_000 + numbers.below(90_000);
        let customer = ["ada", "grace", "linus", "margaret"][numbers.below(4) as usize];
        miu_log::debug!(repo.app, order, "POST /orders from {customer}");

        if numbers.below(3) == 0 {
            miu_log::debug!(repo.redis, "price list of {customer} not in the cache");
            query(repo, &mut numbers, "select price from price_list where customer = $1");
        }
        query(repo, &mut numbers, "insert into orders (customer, total) values ($1, $2)");

        let (total, took) = (500 + numbers.below(20_000), 3 + numbers.below(60));
        match pay(numbers.below(20)) {
            Ok(()) => miu_log::success!(
                repo.app,
                order,
                status = 201,
                took_ms = took,
                "order paid: {:.2} EUR",
                total as f64 / 100.0
            ),
            Err(error) => repo.app.exception(format_args!("payment of order {order} failed"), &error),
        }
        pause();
    }
}

/// One statement of the database.
fn query(repo: &logs::Repository, numbers: &mut Numbers, sql: &str) {
    let ms = numbers.below(9_000) as f64 / 1000.0;
    match numbers.below(40) {
        0 => miu_log::error!(repo.db, attempt = 1, "connection lost after {ms:.1} ms: {sql}"),
        1..=3 => miu_log::warning!(repo.db, rows = 1, limit_ms = 100, "{sql} took {:.1} ms", 100.0 + ms),
        _ => miu_log::debug!(repo.db, rows = 1, "{sql} took {ms:.1} ms"),
    }
}

/// Keeps the cache warm.
fn cache(repo: &logs::Repository, mut numbers: Numbers) {
    repo.redis.info("connected to redis://cache:6379");
    for round in 1..=20 {
        let keys = numbers.below(400);
        miu_log::info!(repo.redis, round, keys, "price lists renewed");
        if keys > 350 {
            miu_log::warning!(repo.redis, used_percent = 80 + numbers.below(20), "cache is nearly full");
        }
        pause();
    }
}

/// Runs what nobody waits for.
fn background(repo: &logs::Repository, mut numbers: Numbers) {
    for number in 1..=30 {
        let name = ["send-invoice", "renew-index", "clean-baskets"][number % 3];
        miu_log::info!(repo.task, number, "task {name} started");
        if number == 17 {
            miu_log::critical!(repo.task, number, attempts = 3, "task {name} gave up");
        } else {
            let took = Duration::from_micros(200 + numbers.below(90_000));
            miu_log::success!(repo.task, number, ?took, "task {name} done");
        }
        pause();
    }
}

/// Leaves the other threads their turn, as waiting for the network would.
fn pause() {
    thread::sleep(Duration::from_millis(1));
}

fn pay(luck: u64) -> Result<(), PaymentError> {
    match luck {
        0 => Err(PaymentError(io::Error::new(
            io::ErrorKind::ConnectionReset,
            "connection reset by bank.example",
        ))),
        _ => Ok(()),
    }
}

#[derive(Debug)]
struct PaymentError(io::Error);

impl fmt::Display for PaymentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bank did not answer")
    }
}

impl Error for PaymentError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}
