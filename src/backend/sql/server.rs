//! A server and the connections to it. One attempt has one connection at a time. Those to the database that the URL names
//! are kept for the next attempt, as long as their transaction is known to be over, and without what statements have set
//! on them; those to any other are closed, for a database with a connection cannot be dropped.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio_postgres::config::Host;
use tokio_postgres::{CancelToken, Client, Config};

use super::settings::{SqlError, SqlSettings};
use super::trouble::Trouble;
use crate::domain::json::Object;
use crate::postgres::{self, Target, Tls, told};

/// What the server's own lists call the connections, unless the URL says otherwise.
const NAME: &str = "catalog-broker sql";

/// How long a statement that is given up may take to be cancelled.
const CANCEL: Duration = Duration::from_secs(5);

/// How much longer than the server we wait for a statement: its own word is the better one.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// A server.
pub struct SqlServer {
    pub(super) name: String,
    pub(super) concurrency: Option<u32>,
    pub(super) timeout: Duration,
    /// `server` in statements: nothing of it is confidential.
    pub(super) names: Object,
    config: Config,
    tls: Tls,
    most: usize,
    room: Arc<Semaphore>,
    /// Connections that wait for the next attempt.
    idle: Arc<Mutex<Vec<Connection>>>,
    /// How many there are, those that are being made among them.
    open: Arc<AtomicUsize>,
}

/// A client, and the task that reads and writes for it.
struct Connection {
    client: Client,
    driver: AbortHandle,
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
    tls: Tls,
    timeout: Duration,
    is_own: bool,
}

impl SqlServer {
    /// The server that settings lead to. Nothing is connected yet.
    pub fn new(settings: SqlSettings) -> Result<Self, SqlError> {
        let url = settings.server.expose();
        if !["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| url.starts_with(scheme))
        {
            return Err(SqlError::Scheme);
        }
        if settings.connections == 0 {
            return Err(SqlError::NoConnections);
        }
        if settings.timeout.is_zero() {
            return Err(SqlError::NoTime);
        }
        let Target { mut config, way } =
            postgres::read(&settings.server, NAME).map_err(SqlError::Address)?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(settings.timeout);
        }
        Ok(Self {
            names: names(&config),
            tls: way.tls().map_err(SqlError::Address)?,
            config,
            name: settings.name,
            concurrency: settings.concurrency,
            timeout: settings.timeout,
            most: settings.connections,
            room: Arc::new(Semaphore::new(settings.connections)),
            idle: Arc::default(),
            open: Arc::default(),
        })
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
        let connection = match self.taken(database.is_none()) {
            Some(connection) => connection,
            None => self.connect(database).await?,
        };
        Ok(Session {
            connection: Some(connection),
            idle: Arc::clone(&server.idle),
            tls: server.tls.clone(),
            timeout: server.timeout,
            is_own: database.is_none(),
        })
    }

    /// One that waits, where it is of use. Otherwise there is room for one more: one that waits makes it, if need be.
    fn taken(&self, is_own: bool) -> Option<Connection> {
        let server = self.server;
        let mut idle = lock(&server.idle);
        idle.retain(|connection| !connection.client.is_closed());
        let last = idle.pop();
        if is_own || server.open.load(Ordering::Relaxed) >= server.most {
            return last.filter(|_| is_own);
        }
        idle.extend(last);
        None
    }

    async fn connect(&self, database: Option<&str>) -> Result<Connection, Trouble> {
        let server = self.server;
        let mut config = server.config.clone();
        if let Some(database) = database {
            config.dbname(database);
        }
        let counted = Counted::new(&server.open);
        let connecting = async move {
            let (client, connection) = config
                .connect(server.tls.clone())
                .await
                .map_err(Trouble::Connecting)?;
            let driver = tokio::spawn(async move {
                // Who uses it hears of the same trouble.
                if let Err(error) = connection.await {
                    log::debug!(target: "backend", "a connection ended: {}", told(&error));
                }
            });
            let connection = Connection {
                client,
                driver: driver.abort_handle(),
                _counted: counted,
            };
            let preparation = preparation(server.timeout);
            let prepared = connection.client.batch_execute(&preparation);
            prepared.await.map_err(Trouble::Connecting)?;
            Ok(connection)
        };
        tokio::time::timeout(server.timeout.saturating_add(GRACE), connecting)
            .await
            .unwrap_or(Err(Trouble::Slow("connecting")))
    }
}

/// What holds for a session, whatever a database's owner has set for it: statements run as who connects, they mean the
/// server's own functions, and what is quoted is read as it was written.
fn preparation(timeout: Duration) -> String {
    let limit = timeout.as_millis();
    format!(
        "SET ROLE NONE; SET search_path = ''; SET standard_conforming_strings = on; \
         SET default_transaction_read_only = off; SET statement_timeout = {limit}; \
         SET idle_in_transaction_session_timeout = {limit}; SET client_min_messages = warning"
    )
}

/// Undoes what statements may have set for a session or left in it. `DISCARD ALL` would do so as well, but for what the
/// client has prepared for itself and relies on.
const UNDONE: &str = "SET SESSION AUTHORIZATION DEFAULT; SET ROLE NONE; RESET ALL; CLOSE ALL; UNLISTEN *; \
    SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES";

fn names(config: &Config) -> Object {
    let host = config.get_hosts().first().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    });
    let address = config.get_hostaddrs().first().map(ToString::to_string);
    let user = config.get_user().unwrap_or_default();
    let database = config.get_dbname().unwrap_or(user);
    let names = json!({
        "host": host.or(address),
        "port": config.get_ports().first().copied().unwrap_or(5432),
        "database": database,
        "username": user,
    });
    match names {
        Value::Object(names) => names,
        _ => Object::new(),
    }
}

impl Session {
    pub(super) fn client(&self) -> Result<&Client, Trouble> {
        let client = self
            .connection
            .as_ref()
            .map(|connection| &connection.client);
        client.ok_or(Trouble::Slow("closing"))
    }

    /// Whether nothing is left of what was set: then it is prepared as at its beginning.
    async fn is_renewed(&self) -> bool {
        let Ok(client) = self.client() else {
            return false;
        };
        let sql = format!("{UNDONE}; {}", preparation(self.timeout));
        let limit = self.timeout.saturating_add(GRACE);
        let renewed = tokio::time::timeout(limit, client.batch_execute(&sql)).await;
        if let Ok(Err(error)) = &renewed {
            log::debug!(target: "backend", "a connection is not kept: {}", told(error));
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
        let Connection { client, driver, .. } = connection;
        drop(client);
        // The goodbye is said by the driver, which ends with it.
        let gone = async {
            while !driver.is_finished() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let _ = tokio::time::timeout(CANCEL, gone).await;
    }
}

/// What is not given back is in the middle of something: the server is told to stop it, and to undo it.
impl Drop for Session {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            let token = connection.client.cancel_token();
            connection.driver.abort();
            cancel(token, self.tls.clone());
        }
    }
}

fn cancel(token: CancelToken, tls: Tls) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(async move {
            let _ = tokio::time::timeout(CANCEL, token.cancel_query(tls)).await;
        });
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
