//! The login of a request, from its `Authorization` header: row 2 of the order of checks.

use std::sync::Arc;

use actix_web::http::header::HeaderValue;
use actix_web_httpauth::headers::authorization::{Basic, Bearer, Scheme as _};

use super::head::Head;
use crate::access::{Login, Logins};

/// The login that a request shows. Nearly every client writes its header alike, and that is compared as it is; what is
/// written in another way is parsed.
pub(super) fn login<'l>(head: &Head<'_>, logins: &'l Logins) -> Option<&'l Arc<Login>> {
    let header = head.authorization?;
    if let Some(login) = logins.by_header(header.as_bytes()) {
        return Some(login);
    }
    let header = canonical(header)?;
    if let Ok(basic) = Basic::parse(&header) {
        let password = basic.password().unwrap_or_default();
        return logins.by_password(basic.user_id(), password);
    }
    let bearer = Bearer::parse(&header).ok()?;
    logins.by_token(bearer.token())
}

/// The header with its scheme in the one spelling that the parsers know: a scheme has no case (RFC 9110, 11.1).
fn canonical(header: &HeaderValue) -> Option<HeaderValue> {
    let (scheme, rest) = header.to_str().ok()?.split_once(' ')?;
    let scheme = ["Basic", "Bearer"]
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(scheme))?;
    HeaderValue::try_from(format!("{scheme} {}", rest.trim_start_matches(' '))).ok()
}
