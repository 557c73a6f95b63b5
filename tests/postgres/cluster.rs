//! A PostgreSQL server of the tests' own: made in a moment, on a free port and a socket, gone with the process that
//! started it. The library's tests and those from outside share this file.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Who connects over TCP, with this password; in a URL it is written `p%40ss`.
pub const USER: &str = "broker";
const PASSWORD: &str = "p@ss";

/// A server, and the folder that it lives in.
pub struct Cluster {
    folder: PathBuf,
    bin: PathBuf,
    pub port: u16,
    server: Child,
    options: Vec<String>,
}

impl Cluster {
    /// Makes and starts one. Its disk is never synced: what is tried out here is not the loss of power.
    pub fn start(options: &[&str]) -> Self {
        let bin = binaries();
        let folder = folder();
        let data = folder.join("data");
        let word = folder.join("word");
        fs::write(&word, PASSWORD).expect("a file for the password");
        let made = unprivileged(&bin.join("initdb"))
            .args([
                "--username",
                USER,
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
            ])
            .args(["--encoding=UTF8", "--locale=C", "--no-sync", "--pwfile"])
            .arg(&word)
            .arg("-D")
            .arg(&data)
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", said(&made));
        let port = free_port();
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let server = launch(&bin, &folder, port, &options);
        let cluster = Self {
            folder,
            bin,
            port,
            server,
            options,
        };
        cluster.await_start();
        cluster
    }

    /// A new database, by any name that is free.
    pub fn database(&self) -> String {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("d{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// The URL of a database over TCP.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://{USER}:p%40ss@127.0.0.1:{}/{database}",
            self.port
        )
    }

    /// The URL of a database over the socket: connecting costs nothing.
    pub fn socket_url(&self, database: &str) -> String {
        let folder = self.folder.to_string_lossy().replace('/', "%2F");
        format!("postgres://{USER}@{folder}:{}/{database}", self.port)
    }

    /// What `psql` says to a statement.
    pub fn sql(&self, database: &str, statement: &str) -> String {
        let output = self
            .program("psql")
            .args(["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-U", USER])
            .args(["-p", &self.port.to_string(), "-d", database, "-h"])
            .arg(&self.folder)
            .args(["-c", statement])
            .output()
            .expect("psql runs");
        assert!(output.status.success(), "{statement}: {}", said(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// One of PostgreSQL's programs.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        command.env_clear();
        command
    }

    /// As if its machine had died: no connection is told goodbye.
    pub fn stop(&mut self) {
        let stopped = unprivileged(&self.bin.join("pg_ctl"))
            .args(["stop", "-w", "-m", "immediate", "-D"])
            .arg(self.folder.join("data"))
            .output()
            .expect("pg_ctl runs");
        assert!(stopped.status.success(), "{}", said(&stopped));
        let _ = self.server.wait();
    }

    /// Starts it again where it was.
    pub fn restart(&mut self) {
        self.server = launch(&self.bin, &self.folder, self.port, &self.options);
        self.await_start();
    }

    /// A file that the server can read, and nobody else.
    pub fn write(&self, name: &str, text: &[u8]) -> PathBuf {
        let path = self.folder.join(name);
        let mut file = fs::File::create(&path).expect("a file for the server");
        file.write_all(text).expect("its text");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
        give(&path);
        path
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn await_start(&self) {
        let until = Instant::now() + Duration::from_secs(30);
        let ready = || {
            self.program("pg_isready")
                .args(["-q", "-p", &self.port.to_string(), "-h"])
                .arg(&self.folder)
                .status()
                .is_ok_and(|status| status.success())
        };
        while !ready() || TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(Instant::now() < until, "the server does not start:\n{log}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A command as a user that PostgreSQL agrees to run as, which ends with the thread that starts it.
pub fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir("/");
    if is_root() {
        command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]);
    }
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// The system ends the server with the thread that started it: that thread has to live as long as the process.
fn launch(bin: &Path, folder: &Path, port: u16, options: &[String]) -> Child {
    let log = fs::File::create(folder.join("log")).expect("a log");
    let mut command = unprivileged(&bin.join("postgres"));
    command
        .arg("-D")
        .arg(folder.join("data"))
        .args([
            "-p",
            &port.to_string(),
            "-c",
            "listen_addresses=127.0.0.1",
            "-k",
        ])
        .arg(folder)
        .args(["-c", "fsync=off", "-c", "max_connections=300"])
        .args(options)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log"))
        .stderr(log);
    spawned(command)
}

/// Starts a command that lives until it is killed, at the latest by the end of this process.
pub fn spawned(mut command: Command) -> Child {
    let (started, child) = mpsc::channel();
    thread::spawn(move || {
        let _ = started.send(command.spawn());
        loop {
            thread::park();
        }
    });
    child
        .recv()
        .expect("a thread that starts it")
        .expect("setpriv runs")
}

fn binaries() -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").is_file())
        .collect();
    found.sort();
    found
        .pop()
        .expect("PostgreSQL is installed: tests/run does that")
}

/// Below /tmp, which any user may enter; what processes left there that are gone goes first.
fn folder() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    given_folder("catalog-broker-pg-", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A folder of a server's own, by the number that it has in this process.
pub fn given_folder(prefix: &str, number: usize) -> PathBuf {
    for entry in fs::read_dir("/tmp").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name
            .strip_prefix(prefix)
            .and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let path = PathBuf::from(format!("/tmp/{prefix}{}-{number}", std::process::id()));
    fs::create_dir(&path).expect("a folder of the server's own");
    give(&path);
    path
}

fn give(path: &Path) {
    if is_root() {
        let done = Command::new("chown")
            .arg("nobody:nogroup")
            .arg(path)
            .status();
        assert!(done.expect("chown runs").success(), "{}", path.display());
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its number").port()
}

pub fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}
