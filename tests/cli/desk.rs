//! `instances` and `operations` beside a broker that serves the same store, and beside another process that has
//! operations of it leased.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog_broker::app;
use catalog_broker::domain::caller::Asker;
use catalog_broker::domain::id::{InstanceId, OperationId, PlanId, ServiceId};
use catalog_broker::domain::instance::{Instance, InstanceDetails};
use catalog_broker::domain::json::Fingerprint;
use catalog_broker::domain::ledger::Ledger;
use catalog_broker::domain::operation::{Kind, Operation, Report, State, Subject, Task};
use catalog_broker::domain::store::{
    Act, Begun, Change, End, Ending, Job, Lease, Leaves, Renewal, Take, Taken,
};
use catalog_broker::domain::time::Timestamp;
use catalog_broker::secret::Secret;
use catalog_broker::store::Keys;
use catalog_broker::store::postgres::{Bounds, PostgresStore};
use catalog_broker::store::sqlite::SqliteStore;
use serde_json::{Value, json};

use crate::engines::{self, Engine, Scene};
use crate::harness::{Broker, Setup, at_instance};
use crate::runner::Ran;

/// A plan that answers at once, and one that always answers later.
pub const CATALOG: &str = r#"
services:
  - id: s
    name: service
    description: Both ways
    bindable: true
    instances_retrievable: true
    bindings_retrievable: true
    binding:
      values: { drawn: "MARKED-{{ random_password(16) }}" }
      credentials: { password: "{{ binding.values.drawn }}", role: "{{ binding.parameters.role }}" }
    plans:
      - { id: now, name: now, description: At once, instance: { dashboard_url: "https://x.example.com/?t=MARKED-{{ instance.id }}" } }
      - { id: later, name: later, description: Later, respond: async }
"#;

engines::on_both! {
    a_running_operation_that_is_given_up_loses_its_result,
    an_operation_that_waits_goes_on_when_it_is_told_to,
    what_is_forgotten_is_gone_and_its_late_result_too,
    an_instance_is_forgotten_with_its_bindings,
    instances_are_found_by_plan_organization_and_state_page_by_page,
    nothing_that_is_under_lock_is_shown_unless_it_is_asked_for,
    what_cannot_be_worked_on_is_said,
}

fn scene(engine: Engine) -> Scene {
    let setup = Setup::new(CATALOG).env("BROKER_OPERATIONS__LOOK_EVERY", "50ms");
    Scene::on(engine, setup)
}

pub fn of(plan: &str) -> Value {
    json!({
        "service_id": "s", "plan_id": plan, "organization_guid": "org-1", "space_guid": "space-1",
        "context": { "platform": "cloudfoundry", "secret": "MARKED-context" },
        "parameters": { "password": "MARKED-parameter" },
    })
}

/// What a command says beside the broker.
fn at(scene: &Scene, arguments: &[&str]) -> Ran {
    scene.run(arguments)
}

/// Another process on the broker's store.
struct Sleeper {
    store: Arc<dyn Ledger>,
    runtime: tokio::runtime::Runtime,
}

impl Sleeper {
    fn beside(scene: &Scene) -> Self {
        Self {
            store: beside(scene),
            runtime: tokio::runtime::Builder::new_current_thread()
                .build()
                .expect("a runtime"),
        }
    }

    /// A provision that this process has leased. The broker may be quicker to take one up: then another one.
    fn leases(&self) -> Taken {
        for number in 0..50 {
            let name = format!("slept-{number}");
            let begun = self.runtime.block_on(self.store.begin(provision(&name)));
            assert!(matches!(begun, Ok(Begun::Done)), "{begun:?}");
            let take = Take {
                owner: "sleeper".into(),
                now: app::clock(),
                until: in_an_hour(),
                most: 1,
                limits: Vec::new(),
            };
            let taken = self.runtime.block_on(self.store.take(take));
            if let Some(taken) = taken.expect("an answer").pop() {
                return taken;
            }
        }
        panic!("the broker was always quicker");
    }

    fn ends(&self, taken: &Taken, ending: Ending) -> Lease {
        let end = End {
            operation: taken.operation.id.clone(),
            subject: taken.operation.subject.clone(),
            attempt: taken.attempt,
            at: app::clock(),
            ending,
        };
        self.runtime
            .block_on(self.store.end(end))
            .expect("an answer")
    }

    fn renews(&self, taken: &Taken) -> Lease {
        let renewal = Renewal {
            operation: taken.operation.id.clone(),
            subject: taken.operation.subject.clone(),
            attempt: taken.attempt,
            now: app::clock(),
            until: in_an_hour(),
            description: None,
        };
        self.runtime
            .block_on(self.store.renew(renewal))
            .expect("an answer")
    }
}

/// The store that the broker serves.
fn beside(scene: &Scene) -> Arc<dyn Ledger> {
    if scene.url.starts_with("sqlite:") {
        let file = scene.folder.path().join("data/broker.db");
        return Arc::new(
            SqliteStore::open_beside(&file, &Keys::default()).expect("the broker's store"),
        );
    }
    let bounds = Bounds {
        connections: 2,
        timeout: Duration::from_secs(5),
    };
    let url = Secret::new(scene.url.clone());
    Arc::new(
        PostgresStore::open_beside(url, bounds, &Keys::new(&[Secret::new([b'k'; 32])]))
            .expect("the broker's store"),
    )
}

fn in_an_hour() -> Timestamp {
    Timestamp(app::clock().0 + 3_600_000)
}

fn provision(name: &str) -> Change {
    let id = InstanceId::parse(name).expect("an id");
    let now = app::clock();
    let operation = Operation {
        id: OperationId::parse(&format!("op-{name}")).expect("an id"),
        kind: Kind::Provision,
        subject: Subject::Instance(id.clone()),
        state: State::InProgress,
        report: Report::default(),
        fingerprint: None,
        started_at: now,
        finished_at: None,
    };
    let instance = Instance {
        id,
        service_id: ServiceId::parse("s").expect("an id"),
        plan_id: PlanId::parse("later").expect("an id"),
        organization: "org-1".to_owned(),
        space: "space-1".to_owned(),
        last_operation: operation.standing(),
        version: 1,
        backend: None,
        fingerprint: Fingerprint([1; 32]),
        created_at: now,
        updated_at: now,
        details: Secret::new(InstanceDetails::default()),
    };
    let task = Task {
        asker: Asker {
            login: "default".to_owned(),
            originating_identity: None,
            request_identity: None,
            trace: None,
        },
        update: None,
    };
    Change {
        operation,
        act: Act::Provision {
            instance: Box::new(instance),
            replaces: None,
        },
        job: Some(Job {
            backend: "fixed".into(),
            limited: false,
            hold: None,
            task: Secret::new(task),
            cancels: None,
        }),
        guards: Vec::new(),
    }
}

/// How a late success would end.
fn made(taken: &Taken) -> Ending {
    let mut instance = taken.instance.clone();
    instance.last_operation.state = State::Succeeded;
    instance.version += 1;
    Ending::Over {
        state: State::Succeeded,
        report: Report::default(),
        leaves: Leaves::Instance(Box::new(instance)),
    }
}

fn later(path: &str) -> String {
    let sign = if path.contains('?') { '&' } else { '?' };
    format!("{path}{sign}accepts_incomplete=true")
}

fn deprovision(broker: &Broker, instance: &str) -> String {
    let path = format!("{}?service_id=s&plan_id=later", at_instance(instance));
    let answer = broker.delete(&later(&path));
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()["operation"]
        .as_str()
        .expect("an operation")
        .to_owned()
}

/// The log of the command has a line of what was done, and to what.
#[track_caller]
fn assert_told(ran: &Ran, what: &str, operation: &str, instance: &str) {
    let what = format!("WARN  operation: {what} by the operator");
    let lines: Vec<&str> = ran
        .err
        .lines()
        .filter(|line| line.contains(&what))
        .collect();
    let [line] = lines[..] else {
        panic!("{}", ran.err);
    };
    assert!(line.contains(&format!("operation={operation}")), "{line}");
    assert!(line.contains(&format!("instance={instance}")), "{line}");
}

/// Polls until the answer is this.
#[track_caller]
fn comes_to(broker: &Broker, instance: &str, status: u16, state: &str) {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let polled = broker.poll(instance);
        if polled.status == status && (state.is_empty() || polled.json()["state"] == state) {
            return;
        }
        assert!(
            Instant::now() < until,
            "{} {}",
            polled.status,
            polled.text()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn a_running_operation_that_is_given_up_loses_its_result(engine: Engine) {
    let broker = scene(engine);
    let sleeper = Sleeper::beside(&broker);
    let taken = sleeper.leases();
    let (id, instance) = (taken.operation.id.as_str(), taken.instance.id.as_str());

    let listed = at(
        &broker,
        &[
            "operations",
            "list",
            "--state",
            "in-progress",
            "--format",
            "json",
        ],
    );
    let listed = listed.exits(0).json();
    assert_eq!(listed["operations"][0]["id"], id);
    assert_eq!(listed["operations"][0]["owner"], "sleeper");
    assert_eq!(listed["operations"][0]["attempt"], 1);
    let refused = at(&broker, &["operations", "retry", id]).exits(2);
    assert!(
        refused.err.contains("leased to sleeper until"),
        "{}",
        refused.err
    );

    let why = "The database server is gone.";
    let ran = at(&broker, &["operations", "give-up", id, "--because", why]).exits(0);
    assert_told(&ran, "given up", id, instance);
    let polled = broker.poll(instance).json();
    assert_eq!(
        (&polled["state"], &polled["description"]),
        (&json!("failed"), &json!(why))
    );
    assert_eq!(broker.fetch(instance).status, 404, "it was never made");
    assert_eq!(sleeper.renews(&taken), Lease::Lost);

    // What comes next waits until the late attempt has let go.
    let removal = deprovision(&broker, instance);
    let refused = at(&broker, &["operations", "retry", &removal]).exits(2);
    assert!(refused.err.contains("may still act"), "{}", refused.err);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(broker.poll(instance).json()["state"], "in progress");
    assert_eq!(sleeper.ends(&taken, made(&taken)), Lease::Lost);
    comes_to(&broker, instance, 410, "");
    assert_eq!(broker.fetch(instance).status, 404);

    let again = at(&broker, &["operations", "give-up", id]).exits(2);
    assert!(again.err.contains("is over (failed)"), "{}", again.err);
}

fn an_operation_that_waits_goes_on_when_it_is_told_to(engine: Engine) {
    let broker = scene(engine);
    let sleeper = Sleeper::beside(&broker);
    let taken = sleeper.leases();
    let (id, instance) = (taken.operation.id.as_str(), taken.instance.id.as_str());
    let rest = Ending::Again {
        due_at: in_an_hour(),
        description: Some("The server is down.".to_owned()),
    };
    assert_eq!(sleeper.ends(&taken, rest), Lease::Held);
    let shown = at(&broker, &["operations", "show", id, "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(shown["description"], "The server is down.");
    assert_eq!(
        (&shown["tries"], &shown["owner"]),
        (&json!(1), &Value::Null)
    );

    let ran = at(&broker, &["operations", "retry", id]).exits(0);
    assert_told(&ran, "let go on", id, instance);
    comes_to(&broker, instance, 200, "succeeded");
    let shown = at(&broker, &["operations", "show", id, "--format", "json"])
        .exits(0)
        .json();
    // The second attempt, and the first that counts.
    assert_eq!((&shown["attempt"], &shown["tries"]), (&json!(2), &json!(1)));
}

fn what_is_forgotten_is_gone_and_its_late_result_too(engine: Engine) {
    let broker = scene(engine);
    let sleeper = Sleeper::beside(&broker);
    let taken = sleeper.leases();
    let instance = taken.instance.id.as_str();
    let asked = at(&broker, &["instances", "forget", instance]).exits(2);
    assert!(asked.err.contains("say --yes to do it"), "{}", asked.err);
    assert_eq!(
        broker.poll(instance).json()["state"],
        "in progress",
        "nothing was done"
    );

    let ran = at(&broker, &["instances", "forget", instance, "--yes"]).exits(0);
    assert_told(&ran, "forgotten", "", instance);
    assert_eq!(broker.poll(instance).status, 410);
    at(&broker, &["instances", "show", instance]).exits(1);
    at(&broker, &["instances", "forget", instance, "--yes"]).exits(1);
    at(&broker, &["operations", "list", "--state", "in-progress"]).exits(1);

    // One of the same id does not begin beside what may still act for the old one.
    assert_eq!(
        broker
            .put(&later(&at_instance(instance)), &of("later"))
            .status,
        202
    );
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(broker.poll(instance).json()["state"], "in progress");
    assert_eq!(sleeper.ends(&taken, made(&taken)), Lease::Lost);
    comes_to(&broker, instance, 200, "succeeded");
}

fn an_instance_is_forgotten_with_its_bindings(engine: Engine) {
    let broker = scene(engine);
    assert_eq!(broker.provision("i", &of("now")).status, 201);
    assert_eq!(broker.bind("i", "b", &of("now")).status, 201);
    let gone = at(
        &broker,
        &["instances", "forget", "i", "--yes", "--format", "json"],
    );
    assert_eq!(
        gone.exits(0).json(),
        json!({ "forgotten": "i", "bindings": 1 })
    );
    assert_eq!(broker.fetch_binding("i", "b").status, 404);
    assert_eq!(broker.poll_binding("i", "b").status, 410);
    assert_eq!(broker.deprovision("i", "s", "now").status, 410);
    assert_eq!(broker.provision("i", &of("now")).status, 201);
}

fn instances_are_found_by_plan_organization_and_state_page_by_page(engine: Engine) {
    let broker = scene(engine);
    for (name, organization) in [("a", "org-1"), ("b", "org-2"), ("c", "org-1")] {
        let mut body = of("now");
        body["organization_guid"] = json!(organization);
        assert_eq!(broker.provision(name, &body).status, 201);
    }
    let taken = Sleeper::beside(&broker).leases();
    for (filter, expected) in [
        (&["--plan", "now"][..], &["a", "b", "c"][..]),
        (
            &["--plan", "service/now", "--organization", "org-1"],
            &["a", "c"],
        ),
        (
            &["--service", "service", "--state", "in-progress"],
            &[taken.instance.id.as_str()],
        ),
        (&["--service", "nowhere"], &[]),
        (&["--plan", "now", "--after", "a", "--limit", "1"], &["b"]),
    ] {
        let arguments = [&["instances", "list", "--format", "json"][..], filter].concat();
        let ran = at(&broker, &arguments).exits(i32::from(expected.is_empty()));
        let found: Vec<String> = ran.json()["instances"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|instance| instance["id"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(found, expected, "{filter:?}");
    }
    let page = at(
        &broker,
        &["instances", "list", "--limit", "2", "--format", "json"],
    );
    assert_eq!(page.exits(0).json()["next"], "b");
    let table = at(&broker, &["instances", "list", "--limit", "2"]).exits(0);
    let lines: Vec<&str> = table.out.lines().collect();
    assert!(
        lines[0].starts_with("ID  PLAN         ORGANIZATION  SPACE    STATE"),
        "{}",
        table.out
    );
    assert!(
        lines[1].starts_with("a   service/now  org-1"),
        "{}",
        table.out
    );
    assert!(table.err.contains("--after b"), "{}", table.err);
}

fn nothing_that_is_under_lock_is_shown_unless_it_is_asked_for(engine: Engine) {
    let broker = scene(engine);
    assert_eq!(broker.provision("i", &of("now")).status, 201);
    assert_eq!(broker.bind("i", "b", &of("now")).status, 201);
    for arguments in [
        &["instances", "list"][..],
        &["instances", "list", "--format", "json"],
        &["instances", "show", "i"],
        &["instances", "show", "i", "--format", "json"],
        &["instances", "forget", "i"],
        &["operations", "list"],
        &["operations", "list", "--format", "json"],
        &["store", "stats"],
        &["store", "stats", "--format", "json"],
    ] {
        let ran = at(&broker, arguments);
        assert!(!ran.out.contains("MARKED"), "{arguments:?}: {}", ran.out);
        assert!(!ran.err.contains("MARKED"), "{arguments:?}: {}", ran.err);
    }
    let shown = at(&broker, &["instances", "show", "i", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(shown["parameters"], json!({ "password": "***" }));
    assert_eq!(shown["bindings"][0]["credentials"]["password"], "***");

    // The counter-proof: it is there.
    for format in ["people", "json"] {
        let ran = at(
            &broker,
            &["instances", "show", "i", "--reveal", "--format", format],
        )
        .exits(0);
        for secret in [
            "MARKED-parameter",
            "MARKED-context",
            "MARKED-i",
            "\"password\":",
        ] {
            assert!(ran.out.contains(secret), "{secret}: {}", ran.out);
        }
        let binding = broker.fetch_binding("i", "b").json();
        let password = binding["credentials"]["password"].as_str().expect("a text");
        assert!(ran.out.contains(password), "{}", ran.out);
    }
}

fn what_cannot_be_worked_on_is_said(engine: Engine) {
    let broker = scene(engine);
    for (arguments, code, said) in [
        (
            &["instances", "show", "nowhere"][..],
            1,
            "there is no instance nowhere",
        ),
        (
            &["operations", "show", "nowhere"],
            1,
            "there is no operation nowhere",
        ),
        (
            &["operations", "retry", "nowhere"],
            1,
            "there is no operation nowhere",
        ),
        (
            &["operations", "give-up", "nowhere"],
            1,
            "there is no operation nowhere",
        ),
        (
            &["instances", "list", "--store", "none"],
            2,
            "remembers nothing",
        ),
        (
            &["instances", "list", "--store", "sqlite:not/there.db"],
            2,
            "there is no file not/there.db",
        ),
        (
            &["instances", "list", "--store", "sqlite:catalog.yaml"],
            2,
            "not a SQLite database",
        ),
        (&["instances", "list", "--limit", "0"], 2, "--limit"),
        (&["instances"], 2, "Usage"),
    ] {
        let ran = at(&broker, arguments).exits(code);
        assert!(ran.err.contains(said), "{arguments:?}: {}", ran.err);
    }
    assert!(
        !broker.folder.path().join("not").exists(),
        "nothing is made by looking"
    );
}
