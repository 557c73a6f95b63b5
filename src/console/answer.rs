//! Answers: pages with the headers that all of them have, redirects, and what is said when there is no page.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER,
};
use maud::{Markup, html};

use super::page::{Page, Section};
use crate::domain::desk::DeskError;

/// Nothing from elsewhere, nothing inline, no script at all; forms go to us, and nobody puts us into a frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";

/// What all pages say besides. The referrer stays within: it holds ids. A form needs it, for it says where it comes from.
const HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// A whole page.
pub(super) fn html(status: StatusCode, page: Markup) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    for (name, value) in HEADERS {
        answer.insert_header((name, HeaderValue::from_static(value)));
    }
    answer
        .insert_header((
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        answer.insert_header((RETRY_AFTER, HeaderValue::from_static("5")));
    }
    answer.body(page.into_string())
}

/// Look there: by GET, whatever this was.
pub(super) fn see(place: &str) -> HttpResponse {
    let mut answer = HttpResponse::SeeOther();
    for (name, value) in HEADERS {
        answer.insert_header((name, HeaderValue::from_static(value)));
    }
    answer
        .insert_header((LOCATION, place))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .finish()
}

/// Why there is no page, or nothing was done.
#[derive(Debug)]
pub(super) enum Trouble {
    /// There is no such thing.
    NotThere(String),
    /// The request names what cannot be.
    Bad(String),
    /// The login may not.
    Viewer,
    /// The form is not of this session.
    Form,
    /// There is no such method.
    Method(&'static str),
    /// The account of changes cannot be read.
    Account(String),
    /// The desk refused.
    Desk(DeskError),
}

impl From<DeskError> for Trouble {
    fn from(error: DeskError) -> Self {
        Self::Desk(error)
    }
}

impl Trouble {
    /// What the account of changes calls it.
    pub(super) fn word(&self) -> &'static str {
        match self.status() {
            StatusCode::NOT_FOUND => "NotFound",
            StatusCode::BAD_REQUEST => "BadRequest",
            StatusCode::FORBIDDEN => "Forbidden",
            StatusCode::CONFLICT => "Conflict",
            StatusCode::SERVICE_UNAVAILABLE => "StoreUnavailable",
            _ => "-",
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NotThere(_) => StatusCode::NOT_FOUND,
            Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::Viewer | Self::Form => StatusCode::FORBIDDEN,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Desk(error) if error.is_absence() => StatusCode::NOT_FOUND,
            Self::Account(_) | Self::Desk(DeskError::Store(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Desk(DeskError::Broker(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Desk(_) => StatusCode::CONFLICT,
        }
    }

    fn title(&self) -> &'static str {
        match self.status() {
            _ if matches!(self, Self::Account(_)) => "The audit cannot be read",
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::BAD_REQUEST => "Not a request",
            StatusCode::FORBIDDEN => "Not allowed",
            StatusCode::METHOD_NOT_ALLOWED => "No such method",
            StatusCode::CONFLICT => "Nothing was done",
            StatusCode::SERVICE_UNAVAILABLE => "The store is away",
            _ => "The broker failed",
        }
    }

    /// What a person reads. What went wrong inside goes to the log.
    fn text(&self) -> String {
        match self {
            Self::NotThere(what) | Self::Bad(what) => what.clone(),
            Self::Viewer => "This takes the role operator, and your login has the role viewer.".to_owned(),
            Self::Form => "The form is not of your session, or too old. Go back, load the page anew, and send it again."
                .to_owned(),
            Self::Method(allow) => format!("This page has no such method. It has: {allow}."),
            Self::Account(why) => {
                log::error!("{why}");
                "It cannot be read at the moment: the log says why. Load the page again in a while.".to_owned()
            }
            Self::Desk(DeskError::Store(why)) => {
                log::error!("{why}");
                "The broker cannot use its store at the moment: the log says why. Load the page again in a while.".to_owned()
            }
            Self::Desk(error) => sentence(&error.to_string()),
        }
    }

    pub(super) fn page(&self, section: Section) -> Page {
        Page {
            status: self.status(),
            allow: match self {
                Self::Method(allow) => Some(allow),
                _ => None,
            },
            ..Page::new(
                self.title(),
                section,
                html! { p class="lead" { (self.text()) } },
            )
        }
    }
}

/// Says which methods there are.
pub(super) fn allowing(mut answer: HttpResponse, allow: Option<&'static str>) -> HttpResponse {
    if let Some(allow) = allow {
        answer
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static(allow));
    }
    answer
}

/// An error's text as a sentence.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string());
    let mut sentence = first.unwrap_or_default() + chars.as_str();
    if !sentence.ends_with('.') {
        sentence.push('.');
    }
    sentence
}
