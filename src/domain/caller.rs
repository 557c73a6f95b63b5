//! Who a request comes from.

use core::net::IpAddr;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::scope::Scope;
use super::trace::Trace;
use super::version::ApiVersion;

/// The caller of the platform's API: every method of the `Broker` takes one.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The login's name in the settings, not its user name.
    pub login: Arc<str>,
    /// What it may see.
    pub scope: Scope,
    /// The version of the API that the platform speaks.
    pub api_version: ApiVersion,
    /// The platform's user behind the request, where one is named (specification, "Originating Identity").
    pub originating_identity: Option<OriginatingIdentity>,
    /// The platform's name for the request (specification, "Request Identity").
    pub request_identity: Option<Arc<str>>,
    /// The trace that the request is part of.
    pub trace: Option<Trace>,
    /// Where the request came from; nothing where there is none.
    pub peer: Option<Peer>,
}

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The other end of the connection.
    pub address: IpAddr,
    /// Who a proxy that is trusted says it has the request from.
    pub forwarded: Option<IpAddr>,
}

impl Peer {
    /// Whose address it is, as far as that is known.
    pub fn client(&self) -> IpAddr {
        self.forwarded.unwrap_or(self.address)
    }
}

/// A platform's user: personal data, so it prints the platform and the user's id alone.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct OriginatingIdentity {
    /// `cloudfoundry`, `kubernetes`, ...
    pub platform: String,
    /// What the platform says of its user.
    pub value: super::json::Object,
}

/// What is remembered of a caller whose operation goes on without it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asker {
    /// The login's name.
    pub login: String,
    /// The platform's user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub originating_identity: Option<OriginatingIdentity>,
    /// The platform's name for the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_identity: Option<String>,
    /// The trace that the request was part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
}

impl Asker {
    /// What lines of the log about the operation are found by, together with those of all others in its trace.
    pub fn trace_id(&self) -> Option<&str> {
        self.trace.as_ref().map(Trace::id)
    }
}

impl From<&Caller> for Asker {
    fn from(caller: &Caller) -> Self {
        Self {
            login: caller.login.as_ref().to_owned(),
            originating_identity: caller.originating_identity.clone(),
            request_identity: caller.request_identity.as_deref().map(str::to_owned),
            trace: caller.trace.clone(),
        }
    }
}

impl OriginatingIdentity {
    /// The user's id under the names that the profile gives it: `user_id` (Cloud Foundry), `uid` (Kubernetes).
    pub fn user_id(&self) -> Option<&str> {
        ["user_id", "uid", "username"]
            .iter()
            .find_map(|key| self.value.get(*key)?.as_str())
    }
}

impl fmt::Debug for OriginatingIdentity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.platform, self.user_id().unwrap_or("-"))
    }
}
