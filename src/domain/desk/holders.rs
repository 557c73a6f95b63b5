//! Who holds which binding, since when, and whether the document still gives what they hold.

use serde_json::Value;

use super::{Desk, DeskError, Part};
use crate::domain::binding::Binding;
use crate::domain::broker::again::{self, Stuck};
use crate::domain::catalog::Catalog;
use crate::domain::instance::Instance;
use crate::domain::json::Object;
use crate::domain::ledger::BindingQuery;
use crate::domain::pool::{Lend, Pool};

/// How many bindings are read at once.
const PAGE: u32 = 500;

/// A binding, and whoever it is of.
#[derive(Clone, Debug)]
pub struct Holder {
    /// The instance.
    pub instance: Instance,
    /// The binding.
    pub binding: Binding,
    /// What it holds that the document no longer gives; nothing where nobody asked.
    pub changed: Option<Changed>,
}

/// What a binding holds that the document no longer gives: keys, never values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// The paths of what is different: `credentials.host`.
    pub paths: Vec<String>,
    /// Why nobody can say.
    pub unknown: Option<String>,
}

impl Desk {
    /// Bindings with who holds them, those first that were bound first. With a catalog only those that it does not give any
    /// more as they are, and those of which nobody can say.
    pub async fn holders(
        &self,
        query: BindingQuery,
        changed_by: Option<&Catalog>,
    ) -> Result<Part<Holder>, DeskError> {
        let most = usize::try_from(query.most).unwrap_or(usize::MAX);
        let mut items = Vec::new();
        let mut query = BindingQuery {
            most: PAGE,
            ..query
        };
        loop {
            let page = self.ledger.list_bindings(query.clone()).await?;
            let last = page.last().map(|(_, binding)| {
                let (instance, id) = (binding.instance_id.clone(), binding.id.clone());
                (binding.created_at, instance, id)
            });
            for (instance, binding) in page {
                let changed = changed_by.map(|catalog| changed(catalog, &instance, &binding));
                if changed.as_ref().is_some_and(Changed::is_nothing) {
                    continue;
                }
                if items.len() == most {
                    return Ok(Part { items, more: true });
                }
                items.push(Holder {
                    instance,
                    binding,
                    changed,
                });
            }
            match last {
                Some(last) => query.after = Some(last),
                None => return Ok(Part { items, more: false }),
            }
        }
    }
}

impl Changed {
    /// Whether there is nothing to tell.
    pub fn is_nothing(&self) -> bool {
        self.paths.is_empty() && self.unknown.is_none()
    }
}

/// A binding beside what the document makes of the same stored values. What was drawn cannot be drawn again, and what a
/// backend returned is what it returned then; of a pool it is known what it gives now.
fn changed(catalog: &Catalog, instance: &Instance, binding: &Binding) -> Changed {
    let details = binding.details.expose();
    if details.unmade {
        return Changed::default();
    }
    let again = match again::again(catalog, instance, binding) {
        Ok(again) => again,
        Err(stuck) => return Changed::unknown(&stuck),
    };
    let mut changed = Changed::default();
    let chosen = catalog.choose(&binding.service_id, &binding.plan_id).ok();
    let plan = chosen.map(|chosen| chosen.plan);
    // What a successor has of its predecessor is not the document's to give.
    let inherits = plan.map_or(&[][..], |plan| &plan.binding.inherits);
    let inherited = |name: &str| {
        details.predecessor.is_some() && inherits.iter().any(|inherited| inherited == name)
    };
    for (name, value) in &again.values {
        if !inherited(name) {
            let path = format!("values.{name}");
            differences(
                &path,
                details.values.get(name),
                Some(value),
                &mut changed.paths,
            );
        }
    }
    if let Some(pool) = plan.and_then(|plan| plan.backend.pool()) {
        let outputs = match pool.lend {
            Lend::Binding => &details.outputs,
            Lend::Instance => &instance.details.expose().outputs,
        };
        if !gives(pool, outputs) {
            changed.paths.push("outputs".to_owned());
        }
    }
    let drawn = |name: &str| again.drawn.iter().any(|field| field.name() == name);
    let names = details.answer.0.keys().chain(again.answer.0.keys());
    let mut names: Vec<&String> = names.filter(|name| !drawn(name)).collect();
    names.sort();
    names.dedup();
    for name in names {
        let (stored, now) = (details.answer.0.get(name), again.answer.0.get(name));
        differences(name, stored, now, &mut changed.paths);
    }
    changed
}

impl Changed {
    fn unknown(stuck: &Stuck) -> Self {
        Self {
            paths: Vec::new(),
            unknown: Some(stuck.to_string()),
        }
    }
}

/// Whether any entry of the pool is this.
fn gives(pool: &Pool, outputs: &Object) -> bool {
    let entries = pool.entries();
    entries.iter().any(|entry| {
        let credentials = pool.credentials(entry);
        credentials.is_some_and(|credentials| credentials.expose() == outputs)
    })
}

fn differences(path: &str, stored: Option<&Value>, now: Option<&Value>, into: &mut Vec<String>) {
    match (stored, now) {
        (Some(stored), Some(now)) if stored == now => {}
        (Some(Value::Object(stored)), Some(Value::Object(now))) => {
            let mut keys: Vec<&String> = stored.keys().chain(now.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let path = format!("{path}.{key}");
                differences(&path, stored.get(key), now.get(key), into);
            }
        }
        _ => into.push(path.to_owned()),
    }
}
