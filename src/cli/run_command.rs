//! `run-command`: the supervisor of one program. The broker starts it, nobody else has a use for it.

use super::{Exit, failed};
use crate::supervisor;

pub(super) fn run() -> Exit {
    match supervisor::run() {
        Ok(()) => Exit::Clean,
        Err(error) => failed(error),
    }
}
