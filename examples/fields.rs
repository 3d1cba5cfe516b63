//! Messages with arguments, fields with types, levels that are not compiled in, and lines of another shape.

#![allow(clippy::print_stdout, reason = "an example shows what it has written")]

use std::error::Error;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use miu_log::{Bytes, Level, LogConfig, Pattern, Zone, log_domains};
use miu_log_examples::log_folder;

/// `sql` takes records from `info` upwards: its calls below are removed by the compiler.
#[log_domains(app, sql(max_level = "info", file = "statements"))]
pub mod logs {}

/// A type of the program: it has `Display` and `Debug`, as most have.
#[derive(Debug)]
struct Customer {
    name: &'static str,
}

impl std::fmt::Display for Customer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = log_folder();
    let config = LogConfig::new(&folder)
        .console(false)
        .level(Level::Trace)
        .zone(Zone::Utc)
        .layout(Pattern::parse("{time} {level:>8} [{domain}] {module}: {message}{fields}")?);
    let repo = logs::Repository::open(config)?;

    let (rows, name, ms) = (12_u32, "ada", 81.25_f64);
    let customer = Customer { name };

    // Messages take what `format!` takes: positional, named and captured arguments, with their formats.
    miu_log::info!(repo.app, "query of {} took {ms:.1} ms, flags {:#06x}", name, 0xbeef);
    miu_log::info!(repo.app, "{customer} is {customer:?}, {{braces}} stay");

    // Fields stand before the message. Numbers, texts, bools, chars, durations and IP addresses are taken as they are.
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    miu_log::warning!(repo.app, rows, cached = false, took = Duration::from_millis(81), peer, "slow query");
    // Others are taken by `%` with their `Display` or by `?` with their `Debug`.
    miu_log::info!(repo.app, %customer, kind = ?customer, "logged in");
    // `None` is a value too. Text with spaces is quoted.
    miu_log::info!(repo.app, coupon = None::<u32>, comment = "leave it at the door", "order taken");
    // Raw bytes are written in hexadecimal: as a field as they are, in a message as `Bytes`.
    let frame = [0x0a_u8, 0x1b, 0xff];
    miu_log::error!(repo.app, frame, "bad frame, header {:#X}", Bytes(&frame[..2]));
    // Fields alone are a record.
    miu_log::debug!(repo.app, rows, name);

    // A level that is known only at run time.
    let level: Level = "success".parse()?;
    miu_log::log!(repo.app, level, "logged at {level}");

    // The methods take text, `format_args!`, or a closure that is called only if the level is on.
    repo.app.trace(format_args!("{rows} rows"));
    repo.app.trace(|| format!("a summary that is dear to make: {rows}"));

    // Not compiled in: neither the record nor its arguments.
    miu_log::debug!(repo.sql, "{}", unreachable_argument());
    repo.sql.debug("not compiled in either");
    repo.sql.info("commit");

    // A line break in a message cannot begin a second record.
    repo.app.error("from outside:\n2026-01-01 00:00:00.000    ERROR [app] forged");

    repo.shutdown();
    for file in ["app.log", "statements.log"] {
        println!("{file}:\n{}", fs::read_to_string(folder.join(file))?);
    }
    Ok(())
}

fn unreachable_argument() -> u32 {
    println!("this is never printed");
    0
}
