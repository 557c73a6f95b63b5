//! Backend `fixed`: nothing runs, the plan's `instance` and `binding` are the answer. The default.

use crate::domain::backend::{Backend, Outcome};
use crate::domain::operation::Operation;

/// Does nothing, at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fixed;

impl Backend for Fixed {
    fn kind(&self) -> &'static str {
        "fixed"
    }

    fn carry_out(&self, _: &Operation) -> Outcome {
        Outcome::Done
    }
}
