//! The operator's door: find, list, retry, give up, end a binding, forget, counts; and states as a whole ([`copy`], [`takeover`], [`reseal`]);
//! and who holds what ([`holders`]).
//!
//! Nothing here asks a backend to act, and nothing is told to platforms but through what the store says afterwards. The
//! command line uses it beside a broker that serves the same store.

pub mod copy;
mod error;
mod expire;
pub mod holders;
pub mod reseal;
pub mod takeover;

use std::sync::Arc;

use super::audit::{Asked, Denied, Who};
use super::binding::Binding;
use super::broker::random;
use super::caller::Peer;
use super::error::BrokerError;
use super::fullest::FullestQuery;
use super::id::{BindingId, InstanceId, OperationId};
use super::instance::Instance;
use super::ledger::{Counts, Entry, InstanceQuery, Ledger, Listed, OperationQuery, Stepped};
use super::names::Names;
use super::operation::{Kind, Operation, Report, State, Subject};
use super::store::{Lookup, StoreError};
use super::time::Clock;
use super::witness::{Intervened, Witness};

pub use error::DeskError;

/// The operator's door.
pub struct Desk {
    ledger: Arc<dyn Ledger>,
    witness: Arc<dyn Witness>,
    clock: Clock,
    login: Option<Arc<str>>,
    peer: Option<Peer>,
}

/// Some of a longer list.
#[derive(Clone, Debug)]
pub struct Part<T> {
    /// These.
    pub items: Vec<T>,
    /// Whether there are more behind them.
    pub more: bool,
}

/// A step that an operator asks for: about an operation that there is, or by one that is made for it.
#[derive(Clone, Debug)]
pub struct Step {
    /// The operation that there is.
    pub operation: Option<OperationId>,
    /// What it does.
    pub kind: Kind,
    /// To what.
    pub subject: Subject,
}

impl From<&Operation> for Step {
    fn from(operation: &Operation) -> Self {
        Self {
            operation: Some(operation.id.clone()),
            kind: operation.kind,
            subject: operation.subject.clone(),
        }
    }
}

/// What went with an instance that was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// How many bindings.
    pub bindings: u64,
}

impl Desk {
    /// A desk for what `ledger` remembers; `witness` is told of each step.
    pub fn new(ledger: Arc<dyn Ledger>, witness: Arc<dyn Witness>, clock: Clock) -> Self {
        Self {
            ledger,
            witness,
            clock,
            login: None,
            peer: None,
        }
    }

    /// The same desk with somebody at it of whom it is known who they are, and where they sit.
    #[must_use]
    pub fn of(&self, login: &Arc<str>, peer: Option<Peer>) -> Self {
        Self {
            ledger: Arc::clone(&self.ledger),
            witness: Arc::clone(&self.witness),
            clock: self.clock,
            login: Some(Arc::clone(login)),
            peer,
        }
    }

    /// Instances in the order of their ids.
    pub async fn instances(&self, query: InstanceQuery) -> Result<Part<Listed>, DeskError> {
        let most = query.most;
        let query = InstanceQuery {
            most: most.saturating_add(1),
            ..query
        };
        Ok(part(self.ledger.list_instances(query).await?, most))
    }

    /// An instance and its bindings.
    pub async fn instance(&self, id: &InstanceId) -> Result<(Instance, Vec<Binding>), DeskError> {
        match self.ledger.instance(id.clone()).await? {
            Lookup::Found(instance) => Ok((instance, self.ledger.bindings(id.clone()).await?)),
            Lookup::Absent | Lookup::Unknowable => Err(DeskError::NoInstance(id.clone())),
        }
    }

    /// Whether there is such an instance, readable or not.
    pub async fn knows(&self, id: &InstanceId) -> Result<bool, DeskError> {
        match self.ledger.instance(id.clone()).await {
            Ok(Lookup::Found(_)) | Err(StoreError::Corrupt(_)) => Ok(true),
            Ok(Lookup::Absent | Lookup::Unknowable) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// What people call an instance, as far as its platform has said. There are none where it is gone or cannot be read.
    pub async fn names(&self, id: &InstanceId) -> Result<Names, DeskError> {
        match self.ledger.instance(id.clone()).await {
            Ok(Lookup::Found(instance)) => Ok(Names::of(&instance)),
            Ok(Lookup::Absent | Lookup::Unknowable) | Err(StoreError::Corrupt(_)) => {
                Ok(Names::default())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Operations, the newest first.
    pub async fn operations(&self, query: OperationQuery) -> Result<Part<Entry>, DeskError> {
        let most = query.most;
        let query = OperationQuery {
            most: most.saturating_add(1),
            ..query
        };
        Ok(part(self.ledger.list_operations(query).await?, most))
    }

    /// An operation.
    pub async fn operation(&self, id: &OperationId) -> Result<Entry, DeskError> {
        let found = self.ledger.entry(id.clone()).await?;
        found.ok_or_else(|| DeskError::NoOperation(id.clone()))
    }

    /// How much there is.
    pub async fn counts(&self) -> Result<Counts, DeskError> {
        Ok(self.ledger.counts().await?)
    }

    /// How much there is, but for how it is sealed and its size: quick enough to be asked for with a page.
    pub async fn census(&self) -> Result<Counts, DeskError> {
        Ok(self.ledger.census().await?)
    }

    /// Where limits for each organization and each space are nearest.
    pub async fn fullest(&self, query: FullestQuery) -> Result<Vec<(String, u64)>, DeskError> {
        Ok(self.ledger.fullest(query).await?)
    }

    /// An operation that waits for its next attempt goes at once, and its tries begin anew.
    pub async fn retry(&self, id: &OperationId) -> Result<(), DeskError> {
        let found = self.operation(id).await?;
        let stepped = self.ledger.retry(id.clone(), (self.clock)()).await?;
        outcome(id, stepped)?;
        self.tell(&found.operation, "let go on");
        Ok(())
    }

    /// An operation in progress fails at once; its platform reads `why`.
    pub async fn give_up(&self, id: &OperationId, why: &str) -> Result<(), DeskError> {
        let found = self.operation(id).await?;
        let report = Report::of(why);
        let stepped = self
            .ledger
            .give_up(id.clone(), report, (self.clock)())
            .await?;
        outcome(id, stepped)?;
        self.tell(&found.operation, "given up");
        Ok(())
    }

    /// An instance goes from the store with its bindings, and no backend acts: what it made stays in the world.
    pub async fn forget(&self, id: &InstanceId) -> Result<Forgotten, DeskError> {
        let by = self.removal(id)?;
        let gone = self.ledger.forget(id.clone(), by.clone()).await?;
        let bindings = gone.ok_or_else(|| DeskError::NoInstance(id.clone()))?;
        self.tell(&by, "forgotten");
        Ok(Forgotten { bindings })
    }

    /// Tells who keeps account that a step was refused to who is at the desk: `status` and `error` are what they read.
    /// With a store that could not answer it may have been taken all the same.
    pub fn refused(&self, step: &Step, status: u16, error: &str) {
        self.witness.denied(&Denied {
            who: Who {
                login: self.login.as_deref().unwrap_or(expire::ASKER),
                identity: None,
                request_identity: None,
                peer: self.peer,
            },
            is_step: true,
            operation: step.operation.as_ref(),
            kind: step.kind,
            instance: step.subject.instance().as_str(),
            binding: step.subject.binding().map(BindingId::as_str),
            asked: Asked::default(),
            status,
            error,
        });
    }

    fn tell(&self, operation: &Operation, what: &str) {
        self.witness.intervened(&Intervened {
            operation: &operation.id,
            kind: operation.kind,
            subject: &operation.subject,
            what,
            login: self.login.as_deref(),
            peer: self.peer,
        });
    }

    /// What a platform that polls finds of what was forgotten: that it is gone.
    fn removal(&self, id: &InstanceId) -> Result<Operation, BrokerError> {
        let now = (self.clock)();
        Ok(Operation {
            id: OperationId::from_random(random()?),
            kind: Kind::Deprovision,
            subject: Subject::Instance(id.clone()),
            state: State::Succeeded,
            report: Report::default(),
            fingerprint: None,
            started_at: now,
            finished_at: Some(now),
        })
    }

    /// Lets go of the store.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.ledger.close().await
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Desk")
    }
}

/// One more than was asked for says that there are more.
fn part<T>(mut items: Vec<T>, most: u32) -> Part<T> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let more = items.len() > most;
    items.truncate(most);
    Part { items, more }
}

fn outcome(id: &OperationId, stepped: Stepped) -> Result<(), DeskError> {
    let operation = id.clone();
    match stepped {
        Stepped::Done => Ok(()),
        Stepped::Absent => Err(DeskError::NoOperation(operation)),
        Stepped::Over(state) => Err(DeskError::Over(operation, state)),
        Stepped::Leased { owner, until } => Err(DeskError::Runs {
            operation,
            owner,
            until,
        }),
        Stepped::Waits(until) => Err(DeskError::Waits(operation, until)),
    }
}
