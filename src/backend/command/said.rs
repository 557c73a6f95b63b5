//! What a program writes to its standard error: lines for the log, and how far it is for the platform's user.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::domain::backend::{Progress, Work};
use crate::domain::id::OperationId;

/// A line that begins so is for the user.
const PROGRESS: &str = "progress: ";

/// How much of a line is kept, in bytes.
const LONGEST: usize = 2_000;

/// How many lines of one attempt the log takes.
const MOST: u32 = 1_000;

/// Each word of progress is written into the store: no more than one in this time, and always the newest.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// The listener of one attempt.
pub(super) struct Said<'a> {
    operation: &'a OperationId,
    attempt: u32,
    trace: &'a str,
    progress: &'a dyn Progress,
    /// The line that is being read.
    line: Vec<u8>,
    lines: u32,
    /// Progress that was not told yet.
    news: Option<String>,
}

impl<'a> Said<'a> {
    pub(super) fn new(work: &Work<'a>, progress: &'a dyn Progress) -> Self {
        Self {
            operation: work.operation,
            attempt: work.attempt,
            trace: work.trace_id(),
            progress,
            line: Vec::new(),
            lines: 0,
            news: None,
        }
    }

    /// Listens to the end.
    pub(super) async fn hear(&mut self, mut pipe: impl AsyncRead + Unpin) {
        let mut chunk = [0; 4096];
        let mut turn = turns();
        loop {
            tokio::select! {
                read = pipe.read(&mut chunk) => match read {
                    Ok(read @ 1..) => self.take(&chunk[..read]),
                    _ => return,
                },
                _ = turn.tick(), if self.news.is_some() => self.tell(),
            }
        }
    }

    /// Takes what was left unsaid when the program ended.
    pub(super) fn end(&mut self) {
        if !self.line.is_empty() {
            self.end_line();
        }
        self.tell();
        if let Some(left_out @ 1..) = self.lines.checked_sub(MOST) {
            self.log(&format!("{left_out} more lines were left out"));
        }
    }

    fn take(&mut self, chunk: &[u8]) {
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            let room = LONGEST.saturating_sub(self.line.len());
            self.line.extend(&text[..text.len().min(room)]);
            if text.len() < piece.len() {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        self.lines = self.lines.saturating_add(1);
        if self.lines <= MOST {
            self.log(line);
        }
        if let Some(news) = line.strip_prefix(PROGRESS) {
            self.news = Some(news.replace(char::is_control, " "));
        }
    }

    fn tell(&mut self) {
        if let Some(news) = self.news.take() {
            self.progress.say(&news);
        }
    }

    fn log(&self, line: &str) {
        log::info!(
            target: "backend",
            operation = self.operation.as_str(),
            attempt = self.attempt,
            trace = self.trace;
            "{line}"
        );
    }
}

fn turns() -> Interval {
    let mut turns = interval(PROGRESS_EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    turns
}
