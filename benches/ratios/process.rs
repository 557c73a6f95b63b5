//! What a process costs, as the kernel counts it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A child that dies with its owner.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Starts a server and waits for the line that says where it listens.
    pub fn listening(command: &mut Command) -> (Self, SocketAddr) {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let address = loop {
            let line = lines
                .next()
                .expect("it says where it listens")
                .expect("a line");
            if let Some(rest) = line.split("listening on http://").nth(1) {
                break rest
                    .split(['/', ' '])
                    .next()
                    .expect("an address")
                    .parse()
                    .expect("an address");
            }
        };
        // What it goes on to say must go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        (Self(child), address)
    }

    /// CPU time of all its threads that live.
    pub fn cpu(&self) -> Duration {
        let folder = format!("/proc/{}/task", self.0.id());
        let nanos = |entry: fs::DirEntry| -> u64 {
            let text = fs::read_to_string(entry.path().join("schedstat")).unwrap_or_default();
            text.split(' ')
                .next()
                .and_then(|field| field.parse().ok())
                .unwrap_or(0)
        };
        Duration::from_nanos(
            fs::read_dir(folder)
                .expect("its threads")
                .flatten()
                .map(nanos)
                .sum(),
        )
    }

    /// Anonymous memory, in MiB.
    pub fn anonymous(&self) -> f64 {
        let text =
            fs::read_to_string(format!("/proc/{}/smaps_rollup", self.0.id())).expect("its memory");
        let line = text
            .lines()
            .find(|line| line.starts_with("Anonymous:"))
            .expect("a line of it");
        line.split_whitespace()
            .nth(1)
            .and_then(|field| field.parse::<f64>().ok())
            .expect("kB")
            / 1024.0
    }

    /// Ends it as an operator would, and waits.
    pub fn terminate(mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let until = Instant::now() + Duration::from_secs(60);
        while self.0.try_wait().expect("its status").is_none() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
