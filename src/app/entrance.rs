//! Who may: logins as the settings have them.

use std::sync::Arc;

use super::{StartError, random};
use crate::access::{CertificateRule, LiveLogins, Login, Logins, Proof, Role, Roles, Throttle};
use crate::domain::catalog::Catalog;
use crate::domain::scope::Scope;
use crate::http::Reloads;
use crate::settings::{LoginKind, LoginRole, LoginSettings, Settings};

/// Who may, and who guessed at it: of the API and of the pages together.
#[derive(Clone)]
pub(super) struct Entrance {
    pub logins: Arc<LiveLogins>,
    pub throttle: Arc<Throttle>,
    /// Who reloads when an operator asks.
    pub reloads: Arc<dyn Reloads>,
}

/// A name that means nothing is likely misspelt, or its offering has left the catalog.
pub(super) fn warn_of_scopes(settings: &Settings, catalog: &Catalog) {
    for login in &settings.logins {
        for name in scope(login).unknown(catalog) {
            log::warn!(
                "auth.logins.{}.offerings names {name}, and no offering of the catalog has that name or id",
                login.name
            );
        }
    }
}

pub(super) fn scope(login: &LoginSettings) -> Scope {
    match &login.offerings {
        None => Scope::All,
        Some(offerings) => Scope::only(offerings.iter().cloned()),
    }
}

/// Those of the settings.
pub(super) fn logins(settings: &Settings) -> Result<Logins, StartError> {
    let login = |login: &LoginSettings| {
        let proof = match &login.kind {
            LoginKind::Certificate { subject, san } => {
                Proof::Certificate(CertificateRule::new(subject.as_deref(), san.as_deref())?)
            }
            LoginKind::Basic { username, password } => {
                Proof::Basic(username.clone(), password.clone())
            }
            LoginKind::Hashed {
                username,
                password_hash,
            } => Proof::Hashed(username.clone(), password_hash.clone()),
            LoginKind::Bearer { token } => Proof::Bearer(token.clone()),
        };
        Some(Login::new(&login.name, roles(login), proof).within(scope(login)))
    };
    let logins = settings.logins.iter().filter_map(login).collect();
    Logins::new(logins, &random()?).map_err(StartError::System)
}

pub(super) fn roles(login: &LoginSettings) -> Roles {
    let roles = login.roles.iter().map(|role| match role {
        LoginRole::Platform => Role::Platform,
        LoginRole::Operator => Role::Operator,
        LoginRole::Metrics => Role::Metrics,
        LoginRole::Viewer => Role::Viewer,
    });
    roles.collect()
}
