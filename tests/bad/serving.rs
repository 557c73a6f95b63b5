//! A broker, plain or over TLS, and what its process holds.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::certificates::Authority;
use crate::good::Line;
use crate::harness::{CATALOG, Folder, Setup};
use crate::http::Request;

/// The hash of the tests' password.
const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$MdNHBbpPezhxiAx5GE1OUfKiA1C1s37uHxGfOImFSTI";

/// The user of a login that is known by its hash.
pub const HASHED: &str = "hashed";

/// How a broker is set up that bad clients come to.
pub fn setup() -> Setup {
    Setup::new("")
        .env("BROKER_AUTH__LOGINS__HASHED__USERNAME", HASHED)
        .env("BROKER_AUTH__LOGINS__HASHED__PASSWORD_HASH", HASH)
        // As with a proxy before it that keeps connections for a shorter time than most.
        .env("BROKER_SERVER__KEEP_ALIVE", "5s")
        .env("BROKER_SERVER__REQUEST_TIMEOUT", "10s")
}

/// A broker that runs.
pub struct Serving {
    pub address: SocketAddr,
    /// How its clients see that it is the right one, where it speaks TLS.
    pub trust: Option<Arc<ClientConfig>>,
    pub folder: Folder,
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Serving {
    pub fn start(setup: &Setup) -> Self {
        Self::serve(setup, Folder::new(), None)
    }

    pub fn start_with_tls(setup: &Setup) -> Self {
        let folder = Folder::new();
        let authority = Authority::new();
        let signed = authority.sign("localhost", 2);
        for (name, bytes) in [("tls.crt", signed.chain()), ("tls.key", signed.key())] {
            folder.write(name, &String::from_utf8(bytes).expect("PEM"));
        }
        let setup = setup
            .clone()
            .env("BROKER_SERVER__TLS__CERTIFICATE", "tls.crt")
            .env("BROKER_SERVER__TLS__KEY", "tls.key");
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(&authority.pem()).expect("PEM");
        roots.add(root).expect("an authority");
        let trust = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self::serve(&setup, folder, Some(Arc::new(trust)))
    }

    fn serve(setup: &Setup, folder: Folder, trust: Option<Arc<ClientConfig>>) -> Self {
        folder.write("catalog.yaml", CATALOG);
        let mut child = setup
            .command(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let log = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&log);
        let output = BufReader::new(child.stdout.take().expect("its output"));
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let mut log = written.lock().expect("the log");
                // A line for each request of ten minutes is not kept.
                if log.len() < 1 << 20 {
                    log.push_str(&line);
                    log.push('\n');
                }
            }
        });
        let mut serving = Self {
            address: ([127, 0, 0, 1], 0).into(),
            trust,
            folder,
            child,
            log,
        };
        serving.wait_for_log("listening on http");
        let log = serving.log();
        let line = log.lines().find(|line| line.contains("listening on http"));
        let address = line.and_then(|line| line.rsplit_once("//")).expect("a URL");
        serving.address = address.1.parse().expect("an address");
        serving.settle();
        serving
    }

    /// Waits until it opens no further files of its own: signals, and what the first request needs.
    fn settle(&self) {
        let (status, _) = Line::open(self)
            .and_then(|mut line| line.ask(&Request::new("GET", "/healthz")))
            .expect("an answer");
        assert_eq!(status, 200);
        let (mut files, mut same) = (0, 0);
        while same < 5 {
            thread::sleep(Duration::from_millis(100));
            let now = self.files();
            same = if now == files { same + 1 } else { 0 };
            files = now;
        }
    }

    pub fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    pub fn wait_for_log(&self, text: &str) {
        let until = Instant::now() + Duration::from_secs(60);
        while !self.log().contains(text) {
            assert!(
                Instant::now() < until,
                "never said {text:?}:\n{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("a connection");
        stream
            .set_read_timeout(Some(Duration::from_secs(120)))
            .expect("a socket");
        stream
    }

    /// A connection that has sent this.
    pub fn connect_with(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(bytes).expect("sent");
        stream
    }

    /// How many files it has open, connections among them.
    pub fn files(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.child.id());
        fs::read_dir(folder).expect("its files").count()
    }

    /// How much memory it has, in KiB, as the system counts it.
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("its status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let digits = line.and_then(|line| line.split_whitespace().nth(1));
        digits.and_then(|digits| digits.parse().ok()).expect("KiB")
    }

    /// Waits until it has no more files open than `most`: how long that took, or how many are left.
    pub fn let_go(&self, most: usize, patience: Duration) -> Result<Duration, usize> {
        let began = Instant::now();
        loop {
            let files = self.files();
            if files <= most {
                return Ok(began.elapsed());
            }
            if began.elapsed() > patience {
                return Err(files);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks it to stop, and waits for that: how it ended, and after how long.
    pub fn stop(&mut self) -> (ExitStatus, Duration) {
        let began = Instant::now();
        let asked = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(asked.expect("kill runs").success());
        loop {
            if let Some(status) = self.child.try_wait().expect("its status") {
                return (status, began.elapsed());
            }
            assert!(
                began.elapsed() < Duration::from_secs(120),
                "the broker did not end:\n{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
