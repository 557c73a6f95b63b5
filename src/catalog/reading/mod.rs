//! From files to one document: parsed, overridden, its references resolved, its keys and types held against the table.

pub(super) mod folder;
pub(super) mod moves;
pub(super) mod overrides;
mod put;
pub(super) mod resolve;
pub(super) mod shape;
