//! What a program writes to its standard output: its reply.

use tokio::io::AsyncReadExt as _;
use tokio::process::ChildStdout;

use super::run::Run;
use crate::backend::contract::Reply;

/// What was read, up to a limit. It may hold credentials, so nothing prints it.
pub(super) struct Output {
    bytes: Vec<u8>,
    limit: usize,
}

/// Why an output is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoReply {
    /// It is over the limit.
    TooLong,
    /// It is no JSON object, or not one of the contract.
    Malformed,
}

impl Output {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            limit,
        }
    }

    /// Reads to the end; what says too much is stopped.
    pub(super) async fn read(&mut self, pipe: ChildStdout, run: &Run) {
        let most = u64::try_from(self.limit).unwrap_or(u64::MAX);
        // A pipe that breaks ends what is said, and what was said counts.
        let _ = pipe
            .take(most.saturating_add(1))
            .read_to_end(&mut self.bytes)
            .await;
        if self.is_too_long() {
            run.cut();
        }
    }

    pub(super) const fn is_too_long(&self) -> bool {
        self.bytes.len() > self.limit
    }

    /// The reply in it.
    pub(super) fn reply(&self) -> Result<Reply, NoReply> {
        if self.is_too_long() {
            return Err(NoReply::TooLong);
        }
        let said = self.bytes.trim_ascii();
        if said.is_empty() {
            return Ok(Reply::default());
        }
        // A list would be read as the fields in their order.
        if !said.starts_with(b"{") {
            return Err(NoReply::Malformed);
        }
        serde_json::from_slice(said).map_err(|_| NoReply::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str, limit: usize) -> Result<Option<String>, NoReply> {
        let output = Output {
            bytes: text.into(),
            limit,
        };
        output.reply().map(|reply| reply.description)
    }

    #[test]
    fn a_reply_is_an_object_or_nothing() {
        let d = Some("d".to_owned());
        for (text, expected) in [
            ("", Ok(None)),
            (" \n", Ok(None)),
            ("{}", Ok(None)),
            ("\n{\"description\": \"d\"}\n", Ok(d.clone())),
            ("{\"description\": \"d\", \"vendor\": [1]}", Ok(d)),
            ("{\"description\": \"d", Err(NoReply::Malformed)),
            ("{} {}", Err(NoReply::Malformed)),
            ("[]", Err(NoReply::Malformed)),
            ("[\"d\"]", Err(NoReply::Malformed)),
            ("null", Err(NoReply::Malformed)),
            ("made", Err(NoReply::Malformed)),
            ("{\"description\": 5}", Err(NoReply::Malformed)),
            ("{\"outputs\": []}", Err(NoReply::Malformed)),
        ] {
            assert_eq!(reply(text, 100), expected, "{text}");
        }
        assert_eq!(reply("{}", 2), Ok(None));
        assert_eq!(reply("{} ", 2), Err(NoReply::TooLong));
    }
}
