//! Records as rows of a table: `{prefix}_logs` in a PostgreSQL server or in a SQLite file, with the same columns in both.
//!
//! B1. The table, its columns and its indexes are made where they are missing; nothing that is there is changed or dropped.
//! B2. A record is in the table once, however often it is offered: `record_id` is unique.
//! B3. A text that is longer than its column is cut on a character, a NUL is taken out, and both are counted: no text stops a record.
//! B4. What is shown of an address is its scheme and its host.
//!
//! Called by the outbox, on its thread, where the clients of the databases work as well.

mod columns;
#[cfg(feature = "postgres")]
mod postgres;
mod table;

use std::borrow::Cow;

pub(crate) use table::Table;

use super::deliver::Deliver;
use crate::escape::escaped;
use crate::layout::{Row, moment};
use crate::secret::Secret;
use crate::sink::Line;

/// A table of a database, for [`LogConfig::sink`](crate::LogConfig::sink) and [`Remote::database`](crate::Remote::database).
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

    /// How many connections there are at most, of 1 to 16. Default: 2.
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
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => {
                let (days, connections) = (self.retention_days, self.pool_size);
                Ok(Box::new(postgres::Postgres::new(&self.url, table, days, connections)?))
            }
            _ => Err(format!("{NO_ADDRESS}{}", table.name)),
        }
    }
}

const NO_ADDRESS: &str = "the address is none of a database; sqlite:<path> and postgres://user:password@host:port/name are accepted";

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
