//! `deploy/release.sh`: the archive and the Debian package that it makes of the binary of this build. The package is put into
//! a folder, so that the machine stays as it is.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, LazyLock};

use crate::harness::{Broker, Folder, PASSWORD, Setup, USER, basic};
use crate::parts::{files, read, root, said, wait_until};
use crate::systemd::values;

const NAME: &str = "catalog-broker";

/// The folder with the release, made once.
pub static RELEASE: LazyLock<Folder> = LazyLock::new(|| {
    let folder = Folder::new();
    let made = release(&stripped(folder.path()), &folder.path().join("out"));
    assert!(made.status.success(), "{}", said(&made));
    folder
});

/// As a release is: without what only a debugger reads.
fn stripped(folder: &Path) -> PathBuf {
    let path = folder.join(NAME);
    let done = Command::new("strip")
        .arg("-o")
        .arg(&path)
        .arg(env!("CARGO_BIN_EXE_catalog-broker"))
        .status();
    assert!(done.expect("strip runs").success());
    path
}

fn release(binary: &Path, out: &Path) -> Output {
    Command::new(root().join("deploy/release.sh"))
        .arg(out)
        .env("BINARY", binary)
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .env("CARGO_NET_OFFLINE", "true")
        // Quick, for a test.
        .env("DPKG_DEB_COMPRESSOR_TYPE", "gzip")
        .env("DPKG_DEB_COMPRESSOR_LEVEL", "1")
        .output()
        .expect("the script runs")
}

fn out() -> PathBuf {
    RELEASE.path().join("out")
}

/// The file of the release whose name ends so.
pub fn made(end: &str) -> PathBuf {
    let found: Vec<PathBuf> = files(&out())
        .into_iter()
        .filter(|name| name.to_string_lossy().ends_with(end))
        .collect();
    assert_eq!(found.len(), 1, "{end}: {found:?}");
    out().join(&found[0])
}

#[test]
fn the_checksums_are_of_all_that_is_there() {
    let check = || {
        Command::new("sha256sum")
            .args(["--check", "--strict", "SHA256SUMS"])
            .current_dir(out())
            .output()
            .expect("sha256sum runs")
    };
    let checked = check();
    assert!(checked.status.success(), "{}", said(&checked));
    let sums = fs::read_to_string(out().join("SHA256SUMS")).expect("sums");
    let summed: BTreeSet<&str> = sums
        .lines()
        .filter_map(|line| Some(line.split_once("  ")?.1))
        .collect();
    let there = files(&out());
    let there: BTreeSet<&str> = there
        .iter()
        .filter_map(|name| name.to_str())
        .filter(|name| *name != "SHA256SUMS")
        .collect();
    assert_eq!(summed, there);
    assert_eq!(there.len(), 3, "{there:?}");
}

#[test]
fn the_same_binary_gives_the_same_bytes() {
    let again = Folder::new();
    let remade = release(&RELEASE.path().join(NAME), &again.path().join("out"));
    assert!(remade.status.success(), "{}", said(&remade));
    let sums = |folder: &Path| fs::read_to_string(folder.join("out/SHA256SUMS")).expect("sums");
    assert_eq!(sums(again.path()), sums(RELEASE.path()));
}

#[test]
fn another_version_is_not_packed() {
    let folder = Folder::new();
    let other = folder.write("other", "#!/bin/sh\necho catalog-broker 9.9.9\n");
    fs::set_permissions(&other, fs::Permissions::from_mode(0o755)).expect("its mode");
    let refused = release(&other, &folder.path().join("out"));
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains("9.9.9"), "{}", said(&refused));
    assert!(!folder.path().join("out").exists());
}

#[test]
fn the_archive_is_all_that_is_needed() {
    let folder = Folder::new();
    let unpacked = Command::new("tar")
        .args(["--extract", "--strip-components=1", "--file"])
        .arg(made(".tar.gz"))
        .current_dir(folder.path())
        .output()
        .expect("tar runs");
    assert!(unpacked.status.success(), "{}", said(&unpacked));
    for name in [
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "third-party.txt",
        "catalog-broker.cdx.json",
        "config/catalog.schema.json",
        "config/examples/twenty-plans.yaml",
        "deploy/README.md",
        "deploy/systemd/catalog-broker.service",
    ] {
        assert!(folder.path().join(name).exists(), "{name}");
    }
    let binary = folder.path().join("bin").join(NAME);
    let folder = Arc::new(folder);
    let broker = Setup::default().binary(&binary).start_in(&folder);
    assert_eq!(broker.catalog().status, 200);
}

/// A system that has nothing but the lists of its users and packages.
struct System(Folder);

impl System {
    fn new() -> Self {
        let folder = Folder::new();
        folder.write("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n");
        folder.write("etc/group", "root:x:0:\n");
        folder.write("var/lib/dpkg/info/passwd.list", "/.\n");
        folder.write("var/lib/dpkg/updates/.keep", "");
        fs::remove_file(folder.path().join("var/lib/dpkg/updates/.keep")).expect("it was there");
        folder.write(
            "var/lib/dpkg/status",
            "Package: passwd\nStatus: install ok installed\nVersion: 1:4.13\nArchitecture: all\n\
             Maintainer: nobody\nDescription: users\n",
        );
        Self(folder)
    }

    /// The scripts of the package run outside of it, and are told where it is.
    fn dpkg(&self, arguments: &[&str]) -> String {
        let mut command = if fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
            Command::new("dpkg")
        } else {
            let mut command = Command::new("unshare");
            command.args(["--map-root-user", "dpkg"]);
            command
        };
        let output = command
            .arg(format!("--root={}", self.path("").display()))
            .args(["--force-script-chrootless", "--log=/dev/null"])
            .args(arguments)
            .output()
            .expect("dpkg runs");
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        said(&output)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect(name)
    }

    fn install(&self) -> String {
        self.dpkg(&["--install", &made(".deb").display().to_string()])
    }

    /// What is there, the lists of `dpkg` and of users aside.
    fn left(&self) -> Vec<PathBuf> {
        let lists = ["etc/passwd", "etc/group", "etc/passwd-", "etc/group-"];
        let mut left = files(self.0.path());
        left.retain(|path| {
            !path.starts_with("var/lib/dpkg") && !lists.iter().any(|list| path == Path::new(list))
        });
        left
    }

    /// As the unit starts it.
    fn start(&self) -> Broker {
        let unit = self.read("usr/lib/systemd/system/catalog-broker.service");
        let one = |key: &str| values(&unit, key).pop().expect(key);
        let here = self.0.path().display().to_string();
        let moved = |text: &str| {
            ["/etc/", "/var/lib/"]
                .iter()
                .fold(text.to_owned(), |text, place| {
                    text.replace(place, &format!("{here}{place}"))
                })
        };
        let folder = Arc::new(Folder::new());
        let settings = moved(&self.read("etc/catalog-broker/broker.yaml"));
        folder.write("broker.yaml", &settings);
        // Copies of its own, as systemd makes them.
        for credential in values(&unit, "LoadCredential") {
            let (name, source) = credential.split_once(':').expect("a source");
            folder.write(name, &self.read(source.trim_start_matches('/')));
        }
        let command = one("ExecStart");
        let mut words = command.split(' ');
        let binary = words.next().expect("a binary").trim_start_matches('/');
        let mut setup = Setup::default()
            .without("BROKER_AUTH__USERNAME")
            .without("BROKER_AUTH__PASSWORD")
            .binary(&self.path(binary));
        for word in words {
            setup = setup.arg(&word.replace(
                "/etc/catalog-broker/broker.yaml",
                &folder.path().join("broker.yaml").display().to_string(),
            ));
        }
        for variable in values(&unit, "Environment") {
            let (name, value) = variable.split_once('=').expect("a value");
            setup = setup.env(
                name,
                &value.replace("%d", &folder.path().display().to_string()),
            );
        }
        let state = self.path("var/lib").join(one("StateDirectory"));
        fs::create_dir_all(state).expect("its state");
        // It looks at its files when it is told to, and not by itself.
        setup.env("BROKER_RELOAD__EVERY", "0").start_in(&folder)
    }

    /// As the unit reloads it.
    fn reload(&self, broker: &Broker) {
        let unit = self.read("usr/lib/systemd/system/catalog-broker.service");
        let command = values(&unit, "ExecReload").pop().expect("a command");
        let command = command.replace("$MAINPID", &broker.pid().to_string());
        let done = Command::new("sh").args(["-c", &command]).status();
        assert!(done.expect("a shell").success(), "{command}");
    }
}

#[test]
fn the_package_is_installed_serves_and_goes_without_a_trace() {
    let system = System::new();
    let told = system.install();
    assert!(
        told.contains("systemctl enable --now catalog-broker"),
        "{told}"
    );
    let user = system.read("etc/passwd");
    let user = user
        .lines()
        .find(|line| line.starts_with("catalog-broker:"))
        .expect("a user");
    assert!(
        user.ends_with(":/var/lib/catalog-broker:/usr/sbin/nologin"),
        "{user}"
    );
    let secrets = [
        "etc/catalog-broker/password",
        "etc/catalog-broker/store-key",
    ];
    for secret in secrets {
        let mode = fs::metadata(system.path(secret)).expect(secret).mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
        assert!(system.read(secret).trim().len() > 40, "{secret}");
    }
    assert_eq!(system.dpkg(&["--verify", NAME]), "", "as it was packed");

    // It serves, sealed, with the password that was made for it.
    let broker = system.start();
    let password = system.read("etc/catalog-broker/password");
    let asked = broker
        .request("GET", "/v2/catalog")
        .header("Authorization", &basic("platform", password.trim()));
    assert_eq!(broker.send(&asked).status, 200);
    let wrong = asked
        .clone()
        .header("Authorization", &basic(USER, PASSWORD));
    assert_eq!(broker.send(&wrong).status, 401);
    assert!(system.path("var/lib/catalog-broker/broker.db").exists());
    assert!(!broker.log().contains("lie in the store as they are"));
    let mine = system.read("etc/catalog-broker/catalog.yaml");
    let mine = mine.replace("Simple service example", "Mine");
    system.0.write("etc/catalog-broker/catalog.yaml", &mine);
    assert!(!broker.send(&asked).text().contains("Mine"));
    system.reload(&broker);
    wait_until("it offers what is written", || {
        broker.send(&asked).text().contains("Mine")
    });
    drop(broker);

    // What the operator wrote, and the secrets, outlive the next version.
    let before: Vec<String> = secrets.iter().map(|name| system.read(name)).collect();
    let told = system.install();
    assert!(!told.contains("systemctl enable"), "{told}");
    assert_eq!(system.read("etc/catalog-broker/catalog.yaml"), mine);
    let after: Vec<String> = secrets.iter().map(|name| system.read(name)).collect();
    assert_eq!(before, after);
    let users = system.read("etc/passwd");
    let users = users.lines().filter(|line| line.starts_with(NAME));
    assert_eq!(users.count(), 1);

    let variables = "etc/default/catalog-broker";
    system.0.write(variables, "BROKER_LOG__FORMAT=json\n");
    // As its unit has it made.
    let audit = "var/log/catalog-broker/audit.log";
    system.0.write(audit, "{}\n");
    // Removed, what the operator has is still there; purged, nothing is.
    system.dpkg(&["--remove", NAME]);
    assert!(!system.path("usr/bin/catalog-broker").exists());
    assert!(system.path("var/lib/catalog-broker/broker.db").exists());
    assert_eq!(system.read("etc/catalog-broker/catalog.yaml"), mine);
    assert!(system.path(variables).exists());
    assert!(system.path(audit).exists());
    system.dpkg(&["--purge", NAME]);
    assert_eq!(system.left(), Vec::<PathBuf>::new());
    assert!(!system.read("etc/passwd").contains(NAME));
    assert!(!system.read("etc/group").contains(NAME));
}

#[test]
fn the_package_says_what_it_is() {
    let field = |name: &str| {
        let output = Command::new("dpkg-deb")
            .arg("--field")
            .arg(made(".deb"))
            .arg(name)
            .output()
            .expect("dpkg-deb runs");
        said(&output).trim().to_owned()
    };
    assert_eq!(field("Version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(field("Depends"), "passwd", "one static binary");
    let listed = Command::new("dpkg-deb")
        .arg("--contents")
        .arg(made(".deb"))
        .output()
        .expect("dpkg-deb runs");
    let listed = said(&listed);
    for line in listed.lines() {
        assert!(line.contains(" root/root "), "{line}");
        let rights = &line[..10];
        assert!(
            ["drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"].contains(&rights),
            "{line}"
        );
    }
    for file in [
        "/usr/bin/catalog-broker",
        "/usr/share/bash-completion/completions/catalog-broker",
        "/usr/share/doc/catalog-broker/copyright",
        "/usr/share/doc/catalog-broker/catalog-broker.cdx.json",
        "/usr/share/doc/catalog-broker/third-party.txt",
    ] {
        assert!(listed.contains(&format!(".{file}\n")), "{file}");
    }
    let document = read("deploy/README.md");
    let name = made(".deb");
    let name = name.file_name().and_then(|name| name.to_str());
    assert!(document.contains(name.expect("a name")), "{name:?}");
    // What the scripts and the unit call the broker is what it is called here.
    let conffiles = "etc/catalog-broker/broker.yaml";
    assert!(listed.contains(conffiles));
    assert!(read("deploy/debian/broker.yaml").contains("/etc/catalog-broker/catalog.yaml"));
}
