//! What the model speaks of, as the domain has it: its operations, its instance, its bindings.

use std::sync::Arc;

use catalog_broker::domain::binding::{Binding, BindingDetails};
use catalog_broker::domain::caller::Asker;
use catalog_broker::domain::id::{BindingId, InstanceId, OperationId, PlanId, ServiceId};
use catalog_broker::domain::instance::{Instance, InstanceDetails};
use catalog_broker::domain::json::Fingerprint;
use catalog_broker::domain::operation::{
    Kind, LastOperation, Operation, Report, State, Subject, Task,
};
use catalog_broker::domain::store::{Act, Change, Job, Leaves, Taken};
use catalog_broker::domain::time::Timestamp;
use catalog_broker::secret::Secret;

use super::setup::{Op, Pair};

/// The queue of all operations.
pub const BACKEND: &str = "backend";

/// An operation from before our time is over too late to be ever swept.
const NEVER: Timestamp = Timestamp(i64::MAX);

/// What is there before a broker knows the operation.
const BEFORE: u8 = 100;

/// What a request has read.
#[derive(Clone, Debug)]
pub enum Seen {
    Instance(Box<Instance>),
    Binding(Box<Binding>),
}

impl Seen {
    pub fn last(&self) -> &LastOperation {
        match self {
            Self::Instance(instance) => &instance.last_operation,
            Self::Binding(binding) => &binding.last_operation,
        }
    }

    fn version(&self) -> i64 {
        match self {
            Self::Instance(instance) => instance.version,
            Self::Binding(_) => 0,
        }
    }
}

pub fn instance_id() -> InstanceId {
    InstanceId::parse("instance").expect("an id")
}

pub fn operation_id(op: Op) -> OperationId {
    OperationId::from_random([u8::try_from(op).expect("a small number"); 16])
}

fn binding_id(place: usize) -> BindingId {
    BindingId::parse(&format!("binding-{place}")).expect("an id")
}

/// What an operation is about.
pub fn subject(pair: Pair, op: Op) -> Subject {
    match pair.kinds()[op] {
        Kind::Bind | Kind::Unbind => Subject::Binding(instance_id(), binding_id(pair.subject(op))),
        Kind::Provision | Kind::Update | Kind::Deprovision => Subject::Instance(instance_id()),
    }
}

/// What has to be there before the two operations are.
pub fn before(pair: Pair) -> Vec<Change> {
    let [first, _] = pair.kinds();
    let mut changes = Vec::new();
    if first != Kind::Provision {
        let operation = over(Kind::Provision, Subject::Instance(instance_id()));
        let act = Act::Provision {
            instance: Box::new(instance(operation.standing())),
            replaces: None,
        };
        changes.push((operation, act));
    }
    if first == Kind::Update {
        let subject = Subject::Binding(instance_id(), binding_id(0));
        let operation = over(Kind::Bind, subject);
        let act = bind(binding_id(0), operation.standing());
        changes.push((operation, act));
    }
    changes
        .into_iter()
        .map(|(operation, act)| Change {
            operation,
            act,
            job: None,
            guards: Vec::new(),
        })
        .collect()
}

fn over(kind: Kind, subject: Subject) -> Operation {
    Operation {
        id: OperationId::from_random([BEFORE; 16]),
        state: State::Succeeded,
        finished_at: Some(NEVER),
        ..operation(kind, subject, Timestamp(0))
    }
}

fn operation(kind: Kind, subject: Subject, now: Timestamp) -> Operation {
    Operation {
        id: operation_id(0),
        kind,
        subject,
        state: State::InProgress,
        report: Report::default(),
        fingerprint: None,
        started_at: now,
        finished_at: None,
    }
}

/// An operation as the broker asks for it that has `seen` this.
pub fn change(pair: Pair, op: Op, seen: Option<&Seen>, now: Timestamp) -> Change {
    let operation = Operation {
        id: operation_id(op),
        ..operation(pair.kinds()[op], subject(pair, op), now)
    };
    let cancels = seen.map(Seen::last).filter(|last| last.in_progress());
    Change {
        act: act(&operation, seen),
        job: Some(Job {
            backend: Arc::from(BACKEND),
            limited: false,
            hold: None,
            task: Secret::new(Task {
                asker: Asker {
                    login: "model".to_owned(),
                    originating_identity: None,
                    request_identity: None,
                    trace: None,
                },
                update: None,
            }),
            cancels: cancels.map(|last| last.id.clone()),
        }),
        guards: Vec::new(),
        operation,
    }
}

fn act(operation: &Operation, seen: Option<&Seen>) -> Act {
    let expected_version = seen.map_or(FIRST_VERSION, Seen::version);
    match (operation.kind, &operation.subject, seen) {
        (Kind::Bind, Subject::Binding(_, id), _) => bind(id.clone(), operation.standing()),
        (Kind::Unbind, _, Some(seen)) => Act::Unbind {
            expected: seen.last().id.clone(),
        },
        (Kind::Update, _, Some(Seen::Instance(seen))) => Act::Update {
            instance: Box::new(next(seen, operation.standing())),
            expected_version,
        },
        (Kind::Deprovision, _, Some(_)) => Act::Deprovision { expected_version },
        _ => Act::Provision {
            instance: Box::new(instance(operation.standing())),
            replaces: None,
        },
    }
}

/// The version of an instance that has just been made.
const FIRST_VERSION: i64 = 7;

fn instance(last_operation: LastOperation) -> Instance {
    Instance {
        id: instance_id(),
        service_id: ServiceId::parse("service").expect("an id"),
        plan_id: PlanId::parse("plan").expect("an id"),
        organization: "organization".to_owned(),
        space: "space".to_owned(),
        last_operation,
        version: FIRST_VERSION,
        backend: Some(Arc::from(BACKEND)),
        fingerprint: Fingerprint([1; 32]),
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
        details: Secret::new(InstanceDetails::default()),
    }
}

fn next(instance: &Instance, last_operation: LastOperation) -> Instance {
    Instance {
        version: instance.version + 1,
        last_operation,
        ..instance.clone()
    }
}

fn bind(id: BindingId, last_operation: LastOperation) -> Act {
    Act::Bind {
        binding: Box::new(Binding {
            instance_id: instance_id(),
            id,
            service_id: ServiceId::parse("service").expect("an id"),
            plan_id: PlanId::parse("plan").expect("an id"),
            app_guid: None,
            last_operation,
            fingerprint: Fingerprint([2; 32]),
            created_at: Timestamp(0),
            details: Secret::new(BindingDetails::default()),
        }),
        expected_version: FIRST_VERSION,
        replaces: None,
    }
}

/// What the worker leaves of an operation that it took up so and that ended so.
pub fn leaves(taken: &Taken, state: State) -> Leaves {
    let last_operation = LastOperation {
        state,
        ..taken.operation.standing()
    };
    match &taken.binding {
        _ if state == State::Succeeded && taken.operation.kind.removes() => Leaves::Nothing,
        Some(binding) => Leaves::Binding(Box::new(Binding {
            last_operation,
            ..binding.clone()
        })),
        None => Leaves::Instance(Box::new(next(&taken.instance, last_operation))),
    }
}

/// What takes the binding away on the way of a deprovision.
pub fn unbind(deprovision: Op, now: Timestamp) -> Operation {
    let id = binding_id(0);
    Operation {
        id: operation_id(deprovision).for_binding(&id),
        state: State::Succeeded,
        finished_at: Some(now),
        ..operation(Kind::Unbind, Subject::Binding(instance_id(), id), now)
    }
}
