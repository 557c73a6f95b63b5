//! Connections, lent one at a time. One comes back only when its transaction is known to be over; any other is thrown
//! away, and the server undoes what was open on it. So nothing has to be cleaned up after trouble, and none that hangs
//! is lent again.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::{AbortHandle, JoinSet};
use tokio_postgres::{Client, Config};

use super::error::{OpenError, StepError};
use crate::postgres::{Target, Tls, told};
use crate::store::seal::Sealer;

/// How long the connections may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// How many connections, and how long a step may wait.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Most connections at a time.
    pub connections: usize,
    /// How long a step waits for a connection, for connecting, and for a statement.
    pub timeout: Duration,
}

pub(super) struct Pool {
    config: Config,
    tls: Tls,
    pub(super) bounds: Bounds,
    pub(super) sealer: Arc<Sealer>,
    /// What the server's own lists call brokers.
    pub(super) brokers: String,
    room: Semaphore,
    /// Whether the last step failed in a way that the next one may, too: the disk is full, say.
    pub(super) ailing: Cell<bool>,
    idle: RefCell<Vec<Connection>>,
    drivers: RefCell<JoinSet<()>>,
}

/// A client, and the task that reads and writes for it.
struct Connection {
    client: Client,
    driver: AbortHandle,
}

/// A connection that is lent.
pub(super) struct Lent<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
    _room: SemaphorePermit<'a>,
}

impl Pool {
    pub(super) fn new(
        target: Target,
        brokers: String,
        bounds: Bounds,
        sealer: Arc<Sealer>,
    ) -> Result<Self, OpenError> {
        Ok(Self {
            tls: target.way.tls()?,
            config: target.config,
            bounds,
            sealer,
            brokers,
            room: Semaphore::new(bounds.connections),
            ailing: Cell::new(false),
            idle: RefCell::default(),
            drivers: RefCell::default(),
        })
    }

    /// What the server's own lists call its connections.
    #[cfg(test)]
    pub(super) fn name(&self) -> Option<&str> {
        self.config.get_application_name()
    }

    pub(super) async fn lend(&self) -> Result<Lent<'_>, StepError> {
        let room = tokio::time::timeout(self.bounds.timeout, self.room.acquire())
            .await
            .map_err(|_| StepError::Slow("waiting for a connection"))?
            .map_err(|_| StepError::Slow("closing"))?;
        let connection = match self.idle() {
            Some(connection) => connection,
            None => tokio::time::timeout(self.bounds.timeout, self.connect())
                .await
                .map_err(|_| StepError::Slow("connecting"))??,
        };
        Ok(Lent {
            pool: self,
            connection: Some(connection),
            _room: room,
        })
    }

    /// The one that was used last: those that are not needed any more grow old.
    fn idle(&self) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|connection| !connection.client.is_closed());
        idle.pop()
    }

    async fn connect(&self) -> Result<Connection, StepError> {
        let (client, connection) = self.config.connect(self.tls.clone()).await?;
        let mut drivers = self.drivers.borrow_mut();
        while drivers.try_join_next().is_some() {}
        let driver = drivers.spawn_local(async move {
            // Who uses it hears of the same trouble.
            if let Err(error) = connection.await {
                log::debug!("a connection ended: {}", told(&error));
            }
        });
        Ok(Connection { client, driver })
    }

    /// Closes all connections, politely where the server listens.
    pub(super) async fn close(&self) {
        self.room.close();
        self.idle.borrow_mut().clear();
        let mut drivers = self.drivers.take();
        let ended = async { while drivers.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(GOODBYE, ended).await;
    }
}

impl Lent<'_> {
    pub(super) fn client(&self) -> Result<&Client, StepError> {
        self.connection
            .as_ref()
            .map(|connection| &connection.client)
            .ok_or(StepError::Raced)
    }

    /// Its transaction is over.
    pub(super) fn give_back(mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.idle.borrow_mut().push(connection);
        }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.driver.abort();
        }
    }
}
