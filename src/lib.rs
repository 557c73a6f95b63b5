//! catalog-broker: a service broker that is configured, not programmed.

pub mod backend;
pub mod catalog;
pub mod document;
pub mod domain;
pub mod secret;
pub mod store;
pub mod template;
