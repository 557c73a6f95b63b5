//! How often an operation waits for its server: seen from a way to it that is long, on which each answer takes its time.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::cluster::Cluster;
use crate::harness::Setup;
use crate::stage::{asked, asked_bind};

/// How long an answer is under way. What is sent without waiting for it has come by then, unless the machine is busy.
const FAR: Duration = Duration::from_millis(50);

const CATALOG: &str = r#"
backends:
  pg: { sql: { server: "${PG_ADMIN}", connections: 1 } }
services:
  - id: db
    name: db
    description: d
    bindable: true
    respond: sync
    backend: { use: pg }
    plans:
      - { id: database, name: database, description: d, backend: { statements: postgresql/database } }
      - id: asking
        name: asking
        description: Asks before each of its statements
        backend:
          statements:
            bind:
              - { statement: SELECT 1, only_if: SELECT 1 }
              - { statement: SELECT 1, only_if: SELECT 1 }
              - { statement: SELECT 1, only_if: SELECT 1 }
"#;

/// What passes between a begin and its commit.
#[derive(Default)]
struct Seen {
    waits: usize,
    is_answered: bool,
    /// The waits of each transaction that was committed.
    transactions: Vec<usize>,
}

impl Seen {
    fn sent(&mut self, piece: &[u8]) {
        let holds = |sign: &[u8]| piece.windows(sign.len()).any(|bytes| bytes == sign);
        if holds(b"BEGIN\0") {
            self.waits = 1;
        } else if self.is_answered {
            self.waits += 1;
        }
        self.is_answered = false;
        if holds(b"COMMIT\0") {
            self.transactions.push(self.waits);
        }
    }
}

/// The port of a way to that server, and what was seen on it.
fn far(port: u16) -> (u16, Arc<Mutex<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let own = listener.local_addr().expect("its number").port();
    let seen = Arc::<Mutex<Seen>>::default();
    let shared = Arc::clone(&seen);
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(("127.0.0.1", port)).expect("the server");
            for stream in [&client, &server] {
                stream.set_nodelay(true).expect("no delay");
            }
            let copy = |stream: &TcpStream| stream.try_clone().expect("the same connection");
            let (back_from, back_to) = (copy(&server), copy(&client));
            let [sent, answered] = [(); 2].map(|()| Arc::clone(&shared));
            thread::spawn(move || {
                pass(client, server, |piece| {
                    sent.lock().expect("the count").sent(piece);
                });
            });
            thread::spawn(move || {
                pass(back_from, back_to, |_| {
                    thread::sleep(FAR);
                    answered.lock().expect("the count").is_answered = true;
                });
            });
        }
    });
    (own, seen)
}

fn pass(mut from: TcpStream, mut to: TcpStream, see: impl Fn(&[u8])) {
    let mut buffer = vec![0; 65536];
    while let Ok(length) = from.read(&mut buffer) {
        if length == 0 {
            break;
        }
        see(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

/// A question, what is made, and the commit, which goes out when all before it is answered.
#[test]
fn a_bind_waits_three_times() {
    let cluster = Cluster::start(&[]);
    let (port, seen) = far(cluster.port);
    let url = cluster.url("postgres");
    let far = url.replace(&format!(":{}/", cluster.port), &format!(":{port}/"));
    assert_ne!(far, url);
    let broker = Setup::new(CATALOG).env("PG_ADMIN", &far).start();
    let mut fewest = Vec::new();
    for plan in ["database", "asking"] {
        let made = broker.provision(plan, &asked(plan));
        assert_eq!(made.status, 201, "{}\n{}", made.text(), broker.log());
        seen.lock().expect("the count").transactions.clear();
        // The fewest of some: a busy machine has sent some of it too late.
        for binding in 0..6 {
            let bound = broker.bind(plan, &format!("{plan}-{binding}"), &asked_bind(plan));
            assert_eq!(bound.status, 201, "{}\n{}", bound.text(), broker.log());
        }
        let waits = std::mem::take(&mut seen.lock().expect("the count").transactions);
        assert_eq!(waits.len(), 6, "{waits:?}");
        fewest.push(waits.into_iter().min().expect("one"));
    }
    // What is asked is waited for; what it is asked for goes out with the next question.
    assert_eq!(fewest, [3, 5]);
}
