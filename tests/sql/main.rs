//! The backend `sql` on real PostgreSQL and real MariaDB: the real binary, and clients that log in with what it gave. A file for each
//! concern.

#![expect(clippy::expect_used, reason = "what is missing here fails the test")]

#[path = "../api/checker.rs"]
mod checker;
#[path = "../postgres/cluster.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests of the API, which use all of it"
)]
mod cluster;
#[path = "../api/harness.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests of the API, which use all of it"
)]
mod harness;
#[path = "../api/http.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests of the API, which use all of it"
)]
mod http;
#[path = "../postgres/proxy.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests of the API, which cut it off"
)]
mod proxy;
#[path = "../mysql/server.rs"]
mod server;
mod stage;

mod elsewhere;
mod hidden;
mod injection;
mod lives;
mod moves;
mod mysql;
mod outputs;
mod own;
mod probe;
mod rotation;
mod trouble;
mod upgrades;
mod vacuum;
mod waits;
