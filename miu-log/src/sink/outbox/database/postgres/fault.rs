//! What went wrong with the server, and what that means for the batch: whether it is offered again, is refused, or nothing helps before somebody
//! changes something.
//!
//! E1. What is told begins with scheme and host, and has neither user nor password nor any text of a record.
//!
//! Called by `postgres` and `retention`.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use super::Table;
use crate::sink::outbox::deliver::DeliverError;

/// What went wrong.
#[derive(Debug)]
pub(super) enum Fault {
    /// What the client says.
    Client(Error),
    /// No connection within its time.
    Unreached,
    /// No answer within the time of all of it.
    TimedOut,
}

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Connecting,
    /// Looking at the table, or making it.
    Table,
    Writing,
    Deleting,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Client(error)
    }
}

impl Fault {
    fn answer(&self) -> Option<&DbError> {
        match self {
            Fault::Client(error) => error.as_db_error(),
            _ => None,
        }
    }

    /// Whether the connection was no more, perhaps since long.
    pub(super) fn is_of_connection(&self) -> bool {
        match (self, self.answer()) {
            (_, Some(answer)) => answer.code().code().starts_with("57P"),
            (Fault::Client(_), None) => true,
            _ => false,
        }
    }

    /// Whether the table, a column or an index of it is not there.
    pub(super) fn is_of_table(&self) -> bool {
        self.answer().is_some_and(|answer| {
            [SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN, SqlState::INVALID_COLUMN_REFERENCE]
                .contains(answer.code())
        })
    }

    /// Whether a record was in the table before.
    pub(super) fn is_duplicate(&self, table: &Table) -> bool {
        self.answer().is_some_and(|answer| {
            *answer.code() == SqlState::UNIQUE_VIOLATION
                && answer.constraint() == Some(&*table.index("record_id"))
        })
    }

    /// What the outbox is told.
    pub(super) fn told(&self, stage: Stage, origin: &str, table: &Table) -> DeliverError {
        let error = match self {
            Fault::Unreached => {
                return DeliverError::retry(format!("{origin} is not reached within the time for it"));
            }
            Fault::TimedOut => {
                return DeliverError::retry(format!("{origin} does not answer within the time for it"));
            }
            Fault::Client(error) => error,
        };
        if let Some(answer) = error.as_db_error() {
            return told(answer, stage, origin, table);
        }
        let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
        // The client tells its kinds of errors apart by their text alone.
        let text = match error.to_string() {
            text if text.contains("TLS") => {
                format!("{origin} cannot be trusted with anything secret: TLS failed{cause}")
            }
            text if text.contains("authentication") || text.contains("invalid configuration") => {
                return DeliverError::off(format!(
                    "{origin}: the way to log in is not settled: {text}{cause}"
                ));
            }
            _ if stage == Stage::Connecting => format!("{origin} is not reached{cause}"),
            _ => format!("the connection to {origin} is lost{cause}"),
        };
        DeliverError::retry(text)
    }
}

/// What this answer of the server means.
fn told(answer: &DbError, stage: Stage, origin: &str, table: &Table) -> DeliverError {
    let code = answer.code();
    let table = &table.name;
    let text = |what: &str| format!("{origin} {what} ({}, SQLSTATE {})", answer.message(), code.code());
    // Without the server's text, which names the user.
    let plain = |what: &str| format!("{origin} {what} (SQLSTATE {})", code.code());
    match (code.code(), &code.code()[..2]) {
        (_, "28") => DeliverError::off(plain(
            "does not let this user in: check user and password in the address, and what the server's pg_hba.conf says of them",
        )),
        ("3D000", _) => DeliverError::off(plain("has no database of the name that is in the address")),
        ("42501", _) if stage == Stage::Connecting => DeliverError::off(plain(
            "does not let this user into the database: GRANT CONNECT on it to the user",
        )),
        ("42501" | "3F000", _) if stage == Stage::Table => DeliverError::off(text(&format!(
            "does not let this user make the table {table} or what is missing of it: GRANT CREATE on the schema to the user, or have its owner make it"
        ))),
        ("42501", _) if stage == Stage::Deleting => DeliverError::off(text(&format!(
            "does not let this user delete from {table}: GRANT SELECT and DELETE on it to the user, or set no retention"
        ))),
        ("42501", _) => DeliverError::off(text(&format!(
            "does not let this user insert into {table}: GRANT INSERT on it, and USAGE on the sequence {table}_id_seq, to the user"
        ))),
        ("23505", _) => DeliverError::retry(text(&format!(
            "has a row of {table} with the next number already: set its sequence to the largest id"
        ))),
        ("54000", _) | (_, "22" | "23") => DeliverError::refused(text("does not take a record")),
        (_, "42") => DeliverError::off(text(&format!("has a table {table} that is none of ours"))),
        ("25006", _) => DeliverError::retry(text("is read-only")),
        ("53300", _) => DeliverError::retry(plain("has too many connections")),
        ("55P03", _) => DeliverError::retry(text(&format!("has the table {table} locked by somebody else"))),
        ("57014", _) if stage == Stage::Table => DeliverError::retry(text(&format!(
            "does not get the indexes of {table} done within the time of a request: give it more time, or have its owner make them"
        ))),
        ("57014", _) => DeliverError::retry(text("is too slow")),
        (_, "57") => DeliverError::retry(text("is not ready")),
        _ => DeliverError::retry(text("fails")),
    }
}
