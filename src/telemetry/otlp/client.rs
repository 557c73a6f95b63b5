//! The HTTP client that asks the collector. It blocks, on the thread that sends.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use ureq::Agent;
use ureq::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use ureq::http::{HeaderName, HeaderValue};
use ureq::tls::TlsConfig;

use super::Collector;
use super::losses::Losses;
use crate::authorities;

/// How long a connection may take to come about, and all of an exchange.
const CONNECT: Duration = Duration::from_secs(3);
const EXCHANGE: Duration = Duration::from_secs(8);

/// The most that is read of an answer.
const LARGEST: u64 = 64 * 1024;

/// Asks the collector.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    /// Marked as sensitive.
    headers: Vec<(HeaderName, HeaderValue)>,
    losses: Arc<Losses>,
}

impl Client {
    pub(super) fn new(collector: &Collector, losses: Arc<Losses>) -> Result<Self, String> {
        let mut tls = TlsConfig::builder();
        if let Some(path) = &collector.ca {
            tls = tls.root_certs(authorities::read(path)?);
        }
        // The proxy is said in any case: left out, the environment would be asked.
        let config = Agent::config_builder()
            .tls_config(tls.build())
            .proxy(None)
            .timeout_global(Some(EXCHANGE))
            .timeout_connect(Some(CONNECT))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("catalog-broker/", env!("CARGO_PKG_VERSION")));
        let headers = collector.headers.iter().map(|(name, value)| {
            let not = || format!("`{name}` is no header that can be sent");
            let mut value = HeaderValue::from_str(value.expose()).map_err(|_| not())?;
            value.set_sensitive(true);
            Ok((name.parse().map_err(|_| not())?, value))
        });
        Ok(Self {
            agent: config.build().new_agent(),
            headers: headers.collect::<Result<_, String>>()?,
            losses,
        })
    }

    fn exchange(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // What else the SDK would send is of the environment, which is read elsewhere.
        let mut message = ureq::http::Request::post(request.uri());
        for name in [CONTENT_TYPE, CONTENT_ENCODING] {
            if let Some(value) = request.headers().get(&name) {
                message = message.header(name, value);
            }
        }
        for (name, value) in &self.headers {
            message = message.header(name, value);
        }
        let message = message.body(request.body().as_ref())?;
        let mut answer = self.agent.run(message).inspect_err(|error| {
            self.losses.trouble(format!("the collector: {error}"));
        })?;
        let body = answer.body_mut().with_config().limit(LARGEST);
        let body = body.read_to_vec().inspect_err(|error| {
            self.losses.trouble(format!("the collector: {error}"));
        })?;
        self.judge(answer.status().as_u16(), &body);
        Ok(Response::from_parts(answer.into_parts().0, body.into()))
    }

    fn judge(&self, status: u16, body: &[u8]) {
        if !(200..300).contains(&status) {
            // What it says besides may repeat what it was sent.
            let why = format!("the collector answered {status}");
            self.losses.trouble(why);
            return;
        }
        let partial = ExportTraceServiceResponse::decode(body).ok();
        let rejected = partial.and_then(|answer| Some(answer.partial_success?.rejected_spans));
        if let Some(count) = rejected.and_then(|count| u64::try_from(count).ok()) {
            self.losses.rejected(count);
        }
    }
}

impl HttpClient for Client {
    fn send_bytes<'a, 'f>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(ready(self.exchange(&request)))
    }
}
