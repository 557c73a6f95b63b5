//! Limits of offerings and plans as guards of a change, and what is said where one is reached.
//!
//! What is there already never meets them: a repeat, a failed create that is made anew, what is adopted or taken over.

use super::Provision;
use crate::domain::error::{BrokerError, Quota};
use crate::domain::guard::{AtMost, Guard, Scope, Within};
use crate::domain::id::{InstanceId, PlanId};
use crate::domain::instance::Instance;
use crate::domain::limits::Limits;
use crate::domain::offering::Chosen;
use crate::domain::operation::Kind;

/// For a new instance.
pub(super) fn to_provision(chosen: Chosen<'_>, request: &Provision) -> Vec<Guard> {
    let place = (&*request.organization, &*request.space);
    let mut guards = of_instances(chosen, None, &chosen.offering.limits, place);
    let plan = Some(&chosen.plan.id);
    guards.extend(of_instances(chosen, plan, &chosen.plan.limits, place));
    guards
}

/// For an instance that moves to a plan: it counts for its offering already.
pub(super) fn to_move(chosen: Chosen<'_>, instance: &Instance) -> Vec<Guard> {
    if instance.plan_id == chosen.plan.id {
        return Vec::new();
    }
    let place = (&*instance.organization, &*instance.space);
    let limits = &chosen.plan.limits;
    let mut guards = of_instances(chosen, Some(&chosen.plan.id), limits, place);
    // It comes with its bindings, and none is added.
    let bindings = limits.bindings_per_instance;
    guards.extend(bindings.map(|most| of_bindings(&instance.id, most)));
    guards
}

/// For a new binding.
pub(super) fn to_bind(chosen: Chosen<'_>, instance: &Instance) -> Vec<Guard> {
    let limits = [&chosen.offering.limits, &chosen.plan.limits];
    let most = limits
        .into_iter()
        .filter_map(|limits| limits.bindings_per_instance)
        .min();
    most.into_iter()
        .map(|most| of_bindings(&instance.id, most.saturating_sub(1)))
        .collect()
}

fn of_instances(
    chosen: Chosen<'_>,
    plan: Option<&PlanId>,
    limits: &Limits,
    (organization, space): (&str, &str),
) -> Vec<Guard> {
    let in_organization = Within::Organization(organization.to_owned());
    let in_space = Within::Space(space.to_owned());
    // Of what was adopted neither may be known.
    [
        (limits.instances, true, Within::Everywhere),
        (
            limits.per_organization,
            !organization.is_empty(),
            in_organization,
        ),
        (limits.per_space, !space.is_empty(), in_space),
    ]
    .into_iter()
    .filter(|(_, known, _)| *known)
    .filter_map(|(most, _, within)| {
        Some(Guard::AtMost(AtMost {
            scope: Scope::Instances {
                service_id: chosen.offering.id.clone(),
                plan_id: plan.cloned(),
                within,
            },
            others: most?.saturating_sub(1),
        }))
    })
    .collect()
}

fn of_bindings(instance: &InstanceId, others: u64) -> Guard {
    Guard::AtMost(AtMost {
        scope: Scope::Bindings(instance.clone()),
        others,
    })
}

/// What is said of a limit that is reached.
pub(super) fn exceeded(chosen: Chosen<'_>, kind: Kind, full: &AtMost) -> BrokerError {
    let (offering, plan) = (&chosen.offering, &chosen.plan);
    let of_offering = format!("The service `{}`", offering.name);
    let of_plan = format!(
        "The plan `{}` of the service `{}`",
        plan.name, offering.name
    );
    let (whose, what, most, by_offering) = match &full.scope {
        Scope::Instances {
            plan_id, within, ..
        } => {
            let what = match within {
                Within::Everywhere => "service instances",
                Within::Organization(_) => "service instances in one organization",
                Within::Space(_) => "service instances in one space",
            };
            let whose = match plan_id {
                Some(_) => of_plan,
                None => of_offering,
            };
            (whose, what, full.others + 1, plan_id.is_none())
        }
        Scope::Bindings(_) => {
            let most = full.others + u64::from(kind == Kind::Bind);
            let by_offering = plan.limits.bindings_per_instance != Some(most);
            let whose = if by_offering { of_offering } else { of_plan };
            (whose, "service bindings of one instance", most, by_offering)
        }
    };
    let plans = plan.limits.contact.as_ref().filter(|_| !by_offering);
    let contact = plans.or(offering.limits.contact.as_ref());
    let contact = contact.map_or("the operator of the broker", String::as_str);
    BrokerError::QuotaExceeded(
        kind,
        Quota(format!(
            "{whose} allows at most {most} {what}, failed ones among them, and they are there. Delete one that is not \
             needed, or ask for more: {contact}."
        )),
    )
}
