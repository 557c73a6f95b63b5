//! Every ready-made set through a whole life, with clients that log in with what they were given.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::stage::{Admin, CATALOG, Login, Stage, assert_same, client, dump, log, psql};

/// Nothing that this login may do is left.
fn assert_refused(stage: &Stage, login: &Login) {
    for url in [login.uri(), login.to("postgres"), login.to("shared")] {
        let said = psql(&stage.cluster, &url, "SELECT 1").expect_err("who is gone");
        assert!(said.contains("authentication failed"), "{said}");
    }
}

/// Waits until a session of the role is there, or none.
fn await_session(cluster: &Cluster, role: &str, count: &str) {
    let until = Instant::now() + Duration::from_secs(30);
    let question = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}'");
    while cluster.sql("postgres", &question) != count {
        assert!(Instant::now() < until, "{role} has not {count} sessions");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn a_database(admin: Admin) {
    let stage = Stage::new(admin);
    let before = dump(&stage.cluster);
    for instance in ["one", "two"] {
        stage.provisioned(instance, "database");
    }
    let [first, second] = ["first", "second"].map(|id| stage.bound("one", id, "database"));
    let other = stage.bound("two", "first", "database");

    // What one application makes the other sees and may change; the next instance sees nothing of it.
    let made = "CREATE TABLE t (n int); INSERT INTO t VALUES (1)";
    stage.says(&first, made).expect("a table");
    // Also what one makes that leaves the role on purpose.
    let own = "SET ROLE NONE; CREATE TABLE own (n int); SELECT lo_create(4711)";
    stage.says(&first, own).expect("a table of its own");
    assert_eq!(stage.says(&second, "SELECT n FROM t"), Ok("1".to_owned()));
    stage
        .says(&second, "ALTER TABLE t ADD m int; INSERT INTO t VALUES (2)")
        .expect("the same right");
    for (login, place) in [(&other, &first), (&first, &other)] {
        let url = login.to(place.text("database"));
        let said = psql(&stage.cluster, &url, "SELECT 1").expect_err("another's");
        assert!(said.contains("permission denied for database"), "{said}");
    }
    // Nobody can come by more than they were given.
    for forbidden in [
        "CREATE ROLE more",
        "CREATE DATABASE more",
        &format!(
            "GRANT {} TO {}",
            first.text("database"),
            other.text("username")
        ),
        "SELECT rolpassword FROM pg_authid",
    ] {
        assert!(stage.says(&first, forbidden).is_err(), "{forbidden}");
    }

    // A session that runs ends with the binding, and loses nothing of the instance.
    let mut client = client(&stage.cluster, &first.uri(), "SELECT pg_sleep(600)");
    let mut session = client
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("psql runs");
    await_session(&stage.cluster, first.text("username"), "1");
    stage.unbound("one", "first", "database");
    assert!(!session.wait().expect("its end").success());
    assert_refused(&stage, &first);
    let count = "SELECT count(*) FROM t, (SELECT FROM own) o RIGHT JOIN (SELECT) x ON true";
    assert_eq!(stage.says(&second, count), Ok("2".to_owned()));
    stage
        .says(&second, "DROP TABLE own")
        .expect("what the first had made");
    assert_eq!(
        stage.says(&second, "SELECT count(*) FROM pg_largeobject_metadata"),
        Ok("1".to_owned())
    );

    // What is bound still goes with its instance.
    stage.deprovisioned("one", "database");
    assert_refused(&stage, &second);
    assert_eq!(stage.says(&other, "SELECT 1"), Ok("1".to_owned()));
    stage.unbound("two", "first", "database");
    stage.deprovisioned("two", "database");
    assert_same(&dump(&stage.cluster), &before);
}

#[test]
fn a_database_of_an_administrator_who_may_do_everything() {
    a_database(Admin::Super);
}

#[test]
fn a_database_of_an_administrator_who_may_make_roles_and_databases() {
    a_database(Admin::Plain);
}

/// What a superuser made is taken away by who may only make roles and databases.
#[test]
fn an_administrator_who_is_no_superuser_any_more_takes_away_what_there_is() {
    let stage = Stage::new(Admin::Plain);
    let cluster = &stage.cluster;
    cluster.sql("shared", "CREATE SCHEMA library AUTHORIZATION admin");
    let before = dump(cluster);
    let plans = ["database", "schema", "read-only"];
    cluster.sql("postgres", "ALTER ROLE admin SUPERUSER");
    for plan in plans {
        stage.provisioned(plan, plan);
        stage.bound(plan, "first", plan);
    }
    let member = "SELECT count(*) FROM pg_auth_members WHERE member = 'admin'::regrole";
    assert_eq!(cluster.sql("postgres", member), "0");
    cluster.sql("postgres", "ALTER ROLE admin NOSUPERUSER");
    // Since PostgreSQL 16 it has to be put in charge of them as well.
    cluster.sql(
        "postgres",
        "DO $$ DECLARE made text; BEGIN
           IF current_setting('server_version_num')::int >= 160000 THEN
             FOR made IN SELECT rolname FROM pg_roles WHERE rolname ~ '^[dsru]_' LOOP
               EXECUTE format('GRANT %I TO admin WITH ADMIN TRUE, INHERIT FALSE, SET FALSE', made);
             END LOOP;
           END IF;
         END $$",
    );
    for plan in plans {
        stage.unbound(plan, "first", plan);
        stage.deprovisioned(plan, plan);
    }
    assert_same(&dump(cluster), &before);
}

/// Databases are made of one that nobody may connect to: who sits in another one is in no way.
#[test]
fn a_login_in_template1_stops_no_database() {
    let stage = Stage::new(Admin::Plain);
    stage.provisioned("one", "database");
    let login = stage.bound("one", "first", "database");
    let mut client = client(
        &stage.cluster,
        &login.to("template1"),
        "SELECT pg_sleep(600)",
    );
    let mut session = client
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("psql runs");
    await_session(&stage.cluster, login.text("username"), "1");
    let copied = "CREATE DATABASE copied TEMPLATE template1";
    let cluster = &stage.cluster;
    let url = cluster.url("postgres");
    let said = psql(cluster, &url, copied).expect_err("somebody is in there");
    assert!(said.contains("being accessed by other users"), "{said}");
    stage.provisioned("two", "database");
    stage.unbound("one", "first", "database");
    assert!(!session.wait().expect("its end").success());
}

fn a_schema(admin: Admin) {
    let stage = Stage::new(admin);
    let before = dump(&stage.cluster);
    for instance in ["one", "two"] {
        stage.provisioned(instance, "schema");
    }
    let [first, second] = ["first", "second"].map(|id| stage.bound("one", id, "schema"));
    let other = stage.bound("two", "first", "schema");
    assert_eq!(first.text("database"), "shared");
    stage
        .says(&first, "CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
        .expect("a table");
    stage
        .says(&first, "SET ROLE NONE; CREATE TABLE own (n int)")
        .expect("a table of its own");
    assert_eq!(stage.says(&second, "SELECT n FROM t"), Ok("1".to_owned()));
    let schema = stage
        .says(&first, "SELECT current_schema()")
        .expect("a schema");
    let said = stage
        .says(&other, &format!("SELECT n FROM {schema}.t"))
        .expect_err("another's");
    assert!(said.contains("permission denied for schema"), "{said}");
    stage.unbound("one", "first", "schema");
    assert_refused(&stage, &first);
    assert_eq!(
        stage.says(&second, "SELECT n FROM t, (SELECT count(*) FROM own) o"),
        Ok("1".to_owned())
    );
    stage.deprovisioned("one", "schema");
    assert_refused(&stage, &second);
    stage.deprovisioned("two", "schema");
    assert_refused(&stage, &other);
    assert_same(&dump(&stage.cluster), &before);
}

#[test]
fn a_schema_of_an_administrator_who_may_do_everything() {
    a_schema(Admin::Super);
}

#[test]
fn a_schema_of_an_administrator_who_owns_the_database() {
    a_schema(Admin::Plain);
}

#[test]
fn a_login_that_reads() {
    let stage = Stage::new(Admin::Super);
    stage.cluster.sql(
        "shared",
        "CREATE SCHEMA library; CREATE TABLE library.books (title text); INSERT INTO library.books VALUES ('a');
         CREATE SCHEMA vault; CREATE TABLE vault.gold (n int)",
    );
    let before = dump(&stage.cluster);
    stage.provisioned("one", "read-only");
    let login = stage.bound("one", "first", "read-only");
    assert_eq!(
        stage.says(&login, "SELECT title FROM books"),
        Ok("a".to_owned())
    );
    // What is made afterwards, too.
    stage
        .cluster
        .sql("shared", "CREATE TABLE library.maps (n int)");
    assert_eq!(
        stage.says(&login, "SELECT count(*) FROM maps"),
        Ok("0".to_owned())
    );
    stage.cluster.sql("shared", "DROP TABLE library.maps");
    for forbidden in [
        "INSERT INTO books VALUES ('b')",
        "SET default_transaction_read_only = off; DELETE FROM books",
        "SET default_transaction_read_only = off; CREATE TABLE library.more (n int)",
        "SELECT * FROM vault.gold",
    ] {
        assert!(stage.says(&login, forbidden).is_err(), "{forbidden}");
    }
    stage.unbound("one", "first", "read-only");
    assert_refused(&stage, &login);
    stage.deprovisioned("one", "read-only");
    assert_same(&dump(&stage.cluster), &before);
}

/// A password goes to the platform and nowhere else; a plain statement shows that the log would have it.
#[test]
fn no_password_goes_through_the_servers_log() {
    let cluster = Cluster::start(&["-c", "log_statement=all"]);
    let stage = Stage::with(cluster, Admin::Super, CATALOG);
    stage.provisioned("one", "database");
    let login = stage.bound("one", "first", "database");
    assert_eq!(stage.says(&login, "SELECT 1"), Ok("1".to_owned()));
    let said = log(&stage.cluster);
    assert!(said.contains("SCRAM-SHA-256$4096:"), "is the log blind?");
    assert!(said.contains(login.text("username")), "is the log blind?");
    assert!(!said.contains(login.text("password")));
    assert!(!stage.broker.log().contains(login.text("password")));
    let plain = format!(
        "ALTER ROLE {} PASSWORD '{}'",
        login.text("username"),
        login.text("password")
    );
    stage.cluster.sql("postgres", &plain);
    assert!(log(&stage.cluster).contains(login.text("password")));
}
