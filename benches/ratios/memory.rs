//! Anonymous memory after many requests of all kinds.

use std::net::SocketAddr;
use std::thread;

use crate::broker::{self, CATALOG, Folder, PLAN, SERVICE, provision, provision_body, request};
use crate::http::Connection;
use crate::load::guid;
use crate::report::{at_most, note};

const CLIENTS: u64 = 32;
/// Five requests make a turn: 32 clients with 625 turns each make 100,000 requests.
const TURNS: u64 = 625;

pub fn run() {
    let folder = Folder::with(CATALOG);
    let (process, address) = broker::start(&folder, "off");
    let before = process.anonymous();
    requests(address, 0);
    let after = process.anonymous();
    requests(address, 1);
    let later = process.anonymous();
    at_most(
        "anonymous memory after 100,000 requests",
        after,
        15.0,
        Some(10.0),
        " MiB",
    );
    at_most("its growth over 100,000 more", later / after, 1.1, None, "");
    note("anonymous memory at the start", &format!("{before:.1} MiB"));
}

fn requests(address: SocketAddr, run: u64) {
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| thread::spawn(move || client_turns(address, run, client)))
        .collect();
    for client in clients {
        client.join().expect("a client");
    }
}

fn client_turns(address: SocketAddr, run: u64, client: u64) {
    let mut connection = Connection::open(address).expect("a connection");
    let query = format!("?service_id={SERVICE}&plan_id={PLAN}");
    for turn in 0..TURNS {
        let id = guid((run << 40) + client * TURNS + turn);
        let at = format!("/v2/service_instances/{id}");
        let binding = format!("{at}/service_bindings/b");
        let turn = [
            (provision(&id), 201),
            (request("PUT", &binding).json(&provision_body()), 201),
            (request("GET", &binding), 200),
            (request("DELETE", &format!("{binding}{query}")), 200),
            (request("DELETE", &format!("{at}{query}")), 200),
        ];
        for (request, status) in turn {
            let answer = connection.send(&request).expect("an answer");
            assert_eq!(answer.status, status, "{}", answer.text());
        }
    }
}
