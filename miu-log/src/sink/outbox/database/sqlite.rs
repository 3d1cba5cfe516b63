//! Records as rows of a table in a SQLite file, by a write-ahead log: one transaction a batch.
//!
//! Q1. A batch is in the file whole or not at all. What is in it survives the death of the process; a loss of power may take the last transactions, and
//!     never the file.
//! Q2. A database that is damaged is moved aside and never written to again, and a file that never was one is left alone; one that is gone or another one by now is noticed before the next batch. Either way
//!     there is a new one, and the batch goes there.
//! Q3. Whoever has the connection gives it back soon: rows are deleted in small pieces (`retention`), on a thread of its own.
//!
//! Called by the outbox, on its thread.

mod place;
mod retention;
mod schema;

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, ffi, params};

use super::super::deliver::{Deliver, DeliverError, Timeouts};
use super::super::say;
use super::columns::Columns;
use super::{NAME, Table, show};
use crate::clock::Clock;
use crate::layout::{Rfc3339, TimePrecision};
use crate::record::UnixNanos;
use crate::sink::{Batch, Line};
use crate::sync::lock;
use crate::zone::Zone;
use place::{Identity, Place};
use retention::{Next, Upkeep};

/// Length in bytes to which the write-ahead log is cut once all of it is in the file.
const JOURNAL: i64 = 16 << 20;

/// How long a deletion waits for another writer: a delivery may wait for the deletion.
const PATIENCE: Duration = Duration::from_millis(250);

/// See the module's description.
pub(super) struct Sqlite {
    store: Arc<Mutex<Store>>,
    insert: String,
    retention_days: Option<u32>,
    upkeep: Option<Upkeep>,
    time: Time,
    altered: u64,
}

impl Sqlite {
    /// An engine for this address; `days` is when a row is deleted. Opens nothing yet.
    ///
    /// # Errors
    ///
    /// A text that says what is wrong with the address.
    pub(super) fn new(address: &str, table: Table, days: Option<u32>) -> Result<Sqlite, String> {
        Ok(Sqlite::by_clock(Place::of(address)?, table, days, Clock::system()))
    }

    fn by_clock(place: Place, table: Table, retention_days: Option<u32>, clock: Clock) -> Sqlite {
        let insert = format!(
            "INSERT INTO \"{}\" (\"timestamp\", \"level\", \"logger_name\", \"process_id\", \"thread_id\", \
             \"thread_name\", \"hostname\", \"message\", \"exception\", \"function_name\", \"module\", \"filename\", \
             \"lineno\", \"pathname\", \"extra_data\", \"record_id\") \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) \
             ON CONFLICT(\"record_id\") DO NOTHING",
            table.name
        );
        let store = Store { name: NAME.to_owned(), place, table, clock, open: None };
        Sqlite {
            store: Arc::new(Mutex::new(store)),
            insert,
            retention_days,
            upkeep: None,
            time: Time::new(),
            altered: 0,
        }
    }

    /// Has rows deleted from now on, if they are to be. With a clock that is turned by hand there is no thread.
    fn begin_upkeep(&mut self) {
        let Some(days) = self.retention_days.filter(|_| self.upkeep.is_none()) else { return };
        if lock(&self.store).clock.is_manual() {
            return;
        }
        let store = Arc::clone(&self.store);
        let mut told = false;
        let piece = move || {
            let mut store = lock(&store);
            match store.delete_chunk(days) {
                Ok(next) => {
                    told = false;
                    next
                }
                Err(error) => {
                    if !std::mem::replace(&mut told, true) {
                        store.say("retention", &format!("{error}; its old rows stay for now"));
                    }
                    Next::Later
                }
            }
        };
        match Upkeep::start(piece) {
            Ok(upkeep) => self.upkeep = Some(upkeep),
            Err(error) => {
                let text =
                    format!("cannot start the thread that deletes old rows: {error}; it is tried again");
                lock(&self.store).say("retention", &text);
            }
        }
    }
}

impl Deliver for Sqlite {
    fn deliver(&mut self, batch: &Batch<'_>, timeouts: Timeouts) -> Result<(), DeliverError> {
        let Sqlite { store, insert, time, .. } = self;
        let altered =
            lock(store).run(timeouts.request, |connection| write(connection, insert, batch, time))?;
        self.altered += altered;
        self.begin_upkeep();
        Ok(())
    }

    fn connect(&mut self, timeouts: Timeouts) -> Result<(), DeliverError> {
        lock(&self.store).run(timeouts.connect, |_| Ok(()))?;
        self.begin_upkeep();
        Ok(())
    }

    fn show<'a>(&self, line: &Line<'a>) -> Cow<'a, [u8]> {
        show(line)
    }

    fn altered(&self) -> u64 {
        self.altered
    }

    fn set_name(&mut self, name: &str) {
        name.clone_into(&mut lock(&self.store).name);
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("insert", &self.insert).finish_non_exhaustive()
    }
}

/// Puts a batch into the table in one transaction. Of how many of its records something had to be changed, without those that were there already.
fn write(
    connection: &mut Connection,
    insert: &str,
    batch: &Batch<'_>,
    time: &mut Time,
) -> Result<u64, Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut altered = 0;
    {
        let mut statement = transaction.prepare(insert)?;
        for line in batch.iter() {
            let columns = Columns::of(&line).ok_or_else(|| {
                Fault::Told(DeliverError::refused("a record is not in the layout of a table's rows"))
            })?;
            // Big-endian, so that the records of one source stand one behind the other in the index.
            let record_id = columns.record_id.number().to_be_bytes();
            let inserted = statement.execute(params![
                time.text(columns.time),
                columns.level,
                columns.logger_name,
                columns.process_id,
                columns.thread_id,
                columns.thread_name,
                columns.hostname,
                columns.message,
                columns.exception,
                columns.function_name,
                columns.module,
                columns.filename,
                columns.lineno,
                columns.pathname,
                columns.extra_data,
                &record_id[..],
            ])?;
            altered += u64::from(columns.altered && inserted > 0);
        }
    }
    transaction.commit()?;
    Ok(altered)
}

/// Times as they are in the table: in universal time, with nanoseconds, so that texts sort as times do.
#[derive(Debug)]
struct Time {
    format: Rfc3339,
    text: Vec<u8>,
}

impl Time {
    fn new() -> Time {
        Time { format: Rfc3339::new(Zone::Utc, TimePrecision::Nanos), text: Vec::new() }
    }

    fn text(&mut self, time: UnixNanos) -> &str {
        self.text.clear();
        self.format.write(time, &mut self.text);
        str::from_utf8(&self.text).unwrap_or_default()
    }
}

/// Why something did not work.
#[derive(Debug)]
enum Fault {
    Sqlite(rusqlite::Error),
    /// It is known what follows.
    Told(DeliverError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        Fault::Sqlite(error)
    }
}

impl From<DeliverError> for Fault {
    fn from(error: DeliverError) -> Fault {
        Fault::Told(error)
    }
}

/// The file and the connection to it.
struct Store {
    /// What the sink is called.
    name: String,
    place: Place,
    table: Table,
    clock: Clock,
    open: Option<Open>,
}

struct Open {
    connection: Connection,
    identity: Identity,
    /// Of the tables, when this one was seen to.
    version: i64,
}

impl Store {
    fn say(&self, kind: &str, text: &str) {
        say(&self.name, kind, text);
    }

    /// Does this with a connection to the file that has the path now, which is opened or made for it; a second time where the first one found the file
    /// damaged, or the table gone. What it has to wait for is waited for no longer than `patience` in all.
    fn run<T>(
        &mut self,
        patience: Duration,
        mut work: impl FnMut(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, DeliverError> {
        let deadline = Instant::now() + patience;
        let mut is_second = false;
        loop {
            let mut found = None;
            let fault = match self.reach(deadline, &mut found).and_then(&mut work) {
                Ok(done) => return Ok(done),
                Err(Fault::Told(error)) => return Err(error),
                Err(Fault::Sqlite(error)) => error,
            };
            let code = fault.sqlite_error_code();
            let extended = fault.sqlite_error().map_or(0, |error| error.extended_code);
            if !is_harmless(code) {
                if is_damage(code)
                    && let Some(identity) = found
                {
                    // One that could be opened is one.
                    if self.open.is_none() && !self.place.is_database()? {
                        return Err(self.place.foreign());
                    }
                    self.set_aside(identity, &fault, deadline)?;
                }
                // What there is may be another file, or lack the table: the next connection finds out.
                self.open = None;
            }
            let is_curable = is_damage(code)
                || matches!(code, Some(ErrorCode::Unknown | ErrorCode::SchemaChanged))
                || extended == ffi::SQLITE_READONLY_DBMOVED;
            if std::mem::replace(&mut is_second, true) || !is_curable {
                return Err(self.explain(&fault));
            }
        }
    }

    /// The connection to the file that has the path now.
    fn reach(&mut self, deadline: Instant, found: &mut Option<Identity>) -> Result<&mut Connection, Fault> {
        let now = self.place.identity()?;
        let stale = self.open.take_if(|open| Some(open.identity) != now);
        if let Some(stale) = &stale {
            // It may only have another name: its newest rows are in the journal, which has this name still and goes.
            let _ = stale.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            let path = self.place.path();
            let what = if now.is_some() { "is another file now" } else { "is gone; it is made anew" };
            self.say("file", &format!("the database {path:?} {what}"));
        }
        // SQLite knows that its file has moved, and leaves alone what has its name now.
        drop(stale);
        let open = match self.open.take() {
            Some(open) => open,
            None => {
                let (path, identity) = self.place.make(deadline)?;
                *found = Some(identity);
                let (connection, version) = connect(path, &self.table, deadline)?;
                Open { connection, identity, version }
            }
        };
        *found = Some(open.identity);
        let open = self.open.insert(open);
        open.connection.busy_timeout(left(deadline))?;
        let version = schema::version(&open.connection)?;
        if version != open.version {
            schema::prepare(&mut open.connection, &self.table)?;
            open.version = version;
        }
        Ok(&mut open.connection)
    }

    /// Gives a damaged file another name, if that is still the one.
    fn set_aside(
        &mut self,
        identity: Identity,
        fault: &rusqlite::Error,
        deadline: Instant,
    ) -> Result<(), DeliverError> {
        let mut second = Vec::new();
        Rfc3339::new(Zone::Utc, TimePrecision::Seconds).write(self.clock.unix_now(), &mut second);
        let time = String::from_utf8_lossy(&second).replace(['-', ':'], "");
        if let Some(aside) = self.place.set_aside(identity, &time, deadline)? {
            let text = format!("the database {:?} is damaged: {fault}", self.place.path());
            self.say("file", &format!("{text}; it is moved to {aside:?}, and a new one is begun"));
        }
        Ok(())
    }

    /// What an error means for the batch.
    fn explain(&self, fault: &rusqlite::Error) -> DeliverError {
        let path = self.place.path();
        let text = |what: &str| format!("the database {path:?} {what}: {fault}");
        match fault.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                DeliverError::retry(text("is locked by another writer"))
            }
            Some(ErrorCode::DiskFull) => DeliverError::retry(text("has no room left on its disk")),
            Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig) => {
                DeliverError::refused(text("does not take a record"))
            }
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::SystemIoFailure,
            ) => match self.place.complaint() {
                Some(complaint) => DeliverError::off(complaint),
                None => DeliverError::retry(text("cannot be written to")),
            },
            _ => DeliverError::retry(text("cannot be written to")),
        }
    }

    /// Deletes some rows that are older than so many days.
    fn delete_chunk(&mut self, days: u32) -> Result<Next, DeliverError> {
        let (table, now) = (self.table.clone(), self.clock.unix_now());
        let deleted =
            self.run(PATIENCE, |connection| Ok(retention::delete_chunk(connection, &table, days, now)?))?;
        Ok(if deleted < retention::CHUNK { Next::Done } else { Next::More })
    }
}

/// Opens the file, and sees to its table, from this version of the tables on.
fn connect(path: PathBuf, table: &Table, deadline: Instant) -> Result<(Connection, i64), Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(left(deadline))?;
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    // Without a write-ahead log, where a file system cannot do it, only this keeps the file whole.
    let synchronous = if mode == "wal" { "normal" } else { "full" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update_and_check(None, "journal_size_limit", JOURNAL, |_| Ok(()))?;
    connection.busy_timeout(left(deadline))?;
    let version = schema::version(&connection)?;
    schema::prepare(&mut connection, table)?;
    Ok((connection, version))
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// Whether the file is not what a database is.
fn is_damage(code: Option<ErrorCode>) -> bool {
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Whether the connection is as good as before.
fn is_harmless(code: Option<ErrorCode>) -> bool {
    matches!(
        code,
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::TooBig
        )
    )
}

#[cfg(test)]
mod tests;
