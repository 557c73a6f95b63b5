//! What is told of a change to those who keep account: who asked, from where, for what, and what was decided.

use super::caller::{Caller, OriginatingIdentity, Peer};
use super::id::{OperationId, PlanId, ServiceId};
use super::json::{Fingerprint, FingerprintKey, Object};
use super::operation::{Kind, Subject};

/// Whether account is kept of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// Nobody keeps it: nothing is to be gathered.
    None,
    /// It is.
    Kept,
    /// It is to be, and cannot be written at the moment.
    Behind,
}

/// Who asked.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// The login's name in the settings.
    pub login: &'a str,
    /// The platform's user, where one is named.
    pub identity: Option<&'a OriginatingIdentity>,
    /// The platform's name for the request.
    pub request_identity: Option<&'a str>,
    /// Where the request came from.
    pub peer: Option<Peer>,
}

impl<'a> From<&'a Caller> for Who<'a> {
    fn from(caller: &'a Caller) -> Self {
        Self {
            login: &caller.login,
            identity: caller.originating_identity.as_ref(),
            request_identity: caller.request_identity.as_deref(),
            peer: caller.peer,
        }
    }
}

/// What was asked for, as far as it is known: ids, and of the parameters no more than a keyed hash.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// The offering.
    pub service: Option<&'a ServiceId>,
    /// The plan; of an update, the one that is moved to.
    pub plan: Option<&'a PlanId>,
    /// The organization of the instance.
    pub organization: Option<&'a str>,
    /// The space of the instance.
    pub space: Option<&'a str>,
    /// The parameters, where the request had some.
    pub parameters: Option<Fingerprint>,
}

/// A change that the store has recorded, or may have.
#[derive(Debug)]
pub struct Began<'a> {
    /// Who asked.
    pub who: Who<'a>,
    /// The operation; nothing where nothing is remembered.
    pub operation: Option<&'a OperationId>,
    /// What is done.
    pub kind: Kind,
    /// To what.
    pub subject: &'a Subject,
    /// What was asked for.
    pub asked: Asked<'a>,
    /// How it stands.
    pub stands: Stands,
}

/// How a change stands when it is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// It was over with its recording.
    Over,
    /// It goes on.
    Goes,
    /// Its client went away while it was being recorded: it may have been, or not.
    Unknown,
}

/// A change that was refused: nothing was recorded. Ids are as the request had them, for they may be no ids at all.
#[derive(Debug)]
pub struct Denied<'a> {
    /// Who asked.
    pub who: Who<'a>,
    /// Whether it is a step of an operator, rather than what a platform asks for.
    pub is_step: bool,
    /// The operation that the step was about, or would have been.
    pub operation: Option<&'a OperationId>,
    /// What was asked for.
    pub kind: Kind,
    /// Of this instance.
    pub instance: &'a str,
    /// Of this binding.
    pub binding: Option<&'a str>,
    /// With this.
    pub asked: Asked<'a>,
    /// The status of the answer.
    pub status: u16,
    /// The word of the answer.
    pub error: &'a str,
}

/// The keyed hash of parameters: the same for the same ones, and nothing else is read from it. It is of another kind of
/// value than the fingerprints that the same key makes for a store.
pub fn of_parameters(key: &FingerprintKey, parameters: &Object) -> Fingerprint {
    key.of_kind("audit", parameters)
}
