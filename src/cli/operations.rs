//! `operations list | show | retry | give-up`: what was asked of the broker and how far it is, beside a broker that
//! serves it.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Exit;
use super::desk::{Format, Purpose, StateName, at_desk, print_json, print_list, print_one};
use super::output::print;
use crate::domain::desk::{Desk, DeskError};
use crate::domain::id::{BindingId, InstanceId, OperationId};
use crate::domain::ledger::{Entry, OperationQuery};
use crate::settings::Flags;

#[derive(Args, Debug)]
#[command(
    after_help = "The store is that of the settings; a broker may serve it meanwhile.

Exit status:
  0  done
  1  nothing found
  2  it could not be done

Examples:
  catalog-broker operations list --state in-progress
      what runs, or waits to
  catalog-broker operations retry 9b1c...
      mended what it failed at? its next attempt begins now
  catalog-broker operations give-up 9b1c... --because \"The database server is gone.\"
      its platform reads that it failed, and why"
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List operations, the newest first
    List(List),
    /// Show one operation
    Show(One),
    /// Let the next attempt of an operation begin now, its tries counted anew
    Retry(One),
    /// Let an operation fail now; what an attempt that runs comes to does not count any more
    GiveUp(GiveUp),
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  catalog-broker operations list --state in-progress --format json
  catalog-broker operations list --instance 4f6a...")]
struct List {
    /// This far
    #[arg(long, value_enum)]
    state: Option<StateName>,
    /// On this instance and its bindings
    #[arg(long, value_name = "ID", value_parser = InstanceId::parse)]
    instance: Option<InstanceId>,
    /// How many
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::People)]
    format: Format,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  catalog-broker operations show 9b1c...
  catalog-broker operations retry 9b1c...")]
struct One {
    /// The operation
    #[arg(value_parser = OperationId::parse)]
    id: OperationId,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::People)]
    format: Format,
}

#[derive(Args, Debug)]
#[command(
    after_help = "An attempt that runs is stopped as soon as its broker notices, and its result is refused. What begins next on the
same instance waits until that attempt has let go.

Examples:
  catalog-broker operations give-up 9b1c... --because \"The database server is gone.\""
)]
struct GiveUp {
    /// The operation
    #[arg(value_parser = OperationId::parse)]
    id: OperationId,
    /// What the platform's user reads
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "It was given up by the operator of the broker."
    )]
    because: String,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::People)]
    format: Format,
}

impl Verb {
    const fn purpose(&self) -> Purpose {
        match self {
            Self::List(_) | Self::Show(_) => Purpose::Look,
            Self::Retry(_) | Self::GiveUp(_) => Purpose::Act,
        }
    }
}

pub(super) fn run(flags: &Flags, arguments: &Arguments) -> Exit {
    at_desk(
        flags,
        arguments.verb.purpose(),
        async |desk, _| match &arguments.verb {
            Verb::List(arguments) => list(desk, arguments).await,
            Verb::Show(arguments) => {
                let entry = desk.operation(&arguments.id).await?;
                Ok(print_one(arguments.format, &in_json(&entry)))
            }
            Verb::Retry(arguments) => {
                desk.retry(&arguments.id).await?;
                told(arguments.format, desk, &arguments.id, "goes on now").await
            }
            Verb::GiveUp(arguments) => {
                desk.give_up(&arguments.id, &arguments.because).await?;
                told(arguments.format, desk, &arguments.id, "is given up").await
            }
        },
    )
}

/// What a step made of an operation.
async fn told(
    format: Format,
    desk: &Desk,
    id: &OperationId,
    what: &str,
) -> Result<Exit, DeskError> {
    Ok(match format {
        Format::People => print(&format!("{id} {what}\n"), Exit::Clean),
        Format::Json => print_json(&in_json(&desk.operation(id).await?), Exit::Clean),
    })
}

async fn list(desk: &Desk, arguments: &List) -> Result<Exit, DeskError> {
    let query = OperationQuery {
        state: arguments.state.map(Into::into),
        instance: arguments.instance.clone(),
        most: arguments.limit,
        ..OperationQuery::default()
    };
    let found = desk.operations(query).await?;
    let json = json!({
        "operations": found.items.iter().map(in_json).collect::<Value>(),
        "more": found.more,
    });
    let rows: Vec<Vec<String>> = found.items.iter().map(in_row).collect();
    let header = [
        "id", "kind", "instance", "binding", "state", "attempt", "tries", "started", "due", "owner",
    ];
    let more = found
        .more
        .then_some("there are older ones: a larger --limit shows them");
    Ok(print_list(arguments.format, &json, (&header, &rows), more))
}

fn in_row(entry: &Entry) -> Vec<String> {
    let operation = &entry.operation;
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    vec![
        operation.id.to_string(),
        operation.kind.to_string(),
        operation.subject.instance().to_string(),
        or_dash(operation.subject.binding().map(ToString::to_string)),
        operation.state.to_string(),
        entry.attempt.to_string(),
        entry.tries.to_string(),
        operation.started_at.to_string(),
        or_dash(entry.due_at.map(|at| at.to_string())),
        or_dash(entry.owner.as_deref().map(str::to_owned)),
    ]
}

/// What is told of an operation is told to platforms' users, so it is no secret.
pub(super) fn in_json(entry: &Entry) -> Value {
    let operation = &entry.operation;
    json!({
        "id": operation.id,
        "kind": operation.kind.name(),
        "instance_id": operation.subject.instance(),
        "binding_id": operation.subject.binding().map(BindingId::as_str),
        "state": operation.state.name(),
        "description": operation.report.description,
        "instance_usable": operation.report.instance_usable,
        "update_repeatable": operation.report.update_repeatable,
        "backend": entry.backend.as_deref(),
        "attempt": entry.attempt,
        "tries": entry.tries,
        "owner": entry.owner.as_deref(),
        "due_at": entry.due_at.map(|at| at.to_string()),
        "waits_for": entry.waits_for.as_ref().map(OperationId::as_str),
        "started_at": operation.started_at.to_string(),
        "finished_at": operation.finished_at.map(|at| at.to_string()),
    })
}
