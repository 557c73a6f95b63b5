//! `GET /v2/catalog` against the bare peer: CPU time over alternating rounds, and instructions. The broker is as one runs it
//! in earnest: with metrics, a hashed login and an audit.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use crate::bare;
use crate::broker::{self, CATALOG, Folder, request};
use crate::http;
use crate::load::drive;
use crate::process::Process;
use crate::report::{at_most, median, note};

const ROUNDS: usize = 24;
const CLIENTS: usize = 8;
const EACH: usize = 1_500;
const BAR: f64 = 1.15;

pub fn run() {
    let folder = Folder::with(CATALOG);
    let (quiet, quiet_at) = start(&folder, "off");
    let like = http::send(quiet_at, &request("GET", "/v2/catalog")).expect("a catalog");
    let (peer, peer_at) = bare::start(&folder, &like);
    let off = cpu_ratio((&quiet, quiet_at), (&peer, peer_at));
    at_most(
        "catalog / bare actix-web, CPU time, request log off",
        off,
        BAR,
        Some(1.05),
        "",
    );
    drop(quiet);
    let logging = Folder::with(CATALOG);
    let (loud, loud_at) = start(&logging, "info");
    let on = cpu_ratio((&loud, loud_at), (&peer, peer_at));
    at_most(
        "catalog / bare actix-web, CPU time, request log on",
        on,
        1.4,
        None,
        "",
    );
    drop((loud, peer));
    instructions(&like);
}

fn start(folder: &Folder, log: &str) -> (Process, SocketAddr) {
    let mut command = broker::command(folder, log);
    Process::listening(broker::in_earnest(&mut command))
}

/// The median over pairs of rounds, one right after the other.
fn cpu_ratio(ours: (&Process, SocketAddr), peer: (&Process, SocketAddr)) -> f64 {
    let round = |(process, address): (&Process, SocketAddr)| {
        let before = process.cpu();
        drive(address, CLIENTS, EACH, 200, |_, _| {
            request("GET", "/v2/catalog")
        });
        process.cpu().saturating_sub(before).as_secs_f64()
    };
    round(ours);
    round(peer);
    median(
        (0..ROUNDS)
            .map(|number| {
                if number % 2 == 0 {
                    round(ours) / round(peer)
                } else {
                    1.0 / (round(peer) / round(ours))
                }
            })
            .collect(),
    )
}

/// Instructions in user space for one request, by callgrind: what a run with many requests has more than one with few.
fn instructions(like: &http::Response) {
    if Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_err()
    {
        return note(
            "catalog / bare actix-web, instructions",
            "not measured: valgrind is not installed",
        );
    }
    let ours = per_request(|folder| {
        let mut command = under_callgrind(broker::program().as_os_str(), folder);
        broker::settings(&mut command, folder, "off");
        broker::in_earnest(&mut command).env("PATH", "/usr/bin:/bin");
        command
    });
    let peer = per_request(|folder| {
        let bare = bare::command(folder, like);
        let mut command = under_callgrind(bare.get_program(), folder);
        command.args(bare.get_args());
        command
    });
    at_most(
        "catalog / bare actix-web, instructions, request log off",
        ours / peer,
        BAR,
        Some(1.05),
        "",
    );
    note(
        "instructions for one catalog request",
        &format!("{ours:.0}, bare {peer:.0}"),
    );
}

fn under_callgrind(program: &std::ffi::OsStr, folder: &Folder) -> Command {
    let mut command = Command::new("valgrind");
    let out = folder.0.join("callgrind.out");
    command
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program);
    command
}

fn per_request(command: impl Fn(&Folder) -> Command) -> f64 {
    const FEW: usize = 200;
    const MANY: usize = 2_200;
    let total = |requests: usize| {
        let folder = Folder::with(CATALOG);
        let (process, address) = Process::listening(&mut command(&folder));
        drive(address, 1, requests, 200, |_, _| {
            request("GET", "/v2/catalog")
        });
        process.terminate();
        let text =
            std::fs::read_to_string(folder.0.join("callgrind.out")).expect("what callgrind wrote");
        let line = text
            .lines()
            .find(|line| line.starts_with("summary:") || line.starts_with("totals:"));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok())
            .expect("a total")
    };
    (total(MANY) - total(FEW)) / f64::from(u32::try_from(MANY - FEW).expect("a count"))
}
