//! `diff` over https, against a real TLS server: openssl's.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::harness::Folder;
use crate::runner::{CLEAN, run};

struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn openssl(folder: &Folder, arguments: &str) -> Command {
    let mut command = Command::new("openssl");
    command
        .args(arguments.split(' '))
        .current_dir(folder.path())
        .stdin(Stdio::null());
    command
}

fn made(folder: &Folder, arguments: &str) {
    let done = openssl(folder, arguments)
        .output()
        .expect("openssl is installed");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// Serves `v2/catalog` of the folder, with a certificate for localhost signed by `ca.pem`.
fn serve(folder: &Folder) -> Server {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    made(
        folder,
        &format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority"),
    );
    made(
        folder,
        &format!("req {key} -keyout key.pem -out request.pem -subj /CN=localhost"),
    );
    folder.write("names", "subjectAltName=DNS:localhost\n");
    made(
        folder,
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out cert.pem",
    );
    let mut child = openssl(
        folder,
        "s_server -accept 127.0.0.1:0 -cert cert.pem -key key.pem -HTTP",
    )
    .stdout(Stdio::piped())
    .stderr(Stdio::null())
    .spawn()
    .expect("openssl runs");
    let said = BufReader::new(child.stdout.take().expect("its output")).lines();
    let port = said.map_while(Result::ok).find_map(|line| {
        let place = line.strip_prefix("ACCEPT ")?;
        place.rsplit(':').next()?.parse().ok()
    });
    Server {
        child,
        port: port.expect("the port that it listens on"),
    }
}

#[test]
fn a_broker_behind_tls_is_read_and_a_stranger_is_not_trusted() {
    let folder = Folder::new();
    folder.write("catalog.yaml", CLEAN);
    let published = run(&folder, &["render"]).exits(0).out;
    let head = "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n";
    folder.write("v2/catalog", &format!("{head}{published}"));
    let server = serve(&folder);
    let url = format!("https://localhost:{}", server.port);
    let ran = run(&folder, &["diff", &url, "catalog.yaml", "--ca", "ca.pem"]).exits(0);
    assert_eq!(ran.out, "no difference\n");

    let stranger = run(&folder, &["diff", &url, "catalog.yaml"]).exits(2);
    assert!(stranger.err.contains("certificate"), "{stranger:?}");
    let other_name = format!("https://127.0.0.1:{}", server.port);
    let other_name = run(
        &folder,
        &["diff", &other_name, "catalog.yaml", "--ca", "ca.pem"],
    )
    .exits(2);
    assert!(other_name.err.contains("certificate"), "{other_name:?}");
    let nothing = run(
        &folder,
        &["diff", &url, "catalog.yaml", "--ca", "catalog.yaml"],
    )
    .exits(2);
    assert!(nothing.err.contains("holds no certificate"), "{nothing:?}");
}
