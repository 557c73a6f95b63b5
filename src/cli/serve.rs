//! `serve`: load, check, serve until asked to stop.

use std::sync::Arc;

use super::output::complain;
use super::{Exit, failed, findings, loading};
use crate::app;
use crate::catalog;
use crate::document::Findings;
use crate::domain::catalog::Catalog;
use crate::settings::{self, Flags, LogFormat, Settings};
use crate::telemetry::{self, Format, Output};

pub(super) fn run(flags: &Flags) -> Exit {
    let environment = match settings::environment() {
        Ok(environment) => environment,
        Err(errors) => return failed(errors),
    };
    let loaded = match settings::load(flags, &environment, catalog::is_document_variable) {
        Ok(loaded) => loaded,
        Err(errors) => return failed(errors),
    };
    let settings = loaded.settings;
    start_log(&settings, Output::Standard);
    for warning in &loaded.warnings {
        log::warn!("{warning}");
    }
    log::trace!("{settings:?}");
    if let Err(why) = settings::refuse_ephemeral(&settings, &environment) {
        return failed(why);
    }
    let Some(catalog) = load_catalog(&settings, &environment) else {
        return failed(
            "the catalog has errors: mend them, then start again. `catalog-broker check` says more",
        );
    };
    log::trace!("{catalog:?}");
    match actix_web::rt::System::new().block_on(app::serve(&settings, catalog)) {
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

/// The catalog, if it has no errors; what there is to say of it goes to standard error, where an operator looks when
/// something does not start.
fn load_catalog(
    settings: &Settings,
    environment: &crate::document::Environment,
) -> Option<Arc<Catalog>> {
    let (source, memory) = (loading::source(settings), loading::memory(settings));
    let loaded = catalog::load(&source, environment, memory);
    complain_of(&loaded.findings);
    loaded.catalog
}

fn complain_of(findings: &Findings) {
    if !findings.is_empty() {
        complain(findings::listing(findings).trim_end());
    }
}
