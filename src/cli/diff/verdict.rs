//! `diff --store`: what the new catalog would break of what lives in a store, by the rules that a broker refuses a catalog
//! by.

use std::fmt::Write as _;

use serde::Serialize;

use super::source::Side;
use crate::app::{Broken, LEFT, PLAN_IN_USE, Verdict, ledgers};
use crate::cli::loading::Surroundings;
use crate::cli::output::plain;
use crate::cli::{Exit, failed};
use crate::domain::breaking::Hits;
use crate::settings::{Flags, StoreUrl};

/// All that there is to say of it.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    /// Whether a broker would refuse the catalog.
    pub refused: bool,
    pub breaches: Vec<Breach>,
}

/// One rule that is broken.
#[derive(Debug, Serialize)]
pub(super) struct Breach {
    pub rule: &'static str,
    pub outcome: Outcome,
    /// The offering: its name, or its id where the name has left.
    pub service: String,
    /// The plan: its name, or its id.
    pub plan: String,
    pub change: String,
    pub instances: u64,
    /// Of how many organizations.
    pub organizations: usize,
    /// Those with most instances first.
    pub hits: Vec<Hit>,
    #[serde(skip)]
    whom: Hits,
}

#[derive(Debug, Serialize)]
pub(super) struct Hit {
    pub organization: String,
    pub instances: u64,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    /// The catalog is refused.
    Refused,
    /// It would be, but for `--allow-breaking`.
    Allowed,
    /// The log says it.
    Warning,
}

impl Outcome {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Allowed => "allowed",
            Self::Warning => "warning",
        }
    }
}

/// How many organizations are named.
pub(super) const NAMED: usize = 5;

/// Holds the change against the store: the one of `--store`, or with `--guard` that of the settings. Without either no store
/// is opened.
pub(super) fn of(flags: &Flags, guard: bool, old: &Side, new: &Side) -> Result<Option<Told>, Exit> {
    if !guard && flags.store.is_none() {
        return Ok(None);
    }
    let surroundings = Surroundings::read_with_keys(flags)?;
    let settings = surroundings.loaded.settings;
    if !guard && settings.store.url == StoreUrl::None {
        return Ok(None);
    }
    let ledger = ledgers::beside(&settings.store).map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(format_args!("the system gave no runtime: {error}")))?;
    let verdict = runtime.block_on(async {
        let (old, served) = (Some(&old.served), &new.served);
        let catalog = new.catalog.as_deref();
        let allowed = &settings.allow_breaking;
        let verdict = Verdict::of(old, served, catalog, &*ledger, allowed).await;
        // Nothing was written.
        let _ = ledger.close().await;
        verdict
    });
    match verdict {
        Ok(verdict) => Ok(Some(Told::of(&verdict))),
        Err(why) => Err(failed(format_args!("what lives is not known: {why}"))),
    }
}

impl Told {
    fn of(verdict: &Verdict) -> Self {
        let mut breaches = Vec::new();
        breaches_of(&verdict.refused, |_| Outcome::Refused, &mut breaches);
        let told = |is_warning| {
            if is_warning {
                Outcome::Warning
            } else {
                Outcome::Allowed
            }
        };
        breaches_of(&verdict.told, told, &mut breaches);
        Self {
            refused: !verdict.refused.is_nothing(),
            breaches,
        }
    }

    /// The flags that would let it pass all the same.
    pub(super) fn way_out(&self) -> String {
        let mut rules: Vec<&str> = Vec::new();
        for breach in &self.breaches {
            if breach.outcome == Outcome::Refused && !rules.contains(&breach.rule) {
                rules.push(breach.rule);
            }
        }
        let flags = rules.iter().map(|rule| format!("--allow-breaking {rule}"));
        flags.collect::<Vec<_>>().join(" ")
    }

    /// A line each, and what comes of it.
    pub(super) fn people(&self) -> String {
        let mut text = String::from("\n");
        for breach in &self.breaches {
            let _ = writeln!(
                text,
                "{}: {}: {}/{}: {}; it would hit {}",
                breach.outcome.name(),
                breach.rule,
                plain(&breach.service),
                plain(&breach.plan),
                plain(&breach.change),
                plain(&breach.whom.to_string()),
            );
        }
        if self.refused {
            let _ = writeln!(
                text,
                "a broker refuses this catalog; to serve it all the same: {}",
                self.way_out()
            );
        } else if self.breaches.is_empty() {
            text.push_str("nothing that lives breaks\n");
        } else {
            text.push_str("a broker serves this catalog\n");
        }
        text
    }
}

fn breaches_of(broken: &Broken, outcome: impl Fn(bool) -> Outcome, breaches: &mut Vec<Breach>) {
    breaches.extend(broken.plans().iter().map(|plan| {
        let place = (plan.service_id.to_string(), plan.plan_id.to_string());
        Breach::new(PLAN_IN_USE, outcome(false), place, LEFT, plan.hits.clone())
    }));
    breaches.extend(broken.breaches().iter().map(|breach| {
        let outcome = outcome(breach.rule.is_warning());
        let place = (breach.service.clone(), breach.plan.clone());
        Breach::new(
            breach.rule.name(),
            outcome,
            place,
            &breach.change,
            breach.hits.clone(),
        )
    }));
}

impl Breach {
    fn new(
        rule: &'static str,
        outcome: Outcome,
        (service, plan): (String, String),
        change: &str,
        whom: Hits,
    ) -> Self {
        let hits = whom.organizations().into_iter();
        let hits = hits.map(|(organization, instances)| Hit {
            organization: organization.to_owned(),
            instances,
        });
        let hits: Vec<Hit> = hits.collect();
        Self {
            rule,
            outcome,
            service,
            plan,
            change: change.to_owned(),
            instances: whom.instances(),
            organizations: hits.len(),
            hits,
            whom,
        }
    }
}
