//! What carries operations out: one file or folder for each kind.

mod command;
mod contract;
mod fixed;
mod place;
mod pool;
mod sql;
mod webhook;

pub use command::{Command, CommandSettings};
pub use fixed::Fixed;
pub use pool::Prepared;
pub use sql::{
    Dialect, Sql, SqlError, SqlServer, SqlSettings, Statement, StatementError, StatementPart, Step,
    Steps,
};
pub use webhook::{Auth, ClientCertificate, Webhook, WebhookError, WebhookSettings};
