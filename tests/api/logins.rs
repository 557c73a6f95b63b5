//! Logins by the hash of their password, and wrong logins that come too often.

use std::io::Write as _;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::documents::WIDE;
use crate::harness::{Broker, Folder, PASSWORD, Setup, USER, basic};
use crate::http::Response;

/// The hash that the command prints of a password.
fn hash(password: &str) -> String {
    let folder = Folder::new();
    let mut child = Setup::default()
        .arg("login")
        .arg("hash")
        .command(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut input = child.stdin.take().expect("its input");
    input.write_all(password.as_bytes()).expect("a password");
    drop(input);
    let output = child.wait_with_output().expect("its end");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(!text.contains(password.trim()), "{text}");
    text.trim_end().to_owned()
}

fn with_hash(user: &str, password: &str) -> Setup {
    Setup::new(WIDE)
        .env("BROKER_SERVER__TRUSTED_PROXIES", "127.0.0.1")
        .env("BROKER_AUTH__LOGINS__HASHED__USERNAME", user)
        .env(
            "BROKER_AUTH__LOGINS__HASHED__PASSWORD_HASH",
            &hash(password),
        )
}

/// The catalog with that header, from an address behind a proxy.
fn ask(broker: &Broker, from: &str, authorization: &str) -> Response {
    let request = broker.request("GET", "/v2/catalog");
    broker.send(
        &request
            .header("Authorization", authorization)
            .header("X-Forwarded-For", from),
    )
}

/// CPU time of a process so far, in ticks of a hundredth of a second.
fn ticks(broker: &Broker) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", broker.pid())).expect("its stat");
    let (_, rest) = stat.rsplit_once(')').expect("a name");
    let fields: Vec<u64> = rest
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0))
        .collect();
    fields[11] + fields[12]
}

#[test]
fn a_hash_lets_its_password_in_and_no_other() {
    let broker = with_hash("anna", "pä:ss w0rd\n").start();
    let right = basic("anna", "pä:ss w0rd");
    for _ in 0..3 {
        assert_eq!(ask(&broker, "192.0.2.1", &right).status, 200);
    }
    let scheme = right.replace("Basic ", "bAsIc  ");
    assert_eq!(ask(&broker, "192.0.2.1", &scheme).status, 200);
    assert_eq!(
        ask(&broker, "192.0.2.1", &basic(USER, PASSWORD)).status,
        200
    );
    for wrong in [
        basic("anna", "pä:ss w0re"),
        basic("anna", ""),
        basic("anna", PASSWORD),
        basic("Anna", "pä:ss w0rd"),
        basic(USER, "pä:ss w0rd"),
        basic("nobody", "pä:ss w0rd"),
        basic("", "pä:ss w0rd"),
        right.replace("Basic", "Bearer"),
    ] {
        let answer = ask(&broker, "192.0.2.1", &wrong);
        assert_eq!(answer.status, 401, "{wrong}");
        assert_eq!(answer.word(), "Unauthorized");
    }
    assert_eq!(ask(&broker, "192.0.2.1", &right).status, 200);
    let logged = broker.log();
    assert!(
        !logged.contains("pä:ss") && !logged.contains("argon2id"),
        "{logged}"
    );
}

/// Two hashes of one user, as while a password is changed; and a body behind a login that is looked at.
#[test]
fn a_hash_serves_every_request_as_a_password_does() {
    let broker = with_hash("anna", "the old one")
        .env("BROKER_AUTH__LOGINS__NEXT__USERNAME", "anna")
        .env(
            "BROKER_AUTH__LOGINS__NEXT__PASSWORD_HASH",
            &hash("the new one"),
        )
        .env("BROKER_AUTH__LOGINS__WATCHER__USERNAME", "watcher")
        .env(
            "BROKER_AUTH__LOGINS__WATCHER__PASSWORD_HASH",
            &hash("only looks"),
        )
        .env("BROKER_AUTH__LOGINS__WATCHER__ROLE", "viewer")
        .start();
    for (number, password) in ["the new one", "the old one"].into_iter().enumerate() {
        let put = broker
            .request("PUT", &crate::harness::at_instance(&format!("i{number}")))
            .header("Authorization", &basic("anna", password))
            .header("X-Broker-API-Request-Identity", "me")
            .json(&crate::documents::provision_of("wide", "plain"));
        let made = broker.send(&put);
        assert_eq!(made.status, 201, "{}", made.text());
        assert_eq!(made.header("x-broker-api-request-identity"), Some("me"));
        assert_eq!(broker.send(&put).status, 200);
    }
    for _ in 0..2 {
        let answer = ask(&broker, "192.0.2.1", &basic("watcher", "only looks"));
        assert_eq!(answer.status, 403);
    }
    let unversioned = broker
        .request("GET", "/v2/catalog")
        .without("X-Broker-API-Version")
        .header("Authorization", &basic("anna", "wrong"));
    assert_eq!(broker.send(&unversioned).status, 401, "before the version");
}

/// What a process has in memory, in KiB.
fn resident(broker: &Broker) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", broker.pid()));
    let status = status.expect("its status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let digits = line.and_then(|line| line.split_whitespace().nth(1));
    digits.and_then(|digits| digits.parse().ok()).expect("KiB")
}

#[test]
fn hashes_are_looked_at_in_one_piece_of_memory() {
    let broker = with_hash("anna", "secret").start();
    let wrong = |number: u32| {
        let from = format!("198.51.100.{number}");
        let wrong = basic("anna", &format!("wrong{number}"));
        assert_eq!(ask(&broker, &from, &wrong).status, 401);
    };
    (0..3).for_each(wrong);
    let before = resident(&broker);
    (3..33).for_each(wrong);
    let after = resident(&broker);
    // Two hashes' worth; thirty went by.
    assert!(after < before + 40_000, "{before} KiB, then {after} KiB");
}

/// What was right once is known again without the work, however its header is spelled: a thousand requests take less time
/// of the processor than forty hashes would.
#[test]
fn a_hash_is_looked_at_once() {
    let broker = with_hash("anna", "secret").start();
    let right = basic("anna", "secret");
    let cold: Vec<_> = (0..8)
        .map(|_| {
            let (address, right) = (broker.address, right.clone());
            thread::spawn(move || {
                let request = crate::http::Request::new("GET", "/v2/catalog")
                    .header("Authorization", &right)
                    .header("X-Broker-API-Version", "2.17");
                crate::http::send(address, &request)
                    .expect("an answer")
                    .status
            })
        })
        .collect();
    for asked in cold {
        assert_eq!(asked.join().expect("an answer"), 200, "all at once are one");
    }
    let before = ticks(&broker);
    for number in 0..5 {
        let wrong = basic("anna", &format!("wrong{number}"));
        assert_eq!(ask(&broker, "192.0.2.1", &wrong).status, 401);
    }
    let five_hashes = ticks(&broker) - before;
    assert!(five_hashes >= 5, "{five_hashes}: is nothing hashed?");
    let before = ticks(&broker);
    let mut connection = crate::http::Connection::open(broker.address).expect("a connection");
    let spellings = [right.clone(), right.replace("Basic ", "basic  ")];
    let requests = spellings.map(|spelling| {
        let request = broker.request("GET", "/v2/catalog");
        request.header("Authorization", &spelling)
    });
    for request in requests.iter().cycle().take(1000) {
        connection.write(&request.to_bytes()).expect("a request");
        assert_eq!(connection.read("GET").expect("an answer").status, 200);
    }
    let thousand = ticks(&broker) - before;
    assert!(
        thousand < five_hashes * 8 + 100,
        "a thousand took {thousand} ticks, five hashes {five_hashes}"
    );
}

/// The request that waited for its hash is answered as those after it.
#[test]
fn who_waits_for_a_hash_is_asked_what_it_has_like_all_others() {
    let broker = with_hash("anna", "secret").start();
    let seen = broker.catalog();
    let tag = seen.header("etag").expect("a tag");
    for which in ["the first", "another"] {
        let request = broker.request("GET", "/v2/catalog");
        let request = request
            .header("Authorization", &basic("anna", "secret"))
            .header("If-None-Match", tag);
        assert_eq!(broker.send(&request).status, 304, "{which}");
    }
}

#[test]
fn a_hash_that_cannot_be_used_is_refused_at_start() {
    let good = hash("secret");
    for (hash, said) in [
        ("hunter2".to_owned(), "is no hash of a password"),
        (
            "$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy".to_owned(),
            "is a hash of another algorithm",
        ),
        (good.replace("m=19456", "m=1024"), "is quick to guess"),
        (good.replace("m=19456", "m=1048576"), "more than 256 MiB"),
        (good.replace("t=2", "t=4000000"), "or seconds"),
    ] {
        let (status, _, errors) = Setup::new(WIDE)
            .env("BROKER_AUTH__LOGINS__A__USERNAME", "a")
            .env("BROKER_AUTH__LOGINS__A__PASSWORD_HASH", &hash)
            .run();
        assert_eq!(status.code(), Some(2), "{errors}");
        assert!(errors.contains("auth.logins.a.password_hash: "), "{errors}");
        assert!(errors.contains(said), "{errors}");
        assert!(errors.contains("`catalog-broker login hash`"), "{errors}");
        assert!(!errors.contains(&hash), "{errors}");
    }
    let (_, _, errors) = Setup::new(WIDE)
        .env("BROKER_AUTH__LOGINS__A__USERNAME", USER)
        .env("BROKER_AUTH__LOGINS__A__PASSWORD", PASSWORD)
        .run();
    assert!(
        errors.contains("auth.logins.a: shows the same as the login default"),
        "{errors}"
    );
}

#[test]
fn a_password_that_no_client_can_send_is_not_hashed() {
    let folder = Folder::new();
    for (input, said) in [
        ("", "is empty"),
        ("\n", "is empty"),
        ("a\nb\n", "line breaks"),
    ] {
        let mut child = Setup::default()
            .arg("login")
            .arg("hash")
            .command(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut stdin = child.stdin.take().expect("its input");
        stdin.write_all(input.as_bytes()).expect("a password");
        drop(stdin);
        let output = child.wait_with_output().expect("its end");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(
            errors.contains(said) && output.stdout.is_empty(),
            "{errors}"
        );
    }
}

/// Fails from an address until it is told to wait; says how often it failed before.
fn until_throttled(broker: &Broker, from: &str, user: &str) -> u32 {
    for number in 0..500 {
        let answer = ask(broker, from, &basic(user, &format!("wrong{number}")));
        if answer.status == 429 {
            assert_eq!(answer.word(), "TooManyLogins");
            let wait = answer.header("retry-after").map(str::parse::<u32>);
            assert!(matches!(wait, Some(Ok(1..=10))), "{wait:?}");
            return number;
        }
        assert_eq!(answer.status, 401);
    }
    panic!("never told to wait");
}

#[test]
fn an_address_that_guesses_is_told_to_wait_and_the_right_login_is_let_in() {
    let broker = Setup::new(WIDE)
        .env("BROKER_SERVER__TRUSTED_PROXIES", "127.0.0.0/8, 10.0.0.0/8")
        .env("BROKER_AUTH__LOGINS__ROBOT__TOKEN", "t0ken")
        .start();
    let failed = until_throttled(&broker, "1.1.1.1, 192.0.2.1, 10.0.0.9", USER);
    assert!(failed >= 50, "{failed}");
    let status = |from: &str, header: &str| ask(&broker, from, header).status;
    // What is before the address that the last trusted proxy names anybody may have written.
    assert_eq!(status("2.2.2.2, 192.0.2.1", &basic(USER, "x")), 429);
    assert_eq!(status("192.0.2.1", "Bearer wrong"), 429);
    assert_eq!(status("192.0.2.2", &basic("else", "x")), 401);
    for from in ["192.0.2.1", "192.0.2.2"] {
        assert_eq!(status(from, &basic(USER, PASSWORD)), 200);
        assert_eq!(status(from, "Bearer t0ken"), 200);
        assert_eq!(status(from, "bearer  t0ken"), 200);
    }
    // Who shows nothing guesses nothing.
    let bare = broker
        .request("GET", "/v2/catalog")
        .without("Authorization")
        .header("X-Forwarded-For", "192.0.2.1");
    assert_eq!(broker.send(&bare).status, 401);
    broker.wait_for_log("wrong logins come too often: the last one from 192.0.2.1");
    assert_eq!(broker.log().matches("come too often").count(), 1);
    // After a while it is answered again.
    let until = Instant::now() + Duration::from_secs(30);
    while status("192.0.2.1", "Bearer wrong") == 429 {
        assert!(Instant::now() < until, "never answered again");
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_forwarded_address_counts_only_behind_a_trusted_proxy() {
    let broker = Setup::new(WIDE).start();
    for number in 0..50 {
        let from = format!("192.0.2.{number}");
        assert_eq!(ask(&broker, &from, &basic(USER, "x")).status, 401);
    }
    let answer = ask(&broker, "198.51.100.1", &basic(USER, "x"));
    assert_eq!(answer.status, 429, "all came from one address");
    assert_eq!(
        ask(&broker, "198.51.100.1", &basic(USER, PASSWORD)).status,
        200
    );
}

#[test]
fn a_user_is_guessed_at_from_many_addresses_no_more_than_from_one() {
    let broker = Setup::new(WIDE)
        .env("BROKER_SERVER__TRUSTED_PROXIES", "127.0.0.1")
        .start();
    let told = (0..300).filter(|number| {
        let from = format!("198.18.{number}.1");
        ask(&broker, &from, &basic(USER, "x")).status == 429
    });
    let told = told.count();
    assert!(told > 50, "{told}");
    assert_eq!(
        ask(&broker, "198.51.100.1", &basic("else", "x")).status,
        401
    );
    assert_eq!(
        ask(&broker, "198.18.0.1", &basic(USER, PASSWORD)).status,
        200
    );
}

/// The right password of a hash that was never shown yet, from an address that is told to wait, while others guess.
#[test]
fn a_right_login_by_hash_is_let_in_from_where_others_guess() {
    let broker = with_hash("anna", "secret").start();
    until_throttled(&broker, "192.0.2.1", "anna");
    let address = broker.address;
    let guessing: Vec<_> = (0..4)
        .map(|thread| {
            thread::spawn(move || {
                for number in 0..40 {
                    let request = crate::http::Request::new("GET", "/v2/catalog")
                        .header(
                            "Authorization",
                            &basic("anna", &format!("{thread}{number}")),
                        )
                        .header("X-Forwarded-For", &format!("198.51.{thread}.{number}"))
                        .header("X-Broker-API-Version", "2.17");
                    let answer = crate::http::send(address, &request).expect("an answer");
                    assert!(matches!(answer.status, 401 | 429), "{}", answer.status);
                }
            })
        })
        .collect();
    let answer = ask(&broker, "192.0.2.1", &basic("anna", "secret"));
    assert_eq!(answer.status, 200);
    for thread in guessing {
        thread.join().expect("refused, all of them");
    }
}
