//! `diff`: what a platform would see change, between files and between brokers that run.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;

use serde_json::{Value, json};

use crate::harness::{Folder, PASSWORD, Setup, USER};
use crate::runner::{CLEAN, run, with_catalog};

fn base() -> Value {
    json!({ "services": [
        {
            "id": "s1", "name": "one", "description": "One", "bindable": true, "tags": ["a", "b"],
            "metadata": { "displayName": "One", "cost": 1 },
            "dashboard_client": { "id": "d", "secret": "MARKED-OLD", "redirect_uri": "https://d" },
            "plans": [
                { "id": "p1", "name": "small", "description": "Small", "free": true },
                { "id": "p2", "name": "large", "description": "Large" },
            ],
        },
        { "id": "s2", "name": "two", "description": "Two", "bindable": false, "plans": [
            { "id": "p3", "name": "small", "description": "Small" },
        ]},
    ]})
}

fn files(old: &Value, new: &Value) -> Folder {
    let folder = Folder::new();
    folder.write("old.json", &old.to_string());
    folder.write("new.json", &new.to_string());
    folder
}

const FILES: [&str; 3] = ["diff", "old.json", "new.json"];

/// One change each: the pointer that is changed, its new value (null takes it out), and what is told.
#[test]
fn every_kind_of_change_is_told() {
    let cases: Vec<(&str, Value, Value, &str)> = vec![
        (
            "/services/0/name",
            json!("uno"),
            json!({ "kind": "renamed", "service": "one", "old": "one", "new": "uno" }),
            "service one: renamed to uno, same id",
        ),
        (
            "/services/0/id",
            json!("s9"),
            json!({ "kind": "id-changed", "service": "one", "old": "s1", "new": "s9" }),
            "service one: id changed from s1 to s9;",
        ),
        (
            "/services/0/plans/1/name",
            json!("huge"),
            json!({ "kind": "renamed", "service": "one", "plan": "large", "old": "large", "new": "huge" }),
            "plan one/large: renamed to huge, same id",
        ),
        (
            "/services/0/plans/1/id",
            json!("p9"),
            json!({ "kind": "id-changed", "service": "one", "plan": "large", "old": "p2", "new": "p9" }),
            "plan one/large: id changed from p2 to p9;",
        ),
        (
            "/services/0/description",
            json!("Uno"),
            json!({ "kind": "changed", "service": "one", "path": "description", "old": "One", "new": "Uno" }),
            "service one: description changed from \"One\" to \"Uno\"",
        ),
        (
            "/services/0/metadata/displayName",
            json!("Uno"),
            json!({ "kind": "changed", "service": "one", "path": "metadata.displayName", "old": "One", "new": "Uno" }),
            "service one: metadata.displayName changed",
        ),
        (
            "/services/0/metadata/cost",
            json!(2),
            json!({ "kind": "changed", "service": "one", "path": "metadata.cost", "old": 1, "new": 2 }),
            "from 1 to 2",
        ),
        (
            "/services/0/tags",
            json!(["b", "a"]),
            json!({ "kind": "changed", "service": "one", "path": "tags", "old": ["a", "b"], "new": ["b", "a"] }),
            "service one: tags changed",
        ),
        (
            "/services/0/plans/0/free",
            Value::Null,
            json!({ "kind": "changed", "service": "one", "plan": "small", "path": "free", "old": true }),
            "plan one/small: free changed from true to nothing",
        ),
        (
            "/services/0/dashboard_client/secret",
            json!("MARKED-NEW"),
            json!({ "kind": "changed", "service": "one", "path": "dashboard_client.secret", "old": "***", "new": "***" }),
            "dashboard_client.secret changed from \"***\" to \"***\"",
        ),
        (
            "/services/0/dashboard_client",
            Value::Null,
            json!({ "kind": "changed", "service": "one", "path": "dashboard_client", "old": { "id": "d", "secret": "***", "redirect_uri": "https://d" } }),
            "to nothing",
        ),
        (
            "/services/1/bindable",
            json!(true),
            json!({ "kind": "changed", "service": "two", "path": "bindable", "old": false, "new": true }),
            "service two: bindable changed",
        ),
    ];
    for (pointer, value, told, sentence) in cases {
        let mut new = base();
        *new.pointer_mut(pointer).expect(pointer) = value;
        let folder = files(&base(), &new);
        let json = run(&folder, &[&FILES[..], &["--format", "json"]].concat()).exits(1);
        assert_eq!(json.json(), json!({ "differences": [told] }), "{pointer}");
        let people = run(&folder, &FILES).exits(1);
        assert!(people.out.contains(sentence), "{pointer}: {}", people.out);
        assert!(people.out.ends_with("\n1 difference\n"), "{}", people.out);
        assert!(!people.out.contains("MARKED") && !json.out.contains("MARKED"));
    }
}

#[test]
fn what_comes_and_goes_is_told() {
    let mut new = base();
    let services = new["services"].as_array_mut().unwrap();
    services.remove(1);
    services.push(json!({ "id": "s3", "name": "three", "plans": [] }));
    let plans = services[0]["plans"].as_array_mut().unwrap();
    plans.remove(1);
    plans.push(json!({ "id": "p4", "name": "tiny" }));
    let folder = files(&base(), &new);
    let told = run(&folder, &[&FILES[..], &["--format", "json"]].concat())
        .exits(1)
        .json();
    assert_eq!(
        told["differences"],
        json!([
            { "kind": "added", "service": "one", "plan": "tiny", "new": "p4" },
            { "kind": "removed", "service": "one", "plan": "large", "old": "p2" },
            { "kind": "added", "service": "three", "new": "s3" },
            { "kind": "removed", "service": "two", "old": "s2" },
        ])
    );
    assert!(
        run(&folder, &FILES)
            .exits(1)
            .out
            .ends_with("\n4 differences\n")
    );
}

#[test]
fn names_that_change_places_are_two_renames() {
    let mut new = base();
    new["services"][0]["plans"][0]["name"] = json!("large");
    new["services"][0]["plans"][1]["name"] = json!("small");
    let told = run(
        &files(&base(), &new),
        &[&FILES[..], &["--format", "json"]].concat(),
    )
    .exits(1)
    .json();
    let kinds: Vec<_> = told["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| each["kind"].clone())
        .collect();
    assert_eq!(kinds, ["renamed", "renamed"]);
}

#[test]
fn order_spelling_and_null_are_no_difference() {
    let mut new = base();
    new["services"].as_array_mut().unwrap().reverse();
    new["services"][1]["plans"]
        .as_array_mut()
        .unwrap()
        .reverse();
    new["services"][0]["metadata"] = Value::Null;
    new["services"][1]["metadata"] = json!({ "cost": 1.0, "displayName": "One" });
    let folder = files(&base(), &new);
    assert_eq!(run(&folder, &FILES).exits(0).out, "no difference\n");
    let json = run(&folder, &[&FILES[..], &["--format", "json"]].concat()).exits(0);
    assert_eq!(json.json(), json!({ "differences": [] }));
}

#[test]
fn a_catalog_document_is_rendered_first() {
    let folder = with_catalog(CLEAN);
    let published = run(&folder, &["render"]).exits(0).out;
    folder.write("published.json", &published);
    assert_eq!(
        run(&folder, &["diff", "published.json", "catalog.yaml"])
            .exits(0)
            .out,
        "no difference\n"
    );
    folder.write(
        "changed.yaml",
        &CLEAN
            .replace("1 GB", "2 GB")
            .replace("db.example.com", "MARKED"),
    );
    let ran = run(&folder, &["diff", "published.json", "changed.yaml"]).exits(1);
    assert!(
        ran.out
            .contains("plan shared-postgres/small: description changed from \"1 GB\" to \"2 GB\""),
        "{}",
        ran.out
    );
    assert!(
        !ran.out.contains("MARKED") && !ran.out.contains("binding"),
        "{}",
        ran.out
    );

    // A document may be JSON too: what is private in it is not compared.
    let mut document: Value = serde_json::from_str(&published).unwrap();
    document["services"][0]["binding"] = json!({ "credentials": { "password": "MARKED" } });
    folder.write("document.json", &document.to_string());
    assert_eq!(
        run(&folder, &["diff", "published.json", "document.json"])
            .exits(0)
            .out,
        "no difference\n"
    );

    folder.write("wrong.yaml", &CLEAN.replace("\"2.10\"", "2.10"));
    let wrong = run(&folder, &["diff", "published.json", "wrong.yaml"]).exits(2);
    assert!(
        wrong.err.contains("wrong.yaml:1:22: error") && wrong.err.contains("cannot be rendered"),
        "{wrong:?}"
    );
}

/// Each key of the language by itself makes a document of a file in JSON: what is private in it is not shown.
#[test]
fn a_document_in_json_is_known_by_any_key_that_is_not_published() {
    let folder = with_catalog(CLEAN);
    let published = run(&folder, &["render"]).exits(0).out;
    folder.write("published.json", &published);
    let plan = "/services/0/plans/0";
    for (at, key, value) in [
        ("", "minimum_api_version", json!("2.11")),
        (
            "",
            "derive",
            json!({ "keys": { "v1": "TUFSS0VETUFSS0VETUFSS0VETUFSS0VETUFSS0VETUE=" } }),
        ),
        (
            "",
            "backends",
            json!({ "hook": { "webhook": { "url": "https://MARKED.example.com" } } }),
        ),
        (
            "/services/0",
            "derive",
            json!({ "keys": { "v1": "TUFSS0VETUFSS0VETUFSS0VETUFSS0VETUFSS0VETUE=" } }),
        ),
        ("/services/0", "limits", json!({ "instances": 3 })),
        ("/services/0", "respond", json!("sync")),
        ("/services/0", "adopt", json!(true)),
        (
            plan,
            "derive",
            json!({ "keys": { "v1": "TUFSS0VETUFSS0VETUFSS0VETUFSS0VETUFSS0VETUE=" } }),
        ),
        (plan, "lifecycle", json!({ "state": "active" })),
        (plan, "updates_to", json!([])),
        (plan, "limits", json!({ "per_space": 3 })),
        (plan, "max_attempts", json!(3)),
        (plan, "poll_every", json!("3s")),
    ] {
        let mut document: Value = serde_json::from_str(&published).unwrap();
        document.pointer_mut(at).expect(at)[key] = value;
        folder.write("document.json", &document.to_string());
        let ran = run(&folder, &["diff", "published.json", "document.json"]).exits(0);
        assert_eq!(ran.out, "no difference\n", "{key}");
        assert!(
            !ran.err.contains("MARKED") && !ran.err.contains("TUFS"),
            "{ran:?}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_told_for_both_sides() {
    let folder = with_catalog(CLEAN);
    folder.write("none.json", "{\"offerings\": []}");
    let ran = run(&folder, &["diff", "nowhere.json", "none.json"]).exits(2);
    assert!(
        ran.err.contains("nowhere.json") && ran.err.contains("none.json"),
        "{ran:?}"
    );
    // Nobody listens on a port that was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let ran = run(
        &folder,
        &[
            "diff",
            &format!("http://u:MARKED@127.0.0.1:{port}"),
            "catalog.yaml",
        ],
    )
    .exits(2);
    assert!(
        ran.err
            .contains(&format!("http://127.0.0.1:{port}/v2/catalog: ")),
        "{ran:?}"
    );
    assert!(!ran.err.contains("MARKED"), "{ran:?}");
}

#[test]
fn brokers_that_run_are_compared_over_http() {
    let blue = Setup::new(CLEAN).start();
    let green = Setup::new(&CLEAN.replace("1 GB", "2 GB"))
        .env("BROKER_SERVER__BASE_PATH", "/base")
        .env("BROKER_AUTH__PASSWORD", "gr@en:/")
        .start();
    let folder = with_catalog(CLEAN);
    folder.write("pw", &format!("{PASSWORD}\n"));
    let blue_url = format!("http://{}", blue.address);
    let green_url = format!("http://{USER}:gr%40en%3A%2F@{}/base/", green.address);
    let login = ["--username", USER, "--password-file", "pw"];
    let diff =
        |old: &str, new: &str, more: &[&str]| run(&folder, &[&["diff", old, new], more].concat());

    let ran = diff(&blue_url, &green_url, &login).exits(1);
    assert!(
        ran.out
            .contains("description changed from \"1 GB\" to \"2 GB\""),
        "{ran:?}"
    );
    assert_eq!(
        diff(&blue_url, "catalog.yaml", &login).exits(0).out,
        "no difference\n"
    );
    assert_eq!(
        diff(&format!("{blue_url}/v2/catalog"), "catalog.yaml", &login)
            .exits(0)
            .out,
        "no difference\n"
    );
    let named = format!("http://{USER}@{}", blue.address);
    diff(&named, "catalog.yaml", &["--password-file", "pw"]).exits(0);
    let forgotten = diff(&named, "catalog.yaml", &[]).exits(2);
    assert!(forgotten.err.contains("--password-file"), "{forgotten:?}");

    let refused = diff(&blue_url, "catalog.yaml", &[]).exits(2);
    assert!(
        refused.err.contains("refuses the login (401)"),
        "{refused:?}"
    );
    let wrong = diff(&green_url.replace("gr%40en", "MARKED"), "catalog.yaml", &[]).exits(2);
    assert!(
        wrong.err.contains("401") && !wrong.err.contains("MARKED"),
        "{wrong:?}"
    );
    let elsewhere = diff(&format!("{blue_url}/elsewhere"), "catalog.yaml", &login).exits(2);
    assert!(elsewhere.err.contains("404"), "{elsewhere:?}");
    let missing = diff(
        &blue_url,
        "catalog.yaml",
        &["--username", USER, "--password-file", "nowhere"],
    )
    .exits(2);
    assert!(missing.err.contains("nowhere"), "{missing:?}");
}

#[test]
fn what_another_broker_says_cannot_speak_to_the_terminal() {
    let mut new = base();
    new["services"][0]["name"] = json!("\u{1b}[31m\nuno");
    new["services"][0]["metadata"]["\u{1b}"] = json!("\u{1b}");
    let ran = run(&files(&base(), &new), &FILES).exits(1);
    assert!(
        ran.out.contains("uno") && !ran.out.contains('\u{1b}'),
        "{ran:?}"
    );
    assert_eq!(ran.out.lines().count(), 3);
}

/// Answers one request with `answer`; gives back the address, and the request once it was read.
fn answering(answer: String) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let (asked, requests) = mpsc::channel();
    std::thread::spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else {
            return;
        };
        let (mut request, mut chunk) = (Vec::new(), [0; 1024]);
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read(&mut chunk) {
                Ok(read) if read > 0 => request.extend(&chunk[..read]),
                _ => break,
            }
        }
        let _ = stream.write_all(answer.as_bytes());
        let _ = asked.send(String::from_utf8_lossy(&request).to_lowercase());
    });
    (address, requests)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    )
}

#[test]
fn a_broker_is_asked_as_a_platform_asks() {
    let folder = with_catalog(CLEAN);
    let (address, requests) = answering(answer("200 OK", "", "{\"services\": []}"));
    let url = format!("http://me:MARKED@{address}/base");
    run(&folder, &["diff", &url, "catalog.yaml"]).exits(1);
    let request = requests.recv().unwrap();
    let login = crate::harness::basic("me", "MARKED").to_lowercase();
    for line in [
        "get /base/v2/catalog http/1.1".to_owned(),
        "x-broker-api-version: 2.17".to_owned(),
        "accept: application/json".to_owned(),
        format!("authorization: {login}"),
    ] {
        assert!(
            request.lines().any(|sent| sent == line),
            "{line}: {request}"
        );
    }
}

#[test]
fn an_answer_that_is_no_catalog_is_told() {
    let folder = with_catalog(CLEAN);
    let (elsewhere, asked_elsewhere) = answering(answer("200 OK", "", "{\"services\": []}"));
    let location = format!("Location: http://{elsewhere}/v2/catalog\r\n");
    for (status, headers, body, told) in [
        ("302 Found", location.as_str(), "", "sends elsewhere (302)"),
        ("403 Forbidden", "", "{}", "refuses the login (403)"),
        (
            "412 Precondition Failed",
            "",
            "{}",
            "does not speak version 2.17",
        ),
        ("500 Internal Server Error", "", "{}", "answers 500"),
        ("200 OK", "", "<html>", "not JSON"),
        ("200 OK", "", "{\"offerings\": []}", "no list of `services`"),
        ("200 OK", "", "[]", "no list of `services`"),
    ] {
        let (address, _requests) = answering(answer(status, headers, body));
        let url = format!("http://me:MARKED@{address}");
        let ran = run(&folder, &["diff", &url, "catalog.yaml"]).exits(2);
        assert!(ran.err.contains(told), "{status}: {ran:?}");
        assert!(!ran.err.contains("MARKED"), "{ran:?}");
    }
    // The login is for the host that was named: nobody asked where the redirect leads.
    assert!(asked_elsewhere.try_recv().is_err());
}

#[test]
fn a_catalog_without_end_is_not_read_to_its_end() {
    let folder = with_catalog(CLEAN);
    let endless = answer("200 OK", "", &" ".repeat(17 * 1024 * 1024));
    let (address, _requests) = answering(endless);
    let ran = run(
        &folder,
        &["diff", &format!("http://{address}"), "catalog.yaml"],
    )
    .exits(2);
    assert!(
        ran.err.contains("larger") || ran.err.contains("limit"),
        "{ran:?}"
    );
}
