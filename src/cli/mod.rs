//! The command line: one file a command. Written for operators: every `--help` says what for, and shows it.

mod audit;
mod bindings;
mod check;
mod completions;
mod derive;
mod desk;
mod diff;
mod findings;
mod health;
mod instances;
mod loading;
mod login;
mod names;
mod operations;
mod output;
mod plans;
mod reload;
mod remote;
mod render;
mod run_command;
mod schema;
mod serve;
mod simulate;
mod store;
mod table;
mod veil;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::settings::Flags;
use crate::supervisor::SUBCOMMAND;

/// What a command comes to, as the process says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, nothing to complain of.
    Clean,
    /// Done, and there is something to complain of: findings, differences.
    Findings,
    /// It could not be done.
    Failed,
    /// Done, and what lives would break.
    Breaks,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Clean => 0,
            Exit::Findings => 1,
            Exit::Failed => 2,
            Exit::Breaks => 3,
        })
    }
}

/// A service broker that is configured, not programmed: it serves the offering in catalog.yaml over the Open Service
/// Broker API 2.17 to Cloud Foundry, Korifi, or any other platform.
#[derive(Debug, Parser)]
#[command(
    name = "catalog-broker",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(after_help = "Examples:
  BROKER_AUTH__USERNAME=platform BROKER_AUTH__PASSWORD=... catalog-broker
      serve ./catalog.yaml on port 8080
  catalog-broker check
      say all that is wrong with ./catalog.yaml, with line and mend
  catalog-broker render --plan small --bind
      show what a bind of that plan would return")]
struct CommandLine {
    #[command(flatten, next_help_heading = "Settings, the same for every command")]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What every command takes.
#[derive(Args, Debug, Default)]
struct Common {
    /// The settings file; config/broker.yaml if it is there
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The catalog document: a file, or a folder of files
    #[arg(long, global = true, value_name = "PATH")]
    catalog: Option<PathBuf>,
    /// A file of values for references of the catalog; may be given several times
    #[arg(long, global = true, value_name = "FILE")]
    vars: Vec<PathBuf>,
    /// Where instances and bindings are remembered: sqlite:PATH, postgres://..., or none
    #[arg(long, global = true, value_name = "URL")]
    store: Option<String>,
    /// Serve a catalog though it breaks this rule: plan-in-use, id-changed, ...; may be given several times
    #[arg(long, global = true, value_name = "WHAT")]
    allow_breaking: Vec<String>,
    /// The address to listen on
    #[arg(long, global = true)]
    address: Option<String>,
    /// The port to listen on
    #[arg(long, global = true)]
    port: Option<String>,
    /// How the log looks: text, or json
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the catalog (what happens without a command)
    Serve,
    /// Say all that is wrong with the catalog document, with place and mend
    Check(check::Arguments),
    /// Show what a platform would get: the published catalog, or the answer of a bind
    Render(render::Arguments),
    /// Compute what a template derives of a key for a binding
    Derive(derive::Arguments),
    /// Show what a platform would see change between two catalogs, and what would break of what lives
    Diff(diff::Arguments),
    /// Show the requests and answers of a whole life on a throwaway store
    Simulate(simulate::Arguments),
    /// Let a broker that runs read its catalog again
    Reload(reload::Arguments),
    /// List, show and forget instances
    Instances(instances::Arguments),
    /// List bindings by age, with who holds them; and those that are out of date
    Bindings(bindings::Arguments),
    /// List, show, retry and give up operations
    Operations(operations::Arguments),
    /// Verify the account of changes
    Audit(audit::Arguments),
    /// Count, back up, copy the store, or take over what another broker made
    Store(store::Arguments),
    /// Print the JSON Schema of the catalog document, for editors
    Schema(schema::Arguments),
    /// Make what the settings need of a login
    Login(login::Arguments),
    /// Ask a broker that runs here whether it is alive (for health checks of containers)
    Health,
    /// Print a script that completes this command line in a shell
    Completions(completions::Arguments),
}

impl Common {
    fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            catalog: self.catalog.clone(),
            vars: self.vars.clone(),
            allow_breaking: self.allow_breaking.clone(),
            store: self.store.clone(),
            address: self.address.clone(),
            port: self.port.clone(),
            log_format: self.log_format.clone(),
        }
    }
}

/// Reads the command line and does what it says.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    // The broker's own word, so neither help nor completions know it.
    if arguments.get(1).is_some_and(|word| word == SUBCOMMAND) {
        return run_command::run();
    }
    let line = match CommandLine::try_parse_from(arguments) {
        Ok(line) => line,
        Err(error) => {
            // Help and version come this way too, and are no failure.
            let failed = error.use_stderr();
            let _ = error.print();
            return if failed { Exit::Failed } else { Exit::Clean };
        }
    };
    let flags = line.common.flags();
    match line.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run(&flags),
        Command::Check(arguments) => check::run(flags, &arguments),
        Command::Render(arguments) => render::run(&flags, &arguments),
        Command::Derive(arguments) => derive::run(&flags, &arguments),
        Command::Diff(arguments) => diff::run(&flags, &arguments),
        Command::Simulate(arguments) => simulate::run(&flags, &arguments),
        Command::Reload(arguments) => reload::run(&flags, &arguments),
        Command::Instances(arguments) => instances::run(&flags, &arguments),
        Command::Bindings(arguments) => bindings::run(&flags, &arguments),
        Command::Operations(arguments) => operations::run(&flags, &arguments),
        Command::Audit(arguments) => audit::run(&flags, &arguments),
        Command::Store(arguments) => store::run(&flags, &arguments),
        Command::Schema(_) => schema::run(),
        Command::Login(arguments) => login::run(&arguments),
        Command::Health => health::run(&flags),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}

/// Says on standard error why something could not be done.
fn failed(why: impl std::fmt::Display) -> Exit {
    output::complain(format_args!("catalog-broker: {why}"));
    Exit::Failed
}
