//! The Open Service Broker API over HTTP.
//!
//! [`routes`] is the table of contents. A request passes the [`gate`] (size, login, version: rows 1 to 3 of the order of
//! checks), finds its route (row 4), is read into domain values ([`input`], [`wire`]: row 5), makes one call of the
//! `Broker`, and is answered ([`wire`], [`error`]).

mod admin;
mod audit;
mod bindings;
mod catalog;
mod client;
mod connection;
mod error;
mod gate;
mod head;
mod health;
mod identity;
mod input;
mod instances;
mod instruments;
mod lobby;
mod log_line;
mod login;
mod routes;
mod server;
mod tls;
mod trace;
mod tracing;
pub mod wire;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::web::Data;
use arc_swap::ArcSwap;

use crate::access::{LiveLogins, Throttle};
use crate::domain::broker::Broker;
use crate::domain::time::Clock;

pub use admin::{Asker, Reloaded, Reloading, Reloads, Taken, Why};
pub use catalog::Published;
pub use client::Trusted;
pub use error::WORDS;
pub use gate::Gate;
pub use instruments::{Answered, Instruments, Page};
pub use routes::{ROUTES, routes};
pub use server::{ServerTerms, serve};
pub use tls::{Look, Tls, TlsError, TlsFiles};
pub use tracing::{Name, Placed, Served, Tracing};

/// What every request needs; one for all workers.
pub struct Api {
    /// The platform's door.
    pub broker: Broker,
    /// Who may.
    pub logins: Arc<LiveLogins>,
    /// Wrong logins.
    pub throttle: Arc<Throttle>,
    /// Whose word on where a request comes from is taken.
    pub trusted: Trusted,
    /// Whether there are pages for operators, who sign in there.
    pub has_console: bool,
    /// The catalog as it is sent: another one after a reload.
    pub published: ArcSwap<Published>,
    /// What is too much.
    pub limits: Limits,
    /// Where the API begins: empty, or `/path` without a slash at its end.
    pub base_path: String,
    /// Who counts what is answered.
    pub instruments: Arc<dyn Instruments>,
    /// Who records requests as steps of traces; nobody where nothing is recorded.
    pub tracing: Option<Arc<dyn Tracing>>,
    /// Who reloads when an operator asks.
    pub reloads: Arc<dyn Reloads>,
    /// Set when the process is asked to stop: `/readyz` says no from then on.
    pub stopping: Arc<AtomicBool>,
    /// The time.
    pub clock: Clock,
}

impl Api {
    /// That of a request. Where it is only looked at, it is borrowed: the count of all that hold it is shared by all workers.
    fn of(request: &HttpRequest) -> Option<&Self> {
        request.app_data::<Data<Self>>().map(|api| &***api)
    }

    /// From now on this is sent to who fetches the catalog.
    pub fn publish(&self, published: Published) {
        self.published.store(Arc::new(published));
    }
}

/// What is too much, in bytes, and too slow.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A body.
    pub body: usize,
    /// The path and query of a request.
    pub url: usize,
    /// All headers together.
    pub headers: usize,
    /// How long a body may take.
    pub time: Duration,
}
