//! Starts the real binary with a folder and a store of its own, and has the platform's verbs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::checker;
use crate::cluster::Cluster;
use crate::http::{self, Request, Response};

pub const USER: &str = "platform";
pub const PASSWORD: &str = "pa:ss w0rd";

/// The token of who reads the metrics.
pub const WATCH: &str = "w4tch";

pub const SERVICE: &str = "6f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f10";
pub const PLAN: &str = "0c1e3a0e-4a2b-4f38-9a3e-0f6a4f1c2d11";

/// The setting that the store is sealed by.
pub const KEYS: &str = "BROKER_STORE__KEYS";

/// What brokers on a database are sealed with where a test does not say: 32 times the letter k.
pub const KEY: &str = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";

/// One PostgreSQL for all tests that do not stop theirs.
pub static SERVER: LazyLock<Cluster> = LazyLock::new(|| Cluster::start(&[]));

/// A folder that goes when the test does.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "catalog-broker-test-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder of the test's own");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).expect("a folder inside");
        }
        fs::write(&path, text).expect("a file of the test's own");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How a broker is to be started.
#[derive(Clone, Default)]
pub struct Setup {
    catalog: String,
    environment: BTreeMap<String, String>,
    absent: Vec<String>,
    arguments: Vec<String>,
    binary: Option<PathBuf>,
}

impl Setup {
    /// With this catalog document.
    pub fn new(catalog: &str) -> Self {
        Self {
            catalog: catalog.to_owned(),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Without a variable that every broker of the tests is given.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.absent.push(name.to_owned());
        self
    }

    #[must_use]
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Another binary than the one of this build.
    #[must_use]
    pub fn binary(mut self, path: &Path) -> Self {
        self.binary = Some(path.to_owned());
        self
    }

    /// With a login for the metrics.
    #[must_use]
    pub fn watched(self) -> Self {
        self.env("BROKER_AUTH__LOGINS__WATCH__TOKEN", WATCH)
            .env("BROKER_AUTH__LOGINS__WATCH__ROLE", "metrics")
    }

    /// Starts it; panics with what it said where it does not.
    pub fn start(self) -> Broker {
        let folder = Folder::new();
        folder.write("catalog.yaml", &self.catalog);
        Broker::start(self, Arc::new(folder))
    }

    /// Starts it in a folder that holds a catalog already: after another one, for instance.
    pub fn start_in(self, folder: &Arc<Folder>) -> Broker {
        if !self.catalog.is_empty() {
            folder.write("catalog.yaml", &self.catalog);
        }
        Broker::start(self, Arc::clone(folder))
    }

    /// Runs it to its end: for what must not start, and for commands that are not `serve`.
    pub fn run(self) -> (ExitStatus, String, String) {
        let folder = Folder::new();
        folder.write("catalog.yaml", &self.catalog);
        self.run_in(&folder)
    }

    pub fn run_in(self, folder: &Folder) -> (ExitStatus, String, String) {
        let output = self.command(folder).output().expect("the binary runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status, text(&output.stdout), text(&output.stderr))
    }

    /// An environment of its own, so that nothing of the developer's reaches the broker.
    pub fn command(&self, folder: &Folder) -> Command {
        let binary = self
            .binary
            .clone()
            .unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_catalog-broker")));
        let mut command = Command::new(binary);
        command
            .args(&self.arguments)
            .current_dir(folder.path())
            .env_clear()
            .env("PORT", "0")
            .env("BROKER_SERVER__ADDRESS", "127.0.0.1")
            .env("BROKER_SERVER__WORKERS", "2")
            .env("BROKER_AUTH__USERNAME", USER)
            .env("BROKER_AUTH__PASSWORD", PASSWORD)
            .envs(&self.environment)
            .stdin(Stdio::null());
        if let Some(url) = self.elsewhere(folder) {
            command.env("BROKER_STORE__URL", url).env(KEYS, KEY);
        } else if self.uses_a_database() && !self.environment.contains_key(KEYS) {
            command.env(KEYS, KEY);
        }
        for name in &self.absent {
            command.env_remove(name);
        }
        command
    }

    /// Then it is given a key, without which it would not start.
    fn uses_a_database(&self) -> bool {
        let texts = self.environment.values().chain(&self.arguments);
        texts.into_iter().any(|text| text.contains("postgres://"))
    }

    /// With `TEST_STORE=postgres` brokers that would take sqlite in its default place have a database for their folder
    /// instead: `TEST_STORE=postgres cargo test --test api -- acting later machine` runs these tests on it.
    #[expect(
        clippy::disallowed_methods,
        reason = "the environment of the tests, not of the broker"
    )]
    fn elsewhere(&self, folder: &Folder) -> Option<String> {
        let names_one = ["BROKER_STORE__URL", "DATABASE_URL"]
            .iter()
            .any(|name| self.environment.contains_key(*name))
            || !self.arguments.is_empty();
        if names_one || std::env::var("TEST_STORE").as_deref() != Ok("postgres") {
            return None;
        }
        let file = folder.path().join("database");
        let name = fs::read_to_string(&file).unwrap_or_else(|_| {
            let name = SERVER.database();
            fs::write(&file, &name).expect("a note of its name");
            name
        });
        Some(SERVER.url(&name))
    }
}

/// A broker that runs.
pub struct Broker {
    pub address: SocketAddr,
    pub folder: Arc<Folder>,
    /// What its answers are held against.
    pub requires: Vec<String>,
    child: Child,
    log: Arc<Mutex<String>>,
    setup: Setup,
}

impl Broker {
    fn start(setup: Setup, folder: Arc<Folder>) -> Self {
        let mut child = setup
            .command(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let log = Arc::new(Mutex::new(String::new()));
        let (listening, address) = mpsc::channel();
        gather(
            child.stdout.take().expect("its output"),
            &log,
            Some(listening),
        );
        gather(child.stderr.take().expect("its errors"), &log, None);
        let Ok(address) = address.recv_timeout(Duration::from_secs(30)) else {
            let _ = child.kill();
            let _ = child.wait();
            thread::sleep(Duration::from_millis(50));
            panic!(
                "the broker did not start:\n{}",
                log.lock().expect("the log")
            );
        };
        let mut broker = Self {
            address,
            folder,
            requires: Vec::new(),
            child,
            log,
            setup,
        };
        broker.requires = broker.declared_requires();
        broker
    }

    fn declared_requires(&self) -> Vec<String> {
        let base = self.base();
        let catalog = self
            .send_unchecked(&self.request("GET", &format!("{base}/v2/catalog")))
            .json();
        let services = catalog["services"].as_array().cloned().unwrap_or_default();
        services
            .iter()
            .flat_map(|service| service["requires"].as_array().cloned().unwrap_or_default())
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect()
    }

    fn base(&self) -> String {
        let base = self
            .setup
            .environment
            .get("BROKER_SERVER__BASE_PATH")
            .cloned()
            .unwrap_or_default();
        format!("/{}", base.trim_matches('/'))
            .trim_end_matches('/')
            .to_owned()
    }

    /// One more of the same, with a folder of its own.
    #[must_use]
    pub fn another(&self) -> Self {
        self.setup.clone().start()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it has written so far; what was written just now gets a moment to come through the pipe.
    pub fn log(&self) -> String {
        thread::sleep(Duration::from_millis(60));
        self.arrived()
    }

    /// All of it that has come through the pipe.
    fn arrived(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    /// Waits until the log has `text`.
    pub fn wait_for_log(&self, text: &str) {
        let until = Instant::now() + Duration::from_secs(10);
        while !self.arrived().contains(text) {
            assert!(
                Instant::now() < until,
                "the log never said {text:?}:\n{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// A request with all that the API asks for.
    #[expect(
        clippy::unused_self,
        reason = "it reads as what is asked of this broker"
    )]
    pub fn request(&self, method: &str, path: &str) -> Request {
        Request::new(method, path)
            .header("Authorization", &basic(USER, PASSWORD))
            .header("X-Broker-API-Version", "2.17")
    }

    /// Sends, and holds the answer against what platforms accept.
    pub fn send(&self, request: &Request) -> Response {
        let response = self.send_unchecked(request);
        if let Err(complaint) = checker::check(request, &response, &self.requires) {
            panic!(
                "{complaint}\n{} {}\n{}\n{}",
                request.method,
                request.path,
                response.status,
                response.text()
            );
        }
        response
    }

    pub fn send_unchecked(&self, request: &Request) -> Response {
        http::send(self.address, request).unwrap_or_else(|error| {
            panic!(
                "{} {}: {error}\n{}",
                request.method,
                request.path,
                self.log()
            )
        })
    }

    pub fn get(&self, path: &str) -> Response {
        self.send(&self.request("GET", path))
    }

    pub fn put(&self, path: &str, body: &Value) -> Response {
        self.send(&self.request("PUT", path).json(body))
    }

    pub fn patch(&self, path: &str, body: &Value) -> Response {
        self.send(&self.request("PATCH", path).json(body))
    }

    pub fn delete(&self, path: &str) -> Response {
        self.send(&self.request("DELETE", path))
    }

    pub fn catalog(&self) -> Response {
        self.get("/v2/catalog")
    }

    pub fn provision(&self, instance: &str, body: &Value) -> Response {
        self.put(&at_instance(instance), body)
    }

    pub fn fetch(&self, instance: &str) -> Response {
        self.get(&at_instance(instance))
    }

    pub fn update(&self, instance: &str, body: &Value) -> Response {
        self.patch(&at_instance(instance), body)
    }

    pub fn deprovision(&self, instance: &str, service: &str, plan: &str) -> Response {
        self.delete(&format!(
            "{}?service_id={service}&plan_id={plan}",
            at_instance(instance)
        ))
    }

    pub fn poll(&self, instance: &str) -> Response {
        self.get(&format!("{}/last_operation", at_instance(instance)))
    }

    pub fn bind(&self, instance: &str, binding: &str, body: &Value) -> Response {
        self.put(&at_binding(instance, binding), body)
    }

    pub fn fetch_binding(&self, instance: &str, binding: &str) -> Response {
        self.get(&at_binding(instance, binding))
    }

    pub fn unbind(&self, instance: &str, binding: &str, service: &str, plan: &str) -> Response {
        self.delete(&format!(
            "{}?service_id={service}&plan_id={plan}",
            at_binding(instance, binding)
        ))
    }

    pub fn poll_binding(&self, instance: &str, binding: &str) -> Response {
        self.get(&format!("{}/last_operation", at_binding(instance, binding)))
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let done = Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status();
        assert!(done.expect("kill runs").success(), "kill -{name}");
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait().expect("its status") {
                return status;
            }
            assert!(
                Instant::now() < until,
                "the broker did not end:\n{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Kills it and starts it again on the same folder.
    #[must_use]
    pub fn restarted(mut self) -> Self {
        self.kill();
        let setup = Setup {
            catalog: String::new(),
            ..self.setup.clone()
        };
        setup.start_in(&Arc::clone(&self.folder))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

fn gather(
    stream: impl std::io::Read + Send + 'static,
    log: &Arc<Mutex<String>>,
    listening: Option<mpsc::Sender<SocketAddr>>,
) {
    let log = Arc::clone(log);
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let address = line
                .split("listening on http://")
                .nth(1)
                .map(|rest| rest.split(['/', '"', ' ']).next());
            if let (Some(Some(address)), Some(listening)) = (address, &listening) {
                let _ = listening.send(address.parse().expect("an address"));
            }
            let _ = writeln!(log.lock().expect("the log"), "{line}");
        }
    });
}

pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

pub fn at_instance(instance: &str) -> String {
    format!("/v2/service_instances/{instance}")
}

pub fn at_binding(instance: &str, binding: &str) -> String {
    format!("{}/service_bindings/{binding}", at_instance(instance))
}

/// The body of a provision of the tests' plan.
pub fn provision_body() -> Value {
    json!({
        "service_id": SERVICE,
        "plan_id": PLAN,
        "organization_guid": "org-1",
        "space_guid": "space-1",
        "context": { "platform": "cloudfoundry", "organization_guid": "org-1", "space_guid": "space-1", "instance_name": "db" },
    })
}

/// The body of a bind of the tests' plan, for an app.
pub fn bind_body() -> Value {
    json!({
        "service_id": SERVICE,
        "plan_id": PLAN,
        "app_guid": "app-1",
        "bind_resource": { "app_guid": "app-1", "space_guid": "space-1" },
        "context": { "platform": "cloudfoundry", "organization_guid": "org-1", "space_guid": "space-1" },
    })
}

/// `body` with `key` set to `value`, or taken out where that is null.
pub fn with(mut body: Value, key: &str, value: Value) -> Value {
    let object = body.as_object_mut().expect("an object");
    if value.is_null() {
        object.remove(key);
    } else {
        object.insert(key.to_owned(), value);
    }
    body
}

/// An offering with everything that can be fetched, and two plans.
pub const CATALOG: &str = r#"
minimum_api_version: "2.10"
services:
  - id: 6f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f10
    name: shared-postgres
    description: A database on the shared cluster
    bindable: true
    instances_retrievable: true
    bindings_retrievable: true
    plan_updateable: true
    values: { host: "${PG_HOST:-localhost}" }
    binding:
      credentials:
        host: "{{ values.host }}"
    plans:
      - id: 0c1e3a0e-4a2b-4f38-9a3e-0f6a4f1c2d11
        name: small
        description: 1 GB
        instance:
          values: { database: "cf_{{ instance.id }}" }
          dashboard_url: "https://pg.example.com/{{ instance.values.database | urlencode }}"
        binding:
          values: { password: "{{ random_password(32) }}" }
          credentials:
            username: "u_{{ binding.id }}"
            password: "{{ binding.values.password }}"
            database: "{{ instance.values.database }}"
      - id: 4c4f5a52-6a9c-4b0f-8c0e-0f8e1fd0a5b7
        name: large
        description: 100 GB
        free: false
        instance:
          values: { database: "cf_{{ instance.id }}" }
        binding:
          credentials:
            database: "{{ instance.values.database }}"
"#;
