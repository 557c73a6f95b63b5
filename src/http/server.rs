//! The server: connections of a listener, plain or over TLS, each with the patience of [`Connection`].
//!
//! HTTP/1.1 alone. Over HTTP/2 a client may ask for any number of answers at once that it never reads, and the library below
//! sets no bound to them: one connection without a login fills the memory.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_http::body::MessageBody;
use actix_http::{HttpService, Protocol, Request, Response};
use actix_service::{
    IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config,
};
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_tls::accept::{TlsError, max_concurrent_tls_connect};
use actix_web::Error;
use actix_web::dev::{AppConfig, Extensions, Server};
use actix_web::rt::net::TcpStream;
use rustls::ServerConfig;

use super::connection::{Connection, Patience};
use super::lobby;
use super::tls::greet;

/// How a server serves.
#[derive(Clone, Copy, Debug)]
pub struct ServerTerms {
    /// Threads.
    pub workers: usize,
    /// Most connections at a time; further ones wait until one of them ends.
    pub connections: usize,
    /// How long a connection may be without a request.
    pub keep_alive: Duration,
    /// How long requests that run may take to finish once it stops.
    pub shutdown_timeout: Duration,
}

/// How long a client may take to send the head of its first request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client that was refused by its head is listened to while it goes on sending. Closed under it, the connection
/// is reset, and many clients then report that in place of the answer.
const LINGER: Duration = Duration::from_secs(5);

/// How much longer than `keep_alive` the next request's head may take, where it was begun in that time.
const GRACE: Duration = Duration::from_secs(5);

/// How long answers may be unread.
const UNREAD: Duration = Duration::from_secs(30);

/// Serves what `application` makes for each worker.
pub fn serve<F, I, S, B>(
    listener: TcpListener,
    tls: Option<ServerConfig>,
    terms: ServerTerms,
    application: F,
) -> io::Result<Server>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    S::Service: 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    let each = terms.connections.div_ceil(terms.workers.max(1));
    let builder = Server::build()
        .workers(terms.workers)
        .max_concurrent_connections(each)
        .disable_signals()
        .shutdown_timeout(whole_seconds(terms.shutdown_timeout));
    let stopping = builder.graceful_shutdown_signal();
    let patience = Patience {
        idle: terms.keep_alive + GRACE,
        unread: UNREAD,
    };
    // For each kind of connection another type, so a macro in place of a function.
    macro_rules! http {
        ($on_connect:expr) => {{
            let stopping = stopping.clone();
            let application = application().into_factory();
            HttpService::build()
                .graceful_shutdown_signal(move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                })
                .keep_alive(terms.keep_alive)
                .client_request_timeout(HEAD_TIMEOUT)
                .client_disconnect_timeout(LINGER)
                .on_connect_ext($on_connect)
                .finish(map_config(
                    application.map_err(|error| error.into().error_response()),
                    |()| AppConfig::default(),
                ))
        }};
    }
    let builder = match tls {
        None => builder.listen("http", listener, move || {
            let http = http!(
                |connection: &Connection<TcpStream>, data: &mut Extensions| {
                    data.insert(connection.under_way());
                }
            );
            let stopping = stopping.clone();
            fn_service(move |stream: TcpStream| {
                let stopping = stopping.clone();
                async move {
                    let stopping = stopping.notified();
                    let address = prepared(&stream);
                    let (stream, ahead) = lobby::first_head(stream, HEAD_TIMEOUT, stopping).await?;
                    let connection = Connection::new(stream, ahead, patience);
                    Ok((connection, Protocol::Http1, address))
                }
            })
            .and_then(http)
        }),
        Some(mut config) => {
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            // By itself the server takes no further connection where so many shake hands: those who say nothing would keep
            // out all others for as long as a handshake may take.
            max_concurrent_tls_connect(each);
            builder.listen("https", listener, move || {
                let http = http!(move |connection: &Connection<TlsStream<TcpStream>>,
                                       data: &mut Extensions| {
                    data.insert(connection.under_way());
                    greet(connection.stream(), data);
                });
                let stopping = stopping.clone();
                Acceptor::new(config.clone())
                    .map_err(TlsError::into_service_error)
                    .and_then(move |stream: TlsStream<TcpStream>| {
                        let stopping = stopping.clone();
                        async move {
                            let stopping = stopping.notified();
                            let address = prepared(stream.get_ref().0);
                            let (stream, ahead) = lobby::first_head(stream, HEAD_TIMEOUT, stopping)
                                .await
                                .map_err(TlsError::Service)?;
                            let connection = Connection::new(stream, ahead, patience);
                            Ok((connection, Protocol::Http1, address))
                        }
                    })
                    .and_then(http.map_err(TlsError::Service))
            })
        }
    };
    Ok(builder?.run())
}

/// Where a connection comes from. Answers are sent when they are there: over TLS the first one would wait until its client
/// has said that it has all that was sent before, which clients put off for 40 ms.
fn prepared(stream: &TcpStream) -> Option<SocketAddr> {
    // It is quicker with it, and right without.
    let _ = stream.set_nodelay(true);
    stream.peer_addr().ok()
}

/// The server counts seconds: a part of one is one, so that half a second is not none.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
