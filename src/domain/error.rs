//! What the broker refuses, as types. The words and codes for them belong to `http`.

use std::fmt;

use super::answer::BindTarget;
use super::id::{PlanId, ServiceId};
use super::operation::{Kind, Report};
use super::schema::Violation;
use super::store::StoreError;
use crate::template::RenderError;

/// Why a request was not carried out.
#[derive(Debug)]
pub enum BrokerError {
    /// No offering of the catalog has that id.
    ServiceNotInCatalog(ServiceId),
    /// The offering has no plan with that id.
    PlanNotInCatalog(ServiceId, PlanId),
    /// The instance's plan has left the catalog, so nothing can be made or changed of it.
    PlanWithdrawn(PlanId),
    /// The instance's plan has left the catalog, so its parameters cannot change.
    UpdateWithdrawn(PlanId),
    /// Instances of the plan cannot be bound.
    NotBindable(PlanId),
    /// Bindings of the plan have no successors.
    NotRotatable(PlanId),
    /// The predecessor is no binding of the instance, or has expired.
    PredecessorInvalid(&'static str),
    /// The instance is not there.
    InstanceNotFound,
    /// The binding is not there.
    BindingNotFound,
    /// Instances of the offering are not declared retrievable.
    InstancesNotRetrievable,
    /// Bindings of the offering are not declared retrievable.
    BindingsNotRetrievable,
    /// Nothing was asked of it that the store remembers.
    OperationNotFound,
    /// There is an instance with the id, made of another request.
    InstanceConflict,
    /// There is a binding with the id, made of another request.
    BindingConflict,
    /// The offering named is not that of the instance.
    ServiceMismatch,
    /// The plan named is not that of the instance.
    PlanMismatch,
    /// A name that a DELETE needs is missing or cannot be used.
    BadName(&'static str, NameProblem),
    /// The version named is not the catalog's.
    MaintenanceInfoConflict {
        /// What the catalog has for the plan, if anything.
        offered: Option<String>,
    },
    /// The plan that the instance has may not be changed for another.
    PlanChangeNotSupported,
    /// The plan is retired: it makes no instance, and takes none from another plan.
    PlanRetired {
        /// What was asked for.
        kind: Kind,
        /// Its name.
        plan: String,
        /// The plan to take instead.
        successor: Option<String>,
    },
    /// The plan that the instance has may be changed for these only.
    MoveNotAllowed {
        /// The name of the plan it has.
        from: String,
        /// The names of those it may have.
        to: Vec<String>,
    },
    /// The bind lacks what it must be for.
    Requires(BindTarget),
    /// The parameters break the plan's schema.
    ParametersInvalid(Vec<Violation>),
    /// There are as many as the limits allow.
    QuotaExceeded(Kind, Quota),
    /// Every entry of the pool is lent, or rests.
    PoolExhausted,
    /// Others changed the instance again and again while this request tried to.
    Concurrency,
    /// The plan answers with 202, and the platform does not say that it takes one.
    AsyncRequired,
    /// The instance was never made to its end, so nothing can be made or changed of it.
    InstanceNotUsable,
    /// The plan of the instance has left the catalog, and with it the backend that could act.
    BackendGone(PlanId),
    /// What was asked for in place takes longer than a request may; it goes on.
    StillRunning,
    /// The backend would not do it, and did nothing.
    Refused(Kind, Report),
    /// The backend failed at it.
    OperationFailed(Report),
    /// A template of the plan came to nothing usable.
    Render(RenderError),
    /// So did one that is made of parameters: others may do.
    ParametersUnusable(RenderError),
    /// The store could not answer.
    Store(StoreError),
    /// The system's random source gave nothing.
    Chance,
}

impl From<StoreError> for BrokerError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<RenderError> for BrokerError {
    fn from(error: RenderError) -> Self {
        if error.parameters().is_empty() {
            Self::Render(error)
        } else {
            Self::ParametersUnusable(error)
        }
    }
}

impl fmt::Display for BrokerError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServiceNotInCatalog(id) => write!(out, "The catalog has no service with id `{id}`. Fetch the catalog again and use a service_id of it."),
            Self::PlanNotInCatalog(service, plan) => write!(out, "The service `{service}` has no plan with id `{plan}` in the catalog. Fetch the catalog again and use a plan_id of that service."),
            Self::PlanWithdrawn(plan) | Self::UpdateWithdrawn(plan) => write!(out, "The plan `{plan}` of this service instance is no longer offered, so it can only be fetched, unbound and deprovisioned."),
            Self::NotBindable(plan) => write!(out, "Service instances of plan `{plan}` cannot be bound: the catalog declares it not bindable."),
            Self::NotRotatable(plan) => write!(out, "Service bindings of plan `{plan}` cannot be rotated: the catalog does not declare `binding_rotatable`. Create a new service binding instead."),
            Self::PredecessorInvalid(why) => write!(out, "The predecessor_binding_id {why}. Name a service binding of the same service instance that has not expired."),
            Self::InstanceNotFound => out.write_str("There is no such service instance."),
            Self::BindingNotFound => out.write_str("There is no such service binding."),
            Self::InstancesNotRetrievable => out.write_str("Service instances of this service cannot be fetched: the catalog does not declare `instances_retrievable`."),
            Self::BindingsNotRetrievable => out.write_str("Service bindings of this service cannot be fetched: the catalog does not declare `bindings_retrievable`."),
            Self::OperationNotFound => out.write_str("No operation of it is known: it was never asked for."),
            Self::InstanceConflict => out.write_str("A service instance with this id exists already with other attributes. Use another instance_id, or deprovision it first."),
            Self::BindingConflict => out.write_str("A service binding with this id exists already with other attributes. Use another binding_id, or unbind it first."),
            Self::ServiceMismatch => out.write_str("The service_id is not that of the service instance. Name the service that the service instance was provisioned with."),
            Self::PlanMismatch => out.write_str("The plan_id is not that of the service instance. Name the plan that the service instance has."),
            Self::BadName(name, problem) => write!(
                out,
                "The query parameter `{name}` {}. Send the id that the service instance was provisioned with, once.",
                match problem {
                    NameProblem::Missing => "is missing or empty",
                    NameProblem::Twice => "is given more than once",
                    NameProblem::Unreadable => "is not readable as an id",
                }
            ),
            Self::MaintenanceInfoConflict { offered: Some(version) } => write!(out, "The maintenance information for the requested plan has changed: its version is `{version}`. Fetch the catalog again."),
            Self::MaintenanceInfoConflict { offered: None } => out.write_str("The requested plan has no maintenance information. Fetch the catalog again."),
            Self::PlanChangeNotSupported => out.write_str("The plan of this service instance cannot be changed: the catalog does not declare it `plan_updateable`."),
            Self::PlanRetired { plan, successor: Some(successor), .. } => write!(out, "The plan `{plan}` is retired: its service instances go on, but there are no new ones. Use the plan `{successor}`."),
            Self::PlanRetired { plan, successor: None, .. } => write!(out, "The plan `{plan}` is retired: its service instances go on, but there are no new ones. Use another plan of the service."),
            Self::MoveNotAllowed { from, to } if to.is_empty() => write!(out, "The plan `{from}` of this service instance cannot be changed for another one."),
            Self::MoveNotAllowed { from, to } => write!(out, "The plan `{from}` of this service instance can be changed for these only: `{}`.", to.join("`, `")),
            Self::Requires(BindTarget::App) => out.write_str("This service supports generation of credentials through binding an application only. Send the `app_guid`."),
            Self::Requires(BindTarget::Route) => out.write_str("This service can be bound to a route only. Send `bind_resource.route`."),
            Self::ParametersInvalid(violations) => {
                out.write_str("The parameters do not fit the plan's schema: ")?;
                for (at, violation) in violations.iter().enumerate() {
                    write!(out, "{}{violation}", if at == 0 { "" } else { "; " })?;
                }
                out.write_str(".")
            }
            Self::QuotaExceeded(_, quota) => out.write_str(&quota.0),
            Self::PoolExhausted => out.write_str("All prepared credentials of this service plan are in use, or may not be used again yet. Delete a service binding or a service instance of it that is not needed, or ask the operator of the broker for more."),
            Self::Concurrency => out.write_str("Another operation for this service instance is in progress. Wait until it is done and send the request again."),
            Self::AsyncRequired => out.write_str("This service plan requires client support for asynchronous service operations. Send the request with `accepts_incomplete=true`."),
            Self::InstanceNotUsable => out.write_str("The service instance failed to be provisioned, so it can only be deprovisioned, or provisioned again by the same request."),
            Self::BackendGone(plan) => write!(out, "The plan `{plan}` of this service instance is no longer in the catalog, so nothing can be done about it. Ask the operator of the broker: the plan must come back, if only as one that is not offered."),
            Self::StillRunning => out.write_str("The operation takes longer than a request may last. It goes on: send the same request again to wait for it, or a delete to cancel it."),
            Self::Refused(_, report) => out.write_str(report.description.as_deref().unwrap_or("The service refused this.")),
            Self::OperationFailed(report) => out.write_str(report.description.as_deref().unwrap_or("The operation failed. Ask the operator of the broker: its log says more.")),
            Self::Render(_) => out.write_str("The broker could not make the answer out of the plan's templates. Ask the operator of the broker: its log names the place."),
            Self::ParametersUnusable(error) => {
                let names: Vec<String> = error.parameters().iter().map(|name| format!("`{name}`")).collect();
                write!(out, "The parameters cannot be used: {} is missing, or of a type or a value that the plan can make nothing of.", names.join(" or "))
            }
            Self::Store(_) => out.write_str("The broker cannot use its store at the moment. Send the request again later."),
            Self::Chance => out.write_str("The broker's system gave no random numbers. Send the request again later."),
        }
    }
}

impl std::error::Error for BrokerError {}

/// A limit that is reached, as a sentence: which one, and whom to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota(pub(super) String);

/// What can be wrong with a name in a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameProblem {
    /// It is missing or empty.
    Missing,
    /// It is given more than once.
    Twice,
    /// It is no UTF-8 or has control characters in it.
    Unreadable,
}
