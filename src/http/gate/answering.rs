//! An answer on its way out through the gate: what each gets, whoever gave it, and what stands in for one where there
//! was a panic. A future of its own, so that no request pays for a box around the one that the routes have made.

use std::fmt;
use std::future::{Future, Ready, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderValue;
use actix_web::{Error, HttpResponse, ResponseError};

use crate::http::audit;
use crate::http::error::panicked;
use crate::http::head::{Head, REQUEST_IDENTITY};
use crate::http::log_line::Due;

/// An answer on its way.
pub enum Answering<F> {
    /// Given by the gate.
    Refused(Ready<Result<ServiceResponse, Error>>),
    /// Given behind it.
    Behind(F, Last),
}

impl<F> Answering<F> {
    pub(super) fn refused(request: ServiceRequest, answer: HttpResponse, mut last: Last) -> Self {
        Self::Refused(ready(Ok(last.answered(request.into_response(answer)))))
    }
}

impl<F> Future for Answering<F>
where
    F: Future<Output = Result<ServiceResponse, Error>> + Unpin,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        match self.get_mut() {
            Self::Refused(answer) => Pin::new(answer).poll(context),
            Self::Behind(future, last) => {
                match catch_unwind(AssertUnwindSafe(|| Pin::new(future).poll(context))) {
                    Ok(polled) => polled.map_ok(|answer| last.answered(answer)),
                    // The hook has logged the place by then.
                    Err(_) => Poll::Ready(Err(last.panicked().into())),
                }
            }
        }
    }
}

/// What every answer gets: the request's identity, and a line in the log.
pub struct Last {
    identity: Option<HeaderValue>,
    line: Option<Due>,
}

impl Last {
    pub(super) fn of(request: &ServiceRequest, head: &Head<'_>) -> Self {
        Self {
            line: Due::of(request),
            identity: head.identity.cloned(),
        }
    }

    fn answered(&mut self, mut answer: ServiceResponse) -> ServiceResponse {
        if let Some(line) = self.line.take() {
            line.answered(&answer, self.identity.as_ref());
        }
        audit::answered(&answer);
        if let Some(identity) = self.identity.take() {
            answer
                .headers_mut()
                .insert(REQUEST_IDENTITY.clone(), identity);
        }
        answer
    }

    fn panicked(&mut self) -> Panicked {
        if let Some(line) = self.line.take() {
            line.panicked(self.identity.as_ref());
        }
        Panicked(self.identity.take())
    }
}

/// A panic behind the gate. It is the one thing that the gate throws, for the request went down with it: so it brings
/// its answer along, the request identity in it.
#[derive(Debug)]
struct Panicked(Option<HeaderValue>);

impl fmt::Display for Panicked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the broker panicked")
    }
}

impl ResponseError for Panicked {
    fn error_response(&self) -> HttpResponse {
        let mut answer = panicked();
        if let Some(identity) = &self.0 {
            answer
                .headers_mut()
                .insert(REQUEST_IDENTITY.clone(), identity.clone());
        }
        answer
    }
}
