//! A database in trouble, as a platform and an operator see it: full, slow, failing over, cut in the middle of a commit.
//! That it is away and comes back is in `postgres.rs`.

use std::process::Command;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::documents::{WIDE, bind_of, provision_of};
use crate::harness::{Broker, SERVER, Setup, at_binding, at_instance};
use crate::http::Response;
use crate::proxy::{Cut, Proxy};
use crate::running::wait_until;

fn on(url: &str) -> Setup {
    Setup::new(WIDE)
        .env("BROKER_STORE__URL", url)
        .env("BROKER_STORE__TIMEOUT", "2s")
}

fn provision(broker: &Broker, instance: &str) -> Response {
    broker.provision(instance, &provision_of("wide", "plain"))
}

fn is_ready(broker: &Broker) -> bool {
    broker.get("/readyz").status == 200
}

fn assert_away(response: &Response) {
    assert_eq!(
        (response.status, response.word().as_str()),
        (503, "StoreUnavailable"),
        "{}",
        response.text()
    );
    assert!(
        response.header("Retry-After").is_some(),
        "when to come again"
    );
    for private in ["SQLSTATE", "broker_", "p@ss", "127.0.0.1"] {
        assert!(!response.text().contains(private), "{}", response.text());
    }
}

fn assert_discreet(broker: &Broker) {
    for secret in ["p@ss", "p%40ss"] {
        assert!(!broker.log().contains(secret), "{}", broker.log());
    }
}

/// Every write of rows fails as on a full disk.
const FULL: &str = "
    CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE 'could not extend file: No space left on device' USING ERRCODE = '53100';
    END $$;
    CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE OR DELETE ON broker_instances FOR EACH ROW EXECUTE FUNCTION full_disk();
    CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE OR DELETE ON broker_meta FOR EACH ROW EXECUTE FUNCTION full_disk();";

#[test]
fn a_full_database_is_503_until_there_is_room() {
    let database = SERVER.database();
    let broker = on(&SERVER.url(&database)).start();
    assert_eq!(provision(&broker, "i").status, 201);
    assert!(is_ready(&broker));
    SERVER.sql(&database, FULL);
    for _ in 0..2 {
        assert_away(&provision(&broker, "j"));
        assert_away(&broker.deprovision("i", "wide", "plain"));
        assert!(!is_ready(&broker), "it is full");
        assert_eq!(broker.fetch("i").status, 200, "what is there can be read");
        assert_eq!(broker.get("/healthz").status, 200);
    }
    broker.wait_for_log("No space left on device (SQLSTATE 53100)");
    SERVER.sql(&database, "DROP FUNCTION full_disk CASCADE");
    wait_until(&broker, "it is ready again by itself", || is_ready(&broker));
    assert_eq!(provision(&broker, "j").status, 201);
    assert!(is_ready(&broker));
    let count = "SELECT count(*) FROM broker_operations WHERE instance_id = 'j'";
    assert_eq!(SERVER.sql(&database, count), "1", "nothing half-written");
    assert_discreet(&broker);
}

/// A request that goes well says so too, without anybody asking for readiness.
#[test]
fn what_goes_well_again_is_ready() {
    let database = SERVER.database();
    let broker = on(&SERVER.url(&database)).start();
    SERVER.sql(&database, FULL);
    assert_away(&provision(&broker, "i"));
    SERVER.sql(&database, "DROP FUNCTION full_disk CASCADE");
    assert_eq!(provision(&broker, "i").status, 201);
    // What is tried while nothing goes well would fail now.
    SERVER.sql(
        &database,
        &FULL.replace("ON broker_instances", "ON broker_queues"),
    );
    assert!(is_ready(&broker));
    // The counter-proof.
    SERVER.sql(&database, "DROP FUNCTION full_disk CASCADE");
    SERVER.sql(&database, FULL);
    assert_away(&provision(&broker, "j"));
    let one = "DROP TRIGGER full_disk ON broker_instances";
    SERVER.sql(&database, one);
    assert!(!is_ready(&broker));
}

fn signal(server: &Cluster, name: &str) {
    let of = format!("{}/data", server.folder().display());
    let done = Command::new("pkill")
        .args([&format!("-{name}"), "-f", &of])
        .status();
    assert!(done.expect("pkill runs").success());
    let head = std::fs::read_to_string(server.folder().join("data/postmaster.pid"));
    let main = head.expect("its number");
    let main = main.lines().next().expect("its number");
    let done = Command::new("pkill")
        .args([&format!("-{name}"), "-P", main])
        .status();
    assert!(done.expect("pkill runs").success());
}

/// It answers nothing, and closes nothing.
#[test]
fn a_database_that_hangs_is_not_waited_for_without_end() {
    let server = Cluster::start(&[]);
    let broker = on(&server.url(&server.database())).start();
    assert_eq!(provision(&broker, "i").status, 201);
    signal(&server, "STOP");
    assert_away(&provision(&broker, "j"));
    assert_away(&broker.fetch("i"));
    assert!(!is_ready(&broker));
    assert_eq!(broker.catalog().status, 200);
    signal(&server, "CONT");
    wait_until(&broker, "it is ready again", || is_ready(&broker));
    assert!([200, 201].contains(&provision(&broker, "j").status));
    assert!(broker.log().contains("took too long"), "{}", broker.log());
    assert_discreet(&broker);
}

/// The first host of the URL is gone; the one that answers is the old primary for a while, which takes no writes.
#[test]
fn a_failover_is_passed_through() {
    let server = Cluster::start(&[]);
    let database = server.database();
    let gone = crate::cluster::free_port();
    let here = format!("127.0.0.1:{}", server.port);
    let both = format!("127.0.0.1:{gone},{here}");
    let url = server.url(&database).replace(&here, &both);
    let broker = on(&format!("{url}?target_session_attrs=read-write")).start();
    assert_eq!(provision(&broker, "i").status, 201);
    let is = |word: &str| {
        server.sql(
            "postgres",
            &format!("ALTER DATABASE {database} SET default_transaction_read_only = {word}"),
        );
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'catalog-broker%'";
        server.sql("postgres", others);
    };
    is("on");
    assert_away(&provision(&broker, "j"));
    assert!(!is_ready(&broker));
    is("off");
    wait_until(&broker, "it is ready again", || is_ready(&broker));
    assert_eq!(provision(&broker, "j").status, 201);
    assert_eq!(provision(&broker, "i").status, 200);
    assert_discreet(&broker);
}

/// Nobody knows whether a commit was done whose answer is lost: the platform is told to ask again, and whatever it was,
/// its repeat is right.
#[test]
fn a_commit_that_is_cut_is_asked_for_again() {
    let database = SERVER.database();
    let proxy = Proxy::to(SERVER.port);
    let url = SERVER.url(&database);
    let broker = on(&url.replace(&SERVER.port.to_string(), &proxy.port.to_string())).start();
    let query = "?service_id=wide&plan_id=plain";
    for (cut, made, gone) in [(Cut::After, 200, 410), (Cut::Before, 201, 200)] {
        let instance = format!("{cut:?}").to_lowercase();
        let binding = at_binding(&instance, "b");
        let steps: [(&str, String, Option<Value>, u16); 5] = [
            (
                "PUT",
                at_instance(&instance),
                Some(provision_of("wide", "plain")),
                made,
            ),
            (
                "PATCH",
                at_instance(&instance),
                Some(json!({ "service_id": "wide", "parameters": { "a": 1 } })),
                200,
            ),
            ("PUT", binding.clone(), Some(bind_of("wide", "plain")), made),
            ("DELETE", format!("{binding}{query}"), None, gone),
            (
                "DELETE",
                format!("{}{query}", at_instance(&instance)),
                None,
                gone,
            ),
        ];
        for (method, path, body, again) in steps {
            let request = broker.request(method, &path);
            let request = match &body {
                Some(body) => request.json(body),
                None => request,
            };
            proxy.cut(cut);
            assert_away(&broker.send(&request));
            let repeat = broker.send(&request);
            assert_eq!(
                repeat.status,
                again,
                "{cut:?} {method} {path}: {}",
                repeat.text()
            );
            if method == "PUT" && path == binding {
                let fetched = broker.fetch_binding(&instance, "b").json();
                assert_eq!(fetched["credentials"], repeat.json()["credentials"]);
            }
        }
    }
    let left =
        "SELECT (SELECT count(*) FROM broker_instances), (SELECT count(*) FROM broker_bindings)";
    assert_eq!(SERVER.sql(&database, left), "0|0");
    assert!(
        broker.log().contains("may have been done or not"),
        "{}",
        broker.log()
    );
    assert_discreet(&broker);
}

/// On Cloud Foundry the database is a service that is bound to the broker: `${vcap:...}` in the settings file finds it.
#[test]
fn a_bound_service_is_the_store() {
    let database = SERVER.database();
    let folder = std::sync::Arc::new(crate::harness::Folder::new());
    let settings = "store: { url: \"${vcap:state#/credentials/uri}\" }\n";
    folder.write("config/broker.yaml", settings);
    let services = |name: &str| {
        let credentials = json!({ "uri": SERVER.url(&database) });
        json!({ "postgresql": [{ "name": name, "label": "postgresql", "credentials": credentials }] }).to_string()
    };
    let setup = |name: &str| {
        Setup::new(WIDE)
            .env("VCAP_APPLICATION", "{}")
            .env("VCAP_SERVICES", &services(name))
    };
    let broker = setup("state").start_in(&folder);
    assert_eq!(provision(&broker, "i").status, 201);
    let count = "SELECT count(*) FROM broker_instances";
    assert_eq!(SERVER.sql(&database, count), "1");
    assert_discreet(&broker);
    // The counter-proof: another name is none, and is said without the password.
    let (status, _, errors) = setup("other").run_in(&folder);
    assert_eq!(status.code(), Some(2));
    assert!(
        errors.contains("${vcap:state") && !errors.contains("p%40ss"),
        "{errors}"
    );
}
