//! What a reload comes to: for the log, for pages, for the account of changes, and for an operator who asked.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::app::StartError;
use crate::app::clock;
use crate::app::console::said;
use crate::app::guard::Broken;
use crate::console::Reload;
use crate::document::{Finding, Findings, Severity};
use crate::domain::catalog::Catalog;
use crate::domain::store::StoreError;
use crate::http::{Reloaded, Taken, Why};
use crate::settings::{SettingsError, SettingsErrors};

/// The catalog that is served from now on.
pub(super) struct Exchanged {
    pub catalog: Arc<Catalog>,
    /// Whether the files hold something else than before.
    pub is_new: bool,
    /// What is another thing for platforms, a sentence each.
    pub changes: Vec<String>,
    pub findings: Findings,
    /// Whether the logins are others.
    pub new_logins: bool,
    /// Settings that count from the next start on.
    pub needs_restart: Vec<&'static str>,
}

/// Why the catalog stays as it is.
pub(super) enum Refused {
    Settings(SettingsErrors),
    Document(Findings),
    Breaks(Broken),
    Store(StoreError),
    /// The files are being written: the next look comes soon.
    Unsettled,
    /// The system would not give what new logins take.
    System(StartError),
}

impl Exchanged {
    pub fn offerings(&self) -> usize {
        self.catalog.offerings().len()
    }

    pub fn plans(&self) -> usize {
        let offerings = self.catalog.offerings().iter();
        offerings.map(|offering| offering.plans.len()).sum()
    }

    fn told(&self) -> Taken {
        Taken {
            is_new: self.is_new,
            offerings: self.offerings(),
            plans: self.plans(),
            changes: self.changes.clone(),
            findings: self.findings.iter().map(written).collect(),
            new_logins: self.new_logins,
            needs_restart: self.needs_restart.clone(),
        }
    }
}

/// For an operator who asked.
pub(super) fn answer(outcome: &Result<Exchanged, Refused>) -> Reloaded {
    match outcome {
        Ok(now) => Reloaded::Taken(now.told()),
        Err(refused) => Reloaded::Refused(refused.why()),
    }
}

impl Refused {
    /// The word for it, in the account of changes; nothing where it is not over.
    pub const fn word(&self) -> Option<&'static str> {
        match self {
            Self::Settings(_) => Some("settings"),
            Self::Document(_) => Some("document"),
            Self::Breaks(_) => Some("breaks"),
            Self::Store(_) => Some("store"),
            Self::System(_) => Some("system"),
            Self::Unsettled => None,
        }
    }

    fn why(&self) -> Why {
        match self {
            Self::Settings(errors) => Why::Settings(errors.iter().map(of_settings).collect()),
            Self::Document(findings) => Why::Document(findings.iter().map(written).collect()),
            Self::Breaks(broken) => Why::Breaks {
                told: broken.to_string(),
                breaches: broken.told(),
            },
            Self::Store(_) => Why::Store,
            Self::System(_) => Why::System,
            Self::Unsettled => Why::Unsettled,
        }
    }

    /// The same, for who looks later.
    pub fn told(&self) -> Reload {
        let (why, findings) = match self {
            Self::Settings(errors) => (errors.to_string(), Vec::new()),
            Self::Document(findings) => (String::new(), said(findings)),
            Self::Breaks(broken) => (broken.to_string(), Vec::new()),
            Self::Store(_) => (
                "What lives is not known: the store cannot be used. The log says why.".to_owned(),
                Vec::new(),
            ),
            Self::System(why) => (format!("The logins could not be made: {why}."), Vec::new()),
            Self::Unsettled => ("The files are being written.".to_owned(), Vec::new()),
        };
        Reload {
            at: clock(),
            refused: Some(why),
            findings,
        }
    }

    /// To the log.
    pub fn log(&self) {
        match self {
            Self::Settings(errors) => log::error!("{errors}"),
            Self::Document(findings) => log_findings(findings),
            Self::Breaks(broken) => log::error!("{broken}"),
            Self::Store(why) => log::error!("what lives is not known: {why}"),
            Self::System(why) => log::error!("the logins could not be made: {why}"),
            Self::Unsettled => {}
        }
    }
}

/// A finding as `check --format json` writes it.
fn written(finding: &Finding) -> Value {
    // Texts and numbers alone: nothing can go wrong.
    serde_json::to_value(finding).unwrap_or_default()
}

/// An error of the settings in the form of a finding. Neither has the text of a value in it.
fn of_settings(error: &SettingsError) -> Value {
    json!({
        "severity": Severity::Error,
        "rule": "settings",
        "file": null,
        "line": null,
        "column": null,
        "path": error.subject,
        "message": error.message,
        "mend": error.mend,
    })
}

pub(super) fn log_findings(findings: &Findings) {
    for finding in findings {
        let level = match finding.severity {
            Severity::Error => log::Level::Error,
            Severity::Warning => log::Level::Warn,
            Severity::Note => log::Level::Info,
        };
        log::log!(level, "{finding}");
    }
}
