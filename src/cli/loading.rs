//! Settings and catalog document, as the commands that serve nobody read them: no login is asked for.

use crate::app;
use crate::catalog::{self, Loaded, Memory, Source};
use crate::document::Environment;
use crate::settings::{self, Flags, LoadedSettings};

use super::output::complain;
use super::{Exit, failed};

/// The environment and the settings.
pub(super) struct Surroundings {
    pub environment: Environment,
    pub loaded: LoadedSettings,
}

type Load = fn(
    &Flags,
    &Environment,
    settings::IsDocumentVariable,
) -> Result<LoadedSettings, settings::SettingsErrors>;

impl Surroundings {
    /// Reads them for a command that opens no store; what is wrong goes to standard error.
    pub(super) fn read(flags: &Flags) -> Result<Self, Exit> {
        Self::read_by(settings::load_for_document, flags)
    }

    /// The same for one that opens it: with its keys.
    pub(super) fn read_with_keys(flags: &Flags) -> Result<Self, Exit> {
        Self::read_by(settings::load_for_store, flags)
    }

    fn read_by(load: Load, flags: &Flags) -> Result<Self, Exit> {
        let environment = settings::environment().map_err(failed)?;
        let loaded = load(flags, &environment, catalog::is_document_variable).map_err(failed)?;
        for warning in &loaded.warnings {
            complain(format_args!("warning: {warning}"));
        }
        Ok(Self {
            environment,
            loaded,
        })
    }

    pub(super) fn source(&self) -> Source {
        app::source(&self.loaded.settings)
    }

    pub(super) fn memory(&self) -> Memory {
        app::memory(&self.loaded.settings)
    }

    /// The document that the settings name.
    pub(super) fn catalog(&self) -> Loaded {
        app::document(&self.loaded.settings, &self.environment)
    }
}
