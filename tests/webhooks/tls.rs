//! TLS: who is trusted, who is let in.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use catalog_broker::backend::{ClientCertificate, WebhookSettings};
use catalog_broker::domain::operation::Kind;

use crate::certificates::{Authority, Signed};
use crate::harness::{Task, again, done, hook, settings};
use crate::server::{Server, reply};

fn trusting(server: &Server, authority: &Authority) -> WebhookSettings {
    let mut settings = settings(&server.url("/"));
    settings.ca = Some(authority.pem());
    settings
}

fn serving(certificate: &Signed<'_>, clients: Option<&Authority>) -> Server {
    Server::start_tls(certificate.server(clients), |_, _| reply(200, ""))
}

/// It is not done, it may heal, and the log has the reason.
fn is_unsafe(settings: WebhookSettings, reason: &str) {
    let task = Task::new(Kind::Provision);
    let (after, why) = again(task.by(&hook(settings)));
    assert_eq!(after, None);
    assert!(
        why.contains("cannot be reached safely"),
        "{why} {}",
        task.log()
    );
    assert!(task.log().contains(reason), "{}", task.log());
}

#[test]
fn an_authority_of_ones_own_is_trusted_and_nobody_elses() {
    let authority = Authority::new();
    let server = serving(&authority.sign("localhost", 2), None);
    let trusted = hook(trusting(&server, &authority));
    done(Task::new(Kind::Provision).by(&trusted));
    done(Task::new(Kind::Bind).by(&trusted));
    assert_eq!(server.connections(), 1, "a handshake is made once");

    is_unsafe(settings(&server.url("/")), "UnknownIssuer");
    is_unsafe(
        trusting(&server, &Authority::new()),
        "invalid peer certificate",
    );
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_certificate_is_for_a_time_and_a_name() {
    let authority = Authority::new();
    let expired = serving(&authority.sign("localhost", -1), None);
    is_unsafe(trusting(&expired, &authority), "Expired");
    let other = serving(&authority.sign("hook.example", 2), None);
    is_unsafe(trusting(&other, &authority), "not valid for name");
    assert!(expired.requests().is_empty() && other.requests().is_empty());
}

#[test]
fn what_does_not_speak_tls_is_not_spoken_to() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    is_unsafe(
        settings(&format!("https://localhost:{port}/")),
        "corrupt message",
    );
}

#[test]
fn a_client_shows_its_certificate() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let server = serving(&servers.sign("localhost", 2), Some(&clients));
    let with = |signed: &Signed<'_>| {
        let mut settings = trusting(&server, &servers);
        settings.client_certificate = Some(ClientCertificate {
            chain: signed.chain(),
            key: signed.key().into(),
        });
        settings
    };
    done(Task::new(Kind::Provision).by(&hook(with(&clients.sign("broker", 2)))));
    assert_eq!(server.requests().len(), 1);

    for stranger in [
        trusting(&server, &servers),
        with(&servers.sign("broker", 2)),
    ] {
        let task = Task::new(Kind::Provision);
        again(task.by(&hook(stranger)));
        // The server hangs up with the alert: whether it is heard is a race.
        let log = task.log();
        assert!(
            log.contains("fatal alert") || log.contains("a client certificate"),
            "{log}"
        );
    }
    assert_eq!(server.requests().len(), 1);
}
