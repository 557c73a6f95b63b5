//! A bind as a platform would send it, put together from a few flags.

use clap::Args;
use serde_json::{Value, json};

use crate::app;
use crate::cli::plans::{caller, choose};
use crate::domain::answer::BindingAnswer;
use crate::domain::broker::{self, Bind, Provision};
use crate::domain::catalog::Catalog;
use crate::domain::error::BrokerError;
use crate::domain::id::{BindingId, InstanceId};
use crate::domain::json::Object;
use crate::domain::offering::Chosen;
use crate::secret::Secret;

pub(in crate::cli) const ORGANIZATION: &str = "00000000-0000-4000-8000-00000000000a";
pub(in crate::cli) const SPACE: &str = "00000000-0000-4000-8000-00000000000b";

/// What the bind is for.
#[derive(Args, Debug)]
pub(super) struct Request {
    /// The app that is bound, by its id; what happens where nothing else is said
    #[arg(
        long,
        value_name = "GUID",
        requires = "bind",
        default_value = "00000000-0000-4000-8000-00000000000c"
    )]
    app: String,
    /// Bind a route in place of an app: a host with a path
    #[arg(long, value_name = "ROUTE", requires = "bind", conflicts_with_all = ["app", "key"])]
    route: Option<String>,
    /// Make a service key: a binding for no app
    #[arg(long, requires = "bind", conflicts_with = "app")]
    key: bool,
    /// Parameters of the bind
    #[arg(long, value_name = "JSON", requires = "bind", value_parser = object)]
    parameters: Option<Object>,
    /// Parameters that the instance was provisioned with
    #[arg(long, value_name = "JSON", requires = "bind", value_parser = object)]
    instance_parameters: Option<Object>,
    /// The platform that asks
    #[arg(
        long,
        value_name = "NAME",
        requires = "bind",
        default_value = "cloudfoundry"
    )]
    platform: String,
    /// The id of the instance
    #[arg(long, value_name = "ID", requires = "bind", default_value = "00000000-0000-4000-8000-000000000001", value_parser = InstanceId::parse)]
    instance_id: InstanceId,
    /// The id of the binding
    #[arg(long, value_name = "ID", requires = "bind", default_value = "00000000-0000-4000-8000-000000000002", value_parser = BindingId::parse)]
    binding_id: BindingId,
}

/// Why there is no answer.
pub(super) enum Problem {
    /// Nothing was asked that could be answered.
    Usage(String),
    /// A platform would be refused too.
    Refused(String),
}

/// A JSON object, as it is typed.
pub(in crate::cli) fn object(text: &str) -> Result<Object, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("is JSON, but no object".to_owned()),
        Err(error) => Err(format!("is no JSON: {error}")),
    }
}

/// What a bind of the plan would return.
pub(super) fn answer(
    catalog: &Catalog,
    plan: &str,
    request: &Request,
) -> Result<Secret<BindingAnswer>, Problem> {
    let chosen = choose(catalog, plan).map_err(Problem::Usage)?;
    broker::preview(
        catalog,
        &caller("render"),
        (&request.instance_id, &request.provision(chosen)),
        (&request.binding_id, &request.bind(chosen)),
        app::clock(),
    )
    .map_err(|error| Problem::Refused(reason(&error)))
}

/// A platform is not told which template failed; an operator is.
fn reason(error: &BrokerError) -> String {
    match error {
        BrokerError::Render(error) | BrokerError::ParametersUnusable(error) => error.to_string(),
        other => format!("the bind would be refused: {other}"),
    }
}

impl Request {
    fn provision(&self, chosen: Chosen<'_>) -> Provision {
        Provision {
            service_id: chosen.offering.id.clone(),
            plan_id: chosen.plan.id.clone(),
            organization: ORGANIZATION.to_owned(),
            space: SPACE.to_owned(),
            context: Secret::new(self.context()),
            parameters: Secret::new(self.instance_parameters.clone().unwrap_or_default()),
            maintenance_version: None,
            accepts_incomplete: false,
        }
    }

    fn bind(&self, chosen: Chosen<'_>) -> Bind {
        Bind {
            named: Some((chosen.offering.id.clone(), chosen.plan.id.clone())),
            predecessor: None,
            context: Some(Secret::new(self.context())),
            bind_resource: Some(self.resource().into()),
            parameters: self.parameters.clone().map(Secret::new),
            accepts_incomplete: false,
        }
    }

    fn resource(&self) -> Object {
        fields(match &self.route {
            Some(route) => vec![("route", route.as_str())],
            None if self.key => vec![],
            None => vec![("app_guid", self.app.as_str()), ("space_guid", SPACE)],
        })
    }

    fn context(&self) -> Object {
        let mut context = fields(vec![("platform", self.platform.as_str())]);
        if self.platform == "cloudfoundry" {
            context.extend(fields(vec![
                ("organization_guid", ORGANIZATION),
                ("space_guid", SPACE),
            ]));
        }
        context
    }
}

fn fields(fields: Vec<(&str, &str)>) -> Object {
    let value = |(key, text): (&str, &str)| (key.to_owned(), json!(text));
    fields.into_iter().map(value).collect()
}
