//! Bad input: a clear error, nothing made of it, and the broker goes on.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::documents::{WIDE, bind_of, provision_of, provisioned, serves, wide};
use crate::harness::{Broker, Setup, at_binding, at_instance, with};
use crate::http::{Connection, Request, Response};

/// After whatever was sent: the catalog is served, and there is no instance `i`.
fn unharmed(broker: &Broker, what: &str) {
    serves(broker);
    assert_eq!(broker.fetch("i").status, 404, "{what} made an instance");
}

fn refused(broker: &Broker, request: &Request, answer: (u16, &str), what: &str) {
    let response = broker.send(request);
    assert_eq!(
        (response.status, response.word().as_str()),
        answer,
        "{what}: {}",
        response.text()
    );
}

#[test]
fn a_body_that_is_no_object_is_refused() {
    let broker = wide();
    let good = provision_of("wide", "plain").to_string();
    let deep =
        |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    let inside = |text: &str| good.replacen('{', &format!("{{\"parameters\":{{\"a\":{text}}},"), 1);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", vec![]),
        ("blanks", b" \r\n\t".to_vec()),
        ("text", b"hello".to_vec()),
        ("a form", b"service_id=wide&plan_id=plain".to_vec()),
        ("XML", b"<a/>".to_vec()),
        ("YAML", b"service_id: wide".to_vec()),
        ("a number", b"5".to_vec()),
        ("a string", b"\"{}\"".to_vec()),
        ("null", b"null".to_vec()),
        ("a list", format!("[{good}]").into_bytes()),
        ("two objects", format!("{good}{good}").into_bytes()),
        ("half an object", good.as_bytes()[..good.len() / 2].to_vec()),
        ("a trailing comma", good.replace('}', ",}").into_bytes()),
        ("a comment", format!("{good}//").into_bytes()),
        (
            "a byte-order mark",
            [b"\xef\xbb\xbf", good.as_bytes()].concat(),
        ),
        (
            "UTF-16",
            good.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ),
        (
            "no UTF-8",
            good.replace("org-1", "o\u{1}")
                .into_bytes()
                .into_iter()
                .map(|byte| if byte == 1 { 0xff } else { byte })
                .collect(),
        ),
        (
            "half a surrogate",
            good.replace("org-1", "\\ud800").into_bytes(),
        ),
        (
            "a control character",
            good.replace("org-1", "o\u{1}").into_bytes(),
        ),
        ("NaN", inside("NaN").into_bytes()),
        ("a number without end", inside("1e999999").into_bytes()),
        ("100,000 lists deep", inside(&deep("[", "]")).into_bytes()),
        (
            "100,000 objects deep",
            inside(&format!(
                "{}1{}",
                "{\"a\":".repeat(100_000),
                "}".repeat(100_000)
            ))
            .into_bytes(),
        ),
        (
            "100,000 lists, never closed",
            "[".repeat(100_000).into_bytes(),
        ),
        ("zero bytes", vec![0; 1000]),
    ];
    for (what, body) in cases {
        for request in [
            broker.request("PUT", &at_instance("i")),
            broker.request("PATCH", &at_instance("i")),
            broker.request("PUT", &at_binding("i", "b")),
        ] {
            let request = request
                .header("Content-Type", "application/json")
                .body(body.clone());
            refused(&broker, &request, (400, "InvalidBody"), what);
        }
        unharmed(&broker, what);
    }
}

/// The last of two equal keys would win in silence: it is no way to smuggle anything, for nobody checked the first.
#[test]
fn equal_keys_are_one() {
    let broker = wide();
    let body = provision_of("wide", "plain")
        .to_string()
        .replacen('{', r#"{"plan_id":"none","#, 1);
    let response = broker.send(&broker.request("PUT", &at_instance("i")).body(body));
    assert_eq!(response.status, 201);
    assert_eq!(broker.fetch("i").json()["plan_id"], "plain");
}

/// Every field of every body with every type that it does not have: the answer names the field.
#[test]
fn every_field_is_of_its_type() {
    let broker = wide();
    provisioned(&broker, "there", "wide", "plain");
    let (text, object) = ("text", "object");
    let provision = provision_of("wide", "plain");
    let update = json!({ "service_id": "wide" });
    let bind = bind_of("wide", "plain");
    let (put, patch, bound) = (
        ("PUT", at_instance("i"), &provision),
        ("PATCH", at_instance("there"), &update),
        ("PUT", at_binding("there", "b"), &bind),
    );
    let fields: &[(&(&str, String, &Value), &str, &str, bool)] = &[
        (&put, "service_id", text, true),
        (&put, "plan_id", text, true),
        (&put, "organization_guid", text, true),
        (&put, "space_guid", text, true),
        (&put, "context", object, false),
        (&put, "parameters", object, false),
        (&put, "maintenance_info", object, false),
        (&put, "maintenance_info.version", text, false),
        (&patch, "service_id", text, true),
        (&patch, "plan_id", text, false),
        (&patch, "context", object, false),
        (&patch, "parameters", object, false),
        (&patch, "maintenance_info", object, false),
        (&patch, "maintenance_info.version", text, false),
        (&bound, "service_id", text, true),
        (&bound, "plan_id", text, true),
        (&bound, "app_guid", text, false),
        (&bound, "bind_resource", object, false),
        (&bound, "bind_resource.app_guid", text, false),
        (&bound, "bind_resource.route", text, false),
        (&bound, "context", object, false),
        (&bound, "parameters", object, false),
        (&bound, "predecessor_binding_id", text, false),
    ];
    for ((method, path, good), field, kind, required) in fields {
        let mut wrong = vec![
            json!(true),
            json!(0),
            json!(1.5),
            json!([]),
            json!(["a"]),
            json!([{}]),
        ];
        if *kind == text {
            wrong.extend([json!({}), json!({ "a": 1 }), json!("")]);
        } else {
            wrong.extend([json!("{}"), json!("")]);
        }
        if field.ends_with("_id") {
            wrong.extend([json!("a\u{0}b"), json!("a\nb")]);
        }
        let send = |value: &Value| {
            let body = put_at(good, field, value);
            let response = broker.send(&broker.request(method, path).json(&body));
            (response.status, response.word(), response.description())
        };
        for value in &wrong {
            let (status, word, told) = send(value);
            assert_eq!(
                (status, word.as_str()),
                (400, "InvalidField"),
                "{method} {field} {value}: {told}"
            );
            assert!(
                told.contains(&format!("`{field}`")),
                "{field} {value}: {told}"
            );
        }
        let (status, word, told) = send(&Value::Null);
        if *required {
            assert_eq!(
                (status, word.as_str()),
                (400, "InvalidField"),
                "{field} null"
            );
            assert!(told.contains(&format!("`{field}`")), "{told}");
        } else {
            assert_ne!(
                status, 400,
                "{method} {field}: null counts as absent: {told}"
            );
            broker.delete("/v2/service_instances/i?service_id=wide&plan_id=plain");
            broker.delete(
                "/v2/service_instances/there/service_bindings/b?service_id=wide&plan_id=plain",
            );
        }
    }
    unharmed(&broker, "a wrong type");
    let all = broker.send(
        &broker
            .request("PUT", &at_instance("i"))
            .json(&json!({ "plan_id": 5, "context": [] })),
    );
    for field in [
        "`service_id`",
        "`plan_id`",
        "`organization_guid`",
        "`space_guid`",
        "`context`",
    ] {
        assert!(
            all.description().contains(field),
            "all at once: {}",
            all.text()
        );
    }
}

fn put_at(good: &Value, field: &str, value: &Value) -> Value {
    let mut body = good.clone();
    match field.split_once('.') {
        Some((outer, inner)) => body[outer][inner] = value.clone(),
        None => body[field] = value.clone(),
    }
    body
}

/// A client that sends on while the answer is there already, as most do, reads it all the same.
fn answer_while_sending(broker: &Broker, head: &str, chunk: &[u8], times: usize) -> Response {
    let mut connection = Connection::open(broker.address).expect("a connection");
    let mut sending = connection.stream().try_clone().expect("a second handle");
    let (head, chunk) = (head.to_owned(), chunk.to_vec());
    let sender = thread::spawn(move || {
        let _ = sending.write_all(head.as_bytes());
        for _ in 0..times {
            if sending.write_all(&chunk).is_err() {
                break;
            }
        }
    });
    let response = connection.read("PUT").expect("an answer that can be read");
    let _ = connection.stream().shutdown(Shutdown::Both);
    sender.join().expect("the sender");
    response
}

#[test]
fn a_body_of_100_mib_is_refused() {
    let broker = wide();
    let put = broker.request("PUT", &at_instance("i"));
    let mib = vec![b' '; 1 << 20];
    let declared = put
        .clone()
        .header("Content-Length", &(100 << 20).to_string());
    let head = String::from_utf8(declared.to_bytes()).expect("text");
    let response = answer_while_sending(&broker, &head, &mib, 100);
    assert_eq!(
        (response.status, response.word().as_str()),
        (413, "BodyTooLarge")
    );
    assert!(
        response.description().contains("1048576"),
        "{}",
        response.text()
    );

    let chunked = put.clone().header("Transfer-Encoding", "chunked");
    let head = String::from_utf8(chunked.to_bytes()).expect("text");
    let chunk = [format!("{:x}\r\n", mib.len()).as_bytes(), &mib[..], b"\r\n"].concat();
    let response = answer_while_sending(&broker, &head, &chunk, 100);
    assert_eq!(
        (response.status, response.word().as_str()),
        (413, "BodyTooLarge")
    );
    unharmed(&broker, "100 MiB");
    assert!(
        resident(broker.pid()) < 64 << 20,
        "{} bytes are kept",
        resident(broker.pid())
    );
}

fn resident(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a peak");
    line.trim()
        .trim_end_matches(" kB")
        .trim()
        .parse::<u64>()
        .expect("a number")
        * 1024
}

/// To the byte: what is allowed is taken, one more is not, declared or not.
#[test]
fn the_limit_of_a_body_is_to_the_byte() {
    let broker = Setup::new(WIDE)
        .env("BROKER_SERVER__BODY_LIMIT", "2048")
        .start();
    let good = provision_of("wide", "plain").to_string();
    for (id, length, status) in [("a", 2048, 201), ("i", 2049, 413)] {
        let body = format!("{good:<length$}");
        let request = broker.request("PUT", &at_instance(id)).body(body.clone());
        assert_eq!(broker.send(&request).status, status, "{length}");
        let chunked = format!(
            "400\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
            &body[..1024],
            length - 1024,
            &body[1024..]
        );
        let request = broker
            .request("PUT", &at_instance(&format!("{id}-c")))
            .header("Transfer-Encoding", "chunked")
            .body(chunked);
        assert_eq!(broker.send(&request).status, status, "{length} in chunks");
    }
    unharmed(&broker, "a byte too many");
    assert_eq!(broker.fetch("i-c").status, 404);
}

#[test]
fn a_body_that_is_cut_off_is_nothing() {
    let broker = wide();
    let body = provision_of("wide", "plain").to_string();
    let whole = broker.request("PUT", &at_instance("i")).body(body.clone());
    let bytes = whole.to_bytes();
    for (what, end) in [
        ("in the head", 60),
        ("before the body", bytes.len() - body.len()),
        ("in the body", bytes.len() - 5),
    ] {
        for shutdown in [Shutdown::Write, Shutdown::Both] {
            let mut stream = TcpStream::connect(broker.address).expect("a connection");
            stream
                .set_read_timeout(Some(Duration::from_secs(20)))
                .expect("a timeout");
            stream.write_all(&bytes[..end]).expect("a part");
            stream.shutdown(shutdown).expect("an end");
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest);
            let text = String::from_utf8_lossy(&rest);
            assert!(!text.starts_with("HTTP/1.1 20"), "{what}: {text}");
            unharmed(&broker, what);
        }
    }
    // In chunks: the last one never comes, or is none.
    for chunks in [
        format!("{:x}\r\n{body}\r\n", body.len()),
        format!("{:x}\r\n{body}\r\nzz\r\n", body.len()),
        "ffffffffffffffffff\r\n{}".to_owned(),
        "-1\r\n{}".to_owned(),
    ] {
        let request = broker
            .request("PUT", &at_instance("i"))
            .header("Transfer-Encoding", "chunked")
            .body(chunks.clone());
        let mut stream = TcpStream::connect(broker.address).expect("a connection");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a timeout");
        stream.write_all(&request.to_bytes()).expect("a part");
        stream.shutdown(Shutdown::Write).expect("an end");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        let text = String::from_utf8_lossy(&rest);
        assert!(!text.starts_with("HTTP/1.1 20"), "{chunks}: {text}");
        unharmed(&broker, &chunks);
    }
    // It was the cut alone: the whole request is good.
    assert_eq!(broker.send(&whole).status, 201);
}

#[test]
fn a_slow_body_runs_out_of_time() {
    let broker = Setup::new(WIDE)
        .env("BROKER_SERVER__REQUEST_TIMEOUT", "1s")
        .start();
    let body = provision_of("wide", "plain").to_string();
    let request = broker
        .request("PUT", &at_instance("i"))
        .header("X-Broker-API-Request-Identity", "slow")
        .body(body.clone());
    let bytes = request.to_bytes();
    let (head, body) = bytes.split_at(bytes.len() - body.len());
    let mut connection = Connection::open(broker.address).expect("a connection");
    connection.write(head).expect("a head");
    let began = Instant::now();
    let mut sending = connection.stream().try_clone().expect("a second handle");
    let body = body.to_vec();
    let sender = thread::spawn(move || {
        for byte in body.iter().take(4) {
            if sending.write_all(&[*byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_secs(1));
        }
    });
    // Others are served meanwhile.
    serves(&broker);
    let response = connection.read("PUT").expect("an answer");
    assert_eq!(
        (response.status, response.word().as_str()),
        (408, "RequestTimeout")
    );
    assert_eq!(
        response.header("x-broker-api-request-identity"),
        Some("slow")
    );
    let took = began.elapsed();
    assert!(
        took > Duration::from_millis(900) && took < Duration::from_secs(10),
        "{took:?}"
    );
    drop(connection);
    sender.join().expect("the sender");
    unharmed(&broker, "a slow body");
}

#[test]
fn a_compressed_body_is_refused() {
    let broker = wide();
    let body = provision_of("wide", "plain");
    for coding in [
        "gzip",
        "GZIP",
        "deflate",
        "br",
        "zstd",
        "gzip, identity",
        "x",
    ] {
        let request = broker
            .request("PUT", &at_instance("i"))
            .json(&body)
            .header("Content-Encoding", coding);
        refused(&broker, &request, (415, "EncodingUnsupported"), coding);
        unharmed(&broker, coding);
    }
    let request = broker
        .request("PUT", &at_instance("i"))
        .json(&body)
        .header("Content-Encoding", "identity");
    assert_eq!(broker.send(&request).status, 201);
}

/// Any text is an id, whatever a database, a path or a template would make of it.
#[test]
fn an_id_is_any_text() {
    let broker = wide();
    let long = "x".repeat(10_000);
    let ids = [
        ("a%2Fb", "a/b"),
        ("..", ".."),
        (".", "."),
        ("%2e%2e", "..?"),
        ("a%2525", "a%25"),
        ("a%252Fb", "a%2Fb"),
        ("a%2500", "a%00"),
        ("%E2%98%83", "☃"),
        ("%F0%9F%98%80", "😀"),
        (
            "%27%3B%20DROP%20TABLE%20instances%3B--",
            "'; DROP TABLE instances;--",
        ),
        ("%22quoted%22", "\"quoted\""),
        ("%7B%7B%20values.host%20%7D%7D", "{{ values.host }}"),
        ("%24%7BHOME%7D", "${HOME}"),
        ("a+b", "a+b"),
        ("a%20b", "a b"),
        ("%20", " "),
        ("a%3Fb%23c", "a?b#c"),
        ("a;b=c", "a;b=c"),
        ("a:b@c", "a:b@c"),
        ("last_operation", "last_operation"),
        ("service_bindings", "service_bindings"),
        ("NULL", "NULL"),
        ("0", "0"),
        ("%25", "%"),
        (long.as_str(), long.as_str()),
    ];
    for (at, (sent, meant)) in ids.iter().enumerate() {
        // Each is an instance of its own: its space tells which.
        let body = with(
            provision_of("wide", "plain"),
            "space_guid",
            json!(format!("space-{at}")),
        );
        let made = broker.provision(sent, &body);
        if meant.ends_with('?') {
            assert_eq!(
                made.word(),
                "InstanceConflict",
                "{sent} is the `..` from above"
            );
            continue;
        }
        assert_eq!(made.status, 201, "{sent}: {}", made.text());
        assert_eq!(broker.provision(sent, &body).status, 200, "{sent}");
        let (sent_binding, meant) = binding_beside(sent, meant);
        let bound = broker.bind(sent, sent_binding, &bind_of("wide", "plain"));
        assert_eq!(
            bound.json()["credentials"]["user"],
            json!(format!("u_{meant}")),
            "{sent}"
        );
        assert_eq!(
            broker.fetch_binding(sent, sent_binding).status,
            200,
            "{sent}"
        );
    }
    for (sent, meant) in ids.iter().filter(|(_, meant)| !meant.ends_with('?')) {
        let (sent_binding, meant) = binding_beside(sent, meant);
        assert_eq!(broker.poll(sent).status, 200, "{meant}");
        assert_eq!(
            broker.poll_binding(sent, sent_binding).status,
            200,
            "{meant}"
        );
        assert_eq!(
            broker.unbind(sent, sent_binding, "wide", "plain").status,
            200,
            "{meant}"
        );
        assert_eq!(
            broker.deprovision(sent, "wide", "plain").status,
            200,
            "{meant}"
        );
    }
    serves(&broker);
}

/// The binding has the id of its instance, save where both together are longer than a URL may be.
fn binding_beside<'i>(sent: &'i str, meant: &'i str) -> (&'i str, &'i str) {
    if sent.len() > 1000 {
        ("long", "long")
    } else {
        (sent, meant)
    }
}

/// `%2f` in either case, and signs that may or may not be encoded, are one id.
#[test]
fn an_id_has_one_meaning() {
    let broker = wide();
    for (one, other) in [
        ("a%2Fb", "a%2fb"),
        ("%61bc", "abc"),
        ("~", "%7E"),
        ("%C3%a4", "%c3%A4"),
        ("a%2Bb", "a+b"),
    ] {
        provisioned(&broker, one, "wide", "plain");
        assert_eq!(broker.fetch(other).status, 200, "{one} {other}");
        assert_eq!(broker.deprovision(other, "wide", "plain").status, 200);
    }
    for (one, other) in [
        ("a%2Fb", "a%252Fb"),
        ("a", "A"),
        ("a", "a%20"),
        ("%25", "%2525"),
        ("x", "x."),
    ] {
        provisioned(&broker, one, "wide", "plain");
        assert_eq!(broker.fetch(other).status, 404, "{one} {other}");
        assert_eq!(broker.deprovision(one, "wide", "plain").status, 200);
    }
}

#[test]
fn an_id_that_no_text_can_be_is_refused() {
    let broker = wide();
    let body = provision_of("wide", "plain");
    for id in [
        "%00",
        "a%00",
        "%0A",
        "%1B%5B31m",
        "%7F",
        "%C2%85",
        "%FF",
        "%C3",
        "a%80b",
        "%ED%A0%80",
        "%F8%88%80%80%80",
    ] {
        for request in [
            broker.request("PUT", &at_instance(id)).json(&body),
            broker.request("GET", &at_instance(id)),
            broker
                .request("PATCH", &at_instance(id))
                .json(&json!({ "service_id": "wide" })),
            broker.request(
                "DELETE",
                &format!("{}?service_id=wide&plan_id=plain", at_instance(id)),
            ),
            broker.request("GET", &format!("{}/last_operation", at_instance(id))),
            broker
                .request("PUT", &at_binding(id, "b"))
                .json(&bind_of("wide", "plain")),
            broker
                .request("PUT", &at_binding("i", id))
                .json(&bind_of("wide", "plain")),
            broker.request("GET", &at_binding("i", id)),
            broker.request("DELETE", &at_binding("i", id)),
            broker.request("GET", &format!("{}/last_operation", at_binding("i", id))),
        ] {
            refused(&broker, &request, (400, "InvalidId"), id);
        }
    }
    assert!(
        !broker.log().contains('\u{1b}'),
        "no terminal is steered by a log line"
    );
    unharmed(&broker, "an unreadable id");
}

#[test]
fn a_query_that_cannot_be_read_is_refused() {
    let broker = wide();
    let put = |query: &str| {
        broker
            .request("PUT", &format!("{}?{query}", at_instance("i")))
            .json(&provision_of("wide", "plain"))
    };
    for query in [
        "accepts_incomplete=true&accepts_incomplete=true",
        "accepts_incomplete=true&accepts%5Fincomplete=false",
        "service_id=a&service_id=b",
        "accepts_incomplete=%FF",
        "plan_id=%C3",
        "operation=%80",
    ] {
        refused(&broker, &put(query), (400, "InvalidQuery"), query);
        unharmed(&broker, query);
    }
    for query in [
        "%FF=1",
        "x=%FF",
        "&&&",
        "=",
        "accepts_incomplete",
        "accepts_incomplete=%",
        "accepts_incomplete=maybe",
        "x=1&x=2",
        "?",
    ] {
        assert_eq!(
            broker.send(&put(query)).status,
            201,
            "{query} is not ours or means nothing"
        );
        assert_eq!(broker.deprovision("i", "wide", "plain").status, 200);
    }
}

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
fn what_is_no_http_does_no_harm() {
    let broker = wide();
    let body = provision_of("wide", "plain").to_string();
    let put = |headers: &str, body: &str| {
        let login = crate::harness::basic(crate::harness::USER, crate::harness::PASSWORD);
        format!("PUT /v2/service_instances/i HTTP/1.1\r\nHost: b\r\nAuthorization: {login}\r\nX-Broker-API-Version: 2.17\r\n{headers}\r\n{body}").into_bytes()
    };
    let length = body.len();
    let hidden =
        String::from_utf8(put(&format!("Content-Length: {length}\r\n"), &body)).expect("text");
    let long = |name: &str, length: usize| put(&format!("{name}: {}\r\n", "x".repeat(length)), "");
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
        (
            "200 headers",
            put(
                &(0..200)
                    .map(|n| format!("X-{n}: 1\r\n"))
                    .collect::<String>(),
                "",
            ),
        ),
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
    let login = crate::harness::basic(crate::harness::USER, crate::harness::PASSWORD);
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
