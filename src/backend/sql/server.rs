//! A server and the connections to it. One attempt has one connection at a time. Those to the database that the URL names
//! are kept for the next attempt, as long as their transaction is known to be over, and without what statements have set
//! on them; those to any other are closed, for a database with a connection cannot be dropped.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::dialect::Dialect;
use super::link::{Link, Refusal, Way};
use super::settings::{SqlError, SqlSettings};
use super::trouble::Trouble;
use super::{mysql, postgres};
use crate::backend::place;
use crate::domain::json::Object;

/// How long a statement that is given up may take to be cancelled.
pub(super) const CANCEL: Duration = Duration::from_secs(5);

/// How much longer than the server we wait for a statement: its own word is the better one.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// A server.
pub struct SqlServer {
    pub(super) name: String,
    pub(super) concurrency: Option<u32>,
    pub(super) timeout: Duration,
    /// `server` in statements: nothing of it is confidential.
    pub(super) names: Object,
    /// What tells it from others, and nothing of it.
    pub(super) place: String,
    way: Way,
    most: usize,
    room: Arc<Semaphore>,
    /// Connections that wait for the next attempt.
    idle: Arc<Mutex<Vec<Connection>>>,
    /// How many there are, those that are being made among them.
    open: Arc<AtomicUsize>,
}

struct Connection {
    link: Link,
    _counted: Counted,
}

/// Counts a connection for as long as there is one, or somebody waits for it.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Room for one attempt.
pub(super) struct Room<'a> {
    server: &'a SqlServer,
    permit: OwnedSemaphorePermit,
}

/// A connection while an attempt uses it.
pub(super) struct Session {
    connection: Option<Connection>,
    idle: Arc<Mutex<Vec<Connection>>>,
    timeout: Duration,
    is_own: bool,
}

impl SqlServer {
    /// The server that settings lead to. Nothing is connected yet.
    pub fn new(settings: SqlSettings) -> Result<Self, SqlError> {
        let dialect = Dialect::of_url(settings.server.expose()).ok_or(SqlError::Scheme)?;
        if settings.connections == 0 {
            return Err(SqlError::NoConnections);
        }
        if settings.timeout.is_zero() {
            return Err(SqlError::NoTime);
        }
        let way = match dialect {
            Dialect::Postgres => {
                Way::Postgres(postgres::Way::new(&settings.server, settings.timeout)?)
            }
            Dialect::MySql => Way::MySql(mysql::Way::new(&settings.server)?),
        };
        Ok(Self {
            names: way.names(),
            place: place::mark(&format!("{} {}", dialect.name(), way.place())),
            way,
            name: settings.name,
            concurrency: settings.concurrency,
            timeout: settings.timeout,
            most: settings.connections,
            room: Arc::new(Semaphore::new(settings.connections)),
            idle: Arc::default(),
            open: Arc::default(),
        })
    }

    /// What kind it is.
    pub(super) const fn dialect(&self) -> Dialect {
        self.way.dialect()
    }

    /// The database that its URL names.
    pub(super) fn database(&self) -> Option<&str> {
        self.names.get("database").and_then(Value::as_str)
    }

    /// Waits for room.
    pub(super) async fn room(&self) -> Result<Room<'_>, Trouble> {
        let acquiring = Arc::clone(&self.room).acquire_owned();
        let permit = tokio::time::timeout(self.timeout, acquiring).await;
        match permit {
            Ok(Ok(permit)) => Ok(Room {
                server: self,
                permit,
            }),
            _ => Err(Trouble::Full),
        }
    }
}

impl Room<'_> {
    /// A connection to a database; none is the one that the URL names.
    pub(super) async fn session(&self, database: Option<&str>) -> Result<Session, Trouble> {
        let server = self.server;
        let connection = match self.taken(database.is_none()).await {
            Some(connection) => connection,
            None => self.connect(database).await?,
        };
        Ok(Session {
            connection: Some(connection),
            idle: Arc::clone(&server.idle),
            timeout: server.timeout,
            is_own: database.is_none(),
        })
    }

    /// One that waits, where it is of use and the server still is at its other end.
    async fn taken(&self, is_own: bool) -> Option<Connection> {
        loop {
            let mut connection = self.waiting(is_own)?;
            if connection.link.answers(GRACE).await {
                return Some(connection);
            }
        }
    }

    /// One that waits, where it is of use. Otherwise there is room for one more: one that waits makes it, if need be.
    fn waiting(&self, is_own: bool) -> Option<Connection> {
        let server = self.server;
        let mut idle = lock(&server.idle);
        idle.retain(|connection| !connection.link.is_closed());
        let last = idle.pop();
        if is_own || server.open.load(Ordering::Relaxed) >= server.most {
            return last.filter(|_| is_own);
        }
        idle.extend(last);
        None
    }

    async fn connect(&self, database: Option<&str>) -> Result<Connection, Trouble> {
        let server = self.server;
        let counted = Counted::new(&server.open);
        let connecting = server.way.connect(database, server.timeout);
        let limit = server.timeout.saturating_add(GRACE);
        let link = tokio::time::timeout(limit, connecting)
            .await
            .map_err(|_| Trouble::Slow("connecting"))?
            .map_err(Trouble::Connecting)?;
        Ok(Connection {
            link,
            _counted: counted,
        })
    }
}

impl Session {
    /// The connection itself.
    pub(super) fn link(&mut self) -> Result<&mut Link, Trouble> {
        let connection = self.connection.as_mut();
        connection
            .map(|connection| &mut connection.link)
            .ok_or(Trouble::Slow("closing"))
    }

    /// Whether nothing is left of what was set: then it is prepared as at its beginning.
    async fn is_renewed(&mut self) -> bool {
        let timeout = self.timeout;
        let Ok(link) = self.link() else {
            return false;
        };
        let limit = timeout.saturating_add(GRACE);
        let renewed: Result<Result<(), Refusal>, _> =
            tokio::time::timeout(limit, link.renew(timeout)).await;
        if let Ok(Err(refusal)) = &renewed {
            log::debug!(target: "backend", "a connection is not kept: {}", refusal.told());
        }
        matches!(renewed, Ok(Ok(())))
    }

    /// The same without waiting for it, where it is kept: what was done on it is done. Its room is taken meanwhile.
    pub(super) async fn give_back_later(self, room: Room<'_>) {
        if !self.is_own {
            return self.give_back().await;
        }
        let permit = room.permit;
        tokio::spawn(async move {
            self.give_back().await;
            drop(permit);
        });
    }

    /// Its transaction is over: it is kept as if it were new, or closed politely.
    pub(super) async fn give_back(mut self) {
        if self.is_own && !self.is_renewed().await {
            return;
        }
        let Some(connection) = self.connection.take() else {
            return;
        };
        if self.is_own {
            lock(&self.idle).push(connection);
            return;
        }
        connection.link.close().await;
    }
}

/// What is not given back is in the middle of something.
impl Drop for Session {
    fn drop(&mut self) {
        if let Some(Connection { link, .. }) = self.connection.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            link.cancel(&runtime);
        }
    }
}

fn lock(idle: &Mutex<Vec<Connection>>) -> MutexGuard<'_, Vec<Connection>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for SqlServer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("SqlServer")
            .field("name", &self.name)
            .field("host", &self.names.get("host"))
            .finish_non_exhaustive()
    }
}
