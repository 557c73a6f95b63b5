//! The file: a chain that several processes may add to, that goes on after a restart, after a stop in the middle of a
//! line, and in another file when this one is renamed.
//!
//! Whoever adds holds the file's lock meanwhile, and goes on from the line that stands last in it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::chain::{Chained, Link, hash, text};
use super::line::Entry;
use super::lines::Lines;
use crate::domain::time::Clock;

/// How often a lock is tried for that another process holds.
const TRIES: u32 = 400;

/// How long it is left in between.
const REST: Duration = Duration::from_millis(5);

/// More than any line has.
const TAIL: u64 = 64 * 1024;

pub(super) struct AuditFile {
    path: PathBuf,
    clock: Clock,
    open: Option<File>,
    /// The chain as this process left it; nothing before it has seen one.
    link: Option<Link>,
    /// How the file was left: which, and how long.
    left: Option<Left>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Left {
    device: u64,
    inode: u64,
    length: u64,
}

impl Left {
    fn of(file: &File) -> io::Result<Self> {
        let about = file.metadata()?;
        Ok(Self {
            device: about.dev(),
            inode: about.ino(),
            length: about.size(),
        })
    }

    const fn is_same_file(&self, other: &Self) -> bool {
        self.device == other.device && self.inode == other.inode
    }
}

/// What stands at the end of a file.
struct Tail {
    /// The last whole line; nothing in an empty file.
    link: Option<Link>,
    /// What must stand before the next line.
    lead: &'static [u8],
    /// A piece of a line, as a process left it that was killed: its length and hash.
    torn: Option<(u64, String)>,
}

impl AuditFile {
    pub(super) fn open(path: PathBuf, clock: Clock) -> io::Result<Self> {
        let mut file = Self {
            path,
            clock,
            open: None,
            link: None,
            left: None,
        };
        file.append(&Lines::default())?;
        Ok(file)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds lines: all of them, or none.
    pub(super) fn append(&mut self, entries: &Lines) -> io::Result<()> {
        let file = self.locked()?;
        let added = self.add(&file, entries);
        let unlocked = file.unlock();
        self.open = Some(file);
        added.and(unlocked)
    }

    /// Goes on in a new file where this one was renamed, taken away or emptied.
    pub(super) fn look(&mut self) -> io::Result<()> {
        let about = std::fs::metadata(&self.path);
        let is_left = about.is_ok_and(|about| {
            self.left.is_some_and(|left| {
                left.device == about.dev()
                    && left.inode == about.ino()
                    && about.size() >= left.length
            })
        });
        if is_left {
            Ok(())
        } else {
            self.append(&Lines::default())
        }
    }

    /// On the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.open.as_ref().map_or(Ok(()), File::sync_data)
    }

    /// The file that the path names, locked: what was renamed meanwhile is let go of, on the disk.
    fn locked(&mut self) -> io::Result<File> {
        loop {
            let file = match self.open.take() {
                Some(file) => file,
                None => OpenOptions::new()
                    .read(true)
                    .append(true)
                    .create(true)
                    .mode(0o640)
                    .open(&self.path)?,
            };
            lock(&file)?;
            let is_named = std::fs::metadata(&self.path).is_ok_and(|about| {
                file.metadata()
                    .is_ok_and(|held| held.dev() == about.dev() && held.ino() == about.ino())
            });
            if is_named {
                return Ok(file);
            }
            // Others may have written to it since this process did: the chain goes on behind them.
            if let Some(link) = tail(&file, file.metadata()?.size())?.link {
                self.link = Some(link);
            }
            file.sync_data()?;
        }
    }

    fn add(&mut self, file: &File, entries: &Lines) -> io::Result<()> {
        let now = Left::of(file)?;
        let mut out = Vec::new();
        let mut link = match (self.left, self.link) {
            (Some(left), Some(link)) if left == now => link,
            _ => self.take_up(file, now, &mut out)?,
        };
        for entry in entries.iter() {
            link.add(entry, &mut out);
        }
        let mut writes = file;
        if let Err(error) = writes.write_all(&out) {
            // Half a line is worse than none; where that fails too, it is found and told as torn.
            let _ = file.set_len(now.length);
            return Err(error);
        }
        self.link = Some(link);
        self.left = Some(Left {
            length: now.length + out.len() as u64,
            ..now
        });
        Ok(())
    }

    /// Where the chain goes on in a file that this process did not leave so. What there is to say of that comes first.
    fn take_up(&self, file: &File, now: Left, out: &mut Vec<u8>) -> io::Result<Link> {
        let tail = tail(file, now.length)?;
        let mut link = match (tail.link, self.link) {
            // Others have added to it.
            (Some(link), Some(mine)) if link.seq > mine.seq => link,
            // Of lines that were taken away the next one tells by its number.
            (_, Some(mine)) => mine,
            (Some(link), None) => link,
            (None, None) if now.length == 0 => Link::START,
            (None, None) => {
                let why = "its last line is none of an audit: move the file away, or name another one as audit.to";
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
        };
        out.extend_from_slice(tail.lead);
        if let Some((bytes, sha256)) = tail.torn {
            let entry = Entry::new((self.clock)(), "torn")
                .number("bytes", Some(bytes))
                .text("sha256", Some(&sha256));
            link.add(&entry.json(), out);
        }
        let moved = |left: Left| !left.is_same_file(&now) || now.length < left.length;
        if let Some(before) = self.link
            && self.left.is_some_and(moved)
        {
            let entry = Entry::new((self.clock)(), "rotated");
            let entry = entry.text("after", Some(&text(&before.hash)));
            link.add(&entry.json(), out);
        }
        Ok(link)
    }
}

/// Others hold the lock for as long as they write: one that was stopped meanwhile is no reason to wait for ever.
fn lock(file: &File) -> io::Result<()> {
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(REST),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::WouldBlock,
        "another process holds it locked",
    ))
}

fn tail(mut file: &File, length: u64) -> io::Result<Tail> {
    let begins = length.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(begins))?;
    let mut bytes = Vec::new();
    file.take(length - begins).read_to_end(&mut bytes)?;
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let (lines, piece) = bytes.split_at_checked(whole).unwrap_or_default();
    let link = |line: &[u8]| {
        Chained::read(line)
            .filter(|read| read.is_whole)
            .map(|read| read.link())
    };
    if let Some(link) = link(piece) {
        return Ok(Tail {
            link: Some(link),
            lead: b"\n",
            torn: None,
        });
    }
    // Of what stands at the end, the last that is a line.
    let mut backwards = lines.rsplit(|byte| *byte == b'\n');
    let link = backwards.find_map(link);
    let (lead, torn): (&[u8], _) = if piece.is_empty() {
        (b"", None)
    } else {
        let sum = text(&hash(piece));
        (b"\n", Some((piece.len() as u64, sum)))
    };
    // A piece alone is the first line of a chain that was torn at once.
    let link = match link {
        None if lines.is_empty() && torn.is_some() && piece.starts_with(b"{\"seq\":1,") => {
            Some(Link::START)
        }
        link => link,
    };
    Ok(Tail { link, lead, torn })
}
