//! `database` of a statement: the one that is named, and no other.

use super::{Admin, Stage};
use crate::elsewhere::{CATALOG, assert_refused, named};
use crate::server::Server;

#[test]
fn a_statement_runs_in_no_other_database_than_the_one_that_is_named() {
    let catalog = CATALOG.replace("PG_ADMIN", "MY_ADMIN");
    let stage = Stage::with(Server::start(&[]), Admin::Super, &catalog);
    let longest = "d".repeat(64);
    stage.server.sql(&format!("CREATE DATABASE `{longest}`"));
    for name in ["shared", &longest] {
        let table = format!("CREATE TABLE `{name}`.said (what varchar(20))");
        stage.server.sql(&table);
    }
    let said = |database: &str| {
        stage.server.sql(&format!(
            "SELECT COALESCE(GROUP_CONCAT(what SEPARATOR '|'), '') FROM `{database}`.said"
        ))
    };
    for (name, word) in [
        (format!("{longest}d"), "64 characters"),
        ("shared ".to_owned(), "ends with a space"),
        (String::new(), "is empty"),
    ] {
        assert_refused(&stage.broker.provision("one", &named(&name)), word);
    }
    assert_eq!(said("shared"), "");
    assert_eq!(said(&longest), "");
    let made = stage.broker.provision("one", &named(&longest));
    assert_eq!(made.status, 201, "{}\n{}", made.text(), stage.broker.log());
    assert_eq!(
        (said("shared"), said(&longest)),
        ("here".to_owned(), "there".to_owned())
    );
}
