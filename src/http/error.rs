//! Every refusal as status, word and sentence: the one table of `error` words, and the one match from the domain's
//! errors to it. The README shows the table; a test holds the two together.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use actix_web_httpauth::headers::www_authenticate::basic::Basic;
use serde_json::Value;

use super::wire;
use crate::access::Role;
use crate::domain::answer::BindTarget;
use crate::domain::error::BrokerError;
use crate::domain::json::Object;
use crate::domain::operation::Kind;

/// What a refusal is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// The status that goes with it.
    pub status: u16,
    /// The `error` of the body: one word in camel case.
    pub name: &'static str,
    /// When it is answered, for the README.
    pub when: &'static str,
}

macro_rules! words {
    ($($constant:ident = $status:literal $name:literal $when:literal;)*) => {
        $(pub(super) const $constant: Word = Word { status: $status, name: $name, when: $when };)*

        /// All words there are, in the order of their status.
        pub const WORDS: &[Word] = &[$($constant),*];
    };
}

words! {
    INVALID_BODY = 400 "InvalidBody" "the body is not JSON, not an object, or cut off";
    INVALID_FIELD = 400 "InvalidField" "a field of the body is missing, empty or of the wrong type";
    INVALID_QUERY = 400 "InvalidQuery" "a query parameter is missing, empty, unreadable or given twice";
    INVALID_ID = 400 "InvalidId" "an id in the path is not UTF-8 or has control characters";
    SERVICE_NOT_IN_CATALOG = 400 "ServiceNotInCatalog" "no service of the catalog has that id";
    PLAN_NOT_IN_CATALOG = 400 "PlanNotInCatalog" "the service has no plan with that id";
    NOT_BINDABLE = 400 "NotBindable" "the plan is not bindable";
    NOT_ROTATABLE = 400 "NotRotatable" "the plan's bindings cannot be rotated";
    PREDECESSOR_INVALID = 400 "PredecessorInvalid" "the predecessor is no binding of the instance, or has expired";
    SERVICE_MISMATCH = 400 "ServiceMismatch" "the service is not that of the instance";
    PLAN_MISMATCH = 400 "PlanMismatch" "the plan is not that of the instance";
    PLAN_WITHDRAWN = 400 "PlanWithdrawn" "the plan of the instance has left the catalog, so it cannot be bound";
    PARAMETERS_INVALID = 400 "ParametersInvalid" "the parameters break the plan's schema, or its templates can make nothing of them";
    REFUSED = 400 "OperationRefused" "the backend would not do it, and did nothing";
    INSTANCE_NOT_USABLE = 400 "InstanceNotUsable" "the instance failed to be provisioned";
    REQUIRES_ROUTE = 400 "RequiresRoute" "the plan can be bound to a route only";
    QUOTA_EXCEEDED = 400 "QuotaExceeded" "there are as many instances or bindings as `limits` allow";
    PLAN_RETIRED = 400 "PlanRetired" "the plan is retired: it makes no new instance";
    POOL_EXHAUSTED = 400 "PoolExhausted" "every entry of the plan's pool is lent, or rests";
    UNAUTHORIZED = 401 "Unauthorized" "the credentials are missing or wrong";
    FORBIDDEN = 403 "Forbidden" "the login has not the role that the endpoint needs: `auth.logins.NAME.role`";
    NO_ROUTE = 404 "NoSuchEndpoint" "the path is none of the API's";
    INSTANCE_NOT_FOUND = 404 "InstanceNotFound" "there is no such service instance";
    BINDING_NOT_FOUND = 404 "BindingNotFound" "there is no such service binding";
    OPERATION_NOT_FOUND = 404 "OperationNotFound" "nothing was ever asked of the instance or binding that is polled";
    NOT_RETRIEVABLE = 404 "NotRetrievable" "the catalog does not declare that it can be fetched";
    METHOD_NOT_ALLOWED = 405 "MethodNotAllowed" "the endpoint has no such method";
    TIMEOUT = 408 "RequestTimeout" "the body took too long";
    INSTANCE_CONFLICT = 409 "InstanceConflict" "the instance exists with other attributes";
    BINDING_CONFLICT = 409 "BindingConflict" "the binding exists with other attributes";
    CATALOG_BREAKS = 409 "CatalogBreaks" "`/admin/reload`: the catalog would break what lives; `breaches` says what, and how many instances of which organizations";
    GONE = 410 "Gone" "what is to be removed, or was polled for, is not there any more";
    VERSION_UNSUPPORTED = 412 "ApiVersionUnsupported" "`X-Broker-API-Version` is missing, malformed or not served";
    BODY_TOO_LARGE = 413 "BodyTooLarge" "the body is longer than `server.body_limit`";
    URL_TOO_LONG = 414 "UrlTooLong" "path and query are longer than `server.url_limit`";
    ENCODING_UNSUPPORTED = 415 "EncodingUnsupported" "the body is compressed";
    ASYNC_REQUIRED = 422 "AsyncRequired" "the plan answers with 202, and `accepts_incomplete=true` is missing";
    CONCURRENCY = 422 "ConcurrencyError" "another operation on the instance is in progress";
    MAINTENANCE_CONFLICT = 422 "MaintenanceInfoConflict" "`maintenance_info.version` is not the catalog's";
    MOVE_EXCEEDS_QUOTA = 422 "QuotaExceeded" "the plan that the instance would move to has as many as its `limits` allow";
    REQUIRES_APP = 422 "RequiresApp" "the plan can be bound to an application only";
    PLAN_CHANGE = 422 "PlanChangeNotSupported" "the instance's plan cannot be changed, or not for that one";
    MOVE_TO_RETIRED = 422 "PlanRetired" "the plan that the instance would move to is retired";
    UPDATE_REFUSED = 422 "UpdateRefused" "the backend would not do the update, and did nothing";
    UPDATE_WITHDRAWN = 422 "UpdateNotSupported" "the plan of the instance has left the catalog, so it cannot be updated";
    SETTINGS_INVALID = 422 "SettingsInvalid" "`/admin/reload`: the settings have errors; `findings` has them";
    DOCUMENT_INVALID = 422 "DocumentInvalid" "`/admin/reload`: the catalog document has errors; `findings` has them, as `check --format json` does";
    TOO_MANY_LOGINS = 429 "TooManyLogins" "wrong logins came too often from there or for that user, or too many wait to be looked at; `Retry-After` says when to try again";
    HEADERS_TOO_LARGE = 431 "HeadersTooLarge" "the headers are longer than `server.header_limit`";
    INTERNAL = 500 "InternalError" "the broker failed; its log says why";
    OPERATION_FAILED = 500 "OperationFailed" "the backend failed at it";
    STILL_RUNNING = 500 "StillRunning" "the operation takes longer than a request may; it goes on, and a repeat waits for it";
    BACKEND_GONE = 500 "BackendGone" "the plan of the instance has left the catalog, and with it what could act";
    STORE_UNAVAILABLE = 503 "StoreUnavailable" "the store cannot be used at the moment; `Retry-After` says when to try again";
    NOT_READY = 503 "NotReady" "the broker is stopping; `/readyz`: or its store is away, or its audit cannot be written";
    FILES_UNSETTLED = 503 "FilesUnsettled" "`/admin/reload`: the files are being written; `Retry-After` says when to try again";
}

/// How long a platform waits before it asks a store again that is away, in seconds.
const RETRY_STORE: &str = "5";

/// A refusal on its way out.
#[derive(Debug)]
pub struct Refusal {
    word: Word,
    description: String,
    /// What the body says besides. Boxed, for few have some.
    more: Option<Box<Object>>,
}

impl Refusal {
    pub(super) fn new(word: Word, description: impl Into<String>) -> Self {
        Self {
            word,
            description: description.into(),
            more: None,
        }
    }

    /// Which says that, too.
    pub(super) fn telling(mut self, key: &str, value: Value) -> Self {
        let more = self.more.get_or_insert_default();
        more.insert(key.to_owned(), value);
        self
    }

    pub(super) fn to_response(&self) -> HttpResponse {
        let status =
            StatusCode::from_u16(self.word.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        if self.word == STORE_UNAVAILABLE {
            response.insert_header((RETRY_AFTER, RETRY_STORE));
        }
        let mut body = self.more.as_deref().cloned().unwrap_or_default();
        body.insert("error".to_owned(), self.word.name.into());
        body.insert("description".to_owned(), self.description.clone().into());
        let mut answer = response
            .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
            .body(Value::Object(body).to_string());
        // For those who tell of the answer.
        answer.extensions_mut().insert(self.word);
        answer
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.word.name, self.description)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.word.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        self.to_response()
    }
}

impl From<BrokerError> for Refusal {
    fn from(error: BrokerError) -> Self {
        let word = word(&error);
        // What the platform must not read goes to the log, and there alone.
        match &error {
            BrokerError::Render(why) => log::error!("a template could not be rendered: {why}"),
            // With a schema it would have been refused before.
            BrokerError::ParametersUnusable(why) => {
                log::warn!(
                    "a template could not be rendered with the parameters of a request: {why}"
                );
            }
            BrokerError::Store(why) => log::error!("{why}"),
            _ => {}
        }
        let mut refusal = Self::new(word, error.to_string());
        if let BrokerError::OperationFailed(report) | BrokerError::Refused(_, report) = error {
            // What the specification lets an operation say that failed.
            refusal.more = Some(Box::new(wire::answer::told(&report)));
        }
        refusal
    }
}

const fn word(error: &BrokerError) -> Word {
    match error {
        BrokerError::ServiceNotInCatalog(_) => SERVICE_NOT_IN_CATALOG,
        BrokerError::PlanNotInCatalog(..) => PLAN_NOT_IN_CATALOG,
        BrokerError::PlanWithdrawn(_) => PLAN_WITHDRAWN,
        BrokerError::UpdateWithdrawn(_) => UPDATE_WITHDRAWN,
        BrokerError::NotBindable(_) => NOT_BINDABLE,
        BrokerError::NotRotatable(_) => NOT_ROTATABLE,
        BrokerError::PredecessorInvalid(_) => PREDECESSOR_INVALID,
        BrokerError::InstanceNotFound => INSTANCE_NOT_FOUND,
        BrokerError::BindingNotFound => BINDING_NOT_FOUND,
        BrokerError::InstancesNotRetrievable | BrokerError::BindingsNotRetrievable => {
            NOT_RETRIEVABLE
        }
        BrokerError::OperationNotFound => OPERATION_NOT_FOUND,
        BrokerError::InstanceConflict => INSTANCE_CONFLICT,
        BrokerError::BindingConflict => BINDING_CONFLICT,
        BrokerError::ServiceMismatch => SERVICE_MISMATCH,
        BrokerError::PlanMismatch => PLAN_MISMATCH,
        BrokerError::BadName(..) => INVALID_QUERY,
        BrokerError::MaintenanceInfoConflict { .. } => MAINTENANCE_CONFLICT,
        BrokerError::PlanChangeNotSupported | BrokerError::MoveNotAllowed { .. } => PLAN_CHANGE,
        BrokerError::PlanRetired {
            kind: Kind::Update, ..
        } => MOVE_TO_RETIRED,
        BrokerError::PlanRetired { .. } => PLAN_RETIRED,
        BrokerError::Requires(BindTarget::App) => REQUIRES_APP,
        BrokerError::Requires(BindTarget::Route) => REQUIRES_ROUTE,
        BrokerError::ParametersInvalid(_) | BrokerError::ParametersUnusable(_) => {
            PARAMETERS_INVALID
        }
        BrokerError::QuotaExceeded(Kind::Update, _) => MOVE_EXCEEDS_QUOTA,
        BrokerError::QuotaExceeded(..) => QUOTA_EXCEEDED,
        BrokerError::PoolExhausted => POOL_EXHAUSTED,
        BrokerError::Concurrency => CONCURRENCY,
        BrokerError::AsyncRequired => ASYNC_REQUIRED,
        BrokerError::InstanceNotUsable => INSTANCE_NOT_USABLE,
        BrokerError::BackendGone(_) => BACKEND_GONE,
        BrokerError::StillRunning => STILL_RUNNING,
        BrokerError::Refused(Kind::Update, _) => UPDATE_REFUSED,
        BrokerError::Refused(..) => REFUSED,
        BrokerError::OperationFailed(_) => OPERATION_FAILED,
        BrokerError::Render(_) | BrokerError::Chance => INTERNAL,
        BrokerError::Store(_) => STORE_UNAVAILABLE,
    }
}

/// Row 2: 401 with its challenge. The realm names no operator's secret and no version.
pub(super) fn unauthorized() -> HttpResponse {
    let refusal = Refusal::new(
        UNAUTHORIZED,
        "The credentials are missing or wrong. Send the user name and password of the broker as HTTP basic authentication.",
    );
    let mut response = refusal.to_response();
    if let Ok(challenge) = actix_web::http::header::TryIntoHeaderValue::try_into_value(
        Basic::with_realm("catalog-broker"),
    ) {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// Row 2: a login that is wrong and comes too often, or has to wait.
pub(super) fn too_many_logins(wait: Duration) -> HttpResponse {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let why = format!(
        "Too many logins were tried. Try again in {seconds} s, with the user name and password of the broker."
    );
    let mut response = Refusal::new(TOO_MANY_LOGINS, why).to_response();
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// Row 2: a login that is known, and not for this.
pub(super) fn forbidden(roles: &[Role]) -> Refusal {
    let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
    let why = format!(
        "This login may not do this: it takes the role {}. Use another login, or ask the operator of the broker for that role.",
        names.join(" or ")
    );
    Refusal::new(FORBIDDEN, why)
}

/// Row 4: no such path.
pub(super) fn no_route() -> HttpResponse {
    Refusal::new(
        NO_ROUTE,
        "There is no such endpoint. The API begins at `/v2/catalog`.",
    )
    .to_response()
}

/// Row 4: no such method there.
pub(super) fn method_not_allowed(allow: &'static str) -> HttpResponse {
    let mut response = Refusal::new(
        METHOD_NOT_ALLOWED,
        format!("This endpoint has no such method. It has: {allow}."),
    )
    .to_response();
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// A panic: the process goes on.
pub(super) fn panicked() -> HttpResponse {
    Refusal::new(
        INTERNAL,
        "The broker failed. Ask its operator: the log says where.",
    )
    .to_response()
}
