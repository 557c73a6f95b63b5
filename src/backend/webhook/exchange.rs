//! One exchange over HTTP: what is sent, what comes back. It blocks.

use std::io::{self, Read};
use std::sync::Arc;

use ureq::http::Response;
use ureq::http::header::{CONTENT_LENGTH, LOCATION, RETRY_AFTER};
use ureq::{Agent, Body as Stream, RequestBuilder, SendBody};

use super::address::Address;
use super::trouble::Trouble;
use crate::secret::Secret;

/// Beyond this no reply is read.
pub(super) const LARGEST: u64 = 1024 * 1024;

/// What is sent.
pub(super) struct Message {
    pub(super) to: Address,
    /// Of a POST; a GET has none.
    pub(super) body: Option<Arc<[u8]>>,
    pub(super) headers: Vec<(&'static str, Secret)>,
}

/// What comes back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) location: Option<String>,
    pub(super) retry_after: Option<String>,
    pub(super) body: Body,
}

/// The body of an answer: what it says may be a secret.
#[derive(Debug)]
pub(super) enum Body {
    Whole(Secret<Vec<u8>>),
    TooLarge,
}

impl Message {
    /// Sends it, as long as it is `wanted`.
    pub(super) fn send(self, agent: &Agent, wanted: &dyn Fn() -> bool) -> Result<Answer, Trouble> {
        let url = self.to.url();
        let response = match &self.body {
            Some(body) => self
                .headed(agent.post(url).content_type("application/json"))
                .header(CONTENT_LENGTH, body.len())
                .send(SendBody::from_reader(&mut Wanted { body, wanted })),
            None => self.headed(agent.get(url)).call(),
        };
        Answer::read(response?)
    }

    fn headed<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        let request = request.header("Accept", "application/json");
        self.headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, value.expose())
        })
    }
}

/// A body that ends too early where nobody waits for the answer any more. Connecting may take long, and what was
/// cancelled meanwhile must not begin: the endpoint may be carrying out the delete by then.
struct Wanted<'a> {
    body: &'a [u8],
    wanted: &'a dyn Fn() -> bool,
}

impl Read for Wanted<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if (self.wanted)() {
            self.body.read(into)
        } else {
            Err(io::Error::other("it was dropped"))
        }
    }
}

impl Answer {
    fn read(mut response: Response<Stream>) -> Result<Self, Trouble> {
        let header = |name| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let (location, retry_after) = (header(LOCATION), header(RETRY_AFTER));
        let body = response.body_mut().with_config().limit(LARGEST);
        let body = match body.read_to_vec() {
            Ok(body) => Body::Whole(Secret::new(body)),
            Err(ureq::Error::BodyExceedsLimit(_)) => Body::TooLarge,
            Err(error) => return Err(error.into()),
        };
        Ok(Self {
            status: response.status().as_u16(),
            location,
            retry_after,
            body,
        })
    }
}
