//! Where a connection waits until the head of its first request is there. The server below makes room for requests and answers
//! when a connection comes to it, 16 KiB; here one that says nothing, or little at a time, costs what it has said.

use std::io;
use std::time::Duration;

use actix_http::error::DispatchError;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// What is longer, or no head at all, is the server's to judge.
const LONGEST: usize = 4096;

/// What is answered to a head that takes too long.
const TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A connection with what was read of it, when there is something to be done about it: an error where that is to close it.
pub(super) async fn first_head<S>(
    mut stream: S,
    time: Duration,
    stopping: impl Future<Output = ()>,
) -> Result<(S, Vec<u8>), DispatchError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let read = tokio::select! {
        read = tokio::time::timeout(time, head(&mut stream)) => read,
        () = stopping => return Err(DispatchError::SlowRequestTimeout),
    };
    if let Ok(head) = read {
        return Ok((stream, head?));
    }
    // Who does not read it either is not waited for.
    let told = async {
        stream.write_all(TOO_SLOW).await?;
        stream.shutdown().await
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), told).await;
    Err(DispatchError::SlowRequestTimeout)
}

async fn head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut part = [0; 512];
    while !is_enough(&head) {
        match stream.read(&mut part).await? {
            0 => break,
            length => head.extend_from_slice(&part[..length]),
        }
    }
    Ok(head)
}

/// Whether a head is whole, or will never be one.
fn is_enough(head: &[u8]) -> bool {
    let is_whole = || {
        let lines = |end: &[u8]| head.windows(end.len()).any(|window| window == end);
        lines(b"\n\r\n") || lines(b"\n\n")
    };
    let is_text = |byte: &u8| *byte >= b' ' || matches!(byte, b'\r' | b'\n' | b'\t');
    head.len() >= LONGEST || !head.iter().all(is_text) || is_whole()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_waited_for_until_it_is_whole_or_none() {
        for (bytes, enough) in [
            (&b""[..], false),
            (b"G", false),
            (b"GET / HTTP/1.1\r\n", false),
            (b"GET / HTTP/1.1\r\nHost: b\r\n", false),
            (b"GET / HTTP/1.1\r\nHost: b\r\n\r", false),
            (b"GET / HTTP/1.1\r\nX: caf\xe9\r\n", false),
            (b"GET / HTTP/1.1\r\nHost: b\r\n\r\n", true),
            (b"GET / HTTP/1.1\nHost: b\n\n", true),
            (b"PUT / HTTP/1.1\r\n\r\n{", true),
            (b"\x16\x03\x01", true),
            (b"GET /\0", true),
        ] {
            assert_eq!(is_enough(bytes), enough, "{bytes:?}");
        }
        assert!(!is_enough(&[b'x'; LONGEST - 1]));
        assert!(is_enough(&[b'x'; LONGEST]));
    }
}
