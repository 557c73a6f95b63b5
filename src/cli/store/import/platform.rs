//! Cloud Foundry's own lists, as `cf curl` prints them: `/v3/service_instances` and `/v3/service_credential_bindings`;
//! and what these need to be understood: `/v3/service_plans` (the platform has ids of its own for plans) and `/v3/spaces`
//! (for the organization of each).

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::piece::{Piece, Source, What};
use crate::document::{Finding, Findings, Path, Place};
use crate::domain::json::Object;

/// What the lists say of each other's ids.
#[derive(Debug, Default)]
pub(super) struct Lists {
    // By the platform's id: the broker's.
    plans: HashMap<String, String>,
    organizations: HashMap<String, String>,
    // By instance: the platform's plan, the space, the name.
    instances: HashMap<String, Seen>,
    // What no broker made, or came to nothing: their bindings are passed over too.
    passed_over: HashSet<String>,
}

#[derive(Debug)]
struct Seen {
    plan: String,
    space: String,
    name: Option<String>,
}

const MORE: &str = "fetch all at once, as `cf curl '/v3/service_instances?per_page=5000'`, or each page into a file";

impl Lists {
    /// The pieces that a list has.
    pub(super) fn read(
        &mut self,
        source: &Source<'_>,
        list: &Value,
        findings: &mut Findings,
    ) -> Vec<Piece> {
        let pages = list
            .pointer("/pagination/total_pages")
            .and_then(Value::as_u64);
        if pages.is_some_and(|pages| pages > 1) && !list["pagination"]["next"].is_null() {
            let message = "the list goes on: this is not its last page";
            let place = source.place();
            findings.push(Finding::warning(
                "import-pages",
                &Path::root(),
                &place,
                message,
                MORE,
            ));
        }
        let resources = list["resources"].as_array().into_iter().flatten();
        let included = list["included"].as_object().into_iter();
        let included = included.flat_map(|lists| lists.values().filter_map(Value::as_array));
        let all = resources.chain(included.flatten());
        all.filter_map(|resource| self.resource(source, resource, findings))
            .collect()
    }

    fn resource(
        &mut self,
        source: &Source<'_>,
        resource: &Value,
        findings: &mut Findings,
    ) -> Option<Piece> {
        let id = resource["guid"].as_str()?;
        let place = source.place_of(id);
        if let Some(plan) = resource
            .pointer("/broker_catalog/id")
            .and_then(Value::as_str)
        {
            self.plans.insert(id.to_owned(), plan.to_owned());
        } else if let Some(organization) = related(resource, "organization") {
            self.organizations
                .insert(id.to_owned(), organization.to_owned());
        } else if let Some(instance) = related(resource, "service_instance") {
            return self.binding((id, instance), resource, place, findings);
        } else if let Some(plan) = related(resource, "service_plan") {
            return self.instance((id, plan), resource, place, findings);
        } else if resource["type"] == "user-provided" {
            self.passed_over.insert(id.to_owned());
        }
        None
    }

    fn instance(
        &mut self,
        (id, plan): (&str, &str),
        resource: &Value,
        place: Place,
        findings: &mut Findings,
    ) -> Option<Piece> {
        if !is_made(resource, &place, findings) {
            self.passed_over.insert(id.to_owned());
            return None;
        }
        let seen = Seen {
            plan: plan.to_owned(),
            space: related(resource, "space").unwrap_or_default().to_owned(),
            name: resource["name"].as_str().map(str::to_owned),
        };
        self.instances.insert(id.to_owned(), seen);
        let object = object(json!({ "id": id, "dashboard_url": resource["dashboard_url"] }));
        Some(Piece {
            what: What::Instance,
            place,
            object,
            listed: true,
        })
    }

    fn binding(
        &self,
        (id, instance): (&str, &str),
        resource: &Value,
        place: Place,
        findings: &mut Findings,
    ) -> Option<Piece> {
        if self.passed_over.contains(instance) || !is_made(resource, &place, findings) {
            return None;
        }
        let app = related(resource, "app");
        let object = object(json!({ "id": id, "instance_id": instance, "app_guid": app }));
        Some(Piece {
            what: What::Binding,
            place,
            object,
            listed: true,
        })
    }

    /// Puts in what other lists say: plan, space, organization, and the context that Cloud Foundry sends of them.
    pub(super) fn complete(&self, pieces: &mut Vec<Piece>) {
        pieces.retain(|piece| {
            !self
                .passed_over
                .contains(text(&piece.object, "instance_id"))
        });
        for piece in pieces.iter_mut().filter(|piece| piece.listed) {
            let id = match piece.what {
                What::Instance => text(&piece.object, "id"),
                What::Binding => text(&piece.object, "instance_id"),
            };
            let Some(seen) = self.instances.get(id) else {
                continue;
            };
            let known = match piece.what {
                What::Instance => self.of_instance(seen),
                What::Binding => self.of_binding(seen, text(&piece.object, "app_guid")),
            };
            for (key, value) in known {
                piece.object.insert(key, value);
            }
        }
    }

    fn of_instance(&self, seen: &Seen) -> Object {
        let mut known = object(json!({ "space_guid": seen.space, "context": self.context(seen) }));
        if let Some(organization) = self.organizations.get(&seen.space) {
            known.insert("organization_guid".to_owned(), organization.as_str().into());
        }
        if let Some(plan) = self.plans.get(&seen.plan) {
            known.insert("plan_id".to_owned(), plan.as_str().into());
        }
        known
    }

    fn of_binding(&self, seen: &Seen, app: &str) -> Object {
        let resource = match app {
            "" => json!({}),
            app => json!({ "app_guid": app, "space_guid": seen.space }),
        };
        object(json!({ "bind_resource": resource, "context": self.context(seen) }))
    }

    fn context(&self, seen: &Seen) -> Value {
        let mut context = object(json!({ "platform": "cloudfoundry", "space_guid": seen.space }));
        if let Some(organization) = self.organizations.get(&seen.space) {
            context.insert("organization_guid".to_owned(), organization.as_str().into());
        }
        if let Some(name) = &seen.name {
            context.insert("instance_name".to_owned(), name.as_str().into());
        }
        context.into()
    }
}

/// Whether it was made to its end, as far as the platform knows.
fn is_made(resource: &Value, place: &Place, findings: &mut Findings) -> bool {
    let last = &resource["last_operation"];
    let (kind, state) = (&last["type"], &last["state"]);
    if state == "in progress" || state == "initial" {
        let message = "an operation on it is in progress at the platform";
        let mend = "wait until it is over, then fetch the list again";
        findings.push(Finding::error(
            "import-in-progress",
            &Path::root(),
            place,
            message,
            mend,
        ));
        return false;
    }
    if kind == "create" && state == "failed" {
        let message = "it was never made to its end, so it is passed over";
        let mend = "delete it at the platform";
        findings.push(Finding::note(
            "import-failed",
            &Path::root(),
            place,
            message,
            mend,
        ));
        return false;
    }
    true
}

fn related<'a>(resource: &'a Value, name: &str) -> Option<&'a str> {
    resource["relationships"][name]["data"]["guid"].as_str()
}

fn text<'a>(object: &'a Object, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}
