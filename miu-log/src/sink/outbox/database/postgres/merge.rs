//! Rows some of which are in the table already: those are left out.
//!
//! Called by `postgres` where a copy has met one. It needs the right to read `record_id`. A user who may only insert gets the rows in all the same, but then the server
//! cannot be told which conflict is meant: a row whose `id` is taken, because somebody has set the sequence back, counts as there as well.
//! Outside of such a batch that is an error, which is told.

use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::Table;
use super::copy::{COLUMNS, micros};
use super::fault::Fault;
use super::pool::Connection;
use super::shape::Shape;
use crate::sink::outbox::database::columns::Columns;

/// Inserts the rows that are not there. A column's values are one array, so that the statement is the same for any number of rows.
pub(super) async fn write(
    connection: &Connection,
    table: &Table,
    shape: &Shape,
    rows: &[Columns<'_>],
) -> Result<(), Fault> {
    let texts = |of: for<'r> fn(&'r Columns<'_>) -> Option<&'r str>| -> Vec<Option<&str>> {
        rows.iter().map(of).collect()
    };
    let ids: Vec<String> = rows.iter().map(|row| row.record_id.to_string()).collect();
    let times: Vec<i64> = rows.iter().map(|row| micros(row.time)).collect();
    let processes: Vec<i32> = rows.iter().map(|row| row.process_id).collect();
    let threads: Vec<i64> = rows.iter().map(|row| row.thread_id).collect();
    let lines: Vec<Option<i32>> = rows.iter().map(|row| row.lineno).collect();
    let columns: [&(dyn ToSql + Sync); 16] = [
        &times,
        &texts(|row| Some(row.level)),
        &texts(|row| Some(&row.logger_name)),
        &processes,
        &threads,
        &texts(|row| row.thread_name.as_deref()),
        &texts(|row| Some(&row.hostname)),
        &texts(|row| Some(&row.message)),
        &texts(|row| row.exception.as_deref()),
        &texts(|row| row.function_name.as_deref()),
        &texts(|row| row.module.as_deref()),
        &texts(|row| row.filename.as_deref()),
        &lines,
        &texts(|row| row.pathname.as_deref()),
        &texts(|row| row.extra_data.as_deref()),
        &ids,
    ];
    let insert = |on: &str| {
        format!(
            "INSERT INTO \"{}\" ({COLUMNS}) \
             SELECT timestamptz 'epoch' + t * interval '1 microsecond', lv, ln, p, th, tn, h, m, e, f, mo, fi, l, pa, x::{}, r::uuid \
             FROM unnest($1::int8[], $2::text[], $3::text[], $4::int4[], $5::int8[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], \
             $11::text[], $12::text[], $13::int4[], $14::text[], $15::text[], $16::text[]) \
             AS row (t, lv, ln, p, th, tn, h, m, e, f, mo, fi, l, pa, x, r) \
             ON CONFLICT {on} DO NOTHING",
            table.name,
            shape.json.name(),
        )
    };
    connection.client.batch_execute("SAVEPOINT miu").await?;
    match connection.client.execute(&insert("(record_id)"), &columns).await {
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            connection.client.batch_execute("ROLLBACK TO SAVEPOINT miu").await?;
            connection.client.execute(&insert(""), &columns).await?;
        }
        result => drop(result?),
    }
    Ok(())
}
