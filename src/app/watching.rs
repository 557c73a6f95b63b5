//! Who watches the broker: metrics and log as one witness, and as what http counts its requests with.

use std::sync::Arc;

use super::tracing::Recording;
use crate::domain::live::Live;
use crate::domain::recent::Recent;
use crate::domain::store::Store;
use crate::domain::time::Timestamp;
use crate::domain::witness::Witness;
use crate::http::{Answered, Instruments, Page, ROUTES, Tracing};
use crate::telemetry::{
    AuditLines, Book, Certificate, Chorus, LogWitness, Metrics, PAGE_TYPE, Reloads,
};

/// What watches.
#[derive(Clone)]
pub(super) struct Watching(Arc<Metrics>, Arc<Recent>, Recording);

impl Watching {
    pub(super) fn new(live: Arc<Live>, store: Arc<dyn Store>, recent: Arc<Recent>) -> Self {
        let now = Box::new(move || live.now());
        let metrics = Metrics::new(ROUTES, now, store, super::clock);
        Self(Arc::new(metrics), recent, None)
    }

    /// With who records steps of traces.
    pub(super) fn recording(self, recording: Recording) -> Self {
        Self(self.0, self.1, recording)
    }

    /// Who records requests.
    pub(super) fn tracing(&self) -> Option<Arc<dyn Tracing>> {
        Some(Arc::clone(self.2.as_ref()?) as _)
    }

    /// The store that is to be asked from now on.
    pub(super) fn store(&self) -> Arc<dyn Store> {
        self.0.store()
    }

    /// Where reloads are counted.
    pub(super) fn reloads(&self) -> &Reloads {
        self.0.reloads()
    }

    /// Shows what is written of an account of changes.
    pub(super) fn audit(&self, book: &Arc<Book>) {
        self.0.add(AuditLines(Arc::clone(book)));
    }

    /// Shows when the certificate of a file is over.
    pub(super) fn certificate(
        &self,
        file: String,
        ends: impl Fn() -> Option<Timestamp> + Send + Sync + 'static,
    ) {
        let ends = Box::new(ends);
        self.0.add(Certificate { file, ends });
    }

    /// Who is told of operations: the log, what counts them, and who records attempts.
    pub(super) fn witness(&self) -> Arc<dyn Witness> {
        let mut all: Vec<Arc<dyn Witness>> = vec![
            Arc::new(LogWitness::noting(Arc::clone(&self.1), super::clock)),
            self.0.witness(),
        ];
        all.extend(self.2.iter().map(|recorder| Arc::clone(recorder) as _));
        Arc::new(Chorus(all))
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
