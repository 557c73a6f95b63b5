//! Who comes in: the sign-in with a login of the broker, the session in a cookie, and the sign-out.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderValue, RETRY_AFTER, SET_COOKIE};
use actix_web::http::uri::PathAndQuery;
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, HttpResponse, ResponseError};
use maud::{Markup, html};

use super::Console;
use super::answer::{self, Trouble, allowing};
use super::input::{Form, Query, cookies, with_query};
use super::page::{self, Page, Section};
use super::session::{LASTS, Session, encoded, may_see};
use crate::access::{Claim, Failed, Login};
use crate::domain::broker::random;
use crate::domain::caller::Peer;
use crate::domain::scope::Scope;
use crate::secret::Secret;

const SESSION: &str = "catalog-broker-session";

/// Of who has not signed in yet: what makes the form of the sign-in theirs.
const VISITOR: &str = "catalog-broker-visitor";

/// Somebody who is signed in, and what they asked of which console.
pub(super) struct Signed {
    pub console: Data<Console>,
    pub session: Session,
    /// Of their forms.
    pub token: String,
    /// Where they sent it from.
    pub peer: Option<Peer>,
    /// Whether a page of another origin made the browser send this.
    from_elsewhere: bool,
}

/// Somebody who is not signed in, and is shown where to.
#[derive(Debug)]
pub(super) struct Turned(String);

impl fmt::Display for Turned {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("not signed in")
    }
}

impl ResponseError for Turned {
    fn status_code(&self) -> StatusCode {
        StatusCode::SEE_OTHER
    }

    fn error_response(&self) -> HttpResponse {
        answer::see(&self.0)
    }
}

impl FromRequest for Signed {
    type Error = Turned;
    type Future = std::future::Ready<Result<Self, Turned>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(signed(request))
    }
}

fn signed(request: &HttpRequest) -> Result<Signed, Turned> {
    let console = request.app_data::<Data<Console>>().cloned();
    let Some(console) = console else {
        return Err(Turned("/".to_owned()));
    };
    match session(&console, request) {
        Some(session) => Ok(Signed {
            token: console.sessions.token(&session),
            session,
            peer: peer(request),
            from_elsewhere: is_from_elsewhere(request),
            console,
        }),
        None => Err(Turned(sign_in_page(&console, request))),
    }
}

/// Where a request came from, as the gate has found it.
fn peer(request: &HttpRequest) -> Option<Peer> {
    request.extensions().get().copied()
}

fn session(console: &Console, request: &HttpRequest) -> Option<Session> {
    let now = (console.clock)();
    cookies(request, SESSION).find_map(|text| console.sessions.read(text, now))
}

/// Where to sign in, and come back from: to a page, for what was to be done is asked again.
fn sign_in_page(console: &Console, request: &HttpRequest) -> String {
    let asked = request.uri().path_and_query().map(PathAndQuery::as_str);
    let back = asked.filter(|asked| {
        let is_page = matches!(*request.method(), Method::GET | Method::HEAD);
        is_page && *asked != console.base && is_ours(console, asked)
    });
    with_query(&console.at("/sign-in"), &[("back", back)])
}

/// Browsers say where a request was made; those that do not are held by the token alone.
fn is_from_elsewhere(request: &HttpRequest) -> bool {
    let site = request.headers().get("sec-fetch-site");
    site.is_some_and(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"))
}

/// Whether that leads to one of our pages: a path below the console's, and no way out of it.
fn is_ours(console: &Console, place: &str) -> bool {
    let rest = place.strip_prefix(&*console.base);
    let is_below = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    is_below
        && place
            .chars()
            .all(|char| char.is_ascii_graphic() && char != '\\')
        && !place.starts_with("//")
}

impl Signed {
    /// The page, or what is said in its place.
    pub fn answer(&self, section: Section, page: Result<Page, Trouble>) -> HttpResponse {
        let page = page.unwrap_or_else(|trouble| trouble.page(section));
        let whole = page::whole(&self.console, Some((&self.session, &self.token)), &page);
        allowing(answer::html(page.status, whole), page.allow)
    }

    /// Whether they may do what operators do.
    pub fn may_act(&self) -> Result<(), Trouble> {
        if self.session.may_act() {
            Ok(())
        } else {
            Err(Trouble::Viewer)
        }
    }

    /// Whether the form is theirs, and sent by them.
    pub fn sent(&self, form: &Form) -> Result<(), Trouble> {
        let is_theirs = self
            .console
            .sessions
            .is_token(&self.session, form.get("token"));
        if is_theirs && !self.from_elsewhere {
            Ok(())
        } else {
            Err(Trouble::Form)
        }
    }
}

/// The form of the sign-in.
pub(super) async fn show(
    request: HttpRequest,
    console: Data<Console>,
    query: Query,
) -> HttpResponse {
    let back = back(&console, query.exact("back"));
    if session(&console, &request).is_some() {
        return answer::see(&back);
    }
    form_again(&request, &console, StatusCode::OK, &back, None)
}

/// The sign-in.
pub(super) async fn enter(
    request: HttpRequest,
    console: Data<Console>,
    form: Form,
) -> HttpResponse {
    let back = back(&console, Some(form.get("back")));
    let again = |status, why| form_again(&request, &console, status, &back, Some(why));
    let is_theirs = cookies(&request, VISITOR)
        .any(|visitor| console.sessions.is_token_for(visitor, form.get("token")));
    if !is_theirs || is_from_elsewhere(&request) {
        let why = "The form was too old, or the browser keeps no cookies for this page. Try again.";
        return again(StatusCode::FORBIDDEN, why);
    }
    // Before it is looked who it is: see there.
    let members = console.sessions.members();
    let login = match who(&request, &console, form.get("user"), form.get("password")).await {
        Shown::Right(login) => login,
        Shown::Wrong => {
            log::warn!("a sign-in to the console was refused");
            return again(StatusCode::UNAUTHORIZED, "User name or password are wrong.");
        }
        Shown::TooOften(wait) => {
            let mut answer = again(StatusCode::TOO_MANY_REQUESTS, TOO_OFTEN);
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            answer.headers_mut().insert(RETRY_AFTER, seconds.into());
            return answer;
        }
    };
    if !may_see(login.roles()) {
        let why = "This login may not see these pages: it takes the role operator or viewer (auth.logins.NAME.role).";
        return again(StatusCode::FORBIDDEN, why);
    }
    if *login.scope() != Scope::All {
        let why = "This login is for some offerings only (auth.logins.NAME.offerings), and these pages show all.";
        return again(StatusCode::FORBIDDEN, why);
    }
    let opened = random().ok().and_then(|chance| {
        let now = (console.clock)();
        console.sessions.open(&members, login.name(), now, chance)
    });
    let Some(session) = opened else {
        return again(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The broker could not open a session. Try again.",
        );
    };
    log::info!(login = &**login.name(); "signed in to the console");
    let mut answer = answer::see(&back);
    set(
        &mut answer,
        &request,
        &console,
        SESSION,
        session.expose(),
        LASTS / 1000,
    );
    set(&mut answer, &request, &console, VISITOR, "", 0);
    answer
}

const TOO_OFTEN: &str = "Wrong sign-ins come too often. Wait a while, then try again.";

/// What a user name and a password are.
enum Shown {
    /// This login's.
    Right(Arc<Login>),
    /// Nobody's.
    Wrong,
    /// Too many after too many: not before so long.
    TooOften(Duration),
}

/// How long hashes may take, and after how long to ask again where the queue of those who wait for them is full.
const PATIENCE: Duration = Duration::from_secs(30);
const QUEUE_FULL: Duration = Duration::from_secs(1);

/// The one place where a user name and a password are looked at: as the gate of the API does, and counted with its.
async fn who(request: &HttpRequest, console: &Console, user: &str, password: &str) -> Shown {
    let (logins, throttle) = (console.logins.now(), &console.throttle);
    let known = logins.by_password(user, password);
    if let Some(login) = known.or_else(|| logins.known_password(user, password)) {
        return Shown::Right(Arc::clone(login));
    }
    let from = peer(request).map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.client());
    if logins.have_hashes() {
        let claim = Claim {
            user: user.to_owned(),
            password: Secret::new(password.to_owned()),
            from,
            suspect: throttle.suspects(from, Instant::now()),
        };
        let Ok(pending) = logins.verify(claim) else {
            return Shown::TooOften(QUEUE_FULL);
        };
        match tokio::time::timeout(PATIENCE, pending.outcome()).await {
            Ok(Some(login)) => return Shown::Right(login),
            Ok(None) => {}
            Err(_) => return Shown::TooOften(QUEUE_FULL),
        }
    }
    match throttle.failed(from, Some(user), Instant::now()) {
        Failed::Counted => Shown::Wrong,
        Failed::TooOften { wait, first } => {
            if first {
                log::warn!("wrong sign-ins come too often: the last one from {from}");
            }
            Shown::TooOften(wait)
        }
    }
}

/// The sign-out.
pub(super) async fn leave(request: HttpRequest, signed: Signed, form: Form) -> HttpResponse {
    if let Err(trouble) = signed.sent(&form) {
        return signed.answer(Section::Nowhere, Err(trouble));
    }
    let console = &signed.console;
    console.sessions.close(&signed.session, (console.clock)());
    let mut answer = answer::see(&console.at("/sign-in"));
    set(&mut answer, &request, console, SESSION, "", 0);
    answer
}

fn back(console: &Console, place: Option<&str>) -> String {
    let ours = place.filter(|place| is_ours(console, place));
    ours.unwrap_or(&console.base).to_owned()
}

fn form_again(
    request: &HttpRequest,
    console: &Data<Console>,
    status: StatusCode,
    back: &str,
    why: Option<&str>,
) -> HttpResponse {
    let known = cookies(request, VISITOR).find(|visitor| !visitor.is_empty());
    let visitor = match known {
        Some(visitor) => visitor.to_owned(),
        None => random::<16>()
            .map(|chance| encoded(&chance))
            .unwrap_or_default(),
    };
    let body = sign_in(console, &console.sessions.token_for(&visitor), back, why);
    let page = Page {
        status,
        ..Page::new("Sign in", Section::Nowhere, body)
    };
    let mut answer = answer::html(status, page::whole(console, None, &page));
    if known.is_none() {
        set(
            &mut answer,
            request,
            console,
            VISITOR,
            &visitor,
            LASTS / 1000,
        );
    }
    answer
}

fn sign_in(console: &Console, token: &str, back: &str, why: Option<&str>) -> Markup {
    html! {
        p class="product" { (page::mark()) "catalog-broker" }
        @if let Some(why) = why { p class="refused" role="alert" { (why) } }
        form class="sign-in" method="post" action=(console.at("/sign-in")) {
            input type="hidden" name="token" value=(token);
            input type="hidden" name="back" value=(back);
            label for="user" { "User name" }
            input id="user" name="user" type="text" autocomplete="username" autocapitalize="none" spellcheck="false" required;
            label for="password" { "Password" }
            input id="password" name="password" type="password" autocomplete="current-password" required;
            button type="submit" { "Sign in" }
        }
        p class="muted" { "For logins of this broker with the role operator or viewer." }
    }
}

/// Sets a cookie for these pages and the time in seconds, or takes it away.
fn set(
    answer: &mut HttpResponse,
    request: &HttpRequest,
    console: &Console,
    name: &str,
    value: &str,
    lasts: i64,
) {
    let secure = if console.secure || is_https(request) {
        "; Secure"
    } else {
        ""
    };
    let text = format!(
        "{name}={value}; Path={}; Max-Age={lasts}; HttpOnly; SameSite=Strict{secure}",
        console.base
    );
    if let Ok(value) = HeaderValue::try_from(text) {
        answer.headers_mut().append(SET_COOKIE, value);
    }
}

/// Whether the request came by HTTPS, as far as a proxy says so. That is believed of everybody: who lies gets a cookie that
/// their own browser does not send.
fn is_https(request: &HttpRequest) -> bool {
    let says = |name: &str, word: &str| {
        let value = request.headers().get(name);
        let value = value.and_then(|value| value.to_str().ok());
        value.is_some_and(|value| value.to_ascii_lowercase().contains(word))
    };
    says("x-forwarded-proto", "https") || says("forwarded", "proto=https")
}
