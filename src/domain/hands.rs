//! The hands of a process, as its requests know them: a worker that has room takes an operation up with its recording, so
//! that nothing has to be written to find out who carries it out.
//!
//! That makes things quick, never right: where nobody has a hand free, or others are served first, an operation is recorded
//! without a lease, and whoever looks takes it up.

use std::fmt;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::store::{Hold, Taken};

/// Who carries operations out in this process.
pub trait Hands: Send + Sync {
    /// Room for one more attempt; nothing where there is none, or where what waits comes first.
    fn spare(&self) -> Option<Spare>;

    /// Carries out what was taken up with what [`Hands::spare`] gave.
    fn carry_out(self: Arc<Self>, taken: Taken, spare: Spare);
}

/// Room for one attempt: it is taken for as long as this lives.
#[derive(Debug)]
pub struct Spare {
    /// The lease to record the operation with.
    pub hold: Hold,
    /// The room.
    pub room: OwnedSemaphorePermit,
}

impl fmt::Debug for dyn Hands {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Hands")
    }
}
