//! One connection: how long its client may keep it without a whole request, how long it may leave answers unread, and how much
//! of what it sends is taken at once.
//!
//! The server below has a time for the first head and for silence between requests, and none for what lies between: the head
//! of a second request, a body that nobody waits for, an answer that is not read. Each would be held for ever, and of many
//! small requests sent at once as many as its buffer holds, a thousand times as large as they came.

use std::cell::Cell;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, Take};
use tokio::time::{Sleep, sleep};

/// How long the client of a connection may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// From the end of one answer to the end of the next request's head.
    pub(super) idle: Duration,
    /// To read what it was answered.
    pub(super) unread: Duration,
}

/// How much is read at once, in bytes: what a client has sent ahead is made into requests only when those before it were
/// answered, and other clients of the same worker have their turn between.
const AT_ONCE: u64 = 1024;

/// How much of what is no further request: a long head, which is parsed from its start each time, or a body.
const MOST_AT_ONCE: u64 = 64 * 1024;

/// A connection, as the server reads and writes it.
pub(super) struct Connection<S> {
    /// Gives no more than what is left to be read before the server goes on to something else.
    stream: Take<S>,
    /// What was read of it before it came here.
    ahead: Vec<u8>,
    patience: Patience,
    under_way: Rc<UnderWay>,
    /// Rings when there may have been no request for too long; set anew only when it has rung. It is asked for its ring once:
    /// a connection is one task's from its begin to its end.
    idle: Pin<Box<Sleep>>,
    listens: bool,
    /// Rings when answers are unread for too long; none while the client reads.
    unread: Option<Pin<Box<Sleep>>>,
    /// How much is read before that.
    at_once: u64,
    /// How many requests there had been by then.
    begun: usize,
}

/// The requests of a connection that are being answered.
#[derive(Debug)]
pub(super) struct UnderWay {
    requests: Cell<usize>,
    /// How many there were so far.
    begun: Cell<usize>,
    /// When the last answer was given, or the connection made.
    since: Cell<Instant>,
}

/// A request that is being answered, until this is dropped.
#[derive(Debug)]
pub(super) struct Begun(Rc<UnderWay>);

impl UnderWay {
    fn new() -> Rc<Self> {
        Rc::new(Self {
            requests: Cell::new(0),
            begun: Cell::new(0),
            since: Cell::new(Instant::now()),
        })
    }

    /// One more.
    pub(super) fn begin(self: &Rc<Self>) -> Begun {
        self.requests.set(self.requests.get() + 1);
        self.begun.set(self.begun.get().wrapping_add(1));
        Begun(Rc::clone(self))
    }
}

impl Begun {
    /// It was answered. Who is gone before that has no connection either, and needs no time.
    pub(super) fn end(self, now: Instant) {
        self.0.since.set(now);
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.requests.set(self.0.requests.get().saturating_sub(1));
    }
}

impl<S: AsyncRead> Connection<S> {
    /// One of which `ahead` was read already.
    pub(super) fn new(stream: S, ahead: Vec<u8>, patience: Patience) -> Self {
        Self {
            stream: stream.take(AT_ONCE),
            ahead,
            patience,
            under_way: UnderWay::new(),
            idle: Box::pin(sleep(patience.idle)),
            listens: false,
            unread: None,
            at_once: AT_ONCE,
            begun: 0,
        }
    }

    pub(super) fn stream(&self) -> &S {
        self.stream.get_ref()
    }

    pub(super) fn under_way(&self) -> Rc<UnderWay> {
        Rc::clone(&self.under_way)
    }

    /// Whether there was no request for too long. Answers that are not read have a time of their own.
    fn is_idle(&mut self, context: &mut Context<'_>) -> bool {
        if self.listens && !self.idle.is_elapsed() {
            return false;
        }
        self.listens = true;
        while self.idle.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            let since = if self.under_way.requests.get() > 0 || self.unread.is_some() {
                now
            } else {
                self.under_way.since.get()
            };
            let due = since + self.patience.idle;
            if due <= now {
                return true;
            }
            self.idle.as_mut().reset(due.into());
        }
        false
    }

    /// Nothing to read by now; or never, where there was no request for too long. Asked only then: each request would pay for it.
    fn nothing(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_idle(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }

    /// Goes on to something else.
    fn rest(&mut self) {
        let begun = self.under_way.begun.get();
        self.at_once = if begun == self.begun {
            (self.at_once * 2).min(MOST_AT_ONCE)
        } else {
            AT_ONCE
        };
        self.begun = begun;
        self.stream.set_limit(self.at_once);
    }

    /// What was read before it came here counts as read now.
    fn give_ahead(&mut self, buffer: &mut ReadBuf<'_>) {
        let left = usize::try_from(self.stream.limit()).unwrap_or(usize::MAX);
        let length = left.min(buffer.remaining()).min(self.ahead.len());
        buffer.put_slice(&self.ahead[..length]);
        self.ahead.drain(..length);
        self.stream.set_limit((left - length) as u64);
    }

    /// What is not written waits for the client to read, for a while.
    fn patiently<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            return written;
        }
        let unread = self.patience.unread;
        let timer = self.unread.get_or_insert_with(|| Box::pin(sleep(unread)));
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Who does not read is not listened to. What is to be written wakes the server.
        if this.unread.is_some() {
            return this.nothing(context);
        }
        if this.stream.limit() == 0 {
            this.rest();
            context.waker().wake_by_ref();
            return this.nothing(context);
        }
        if !this.ahead.is_empty() {
            this.give_ahead(buffer);
            return Poll::Ready(Ok(()));
        }
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if read.is_pending() {
            this.stream.set_limit(this.at_once);
            return this.nothing(context);
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(this.stream.get_mut()).poll_write(context, bytes);
        this.patiently(written, context)
    }

    /// Is called when all was written, so from then on nothing is unread that the system would not keep.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(this.stream.get_mut()).poll_flush(context);
        if matches!(flushed, Poll::Ready(Ok(()))) && this.unread.take().is_some() {
            this.under_way.since.set(Instant::now());
            // Nothing was read meanwhile, so nothing else says that there is something to read.
            context.waker().wake_by_ref();
        }
        this.patiently(flushed, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let closed = Pin::new(this.stream.get_mut()).poll_shutdown(context);
        this.patiently(closed, context)
    }
}
