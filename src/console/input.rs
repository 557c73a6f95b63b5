//! What a request says: names of its query, fields of its form, its cookies.

use std::borrow::Cow;
use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::COOKIE;
use actix_web::{FromRequest, HttpRequest, web};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The longest form.
const LONGEST: usize = 16 * 1024;

/// How long a form may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Names and values. Of a name that is there twice the first counts.
#[derive(Clone, Debug, Default)]
struct Pairs(Vec<(String, String)>);

/// The names of a query.
#[derive(Clone, Debug)]
pub(super) struct Query(Pairs);

/// The fields of a form; one that is too long, too slow or cut off has none. Values may be secret, so nothing prints them.
pub(super) struct Form(Pairs);

impl Pairs {
    fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decoded(name), decoded(value)))
                .collect(),
        )
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Query {
    /// The value of a name; nothing where it is not there, or empty. What surrounds it goes: it was pasted.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// The value to the letter: the name of a thing may begin with a space.
    pub fn exact(&self, name: &str) -> Option<&str> {
        self.0.get(name).filter(|value| !value.is_empty())
    }
}

impl Form {
    /// The value of a field; empty where there is none.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_default()
    }
}

impl FromRequest for Query {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(Pairs::parse(request.query_string()))))
    }
}

impl FromRequest for Form {
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Infallible>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let payload = web::Payload::from_request(request, payload).into_inner();
        Box::pin(async move {
            let Ok(payload) = payload else {
                return Ok(Self(Pairs::default()));
            };
            let read = tokio::time::timeout(PATIENCE, payload.to_bytes_limited(LONGEST)).await;
            let pairs = match read {
                Ok(Ok(Ok(bytes))) => Pairs::parse(&String::from_utf8_lossy(&bytes)),
                _ => Pairs::default(),
            };
            Ok(Self(pairs))
        })
    }
}

/// The values of a cookie: an older one of a longer path may stand before ours.
pub(super) fn cookies<'r>(
    request: &'r HttpRequest,
    name: &'r str,
) -> impl Iterator<Item = &'r str> {
    let lines = request.headers().get_all(COOKIE);
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(move |(known, _)| *known == name)
        .map(|(_, value)| value)
}

fn decoded(text: &str) -> String {
    let spaced: Cow<'_, str> = if text.contains('+') {
        text.replace('+', " ").into()
    } else {
        text.into()
    };
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// What may stand in a query as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A page with names in its query, those that have a value.
pub(super) fn with_query(page: &str, names: &[(&str, Option<&str>)]) -> String {
    let mut url = page.to_owned();
    let mut mark = '?';
    for (name, value) in names {
        if let Some(value) = value {
            url.push(mark);
            url.push_str(name);
            url.push('=');
            url.extend(utf8_percent_encode(value, PLAIN));
            mark = '&';
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_into_a_query_is_read_out_of_it() {
        for value in ["a", "a b", "../..", "a&b=c", "ä/%2F+\"<", "#?"] {
            let url = with_query("/p", &[("x", None), ("id", Some(value)), ("y", Some("1"))]);
            let (_, query) = url.split_once('?').expect("a query");
            let query = Query(Pairs::parse(query));
            assert_eq!(query.exact("id"), Some(value), "{url}");
            assert_eq!(query.get("y"), Some("1"));
            assert_eq!(query.get("x"), None);
        }
        assert_eq!(with_query("/p", &[("x", None)]), "/p");
    }

    #[test]
    fn a_field_is_what_was_typed() {
        let form = Form(Pairs::parse(
            "user=a%40b+c&password=p%26%3D+&user=second&empty",
        ));
        assert_eq!(form.get("user"), "a@b c");
        assert_eq!(form.get("password"), "p&= ");
        assert_eq!((form.get("empty"), form.get("none")), ("", ""));
    }
}
