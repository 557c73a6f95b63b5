//! Clients: each a thread with a connection that it keeps.

use std::net::SocketAddr;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use crate::http::{Connection, Request};

/// `clients` send `each` requests made by `request(client, number)`; every answer must have the status. How long all
/// of it took; what is sent is made before the clock starts, for the clients share the cores with who is measured.
pub fn drive(
    address: SocketAddr,
    clients: usize,
    each: usize,
    status: u16,
    request: impl Fn(usize, usize) -> Request + Send + Sync + 'static,
) -> Duration {
    let request = Arc::new(request);
    let start = Arc::new(Barrier::new(clients + 1));
    let threads: Vec<_> = (0..clients)
        .map(|client| {
            let (request, start) = (Arc::clone(&request), Arc::clone(&start));
            thread::spawn(move || {
                let requests: Vec<_> = (0..each)
                    .map(|number| Prepared::of(&request(client, number)))
                    .collect();
                start.wait();
                send(address, &requests, status);
            })
        })
        .collect();
    start.wait();
    let began = Instant::now();
    for thread in threads {
        thread.join().expect("a client");
    }
    began.elapsed()
}

/// A request as it goes over the wire.
struct Prepared {
    method: String,
    bytes: Vec<u8>,
}

impl Prepared {
    fn of(request: &Request) -> Self {
        Self {
            method: request.method.clone(),
            bytes: request.to_bytes(),
        }
    }
}

fn send(address: SocketAddr, requests: &[Prepared], status: u16) {
    let mut connection = Connection::open(address).expect("a connection");
    for request in requests {
        connection.write(&request.bytes).expect("a way out");
        let answer = connection.read(&request.method).expect("an answer");
        assert_eq!(answer.status, status, "{}", answer.text());
    }
}

/// An id that sorts anywhere, as a GUID does, and is the same for the same number.
pub fn guid(number: u64) -> String {
    let mixed = mix(number);
    let more = mix(mixed);
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        mixed >> 32,
        mixed >> 16 & 0xffff,
        mixed & 0xfff,
        more >> 48 & 0xfff,
        more & 0xffff_ffff_ffff
    )
}

// splitmix64
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
