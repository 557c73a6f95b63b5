//! Bad input, heads and what is no HTTP: an answer or none, but the broker goes on.

use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::bad_input::{refused, unharmed};
use crate::documents::{provision_of, serves, wide};
use crate::harness::{Broker, PASSWORD, USER, at_instance, basic};
use crate::http::Connection;

#[test]
fn heads_have_a_limit() {
    let broker = wide();
    let get = || broker.request("GET", "/v2/catalog");
    refused(
        &broker,
        &get().header("X-Long", &"x".repeat(100 << 10)),
        (431, "HeadersTooLarge"),
        "100 KiB",
    );
    let many = (0..80).fold(get(), |request, at| {
        request.header(&format!("X-Many-{at}"), &"x".repeat(1000))
    });
    refused(&broker, &many, (431, "HeadersTooLarge"), "80 headers");
    let some = (0..80).fold(get(), |request, at| {
        request.header(&format!("X-Many-{at}"), "x")
    });
    assert_eq!(broker.send(&some).status, 200, "80 short ones are fine");
    let url = |length: usize| broker.request("GET", &format!("/v2/catalog?{}", "x".repeat(length)));
    refused(&broker, &url(20 << 10), (414, "UrlTooLong"), "20 KiB");
    assert_eq!(broker.send(&url(16_000)).status, 200);
    let id = "x".repeat(17 << 10);
    refused(
        &broker,
        &broker
            .request("PUT", &at_instance(&id))
            .json(&provision_of("wide", "plain")),
        (414, "UrlTooLong"),
        "an id",
    );
    unharmed(&broker, "a long head");
}

/// What came back for bytes of any kind: nothing, or the status of each answer.
fn statuses(broker: &Broker, bytes: &[u8]) -> Vec<u16> {
    let mut connection = Connection::open(broker.address).expect("a connection");
    let mut sending = connection.stream().try_clone().expect("a second handle");
    let bytes = bytes.to_vec();
    let sender = thread::spawn(move || {
        let _ = sending.write_all(&bytes);
        let _ = sending.shutdown(Shutdown::Write);
    });
    let mut all = Vec::new();
    while let Ok(response) = connection.read("GET") {
        all.push(response.status);
    }
    sender.join().expect("the sender");
    all
}

/// The server's own answers, or none: but it goes on, and nothing that looks like a request within another is one.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_no_http_does_no_harm() {
    let broker = wide();
    let body = provision_of("wide", "plain").to_string();
    let put = |headers: &str, body: &str| {
        let login = basic(USER, PASSWORD);
        format!("PUT /v2/service_instances/i HTTP/1.1\r\nHost: b\r\nAuthorization: {login}\r\nX-Broker-API-Version: 2.17\r\n{headers}\r\n{body}").into_bytes()
    };
    let length = body.len();
    let hidden =
        String::from_utf8(put(&format!("Content-Length: {length}\r\n"), &body)).expect("text");
    let long = |name: &str, length: usize| put(&format!("{name}: {}\r\n", "x".repeat(length)), "");
    let many: Vec<String> = (0..200).map(|n| format!("X-{n}: 1\r\n")).collect();
    let many = many.concat();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", vec![]),
        ("a line end", b"\r\n".to_vec()),
        ("zero bytes", vec![0; 10_000]),
        (
            "noise",
            (0..100_000_u32)
                .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
                .collect(),
        ),
        (
            "a TLS greeting",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        ),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("HTTP/9", b"GET /v2/catalog HTTP/9.9\r\n\r\n".to_vec()),
        ("HTTP/0.9", b"GET /v2/catalog\r\n".to_vec()),
        ("a line without end", vec![b'G'; 1 << 20]),
        ("a header without end", long("X", 1 << 20)),
        ("200 KiB of headers", long("X", 200 << 10)),
        ("200 headers", put(&many, "")),
        ("no Host", b"GET /v2/catalog HTTP/1.1\r\n\r\n".to_vec()),
        ("two Hosts", put("Host: c\r\n", "")),
        (
            "a space in the path",
            b"PUT /v2/service_instances/i j HTTP/1.1\r\nHost: b\r\n\r\n".to_vec(),
        ),
        (
            "raw bytes in the path",
            b"GET /v2/service_instances/\xff\xfe HTTP/1.1\r\nHost: b\r\n\r\n".to_vec(),
        ),
        ("a header without a name", put(": x\r\n", "")),
        ("a header without a colon", put("nonsense\r\n", "")),
        ("a zero byte in a header", put("X: a\0b\r\n", "")),
        ("a folded header", put("X: a\r\n b\r\n", "")),
        (
            "two lengths",
            put(
                &format!("Content-Length: {length}\r\nContent-Length: 5\r\n"),
                &body,
            ),
        ),
        (
            "two equal lengths",
            put(&format!("Content-Length: {length}, {length}\r\n"), &body),
        ),
        ("a negative length", put("Content-Length: -5\r\n", &body)),
        (
            "a length with a sign",
            put(&format!("Content-Length: +{length}\r\n"), &body),
        ),
        (
            "a length beyond all",
            put("Content-Length: 99999999999999999999999\r\n", &body),
        ),
        ("a length of nonsense", put("Content-Length: x\r\n", &body)),
        (
            "length and chunks",
            put(
                &format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"),
                &format!("0\r\n\r\n{hidden}"),
            ),
        ),
        (
            "chunks that are none",
            put(
                "Transfer-Encoding: xchunked\r\n",
                &format!("0\r\n\r\n{hidden}"),
            ),
        ),
        (
            "chunks twice",
            put(
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
                &format!("0\r\n\r\n{hidden}"),
            ),
        ),
        (
            "chunks with a space",
            put(
                "Transfer-Encoding : chunked\r\n",
                &format!("0\r\n\r\n{hidden}"),
            ),
        ),
        (
            "CONNECT",
            b"CONNECT example.com:443 HTTP/1.1\r\nHost: b\r\n\r\n".to_vec(),
        ),
        (
            "an asterisk",
            b"OPTIONS * HTTP/1.1\r\nHost: b\r\n\r\n".to_vec(),
        ),
        (
            "an upgrade",
            b"GET /v2/catalog HTTP/1.1\r\nHost: b\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
                .to_vec(),
        ),
    ];
    for (what, bytes) in cases {
        let got = statuses(&broker, &bytes);
        assert!(got.len() <= 2, "{what}: {got:?}");
        assert!(
            got.iter().all(|status| (400..500).contains(status)),
            "{what}: {got:?}"
        );
        unharmed(&broker, what);
    }
    // The search is not blind: the hidden request, sent openly, makes the instance.
    assert_eq!(statuses(&broker, hidden.as_bytes()), [201]);
}

/// Forms of HTTP that are unusual, but right.
#[test]
fn unusual_requests_are_answered() {
    let broker = wide();
    let login = basic(USER, PASSWORD);
    let headers = format!("Authorization: {login}\r\nX-Broker-API-Version: 2.17\r\n");
    let lower = headers
        .to_lowercase()
        .replace(&login.to_lowercase(), &login);
    for (what, text) in [
        (
            "HTTP/1.0",
            format!("GET /v2/catalog HTTP/1.0\r\n{headers}\r\n"),
        ),
        (
            "HTTP/1.0 kept alive",
            format!("GET /v2/catalog HTTP/1.0\r\nConnection: keep-alive\r\n{headers}\r\n"),
        ),
        (
            "an absolute URI",
            format!(
                "GET http://broker.example.com/v2/catalog HTTP/1.1\r\nHost: broker.example.com\r\n{headers}\r\n"
            ),
        ),
        (
            "an empty Host",
            format!("GET /v2/catalog HTTP/1.1\r\nHost:\r\n{headers}\r\n"),
        ),
        (
            "lower case",
            format!("GET /v2/catalog HTTP/1.1\r\nhost: b\r\n{lower}\r\n"),
        ),
        (
            "a query",
            format!("GET /v2/catalog?x=1 HTTP/1.1\r\nHost: b\r\n{headers}\r\n"),
        ),
    ] {
        assert_eq!(statuses(&broker, text.as_bytes()), [200], "{what}");
    }
    let patient = format!(
        "PUT /v2/service_instances/patient HTTP/1.1\r\nHost: b\r\n{headers}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n{}",
        provision_of("wide", "plain").to_string().len(),
        provision_of("wide", "plain")
    );
    assert_eq!(
        statuses(&broker, patient.as_bytes()),
        [201],
        "after it was told to go on"
    );
    let pipelined = format!("GET /v2/catalog HTTP/1.1\r\nHost: b\r\n{headers}\r\n").repeat(3);
    assert_eq!(
        statuses(&broker, pipelined.as_bytes()),
        [200, 200, 200],
        "one after the other"
    );
    // Two requests, the first with a body that is refused before it is read: the second is not read out of it.
    let body = provision_of("wide", "plain").to_string();
    let inner = format!(
        "PUT /v2/service_instances/i HTTP/1.1\r\nHost: b\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let outer = format!(
        "PUT /nothing HTTP/1.1\r\nHost: b\r\n{headers}Content-Length: {}\r\n\r\n{inner}",
        inner.len()
    );
    let got = statuses(&broker, outer.as_bytes());
    assert_eq!(got, [404]);
    unharmed(&broker, "a request within a body");
}

#[test]
fn headers_that_are_no_text_are_no_harm() {
    let broker = wide();
    let catalog = |name: &str, value: &[u8]| {
        let mut bytes = broker
            .request("GET", "/v2/catalog")
            .without(name)
            .to_bytes();
        bytes.truncate(bytes.len() - 2);
        bytes.extend(format!("{name}: ").as_bytes());
        bytes.extend(value);
        bytes.extend(b"\r\n\r\n");
        statuses(&broker, &bytes)
    };
    for (name, status) in [
        ("Authorization", 401),
        ("X-Broker-API-Version", 412),
        ("X-Broker-API-Originating-Identity", 200),
        ("X-Broker-API-Request-Identity", 200),
        ("Content-Type", 200),
        ("Accept-Encoding", 200),
        ("If-None-Match", 200),
        ("If-Modified-Since", 200),
        ("User-Agent", 200),
        ("Content-Encoding", 415),
    ] {
        for value in [&b"\xff\xfe"[..], b"\x80", b"caf\xe9"] {
            assert_eq!(catalog(name, value), [status], "{name} {value:?}");
        }
    }
    unharmed(&broker, "a header of bytes");
}

/// Clients that come and go, say nothing or wait: nobody else is kept from the broker.
#[test]
fn silent_clients_keep_nobody_out() {
    let broker = wide();
    let silent: Vec<TcpStream> = (0..200)
        .map(|_| TcpStream::connect(broker.address).expect("a connection"))
        .collect();
    for (at, mut stream) in silent.iter().enumerate() {
        if at % 2 == 0 {
            stream.write_all(b"GET /v2/cat").expect("a part");
        }
    }
    let began = Instant::now();
    unharmed(&broker, "200 silent clients");
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    drop(silent);
    serves(&broker);
}

/// Who is refused by the head may still be sending: a connection that closes under that takes the answer along.
#[test]
fn a_slow_sender_is_listened_to_after_the_refusal() {
    let broker = wide();
    let mut connection = Connection::open(broker.address).expect("a connection");
    let began = Instant::now();
    let head = "PUT /v2/service_instances/i HTTP/1.1\r\nHost: b\r\nContent-Length: 100000\r\n\r\n";
    connection.write(head.as_bytes()).expect("a head");
    while connection.write(b"x").is_ok() {
        assert!(began.elapsed() < Duration::from_secs(60), "for ever");
        thread::sleep(Duration::from_millis(50));
    }
    let listened = began.elapsed();
    assert!(listened > Duration::from_secs(3), "only {listened:?}");
    assert_eq!(connection.read("PUT").expect("an answer").status, 401);
    serves(&broker);
}
