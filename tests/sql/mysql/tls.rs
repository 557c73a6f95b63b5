//! How the way to the server is secured: `ssl-mode` and its files in the URL.

use std::fs;
use std::process::Command;

use super::CATALOG;
use crate::cluster::given_folder;
use crate::harness::{Folder, Setup};
use crate::server::Server;

fn openssl(folder: &Folder, arguments: &str) {
    let done = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder.path())
        .output()
        .expect("openssl is installed");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
}

/// A certificate for localhost, signed by `ca.pem`, and the certificate of another authority, `other.pem`.
fn certificates(folder: &Folder) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for name in ["ca", "other"] {
        let own = format!("-keyout {name}.key -out {name}.pem -days 2 -subj /CN={name}");
        openssl(folder, &format!("req -x509 {key} {own}"));
    }
    let own = "-keyout key.pem -out request.pem -subj /CN=localhost";
    openssl(folder, &format!("req {key} {own}"));
    folder.write("names", "subjectAltName=DNS:localhost\n");
    openssl(
        folder,
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out cert.pem",
    );
}

/// A server with that certificate, and a login that it lets in over TLS alone.
fn server(folder: &Folder) -> Server {
    // It runs as somebody else, who may read them there.
    let place = given_folder("catalog-broker-tls-", 0);
    let options = [("ssl-cert", "cert.pem"), ("ssl-key", "key.pem")].map(|(name, file)| {
        let own = place.join(file);
        fs::copy(folder.path().join(file), &own).expect("a copy");
        let given = Command::new("chmod").arg("a+r").arg(&own).status();
        assert!(given.is_ok_and(|status| status.success()));
        format!("--{name}={}", own.display())
    });
    let server = Server::start(&options.each_ref().map(String::as_str));
    fs::remove_dir_all(&place).expect("nothing left");
    server.sql(
        "CREATE DATABASE shared; CREATE USER safe@'%' IDENTIFIED BY 'w0rd' REQUIRE SSL;
         GRANT ALL ON *.* TO safe@'%' WITH GRANT OPTION",
    );
    server
}

/// Whether a plan could be tried there, and what was said.
fn tried(url: &str) -> (bool, String) {
    let setup = Setup::new(CATALOG).env("MY_ADMIN", url);
    let setup = setup.arg("check").arg("--probe").arg("database");
    let (status, out, err) = setup.run();
    (status.code() == Some(0), out + &err)
}

#[test]
fn the_way_is_as_safe_as_the_url_says() {
    let keys = Folder::new();
    certificates(&keys);
    let server = server(&keys);
    let url = |host: &str, parameters: &str| {
        let parameters = parameters.replace("FOLDER", &keys.path().display().to_string());
        format!(
            "mysql://safe:w0rd@{host}:{}/shared?{parameters}",
            server.port
        )
    };
    let full = "ssl-mode=VERIFY_IDENTITY&ssl-ca=FOLDER/ca.pem";
    for (host, parameters) in [
        ("127.0.0.1", ""),
        ("127.0.0.1", "ssl-mode=REQUIRED"),
        ("localhost", full),
        ("127.0.0.1", &format!("{full}&ssl-server-name=localhost")),
    ] {
        let (is_clean, said) = tried(&url(host, parameters));
        assert!(is_clean, "{host} {parameters}: {said}");
    }
    let away = "cannot be reached";
    for (host, parameters, words) in [
        (
            "127.0.0.1",
            "ssl-mode=DISABLED",
            "refuses the broker's own login",
        ),
        ("127.0.0.1", full, away),
        ("localhost", "ssl-ca=FOLDER/other.pem", away),
        (
            "localhost",
            "ssl-mode=REQUIRED&ssl-ca=FOLDER/other.pem",
            away,
        ),
        ("localhost", "ssl-mode=VERIFY_IDENTITY", away),
        (
            "localhost",
            "ssl-ca=/nowhere.pem",
            "the file of ssl-ca cannot be used",
        ),
        ("localhost", "ssl-mode=sometimes", "ssl-mode is none of"),
    ] {
        let (is_clean, said) = tried(&url(host, parameters));
        assert!(
            !is_clean && said.contains(words),
            "{host} {parameters}: {said}"
        );
        assert!(!said.contains("w0rd"), "{said}");
    }
}

#[test]
fn a_server_without_tls_is_taken_where_the_url_lets_it() {
    let server = Server::start(&["--skip-ssl"]);
    server.sql("CREATE DATABASE shared");
    for (parameters, expected) in [("ssl-mode=PREFERRED", true), ("ssl-mode=REQUIRED", false)] {
        let (is_clean, said) = tried(&format!("{}?{parameters}", server.url("shared")));
        assert_eq!(is_clean, expected, "{parameters}: {said}");
    }
}
