//! Every ready-made set through a whole life, with clients that log in with what they were given.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{Admin, CATALOG, Stage};
use crate::harness::Setup;
use crate::server::Server;
use crate::stage::{Login, assert_same};

fn assert_refused(stage: &Stage, login: &Login) {
    for database in [login.text("database"), "shared", ""] {
        let said = stage
            .says_in(login, database, "SELECT 1")
            .expect_err("who is gone");
        assert!(said.contains("Access denied for user"), "{said}");
    }
}

fn await_sessions(server: &Server, user: &str, count: &str) {
    let until = Instant::now() + Duration::from_secs(60);
    let question =
        format!("SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{user}'");
    while server.sql(&question) != count {
        assert!(Instant::now() < until, "{user} has not {count} sessions");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn a_database(admin: Admin) {
    let stage = Stage::new(admin);
    let before = stage.server.dump();
    for instance in ["one", "two"] {
        stage.provisioned(instance, "database");
    }
    let [first, second] = ["first", "second"].map(|id| stage.bound("one", id, "database"));
    let other = stage.bound("two", "first", "database");
    assert_eq!(first.text("host"), "127.0.0.1");
    let place = format!(
        "@127.0.0.1:{}/{}",
        stage.server.port,
        first.text("database")
    );
    assert!(first.uri().starts_with("mysql://") && first.uri().ends_with(&place));
    assert!(first.text("jdbcUrl").starts_with("jdbc:mysql://127.0.0.1:"));

    // What one application makes the other sees and may change; the next instance sees nothing of it.
    let made = "CREATE TABLE t (n int); INSERT INTO t VALUES (1)";
    stage.says(&first, made).expect("a table");
    assert_eq!(stage.says(&second, "SELECT n FROM t"), Ok("1".to_owned()));
    stage
        .says(
            &second,
            "ALTER TABLE t ADD m int; INSERT INTO t (n) VALUES (2)",
        )
        .expect("the same right");
    for (login, place) in [(&other, &first), (&first, &other)] {
        let said = stage
            .says_in(login, place.text("database"), "SELECT 1")
            .expect_err("another's");
        assert!(said.contains("Access denied for user"), "{said}");
    }
    // Also one whose name its own would fit, were `_` in a right any sign.
    let near = first.text("database").replacen('_', "x", 1);
    stage.server.sql(&format!("CREATE DATABASE {near}"));
    stage
        .says_in(&first, &near, "SELECT 1")
        .expect_err("somebody's");
    stage.server.sql(&format!("DROP DATABASE {near}"));
    // Nobody can come by more than they were given.
    for forbidden in [
        "CREATE USER more".to_owned(),
        "CREATE DATABASE more".to_owned(),
        "SELECT authentication_string FROM mysql.user".to_owned(),
        "SELECT * FROM catalog_broker.names".to_owned(),
        format!(
            "GRANT SELECT ON {}.* TO {}@'%'",
            first.text("database"),
            other.text("username")
        ),
    ] {
        assert!(stage.says(&first, &forbidden).is_err(), "{forbidden}");
    }

    // A session that runs ends with the binding, and loses nothing of the instance. Nobody keeps a login by giving it
    // another password.
    stage
        .says(&first, "SET PASSWORD = PASSWORD('mine')")
        .expect("its own password");
    let mut own = first.0.clone();
    own["password"] = "mine".into();
    let first = Login(own);
    let mut session = stage
        .statement(&first, first.text("database"), "SELECT SLEEP(600)")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("mariadb runs");
    await_sessions(&stage.server, first.text("username"), "1");
    stage.unbound("one", "first", "database");
    assert!(!session.wait().expect("its end").success());
    await_sessions(&stage.server, first.text("username"), "0");
    assert_refused(&stage, &first);
    assert_eq!(
        stage.says(&second, "SELECT COUNT(*) FROM t"),
        Ok("2".to_owned())
    );

    // What is bound still goes with its instance.
    stage.deprovisioned("one", "database");
    assert_refused(&stage, &second);
    assert_eq!(stage.says(&other, "SELECT 1"), Ok("1".to_owned()));
    stage.unbound("two", "first", "database");
    stage.deprovisioned("two", "database");
    assert_same(&stage.server.dump(), &before);
    assert_eq!(stage.notes(), "0");
}

#[test]
fn a_database_of_an_administrator_who_may_do_everything() {
    a_database(Admin::Super);
}

#[test]
fn a_database_of_an_administrator_who_has_the_rights_that_are_asked_for() {
    a_database(Admin::Plain);
}

fn a_login_that_reads(admin: Admin) {
    let stage = Stage::new(admin);
    stage.server.sql(
        "CREATE DATABASE lib_rary; CREATE TABLE lib_rary.books (title text); INSERT INTO lib_rary.books VALUES ('a');
         CREATE DATABASE libxrary; CREATE TABLE libxrary.gold (n int)",
    );
    let before = stage.server.dump();
    stage.provisioned("one", "read-only");
    let login = stage.bound("one", "first", "read-only");
    assert_eq!(login.text("database"), "lib_rary");
    assert_eq!(
        stage.says(&login, "SELECT title FROM books"),
        Ok("a".to_owned())
    );
    // What is made afterwards, too.
    stage.server.sql("CREATE TABLE lib_rary.maps (n int)");
    assert_eq!(
        stage.says(&login, "SELECT COUNT(*) FROM maps"),
        Ok("0".to_owned())
    );
    stage.server.sql("DROP TABLE lib_rary.maps");
    for forbidden in [
        "INSERT INTO books VALUES ('b')",
        "DELETE FROM books",
        "CREATE TABLE more (n int)",
        "SELECT * FROM libxrary.gold",
    ] {
        assert!(stage.says(&login, forbidden).is_err(), "{forbidden}");
    }
    stage.unbound("one", "first", "read-only");
    assert_refused(&stage, &login);
    stage.deprovisioned("one", "read-only");
    assert_same(&stage.server.dump(), &before);
    assert_eq!(stage.notes(), "0");
}

#[test]
fn a_login_that_reads_of_an_administrator_who_may_do_everything() {
    a_login_that_reads(Admin::Super);
}

#[test]
fn a_login_that_reads_of_an_administrator_who_has_the_rights_that_are_asked_for() {
    a_login_that_reads(Admin::Plain);
}

/// A password goes to the platform and nowhere else; a plain statement shows that the log would have it.
#[test]
fn no_password_goes_through_the_servers_log() {
    let server = Server::start(&["--general-log=1", "--general-log-file=general.log"]);
    let stage = Stage::with(server, Admin::Super, CATALOG);
    stage.provisioned("one", "database");
    let login = stage.bound("one", "first", "database");
    assert_eq!(stage.says(&login, "SELECT 1"), Ok("1".to_owned()));
    let said = stage.server.log();
    assert!(said.contains(login.text("username")), "is the log blind?");
    assert!(said.contains("mysql_native_password"), "is the log blind?");
    assert!(!said.contains(login.text("password")));
    let plain = format!(
        "ALTER USER {}@'%' IDENTIFIED BY '{}'",
        login.text("username"),
        login.text("password")
    );
    stage.server.sql(&plain);
    assert!(stage.server.log().contains(login.text("password")));
}

/// `with.connections`: the server holds a login to it.
#[test]
fn a_login_has_as_many_connections_as_it_was_given() {
    let catalog = CATALOG.replace(
        "statements: mysql/database",
        "statements: mysql/database, with: { connections: 1, sslmode: PREFERRED }",
    );
    let stage = Stage::with(Server::start(&[]), Admin::Super, &catalog);
    stage.provisioned("one", "database");
    let login = stage.bound("one", "first", "database");
    assert!(
        login.uri().ends_with("?ssl-mode=PREFERRED"),
        "{}",
        login.uri()
    );
    let mut session = stage
        .statement(&login, "", "SELECT SLEEP(600)")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("mariadb runs");
    await_sessions(&stage.server, login.text("username"), "1");
    let said = stage.says(&login, "SELECT 1").expect_err("one too many");
    assert!(said.contains("max_user_connections"), "{said}");
    stage.unbound("one", "first", "database");
    assert!(!session.wait().expect("its end").success());
}

fn probed(server: &Server, catalog: &str, plan: &str) -> (Option<i32>, String) {
    let setup = Setup::new(catalog)
        .env("MY_ADMIN", &server.url("shared"))
        .arg("check")
        .arg("--probe")
        .arg(plan);
    let (status, out, err) = setup.run();
    (status.code(), out + &err)
}

#[test]
fn the_sets_stand_a_probe_and_what_leaves_something_is_told() {
    let server = Server::start(&[]);
    server.sql("CREATE DATABASE shared; CREATE DATABASE lib_rary");
    let before = server.dump();
    for plan in ["database", "read-only"] {
        let (code, said) = probed(&server, CATALOG, plan);
        assert_eq!(code, Some(0), "{plan}: {said}");
        for line in [
            "provision, again: done",
            "bind, again: done",
            "unbind, again: done",
        ] {
            assert!(said.contains(line), "{plan}: {said}");
        }
        assert!(said.contains("nothing is left behind"), "{plan}: {said}");
    }
    assert_same(&server.dump(), &before);
    let leaves = CATALOG.replace(
        "backend: { statements: mysql/database }",
        "backend: { statements: { provision: [ CREATE TABLE IF NOT EXISTS shared.left_over (n int), \"CREATE USER IF NOT EXISTS left_too@'%'\", \"GRANT SELECT ON shared.left_over TO left_too@'%'\", \"GRANT INSERT (n) ON shared.left_over TO left_too@'%'\" ] } }",
    );
    let (code, said) = probed(&server, &leaves, "database");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("looked at: the server\n"), "{said}");
    for name in [
        "table shared.left_over",
        "user left_too@%",
        "privilege USAGE of 'left_too'@'%'",
        "privilege SELECT of 'left_too'@'%' on shared.left_over",
        "privilege INSERT of 'left_too'@'%' on shared.left_over.n",
    ] {
        let line = format!("left behind, or made by somebody else meanwhile: {name}");
        assert!(said.contains(&line), "{said}");
    }
}
