//! The login of a request, from its `Authorization` header: row 2 of the order of checks.

use std::sync::Arc;

use actix_web::http::header::HeaderValue;
use actix_web_httpauth::headers::authorization::{Basic, Bearer, Scheme as _};

use super::head::Head;
use crate::access::{Login, Logins};
use crate::secret::Secret;

/// What a request shows.
pub(super) enum Shown<'l> {
    /// This login.
    Known(&'l Arc<Login>),
    /// User name and password that are none of those known, and may be right all the same.
    Unsure(String, Secret<String>),
    /// What is wrong; the user that it names, where it names one.
    Wrong(Option<String>),
    /// Nothing that could be a login.
    Nothing,
}

/// What a request shows. Nearly every client writes its header alike, and that is compared as it is; what is written in
/// another way is parsed.
pub(super) fn shown<'l>(head: &Head<'_>, logins: &'l Logins) -> Shown<'l> {
    let Some(header) = head.authorization else {
        return Shown::Nothing;
    };
    let known = logins.by_header(header.as_bytes());
    if let Some(login) = known.or_else(|| logins.known(header.as_bytes())) {
        return Shown::Known(login);
    }
    let Some(header) = canonical(header) else {
        return Shown::Nothing;
    };
    if let Ok(basic) = Basic::parse(&header) {
        return by_password(&basic, logins);
    }
    match Bearer::parse(&header) {
        Ok(bearer) => match logins.by_token(bearer.token()) {
            Some(login) => Shown::Known(login),
            None => Shown::Wrong(None),
        },
        Err(_) => Shown::Nothing,
    }
}

fn by_password<'l>(basic: &Basic, logins: &'l Logins) -> Shown<'l> {
    let user = basic.user_id();
    let password = basic.password().unwrap_or_default();
    if let Some(login) = logins.by_password(user, password) {
        Shown::Known(login)
    } else if let Some(login) = logins.known_password(user, password) {
        Shown::Known(login)
    } else if logins.have_hashes() {
        Shown::Unsure(user.to_owned(), Secret::new(password.to_owned()))
    } else {
        Shown::Wrong(Some(user.to_owned()))
    }
}

/// The header with its scheme in the one spelling that the parsers know: a scheme has no case (RFC 9110, 11.1).
fn canonical(header: &HeaderValue) -> Option<HeaderValue> {
    let (scheme, rest) = header.to_str().ok()?.split_once(' ')?;
    let scheme = ["Basic", "Bearer"]
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(scheme))?;
    HeaderValue::try_from(format!("{scheme} {}", rest.trim_start_matches(' '))).ok()
}
