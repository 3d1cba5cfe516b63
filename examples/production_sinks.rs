//! The files of a service in production: what happened, day by day, for a month; the errors alone, for longer and with everything that is known of
//! them; numbers for machines; and the console for whoever looks at it now.

#![allow(clippy::print_stdout, reason = "an example shows what it has written")]

use std::error::Error;
use std::fs;
use std::io;

use miu_log::{
    Compression, Console, CustomSink, File, Json, Level, LogConfig, Pattern, Retention, Rotation, Sink,
    SinkError, log_domains,
};
use miu_log_examples::log_folder;

/// The areas of this service.
#[log_domains(app, db, payments)]
pub mod logs {}

/// Takes the place of the pager: a sink of the program's own, here for CRITICAL only.
struct Pager;

impl Sink for Pager {
    fn write(&mut self, batch: &miu_log::Batch<'_>) -> Result<(), SinkError> {
        for line in batch.iter() {
            print!("paged: {}", String::from_utf8_lossy(line.as_bytes()));
        }
        Ok(())
    }
}

fn config(folder: &std::path::Path) -> Result<LogConfig, Box<dyn Error>> {
    let long = Pattern::parse(
        "{time:YYYY-MM-DD HH:mm:ss.SSS} | {level: <8} | {domain} | {location} | {extra[request_id]|no-request} | {message}{fields}",
    )?;
    let main = File::new("{app}_{time:YYYY-MM-DD}.log")
        .min_level(Level::Debug)
        .layout(long)
        .rotation(Rotation::DailyAt("00:00"))
        .retention(Retention::Age("30 days"))
        .compression(Compression::Gz);
    let errors = File::new("errors_{time:YYYY-MM-DD}.log")
        .min_level(Level::Error)
        .rotation(Rotation::Size("100 MB"))
        .retention(Retention::Age("90 days"))
        .mode(0o600);
    let machines = File::new("events.jsonl")
        .min_level(Level::Info)
        .layout(Json::new())
        .retention(Retention::AnyOf([Retention::Count(20), Retention::KeepFree("10 %")]));
    let slow = File::new("slow-queries.log")
        .domain("db")
        .filter(|record| record.fields().any(|(name, _)| name == "slow"));
    let pager =
        CustomSink::new("pager", Pager).level(Level::Critical).layout(Pattern::parse("{domain}: {message}")?);
    Ok(LogConfig::new(folder)
        .app("shop")
        .level_files(false)
        .console(Console::stderr().min_level(Level::Info))
        .sink(main)
        .sink(errors)
        .sink(machines)
        .sink(slow)
        .sink(pager))
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = log_folder();
    let repo = logs::Repository::open(config(&folder)?)?;
    miu_log::info!(repo.app, version = "1.4.2", "shop starting");
    miu_log::debug!(repo.db, request_id = "r-1", rows = 12, "orders of a customer");
    miu_log::warning!(repo.db, request_id = "r-2", slow = true, "query took {} ms", 812);
    let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "connection refused by bank.example");
    repo.payments.exception("a payment failed", &refused);
    repo.payments.critical("no payment works");
    repo.shutdown();

    for entry in fs::read_dir(&folder)? {
        println!("{}", entry?.file_name().display());
    }
    Ok(())
}
