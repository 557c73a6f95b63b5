//! The server's own work in a database is no reason to keep it: who is no superuser may not end that by force.

use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::stage::{Admin, CATALOG, Stage};

/// Looks for something to do every second, and takes its time for it.
const BUSY: [&str; 6] = [
    "-c",
    "autovacuum_naptime=1s",
    "-c",
    "autovacuum_vacuum_cost_delay=100ms",
    "-c",
    "autovacuum_vacuum_cost_limit=1",
];

/// Much of it is dead.
const WORN: &str =
    "CREATE TABLE worn AS SELECT n, repeat('x', 200) AS text FROM generate_series(1, 20000) n;
    UPDATE worn SET n = n + 1";

#[test]
fn a_database_that_the_server_vacuums_is_dropped() {
    let stage = Stage::with(Cluster::start(&BUSY), Admin::Plain, CATALOG);
    stage.provisioned("i", "database");
    let login = stage.bound("i", "b", "database");
    stage.says(&login, WORN).expect("a table");
    let database = login.text("database");
    let vacuums = format!(
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'autovacuum worker' AND datname = '{database}'"
    );
    let until = Instant::now() + Duration::from_secs(60);
    while stage.cluster.sql("postgres", &vacuums) != "t" {
        assert!(Instant::now() < until, "nothing is vacuumed");
        std::thread::sleep(Duration::from_millis(20));
    }
    stage.unbound("i", "b", "database");
    assert_eq!(
        stage.cluster.sql("postgres", &vacuums),
        "t",
        "it goes on for long"
    );
    stage.deprovisioned("i", "database");
    let left = format!("SELECT count(*) FROM pg_database WHERE datname = '{database}'");
    assert_eq!(stage.cluster.sql("postgres", &left), "0");
}
