//! What a catalog may not break, at start and at each reload: plans whose instances only they can take away
//! (`plan-in-use`), and what lives by the catalog that was served last ([`crate::domain::breaking`]).

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::domain::breaking::{Breach, Hits, Rule, Served, breaches};
use crate::domain::catalog::Catalog;
use crate::domain::ledger::{KeyId, Ledger};
use crate::domain::store::{PlanInUse, StoreError};
use crate::settings::Breaking;
use crate::store::Keys;

/// The word for a plan that has left and is in use.
pub const PLAN_IN_USE: &str = "plan-in-use";

/// What has become of it.
pub const LEFT: &str =
    "it has left, and with it the backend that alone can take its instances away";

/// Holds catalogs against what lives in the store, if anything is remembered.
pub(super) struct Guard {
    pub ledger: Option<Arc<dyn Ledger>>,
    /// What may be broken.
    pub allowed: Vec<Breaking>,
}

/// What a catalog would break.
#[derive(Debug, Default)]
pub struct Broken {
    plans: Vec<PlanInUse>,
    breaches: Vec<Breach>,
}

/// What comes of a catalog that is held against what lives.
#[derive(Debug, Default)]
pub struct Verdict {
    /// What refuses it.
    pub refused: Broken,
    /// What would break as well and was allowed, or is a warning only.
    pub told: Broken,
}

impl Verdict {
    /// Of `new` after `old`, with what lives in `ledger`. Which plans take their instances away is known of a `catalog` alone:
    /// what is published does not say. Without a catalog before nothing has changed.
    pub async fn of(
        old: Option<&Served>,
        new: &Served,
        catalog: Option<&Catalog>,
        ledger: &dyn Ledger,
        allowed: &[Breaking],
    ) -> Result<Self, StoreError> {
        let all = Broken {
            plans: match catalog {
                Some(catalog) => catalog.lacks(ledger.plans_in_use().await?),
                None => Vec::new(),
            },
            breaches: match old {
                Some(old) => breaches(old, new, ledger).await?,
                None => Vec::new(),
            },
        };
        Ok(Self::parted(all, allowed))
    }

    fn parted(all: Broken, allowed: &[Breaking]) -> Self {
        let Broken { plans, breaches } = all;
        let is_allowed = |name: &str| allowed.iter().any(|allowed| allowed.name() == name);
        let (plans, told_plans) = if is_allowed(PLAN_IN_USE) {
            (Vec::new(), plans)
        } else {
            (plans, Vec::new())
        };
        let passes = |breach: &Breach| breach.rule.is_warning() || is_allowed(breach.rule.name());
        let (told, breaches): (Vec<Breach>, Vec<Breach>) = breaches.into_iter().partition(passes);
        Self {
            refused: Broken { plans, breaches },
            told: Broken {
                plans: told_plans,
                breaches: told,
            },
        }
    }
}

impl Guard {
    /// What `catalog` would break that nobody has allowed. What is allowed, and what is a warning only, goes to the log.
    pub(super) async fn check(&self, catalog: &Catalog) -> Result<Broken, StoreError> {
        let Verdict { refused, told } = self.verdict(catalog).await?;
        for plan in told.plans {
            log::warn!("{} (allowed)", in_use(&plan));
        }
        for breach in told.breaches {
            let allowed = if breach.rule.is_warning() {
                ""
            } else {
                " (allowed)"
            };
            log::warn!("{breach}{allowed}");
        }
        Ok(refused)
    }

    /// The same once more: what is allowed was told.
    pub(super) async fn check_again(&self, catalog: &Catalog) -> Result<Broken, StoreError> {
        Ok(self.verdict(catalog).await?.refused)
    }

    async fn verdict(&self, catalog: &Catalog) -> Result<Verdict, StoreError> {
        let Some(ledger) = &self.ledger else {
            return Ok(Verdict::default());
        };
        let (last, new) = (last_served(&**ledger).await?, Served::of(catalog));
        let last = last.as_ref();
        Verdict::of(last, &new, Some(catalog), &**ledger, &self.allowed).await
    }

    /// The keys that the store is sealed with and that are none of these: with them alone it could not be opened again.
    pub(super) async fn keys_gone(&self, given: &Keys) -> Result<Vec<KeyId>, StoreError> {
        let Some(ledger) = &self.ledger else {
            return Ok(Vec::new());
        };
        let mut sealed = ledger.sealed_with().await?;
        sealed.retain(|key| given.ids().all(|given| given != *key));
        Ok(sealed)
    }

    /// Lets the store get ready for limits, where there are any, so that no request waits for that. A store that is away
    /// counts all the same, only slower.
    pub(super) async fn get_ready(&self, catalog: &Catalog) {
        let Some(ledger) = self.ledger.as_ref().filter(|_| catalog.counts_instances()) else {
            return;
        };
        if let Err(why) = ledger.ready_to_count().await {
            log::warn!(
                "what limits are counted by could not be made, so that counting is slow: {why}"
            );
        }
    }

    /// Remembers what is served from now on. A store that is away keeps the catalog before: nothing is lost but a warning.
    pub(super) async fn keep(&self, catalog: &Catalog) {
        let Some(ledger) = &self.ledger else { return };
        let kept = match serde_json::to_vec(&Served::of(catalog)) {
            Ok(served) => ledger
                .keep_served(served)
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = kept {
            log::warn!(
                "what is served could not be noted, so the next change is held against what was noted before: {why}"
            );
        }
    }
}

/// What another version of the broker has kept may be of a form that this one does not know.
async fn last_served(ledger: &dyn Ledger) -> Result<Option<Served>, StoreError> {
    let Some(kept) = ledger.last_served().await? else {
        return Ok(None);
    };
    let read = serde_json::from_slice(&kept).inspect_err(|why| {
        log::warn!(
            "what was served last cannot be read, so this catalog is held against nothing but the plans in use: {why}"
        );
    });
    Ok(read.ok())
}

impl Broken {
    /// Whether there is nothing.
    pub const fn is_nothing(&self) -> bool {
        self.plans.is_empty() && self.breaches.is_empty()
    }

    /// The plans that have left and are in use.
    pub fn plans(&self) -> &[PlanInUse] {
        &self.plans
    }

    /// What breaks by another rule.
    pub fn breaches(&self) -> &[Breach] {
        &self.breaches
    }
}

impl Broken {
    /// What refuses a catalog, for who reads JSON: as `diff --format json` has it.
    pub(super) fn told(&self) -> Vec<Value> {
        let plans = self.plans.iter().map(|plan| {
            let place = (plan.service_id.as_str(), plan.plan_id.as_str());
            told(PLAN_IN_USE, place, LEFT, &plan.hits)
        });
        let breaches = self.breaches.iter().map(|breach| {
            let place = (&*breach.service, &*breach.plan);
            told(breach.rule.name(), place, &breach.change, &breach.hits)
        });
        plans.chain(breaches).collect()
    }
}

fn told(rule: &str, (service, plan): (&str, &str), change: &str, hits: &Hits) -> Value {
    let organizations = hits.organizations();
    let named = organizations.iter().map(
        |(organization, instances)| json!({ "organization": organization, "instances": instances }),
    );
    json!({
        "rule": rule,
        "service": service,
        "plan": plan,
        "change": change,
        "instances": hits.instances(),
        "organizations": organizations.len(),
        "hits": named.collect::<Vec<_>>(),
    })
}

/// Everything, a line each, and the way out.
impl fmt::Display for Broken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for plan in &self.plans {
            writeln!(out, "{}", in_use(plan))?;
        }
        for breach in &self.breaches {
            writeln!(out, "{breach}")?;
        }
        if !self.plans.is_empty() {
            out.write_str(PUT_BACK)?;
        }
        let mut rules: Vec<Rule> = Vec::new();
        for breach in &self.breaches {
            if !rules.contains(&breach.rule) {
                rules.push(breach.rule);
            }
        }
        if !rules.is_empty() {
            if !self.plans.is_empty() {
                out.write_str("\n")?;
            }
            out.write_str("Take back what breaks them. To serve it all the same:")?;
            for rule in rules {
                write!(out, " --allow-breaking {}", rule.name())?;
            }
        }
        Ok(())
    }
}

/// What an operator can do about plans that have left.
const PUT_BACK: &str = "Put them back: with `offered: false` a plan is hidden from platforms and still takes its \
    instances away, with its backend. To start without them all the same: \
    --allow-breaking plan-in-use. Then unbind and deprovision of these instances fail and touch nothing, and \
    `catalog-broker instances forget` drops them";

/// One of them, in a sentence.
fn in_use(plan: &PlanInUse) -> String {
    format!(
        "{PLAN_IN_USE}: the plan `{}` of the service `{}` has left the catalog, and with it the backend that alone can take \
         away what is left of it: {}",
        plan.plan_id, plan.service_id, plan.hits
    )
}
