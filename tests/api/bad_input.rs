//! Bad input, bodies: a clear error, nothing made of it, and the broker goes on.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::documents::{WIDE, bind_of, provision_of, provisioned, serves, wide};
use crate::harness::{Broker, Setup, at_binding, at_instance};
use crate::http::{Connection, Request, Response};

/// After whatever was sent: the catalog is served, and there is no instance `i`.
pub fn unharmed(broker: &Broker, what: &str) {
    serves(broker);
    assert_eq!(broker.fetch("i").status, 404, "{what} made an instance");
}

pub fn refused(broker: &Broker, request: &Request, answer: (u16, &str), what: &str) {
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

/// A good request: method, path, body.
type Good<'g> = (&'static str, String, &'g Value);

/// Every field of every body with every type that it does not have: the answer names the field.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_field_is_of_its_type() {
    let broker = wide();
    provisioned(&broker, "there", "wide", "plain");
    let (text, object) = ("text", "object");
    let provision = provision_of("wide", "plain");
    let update = json!({ "service_id": "wide" });
    let bind = bind_of("wide", "plain");
    let put: Good<'_> = ("PUT", at_instance("i"), &provision);
    let patch: Good<'_> = ("PATCH", at_instance("there"), &update);
    let bound: Good<'_> = ("PUT", at_binding("there", "b"), &bind);
    let fields: &[(&Good<'_>, &str, &str, bool)] = &[
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
