//! Good clients: each lives one life after the other, on a connection of its own, and knows what it is to be answered.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use serde_json::Value;

use crate::harness::{
    PASSWORD, PLAN, SERVICE, USER, at_binding, at_instance, basic, bind_body, provision_body,
};
use crate::http::Request;
use crate::serving::{HASHED, Serving};

/// How long a good client rests between requests: they are to see the broker wait, not to be what it waits for.
const REST: Duration = Duration::from_millis(10);

/// What clients saw.
#[derive(Default)]
pub struct Seen {
    pub took: Vec<Duration>,
    pub wrong: Vec<String>,
}

/// What `clients` see of a broker until a time.
pub fn look(serving: &Serving, clients: usize, until: Instant) -> Seen {
    thread::scope(|scope| {
        let clients: Vec<_> = (0..clients)
            .map(|client| scope.spawn(move || live(serving, client, until)))
            .collect();
        let mut all = Seen::default();
        for client in clients {
            let seen = client.join().expect("a client");
            all.took.extend(seen.took);
            all.wrong.extend(seen.wrong);
        }
        all
    })
}

fn live(serving: &Serving, client: usize, until: Instant) -> Seen {
    let mut seen = Seen::default();
    let mut life = 0;
    while Instant::now() < until {
        let instance = format!("good-{client}-{life}");
        if let Err(why) = one_life(serving, client, &instance, &mut seen) {
            seen.wrong.push(format!("{instance}: {why}"));
        }
        life += 1;
    }
    seen
}

fn one_life(
    serving: &Serving,
    client: usize,
    instance: &str,
    seen: &mut Seen,
) -> Result<(), String> {
    // Every other one logs in with a password that the broker knows by its hash.
    let user = if client.is_multiple_of(2) {
        USER
    } else {
        HASHED
    };
    let request = |method: &str, path: &str| {
        Request::new(method, path)
            .header("Authorization", &basic(user, PASSWORD))
            .header("X-Broker-API-Version", "2.17")
    };
    let (at, bound) = (at_instance(instance), at_binding(instance, "b"));
    let query = format!("?service_id={SERVICE}&plan_id={PLAN}");
    // The connection is made within the time of the first request.
    let began = Instant::now();
    let mut line = Line::open(serving).map_err(|why| why.to_string())?;
    let mut ask = |request: &Request, expected: u16, began: Instant| {
        let answer = line.ask(request);
        let took = began.elapsed();
        thread::sleep(REST);
        let (status, body) = answer.map_err(|why| format!("{}: {why}", request.path))?;
        if status != expected {
            return Err(format!("{} {}: {status}", request.method, request.path));
        }
        seen.took.push(took);
        Ok::<Value, String>(body)
    };
    let catalog = ask(&request("GET", "/v2/catalog"), 200, began)?;
    if catalog["services"][0]["id"] != SERVICE {
        return Err(format!("another catalog: {catalog}"));
    }
    let put = request("PUT", &at).json(&provision_body());
    ask(&put, 201, Instant::now())?;
    let fetched = ask(&request("GET", &at), 200, Instant::now())?;
    if fetched["plan_id"] != PLAN {
        return Err(format!("another instance: {fetched}"));
    }
    let made = ask(
        &request("PUT", &bound).json(&bind_body()),
        201,
        Instant::now(),
    )?;
    let fetched = ask(&request("GET", &bound), 200, Instant::now())?;
    let credentials = &made["credentials"];
    if credentials["database"] != format!("cf_{instance}").as_str()
        || fetched["credentials"] != *credentials
    {
        return Err(format!("other credentials: {made} {fetched}"));
    }
    ask(&request("DELETE", &(bound + &query)), 200, Instant::now())?;
    ask(&request("DELETE", &(at + &query)), 200, Instant::now())?;
    Ok(())
}

trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

/// A connection, plain or over TLS.
pub struct Line(Box<dyn Stream>);

impl Line {
    pub fn open(serving: &Serving) -> std::io::Result<Self> {
        let stream = TcpStream::connect(serving.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let Some(trust) = &serving.trust else {
            return Ok(Self(Box::new(stream)));
        };
        let name = ServerName::try_from("localhost").expect("a name");
        let session = ClientConnection::new(Arc::clone(trust), name).expect("a session");
        Ok(Self(Box::new(StreamOwned::new(session, stream))))
    }

    /// Status and body of the answer.
    pub fn ask(&mut self, request: &Request) -> std::io::Result<(u16, Value)> {
        self.0.write_all(&request.to_bytes())?;
        self.0.flush()?;
        let bad = |why: &str| std::io::Error::other(why.to_owned());
        let mut bytes = Vec::new();
        let mut part = [0; 4096];
        loop {
            let read = self.0.read(&mut part)?;
            if read == 0 {
                return Err(bad("the connection was closed"));
            }
            bytes.extend(&part[..read]);
            let text = String::from_utf8_lossy(&bytes);
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head
                .lines()
                .filter_map(|line| line.split_once(": "))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, length)| length.parse::<usize>().ok())
                .ok_or_else(|| bad("no length"))?;
            if body.len() >= length {
                let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
                let body = serde_json::from_str(body).map_err(|_| bad("no JSON"))?;
                return Ok((status.ok_or_else(|| bad("no status"))?, body));
            }
        }
    }
}
