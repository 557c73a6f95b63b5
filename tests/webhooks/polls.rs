//! 202, and what comes after it.

use std::thread;
use std::time::{Duration, Instant};

use catalog_broker::domain::operation::Kind;

use crate::harness::{Task, again, done, failed, hook, plain, secret, settings};
use crate::server::{Reply, Request, Server, reply};

const SOON: &str = r#"{"retry_after":0.05}"#;

/// Answers a POST with 202 and a place to poll, then the polls by `poll`, which is told how many there were.
fn later(poll: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |request, before| match &*request.method {
        "POST" => reply(202, SOON).with("Location", "jobs/7?x=1"),
        _ => poll(before - 1),
    })
}

fn polls(server: &Server) -> Vec<Request> {
    let requests = server.requests().into_iter();
    requests.filter(|request| request.method == "GET").collect()
}

#[test]
fn a_location_is_polled_until_it_is_done() {
    let server = later(|before| match before {
        0 => reply(
            202,
            r#"{"description":"Half of it is there.","retry_after":0.05}"#,
        ),
        1 => reply(202, "almost").with("Retry-After", "1"),
        _ => reply(200, r#"{"outputs":{"host":"h"}}"#),
    });
    let mut settings = settings(&server.url("/a/hook"));
    settings.secret = Some(secret("geheim"));
    settings.auth = catalog_broker::backend::Auth::Bearer {
        token: secret("t-1"),
    };
    let task = Task::new(Kind::Provision);
    let started = Instant::now();
    let made = done(task.by(&hook(settings)));
    assert!(
        started.elapsed() > Duration::from_secs(1),
        "Retry-After is waited for"
    );
    assert!(made.outputs.expose().contains_key("host"));
    assert_eq!(task.said(), ["Half of it is there."]);

    let polls = polls(&server);
    assert_eq!(polls.len(), 3);
    for poll in polls {
        assert_eq!(poll.path, "/a/jobs/7?x=1");
        assert_eq!(poll.headers["idempotency-key"], task.operation.as_str());
        assert_eq!(poll.headers["authorization"], "Bearer t-1");
        assert!(poll.headers["x-broker-signature"].starts_with("t=1700000000,v1="));
        assert!(poll.body.is_empty());
    }
    assert_eq!(server.connections(), 1, "polls share the connection");
}

#[test]
fn without_a_location_the_post_is_sent_again() {
    let server = Server::start(|_, before| match before {
        0 | 1 => reply(202, SOON),
        _ => reply(200, ""),
    });
    let task = Task::new(Kind::Deprovision);
    done(task.by(&plain(&server.url("/"))));
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    for request in requests {
        assert_eq!(request.method, "POST");
        assert_eq!(request.headers["idempotency-key"], task.operation.as_str());
        assert_eq!(request.headers["x-broker-attempt"], "1");
    }
}

#[test]
fn a_poll_may_move_on() {
    let server = Server::start(|_, before| match before {
        0 => reply(202, SOON).with("Location", "/jobs/1"),
        1 => reply(202, SOON).with("Location", "2"),
        _ => reply(200, ""),
    });
    done(Task::new(Kind::Bind).by(&plain(&server.url("/"))));
    let paths: Vec<_> = server
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert_eq!(paths, ["/", "/jobs/1", "/jobs/2"]);
}

#[test]
fn what_polls_end_with() {
    for status in [404, 410, 400, 403] {
        let server = later(move |_| reply(status, ""));
        failed(Task::new(Kind::Deprovision).by(&plain(&server.url("/"))));
    }
    let server = later(|_| reply(500, r#"{"failed":true,"description":"No disk left."}"#));
    let failure = failed(Task::new(Kind::Provision).by(&plain(&server.url("/"))));
    assert_eq!(failure.description, "No disk left.");
    for status in [429, 503] {
        let server = later(move |_| reply(status, "").with("Retry-After", "9"));
        let (after, _) = again(Task::new(Kind::Provision).by(&plain(&server.url("/"))));
        assert_eq!(after, Some(Duration::from_secs(9)));
    }
}

#[test]
fn an_attempt_has_an_end() {
    let server = later(|_| reply(202, SOON));
    let mut settings = settings(&server.url("/"));
    settings.limit = Duration::from_millis(400);
    let task = Task::new(Kind::Provision);
    let (after, why) = again(task.by(&hook(settings)));
    assert_eq!(after, None);
    assert!(why.contains("not finished in time"), "{why}");
    assert!(polls(&server).len() > 2);
    assert!(task.log().contains("0.4 s"), "{}", task.log());
}

#[test]
fn what_is_dropped_asks_no_more() {
    let server = later(|_| reply(202, SOON));
    let task = Task::new(Kind::Provision);
    task.dropped_by(&plain(&server.url("/")), Duration::from_millis(400));
    // One that was asked at that moment may arrive.
    thread::sleep(Duration::from_millis(100));
    let asked = server.requests().len();
    assert!(asked > 3, "{asked}");
    thread::sleep(Duration::from_millis(400));
    assert_eq!(server.requests().len(), asked);
}

/// A runtime would wait at its end for threads of its own.
#[test]
fn what_is_dropped_holds_nobody_up() {
    let server = Server::start(|_, _| Reply::Silence(Duration::from_secs(20)));
    let started = Instant::now();
    let task = Task::new(Kind::Provision);
    task.dropped_by(&plain(&server.url("/")), Duration::from_millis(300));
    assert!(started.elapsed() < Duration::from_secs(5));
}
