//! A change is recorded, its operation handed to whoever carries it out, and who keeps account is told of it.

use std::sync::Arc;

use super::Broker;
use crate::domain::audit::{Account, Asked, Began, Denied, Stands, Who, of_parameters};
use crate::domain::caller::Caller;
use crate::domain::hands::{Hands, Spare};
use crate::domain::id::{PlanId, ServiceId};
use crate::domain::json::{Fingerprint, Object};
use crate::domain::live::Pass;
use crate::domain::operation::Operation;
use crate::domain::store::{Begun, Change, StoreError};

/// What a change was asked with, for the account of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted<'a> {
    pub(super) service: Option<&'a ServiceId>,
    pub(super) plan: Option<&'a PlanId>,
    /// Organization and space of the instance; empty where they are not known.
    pub(super) place: (&'a str, &'a str),
    pub(super) parameters: Option<&'a Object>,
}

impl Broker {
    /// Has a change recorded. Told is what the store has. What is new has a pass until then.
    pub(super) async fn begin(
        &self,
        caller: &Caller,
        change: Change,
        wanted: Wanted<'_>,
        _pass: Option<Pass<'_>>,
    ) -> Result<Begun, StoreError> {
        if self.account() == Account::None {
            return self.recorded(change).await;
        }
        let stands = match change.job {
            None => Stands::Over,
            Some(_) => Stands::Goes,
        };
        let mut due = Due {
            broker: self,
            caller,
            operation: change.operation.clone(),
            wanted,
            is_told: false,
        };
        let begun = self.recorded(change).await;
        match begun {
            Ok(Begun::Done | Begun::Lent(_)) => due.tell(stands, true),
            Ok(Begun::Unrecorded) => due.tell(stands, false),
            // The answer will be a refusal, which is told of as one, or there will be another try.
            _ => due.is_told = true,
        }
        begun
    }

    /// Has a change recorded. What is left of it is carried out by the hands of this process, where they are free and
    /// nothing waits before it; else the bell tells whoever looks for work.
    async fn recorded(&self, mut change: Change) -> Result<Begun, StoreError> {
        let free = change.one_of().is_none();
        let Some(job) = &mut change.job else {
            return self.store.begin(change).await;
        };
        let hands = self.bells.hands();
        let hands = hands.filter(|_| free && !job.limited && job.cancels.is_none());
        let Some((hands, spare)) =
            hands.and_then(|hands| Some((Arc::clone(&hands), hands.spare()?)))
        else {
            let begun = self.store.begin(change).await;
            if matches!(begun, Ok(Begun::Done)) {
                self.bells.work();
            }
            return begun;
        };
        job.hold = Some(spare.hold.clone());
        // Who asked may go away meanwhile: what is recorded as this process's is carried out all the same.
        let recorded = tokio::spawn(self.handed(change, hands, spare));
        recorded
            .await
            .unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
    }

    fn handed(
        &self,
        change: Change,
        hands: Arc<dyn Hands>,
        spare: Spare,
    ) -> impl Future<Output = Result<Begun, StoreError>> + Send + use<> {
        let (store, bells) = (Arc::clone(&self.store), Arc::clone(&self.bells));
        async move {
            match store.begin(change).await {
                Ok(Begun::Taken(taken)) => {
                    hands.carry_out(*taken, spare);
                    Ok(Begun::Done)
                }
                Ok(Begun::Done) => {
                    drop(spare);
                    bells.work();
                    Ok(Begun::Done)
                }
                // Where nobody knows whether it was recorded, its lease runs out, and the next attempt begins then.
                other => other,
            }
        }
    }

    /// Whether account is kept of changes.
    pub fn account(&self) -> Account {
        self.witness.account()
    }

    /// Tells who keeps account of a change that was refused.
    pub fn denied(&self, denied: &Denied<'_>) {
        self.witness.denied(denied);
    }

    /// Parameters as an account of changes has them.
    pub fn hashed(&self, parameters: &Object) -> Fingerprint {
        of_parameters(self.store.fingerprint_key(), parameters)
    }
}

/// What is to be told of a change. A request whose client goes away is dropped wherever it waits, and what it has handed
/// to the store goes on: then it is told when this is dropped.
struct Due<'a> {
    broker: &'a Broker,
    caller: &'a Caller,
    operation: Operation,
    wanted: Wanted<'a>,
    is_told: bool,
}

impl Due<'_> {
    fn tell(&mut self, stands: Stands, is_remembered: bool) {
        self.is_told = true;
        let wanted = self.wanted;
        let hashed = |parameters| self.broker.hashed(parameters);
        self.broker.witness.began(&Began {
            who: Who::from(self.caller),
            operation: is_remembered.then_some(&self.operation.id),
            kind: self.operation.kind,
            subject: &self.operation.subject,
            asked: Asked {
                service: wanted.service,
                plan: wanted.plan,
                organization: known(wanted.place.0),
                space: known(wanted.place.1),
                parameters: wanted.parameters.map(hashed),
            },
            stands,
        });
    }
}

impl Drop for Due<'_> {
    fn drop(&mut self) {
        if !self.is_told {
            self.tell(Stands::Unknown, true);
        }
    }
}

fn known(id: &str) -> Option<&str> {
    Some(id).filter(|id| !id.is_empty())
}
