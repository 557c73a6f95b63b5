//! One weakness at a time: what a client may keep, and for how long, however little it does.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{PoisonError, RwLockReadGuard};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::good::Line;
use crate::harness::{PASSWORD, USER, at_instance, basic, provision_body};
use crate::http::{Connection, Request};
use crate::serving::{Serving, setup};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: b\r\n\r\n";

const MANY: usize = 50;

/// Longer than anything is kept whose client does nothing, and short enough to wait for.
const PATIENCE: Duration = Duration::from_secs(120);

/// They run beside each other, and not while times are measured.
fn beside() -> RwLockReadGuard<'static, ()> {
    crate::MACHINE
        .read()
        .unwrap_or_else(PoisonError::into_inner)
}

fn request(method: &str, path: &str) -> Request {
    Request::new(method, path)
        .header("Authorization", &basic(USER, PASSWORD))
        .header("X-Broker-API-Version", "2.17")
}

/// Reads an answer of health, and says that it was there.
fn answered(stream: &mut TcpStream) {
    let mut part = [0; 1024];
    let read = stream.read(&mut part).expect("an answer");
    assert!(String::from_utf8_lossy(&part[..read]).contains(" 200 "));
}

/// Clients that begin another request and never end it.
fn half_second_heads(serving: &Serving) -> Vec<TcpStream> {
    let begun = || {
        let mut stream = serving.connect_with(HEALTH.as_bytes());
        answered(&mut stream);
        stream.write_all(b"GET /v2/cat").expect("half a head");
        stream
    };
    (0..MANY).map(|_| begun()).collect()
}

#[test]
fn a_second_head_without_an_end_is_given_up() {
    let _beside = beside();
    let serving = Serving::start(&setup());
    let before = serving.files();
    let clients = half_second_heads(&serving);
    assert!(serving.files() >= before + MANY);
    assert!(serving.let_go(before, PATIENCE).is_ok());
    drop(clients);
}

/// The proof that the one above sees what stays: with a setting that lets connections be idle for an hour they do.
#[test]
fn who_may_be_idle_for_an_hour_stays() {
    let _beside = beside();
    let serving = Serving::start(&setup().env("BROKER_SERVER__KEEP_ALIVE", "1h"));
    let before = serving.files();
    let clients = half_second_heads(&serving);
    let left = serving.let_go(before, Duration::from_secs(15));
    assert!(left.is_err_and(|left| left >= before + MANY));
    drop(clients);
    assert!(serving.let_go(before, PATIENCE).is_ok());
}

#[test]
fn a_body_without_an_end_is_given_up() {
    let _beside = beside();
    let serving = Serving::start(&setup());
    let before = serving.files();
    let head = "POST /healthz HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n";
    let clients: Vec<_> = (0..MANY)
        .map(|_| serving.connect_with(head.as_bytes()))
        .collect();
    assert!(serving.let_go(before, PATIENCE).is_ok());
    drop(clients);
}

/// Nor does what they have sent ahead become large: a thousand requests in their smallest form are some megabytes.
#[test]
fn who_reads_no_answer_is_not_listened_to_and_given_up() {
    let _beside = beside();
    let serving = Serving::start(&setup());
    let before = (serving.files(), serving.memory());
    let many = 10;
    let clients: Vec<_> = (0..many)
        .map(|_| {
            let mut stream = serving.connect();
            stream.set_nonblocking(true).expect("a socket");
            let began = Instant::now();
            while began.elapsed() < PATIENCE {
                match stream.write(HEALTH.repeat(1000).as_bytes()) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("{error}"),
                }
            }
            stream
        })
        .collect();
    let mut most = 0;
    let began = Instant::now();
    while serving.files() > before.0 {
        assert!(began.elapsed() < PATIENCE, "they are never given up");
        most = serving.memory().max(most);
        thread::sleep(Duration::from_millis(50));
    }
    let each = most.saturating_sub(before.1) / many;
    assert!(each < 400, "{each} KiB for each of them");
    drop(clients);
}

/// Who reads slowly is no bad client.
#[test]
fn a_slow_reader_gets_all_its_answers() {
    let _beside = beside();
    let serving = Serving::start(&setup());
    let many = 3000;
    let ask = request("GET", "/v2/catalog").to_bytes().repeat(many);
    let mut connection = Connection::open(serving.address).expect("a connection");
    let mut sending = connection.stream().try_clone().expect("a second handle");
    let sender = thread::spawn(move || sending.write_all(&ask));
    for number in 0..many {
        if number % 500 == 0 {
            thread::sleep(Duration::from_secs(1));
        }
        let answer = connection.read("GET").expect("an answer");
        assert_eq!(answer.status, 200, "{number}");
    }
    assert!(sender.join().expect("the sender").is_ok());
}

/// Silent clients, more than shake hands at once by the server's own limit: a good one is let in before any of them has been
/// given up.
#[test]
fn silent_handshakes_keep_nobody_out() {
    let _beside = beside();
    crate::raise_limit();
    let serving = Serving::start_with_tls(&setup().env("BROKER_SERVER__WORKERS", "1"));
    let silent: Vec<_> = (0..600).map(|_| serving.connect()).collect();
    let mut line = Line::open(&serving).expect("a connection");
    let (status, _) = line.ask(&request("GET", "/v2/catalog")).expect("an answer");
    assert_eq!(status, 200);
    // The last ones came later than the others, and are given up later: they are the ones that were not in the way.
    let there = silent.iter().filter(|stream| is_open(stream)).count();
    assert!(there > 500, "only {there} of them are still there");
}

fn is_open(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a socket");
    let read = stream.read(&mut [0; 64]);
    read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// There is a most of connections. Who comes then waits, and is served when there is room again.
#[test]
fn who_comes_to_a_full_broker_waits() {
    let _beside = beside();
    let full = 8;
    let serving = Serving::start(&setup().env("BROKER_SERVER__CONNECTIONS", &full.to_string()));
    let before = serving.files();
    let mut kept: Vec<_> = (0..full)
        .map(|_| {
            let mut stream = serving.connect_with(HEALTH.as_bytes());
            answered(&mut stream);
            stream
        })
        .collect();
    let mut waits = serving.connect_with(HEALTH.as_bytes());
    // Those that are there are served meanwhile.
    for stream in &mut kept {
        stream.write_all(HEALTH.as_bytes()).expect("a request");
        answered(stream);
    }
    assert!(serving.files() <= before + full);
    assert!(is_open(&waits));
    waits.set_nonblocking(false).expect("a socket");
    drop(kept.pop());
    answered(&mut waits);
}

/// A process that may open few files leaves some to what else needs them: store, catalog, backends.
#[test]
fn connections_do_not_take_the_last_file() {
    let _beside = beside();
    let binary = env!("CARGO_BIN_EXE_catalog-broker");
    let folder = crate::harness::Folder::new();
    let limited = folder.write(
        "limited",
        &format!("#!/bin/sh\nulimit -n 256\nexec {binary} \"$@\"\n"),
    );
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&limited, executable).expect("a program");
    let serving = Serving::start(&setup().binary(&limited).env("BROKER_RELOAD__EVERY", "50ms"));
    serving.wait_for_log("128 connections at a time, not the 4096 of server.connections");
    let mut good = Connection::open(serving.address).expect("a connection");
    let ask = |good: &mut Connection, request: &Request| good.send(request).expect("an answer");
    assert_eq!(ask(&mut good, &request("GET", "/v2/catalog")).status, 200);
    let many: Vec<_> = (0..300).map(|_| serving.connect()).collect();
    let put = request("PUT", &at_instance("i")).json(&provision_body());
    assert_eq!(ask(&mut good, &put).status, 201);
    let other = crate::harness::CATALOG.replace("100 GB", "200 GB");
    serving.folder.write("catalog.yaml", &other);
    let until = Instant::now() + PATIENCE;
    loop {
        let catalog = ask(&mut good, &request("GET", "/v2/catalog")).json();
        if catalog["services"][0]["plans"][1]["description"] == json!("200 GB") {
            break;
        }
        assert!(Instant::now() < until, "{}", serving.log());
        thread::sleep(Duration::from_millis(50));
    }
    assert!(
        !serving.log().contains("Error accepting"),
        "{}",
        serving.log()
    );
    drop(many);
}
