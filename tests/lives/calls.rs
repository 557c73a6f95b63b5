//! The calls of a platform to a real broker, and its answers in the words of the model.

use std::sync::Arc;

use catalog_broker::domain::answer::{BindingAnswer, InstanceAnswer};
use catalog_broker::domain::broker::{
    Accepted, Bind, Bound, Broker, Polled, Previous, Provision, Provisioned, Removal, Removed,
    Update, Updated,
};
use catalog_broker::domain::caller::Caller;
use catalog_broker::domain::error::BrokerError;
use catalog_broker::domain::id::{BindingId, InstanceId, OperationId, PlanId, ServiceId};
use catalog_broker::domain::json::Object;
use catalog_broker::domain::operation::{State, Subject};
use catalog_broker::domain::version::ApiVersion;
use catalog_broker::secret::Secret;
use serde_json::json;

use crate::model::{self, Report};
use crate::offer::SERVICE;
use crate::steps::{Act, Ask};

/// A call, its names looked up.
#[derive(Clone, Debug)]
pub struct Call {
    pub ask: Ask,
    pub plan: String,
    pub instance: InstanceId,
    pub binding: BindingId,
    /// The operation that a poll names.
    pub named: Option<OperationId>,
}

/// An answer; of a 202, its operation aside.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub text: String,
    pub operation: Option<OperationId>,
}

fn said(text: impl Into<String>) -> Answer {
    Answer {
        text: text.into(),
        operation: None,
    }
}

fn accepted(accepted: Accepted, rest: &str) -> Answer {
    Answer {
        text: rest.to_owned(),
        operation: Some(accepted.operation),
    }
}

fn caller() -> Caller {
    Caller {
        login: "platform".into(),
        scope: catalog_broker::domain::scope::Scope::All,
        api_version: ApiVersion {
            major: 2,
            minor: 17,
        },
        originating_identity: None,
        request_identity: None,
        peer: None,
        trace: None,
    }
}

fn service() -> ServiceId {
    ServiceId::parse(SERVICE).expect("an id")
}

fn number(name: &str, number: Option<u8>) -> Object {
    number
        .map(|number| (name.to_owned(), json!(number)))
        .into_iter()
        .collect()
}

impl Call {
    fn plan(&self) -> PlanId {
        PlanId::parse(&self.plan).expect("an id")
    }

    fn removal(&self) -> Removal {
        Removal {
            service_id: Ok(service()),
            plan_id: Ok(self.plan()),
            accepts_incomplete: self.ask.accepts,
        }
    }

    pub async fn make(self, broker: Arc<Broker>) -> Answer {
        let caller = caller();
        let answer = match self.ask.act {
            Act::Provision => self.provision(&broker).await,
            Act::Update => self.update(&broker).await,
            Act::Deprovision => {
                let removed = broker.deprovision(&caller, self.instance.clone(), self.removal());
                removed.await.map(removal)
            }
            Act::Bind => self.bind(&broker).await,
            Act::Unbind => {
                let (instance, binding) = (self.instance.clone(), self.binding.clone());
                let removed = broker.unbind(&caller, instance, binding, self.removal());
                removed.await.map(removal)
            }
            Act::Fetch => self.fetch(&broker).await,
            Act::FetchBinding => {
                let found =
                    broker.fetch_binding(&caller, self.instance.clone(), self.binding.clone());
                found
                    .await
                    .map(|binding| said(format!("200 {}", bound(&binding.details.expose().answer))))
            }
            Act::Poll => {
                self.poll(&broker, Subject::Instance(self.instance.clone()))
                    .await
            }
            Act::PollBinding => {
                let subject = Subject::Binding(self.instance.clone(), self.binding.clone());
                self.poll(&broker, subject).await
            }
        };
        answer.unwrap_or_else(|error| said(word(&error)))
    }

    async fn provision(&self, broker: &Broker) -> Result<Answer, BrokerError> {
        let caller = caller();
        let request = Provision {
            service_id: service(),
            plan_id: self.plan(),
            organization: "organization".to_owned(),
            space: format!("space {}", self.ask.space),
            context: Secret::default(),
            parameters: Secret::new(number("size", self.ask.size)),
            maintenance_version: None,
            accepts_incomplete: self.ask.accepts,
        };
        let provisioned = broker
            .provision(&caller, self.instance.clone(), request)
            .await?;
        Ok(match provisioned {
            Provisioned::Created(answer) => said(format!("201 {}", shown(&answer))),
            Provisioned::AlreadyThere(answer) => said(format!("200 {}", shown(&answer))),
            Provisioned::Accepted(operation, answer) => accepted(operation, &shown(&answer)),
        })
    }

    async fn update(&self, broker: &Broker) -> Result<Answer, BrokerError> {
        let caller = caller();
        let request = Update {
            service_id: service(),
            plan_id: Some(self.plan()),
            context: None,
            parameters: self
                .ask
                .size
                .map(|size| Secret::new(number("size", Some(size)))),
            maintenance_version: None,
            previous: Previous::default(),
            accepts_incomplete: self.ask.accepts,
        };
        let updated = broker
            .update(&caller, self.instance.clone(), request)
            .await?;
        Ok(match updated {
            Updated::Done(answer) => said(format!("200 {}", shown(&answer))),
            Updated::Accepted(operation, answer) => accepted(operation, &shown(&answer)),
        })
    }

    async fn bind(&self, broker: &Broker) -> Result<Answer, BrokerError> {
        let caller = caller();
        let request = Bind {
            named: Some((service(), self.plan())),
            parameters: self
                .ask
                .level
                .map(|level| Secret::new(number("level", Some(level)))),
            accepts_incomplete: self.ask.accepts,
            ..Bind::default()
        };
        let (instance, binding) = (self.instance.clone(), self.binding.clone());
        Ok(
            match broker.bind(&caller, instance, binding, request).await? {
                Bound::Created(answer) => said(format!("201 {}", bound(answer.expose()))),
                Bound::AlreadyThere(answer) => said(format!("200 {}", bound(answer.expose()))),
                Bound::Accepted(operation) => accepted(operation, ""),
            },
        )
    }

    async fn fetch(&self, broker: &Broker) -> Result<Answer, BrokerError> {
        let caller = caller();
        let instance = broker
            .fetch_instance(&caller, self.instance.clone())
            .await?;
        let details = instance.details.expose();
        let dashboard = details.answer.dashboard_url.as_ref();
        let body = json!([
            instance.plan_id.as_str(),
            details.parameters.get("size"),
            dashboard.map_or(json!({}), |url| json!({ "dashboard_url": url })),
        ]);
        Ok(said(format!("200 {body}")))
    }

    async fn poll(&self, broker: &Broker, subject: Subject) -> Result<Answer, BrokerError> {
        let caller = caller();
        let polled = broker.poll(&caller, subject, self.named.clone()).await?;
        Ok(said(match polled {
            Polled::Gone => "410".to_owned(),
            Polled::At {
                state,
                report,
                poll_after,
            } => {
                let report = Report {
                    text: report.description,
                    usable: report.instance_usable,
                    repeatable: report.update_repeatable,
                    refused: report.refused,
                };
                let state = match state {
                    State::InProgress => model::State::InProgress,
                    State::Succeeded => model::State::Succeeded,
                    State::Failed => model::State::Failed,
                };
                model::polled(state, &report, poll_after.map(|after| after.as_secs()))
            }
        }))
    }
}

fn shown(answer: &InstanceAnswer) -> String {
    serde_json::to_string(answer).expect("JSON")
}

fn bound(answer: &BindingAnswer) -> String {
    serde_json::to_string(answer).expect("JSON")
}

fn removal(removed: Removed) -> Answer {
    match removed {
        Removed::Now => said("200 {}"),
        Removed::Before => said("410"),
        Removed::Accepted(operation) => accepted(operation, ""),
    }
}

fn word(error: &BrokerError) -> String {
    match error {
        BrokerError::PlanNotInCatalog(..) => "PlanNotInCatalog",
        BrokerError::InstanceNotFound => "InstanceNotFound",
        BrokerError::BindingNotFound => "BindingNotFound",
        BrokerError::OperationNotFound => "OperationNotFound",
        BrokerError::InstanceConflict => "InstanceConflict",
        BrokerError::BindingConflict => "BindingConflict",
        BrokerError::PlanMismatch => "PlanMismatch",
        BrokerError::Concurrency => "ConcurrencyError",
        BrokerError::AsyncRequired => "AsyncRequired",
        BrokerError::InstanceNotUsable => "InstanceNotUsable",
        BrokerError::StillRunning => "StillRunning",
        BrokerError::Refused(..) => "OperationRefused",
        BrokerError::OperationFailed(_) => "OperationFailed",
        other => return format!("{other:?}"),
    }
    .to_owned()
}
