//! The plan that a command is told of: by its id, its name, or offering and name.

use crate::domain::caller::Caller;
use crate::domain::catalog::Catalog;
use crate::domain::offering::Chosen;
use crate::domain::scope::Scope;
use crate::domain::version::ApiVersion;

/// The plan with that id, or the one with that name.
pub(super) fn choose<'c>(catalog: &'c Catalog, wanted: &str) -> Result<Chosen<'c>, String> {
    let all = catalog.offerings().iter().flat_map(|offering| {
        let plans = offering.plans.iter();
        plans.map(|plan| Chosen { offering, plan })
    });
    let all: Vec<Chosen<'c>> = all.collect();
    let full = |chosen: &Chosen<'_>| format!("{}/{}", chosen.offering.name, chosen.plan.name);
    let by = |is_it: &dyn Fn(&Chosen<'_>) -> bool| -> Vec<Chosen<'c>> {
        all.iter().copied().filter(|chosen| is_it(chosen)).collect()
    };
    let ways = [
        by(&|chosen| chosen.plan.id.as_str() == wanted),
        by(&|chosen| &*chosen.plan.name == wanted),
        by(&|chosen| full(chosen) == wanted),
    ];
    let found = ways.into_iter().find(|found| !found.is_empty());
    match found.as_deref() {
        Some([chosen]) => Ok(*chosen),
        Some(several) => Err(format!(
            "{wanted} is the name of several plans: say one of {}",
            names(several, full)
        )),
        None => Err(format!(
            "the catalog has no plan {wanted}: say one of {}",
            names(&all, full)
        )),
    }
}

fn names(plans: &[Chosen<'_>], name: impl Fn(&Chosen<'_>) -> String) -> String {
    plans.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// Who asks, where no platform does.
pub(super) fn caller(login: &str) -> Caller {
    Caller {
        login: login.into(),
        scope: Scope::All,
        api_version: ApiVersion {
            major: 2,
            minor: 17,
        },
        originating_identity: None,
        request_identity: None,
        peer: None,
        trace: None,
    }
}
