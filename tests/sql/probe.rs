//! `check --probe`: statements tried for real, twice up and twice down.

use crate::cluster::Cluster;
use crate::harness::Setup;
use crate::stage::{CATALOG, assert_same, dump};

/// Statements that stand it, and some that do not.
const OWN: &str = r#"
services:
  - id: db
    name: db
    description: d
    bindable: true
    respond: sync
    backend: { sql: { server: "${PG_ADMIN}" } }
    plans:
      - id: once
        name: once
        description: Cannot be made twice
        backend:
          statements:
            provision: [ CREATE ROLE probed_once ]
            deprovision: [ DROP ROLE probed_once ]
      - id: leaves
        name: leaves
        description: Takes away less than it makes
        backend:
          statements:
            provision: [ CREATE TABLE IF NOT EXISTS public.left_over (n int) ]
            bind: [ CREATE SCHEMA IF NOT EXISTS left_too ]
      - { id: nothing, name: nothing, description: Does nothing, backend: { fixed: {} } }
"#;

fn probed(cluster: &Cluster, catalog: &str, plan: &str) -> (Option<i32>, String) {
    let setup = Setup::new(catalog)
        .env("PG_ADMIN", &cluster.url("shared"))
        .arg("check")
        .arg("--probe")
        .arg(plan);
    let (status, out, err) = setup.run();
    (status.code(), out + &err)
}

fn cluster() -> Cluster {
    let cluster = Cluster::start(&[]);
    cluster.sql("postgres", "CREATE DATABASE shared");
    cluster.sql("shared", "CREATE SCHEMA library");
    cluster
}

#[test]
fn the_ready_made_sets_stand_it_and_leave_nothing() {
    let cluster = cluster();
    let before = dump(&cluster);
    for plan in ["database", "schema", "read-only"] {
        let (code, said) = probed(&cluster, CATALOG, plan);
        assert_eq!(code, Some(0), "{plan}: {said}");
        for line in [
            "provision: done",
            "bind, again: done",
            "deprovision, again: done",
        ] {
            assert!(said.contains(line), "{plan}: {said}");
        }
        assert!(said.contains("nothing is left behind"), "{plan}: {said}");
    }
    assert_same(&dump(&cluster), &before);
}

#[test]
fn what_cannot_be_run_twice_or_leaves_something_is_told() {
    let cluster = cluster();
    let (code, said) = probed(&cluster, OWN, "once");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("provision: done"), "{said}");
    assert!(
        said.contains("provision, again: The database server refused statement 1"),
        "{said}"
    );
    assert!(said.contains("deprovision: done"), "{said}");
    assert!(
        said.contains("deprovision, again: The database server refused"),
        "{said}"
    );
    assert!(said.contains("nothing is left behind"), "{said}");

    let (code, said) = probed(&cluster, OWN, "leaves");
    assert_eq!(code, Some(1), "{said}");
    for name in ["relation public.left_over", "schema left_too"] {
        let line = format!("left behind, or made by somebody else meanwhile: {name}");
        assert!(said.contains(&line), "{said}");
    }
}

#[test]
fn what_cannot_be_tried_is_said() {
    let mut cluster = cluster();
    for (plan, words) in [("nothing", "nothing acts"), ("nobody", "no plan nobody")] {
        let (code, said) = probed(&cluster, OWN, plan);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(words), "{said}");
    }
    cluster.stop();
    let (code, said) = probed(&cluster, CATALOG, "database");
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("provision: The database server cannot be reached"),
        "{said}"
    );
    assert!(said.contains("what is left could not be seen"), "{said}");
}
