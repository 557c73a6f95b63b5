//! The processes of one run: the supervisor and, below it, the program.

use std::fmt;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Socket;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::process::{ChildStderr, ChildStdout, Command};

use crate::supervisor::{Order, Report, SUBCOMMAND};

/// How long a run that is given up is awaited. It takes a few milliseconds; what the system itself holds may take longer.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// One run. Dropped, it ends the program and all that it started.
pub(super) struct Run {
    lifeline: UnixStream,
    /// The same socket, for what does not wait.
    switch: Socket,
}

/// Why there is no report.
#[derive(Debug)]
pub(super) enum RunError {
    /// The supervisor could not be started.
    Start(io::Error),
    /// It ended without a word, or did not end.
    Lost,
}

impl Run {
    /// Starts a supervisor, which waits for its order. What it gives beside itself is the program's standard output and
    /// standard error.
    pub(super) fn start(supervisor: &Path) -> Result<(Self, ChildStdout, ChildStderr), RunError> {
        Self::try_start(supervisor).map_err(RunError::Start)
    }

    fn try_start(supervisor: &Path) -> io::Result<(Self, ChildStdout, ChildStderr)> {
        let (switch, theirs) = Socket::pair()?;
        let mut child = Command::new(supervisor)
            .arg0("catalog-broker")
            .arg(SUBCOMMAND)
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(ErrorKind::BrokenPipe.into());
        };
        let lifeline = switch.try_clone()?;
        lifeline.set_nonblocking(true)?;
        let lifeline = UnixStream::from_std(lifeline)?;
        Ok((Self { lifeline, switch }, stdout, stderr))
    }

    /// Says what to run. The supervisor takes all of it in before it begins.
    pub(super) async fn hand_over(&self, order: &Order) -> Result<(), RunError> {
        let mut line = serde_json::to_vec(order).map_err(|_| RunError::Lost)?;
        line.push(b'\n');
        let mut rest = &line[..];
        while !rest.is_empty() {
            self.lifeline.writable().await?;
            match self.lifeline.try_write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Waits for the end: the report comes when nothing of the program runs any longer.
    pub(super) async fn report(&self) -> Result<Report, RunError> {
        let mut line = Vec::new();
        loop {
            self.lifeline.readable().await?;
            match self.lifeline.try_read_buf(&mut line) {
                Ok(0) => return serde_json::from_slice(&line).map_err(|_| RunError::Lost),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Has the program ended, now.
    pub(super) fn cut(&self) {
        // After its order the supervisor takes any word for this one, and half an order for none. Who cannot be told
        // has ended already.
        let _ = (&self.switch).write(b"\n");
    }

    fn await_end(&self) -> io::Result<()> {
        self.switch.set_nonblocking(false)?;
        self.switch.set_read_timeout(Some(LAST_WAIT))?;
        while (&self.switch).read(&mut [0; 512])? > 0 {}
        Ok(())
    }
}

/// Waits for the end too, in place: whoever drops a run may give the operation away in the next moment, and two programs
/// must not act on it at once. After a run that came to its end by itself there is nothing to wait for.
impl Drop for Run {
    fn drop(&mut self) {
        self.cut();
        if let Err(error) = self.await_end() {
            log::error!(target: "backend", "a program may still run that was given up: {error}");
        }
    }
}

/// The lifeline broke.
impl From<io::Error> for RunError {
    fn from(_: io::Error) -> Self {
        Self::Lost
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => write!(out, "its supervisor cannot be started: {error}"),
            Self::Lost => out.write_str("its supervisor was lost"),
        }
    }
}

impl std::error::Error for RunError {}
