//! The connections to a server: made when they are wanted, used again, never more than there may be.
//!
//! L1. A connection is handed out if it is open as far as this side knows; one that was idle for long has answered just before.
//! L2. One on which anything failed is closed, unless it has shown that it works.
//!
//! Called by the writer and by `retention`, from a thread each.

use std::ops::Deref;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};

use super::address::Address;
use super::fault::Fault;
use crate::own_thread::OwnThread;

/// A connection that was idle for longer has to answer before it is used.
const IDLE: Duration = Duration::from_secs(30);

/// How long the end waits for the server to be told.
const FAREWELL: Duration = Duration::from_millis(100);

/// See the module's description.
pub(super) struct Pool {
    pub(super) address: Address,
    idle: Mutex<Vec<Connection>>,
    /// A permit a connection that there may be outside of `idle`, or that is idle.
    room: Semaphore,
    /// There until the end.
    runtime: Option<Runtime>,
}

/// An open connection.
pub(super) struct Connection {
    pub(super) client: Client,
    /// There until the end.
    task: Option<JoinHandle<()>>,
    last_used: Instant,
    is_used: bool,
}

impl Pool {
    /// For at most so many connections to this address.
    ///
    /// # Errors
    ///
    /// When the system refuses what waits for several sockets at once.
    pub(super) fn new(address: Address, size: usize) -> Result<Pool, String> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            // Those that look up names.
            .on_thread_start(|| std::mem::forget(OwnThread::begin()))
            .build()
            .map_err(|error| format!("the client of the database cannot be set up: {error}"))?;
        let idle = Mutex::new(Vec::with_capacity(size));
        Ok(Pool { address, idle, room: Semaphore::new(size), runtime: Some(runtime) })
    }

    /// Waits for this; meanwhile all connections are seen to.
    pub(super) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        match &self.runtime {
            Some(runtime) => runtime.block_on(work),
            None => unreachable!("the runtime goes with the pool"),
        }
    }

    /// A connection: one that is there and works, or a new one if it can be had within this time.
    pub(super) async fn get(&self, patience: Duration) -> Result<Lease<'_>, Fault> {
        let permit = self.room.acquire().await.map_err(|_| Fault::TimedOut)?;
        // What the server has said in the meantime, such as a farewell, is heard now.
        yield_now().await;
        while let Some(connection) = self.take() {
            if connection.client.is_closed() {
                continue;
            }
            let answers = connection.last_used.elapsed() < IDLE
                || matches!(timeout(patience, connection.client.check_connection()).await, Ok(Ok(())));
            if answers {
                return Ok(Lease { pool: self, connection, _permit: permit });
            }
        }
        let connection = timeout(patience, self.connect()).await.map_err(|_| Fault::Unreached)??;
        Ok(Lease { pool: self, connection, _permit: permit })
    }

    async fn connect(&self) -> Result<Connection, Fault> {
        let Address { config, tls, .. } = &self.address;
        // What a connection ends with is what its client gets.
        let (client, task) = match tls {
            None => {
                let (client, connection) = config.connect(NoTls).await?;
                (client, tokio::spawn(async { drop(connection.await) }))
            }
            Some(tls) => {
                let (client, connection) = config.connect(tls.clone()).await?;
                (client, tokio::spawn(async { drop(connection.await) }))
            }
        };
        Ok(Connection { client, task: Some(task), last_used: Instant::now(), is_used: false })
    }

    fn take(&self) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        runtime.block_on(async {
            let told = async {
                while let Some(mut connection) = self.take() {
                    // Without its client the task tells the server of the end, and ends.
                    let task = connection.task.take();
                    drop(connection);
                    if let Some(task) = task {
                        let _ = task.await;
                    }
                }
            };
            let _ = timeout(FAREWELL, told).await;
        });
        // A name that is being looked up is not waited for.
        runtime.shutdown_background();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            // A server that does not answer would hold it up.
            task.abort();
        }
    }
}

/// A connection in use. Dropped without more, it is closed.
pub(super) struct Lease<'p> {
    pool: &'p Pool,
    connection: Connection,
    _permit: SemaphorePermit<'p>,
}

impl Lease<'_> {
    /// Whether it has been used before.
    pub(super) fn is_used(&self) -> bool {
        self.connection.is_used
    }

    /// The next one may have it: it works.
    pub(super) fn give_back(self) {
        let Lease { pool, mut connection, _permit } = self;
        (connection.last_used, connection.is_used) = (Instant::now(), true);
        pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    /// The same after an error, if it is still good for something.
    pub(super) async fn give_back_after_error(self) {
        if !self.client.is_closed() && self.client.batch_execute("ROLLBACK").await.is_ok() {
            self.give_back();
        }
    }
}

impl Deref for Lease<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}
