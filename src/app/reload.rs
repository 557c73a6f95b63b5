//! Hot reload: another catalog takes the place of the one that is served, whole and at once, or not at all.
//!
//! The files that the document came from are compared every now and then, and on SIGHUP they are read again in any case.
//! What is read while it is being changed would be a mixture, so it counts only if the files held the same before and
//! after. A document with errors, or one that breaks what lives, is refused: the log says why, and the one before stays.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web::{self, Data};
use tokio::signal::unix::{SignalKind, signal};

use super::clock;
use super::console::said;
use super::guard::{Broken, Guard};
use super::watching::Watching;
use crate::catalog::{self, Held, Inputs, Loaded};
use crate::console::{Reload, Reports};
use crate::document::{Environment, Findings, Severity};
use crate::domain::catalog::Catalog;
use crate::domain::difference::compare;
use crate::domain::live::Live;
use crate::domain::store::StoreError;
use crate::http::Api;
use crate::http::wire::answer;
use crate::settings::{self, Flags, LoadedSettings, Settings, SettingsErrors};
use crate::telemetry::Book;

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
    pub(super) settings: Settings,
    pub(super) catalog: Arc<Catalog>,
    pub(super) findings: Findings,
    pub(super) inputs: Inputs,
    pub(super) held: Held,
}

impl Start {
    /// With a catalog that was read just now: what its files hold is looked at here.
    pub fn new(
        loaded: LoadedSettings,
        catalog: Arc<Catalog>,
        findings: Findings,
        mut inputs: Inputs,
    ) -> Self {
        inputs.extend([loaded.file]);
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
struct Read {
    settings: Settings,
    loaded: Loaded,
    /// All files that had a part in it.
    inputs: Inputs,
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
        super::document(settings, &self.environment)
    }

    fn read(&self) -> Result<Read, SettingsErrors> {
        let LoadedSettings { settings, file, .. } = self.settings()?;
        let loaded = self.document(&settings);
        let mut inputs = loaded.inputs.clone();
        inputs.extend([file]);
        Ok(Read {
            settings,
            loaded,
            inputs,
        })
    }
}

/// Puts another catalog in the place of the one that is served.
pub(super) struct Reloader {
    pub origin: Origin,
    /// What the process runs with.
    pub settings: Settings,
    pub live: Arc<Live>,
    pub api: Data<Api>,
    pub guard: Guard,
    /// What there is to say of the document.
    pub reports: Arc<Reports>,
    /// The account of changes, where one is kept.
    pub book: Option<Arc<Book>>,
    /// What was read last.
    pub inputs: Inputs,
    /// Who counts reloads.
    pub watching: Watching,
    /// What it held; nothing where it has to be read again.
    pub held: Option<Held>,
}

/// Why the catalog stays as it is.
enum Refused {
    Settings(SettingsErrors),
    Document(Findings),
    Breaks(Broken),
    Store(StoreError),
    /// The files are being written: the next look comes soon.
    Unsettled,
}

impl Reloader {
    /// Looks for changes, for as long as it is polled.
    pub async fn watch(mut self) {
        let every = self.settings.reload.every;
        let mut hangup = match signal(SignalKind::hangup()) {
            Ok(hangup) => hangup,
            Err(error) => return log::error!("the catalog is not reloaded on SIGHUP: {error}"),
        };
        loop {
            let asked = if every.is_zero() {
                hangup.recv().await.is_some()
            } else {
                // In time nobody asked.
                tokio::time::timeout(every, hangup.recv()).await.is_ok()
            };
            if asked || self.has_changed().await {
                self.reload().await;
            }
        }
    }

    async fn has_changed(&self) -> bool {
        let inputs = self.inputs.clone();
        match web::block(move || inputs.held()).await {
            Ok(held) => self.held.as_ref() != Some(&held),
            Err(_) => false,
        }
    }

    async fn reload(&mut self) {
        let began = Instant::now();
        let taken = self.take().await;
        self.keep_account(&taken);
        match taken {
            Ok(catalog) => {
                self.watching.reloads().taken(clock(), began.elapsed());
                let plans: usize = catalog
                    .offerings()
                    .iter()
                    .map(|offering| offering.plans.len())
                    .sum();
                let offerings = catalog.offerings().len();
                log::info!("reloaded the catalog: {offerings} offerings, {plans} plans");
            }
            Err(Refused::Unsettled) if self.settings.reload.every.is_zero() => {
                log::warn!("the catalog was not reloaded: its files are being written. Ask again");
            }
            Err(Refused::Unsettled) => {}
            Err(refused) => {
                self.watching.reloads().refused(began.elapsed());
                tell(&refused);
                self.reports.refused(&refused.told());
                log::error!("the catalog was not reloaded: the one before is served on");
            }
        }
    }

    fn keep_account(&self, taken: &Result<Arc<Catalog>, Refused>) {
        let Some(book) = &self.book else {
            return;
        };
        match taken {
            Ok(_) => book.reloaded(None),
            Err(Refused::Settings(_)) => book.reloaded(Some("settings")),
            Err(Refused::Document(_)) => book.reloaded(Some("document")),
            Err(Refused::Breaks(_)) => book.reloaded(Some("breaks")),
            Err(Refused::Store(_)) => book.reloaded(Some("store")),
            Err(Refused::Unsettled) => {}
        }
    }

    async fn take(&mut self) -> Result<Arc<Catalog>, Refused> {
        let (origin, inputs) = (self.origin.clone(), self.inputs.clone());
        let settled = web::block(move || settled(&origin, inputs)).await;
        let Ok(Some(settled)) = settled else {
            return Err(Refused::Unsettled);
        };
        self.inputs = settled.inputs;
        self.held = Some(settled.held);
        let read = settled.read.map_err(Refused::Settings)?;
        self.tell_fixed(&read.settings);
        let Some(catalog) = read.loaded.catalog else {
            return Err(Refused::Document(read.loaded.findings));
        };
        tell_findings(&read.loaded.findings);
        match self.guard.check(&catalog).await {
            Ok(broken) if broken.is_nothing() => {}
            Ok(broken) => return Err(Refused::Breaks(broken)),
            Err(why) => {
                // Until the store is back.
                self.held = None;
                return Err(Refused::Store(why));
            }
        }
        let changes = compare(
            &answer::catalog(&self.live.now()),
            &answer::catalog(&catalog),
        );
        let changes = changes.iter().map(ToString::to_string).collect();
        let findings = said(&read.loaded.findings);
        self.guard.get_ready(&catalog).await;
        self.reports.served(clock(), findings, changes);
        // What is published comes last: who has read of a plan finds it.
        self.live.replace(Arc::clone(&catalog));
        self.api
            .publish(super::published(&catalog, &self.api.logins));
        super::warn_of_scopes(&self.settings, &catalog);
        self.guard.keep(&catalog).await;
        Ok(catalog)
    }

    /// Settings that a running process does not change.
    fn tell_fixed(&self, new: &Settings) {
        let old = &self.settings;
        let fixed = [
            ("store", old.store != new.store),
            ("server", old.server != new.server),
            ("operations", old.operations != new.operations),
            ("bindings", old.bindings != new.bindings),
            ("console", old.console != new.console),
            ("audit", old.audit != new.audit),
            ("auth", old.logins != new.logins),
            ("log", old.log != new.log),
            ("reload", old.reload != new.reload),
        ];
        for (name, _) in fixed.iter().filter(|(_, differs)| *differs) {
            log::warn!(
                "the settings below `{name}` have changed: they count from the next start on"
            );
        }
    }
}

/// What was read while the files held this.
struct Settled {
    read: Result<Read, SettingsErrors>,
    inputs: Inputs,
    held: Held,
}

/// Reads until the files held the same before and after; nothing where they never do.
fn settled(origin: &Origin, mut inputs: Inputs) -> Option<Settled> {
    for _ in 0..TRIES {
        let held = inputs.held();
        let read = origin.read();
        // Settings with errors name no document: it is what it was.
        let named = read.as_ref().map_or(&inputs, |read| &read.inputs).clone();
        if named == inputs && inputs.held() == held {
            return Some(Settled { read, inputs, held });
        }
        inputs = named;
        std::thread::sleep(REST);
    }
    None
}

impl Refused {
    /// The same, for who looks later.
    fn told(&self) -> Reload {
        let (why, findings) = match self {
            Self::Settings(errors) => (errors.to_string(), Vec::new()),
            Self::Document(findings) => (String::new(), said(findings)),
            Self::Breaks(broken) => (broken.to_string(), Vec::new()),
            Self::Store(_) => (
                "What lives is not known: the store cannot be used. The log says why.".to_owned(),
                Vec::new(),
            ),
            Self::Unsettled => ("The files are being written.".to_owned(), Vec::new()),
        };
        Reload {
            at: clock(),
            refused: Some(why),
            findings,
        }
    }
}

fn tell(refused: &Refused) {
    match refused {
        Refused::Settings(errors) => log::error!("{errors}"),
        Refused::Document(findings) => tell_findings(findings),
        Refused::Breaks(broken) => log::error!("{broken}"),
        Refused::Store(why) => log::error!("what lives is not known: {why}"),
        Refused::Unsettled => {}
    }
}

fn tell_findings(findings: &Findings) {
    for finding in findings {
        let level = match finding.severity {
            Severity::Error => log::Level::Error,
            Severity::Warning => log::Level::Warn,
            Severity::Note => log::Level::Info,
        };
        log::log!(level, "{finding}");
    }
}
