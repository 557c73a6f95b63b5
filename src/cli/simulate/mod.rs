//! `simulate`: a whole life, as a platform would see it, with the document as it stands: real requests to a broker that
//! this process runs for the while, with a store that goes when it is over.

mod exchange;
mod life;
mod request;

use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::loading::Surroundings;
use super::output::{complain, print};
use super::plans::choose;
use super::render::sound;
use super::{Exit, failed};
use crate::app;
use crate::domain::offering::Chosen;
use crate::domain::operation::Kind;
use crate::settings::Flags;
use exchange::Exchange;
use life::Life;
use request::Request;

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  catalog-broker simulate bind --plan small
      what a platform asks and gets: catalog, provision, bind, fetch, unbind, deprovision
  catalog-broker simulate bind --plan acting --act
      the same, where the plan's backend really acts")]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show the requests and answers of the life of an instance with one binding
    Bind(BindArguments),
}

#[derive(Args, Debug)]
#[command(
    after_help = "The requests are real ones, to a broker that runs for the while on a port of this machine, with a store of its own
that is removed at the end: catalog, provision, fetch, bind, fetch, unbind, deprovision, and last_operation where the
broker answers later. Fetches are left out where the offering does not declare them. What a platform would do after a
refusal is done: what may have been made is taken away.

Of what is asked and answered, passwords, credentials and whatever else may be a secret are printed as ***; --reveal
prints them. A plan whose backend acts (command, webhook, sql) is simulated with --act alone, for then it really acts.

Exit status:
  0  all went well
  1  the document has errors, or something was refused or failed
  2  a file or a setting cannot be read, there is no such plan, or it acts and --act is not given

Examples:
  catalog-broker simulate bind --plan small
      a life without parameters
  catalog-broker simulate bind --plan shared-postgres/small --parameters '{\"role\": \"reader\"}' --reveal
      with parameters of the bind, and with what an app would get
  catalog-broker simulate bind --plan small --instance-parameters '{\"size\": 99}'
      what a user reads who asks for too much
  catalog-broker simulate bind --plan acting --act --format json
      with what the plan's backend does, for a script"
)]
struct BindArguments {
    /// A plan, by id, by name, or as OFFERING/PLAN
    #[arg(long, value_name = "ID_OR_NAME")]
    plan: String,
    #[command(flatten)]
    request: Request,
    /// Let the plan's backend act
    #[arg(long)]
    act: bool,
    /// Show secrets
    #[arg(long)]
    reveal: bool,
    /// How requests and answers are written
    #[arg(long, value_enum, default_value_t = Format::People)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// As they go over the wire
    People,
    /// One JSON object: exchanges with step, request, answer; and whether all went well
    Json,
}

pub(super) fn run(flags: &Flags, arguments: &Arguments) -> Exit {
    let What::Bind(arguments) = &arguments.what;
    let surroundings = match Surroundings::read(flags) {
        Ok(surroundings) => surroundings,
        Err(exit) => return exit,
    };
    let catalog = match sound(surroundings.catalog()) {
        Ok(catalog) => catalog,
        Err(exit) => return exit,
    };
    let life = match choose(&catalog, &arguments.plan) {
        Ok(chosen) => match of(chosen, arguments) {
            Ok(life) => life,
            Err(why) => return failed(why),
        },
        Err(why) => return failed(why),
    };
    let settings = &surroundings.loaded.settings;
    let (format, reveal) = (arguments.format, arguments.reveal);
    let talk = move |door: &app::Door| {
        let mut seen = Vec::new();
        let well = life.lived(door, &mut |exchange: Exchange| {
            let exchange = if reveal { exchange } else { exchange.masked() };
            if format == Format::People {
                print(&exchange.people(seen.is_empty()), Exit::Clean);
            }
            seen.push(exchange);
        });
        well.map(|well| (well, seen))
    };
    let system = actix_web::rt::System::new();
    match system.block_on(app::throwaway(settings, Arc::clone(&catalog), talk)) {
        Ok(Some(Ok((well, seen)))) => told(format, well, &seen),
        Ok(Some(Err(why))) => failed(why),
        Ok(None) => failed("stopped by a signal: what a backend has made meanwhile is left there"),
        Err(why) => failed(why),
    }
}

/// The life that is asked for, if it may be lived.
fn of(chosen: Chosen<'_>, arguments: &BindArguments) -> Result<Life, String> {
    let backend = &chosen.plan.backend;
    let acts: Vec<String> = [Kind::Provision, Kind::Bind, Kind::Unbind, Kind::Deprovision]
        .into_iter()
        .filter(|kind| backend.carries_out(*kind))
        .map(|kind| kind.to_string())
        .collect();
    if !acts.is_empty() && !arguments.act {
        return Err(format!(
            "the plan {} has a backend {} that acts outside of the broker: it would carry out {}. Nothing was run; with --act \
             it is",
            chosen.plan.name,
            backend.kind(),
            acts.join(", ")
        ));
    }
    Ok(Life::new(chosen, &arguments.request))
}

fn told(format: Format, well: bool, seen: &[Exchange]) -> Exit {
    let exit = if well { Exit::Clean } else { Exit::Findings };
    match format {
        Format::Json => {
            let exchanges: Vec<_> = seen.iter().map(Exchange::json).collect();
            let json = json!({ "well": well, "exchanges": exchanges });
            print(&format!("{json:#}\n"), exit)
        }
        Format::People => {
            if !well {
                complain("catalog-broker: something was refused or failed, see above");
            }
            exit
        }
    }
}
