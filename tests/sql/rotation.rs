//! Logins that are renewed under an application that never loses access: by a platform that rotates, by Cloud Foundry's
//! way, and where the old ones end by themselves.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::harness::{Broker, Setup};
use crate::server::{self, Server};
use crate::stage::{Login, asked_bind, psql};

/// Nothing takes so long.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long a login lives that ends by itself: no machine is so busy that a rotation takes as long.
const TTL: Duration = Duration::from_secs(20);

const CATALOG: &str = r#"
services:
  - id: db
    name: db
    description: A database
    bindable: true
    bindings_retrievable: true
    respond: sync
    backend: { sql: { server: "${ADMIN}" }, statements: SET }
    plans:
      - { id: lasting, name: lasting, description: Logins last, binding_rotatable: true }
      - { id: ending, name: ending, description: Logins end, binding_rotatable: true, binding: { ttl: TTLs, renew_before: 5s } }
"#;

/// What a statement of whoever has a login comes to, on the test's own server.
type Client = Arc<dyn Fn(&Login, &str) -> Result<String, String> + Send + Sync>;

struct Stage {
    client: Client,
    /// What the server says to a login that is gone.
    refusal: &'static str,
    broker: Broker,
}

/// A client of a server of its kind, and the administrator's URL.
fn client(set: &str) -> (Client, &'static str, String) {
    if set.starts_with("mysql/") {
        let server = Server::start(&[]);
        let url = server.url("");
        let says = move |login: &Login, statement: &str| {
            let [user, password, database] =
                ["username", "password", "database"].map(|key| login.text(key));
            // All of it is kept, for it stops when it is dropped.
            let kept: &Server = &server;
            server::says(server::statement(
                kept.port, user, password, database, statement,
            ))
        };
        return (Arc::new(says), "Access denied", url);
    }
    let cluster = Cluster::start(&[]);
    let url = cluster.url("postgres");
    let says = move |login: &Login, statement: &str| psql(&cluster, &login.uri(), statement);
    (Arc::new(says), "authentication failed", url)
}

impl Stage {
    fn new(set: &str, plan: &str) -> Self {
        let (client, refusal, url) = client(set);
        let catalog = CATALOG.replace("TTL", &TTL.as_secs().to_string());
        let broker = Setup::new(&catalog.replace("SET", set))
            .env("ADMIN", &url)
            .env("BROKER_BINDINGS__GRACE", "0s")
            .env("BROKER_OPERATIONS__LOOK_EVERY", "50ms")
            .start();
        let asked = json!({ "service_id": "db", "plan_id": plan, "organization_guid": "o", "space_guid": "s" });
        let made = broker.provision("i", &asked);
        assert_eq!(made.status, 201, "{}", made.text());
        Self {
            client,
            refusal,
            broker,
        }
    }

    fn bound(&self, id: &str, body: &Value) -> (Login, Value) {
        let bound = self.broker.bind("i", id, body);
        assert_eq!(bound.status, 201, "{}\n{}", bound.text(), self.broker.log());
        let answer = bound.json();
        (
            Login(answer["credentials"].clone()),
            answer["metadata"].clone(),
        )
    }

    fn says(&self, login: &Login, statement: &str) -> Result<String, String> {
        (self.client)(login, statement)
    }

    fn assert_refused(&self, login: &Login) {
        let said = self
            .says(login, "SELECT 1")
            .expect_err("a login that is gone");
        assert!(said.contains(self.refusal), "{said}");
    }
}

/// An application that writes all the time, with the login that it was last given.
struct Application {
    login: Arc<RwLock<Login>>,
    written: Arc<AtomicU64>,
    stops: Arc<AtomicBool>,
    runs: JoinHandle<Result<(), String>>,
}

impl Application {
    fn start(stage: &Stage, login: Login) -> Self {
        stage
            .says(&login, "CREATE TABLE written (n bigint)")
            .expect("a table");
        let login = Arc::new(RwLock::new(login));
        let (written, stops) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (client, uses) = (Arc::clone(&stage.client), Arc::clone(&login));
        let (counts, stopped) = (Arc::clone(&written), Arc::clone(&stops));
        let runs = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                // As long as it is used, nobody gives it another one.
                let login = uses.read().expect("a login");
                client(&login, "INSERT INTO written (n) VALUES (1)")?;
                counts.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        Self {
            login,
            written,
            stops,
            runs,
        }
    }

    /// From now on it uses this one; the one before.
    fn is_given(&self, login: Login) -> Login {
        std::mem::replace(&mut *self.login.write().expect("a login"), login)
    }

    /// It goes on writing.
    fn goes_on(&self) {
        let (before, until) = (
            self.written.load(Ordering::Relaxed),
            Instant::now() + PATIENCE,
        );
        while self.written.load(Ordering::Relaxed) < before + 2 {
            assert!(!self.runs.is_finished(), "it lost its access");
            assert!(Instant::now() < until, "it stands still");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// It never lost its access, and all that it wrote is there.
    fn stops(self, stage: &Stage) {
        self.stops.store(true, Ordering::Relaxed);
        let ended = self.runs.join().expect("no panic");
        assert_eq!(ended, Ok(()), "it lost its access");
        let login = self.login.read().expect("a login");
        let there = stage.says(&login, "SELECT count(*) FROM written");
        assert_eq!(there, Ok(self.written.load(Ordering::Relaxed).to_string()));
    }
}

/// Binds once more in some way, gives the application the new login, and takes the old one away.
fn renewed(set: &str, renewal: impl Fn(usize) -> Value) {
    let stage = Stage::new(set, "lasting");
    let (login, _) = stage.bound("b0", &asked_bind("lasting"));
    let application = Application::start(&stage, login);
    for turn in 1..=3 {
        application.goes_on();
        let (next, _) = stage.bound(&format!("b{turn}"), &renewal(turn));
        application.goes_on();
        // Both are good at the same time, for the same tables.
        let any = "SELECT n FROM written LIMIT 1";
        assert_eq!(stage.says(&next, any), Ok("1".to_owned()));
        let old = application.is_given(next);
        assert_eq!(stage.says(&old, any), Ok("1".to_owned()));
        let gone = stage
            .broker
            .unbind("i", &format!("b{}", turn - 1), "db", "lasting");
        assert_eq!(gone.status, 200, "{}", gone.text());
        stage.assert_refused(&old);
        application.goes_on();
        stage
            .says(
                &application.login.read().expect("a login"),
                "ALTER TABLE written ADD IF NOT EXISTS m int",
            )
            .expect("what the first login made is its own too");
    }
    application.stops(&stage);
}

/// By a platform that rotates, and by Cloud Foundry's way: another binding of the same application and instance.
fn renewed_both_ways(set: &str) {
    renewed(
        set,
        |turn| json!({ "predecessor_binding_id": format!("b{}", turn - 1) }),
    );
    renewed(set, |_| asked_bind("lasting"));
}

#[test]
fn an_application_never_loses_its_database() {
    renewed_both_ways("postgresql/database");
}

#[test]
fn an_application_never_loses_its_schema() {
    renewed_both_ways("postgresql/schema");
}

#[test]
fn an_application_never_loses_its_database_on_mariadb() {
    renewed_both_ways("mysql/database");
}

#[test]
fn logins_end_by_themselves_under_an_application_that_is_given_new_ones_in_time() {
    let stage = Stage::new("postgresql/database", "ending");
    let (login, metadata) = stage.bound("b0", &asked_bind("ending"));
    assert!(metadata["expires_at"].is_string() && metadata["renew_before"].is_string());
    let application = Application::start(&stage, login);
    let mut old = Vec::new();
    let until = Instant::now() + PATIENCE;
    let mut turn = 0;
    // Until the first has ended, and the second after it.
    while stage.broker.fetch_binding("i", "b0").status != 404
        || stage.broker.fetch_binding("i", "b1").status != 404
    {
        assert!(Instant::now() < until, "{}", stage.broker.log());
        turn += 1;
        let successor = json!({ "predecessor_binding_id": format!("b{}", turn - 1) });
        let (next, _) = stage.bound(&format!("b{turn}"), &successor);
        old.push(application.is_given(next));
        application.goes_on();
        thread::sleep(Duration::from_secs(1));
    }
    for gone in &old[..2] {
        stage.assert_refused(gone);
    }
    let log = stage.broker.log();
    assert!(log.contains("expired: the broker unbinds it"), "{log}");
    application.stops(&stage);
}
