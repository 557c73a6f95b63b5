//! Reads a chain and tells where it breaks.

use std::io::{self, BufRead};

use serde::Deserialize;

use super::chain::{Chained, Hash, Link, ORIGIN, hash, text};
use super::store::named;
use crate::domain::account::AccountRow;

/// What is to be said of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The chain breaks here.
    Break(u64, String),
    /// The chain holds, and there is something to know.
    Note(u64, String),
}

/// Reads the files of a chain, one after another, or its rows in a store.
#[derive(Debug, Default)]
pub struct Verifier {
    /// The last line that was read; nothing before the first.
    last: Option<Link>,
    /// How many lines of the chain were read.
    lines: u64,
    /// The hash that is looked for, and whether it was seen.
    sought: Option<(Hash, bool)>,
    /// Of rows that do not begin with the first line: the number of theirs, and the hash of the one before.
    begins: Option<Link>,
    /// The line that says that those before them were taken away.
    swept: Option<u64>,
}

/// A line that is none of a chain: the next one may tell why.
struct Piece {
    at: u64,
    bytes: u64,
    sha256: String,
    ends: bool,
}

impl Verifier {
    /// Looks for a line with this hash, 64 hexadecimal digits.
    #[must_use]
    pub fn seeking(self, hash: &str) -> Option<Self> {
        let hash = hash.to_ascii_lowercase();
        let sought: Hash = hash.as_bytes().try_into().ok()?;
        let digits = sought.iter().all(u8::is_ascii_hexdigit);
        digits.then_some(Self {
            sought: Some((sought, false)),
            ..self
        })
    }

    /// Reads one file to its end.
    pub fn read(&mut self, mut file: impl BufRead, mut tell: impl FnMut(Said)) -> io::Result<()> {
        let mut line = Vec::new();
        let mut piece: Option<Piece> = None;
        let mut at = 0;
        loop {
            line.clear();
            if file.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            at += 1;
            let ends = line.last() == Some(&b'\n');
            let said = line.strip_suffix(b"\n").unwrap_or(&line);
            let Some(chained) = Chained::read(said) else {
                if let Some(before) = piece.take() {
                    tell(before.foreign());
                }
                piece = Some(Piece {
                    at,
                    bytes: said.len() as u64,
                    sha256: text(&hash(said)),
                    ends,
                });
                continue;
            };
            if let Some(piece) = piece.take() {
                tell(piece.explained_by(said));
            }
            if let Some(said) = self.follow(at, &chained) {
                tell(said);
            }
        }
        if let Some(piece) = piece {
            tell(piece.last());
        }
        Ok(())
    }

    /// Reads one row of a store.
    pub fn row(&mut self, row: &AccountRow, mut tell: impl FnMut(Said)) {
        let Some(line) = Chained::read(row.line.as_bytes()) else {
            return tell(Said::Break(row.seq, "no line of an audit".to_owned()));
        };
        if self.last.is_none() && line.seq > 1 {
            self.begins = Some(Link {
                seq: line.seq,
                hash: line.prev,
            });
        }
        if let Some(begins) = self.begins
            && tells_of(&row.line, &begins.hash)
        {
            self.swept = Some(line.seq);
        }
        // Where rows begin is told when it is known why.
        if let Some(said @ Said::Break(..)) = self.follow(row.seq, &line) {
            tell(said);
        }
        if row.instance != named(&row.line) {
            let why = "stands in its row under another instance than it names";
            tell(Said::Break(row.seq, why.to_owned()));
        }
    }

    /// What is to be said of where rows begin, when all were read.
    pub fn beginning(&self) -> Option<Said> {
        let Link { seq, .. } = self.begins?;
        let said = match self.swept {
            Some(by) => Said::Note(
                seq,
                format!(
                    "begins here: what came before was older than audit.keep, as line {by} says"
                ),
            ),
            None => Said::Break(
                seq,
                "begins here, and no line says that what came before was taken away for its age"
                    .to_owned(),
            ),
        };
        Some(said)
    }

    /// How many lines there are, the number of the last one, and its hash.
    pub fn end(&self) -> Option<(u64, u64, String)> {
        let last = self.last?;
        Some((self.lines, last.seq, text(&last.hash)))
    }

    /// Whether a hash was looked for and is none of the chain's.
    pub fn misses(&self) -> bool {
        self.sought.is_some_and(|(_, seen)| !seen)
    }

    fn follow(&mut self, at: u64, line: &Chained) -> Option<Said> {
        let last = self.last.replace(line.link());
        self.lines += 1;
        if let Some((sought, seen)) = &mut self.sought
            && *sought == line.hash
            && line.is_whole
        {
            *seen = true;
        }
        if !line.is_whole {
            let why = format!(
                "line {} was changed: its hash is not that of what it says",
                line.seq
            );
            return Some(Said::Break(at, why));
        }
        let Some(last) = last else {
            return first(at, line);
        };
        let next = last.seq + 1;
        let broken = |why| Some(Said::Break(at, why));
        if line.seq == next {
            return if line.prev == last.hash {
                None
            } else {
                broken(format!(
                    "line {next} does not follow the one before it: that is another line than the one that was written"
                ))
            };
        }
        if line.seq == 1 && line.prev == ORIGIN {
            return broken(format!(
                "another chain begins where line {next} is due: these are not files of one chain, or lines are missing"
            ));
        }
        if line.seq > next {
            let missing = line.seq - next;
            let what = if missing == 1 {
                format!("line {next} is missing")
            } else {
                format!("lines {next} to {} are missing", line.seq - 1)
            };
            return broken(what);
        }
        broken(format!(
            "line {} stands where line {next} is due: lines were swapped, repeated or put in",
            line.seq
        ))
    }
}

fn first(at: u64, line: &Chained) -> Option<Said> {
    if line.seq == 1 {
        let why = "line 1 follows another one: the chain does not begin with it";
        return (line.prev != ORIGIN).then(|| Said::Break(at, why.to_owned()));
    }
    let why = format!(
        "begins with line {}, after the one with the hash {}: whether that is so is to be seen in the file before",
        line.seq,
        text(&line.prev)
    );
    Some(Said::Note(at, why))
}

/// Whether a line says that all up to the one with this hash was taken away.
fn tells_of(line: &str, gone: &Hash) -> bool {
    #[derive(Deserialize)]
    struct Swept {
        event: String,
        after: Option<String>,
    }
    // Few do.
    line.contains("\"event\":\"swept\"")
        && serde_json::from_str::<Swept>(line).is_ok_and(|swept| {
            swept.event == "swept" && swept.after.is_some_and(|after| after.as_bytes() == gone)
        })
}

impl Piece {
    fn foreign(self) -> Said {
        Said::Break(self.at, "no line of an audit".to_owned())
    }

    /// What a process was about to write when it was stopped is named by the next line.
    fn explained_by(self, next: &[u8]) -> Said {
        let next: serde_json::Value = serde_json::from_slice(next).unwrap_or_default();
        let is_told = next["event"] == "torn"
            && next["bytes"] == self.bytes
            && next["sha256"] == self.sha256.as_str();
        if is_told {
            let why = "torn by a stop in the middle of writing; the next line tells of it, and the chain goes on";
            return Said::Note(self.at, why.to_owned());
        }
        self.foreign()
    }

    fn last(self) -> Said {
        if self.ends {
            return self.foreign();
        }
        let why = "torn: its writer was stopped in the middle of it, or is about to write the rest. The next start \
                   of the broker tells of it, and goes on behind it";
        Said::Break(self.at, why.to_owned())
    }
}
