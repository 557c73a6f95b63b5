//! Changes that are refused, for who keeps account: told where the answer goes out, so that whoever refused it is told of.

use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use actix_web::{HttpMessage as _, HttpRequest};
use percent_encoding::percent_decode_str;

use super::Api;
use super::error::{OPERATION_FAILED, REFUSED, STILL_RUNNING, UPDATE_REFUSED, Word};
use super::head::Head;
use super::identity::{Admitted, originating_identity, peer, text};
use super::log_line::Named;
use crate::domain::audit::{Account, Asked, Denied, Who};
use crate::domain::json::Object;
use crate::domain::operation::Kind;
use crate::secret::Secret;

/// What a request says besides offering and plan.
struct Said {
    organization: Option<String>,
    space: Option<String>,
    parameters: Option<Secret<Object>>,
}

/// Whether what a request says is to be kept until it is answered.
pub(super) fn wanted(request: &HttpRequest) -> bool {
    Api::of(request).is_some_and(|api| api.broker.account() != Account::None)
}

/// Keeps what a request says until it is answered.
pub(super) fn note(
    request: &HttpRequest,
    api: &Api,
    (organization, space): (Option<&str>, Option<&str>),
    parameters: Option<&Object>,
) {
    if api.broker.account() == Account::None {
        return;
    }
    let said = Said {
        organization: organization.map(str::to_owned),
        space: space.map(str::to_owned),
        // Hashed where it is refused: most are not.
        parameters: parameters.cloned().map(Secret::new),
    };
    request.extensions_mut().insert(said);
}

/// Tells of an answer that refuses a change to a login that is known. What was recorded before it failed has lines of its
/// own.
pub(super) fn answered(answer: &ServiceResponse) {
    let request = answer.request();
    if !answer.status().is_client_error() && !answer.status().is_server_error() {
        return;
    }
    let Some(api) = Api::of(request) else {
        return;
    };
    if api.broker.account() == Account::None {
        return;
    }
    let word = answer.response().extensions().get::<Word>().copied();
    let recorded = [OPERATION_FAILED, REFUSED, UPDATE_REFUSED, STILL_RUNNING];
    if word.is_some_and(|word| recorded.contains(&word)) {
        return;
    }
    let extensions = request.extensions();
    let (Some(Admitted { login, .. }), Some(change)) = (
        extensions.get(),
        Change::of(request.method(), request.path(), &api.base_path),
    ) else {
        return;
    };
    let head = Head::of(request.headers());
    let identity = originating_identity(request.headers());
    let named: Option<&Named> = extensions.get();
    let said: Option<&Said> = extensions.get();
    api.broker.denied(&Denied {
        who: Who {
            login: login.name(),
            identity: identity.as_ref(),
            request_identity: head.identity.and_then(text),
            peer: peer(request),
        },
        is_step: false,
        operation: None,
        kind: change.kind,
        instance: &change.instance,
        binding: change.binding.as_deref(),
        asked: Asked {
            service: named.map(|named| &named.service),
            plan: named.and_then(|named| named.plan.as_ref()),
            organization: said.and_then(|said| said.organization.as_deref()),
            space: said.and_then(|said| said.space.as_deref()),
            parameters: said.and_then(|said| {
                let parameters = said.parameters.as_ref()?;
                Some(api.broker.hashed(parameters.expose()))
            }),
        },
        status: answer.status().as_u16(),
        error: word.map_or("-", |word| word.name),
    });
}

/// A change as its method and path say it: the gate refuses before there is a route.
#[derive(Debug, PartialEq)]
struct Change {
    kind: Kind,
    instance: String,
    binding: Option<String>,
}

impl Change {
    fn of(method: &Method, path: &str, base: &str) -> Option<Self> {
        let path = path.strip_prefix(base)?;
        let mut parts = path.strip_prefix("/v2/service_instances/")?.split('/');
        let instance = decoded(parts.next()?);
        let binding = match (parts.next(), parts.next()) {
            (None, None) => None,
            (Some("service_bindings"), Some(id)) => Some(decoded(id)),
            _ => return None,
        };
        if parts.next().is_some() {
            return None;
        }
        let kind = match (method.as_str(), &binding) {
            ("PUT", None) => Kind::Provision,
            ("PATCH", None) => Kind::Update,
            ("DELETE", None) => Kind::Deprovision,
            ("PUT", Some(_)) => Kind::Bind,
            ("DELETE", Some(_)) => Kind::Unbind,
            _ => return None,
        };
        Some(Self {
            kind,
            instance,
            binding,
        })
    }
}

fn decoded(id: &str) -> String {
    percent_decode_str(id).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_known_by_method_and_path() {
        let cases = [
            (
                "PUT",
                "/b/v2/service_instances/i",
                Some((Kind::Provision, "i", None)),
            ),
            (
                "PATCH",
                "/b/v2/service_instances/i%20j",
                Some((Kind::Update, "i j", None)),
            ),
            (
                "DELETE",
                "/b/v2/service_instances/i",
                Some((Kind::Deprovision, "i", None)),
            ),
            (
                "PUT",
                "/b/v2/service_instances/i/service_bindings/k",
                Some((Kind::Bind, "i", Some("k"))),
            ),
            (
                "DELETE",
                "/b/v2/service_instances/i/service_bindings/k",
                Some((Kind::Unbind, "i", Some("k"))),
            ),
            ("GET", "/b/v2/service_instances/i", None),
            (
                "PATCH",
                "/b/v2/service_instances/i/service_bindings/k",
                None,
            ),
            ("PUT", "/b/v2/service_instances/i/last_operation", None),
            (
                "PUT",
                "/b/v2/service_instances/i/service_bindings/k/last_operation",
                None,
            ),
            ("PUT", "/v2/service_instances/i", None),
            ("PUT", "/b/v2/catalog", None),
        ];
        for (method, path, expected) in cases {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let found = Change::of(&method, path, "/b");
            let found = found
                .as_ref()
                .map(|change| (change.kind, &*change.instance, change.binding.as_deref()));
            assert_eq!(found, expected, "{method} {path}");
        }
    }
}
