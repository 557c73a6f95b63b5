//! The signature as its reader sees it, logins, and the keys that stay the same.

use std::collections::HashSet;

use catalog_broker::backend::Auth;
use catalog_broker::domain::operation::Kind;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::harness::{Task, again, done, hook, secret, settings};
use crate::server::{Request, Server, reply};

/// As a webhook would check it.
fn verifies(request: &Request, body: &[u8], key: &str) -> bool {
    let header = &request.headers["x-broker-signature"];
    let (seconds, hex) = header
        .strip_prefix("t=")
        .and_then(|rest| rest.split_once(",v1="))
        .expect("a signature");
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key");
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    let digest = mac.finalize().into_bytes();
    let right: Vec<_> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    right.concat() == hex
}

#[test]
fn a_signature_holds_for_these_bytes_and_this_key() {
    let server = Server::start(|_, _| reply(200, ""));
    let mut settings = settings(&server.url("/"));
    settings.secret = Some(secret("geheim"));
    done(Task::new(Kind::Provision).by(&hook(settings)));
    let request = &server.requests()[0];
    assert!(request.headers["x-broker-signature"].starts_with("t=1700000000,v1="));
    assert!(verifies(request, &request.body, "geheim"));

    let mut changed = request.body.clone();
    changed[10] ^= 1;
    assert!(!verifies(request, &changed, "geheim"));
    assert!(!verifies(request, &request.body, "another"));
    assert!(!verifies(request, b"", "geheim"));
}

#[test]
fn logins_are_sent() {
    for (auth, header) in [
        (
            Auth::Basic {
                username: "user".to_owned(),
                password: secret("p:ä"),
            },
            "Basic dXNlcjpwOsOk",
        ),
        (
            Auth::Bearer {
                token: secret("t-1"),
            },
            "Bearer t-1",
        ),
    ] {
        let server = Server::start(|_, _| reply(200, ""));
        let mut settings = settings(&server.url("/"));
        settings.auth = auth;
        done(Task::new(Kind::Provision).by(&hook(settings)));
        assert_eq!(server.requests()[0].headers["authorization"], header);
    }
}

#[test]
fn the_key_is_the_operations_and_the_attempt_counts() {
    let server = Server::start(|_, before| reply(if before < 2 { 503 } else { 200 }, ""));
    let hook = hook(settings(&server.url("/")));
    let mut task = Task::new(Kind::Provision);
    again(task.by(&hook));
    task.attempt = 2;
    again(task.by(&hook));
    task.attempt = 3;
    done(task.by(&hook));
    done(Task::new(Kind::Provision).by(&hook));

    let requests = server.requests();
    let header = |name: &str| -> Vec<String> {
        requests
            .iter()
            .map(|request| request.headers[name].clone())
            .collect()
    };
    assert_eq!(header("x-broker-attempt"), ["1", "2", "3", "1"]);
    let keys = header("idempotency-key");
    assert_eq!(keys[..3].iter().collect::<HashSet<_>>().len(), 1);
    assert_ne!(keys[3], keys[0]);
    assert_eq!(server.connections(), 1, "attempts share the connection");
}
