//! Bad clients, each of a sort, all on one thread. What each may do in a second is bounded: they share the machine with the
//! broker, and are to be bad, not to be many enough to need all of it themselves.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;

use crate::harness::{PASSWORD, USER, basic};
use crate::serving::{HASHED, Serving};

/// What a bad client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// Sends its head a line at a time, without an end.
    SlowHead,
    /// Is answered, and then sends the head of another request so.
    SlowSecondHead,
    /// Is answered while its body still comes, chunk by chunk, without an end.
    EndlessBody,
    /// Logs in, and sends its body a byte at a time.
    SlowBody,
    /// Connects, and is not heard of again.
    Silent,
    /// Is answered, and is not heard of again: gone without a word, for all that the broker can see.
    HalfOpen,
    /// Asks and asks, as who may, and reads no answer.
    Unread,
    /// Sends anything.
    Garbage,
    /// Sends a head of 200 KiB, in one header or in many.
    HugeHead,
    /// Sends some hundred requests at once.
    Pipelined,
    /// Guesses at a token, each time from another one of a thousand addresses.
    WrongLogin,
    /// The same at a password that the broker knows by its hash, so that each guess takes it a while.
    WrongHashedLogin,
    /// Speaks HTTP where TLS is spoken, or anything.
    TlsGarbage,
    /// Says half of what a client of TLS says first, a byte at a time.
    SlowHello,
    /// Says it, and then anything.
    HelloAndGarbage,
    /// Shakes hands, and then sends its head a line at a time.
    SlowHeadOverTls,
}

use Sort::{
    EndlessBody, Garbage, HalfOpen, HelloAndGarbage, HugeHead, Pipelined, Silent, SlowBody,
    SlowHead, SlowHeadOverTls, SlowHello, SlowSecondHead, TlsGarbage, Unread, WrongHashedLogin,
    WrongLogin,
};

/// Those that come to a broker without TLS, and how many of each: 2,000 that are slow.
pub const PLAIN: &[(Sort, usize)] = &[
    (SlowHead, 1000),
    (SlowSecondHead, 300),
    (EndlessBody, 150),
    (SlowBody, 150),
    (Silent, 200),
    (HalfOpen, 200),
    (Unread, 4),
    (Garbage, 5),
    (HugeHead, 2),
    (Pipelined, 1),
    (WrongLogin, 20),
    (WrongHashedLogin, 2),
];

/// Those of them that guess.
pub const GUESSING: &[(Sort, usize)] = &[(WrongLogin, 20), (WrongHashedLogin, 2)];

/// Those that come to one with TLS.
pub const OVER_TLS: &[(Sort, usize)] = &[
    (Silent, 1000),
    (SlowHello, 500),
    (TlsGarbage, 5),
    (HelloAndGarbage, 5),
    (SlowHeadOverTls, 200),
];

/// How many addresses guess at logins, one after the other.
pub const ADDRESSES: usize = 1000;

/// How many guesses there were.
static GUESSES: AtomicUsize = AtomicUsize::new(0);

impl Sort {
    /// How long one rests before it comes again.
    const fn rest(self) -> Duration {
        Duration::from_millis(match self {
            WrongLogin => 60,
            Garbage | TlsGarbage | HelloAndGarbage => 100,
            WrongHashedLogin => 200,
            HugeHead => 500,
            _ => 1000,
        })
    }

    /// How long it rests between one piece and the next.
    const fn pause(self) -> Duration {
        Duration::from_millis(match self {
            SlowSecondHead | EndlessBody => 1000,
            Unread => 200,
            _ => 2000,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// They do what they do.
    Act,
    /// They do nothing any more, and keep their connections.
    Hold,
    /// They go.
    Go,
}

/// Bad clients of one broker.
pub struct Horde {
    shared: Arc<Shared>,
    phase: watch::Sender<Phase>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    broker: SocketAddr,
    trust: Option<Arc<ClientConfig>>,
    came: Mutex<BTreeMap<Sort, Count>>,
    turn: AtomicUsize,
}

/// How often a sort came, and how often it was sent away or had what it came for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    pub came: usize,
    pub ended: usize,
}

/// How many of each sort there were.
#[derive(Default)]
pub struct Counts(pub BTreeMap<Sort, Count>);

impl Counts {
    /// How often logins were guessed at.
    pub fn guesses(&self) -> usize {
        let of = |sort: Sort| self.0.get(&sort).map_or(0, |count| count.ended);
        of(WrongLogin) + of(WrongHashedLogin)
    }

    pub fn add(&mut self, other: &Self) {
        for (sort, count) in &other.0 {
            let sum = self.0.entry(*sort).or_default();
            sum.came += count.came;
            sum.ended += count.ended;
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (sort, Count { came, ended }) in &self.0 {
            write!(out, " {came} {sort:?} ({ended} ended);")?;
        }
        Ok(())
    }
}

impl Horde {
    /// Lets them loose.
    pub fn come(serving: &Serving, sorts: &'static [(Sort, usize)]) -> Self {
        let (phase, watching) = watch::channel(Phase::Act);
        let shared = Arc::new(Shared {
            broker: serving.address,
            trust: serving.trust.clone(),
            came: Mutex::default(),
            turn: AtomicUsize::new(0),
        });
        let all = all(Arc::clone(&shared), sorts, watching);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(all);
        });
        Self {
            shared,
            phase,
            thread: Some(thread),
        }
    }

    /// From now on they keep still, and their connections.
    pub fn hold(&self) {
        let _ = self.phase.send(Phase::Hold);
    }

    /// They go: how many there were.
    pub fn go(self) -> Counts {
        let shared = Arc::clone(&self.shared);
        drop(self);
        Counts(shared.came.lock().expect("a lock").clone())
    }
}

impl Drop for Horde {
    fn drop(&mut self) {
        let _ = self.phase.send(Phase::Go);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn all(
    shared: Arc<Shared>,
    sorts: &'static [(Sort, usize)],
    mut phase: watch::Receiver<Phase>,
) {
    let mut clients = Vec::new();
    for (sort, many) in sorts {
        for number in 0..*many {
            // Not all in the same moment.
            let delay = Duration::from_secs(2) * u32::try_from(number).expect("a few")
                / u32::try_from(*many).expect("a few");
            let client = client(Arc::clone(&shared), *sort, delay, phase.clone());
            clients.push(tokio::spawn(client));
        }
    }
    let mut held = Vec::new();
    for client in clients {
        held.extend(client.await.expect("a bad client"));
    }
    let _ = phase.wait_for(|phase| *phase == Phase::Go).await;
    drop(held);
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

type Stream = Box<dyn Duplex>;

/// Comes and comes again, until it is over: with the connection that it has then.
async fn client(
    shared: Arc<Shared>,
    sort: Sort,
    delay: Duration,
    mut phase: watch::Receiver<Phase>,
) -> Option<Stream> {
    let mut over: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
        let _ = phase.wait_for(|phase| *phase != Phase::Act).await;
    });
    tokio::select! {
        () = &mut over => return None,
        () = sleep(delay) => {}
    }
    loop {
        let connected = tokio::select! {
            () = &mut over => return None,
            connected = shared.connect(sort) => connected,
        };
        if let Ok(mut stream) = connected {
            shared.count(sort, |count| count.came += 1);
            tokio::select! {
                () = &mut over => return Some(stream),
                // How it ends is not its business: it is sent away.
                _ = shared.act(sort, &mut stream) => {}
            }
            shared.count(sort, |count| count.ended += 1);
        }
        tokio::select! {
            () = &mut over => return None,
            () = sleep(sort.rest()) => {}
        }
    }
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: b\r\n\r\n";

impl Shared {
    fn count(&self, sort: Sort, add: impl FnOnce(&mut Count)) {
        add(self.came.lock().expect("a lock").entry(sort).or_default());
    }

    /// The next one of all.
    fn turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    async fn connect(&self, sort: Sort) -> io::Result<Stream> {
        let stream = match sort {
            WrongLogin | WrongHashedLogin => {
                let socket = TcpSocket::new_v4()?;
                socket.bind(SocketAddr::new(
                    address(GUESSES.fetch_add(1, Ordering::Relaxed)),
                    0,
                ))?;
                socket.connect(self.broker).await?
            }
            Unread => {
                let socket = TcpSocket::new_v4()?;
                socket.set_recv_buffer_size(4096)?;
                socket.connect(self.broker).await?
            }
            _ => TcpStream::connect(self.broker).await?,
        };
        let (Some(trust), SlowHeadOverTls) = (&self.trust, sort) else {
            return Ok(Box::new(stream));
        };
        let name = ServerName::try_from("localhost").expect("a name");
        let connector = TlsConnector::from(Arc::clone(trust));
        Ok(Box::new(connector.connect(name, stream).await?))
    }

    /// What one does on a connection, until it is over.
    async fn act(&self, sort: Sort, stream: &mut Stream) -> io::Result<()> {
        let pause = sort.pause();
        match sort {
            SlowHead | SlowHeadOverTls => {
                stream.write_all(b"GET /v2/catalog HTTP/1.1\r\n").await?;
                trickle(stream, b"X: slow\r\n", pause).await
            }
            SlowSecondHead => {
                stream.write_all(HEALTH.as_bytes()).await?;
                some(stream).await?;
                stream.write_all(b"GET /v2/catalog HTTP/1.1\r\n").await?;
                trickle(stream, b"X: slow\r\n", pause).await
            }
            EndlessBody => {
                let head =
                    "POST /healthz HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n";
                stream.write_all(head.as_bytes()).await?;
                some(stream).await?;
                trickle(stream, b"1\r\nx\r\n", pause).await
            }
            SlowBody => {
                let login = basic(USER, PASSWORD);
                let head = format!(
                    "PUT /v2/service_instances/slow HTTP/1.1\r\nHost: b\r\nAuthorization: {login}\r\n\
                     X-Broker-API-Version: 2.17\r\nContent-Length: 5000\r\n\r\n{{"
                );
                stream.write_all(head.as_bytes()).await?;
                trickle(stream, b" ", pause).await
            }
            Silent => nothing(stream).await,
            HalfOpen => {
                stream.write_all(HEALTH.as_bytes()).await?;
                some(stream).await?;
                nothing(stream).await
            }
            Unread => {
                let login = basic(USER, PASSWORD);
                let ask = format!(
                    "GET /v2/catalog HTTP/1.1\r\nHost: b\r\nX-Broker-API-Version: 2.17\r\nAuthorization: {login}\r\n\r\n"
                );
                loop {
                    stream.write_all(ask.repeat(10).as_bytes()).await?;
                    sleep(pause).await;
                }
            }
            Garbage | TlsGarbage => {
                let bytes = match self.turn() % 3 {
                    0 => HEALTH.as_bytes().to_vec(),
                    1 => noise(10_000),
                    _ => vec![0; 10_000],
                };
                stream.write_all(&bytes).await?;
                stream.shutdown().await?;
                nothing(stream).await
            }
            HugeHead => {
                let header = match self.turn() % 2 {
                    0 => format!("X: {}\r\n", "x".repeat(200 << 10)),
                    _ => "X: 0123456789\r\n".repeat((200 << 10) / 15),
                };
                let head = format!("GET /v2/catalog HTTP/1.1\r\nHost: b\r\n{header}\r\n");
                stream.write_all(head.as_bytes()).await?;
                nothing(stream).await
            }
            Pipelined => {
                stream.write_all(HEALTH.repeat(300).as_bytes()).await?;
                stream.shutdown().await?;
                nothing(stream).await
            }
            WrongLogin | WrongHashedLogin => self.guess(sort, stream).await,
            SlowHello => {
                let hello = self.hello();
                for byte in &hello[..hello.len() / 2] {
                    stream.write_all(&[*byte]).await?;
                    sleep(Duration::from_millis(500)).await;
                }
                nothing(stream).await
            }
            HelloAndGarbage => {
                stream.write_all(&self.hello()).await?;
                stream.write_all(&noise(10_000)).await?;
                nothing(stream).await
            }
        }
    }

    async fn guess(&self, sort: Sort, stream: &mut Stream) -> io::Result<()> {
        let guess = format!("guess-{}", self.turn());
        let login = if sort == WrongLogin {
            format!("Bearer {guess}")
        } else {
            basic(HASHED, &guess)
        };
        let request = format!(
            "GET /v2/catalog HTTP/1.1\r\nHost: b\r\nX-Broker-API-Version: 2.17\r\nAuthorization: {login}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let answer = some(stream).await?;
        let refused = [" 401 ", " 429 "].iter().any(|code| answer.contains(code));
        assert!(refused, "a wrong login was answered {answer}");
        Ok(())
    }

    /// What a client of TLS says first.
    fn hello(&self) -> Vec<u8> {
        let trust = self.trust.clone().expect("a broker with TLS");
        let name = ServerName::try_from("localhost").expect("a name");
        let mut session = ClientConnection::new(trust, name).expect("a session");
        let mut hello = Vec::new();
        session.write_tls(&mut hello).expect("bytes");
        hello
    }
}

/// One of the addresses that guess; all of them are this machine's.
fn address(number: usize) -> IpAddr {
    let number = u32::try_from(number % ADDRESSES).expect("a few");
    IpAddr::V4(Ipv4Addr::from_bits(
        u32::from_be_bytes([127, 1, 0, 1]) + number,
    ))
}

fn noise(length: u32) -> Vec<u8> {
    (0..length)
        .map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

/// One piece after the other, until it is sent away.
async fn trickle(stream: &mut Stream, piece: &[u8], pause: Duration) -> io::Result<()> {
    let mut part = [0; 1024];
    loop {
        tokio::select! {
            read = stream.read(&mut part) => if read? == 0 { return Ok(()) },
            () = sleep(pause) => stream.write_all(piece).await?,
        }
    }
}

/// Says nothing, until it is sent away.
async fn nothing(stream: &mut Stream) -> io::Result<()> {
    let mut part = [0; 4096];
    while stream.read(&mut part).await? > 0 {}
    Ok(())
}

/// Some of an answer.
async fn some(stream: &mut Stream) -> io::Result<String> {
    let mut part = [0; 4096];
    let read = stream.read(&mut part).await?;
    Ok(String::from_utf8_lossy(&part[..read]).into_owned())
}
