//! A client that shows a certificate once, and asks again and again on the same connection.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::Serving;

/// A connection over TLS that is kept.
pub struct Kept {
    client: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Kept {
    /// With the certificate `NAME.pem`.
    pub fn open(serving: &Serving, name: &str) -> io::Result<Self> {
        let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
        let mut client = Command::new("openssl")
            .args(["s_client", "-quiet", "-ign_eof", "-CAfile", "ca.pem"])
            .args(["-cert", &certificate, "-key", &key])
            .args(["-connect", &format!("127.0.0.1:{}", serving.port)])
            .current_dir(serving.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let gone = || io::Error::other("it has no pipe");
        Ok(Self {
            input: client.stdin.take().ok_or_else(gone)?,
            output: BufReader::new(client.stdout.take().ok_or_else(gone)?),
            client,
        })
    }

    /// The status of the answer.
    pub fn ask(&mut self, path: &str) -> io::Result<String> {
        let head =
            format!("GET {path} HTTP/1.1\r\nHost: broker\r\nX-Broker-API-Version: 2.17\r\n\r\n");
        self.input.write_all(head.as_bytes())?;
        self.input.flush()?;
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line == "\r\n" {
                break;
            }
            lines.push(line.to_lowercase());
        }
        let length = lines
            .iter()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: u64 = length.expect("a length").trim().parse().expect("a number");
        let mut body = Vec::new();
        self.output.by_ref().take(length).read_to_end(&mut body)?;
        Ok(lines[0].split(' ').nth(1).expect("a status").to_owned())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}
