//! What a program reads.

use std::io;
use std::os::fd::OwnedFd;
use std::process::ChildStdin;

use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe::Sender;

/// Writes `text` into the program's input and closes it. A program need not read it, nor to its end.
pub(super) async fn feed(pipe: Option<ChildStdin>, text: &str) -> io::Result<()> {
    let Some(pipe) = pipe else { return Ok(()) };
    let mut pipe = Sender::from_owned_fd(OwnedFd::from(pipe))?;
    pipe.write_all(text.as_bytes()).await
}
