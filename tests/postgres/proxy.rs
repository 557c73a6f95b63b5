//! A way to a server that breaks at the worst moment: when a commit is under way.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;

/// What becomes of the next commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    Never = 0,
    /// It never gets to the server.
    Before = 1,
    /// The server does it, and its answer is lost.
    After = 2,
}

/// What a commit is known by: the word itself, and the one statement that is a transaction by itself.
const COMMITS: [&[u8]; 2] = [b"COMMIT\0", b"SELECT FROM broker_provision("];

/// Passes everything on, but for a commit that is to be cut.
pub struct Proxy {
    pub port: u16,
    cut: Arc<AtomicU8>,
}

impl Proxy {
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let own = listener.local_addr().expect("its number").port();
        let cut = Arc::new(AtomicU8::new(Cut::Never as u8));
        let switch = Arc::clone(&cut);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(("127.0.0.1", port)).expect("the server");
                let (client_back, server_back) = (copy(&client), copy(&server));
                let switch = Arc::clone(&switch);
                let lost = Arc::new(AtomicBool::new(false));
                let lost_back = Arc::clone(&lost);
                thread::spawn(move || pass_on(client, server, &switch, &lost));
                thread::spawn(move || pass_back(server_back, client_back, &lost_back));
            }
        });
        Self { port: own, cut }
    }

    /// Cuts the next commit, and no other.
    pub fn cut(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::SeqCst);
    }
}

fn copy(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("the same connection")
}

/// A statement comes in one piece here: it is small.
fn pass_on(mut client: TcpStream, mut server: TcpStream, switch: &AtomicU8, lost: &AtomicBool) {
    let mut buffer = vec![0; 65536];
    while let Ok(length) = client.read(&mut buffer) {
        let piece = &buffer[..length];
        let commits = COMMITS
            .iter()
            .any(|sign| piece.windows(sign.len()).any(|bytes| bytes == *sign));
        let cut = if commits {
            switch.swap(Cut::Never as u8, Ordering::SeqCst)
        } else {
            Cut::Never as u8
        };
        if cut == Cut::Before as u8 {
            let _ = client.shutdown(Shutdown::Both);
        }
        if cut == Cut::After as u8 {
            lost.store(true, Ordering::SeqCst);
        }
        if length == 0 || cut == Cut::Before as u8 || server.write_all(piece).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
}

/// An answer that is to be lost is waited for all the same: only then has the server done it, whatever is asked next.
fn pass_back(mut server: TcpStream, mut client: TcpStream, lost: &AtomicBool) {
    let mut buffer = vec![0; 65536];
    while let Ok(length) = server.read(&mut buffer) {
        let is_lost = lost.load(Ordering::SeqCst);
        if length == 0 || is_lost || client.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}
