//! The program and all that it started: as long as one of them lives, the run is not over.
//!
//! The supervisor is a subreaper: whoever loses its parent becomes its child, also after leaving group and session. So
//! it is enough to kill children until there are none. They are never mistaken for others: the number of a child is not
//! given away again before its parent has waited for it.

use std::fs;
use std::io;
use std::process::{Child, Command};
use std::time::Duration;

use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, kill_process_group,
    set_child_subreaper, wait,
};
use tokio::signal::unix::{self, SignalKind};

/// How often children are killed, and how long one round waits for their deaths, until the rest is given up: five
/// seconds for what the system does not let go, or does not let us kill.
const ROUNDS: u32 = 500;
const ROUND: Duration = Duration::from_millis(10);

/// The processes of one run.
pub(super) struct Kin {
    /// The program, until it was waited for.
    main: Option<Pid>,
    deaths: unix::Signal,
}

impl Kin {
    /// Starts `command` in a process group of its own.
    pub(super) fn start(command: &mut Command) -> io::Result<(Self, Child)> {
        use std::os::unix::process::CommandExt as _;
        set_child_subreaper(Some(getpid()))?;
        let deaths = unix::signal(SignalKind::child())?;
        let child = command.process_group(0).spawn()?;
        let main = Pid::from_raw(child.id().cast_signed());
        Ok((Self { main, deaths }, child))
    }

    /// Waits until the program has ended, and reaps meanwhile what it lost.
    pub(super) async fn ended(&mut self) -> io::Result<WaitStatus> {
        loop {
            match wait(WaitOptions::NOHANG)? {
                Some((pid, status)) if Some(pid) == self.main => {
                    self.main = None;
                    return Ok(status);
                }
                Some(_) => {}
                None => _ = self.deaths.recv().await,
            }
        }
    }

    /// Kills what is left; whether all of it is gone.
    pub(super) async fn end(mut self) -> bool {
        if let Some(main) = self.main {
            // The whole group at once, before one of it can start another. Who left it follows below.
            let _ = kill_process_group(main, Signal::KILL);
        }
        for _ in 0..ROUNDS {
            if none_left() {
                return true;
            }
            for child in children() {
                let _ = kill_process(child, Signal::KILL);
            }
            let _ = tokio::time::timeout(ROUND, self.deaths.recv()).await;
        }
        false
    }
}

/// Waits for all that have died; whether there are no others.
fn none_left() -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => {}
            Ok(None) => return false,
            // No children.
            Err(_) => return true,
        }
    }
}

/// The supervisor's own children, adopted ones too.
fn children() -> Vec<Pid> {
    let us = getpid().as_raw_nonzero().get();
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| parent(*pid) == Some(us))
        .filter_map(Pid::from_raw)
        .collect()
}

fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parent_in(&String::from_utf8_lossy(&stat))
}

/// `PID (NAME) STATE PARENT ...`, where a name may hold anything.
fn parent_in(stat: &str) -> Option<i32> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_found_behind_any_name() {
        assert_eq!(parent_in("7 (sh) S 42 7 7 0"), Some(42));
        assert_eq!(parent_in("7 (a) S 1 (b) R 43 7"), Some(43));
        assert_eq!(parent_in("7 (sh"), None);
        let us = getpid().as_raw_nonzero().get();
        let above = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
        assert_eq!(parent(us), above);
    }
}
