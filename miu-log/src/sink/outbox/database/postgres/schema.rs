//! The table, its columns and its indexes: looked at, and made where something is missing.
//!
//! X1. What is complete is not touched: a user who may only insert can use it.
//! X2. Programs that begin at the same time make it once, one after the other: they hold a lock of the server's while they do.
//! X3. Nothing is dropped, and no column that is there is changed: one of a type that records do not fit is an error, before anything is written.
//!
//! Called by `postgres`.

use std::time::Duration;

use tokio_postgres::SimpleQueryMessage;

use super::fault::Fault;
use super::pool::Connection;
use super::shape::{Found, RECORD_ID, Shape};
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

/// What there is of the table.
struct Look {
    columns: Vec<Found>,
    indexes: Vec<String>,
    /// Those of them that make `record_id` unique.
    unique: Vec<String>,
}

/// The table that is there now.
pub(super) struct Ready {
    pub(super) shape: Shape,
    /// It was made just now.
    pub(super) is_new: bool,
}

/// Sees to it that everything is there, within this time.
pub(super) async fn ensure(connection: &Connection, table: &Table, time: Duration) -> Result<Ready, Fault> {
    let found = look(connection, table).await?;
    let missing = found.missing(table);
    let is_new = found.columns.is_empty();
    if !is_new {
        // Nothing is added to a table that no record fits.
        let shape = found.shape(table)?;
        if missing.is_empty() {
            return Ok(Ready { shape, is_new });
        }
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
        if is_unique && !found.unique.is_empty() {
            continue;
        }
        let unique = if is_unique { "UNIQUE" } else { "" };
        statements.push_str(&format!(
            "CREATE {unique} INDEX IF NOT EXISTS \"{}\" ON \"{}\" ({on});",
            table.index(of),
            table.name
        ));
    }
    statements.push_str("COMMIT");
    if let Err(error) = connection.client.batch_execute(&statements).await {
        let missing = if is_new { Vec::new() } else { missing };
        return Err(Fault::making(error, missing));
    }
    // Somebody else may have made it, with columns of another kind.
    let shape = look(connection, table).await?.shape(table)?;
    Ok(Ready { shape, is_new })
}

/// The number of this table's lock: programs that know it by another way than us are not expected.
pub(super) fn lock(table: &Table) -> i64 {
    crate::hash::fnv1a(format!("miu-log {}", table.name).as_bytes()).cast_signed()
}

/// Looks at the table. Without columns: it is not there.
async fn look(connection: &Connection, table: &Table) -> Result<Look, Fault> {
    // A domain is what it is made of; a length is four more in the server's numbers.
    let query = format!(
        "SELECT 'column', a.attname, format_type(t.oid, NULL), format_type(a.atttypid, a.atttypmod), \
         CASE WHEN t.typname IN ('varchar', 'bpchar') THEN CASE WHEN d.typtype = 'd' THEN d.typtypmod ELSE a.atttypmod END - 4 END, \
         a.attnotnull OR d.typnotnull, a.atthasdef OR a.attidentity <> '' OR d.typdefault IS NOT NULL \
         FROM pg_attribute a JOIN pg_type d ON d.oid = a.atttypid \
         JOIN pg_type t ON t.oid = CASE WHEN d.typtype = 'd' THEN d.typbasetype ELSE d.oid END \
         WHERE a.attrelid = to_regclass('\"{name}\"') AND a.attnum > 0 AND NOT a.attisdropped \
         UNION ALL SELECT 'index', c.relname, NULL, NULL, NULL, \
         i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indnatts = 1 AND pg_get_indexdef(i.indexrelid, 1, true) = '{RECORD_ID}', NULL \
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = to_regclass('\"{name}\"')",
        name = table.name
    );
    let mut found = Look { columns: Vec::new(), indexes: Vec::new(), unique: Vec::new() };
    for message in connection.client.simple_query(&query).await? {
        let SimpleQueryMessage::Row(row) = message else { continue };
        let text = |at| row.get(at).unwrap_or_default().to_owned();
        let is = |at| row.get(at) == Some("t");
        if row.get(0) == Some("index") {
            if is(5) {
                found.unique.push(text(1));
            }
            found.indexes.push(text(1));
            continue;
        }
        found.columns.push(Found {
            name: text(1),
            kind: text(2),
            shown: text(3),
            // Without a length it is negative.
            limit: row.get(4).and_then(|limit| limit.parse().ok()),
            is_not_null: is(5),
            has_default: is(6),
        });
    }
    Ok(found)
}

impl Look {
    /// What a complete table has beyond this, in words.
    fn missing(&self, table: &Table) -> Vec<String> {
        let mut missing = Vec::new();
        if !self.columns.iter().any(|found| found.name == RECORD_ID) {
            missing.push(format!("the column {RECORD_ID} uuid"));
        }
        for (of, is_unique, on) in INDEXES {
            let index = table.index(of);
            let is_there = if is_unique { !self.unique.is_empty() } else { self.indexes.contains(&index) };
            if !is_there {
                missing
                    .push(format!("the {}index {index} on ({on})", if is_unique { "unique " } else { "" }));
            }
        }
        missing
    }

    /// How records are written to it.
    fn shape(&self, table: &Table) -> Result<Shape, Fault> {
        let name = &table.name;
        let index = table.index(RECORD_ID);
        if self.unique.is_empty() && self.indexes.contains(&index) {
            return Err(Fault::Unfit(format!(
                "has an index {index} of the table {name} that does not make {RECORD_ID} unique: drop that index"
            )));
        }
        Shape::of(&self.columns, self.unique.clone()).map_err(|problem| {
            Fault::Unfit(format!(
                "has a table {name} that records do not fit: {problem}; change it, or take another table prefix"
            ))
        })
    }
}
