//! One run: started, watched, ended.

use std::convert::Infallible;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream as Socket;
use std::pin::pin;
use std::process::{Child, Command, Stdio};

use rustix::io::Errno;
use rustix::process::{WaitStatus, setsid};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::folder::Folder;
use super::input::feed;
use super::kin::Kin;
use super::{Order, Report, complain};

type Lifeline = BufReader<OwnedReadHalf>;

/// What `catalog-broker run-command` does; `clock` tells milliseconds since 1970.
pub fn run(clock: fn() -> i64) -> io::Result<()> {
    // Away from the broker's terminal: what ends the broker there must not end who cleans up after it.
    setsid()?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(supervise(clock))
}

async fn supervise(clock: fn() -> i64) -> io::Result<()> {
    // From here on a request to end is heard, and no longer the end itself.
    let mut asked = signal(SignalKind::terminate())?;
    let (reader, mut writer) = lifeline()?.into_split();
    let mut lifeline = BufReader::new(reader);
    let mut line = String::new();
    lifeline.read_line(&mut line).await?;
    let order: Order = serde_json::from_str(&line)?;
    let report = if clock() < order.begin_before {
        carry_out(&order, unwanted(&mut lifeline, &mut asked)).await
    } else {
        Report::NotStarted {
            why: "its lease was over before it could begin".to_owned(),
            passing: true,
        }
    };
    let mut line = serde_json::to_string(&report)?;
    line.push('\n');
    match writer.write_all(line.as_bytes()).await {
        // Nobody is left to read it.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Standard input, if the broker is behind it.
fn lifeline() -> io::Result<UnixStream> {
    let socket = Socket::from(io::stdin().as_fd().try_clone_to_owned()?);
    socket.peer_addr().map_err(|_| {
        io::Error::other(
            "this command is the broker's own: it starts programs of a plan's backend with it",
        )
    })?;
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

async fn carry_out(order: &Order, unwanted: impl Future<Output = ()>) -> Report {
    let folder = match Folder::new(&order.scratch) {
        Ok(folder) => folder,
        Err(error) => return not_started("its working folder cannot be made", &error, true),
    };
    let started = command(order, &folder).and_then(|mut command| Kin::start(&mut command));
    let (mut kin, mut child) = match started {
        Ok(started) => started,
        Err(error) => {
            let program = order.run.first().map_or("none", String::as_str);
            let what = format!("{program} cannot be started");
            return not_started(&what, &error, is_passing(&error));
        }
    };
    // Its input stays open until nothing of it runs any more: it must not take the end of half an order for the whole.
    let mut feeding = pin!(fed(&mut child, &order.input));
    let report = tokio::select! {
        status = kin.ended() => status.map_or(Report::Stopped, ended),
        () = unwanted => Report::Stopped,
        () = tokio::time::sleep(order.limit) => Report::Overdue,
        never = &mut feeding => match never {},
    };
    if !kin.end().await {
        complain(format_args!(
            "processes of the program are left that cannot be killed"
        ));
    }
    report
}

fn command(order: &Order, folder: &Folder) -> io::Result<Command> {
    let Some((program, arguments)) = order.run.split_first() else {
        return Err(io::Error::new(ErrorKind::InvalidInput, "none is named"));
    };
    // A relative one is the broker's neighbour; the folder that the program runs in is empty.
    let mut command = Command::new(std::path::absolute(program)?);
    command
        .args(arguments)
        .env_clear()
        .envs(order.env.iter().map(|(name, value)| (name, value)))
        .current_dir(folder.path())
        .stdin(Stdio::piped());
    Ok(command)
}

/// Until the broker lets go, dies, or somebody asks the supervisor to end.
async fn unwanted(lifeline: &mut Lifeline, asked: &mut Signal) {
    tokio::select! {
        // Another word, or the end of the line.
        _ = lifeline.read_u8() => {}
        _ = asked.recv() => {}
    }
}

async fn fed(child: &mut Child, text: &str) -> Infallible {
    // A program that closes its input unread is none the worse.
    let _ = feed(child.stdin.take(), text).await;
    pending().await
}

fn ended(status: WaitStatus) -> Report {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Report::Exited(code),
        (None, Some(signal)) => Report::Killed(signal),
        (None, None) => Report::Stopped,
    }
}

fn not_started(what: &str, error: &io::Error, passing: bool) -> Report {
    Report::NotStarted {
        why: format!("{what}: {error}"),
        passing,
    }
}

/// Whether it is the machine that is short of something, rather than the program that is missing or no program.
fn is_passing(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::PermissionDenied
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::InvalidInput
            | ErrorKind::ArgumentListTooLong
    ) && error.raw_os_error() != Some(Errno::NOEXEC.raw_os_error())
}
