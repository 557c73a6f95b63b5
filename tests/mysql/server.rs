//! A MariaDB server of the tests' own: made in a moment, on a free port and a socket, gone with the process that started
//! it.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::cluster::{free_port, given_folder, said, spawned, unprivileged};

/// Who may do everything; in a URL the password is written `p%40ss`.
pub const ROOT: &str = "broker";
pub const PASSWORD: &str = "p@ss";

/// A server, and the folder that it lives in.
pub struct Server {
    folder: PathBuf,
    pub port: u16,
    process: Child,
    options: Vec<String>,
}

impl Server {
    /// Makes and starts one. Its disk is hardly ever synced: what is tried out here is not the loss of power.
    pub fn start(options: &[&str]) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let folder = given_folder("catalog-broker-my-", NEXT.fetch_add(1, Ordering::Relaxed));
        let made = unprivileged(&program("mariadb-install-db"))
            .args(["--no-defaults", "--auth-root-authentication-method=normal"])
            .args(["--skip-test-db", "--skip-name-resolve"])
            .arg(format!("--datadir={}", folder.join("data").display()))
            // Two at once would be in each other's way in the system's own.
            .arg(format!("--tmpdir={}", folder.display()))
            .output()
            .expect("mariadb-install-db runs");
        assert!(made.status.success(), "{}", said(&made));
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let port = free_port();
        let process = launch(&folder, port, &options);
        let server = Self {
            folder,
            port,
            process,
            options,
        };
        server.await_start();
        // Roots by the names of this machine, which nobody can have where names are not resolved.
        server.sql("DELETE FROM mysql.global_priv WHERE host <> 'localhost'; FLUSH PRIVILEGES");
        server.sql(&format!(
            "CREATE USER {ROOT}@'%' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON *.* TO {ROOT}@'%' WITH GRANT OPTION"
        ));
        server
    }

    /// The URL of a database, as who may do everything.
    pub fn url(&self, database: &str) -> String {
        url(self.port, ROOT, "p%40ss", database)
    }

    /// What the client says to a statement of root's.
    pub fn sql(&self, statements: &str) -> String {
        let output = self.root(statements).output().expect("mariadb runs");
        assert!(output.status.success(), "{statements}: {}", said(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn root(&self, statements: &str) -> Command {
        let mut command = client();
        command.args(["-uroot", "-S"]).arg(self.socket());
        command.args(["-e", statements]);
        command
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// All that is on the server but what a set keeps for itself: databases with what is in them, logins and rights.
    pub fn dump(&self) -> String {
        let databases = self.sql(
            "SELECT GROUP_CONCAT(schema_name SEPARATOR ' ') FROM information_schema.schemata
             WHERE schema_name NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys', 'catalog_broker')",
        );
        let mut dump = self.dumped(&["--system=users"]);
        if databases != "NULL" {
            let mut what = vec!["--routines", "--events", "--triggers", "--databases"];
            what.extend(databases.split(' '));
            dump.push_str(&self.dumped(&what));
        }
        dump
    }

    fn dumped(&self, what: &[&str]) -> String {
        let output = Command::new(program("mariadb-dump"))
            .env_clear()
            .args(["--no-defaults", "-uroot", "--skip-comments", "-S"])
            .arg(self.socket())
            .args(what)
            .output()
            .expect("mariadb-dump runs");
        assert!(output.status.success(), "{}", said(&output));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines.join("\n")
    }

    /// What the server has written to its log.
    pub fn log(&self) -> String {
        let read = |name| {
            String::from_utf8_lossy(&fs::read(self.folder.join(name)).unwrap_or_default())
                .into_owned()
        };
        read("log") + &read("data/general.log")
    }

    /// As if its machine had died: no connection is told goodbye.
    pub fn stop(&mut self) {
        self.process.kill().expect("its end");
        self.process.wait().expect("its end");
    }

    /// Starts it again where it was.
    pub fn restart(&mut self) {
        self.process = launch(&self.folder, self.port, &self.options);
        self.await_start();
    }

    fn await_start(&self) {
        let until = Instant::now() + Duration::from_secs(60);
        let ready = || {
            self.root("SELECT 1")
                .output()
                .is_ok_and(|ran| ran.status.success())
        };
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() || !ready() {
            let is_late = Instant::now() > until;
            assert!(!is_late, "the server does not start:\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn launch(folder: &Path, port: u16, options: &[String]) -> Child {
    let log = fs::File::create(folder.join("log")).expect("a log");
    let place = |name: &str, file: &str| format!("--{name}={}", folder.join(file).display());
    let mut command = unprivileged(&program("mariadbd"));
    command
        .args([
            "--no-defaults",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
        ])
        .arg(format!("--port={port}"))
        .arg(place("datadir", "data"))
        .arg(place("socket", "socket"))
        .arg(place("pid-file", "pid"))
        .arg(place("tmpdir", ""))
        .args([
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-buffer-pool-size=32M",
        ])
        .args(["--innodb-use-native-aio=OFF", "--max-connections=300"])
        .args(options)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log"))
        .stderr(log);
    spawned(command)
}

/// The command line client, without the settings of the machine.
fn client() -> Command {
    let mut command = Command::new(program("mariadb"));
    command
        .env_clear()
        .args(["--no-defaults", "--batch", "--skip-column-names"]);
    command
}

/// A statement of whoever that is, to be run.
pub fn statement(port: u16, user: &str, password: &str, database: &str, sql: &str) -> Command {
    let mut command = client();
    command
        .env("MYSQL_PWD", password)
        .args(["-h127.0.0.1", "-P", &port.to_string(), "-u", user])
        .args(["-e", sql, database]);
    command
}

/// What the client says to it, or what the server says against it.
pub fn says(mut statement: Command) -> Result<String, String> {
    let output: Output = statement.output().expect("mariadb runs");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(said(&output))
    }
}

pub fn url(port: u16, user: &str, password: &str, database: &str) -> String {
    format!("mysql://{user}:{password}@127.0.0.1:{port}/{database}")
}

fn program(name: &str) -> PathBuf {
    let places = ["/usr/bin", "/usr/sbin", "/usr/local/bin"];
    let found = places.map(|place| Path::new(place).join(name));
    let found = found.into_iter().find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is installed: tests/run does that"))
}
