//! `store import FILE...`: takes over what another broker made. All files are read and weighed before anything is
//! written, and nothing is written unless all of it is good.

mod build;
mod fields;
mod merge;
mod piece;
mod platform;
mod read;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use crate::app::{self, ledgers};
use crate::cli::desk::{Format, Told, print_json, run as run_to_end};
use crate::cli::loading::Surroundings;
use crate::cli::output::print;
use crate::cli::render::sound;
use crate::cli::serve::start_log;
use crate::cli::{Exit, failed, findings};
use crate::document::{Finding, Findings, Path, Place};
use crate::domain::catalog::Catalog;
use crate::domain::desk::DeskError;
use crate::domain::desk::takeover::{self, OldBinding, OldInstance, Takeover, Unfit, Weighed};
use crate::domain::error::BrokerError;
use crate::domain::schema::Violation;
use crate::domain::store::Store;
use crate::domain::witness::Witness;
use crate::settings::{Flags, Settings};
use crate::telemetry::{Chorus, Output};
use piece::What;
use read::Reading;

#[derive(Args, Debug)]
#[command(after_help = "Each FILE has one JSON object a line:
  {\"instance\": {\"id\": ..., \"service_id\": ..., \"plan_id\": ..., \"organization_guid\": ..., \"space_guid\": ...,
                \"context\": {}, \"parameters\": {}, \"dashboard_url\": ..., \"values\": {}}}
  {\"binding\": {\"instance_id\": ..., \"id\": ..., \"app_guid\": ..., \"parameters\": {}, \"credentials\": {}}}
or is what `cf curl` prints of /v3/service_instances, /v3/service_credential_bindings, /v3/service_plans, /v3/spaces.
What several files say of one id is merged: your own lines win over the lists, a later file over an earlier one.
`values` are those of the plan's templates; those that are missing, and the answer of a binding that has none, are
rendered as they would be today. What is in the store already is left as it is, so an import may be run again.

Exit status:
  0  done; or, with --dry-run, it could be done
  1  something is wrong with the files: nothing was written
  2  a file, the catalog or the store cannot be read

Examples:
  catalog-broker store import old-broker.jsonl --dry-run
  cf curl '/v3/service_instances?per_page=5000' > instances.json
  cf curl '/v3/service_credential_bindings?per_page=5000' > bindings.json
  cf curl '/v3/service_plans?per_page=5000' > plans.json
  cf curl '/v3/spaces?per_page=5000' > spaces.json
  catalog-broker store import instances.json bindings.json plans.json spaces.json credentials.jsonl --dry-run")]
pub(super) struct Arguments {
    /// What to read
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Say what would be done, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// How findings are written
    #[arg(long, value_enum, default_value_t = Format::People)]
    format: Format,
}

/// What the files come to.
#[derive(Default)]
struct Plan {
    instances: Vec<Weighed>,
    bindings: Vec<Weighed>,
    findings: Findings,
}

pub(super) fn run(flags: &Flags, arguments: &Arguments) -> Exit {
    let surroundings = match Surroundings::read_with_keys(flags) {
        Ok(surroundings) => surroundings,
        Err(exit) => return exit,
    };
    let Ok(catalog) = sound(surroundings.catalog()) else {
        return failed("the catalog has errors: mend them first");
    };
    let mut reading = Reading::default();
    for file in &arguments.files {
        if let Err(error) = reading.file(file) {
            return failed(format_args!("{} cannot be read: {error}", file.display()));
        }
    }
    let opened = Opened::of(&surroundings.loaded.settings, arguments.dry_run);
    let Opened { store, told } = match opened {
        Ok(opened) => opened,
        Err(exit) => return exit,
    };
    run_to_end(async {
        let witness = told.as_ref().map(Told::witness);
        let done = import(&*store, witness, &catalog, reading, arguments).await;
        let done = match told {
            Some(told) => told.end(done),
            None => done,
        };
        let _ = store.close().await;
        done
    })
}

/// Where it is written, and who is told of that; nobody, where nothing is written.
struct Opened {
    store: Arc<dyn Store>,
    told: Option<Told>,
}

impl Opened {
    /// The store beside whoever serves it; made, where there is none yet and it is to be written to.
    fn of(settings: &Settings, dry_run: bool) -> Result<Self, Exit> {
        let only_read = |store: Arc<dyn Store>| Ok(Self { store, told: None });
        let ledger = match ledgers::beside(&settings.store) {
            Ok(ledger) if dry_run => return only_read(ledger),
            Err(why) if dry_run && why.is_missing() => return only_read(ledgers::empty()),
            Err(why) if why.is_missing() => ledgers::alone(&settings.store).map_err(failed)?,
            opened => opened.map_err(failed)?,
        };
        start_log(settings, Output::Errors);
        // A line of the log for each of thousands would hide what is printed.
        let nobody = Arc::new(Chorus(Vec::new()));
        let told = Told::of_command(nobody, settings, &ledger)?;
        Ok(Self {
            store: ledger,
            told: Some(told),
        })
    }
}

async fn import(
    store: &dyn Store,
    witness: Option<Arc<dyn Witness>>,
    catalog: &Catalog,
    reading: Reading,
    arguments: &Arguments,
) -> Result<Exit, DeskError> {
    let mut plan = plan(store, catalog, reading).await?;
    plan.findings.sort();
    if plan.findings.has_errors() {
        return Ok(told(&plan, arguments, false));
    }
    if let Some(witness) = &witness {
        let all = plan.instances.iter().chain(&plan.bindings).cloned();
        takeover::record(store, &**witness, all.collect()).await?;
    }
    Ok(told(&plan, arguments, witness.is_some()))
}

/// Reads and weighs every line, instances before bindings.
async fn plan(store: &dyn Store, catalog: &Catalog, reading: Reading) -> Result<Plan, DeskError> {
    let Reading {
        mut pieces,
        lists,
        mut findings,
    } = reading;
    lists.complete(&mut pieces);
    let whole = merge::merged(pieces, &mut findings);
    let (instances, bindings): (Vec<_>, Vec<_>) = whole
        .into_iter()
        .partition(|piece| piece.what == What::Instance);
    let mut plan = Plan {
        findings,
        ..Plan::default()
    };
    let mut takeover = Takeover::new(store, catalog, app::clock());
    for piece in instances {
        if let Some((place, old)) = build::instance(piece, catalog, &mut plan.findings) {
            plan.instance(&mut takeover, &place, &old).await?;
        }
    }
    for piece in bindings {
        if let Some((place, old)) = build::binding(piece, &mut plan.findings) {
            plan.binding(&mut takeover, &place, &old).await?;
        }
    }
    Ok(plan)
}

impl Plan {
    async fn instance(
        &mut self,
        takeover: &mut Takeover<'_>,
        place: &Place,
        old: &OldInstance,
    ) -> Result<(), DeskError> {
        let weighed = takeover.instance(old).await?;
        if let Some(weighed) = self.noted(What::Instance, place, weighed) {
            self.instances.push(weighed);
        }
        Ok(())
    }

    async fn binding(
        &mut self,
        takeover: &mut Takeover<'_>,
        place: &Place,
        old: &OldBinding,
    ) -> Result<(), DeskError> {
        let weighed = takeover.binding(old).await?;
        let Some(weighed) = self.noted(What::Binding, place, weighed) else {
            return Ok(());
        };
        if matches!(weighed, Weighed::New(..)) && old.answer.expose().is_empty() {
            let message = "no credentials are given: they are rendered by the catalog, as of today";
            let mend =
                "give `credentials`, unless what the catalog says is what the old broker said";
            let root = Path::root();
            self.findings.push(Finding::warning(
                "import-rendered",
                &root,
                place,
                message,
                mend,
            ));
        }
        self.bindings.push(weighed);
        Ok(())
    }

    /// What was weighed, and what there is to say of it.
    fn noted(
        &mut self,
        what: What,
        place: &Place,
        weighed: Result<Weighed, Unfit>,
    ) -> Option<Weighed> {
        let root = Path::root().key(what.name());
        match weighed {
            Ok(Weighed::There) => {
                let message = "it is in the store already, and is left as it is";
                let mend = "nothing needs to be done";
                self.findings
                    .push(Finding::note("import-there", &root, place, message, mend));
                Some(Weighed::There)
            }
            Ok(Weighed::New(change, violations)) => {
                if !violations.is_empty() {
                    let message = broken(&violations);
                    let mend = "mend the line where it is wrong; what is so is taken over, but an update of its parameters has to mend them";
                    let root = root.key("parameters");
                    self.findings.push(Finding::warning(
                        "import-parameters",
                        &root,
                        place,
                        message,
                        mend,
                    ));
                }
                Some(Weighed::New(change, violations))
            }
            Err(unfit) => {
                let (message, mend) = sentence(&unfit);
                self.findings
                    .push(Finding::error("import-unfit", &root, place, message, mend));
                None
            }
        }
    }
}

fn broken(violations: &[Violation]) -> String {
    let each: Vec<String> = violations.iter().map(ToString::to_string).collect();
    format!(
        "the parameters do not fit the plan's schema: {}",
        each.join("; ")
    )
}

fn sentence(unfit: &Unfit) -> (String, &'static str) {
    match unfit {
        Unfit::Broker(BrokerError::ServiceNotInCatalog(id)) => (
            format!("the catalog has no offering {id}"),
            "write it into the catalog, or leave the line out",
        ),
        Unfit::Broker(BrokerError::PlanNotInCatalog(service, plan)) => (
            format!("the offering {service} has no plan {plan} in the catalog"),
            "write it into the catalog, or leave the line out",
        ),
        Unfit::Broker(BrokerError::NotBindable(plan)) => (
            format!("the plan {plan} is not bindable in the catalog"),
            "declare it bindable, or leave the line out",
        ),
        Unfit::Broker(BrokerError::Render(error) | BrokerError::ParametersUnusable(error)) => (
            format!("a template of the plan comes to nothing usable: {error}"),
            "give the values that it needs in `values` or `parameters`, or mend the template",
        ),
        Unfit::Broker(error) => (error.to_string(), "mend the line, or leave it out"),
        Unfit::NoInstance(id) => (
            format!("its instance {id} is neither in the store nor in the files"),
            "give the instance too, or leave the line out",
        ),
        Unfit::InstanceUnfit(id) => (
            format!("its instance {id} cannot be taken over"),
            "mend the line of the instance",
        ),
        Unfit::NoEntry(plan) => (
            format!("the plan {plan} lends entries of a pool, and nothing says which one this has"),
            "write the name of the entry as `entry`",
        ),
        Unfit::InstanceNotUsable(id) => (
            format!("its instance {id} is being changed, or was never made to its end"),
            "wait until that is over, or leave the line out",
        ),
    }
}

fn told(plan: &Plan, arguments: &Arguments, written: bool) -> Exit {
    let exit = if plan.findings.has_errors() {
        Exit::Findings
    } else {
        Exit::Clean
    };
    let (instances, bindings) = (count(&plan.instances), count(&plan.bindings));
    if arguments.format == Format::Json {
        let counted = |(new, there): (usize, usize)| json!({ "new": new, "there": there });
        let json = json!({
            "findings": plan.findings.iter().collect::<Vec<_>>(),
            "dry_run": arguments.dry_run,
            "written": written,
            "instances": counted(instances),
            "bindings": counted(bindings),
        });
        return print_json(&json, exit);
    }
    let done = match (exit, written) {
        (Exit::Clean, true) => "taken over",
        (Exit::Clean, false) => "would be taken over",
        _ => "could be taken over, but nothing was written",
    };
    let text = format!(
        "{}{} instances and {} bindings {done}; {} and {} are in the store already\n",
        findings::listing(&plan.findings),
        instances.0,
        bindings.0,
        instances.1,
        bindings.1
    );
    print(&text, exit)
}

/// How many are new, and how many are there.
fn count(weighed: &[Weighed]) -> (usize, usize) {
    let new = weighed
        .iter()
        .filter(|one| matches!(one, Weighed::New(..)))
        .count();
    (new, weighed.len() - new)
}
