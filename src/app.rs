//! Where the parts are put together; the only place that names a concrete store, and the clock, beside actix's `App`.

pub mod audit;
mod console;
mod entrance;
mod guard;
pub mod ledgers;
mod reload;
mod server;
mod throwaway;
mod tls;
mod tracing;
mod watching;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use arc_swap::ArcSwap;
use tokio::signal::unix::{SignalKind, signal};

use crate::access::{LiveLogins, Logins, Throttle};
use crate::catalog::{self, Loaded, Memory, Source};
use crate::console::Reports;
use crate::document::Environment;
use crate::domain::bells::Bells;
use crate::domain::broker::Broker;
use crate::domain::catalog::Catalog;
use crate::domain::desk::Desk;
use crate::domain::expiry::{Expiry, Unbinds};
use crate::domain::id::OperationId;
use crate::domain::ledger::Ledger;
use crate::domain::live::Live;
use crate::domain::recent::Recent;
use crate::domain::store::{Store, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::witness::Witness;
use crate::domain::worker::{Terms, Worker, Working};
use crate::http::{Api, Limits, Published, Trusted};
use crate::settings::{
    BindingSettings, ServerSettings, Settings, StoreSettings, StoreUrl, UnbindExpired,
};
use crate::store::Keys;
use crate::store::none::NoStore;
use crate::store::postgres::{self, Bounds, PostgresStore};
use crate::store::sqlite::SqliteStore;
use crate::telemetry::Book;
use watching::Watching;

use self::entrance::{Entrance, logins, warn_of_scopes};
use self::guard::Guard;
pub use self::guard::{Broken, LEFT, PLAN_IN_USE, Verdict};
use self::reload::{Bell, Reloader};
pub use self::reload::{Hangup, Origin, Start};
pub use self::throwaway::{Door, throwaway};
use self::tracing::{Deadline, Recording};

/// Why the broker does not start.
#[derive(Debug)]
pub enum StartError {
    /// The store cannot be opened.
    Store(String, Box<dyn std::error::Error + Send + Sync>),
    /// The store did not say which plans its instances are of.
    Look(StoreError),
    /// The catalog would break what lives.
    Breaks(Broken),
    /// The account of changes cannot be written.
    Audit(String, std::io::Error),
    /// Spans cannot be sent.
    Traces(String),
    /// The files of TLS cannot be used.
    Tls(String),
    /// The address cannot be listened on.
    Bind(SocketAddr, std::io::Error),
    /// The system gave no signals or no threads.
    System(std::io::Error),
    /// The store could not be closed when the broker stopped.
    Close(StoreError),
}

impl fmt::Display for StartError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(path, why) => write!(out, "the store {path} cannot be opened: {why}"),
            Self::Look(why) => write!(out, "the plans in use are not known: {why}"),
            Self::Breaks(broken) => broken.fmt(out),
            Self::Audit(place, error) => write!(
                out,
                "the audit cannot be written to {place}: {error}. Give another audit.to, or none"
            ),
            Self::Traces(why) => write!(
                out,
                "spans cannot be sent: {why}. Give other settings below traces, or none as traces.endpoint"
            ),
            Self::Tls(why) => write!(
                out,
                "TLS cannot be spoken: {why}. Give other files as server.tls.certificate, server.tls.key, server.tls.client_ca"
            ),
            Self::Bind(address, error) if error.kind() == std::io::ErrorKind::AddrInUse => write!(
                out,
                "{address} is in use by another program: stop that one, or give another port with --port or PORT"
            ),
            Self::Bind(address, error) => {
                write!(
                    out,
                    "{address} cannot be listened on: {error}. Give another --address or --port"
                )
            }
            Self::System(error) => write!(
                out,
                "the system gave the broker no threads or signals: {error}"
            ),
            Self::Close(why) => write!(out, "the broker stopped, but {why}"),
        }
    }
}

impl std::error::Error for StartError {}

/// The time of this system. The one place where it is asked for.
#[expect(
    clippy::disallowed_methods,
    reason = "the edge: from here on time is an argument"
)]
pub fn system_time() -> SystemTime {
    SystemTime::now()
}

/// The time of this system, for the domain.
pub fn clock() -> Timestamp {
    timestamp(system_time())
}

/// A moment, for the domain.
fn timestamp(at: SystemTime) -> Timestamp {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Serves until the process is asked to stop (SIGTERM, SIGINT), then answers what is under way and closes the store.
pub async fn serve(origin: Origin, start: Start, hangup: Hangup) -> Result<(), StartError> {
    let settings = start.settings;
    let listener = server::listen(&settings.server)?;
    let (store, ledger) = open(&settings.store)?;
    let guard = Guard {
        ledger: ledger.clone(),
        allowed: settings.allow_breaking.clone(),
    };
    begin(&guard, &start.catalog).await?;
    let live = Arc::new(Live::new(start.catalog));
    let stopping = Arc::new(AtomicBool::new(false));
    let bells = Arc::new(Bells::default());
    let recent = Arc::new(Recent::default());
    let owner = owner()?;
    let recording = tracing::open(&settings, &owner)?;
    let watching = Watching::new(Arc::clone(&live), store, Arc::clone(&recent));
    let watching = watching.recording(recording.clone());
    let book = audit::open(&settings, ledger.as_ref(), &watching)?;
    let witness = audit::kept(watching.witness(), book.as_ref());
    let store = watching.store();
    let (bell, heard) = Bell::hung();
    let entrance = Entrance {
        logins: Arc::new(LiveLogins::new(logins(&settings)?)),
        throttle: Arc::new(Throttle::new(Instant::now())),
        reloads: Arc::new(bell),
    };
    let reports = Arc::new(Reports::new(clock(), console::said(&start.findings)));
    let api = Data::new(api(
        &settings,
        Arc::clone(&live),
        Arc::clone(&bells),
        Arc::clone(&stopping),
        &watching,
        entrance.clone(),
        Arc::clone(&witness),
    ));
    let account = audit::reading(&settings, ledger.as_ref());
    let desk = ledger.map(|ledger| Desk::new(ledger, Arc::clone(&witness), clock));
    let console = console::open(
        &settings,
        Arc::clone(&live),
        (desk, account),
        recent,
        Arc::clone(&reports),
        entrance,
        store.fingerprint_key(),
    );
    let worker = worker(
        &settings,
        Arc::clone(&live),
        bells,
        &watching,
        witness,
        owner,
    );
    let address = listener.local_addr().map_err(StartError::System)?;
    let tls = tls::open(&settings.server, &watching)?;
    let server = server::start(&settings, listener, tls.as_ref(), &api, console.as_ref())?;
    let looking = tls.as_ref().map(tls::watch);
    let owner = Arc::clone(worker.owner());
    let working = worker.start();
    log::info!("takes operations up as {owner}");
    tell(address, tls.is_some(), &settings.server);
    if let Some(book) = &book {
        book.started();
    }
    let deadline = Deadline::default();
    let stop = stop(
        server.handle(),
        stopping,
        &settings.server,
        deadline.clone(),
    )?;
    let reloader = Reloader {
        origin,
        live,
        api,
        console,
        shared: store.fingerprint_key().clone(),
        guard,
        reports,
        inputs: start.inputs,
        held: Some(start.held.clone()),
        served: start.held,
        heard,
        settings,
        book: book.clone(),
        watching,
    };
    let watch = actix_web::rt::spawn(reloader.watch(hangup));
    server.await.map_err(StartError::System)?;
    watch.abort();
    stop.abort();
    if let Some(looking) = looking {
        looking.abort();
    }
    end(working, (recording, deadline), book, store).await
}

/// Says where to ask.
fn tell(address: SocketAddr, is_encrypted: bool, settings: &ServerSettings) {
    let scheme = if is_encrypted { "https" } else { "http" };
    log::info!("listening on {scheme}://{address}{}", settings.base_path);
}

/// What is left to do when nothing is served any more.
async fn end(
    working: Working,
    (recording, deadline): (Recording, Deadline),
    book: Option<Arc<Book>>,
    store: Arc<dyn Store>,
) -> Result<(), StartError> {
    working.stop().await;
    tracing::close(recording.as_ref(), &deadline);
    // It may be kept in the store.
    if let Some(book) = book {
        book.stopped();
        book.close();
    }
    store.close().await.map_err(StartError::Close)?;
    log::info!("stopped");
    Ok(())
}

/// Holds a catalog against what lives; from then on it is the one that was served last.
async fn begin(guard: &Guard, catalog: &Catalog) -> Result<(), StartError> {
    let broken = guard.check(catalog).await.map_err(StartError::Look)?;
    if !broken.is_nothing() {
        return Err(StartError::Breaks(broken));
    }
    guard.get_ready(catalog).await;
    guard.keep(catalog).await;
    Ok(())
}

/// Where the settings say the document is.
pub fn source(settings: &Settings) -> Source {
    Source {
        path: settings.catalog.clone(),
        vars: settings.vars.clone(),
    }
}

/// The document that settings name, as it is now, with what is to be said of it today.
pub fn document(settings: &Settings, environment: &Environment) -> Loaded {
    let mut loaded = catalog::load(&source(settings), environment, memory(settings));
    if let Some(document) = &loaded.document {
        loaded.findings.extend(catalog::dates(document, clock()));
    }
    loaded
}

/// What the store of the settings can promise: a document may be right for one and not for the other.
pub const fn memory(settings: &Settings) -> Memory {
    match settings.store.url {
        StoreUrl::None => Memory::None,
        StoreUrl::Sqlite(_) | StoreUrl::Postgres(_) => Memory::Remembers,
    }
}

/// What is said of a file that is not sealed. With a database a broker does not even start.
const UNSEALED: &str = "parameters, credentials and what backends return lie in the store as they are: to seal it, set \
                        store.keys (BROKER_STORE__KEYS) to what `openssl rand -base64 32` prints";

/// A store, and what its operator can do with it, where it remembers anything.
type Opened = (Arc<dyn Store>, Option<Arc<dyn Ledger>>);

fn open(settings: &StoreSettings) -> Result<Opened, StartError> {
    let keys = keys(settings);
    let ledger: Arc<dyn Ledger> = match &settings.url {
        StoreUrl::None => return Ok((Arc::new(NoStore::default()), None)),
        StoreUrl::Sqlite(path) => {
            let store = SqliteStore::open(path, &keys).map_err(|why| {
                StartError::Store(format!("sqlite:{}", path.display()), why.into())
            })?;
            if keys.is_empty() {
                log::warn!("{UNSEALED}");
            }
            Arc::new(store)
        }
        StoreUrl::Postgres(url) => {
            let store = PostgresStore::open(url.clone(), bounds(settings), &keys)
                .map_err(|why| StartError::Store(postgres::place(url), why.into()))?;
            Arc::new(store)
        }
    };
    Ok((Arc::clone(&ledger) as Arc<dyn Store>, Some(ledger)))
}

fn keys(settings: &StoreSettings) -> Keys {
    Keys::new(&settings.keys)
}

const fn bounds(settings: &StoreSettings) -> Bounds {
    Bounds {
        connections: settings.connections,
        timeout: settings.timeout,
    }
}

fn api(
    settings: &Settings,
    live: Arc<Live>,
    bells: Arc<Bells>,
    stopping: Arc<AtomicBool>,
    watching: &Watching,
    entrance: Entrance,
    witness: Arc<dyn Witness>,
) -> Api {
    let server = &settings.server;
    let proxies = server.trusted_proxies.clone();
    warn_of_scopes(settings, &live.now());
    Api {
        published: ArcSwap::from_pointee(published(&live.now(), &entrance.logins.look())),
        broker: Broker::new(
            live,
            watching.store(),
            witness,
            clock,
            bells,
            server.request_timeout,
        ),
        logins: entrance.logins,
        throttle: entrance.throttle,
        trusted: Trusted::new(move |address| proxies.iter().any(|proxy| proxy.contains(address))),
        has_console: settings.console.enabled,
        limits: Limits {
            body: server.body_limit,
            url: server.url_limit,
            headers: server.header_limit,
            time: server.request_timeout,
        },
        base_path: server.base_path.clone(),
        instruments: Arc::new(watching.clone()),
        tracing: watching.tracing(),
        reloads: entrance.reloads,
        stopping,
        clock,
    }
}

fn worker(
    settings: &Settings,
    live: Arc<Live>,
    bells: Arc<Bells>,
    watching: &Watching,
    witness: Arc<dyn Witness>,
    owner: Arc<str>,
) -> Worker {
    let operations = &settings.operations;
    let terms = Terms {
        owner,
        lease: operations.lease,
        at_once: operations.at_once,
        look_every: operations.look_every,
        keep: operations.keep,
        expiry: expiry(settings.bindings),
    };
    let store = watching.store();
    Worker::new(live, store, witness, clock, bells, terms)
}

const fn expiry(bindings: BindingSettings) -> Expiry {
    Expiry {
        unbinds: match bindings.unbind_expired {
            UnbindExpired::Told => Unbinds::Told,
            UnbindExpired::All => Unbinds::All,
            UnbindExpired::Nothing => Unbinds::Nothing,
        },
        grace: bindings.grace,
    }
}

/// The name of this process in leases: drawn, for process ids come again.
fn owner() -> Result<Arc<str>, StartError> {
    Ok(OperationId::from_random(random()?).as_str().into())
}

fn random<const N: usize>() -> Result<[u8; N], StartError> {
    let mut bits = [0; N];
    getrandom::fill(&mut bits)
        .map_err(|error| StartError::System(std::io::Error::other(error.to_string())))?;
    Ok(bits)
}

/// The catalog as it is sent to these logins.
fn published(catalog: &Arc<Catalog>, logins: &Logins) -> Published {
    Published::new(catalog, logins.scopes(), system_time())
}

/// Waits for a signal; then `/readyz` says no, for the delay of the settings, so that routers look elsewhere before connections close.
fn stop(
    server: ServerHandle,
    stopping: Arc<AtomicBool>,
    settings: &ServerSettings,
    deadline: Deadline,
) -> Result<actix_web::rt::task::JoinHandle<()>, StartError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::System)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::System)?;
    let (delay, patience) = (settings.drain_delay, settings.shutdown_timeout);
    Ok(actix_web::rt::spawn(async move {
        std::future::poll_fn(|context| {
            if terminate.poll_recv(context).is_ready() || interrupt.poll_recv(context).is_ready() {
                return std::task::Poll::Ready(());
            }
            std::task::Poll::Pending
        })
        .await;
        log::info!("asked to stop");
        stopping.store(true, Ordering::Relaxed);
        tokio::time::sleep(delay).await;
        deadline.set(patience);
        server.stop(true).await;
    }))
}
