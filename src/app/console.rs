//! What the pages for operators are made of, out of settings, store and document.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::web::Data;
use serde_json::json;

use super::clock;
use super::entrance::{Entrance, roles, scope};
use crate::console::{Account, Console, Member, Parts, Reports, Said, Weight};
use crate::document::{Findings, Severity};
use crate::domain::desk::Desk;
use crate::domain::json::FingerprintKey;
use crate::domain::live::Live;
use crate::domain::recent::Recent;
use crate::domain::scope::Scope;
use crate::settings::{LoginKind, LoginSettings, Settings};

/// The pages, where there are to be some.
pub(super) fn open(
    settings: &Settings,
    live: Arc<Live>,
    (desk, account): (Option<Desk>, Account),
    recent: Arc<Recent>,
    reports: Arc<Reports>,
    entrance: Entrance,
    shared: &FingerprintKey,
) -> Option<Data<Console>> {
    let parts = || Parts {
        live,
        desk,
        recent,
        reports,
        account,
        logins: entrance.logins,
        throttle: entrance.throttle,
        members: members(settings, shared),
        key: key(shared),
        clock,
        base_path: settings.server.base_path.clone(),
        secure: settings.console.secure_cookie || settings.server.tls.is_some(),
    };
    let enabled = settings.console.enabled;
    enabled.then(|| Data::new(Console::new(parts())))
}

/// What sessions are signed with. It is made of what all brokers of a store share: a session of one is one of all.
fn key(of: &FingerprintKey) -> [u8; 32] {
    of.of(&json!(["console", "sessions"])).0
}

/// The logins by name that may sign in: those with a password, for all offerings. What they show is hashed with a key, so
/// that a session ends where it changes.
pub(super) fn members(settings: &Settings, key: &FingerprintKey) -> BTreeMap<String, Member> {
    let member = |login: &LoginSettings| {
        let shown = match &login.kind {
            LoginKind::Basic { username, password } => {
                json!(["console", username, password.expose()])
            }
            LoginKind::Hashed {
                username,
                password_hash,
            } => json!(["console", username, password_hash.expose()]),
            LoginKind::Bearer { .. } | LoginKind::Certificate { .. } => return None,
        };
        let member = Member {
            roles: roles(login),
            mark: key.of(&shown).0,
        };
        (scope(login) == Scope::All).then(|| (login.name.clone(), member))
    };
    settings.logins.iter().filter_map(member).collect()
}

/// Findings as pages show them.
pub(super) fn said(findings: &Findings) -> Vec<Said> {
    let said = findings.iter().map(|finding| Said {
        weight: match finding.severity {
            Severity::Error => Weight::Error,
            Severity::Warning => Weight::Warning,
            Severity::Note => Weight::Note,
        },
        rule: finding.rule.to_owned(),
        place: finding
            .place
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        path: finding.path.to_string(),
        message: finding.message.clone(),
        mend: finding.mend.clone(),
    });
    said.collect()
}
