//! catalog-broker: a service broker that is configured, not programmed.

pub mod secret;
pub mod template;
