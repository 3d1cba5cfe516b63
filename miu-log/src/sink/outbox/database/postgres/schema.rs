//! The table, its columns and its indexes: looked at, and made where something is missing.
//!
//! X1. What is complete is not touched: a user who may only insert can use it.
//! X2. Programs that begin at the same time make it once, one after the other: they hold a lock of the server's while they do.
//! X3. Nothing is dropped, and no column that is there is changed: one of a type that records do not fit is an error, before anything is written.
//! X4. Nothing is written to a table in which a record could be twice: `record_id` is unique, by whatever index.
//! X5. An index has another name where another table has its own, such as the one that was renamed for an archive.
//!
//! Called by `postgres`.

use std::time::Duration;

use tokio_postgres::SimpleQueryMessage;

use super::fault::Fault;
use super::pool::Connection;
use super::shape::{Found, RECORD_ID, Shape};
use super::{Table, limits};
use crate::sink::outbox::database::table::BEGIN;

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
    /// The one of the primary key.
    primary: Option<String>,
    /// What has a name such as our indexes, in the schema where the table is, or would be.
    taken: Vec<String>,
    mark: String,
}

/// The table that is there now.
pub(super) struct Ready {
    pub(super) shape: Shape,
    /// It was made just now.
    pub(super) is_new: bool,
    /// It lacks something that cannot be made, without which records can be written.
    pub(super) lacking: Option<Fault>,
}

/// Sees to it that everything is there, within this time. A table that may be bare is good enough without an index that cannot be made, but for that of `record_id`.
pub(super) async fn ensure(
    connection: &Connection,
    table: &Table,
    time: Duration,
    may_be_bare: bool,
) -> Result<Ready, Fault> {
    let found = look(connection, table).await?;
    let is_new = found.columns.is_empty();
    let missing = found.missing(table);
    if !is_new {
        // Nothing is added to a table that no record fits.
        let shape = found.shape(table)?;
        if missing.is_empty() {
            return Ok(Ready { shape, is_new, lacking: None });
        }
    }
    if let Err(fault) = make(connection, table, time).await {
        let fault = fault.making(if is_new { Vec::new() } else { missing });
        if may_be_bare && fault.is_answer() && !found.unique.is_empty() {
            connection.client.batch_execute("ROLLBACK").await?;
            return Ok(Ready { shape: found.shape(table)?, is_new, lacking: Some(fault) });
        }
        return Err(fault);
    }
    // Somebody else may have made it, with columns of another kind.
    let made = look(connection, table).await?;
    let shape = made.shape(table)?;
    if made.unique.is_empty() {
        let name = &table.name;
        return Err(Fault::Unfit(format!("has a table {name} in which nothing makes {RECORD_ID} unique")));
    }
    Ok(Ready { shape, is_new, lacking: None })
}

/// Makes what is missing, in a transaction, in which whoever else does so has to wait.
async fn make(connection: &Connection, table: &Table, time: Duration) -> Result<(), Fault> {
    let begin = format!("BEGIN; {}; SELECT pg_advisory_xact_lock({})", limits(time), lock(table));
    connection.client.batch_execute(&begin).await?;
    // Another program may have made it meanwhile.
    let found = look(connection, table).await?;
    let name = &table.name;
    let mut statements = String::new();
    if found.columns.is_empty() {
        statements.push_str(&format!("CREATE TABLE IF NOT EXISTS \"{name}\" ({COLUMNS});"));
    }
    statements.push_str(&format!("ALTER TABLE \"{name}\" ADD COLUMN IF NOT EXISTS {RECORD_ID} UUID;"));
    for (index, is_unique, on) in found.indexes_to_make(table) {
        let unique = if is_unique { "UNIQUE" } else { "" };
        statements.push_str(&format!("CREATE {unique} INDEX \"{index}\" ON \"{name}\" ({on});"));
    }
    statements.push_str("COMMIT");
    Ok(connection.client.batch_execute(&statements).await?)
}

/// The number of this table's lock: programs that know it by another way than us are not expected.
pub(super) fn lock(table: &Table) -> i64 {
    crate::hash::fnv1a(format!("miu-log {}", table.name).as_bytes()).cast_signed()
}

/// What tells in a query whether the table is the one that was looked at, with the same columns and indexes. Each batch asks, so it is what costs the server least: in place of
/// the columns it names the transactions that have made or changed them.
pub(super) fn mark(table: &Table) -> String {
    format!(
        "concat_ws(' ', to_regclass('\"{name}\"')::oid, \
         ARRAY(SELECT xmin FROM pg_attribute WHERE attrelid = to_regclass('\"{name}\"') AND attnum > 0), \
         ARRAY(SELECT indexrelid FROM pg_index WHERE indrelid = to_regclass('\"{name}\"') AND indisvalid))",
        name = table.name
    )
}

/// Looks at the table. Without columns: it is not there.
async fn look(connection: &Connection, table: &Table) -> Result<Look, Fault> {
    // A domain is what it is made of; a length is four more in the server's numbers.
    let query = format!(
        "SELECT 'column', a.attname::text, format_type(t.oid, NULL), format_type(a.atttypid, a.atttypmod), \
         CASE WHEN t.typname IN ('varchar', 'bpchar') THEN CASE WHEN d.typtype = 'd' THEN d.typtypmod ELSE a.atttypmod END - 4 END, \
         a.attnotnull OR d.typnotnull, a.atthasdef OR a.attidentity <> '' OR d.typdefault IS NOT NULL \
         FROM pg_attribute a JOIN pg_type d ON d.oid = a.atttypid \
         JOIN pg_type t ON t.oid = CASE WHEN d.typtype = 'd' THEN d.typbasetype ELSE d.oid END \
         WHERE a.attrelid = to_regclass('\"{name}\"') AND a.attnum > 0 AND NOT a.attisdropped \
         UNION ALL SELECT 'index', c.relname, NULL, NULL, NULL, \
         i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indnatts = 1 AND pg_get_indexdef(i.indexrelid, 1, true) = '{RECORD_ID}', i.indisprimary \
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = to_regclass('\"{name}\"') \
         UNION ALL SELECT 'taken', relname, NULL, NULL, NULL, NULL, NULL FROM pg_class WHERE left(relname, {LENGTH}) = '{BEGIN}' AND relnamespace = coalesce(\
         (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('\"{name}\"')), (SELECT oid FROM pg_namespace WHERE nspname = current_schema())) \
         UNION ALL SELECT 'mark', {mark}, NULL, NULL, NULL, NULL, NULL",
        name = table.name,
        mark = mark(table),
        LENGTH = BEGIN.len(),
    );
    let mut found = Look {
        columns: Vec::new(),
        indexes: Vec::new(),
        unique: Vec::new(),
        primary: None,
        taken: Vec::new(),
        mark: String::new(),
    };
    for message in connection.client.simple_query(&query).await? {
        let SimpleQueryMessage::Row(row) = message else { continue };
        let text = |at| row.get(at).unwrap_or_default().to_owned();
        let is = |at| row.get(at) == Some("t");
        match row.get(0) {
            Some("index") => {
                if is(5) {
                    found.unique.push(text(1));
                }
                if is(6) {
                    found.primary = Some(text(1));
                }
                found.indexes.push(text(1));
            }
            Some("taken") => found.taken.push(text(1)),
            Some("mark") => found.mark = text(1),
            _ => found.columns.push(Found {
                name: text(1),
                kind: text(2),
                shown: text(3),
                // Without a length it is negative.
                limit: row.get(4).and_then(|limit| limit.parse().ok()),
                is_not_null: is(5),
                has_default: is(6),
            }),
        }
    }
    Ok(found)
}

impl Look {
    /// The indexes that a complete table has beyond this: their names, whether they are unique, what they are on.
    fn indexes_to_make(&self, table: &Table) -> Vec<(String, bool, &'static str)> {
        let is_missing = |of: &str, is_unique: bool| {
            if is_unique { self.unique.is_empty() } else { !table.has_index(of, &self.indexes) }
        };
        let is_taken = |name: &str| self.taken.iter().any(|taken| taken == name);
        INDEXES
            .into_iter()
            .filter(|(of, is_unique, _)| is_missing(of, *is_unique))
            .map(|(of, is_unique, on)| (table.free_index(of, is_taken), is_unique, on))
            .collect()
    }

    /// What a complete table has beyond this, in words.
    fn missing(&self, table: &Table) -> Vec<String> {
        let mut missing = Vec::new();
        if !self.columns.iter().any(|found| found.name == RECORD_ID) {
            missing.push(format!("the column {RECORD_ID} uuid"));
        }
        missing.extend(self.indexes_to_make(table).into_iter().map(|(index, is_unique, on)| {
            format!("the {}index {index} on ({on})", if is_unique { "unique " } else { "" })
        }));
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
        let shape = Shape::of(&self.columns).map_err(|problem| {
            Fault::Unfit(format!(
                "has a table {name} that records do not fit: {problem}; change it, or take another table prefix"
            ))
        })?;
        Ok(Shape {
            unique: self.unique.clone(),
            primary: self.primary.clone(),
            mark: self.mark.clone(),
            ..shape
        })
    }
}
