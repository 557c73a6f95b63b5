//! The API's bodies: requests into domain values, domain values into answers.
//!
//! Answers are built here field by field, so that a private key of the catalog cannot slip into one.

pub mod answer;
mod fields;
mod request;

pub(super) use request::{bind, provision, removal, update};
