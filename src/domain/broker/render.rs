//! The plan's templates with the names of one request: made once, then stored.

use serde_json::Value;

use crate::domain::answer::{BindingAnswer, InstanceAnswer};
use crate::domain::binding::BindingDetails;
use crate::domain::caller::Caller;
use crate::domain::id::{BindingId, InstanceId};
use crate::domain::instance::InstanceDetails;
use crate::domain::json::Object;
use crate::domain::offering::Chosen;
use crate::domain::time::Timestamp;
use crate::template::{self, Draw, Named, RenderError, Scope, Tree};

/// What templates of an instance may name.
#[derive(Clone, Copy)]
pub(super) struct InstanceScope<'a> {
    pub(super) caller: &'a Caller,
    pub(super) chosen: Chosen<'a>,
    pub(super) id: &'a InstanceId,
    pub(super) organization: &'a str,
    pub(super) space: &'a str,
}

/// What templates of a binding may name.
pub(super) struct BindingScope<'a> {
    pub(super) instance: InstanceScope<'a>,
    pub(super) details: &'a InstanceDetails,
    pub(super) id: &'a BindingId,
}

impl<'a> InstanceScope<'a> {
    /// `instance.values`, once, at provision.
    pub(super) fn values(
        &self,
        details: &InstanceDetails,
        now: Timestamp,
    ) -> Result<Object, RenderError> {
        let tree = self.chosen.plan.instance.values.as_ref();
        object(
            tree,
            "instance.values",
            &self.scope(details, None),
            &Draw::new(now.0),
        )
    }

    /// What the platform is answered.
    pub(super) fn answer(
        &self,
        details: &InstanceDetails,
        now: Timestamp,
    ) -> Result<InstanceAnswer, RenderError> {
        let template = &self.chosen.plan.instance;
        let scope = self.scope(details, None);
        let draw = Draw::new(now.0);
        let dashboard_url = match render(
            template.dashboard_url.as_ref(),
            "instance.dashboard_url",
            &scope,
            &draw,
        )? {
            None => None,
            Some(Value::String(url)) => Some(url),
            Some(_) => return Err(RenderError::mistyped("instance.dashboard_url", "a string")),
        };
        let metadata = match render(
            template.metadata.as_ref(),
            "instance.metadata",
            &scope,
            &draw,
        )? {
            None => None,
            Some(Value::Object(metadata)) => Some(metadata),
            Some(_) => return Err(RenderError::mistyped("instance.metadata", "a map")),
        };
        Ok(InstanceAnswer {
            dashboard_url,
            metadata,
        })
    }

    fn scope<'s>(
        &'s self,
        details: &'s InstanceDetails,
        binding: Option<template::BindingScope<'s>>,
    ) -> Scope<'s>
    where
        'a: 's,
    {
        let Chosen { offering, plan } = self.chosen;
        let named = details.context.get("platform").and_then(Value::as_str);
        let identity = self.caller.originating_identity.as_ref();
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
            platform: named.or_else(|| identity.map(|identity| identity.platform.as_str())),
            instance: template::InstanceScope {
                id: self.id.as_str(),
                parameters: Some(&details.parameters),
                context: Some(&details.context),
                organization: Some(self.organization).filter(|guid| !guid.is_empty()),
                space: Some(self.space).filter(|guid| !guid.is_empty()),
                values: Some(&details.values),
                outputs: None,
            },
            binding,
        }
    }
}

impl BindingScope<'_> {
    /// `binding.values`, then the answer, once, at bind.
    pub(super) fn render(
        &self,
        details: &BindingDetails,
        now: Timestamp,
    ) -> Result<(Object, BindingAnswer), RenderError> {
        let template = &self.instance.chosen.plan.binding;
        let draw = Draw::new(now.0);
        let before = self.scope(details, None);
        let values = object(template.values.as_ref(), "binding.values", &before, &draw)?;
        let scope = self.scope(details, Some(&values));
        let mut answer = Object::new();
        for (field, tree) in &template.fields {
            let path = field.path();
            match render(Some(tree), path, &scope, &draw)? {
                Some(value) if field.takes(&value) => {
                    answer.insert(field.name().to_owned(), value);
                }
                Some(_) => return Err(RenderError::mistyped(path, field.kind())),
                None => {}
            }
        }
        Ok((values, BindingAnswer(answer)))
    }

    fn scope<'s>(&'s self, details: &'s BindingDetails, values: Option<&'s Object>) -> Scope<'s> {
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
                outputs: None,
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
        Some(_) => Err(RenderError::mistyped(path, "a map")),
    }
}
