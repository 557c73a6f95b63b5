//! `check`: all that is wrong with the catalog document, and `--fix` for what has one mend that loses nothing.

mod edits;
mod fix;
mod github;
mod probe;
mod sarif;
mod write;

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::loading::Surroundings;
use super::output::{complain, plain, print};
use super::render::sound;
use super::serve::start_log;
use super::{Exit, failed, findings};
use crate::document::{Finding, Findings, Severity};
use crate::settings::Flags;
use crate::telemetry::Output;

#[derive(Args, Debug)]
#[command(after_help = "Exit status:
  0  nothing wrong, warnings and notes aside
  1  errors: the broker would not start with this document
  2  the check could not be made: a file or a setting cannot be read

Examples:
  catalog-broker check
      the document that the broker would serve, with the settings that it would serve it with
  catalog-broker check offerings/
      another one: a folder of files
  catalog-broker check --strict --format github
      in a GitHub workflow: findings on the pull request's page, warnings fail it
  catalog-broker check --format sarif > check.sarif
      for code scanning
  catalog-broker check --store none
      whether it can be served without a database
  catalog-broker check --probe small
      on the server that the plan names: whether its statements stand being run twice, and what they leave
  catalog-broker check --fix
      mend what has one mend (quotes, vendor keys), comments stay; then say what is left")]
pub(super) struct Arguments {
    /// The catalog document to check: a file, or a folder; as --catalog
    #[arg(value_name = "FILE", conflicts_with = "catalog")]
    file: Option<PathBuf>,
    /// How findings are written
    #[arg(long, value_enum, default_value_t = Format::People)]
    format: Format,
    /// Let warnings count as errors; notes never do
    #[arg(long)]
    strict: bool,
    /// Mend in the files what has one mend that loses nothing, and say what was changed
    #[arg(long)]
    fix: bool,
    /// Try what carries a plan's operations out, for real: make an instance and a binding and take them away, each twice,
    /// and say what is left behind
    #[arg(long, value_name = "PLAN", conflicts_with_all = ["fix", "format"])]
    probe: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Sentences
    People,
    /// One JSON object: findings with severity, rule, file, line, column, path, message, mend
    Json,
    /// SARIF 2.1.0
    Sarif,
    /// Workflow commands of GitHub Actions
    Github,
}

/// Rules whose findings mean that there was nothing to check.
const NOT_RUN: [&str; 2] = ["file-unreadable", "folder-empty"];

pub(super) fn run(mut flags: Flags, arguments: &Arguments) -> Exit {
    if arguments.file.is_some() {
        flags.catalog.clone_from(&arguments.file);
    }
    let surroundings = match Surroundings::read(&flags) {
        Ok(surroundings) => surroundings,
        Err(exit) => return exit,
    };
    let mut loaded = surroundings.catalog();
    let mut report = String::new();
    if arguments.fix {
        let fixed = fix::fix(loaded, &surroundings);
        let told = match &fixed.written {
            Ok(()) => fixed.mended.iter().map(mended).collect(),
            Err(_) => String::new(),
        };
        if arguments.format == Format::People {
            report = told;
        } else if !told.is_empty() {
            complain(told.trim_end());
        }
        if let Err(why) = fixed.written {
            return failed(why);
        }
        loaded = fixed.loaded;
    }
    if let Some(plan) = &arguments.probe {
        return match sound(loaded) {
            Ok(catalog) => {
                start_log(&surroundings.loaded.settings, Output::Errors);
                probe::run(&catalog, plan)
            }
            Err(exit) => exit,
        };
    }
    let findings = weighed(loaded.findings, arguments.strict);
    let document = surroundings.source().path.display().to_string();
    report += &match arguments.format {
        Format::People => people(&findings, &document),
        Format::Json => pretty(&serde_json::json!({ "findings": listed(&findings) })),
        Format::Sarif => pretty(&sarif::log(&findings, &document)),
        Format::Github => findings.iter().map(github::command).collect(),
    };
    print(&report, verdict(&findings))
}

/// With warnings as errors where that is asked for.
fn weighed(findings: Findings, strict: bool) -> Findings {
    let mut weighed = Findings::default();
    weighed.extend(findings.into_iter().map(|mut finding| {
        if strict && finding.severity == Severity::Warning {
            finding.severity = Severity::Error;
        }
        finding
    }));
    weighed
}

/// What findings come to.
pub(super) fn verdict(findings: &Findings) -> Exit {
    if findings
        .iter()
        .any(|finding| NOT_RUN.contains(&finding.rule))
    {
        Exit::Failed
    } else if findings.has_errors() {
        Exit::Findings
    } else {
        Exit::Clean
    }
}

fn people(findings: &Findings, document: &str) -> String {
    if findings.is_empty() {
        return format!("{document}: nothing to complain of\n");
    }
    let mut text = findings::listing(findings);
    let mendable = |finding: &&Finding| !finding.edits.is_empty();
    let count = findings.iter().filter(mendable).count();
    if count > 0 {
        let _ = writeln!(text, "`check --fix` mends {count} of them, comments stay");
    }
    text
}

fn mended(finding: &Finding) -> String {
    format!(
        "{}: mended: {} [{}]\n",
        findings::place(finding),
        plain(&findings::message(finding)),
        finding.rule
    )
}

fn listed(findings: &Findings) -> Vec<&Finding> {
    findings.iter().collect()
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}
