//! Polling the last operation of an instance or of a binding.

use super::{Broker, Polled};
use crate::domain::caller::Caller;
use crate::domain::error::BrokerError;
use crate::domain::id::OperationId;
use crate::domain::operation::{State, Subject};
use crate::domain::store::Lookup;

impl Broker {
    /// How far an operation is: the one that is named if it is known, else the latest.
    pub async fn poll(
        &self,
        _: &Caller,
        subject: Subject,
        named: Option<OperationId>,
    ) -> Result<Polled, BrokerError> {
        match self.store.operation(subject, named).await? {
            Lookup::Found(operation)
                if operation.kind.removes() && operation.state == State::Succeeded =>
            {
                Ok(Polled::Gone)
            }
            Lookup::Found(operation) => Ok(Polled::At(operation.state, operation.description)),
            Lookup::Absent => Err(BrokerError::OperationNotFound),
            Lookup::Unknowable => Ok(Polled::Gone),
        }
    }
}
