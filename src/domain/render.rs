//! The plan's templates with the names of one request: made once, then stored.

use std::sync::Arc;

use serde_json::Value;

use crate::domain::answer::{BindingAnswer, BindingField, InstanceAnswer};
use crate::domain::backend::Work;
use crate::domain::binding::BindingDetails;
use crate::domain::caller::OriginatingIdentity;
use crate::domain::id::{BindingId, InstanceId};
use crate::domain::instance::InstanceDetails;
use crate::domain::json::Object;
use crate::domain::offering::{Chosen, Plan};
use crate::domain::operation::Kind;
use crate::domain::respond::Respond;
use crate::domain::time::Timestamp;
use crate::template::{self, Deriving, Draw, Function, Named, RenderError, Scope, Tree};

/// Whether the answer is rendered when the backend is done: where a 202 may be sent, it carries the answer already.
pub(super) fn waits_for_outputs(plan: &Plan, kind: Kind) -> bool {
    plan.responding.to(kind) == Respond::Sync
}

/// What templates of an instance may name.
#[derive(Clone, Copy)]
pub(super) struct InstanceScope<'a> {
    pub(super) identity: Option<&'a OriginatingIdentity>,
    pub(super) chosen: Chosen<'a>,
    pub(super) id: &'a InstanceId,
    pub(super) organization: &'a str,
    pub(super) space: &'a str,
}

/// What templates may name while a backend acts.
pub(super) fn scope_of<'a>(work: &Work<'a>) -> Scope<'a> {
    let instance = InstanceScope {
        identity: work.identity,
        chosen: work.chosen,
        id: &work.instance.id,
        organization: &work.instance.organization,
        space: &work.instance.space,
    };
    let details = work.instance.details.expose();
    match work.binding {
        None => instance.scope(details, None),
        Some(binding) => {
            let own = binding.details.expose();
            BindingScope {
                instance,
                details,
                id: &binding.id,
            }
            .scope(own, Some(&own.values))
        }
    }
}

/// What templates of a binding may name.
pub(super) struct BindingScope<'a> {
    pub(super) instance: InstanceScope<'a>,
    pub(super) details: &'a InstanceDetails,
    pub(super) id: &'a BindingId,
}

impl<'a> InstanceScope<'a> {
    /// `instance.values`, once, at provision; and the version of the key that all of it is derived with.
    pub(super) fn values(
        &self,
        details: &mut InstanceDetails,
        now: Timestamp,
    ) -> Result<(), RenderError> {
        let plan = self.chosen.plan;
        details.key_version = version(plan, details.key_version.take());
        let draw = self.draw(details.key_version.as_deref(), "", now);
        let tree = plan.instance.values.as_ref();
        details.values = object(tree, "instance.values", &self.scope(details, None), &draw)?;
        Ok(())
    }

    /// What there is to draw of: with the key of that version, else with the one that counts now.
    fn draw(&self, version: Option<&str>, binding: &str, now: Timestamp) -> Draw {
        let keys = self.chosen.plan.keys.as_ref();
        Draw::new(now.0).deriving(keys.map(|keys| Deriving {
            keys: Arc::clone(keys),
            version: version.map_or_else(|| Arc::clone(keys.current()), Arc::from),
            instance: self.id.as_str().into(),
            binding: binding.into(),
        }))
    }

    /// What the platform is answered.
    pub(super) fn answer(
        &self,
        details: &InstanceDetails,
        now: Timestamp,
    ) -> Result<InstanceAnswer, RenderError> {
        let template = &self.chosen.plan.instance;
        let scope = self.scope(details, None);
        let draw = self.draw(details.key_version.as_deref(), "", now);
        let dashboard_url = match render(
            template.dashboard_url.as_ref(),
            "instance.dashboard_url",
            &scope,
            &draw,
        )? {
            None => None,
            Some(Value::String(url)) => Some(url),
            Some(_) => {
                let path = "instance.dashboard_url";
                return Err(mistyped(template.dashboard_url.as_ref(), path, "a string"));
            }
        };
        let metadata = match render(
            template.metadata.as_ref(),
            "instance.metadata",
            &scope,
            &draw,
        )? {
            None => None,
            Some(Value::Object(metadata)) => Some(metadata),
            Some(_) => {
                let path = "instance.metadata";
                return Err(mistyped(template.metadata.as_ref(), path, "a map"));
            }
        };
        Ok(InstanceAnswer {
            dashboard_url,
            metadata,
        })
    }

    fn scope<'s>(
        self,
        details: &'s InstanceDetails,
        binding: Option<template::BindingScope<'s>>,
    ) -> Scope<'s>
    where
        'a: 's,
    {
        let Chosen { offering, plan } = self.chosen;
        let named = details.context.get("platform").and_then(Value::as_str);
        Scope {
            service: Named {
                id: offering.id.as_str(),
                name: &offering.name,
            },
            plan: Named {
                id: plan.id.as_str(),
                name: &plan.name,
            },
            values: &plan.values,
            platform: named.or_else(|| self.identity.map(|identity| identity.platform.as_str())),
            instance: template::InstanceScope {
                id: self.id.as_str(),
                parameters: Some(&details.parameters),
                context: Some(&details.context),
                organization: Some(self.organization).filter(|guid| !guid.is_empty()),
                space: Some(self.space).filter(|guid| !guid.is_empty()),
                values: Some(&details.values),
                outputs: Some(&details.outputs),
                maintenance_version: details.maintenance_version.as_deref(),
            },
            binding,
            statement: None,
        }
    }
}

impl<'a> BindingScope<'a> {
    /// `binding.values`, once, at bind; and the version of the key that all of it is derived with.
    pub(super) fn values(
        &self,
        details: &mut BindingDetails,
        now: Timestamp,
    ) -> Result<(), RenderError> {
        let plan = self.instance.chosen.plan;
        details.key_version = version(plan, details.key_version.take());
        let draw = self.draw(details, now);
        let scope = self.scope(details, None);
        details.values = object(
            plan.binding.values.as_ref(),
            "binding.values",
            &scope,
            &draw,
        )?;
        Ok(())
    }

    fn draw(&self, details: &BindingDetails, now: Timestamp) -> Draw {
        let version = details.key_version.as_deref();
        self.instance.draw(version, self.id.as_str(), now)
    }

    /// What the platform is answered, once: at bind, or when the backend is done with it.
    pub(super) fn answer(
        &self,
        details: &BindingDetails,
        now: Timestamp,
    ) -> Result<BindingAnswer, RenderError> {
        self.fields(details, &self.draw(details, now), |_| true)
    }

    /// The fields once more, and those that are left out because they draw something.
    pub(super) fn answer_again(
        &self,
        details: &BindingDetails,
    ) -> Result<(BindingAnswer, Vec<BindingField>), RenderError> {
        let fields = self.instance.chosen.plan.binding.fields.iter();
        let drawn = fields
            .filter(|(_, tree)| !draws_nothing(tree))
            .map(|(field, _)| *field)
            .collect();
        let answer = self.fields(details, &self.draw(details, Timestamp(0)), draws_nothing)?;
        Ok((answer, drawn))
    }

    /// Those of `binding.values` that draw nothing, once more.
    pub(super) fn values_again(&self, details: &BindingDetails) -> Result<Object, RenderError> {
        let entries = match &self.instance.chosen.plan.binding.values {
            Some(Tree::Value(Value::Object(values))) => return Ok(values.clone()),
            Some(Tree::Map(entries)) => entries.as_slice(),
            _ => &[],
        };
        let scope = self.scope(details, None);
        let mut values = Object::new();
        for (name, tree) in entries.iter().filter(|(_, tree)| draws_nothing(tree)) {
            let path = format!("binding.values.{name}");
            if let Some(value) =
                render(Some(tree), &path, &scope, &self.draw(details, Timestamp(0)))?
            {
                values.insert(name.clone(), value);
            }
        }
        Ok(values)
    }

    fn fields(
        &self,
        details: &BindingDetails,
        draw: &Draw,
        which: impl Fn(&Tree) -> bool,
    ) -> Result<BindingAnswer, RenderError> {
        let scope = self.scope(details, Some(&details.values));
        let mut answer = Object::new();
        if let Some(ends) = &details.ends {
            let metadata = BindingField::Metadata.name();
            answer.insert(metadata.to_owned(), ends.metadata().into());
        }
        let fields = self.instance.chosen.plan.binding.fields.iter();
        for (field, tree) in fields.filter(|(_, tree)| which(tree)) {
            // What ends by its plan says nothing else of its end.
            if *field == BindingField::Metadata && details.ends.is_some() {
                continue;
            }
            let path = field.path();
            match render(Some(tree), path, &scope, draw)? {
                Some(value) if field.takes(&value) => {
                    answer.insert(field.name().to_owned(), value);
                }
                Some(_) => return Err(mistyped(Some(tree), path, field.kind())),
                None => {}
            }
        }
        Ok(BindingAnswer(answer))
    }

    fn scope<'s>(&self, details: &'s BindingDetails, values: Option<&'s Object>) -> Scope<'s>
    where
        'a: 's,
    {
        let mut scope = self.instance.scope(
            self.details,
            Some(template::BindingScope {
                id: self.id.as_str(),
                parameters: Some(&details.parameters),
                context: Some(&details.context),
                app_guid: details
                    .bind_resource
                    .get("app_guid")
                    .and_then(Value::as_str),
                bind_resource: Some(&details.bind_resource),
                values,
                outputs: Some(&details.outputs),
            }),
        );
        scope.platform = details
            .context
            .get("platform")
            .and_then(Value::as_str)
            .or(scope.platform);
        scope
    }
}

/// The version of the key that is derived with: the one that was begun with, else the one that counts now.
fn version(plan: &Plan, begun: Option<String>) -> Option<String> {
    begun.or_else(|| Some(plan.keys.as_ref()?.current().to_string()))
}

/// Whether it comes out the same each time: of what is derived it does.
fn draws_nothing(tree: &Tree) -> bool {
    let functions = tree.functions();
    functions
        .iter()
        .all(|function| !function.is_chance() && *function != Function::Now)
}

fn render(
    tree: Option<&Tree>,
    path: &str,
    scope: &Scope<'_>,
    draw: &Draw,
) -> Result<Option<Value>, RenderError> {
    tree.map_or(Ok(None), |tree| tree.render(scope, draw))
        .map_err(|error| error.below(path))
}

fn object(
    tree: Option<&Tree>,
    path: &str,
    scope: &Scope<'_>,
    draw: &Draw,
) -> Result<Object, RenderError> {
    match render(tree, path, scope, draw)? {
        None => Ok(Object::new()),
        Some(Value::Object(object)) => Ok(object),
        Some(_) => Err(mistyped(tree, path, "a map")),
    }
}

fn mistyped(tree: Option<&Tree>, path: &str, kind: &str) -> RenderError {
    let error = RenderError::mistyped(path, kind);
    match tree {
        Some(tree) => error.in_tree(tree),
        None => error,
    }
}
