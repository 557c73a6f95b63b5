//! Backend `pool`: nothing runs. The store lends an entry with the change that needs one, and takes it back with the change
//! that takes its holder away.

use crate::domain::backend::{Acting, Backend, Done, Outcome, Progress, Work};
use crate::domain::operation::Kind;
use crate::domain::pool::Pool;

/// Prepared credentials.
#[derive(Debug)]
pub struct Prepared(pub Pool);

impl Backend for Prepared {
    fn kind(&self) -> &'static str {
        "pool"
    }

    fn name(&self) -> &str {
        &self.0.name
    }

    fn carries_out(&self, _: Kind) -> bool {
        false
    }

    fn carry_out<'a>(&'a self, _: Work<'a>, _: &'a dyn Progress) -> Acting<'a> {
        Box::pin(std::future::ready(Outcome::Done(Done::default())))
    }

    fn pool(&self) -> Option<&Pool> {
        Some(&self.0)
    }
}
