//! The table in a SQLite file: made with its indexes, or given what it lacks.
//!
//! Looks first, and writes only where something is missing. A table that another writer has made with the same columns gets `record_id` and its
//! index; one with other columns is left alone, and said. Called by the engine, for each connection, and
//! when something of it was changed.

use rusqlite::{Connection, TransactionBehavior, ffi};

use super::super::super::deliver::DeliverError;
use super::super::Table;
use super::Fault;

/// The columns behind `id`, with their types: texts have the names of their lengths for whoever reads the schema; SQLite keeps to none.
const COLUMNS: [(&str, &str); 17] = [
    ("timestamp", "TEXT DEFAULT CURRENT_TIMESTAMP"),
    ("level", "VARCHAR(10) NOT NULL"),
    ("logger_name", "VARCHAR(255) NOT NULL"),
    ("process_id", "INTEGER NOT NULL"),
    ("thread_id", "BIGINT NOT NULL"),
    ("thread_name", "VARCHAR(255)"),
    ("hostname", "VARCHAR(255) NOT NULL"),
    ("message", "TEXT NOT NULL"),
    ("exception", "TEXT"),
    ("function_name", "VARCHAR(255)"),
    ("module", "VARCHAR(255)"),
    ("filename", "VARCHAR(500)"),
    ("lineno", "INTEGER"),
    ("pathname", "TEXT"),
    ("extra_data", "TEXT"),
    ("created_at", "TEXT DEFAULT CURRENT_TIMESTAMP"),
    (RECORD_ID, RECORD_ID_TYPE),
];

const RECORD_ID: &str = "record_id";
const RECORD_ID_TYPE: &str = "BLOB";

/// What the indexes are called behind the table's name, and what they are of.
const INDEXES: [(&str, &str); 6] = [
    ("timestamp", "\"timestamp\" DESC"),
    ("level", "\"level\""),
    ("logger", "\"logger_name\""),
    ("hostname", "\"hostname\""),
    ("composite", "\"timestamp\", \"level\", \"logger_name\""),
    ("record_id", "\"record_id\""),
];

/// Makes what is missing of the table.
///
/// # Errors
///
/// When SQLite refuses, or what is there cannot be written to: that nobody but a person can change.
pub(super) fn prepare(connection: &mut Connection, table: &Table) -> Result<(), Fault> {
    if statements(connection, table)?.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have made it meanwhile.
    for statement in statements(&transaction, table)? {
        transaction.execute_batch(&statement).map_err(|error| match error.sqlite_error_code() {
            Some(ffi::ErrorCode::ConstraintViolation | ffi::ErrorCode::Unknown) => off(
                table,
                &format!("cannot be given what it lacks: {error}"),
                "change it, or take another table prefix",
            ),
            _ => Fault::from(error),
        })?;
    }
    transaction.commit()?;
    Ok(())
}

/// A number that is another one when anybody has changed the file's tables or indexes.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "schema_version", |row| row.get(0))
}

/// What has to be done to it.
fn statements(connection: &Connection, table: &Table) -> Result<Vec<String>, Fault> {
    let name = &table.name;
    let texts = |sql: &str| -> rusqlite::Result<Vec<String>> {
        connection.prepare(sql)?.query_map([name], |row| row.get(0))?.collect()
    };
    let mut statements = Vec::new();
    let kinds = texts("SELECT type FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE")?;
    if kinds.is_empty() {
        let columns: Vec<String> =
            COLUMNS.iter().map(|(column, kind)| format!("\"{column}\" {kind}")).collect();
        statements.push(format!(
            "CREATE TABLE \"{name}\" (\"id\" INTEGER PRIMARY KEY AUTOINCREMENT, {})",
            columns.join(", ")
        ));
    } else {
        if kinds[0] != "table" {
            return Err(off(table, &format!("is a {}", kinds[0]), "take another table prefix"));
        }
        let found = texts("SELECT lower(name) FROM pragma_table_info(?1)")?;
        let is_missing = |column: &str| !found.iter().any(|found| found == column);
        if let Some((column, _)) = COLUMNS.iter().find(|(it, _)| *it != RECORD_ID && is_missing(it)) {
            let what = format!("has no column {column:?}");
            return Err(off(table, &what, "add it, or take another table prefix"));
        }
        let wanted = texts(
            "SELECT lower(name) FROM pragma_table_info(?1) WHERE \"notnull\" AND dflt_value IS NULL AND NOT pk",
        )?;
        if let Some(column) = wanted.iter().find(|wanted| !COLUMNS.iter().any(|(known, _)| known == wanted)) {
            let what = format!("wants a value for {column:?}, which no record has");
            return Err(off(table, &what, "give it a default, or take another table prefix"));
        }
        if is_missing(RECORD_ID) {
            statements.push(format!("ALTER TABLE \"{name}\" ADD COLUMN \"{RECORD_ID}\" {RECORD_ID_TYPE}"));
        }
    }
    let own =
        texts("SELECT lower(name) FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?1 COLLATE NOCASE")?;
    // An index keeps its name when its table gets another one, for an archive.
    let taken = texts("SELECT lower(name) FROM sqlite_schema WHERE ?1 <> ''")?;
    let is_unique = !texts(UNIQUE)?.is_empty();
    for (of, columns) in INDEXES {
        let is_there = if of == RECORD_ID { is_unique } else { table.has_index(of, &own) };
        if is_there {
            continue;
        }
        let index = table.index(of);
        if of == RECORD_ID && own.contains(&index) {
            let what = format!("has an index {index:?} that is not one that makes {RECORD_ID} unique");
            return Err(off(table, &what, "drop that index"));
        }
        let index = table.free_index(of, |name| taken.iter().any(|taken| taken == name));
        let unique = if of == RECORD_ID { "UNIQUE " } else { "" };
        statements.push(format!("CREATE {unique}INDEX \"{index}\" ON \"{name}\" ({columns})"));
    }
    Ok(statements)
}

/// The names of the indexes by which a record is in the table once.
const UNIQUE: &str = "SELECT name FROM pragma_index_list(?1) AS list WHERE list.\"unique\" AND NOT list.partial \
    AND (SELECT group_concat(name) FROM pragma_index_info(list.name)) = 'record_id'";

fn off(table: &Table, what: &str, do_what: &str) -> Fault {
    Fault::Told(DeliverError::off(format!("the table {:?} of the database {what}; {do_what}", table.name)))
}
