//! A plan, an instance and a binding to try a program on, and eyes for its processes and for the log.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use catalog_broker::backend::{Command, CommandSettings};
use catalog_broker::catalog::{Memory, load_texts};
use catalog_broker::document::Environment;
use catalog_broker::domain::backend::{Acting, Backend as _, Outcome, Previous, Progress, Work};
use catalog_broker::domain::binding::{Binding, BindingDetails};
use catalog_broker::domain::caller::OriginatingIdentity;
use catalog_broker::domain::catalog::Catalog;
use catalog_broker::domain::id::{BindingId, InstanceId, OperationId, PlanId, ServiceId};
use catalog_broker::domain::instance::{Instance, InstanceDetails};
use catalog_broker::domain::json::{Fingerprint, Object};
use catalog_broker::domain::operation::{Kind, LastOperation, State};
use catalog_broker::domain::time::Timestamp;
use catalog_broker::domain::trace::Trace;
use catalog_broker::secret::Secret;
use serde_json::{Value, json};

const CATALOG: &str = "
services:
  - id: s
    name: bucket
    description: A bucket
    bindable: true
    plan_updateable: true
    plans:
      - { id: p, name: small, description: Small, values: { quota: 5 } }
      - { id: q, name: large, description: Large, values: { quota: 50 } }
";

/// How long anything may take that is to happen at once.
pub const SOON: Duration = Duration::from_secs(10);

/// All that an attempt is about, and a folder of the test's own.
pub struct Stage {
    pub catalog: Arc<Catalog>,
    pub instance: Instance,
    pub previous: Option<Instance>,
    pub binding: Binding,
    pub identity: Option<OriginatingIdentity>,
    pub trace: Option<Trace>,
    pub operation: OperationId,
    pub attempt: u32,
    pub until: Timestamp,
    folder: PathBuf,
}

/// What was said of progress.
#[derive(Default)]
pub struct Heard(Mutex<Vec<String>>);

impl Stage {
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let folder = std::env::temp_dir().join(format!("broker-backends-{process}-{number}"));
        fs::create_dir_all(folder.join("scratch")).expect("a folder of the test's own");
        Self::at(folder)
    }

    /// In a folder that is there.
    pub fn at(folder: PathBuf) -> Self {
        listen();
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).expect("chance");
        let operation = OperationId::from_random(bits);
        Self {
            catalog: catalog(),
            instance: instance(&operation),
            previous: None,
            binding: binding(&operation),
            trace: None,
            identity: Some(OriginatingIdentity {
                platform: "cloudfoundry".to_owned(),
                value: object(&json!({ "user_id": "u" })),
            }),
            operation,
            attempt: 1,
            until: Timestamp(i64::MAX),
            folder,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A file that the program leaves; waits until it is there, whole.
    pub fn read(&self, name: &str) -> String {
        let path = self.path(name);
        until(&format!("{name} is there"), || {
            fs::read_to_string(&path).is_ok_and(|text| text.ends_with('\n'))
        });
        fs::read_to_string(&path).expect("text").trim().to_owned()
    }

    /// The number of a process that wrote it into a file.
    pub fn pid(&self, name: &str) -> u32 {
        self.read(name).parse().expect("a number")
    }

    /// A shell program; `$T` is the test's folder.
    pub fn shell(&self, script: &str) -> CommandSettings {
        self.program(&["/bin/sh", "-c", script])
    }

    pub fn program(&self, run: &[&str]) -> CommandSettings {
        let run = run.iter().map(|word| (*word).to_owned()).collect();
        let folder = self.folder.to_str().expect("text").to_owned();
        CommandSettings {
            env: vec![("T".to_owned(), Secret::new(folder))],
            scratch: self.path("scratch"),
            supervisor: env!("CARGO_BIN_EXE_catalog-broker").into(),
            ..CommandSettings::new("test", run)
        }
    }

    /// One attempt, to its end.
    pub fn attempt(&self, kind: Kind, settings: CommandSettings) -> Outcome {
        self.heard(kind, settings).0
    }

    /// One attempt, and what was said of its progress.
    pub fn heard(&self, kind: Kind, settings: CommandSettings) -> (Outcome, Vec<String>) {
        let heard = Heard::default();
        let outcome = self.run(kind, settings, &heard);
        assert!(
            self.leftovers().is_empty(),
            "working folders stay: {:?}",
            self.leftovers()
        );
        (outcome, heard.0.into_inner().expect("whole"))
    }

    /// One attempt that may leave its folder behind.
    pub fn attempt_unswept(&self, settings: CommandSettings) -> Outcome {
        self.run(Kind::Provision, settings, &Heard::default())
    }

    fn run(&self, kind: Kind, settings: CommandSettings, heard: &Heard) -> Outcome {
        let command = Command::new(settings);
        actix_web::rt::System::new().block_on(self.acting(&command, kind, heard))
    }

    pub fn acting<'a>(&'a self, command: &'a Command, kind: Kind, heard: &'a Heard) -> Acting<'a> {
        command.carry_out(self.work(kind), heard)
    }

    fn work(&self, kind: Kind) -> Work<'_> {
        Work {
            operation: &self.operation,
            kind,
            attempt: self.attempt,
            started_at: Timestamp(0),
            until: self.until,
            chosen: self
                .catalog
                .choose(&self.instance.service_id, &self.instance.plan_id)
                .expect("a plan"),
            instance: &self.instance,
            previous: self.previous.as_ref().map(|instance| Previous {
                instance,
                plan_name: Some("before"),
            }),
            binding: matches!(kind, Kind::Bind | Kind::Unbind).then_some(&self.binding),
            clock: || Timestamp(0),
            identity: self.identity.as_ref(),
            trace: self.trace.as_ref(),
        }
    }

    /// The lines of the log with the operation's id.
    pub fn log(&self) -> Vec<String> {
        let lines = LOG.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = lines.iter().filter(|(id, _)| id == self.operation.as_str());
        ours.map(|(_, line)| line.clone()).collect()
    }

    /// Working folders that were not removed.
    pub fn leftovers(&self) -> Vec<PathBuf> {
        let folders = fs::read_dir(self.path("scratch")).expect("a folder");
        folders
            .map(|entry| entry.expect("an entry").path())
            .collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Progress for Heard {
    fn say(&self, description: &str) {
        self.0.lock().expect("whole").push(description.to_owned());
    }
}

/// Waits for what is to come.
pub fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < SOON, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process runs; one that is dead and not yet buried does not.
pub fn lives(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        let state = stat.rsplit_once(") ").map(|(_, rest)| rest.chars().next());
        !matches!(state, Some(Some('Z' | 'X')))
    })
}

/// An outcome as a word and its sentence.
pub fn told(outcome: Outcome) -> (&'static str, String) {
    match outcome {
        Outcome::Done(done) => ("done", done.description.unwrap_or_default()),
        Outcome::Refused(refusal) => ("refused", refusal.description),
        Outcome::Failed(failure) => ("failed", failure.description),
        Outcome::Again { description, .. } => ("again", description.unwrap_or_default()),
    }
}

/// The outputs and the state of what is done.
pub fn done(outcome: Outcome) -> (Value, Value) {
    match outcome {
        Outcome::Done(done) => (
            Value::Object(done.outputs.into_exposed()),
            done.state.map_or(Value::Null, Secret::into_exposed),
        ),
        other => panic!("not done: {other:?}"),
    }
}

/// A file of the repository.
pub fn ours(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    path.to_str().expect("text").to_owned()
}

fn catalog() -> Arc<Catalog> {
    let none: Vec<(&str, &str)> = Vec::new();
    let environment = Environment::new(Vec::<(String, String)>::new());
    let loaded = load_texts(
        vec![("catalog.yaml", CATALOG)],
        &environment,
        none,
        Memory::Remembers,
    );
    loaded.catalog.expect("a catalog without errors")
}

fn instance(operation: &OperationId) -> Instance {
    Instance {
        id: InstanceId::parse("i-1").expect("an id"),
        service_id: ServiceId::parse("s").expect("an id"),
        plan_id: PlanId::parse("p").expect("an id"),
        organization: "o".to_owned(),
        space: "x".to_owned(),
        last_operation: last(operation, Kind::Provision),
        version: 1,
        backend: Some("test".into()),
        fingerprint: Fingerprint([0; 32]),
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
        details: Secret::new(InstanceDetails {
            parameters: object(&json!({ "size": 3, "text": "ü \"quoted\"\n" })),
            state: Some(json!({ "made": true })),
            ..InstanceDetails::default()
        }),
    }
}

fn binding(operation: &OperationId) -> Binding {
    Binding {
        instance_id: InstanceId::parse("i-1").expect("an id"),
        id: BindingId::parse("b-1").expect("an id"),
        service_id: ServiceId::parse("s").expect("an id"),
        plan_id: PlanId::parse("p").expect("an id"),
        app_guid: Some("a".to_owned()),
        last_operation: last(operation, Kind::Bind),
        fingerprint: Fingerprint([0; 32]),
        created_at: Timestamp(0),
        details: Secret::new(BindingDetails::default()),
    }
}

fn last(operation: &OperationId, kind: Kind) -> LastOperation {
    LastOperation {
        id: operation.clone(),
        kind,
        state: State::InProgress,
    }
}

fn object(value: &Value) -> Object {
    value.as_object().expect("an object").clone()
}

/// Operation and message of every line.
static LOG: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

struct Ears;

impl log::Log for Ears {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.target() == "backend" {
            let operation = record.key_values().get("operation".into());
            let operation = operation.map_or_else(String::new, |id| id.to_string());
            let mut lines = LOG.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push((operation, record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Ears).expect("the first logger");
        log::set_max_level(log::LevelFilter::Debug);
    });
}
