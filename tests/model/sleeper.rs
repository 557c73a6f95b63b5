//! The process of the model honours its lease: so does the worker, which counts it from the question on that brought it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use catalog_broker::domain::bells::Bells;
use catalog_broker::domain::catalog::Catalog;
use catalog_broker::domain::expiry::{Expiry, Unbinds};
use catalog_broker::domain::live::Live;
use catalog_broker::domain::store::Store;
use catalog_broker::domain::time::Timestamp;
use catalog_broker::domain::version::NEWEST;
use catalog_broker::domain::witness::{
    Acted, Adopted, Attempted, Event, Expired, Intervened, Witness,
};
use catalog_broker::domain::worker::{Terms, Worker};
use tokio::runtime::Builder;

use super::engines::{self, Folder};
use super::rows;
use super::setup::Pair;

/// How long a lease lasts.
const LEASE: Duration = Duration::from_secs(10);

/// A clock on which twice as much has passed whenever it is looked at: between two looks the process slept.
fn asleep() -> Timestamp {
    static NOW: AtomicI64 = AtomicI64::new(0);
    Timestamp(NOW.fetch_add(20_000, Ordering::Relaxed))
}

/// Hears what comes of attempts.
struct Ear(mpsc::Sender<String>);

impl Witness for Ear {
    fn happened(&self, event: &Event<'_>) {
        let _ = self.0.send(format!("over: {}", event.state));
    }

    fn attempted(&self, attempt: &Attempted<'_>) {
        let _ = self.0.send(attempt.what.to_owned());
    }

    fn acted(&self, _: &Acted<'_>) {}

    fn adopted(&self, _: &Adopted<'_>) {}

    fn expired(&self, _: &Expired<'_>) {}
    fn intervened(&self, _: &Intervened<'_>) {}
}

#[test]
fn a_worker_that_slept_before_it_acts_does_not() {
    let folder = Folder::new("sleeper");
    let store: Arc<dyn Store> = Arc::new(engines::sqlite(&folder));
    let (says, heard) = mpsc::channel();
    let runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let change = rows::change(Pair::ProvisionDeprovision, 0, None, Timestamp(0));
        store.begin(change).await.expect("an answer");
        // Nothing is offered, so that whoever acts fails at once.
        let worker = Worker::new(
            Arc::new(Live::new(Arc::new(Catalog::new(NEWEST, Vec::new())))),
            Arc::clone(&store),
            Arc::new(Ear(says)),
            asleep,
            Arc::new(Bells::default()),
            Terms {
                owner: "sleeper".into(),
                lease: LEASE,
                at_once: 1,
                look_every: Duration::from_millis(10),
                keep: LEASE,
                expiry: Expiry {
                    unbinds: Unbinds::Nothing,
                    grace: Duration::ZERO,
                },
            },
        );
        let working = worker.start();
        tokio::time::sleep(Duration::from_millis(200)).await;
        working.stop().await;
        store.close().await.expect("its end");
    });
    let first = heard.recv().expect("a word of the attempt");
    assert_eq!(first, "stopped: its lease was not renewed in time");
}
