//! `render`: what a platform would get, and where it all comes from.

mod explain;
pub(super) mod mask;
pub(super) mod preview;

use std::sync::Arc;

use clap::Args;

use super::loading::Surroundings;
use super::output::{complain, print, print_exact};
use super::{Exit, failed, findings};
use crate::catalog::Loaded;
use crate::domain::catalog::Catalog;
use crate::http::wire;
use crate::settings::Flags;

#[derive(Args, Debug)]
#[command(
    after_help = "The published catalog is printed as it is served, with the secret of a dashboard_client if it has one.
Of a bind's answer, credentials and whatever else may be a secret are printed as ***; --reveal prints them.

Exit status:
  0  done
  1  the catalog document has errors (or the bind would be refused)
  2  a file or a setting cannot be read, or there is no such plan

Examples:
  catalog-broker render
      the published catalog, byte for byte what GET /v2/catalog returns
  catalog-broker render --plan small --bind
      what a bind of that plan would return to an app
  catalog-broker render --plan shared-postgres/small --bind --key --parameters '{\"role\": \"reader\"}'
      the same for a service key with parameters; the offering's name tells two plans of one name apart
  catalog-broker render --explain
      where each setting and each value of the document comes from"
)]
pub(super) struct Arguments {
    /// A plan, by id, by name, or as OFFERING/PLAN
    #[arg(long, value_name = "ID_OR_NAME", requires = "bind")]
    plan: Option<String>,
    /// Show what a bind of the plan would return; nothing is made and nothing is remembered
    #[arg(long, requires = "plan")]
    bind: bool,
    #[command(flatten)]
    request: preview::Request,
    /// Show secrets
    #[arg(long, requires = "bind")]
    reveal: bool,
    /// Show where each setting and each value of the document comes from, without secrets
    #[arg(long, conflicts_with = "bind")]
    explain: bool,
}

pub(super) fn run(flags: &Flags, arguments: &Arguments) -> Exit {
    if arguments.explain {
        return explain::run(flags);
    }
    let surroundings = match Surroundings::read(flags) {
        Ok(surroundings) => surroundings,
        Err(exit) => return exit,
    };
    let catalog = match sound(surroundings.catalog()) {
        Ok(catalog) => catalog,
        Err(exit) => return exit,
    };
    match &arguments.plan {
        None => print_exact(&wire::answer::catalog(&catalog).to_string(), Exit::Clean),
        Some(plan) => bind(&catalog, plan, arguments),
    }
}

fn bind(catalog: &Catalog, plan: &str, arguments: &Arguments) -> Exit {
    let answer = match preview::answer(catalog, plan, &arguments.request) {
        Ok(answer) => answer.into_exposed().0,
        Err(preview::Problem::Usage(why)) => return failed(why),
        Err(preview::Problem::Refused(why)) => {
            complain(format_args!("catalog-broker: {why}"));
            return Exit::Findings;
        }
    };
    let answer = if arguments.reveal {
        answer.into()
    } else {
        mask::masked(answer)
    };
    print(&format!("{answer:#}\n"), Exit::Clean)
}

/// The catalog, where the document has no errors; all findings go to standard error.
pub(super) fn sound(loaded: Loaded) -> Result<Arc<Catalog>, Exit> {
    if !loaded.findings.is_empty() {
        complain(findings::listing(&loaded.findings).trim_end());
    }
    loaded
        .catalog
        .ok_or_else(|| super::check::verdict(&loaded.findings))
}
