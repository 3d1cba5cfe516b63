//! The connections to a server: made when they are wanted, used again, never more than there may be.
//!
//! L1. A connection is handed out if it is open as far as this side knows; one that was idle for long has answered just before.
//! L2. One on which anything failed is closed, unless it has shown that it works.
//! L3. Of several servers, or several addresses of one, each has an equal part of the time that is left for a connection, with all that is said at its beginning.
//!
//! Called by the writer and by `retention`, from a thread each.

use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::lookup_host;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::timeout;
use tokio_postgres::config::{Host, LoadBalanceHosts};
use tokio_postgres::{Client, Config, NoTls};

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
        let connection = self.connect(patience).await?;
        Ok(Lease { pool: self, connection, _permit: permit })
    }

    /// A connection to the first server that gives one.
    async fn connect(&self, patience: Duration) -> Result<Connection, Fault> {
        let mut servers: Vec<&Config> = self.address.servers.iter().collect();
        let is_random = |server: &&Config| server.get_load_balance_hosts() == LoadBalanceHosts::Random;
        if servers.first().is_some_and(is_random) {
            let chance = RandomState::new();
            servers.sort_by_cached_key(|server| chance.hash_one(std::ptr::from_ref::<Config>(server)));
        }
        first_of(servers, patience, async |server, share| {
            let begun = Instant::now();
            let addresses = match timeout(share, addresses(server)).await {
                Err(_) => return Err(Fault::Unreached),
                Ok(found) => found.map_err(Fault::Unresolved)?,
            };
            let left = share.saturating_sub(begun.elapsed());
            first_of(addresses, left, async |address, share| {
                timeout(share, self.connect_to(&address)).await.unwrap_or(Err(Fault::Unreached))
            })
            .await
        })
        .await
    }

    async fn connect_to(&self, config: &Config) -> Result<Connection, Fault> {
        let Address { tls, .. } = &self.address;
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

/// The first connection that one of these gives, each of which has an equal part of the time that is left; the last one's fault where none does.
async fn first_of<T>(
    these: Vec<T>,
    time: Duration,
    connect: impl AsyncFn(T, Duration) -> Result<Connection, Fault>,
) -> Result<Connection, Fault> {
    let begun = Instant::now();
    let mut rest = these.len() as u32;
    let mut fault = Fault::Unreached;
    for one in these {
        match connect(one, time.saturating_sub(begun.elapsed()) / rest).await {
            Ok(connection) => return Ok(connection),
            Err(last) => fault = last,
        }
        rest -= 1;
    }
    Err(fault)
}

/// The server at each of the addresses that its name has.
async fn addresses(server: &Config) -> std::io::Result<Vec<Config>> {
    let (Some(Host::Tcp(name)), []) = (server.get_hosts().first(), server.get_hostaddrs()) else {
        return Ok(vec![server.clone()]);
    };
    let port = server.get_ports().first().copied().unwrap_or_default();
    let found = lookup_host((&**name, port)).await?;
    let at = |address: SocketAddr| {
        let mut server = server.clone();
        // The name stays, for the server's certificate has to be for it.
        server.hostaddr(address.ip());
        server
    };
    let found: Vec<Config> = found.map(at).collect();
    if found.is_empty() {
        return Err(std::io::Error::other("its name has no address"));
    }
    Ok(found)
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
