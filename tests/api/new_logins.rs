//! Other logins without a restart: a rotated Secret, a changed settings file; whole and with the catalog, or not at all.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::documents::WIDE;
use crate::harness::{Broker, Folder, PASSWORD, Setup, USER, basic};
use crate::http::{Connection, Request};
use crate::page::Page;
use crate::running::wait_until;
use crate::tls;

fn watched(catalog: &str) -> Setup {
    Setup::new(catalog)
        .watched()
        .env("BROKER_RELOAD__EVERY", "50ms")
}

/// What somebody with that header is answered who asks for the catalog.
fn status(broker: &Broker, authorization: &str) -> u16 {
    let request = broker.request("GET", "/v2/catalog");
    let request = request.header("Authorization", authorization);
    broker.send_unchecked(&request).status
}

fn hash(password: &str) -> String {
    let mut child = Setup::default()
        .arg("login")
        .arg("hash")
        .command(&Folder::new())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut input = child.stdin.take().expect("its input");
    input.write_all(password.as_bytes()).expect("a password");
    drop(input);
    let output = child.wait_with_output().expect("its end");
    let text = String::from_utf8(output.stdout).expect("text");
    text.trim_end().to_owned()
}

/// A file of a Secret that is written anew; as a reference of the settings file, and as `_FILE` of a variable.
#[test]
fn a_rotated_secret_counts_for_each_way_to_log_in() {
    let folder = Arc::new(Folder::new());
    let secret = |name: &str, text: &str| folder.write(name, text).display().to_string();
    let settings = format!(
        "auth:\n  logins:\n    plain: {{ username: plain, password: \"${{file:{}}}\" }}\n    hashed: {{ username: hashed, password_hash: \"${{file:{}}}\" }}\n    bearer: {{ token: \"${{file:{}}}\" }}\n",
        secret("plain", "0ld-plain\n"),
        secret("hashed", &hash("0ld-hashed")),
        secret("bearer", "0ld-bearer\n"),
    );
    folder.write("config/broker.yaml", &settings);
    let file = secret("default", "0ld-default");
    let broker = watched(WIDE)
        .without("BROKER_AUTH__PASSWORD")
        .env("BROKER_AUTH__PASSWORD_FILE", &file)
        .start_in(&folder);
    let ways = |age: &str| {
        [
            ("plain", basic("plain", &format!("{age}-plain"))),
            ("hashed", basic("hashed", &format!("{age}-hashed"))),
            ("bearer", format!("Bearer {age}-bearer")),
            ("default", basic(USER, &format!("{age}-default"))),
        ]
    };
    for (name, old) in ways("0ld") {
        assert_eq!(status(&broker, &old), 200, "{name}");
        assert_eq!(status(&broker, &old), 200, "{name}, that is known by now");
    }
    for (name, new) in ways("n3w") {
        assert_eq!(status(&broker, &new), 401, "{name}");
    }
    for ((name, old), (_, new)) in ways("0ld").into_iter().zip(ways("n3w")) {
        let text = if name == "hashed" {
            hash("n3w-hashed")
        } else {
            format!("n3w-{name}\n")
        };
        folder.write(name, &text);
        wait_until(&broker, name, || status(&broker, &new) == 200);
        assert_eq!(status(&broker, &old), 401, "{name}");
    }
    for (name, new) in ways("n3w") {
        assert_eq!(status(&broker, &new), 200, "{name}, after all others");
    }
    broker.wait_for_log("the logins have changed: there are 5 from now on");
    let log = broker.log();
    for secret in ["0ld-", "n3w-", "argon2id"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
    assert!(!log.contains("below `auth`"), "{log}");
}

/// What cannot be used leaves all as it was, and says why: the logins for the catalog's sake, and the catalog for theirs.
#[test]
fn logins_and_catalog_change_together_or_not_at_all() {
    let folder = Arc::new(Folder::new());
    let secret = folder.write("secret", "0ld-secret\n");
    let of = |path: &str| {
        format!(
            "auth: {{ logins: {{ next: {{ username: next, password: \"${{file:{path}}}\" }} }} }}\n"
        )
    };
    folder.write("config/broker.yaml", &of(secret.to_str().expect("a path")));
    let broker = watched(WIDE).start_in(&folder);
    let (old, new) = (basic("next", "0ld-secret"), basic("next", "n3w-secret"));
    let is_old = |why: &str| {
        assert_eq!(status(&broker, &old), 200, "{why}");
        assert_eq!(status(&broker, &new), 401, "{why}");
        assert_eq!(broker.catalog().json(), broker_catalog(WIDE), "{why}");
    };
    let refused = || {
        let page = Page::of(&broker);
        let refused = page.sum("reloads_total", &[("result", "refused")]);
        (refused, page.sum("reload_last_successful", &[]))
    };
    let renamed = WIDE.replacen("name: other,", "name: renamed,", 1);
    assert_ne!(renamed, WIDE);
    is_old("at the start");

    // An empty file is no password, and the catalog that comes with it is not taken either.
    folder.write("secret", "\n");
    folder.write("catalog.yaml", &renamed);
    broker.wait_for_log("auth.logins.next.password: is empty; give a password");
    wait_until(&broker, "it counts as refused", || refused().1 == Some(0.0));
    is_old("an empty password");

    // Nor a login that is right, with a document that is not.
    folder.write("catalog.yaml", &renamed.replace("plans:", "plns:"));
    folder.write("secret", "n3w-secret\n");
    broker.wait_for_log("plns");
    wait_until(&broker, "it counts as refused again", || {
        refused().0 >= Some(2.0)
    });
    is_old("a document with errors");

    // A secret that settings name and that is not there yet counts as soon as it comes.
    let later = folder.path().join("later");
    folder.write("config/broker.yaml", &of(later.to_str().expect("a path")));
    broker.wait_for_log("later is missing; provide the file");
    folder.write("catalog.yaml", &renamed);
    is_old("a secret is missing");
    folder.write("later", "n3w-secret\n");
    wait_until(&broker, "the new login", || status(&broker, &new) == 200);
    assert_eq!(status(&broker, &old), 401);
    assert_eq!(broker.catalog().json(), broker_catalog(&renamed));
    assert_eq!(refused().1, Some(1.0));
    let log = broker.log();
    assert!(
        !log.contains("0ld-secret") && !log.contains("n3w-secret"),
        "{log}"
    );
}

/// What is published of a document.
fn broker_catalog(document: &str) -> serde_json::Value {
    let (status, text, errors) = Setup::new(document).arg("render").run();
    assert!(status.success(), "{errors}");
    serde_json::from_str(&text).expect("JSON")
}

/// Roles and offerings are of the login, too; and one that is gone is gone.
#[test]
fn what_a_login_may_changes_with_it() {
    const TWO: &str = "services:\n  - { id: a, name: a, description: A, bindable: false, plans: [{ id: a1, name: a1, description: A }] }\n  - { id: b, name: b, description: B, bindable: false, plans: [{ id: b1, name: b1, description: B }] }\n";
    let folder = Arc::new(Folder::new());
    let write = |some: &str| {
        folder.write(
            "config/broker.yaml",
            &format!("auth: {{ logins: {{ other: {{ token: other }}{some} }} }}\n"),
        )
    };
    write(", some: { token: some, offerings: [a] }");
    let broker = watched(TWO).start_in(&folder);
    let seen = || {
        let request = broker.request("GET", "/v2/catalog");
        let answer = broker.send_unchecked(&request.header("Authorization", "Bearer some"));
        let services = answer.json()["services"].clone();
        let names = services.as_array().cloned().unwrap_or_default();
        let names: Vec<_> = names
            .iter()
            .filter_map(|service| service["name"].as_str().map(str::to_owned))
            .collect();
        (answer.status, names.join(" "))
    };
    assert_eq!(seen(), (200, "a".to_owned()));
    for (some, status, names) in [
        (", some: { token: some, offerings: [b] }", 200, "b"),
        (", some: { token: some }", 200, "a b"),
        (", some: { token: some, role: viewer }", 403, ""),
        ("", 401, ""),
        (", some: { token: some, offerings: [a, c] }", 200, "a"),
    ] {
        write(some);
        wait_until(&broker, some, || seen() == (status, names.to_owned()));
    }
    broker.wait_for_log("auth.logins.some.offerings names c, and no offering");
}

/// What an operator allows in the settings file counts with the next reload, and needs no restart either.
#[test]
fn what_may_break_is_read_again() {
    let folder = Arc::new(Folder::new());
    folder.write("config/broker.yaml", "log: { level: info }\n");
    let broker = watched(WIDE).start_in(&folder);
    crate::documents::provisioned(&broker, "i", "wide", "other");
    let renamed = WIDE.replacen("id: other,", "id: another,", 1);
    assert_ne!(renamed, WIDE);
    folder.write("catalog.yaml", &renamed);
    broker.wait_for_log("the catalog was not reloaded");
    folder.write("config/broker.yaml", "allow_breaking: [id-changed]\n");
    broker.wait_for_log("(allowed)");
    broker.wait_for_log("reloaded the catalog:");
}

/// A session of the console is over with the password that it was opened with.
#[test]
fn a_session_ends_with_the_password() {
    let folder = Arc::new(Folder::new());
    folder.write("hers", "0ld");
    let broker = watched(WIDE)
        .env("BROKER_AUTH__LOGINS__ANNA__USERNAME", "anna")
        .env("BROKER_AUTH__LOGINS__ANNA__PASSWORD_FILE", "hers")
        .env("BROKER_AUTH__LOGINS__ANNA__ROLE", "operator")
        .start_in(&folder);
    let old = signed_in(&broker, "anna", "0ld").expect("a session");
    let sees = |session: &str| {
        let request = Request::new("GET", "/console").header("Cookie", session);
        broker.send_unchecked(&request).status
    };
    assert_eq!(sees(&old), 200);
    folder.write("hers", "n3w");
    wait_until(&broker, "the session ends", || sees(&old) == 303);
    assert_eq!(signed_in(&broker, "anna", "0ld"), None);
    let new = signed_in(&broker, "anna", "n3w").expect("a session");
    assert_eq!((sees(&new), sees(&old)), (200, 303));
}

/// The cookie of a session, where the sign-in is right.
fn signed_in(broker: &Broker, user: &str, password: &str) -> Option<String> {
    let form = broker.send_unchecked(&Request::new("GET", "/console/sign-in"));
    let cookie = form.header("set-cookie")?.split(';').next()?.to_owned();
    let text = form.text();
    let (_, rest) = text.split_once("name=\"token\" value=\"")?;
    let token = rest.split('"').next()?;
    let request = Request::new("POST", "/console/sign-in")
        .header("Cookie", &cookie)
        .body(format!("token={token}&user={user}&password={password}"));
    let answer = broker.send_unchecked(&request);
    let session = answer.header("set-cookie")?.split(';').next()?;
    (answer.status == 303).then(|| session.to_owned())
}

/// Logins come and go while clients of others ask all the time: none of these is refused, that of a hash neither.
#[test]
fn who_stays_is_never_refused() {
    let folder = Arc::new(Folder::new());
    folder.write("secret", "number-0");
    let broker = Setup::new(WIDE)
        .env("BROKER_RELOAD__EVERY", "0")
        .env("BROKER_AUTH__LOGINS__NEXT__USERNAME", "next")
        .env("BROKER_AUTH__LOGINS__NEXT__PASSWORD_FILE", "secret")
        .env("BROKER_AUTH__LOGINS__HASHED__USERNAME", "hashed")
        .env("BROKER_AUTH__LOGINS__HASHED__PASSWORD_HASH", &hash("stays"))
        .env("BROKER_AUTH__LOGINS__OPS__TOKEN", "0perator")
        .env("BROKER_AUTH__LOGINS__OPS__ROLE", "operator")
        .start_in(&folder);
    let (over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for login in [basic(USER, PASSWORD), basic("hashed", "stays")] {
            for _ in 0..3 {
                let (broker, over, asked, login) = (&broker, &over, &asked, login.clone());
                scope.spawn(move || {
                    let mut connection = Connection::open(broker.address).expect("a connection");
                    let request = broker.request("GET", "/v2/catalog");
                    let request = request.header("Authorization", &login);
                    while !over.load(Ordering::Relaxed) {
                        let answer = connection.send(&request).expect("an answer");
                        assert_eq!(answer.status, 200, "{}", answer.text());
                        asked.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        }
        let stop = Stop(&over);
        for number in 1..=20 {
            folder.write("secret", &format!("number-{number}"));
            let request = Request::new("POST", "/admin/reload");
            let answer = broker.send_unchecked(&request.header("Authorization", "Bearer 0perator"));
            assert_eq!(answer.json()["logins"], "changed", "{}", answer.text());
            // It holds by the time that it is answered.
            let login = |number: i32| basic("next", &format!("number-{number}"));
            assert_eq!(status(&broker, &login(number)), 200);
            assert_eq!(status(&broker, &login(number - 1)), 401);
        }
        drop(stop);
    });
    assert!(asked.load(Ordering::Relaxed) > 20);
}

/// Ends the clients' work, also where the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A client whose certificate was a login when it connected is nobody's any more on the same connection.
#[test]
fn a_certificate_is_asked_about_for_each_request() {
    let folder = tls::folder();
    tls::sign(folder.path(), "ca", "korifi", "/CN=korifi", "DNS:korifi", 2);
    let write = |name: &str| {
        folder.write(
            "config/broker.yaml",
            &format!("auth: {{ logins: {{ korifi: {{ certificate_subject: CN={name} }} }} }}\n"),
        )
    };
    write("korifi");
    let setup = tls::setup()
        .env("BROKER_SERVER__TLS__CLIENT_CA", "ca.pem")
        .env("BROKER_RELOAD__EVERY", "50ms");
    let config = folder.path().join("config/broker.yaml");
    let serving = tls::Serving::start(&setup, folder);
    let mut client = tls::Kept::open(&serving, "korifi").expect("a connection");
    let mut ask = || client.ask("/v2/catalog").expect("an answer");
    assert_eq!(ask(), "200");
    fs::write(
        &config,
        "auth: { logins: { korifi: { certificate_subject: CN=other } } }\n",
    )
    .expect("room");
    serving.wait_for_log("the logins have changed");
    let until = Instant::now() + Duration::from_secs(60);
    while ask() != "401" {
        assert!(Instant::now() < until, "it is let in");
    }
}
