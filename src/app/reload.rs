//! Hot reload: another catalog takes the place of the one that is served, whole and at once, or not at all.
//!
//! The files that the document came from are compared every now and then; on SIGHUP and when an operator asks they are read
//! again in any case. All come to one task, so there is one reload at a time.
//! What is read while it is being changed would be a mixture, so it counts only if the files held the same before and
//! after. A document with errors, or one that breaks what lives, is refused: the log says why, and the one before stays.

mod bell;
mod outcome;
mod reading;

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web::{self, Data};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::clock;
use super::console::{members, said};
use super::guard::{Broken, Guard};
use super::watching::Watching;
use crate::access::Logins;
use crate::catalog::{Held, Inputs};
use crate::console::{Console, Reports};
use crate::domain::audit::Who;
use crate::domain::catalog::Catalog;
use crate::domain::difference::compare;
use crate::domain::json::FingerprintKey;
use crate::domain::live::{Halt, Live};
use crate::http::wire::answer;
use crate::http::{Api, Asker};
use crate::settings::{LoginSettings, Settings, SettingsErrors};
use crate::telemetry::Book;
use bell::Ask;
use outcome::{Exchanged, Refused, answer as told_of, log_findings};
use reading::settled;

pub use bell::{Bell, Heard};
pub use reading::{Origin, Start};

/// How long requests that would record something new are held back at most.
const HALT: Duration = Duration::from_secs(5);

/// The word for a key of the store that is not given any more.
const STORE_KEY_GONE: &str = "store-key-gone";

/// Where SIGHUP is heard: from when it is made on, whoever listens when.
pub struct Hangup(Signal);

impl Hangup {
    /// Without it the signal would end the process. A runtime has to be there.
    pub fn heard() -> std::io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }
}

/// Puts another catalog in the place of the one that is served.
pub(super) struct Reloader {
    pub origin: Origin,
    /// What the process runs with: logins are those of the latest reload.
    pub settings: Settings,
    pub live: Arc<Live>,
    pub api: Data<Api>,
    /// The pages, where there are some.
    pub console: Option<Data<Console>>,
    /// What all brokers of a store share.
    pub shared: FingerprintKey,
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
    /// What the files held that what is served came from.
    pub served: Held,
    /// Where operators are heard.
    pub heard: Heard,
}

/// Why there is to be a reload, or a look whether there is.
enum Call {
    /// An operator asks.
    Asked(Ask),
    /// A signal.
    Signal,
    /// It is time to look.
    Time,
}

impl Reloader {
    /// Looks for changes, for as long as it is polled.
    pub async fn watch(mut self, Hangup(mut hangup): Hangup) {
        loop {
            match self.called(&mut hangup).await {
                Call::Asked(ask) => self.reload_for(ask).await,
                Call::Signal => {
                    let outcome = self.reload().await;
                    self.keep_account(&outcome, None);
                }
                Call::Time if self.has_changed().await => {
                    let outcome = self.reload().await;
                    self.keep_account(&outcome, None);
                }
                Call::Time => {}
            }
        }
    }

    async fn called(&mut self, hangup: &mut Signal) -> Call {
        let every = self.settings.reload.every;
        let time = async {
            if every.is_zero() {
                std::future::pending::<()>().await;
            } else {
                tokio::time::sleep(every).await;
            }
        };
        tokio::select! {
            ask = self.heard.next() => Call::Asked(ask),
            Some(()) = hangup.recv() => Call::Signal,
            () = time => Call::Time,
        }
    }

    /// Reloads once for all who ask by now.
    async fn reload_for(&mut self, first: Ask) {
        let mut all = vec![first];
        all.extend(self.heard.others());
        for Ask { by, .. } in &all {
            log::info!(login = &*by.login; "asked to reload the catalog");
        }
        let outcome = self.reload().await;
        for Ask { by, answer } in all {
            self.keep_account(&outcome, Some(&by));
            // Who went away meanwhile needs no answer.
            let _ = answer.send(told_of(&outcome));
        }
    }

    async fn has_changed(&self) -> bool {
        let inputs = self.inputs.clone();
        match web::block(move || inputs.held()).await {
            Ok(held) => self.held.as_ref() != Some(&held),
            Err(_) => false,
        }
    }

    async fn reload(&mut self) -> Result<Exchanged, Refused> {
        let began = Instant::now();
        let outcome = self.take().await;
        match &outcome {
            Ok(now) => {
                self.watching.reloads().taken(clock(), began.elapsed());
                let (offerings, plans) = (now.offerings(), now.plans());
                log::info!("reloaded the catalog: {offerings} offerings, {plans} plans");
            }
            Err(Refused::Unsettled) if self.settings.reload.every.is_zero() => {
                log::warn!("the catalog was not reloaded: its files are being written. Ask again");
            }
            Err(Refused::Unsettled) => {}
            Err(refused) => {
                let reason = refused.word().unwrap_or_default();
                self.watching.reloads().refused(reason, began.elapsed());
                refused.log();
                self.reports.refused(&refused.told());
                log::error!("the catalog was not reloaded: the one before is served on");
            }
        }
        outcome
    }

    fn keep_account(&self, outcome: &Result<Exchanged, Refused>, by: Option<&Asker>) {
        let refused = match outcome {
            Ok(_) => None,
            Err(refused) => match refused.word() {
                Some(word) => Some(word),
                None => return,
            },
        };
        if let Some(book) = &self.book {
            let by = by.map(|by| Who {
                login: &by.login,
                identity: None,
                request_identity: by.request_identity.as_deref(),
                peer: by.peer,
            });
            book.reloaded(by.as_ref(), refused);
        }
    }

    async fn take(&mut self) -> Result<Exchanged, Refused> {
        let (origin, inputs) = (self.origin.clone(), self.inputs.clone());
        let settled = web::block(move || settled(&origin, inputs)).await;
        let Ok(Some(settled)) = settled else {
            return Err(Refused::Unsettled);
        };
        let held = settled.held;
        self.inputs = settled.inputs;
        self.held = Some(held.clone());
        let read = settled.read.map_err(Refused::Settings)?;
        self.hold_store_keys(&read.settings).await?;
        let needs_restart = self.tell_fixed(&read.settings);
        let Some(catalog) = read.loaded.catalog else {
            return Err(Refused::Document(read.loaded.findings));
        };
        log_findings(&read.loaded.findings);
        let before = self.live.returned();
        self.guard.allowed.clone_from(&read.settings.allow_breaking);
        match self.guard.check(&catalog).await {
            Ok(broken) if broken.is_nothing() => {}
            Ok(broken) => return Err(Refused::Breaks(broken)),
            Err(why) => {
                // Until the store is back.
                self.held = None;
                return Err(Refused::Store(why));
            }
        }
        let logins = self.new_logins(&read.settings)?;
        let changes = compare(
            &answer::catalog(&self.live.now()),
            &answer::catalog(&catalog),
        );
        let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
        let findings = said(&read.loaded.findings);
        self.guard.get_ready(&catalog).await;
        let live = Arc::clone(&self.live);
        let halt = self.looked_again(&live, before, &catalog).await?;
        self.reports.served(clock(), findings, changes.clone());
        // What is published comes last: who has read of a plan finds it.
        self.live.replace(Arc::clone(&catalog));
        let new_logins = logins.is_some();
        if let Some(logins) = logins {
            self.admit(logins, read.settings.logins);
        }
        self.api
            .publish(super::published(&catalog, &self.api.logins.look()));
        drop(halt);
        super::warn_of_scopes(&self.settings, &catalog);
        self.guard.keep(&catalog).await;
        // Files that were written meanwhile may hold the same before and after, and something else in between.
        let was = std::mem::replace(&mut self.served, held.clone());
        let is_new = was != held || !changes.is_empty();
        Ok(Exchanged {
            catalog,
            is_new,
            changes,
            findings: read.loaded.findings,
            new_logins,
            needs_restart,
        })
    }

    /// Holds back all that would be recorded by the catalog before, and holds what was recorded since the first look against the
    /// new one, too. What other brokers of the store record is theirs to look at, when they are to serve it.
    async fn looked_again<'l>(
        &mut self,
        live: &'l Live,
        before: u64,
        catalog: &Catalog,
    ) -> Result<Option<Halt<'l>>, Refused> {
        let looked = tokio::time::timeout(HALT, async {
            let halt = live.halt().await;
            let broken = if live.returned() == before {
                Ok(Broken::default())
            } else {
                self.guard.check_again(catalog).await
            };
            broken.map(|broken| (halt, broken))
        });
        match looked.await {
            Ok(Ok((halt, broken))) if broken.is_nothing() => Ok(Some(halt)),
            Ok(Ok((_, broken))) => Err(Refused::Breaks(broken)),
            Ok(Err(why)) => {
                self.held = None;
                Err(Refused::Store(why))
            }
            Err(_) => {
                log::warn!(
                    "what was recorded while the catalog was held against what lives was not looked at: the store was too slow for that"
                );
                Ok(None)
            }
        }
    }

    /// A store that is sealed with a key which is not given any more would refuse the next start.
    async fn hold_store_keys(&mut self, new: &Settings) -> Result<(), Refused> {
        let (old, new) = (&self.settings.store, &new.store);
        if old.url != new.url || old.keys == new.keys {
            return Ok(());
        }
        let gone = self.guard.keys_gone(&super::keys(new)).await;
        let gone = gone.map_err(|why| {
            self.held = None;
            Refused::Store(why)
        })?;
        if gone.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = gone.iter().map(ToString::to_string).collect();
        let message = format!(
            "{STORE_KEY_GONE}: the store is sealed with {}, which is not given any more",
            ids.join(", ")
        );
        let mend = "give it behind the first one, until `catalog-broker store reseal` has sealed all with that";
        let errors = SettingsErrors::found("store.keys", message, mend);
        Err(Refused::Settings(errors))
    }

    /// The logins of new settings; nothing where they are what they were, for what is known of them holds on.
    fn new_logins(&self, new: &Settings) -> Result<Option<Logins>, Refused> {
        if new.logins == self.settings.logins {
            return Ok(None);
        }
        let logins = super::logins(new).map_err(Refused::System)?;
        Ok(Some(logins))
    }

    /// From now on these logins, for the API and for pages. A request that was let in before goes on.
    fn admit(&mut self, logins: Logins, settings: Vec<LoginSettings>) {
        let count = settings.len();
        self.settings.logins = settings;
        self.api.logins.replace(logins);
        if let Some(console) = &self.console {
            console.admit(members(&self.settings, &self.shared));
        }
        log::info!("the logins have changed: there are {count} from now on");
    }

    /// Settings that a running process does not change: those that differ.
    fn tell_fixed(&self, new: &Settings) -> Vec<&'static str> {
        let old = &self.settings;
        let fixed = [
            ("store", old.store != new.store),
            ("server", old.server != new.server),
            ("operations", old.operations != new.operations),
            ("bindings", old.bindings != new.bindings),
            ("console", old.console != new.console),
            ("audit", old.audit != new.audit),
            ("traces", old.traces != new.traces),
            ("log", old.log != new.log),
            ("reload", old.reload != new.reload),
        ];
        let differ = fixed.into_iter().filter(|(_, differs)| *differs);
        let differ: Vec<_> = differ.map(|(name, _)| name).collect();
        for name in &differ {
            log::warn!(
                "the settings below `{name}` have changed: they count from the next start on"
            );
        }
        differ
    }
}
