//! What carries a plan's operations out, tried for real: for the operator, so no method of `Broker`.

use serde_json::json;

use super::bind::{app_guid, asked, bindable, fits};
use super::{Bind, Broker, Provision, provision};
use crate::domain::backend::{Done, Outcome, Previous, Progress, Stock, Work};
use crate::domain::binding::Binding;
use crate::domain::caller::Caller;
use crate::domain::catalog::Catalog;
use crate::domain::error::BrokerError;
use crate::domain::id::{BindingId, InstanceId, OperationId};
use crate::domain::instance::Instance;
use crate::domain::json::FingerprintKey;
use crate::domain::offering::Chosen;
use crate::domain::operation::{Kind, LastOperation, State};
use crate::domain::render;
use crate::domain::time::{Clock, Timestamp};
use crate::secret::Secret;

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Probed {
    /// Each operation that the backend carries out, twice, in their order.
    pub tried: Vec<Tried>,
    /// What is in the world now and was not before, by name; nothing where the backend cannot tell.
    pub left: Option<Vec<String>>,
    /// Where was looked for it.
    pub looked: Vec<String>,
    /// Why nobody knows what is left.
    pub blind: Option<String>,
}

/// One operation.
#[derive(Clone, Debug)]
pub struct Tried {
    /// Which.
    pub kind: Kind,
    /// Whether it had been done before, as after a crash.
    pub again: bool,
    /// What was wrong.
    pub trouble: Option<String>,
}

/// Makes an instance and a binding and takes them away again, each operation twice: a backend has to stand that. Nothing is
/// remembered.
pub async fn probe(
    catalog: &Catalog,
    caller: &Caller,
    (instance, request): (&InstanceId, &Provision),
    (binding, bind): (&BindingId, &Bind),
    clock: Clock,
) -> Result<Probed, BrokerError> {
    let chosen = Broker::acceptable(catalog, request)?;
    let mut subject = Subject {
        chosen,
        caller,
        clock,
        instance: new_instance(chosen, caller, instance, request, clock)?,
        binding: None,
    };
    if chosen.bindable() {
        subject.binding = Some(subject.new_binding(binding, bind)?);
    }
    let before = subject.look().await?;
    let mut probed = Probed {
        tried: subject.lives().await,
        ..Probed::default()
    };
    match (before, subject.look().await?) {
        (Some(Ok(before)), Some(Ok(now))) => {
            (probed.looked, probed.left) = difference(&now, &before);
        }
        (Some(Err(why)), _) | (_, Some(Err(why))) => probed.blind = Some(why),
        _ => {}
    }
    Ok(probed)
}

/// The places that were there before and are there now, and what is in them now alone. A place that is new is told by the
/// one that it is in.
fn difference(now: &Stock, before: &Stock) -> (Vec<String>, Option<Vec<String>>) {
    let (mut looked, mut left) = (Vec::new(), Vec::new());
    for (place, names) in now {
        if let Some(known) = before.get(place) {
            looked.push(place.clone());
            left.extend(names.difference(known).cloned());
        }
    }
    (looked, Some(left))
}

fn new_instance(
    chosen: Chosen<'_>,
    caller: &Caller,
    id: &InstanceId,
    request: &Provision,
    clock: Clock,
) -> Result<Instance, BrokerError> {
    let now = clock();
    let identity = caller.originating_identity.as_ref();
    let details = provision::details(identity, chosen, id, request, (now, None), true)?;
    Ok(Instance {
        id: id.clone(),
        service_id: request.service_id.clone(),
        plan_id: request.plan_id.clone(),
        organization: request.organization.clone(),
        space: request.space.clone(),
        last_operation: standing(Kind::Provision)?,
        version: 0,
        backend: None,
        fingerprint: FingerprintKey::new(&[0; 32]).of(&json!(null)),
        created_at: now,
        updated_at: now,
        details: Secret::new(details),
    })
}

fn standing(kind: Kind) -> Result<LastOperation, BrokerError> {
    Ok(LastOperation {
        id: OperationId::from_random(super::random()?),
        kind,
        state: State::InProgress,
    })
}

struct Subject<'a> {
    chosen: Chosen<'a>,
    caller: &'a Caller,
    clock: Clock,
    instance: Instance,
    binding: Option<Binding>,
}

impl Subject<'_> {
    fn new_binding(&self, id: &BindingId, request: &Bind) -> Result<Binding, BrokerError> {
        let chosen = bindable(self.chosen, request)?;
        let mut details = asked(request, None);
        fits(chosen, request, &details)?;
        self.scope(id).values(&mut details, (self.clock)())?;
        Ok(Binding {
            instance_id: self.instance.id.clone(),
            id: id.clone(),
            service_id: self.instance.service_id.clone(),
            plan_id: self.instance.plan_id.clone(),
            app_guid: app_guid(&details).map(str::to_owned),
            last_operation: standing(Kind::Bind)?,
            fingerprint: self.instance.fingerprint,
            created_at: (self.clock)(),
            details: Secret::new(details),
        })
    }

    fn scope<'s>(&'s self, binding: &'s BindingId) -> render::BindingScope<'s> {
        render::BindingScope {
            instance: render::InstanceScope {
                identity: self.caller.originating_identity.as_ref(),
                chosen: self.chosen,
                id: &self.instance.id,
                organization: &self.instance.organization,
                space: &self.instance.space,
            },
            details: self.instance.details.expose(),
            id: binding,
        }
    }

    async fn lives(&mut self) -> Vec<Tried> {
        let mut tried = Vec::new();
        let up = [Kind::Provision, Kind::Update, Kind::Bind];
        for kind in up {
            if !self.twice(kind, &mut tried).await {
                break;
            }
        }
        // What was begun is taken away, however far it came.
        let bound = tried.iter().any(|tried| tried.kind == Kind::Bind);
        for kind in [Kind::Unbind, Kind::Deprovision] {
            if kind == Kind::Deprovision || bound {
                self.twice(kind, &mut tried).await;
            }
        }
        tried
    }

    /// Whether both times went well.
    async fn twice(&mut self, kind: Kind, tried: &mut Vec<Tried>) -> bool {
        let of_binding = matches!(kind, Kind::Bind | Kind::Unbind);
        let backend = &self.chosen.plan.backend;
        if !backend.carries_out(kind) || (of_binding && self.binding.is_none()) {
            return true;
        }
        let Ok(operation) = super::random().map(OperationId::from_random) else {
            return false;
        };
        for again in [false, true] {
            let trouble = self.once(kind, &operation, again).await.err();
            let failed = trouble.is_some();
            tried.push(Tried {
                kind,
                again,
                trouble,
            });
            if failed {
                return false;
            }
        }
        true
    }

    async fn once(
        &mut self,
        kind: Kind,
        operation: &OperationId,
        again: bool,
    ) -> Result<(), String> {
        let work = self.work(kind, operation, again);
        match self.chosen.plan.backend.carry_out(work, &Silent).await {
            Outcome::Done(done) => self.keep(kind, done),
            Outcome::Refused(refusal) => Err(refusal.description),
            Outcome::Failed(failure) => Err(failure.description),
            Outcome::Again { description, .. } => {
                Err(description.unwrap_or_else(|| "It asks to be tried again later.".to_owned()))
            }
        }
    }

    fn work<'s>(&'s self, kind: Kind, operation: &'s OperationId, again: bool) -> Work<'s> {
        let of_binding = matches!(kind, Kind::Bind | Kind::Unbind);
        Work {
            operation,
            kind,
            attempt: if again { 2 } else { 1 },
            started_at: (self.clock)(),
            // Nobody else acts for it, however long it takes.
            until: Timestamp(i64::MAX),
            chosen: self.chosen,
            instance: &self.instance,
            previous: (kind == Kind::Update).then_some(Previous {
                instance: &self.instance,
                plan_name: Some(&self.chosen.plan.name),
            }),
            binding: self.binding.as_ref().filter(|_| of_binding),
            clock: self.clock,
            identity: self.caller.originating_identity.as_ref(),
            trace: None,
        }
    }

    /// What there is where the operations act.
    async fn look(&self) -> Result<Option<Result<Stock, String>>, BrokerError> {
        let operation = OperationId::from_random(super::random()?);
        let works = Kind::ALL.map(|kind| self.work(kind, &operation, false));
        Ok(self.chosen.plan.backend.inventory(&works).await)
    }

    /// Keeps what a backend returned, as a store would, and makes the answer that a platform would get.
    fn keep(&mut self, kind: Kind, done: Done) -> Result<(), String> {
        let state = done.state.map(Secret::into_exposed);
        let outputs = done.outputs.into_exposed();
        match kind {
            Kind::Provision | Kind::Update => {
                let mut details = std::mem::take(&mut self.instance.details).into_exposed();
                details.outputs = outputs;
                details.state = state.or(details.state);
                self.instance.details = Secret::new(details);
            }
            Kind::Bind => {
                let Some(mut binding) = self.binding.take() else {
                    return Ok(());
                };
                let mut details = std::mem::take(&mut binding.details).into_exposed();
                details.outputs = outputs;
                details.state = state;
                let answer = self.scope(&binding.id).answer(&details, (self.clock)());
                binding.details = Secret::new(details);
                self.binding = Some(binding);
                answer.map_err(|error| format!("The answer cannot be made: {error}"))?;
            }
            Kind::Unbind | Kind::Deprovision => {}
        }
        Ok(())
    }
}

struct Silent;

impl Progress for Silent {
    fn say(&self, _: &str) {}
}
