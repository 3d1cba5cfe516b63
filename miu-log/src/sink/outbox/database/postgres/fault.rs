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
use super::shape::Shape;
use crate::sink::outbox::deliver::DeliverError;

/// What went wrong.
#[derive(Debug)]
pub(super) enum Fault {
    /// What the client says.
    Client(Error),
    /// No connection within its time.
    Unreached,
    /// The host's name leads nowhere.
    Unresolved(std::io::Error),
    /// The table is not as it was when it was looked at.
    Changed,
    /// No answer within the time of all of it.
    TimedOut,
    /// The table is none for records, in words.
    Unfit(String),
    /// The user may not make what a table lacks, or the table itself where nothing is named.
    Denied { error: Error, missing: Vec<String> },
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
    /// The same, of making what is missing.
    pub(super) fn making(self, missing: Vec<String>) -> Fault {
        let may_not = [SqlState::INSUFFICIENT_PRIVILEGE, SqlState::INVALID_SCHEMA_NAME];
        match self {
            Fault::Client(error) if error.code().is_some_and(|code| may_not.contains(code)) => {
                Fault::Denied { error, missing }
            }
            other => other,
        }
    }

    fn answer(&self) -> Option<&DbError> {
        match self {
            Fault::Client(error) | Fault::Denied { error, .. } => error.as_db_error(),
            _ => None,
        }
    }

    /// Whether it is what the server has answered, which works.
    pub(super) fn is_answer(&self) -> bool {
        self.answer().is_some() && !self.is_of_connection()
    }

    /// Whether the connection was no more, perhaps since long.
    pub(super) fn is_of_connection(&self) -> bool {
        match (self, self.answer()) {
            (_, Some(answer)) => answer.code().code().starts_with("57P"),
            (Fault::Client(_), None) => true,
            _ => false,
        }
    }

    /// Whether the table, a column or an index of it is not there, or anything of it is otherwise than it was.
    pub(super) fn is_of_table(&self) -> bool {
        const OF_TABLE: [SqlState; 5] = [
            SqlState::UNDEFINED_TABLE,
            SqlState::UNDEFINED_COLUMN,
            SqlState::INVALID_COLUMN_REFERENCE,
            // A value of more bytes than the type has, and one of fewer.
            SqlState::INVALID_BINARY_REPRESENTATION,
            SqlState::PROTOCOL_VIOLATION,
        ];
        matches!(self, Fault::Changed) || self.answer().is_some_and(|answer| OF_TABLE.contains(answer.code()))
    }

    /// Whether something in the table would be there twice.
    pub(super) fn is_of_unique(&self) -> bool {
        self.answer().is_some_and(|answer| *answer.code() == SqlState::UNIQUE_VIOLATION)
    }

    /// Whether a record was in the table before.
    pub(super) fn is_duplicate(&self, shape: &Shape) -> bool {
        let is_of_id = |name: &str| shape.unique.iter().any(|index| index == name);
        self.answer().is_some_and(|answer| {
            *answer.code() == SqlState::UNIQUE_VIOLATION && answer.constraint().is_some_and(is_of_id)
        })
    }

    /// What the outbox is told, of a table that looked so.
    pub(super) fn told(
        &self,
        stage: Stage,
        origin: &str,
        table: &Table,
        shape: Option<&Shape>,
    ) -> DeliverError {
        let error = match self {
            Fault::Unreached => {
                return DeliverError::retry(format!("{origin} is not reached within the time for it"));
            }
            Fault::Unresolved(error) => {
                return DeliverError::retry(format!("{origin} is not reached: {error}"));
            }
            Fault::Changed => {
                let name = &table.name;
                return DeliverError::retry(format!(
                    "{origin} has a table {name} that somebody is about to change"
                ));
            }
            Fault::TimedOut => {
                let error = DeliverError::retry(format!("{origin} does not answer within the time for it"));
                // With fewer rows it may.
                return if stage == Stage::Writing { error.smaller() } else { error };
            }
            Fault::Unfit(problem) => return DeliverError::off(format!("{origin} {problem}")),
            Fault::Client(error) | Fault::Denied { error, .. } => error,
        };
        if let Some(answer) = error.as_db_error() {
            if let Fault::Denied { missing, .. } = self {
                return denied(answer, missing, origin, table);
            }
            return told(answer, stage, origin, table, shape);
        }
        let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
        // The client tells its kinds of errors apart by their text alone.
        let text = match error.to_string() {
            text if text.contains("TLS") && cause.contains("does not support TLS") => format!(
                "{origin} has no TLS{cause}: give it a certificate, or write ?sslmode=disable behind the address, with which \
                 records and the login go over the network in plain text, for everybody on the way to read and change"
            ),
            text if text.contains("TLS") => {
                format!("{origin} cannot be trusted with anything secret: TLS failed{cause}")
            }
            text if text.contains("password missing") || cause.contains("password missing") => {
                return DeliverError::off(format!(
                    "{origin} wants a password, and the address has none: put user:password into the address"
                ));
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
fn told(answer: &DbError, stage: Stage, origin: &str, table: &Table, shape: Option<&Shape>) -> DeliverError {
    let code = answer.code();
    let is_of_number = answer.constraint().is_some()
        && answer.constraint() == shape.and_then(|shape| shape.primary.as_deref());
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
        ("42501", _) if stage == Stage::Deleting => DeliverError::off(text(&format!(
            "does not let this user delete from {table}: GRANT SELECT and DELETE on it to the user, or set no retention"
        ))),
        ("42501", _) => DeliverError::off(text(&format!(
            "does not let this user insert into {table}: GRANT INSERT on it, and USAGE on the sequence {table}_id_seq, to the user"
        ))),
        ("23505", _) if stage == Stage::Table => DeliverError::off(text(&format!(
            "has rows of {table} with the same record_id, which is to be unique: delete all but one of each"
        ))),
        ("23505", _) if is_of_number => DeliverError::retry(text(&format!(
            "has a row of {table} with the next number already: set its sequence to the largest id"
        ))),
        // It concerns every record.
        ("2200H", _) => DeliverError::retry(text(&format!(
            "has no number left for a row of {table}: let the sequence of its id go on, ALTER SEQUENCE .. NO MAXVALUE, and make the id a bigint if it is none"
        ))),
        // What the record is, or a rule of the owner's or their trigger says of it.
        ("54000", _) | (_, "22" | "23" | "P0") if stage == Stage::Writing => {
            DeliverError::refused(text("does not take a record"))
        }
        (_, "42") => DeliverError::off(text(&format!("has a table {table} that is none of ours"))),
        ("25006", _) => DeliverError::retry(text("is read-only")),
        ("53300", _) => DeliverError::retry(plain("has too many connections")),
        ("55P03", _) => DeliverError::retry(text(&format!("has the table {table} locked by somebody else"))),
        ("57014", _) if stage == Stage::Table => DeliverError::retry(text(&format!(
            "does not get the indexes of {table} done within the time of a request: give it more time, or have its owner make them"
        ))),
        ("57014", _) if stage == Stage::Writing => DeliverError::retry(text("is too slow")).smaller(),
        ("57014", _) => DeliverError::retry(text("is too slow")),
        (_, "57") => DeliverError::retry(text("is not ready")),
        _ => DeliverError::retry(text("fails")),
    }
}

/// What it means that this user may not make these things, which a table lacks, or all of the table.
fn denied(answer: &DbError, missing: &[String], origin: &str, table: &Table) -> DeliverError {
    let table = &table.name;
    let what = if missing.is_empty() {
        format!(
            "make the table {table}: GRANT CREATE on the schema to the user, or have somebody make it who may"
        )
    } else {
        format!("make what the table {table} lacks: have its owner make {}", missing.join(", "))
    };
    let (message, code) = (answer.message(), answer.code().code());
    DeliverError::off(format!("{origin} does not let this user {what} ({message}, SQLSTATE {code})"))
}
