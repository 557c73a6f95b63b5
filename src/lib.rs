//! catalog-broker: a service broker that is configured, not programmed.

pub mod access;
pub mod app;
pub mod backend;
pub mod catalog;
pub mod cli;
pub mod document;
pub mod domain;
pub mod http;
pub mod secret;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod template;
