//! Rows that have had their time: found by the index on their time and deleted some at once, so that no delivery waits long for it.
//!
//! N1. One transaction deletes a bounded number of rows. Between two of them there is a pause, in which deliveries and other processes get their turn.
//! N2. A row is deleted at its time or later, never before, whether its time is written as RFC 3339 or as SQLite writes it.
//!
//! The thread is started with the first connection, makes a pass then and one every hour, and ends with the engine. Called by the engine.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use rusqlite::Connection;

use super::super::Table;
use super::Time;
use crate::own_thread::OwnThread;
use crate::record::UnixNanos;
use crate::sync::lock;

/// Rows that one transaction deletes at most.
pub(super) const CHUNK: usize = 1000;

/// Between two of them.
const PAUSE: Duration = Duration::from_millis(10);

/// Between two passes, and after one that failed.
const INTERVAL: Duration = Duration::from_secs(3600);
const RETRY: Duration = Duration::from_secs(60);

const NANOS_PER_DAY: i64 = 86_400 * 1_000_000_000;

/// How a pass goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// There are more rows.
    More,
    /// There are none.
    Done,
    /// It did not work now.
    Later,
}

/// The statement that deletes the first so many rows of a span of time.
pub(super) fn statement(table: &Table) -> String {
    let name = &table.name;
    format!(
        "DELETE FROM \"{name}\" WHERE rowid IN \
         (SELECT rowid FROM \"{name}\" WHERE \"timestamp\" >= ?1 AND \"timestamp\" < ?2 LIMIT ?3)"
    )
}

/// Deletes rows that are older than so many days, as many as one transaction may. How many.
pub(super) fn delete_chunk(
    connection: &mut Connection,
    table: &Table,
    days: u32,
    now: UnixNanos,
) -> rusqlite::Result<usize> {
    let mut time = Time::new();
    let before = time.text(now.saturating_sub(NANOS_PER_DAY.saturating_mul(days.into()))).to_owned();
    let (day, clock) = before.split_at(10);
    // SQLite's own texts have a blank where RFC 3339 has a T, and so come before all others of their day.
    let plain = format!("{day} {}", &clock[1..9]);
    let spans = [("", &*plain), (&before[..11], &*before)];
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut deleted = 0;
    {
        let mut statement = transaction.prepare(&statement(table))?;
        for (from, to) in spans {
            deleted += statement.execute((from, to, (CHUNK - deleted) as i64))?;
        }
    }
    transaction.commit()?;
    Ok(deleted)
}

/// The thread that deletes.
#[derive(Debug)]
pub(super) struct Upkeep(Arc<Ending>);

#[derive(Debug, Default)]
struct Ending {
    is_near: Mutex<bool>,
    told: Condvar,
}

impl Upkeep {
    /// Starts a thread that does this, piece by piece, now and then every hour.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub(super) fn start(piece: impl FnMut() -> Next + Send + 'static) -> io::Result<Upkeep> {
        let ending = Arc::new(Ending::default());
        let shared = Arc::clone(&ending);
        let thread = std::thread::Builder::new().name("miu-log-rows".to_owned());
        thread.spawn(move || {
            let _own = OwnThread::begin();
            shared.run(piece);
        })?;
        Ok(Upkeep(ending))
    }
}

impl Drop for Upkeep {
    /// The piece that is under way is not waited for.
    fn drop(&mut self) {
        *lock(&self.0.is_near) = true;
        self.0.told.notify_all();
    }
}

impl Ending {
    fn run(&self, mut piece: impl FnMut() -> Next) {
        let mut is_near = lock(&self.is_near);
        while !*is_near {
            drop(is_near);
            let next = catch_unwind(AssertUnwindSafe(&mut piece)).unwrap_or(Next::Later);
            let pause = match next {
                Next::More => PAUSE,
                Next::Done => INTERVAL,
                Next::Later => RETRY,
            };
            is_near = self.wait(pause);
        }
    }

    fn wait(&self, pause: Duration) -> MutexGuard<'_, bool> {
        let is_near = lock(&self.is_near);
        let waited = self.told.wait_timeout_while(is_near, pause, |is_near| !*is_near);
        waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0
    }
}
