//! A database that does not answer, and says nothing either.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::fleet::{PATIENCE, signal_all};
use crate::harness::{Folder, Setup, at_instance};

const CATALOG: &str = r#"
services:
  - id: s
    name: s
    description: Has a program that takes its time
    bindable: false
    backend: { command: { run: ["/bin/sh", "-c", "echo $$ > FOLDER/pid; exec sleep 600"], env: { PATH: /usr/bin:/bin } } }
    plans: [{ id: p, name: p, description: Later, respond: async }]
"#;

/// Whether a lease was renewed is not known: so whoever acts stops before it ends, however long the database is waited for.
#[test]
fn who_cannot_renew_its_lease_stops_before_its_end() {
    let server = Cluster::start(&[]);
    let root = Folder::new();
    let broker = Setup::new(&CATALOG.replace("FOLDER", &root.path().display().to_string()))
        .env("BROKER_STORE__URL", &server.url(&server.database()))
        .env("BROKER_STORE__TIMEOUT", "300s")
        .env("BROKER_OPERATIONS__LEASE", "2s")
        .start();
    let body = serde_json::json!({
        "service_id": "s", "plan_id": "p", "organization_guid": "o", "space_guid": "s",
    });
    let path = format!("{}?accepts_incomplete=true", at_instance("i"));
    assert_eq!(broker.put(&path, &body).status, 202);
    let pid = loop {
        let text = fs::read_to_string(root.path().join("pid")).unwrap_or_default();
        if text.ends_with('\n') {
            break text.trim().to_owned();
        }
        thread::sleep(Duration::from_millis(10));
    };
    let program = Path::new("/proc").join(&pid);
    assert!(program.exists(), "it runs");
    signal_all(&server, "-STOP");
    let until = Instant::now() + PATIENCE;
    while program.exists() {
        assert!(
            Instant::now() < until,
            "it acts on, long after its lease:\n{}",
            broker.log()
        );
        thread::sleep(Duration::from_millis(20));
    }
    signal_all(&server, "-CONT");
    broker.wait_for_log("its lease was not renewed in time");
}
