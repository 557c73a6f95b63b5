//! `diff`: what a platform would see change between two published catalogs, and what would break of what lives.

mod fetch;
mod markdown;
mod source;
mod verdict;

use std::fmt::Write as _;

use clap::{Args, ValueEnum};

use super::output::print;
use super::remote::Entry;
use super::{Exit, failed};
use crate::domain::difference::{Difference, compare};
use crate::settings::Flags;
use source::Reader;
use verdict::Told;

#[derive(Args, Debug)]
#[command(after_help = "Each of OLD and NEW is one of
  - the URL of a running broker, of any make: its /v2/catalog is fetched
  - a file with a published catalog as JSON, as `render` prints it
  - a catalog document (a file, or a folder): it is rendered first, with the settings as they are here
The order of offerings, plans and keys is no difference. Secrets are not shown, only that they differ.

With --store URL (or --guard, and the store of the settings) the change is held against what lives in that store, beside
a broker that may serve it: by the rules that a broker refuses a catalog by, with how many instances of which
organizations. --allow-breaking RULE passes over one. What is published says nothing of backends and hidden plans: for
these rules OLD and NEW have to be documents.

Exit status:
  0  the same
  1  different
  2  one of them, or the store, cannot be read
  3  something that lives in the store would break: a broker would refuse NEW after OLD

Examples:
  catalog-broker diff https://broker.example.com catalog.yaml --username platform --password-file pw
      what a platform would see change if this document were deployed
  catalog-broker diff old.json new.json --format json
      for a script
  catalog-broker diff main/catalog.yaml catalog.yaml --store postgres://broker@db/broker --format markdown
      for the page of a pull request, with what would break
  catalog-broker diff https://admin@blue.example.com https://admin@green.example.com --password-file pw
      two running brokers; the name in a URL goes before --username. A password in a URL works, but
      other users of this machine can read it

--ca FILE is for a broker whose certificate is not signed by an authority that browsers know.")]
pub(super) struct Arguments {
    /// The published catalog as it is: a file, or a broker's URL
    old: String,
    /// The published catalog as it would be: a file, or a broker's URL
    new: String,
    /// How differences are written
    #[arg(long, value_enum, default_value_t = Format::People)]
    format: Format,
    #[command(flatten)]
    entry: Entry,
    /// Say what would break of what lives in the settings' store; a store given with --store is looked into without it
    #[arg(long)]
    guard: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Sentences
    People,
    /// One JSON object: differences with kind, service, plan, path, old, new; and guard, where a store is looked into
    Json,
    /// Tables for the page of a pull request
    Markdown,
}

pub(super) fn run(flags: &Flags, arguments: &Arguments) -> Exit {
    let reader = Reader { flags, arguments };
    let (old, new) = match (reader.read(&arguments.old), reader.read(&arguments.new)) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => {
            for problem in [old.err(), new.err()].into_iter().flatten() {
                failed(problem);
            }
            return Exit::Failed;
        }
    };
    let differences = compare(&old.published, &new.published);
    let told = match verdict::of(flags, arguments.guard, &old, &new) {
        Ok(told) => told,
        Err(exit) => return exit,
    };
    let text = match arguments.format {
        Format::People => {
            people(&differences) + &told.as_ref().map(Told::people).unwrap_or_default()
        }
        Format::Json => json(&differences, told.as_ref()),
        Format::Markdown => markdown::page(&differences, told.as_ref()),
    };
    let exit = if told.is_some_and(|told| told.refused) {
        Exit::Breaks
    } else if differences.is_empty() {
        Exit::Clean
    } else {
        Exit::Findings
    };
    print(&text, exit)
}

fn json(differences: &[Difference], told: Option<&Told>) -> String {
    let json = match told {
        Some(told) => serde_json::json!({ "differences": differences, "guard": told }),
        None => serde_json::json!({ "differences": differences }),
    };
    format!("{json:#}\n")
}

fn people(differences: &[Difference]) -> String {
    let mut text = String::new();
    for difference in differences {
        let _ = writeln!(text, "{difference}");
    }
    text + &match differences.len() {
        0 => "no difference\n".to_owned(),
        1 => "1 difference\n".to_owned(),
        count => format!("{count} differences\n"),
    }
}
