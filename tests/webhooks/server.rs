//! An HTTP server of a few lines, so that it can misbehave in every way.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// By their names in lower case.
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

/// What is written back.
pub enum Reply {
    /// Whole and true.
    Http(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// These bytes, then the end of the connection.
    Raw(Vec<u8>),
    /// Nothing for a while, then the end.
    Silence(Duration),
}

pub fn reply(status: u16, body: &str) -> Reply {
    Reply::Http(status, Vec::new(), body.as_bytes().to_vec())
}

impl Reply {
    pub fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        match self {
            Self::Http(status, mut headers, body) => {
                headers.push((name, value.into()));
                Self::Http(status, headers, body)
            }
            other => other,
        }
    }
}

type Handler = dyn Fn(&Request, usize) -> Reply + Send + Sync;

/// A server that runs as long as the test.
pub struct Server {
    pub port: u16,
    scheme: &'static str,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
}

impl Server {
    /// Answers each request by `handler`, which is told how many were before.
    pub fn start(handler: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::run(None, handler)
    }

    pub fn start_tls(
        config: ServerConfig,
        handler: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::run(Some(Arc::new(config)), handler)
    }

    fn run(
        tls: Option<Arc<ServerConfig>>,
        handler: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = Self {
            port: listener.local_addr().expect("an address").port(),
            scheme: if tls.is_some() { "https" } else { "http" },
            seen: Arc::default(),
        };
        let seen = Arc::clone(&server.seen);
        let handler: Arc<Handler> = Arc::new(handler);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                seen.connections.fetch_add(1, Ordering::SeqCst);
                let (seen, handler, tls) = (Arc::clone(&seen), Arc::clone(&handler), tls.clone());
                thread::spawn(move || match tls {
                    None => serve(stream, &seen, &*handler),
                    Some(config) => {
                        let connection = ServerConnection::new(config).expect("a configuration");
                        serve(StreamOwned::new(connection, stream), &seen, &*handler);
                    }
                });
            }
        });
        server
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.port)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.seen.requests.lock().expect("a lock").clone()
    }

    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }
}

fn serve(stream: impl Read + Write, seen: &Seen, handler: &Handler) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream) {
        let before = {
            let mut requests = seen.requests.lock().expect("a lock");
            requests.push(request.clone());
            requests.len() - 1
        };
        let out = stream.get_mut();
        match handler(&request, before) {
            Reply::Http(status, headers, body) => {
                let mut whole = format!("HTTP/1.1 {status} X\r\n").into_bytes();
                for (name, value) in headers {
                    let _ = write!(whole, "{name}: {value}\r\n");
                }
                let _ = write!(whole, "Content-Length: {}\r\n\r\n", body.len());
                whole.extend(body);
                if out.write_all(&whole).and_then(|()| out.flush()).is_err() {
                    return;
                }
            }
            Reply::Raw(bytes) => {
                let _ = out.write_all(&bytes).and_then(|()| out.flush());
                return;
            }
            Reply::Silence(time) => return thread::sleep(time),
        }
    }
}

/// The next request; nothing at the end of the connection.
fn read(stream: &mut impl std::io::BufRead) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut words = lines.first()?.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let headers: HashMap<_, _> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers
        .get("content-length")
        .map_or(0, |text| text.parse().expect("a length"));
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        path,
        headers,
        body,
    })
}

/// A proxy: answers `CONNECT` with `status` `after` a while, and tunnels if that is 200. What it was asked goes into the list.
pub fn proxy(status: u16, after: Duration) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let list = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let list = Arc::clone(&list);
            thread::spawn(move || tunnel(stream, status, after, &list));
        }
    });
    (port, asked)
}

fn tunnel(client: TcpStream, status: u16, after: Duration, asked: &Mutex<Vec<String>>) {
    let mut head = String::new();
    let mut reader = BufReader::new(client.try_clone().expect("a clone"));
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    asked.lock().expect("a lock").push(head.clone());
    thread::sleep(after);
    let mut client = client;
    let _ = write!(client, "HTTP/1.1 {status} X\r\n\r\n");
    if status != 200 {
        return;
    }
    let target = head.split(' ').nth(1).expect("a target");
    let mut server = TcpStream::connect(target).expect("the target");
    let mut up = server.try_clone().expect("a clone");
    thread::spawn(move || std::io::copy(&mut reader, &mut up));
    let _ = std::io::copy(&mut server, &mut client);
}
