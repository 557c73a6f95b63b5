//! `GET /v2/catalog`: made once, compressed once, sent as it is.

use std::borrow::Cow;
use std::io::Write as _;
use std::sync::Arc;
use std::time::SystemTime;

use actix_web::http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, VARY,
};
use actix_web::web::Bytes;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use flate2::Compression;
use flate2::write::GzEncoder;
use hmac::digest::Digest as _;
use sha2::Sha256;

use super::error::unauthorized;
use super::identity::Admitted;
use super::{Api, wire};
use crate::domain::catalog::Catalog;
use crate::domain::scope::Scope;

/// The catalog as it is sent: whole, and to callers of a scope what they see of it.
pub struct Published {
    catalog: Arc<Catalog>,
    at: SystemTime,
    whole: Body,
    narrowed: Vec<(Scope, Body)>,
}

#[derive(Clone)]
struct Body {
    plain: Bytes,
    /// Absent where compression would not make it smaller.
    gzip: Option<Bytes>,
    etag: HeaderValue,
    gzip_etag: HeaderValue,
    last_modified: HeaderValue,
    /// In whole seconds, as the header says it.
    since: SystemTime,
}

impl Published {
    /// The catalog, as loaded at `since`, for callers of these scopes.
    pub fn new<'s>(
        catalog: &Arc<Catalog>,
        scopes: impl IntoIterator<Item = &'s Scope>,
        since: SystemTime,
    ) -> Self {
        let mut narrowed: Vec<(Scope, Body)> = Vec::new();
        for scope in scopes.into_iter().filter(|scope| **scope != Scope::All) {
            if narrowed.iter().all(|(known, _)| known != scope) {
                let seen = catalog.narrowed(scope);
                narrowed.push((scope.clone(), Body::new(&seen, since)));
            }
        }
        Self {
            catalog: Arc::clone(catalog),
            at: since,
            narrowed,
            whole: Body::new(catalog, since),
        }
    }

    /// The body without compression, for who sees all of it.
    pub const fn plain(&self) -> &Bytes {
        &self.whole.plain
    }

    /// What callers of that scope are sent. One whose login has left since it was let in is no less answered.
    fn of(&self, scope: &Scope) -> Cow<'_, Body> {
        if *scope == Scope::All {
            return Cow::Borrowed(&self.whole);
        }
        let mut narrowed = self.narrowed.iter();
        match narrowed.find(|(known, _)| known == scope) {
            Some((_, body)) => Cow::Borrowed(body),
            None => Cow::Owned(Body::new(&self.catalog.narrowed(scope), self.at)),
        }
    }
}

impl Body {
    fn new(catalog: &Catalog, since: SystemTime) -> Self {
        let plain = wire::answer::catalog(catalog).to_string().into_bytes();
        let hash = Sha256::digest(&plain)
            .iter()
            .take(16)
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let date = httpdate::fmt_http_date(since);
        let since = httpdate::parse_http_date(&date).unwrap_or(since);
        Self {
            gzip: compressed(&plain),
            plain: plain.into(),
            etag: value(format!("\"{hash}\"")),
            gzip_etag: value(format!("\"{hash}-gzip\"")),
            last_modified: value(date),
            since,
        }
    }

    fn unchanged(&self, headers: &HeaderMap) -> bool {
        if let Some(tags) = headers.get(IF_NONE_MATCH) {
            // RFC 9110, 13.1.2: compared weakly, and it makes `If-Modified-Since` void.
            return tags.to_str().is_ok_and(|tags| {
                tags.split(',')
                    .map(|tag| tag.trim().trim_start_matches("W/"))
                    .any(|tag| {
                        tag == "*"
                            || tag.as_bytes() == self.etag.as_bytes()
                            || tag.as_bytes() == self.gzip_etag.as_bytes()
                    })
            });
        }
        headers
            .get(IF_MODIFIED_SINCE)
            .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok())
            .is_some_and(|date| self.since <= date)
    }
}

/// The text is ours and printable, so that the empty value never stands in.
fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

fn compressed(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).ok()?;
    encoder
        .finish()
        .ok()
        .filter(|gzip| gzip.len() < plain.len())
        .map(Bytes::from)
}

/// Whether `Accept-Encoding` takes gzip (RFC 9110, 12.5.3): named, or meant by `*`, and not with a weight of zero.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let Some(accepted) = headers
        .get(ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let weight = |name: &str| {
        accepted.split(',').find_map(|item| {
            let mut parts = item.split(';').map(str::trim);
            parts
                .next()
                .filter(|coding| coding.eq_ignore_ascii_case(name))?;
            let weight =
                parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            Some(weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0)))
        })
    };
    weight("gzip")
        .or_else(|| weight("*"))
        .is_some_and(|weight: f32| weight > 0.0)
}

/// What a request is sent.
struct Sent<'p> {
    body: Cow<'p, Body>,
    gzip: bool,
    unchanged: bool,
}

impl<'p> Sent<'p> {
    /// By the login, which all have that passed the gate, and by what its head says, where that says anything.
    fn to(request: &HttpRequest, published: &'p Published) -> Option<Self> {
        let extensions = request.extensions();
        let Admitted { login, negotiates } = extensions.get()?;
        let body = published.of(login.scope());
        let headers = request.headers();
        Some(Self {
            gzip: *negotiates && body.gzip.is_some() && takes_gzip(headers),
            unchanged: *negotiates && body.unchanged(headers),
            body,
        })
    }
}

/// The published catalog (specification, "Catalog Management"), with 304 for who has it already.
pub(super) async fn fetch(request: HttpRequest) -> HttpResponse {
    let published = Api::of(&request).map(|api| api.published.load());
    let seen = published.as_deref();
    let Some(sent) = seen.and_then(|published| Sent::to(&request, published)) else {
        return unauthorized();
    };
    let gzip = sent.body.gzip.as_ref().filter(|_| sent.gzip);
    let mut response = if sent.unchanged {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response
        .insert_header((
            ETAG,
            if gzip.is_some() {
                &sent.body.gzip_etag
            } else {
                &sent.body.etag
            }
            .clone(),
        ))
        .insert_header((LAST_MODIFIED, sent.body.last_modified.clone()))
        .insert_header((VARY, HeaderValue::from_static("Accept-Encoding")));
    if sent.unchanged {
        return response.finish();
    }
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
    if gzip.is_some() {
        response.insert_header((CONTENT_ENCODING, HeaderValue::from_static("gzip")));
    }
    response.body(gzip.unwrap_or(&sent.body.plain).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_who_takes_it() {
        let takes = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(text));
            takes_gzip(&headers)
        };
        for yes in [
            "gzip",
            "deflate, GZIP",
            "br;q=1.0, gzip;q=0.1",
            "*",
            "gzip, *;q=0",
        ] {
            assert!(takes(yes), "{yes}");
        }
        for no in ["", "br", "gzip;q=0", "gzip;q=0.0, *", "*;q=0", "gzip;q=x"] {
            assert!(!takes(no), "{no}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
