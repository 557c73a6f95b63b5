//! Metrics: counted where it costs next to nothing, written out when somebody looks.
//!
//! Labels are bounded by what the operator wrote: plans as `offering/plan`, backends and pools by their names, routes as
//! the route table calls them. All else is [`OTHER`]; nothing that a request brings in becomes a label.
//!
//! A part of the broker that has something to show adds a collector of its own ([`Metrics::add`]).

mod asked;
mod audit;
mod book;
mod calls;
mod certificate;
mod now;
mod operations;
mod reloads;
mod requests;
mod spread;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text::{self, CONTENT_TYPE};
use prometheus_client::encoding::{EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use self::asked::Asked;
pub use self::audit::AuditLines;
use self::book::Book;
use self::calls::{Calls, Watched};
pub use self::certificate::Certificate;
use self::now::Moment;
use self::operations::Operations;
pub use self::reloads::Reloads;
pub use self::requests::Requests;
use crate::domain::catalog::Catalog;
use crate::domain::store::Store;
use crate::domain::time::{Clock, Timestamp};
use crate::domain::witness::Witness;

/// What every name begins with.
const PREFIX: &str = "catalog_broker";

/// The label of all that has no name of its own.
pub(super) const OTHER: &str = "other";

/// What a page of metrics is.
pub const PAGE_TYPE: &str = CONTENT_TYPE;

/// Tells the catalog of the moment.
pub type CatalogNow = Box<dyn Fn() -> Arc<Catalog> + Send + Sync>;

/// All metrics of a process.
pub struct Metrics {
    registry: RwLock<Registry>,
    book: Arc<Book>,
    requests: Arc<Requests>,
    reloads: Arc<Reloads>,
    store: Arc<dyn Store>,
    asked: Arc<Asked>,
    clock: Clock,
}

impl Metrics {
    /// Those of a broker that has these routes, offers what `catalog` tells, and remembers in `store`.
    pub fn new(
        routes: &[&'static str],
        catalog: CatalogNow,
        store: Arc<dyn Store>,
        clock: Clock,
    ) -> Self {
        let calls = Arc::new(Calls::default());
        let store: Arc<dyn Store> = Arc::new(Watched {
            store,
            calls: Arc::clone(&calls),
        });
        let metrics = Self {
            registry: RwLock::new(Registry::with_prefix(PREFIX)),
            book: Arc::new(Book::new(catalog)),
            requests: Arc::new(Requests::new(routes)),
            reloads: Arc::new(Reloads::new(clock())),
            asked: Arc::new(Asked::new(Arc::clone(&store))),
            store,
            clock,
        };
        metrics.registered(|registry| {
            let version = [("version", env!("CARGO_PKG_VERSION"))];
            registry.register("build", "What runs", Info::new(version));
        });
        metrics.add(Arc::clone(&metrics.requests));
        metrics.add(Operations(Arc::clone(&metrics.book)));
        metrics.add(calls);
        metrics.add(Arc::clone(&metrics.reloads));
        metrics
    }

    /// Shows what another part of the broker has to show.
    pub fn add(&self, collector: impl Collector) {
        self.registered(|registry| registry.register_collector(Box::new(collector)));
    }

    fn registered(&self, register: impl FnOnce(&mut Registry)) {
        register(
            &mut self
                .registry
                .write()
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// The store, watched: all that asks it is to ask this one.
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// Who counts what happens.
    pub fn witness(&self) -> Arc<dyn Witness> {
        Arc::new(Operations(Arc::clone(&self.book)))
    }

    /// Where answers are counted.
    pub fn requests(&self) -> &Requests {
        &self.requests
    }

    /// Where reloads are counted.
    pub fn reloads(&self) -> &Reloads {
        &self.reloads
    }

    /// All of it, as Prometheus reads it. A store that is away takes nothing from it but what only the store knows.
    pub async fn page(&self) -> String {
        let (under_way, inventory) = tokio::join!(self.asked.under_way(), self.asked.inventory());
        let mut now = Registry::with_prefix(PREFIX);
        now.register_collector(Box::new(Moment {
            at: (self.clock)(),
            page: self.book.page(),
            under_way,
            inventory,
        }));
        let mut page = String::new();
        let kept = self.registry.read().unwrap_or_else(PoisonError::into_inner);
        for registry in [&*kept, &now] {
            // A string takes all that is written to it.
            let _ = prometheus_text::encode(&mut page, registry);
        }
        page
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Metrics")
    }
}

/// A moment, as Prometheus counts it: seconds since 1970.
fn seconds(at: Timestamp) -> f64 {
    Duration::from_millis(u64::try_from(at.0).unwrap_or(0)).as_secs_f64()
}

/// Writes one of a family of counters.
fn count(family: &mut MetricEncoder<'_>, labels: &impl EncodeLabelSet, number: u64) -> fmt::Result {
    family
        .encode_family(labels)?
        .encode_counter::<NoLabelSet, u64, f64>(&number, None)
}
