//! Who watches the broker: metrics and log as one witness, and as what http counts its requests with.

use std::sync::Arc;

use crate::domain::live::Live;
use crate::domain::store::Store;
use crate::domain::witness::Witness;
use crate::http::{Answered, Instruments, Page, ROUTES};
use crate::telemetry::{Chorus, LogWitness, Metrics, PAGE_TYPE, Reloads};

/// What watches.
#[derive(Clone)]
pub(super) struct Watching(Arc<Metrics>);

impl Watching {
    pub(super) fn new(live: Arc<Live>, store: Arc<dyn Store>) -> Self {
        let now = Box::new(move || live.now());
        Self(Arc::new(Metrics::new(ROUTES, now, store, super::clock)))
    }

    /// The store that is to be asked from now on.
    pub(super) fn store(&self) -> Arc<dyn Store> {
        self.0.store()
    }

    /// Where reloads are counted.
    pub(super) fn reloads(&self) -> &Reloads {
        self.0.reloads()
    }

    /// Who is told of operations: the log, and what counts them.
    pub(super) fn witness(&self) -> Arc<dyn Witness> {
        Arc::new(Chorus(vec![
            Arc::new(LogWitness::default()),
            self.0.witness(),
        ]))
    }
}

impl Instruments for Watching {
    fn answered(&self, answered: Answered<'_>) {
        self.0.requests().answered(
            answered.route,
            answered.method,
            answered.status,
            answered.took,
        );
    }

    fn page_type(&self) -> &'static str {
        PAGE_TYPE
    }

    fn page(&self) -> Page<'_> {
        Box::pin(self.0.page())
    }
}
