//! `serve`: load, check, serve until asked to stop.

use super::output::complain;
use super::{Exit, failed, findings};
use crate::app::{self, Hangup, Origin, Start};
use crate::document::Findings;
use crate::settings::{self, Flags, LogFormat, Settings};
use crate::telemetry::{self, Format, Output};

pub(super) fn run(flags: &Flags) -> Exit {
    let system = actix_web::rt::System::new();
    // First of all: who asks for a reload while all this is read does not end it, and is heard when it serves.
    let hangup = match system.block_on(async { Hangup::heard() }) {
        Ok(hangup) => hangup,
        Err(error) => return failed(format_args!("the system gave no signals: {error}")),
    };
    let environment = match settings::environment() {
        Ok(environment) => environment,
        Err(errors) => return failed(errors),
    };
    let origin = Origin {
        flags: flags.clone(),
        environment,
    };
    let loaded = match origin.settings() {
        Ok(loaded) => loaded,
        Err(errors) => return failed(errors),
    };
    let settings = &loaded.settings;
    start_log(settings, Output::Standard);
    for warning in &loaded.warnings {
        log::warn!("{warning}");
    }
    log::trace!("{settings:?}");
    if let Err(why) = settings::refuse_ephemeral(settings, &origin.environment) {
        return failed(why);
    }
    let document = origin.document(settings);
    complain_of(&document.findings);
    let Some(catalog) = document.catalog else {
        return failed(
            "the catalog has errors: mend them, then start again. `catalog-broker check` says more",
        );
    };
    log::trace!("{catalog:?}");
    let start = Start::new(loaded, catalog, document.findings, document.inputs);
    let served = system.block_on(app::serve(origin, start, hangup));
    log::logger().flush();
    match served {
        Ok(()) => Exit::Clean,
        Err(why) => failed(why),
    }
}

/// Starts the log as the settings have it.
pub(super) fn start_log(settings: &Settings, output: Output) {
    let format = match settings.log.format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    };
    telemetry::start(format, output, &settings.log.level, app::clock);
}

/// What there is to say of the catalog goes to standard error, where an operator looks when something does not start.
fn complain_of(findings: &Findings) {
    if !findings.is_empty() {
        complain(findings::listing(findings).trim_end());
    }
}
