//! Backend `fixed`: nothing runs, the plan's `instance` and `binding` are the answer. The default.

use crate::domain::backend::{Acting, Backend, Done, Outcome, Progress, Work};
use crate::domain::operation::Kind;

/// Does nothing, at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fixed;

impl Backend for Fixed {
    fn kind(&self) -> &'static str {
        "fixed"
    }

    fn name(&self) -> &'static str {
        "fixed"
    }

    fn carries_out(&self, _: Kind) -> bool {
        false
    }

    // A plan that answers later all the same has its operations carried out too: there is nothing to do then either.
    fn carry_out<'a>(&'a self, _: Work<'a>, _: &'a dyn Progress) -> Acting<'a> {
        Box::pin(std::future::ready(Outcome::Done(Done::default())))
    }
}
