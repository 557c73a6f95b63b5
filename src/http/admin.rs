//! What operators ask of a broker that runs: a reload. It takes the role `operator`, of a login for all offerings, for what
//! is answered is about all of them; and no API version, as no platform asks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::Api;
use super::error::{
    CATALOG_BREAKS, DOCUMENT_INVALID, FILES_UNSETTLED, INTERNAL, NOT_READY, Refusal,
    SETTINGS_INVALID, STORE_UNAVAILABLE,
};
use super::head::Head;
use super::identity::{of_all, peer, text};
use crate::domain::caller::Peer;

/// Who reloads when somebody asks: one reload at a time.
pub trait Reloads: Send + Sync {
    /// Reloads once more from now on, and tells what came of it; nothing where the broker is stopping.
    fn reload(&self, by: Asker) -> Reloading<'_>;
}

/// What a reload comes to when it is over.
pub type Reloading<'a> = Pin<Box<dyn Future<Output = Option<Reloaded>> + Send + 'a>>;

/// Who asked for a reload.
#[derive(Clone, Debug)]
pub struct Asker {
    /// The login's name in the settings.
    pub login: Arc<str>,
    /// Where the request came from.
    pub peer: Option<Peer>,
    /// Its name for the request.
    pub request_identity: Option<String>,
}

/// What came of a reload.
#[derive(Clone, Debug)]
pub enum Reloaded {
    /// What was read is served.
    Taken(Taken),
    /// It is not: what was served before is served on.
    Refused(Why),
}

/// What is served after a reload.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Whether the files hold something else than before.
    pub is_new: bool,
    /// How many offerings there are.
    pub offerings: usize,
    /// How many plans.
    pub plans: usize,
    /// What is another thing for platforms, a sentence each.
    pub changes: Vec<String>,
    /// The findings of the document, none of which is an error.
    pub findings: Vec<Value>,
    /// Whether the logins are others.
    pub new_logins: bool,
    /// Sections of the settings that differ from what the process runs with, and count from its next start on.
    pub needs_restart: Vec<&'static str>,
}

/// Why what was read is not served.
#[derive(Clone, Debug)]
pub enum Why {
    /// The settings have errors.
    Settings(Vec<Value>),
    /// The document has.
    Document(Vec<Value>),
    /// It would break what lives.
    Breaks {
        /// All of it, in sentences, and the way out.
        told: String,
        /// What is broken, by which rule.
        breaches: Vec<Value>,
    },
    /// What lives is not known.
    Store,
    /// The files were being written all the time.
    Unsettled,
    /// The system would not give what new logins take.
    System,
}

/// How long somebody who asks waits until files are written, in seconds.
const SETTLE: &str = "1";

/// `POST /admin/reload`.
pub(super) async fn reload(request: HttpRequest, api: Data<Api>) -> HttpResponse {
    let by = match asker(&request) {
        Ok(by) => by,
        Err(refusal) => return refusal.to_response(),
    };
    match api.reloads.reload(by).await {
        Some(Reloaded::Taken(taken)) => HttpResponse::Ok().json(told(&taken)),
        Some(Reloaded::Refused(why)) => refused(why),
        None => Refusal::new(NOT_READY, "The broker is stopping.").to_response(),
    }
}

fn asker(request: &HttpRequest) -> Result<Asker, Refusal> {
    let login = of_all(request, "a reload is")?;
    let identity = Head::of(request.headers()).identity.and_then(text);
    Ok(Asker {
        login: Arc::clone(login.name()),
        peer: peer(request),
        request_identity: identity.map(str::to_owned),
    })
}

fn told(taken: &Taken) -> Value {
    json!({
        "result": if taken.is_new { "taken" } else { "unchanged" },
        "offerings": taken.offerings,
        "plans": taken.plans,
        "changes": taken.changes,
        "findings": taken.findings,
        "logins": if taken.new_logins { "changed" } else { "unchanged" },
        "needs_restart": taken.needs_restart,
    })
}

fn refused(why: Why) -> HttpResponse {
    const SERVED_ON: &str = "What was served before is served on.";
    match why {
        Why::Settings(findings) => {
            let why = format!("The settings have errors: mend them. {SERVED_ON}");
            let refusal = Refusal::new(SETTINGS_INVALID, why);
            refusal.telling("findings", findings.into()).to_response()
        }
        Why::Document(findings) => {
            let why = format!("The catalog document has errors: mend them. {SERVED_ON}");
            let refusal = Refusal::new(DOCUMENT_INVALID, why);
            refusal.telling("findings", findings.into()).to_response()
        }
        Why::Breaks { told, breaches } => {
            let refusal = Refusal::new(CATALOG_BREAKS, format!("{told}\n{SERVED_ON}"));
            refusal.telling("breaches", breaches.into()).to_response()
        }
        Why::Store => {
            let why = format!("What lives is not known: the store cannot be used. {SERVED_ON}");
            Refusal::new(STORE_UNAVAILABLE, why).to_response()
        }
        Why::Unsettled => {
            let why = format!("The files are being written: ask again. {SERVED_ON}");
            let mut answer = Refusal::new(FILES_UNSETTLED, why).to_response();
            let after = HeaderValue::from_static(SETTLE);
            answer.headers_mut().insert(RETRY_AFTER, after);
            answer
        }
        Why::System => {
            let why =
                format!("The broker could not make the new logins: its log says why. {SERVED_ON}");
            Refusal::new(INTERNAL, why).to_response()
        }
    }
}
