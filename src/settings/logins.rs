//! Who may log in.

use super::error::{Refused, SettingsError};
use super::file::SettingsFile;
use super::merged::Merged;
use super::parse;
use super::table::{AUTH, LOGINS};
use super::types::{LoginKind, LoginRole, LoginSettings};
use crate::password::{NotAHash, PasswordHash};
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
        let (roles, offerings) = (roles(merged, &path), offerings(merged, &path));
        if let (Some(kind), Some(roles), Some(offerings)) = (kind, roles, offerings) {
            logins.push(LoginSettings {
                name: name.to_owned(),
                kind,
                roles,
                offerings,
            });
        }
    }
    refuse_the_same(merged, &logins);
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

/// The offerings that a login is for, where they are given; nothing where that is wrong.
#[expect(clippy::option_option, reason = "what is wrong is not what is absent")]
fn offerings(merged: &mut Merged, path: &str) -> Option<Option<Vec<String>>> {
    let path = format!("{path}.offerings");
    if merged.origin(&path).is_none() {
        return Some(None);
    }
    let offerings = merged.texts(&path);
    if offerings.is_empty() {
        let mend = "give names of offerings of the catalog, or leave it out: then it is for all";
        merged.refuse(&path, Refused::new("names no offering", mend));
        return None;
    }
    Some(Some(offerings))
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
    let given =
        ["username", "password", "password_hash", "token"].map(|key| merged.text(&below(key)));
    if let Some(kind) = certificate(merged, path, given.iter().any(Option::is_some)) {
        return kind.ok();
    }
    let mut refuse = |key: &str, message: &str, mend: &str| {
        merged.refuse(&below(key), Refused::new(message, mend));
        None
    };
    match given {
        [None, None, None, None] if may_be_absent => None,
        [None, None, None, None] => {
            let mend = "give username and password, username and password_hash, token, or certificate_subject";
            merged.refuse(path, Refused::new("has nothing to log in with", mend));
            None
        }
        [_, Some(_), _, Some(_)] => refuse("token", "stands beside a password", "keep one of them"),
        [_, _, Some(_), Some(_)] => refuse("token", "stands beside a hash", "keep one of them"),
        [_, Some(_), Some(_), None] => refuse(
            "password_hash",
            "stands beside the password",
            "keep one of them",
        ),
        [Some(_), None, None, Some(_)] => refuse(
            "username",
            "stands beside a token, which needs none",
            "remove it",
        ),
        [Some(_), None, None, None] => {
            refuse("username", "has no password", "give the password, too")
        }
        [None, Some(_), None, None] => {
            refuse("password", "has no username", "give the username, too")
        }
        [None, None, Some(_), None] => {
            refuse("password_hash", "has no username", "give the username, too")
        }
        [None, None, None, Some(token)] => is_token(&token)
            .map_err(|refused| merged.refuse(&below("token"), refused))
            .ok()
            .map(|()| LoginKind::Bearer {
                token: Secret::new(token),
            }),
        [Some(username), Some(password), None, None] => {
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
        [Some(username), None, Some(hash), None] => {
            let user = is_username(&username)
                .map_err(|refused| merged.refuse(&below("username"), refused));
            let hash = password_hash(&hash)
                .map_err(|refused| merged.refuse(&below("password_hash"), refused));
            let (Ok(()), Ok(password_hash)) = (user, hash) else {
                return None;
            };
            Some(LoginKind::Hashed {
                username,
                password_hash,
            })
        }
    }
}

/// A login by certificate, where it is one.
fn certificate(merged: &mut Merged, path: &str, beside: bool) -> Option<Result<LoginKind, ()>> {
    let below = |key: &str| format!("{path}.{key}");
    let [subject, san] =
        ["certificate_subject", "certificate_san"].map(|key| merged.text(&below(key)));
    let key = match (&subject, &san) {
        (None, None) => return None,
        (Some(_), _) => "certificate_subject",
        (None, Some(_)) => "certificate_san",
    };
    let mut refuse = |key: &str, message: &str, mend: &str| {
        merged.refuse(&below(key), Refused::new(message, mend));
        Some(Err(()))
    };
    if beside {
        let mend = "keep one of them; give another login for the other";
        return refuse(key, "stands beside a password or a token", mend);
    }
    if subject
        .as_ref()
        .is_some_and(|subject| !subject.contains('='))
    {
        let mend = "write it as CN=platform, or CN=platform, O=Example";
        return refuse("certificate_subject", "is no subject", mend);
    }
    if san.as_ref().is_some_and(|san| san.trim().is_empty()) {
        let mend = "give the name of a host, an address, a mail address or a URI";
        return refuse("certificate_san", "is empty", mend);
    }
    Some(Ok(LoginKind::Certificate { subject, san }))
}

/// Two that show the same: only one of them would ever be let in.
fn refuse_the_same(merged: &mut Merged, logins: &[LoginSettings]) {
    for (at, login) in logins.iter().enumerate() {
        if let Some(other) = logins[..at].iter().find(|other| other.kind == login.kind) {
            let path = if login.name == DEFAULT {
                AUTH.to_owned()
            } else {
                format!("{LOGINS}.{}", login.name)
            };
            let message = format!("shows the same as the login {}", other.name);
            let mend = "give it another password or token, or give one of them all the roles";
            merged.refuse(&path, Refused::new(message, mend));
        }
    }
}

/// What comes without its last newline out of a file that has several is no hash, and said to be none.
fn password_hash(text: &str) -> Result<PasswordHash, Refused> {
    PasswordHash::parse(text.trim_end_matches(['\r', '\n'])).map_err(|why| {
        let message = match why {
            NotAHash::Malformed => "is no hash of a password in the form $argon2id$v=19$...",
            NotAHash::NotArgon2id => "is a hash of another algorithm than argon2id",
            NotAHash::Weak => "is a hash that is quick to guess",
            NotAHash::Costly => {
                "is a hash that takes more than 256 MiB, or seconds, each time it is looked at"
            }
        };
        let mend = "make one of the password with `catalog-broker login hash`";
        Refused::new(message, mend)
    })
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
