//! Backend `webhook`: an HTTP endpoint of the operator's own carries operations out.
//!
//! An attempt is a POST of the contract's JSON (`contract.rs`). What the endpoint is told in headers:
//!
//! - `Idempotency-Key`: the operation's id, the same in every attempt. Who has seen it does nothing twice.
//! - `X-Broker-Attempt`: which attempt it is, from 1.
//! - `X-Broker-Signature: t=SECONDS,v1=HEX`, where a secret is shared: HEX is the HMAC-SHA-256 of `SECONDS`, a dot and
//!   the body as it was sent ([`sign`]). SECONDS is the time of signing, since 1970: what is old was recorded by somebody.
//!
//! What it answers ([`judge`] holds the table):
//!
//! - 200, 201, 204: done. The body is the contract's reply; none is an empty one.
//! - 202: not yet. With `Location`, that is asked by GET (with the same headers, signed with no body) until it answers
//!   200; without, the POST is sent again, under the same key. `Retry-After`, or `retry_after` in the body, says when;
//!   `description` in the body is what the platform's user reads meanwhile.
//! - 408, 425, 429, 5xx, and no answer at all: another attempt, after `Retry-After` if that is given. A 500 whose body
//!   says `"failed": true` is the exception: it failed for good.
//! - Other 4xx: refused, nothing was done. Of a deprovision or an unbind, 404 and 410 say that it is gone already.
//! - Redirects are followed within the same scheme, host and port alone: the login is for those.
//!
//! One thread does one exchange ([`client`]), so a dropped attempt asks nothing any more, and what it has asked already
//! is over after the exchange's own timeout.

mod address;
mod attempt;
mod client;
mod exchange;
mod judge;
mod proxy;
mod retry_after;
mod settings;
mod sign;
mod trouble;

use std::fmt;
use std::time::Duration;

use self::address::Address;
use self::attempt::Attempt;
use self::client::Client;
use self::sign::Signer;
use super::place;
use crate::domain::backend::{Acting, Backend, Progress, Work};
use crate::domain::operation::Kind;
use crate::secret::Secret;

pub use self::settings::{Auth, ClientCertificate, WebhookError, WebhookSettings};

/// Lets an HTTP endpoint act.
pub struct Webhook {
    name: String,
    address: Address,
    /// The value of `Authorization`.
    login: Option<Secret>,
    signer: Option<Signer>,
    client: Client,
    limit: Duration,
    concurrency: Option<u32>,
    operations: Vec<Kind>,
}

impl Webhook {
    /// A webhook as `settings` say.
    pub fn new(settings: WebhookSettings) -> Result<Self, WebhookError> {
        let address = settings.address()?;
        Ok(Self {
            login: settings.auth.header()?,
            signer: settings.signer()?,
            client: Client::new(&settings, address.origin())?,
            address,
            limit: settings.limit,
            concurrency: settings.concurrency,
            operations: settings.operations,
            name: settings.name,
        })
    }
}

impl Backend for Webhook {
    fn kind(&self) -> &'static str {
        "webhook"
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn concurrency(&self) -> Option<u32> {
        self.concurrency
    }

    // The host alone: the way to it may become a better one, and a path may be a secret that is changed now and then.
    fn place(&self) -> Option<String> {
        Some(place::mark(self.address.origin().host()))
    }

    fn carries_out(&self, kind: Kind) -> bool {
        self.operations.contains(&kind)
    }

    fn carry_out<'a>(&'a self, work: Work<'a>, progress: &'a dyn Progress) -> Acting<'a> {
        Box::pin(Attempt::new(self, work, progress).run())
    }
}

// The path of a webhook's URL is often the only secret it has.
impl fmt::Debug for Webhook {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Webhook")
            .field("name", &self.name)
            .field("origin", self.address.origin())
            .finish_non_exhaustive()
    }
}
