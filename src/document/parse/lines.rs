//! Byte offsets, characters, lines and columns of one file.
//!
//! The event parser counts characters, edits count bytes and people count lines. A document may be one line of many
//! megabytes, so nothing here walks a line from its start: characters are counted once for each block of bytes.

use std::ops::Range;
use std::sync::Arc;

use crate::document::{Edit, Place};

/// Bytes between two counts of characters.
const BLOCK: usize = 256;

/// One file's text and where its lines are.
pub(super) struct Lines<'a> {
    /// The file, as the operator named it.
    pub file: Arc<str>,
    /// The text, without a byte-order mark.
    pub text: &'a str,
    /// Bytes of the file in front of `text`: its byte-order mark.
    skipped: usize,
    /// The offset of each line's first byte.
    starts: Vec<usize>,
    /// How many characters come before each block; empty where every character is one byte.
    counts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// Measures `text`.
    pub fn new(file: &str, text: &'a str, skipped: usize) -> Self {
        Self {
            file: file.into(),
            text,
            skipped,
            starts: line_starts(text),
            counts: count_blocks(text),
        }
    }

    /// The byte offset of the character with that number; the end of the text if there is none.
    pub fn byte(&self, character: usize) -> usize {
        if self.counts.is_empty() {
            return character.min(self.text.len());
        }
        let block = self
            .counts
            .partition_point(|&before| before <= character)
            .saturating_sub(1);
        let mut left = character - self.counts[block];
        for (offset, byte) in self.text.as_bytes().iter().enumerate().skip(block * BLOCK) {
            if starts_character(*byte) {
                if left == 0 {
                    return offset;
                }
                left -= 1;
            }
        }
        self.text.len()
    }

    /// The place of the bytes from `start` to `end`.
    pub fn place(&self, start: usize, end: usize) -> Place {
        let line = self.line(start);
        let column = self.character(start) - self.character(self.starts[line]);
        Place {
            file: Arc::clone(&self.file),
            line: small(line + 1),
            column: small(column + 1),
            start: self.skipped + start,
            end: self.skipped + end.max(start),
        }
    }

    /// The bytes of the line that `offset` is in, without its line break.
    pub fn line_around(&self, offset: usize) -> Range<usize> {
        let line = self.line(offset);
        let end = self
            .starts
            .get(line + 1)
            .copied()
            .unwrap_or(self.text.len());
        let start = self.starts[line];
        start..start + self.text[start..end].trim_end_matches(['\n', '\r']).len()
    }

    /// The edit that puts `text` in the place of those bytes.
    pub fn edit(&self, range: Range<usize>, text: String) -> Edit {
        Edit {
            file: Arc::clone(&self.file),
            range: range.start + self.skipped..range.end + self.skipped,
            text,
        }
    }

    fn line(&self, offset: usize) -> usize {
        self.starts
            .partition_point(|&start| start <= offset)
            .saturating_sub(1)
    }

    fn character(&self, offset: usize) -> usize {
        if self.counts.is_empty() {
            return offset;
        }
        let block = offset / BLOCK;
        let rest = &self.text.as_bytes()[block * BLOCK..offset];
        self.counts[block] + rest.iter().filter(|byte| starts_character(**byte)).count()
    }
}

const fn starts_character(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn line_starts(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let ends = bytes
        .iter()
        .enumerate()
        .filter(|&(offset, &byte)| match byte {
            b'\n' => true,
            b'\r' => bytes.get(offset + 1) != Some(&b'\n'),
            _ => false,
        });
    std::iter::once(0)
        .chain(ends.map(|(offset, _)| offset + 1))
        .collect()
}

fn count_blocks(text: &str) -> Vec<usize> {
    if text.is_ascii() {
        return Vec::new();
    }
    let mut total = 0;
    let mut counts = vec![0];
    for block in text.as_bytes().chunks(BLOCK) {
        total += block.iter().filter(|byte| starts_character(**byte)).count();
        counts.push(total);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn characters_and_bytes_agree(text in "[aä€😀\n\r]{0,700}") {
            let lines = Lines::new("f", &text, 0);
            for (character, (offset, _)) in text.char_indices().enumerate() {
                prop_assert_eq!(lines.byte(character), offset);
                prop_assert_eq!(lines.character(offset), character);
            }
            prop_assert_eq!(lines.byte(text.chars().count()), text.len());
            prop_assert_eq!(lines.byte(usize::MAX), text.len());
        }
    }

    #[test]
    fn lines_end_as_anywhere() {
        let lines = Lines::new("f", "a\r\nb\rcä\nd", 0);
        let seen: Vec<_> = ["b", "c", "d"]
            .map(|letter| lines.place(lines.text.find(letter).unwrap(), 0))
            .map(|place| (place.line, place.column))
            .into();
        assert_eq!(seen, [(2, 1), (3, 1), (4, 1)]);
        assert_eq!(&lines.text[lines.line_around(5)], "cä");
    }
}
