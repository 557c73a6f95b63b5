//! What a server is reached by, and what can be wrong with that.

use std::fmt;
use std::time::Duration;

use crate::secret::Secret;

/// A server as it is written down.
#[derive(Clone, Debug)]
pub struct SqlSettings {
    /// The name under which its work queues.
    pub name: String,
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE` or `mysql://...`, as whoever may make logins and databases.
    pub server: Secret,
    /// Most connections of this broker to it at a time.
    pub connections: usize,
    /// How long connecting and each statement may take.
    pub timeout: Duration,
    /// How many attempts may run at once, over all brokers of one store; nothing is no limit.
    pub concurrency: Option<u32>,
}

impl SqlSettings {
    /// A server that all else is the default of.
    pub fn new(name: impl Into<String>, server: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            server: Secret::new(server.into()),
            connections: 4,
            timeout: Duration::from_secs(60),
            concurrency: None,
        }
    }
}

/// Why settings make no server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqlError {
    /// It is no URL of a kind of server that is known.
    Scheme,
    /// The URL leads nowhere; why, without any part of it.
    Address(String),
    /// Nothing can be done over no connection.
    NoConnections,
    /// A time that has passed before anything can be done.
    NoTime,
}

impl SqlError {
    /// The key that is to blame.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Scheme | Self::Address(_) => "server",
            Self::NoConnections => "connections",
            Self::NoTime => "timeout",
        }
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => out.write_str(
                "is no URL of a server that is known: give postgres://USER:PASSWORD@HOST:PORT/DATABASE, or mysql://...",
            ),
            Self::Address(why) => write!(out, "leads nowhere, for {why}"),
            Self::NoConnections => out.write_str("lets nothing connect: write 1 or more"),
            Self::NoTime => out.write_str("is no time at all: write 1s or more"),
        }
    }
}

impl std::error::Error for SqlError {}
