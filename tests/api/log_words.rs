//! What the line of a refused request says of why; and that asking for health, every few seconds, fills no log.

use serde_json::Value;

use crate::documents::{WIDE, provision_of};
use crate::harness::{Broker, Setup, at_instance};
use crate::http::Request;

/// The line of the request with that identity.
fn line_of(broker: &Broker, identity: &str) -> Value {
    let identity = format!("\"request_identity\":\"{identity}\"");
    broker.wait_for_log(&identity);
    let log = broker.log();
    let line = log.lines().find(|line| line.contains(&identity));
    serde_json::from_str(line.expect("a line")).expect("JSON")
}

#[test]
fn a_refused_request_says_its_word() {
    let broker = Setup::new(WIDE)
        .env("BROKER_LOG__FORMAT", "json")
        .env("BROKER_RELOAD__EVERY", "0")
        .env("BROKER_AUTH__LOGINS__OPS__TOKEN", "0perator")
        .env("BROKER_AUTH__LOGINS__OPS__ROLE", "operator")
        .start();
    let sign_in = Request::new("POST", "/console/sign-in").body("user=x&password=y".to_owned());
    let reload = Request::new("POST", "/admin/reload").header("Authorization", "Bearer 0perator");
    broker.folder.write("catalog.yaml", "services: 1\n");
    for (number, (request, status, word)) in [
        (
            broker.request("GET", &at_instance("i")),
            404,
            "InstanceNotFound",
        ),
        (
            broker
                .request("PUT", &at_instance("i"))
                .json(&provision_of("wide", "none")),
            400,
            "PlanNotInCatalog",
        ),
        (
            broker
                .request("PUT", &at_instance("i"))
                .body("[".to_owned()),
            400,
            "InvalidBody",
        ),
        (broker.request("DELETE", &at_instance("i")), 410, "Gone"),
        (
            Request::new("GET", "/v2/catalog").header("Authorization", "Basic eDp5"),
            401,
            "Unauthorized",
        ),
        (reload, 422, "DocumentInvalid"),
        // A page has no word of its own.
        (sign_in, 403, "Forbidden"),
        (Request::new("PATCH", "/console/sign-out"), 303, ""),
        (broker.request("GET", "/v2/catalog"), 200, ""),
    ]
    .into_iter()
    .enumerate()
    {
        let identity = format!("asked-{number}");
        let request = request.header("X-Broker-API-Request-Identity", &identity);
        let answer = broker.send_unchecked(&request);
        assert_eq!(answer.status, status, "{}", answer.text());
        let line = line_of(&broker, &identity);
        assert_eq!(line["status"], status, "{line}");
        let expected = if word.is_empty() {
            Value::Null
        } else {
            word.into()
        };
        assert_eq!(line["error"], expected, "{line}");
    }
}

/// The lines of that route, by the time that the log has the line of a request behind them.
fn lines(broker: &Broker, route: &str) -> Vec<String> {
    let last = broker.request("GET", "/v2/catalog");
    broker.send(&last.header("X-Broker-API-Request-Identity", "the-last"));
    broker.wait_for_log("request_identity=the-last");
    let route = format!("route={route} ");
    let log = broker.log();
    log.lines()
        .filter(|line| line.contains(&route))
        .map(str::to_owned)
        .collect()
}

#[test]
fn who_asks_for_health_fills_no_log() {
    for (level, lines_each) in [("info", 0), ("debug", 2), ("debug,request=info", 0)] {
        let broker = Setup::new(WIDE).env("BROKER_LOG__LEVEL", level).start();
        for path in ["/healthz", "/readyz"] {
            for method in ["GET", "HEAD"] {
                assert_eq!(broker.send(&Request::new(method, path)).status, 200);
            }
            // What is not well is said as ever.
            assert_eq!(broker.send(&broker.request("PUT", path)).status, 405);
        }
        for path in ["/healthz", "/readyz"] {
            let lines = lines(&broker, path);
            let (refused, well): (Vec<_>, Vec<_>) =
                lines.iter().partition(|line| line.contains("status=405"));
            assert_eq!(refused.len(), 1, "{level}: {lines:?}");
            assert!(refused[0].contains(" INFO "), "{refused:?}");
            assert_eq!(well.len(), lines_each, "{level}: {lines:?}");
            assert!(well.iter().all(|line| line.contains(" DEBUG ")), "{well:?}");
        }
    }
}
