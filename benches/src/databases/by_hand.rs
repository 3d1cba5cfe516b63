//! The same rows without a logger: what the database takes at most, and what one would write first.
//!
//! The table is the one that miu-log makes, with all of its indexes.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use postgres::{Client, NoTls};
use rusqlite::Connection;

use super::{PREFIX, config, logs};
use crate::order::Order;
use crate::peer::Sample;
use crate::{Failure, process};

/// Rows in a `COPY`.
const ROWS: u64 = 8192;

/// 2000-01-01 in Unix seconds: PostgreSQL counts from there.
const EPOCH: u64 = 946_684_800;

/// Has miu-log make its table, and empties it.
///
/// # Errors
///
/// When it cannot be reached.
pub(super) fn prepare(url: &str, dir: &Path) -> Result<(), Failure> {
    let repo = logs::Repository::open(config(&dir.join("prepare"), Some(url)))?;
    repo.app.info("the table is made");
    repo.flush(Duration::from_secs(20))?;
    drop(repo);
    match url.strip_prefix("sqlite:") {
        Some(path) => {
            Connection::open(path)?.execute(&format!("DELETE FROM {PREFIX}_logs"), [])?;
        }
        None => Client::connect(url, NoTls)?.batch_execute(&format!("TRUNCATE {PREFIX}_logs"))?,
    }
    Ok(())
}

/// How many rows there are, and how many different records in them.
///
/// # Errors
///
/// When the database cannot be reached.
pub(super) fn count(url: &str) -> Result<(u64, u64), Failure> {
    let query =
        format!("SELECT count(*), count(DISTINCT message) FROM {PREFIX}_logs WHERE message LIKE 'order %'");
    let (rows, different): (i64, i64) = match url.strip_prefix("sqlite:") {
        Some(path) => Connection::open(path)?.query_row(&query, [], |row| Ok((row.get(0)?, row.get(1)?)))?,
        None => {
            let row = Client::connect(url, NoTls)?.query_one(&query, &[])?;
            (row.get(0), row.get(1))
        }
    };
    Ok((rows.unsigned_abs(), different.unsigned_abs()))
}

/// What all ways report.
fn sample(url: &str, records: u64, start: Instant, processor: f64) -> Result<Sample, Failure> {
    let taken = start.elapsed().as_secs_f64();
    let processor = process::total_processor_seconds() - processor;
    let (rows, different) = count(url)?;
    Ok(Sample::from([
        ("rate".to_owned(), records as f64 / taken),
        ("missing".to_owned(), records as f64 - different as f64),
        ("twice".to_owned(), rows as f64 - different as f64),
        ("peak".to_owned(), process::peak_memory_kib() as f64 / 1024.0),
        ("cpu".to_owned(), processor * 1e6 / records as f64),
    ]))
}

fn message(position: u64) -> String {
    let order = Order::new(Order::id(0, position));
    format!("order {} filled at {} for {}", order.id, order.price, order.symbol)
}

fn scratch() -> Result<tempfile::TempDir, Failure> {
    Ok(tempfile::Builder::new().prefix("miu-log-w7-").tempdir()?)
}

/// `COPY … BINARY`, one transaction for so many rows.
pub(super) fn copy(url: &str, records: u64) -> Result<Sample, Failure> {
    prepare(url, scratch()?.path())?;
    let mut client = Client::connect(url, NoTls)?;
    let statement = format!(
        "COPY {PREFIX}_logs (record_id, timestamp, level, logger_name, process_id, thread_id, thread_name, hostname, message, exception, \
         function_name, module, filename, lineno, pathname, extra_data) FROM STDIN BINARY"
    );
    let (start, processor) = (Instant::now(), process::total_processor_seconds());
    let mut bytes = Vec::new();
    for first in (0..records).step_by(ROWS as usize) {
        bytes.clear();
        bytes.extend_from_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
        for position in first..(first + ROWS).min(records) {
            tuple(position, &mut bytes);
        }
        bytes.extend_from_slice(&(-1_i16).to_be_bytes());
        let mut writer = client.copy_in(&statement)?;
        writer.write_all(&bytes)?;
        writer.finish()?;
    }
    sample(url, records, start, processor)
}

/// One row in the binary format of `COPY`.
fn tuple(position: u64, out: &mut Vec<u8>) {
    let field = |bytes: &[u8], out: &mut Vec<u8>| {
        out.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
        out.extend_from_slice(bytes);
    };
    let null = |out: &mut Vec<u8>| out.extend_from_slice(&(-1_i32).to_be_bytes());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = now.saturating_sub(Duration::from_secs(EPOCH)).as_micros() as i64;
    out.extend_from_slice(&16_i16.to_be_bytes());
    field(&(0x1234_5678_9abc_def0_u128 << 64 | u128::from(position)).to_be_bytes(), out);
    field(&time.to_be_bytes(), out);
    field(b"INFO", out);
    field(b"app", out);
    field(&1234_i32.to_be_bytes(), out);
    field(&1234_i64.to_be_bytes(), out);
    field(b"main", out);
    field(b"localhost", out);
    field(message(position).as_bytes(), out);
    null(out);
    field(b"throughput", out);
    field(b"benches::databases", out);
    field(b"databases.rs", out);
    field(&100_i32.to_be_bytes(), out);
    field(b"benches/src/databases.rs", out);
    null(out);
}

/// `INSERT`s of 50 rows, each of which is its own transaction.
pub(super) fn inserts(url: &str, records: u64) -> Result<Sample, Failure> {
    prepare(url, scratch()?.path())?;
    let mut client = Client::connect(url, NoTls)?;
    let columns = "timestamp, level, logger_name, process_id, thread_id, thread_name, hostname, message, function_name, module, \
                   filename, lineno, pathname";
    let row = |number: usize| {
        let values: Vec<String> = (1..=13).map(|value| format!("${}", number * 13 + value)).collect();
        format!("({})", values.join(", "))
    };
    let rows: Vec<String> = (0..50).map(row).collect();
    let statement =
        client.prepare(&format!("INSERT INTO {PREFIX}_logs ({columns}) VALUES {}", rows.join(", ")))?;
    let (start, processor) = (Instant::now(), process::total_processor_seconds());
    for first in (0..records).step_by(50) {
        let now = SystemTime::now();
        let messages: Vec<String> = (first..first + 50).map(message).collect();
        let mut values: Vec<&(dyn postgres::types::ToSql + Sync)> = Vec::with_capacity(650);
        for message in &messages {
            values.extend_from_slice(&[
                &now,
                &"INFO",
                &"app",
                &1234_i32,
                &1234_i64,
                &"main",
                &"localhost",
                message,
                &"throughput",
                &"benches::databases",
                &"databases.rs",
                &100_i32,
                &"benches/src/databases.rs",
            ]);
        }
        client.execute(&statement, &values)?;
    }
    sample(url, records.next_multiple_of(50), start, processor)
}

/// A prepared `INSERT`, so many rows a transaction, in WAL mode.
pub(super) fn sqlite(url: &str, records: u64, rows: u64) -> Result<Sample, Failure> {
    let path = url.strip_prefix("sqlite:").ok_or("no address of a SQLite file")?;
    prepare(url, scratch()?.path())?;
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let statement = format!(
        "INSERT INTO {PREFIX}_logs (record_id, timestamp, level, logger_name, process_id, thread_id, thread_name, hostname, message, \
         function_name, module, filename, lineno, pathname) VALUES (?1, ?2, 'INFO', 'app', 1234, 1234, 'main', 'localhost', ?3, \
         'throughput', 'benches::databases', 'databases.rs', 100, 'benches/src/databases.rs')"
    );
    let (start, processor) = (Instant::now(), process::total_processor_seconds());
    for first in (0..records).step_by(rows as usize) {
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare(&statement)?;
            for position in first..(first + rows).min(records) {
                let id = (0x1234_5678_9abc_def0_u128 << 64 | u128::from(position)).to_be_bytes();
                // As long as a time in text.
                let time = format!("2026-11-21T12:00:00.{:09}Z", position % 1_000_000_000);
                insert.execute((&id[..], time, message(position)))?;
            }
        }
        transaction.commit()?;
    }
    sample(url, records, start, processor)
}
