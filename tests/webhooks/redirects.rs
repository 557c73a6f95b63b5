//! Redirects: within the host followed, to another never.

use catalog_broker::backend::Auth;
use catalog_broker::domain::operation::Kind;

use crate::harness::{Task, done, failed, hook, plain, secret, settings};
use crate::server::{Server, reply};

#[test]
fn a_post_goes_on_where_it_stays_a_post() {
    for status in [307, 308] {
        let server = Server::start(move |request, _| match &*request.path {
            "/old" => reply(status, "moved").with("Location", "/new"),
            _ => reply(200, ""),
        });
        let task = Task::new(Kind::Provision);
        done(task.by(&plain(&server.url("/old"))));
        let requests = server.requests();
        assert_eq!(requests[1].path, "/new");
        assert_eq!(requests[0].body, requests[1].body);
        assert_eq!(
            requests[1].headers["idempotency-key"],
            task.operation.as_str()
        );
    }
    for status in [301, 302, 303] {
        let server = Server::start(move |_, _| reply(status, "").with("Location", "/new"));
        failed(Task::new(Kind::Provision).by(&plain(&server.url("/old"))));
        assert_eq!(server.requests().len(), 1, "{status}");
    }
}

#[test]
fn a_poll_goes_on() {
    for status in [301, 302, 303, 307, 308] {
        let server = Server::start(move |request, _| match &*request.path {
            "/" => reply(202, r#"{"retry_after":0.05}"#).with("Location", "/job"),
            "/job" => reply(status, "").with("Location", "result"),
            _ => reply(200, ""),
        });
        done(Task::new(Kind::Provision).by(&plain(&server.url("/"))));
        assert_eq!(server.requests()[2].path, "/result");
        assert_eq!(server.requests()[2].method, "GET");
    }
}

#[test]
fn a_circle_ends() {
    let server = Server::start(|_, _| reply(307, "").with("Location", "/"));
    let task = Task::new(Kind::Provision);
    failed(task.by(&plain(&server.url("/"))));
    assert_eq!(server.requests().len(), 6);
    assert!(task.log().contains("more than 5 times"), "{}", task.log());
}

/// A login is for the host that was configured: another never sees it, nor the credentials in the body.
#[test]
fn another_host_is_never_asked() {
    let other = Server::start(|_, _| reply(200, ""));
    for (status, method) in [
        (307, "POST"),
        (308, "POST"),
        (202, "POST"),
        (302, "GET"),
        (202, "GET"),
    ] {
        for elsewhere in [
            other.url("/x?token=s3cret"),
            format!("//localhost:{}/x", other.port),
            format!("http://user:s3cret@localhost:{}/", other.port),
            "ftp://localhost/".to_owned(),
            "https://hook.example/".to_owned(),
        ] {
            let server = Server::start(move |request, before| match (&*request.method, before) {
                _ if request.method == method => reply(status, "").with("Location", &*elsewhere),
                _ => reply(202, r#"{"retry_after":0.05}"#).with("Location", "/job"),
            });
            let mut settings = settings(&server.url("/"));
            settings.auth = Auth::Bearer {
                token: secret("t-1"),
            };
            let task = Task::new(Kind::Provision);
            let failure = failed(task.by(&hook(settings)));
            assert!(failure.description.contains("does not understand"));
            assert!(task.log().contains("sends to "), "{}", task.log());
            assert!(!task.log().contains("s3cret"), "{}", task.log());
        }
    }
    assert!(other.requests().is_empty());
}
