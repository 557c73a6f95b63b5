//! Endpoints that misbehave: each leaves another attempt or a failure, a sentence of use, and the story in the log.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use catalog_broker::backend::Auth;
use catalog_broker::domain::operation::Kind;
use serde_json::json;

use crate::harness::{Task, again, done, failed, hook, plain, secret, settings};
use crate::log;
use crate::server::{Reply, Server, reply};

#[test]
fn a_slow_one_is_not_waited_for() {
    let server = Server::start(|_, _| Reply::Silence(Duration::from_secs(20)));
    let mut settings = settings(&server.url("/"));
    settings.timeout = Duration::from_millis(300);
    let (task, started) = (Task::new(Kind::Provision), Instant::now());
    let (after, why) = again(task.by(&hook(settings)));
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(after, None);
    assert!(why.contains("did not answer in time"), "{why}");
    assert!(task.log().contains("timeout"), "{}", task.log());
}

/// One byte at a time keeps a timeout for each read happy: the whole exchange has one.
#[test]
fn one_that_drips_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!(
        "http://localhost:{}/",
        listener.local_addr().unwrap().port()
    );
    thread::spawn(move || {
        use std::io::Write as _;
        let (mut stream, _) = listener.accept().expect("a connection");
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        while stream.write_all(b" ").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    let mut settings = settings(&url);
    settings.timeout = Duration::from_millis(500);
    let started = Instant::now();
    let (_, why) = again(Task::new(Kind::Provision).by(&hook(settings)));
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(why.contains("did not answer in time"), "{why}");
}

#[test]
fn one_that_lies_about_its_length_has_said_nothing() {
    for raw in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "",
    ] {
        let server = Server::start(move |_, _| Reply::Raw(raw.as_bytes().to_vec()));
        let task = Task::new(Kind::Provision);
        let (_, why) = again(task.by(&plain(&server.url("/"))));
        assert!(why.contains("broke off"), "{raw}: {why}");
        assert!(task.log().contains("gave no answer"), "{}", task.log());
    }
    // More than it said: what it said counts, and the connection is not used again.
    let more = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}{}";
    let server = Server::start(move |_, _| Reply::Raw(more.as_bytes().to_vec()));
    done(Task::new(Kind::Provision).by(&plain(&server.url("/"))));
}

#[test]
fn what_is_not_http_is_tried_again() {
    for raw in ["SSH-2.0-OpenSSH_9.6\r\n\r\n", "HTTP/1.1 OK\r\n\r\n"] {
        let server = Server::start(move |_, _| Reply::Raw(raw.as_bytes().to_vec()));
        let (_, why) = again(Task::new(Kind::Provision).by(&plain(&server.url("/"))));
        assert!(why.contains("not HTTP"), "{why}");
    }
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(200_000));
    let server = Server::start(move |_, _| Reply::Raw(endless.clone().into_bytes()));
    again(Task::new(Kind::Provision).by(&plain(&server.url("/"))));
}

#[test]
fn a_flood_is_not_read() {
    let flood = |status: u16| {
        Server::start(move |_, _| Reply::Http(status, Vec::new(), vec![b' '; 3 << 20]))
    };
    let (ok, refusing, busy) = (flood(200), flood(400), flood(503));
    let task = Task::new(Kind::Provision);
    failed(task.by(&plain(&ok.url("/"))));
    assert!(task.log().contains("more than 1 MiB"), "{}", task.log());
    // Where the status says it all, what is in the body does not matter.
    crate::harness::refused(Task::new(Kind::Provision).by(&plain(&refusing.url("/"))));
    again(Task::new(Kind::Provision).by(&plain(&busy.url("/"))));

    // As much as it may be.
    let server = Server::start(|_, _| Reply::Http(200, Vec::new(), vec![b' '; 1 << 20]));
    done(Task::new(Kind::Provision).by(&plain(&server.url("/"))));
}

#[test]
fn nobody_there() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = closed.local_addr().expect("an address").port();
    drop(closed);
    let task = Task::new(Kind::Provision);
    let (_, why) = again(task.by(&plain(&format!("http://localhost:{port}/"))));
    assert!(why.contains("cannot be reached"), "{why}");
    assert!(task.log().contains("refused"), "{}", task.log());

    let task = Task::new(Kind::Provision);
    let (_, why) = again(task.by(&plain("https://nowhere.invalid/")));
    assert!(why.contains("cannot be reached"), "{why}");
}

/// A connection that the other side has closed meanwhile is not an attempt that went wrong.
#[test]
fn a_connection_that_is_gone_is_made_anew() {
    let whole = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    let server = Server::start(move |_, _| Reply::Raw(whole.as_bytes().to_vec()));
    let hook = plain(&server.url("/"));
    for _ in 0..3 {
        done(Task::new(Kind::Provision).by(&hook));
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(server.connections(), 3);
}

/// What is marked is in no line of the log and in nothing that is told, whatever came of it.
#[test]
fn secrets_stay_where_they_are() {
    const MARK: &str = "s3cret";
    let replies: [fn() -> Reply; 7] = [
        || reply(200, r#"{"outputs":{"password":"s3cret"},"state":"s3cret"}"#),
        || reply(200, "s3cret"),
        || reply(202, r#"{"error":"s3cret"}"#).with("Location", "http://s3cret:s3cret@x/s3cret"),
        || reply(307, "").with("Location", "http://other.example/s3cret?s3cret"),
        || reply(400, r#"{"error":"s3cret"}"#).with("X-Secret", MARK),
        || reply(500, "s3cret"),
        || Reply::Raw(b"s3cret".to_vec()),
    ];
    for made in replies {
        let server = Server::start(move |_, _| made());
        let mut settings = settings(&server.url("/s3cret?token=s3cret"));
        settings.secret = Some(secret("s3cret-signing"));
        settings.auth = Auth::Basic {
            username: "s3cret-name".to_owned(),
            password: secret(MARK),
        };
        settings.proxy = Some(secret("http://user:s3cret@localhost:1"));
        settings.no_proxy = Some("localhost".to_owned());
        let shown = format!("{settings:?}").replace("s3cret-name", "");
        let task = Task::with(Kind::Bind, &json!({ "password": MARK }));
        let hook = hook(settings);
        let outcome = task.by(&hook);
        for text in [
            shown,
            format!("{hook:?}"),
            format!("{outcome:?}"),
            task.log(),
        ] {
            assert!(!text.contains(MARK), "{text}");
        }
        assert!(!task.log().is_empty(), "the search is blind");
        assert_eq!(task.said(), [""; 0]);
    }
    for line in log::whole().lines() {
        assert!(!line.contains(MARK), "{line}");
    }
}
