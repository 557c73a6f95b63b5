//! What the machine itself makes of an answer meanwhile: a server of nothing that works for a millisecond, and one client.

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::judge::p99;

/// Measures until it is read.
pub struct Ruler {
    over: Arc<AtomicBool>,
    client: JoinHandle<Vec<Duration>>,
}

impl Ruler {
    pub fn lay() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("its address");
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("the client");
            let mut byte = [0];
            while stream.read_exact(&mut byte).is_ok() {
                work();
                if stream.write_all(&byte).is_err() {
                    return;
                }
            }
        });
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let client = thread::spawn(move || {
            let mut stream = TcpStream::connect(address).expect("a connection");
            let mut took = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let began = Instant::now();
                stream.write_all(&[1]).expect("sent");
                stream.read_exact(&mut [0]).expect("an answer");
                took.push(began.elapsed());
                thread::sleep(Duration::from_millis(10));
            }
            took
        });
        Self { over, client }
    }

    /// Within what time 99 of 100 answers came.
    pub fn read(self) -> Duration {
        self.over.store(true, Ordering::Relaxed);
        p99(self.client.join().expect("the client"))
    }
}

/// About as much as the broker does for a request in a build for tests.
fn work() {
    let sum = (0..100_000_u64).fold(0_u64, |sum, number| {
        sum.wrapping_mul(31) ^ black_box(number)
    });
    black_box(sum);
}
