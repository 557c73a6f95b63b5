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

/// What has no name of its own, and what is elsewhere; and the way back.
const ELSEWHERE: &str = r#"
x-up: &up
  - statement: CREATE TABLE IF NOT EXISTS public.left_there (n int)
    database: "{{ instance.values.database }}"
  - statement: GRANT SELECT ON library.books TO reader
    database: "{{ instance.values.database }}"
  - statement: GRANT INSERT (n) ON library.books TO reader
    database: "{{ instance.values.database }}"
  - statement: CREATE TYPE library.left_kind AS ENUM ('a')
    unless: SELECT FROM pg_type WHERE typname = 'left_kind'
  - GRANT CREATE ON DATABASE shared TO reader
  - REVOKE CONNECT ON DATABASE shared FROM PUBLIC
  - ALTER ROLE reader IN DATABASE shared SET work_mem = '8MB'
  - ALTER DATABASE shared SET work_mem = '9MB'
  - ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader
x-down: &down
  - statement: DROP TABLE IF EXISTS public.left_there
    database: "{{ instance.values.database }}"
  - statement: REVOKE ALL ON library.books FROM reader
    database: "{{ instance.values.database }}"
  - DROP TYPE IF EXISTS library.left_kind
  - REVOKE ALL ON DATABASE shared FROM reader
  - GRANT CONNECT ON DATABASE shared TO PUBLIC
  - ALTER ROLE reader IN DATABASE shared RESET ALL
  - ALTER DATABASE shared RESET ALL
  - ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM reader
services:
  - id: db
    name: db
    description: d
    bindable: false
    respond: sync
    backend: { sql: { server: "${PG_ADMIN}" } }
    instance: { values: { database: "{{ 'oth' ~ 'er' }}" } }
    plans:
      - { id: leaves, name: leaves, description: Takes away nothing, backend: { statements: { provision: *up } } }
      - { id: takes, name: takes, description: Makes nothing, backend: { statements: { deprovision: *down } } }
      - { id: both, name: both, description: Takes away what it made, backend: { statements: { provision: *up, deprovision: *down } } }
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

/// Rights, settings and types are seen, and the databases that steps name; and what was looked at is told.
#[test]
fn what_is_left_elsewhere_is_told_too() {
    let cluster = cluster();
    cluster.sql("postgres", "CREATE DATABASE other");
    cluster.sql("postgres", "CREATE ROLE reader");
    cluster.sql(
        "other",
        "CREATE SCHEMA library; CREATE TABLE library.books (n int)",
    );
    let looked = "looked at: database other, database shared, the server\n";
    let (code, said) = probed(&cluster, ELSEWHERE, "leaves");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(looked), "{said}");
    let user = crate::cluster::USER;
    let mut left: Vec<&str> = said
        .lines()
        .filter_map(|line| line.strip_prefix("left behind, or made by somebody else meanwhile: "))
        .collect();
    left.sort_unstable();
    let mut expected = [
        "relation public.left_there in database other".to_owned(),
        format!("privilege reader=r/{user} on relation library.books in database other"),
        format!("privilege reader=a/{user} on column library.books.n in database other"),
        "type library.left_kind in database shared".to_owned(),
        format!("privilege reader=C/{user} on database shared"),
        format!("loss of the privilege =Tc/{user} on database shared"),
        format!("privilege =T/{user} on database shared"),
        "setting work_mem=8MB of role reader in database shared".to_owned(),
        "setting work_mem=9MB in database shared".to_owned(),
        format!("default privilege reader=r/{user} of {user} in database shared"),
        format!("default privilege {user}=arwdDxt/{user} of {user} in database shared"),
    ];
    expected.sort();
    assert_eq!(left, expected, "{said}");

    let (code, said) = probed(&cluster, ELSEWHERE, "takes");
    assert_eq!(code, Some(0), "{said}");
    let before = dump(&cluster);
    let (code, said) = probed(&cluster, ELSEWHERE, "both");
    assert_eq!(code, Some(0), "{said}");
    for line in [looked, "provision, again: done", "nothing is left behind"] {
        assert!(said.contains(line), "{said}");
    }
    assert_same(&dump(&cluster), &before);
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
