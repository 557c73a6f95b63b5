//! Pages as they are sent: who gets in, the flags of cookies, the headers of all pages, and what is never shown.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::harness::{Broker, PASSWORD as PLATFORM, Setup, USER, basic};
use crate::http::{Request, Response};
use crate::scene::{self, PASSWORD};
use crate::visitor::{Visitor, hidden};

fn is_page(answer: &Response) -> bool {
    answer
        .header("content-type")
        .is_some_and(|kind| kind == "text/html; charset=utf-8")
}

fn location(answer: &Response) -> &str {
    answer.header("location").unwrap_or_default()
}

/// What all pages say, whatever their status; and nothing in them that the policy would stop.
fn assert_is_sound(page: &str, answer: &Response) {
    let policy = answer.header("content-security-policy").unwrap_or_default();
    for part in [
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self' data:",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ] {
        assert!(policy.contains(part), "{page}: {part} is not in {policy:?}");
    }
    assert!(!policy.contains("unsafe"), "{page}: {policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{page}: {name}");
    }
    if answer.status == 303 {
        return;
    }
    assert!(is_page(answer), "{page}: {:?}", answer.headers);
    let text = answer.text();
    assert!(
        text.starts_with("<!DOCTYPE html><html lang=\"en\">"),
        "{page}"
    );
    for inline in [
        "<script",
        " style=",
        "<style",
        "javascript:",
        " onclick",
        " onload",
        "http://",
        "https://",
    ] {
        let text = text.replace("http://www.w3.org/2000/svg", "");
        // What the catalog of the tests links to.
        let text = text.replace("https://docs.example.com/postgres", "");
        let text = text.replace("https://support.example.com/data", "");
        assert!(!text.contains(inline), "{page}: {inline}");
    }
}

#[test]
fn who_is_not_signed_in_is_shown_where_to() {
    let broker = scene::empty();
    for (page, place) in [
        ("/console", "/console/sign-in"),
        (
            "/console/instances?q=a%20b",
            "/console/sign-in?back=%2Fconsole%2Finstances%3Fq%3Da%2520b",
        ),
        (
            "/console/nothing",
            "/console/sign-in?back=%2Fconsole%2Fnothing",
        ),
        ("/%63onsole", "/console/sign-in"),
    ] {
        let answer = broker.send_unchecked(&Request::new("GET", page));
        assert_eq!((answer.status, location(&answer)), (303, place), "{page}");
        assert_is_sound(page, &answer);
    }
    for (method, page) in [
        ("POST", "/console/instance/forget?id=x"),
        ("DELETE", "/console"),
        ("POST", "/console/sign-out"),
    ] {
        let answer = broker.send_unchecked(&Request::new(method, page));
        assert_eq!(
            (answer.status, location(&answer)),
            (303, "/console/sign-in"),
            "{page}"
        );
    }
    // A login in a header is none here: a browser would send it with whatever another page makes it send.
    let request = Request::new("GET", "/console").header("Authorization", &basic("anna", PASSWORD));
    assert_eq!(broker.send_unchecked(&request).status, 303);
    // The API is where it was.
    let request = Request::new("GET", "/v2/catalog").header("Cookie", "catalog-broker-session=x");
    assert_eq!(broker.send_unchecked(&request).status, 401);
}

#[test]
fn a_login_with_the_role_gets_in_and_no_other() {
    let broker = scene::empty();
    let mut visitor = Visitor::new(&broker);
    let form = visitor.get("/sign-in");
    assert_eq!(form.status, 200);
    assert_is_sound("/sign-in", &form);
    for (user, password, status, said) in [
        ("anna", "wrong", 401, "User name or password are wrong."),
        ("nobody", PASSWORD, 401, "User name or password are wrong."),
        ("", "", 401, "User name or password are wrong."),
        (USER, PLATFORM, 403, "it takes the role operator or viewer"),
    ] {
        let answer = visitor.sign_in(user, password);
        assert_eq!(answer.status, status, "{user}: {}", answer.text());
        assert!(answer.text().contains(said), "{user}: {}", answer.text());
        assert!(
            !answer.text().contains("wrong\""),
            "what was typed is not sent back"
        );
        assert_is_sound("/sign-in", &answer);
        assert_eq!(visitor.get("").status, 303, "{user} is in");
    }
    for (user, role) in [("anna", "operator"), ("vera", "viewer")] {
        let mut visitor = Visitor::signed_in(&broker, user);
        let page = visitor.get("").text();
        assert!(
            page.contains(user) && page.contains(&format!("({role})")),
            "{page}"
        );
    }
    assert!(
        broker.log().contains("signed in to the console"),
        "{}",
        broker.log()
    );
    assert!(!broker.log().contains(PASSWORD), "{}", broker.log());
}

#[test]
fn a_sign_in_needs_its_form() {
    let broker = scene::empty();
    let mut visitor = Visitor::new(&broker);
    let token = hidden(&visitor.get("/sign-in").text(), "token");
    let fields = |token: &str| {
        let fields = [("user", "anna"), ("password", PASSWORD), ("token", token)];
        fields.map(|(name, value)| (name, value.to_owned()))
    };
    let sent = |visitor: &mut Visitor<'_>, token: &str, site: Option<&str>| {
        let fields = fields(token);
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        let mut request = visitor.form("/sign-in", &fields);
        if let Some(site) = site {
            request = request.header("Sec-Fetch-Site", site);
        }
        visitor.send(request).status
    };
    let mut other = Visitor::new(&broker);
    let others = hidden(&other.get("/sign-in").text(), "token");
    assert_ne!(token, others);
    assert_eq!(sent(&mut visitor, "", None), 403);
    assert_eq!(sent(&mut visitor, &others, None), 403);
    assert_eq!(sent(&mut visitor, &token, Some("cross-site")), 403);
    assert_eq!(
        sent(&mut Visitor::new(&broker), &token, None),
        403,
        "without the cookie"
    );
    assert_eq!(sent(&mut visitor, &token, Some("same-origin")), 303);
}

#[test]
fn a_session_is_in_a_cookie_with_all_its_flags() {
    let flags = |answer: &Response| {
        let cookie = answer.headers.iter().find(|(name, value)| {
            name.eq_ignore_ascii_case("set-cookie") && value.starts_with("catalog-broker-session=")
        });
        let (_, cookie) = cookie.expect("a session");
        let mut flags: Vec<String> = cookie.split("; ").skip(1).map(str::to_owned).collect();
        flags.sort();
        flags
    };
    let plain = [
        "HttpOnly",
        "Max-Age=28800",
        "Path=/console",
        "SameSite=Strict",
    ];
    let broker = scene::empty();
    let mut visitor = Visitor::new(&broker);
    assert_eq!(flags(&visitor.sign_in("anna", PASSWORD)), plain);

    let token = hidden(&Visitor::new(&broker).get("/sign-in").text(), "token");
    assert!(!token.is_empty());
    let mut visitor = Visitor::new(&broker);
    let form = Request::new("GET", "/console/sign-in").header("X-Forwarded-Proto", "https");
    let token = hidden(&visitor.send(form).text(), "token");
    let request = visitor
        .form(
            "/sign-in",
            &[("token", &token), ("user", "anna"), ("password", PASSWORD)],
        )
        .header("X-Forwarded-Proto", "https");
    let secure = [
        "HttpOnly",
        "Max-Age=28800",
        "Path=/console",
        "SameSite=Strict",
        "Secure",
    ];
    assert_eq!(flags(&visitor.send(request)), secure);

    let setup = Setup::new(crate::harness::CATALOG)
        .env("BROKER_CONSOLE__SECURE_COOKIE", "true")
        .env("BROKER_SERVER__BASE_PATH", "/brokers/blue");
    let broker = scene::with_logins(setup).start();
    let mut visitor = Visitor::below(&broker, "/brokers/blue");
    let answer = visitor.sign_in("anna", PASSWORD);
    assert_eq!(location(&answer), "/brokers/blue/console");
    let below = [
        "HttpOnly",
        "Max-Age=28800",
        "Path=/brokers/blue/console",
        "SameSite=Strict",
        "Secure",
    ];
    assert_eq!(flags(&answer), below);
    let pages = visitor.walk();
    assert!(
        pages.len() > 5 && pages.iter().all(|(_, page)| page.status == 200),
        "{pages:?}"
    );
}

/// After a sign-in one is where one wanted to be, as long as that is here.
#[test]
fn a_sign_in_leads_back_and_nowhere_else() {
    let broker = scene::empty();
    for (back, place) in [
        ("/console/instances?q=a%20b", "/console/instances?q=a%20b"),
        ("", "/console"),
        ("https://example.com/", "/console"),
        ("//example.com/console", "/console"),
        ("/v2/catalog", "/console"),
        ("/consoles", "/console"),
        ("/console\\@example.com", "/console"),
        ("/console/a\r\nSet-Cookie: x=y", "/console"),
    ] {
        let mut visitor = Visitor::new(&broker);
        let token = hidden(&visitor.get("/sign-in").text(), "token");
        let answer = visitor.post(
            "/sign-in",
            &[
                ("token", &token),
                ("user", "anna"),
                ("password", PASSWORD),
                ("back", back),
            ],
        );
        assert_eq!((answer.status, location(&answer)), (303, place), "{back:?}");
    }
}

#[test]
fn who_signs_out_is_out_and_a_copy_of_the_cookie_too() {
    let broker = scene::empty();
    let mut visitor = Visitor::signed_in(&broker, "anna");
    let copy = visitor.cookies.clone();
    let token = visitor.token();
    assert_eq!(
        visitor.post("/sign-out", &[]).status,
        403,
        "without a token"
    );
    assert_eq!(visitor.get("").status, 200);
    assert_eq!(visitor.post("/sign-out", &[("token", &token)]).status, 303);
    assert!(!visitor.cookies.contains_key("catalog-broker-session"));
    visitor.cookies = copy;
    assert_eq!(visitor.get("").status, 303);
}

/// Sessions outlive a restart, for they are signed with what the store has; not another password, and not another role.
#[test]
fn a_session_ends_with_what_it_came_from() {
    let broker = scene::empty();
    let cookies = Visitor::signed_in(&broker, "anna").cookies;
    let broker = broker.restarted();
    let mut visitor = Visitor::new(&broker);
    visitor.cookies.clone_from(&cookies);
    assert_eq!(visitor.get("").status, 200);

    let folder = broker.folder.clone();
    drop(broker);
    let place = folder.path().to_str().expect("text").to_owned();
    let setup = || scene::with_logins(Setup::new(scene::CATALOG).env("FOLDER", &place));
    for (name, value) in [("PASSWORD", "another"), ("ROLE", "platform")] {
        let broker = setup()
            .env(&format!("BROKER_AUTH__LOGINS__ANNA__{name}"), value)
            .start_in(&folder);
        let mut visitor = Visitor::new(&broker);
        visitor.cookies.clone_from(&cookies);
        assert_eq!(visitor.get("").status, 303, "{name}");
    }
    let broker = setup()
        .env("BROKER_AUTH__LOGINS__ANNA__ROLE", "viewer")
        .start_in(&folder);
    let mut visitor = Visitor::new(&broker);
    visitor.cookies = cookies;
    assert!(visitor.get("").text().contains("(viewer)"));
}

#[test]
fn what_is_not_there_and_methods_that_are_not_are_pages_too() {
    let broker = scene::full();
    let mut visitor = Visitor::signed_in(&broker, "anna");
    for page in [
        "/nothing",
        "/instances/x",
        "/instance?id=none",
        "/operation?id=none",
        "/offering?id=none",
        "/instance/forget?id=none",
        "/binding/expire?id=none&binding=none",
        &format!("/binding/expire?id={}&binding=none", scene::ORDERS),
    ] {
        let answer = visitor.get(page);
        assert_eq!(answer.status, 404, "{page}");
        assert_is_sound(page, &answer);
    }
    for page in [
        "/instance",
        "/instance?id=",
        "/instance?id=%00",
        "/operation",
        "/operations?after=x",
        "/instances?after=%0a",
        "/audit?from=x",
        "/binding/expire?id=x",
        "/binding/expire?binding=x",
    ] {
        let answer = visitor.get(page);
        assert_eq!(answer.status, 400, "{page}: {}", answer.text());
        assert_is_sound(page, &answer);
    }
    for (method, page, allow) in [
        ("PUT", "", "GET, HEAD"),
        ("POST", "/instances", "GET, HEAD"),
        ("DELETE", "/instance/forget", "GET, HEAD, POST"),
        ("PUT", "/binding/expire", "GET, HEAD, POST"),
        ("POST", "/audit", "GET, HEAD"),
        ("GET", "/sign-out", "POST"),
    ] {
        let answer = visitor.send(Request::new(method, &format!("/console{page}")));
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some(allow)),
            "{page}"
        );
        assert_is_sound(page, &answer);
    }
    let answer = visitor.send(Request::new("HEAD", "/console/instances"));
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(location(&visitor.get("/")), "/console");
}

#[test]
fn looks_are_a_file_of_ours_that_may_be_kept() {
    let broker = scene::empty();
    let page = Visitor::new(&broker).get("/sign-in").text();
    let (_, rest) = page
        .split_once("rel=\"stylesheet\" href=\"")
        .expect("looks");
    let path = rest.split('"').next().expect("a path");
    let answer = broker.send_unchecked(&Request::new("GET", path));
    assert_eq!(
        answer.header("content-type"),
        Some("text/css; charset=utf-8")
    );
    assert!(
        answer
            .header("cache-control")
            .is_some_and(|how| how.contains("immutable"))
    );
    assert!(!answer.text().contains("url(") && !answer.text().contains("@import"));
}

/// Along all links: names are shown, and nothing that is marked, which is what parameters, contexts and credentials are.
#[test]
fn what_is_under_lock_is_never_shown() {
    let broker = scene::full();
    broker.wait_for_log("will be tried again");
    for user in ["anna", "vera"] {
        let pages = Visitor::signed_in(&broker, user).walk();
        assert!(pages.len() > 30, "only {} pages", pages.len());
        let mut text = String::new();
        for (page, answer) in &pages {
            let expected = if page.contains("/style") { "" } else { page };
            assert_eq!(answer.status, 200, "{expected}");
            assert_is_sound(page, answer);
            text.push_str(&answer.text());
        }
        for shown in [
            "orders",
            "retail",
            "production",
            scene::APP,
            scene::BINDING,
            "Attempt 1: ",
            "4 of 10",
            "3 of 4",
            "Moves to",
        ] {
            assert!(text.contains(shown), "{user} does not see {shown}");
        }
        assert!(!text.contains("MARKED"), "{user} sees what is under lock");
        let acts = [
            "/operation/retry?",
            "/operation/give-up?",
            "/instance/forget?",
            "/binding/expire?",
        ];
        for act in acts {
            let is_there = pages.iter().any(|(page, _)| page.contains(act));
            assert_eq!(is_there, user == "anna", "{user}: {act}");
        }
    }
}

/// Two machines on one database: who has signed in at one is known to the other.
#[test]
fn brokers_of_one_store_know_a_session_together() {
    let database = crate::harness::SERVER.database();
    let setup = || {
        scene::with_logins(Setup::new(crate::harness::CATALOG))
            .env("BROKER_STORE__URL", &crate::harness::SERVER.url(&database))
            .start()
    };
    let (one, other) = (setup(), setup());
    let cookies = Visitor::signed_in(&one, "anna").cookies;
    let mut visitor = Visitor::new(&other);
    visitor.cookies = cookies;
    assert_eq!(visitor.get("").status, 200);
}

#[test]
fn where_nothing_is_remembered_the_offering_is_shown() {
    let setup = scene::with_logins(Setup::new(
        "
services:
  - id: s
    name: service
    description: Kept nowhere
    bindable: true
    plans: [{ id: p, name: plan, description: The only one }]
",
    ));
    let broker = setup.env("BROKER_STORE__URL", "none").start();
    let mut visitor = Visitor::signed_in(&broker, "anna");
    let pages = visitor.walk();
    for (page, answer) in &pages {
        assert_eq!(answer.status, 200, "{page}");
    }
    assert!(visitor.get("").text().contains("Kept nowhere"));
    assert!(
        visitor
            .get("/instances")
            .text()
            .contains("remembers nothing")
    );
    assert_eq!(visitor.get("/instance?id=x").status, 404);
    let token = visitor.token();
    assert_eq!(
        visitor
            .post("/instance/forget?id=x", &[("token", &token)])
            .status,
        404
    );
}

#[test]
fn a_broker_may_have_no_console() {
    let broker: Broker = scene::with_logins(Setup::new(crate::harness::CATALOG))
        .env("BROKER_CONSOLE__ENABLED", "false")
        .start();
    for page in ["/console", "/console/sign-in", "/console/style.css"] {
        assert_eq!(broker.send(&Request::new("GET", page)).status, 401);
        let answer = broker.get(page);
        assert_eq!(
            (answer.status, &*answer.word()),
            (404, "NoSuchEndpoint"),
            "{page}"
        );
    }
}

/// Wrong sign-ins are counted with wrong logins; who is right is let in all the same.
#[test]
fn who_guesses_is_told_to_wait() {
    let broker = scene::empty();
    let mut visitor = Visitor::new(&broker);
    let token = hidden(&visitor.get("/sign-in").text(), "token");
    let mut guess = |password: &str| {
        let fields = [("token", &*token), ("user", "anna"), ("password", password)];
        visitor.post("/sign-in", &fields)
    };
    for number in 0..50 {
        assert_eq!(guess(&number.to_string()).status, 401, "{number}");
    }
    let answer = guess("again");
    assert_eq!(answer.status, 429);
    let wait = answer
        .header("retry-after")
        .and_then(|wait| wait.parse().ok());
    assert!(
        wait.is_some_and(|wait: u32| (1..60).contains(&wait)),
        "{answer:?}"
    );
    assert!(answer.text().contains("too often"), "{}", answer.text());
    let request =
        Request::new("GET", "/v2/catalog").header("Authorization", &basic("anna", "guess"));
    assert_eq!(
        broker.send(&request).status,
        429,
        "they are counted together"
    );
    assert_eq!(guess(PASSWORD).status, 303);
}

#[test]
fn a_login_by_a_hash_gets_in() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_catalog-broker"))
        .args(["login", "hash"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut input = command.stdin.take().expect("its input");
    input.write_all(PASSWORD.as_bytes()).expect("it reads");
    drop(input);
    let hash = command.wait_with_output().expect("its output").stdout;
    let hash = String::from_utf8(hash).expect("text");
    let broker = scene::with_logins(Setup::new(crate::harness::CATALOG))
        .without("BROKER_AUTH__LOGINS__ANNA__PASSWORD")
        .env("BROKER_AUTH__LOGINS__ANNA__PASSWORD_HASH", hash.trim())
        .start();
    let mut visitor = Visitor::new(&broker);
    assert_eq!(visitor.sign_in("anna", "wrong").status, 401);
    for _ in 0..2 {
        assert_eq!(visitor.sign_in("anna", PASSWORD).status, 303);
        assert_eq!(visitor.get("").status, 200);
        visitor.cookies.clear();
    }
}

/// These pages show all offerings, so they are not for who may see some only.
#[test]
fn a_login_for_some_offerings_stays_out() {
    let broker = scene::with_logins(Setup::new(crate::harness::CATALOG))
        .env("BROKER_AUTH__LOGINS__ANNA__OFFERINGS", "shared-postgres")
        .start();
    let answer = Visitor::new(&broker).sign_in("anna", PASSWORD);
    assert_eq!(answer.status, 403);
    assert!(
        answer.text().contains("for some offerings only"),
        "{}",
        answer.text()
    );
    assert_eq!(Visitor::new(&broker).sign_in("vera", PASSWORD).status, 303);
}
