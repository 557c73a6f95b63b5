//! `check --probe PLAN`: what carries the plan's operations out is tried, twice up and twice down, where it really acts.

use std::fmt::Write as _;

use serde_json::json;

use crate::app;
use crate::cli::output::{plain, print};
use crate::cli::plans::{caller, choose};
use crate::cli::{Exit, failed};
use crate::domain::broker::{self, Bind, Probed, Provision};
use crate::domain::catalog::Catalog;
use crate::domain::error::BrokerError;
use crate::domain::id::{BindingId, InstanceId, OperationId};
use crate::domain::json::Object;
use crate::domain::offering::Chosen;
use crate::domain::operation::Kind;
use crate::secret::Secret;

pub(super) fn run(catalog: &Catalog, plan: &str) -> Exit {
    let chosen = match choose(catalog, plan) {
        Ok(chosen) => chosen,
        Err(why) => return failed(why),
    };
    let backend = &chosen.plan.backend;
    if !Kind::ALL.into_iter().any(|kind| backend.carries_out(kind)) {
        return failed(format_args!(
            "nothing acts for the plan {}: there is nothing to try",
            chosen.plan.name
        ));
    }
    let system = actix_web::rt::System::new();
    let probed = match probe(&system, catalog, chosen) {
        Ok(probed) => probed,
        Err(Problem::System(why)) => return failed(why),
        // An operator is told which template failed.
        Err(Problem::Refused(BrokerError::Render(error))) => return failed(error),
        Err(Problem::Refused(error)) => return failed(error),
    };
    let exit = if is_clean(&probed) {
        Exit::Clean
    } else {
        Exit::Findings
    };
    print(&told(&probed, backend.kind()), exit)
}

enum Problem {
    System(&'static str),
    Refused(BrokerError),
}

fn probe(
    system: &actix_web::rt::SystemRunner,
    catalog: &Catalog,
    chosen: Chosen<'_>,
) -> Result<Probed, Problem> {
    let none = Problem::System(
        "the system gave no random numbers, and the ids of a probe are nobody else's",
    );
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|_| none)?;
    let id = format!("probe-{}", OperationId::from_random(bits));
    let none = |_| Problem::System("an id could not be made");
    let instance = InstanceId::parse(&id).map_err(none)?;
    let binding = BindingId::parse(&id).map_err(none)?;
    let (caller, provision, bind) = (caller("probe"), provision(chosen), bind(chosen));
    let asked = ((&instance, &provision), (&binding, &bind));
    let probed = broker::probe(catalog, &caller, asked.0, asked.1, app::clock);
    system.block_on(probed).map_err(Problem::Refused)
}

fn provision(chosen: Chosen<'_>) -> Provision {
    Provision {
        service_id: chosen.offering.id.clone(),
        plan_id: chosen.plan.id.clone(),
        organization: "probe".to_owned(),
        space: "probe".to_owned(),
        context: Secret::new(Object::new()),
        parameters: Secret::new(Object::new()),
        maintenance_version: None,
        accepts_incomplete: true,
    }
}

fn bind(chosen: Chosen<'_>) -> Bind {
    let resource = match json!({ "app_guid": "probe", "space_guid": "probe", "route": "probe.example.com" })
    {
        serde_json::Value::Object(resource) => resource,
        _ => Object::new(),
    };
    Bind {
        named: Some((chosen.offering.id.clone(), chosen.plan.id.clone())),
        bind_resource: Some(Secret::new(resource)),
        accepts_incomplete: true,
        ..Bind::default()
    }
}

fn is_clean(probed: &Probed) -> bool {
    let well = probed.tried.iter().all(|tried| tried.trouble.is_none());
    well && probed.blind.is_none() && probed.left.as_ref().is_none_or(Vec::is_empty)
}

fn told(probed: &Probed, kind: &str) -> String {
    let mut text = String::new();
    for tried in &probed.tried {
        let again = if tried.again { ", again" } else { "" };
        let how = tried
            .trouble
            .as_deref()
            .map_or_else(|| "done".to_owned(), plain);
        let _ = writeln!(text, "{}{again}: {how}", tried.kind);
    }
    if !probed.looked.is_empty() {
        let _ = writeln!(text, "looked at: {}", plain(&probed.looked.join(", ")));
    }
    match (&probed.left, &probed.blind) {
        (_, Some(why)) => {
            let _ = writeln!(text, "what is left could not be seen: {}", plain(why));
        }
        (Some(left), None) if left.is_empty() => text.push_str("nothing is left behind\n"),
        (Some(left), None) => {
            for name in left {
                let _ = writeln!(
                    text,
                    "left behind, or made by somebody else meanwhile: {}",
                    plain(name)
                );
            }
        }
        (None, None) => {
            let _ = writeln!(text, "a backend {kind} does not tell what is left behind");
        }
    }
    text
}
