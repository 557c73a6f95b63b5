//! The broker from outside: the real binary, over HTTP, as a platform sees it. A file for each concern.

#![expect(clippy::expect_used, reason = "what is missing here fails the test")]

mod checker;
#[path = "../postgres/cluster.rs"]
mod cluster;
mod documents;
mod harness;
mod http;
#[path = "../postgres/proxy.rs"]
mod proxy;
#[path = "../mysql/server.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests of statements, which use all of it"
)]
mod server;

mod acting;
mod admin;
mod adopt;
mod audit;
mod audit_adopted;
mod audit_store;
mod backend_trouble;
mod bad_http;
mod bad_ids;
mod bad_input;
mod bind;
mod breaking;
mod breaking_backends;
mod catalog;
mod checker_proof;
mod databases;
mod examples;
mod expiry;
mod fields;
mod health;
mod held_back;
mod identity;
mod later;
mod life;
mod lifecycle;
mod limits;
mod log_words;
mod logins;
mod logs;
mod machine;
mod made;
mod metrics;
mod new_logins;
mod no_outputs;
mod none;
mod order;
mod page;
mod plan_in_use;
mod polls;
mod pools;
mod postgres;
mod provision;
mod races;
mod random;
mod readme;
mod refresh;
mod reload;
mod roles;
mod rotation;
mod routes;
mod running;
mod schemas;
mod scope;
mod secrets;
mod store;
mod tls;
mod traces;
mod trouble;
mod update;
mod upgrades;
mod watch;
mod while_running;
mod withdrawn;
mod words;
