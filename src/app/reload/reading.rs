//! Settings and document, read such that no mixture counts.

use std::sync::Arc;
use std::time::Duration;

use crate::app;
use crate::catalog::{self, Held, Inputs, Loaded};
use crate::document::{Environment, Findings};
use crate::domain::catalog::Catalog;
use crate::settings::{self, Flags, LoadedSettings, Settings, SettingsErrors};

/// How often files are read again that change while they are read.
const TRIES: u32 = 10;

/// How long they are left alone in between.
const REST: Duration = Duration::from_millis(50);

/// Where settings and document come from: the same at start and at each reload.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The command line.
    pub flags: Flags,
    /// The process's environment.
    pub environment: Environment,
}

/// What a broker starts with.
pub struct Start {
    pub(in crate::app) settings: Settings,
    pub(in crate::app) catalog: Arc<Catalog>,
    pub(in crate::app) findings: Findings,
    pub(in crate::app) inputs: Inputs,
    pub(in crate::app) held: Held,
}

impl Start {
    /// With a catalog that was read just now: what its files hold is looked at here.
    pub fn new(
        loaded: LoadedSettings,
        catalog: Arc<Catalog>,
        findings: Findings,
        mut inputs: Inputs,
    ) -> Self {
        inputs.extend(loaded.files);
        Self {
            settings: loaded.settings,
            catalog,
            findings,
            held: inputs.held(),
            inputs,
        }
    }
}

/// Settings and a document, as they were read.
pub(super) struct Read {
    pub settings: Settings,
    pub loaded: Loaded,
    /// All files that had a part in it.
    pub inputs: Inputs,
}

impl Origin {
    /// The settings, as they are now.
    pub fn settings(&self) -> Result<LoadedSettings, SettingsErrors> {
        settings::load(
            &self.flags,
            &self.environment,
            catalog::is_document_variable,
        )
    }

    /// The document that settings name, as it is now.
    pub fn document(&self, settings: &Settings) -> Loaded {
        app::document(settings, &self.environment)
    }

    fn read(&self) -> Result<Read, SettingsErrors> {
        let LoadedSettings {
            settings, files, ..
        } = self.settings()?;
        let loaded = self.document(&settings);
        let mut inputs = loaded.inputs.clone();
        inputs.extend(files);
        Ok(Read {
            settings,
            loaded,
            inputs,
        })
    }
}

/// What was read while the files held this.
pub(super) struct Settled {
    pub read: Result<Read, SettingsErrors>,
    pub inputs: Inputs,
    pub held: Held,
}

/// Reads until the files held the same before and after; nothing where they never do.
pub(super) fn settled(origin: &Origin, mut inputs: Inputs) -> Option<Settled> {
    for _ in 0..TRIES {
        let held = inputs.held();
        let read = origin.read();
        let named = match &read {
            Ok(read) => read.inputs.clone(),
            // Settings with errors name no document: it is what it was.
            Err(errors) => {
                let mut named = inputs.clone();
                named.extend(errors.files().iter().cloned());
                named
            }
        };
        if named == inputs && inputs.held() == held {
            return Some(Settled { read, inputs, held });
        }
        inputs = named;
        std::thread::sleep(REST);
    }
    None
}
