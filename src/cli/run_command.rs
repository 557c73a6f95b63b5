//! `run-command`: the supervisor of one program. The broker starts it, nobody else has a use for it.

use super::{Exit, failed};
use crate::app;
use crate::supervisor;

pub(super) fn run() -> Exit {
    match supervisor::run(|| app::clock().0) {
        Ok(()) => Exit::Clean,
        Err(error) => failed(error),
    }
}
