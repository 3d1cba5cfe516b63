//! Records as rows of a table: `{prefix}_logs` in a PostgreSQL server or in a SQLite file, with the same columns in both.
//!
//! B1. The table, its columns and its indexes are made where they are missing; nothing that is there is changed or dropped.
//! B2. A record is in the table once, however often it is offered: `record_id` is unique.
//! B3. A text that is longer than its column is cut on a character, a NUL is taken out, and both are counted: no text stops a record.
//! B4. What is shown of a server's address is its scheme and its hosts; of a file's, its path.
//!
//! Called by the outbox, on its thread, where the clients of the databases work as well.

mod columns;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
mod table;

use std::borrow::Cow;

pub(crate) use table::Table;

use super::deliver::Deliver;
use crate::escape::escaped;
use crate::layout::{Row, moment};
use crate::secret::Secret;
use crate::sink::Line;

/// A table of a database, `{prefix}_logs`, in a SQLite file (feature `sqlite`) or in a PostgreSQL server (feature `postgres`): for
/// [`LogConfig::sink`](crate::LogConfig::sink), or for [`Remote::database`](crate::Remote::database) where less than all records or other limits are wanted.
///
/// The table is made with its indexes where it is missing. One that another writer has made with the same columns gets what it lacks, `record_id` for instance;
/// nothing else of it is changed. Each batch sees whether the table is still the one that was looked at, with its columns and indexes: so one that was renamed for an archive is followed by a new one, whose
/// indexes have a number behind their names (`idx_miu_logs_level_2`) where the old one has kept them, and an index that was dropped is made again. In PostgreSQL its columns have to be of types that records fit: those of a table that is made here, or `bigint` and `integer` for each other,
/// `json` or `text` for `jsonb`, `text` or a longer `varchar` for a `varchar`. Each record is a row: `timestamp`, `level`, `logger_name` (the domain), `process_id`, `thread_id`, `thread_name`, `hostname`,
/// `message`, `exception`, `function_name`, `module`, `filename`, `lineno`, `pathname`, `extra_data` (the fields, as JSON, raw bytes among them in base64) and `record_id`, by which
/// a record is in the table once, however often it is delivered. Names are cut to the length of their column, NULs are taken out, and a record of
/// which anything was changed is counted.
///
/// - **When its queue is full:** as of every [`Remote`](crate::Remote): its queue is the spool, up to 256 MiB; past that and 4 MiB of memory records go to the console, stderr, nowhere, each counted.
/// - **When the destination fails:** a database that is locked, full, or not there is asked again, and records wait in the spool, as of every
///   `Remote`. Missing rights, and a table that cannot be made or has other columns, turn the sink off until the next start, which is said with what to do. So does a table in which nothing can make `record_id` unique; any other index that cannot be made again
///   while the program runs is said, and records go on. A PostgreSQL sequence without numbers left, or one that was set back, is waited for. A record that the database does not take, by its constraints or by a trigger that raises, is a dead letter:
///   a readable line with its reason in `.outbox/database/dead-letters` in the log folder (or under the name that the sink has), which holds 16 MiB; past that such records go to the console. That file is never read or cleared: what has to be in the table
///   is logged anew, and the file deleted while the program is stopped.
///   A SQLite file that is damaged is moved aside, to `<name>.corrupt-<time>` with its journal, and a new one is begun; one that is deleted or renamed is made anew. Either is said on stderr, and so is a PostgreSQL table that is made anew. A file that never was
///   a database turns the sink off, and is left alone.
/// - **Durability:** a batch is in the table whole or not at all. SQLite keeps it by a write-ahead log with `synchronous=NORMAL`: what is delivered survives the
///   death of the process; a loss of power may take the last transactions, and never damages the file. What is not delivered yet is in the spool, and is delivered after the next start.
///   The spool belongs to the sink's name: after a change of address what waits goes to the new one. What [`recover`](crate::recover()) brings into the files of a crashed run goes to no database.
///
/// A SQLite address is `sqlite:<path>`, as seen from the working directory of the moment in which this is built into a configuration, or
/// `sqlite:///<absolute path>`; the path is taken as it stands. Folders are made with mode 0750 and the file with 0640, or stricter by the umask; it has to be a plain file, not
/// a link. Beside it are SQLite's `-wal` and `-shm`, and `-lock`, an empty file by which processes agree on who makes it. Several processes may write to one file. Its
/// times are texts in universal time, such as `2026-11-20T12:00:00.123456789Z`, which sort as the times do. `pool_size` means nothing to it.
///
/// A PostgreSQL address is `postgres://user:password@host:port/name?options`, or begins with `postgresql://`; user, password and name are `%`-escaped where they have to be, and a host that is the escaped
/// path of a folder is that of a socket. Among the options are `sslmode` (`disable`, or `require` and `verify-full`, which both check the server's certificate and its name), `sslrootcert` (a file
/// of certificates as PEM, in place of those that browsers trust), and those of the client, such as `connect_timeout`, `target_session_attrs` and `keepalives_idle` (by default a connection that is silent for 30 s is asked for). Several hosts, `host1:port1,host2:port2`, are
/// tried in their order, and so are the addresses of a name; each has an equal part of what is left of the [`connect_timeout`](crate::Remote::connect_timeout), so that one which takes a connection and says nothing leaves time for the next. Without `sslmode` a server on this machine is reached without TLS, and every other
/// one with `verify-full`; nothing falls back to plain text. The table is looked for, and made, in the schemas of the user's `search_path`. A user who may not make it
/// needs `INSERT` on the table and `USAGE` on the sequence `{prefix}_logs_id_seq`, better also `SELECT` of `record_id`, and for `retention_days` `SELECT` and `DELETE`. Times are kept to the
/// microsecond. Old rows are deleted at the start and every hour, 5000 at most in a transaction, by one program at a time; the first of them are deleted when
/// the table is reached for the first time, within the timeout of a request, so that programs which end soon delete as well.
///
/// Old rows of a SQLite file are deleted by a thread of the sink's own, at the start and every hour, also while nothing is logged: a thousand at most in a transaction, between which deliveries
/// get their turn. The room they had is used for new rows; the file does not shrink.
///
/// # Examples
///
/// ```
/// use miu_log::{Database, Level, LogConfig, Remote};
///
/// let config = LogConfig::new("logs").sink(Database::url("sqlite:logs/logs.db").retention_days(30));
/// # let _ = config;
///
/// // Only what matters, in a table of its own, at most a second late.
/// let database = Database::url("postgres://app:password@db.example.org/logs").table_prefix("orders");
/// let config = LogConfig::new("logs").sink(
///     Remote::database(database).min_level(Level::Warning).batch_age(std::time::Duration::from_secs(1)),
/// );
/// # let _ = config;
/// ```
#[derive(Debug)]
pub struct Database {
    url: Secret,
    prefix: String,
    retention_days: Option<u32>,
    pool_size: usize,
}

impl Database {
    /// The database at this address: `sqlite:logs/logs.db`, or `postgres://user:password@host:5432/name`.
    pub fn url(url: impl Into<Secret>) -> Database {
        Database { url: url.into(), prefix: "miu".to_owned(), retention_days: None, pool_size: 2 }
    }

    /// What the table's name begins with: `orders` makes it `orders_logs`. Lower-case letters, digits and `_`, which does not begin with a digit, at most
    /// 44 bytes. Default: `miu`.
    #[must_use]
    pub fn table_prefix(mut self, prefix: impl Into<String>) -> Database {
        self.prefix = prefix.into();
        self
    }

    /// After how many days a row is deleted, by its time. At least 1. Default: never.
    #[must_use]
    pub fn retention_days(mut self, days: u32) -> Database {
        self.retention_days = Some(days);
        self
    }

    /// How many connections to a server there are at most, of 1 to 16. Default: 2, and no more are ever made: one writes, as the order of the rows would be lost with more, and one deletes
    /// what is older than [`retention_days`](Database::retention_days). With 1 they take turns, and more than 2 are accepted and change nothing. A SQLite file has one.
    #[must_use]
    pub fn pool_size(mut self, connections: usize) -> Database {
        self.pool_size = connections;
        self
    }

    /// What delivers to it.
    ///
    /// # Errors
    ///
    /// When the address or a setting is not accepted, in words that show no secret.
    pub(crate) fn engine(self) -> Result<Box<dyn Deliver>, String> {
        let table = Table::new(&self.prefix)?;
        if self.retention_days == Some(0) {
            return Err("retention_days is 0; at least 1 is accepted".to_owned());
        }
        if !(1..=16).contains(&self.pool_size) {
            return Err(format!("pool_size is {}; 1 to 16 is accepted", self.pool_size));
        }
        let scheme = self.url.expose().split(':').next().unwrap_or_default();
        match scheme {
            #[cfg(feature = "sqlite")]
            "sqlite" => Ok(Box::new(sqlite::Sqlite::new(self.url.expose(), table, self.retention_days)?)),
            #[cfg(not(feature = "sqlite"))]
            "sqlite" => Err(lacks("sqlite")),
            #[cfg(not(feature = "postgres"))]
            "postgres" | "postgresql" => Err(lacks("postgres")),
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => {
                let (days, connections) = (self.retention_days, self.pool_size);
                Ok(Box::new(postgres::Postgres::new(&self.url, table, days, connections)?))
            }
            _ => Err(NO_ADDRESS.to_owned()),
        }
    }
}

/// What a sink is called that nobody has named.
pub(crate) const NAME: &str = "database";

const NO_ADDRESS: &str = "the address is none of a database; sqlite:<path> and postgres://user:password@host:port/name are accepted";

/// Why there is no engine for an address that would be right.
#[cfg(not(all(feature = "postgres", feature = "sqlite")))]
fn lacks(feature: &str) -> String {
    format!(
        "miu-log is built without the feature `{feature}`, which this address needs; build it with that feature"
    )
}

/// A line with a row in it as people read it: its time in UTC, level, domain, thread, message, fields and exception, escaped, on one line.
fn show<'a>(line: &Line<'a>) -> Cow<'a, [u8]> {
    let Some(row) = Row::read(line.as_bytes()) else { return Cow::Borrowed(line.as_bytes()) };
    let (level, domain, thread) = (line.level().as_str(), line.domain(), escaped(row.thread));
    let time = moment(line.unix_nanos());
    let mut text = format!("{time} | {level:<8} | {domain} | {thread} | {}", escaped(row.message));
    for more in [row.fields, row.exception].into_iter().flatten() {
        text.push_str(&format!(" | {}", escaped(more)));
    }
    text.push('\n');
    Cow::Owned(text.into_bytes())
}

#[cfg(test)]
mod tests;
