//! The table in a PostgreSQL server.
//!
//! G1. A batch is written whole or not at all, in one transaction, and what of it is in the table already is left out.
//! G2. Nothing waits for the server longer than the timeouts say, whatever it does: every wait has its deadline on this side as well.
//! G3. Nothing is sent in plain text to a server that is not on this machine, unless the address says `sslmode=disable`.
//! G4. The table is looked at before the first batch, and again when it is another one by now, or has other columns or indexes, which each batch asks the server first.
//!     Nothing is written to columns of other types.
//!
//! One thread writes, the outbox's; one deletes what is too old, if anything is to be. Both use the connections of one pool, and whichever waits for
//! the server moves the connections of both.

mod address;
mod copy;
mod fault;
mod merge;
mod pool;
mod retention;
mod schema;
mod shape;
mod tls;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use address::Address;
use fault::{Fault, Stage};
use pool::{Connection, Pool};
use retention::Retention;
use shape::Shape;
use tokio::time::timeout;
use tokio_postgres::SimpleQueryMessage;

use super::columns::Columns;
use super::{NAME, Table, show};
use crate::secret::Secret;
use crate::sink::outbox::deliver::{Deliver, DeliverError, Timeouts};
use crate::sink::outbox::say;
use crate::sink::{Batch, Line};

/// See the module's description.
pub(super) struct Postgres {
    shared: Arc<Shared>,
    retention_days: Option<u32>,
    retention: Option<Retention>,
    /// What the table is like, once it has been looked at.
    shape: Option<Shape>,
    /// The table was there once.
    has_been_there: bool,
    altered: u64,
}

/// What both threads use.
struct Shared {
    /// What the sink is called.
    name: String,
    pool: Pool,
    table: Table,
}

impl Shared {
    /// Says this of the table on stderr.
    fn say(&self, what: &str) {
        let (origin, table) = (&self.pool.address.origin, &self.table.name);
        say(&self.name, "table", &format!("the table {table} of {origin} {what}"));
    }

    /// Says what is wrong with the table, and what follows.
    fn say_fault(&self, fault: &Fault, plan: &str) {
        let error = fault.told(Stage::Table, &self.pool.address.origin, &self.table, None);
        say(&self.name, "table", &format!("{error}; {plan}"));
    }
}

impl Postgres {
    /// The table of the database at this address. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// When the address is not accepted, in words that show no secret.
    pub(super) fn new(
        url: &Secret,
        table: Table,
        retention_days: Option<u32>,
        pool_size: usize,
    ) -> Result<Postgres, String> {
        let pool = Pool::new(Address::of(url)?, pool_size)?;
        let shared = Arc::new(Shared { name: NAME.to_owned(), pool, table });
        Ok(Postgres {
            shared,
            retention_days,
            retention: None,
            shape: None,
            has_been_there: false,
            altered: 0,
        })
    }

    /// Writes these rows to the table, which is made first if it is not there, within the time of a request. What fails because the server has closed a connection since
    /// its last use, or because of a table that vanished, is done once more.
    fn write(&mut self, rows: &[Columns<'_>], timeouts: Timeouts) -> Result<(), DeliverError> {
        let shared = Arc::clone(&self.shared);
        let limits = limits(timeouts.request);
        let begun = Instant::now();
        let mut stage = Stage::Connecting;
        let result = shared.pool.block_on(async {
            let work = async {
                let (mut reconnected, mut made) = (false, false);
                loop {
                    stage = Stage::Connecting;
                    let patience = timeouts.connect.min(timeouts.request.saturating_sub(begun.elapsed()));
                    let lease = shared.pool.get(patience).await?;
                    let result = async {
                        let is_fresh = self.shape.is_none();
                        let shape = match &mut self.shape {
                            Some(shape) => shape,
                            none => {
                                stage = Stage::Table;
                                let ready = schema::ensure(
                                    &lease,
                                    &shared.table,
                                    timeouts.request,
                                    self.has_been_there,
                                )
                                .await?;
                                if let Some(fault) = ready.lacking {
                                    shared.say_fault(&fault, "records go on without it");
                                }
                                if ready.is_new && self.has_been_there {
                                    shared.say("was gone; it is made anew");
                                }
                                self.has_been_there = true;
                                none.insert(ready.shape)
                            }
                        };
                        stage = Stage::Writing;
                        write(&lease, &shared.table, shape, is_fresh, rows, &limits).await
                    }
                    .await;
                    match result {
                        Ok(()) => {
                            lease.give_back();
                            return Ok(());
                        }
                        Err(fault) if fault.is_of_connection() && lease.is_used() && !reconnected => {
                            reconnected = true;
                        }
                        Err(fault) if fault.is_of_table() && !made => {
                            (self.shape, made) = (None, true);
                            lease.give_back_after_error().await;
                        }
                        Err(fault) => {
                            if fault.is_of_table() {
                                self.shape = None;
                            }
                            lease.give_back_after_error().await;
                            return Err(fault);
                        }
                    }
                }
            };
            timeout(timeouts.request, work).await.unwrap_or(Err(Fault::TimedOut))
        });
        result.map_err(|fault| {
            fault.told(stage, &shared.pool.address.origin, &shared.table, self.shape.as_ref())
        })?;
        if self.retention.is_none()
            && let Some(days) = self.retention_days
        {
            retention::begin(&shared, days, timeouts.request.saturating_sub(begun.elapsed()));
            self.retention = Some(Retention::start(shared, days));
        }
        Ok(())
    }
}

impl Deliver for Postgres {
    fn deliver(&mut self, batch: &Batch<'_>, timeouts: Timeouts) -> Result<(), DeliverError> {
        let rows: Option<Vec<Columns<'_>>> = batch.iter().map(|line| Columns::of(&line)).collect();
        let rows = rows.ok_or_else(|| DeliverError::refused("a line is no row of a table"))?;
        self.write(&rows, timeouts)?;
        self.altered += rows.iter().filter(|row| row.altered).count() as u64;
        Ok(())
    }

    fn connect(&mut self, timeouts: Timeouts) -> Result<(), DeliverError> {
        self.write(&[], timeouts)
    }

    fn show<'a>(&self, line: &Line<'a>) -> Cow<'a, [u8]> {
        show(line)
    }

    fn altered(&self) -> u64 {
        self.altered
    }

    fn set_name(&mut self, name: &str) {
        // The thread that deletes is not there before the first connection.
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            name.clone_into(&mut shared.name);
        }
    }
}

/// Writes these rows in one transaction, to a table that looks so, and did just now if that is fresh: by a copy, which is fast, and if some are there already by a statement that leaves those out.
async fn write(
    connection: &Connection,
    table: &Table,
    shape: &Shape,
    is_fresh: bool,
    rows: &[Columns<'_>],
    limits: &str,
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let begin = format!("BEGIN; {limits}");
    // What was looked at just now is not compared: whatever a server makes of that, it holds up no record.
    if is_fresh {
        connection.client.batch_execute(&begin).await?;
    } else if !begin_on(connection, &begin, table, shape).await? {
        return Err(Fault::Changed);
    }
    match copy::write(connection, table, shape, rows).await {
        Err(fault) if fault.is_duplicate(shape) => {
            connection.client.batch_execute(&format!("ROLLBACK; {begin}")).await?;
            merge::write(connection, table, shape, rows).await?;
        }
        // The index may have got another name.
        Err(fault) if !is_fresh && fault.is_of_unique() => return Err(Fault::Changed),
        result => result?,
    }
    connection.client.batch_execute("COMMIT").await?;
    Ok(())
}

/// Begins a transaction; whether the table in it is the one that was looked at. It is asked on the same way, for a statement of its own would cost a way there and back.
async fn begin_on(connection: &Connection, begin: &str, table: &Table, shape: &Shape) -> Result<bool, Fault> {
    let query = format!("{begin}; SELECT {}", schema::mark(table));
    let answers = connection.client.simple_query(&query).await?;
    Ok(answers
        .iter()
        .any(|answer| matches!(answer, SimpleQueryMessage::Row(row) if row.get(0) == Some(&*shape.mark))))
}

/// What the server is to keep to within a transaction that has this much time: it ends before this side gives up, so that the reason is known, and what is
/// left of it does not stay where this side is gone.
fn limits(time: Duration) -> String {
    let millis = |share: u32| (time * share / 8).as_millis().max(1);
    format!(
        "SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {}; SET LOCAL idle_in_transaction_session_timeout = {}",
        millis(5),
        millis(7),
        millis(16),
    )
}
