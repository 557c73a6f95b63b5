//! Roles: what each login may do, and that no way of writing a path gets around that.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::documents::WIDE;
use crate::harness::{Broker, Folder, PASSWORD, Setup, USER, at_binding, at_instance, basic};
use crate::http::{Request, Response};

/// A login for each role, by a token of that name; and one for two.
fn broker() -> Broker {
    let mut setup = Setup::new(WIDE);
    for role in ["platform", "operator", "metrics", "viewer"] {
        let name = role.to_uppercase();
        setup = setup
            .env(&format!("BROKER_AUTH__LOGINS__{name}__TOKEN"), role)
            .env(&format!("BROKER_AUTH__LOGINS__{name}__ROLE"), role);
    }
    setup
        .env("BROKER_AUTH__LOGINS__BOTH__TOKEN", "both")
        .env("BROKER_AUTH__LOGINS__BOTH__ROLE", "operator, platform")
        .start()
}

fn asked(broker: &Broker, login: &str, method: &str, path: &str) -> Response {
    let authorization = match login {
        "default" => basic(USER, PASSWORD),
        token => format!("Bearer {token}"),
    };
    let request = broker.request(method, path);
    broker.send(&request.header("Authorization", &authorization))
}

const LOGINS: [&str; 6] = [
    "default", "platform", "operator", "metrics", "viewer", "both",
];

/// Who is let in there; all others are 403, and nobody is 401.
fn only(broker: &Broker, method: &str, path: &str, may: &[&str]) {
    for login in LOGINS {
        let answer = asked(broker, login, method, path);
        let told = format!("{login} {method} {path}: {}", answer.status);
        assert_eq!(answer.status == 403, !may.contains(&login), "{told}");
        assert_ne!(answer.status, 401, "{told}");
        if answer.status == 403 {
            assert_eq!(answer.word(), "Forbidden", "{told}");
            let text = answer.text();
            assert!(text.contains("takes the role"), "{text}");
        }
    }
}

#[test]
fn the_api_is_for_platforms() {
    let broker = broker();
    let platforms = ["default", "platform", "both"];
    let instance = at_instance("i");
    let binding = at_binding("i", "b");
    for (method, path) in [
        ("GET", "/v2/catalog"),
        ("HEAD", "/v2/catalog"),
        ("PUT", &instance),
        ("GET", &instance),
        ("PATCH", &instance),
        ("DELETE", &instance),
        ("GET", &format!("{instance}/last_operation")),
        ("PUT", &binding),
        ("GET", &binding),
        ("DELETE", &binding),
        ("GET", &format!("{binding}/last_operation")),
        ("GET", "/nothing"),
        ("GET", "/"),
    ] {
        if method == "HEAD" {
            // It has no body to look into.
            for login in LOGINS {
                let status = asked(&broker, login, method, path).status;
                let expected = if platforms.contains(&login) { 200 } else { 403 };
                assert_eq!(status, expected, "{login}");
            }
        } else {
            only(&broker, method, path, &platforms);
        }
    }
}

#[test]
fn metrics_are_for_theirs() {
    let broker = broker();
    for path in ["/metrics", "/%6detrics", "/m%65trics"] {
        only(&broker, "GET", path, &["metrics"]);
    }
    // A slash that is encoded is none: this is a path of no area.
    only(
        &broker,
        "GET",
        "/console%2fx/x",
        &["default", "platform", "both"],
    );
}

#[test]
fn what_is_asked_of_the_broker_itself_is_for_operators() {
    let broker = broker();
    for path in ["/admin/reload", "/%61dmin/reload", "/admin/x", "/admin"] {
        only(&broker, "POST", path, &["operator", "both"]);
    }
    let answer = asked(&broker, "operator", "GET", "/admin/reload");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    assert_eq!(
        asked(&broker, "operator", "POST", "/admin/x").word(),
        "NoSuchEndpoint"
    );
    // No platform asks: there is no version of the API to name.
    let bare = Request::new("POST", "/admin/reload").header("Authorization", "Bearer operator");
    assert_eq!(broker.send_unchecked(&bare).status, 200);
    let bare = Request::new("POST", "/admin/reload");
    assert_eq!(broker.send(&bare).status, 401);
}

/// They have a sign-in of their own (tests/console): with a login in a header nobody gets in.
#[test]
fn pages_are_for_who_signs_in_there() {
    let broker = broker();
    for path in ["/console", "/console/x", "/%63onsole"] {
        for login in LOGINS {
            let request =
                Request::new("GET", path).header("Authorization", &format!("Bearer {login}"));
            let answer = broker.send_unchecked(&request);
            assert_eq!(answer.status, 303, "{login} {path}");
            let place = answer.header("location").unwrap_or_default();
            assert!(place.starts_with("/console/sign-in"), "{place}");
        }
    }
}

/// Row 2 comes before row 3: who may not learns nothing of versions; and pages ask for no version.
#[test]
fn a_role_is_asked_for_before_a_version() {
    let broker = broker();
    let ask = |login: &str, path: &str| {
        let request = Request::new("GET", path).header("Authorization", &format!("Bearer {login}"));
        broker.send(&request).status
    };
    assert_eq!(ask("metrics", "/v2/catalog"), 403);
    assert_eq!(ask("platform", "/v2/catalog"), 412);
    assert_ne!(ask("metrics", "/metrics"), 412);
    assert_eq!(broker.send(&Request::new("GET", "/metrics")).status, 401);
    assert_eq!(broker.send(&Request::new("GET", "/healthz")).status, 200);
}

#[test]
fn a_role_that_is_none_is_refused_at_start() {
    let none = ("names no role", "leave it out");
    let unknown = ("names what is no role", "with commas between");
    for (role, (said, mend)) in [
        ("admin", unknown),
        ("", none),
        ("platform,Operator", unknown),
        // A list as the settings file has it.
        ("[platform, operator]", unknown),
    ] {
        let (status, _, errors) = Setup::new(WIDE)
            .env("BROKER_AUTH__LOGINS__A__TOKEN", "t0ken")
            .env("BROKER_AUTH__LOGINS__A__ROLE", role)
            .run();
        assert_eq!(status.code(), Some(2), "{role}: {errors}");
        assert!(
            errors.contains(&format!("auth.logins.a.role: {said}; give platform,"))
                && errors.contains(mend),
            "{role}: {errors}"
        );
    }
}

/// The settings that the README shows, as they stand there, with secrets in a folder of the test's own.
#[test]
fn the_logins_of_the_readme_may_what_it_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(path).expect("the README");
    let block = readme
        .split("```yaml\n")
        .find(|block| block.starts_with("auth:\n  logins:\n    anna"))
        .and_then(|block| block.split("```").next())
        .expect("the section on logins");
    let folder = Folder::new();
    folder.write("secrets/anna", "hers\n");
    folder.write("secrets/metrics_token", "t0ken\n");
    let secrets = folder.path().join("secrets");
    folder.write(
        "config/broker.yaml",
        &block.replace("/run/secrets", secrets.to_str().expect("text")),
    );
    let broker = Setup::new(WIDE).start_in(&Arc::new(folder));
    for (authorization, path, may) in [
        (basic("anna", "hers"), "/v2/catalog", false),
        (basic(USER, PASSWORD), "/v2/catalog", true),
        ("Bearer t0ken".to_owned(), "/metrics", true),
    ] {
        let request = broker
            .request("GET", path)
            .header("Authorization", &authorization);
        let status = broker.send(&request).status;
        assert_eq!(status != 403, may, "{path} {status}");
    }
    assert_eq!(signed_in(&broker, "anna", "hers"), 303);
    assert_eq!(signed_in(&broker, USER, PASSWORD), 403);
}

/// What the form of the pages for operators answers.
fn signed_in(broker: &Broker, user: &str, password: &str) -> u16 {
    let form = broker.send_unchecked(&Request::new("GET", "/console/sign-in"));
    let cookie = form
        .header("set-cookie")
        .and_then(|cookie| cookie.split(';').next());
    let text = form.text();
    let token = text
        .split_once("name=\"token\" value=\"")
        .map_or("", |(_, rest)| rest);
    let token = token.split('"').next().unwrap_or_default();
    let password = password.replace(' ', "+");
    let request = Request::new("POST", "/console/sign-in")
        .header("Cookie", cookie.unwrap_or_default())
        .body(format!("token={token}&user={user}&password={password}"));
    broker.send_unchecked(&request).status
}
