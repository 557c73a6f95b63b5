//! catalog-broker: a service broker that is configured, not programmed.

pub mod document;
pub mod secret;
