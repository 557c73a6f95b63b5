//! A binding whose end an operator decides: it is unbound as what has ended by itself is.

use super::{Desk, DeskError};
use crate::domain::catalog::Catalog;
use crate::domain::id::{BindingId, InstanceId, OperationId};
use crate::domain::store::{Begun, Lookup};
use crate::domain::unbinding::Unbinding;

/// How often a binding is looked at again that changed meanwhile.
const TRIES: usize = 3;

/// In place of a login, where none is known.
pub(super) const ASKER: &str = "operator";

impl Desk {
    /// Unbinds a binding that no platform asks to unbind: at once, or by a worker where its plan's backend acts. Whoever
    /// holds its credentials loses them.
    pub async fn expire(
        &self,
        catalog: &Catalog,
        instance: &InstanceId,
        id: &BindingId,
    ) -> Result<OperationId, DeskError> {
        let login = self.login.as_deref().unwrap_or(ASKER);
        for _ in 0..TRIES {
            let found = self.ledger.binding(instance.clone(), id.clone()).await?;
            let Lookup::Found((instance, Some(binding))) = found else {
                return Err(DeskError::NoBinding(instance.clone(), id.clone()));
            };
            let changes =
                instance.last_operation.in_progress() || binding.last_operation.in_progress();
            if changes {
                break;
            }
            let now = (self.clock)();
            let unbinding = Unbinding::of(catalog, &instance, &binding, login, now)?;
            match self.ledger.begin(unbinding.change()).await? {
                Begun::Done => {
                    self.tell(&unbinding.operation, "ended");
                    if let Some(event) = unbinding.happened(login) {
                        self.witness.happened(&event);
                    }
                    return Ok(unbinding.operation.id);
                }
                Begun::Busy => break,
                // It is looked at again.
                _ => {}
            }
        }
        Err(DeskError::BindingChanges(id.clone()))
    }
}
