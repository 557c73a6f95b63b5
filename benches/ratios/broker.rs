//! The broker under measurement, with a folder of its own.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::http::Request;
use crate::process::Process;

pub const SERVICE: &str = "6f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f10";
pub const PLAN: &str = "0c1e3a0e-4a2b-4f38-9a3e-0f6a4f1c2d11";

/// One offering as an operator would write it.
pub const CATALOG: &str = r#"
minimum_api_version: "2.10"
services:
  - id: 6f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f10
    name: shared-postgres
    description: A database on the shared cluster
    bindable: true
    instances_retrievable: true
    bindings_retrievable: true
    tags: [postgresql, relational]
    metadata: { displayName: Shared PostgreSQL }
    values: { host: pg.example.com }
    plans:
      - id: 0c1e3a0e-4a2b-4f38-9a3e-0f6a4f1c2d11
        name: small
        description: 1 GB
        instance:
          values: { database: "cf_{{ instance.id }}" }
          dashboard_url: "https://pg.example.com/{{ instance.values.database }}"
        binding:
          values: { password: "{{ random_password(32) }}" }
          credentials:
            uri: "postgres://app:{{ binding.values.password | urlencode }}@{{ values.host }}/{{ instance.values.database }}"
"#;

/// The program, built with the release profile.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_catalog-broker"))
}

/// A folder that goes when the measurement does. It is in the build's folder, so that it is on a disk and not in memory.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "ratios-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub fn with(catalog: &str) -> Self {
        let folder = Self::new();
        fs::write(folder.0.join("catalog.yaml"), catalog).expect("a catalog");
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The command that serves what is in `folder`, on two workers; `log` is a filter.
pub fn command(folder: &Folder, log: &str) -> Command {
    let mut command = Command::new(program());
    settings(&mut command, folder, log);
    command
}

/// What every measured broker is told.
pub fn settings(command: &mut Command, folder: &Folder, log: &str) {
    command
        .current_dir(&folder.0)
        .env_clear()
        .env("PORT", "0")
        .env("BROKER_SERVER__ADDRESS", "127.0.0.1")
        .env("BROKER_SERVER__WORKERS", "2")
        .env("BROKER_AUTH__USERNAME", "u")
        .env("BROKER_AUTH__PASSWORD", "p")
        // The line that says where it listens is wanted in any case.
        .env("RUST_LOG", format!("catalog_broker::app=info,{log}"));
}

/// With all that watches it in earnest: the login known by its hash, and an account of changes. Metrics are always on.
pub fn in_earnest(command: &mut Command) -> &mut Command {
    static HASH: OnceLock<String> = OnceLock::new();
    let hash = HASH.get_or_init(hash);
    command
        .env_remove("BROKER_AUTH__USERNAME")
        .env_remove("BROKER_AUTH__PASSWORD")
        .env("BROKER_AUTH__LOGINS__PLATFORM__USERNAME", "u")
        .env("BROKER_AUTH__LOGINS__PLATFORM__PASSWORD_HASH", hash)
        .env("BROKER_AUDIT__TO", "file:audit.log")
}

/// What the program makes of the password.
fn hash() -> String {
    let mut hashing = Command::new(program())
        .args(["login", "hash"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut stdin = hashing.stdin.take().expect("its input");
    stdin.write_all(b"p\n").expect("the password");
    drop(stdin);
    let made = hashing.wait_with_output().expect("its end");
    assert!(made.status.success(), "a hash");
    String::from_utf8(made.stdout)
        .expect("a text")
        .trim()
        .to_owned()
}

pub fn start(folder: &Folder, log: &str) -> (Process, SocketAddr) {
    Process::listening(&mut command(folder, log))
}

/// A request with what the API asks for.
pub fn request(method: &str, path: &str) -> Request {
    Request::new(method, path)
        .header("Authorization", "Basic dTpw")
        .header("X-Broker-API-Version", "2.17")
}

pub fn provision(instance: &str) -> Request {
    request("PUT", &format!("/v2/service_instances/{instance}")).json(&provision_body())
}

/// What Cloud Foundry sends.
pub fn provision_body() -> Value {
    json!({
        "service_id": SERVICE,
        "plan_id": PLAN,
        "organization_guid": "1113aa0d-124e-4af2-1526-6bfacf61b111",
        "space_guid": "aaaa1234-da91-4f12-8ffa-b51d0336aaaa",
        "context": {
            "platform": "cloudfoundry",
            "organization_guid": "1113aa0d-124e-4af2-1526-6bfacf61b111",
            "organization_name": "system",
            "space_guid": "aaaa1234-da91-4f12-8ffa-b51d0336aaaa",
            "space_name": "development",
            "instance_name": "my-db",
        },
        "parameters": {},
    })
}
