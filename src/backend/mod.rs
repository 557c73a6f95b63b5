//! What carries operations out: one file or folder for each kind.

mod contract;
mod fixed;
mod webhook;

pub use fixed::Fixed;
pub use webhook::{Auth, ClientCertificate, Webhook, WebhookError, WebhookSettings};
