//! A roll-out: brokers are replaced one after the other, while clients live whole lives through whichever of them is in the
//! table of the router.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::checker;
use crate::documents::{bind_of, provision_of};
use crate::harness::{Broker, at_binding, at_instance};
use crate::http::{self, Request};
use crate::parts::wait_until;

const CLIENTS: usize = 4;

/// What a client asks for, and with which login.
pub struct Offer<'a> {
    pub login: &'a str,
    pub service: &'a str,
    pub plan: &'a str,
}

/// How an old broker goes.
#[derive(Clone, Copy, PartialEq)]
pub enum End {
    /// By the signal, and out of the table once it says that it is not ready any more.
    Stopped,
    /// At once, and out of the table when clients have felt it.
    Killed,
}

/// What the clients saw.
pub struct Seen {
    /// How many instances were made, bound, and taken away again.
    pub lives: usize,
    /// How many requests each broker answered.
    pub answered: BTreeMap<SocketAddr, usize>,
    /// What was not answered as it should be, the first few of it.
    pub failures: Vec<String>,
}

struct Router<'a> {
    offer: &'a Offer<'a>,
    table: Mutex<Vec<SocketAddr>>,
    turn: AtomicUsize,
    seen: Mutex<Seen>,
}

/// Ends the clients, however the roll-out ends.
struct Going<'a>(&'a AtomicBool);

impl Drop for Going<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Replaces each of `brokers` by one that `start` makes. Returns what the clients saw, and the new brokers.
pub fn roll(
    brokers: Vec<Broker>,
    start: impl Fn() -> Broker,
    offer: &Offer,
    end: End,
) -> (Seen, Vec<Broker>) {
    let router = Router {
        offer,
        table: Mutex::new(brokers.iter().map(|broker| broker.address).collect()),
        turn: AtomicUsize::new(0),
        seen: Mutex::new(Seen {
            lives: 0,
            answered: BTreeMap::new(),
            failures: Vec::new(),
        }),
    };
    let going = AtomicBool::new(true);
    let new = thread::scope(|scope| {
        let _guard = Going(&going);
        for client in 0..CLIENTS {
            let (router, going) = (&router, &going);
            scope.spawn(move || {
                for number in 0.. {
                    if !going.load(Ordering::Relaxed) {
                        break;
                    }
                    router.life(&format!("i-{client}-{number}"));
                }
            });
        }
        brokers
            .into_iter()
            .map(|old| router.replace(old, &start, end))
            .collect()
    });
    let seen = router.seen.into_inner().expect("what was seen");
    (seen, new)
}

impl Router<'_> {
    fn replace(&self, mut old: Broker, start: impl Fn() -> Broker, end: End) -> Broker {
        wait_until("the old broker is asked", || {
            self.answers_of(old.address) > 20
        });
        let new = start();
        wait_until("the new broker is ready", || is_ready(&new));
        self.table.lock().expect("the table").push(new.address);
        wait_until("the new broker is asked", || {
            self.answers_of(new.address) > 20
        });
        match end {
            End::Stopped => {
                old.signal("TERM");
                wait_until("the old broker is not ready", || !is_ready(&old));
                self.remove(old.address);
                assert_eq!(old.wait().code(), Some(0), "{}", old.log());
            }
            End::Killed => {
                old.kill();
                let felt = || !self.seen.lock().expect("what was seen").failures.is_empty();
                wait_until("clients feel it", felt);
                self.remove(old.address);
            }
        }
        new
    }

    fn remove(&self, address: SocketAddr) {
        let mut table = self.table.lock().expect("the table");
        table.retain(|known| *known != address);
    }

    fn answers_of(&self, address: SocketAddr) -> usize {
        let seen = self.seen.lock().expect("what was seen");
        seen.answered.get(&address).copied().unwrap_or_default()
    }

    /// All calls, each to the next broker of the table.
    fn life(&self, instance: &str) {
        let Offer { service, plan, .. } = self.offer;
        let (at, bound) = (at_instance(instance), at_binding(instance, "b"));
        let query = format!("?service_id={service}&plan_id={plan}");
        let steps = [
            Request::new("PUT", &at).json(&provision_of(service, plan)),
            Request::new("PUT", &bound).json(&bind_of(service, plan)),
            // Whoever is asked knows it.
            Request::new("PUT", &bound).json(&bind_of(service, plan)),
            Request::new("DELETE", &format!("{bound}{query}")),
            Request::new("DELETE", &format!("{at}{query}")),
        ];
        let wanted = [201, 201, 200, 200, 200];
        if steps
            .iter()
            .zip(wanted)
            .all(|(step, status)| self.ask(step, status))
        {
            self.seen.lock().expect("what was seen").lives += 1;
        }
    }

    fn ask(&self, request: &Request, status: u16) -> bool {
        let address = {
            let table = self.table.lock().expect("the table");
            table[self.turn.fetch_add(1, Ordering::Relaxed) % table.len()]
        };
        let request = request
            .clone()
            .header("Authorization", self.offer.login)
            .header("X-Broker-API-Version", "2.17");
        let failure = match http::send(address, &request) {
            Err(error) => Some(error.to_string()),
            Ok(response) if response.status != status => {
                Some(format!("{}: {}", response.status, response.text()))
            }
            Ok(response) => checker::check(&request, &response, &[]).err(),
        };
        let mut seen = self.seen.lock().expect("what was seen");
        match failure {
            None => *seen.answered.entry(address).or_default() += 1,
            Some(why) => {
                let Request { method, path, .. } = &request;
                if seen.failures.len() < 5 {
                    seen.failures
                        .push(format!("{method} {path} at {address}: {why}"));
                }
                return false;
            }
        }
        true
    }
}

fn is_ready(broker: &Broker) -> bool {
    let asked = http::send(broker.address, &Request::new("GET", "/readyz"));
    asked.is_ok_and(|response| response.status == 200)
}
