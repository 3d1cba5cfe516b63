//! Rows in the binary form of `COPY`: the fastest way into a table, with no text that the server has to read again.
//!
//! ```text
//! "PGCOPY\n\xff\r\n\0" | flags i32 | extension i32 | rows: columns i16, for each its length i32 (-1: NULL) and its bytes | -1 i16
//! ```
//!
//! Numbers are big-endian. A time is in microseconds since 2000, a `jsonb` has a version before it.
//!
//! Called by `postgres`.

use std::io::Cursor;
use std::pin::pin;

use futures_util::SinkExt as _;

use super::Table;
use super::fault::Fault;
use super::pool::Connection;
use super::shape::{Json, Shape};
use crate::record::UnixNanos;
use crate::sink::outbox::database::columns::Columns;

/// The columns that are written, in their order. The others have defaults.
pub(super) const COLUMNS: &str = "timestamp, level, logger_name, process_id, thread_id, thread_name, hostname, message, exception, function_name, module, filename, \
     lineno, pathname, extra_data, record_id";

/// How many these are.
const COUNT: i16 = 16;

/// What a copy begins with.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// From 1970 to 2000, in microseconds.
const EPOCH: i64 = 946_684_800_000_000;

/// Bytes that are handed over at once.
const CHUNK: usize = 256 << 10;

/// Copies the rows into the table.
pub(super) async fn write(
    connection: &Connection,
    table: &Table,
    shape: &Shape,
    rows: &[Columns<'_>],
) -> Result<(), Fault> {
    let statement = format!("COPY \"{}\" ({COLUMNS}) FROM STDIN BINARY", table.name);
    let mut server = pin!(connection.client.copy_in::<_, Cursor<Vec<u8>>>(&statement).await?);
    let mut bytes = HEADER.to_vec();
    for row in rows {
        push(row, shape, &mut bytes);
        if bytes.len() > CHUNK {
            server.send(Cursor::new(std::mem::take(&mut bytes))).await?;
        }
    }
    bytes.extend_from_slice(&(-1i16).to_be_bytes());
    server.send(Cursor::new(bytes)).await?;
    server.finish().await?;
    Ok(())
}

fn push(row: &Columns<'_>, shape: &Shape, out: &mut Vec<u8>) {
    out.extend_from_slice(&COUNT.to_be_bytes());
    let mut put = |bytes: Option<&[u8]>| {
        let Some(bytes) = bytes else { return out.extend_from_slice(&(-1i32).to_be_bytes()) };
        // No text of a record is longer than 16 MiB by far.
        out.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
        out.extend_from_slice(bytes);
    };
    put(Some(&(micros(row.time) - EPOCH).to_be_bytes()));
    put(Some(row.level.as_bytes()));
    put(Some(row.logger_name.as_bytes()));
    put(Some(integer(&i64::from(row.process_id).to_be_bytes(), shape.is_process_id_wide)));
    put(Some(integer(&row.thread_id.to_be_bytes(), shape.is_thread_id_wide)));
    put(row.thread_name.as_deref().map(str::as_bytes));
    put(Some(row.hostname.as_bytes()));
    put(Some(row.message.as_bytes()));
    for text in [&row.exception, &row.function_name, &row.module, &row.filename] {
        put(text.as_deref().map(str::as_bytes));
    }
    let lineno = row.lineno.map(|line| i64::from(line).to_be_bytes());
    put(lineno.as_ref().map(|bytes| integer(bytes, shape.is_lineno_wide)));
    put(row.pathname.as_deref().map(str::as_bytes));
    let version: &[u8] = if shape.json == Json::Binary { b"\x01" } else { b"" };
    put(row.extra_data.as_deref().map(|json| [version, json.as_bytes()].concat()).as_deref());
    put(Some(&row.record_id.number().to_be_bytes()));
}

/// A number in eight bytes or in the last four of them: none of a process, a thread or a line is larger.
fn integer(bytes: &[u8; 8], is_wide: bool) -> &[u8] {
    if is_wide { bytes } else { &bytes[4..] }
}

/// Microseconds since 1970: the server knows no less.
pub(super) fn micros(time: UnixNanos) -> i64 {
    time.div_euclid(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RecordId;

    #[test]
    fn a_time_before_1970_is_cut_to_the_microsecond_before_it() {
        assert_eq!((micros(1_999), micros(-1), micros(0)), (1, -1, 0));
    }

    #[test]
    fn an_id_is_shown_by_the_server_as_it_is_by_us() {
        let id = RecordId { source: 0xab, sequence: 16 };
        assert_eq!(format!("{:032x}", id.number()), id.to_string());
    }
}
