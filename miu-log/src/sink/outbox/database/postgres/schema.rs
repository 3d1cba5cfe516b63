//! The table, its columns and its indexes: looked at, and made where something is missing.
//!
//! X1. What is complete is not touched: a user who may only insert can use it.
//! X2. Programs that begin at the same time make it once, one after the other: they hold a lock of the server's while they do.
//! X3. Nothing is dropped, and no column that is there is changed.
//!
//! Called by `postgres`.

use std::time::Duration;

use tokio_postgres::SimpleQueryMessage;

use super::fault::Fault;
use super::pool::Connection;
use super::{Table, limits};

/// The columns of a new table.
const COLUMNS: &str = "
    id BIGSERIAL PRIMARY KEY,
    timestamp TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP,
    level VARCHAR(10) NOT NULL,
    logger_name VARCHAR(255) NOT NULL,
    process_id INTEGER NOT NULL,
    thread_id BIGINT NOT NULL,
    thread_name VARCHAR(255),
    hostname VARCHAR(255) NOT NULL,
    message TEXT NOT NULL,
    exception TEXT,
    function_name VARCHAR(255),
    module VARCHAR(255),
    filename VARCHAR(500),
    lineno INTEGER,
    pathname TEXT,
    extra_data JSONB,
    created_at TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP,
    record_id UUID
";

/// The indexes: what their names end with, whether they are unique, what they are on.
const INDEXES: [(&str, bool, &str); 6] = [
    ("timestamp", false, "timestamp DESC"),
    ("level", false, "level"),
    ("logger", false, "logger_name"),
    ("hostname", false, "hostname"),
    ("composite", false, "timestamp, level, logger_name"),
    ("record_id", true, "record_id"),
];

/// The column that other writers to such a table do not have.
const RECORD_ID: &str = "record_id";

/// Sees to it that everything is there, within this time.
pub(super) async fn ensure(connection: &Connection, table: &Table, time: Duration) -> Result<(), Fault> {
    let names = names(connection, table).await?;
    if is_complete(&names, table) {
        return Ok(());
    }
    let mut statements = format!(
        "BEGIN; {}; SELECT pg_advisory_xact_lock({}); CREATE TABLE IF NOT EXISTS \"{}\" ({COLUMNS});",
        limits(time),
        lock(table),
        table.name
    );
    statements
        .push_str(&format!("ALTER TABLE \"{}\" ADD COLUMN IF NOT EXISTS {RECORD_ID} UUID;", table.name));
    for (of, is_unique, on) in INDEXES {
        let unique = if is_unique { "UNIQUE" } else { "" };
        statements.push_str(&format!(
            "CREATE {unique} INDEX IF NOT EXISTS \"{}\" ON \"{}\" ({on});",
            table.index(of),
            table.name
        ));
    }
    statements.push_str("COMMIT");
    connection.client.batch_execute(&statements).await?;
    Ok(())
}

/// The number of this table's lock: programs that know it by another way than us are not expected.
pub(super) fn lock(table: &Table) -> i64 {
    crate::hash::fnv1a(format!("miu-log {}", table.name).as_bytes()).cast_signed()
}

/// The names of the table's columns and indexes.
async fn names(connection: &Connection, table: &Table) -> Result<Vec<String>, Fault> {
    let query = format!(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass('\"{name}\"') AND attnum > 0 AND NOT attisdropped \
         UNION ALL SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indrelid = to_regclass('\"{name}\"')",
        name = table.name
    );
    let rows = connection.client.simple_query(&query).await?;
    let name = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    };
    Ok(rows.iter().filter_map(name).collect())
}

fn is_complete(names: &[String], table: &Table) -> bool {
    let has = |name: &str| names.iter().any(|it| it == name);
    has(RECORD_ID) && INDEXES.iter().all(|(of, ..)| has(&table.index(of)))
}
