//! Reading a request: typed ids from the path, names from the query, fields from the body (row 5).

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::web::{self, Bytes};
use actix_web::{FromRequest, HttpRequest};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::Api;
use super::error::{BODY_TOO_LARGE, INVALID_BODY, INVALID_ID, INVALID_QUERY, Refusal, TIMEOUT};
use crate::domain::error::NameProblem;
use crate::domain::id::{BindingId, IdError, InstanceId};
use crate::domain::json::Object;
use crate::secret::Secret;

/// The id of an instance, from the path.
pub(super) struct AtInstance(pub(super) InstanceId);

/// The ids of an instance and of a binding, from the path.
pub(super) struct AtBinding(pub(super) InstanceId, pub(super) BindingId);

/// The names of the query. What is wrong with one is said when it is asked for.
pub(super) struct Query(Vec<(String, Option<String>)>);

/// The body, a JSON object.
pub(super) struct Body(pub(super) Object);

impl FromRequest for AtInstance {
    type Error = Refusal;
    type Future = std::future::Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(id(request, "instance_id", InstanceId::parse).map(Self))
    }
}

impl FromRequest for AtBinding {
    type Error = Refusal;
    type Future = std::future::Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let instance = id(request, "instance_id", InstanceId::parse);
        std::future::ready(
            instance.and_then(|instance| {
                Ok(Self(instance, id(request, "binding_id", BindingId::parse)?))
            }),
        )
    }
}

fn id<T>(
    request: &HttpRequest,
    name: &str,
    parse: fn(&str) -> Result<T, IdError>,
) -> Result<T, Refusal> {
    let bad = |why: &str| {
        Refusal::new(
            INVALID_ID,
            format!("The {name} in the path {why}. Send the id percent-encoded."),
        )
    };
    // The router replaces what is not UTF-8 by a sign of its own, so the path is looked at as it came.
    if percent_decode_str(request.uri().path())
        .decode_utf8()
        .is_err()
    {
        return Err(bad("is not UTF-8"));
    }
    // The router has decoded all but `%2F` and `%25`, which would change the path's meaning.
    let segment = request.match_info().get(name).unwrap_or_default();
    let text = percent_decode_str(segment).decode_utf8_lossy();
    parse(&text).map_err(|why| bad(&why.to_string()))
}

impl FromRequest for Query {
    type Error = Refusal;
    type Future = std::future::Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Ok(Self::parse(request.query_string())))
    }
}

impl Query {
    fn parse(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decoded(name).unwrap_or_default(), decoded(value)))
                .collect(),
        )
    }

    /// A name that must be there: not empty, and once.
    pub(super) fn required<T>(
        &self,
        name: &str,
        parse: fn(&str) -> Result<T, IdError>,
    ) -> Result<T, NameProblem> {
        let text = self.once(name)?.ok_or(NameProblem::Missing)?;
        parse(text).map_err(|why| match why {
            IdError::Empty => NameProblem::Missing,
            IdError::ControlCharacter => NameProblem::Unreadable,
        })
    }

    /// A name that may be there, but once: an error names it.
    pub(super) fn optional(&self, name: &str) -> Result<Option<&str>, Refusal> {
        self.once(name).map_err(|problem| {
            let why = if problem == NameProblem::Twice {
                "is given more than once"
            } else {
                "is not UTF-8"
            };
            Refusal::new(
                INVALID_QUERY,
                format!("The query parameter `{name}` {why}. Send it once, percent-encoded."),
            )
        })
    }

    /// Row 5 for a request that has a body: none of the API's names is given twice.
    pub(super) fn each_once(&self) -> Result<(), Refusal> {
        ["accepts_incomplete", "service_id", "plan_id", "operation"]
            .iter()
            .try_for_each(|name| self.optional(name).map(|_| ()))
    }

    /// Whether the platform takes a 202: any value but `true` is a no.
    pub(super) fn accepts_incomplete(&self) -> bool {
        matches!(self.once("accepts_incomplete"), Ok(Some("true")))
    }

    fn once(&self, name: &str) -> Result<Option<&str>, NameProblem> {
        let mut values = self
            .0
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value);
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(Some(value)), None) => Ok(Some(value)),
            (Some(None), None) => Err(NameProblem::Unreadable),
            (Some(_), Some(_)) => Err(NameProblem::Twice),
        }
    }
}

fn decoded(text: &str) -> Option<String> {
    let spaced: Cow<'_, str> = if text.contains('+') {
        text.replace('+', " ").into()
    } else {
        text.into()
    };
    percent_decode_str(&spaced)
        .decode_utf8()
        .ok()
        .map(Cow::into_owned)
}

impl FromRequest for Body {
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Refusal>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let payload = web::Payload::from_request(request, payload).into_inner();
        let limits = request.app_data::<web::Data<Api>>().map(|api| api.limits);
        Box::pin(async move {
            let (Ok(payload), Some(limits)) = (payload, limits) else {
                return Err(cut_off());
            };
            let read =
                tokio::time::timeout(limits.time, payload.to_bytes_limited(limits.body)).await;
            match read {
                Err(_) => Err(Refusal::new(
                    TIMEOUT,
                    "The body took too long. Send the request again.",
                )),
                Ok(Err(_)) => Err(too_large(limits.body)),
                Ok(Ok(Err(_))) => Err(cut_off()),
                Ok(Ok(Ok(bytes))) => object(&bytes).map(Self),
            }
        })
    }
}

/// Rows 1 and 5: a body that is too long.
pub(super) fn too_large(limit: usize) -> Refusal {
    Refusal::new(
        BODY_TOO_LARGE,
        format!("The body is longer than {limit} bytes. Send smaller parameters."),
    )
}

fn cut_off() -> Refusal {
    Refusal::new(
        INVALID_BODY,
        "The body ended before its time. Send the request again.",
    )
}

fn object(bytes: &Bytes) -> Result<Object, Refusal> {
    let bad =
        |why: String| Refusal::new(INVALID_BODY, format!("The body {why}. Send a JSON object."));
    log::trace!("a body: {:?}", Secret::new(String::from_utf8_lossy(bytes)));
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(bad("is JSON, but not an object".to_owned())),
        Err(_) if bytes.is_empty() => Err(bad("is empty".to_owned())),
        // Line and column, but never serde's own words: they quote what was sent.
        Err(error) => Err(bad(format!(
            "is not JSON that can be read (line {}, column {})",
            error.line(),
            error.column()
        ))),
    }
}
