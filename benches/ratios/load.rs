//! Clients, each with a connection that it keeps. A few threads drive all of them, as a load generator does: the clients
//! share the cores with who is measured, and a thread for each would take more of them than the broker.

use std::net::SocketAddr;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use crate::http::Request;

const THREADS: usize = 2;

/// `clients` send `each` requests made by `request(client, number)`; every answer must have the status. How long all
/// of it took; what is sent is made, and the connections are there, before the clock starts.
pub fn drive(
    address: SocketAddr,
    clients: usize,
    each: usize,
    status: u16,
    request: impl Fn(usize, usize) -> Request + Send + Sync + 'static,
) -> Duration {
    drive_all(&[address], clients, each, status, request)
}

/// The same, the clients spread over several servers.
pub fn drive_all(
    addresses: &[SocketAddr],
    clients: usize,
    each: usize,
    status: u16,
    request: impl Fn(usize, usize) -> Request + Send + Sync + 'static,
) -> Duration {
    let request = Arc::new(request);
    let threads = THREADS.min(clients);
    let start = Arc::new(Barrier::new(threads + 1));
    let threads: Vec<_> = (0..threads)
        .map(|thread| {
            let (request, start) = (Arc::clone(&request), Arc::clone(&start));
            let addresses = addresses.to_vec();
            thread::spawn(move || {
                let mine = (thread..clients).step_by(threads);
                let clients: Vec<Client> = mine
                    .map(|client| Client {
                        address: addresses[client / threads % addresses.len()],
                        requests: (0..each)
                            .map(|number| request(client, number).to_bytes())
                            .collect(),
                    })
                    .collect();
                drive_some(clients, status, &start);
            })
        })
        .collect();
    start.wait();
    let began = Instant::now();
    for thread in threads {
        thread.join().expect("clients");
    }
    began.elapsed()
}

/// Whom a client asks, and what.
struct Client {
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
}

/// The clients of one thread.
fn drive_some(clients: Vec<Client>, status: u16, start: &Barrier) {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .build()
        .expect("a runtime");
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let mut connections = Vec::new();
        for client in &clients {
            let stream = TcpStream::connect(client.address)
                .await
                .expect("a connection");
            stream.set_nodelay(true).expect("no delay");
            connections.push(stream);
        }
        start.wait();
        let running: Vec<_> = clients
            .into_iter()
            .zip(connections)
            .map(|(client, stream)| tokio::task::spawn_local(send(stream, client.requests, status)))
            .collect();
        for client in running {
            client.await.expect("a client");
        }
    });
}

async fn send(mut stream: TcpStream, requests: Vec<Vec<u8>>, status: u16) {
    let expected = format!("HTTP/1.1 {status} ");
    let mut answer = Vec::with_capacity(16 * 1024);
    for request in requests {
        stream.write_all(&request).await.expect("a way out");
        answer.clear();
        while !is_whole(&answer) {
            let read = stream.read_buf(&mut answer).await.expect("an answer");
            assert!(read > 0, "the connection was closed");
        }
        assert!(
            answer.starts_with(expected.as_bytes()),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
}

/// Whether the bytes are an answer with all of its body.
fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return false;
    };
    let length = String::from_utf8_lossy(&answer[..head])
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, length)| length.trim().parse().expect("a length"));
    answer.len() >= head + 4 + length
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
