//! Logs for machines: JSON in the files, logfmt on the console, and a layout of the program's own.

#![allow(clippy::print_stdout, reason = "an example shows what it has written")]

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use miu_log::{
    AnyLayout, Bytes, Console, Json, JsonKey, Layout, LogConfig, LogRecord, Logfmt, OtelJson, TimePrecision,
    Zone, log_domains,
};
use miu_log_examples::log_folder;

/// The areas of this service.
#[log_domains(app, db)]
pub mod logs {}

/// Columns between semicolons, numbered. Tabs would be escaped.
struct Semicolons {
    lines: u64,
}

impl Layout for Semicolons {
    fn write(
        &mut self,
        record: &LogRecord<'_>,
        line: &mut String,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.lines += 1;
        write!(line, "{};{};{};{}", self.lines, record.level(), record.domain(), record.message())?;
        for (name, value) in record.fields() {
            write!(line, ";{name}={value}")?;
        }
        Ok(())
    }
}

fn log_with(name: &str, layout: impl Into<AnyLayout>) -> Result<(), Box<dyn Error>> {
    let folder = log_folder().join(name);
    let console = Console::stdout().layout(Logfmt::new().precision(TimePrecision::Seconds).zone(Zone::Utc));
    let config = LogConfig::new(&folder).console(console).level_files(false).layout(layout);
    let repo = logs::Repository::open(config)?;

    let took = Duration::from_micros(81_250);
    miu_log::info!(repo.db, rows = 12, cached = false, coupon = None::<u32>, took, "query of {}", "ada");
    miu_log::warning!(repo.app, frame = Bytes(&[0x0a, 0x1b, 0xff]), text = "two\nlines", "bad \"frame\"");
    if let Err(error) = "many".parse::<u32>() {
        repo.app.exception("cannot read the settings", &error);
    }
    repo.shutdown();

    let file = folder.join("app.log");
    println!("{}:\n{}", file.display(), fs::read_to_string(&file)?);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    // As it is, fields in `extra`.
    log_with("json", Json::new())?;
    // As a log store may want it: fields beside the other keys, another name for the time, fewer keys.
    let flat = Json::new()
        .flatten(true)
        .rename(JsonKey::Timestamp, "@timestamp")
        .without(JsonKey::ProcessName)
        .without(JsonKey::ThreadName)
        .precision(TimePrecision::Micros);
    log_with("flat", flat)?;
    // For a collector of OpenTelemetry.
    log_with("otel", OtelJson::new("orders"))?;
    log_with("own", Semicolons { lines: 0 })
}
