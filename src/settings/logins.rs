//! Who may log in.

use super::error::{Refused, SettingsError};
use super::file::SettingsFile;
use super::merged::Merged;
use super::parse;
use super::table::{AUTH, LOGINS};
use super::types::{LoginKind, LoginRole, LoginSettings};
use crate::secret::Secret;

/// The name of the login that `auth.username` gives.
const DEFAULT: &str = "default";

/// All logins that are given; at least one, or an error.
pub(super) fn read(
    merged: &mut Merged,
    file: &SettingsFile,
    warnings: &mut Vec<String>,
) -> Vec<LoginSettings> {
    let mut names = merged.logins();
    names.extend(file.logins.iter().cloned());
    names.sort();
    names.dedup();
    let mut logins = Vec::new();
    let before = merged.errors.len();
    let places = names
        .iter()
        .map(|name| (name.as_str(), format!("{LOGINS}.{name}")));
    let places = std::iter::once((DEFAULT, AUTH.to_owned())).chain(places);
    for (name, path) in places {
        let kind = login(merged, &path, name == DEFAULT, warnings);
        if let (Some(kind), Some(roles)) = (kind, roles(merged, &path)) {
            let name = name.to_owned();
            logins.push(LoginSettings { name, kind, roles });
        }
    }
    let is_told = merged.errors.len() > before || !merged.broken.is_empty();
    let is_told = is_told || file.has_auth && !merged.errors.is_empty();
    if logins.is_empty() && !is_told {
        merged.errors.push(none());
    }
    logins
}

/// What there is to say where no login is given.
fn none() -> SettingsError {
    let message = "no login is given, and none is built in";
    let mend = "set BROKER_AUTH__USERNAME and BROKER_AUTH__PASSWORD (or \
                BROKER_AUTH__PASSWORD_FILE=/path), or auth.username and auth.password in \
                config/broker.yaml";
    SettingsError::new(AUTH, message, mend)
}

/// What a login may do; nothing where that is wrong.
fn roles(merged: &mut Merged, path: &str) -> Option<Vec<LoginRole>> {
    let path = format!("{path}.role");
    if merged.origin(&path).is_none() {
        return Some(vec![LoginRole::Platform]);
    }
    let roles = merged.many(&path, parse::role)?;
    if roles.is_empty() {
        let mend =
            "give platform, operator, metrics or viewer, or leave it out: then it is platform";
        merged.refuse(&path, Refused::new("names no role", mend));
        return None;
    }
    Some(roles)
}

fn login(
    merged: &mut Merged,
    path: &str,
    may_be_absent: bool,
    warnings: &mut Vec<String>,
) -> Option<LoginKind> {
    let below = |key: &str| format!("{path}.{key}");
    if merged
        .broken
        .iter()
        .any(|broken| broken.rsplit_once('.').is_some_and(|(at, _)| at == path))
    {
        return None;
    }
    let [username, password, token] =
        ["username", "password", "token"].map(|key| merged.text(&below(key)));
    let mut refuse = |key: &str, message: &str, mend: &str| {
        merged.refuse(&below(key), Refused::new(message, mend));
        None
    };
    match (username, password, token) {
        (None, None, None) if may_be_absent => None,
        (None, None, None) => {
            let mend = "give username and password, or token";
            merged.refuse(path, Refused::new("has nothing to log in with", mend));
            None
        }
        (_, Some(_), Some(_)) => refuse("token", "stands beside a password", "keep one of them"),
        (Some(_), None, Some(_)) => refuse(
            "username",
            "stands beside a token, which needs none",
            "remove it",
        ),
        (Some(_), None, None) => refuse("username", "has no password", "give the password, too"),
        (None, Some(_), None) => refuse("password", "has no username", "give the username, too"),
        (None, None, Some(token)) => is_token(&token)
            .map_err(|refused| merged.refuse(&below("token"), refused))
            .ok()
            .map(|()| LoginKind::Bearer {
                token: Secret::new(token),
            }),
        (Some(username), Some(password), None) => {
            let user = is_username(&username)
                .map_err(|refused| merged.refuse(&below("username"), refused));
            let pass = is_password(&password)
                .map_err(|refused| merged.refuse(&below("password"), refused));
            if password.chars().any(char::is_control) {
                warnings.push(format!(
                    "{}: holds a control character (a line break?); many clients cannot send one",
                    below("password")
                ));
            }
            user.and(pass).ok().map(|()| LoginKind::Basic {
                username,
                password: Secret::new(password),
            })
        }
    }
}

fn is_username(text: &str) -> Result<(), Refused> {
    if text.is_empty() {
        return Err(Refused::new("is empty", "give a name"));
    }
    if text.contains(':') {
        let message = "has a colon, where basic authentication ends the username";
        return Err(Refused::new(message, "give a name without one"));
    }
    if text.chars().any(char::is_control) {
        let message = "holds a control character";
        return Err(Refused::new(message, "give a name without line breaks"));
    }
    Ok(())
}

fn is_password(text: &str) -> Result<(), Refused> {
    if text.is_empty() {
        return Err(Refused::new("is empty", "give a password"));
    }
    Ok(())
}

fn is_token(text: &str) -> Result<(), Refused> {
    if text.is_empty() {
        return Err(Refused::new("is empty", "give a token"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = "holds what cannot stand in a header";
        return Err(Refused::new(
            message,
            "give letters, digits and signs of ASCII, without blanks",
        ));
    }
    Ok(())
}
