//! Through a proxy, around it, and where it does not want to.

use std::thread;
use std::time::Duration;

use catalog_broker::domain::operation::Kind;

use crate::certificates::Authority;
use crate::harness::{Task, again, done, hook, secret, settings};
use crate::server::{Reply, Server, proxy, reply};

#[test]
fn a_proxy_is_gone_through_and_sees_nothing() {
    let authority = Authority::new();
    let config = authority.sign("localhost", 2).server(None);
    let server = Server::start_tls(config, |_, _| reply(200, ""));
    let (port, asked) = proxy(200, Duration::ZERO);
    let mut through = settings(&server.url("/"));
    through.ca = Some(authority.pem());
    through.proxy = Some(secret(&format!("http://user:pass@localhost:{port}")));
    done(Task::new(Kind::Provision).by(&hook(through.clone())));
    let heads = asked.lock().unwrap().clone();
    assert_eq!(heads.len(), 1);
    assert!(
        heads[0].starts_with(&format!("CONNECT localhost:{} ", server.port)),
        "{heads:?}"
    );
    assert!(
        heads[0].contains("Proxy-Authorization: Basic dXNlcjpwYXNz"),
        "{heads:?}"
    );
    assert!(
        !heads[0].to_lowercase().contains("idempotency-key"),
        "{heads:?}"
    );

    through.no_proxy = Some("example, localhost".to_owned());
    done(Task::new(Kind::Provision).by(&hook(through)));
    assert_eq!(asked.lock().unwrap().len(), 1, "it was not to be asked");
}

#[test]
fn a_proxy_that_refuses_is_trouble() {
    let server = Server::start(|_, _| reply(200, ""));
    let (port, _) = proxy(407, Duration::ZERO);
    let mut settings = settings(&server.url("/"));
    settings.proxy = Some(secret(&format!("http://user:s3cret@localhost:{port}")));
    let task = Task::new(Kind::Provision);
    let (_, why) = again(task.by(&hook(settings)));
    assert!(why.contains("cannot be reached"), "{why}");
    assert!(task.log().contains("407"), "{}", task.log());
    assert!(!task.log().contains("s3cret"), "{}", task.log());
}

/// What was dropped while it still connected never begins: its delete may be under way.
#[test]
fn a_post_that_nobody_wants_any_more_is_not_sent() {
    let wait = Duration::from_millis(600);
    for (dropped_after, arrived) in [(wait / 3, 0), (wait * 2, 1)] {
        let server = Server::start(|_, _| Reply::Silence(Duration::from_secs(20)));
        let (port, asked) = proxy(200, wait);
        let mut settings = settings(&server.url("/"));
        settings.proxy = Some(secret(&format!("http://localhost:{port}")));
        Task::new(Kind::Provision).dropped_by(&hook(settings), dropped_after);
        thread::sleep(wait * 2);
        assert_eq!(asked.lock().unwrap().len(), 1);
        assert_eq!(server.requests().len(), arrived);
    }
}
