//! Rows that are older than they may become are deleted: at the start and every hour, on a thread of its own, a few at a time.
//!
//! N1. Each few are a transaction of their own, found by the index on the time: no other writer waits for long.
//! N2. Of all the programs with this table one deletes at a time; the others go on without.
//! N3. It ends with the sink, in whatever it is. The first few are deleted before the thread begins, so that a program that never runs for long deletes as well.
//!
//! Started by `postgres` once the table is there, at the start or after the first delivery.

use std::pin::pin;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use futures_util::future::select;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_postgres::SimpleQueryMessage;

use super::fault::{Fault, Stage};
use super::{Shared, limits, schema};
use crate::own_thread::OwnThread;
use crate::sink::outbox::say;

/// Rows that are deleted at once.
const CHUNK: u64 = 5_000;

/// From the end of one round to the next.
const PAUSE: Duration = Duration::from_secs(3600);

/// The same after an error.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(60);

/// Days past which there is nothing: the server's times do not reach much further back.
const LONGEST: u32 = 1_000_000;

/// How long one statement may take, and a connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// The thread. It ends when this is dropped.
pub(super) struct Retention {
    thread: Option<JoinHandle<()>>,
    end: Arc<Notify>,
}

impl Retention {
    /// Deletes what is older than so many days, from now on.
    pub(super) fn start(shared: Arc<Shared>, days: u32) -> Retention {
        let days = days.min(LONGEST);
        let end = Arc::new(Notify::new());
        let ended = Arc::clone(&end);
        let (name, origin) = (shared.name.clone(), shared.pool.address.origin.clone());
        let thread = Builder::new().name("miu-log-retention".to_owned()).spawn(move || {
            let _own = OwnThread::begin();
            shared.pool.block_on(async {
                select(pin!(ended.notified()), pin!(rounds(&shared, days))).await;
            });
        });
        if let Err(error) = &thread {
            say(&name, "retention", &format!("{origin}: nothing is deleted by its age: {error}"));
        }
        let thread = thread.ok();
        Retention { thread, end }
    }
}

impl Drop for Retention {
    fn drop(&mut self) {
        self.end.notify_one();
        if let Some(thread) = self.thread.take() {
            // It has said what it had to say.
            let _ = thread.join();
        }
    }
}

/// Deletes the first few within this time, so that a program that ends soon has deleted some. What fails is tried again by the thread, which tells it.
pub(super) fn begin(shared: &Shared, days: u32, time: Duration) {
    if !time.is_zero() {
        // The clock of the timeout is the pool's, so it is set in there.
        let _ = shared.pool.block_on(async { timeout(time, some(shared, days.min(LONGEST), time)).await });
    }
}

async fn rounds(shared: &Shared, days: u32) {
    let mut is_told = false;
    loop {
        let pause = match round(shared, days).await {
            Ok(()) => {
                is_told = false;
                PAUSE
            }
            Err(fault) => {
                if !std::mem::replace(&mut is_told, true) {
                    let error = fault.told(Stage::Deleting, &shared.pool.address.origin, &shared.table, None);
                    say(&shared.name, "retention", &format!("{error}; what is too old is not deleted yet"));
                }
                PAUSE_AFTER_ERROR
            }
        };
        sleep(pause).await;
    }
}

/// Deletes all that is too old now.
async fn round(shared: &Shared, days: u32) -> Result<(), Fault> {
    while some(shared, days, PATIENCE).await? == CHUNK {}
    Ok(())
}

/// Deletes some of what is too old now, with so much patience for a connection and for the rest. How many.
async fn some(shared: &Shared, days: u32, patience: Duration) -> Result<u64, Fault> {
    let lease = shared.pool.get(patience).await?;
    let deleted = timeout(patience, async {
        let table = &shared.table.name;
        let client = &lease.client;
        let lock = schema::lock(&shared.table).wrapping_add(1);
        let begin = format!("BEGIN; {}; SELECT pg_try_advisory_xact_lock({lock})", limits(patience));
        let answers = client.simple_query(&begin).await?;
        let is_mine = answers
            .iter()
            .any(|answer| matches!(answer, SimpleQueryMessage::Row(row) if row.get(0) == Some("t")));
        let mut deleted = 0;
        if is_mine {
            let statement = format!(
                "DELETE FROM \"{table}\" WHERE id IN (SELECT id FROM \"{table}\" WHERE timestamp < now() - interval '{days} days' \
                 ORDER BY timestamp LIMIT {CHUNK})"
            );
            deleted = client.execute(&statement, &[]).await?;
        }
        client.batch_execute("COMMIT").await?;
        Ok(deleted)
    });
    match deleted.await.unwrap_or(Err(Fault::TimedOut)) {
        Ok(deleted) => {
            lease.give_back();
            Ok(deleted)
        }
        Err(fault) => {
            let _ = timeout(patience, lease.give_back_after_error()).await;
            Err(fault)
        }
    }
}
