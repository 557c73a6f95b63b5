//! TLS, with certificates by openssl and curl as the client: versions, logins by certificate, new files while it serves.

mod kept;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::documents::WIDE;
use crate::harness::{Folder, PASSWORD, Setup, USER};

pub use kept::Kept;

const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

fn openssl(folder: &Path, arguments: &str) {
    let done = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("openssl is installed");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{arguments}: {said}");
}

/// An authority of that name: `NAME.pem` and `NAME.key`.
fn authority(folder: &Path, name: &str) {
    openssl(
        folder,
        &format!("req -x509 {KEY} -keyout {name}.key -out {name}.pem -days 2 -subj /CN={name}"),
    );
}

/// A certificate of an authority: `NAME.pem` and `NAME.key`. Good for some days; less than none is over.
pub fn sign(folder: &Path, ca: &str, name: &str, subject: &str, san: &str, days: i32) {
    fs::write(folder.join("names"), format!("subjectAltName={san}\n")).expect("room");
    openssl(
        folder,
        &format!("req {KEY} -keyout {name}.key -out {name}.csr -subj {subject}"),
    );
    openssl(
        folder,
        &format!(
            "x509 -req -in {name}.csr -CA {ca}.pem -CAkey {ca}.key -CAcreateserial -days {days} -extfile names -out {name}.pem"
        ),
    );
}

/// A certificate of the authority `ca` for who is called `name`, which is over at that time, as openssl writes it.
fn sign_until(folder: &Path, name: &str, end: &str) {
    let authority = "[ca]\ndefault_ca=d\n[d]\ndatabase=known\nserial=number\nnew_certs_dir=.\ncertificate=ca.pem\n\
                     private_key=ca.key\ndefault_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n";
    fs::write(folder.join("ca.cnf"), authority).expect("room");
    fs::write(folder.join("known"), "").expect("room");
    fs::write(folder.join("names"), format!("subjectAltName=DNS:{name}\n")).expect("room");
    fs::write(folder.join("number"), "01\n").expect("room");
    openssl(
        folder,
        &format!("req {KEY} -keyout {name}.key -out {name}.csr -subj /CN={name}"),
    );
    openssl(
        folder,
        &format!(
            "ca -batch -notext -config ca.cnf -in {name}.csr -out {name}.pem -extfile names -enddate {end}"
        ),
    );
}

/// A folder with the authorities `ca` and `other`, and a certificate of the broker's: `tls.crt` and `tls.key`.
pub fn folder() -> Folder {
    let folder = Folder::new();
    let path = folder.path();
    authority(path, "ca");
    authority(path, "other");
    sign(path, "ca", "broker", "/CN=broker", "DNS:broker", 2);
    install(path, "broker");
    folder
}

/// As an operator would: both at once, each by a rename.
pub fn install(folder: &Path, name: &str) {
    for (from, to) in [("pem", "tls.crt"), ("key", "tls.key")] {
        let new = folder.join(format!("{to}.new"));
        fs::copy(folder.join(format!("{name}.{from}")), &new).expect("a copy");
        fs::rename(new, folder.join(to)).expect("a new file");
    }
}

pub fn setup() -> Setup {
    Setup::new(WIDE)
        .env("BROKER_SERVER__TLS__CERTIFICATE", "tls.crt")
        .env("BROKER_SERVER__TLS__KEY", "tls.key")
}

/// A broker that speaks TLS.
pub struct Serving {
    pub folder: Folder,
    pub port: u16,
    pub child: Child,
    log: Arc<Mutex<String>>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Serving {
    pub fn start(setup: &Setup, folder: Folder) -> Self {
        folder.write("catalog.yaml", WIDE);
        let mut child = setup
            .command(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let log = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&log);
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let mut log = written.lock().expect("the log");
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut serving = Self {
            folder,
            port: 0,
            child,
            log,
        };
        serving.wait_for_log("listening on https://127.0.0.1:");
        let log = serving.log.lock().expect("the log").clone();
        let (_, rest) = log.split_once("https://127.0.0.1:").expect("the line");
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        serving.port = digits.parse().expect("a port");
        serving
    }

    pub fn wait_for_log(&self, text: &str) {
        let until = Instant::now() + Duration::from_secs(60);
        while !self.log.lock().expect("the log").contains(text) {
            let log = self.log.lock().expect("the log").clone();
            assert!(Instant::now() < until, "never said {text:?}:\n{log}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What curl makes of a path: status and version, or its complaint.
    fn curl(&self, path: &str, arguments: &[&str]) -> Result<String, String> {
        let output = self.curl_to("https", path, arguments);
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    fn curl_to(&self, scheme: &str, path: &str, arguments: &[&str]) -> Output {
        let port = self.port;
        Command::new("curl")
            .args([
                "--silent",
                "--show-error",
                "--max-time",
                "60",
                "--output",
                "/dev/null",
            ])
            .args(["--write-out", "%{http_code} %{http_version}"])
            .args([
                "--noproxy",
                "*",
                "--resolve",
                &format!("broker:{port}:127.0.0.1"),
            ])
            .args(["--header", "X-Broker-API-Version: 2.17"])
            .args(arguments)
            .arg(format!("{scheme}://broker:{port}{path}"))
            .current_dir(self.folder.path())
            .output()
            .expect("curl is installed")
    }

    fn catalog(&self, arguments: &[&str]) -> Result<String, String> {
        let ca = ["--cacert", "ca.pem"];
        self.curl("/v2/catalog", &[&ca, arguments].concat())
    }
}

fn login() -> String {
    format!("{USER}:{PASSWORD}")
}

#[test]
fn the_api_is_served_over_tls_and_nothing_else_is() {
    let serving = Serving::start(&setup(), folder());
    let login = login();
    let user = ["--user", login.as_str()];
    let with = |more: &[&str]| serving.catalog(&[&user, more].concat());
    assert_eq!(with(&["--http1.1"]), Ok("200 1.1".to_owned()));
    // Who would rather have HTTP/2 gets what is offered.
    assert_eq!(with(&["--http2"]), Ok("200 1.1".to_owned()));
    assert_eq!(
        with(&["--http1.1", "--tls-max", "1.2"]),
        Ok("200 1.1".to_owned())
    );
    assert_eq!(with(&["--http1.1", "--tlsv1.3"]), Ok("200 1.1".to_owned()));
    assert_eq!(serving.catalog(&["--http1.1"]), Ok("401 1.1".to_owned()));
    let strange = serving.curl("/v2/catalog", &["--cacert", "other.pem"]);
    assert!(strange.is_err_and(|why| why.contains("certificate")));
    let plain = serving.curl_to("http", "/healthz", &[]);
    assert!(!plain.status.success(), "plain HTTP is no answer");
    let (status, _, errors) = setup()
        .env("PORT", &serving.port.to_string())
        .arg("health")
        .run_in(&serving.folder);
    assert_eq!(status.code(), Some(0), "{errors}");
}

#[test]
fn a_certificate_is_a_login() {
    let folder = folder();
    let path = folder.path();
    sign(
        path,
        "ca",
        "korifi",
        "/O=Example/CN=korifi",
        "URI:spiffe://example/api",
        2,
    );
    sign(
        path,
        "ca",
        "watcher",
        "/CN=watcher",
        "DNS:Watch.example,IP:10.0.0.1",
        2,
    );
    sign(path, "ca", "stranger", "/CN=stranger", "DNS:korifi", 2);
    sign(
        path,
        "ca",
        "over",
        "/O=Example/CN=korifi",
        "URI:spiffe://example/api",
        -1,
    );
    sign(
        path,
        "other",
        "forged",
        "/O=Example/CN=korifi",
        "URI:spiffe://example/api",
        2,
    );
    let setup = setup()
        .env("BROKER_SERVER__TLS__CLIENT_CA", "ca.pem")
        .env(
            "BROKER_AUTH__LOGINS__KORIFI__CERTIFICATE_SUBJECT",
            "CN = korifi, O=Example",
        )
        .env(
            "BROKER_AUTH__LOGINS__KORIFI__CERTIFICATE_SAN",
            "spiffe://example/api",
        )
        .env(
            "BROKER_AUTH__LOGINS__WATCHER__CERTIFICATE_SAN",
            "Watch.Example",
        )
        .env("BROKER_AUTH__LOGINS__WATCHER__ROLE", "viewer");
    let serving = Serving::start(&setup, folder);
    let show = |name: &str, more: &[&str]| {
        let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
        serving.catalog(&[&["--cert", &certificate, "--key", &key], more].concat())
    };
    for version in ["--http1.1", "--http2"] {
        let status = |answer: Result<String, String>| answer.map(|text| text[..3].to_owned());
        assert_eq!(status(show("korifi", &[version])), Ok("200".to_owned()));
        assert_eq!(status(show("watcher", &[version])), Ok("403".to_owned()));
        assert_eq!(status(show("stranger", &[version])), Ok("401".to_owned()));
        for refused in ["over", "forged"] {
            let answer = show(refused, &[version]);
            assert!(answer.is_err(), "{refused} {answer:?}");
        }
        // The header counts first, right or wrong.
        let wrong = show("korifi", &[version, "--user", "x:y"]);
        assert_eq!(status(wrong), Ok("401".to_owned()));
        let login = login();
        let other = show("watcher", &[version, "--user", &login]);
        assert_eq!(status(other), Ok("200".to_owned()));
        let password = serving.catalog(&[version, "--user", &login]);
        assert_eq!(status(password), Ok("200".to_owned()));
    }
    // The authority of clients is swapped, too: from then on nobody of the old one is let in.
    fs::copy(serving.path("other.pem"), serving.path("ca.new")).expect("a copy");
    fs::copy(serving.path("ca.pem"), serving.path("server-ca.pem")).expect("a copy");
    fs::rename(serving.path("ca.new"), serving.path("ca.pem")).expect("a new file");
    serving.wait_for_log("the new files hold from now on");
    let show = |name: &str| {
        let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
        let arguments = [
            "--cacert",
            "server-ca.pem",
            "--cert",
            &certificate,
            "--key",
            &key,
        ];
        serving.curl("/v2/catalog", &arguments)
    };
    assert!(show("korifi").is_err());
    assert!(show("forged").is_ok_and(|answer| answer.starts_with("200")));
}

/// A connection may outlast the certificate that was shown for it: with that it is nobody's.
#[test]
fn a_certificate_that_is_over_is_no_login_on_a_connection_that_is_kept() {
    let setup = setup().env("BROKER_SERVER__TLS__CLIENT_CA", "ca.pem").env(
        "BROKER_AUTH__LOGINS__BRIEF__CERTIFICATE_SUBJECT",
        "CN=brief",
    );
    let serving = Serving::start(&setup, folder());
    // As short as this machine can shake hands in.
    let mut lifetimes = [4_u32, 8, 16, 32, 64].iter();
    let mut kept = loop {
        let seconds = lifetimes.next().expect("a handshake within a minute");
        let end = Command::new("date")
            .args(["--utc", "--date", &format!("{seconds} seconds")])
            .arg("+%Y%m%d%H%M%SZ")
            .output()
            .expect("a date");
        let end = String::from_utf8(end.stdout).expect("text");
        sign_until(serving.folder.path(), "brief", end.trim());
        let mut kept = Kept::open(&serving, "brief").expect("openssl is installed");
        if kept.ask("/v2/catalog").is_ok_and(|status| status == "200") {
            break kept;
        }
    };
    let until = Instant::now() + Duration::from_secs(120);
    while kept.ask("/v2/catalog").expect("an answer") == "200" {
        assert!(Instant::now() < until, "it is let in for ever");
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(kept.ask("/v2/catalog").expect("an answer"), "401");
}

/// The broker knows by itself that its pages come by HTTPS.
#[test]
fn cookies_are_for_https_alone() {
    let serving = Serving::start(&setup(), folder());
    let to_file = ["--cacert", "ca.pem", "--dump-header", "head"];
    let answer = serving.curl("/console/sign-in", &to_file);
    assert_eq!(answer, Ok("200 1.1".to_owned()));
    let head = fs::read_to_string(serving.path("head")).expect("a head");
    let cookie = head
        .lines()
        .find(|line| line.to_lowercase().starts_with("set-cookie: "));
    assert!(
        cookie.is_some_and(|cookie| cookie.ends_with("; Secure")),
        "{head}"
    );
}

/// New certificates of another authority, again and again, while clients connect all the time: no request fails, and each
/// new one comes into use.
#[test]
fn a_certificate_is_changed_under_load_without_a_failed_request() {
    let folder = folder();
    let path = folder.path();
    sign(path, "other", "second", "/CN=second", "DNS:broker", 2);
    let both = [path.join("ca.pem"), path.join("other.pem")];
    let both: Vec<_> = both
        .iter()
        .map(|file| fs::read(file).expect("PEM"))
        .collect();
    fs::write(path.join("both.pem"), both.concat()).expect("room");
    let serving = Serving::start(&setup(), folder);
    let over = AtomicBool::new(false);
    let login = login();
    let asked = thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut asked = 0;
                    while !over.load(Ordering::Relaxed) {
                        let arguments = ["--cacert", "both.pem", "--user", &login];
                        let answer = serving.curl("/v2/catalog", &arguments);
                        assert_eq!(answer, Ok("200 1.1".to_owned()));
                        asked += 1;
                    }
                    asked
                })
            })
            .collect();
        for (name, ca) in [
            ("second", "other.pem"),
            ("broker", "ca.pem"),
            ("second", "other.pem"),
        ] {
            install(serving.folder.path(), name);
            let until = Instant::now() + Duration::from_secs(60);
            while serving.curl("/healthz", &["--cacert", ca]).is_err() {
                let log = serving.log.lock().expect("the log").clone();
                assert!(Instant::now() < until, "{name} never came into use:\n{log}");
                thread::sleep(Duration::from_millis(50));
            }
        }
        over.store(true, Ordering::Relaxed);
        clients
            .into_iter()
            .map(|client| client.join().expect("no failed request"))
            .sum::<u32>()
    });
    assert!(asked > 4, "{asked}");
}

#[test]
fn what_cannot_be_used_is_said_and_the_old_stays() {
    let folder = folder();
    sign(folder.path(), "ca", "second", "/CN=second", "DNS:broker", 2);
    sign(folder.path(), "ca", "over", "/CN=over", "DNS:broker", -1);
    let serving = Serving::start(&setup(), folder);
    let healthy = || serving.curl("/healthz", &["--cacert", "ca.pem", "--http1.1"]);
    assert_eq!(healthy(), Ok("200 1.1".to_owned()));
    let second_key = fs::read(serving.path("second.key")).expect("a key");
    for (bad, said) in [
        (
            second_key.as_slice(),
            "tls.key: is not the key of the certificate",
        ),
        (
            b"-----BEGIN PRIVATE KEY-----\nMARKED\n",
            "tls.key: is not what is expected there, in PEM",
        ),
    ] {
        fs::write(serving.path("tls.key"), bad).expect("room");
        serving.wait_for_log(said);
        assert_eq!(healthy(), Ok("200 1.1".to_owned()));
    }
    fs::remove_file(serving.path("tls.key")).expect("a file");
    serving.wait_for_log("tls.key: cannot be read");
    assert_eq!(healthy(), Ok("200 1.1".to_owned()));
    install(serving.folder.path(), "over");
    serving.wait_for_log("tls.crt: is over");
    assert_eq!(healthy(), Ok("200 1.1".to_owned()));
    install(serving.folder.path(), "second");
    serving.wait_for_log("the new files hold from now on");
    assert_eq!(healthy(), Ok("200 1.1".to_owned()));
    assert!(!serving.log.lock().expect("the log").contains("MARKED"));
}

/// What was in the way of new files may go without a trace in them, as a right does that root grants later.
#[test]
fn what_cannot_be_used_is_tried_again() {
    let folder = folder();
    sign(folder.path(), "ca", "second", "/CN=second", "DNS:broker", 2);
    let serving = Serving::start(&setup(), folder);
    let second = fs::read(serving.path("second.pem")).expect("PEM");
    fs::write(serving.path("tls.crt"), second).expect("room");
    serving.wait_for_log("tls.key: is not the key of the certificate");
    // The right key, and nothing that tells it from the wrong one: the same file, as long and as old.
    let wrong = fs::metadata(serving.path("tls.key")).expect("a file");
    let right = fs::read(serving.path("second.key")).expect("a key");
    assert_eq!(right.len() as u64, wrong.len());
    fs::write(serving.path("tls.key"), right).expect("room");
    let file = fs::File::options()
        .write(true)
        .open(serving.path("tls.key"))
        .expect("a file");
    file.set_modified(wrong.modified().expect("a time"))
        .expect("its time");
    serving.wait_for_log("the new files hold from now on");
    // It was said once.
    let log = serving.log.lock().expect("the log").clone();
    assert_eq!(log.matches("is not the key").count(), 1, "{log}");
}

#[test]
fn what_cannot_be_used_at_start_is_refused() {
    let folder = folder();
    folder.write("catalog.yaml", WIDE);
    fs::copy(
        folder.path().join("other.key"),
        folder.path().join("wrong.key"),
    )
    .expect("a copy");
    let plain = || Setup::new(WIDE);
    for (setup, said) in [
        (
            setup().env("BROKER_SERVER__TLS__KEY", "none.key"),
            "none.key: cannot be read",
        ),
        (
            setup().env("BROKER_SERVER__TLS__KEY", "wrong.key"),
            "wrong.key: is not the key of the certificate",
        ),
        (
            setup().env("BROKER_SERVER__TLS__CLIENT_CA", "wrong.key"),
            "wrong.key: has no certificate in PEM",
        ),
        (
            plain().env("BROKER_SERVER__TLS__CERTIFICATE", "tls.crt"),
            "server.tls.certificate: its key is not given; give server.tls.key, too",
        ),
        (
            plain().env("BROKER_SERVER__TLS__CLIENT_CA", "ca.pem"),
            "server.tls.client_ca: the broker's certificate is not given",
        ),
        (
            setup().env("BROKER_AUTH__LOGINS__A__CERTIFICATE_SUBJECT", "CN=a"),
            "auth.logins.a: is a login by certificate, and clients are not asked for one",
        ),
        (
            setup()
                .env("BROKER_AUTH__LOGINS__A__CERTIFICATE_SUBJECT", "CN=a")
                .env("BROKER_AUTH__LOGINS__A__TOKEN", "t"),
            "auth.logins.a.certificate_subject: stands beside a password or a token",
        ),
        (
            setup().env("BROKER_AUTH__LOGINS__A__CERTIFICATE_SUBJECT", "a"),
            "auth.logins.a.certificate_subject: is no subject",
        ),
    ] {
        let (status, _, errors) = setup.run_in(&folder);
        assert_eq!(status.code(), Some(2), "{said}: {errors}");
        assert!(errors.contains(said), "{said}: {errors}");
    }
}
