//! The server that logins are made on, and what is wrong with it in the end: each login has its binding and each binding
//! its login, each database its instance and each instance its database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::cluster::{self, Cluster};

/// Who makes logins: no superuser, as the README says that it need not be.
const ADMIN: &str = "admin";

/// A server of the run's own.
pub struct Logins(Mutex<Cluster>);

/// What a server has that it did not have when it was made.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Roles, each with what is written on it.
    pub roles: Vec<(String, String)>,
    /// Databases, each with the role that owns it.
    pub databases: Vec<(String, String)>,
}

/// What the broker says of the same.
#[derive(Clone, Debug, Default)]
pub struct Held {
    pub instances: BTreeSet<String>,
    /// The credentials of each binding, by instance and binding.
    pub bindings: BTreeMap<(String, String), Value>,
}

impl Logins {
    pub fn start() -> Self {
        let server = Cluster::start(&[]);
        server.sql(
            "postgres",
            &format!("CREATE ROLE {ADMIN} LOGIN CREATEROLE CREATEDB PASSWORD 'adm1n'"),
        );
        Self(Mutex::new(server))
    }

    fn server(&self) -> MutexGuard<'_, Cluster> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the broker connects to.
    pub fn url(&self) -> String {
        let port = self.server().port;
        format!("postgres://{ADMIN}:adm1n@127.0.0.1:{port}/postgres")
    }

    /// Stops it as if its machine had died, and starts it again after a while.
    pub fn strike(&self, time: Duration) {
        let mut server = self.server();
        server.stop();
        thread::sleep(time);
        server.restart();
    }

    /// Has the server's owner do something behind the broker's back.
    pub fn meddle(&self, statement: &str) -> String {
        self.server().sql("postgres", statement)
    }

    pub fn found(&self) -> Found {
        let pairs = |statement: &str| {
            let text = self.server().sql("postgres", statement);
            let pairs = text.lines().filter_map(|line| line.split_once('|'));
            pairs
                .map(|(one, other)| (one.to_owned(), other.to_owned()))
                .collect()
        };
        // What comes with a server has a number below 16384.
        Found {
            roles: pairs(&format!(
                "SELECT rolname, shobj_description(oid, 'pg_authid') FROM pg_roles
                 WHERE oid >= 16384 AND rolname <> '{ADMIN}'"
            )),
            databases: pairs(
                "SELECT datname, pg_get_userbyid(datdba) FROM pg_database WHERE oid >= 16384",
            ),
        }
    }

    /// Those of these bindings that nobody gets in with, or as somebody else than the owner of the instance's database.
    pub fn refused(&self, held: &Held) -> Vec<String> {
        let server = self.server();
        let mut faults = Vec::new();
        for (id, credentials) in &held.bindings {
            let [uri, database] = ["uri", "database"].map(|key| text(credentials, key));
            let output = server
                .program("psql")
                .args(["-X", "-q", "-t", "-A", "-d", uri])
                .args(["-c", "SELECT current_user"])
                .output()
                .expect("psql runs");
            if String::from_utf8_lossy(&output.stdout).trim() != database {
                faults.push(format!(
                    "{id:?} does not get in: {}",
                    cluster::said(&output)
                ));
            }
        }
        faults
    }
}

fn text<'a>(credentials: &'a Value, key: &str) -> &'a str {
    credentials[key].as_str().unwrap_or_default()
}

/// All that is wrong, in words.
pub fn judge(found: &Found, held: &Held) -> Vec<String> {
    let mut faults = Vec::new();
    let mut logins: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
    let mut owners: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, comment) in &found.roles {
        let said = comment.strip_prefix("catalog-broker ");
        let said = said.and_then(|said| said.split_once(' '));
        match said.map(|(what, id)| (what, id, id.split_once('/'))) {
            Some(("binding", _, Some((instance, binding)))) => {
                let id = (instance.to_owned(), binding.to_owned());
                logins.entry(id).or_default().push(name);
            }
            Some(("instance", id, None)) => owners.entry(id.to_owned()).or_default().push(name),
            _ => faults.push(format!("nobody has the role {name} ({comment:?})")),
        }
    }
    for (id, names) in &logins {
        let given = held.bindings.get(id).map(|has| text(has, "username"));
        if given.is_none_or(|given| *names != [given]) {
            faults.push(format!(
                "the logins of {id:?} are {names:?}, it has {given:?}"
            ));
        }
    }
    for (id, credentials) in &held.bindings {
        if !logins.contains_key(id) {
            faults.push(format!(
                "{id:?} has no login: {}",
                text(credentials, "username")
            ));
        }
        let owner = owners.get(&id.0).cloned().unwrap_or_default();
        if owner != [text(credentials, "database")] {
            faults.push(format!(
                "{id:?} leads to another database than its instance's"
            ));
        }
    }
    for (id, names) in &owners {
        let databases = found.databases.iter();
        let of_it: Vec<&str> = databases
            .filter(|(_, owner)| names.contains(&owner.as_str()))
            .map(|(name, _)| name.as_str())
            .collect();
        if !held.instances.contains(id) || names.len() != 1 || of_it != *names {
            faults.push(format!(
                "of the instance {id} there are roles {names:?}, databases {of_it:?}"
            ));
        }
    }
    for id in &held.instances {
        if !owners.contains_key(id) {
            faults.push(format!("the instance {id} has no role"));
        }
    }
    let owned: BTreeSet<&str> = owners.into_values().flatten().collect();
    for (name, owner) in &found.databases {
        if !owned.contains(owner.as_str()) {
            faults.push(format!("nobody has the database {name} of {owner}"));
        }
    }
    faults
}

#[cfg(test)]
mod counterproofs {
    use serde_json::json;

    use super::*;

    fn pair(one: &str, other: &str) -> (String, String) {
        (one.to_owned(), other.to_owned())
    }

    fn good() -> (Found, Held) {
        let found = Found {
            roles: vec![
                pair("d_1", "catalog-broker instance i"),
                pair("u_1", "catalog-broker binding i/a"),
                pair("u_2", "catalog-broker binding i/b"),
            ],
            databases: vec![pair("d_1", "d_1")],
        };
        let of = |username: &str| json!({ "username": username, "database": "d_1" });
        let held = Held {
            instances: BTreeSet::from(["i".to_owned()]),
            bindings: BTreeMap::from([(pair("i", "a"), of("u_1")), (pair("i", "b"), of("u_2"))]),
        };
        (found, held)
    }

    #[test]
    fn a_server_that_is_as_the_broker_says_passes() {
        let (found, held) = good();
        assert_eq!(judge(&found, &held), Vec::<String>::new());
    }

    #[test]
    fn a_server_that_is_not_as_the_broker_says_is_refused() {
        type Meddle = fn(&mut Found, &mut Held);
        let cases: &[(&str, Meddle)] = &[
            ("nobody has the role u_9", |found, _| {
                found.roles.push(pair("u_9", ""));
            }),
            ("are [\"u_9\"], it has None", |found, _| {
                found
                    .roles
                    .push(pair("u_9", "catalog-broker binding i/gone"));
            }),
            ("are [\"u_1\", \"u_9\"]", |found, _| {
                found.roles.push(pair("u_9", "catalog-broker binding i/a"));
            }),
            ("has no login: u_2", |found, _| {
                found.roles.remove(2);
            }),
            ("are [\"u_3\"], it has Some(\"u_2\")", |found, _| {
                found.roles[2].0 = "u_3".to_owned();
            }),
            ("the instance i has no role", |found, _| {
                found.roles.remove(0);
            }),
            ("nobody has the database d_9", |found, _| {
                found.databases.push(pair("d_9", "admin"));
            }),
            ("databases []", |found, _| found.databases.clear()),
            ("of the instance j there are roles", |found, _| {
                found.roles.push(pair("d_2", "catalog-broker instance j"));
                found.databases.push(pair("d_2", "d_2"));
            }),
            ("leads to another database", |_, held| {
                let credentials = held.bindings.values_mut().next().expect("one");
                credentials["database"] = json!("d_2");
            }),
            ("the instance j has no role", |_, held| {
                held.instances.insert("j".to_owned());
            }),
        ];
        for (what, meddle) in cases {
            let (mut found, mut held) = good();
            meddle(&mut found, &mut held);
            let faults = judge(&found, &held);
            assert!(
                faults.iter().any(|fault| fault.contains(what)),
                "{what}: {faults:?}"
            );
        }
    }
}
