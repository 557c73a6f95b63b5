//! `instances list | show | forget`: what is in the store, beside a broker that serves it.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::desk::{Format, Purpose, StateName, at_desk, print_json, print_list, print_one};
use super::names::Names;
use super::output::print;
use super::{Exit, failed, veil};
use crate::domain::binding::Binding;
use crate::domain::desk::{Desk, DeskError};
use crate::domain::id::InstanceId;
use crate::domain::instance::Instance;
use crate::domain::ledger::{InstanceQuery, Listed};
use crate::domain::operation::LastOperation;
use crate::settings::Flags;

#[derive(Args, Debug)]
#[command(
    after_help = "The store is that of the settings; a broker may serve it meanwhile.

Exit status:
  0  done
  1  nothing found
  2  it could not be done

Examples:
  catalog-broker instances list --state failed
      what ended badly
  catalog-broker instances show 4f6a...
      one instance with its bindings, values as ***
  catalog-broker instances forget 4f6a... --yes
      it goes from the store, nothing is done in the world"
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List instances in the order of their ids
    List(List),
    /// Show one instance and its bindings
    Show(Show),
    /// Drop an instance and its bindings from the store; no backend acts, the platform is not told
    Forget(Forget),
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  catalog-broker instances list --plan shared-postgres/small --format json
  catalog-broker instances list --organization 8c1e... --state in-progress
  catalog-broker instances list --limit 500 --after 4f6a...")]
struct List {
    /// Of this offering, by id or by name
    #[arg(long, value_name = "ID_OR_NAME")]
    service: Option<String>,
    /// Of this plan, by id, by name, or as OFFERING/PLAN
    #[arg(long, value_name = "ID_OR_NAME")]
    plan: Option<String>,
    /// Of this organization
    #[arg(long, value_name = "GUID")]
    organization: Option<String>,
    /// Whose latest operation is this far
    #[arg(long, value_enum)]
    state: Option<StateName>,
    /// Those behind this id: the next page
    #[arg(long, value_name = "ID", value_parser = InstanceId::parse)]
    after: Option<InstanceId>,
    /// How many
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::People)]
    format: Format,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Parameters, context, credentials, outputs and all else that the store keeps under lock are shown by their keys,
their values as ***; --reveal shows them.

Examples:
  catalog-broker instances show 4f6a...
  catalog-broker instances show 4f6a... --reveal --format json"
)]
struct Show {
    /// The instance
    #[arg(value_parser = InstanceId::parse)]
    id: InstanceId,
    /// Show secrets
    #[arg(long)]
    reveal: bool,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::People)]
    format: Format,
}

#[derive(Args, Debug)]
#[command(
    after_help = "What its backend made stays in the world, and what runs for it loses its result. The platform is not told: there
the instance is purged (cf purge-service-instance), or deleted, which is answered with 410.

Examples:
  catalog-broker instances forget 4f6a...
      says what would go, and does nothing
  catalog-broker instances forget 4f6a... --yes"
)]
struct Forget {
    /// The instance
    #[arg(value_parser = InstanceId::parse)]
    id: InstanceId,
    /// Do it
    #[arg(long)]
    yes: bool,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::People)]
    format: Format,
}

impl Verb {
    const fn purpose(&self) -> Purpose {
        match self {
            Self::List(_) | Self::Show(_) => Purpose::Look,
            Self::Forget(_) => Purpose::Act,
        }
    }
}

pub(super) fn run(flags: &Flags, arguments: &Arguments) -> Exit {
    at_desk(
        flags,
        arguments.verb.purpose(),
        async |desk, names| match &arguments.verb {
            Verb::List(arguments) => list(desk, names, arguments).await,
            Verb::Show(arguments) => show(desk, names, arguments).await,
            Verb::Forget(arguments) => forget(desk, names, arguments).await,
        },
    )
}

async fn list(desk: &Desk, names: &Names, arguments: &List) -> Result<Exit, DeskError> {
    let query = match query(names, arguments) {
        Ok(query) => query,
        Err(why) => return Ok(failed(why)),
    };
    let found = desk.instances(query).await?;
    let next = found.items.last().filter(|_| found.more);
    let next = next.map(|last| last.id.to_string());
    let json = json!({
        "instances": found.items.iter().map(|listed| in_json(names, listed)).collect::<Value>(),
        "next": next,
    });
    let rows: Vec<Vec<String>> = found
        .items
        .iter()
        .map(|listed| in_row(names, listed))
        .collect();
    let header = [
        "id",
        "plan",
        "organization",
        "space",
        "state",
        "bindings",
        "changed",
    ];
    let more = next.map(|id| format!("there are more: --after {id}"));
    Ok(print_list(
        arguments.format,
        &json,
        (&header, &rows),
        more.as_deref(),
    ))
}

fn query(names: &Names, arguments: &List) -> Result<InstanceQuery, String> {
    Ok(InstanceQuery {
        service: arguments
            .service
            .as_deref()
            .map(|text| names.service_meant(text))
            .transpose()?,
        plan: arguments
            .plan
            .as_deref()
            .map(|text| names.plan_meant(text))
            .transpose()?,
        organization: arguments.organization.clone(),
        state: arguments.state.map(Into::into),
        after: arguments.after.clone(),
        most: arguments.limit,
        ..InstanceQuery::default()
    })
}

fn in_row(names: &Names, listed: &Listed) -> Vec<String> {
    vec![
        listed.id.to_string(),
        names.plan(&listed.service_id, &listed.plan_id),
        listed.organization.clone(),
        listed.space.clone(),
        standing(&listed.last_operation),
        listed.bindings.to_string(),
        listed.updated_at.to_string(),
    ]
}

/// `provision failed`.
fn standing(last: &LastOperation) -> String {
    format!("{} {}", last.kind, last.state)
}

fn in_json(names: &Names, listed: &Listed) -> Value {
    json!({
        "id": listed.id,
        "service_id": listed.service_id,
        "service": names.service(&listed.service_id),
        "plan_id": listed.plan_id,
        "plan": names.plan_alone(&listed.service_id, &listed.plan_id),
        "organization_guid": listed.organization,
        "space_guid": listed.space,
        "last_operation": operation(&listed.last_operation),
        "backend": listed.backend.as_deref(),
        "bindings": listed.bindings,
        "created_at": listed.created_at.to_string(),
        "updated_at": listed.updated_at.to_string(),
    })
}

fn operation(last: &LastOperation) -> Value {
    json!({ "id": last.id, "kind": last.kind.name(), "state": last.state.name() })
}

async fn show(desk: &Desk, names: &Names, arguments: &Show) -> Result<Exit, DeskError> {
    let (instance, bindings) = desk.instance(&arguments.id).await?;
    let mut json = instance_in_json(names, &instance, arguments.reveal);
    json["bindings"] = bindings
        .iter()
        .map(|binding| binding_in_json(binding, arguments.reveal))
        .collect();
    Ok(print_one(arguments.format, &json))
}

fn instance_in_json(names: &Names, instance: &Instance, reveal: bool) -> Value {
    let details = instance.details.expose();
    let seen = |value: Value| veil::shown(value, reveal);
    json!({
        "id": instance.id,
        "service_id": instance.service_id,
        "service": names.service(&instance.service_id),
        "plan_id": instance.plan_id,
        "plan": names.plan_alone(&instance.service_id, &instance.plan_id),
        "organization_guid": instance.organization,
        "space_guid": instance.space,
        "last_operation": operation(&instance.last_operation),
        "backend": instance.backend.as_deref(),
        "created_at": instance.created_at.to_string(),
        "updated_at": instance.updated_at.to_string(),
        "parameters": seen(details.parameters.clone().into()),
        "context": seen(details.context.clone().into()),
        "values": seen(details.values.clone().into()),
        "outputs": seen(details.outputs.clone().into()),
        "backend_state": seen(json!(details.state)),
        "dashboard_url": seen(json!(details.answer.dashboard_url)),
        "metadata": seen(json!(details.answer.metadata)),
        "adopted": details.adopted,
        "maintenance_version": details.maintenance_version,
        "key_version": details.key_version,
        "former_plans": details.former_plans,
    })
}

fn binding_in_json(binding: &Binding, reveal: bool) -> Value {
    let details = binding.details.expose();
    let seen = |value: Value| veil::shown(value, reveal);
    let mut json = json!({
        "id": binding.id,
        "app_guid": binding.app_guid,
        "plan_id": binding.plan_id,
        "last_operation": operation(&binding.last_operation),
        "created_at": binding.created_at.to_string(),
        "predecessor_binding_id": details.predecessor,
        "key_version": details.key_version,
        "parameters": seen(details.parameters.clone().into()),
        "context": seen(details.context.clone().into()),
        "bind_resource": seen(details.bind_resource.clone().into()),
        "values": seen(details.values.clone().into()),
        "outputs": seen(details.outputs.clone().into()),
        "backend_state": seen(json!(details.state)),
    });
    for (field, value) in &details.answer.0 {
        json[field.as_str()] = seen(value.clone());
    }
    json
}

async fn forget(desk: &Desk, names: &Names, arguments: &Forget) -> Result<Exit, DeskError> {
    let id = &arguments.id;
    if !arguments.yes {
        let (instance, bindings) = desk.instance(id).await?;
        return Ok(failed(format_args!(
            "{id} ({}, {}) would go with {} bindings, and nothing would be done in the world: say --yes to do it",
            names.plan(&instance.service_id, &instance.plan_id),
            standing(&instance.last_operation),
            bindings.len()
        )));
    }
    let gone = desk.forget(id).await?;
    Ok(match arguments.format {
        Format::Json => print_json(
            &json!({ "forgotten": id, "bindings": gone.bindings }),
            Exit::Clean,
        ),
        Format::People => print(
            &format!("{id} is forgotten, with {} bindings\n", gone.bindings),
            Exit::Clean,
        ),
    })
}
