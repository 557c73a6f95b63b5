//! The end of a file, as an operator reads it: from there backwards, a bounded piece for each page, however large the file is.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::domain::account::{Line, LineQuery, Lines, Reading};
use crate::domain::store::{Answer, StoreError};

/// How much is read at once, and how much at most for one page.
const PIECE: u64 = 64 * 1024;
const LOOKED: u64 = 8 * 1024 * 1024;

/// The file that this broker writes.
#[derive(Debug)]
pub struct FileReading {
    path: PathBuf,
}

impl FileReading {
    /// Of that file; opened for each page, for it may be renamed.
    pub const fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl Reading for FileReading {
    fn page(&self, query: LineQuery) -> Answer<'_, Lines> {
        let path = self.path.clone();
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || page(&path, &query)).await;
            let read = read.map_err(|error| io::Error::other(error.to_string()));
            read.and_then(|read| read).map_err(|error| {
                StoreError::Unavailable(format!("the audit cannot be read: {error}"))
            })
        })
    }
}

fn page(path: &Path, query: &LineQuery) -> io::Result<Lines> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        // It was renamed, and no line was written since.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Lines::default()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let from = query.from.unwrap_or(length).min(length);
    backwards(&mut file, from, query)
}

/// Line by line from an offset on; where it goes on is the offset of the last line that was looked at.
fn backwards(file: &mut File, from: u64, query: &LineQuery) -> io::Result<Lines> {
    let mut lines = Lines::default();
    // What is read and not cut into lines yet begins here.
    let mut begins = from;
    let mut held: Vec<u8> = Vec::new();
    loop {
        let end = held.strip_suffix(b"\n").map_or(held.len(), <[u8]>::len);
        let cut = held
            .get(..end)
            .and_then(|held| held.iter().rposition(|byte| *byte == b'\n'));
        let line_at = match cut {
            Some(cut) => cut + 1,
            None if begins > 0 && held.len() as u64 <= PIECE * 4 => {
                let piece = begins.min(PIECE);
                begins -= piece;
                held = [read(file, begins, piece)?, held].concat();
                continue;
            }
            // The first line of all; or what is no line, for none is so long.
            None => 0,
        };
        let at = begins + line_at as u64;
        let is_far = from - at > LOOKED;
        if !held.is_empty() && (lines.items.len() == query.most || is_far) {
            lines.next = Some(begins + held.len() as u64);
            return Ok(lines);
        }
        let text = String::from_utf8_lossy(held.get(line_at..end).unwrap_or_default());
        lines.looked += u64::from(!text.is_empty());
        let line = Line::read(&text);
        lines.items.extend(line.filter(|line| query.wants(line)));
        held.truncate(line_at);
        if held.is_empty() && begins == 0 {
            return Ok(lines);
        }
    }
}

fn read(file: &mut File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(name: &str, text: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("audit-{name}-{}", std::process::id()));
        File::create(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .expect("a file");
        path
    }

    fn line(seq: u64, instance: &str) -> String {
        format!("{{\"seq\":{seq},\"event\":\"began\",\"instance\":\"{instance}\"}}\n")
    }

    fn all(path: &Path, query: &LineQuery) -> (Vec<u64>, usize) {
        let mut query = query.clone();
        let (mut seen, mut pages) = (Vec::new(), 0);
        loop {
            let page = page(path, &query).expect("a page");
            pages += 1;
            seen.extend(page.items.iter().map(|line| line.seq));
            match page.next {
                Some(next) => query.from = Some(next),
                None => return (seen, pages),
            }
        }
    }

    #[test]
    fn each_line_is_shown_once_from_the_end_on() {
        let text: String = (1..=5000).map(|seq| line(seq, "i")).collect();
        let path = file("each", &text);
        let query = LineQuery {
            most: 300,
            ..LineQuery::default()
        };
        let (seen, pages) = all(&path, &query);
        assert_eq!(seen, (1..=5000).rev().collect::<Vec<u64>>());
        assert_eq!(pages, 17);
        std::fs::remove_file(path).expect("it is there");
    }

    #[test]
    fn a_page_looks_through_a_part_of_a_large_file() {
        let mut text = line(1, "rare");
        text.extend((2..=400_000).map(|seq| line(seq, "i")));
        let path = file("large", &text);
        let query = LineQuery {
            instance: Some("rare".to_owned()),
            most: 10,
            ..LineQuery::default()
        };
        let first = page(&path, &query).expect("a page");
        assert!(first.items.is_empty() && first.next.is_some());
        assert!(first.looked < 300_000, "{}", first.looked);
        let (seen, pages) = all(&path, &query);
        assert_eq!(seen, [1]);
        assert!(pages > 1, "{pages}");
        std::fs::remove_file(path).expect("it is there");
    }

    #[test]
    fn what_is_no_line_is_passed_over() {
        let long = "x".repeat(1_000_000);
        let text = format!(
            "{}{long}\n\n{{\"seq\":2}}\n{}{{\"seq\":4,\"ev",
            line(1, "i"),
            line(3, "ä")
        );
        let path = file("torn", &text);
        let query = LineQuery {
            most: 2,
            ..LineQuery::default()
        };
        assert_eq!(all(&path, &query).0, [3, 1]);
        let beyond = LineQuery {
            from: Some(u64::MAX),
            ..query.clone()
        };
        assert_eq!(all(&path, &beyond).0, [3, 1]);
        std::fs::remove_file(&path).expect("it is there");
        assert_eq!(page(&path, &query).expect("a page"), Lines::default());
    }
}
