//! `bindings`: who holds which credentials, since when, and which of them the document no longer gives. Never a secret.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::desk::{Format, Purpose, at_desk, print_json, print_list};
use super::names::Names;
use super::output::{complain, plain, print};
use super::{Exit, failed};
use crate::app;
use crate::document::measure;
use crate::domain::desk::holders::Holder;
use crate::domain::desk::{Desk, DeskError};
use crate::domain::json::Object;
use crate::domain::ledger::BindingQuery;
use crate::settings::Flags;

#[derive(Args, Debug)]
#[command(
    after_help = "The store is that of the settings; a broker may serve it meanwhile. Organization, space and app are told by their names
where the platform sent any. No secret is in it.

--changed renders each binding once more, of the values and outputs that are stored, and lists those that come out
differently, with the keys that differ, and those whose plan left the catalog. It cannot know what is drawn by chance, nor
what a backend would return today: that is taken to be as it was. Of a pool it is known whether an entry still gives it.

Exit status:
  0  done
  1  nothing found
  2  it could not be done

Examples:
  catalog-broker bindings --older-than 90d --plan shared-postgres/small
      who still has old credentials, the oldest first
  catalog-broker bindings --changed --format csv
      who must bind anew to get what the catalog says now"
)]
pub(super) struct Arguments {
    /// Bound so long ago or longer: 90d, 12h
    #[arg(long, value_name = "TIME", value_parser = age)]
    older_than: Option<Duration>,
    /// Those that hold what the document no longer gives
    #[arg(long)]
    changed: bool,
    /// Of this offering, by id or by name
    #[arg(long, value_name = "ID_OR_NAME")]
    service: Option<String>,
    /// Made with this plan, by id, by name, or as OFFERING/PLAN
    #[arg(long, value_name = "ID_OR_NAME")]
    plan: Option<String>,
    /// Of this organization
    #[arg(long, value_name = "GUID")]
    organization: Option<String>,
    /// How many
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    /// How it is written
    #[arg(long, value_enum, default_value_t = ListFormat::People)]
    format: ListFormat,
}

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ListFormat {
    /// A table
    People,
    /// For spreadsheets
    Csv,
    /// JSON
    Json,
}

fn age(text: &str) -> Result<Duration, String> {
    measure::duration(text)
        .ok_or_else(|| "give a whole number with s, m, h or d, as 90d".to_owned())
}

pub(super) fn run(flags: &Flags, arguments: &Arguments) -> Exit {
    at_desk(flags, Purpose::Look, async |desk, names| {
        list(desk, names, arguments).await
    })
}

async fn list(desk: &Desk, names: &Names, arguments: &Arguments) -> Result<Exit, DeskError> {
    let query = match query(names, arguments) {
        Ok(query) => query,
        Err(why) => return Ok(failed(why)),
    };
    let catalog = names.catalog();
    if arguments.changed && catalog.is_none() {
        return Ok(failed(
            "the catalog document cannot be read, so nothing can be held against it: catalog-broker check says why",
        ));
    }
    let found = desk
        .holders(query, catalog.filter(|_| arguments.changed))
        .await?;
    let more = found
        .more
        .then_some("there are more: a larger --limit shows them");
    let columns = if arguments.changed {
        COLUMNS
    } else {
        &COLUMNS[..COLUMNS.len() - 1]
    };
    let rows = found.items.iter().map(|holder| Row::of(names, holder));
    let rows: Vec<Row> = rows.collect();
    match arguments.format {
        ListFormat::Csv => {
            let exit = if rows.is_empty() {
                Exit::Findings
            } else {
                Exit::Clean
            };
            let exit = print(&csv(&rows, arguments.changed), exit);
            if let Some(more) = more {
                complain(more);
            }
            Ok(exit)
        }
        ListFormat::Json => {
            let json = json!({
                "bindings": rows.iter().map(Row::json).collect::<Value>(),
                "more": found.more,
            });
            let exit = if rows.is_empty() {
                Exit::Findings
            } else {
                Exit::Clean
            };
            Ok(print_json(&json, exit))
        }
        ListFormat::People => {
            let cells: Vec<Vec<String>> = rows.iter().map(|row| row.cells(columns.len())).collect();
            Ok(print_list(
                Format::People,
                &Value::Null,
                (columns, &cells),
                more,
            ))
        }
    }
}

fn query(names: &Names, arguments: &Arguments) -> Result<BindingQuery, String> {
    let service = arguments.service.as_deref();
    let plan = arguments.plan.as_deref();
    Ok(BindingQuery {
        service: service.map(|text| names.service_meant(text)).transpose()?,
        plan: plan.map(|text| names.plan_meant(text)).transpose()?,
        organization: arguments.organization.clone(),
        bound_by: arguments.older_than.map(|age| app::clock().earlier(age)),
        after: None,
        most: arguments.limit,
    })
}

const COLUMNS: &[&str] = &[
    "bound",
    "plan",
    "organization",
    "space",
    "app",
    "instance",
    "binding",
    "expires",
    "changed",
];

/// An id, and the name of it where the platform said one.
struct Called {
    id: Option<String>,
    name: Option<String>,
}

impl Called {
    fn shown(&self) -> String {
        let shown = self.name.as_ref().or(self.id.as_ref());
        shown.cloned().unwrap_or_else(|| "-".to_owned())
    }
}

/// A binding, as it is listed.
struct Row {
    bound_at: String,
    service: String,
    service_name: Option<String>,
    plan: Called,
    plan_shown: String,
    organization: Called,
    space: Called,
    app: Called,
    instance: Called,
    binding: String,
    expires_at: Option<String>,
    changed: Vec<String>,
    unknown: Option<String>,
}

impl Row {
    fn of(names: &Names, holder: &Holder) -> Self {
        let (instance, binding) = (&holder.instance, &holder.binding);
        let (service, plan) = (&binding.service_id, &binding.plan_id);
        let details = binding.details.expose();
        let known = &instance.details.expose().context;
        // What the platform said of the instance last is newer than what it said at the bind.
        let name = |keys: &[&str]| {
            let said = |context: &Object, key: &&str| {
                let text = context.get(*key)?.as_str()?;
                (!text.is_empty()).then(|| text.to_owned())
            };
            keys.iter()
                .find_map(|key| said(known, key).or_else(|| said(&details.context, key)))
        };
        let guid = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let changed = holder.changed.as_ref();
        Self {
            bound_at: binding.created_at.to_string(),
            service: service.to_string(),
            service_name: names.service(service),
            plan: Called {
                id: Some(plan.to_string()),
                name: names.plan_alone(service, plan),
            },
            plan_shown: names.plan(service, plan),
            organization: Called {
                id: guid(&instance.organization),
                name: name(&["organization_name"]),
            },
            space: Called {
                id: guid(&instance.space),
                name: name(&["space_name", "namespace"]),
            },
            app: Called {
                id: binding.app_guid.clone(),
                name: name(&["app_name"]),
            },
            instance: Called {
                id: Some(instance.id.to_string()),
                name: name(&["instance_name"]),
            },
            binding: binding.id.to_string(),
            expires_at: details.ends.map(|ends| ends.expires_at.to_string()),
            changed: changed
                .map(|changed| changed.paths.clone())
                .unwrap_or_default(),
            unknown: changed.and_then(|changed| changed.unknown.clone()),
        }
    }

    /// The first so many columns.
    fn cells(&self, columns: usize) -> Vec<String> {
        let mut cells = vec![
            self.bound_at.clone(),
            self.plan_shown.clone(),
            self.organization.shown(),
            self.space.shown(),
            self.app.shown(),
            self.instance.id.clone().unwrap_or_default(),
            self.binding.clone(),
            self.expires_at.clone().unwrap_or_else(|| "-".to_owned()),
            self.why(),
        ];
        cells.truncate(columns);
        cells
    }

    fn why(&self) -> String {
        self.unknown
            .clone()
            .unwrap_or_else(|| self.changed.join(", "))
    }

    fn json(&self) -> Value {
        json!({
            "binding_id": self.binding,
            "instance_id": self.instance.id,
            "instance_name": self.instance.name,
            "service_id": self.service,
            "service": self.service_name,
            "plan_id": self.plan.id,
            "plan": self.plan.name,
            "organization_guid": self.organization.id,
            "organization_name": self.organization.name,
            "space_guid": self.space.id,
            "space_name": self.space.name,
            "app_guid": self.app.id,
            "app_name": self.app.name,
            "bound_at": self.bound_at,
            "expires_at": self.expires_at,
            "changed": self.changed,
            "unknown": self.unknown,
        })
    }
}

/// RFC 4180, with ids and names in columns of their own.
fn csv(rows: &[Row], changed: bool) -> String {
    let mut header = vec![
        "bound_at",
        "plan",
        "organization_guid",
        "organization_name",
        "space_guid",
        "space_name",
        "app_guid",
        "app_name",
        "instance_id",
        "instance_name",
        "binding_id",
        "expires_at",
    ];
    header.extend(changed.then_some("changed"));
    let mut text = header.join(",") + "\r\n";
    for row in rows {
        let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
        let mut cells = vec![row.bound_at.clone(), row.plan_shown.clone()];
        for called in [&row.organization, &row.space, &row.app, &row.instance] {
            cells.extend([or_empty(&called.id), or_empty(&called.name)]);
        }
        cells.extend([row.binding.clone(), or_empty(&row.expires_at)]);
        cells.extend(changed.then(|| row.why()));
        let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

/// A cell that a spreadsheet takes for text: names are the platform's users' to choose.
fn cell(text: &str) -> String {
    let mut text = plain(text);
    if text.starts_with(['=', '+', '-', '@']) {
        text.insert(0, '\'');
    }
    if text.contains(['"', ',']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn a_cell_is_text_and_nothing_more() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"so\"", "\"say \"\"so\"\"\""),
            ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
            ("-1", "'-1"),
            ("two\nlines", "two\\nlines"),
            ("", ""),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}
