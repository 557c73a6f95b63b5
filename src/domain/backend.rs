//! The door to what carries an operation out in the world.
//!
//! A plan owns its backend: after the look-up nobody needs a registry. A backend must stand being called again for the
//! same operation, from its start: a process may have died in the middle, or sleep and go on beside the next attempt. The
//! operation's id stays the same over all attempts, so that the world can tell.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde_json::Value;

use super::binding::Binding;
use super::caller::OriginatingIdentity;
use super::id::OperationId;
use super::instance::Instance;
use super::json::Object;
use super::offering::Chosen;
use super::operation::Kind;
use super::pool::Pool;
use super::render;
use super::time::{Clock, Timestamp};
use super::trace::Trace;
use crate::secret::Secret;
use crate::template::Scope;

/// What a backend's work gives back. Whoever drops it stops the work: a program is killed, a connection closed.
pub type Acting<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// What there is where a backend acts, by name, in each place that was looked at.
pub type Stock = BTreeMap<String, BTreeSet<String>>;

/// What a backend's look around gives back, or why it could not look.
pub type Looking<'a> = Pin<Box<dyn Future<Output = Option<Result<Stock, String>>> + Send + 'a>>;

/// What carries an operation out.
///
/// One method for all five kinds, not five: most backends do the same thing with another word in it.
pub trait Backend: fmt::Debug + Send + Sync {
    /// The word for it in the document.
    fn kind(&self) -> &'static str;

    /// The name under which its work queues: plans that share a backend share its limit.
    fn name(&self) -> &str;

    /// How many attempts may run at once, over all brokers of one store; nothing is no limit.
    fn concurrency(&self) -> Option<u32> {
        None
    }

    /// Whether it has anything to do for this kind of operation. What it has not is over with being recorded.
    fn carries_out(&self, kind: Kind) -> bool;

    /// The pool that it is, if it is one: what the store lends of.
    fn pool(&self) -> Option<&Pool> {
        None
    }

    /// What tells the place where it acts from others, and nothing of it: what was made in one place is not found in another.
    /// Nothing where it cannot tell.
    fn place(&self) -> Option<String> {
        None
    }

    /// Whose statements it runs, if it runs some: what those of one have made those of another do not know.
    fn statements(&self) -> Option<&str> {
        None
    }

    /// What there is where it acts, for who wants to see what these operations leave; nothing where it cannot tell.
    fn inventory<'a>(&'a self, works: &'a [Work<'a>]) -> Looking<'a> {
        let _ = works;
        Box::pin(std::future::ready(None))
    }

    /// One attempt.
    fn carry_out<'a>(&'a self, work: Work<'a>, progress: &'a dyn Progress) -> Acting<'a>;
}

/// Where a backend says how far it is while it runs.
pub trait Progress: Send + Sync {
    /// What the platform's user reads until there is something newer.
    fn say(&self, description: &str);
}

/// All that is known of an operation, for one attempt at it.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    /// The same in every attempt.
    pub operation: &'a OperationId,
    /// What to do.
    pub kind: Kind,
    /// Counts from 1, over all brokers; goes up with every attempt, so that a late one can be told from its successor.
    pub attempt: u32,
    /// When the operation was recorded.
    pub started_at: Timestamp,
    /// The end of the attempt's lease as it is when the work is handed over. What has not begun by then must not begin any
    /// more: another attempt may have.
    pub until: Timestamp,
    /// The offering and the plan: of an update, the plan that is moved to.
    pub chosen: Chosen<'a>,
    /// The instance as it will be when the operation is done.
    pub instance: &'a Instance,
    /// Of an update: what was before.
    pub previous: Option<Previous<'a>>,
    /// Of a bind or an unbind.
    pub binding: Option<&'a Binding>,
    /// Tells the time, for what is signed with it.
    pub clock: Clock,
    /// The platform's user who asked, where one was named.
    pub identity: Option<&'a OriginatingIdentity>,
    /// The attempt's place in the trace of the request that began the operation, where that was part of one.
    pub trace: Option<&'a Trace>,
}

/// What an update finds.
#[derive(Clone, Copy, Debug)]
pub struct Previous<'a> {
    /// The instance as it is.
    pub instance: &'a Instance,
    /// The name of its plan; nothing where that has left the document.
    pub plan_name: Option<&'a str>,
}

/// What came of an attempt.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is done.
    Done(Done),
    /// It is not to be done, and nothing was.
    Refused(Failure),
    /// It was not done, or by half.
    Failed(Failure),
    /// Not yet: another attempt.
    Again {
        /// Not before this time has passed; nothing leaves it to the broker.
        after: Option<Duration>,
        /// Why, for the user who polls meanwhile.
        description: Option<String>,
    },
}

/// What a backend returns when it is done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Done {
    /// For templates: `instance.outputs`, `binding.outputs`.
    pub outputs: Secret<Object>,
    /// For itself, next time; nothing keeps what it left before.
    pub state: Option<Secret<Value>>,
    /// For the user.
    pub description: Option<String>,
}

/// How a backend failed, for good, or what it will not do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Failure {
    /// A sentence for the user, without secrets.
    pub description: String,
    /// Of an update or a deprovision: whether the instance can still be used.
    pub instance_usable: Option<bool>,
    /// Of an update: whether it may be sent again.
    pub update_repeatable: Option<bool>,
}

impl From<String> for Failure {
    fn from(description: String) -> Self {
        Self {
            description,
            ..Self::default()
        }
    }
}

impl<'a> Work<'a> {
    /// What templates may name of it.
    pub fn scope(&self) -> Scope<'a> {
        render::scope_of(self)
    }

    /// What lines of the log are found by; `-` where there is no trace.
    pub fn trace_id(&self) -> &'a str {
        self.trace.map_or("-", Trace::id)
    }

    /// What the backend left last time it acted on the subject.
    pub fn state(&self) -> Option<&'a Value> {
        match (self.kind, self.binding) {
            (Kind::Bind | Kind::Unbind, Some(binding)) => binding.details.expose().state.as_ref(),
            _ => self.instance.details.expose().state.as_ref(),
        }
    }
}
