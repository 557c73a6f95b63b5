//! An operation with little to it, and a webhook that carries it out.

use std::future::Future;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use catalog_broker::backend::{Webhook, WebhookSettings};
use catalog_broker::catalog::{Memory, load_texts};
use catalog_broker::document::Environment;
use catalog_broker::domain::backend::{Backend as _, Done, Failure, Outcome, Progress, Work};
use catalog_broker::domain::binding::{Binding, BindingDetails};
use catalog_broker::domain::catalog::Catalog;
use catalog_broker::domain::id::{BindingId, InstanceId, OperationId, PlanId, ServiceId};
use catalog_broker::domain::instance::{Instance, InstanceDetails};
use catalog_broker::domain::json::Fingerprint;
use catalog_broker::domain::operation::{Kind, LastOperation, State};
use catalog_broker::domain::time::{Clock, Timestamp};
use catalog_broker::secret::Secret;
use serde_json::{Value, json};

use crate::log;

const CATALOG: &str = "services:
- id: 11111111-1111-4111-8111-111111111111
  name: db
  description: A database
  bindable: true
  plans:
  - id: 22222222-2222-4222-8222-222222222222
    name: small
    description: Small
    binding: { credentials: { host: h } }
";

/// In milliseconds; what a signature says is 1700000000.
pub const NOW: i64 = 1_700_000_000_123;

/// An operation that nobody else has.
pub struct Task {
    catalog: Arc<Catalog>,
    pub operation: OperationId,
    pub kind: Kind,
    pub attempt: u32,
    instance: Instance,
    binding: Binding,
    progress: Said,
    pub clock: Clock,
}

#[derive(Default)]
struct Said(Mutex<Vec<String>>);

impl Progress for Said {
    fn say(&self, description: &str) {
        self.0.lock().expect("a lock").push(description.to_owned());
    }
}

impl Task {
    pub fn new(kind: Kind) -> Self {
        Self::with(kind, &json!({}))
    }

    pub fn with(kind: Kind, parameters: &Value) -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        log::start();
        let operation = OperationId::from_random([NEXT.fetch_add(1, Ordering::SeqCst); 16]);
        let loaded = load_texts(
            vec![("catalog.yaml", CATALOG)],
            &Environment::new([] as [(&str, &str); 0]),
            Vec::<(&str, &str)>::new(),
            Memory::Remembers,
        );
        let last_operation = LastOperation {
            id: operation.clone(),
            kind,
            state: State::InProgress,
        };
        let id = |suffix: &str| format!("{operation}-{suffix}");
        let instance = Instance {
            id: InstanceId::parse(&id("i")).unwrap(),
            service_id: ServiceId::parse("11111111-1111-4111-8111-111111111111").unwrap(),
            plan_id: PlanId::parse("22222222-2222-4222-8222-222222222222").unwrap(),
            organization: "o".to_owned(),
            space: "s".to_owned(),
            last_operation: last_operation.clone(),
            version: 1,
            backend: None,
            fingerprint: Fingerprint([0; 32]),
            created_at: Timestamp(NOW),
            updated_at: Timestamp(NOW),
            details: Secret::new(InstanceDetails {
                parameters: parameters.as_object().cloned().unwrap_or_default(),
                ..InstanceDetails::default()
            }),
        };
        let binding = Binding {
            id: BindingId::parse(&id("b")).unwrap(),
            instance_id: instance.id.clone(),
            service_id: instance.service_id.clone(),
            plan_id: instance.plan_id.clone(),
            app_guid: None,
            last_operation,
            fingerprint: Fingerprint([0; 32]),
            created_at: Timestamp(NOW),
            details: Secret::new(BindingDetails::default()),
        };
        Self {
            catalog: loaded.catalog.expect("a catalog"),
            operation,
            kind,
            attempt: 1,
            instance,
            binding,
            progress: Said::default(),
            clock: || Timestamp(NOW),
        }
    }

    fn work(&self) -> Work<'_> {
        let chosen = self
            .catalog
            .choose(&self.instance.service_id, &self.instance.plan_id);
        Work {
            operation: &self.operation,
            kind: self.kind,
            attempt: self.attempt,
            started_at: Timestamp(NOW),
            until: Timestamp(i64::MAX),
            chosen: chosen.expect("the plan"),
            instance: &self.instance,
            previous: None,
            binding: matches!(self.kind, Kind::Bind | Kind::Unbind).then_some(&self.binding),
            clock: self.clock,
            identity: None,
            trace: None,
        }
    }

    /// By the clock of this machine, which an example looks at too.
    pub fn today(mut self) -> Self {
        self.clock = catalog_broker::app::clock;
        self
    }

    /// One attempt.
    pub fn by(&self, hook: &Webhook) -> Outcome {
        block_on(hook.carry_out(self.work(), &self.progress))
    }

    /// One attempt that is dropped after a while.
    pub fn dropped_by(&self, hook: &Webhook, after: Duration) {
        let acting = async {
            tokio::time::timeout(after, hook.carry_out(self.work(), &self.progress)).await
        };
        block_on(acting).expect_err("it ended before it was dropped");
    }

    pub fn said(&self) -> Vec<String> {
        self.progress.0.lock().expect("a lock").clone()
    }

    pub fn log(&self) -> String {
        log::of(self.operation.as_str())
    }
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
        .block_on(future)
}

pub fn settings(url: &str) -> WebhookSettings {
    WebhookSettings::new("hook", url)
}

pub fn hook(settings: WebhookSettings) -> Webhook {
    Webhook::new(settings).expect("a webhook")
}

pub fn plain(url: &str) -> Webhook {
    hook(settings(url))
}

pub fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

pub fn done(outcome: Outcome) -> Done {
    match outcome {
        Outcome::Done(done) => done,
        other => panic!("not done: {other:?}"),
    }
}

pub fn failed(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Failed(failure) => failure,
        other => panic!("not failed: {other:?}"),
    }
}

pub fn refused(outcome: Outcome) -> String {
    match outcome {
        Outcome::Refused(refusal) => refusal.description,
        other => panic!("not refused: {other:?}"),
    }
}

/// After how long, and why.
pub fn again(outcome: Outcome) -> (Option<Duration>, String) {
    match outcome {
        Outcome::Again { after, description } => (after, description.expect("a description")),
        other => panic!("not to be tried again: {other:?}"),
    }
}
