//! `/metrics`: what it counts over a whole life, whom it lets in, and that nobody outside makes it longer.

use std::time::Duration;

use serde_json::json;

use crate::acting::Stage;
use crate::cluster::Cluster;
use crate::documents::{WIDE, bind_of, provision_of};
use crate::harness::{Broker, SERVER, Setup, at_binding, at_instance};
use crate::http::Request;
use crate::later::{accepted, accepting, awaited};
use crate::page::{Page, reading};
use crate::running::wait_until;

const INSTANCE: &str = "/v2/service_instances/{instance_id}";
const BINDING: &str = "/v2/service_instances/{instance_id}/service_bindings/{binding_id}";

/// Waits for a page on which something is to be seen.
fn page_where(broker: &Broker, why: &str, seen: impl Fn(&Page) -> bool) -> Page {
    wait_until(broker, why, || seen(&Page::of(broker)));
    Page::of(broker)
}

/// What was counted of requests.
fn requests(page: &Page, route: &str, method: &str, status: &str) -> Option<f64> {
    let labels = [("route", route), ("method", method), ("status", status)];
    page.sum("http_requests_total", &labels)
}

/// Where the store cannot be reached, or nothing was asked of it yet, what it knows is not there.
fn counted(page: &Page, name: &str, labels: &[(&str, &str)]) -> f64 {
    page.sum(name, labels).unwrap_or_default()
}

#[test]
fn requests_are_counted_by_route_and_status() {
    let broker = Setup::new(WIDE).watched().start();
    assert_eq!(
        broker.provision("i", &provision_of("wide", "plain")).status,
        201
    );
    assert_eq!(
        broker.provision("i", &provision_of("wide", "plain")).status,
        200
    );
    assert_eq!(
        broker.provision("i", &provision_of("wide", "other")).status,
        409
    );
    assert_eq!(broker.bind("i", "b", &bind_of("wide", "plain")).status, 201);
    assert_eq!(broker.poll("i").status, 200);
    assert_eq!(broker.get("/nowhere").status, 404);
    assert_eq!(
        broker.send(&broker.request("POST", "/v2/catalog")).status,
        405
    );
    assert_eq!(
        broker.send(&Request::new("GET", &at_instance("i"))).status,
        401
    );
    assert_eq!(broker.send(&Request::new("GET", "/healthz")).status, 200);
    let page = Page::of(&broker);
    for (route, method, status, count) in [
        (INSTANCE, "PUT", "201", Some(1.0)),
        (INSTANCE, "PUT", "200", Some(1.0)),
        (INSTANCE, "PUT", "409", Some(1.0)),
        (INSTANCE, "GET", "401", Some(1.0)),
        (BINDING, "PUT", "201", Some(1.0)),
        (
            "/v2/service_instances/{instance_id}/last_operation",
            "GET",
            "200",
            Some(1.0),
        ),
        // The harness asks once.
        ("/v2/catalog", "GET", "200", Some(1.0)),
        ("/v2/catalog", "POST", "405", Some(1.0)),
        ("/healthz", "GET", "200", Some(1.0)),
        ("other", "GET", "404", Some(1.0)),
        (INSTANCE, "DELETE", "200", None),
    ] {
        assert_eq!(
            requests(&page, route, method, status),
            count,
            "{method} {route} {status}"
        );
    }
    let labels = [("route", INSTANCE), ("method", "PUT")];
    assert_eq!(
        page.sum("http_request_duration_seconds_count", &labels),
        Some(3.0)
    );
    let last = [("route", INSTANCE), ("method", "PUT"), ("le", "+Inf")];
    assert_eq!(
        page.sum("http_request_duration_seconds_bucket", &last),
        Some(3.0)
    );
    let took = counted(&page, "http_request_duration_seconds_sum", &labels);
    assert!(took > 0.0 && took < 60.0, "{took}");
    let again = Page::of(&broker);
    assert_eq!(
        requests(&again, "/metrics", "GET", "200"),
        Some(1.0),
        "the page before it"
    );
    assert_eq!(
        page.sum("build_info", &[("version", env!("CARGO_PKG_VERSION"))]),
        Some(1.0)
    );
}

/// Every route of the table goes by its own name.
#[test]
fn no_route_is_counted_as_another() {
    let broker = Setup::new(WIDE).watched().start();
    for route in catalog_broker::http::ROUTES {
        let path = route
            .replace("{instance_id}", "x")
            .replace("{binding_id}", "y");
        broker.send_unchecked(&broker.request("GET", &path));
    }
    let page = Page::of(&broker);
    for route in catalog_broker::http::ROUTES
        .iter()
        .filter(|route| **route != "/metrics")
    {
        assert!(
            !page
                .all("http_requests_total", &[("route", route)])
                .is_empty(),
            "{route}"
        );
    }
    assert!(
        page.all("http_requests_total", &[("route", "other")])
            .is_empty()
    );
}

/// A login with its role is needed and no version; without one it is the same 401 as everywhere, and says nothing.
#[test]
fn who_has_no_login_sees_nothing() {
    let broker = Setup::new(WIDE)
        .watched()
        .env("BROKER_SERVER__BASE_PATH", "/brokers/blue")
        .start();
    let path = "/brokers/blue/metrics";
    let wrong = Request::new("GET", path).header("Authorization", "Bearer wr0ng");
    for request in [Request::new("GET", path), wrong] {
        let refused = broker.send(&request);
        assert_eq!((refused.status, &*refused.word()), (401, "Unauthorized"));
        assert!(refused.header("www-authenticate").is_some());
    }
    let platform = broker.send(&broker.request("GET", path));
    assert_eq!((platform.status, &*platform.word()), (403, "Forbidden"));
    let answer = broker.send(&reading("GET", path));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let kind = answer.header("content-type").expect("a type");
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    let head = broker.send(&reading("HEAD", path));
    assert_eq!((head.status, head.text().len()), (200, 0));
    assert_eq!(broker.send(&reading("PUT", path)).status, 405);
    let below = broker.send(&reading("GET", &format!("{path}/x")));
    assert_eq!(below.status, 404);
    let elsewhere = broker.send(&reading("GET", "/metrics"));
    assert_eq!(elsewhere.status, 403, "outside of the base it is no page");
}

/// A catalog that changes: its plans are counted by their new names, what stays goes on, and what is refused is said.
#[test]
fn reloads_are_counted_and_plans_go_by_their_names_of_the_moment() {
    let broker = Setup::new(WIDE)
        .watched()
        .env("BROKER_RELOAD__EVERY", "0")
        .start();
    for (id, plan) in [("i", "plain"), ("j", "other")] {
        let made = broker.provision(id, &provision_of("wide", plan));
        assert_eq!(made.status, 201);
    }
    let page = Page::of(&broker);
    assert_eq!(page.sum("reload_last_successful", &[]), Some(1.0));
    assert_eq!(page.sum("reloads_total", &[]), Some(0.0));
    let started = page.sum("reload_last_success_timestamp_seconds", &[]);
    assert!(started > Some(1e9), "{started:?}");
    let renamed = WIDE.replacen("name: other,", "name: renamed,", 1);
    assert_ne!(renamed, WIDE);
    broker.folder.write("catalog.yaml", &renamed);
    broker.signal("HUP");
    broker.wait_for_log("reloaded the catalog");
    let provisions = |page: &Page, plan| {
        let labels = [
            ("kind", "provision"),
            ("plan", plan),
            ("state", "succeeded"),
        ];
        page.sum("operations_total", &labels)
    };
    let page = Page::of(&broker);
    let goes_on = provisions(&page, "wide/plain");
    assert_eq!(goes_on, Some(1.0));
    assert_eq!(provisions(&page, "wide/other"), None);
    assert_eq!(provisions(&page, "wide/renamed"), Some(0.0));
    let there = page.sum("instances", &[("plan", "wide/renamed")]);
    assert_eq!(there, Some(1.0));
    let taken = page.sum("reloads_total", &[("result", "taken")]);
    assert_eq!(taken, Some(1.0));
    assert_eq!(page.sum("reload_duration_seconds_count", &[]), Some(1.0));
    assert!(page.sum("reload_last_success_timestamp_seconds", &[]) >= started);
    broker.folder.write("catalog.yaml", "services: 7");
    broker.signal("HUP");
    broker.wait_for_log("was not reloaded");
    let page = Page::of(&broker);
    assert_eq!(page.sum("reload_last_successful", &[]), Some(0.0));
    let refused = page.sum("reloads_total", &[("result", "refused")]);
    assert_eq!(refused, Some(1.0));
    let renamed = renamed.replacen("id: plain,", "id: another,", 1);
    broker.folder.write("catalog.yaml", &renamed);
    broker.signal("HUP");
    broker.wait_for_log("id-changed: ");
    broker.wait_for_log("was not reloaded");
    let why = |page: &Page, reason| page.sum("reloads_total", &[("reason", reason)]);
    let page = page_where(&broker, "it was never counted", |page| {
        why(page, "breaks") == Some(1.0)
    });
    for (reason, count) in [
        ("document", 1.0),
        ("settings", 0.0),
        ("store", 0.0),
        ("system", 0.0),
    ] {
        assert_eq!(why(&page, reason), Some(count), "{reason}");
    }
}

/// Of a plan whose backend acts: what ended and how, what came of attempts, and what goes on.
#[test]
fn operations_are_counted_by_kind_plan_and_state() {
    let stage = Stage::new();
    let broker = &stage.broker;
    stage.does("provision", "thrice");
    assert_eq!(
        broker
            .provision("i", &provision_of("acting", "auto"))
            .status,
        201
    );
    stage.does("bind", "fail");
    assert_eq!(
        broker.bind("i", "b", &bind_of("acting", "auto")).status,
        500
    );
    stage.does("bind", "refuse");
    assert_eq!(
        broker.bind("i", "c", &bind_of("acting", "auto")).status,
        400
    );
    stage.does("deprovision", "wait");
    let gone = accepting(&format!(
        "{}?service_id=acting&plan_id=async",
        at_instance("j")
    ));
    stage.does("provision", "");
    let made = broker.put(
        &accepting(&at_instance("j")),
        &provision_of("acting", "async"),
    );
    awaited(broker, &at_instance("j"), &accepted(&made));
    let goes = accepted(&broker.delete(&gone));
    stage.wait_for_calls("deprovision", 1);
    let page = page_where(broker, "it never goes on", |page| {
        page.sum("operations_in_progress", &[]) == Some(1.0)
    });
    let running = [("kind", "deprovision"), ("plan", "acting/async")];
    assert_eq!(page.sum("operations_in_progress", &running), Some(1.0));
    let age = page
        .sum("operation_oldest_age_seconds", &running)
        .expect("its age");
    assert!((0.0..60.0).contains(&age), "{age}");
    let ended = |kind, plan, state| {
        let labels = [("kind", kind), ("plan", plan), ("state", state)];
        page.sum("operations_total", &labels)
    };
    assert_eq!(ended("provision", "acting/auto", "succeeded"), Some(1.0));
    assert_eq!(ended("provision", "acting/async", "succeeded"), Some(1.0));
    assert_eq!(ended("bind", "acting/auto", "failed"), Some(2.0));
    assert_eq!(
        ended("unbind", "acting/auto", "failed"),
        Some(0.0),
        "there before the first"
    );
    let provisions = [("kind", "provision"), ("plan", "acting/auto")];
    assert_eq!(
        page.sum("operation_duration_seconds_count", &provisions),
        Some(1.0)
    );
    let attempts = |kind, result| {
        let labels = [("backend", "program"), ("kind", kind), ("result", result)];
        page.sum("backend_attempts_total", &labels)
    };
    assert_eq!(attempts("provision", "again"), Some(2.0));
    assert_eq!(attempts("provision", "done"), Some(2.0));
    assert_eq!(attempts("bind", "failed"), Some(1.0));
    assert_eq!(attempts("bind", "refused"), Some(1.0));
    let program = [("backend", "program"), ("kind", "bind")];
    assert_eq!(
        page.sum("backend_attempt_duration_seconds_count", &program),
        Some(2.0)
    );
    stage.go();
    awaited(broker, &at_instance("j"), &goes);
    page_where(broker, "it never ends", |page| {
        page.all("operations_in_progress", &[]).is_empty()
    });
}

/// One seat is lent, one rests, one is free.
const SEATS: &str = r"
backends:
  seats: { pool: { entries: [{ name: a, credentials: { n: 1 } }, { name: b, credentials: { n: 2 } }, { name: c, credentials: { n: 3 } }], reuse: { after: 1h } } }
services:
  - id: s
    name: seats
    description: Seats
    bindable: true
    plans:
      - { id: p, name: plain, description: A seat, backend: { use: seats } }
      - { id: q, name: own, description: Seats of its own, backend: { pool: { entries: [{ name: d, credentials: { n: 4 } }] } } }
";

#[test]
fn pools_instances_and_bindings_are_counted_on_each_engine() {
    let url = SERVER.url(&SERVER.database());
    for setup in [
        Setup::new(SEATS).watched(),
        Setup::new(SEATS).watched().env("BROKER_STORE__URL", &url),
    ] {
        let broker = setup.start();
        for id in ["i", "j"] {
            assert_eq!(broker.provision(id, &provision_of("s", "p")).status, 201);
            assert_eq!(broker.bind(id, "b", &bind_of("s", "p")).status, 201);
        }
        assert_eq!(broker.unbind("i", "b", "s", "p").status, 200);
        let page = Page::of(&broker);
        let entries = |pool, state| page.sum("pool_entries", &[("pool", pool), ("state", state)]);
        for (state, count) in [("free", 1.0), ("held", 1.0), ("resting", 1.0)] {
            assert_eq!(entries("seats", state), Some(count), "{state}");
        }
        assert_eq!(entries("seats/own", "free"), Some(1.0), "named by its plan");
        let of_plan = [("plan", "seats/plain"), ("state", "succeeded")];
        assert_eq!(page.sum("instances", &of_plan), Some(2.0));
        assert_eq!(page.sum("bindings", &of_plan), Some(1.0));
        assert_eq!(page.sum("store_up", &[]), Some(1.0));
        assert!(page.sum("inventory_age_seconds", &[]).is_some());
        let begun = [("call", "begin")];
        let begun = page.sum("store_call_duration_seconds_count", &begun);
        assert_eq!(begun, Some(5.0));
    }
}

/// What a plan is called that has left the catalog.
#[test]
fn what_is_not_in_the_catalog_is_other() {
    let broker = Setup::new(WIDE).watched().start();
    assert_eq!(
        broker.provision("i", &provision_of("wide", "other")).status,
        201
    );
    let folder = std::sync::Arc::clone(&broker.folder);
    drop(broker);
    let less = WIDE.replace(
        "      - { id: other, name: other, description: Nothing special either }\n",
        "",
    );
    assert_ne!(less, WIDE);
    let broker = Setup::new(&less).watched().start_in(&folder);
    let page = Page::of(&broker);
    assert_eq!(page.sum("instances", &[("plan", "other")]), Some(1.0));
    assert_eq!(broker.deprovision("i", "wide", "other").status, 200);
    let page = Page::of(&broker);
    let gone = [
        ("kind", "deprovision"),
        ("plan", "other"),
        ("state", "succeeded"),
    ];
    assert_eq!(page.sum("operations_total", &gone), Some(1.0));
}

/// A thousand requests as somebody sends them who wants the page to grow: no label of theirs is on it.
#[test]
fn nobody_outside_makes_a_label() {
    const MARK: &str = "h0stile";
    let broker = Setup::new(WIDE).watched().start();
    let routes: Vec<String> = catalog_broker::http::ROUTES
        .iter()
        .map(ToString::to_string)
        .collect();
    let one = |number: usize| {
        let id = format!("{MARK}{number}");
        let path = match number % 8 {
            0 => format!("/{id}"),
            1 => format!("/v2/{id}?plan_id={id}"),
            2 => at_binding(&id, &id),
            3 => format!("/v2/service_instances/{id}/{id}"),
            4 => format!("/metrics/{id}"),
            5 => format!("/metrics?{id}"),
            6 => format!("/v2/catalog/%22%7D%0A{id}"),
            _ => at_instance(&id),
        };
        let method = ["GET", "PUT", "DELETE", "PATCH", "BREW", "POST", MARK][number / 8 % 7];
        let request = broker.request(method, &path);
        let request = match number % 5 {
            0 => request
                .without("Authorization")
                .header("Authorization", &format!("Bearer {id}")),
            1 => request.header("X-Broker-API-Request-Identity", &id),
            2 => request
                .without("X-Broker-API-Version")
                .header("X-Broker-API-Version", &id),
            _ => request,
        };
        match method {
            "PUT" | "PATCH" => request.json(&json!({
                "service_id": id, "plan_id": id, "organization_guid": id, "space_guid": id,
            })),
            _ => request,
        }
    };
    // Twice the same: what is there after the first thousand does not grow by the second.
    for number in 0..1_000 {
        broker.send_unchecked(&one(number));
    }
    Page::of(&broker);
    let first = Page::of(&broker);
    for number in 1_000..2_000 {
        broker.send_unchecked(&one(number));
    }
    let second = Page::of(&broker);
    let grown: Vec<_> = second
        .series()
        .difference(&first.series())
        // Of the store the first call of each kind is news, whoever makes it.
        .filter(|series| !series.contains("_store_"))
        .cloned()
        .collect();
    assert!(grown.is_empty(), "{grown:?}");
    assert!(!second.text.contains(MARK));
    for sample in second.all("http_requests_total", &[]) {
        let route = &sample.labels["route"];
        assert!(route == "other" || routes.contains(route), "{route}");
    }
    let sent = counted(&second, "http_requests_total", &[]);
    assert!(sent >= 2_000.0, "only {sent} were counted");
}

/// The store goes away: the page is there all the same and says so, and all comes back by itself.
#[test]
fn a_store_that_is_away_is_said_and_fails_no_page() {
    let mut server = Cluster::start(&[]);
    let url = server.url(&server.database());
    let broker = Setup::new(WIDE)
        .watched()
        .env("BROKER_STORE__URL", &url)
        .env("BROKER_STORE__TIMEOUT", "2s")
        .start();
    assert_eq!(
        broker.provision("i", &provision_of("wide", "plain")).status,
        201
    );
    assert_eq!(Page::of(&broker).sum("store_up", &[]), Some(1.0));
    server.stop();
    let page = page_where(&broker, "it is never away", |page| {
        page.sum("store_up", &[]) == Some(0.0)
    });
    assert!(page.all("operations_in_progress", &[]).is_empty());
    assert!(counted(&page, "store_errors_total", &[("error", "unavailable")]) > 0.0);
    assert_eq!(
        page.sum("store_errors_total", &[("error", "corrupt")]),
        Some(0.0)
    );
    server.restart();
    page_where(&broker, "it never comes back", |page| {
        page.sum("store_up", &[]) == Some(1.0)
    });
}

/// Of the store that remembers nothing there is nothing to count, and the rest goes on.
#[test]
fn a_store_that_remembers_nothing_is_up() {
    let document = r"
services:
  - id: s
    name: s
    description: Fixed
    bindable: true
    plans: [{ id: p, name: p, description: Fixed }]
";
    let broker = Setup::new(document)
        .watched()
        .env("BROKER_STORE__URL", "none")
        .start();
    assert_eq!(broker.provision("i", &provision_of("s", "p")).status, 201);
    let page = Page::of(&broker);
    assert_eq!(page.sum("store_up", &[]), Some(1.0));
    assert!(page.all("instances", &[]).is_empty());
    assert_eq!(
        page.sum(
            "operations_total",
            &[("plan", "s/p"), ("kind", "provision")]
        ),
        Some(1.0)
    );
}

/// Names that would break a page if they were written as they are.
#[test]
fn a_name_is_written_so_that_it_is_read_back() {
    let document = "services:\n  - id: s\n    name: 'a\"b\\c'\n    description: d\n    bindable: true\n    plans: [{ id: p, name: p, description: d }]\n";
    let broker = Setup::new(document).watched().start();
    let page = Page::of(&broker);
    assert!(
        !page
            .all("operations_total", &[("plan", "a\"b\\c/p")])
            .is_empty(),
        "{}",
        page.text
    );
}

/// A page takes no longer because many ask at once, and the store is asked once for all.
#[test]
fn many_who_look_ask_the_store_once() {
    let broker = Setup::new(WIDE).watched().start();
    let before = Page::of(&broker);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| Page::of(&broker));
        }
    });
    let after = Page::of(&broker);
    let looks = |page: &Page| {
        counted(
            page,
            "store_call_duration_seconds_count",
            &[("call", "inventory")],
        )
    };
    // The first page was put together before or after its look was counted.
    assert!(
        looks(&after) <= 1.0 && looks(&before) <= 1.0,
        "{}",
        looks(&after)
    );
}

#[test]
fn a_wait_is_part_of_the_time() {
    let stage = Stage::new();
    let broker = &stage.broker;
    stage.does("provision", "wait");
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| broker.provision("i", &provision_of("acting", "auto")));
        stage.wait_for_calls("provision", 1);
        std::thread::sleep(Duration::from_millis(300));
        stage.go();
        assert_eq!(waits.join().expect("an answer").status, 201);
    });
    let page = Page::of(broker);
    let waited = counted(
        &page,
        "http_request_duration_seconds_sum",
        &[("route", INSTANCE), ("method", "PUT")],
    );
    assert!(waited >= 0.3, "{waited}");
    let took = counted(
        &page,
        "operation_duration_seconds_sum",
        &[("kind", "provision")],
    );
    assert!(took >= 0.25, "{took}");
}
