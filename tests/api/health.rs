//! What is told without credentials.

use std::fs;
use std::path::Path;

use crate::harness::{PASSWORD, Setup, USER, basic};
use crate::http::Request;

/// Health tells nothing, and is the only thing that is told without credentials.
#[test]
fn without_credentials_there_is_health_and_nothing_else() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalog.yaml");
    let broker = Setup::new(&fs::read_to_string(shipped).expect("the catalog")).start();
    for path in ["/healthz", "/readyz"] {
        let response = broker.send(&Request::new("GET", path));
        assert_eq!(response.status, 200, "{path}: {}", response.text());
    }
    let closed = Request::new("GET", "/v2/catalog").header("X-Broker-API-Version", "2.17");
    assert_eq!(broker.send(&closed).status, 401);
    let open = closed.header("Authorization", &basic(USER, PASSWORD));
    assert_eq!(broker.send(&open).status, 200);
}
