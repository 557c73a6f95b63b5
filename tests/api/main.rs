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

mod acting;
mod adopt;
mod audit;
mod backend_trouble;
mod bad_http;
mod bad_ids;
mod bad_input;
mod bind;
mod breaking;
mod catalog;
mod checker_proof;
mod compose;
mod databases;
mod deploy;
mod examples;
mod expiry;
mod fields;
mod identity;
mod later;
mod life;
mod lifecycle;
mod limits;
mod logs;
mod machine;
mod made;
mod no_outputs;
mod none;
mod order;
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
mod secrets;
mod store;
mod trouble;
mod update;
mod upgrades;
mod while_running;
mod withdrawn;
mod words;
