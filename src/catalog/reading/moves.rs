//! Edits of a file's text that lose nothing, comments included.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::document::{Edit, Entry, Node, Place};

/// The texts of the files, by name.
#[derive(Default)]
pub(crate) struct Texts(HashMap<Arc<str>, String>);

impl Texts {
    /// Takes the texts by name.
    pub fn new(files: impl IntoIterator<Item = (Arc<str>, String)>) -> Self {
        Self(files.into_iter().collect())
    }

    /// What is written at `place`.
    pub fn of(&self, place: &Place) -> &str {
        self.file(place)
            .get(place.start..place.end)
            .unwrap_or_default()
    }

    fn file(&self, place: &Place) -> &str {
        self.0.get(&place.file).map_or("", String::as_str)
    }
}

/// Writes `text` in place of the node.
pub(crate) fn replace(node: &Node, text: &str) -> Edit {
    edit(&node.place, node.place.start..node.place.end, text)
}

fn edit(place: &Place, range: Range<usize>, text: impl Into<String>) -> Edit {
    Edit {
        file: Arc::clone(&place.file),
        range,
        text: text.into(),
    }
}

/// Moves `entries` of `node` under its `extensions`; nothing where that cannot be done line by line.
pub(crate) fn under_extensions(node: &Node, entries: &[&Entry], texts: &Texts) -> Vec<Edit> {
    let (Some(first), text) = (entries.first(), texts.file(&node.place)) else {
        return vec![];
    };
    let one_file = entries.iter().all(|entry| {
        entry.key_place.file == node.place.file
            && entry.node.place.file == node.place.file
            && (node.place.start..node.place.end).contains(&entry.key_place.start)
            && entry.node.place.start >= entry.key_place.end
    });
    if !one_file
        || node
            .get("extensions")
            .is_some_and(|extensions| extensions.as_map().is_none())
    {
        return vec![];
    }
    if text[node.place.start..].starts_with('{') {
        in_braces(node, first, entries, text)
    } else {
        in_lines(node, entries, text).unwrap_or_default()
    }
}

/// `{ id: x, vendor: 1 }` becomes `{ id: x, extensions: { vendor: 1 } }`.
fn in_braces(node: &Node, first: &Entry, entries: &[&Entry], text: &str) -> Vec<Edit> {
    let place = &node.place;
    let moved: Vec<&str> = entries
        .iter()
        .map(|entry| &text[entry.key_place.start..entry.node.place.end])
        .collect();
    let moved = moved.join(", ");
    let mut edits = Vec::new();
    let kept_first = match node.get("extensions") {
        Some(extensions) if text[extensions.place.start..].starts_with('{') => {
            let end = extensions.place.end - 1;
            let comma = if extensions.as_map().is_some_and(|map| !map.is_empty()) {
                ", "
            } else {
                ""
            };
            edits.push(edit(place, end..end, format!("{comma}{moved}")));
            None
        }
        Some(_) => return vec![],
        None => {
            let quote = if text[first.key_place.start..].starts_with('"') {
                "\""
            } else {
                ""
            };
            let whole = first.key_place.start..first.node.place.end;
            edits.push(edit(
                place,
                whole,
                format!("{quote}extensions{quote}: {{ {moved} }}"),
            ));
            Some(&first.key)
        }
    };
    let goes = |entry: &Entry| {
        Some(&entry.key) != kept_first && entries.iter().any(|moved| moved.key == entry.key)
    };
    edits.extend(
        removals(node, goes)
            .into_iter()
            .map(|range| edit(place, range, "")),
    );
    edits
}

/// The bytes of the entries that go, each with one comma.
fn removals(node: &Node, goes: impl Fn(&Entry) -> bool) -> Vec<Range<usize>> {
    let Some(map) = node.as_map() else {
        return vec![];
    };
    let entries: Vec<&Entry> = map.iter().collect();
    let last_kept = entries.iter().rposition(|entry| !goes(entry));
    let mut ranges = Vec::new();
    for (at, entry) in entries.iter().enumerate().filter(|(_, entry)| goes(entry)) {
        match last_kept {
            Some(kept) if at < kept => {
                ranges.push(entry.key_place.start..entries[at + 1].key_place.start);
            }
            Some(kept) if at == kept + 1 => {
                let end = entries
                    .last()
                    .map_or(entry.node.place.end, |last| last.node.place.end);
                ranges.push(entries[kept].node.place.end..end);
            }
            _ => {}
        }
    }
    ranges
}

/// Whole lines move, with the comments above them and behind them. Of a list's item the first key stands behind a dash:
/// `- vendor: 1` becomes `- extensions:` with `vendor: 1` below it, or the next key takes its place.
fn in_lines(node: &Node, entries: &[&Entry], text: &str) -> Option<Vec<Edit>> {
    let place = &node.place;
    let behind_dash = indent_of(text, entries[0].key_place.start).is_none();
    let blocks = entries
        .iter()
        .enumerate()
        .map(|(at, entry)| {
            if behind_dash && at == 0 {
                item_block(text, entry)
            } else {
                block(text, entry)
            }
        })
        .collect::<Option<Vec<_>>>()?;
    let start = entries[0].key_place.start;
    let indent = " ".repeat(start - line_start(text, start));
    let indent = indent.as_str();
    let (at, below, head) = match node
        .as_map()?
        .entry("extensions")
        .filter(|entry| !entry.node.is_null())
    {
        None if behind_dash => (start, format!("{indent}  "), "extensions:\n".to_owned()),
        None => (
            blocks[0].start,
            format!("{indent}  "),
            format!("{indent}extensions:\n"),
        ),
        Some(extensions) => {
            let last = extensions.node.as_map()?.iter().last()?;
            let below = indent_of(text, last.key_place.start)?;
            (
                line_end(text, last.node.place.end),
                below.to_owned(),
                String::new(),
            )
        }
    };
    let next_moves_up = behind_dash && at != start;
    let mut moved = head;
    for range in &blocks {
        for line in text[range.clone()].split_inclusive('\n') {
            let rest = line.strip_prefix(indent).unwrap_or(line);
            if !rest.trim().is_empty() {
                moved.push_str(&below);
            }
            moved.push_str(rest);
        }
        if !moved.ends_with('\n') {
            moved.push('\n');
        }
    }
    if at == text.len() && !text.ends_with('\n') {
        moved.insert(0, '\n');
    }
    let mut edits: Vec<Edit> = vec![edit(place, at..at, moved)];
    for (number, mut range) in blocks.into_iter().enumerate() {
        if next_moves_up && number == 0 {
            range.end = next_key(node, entries, text, range.end)?;
        }
        edits.push(edit(place, range, ""));
    }
    Some(edits)
}

/// Where the key begins that takes the place of the first, if nothing but blanks is in front of it and it stays.
fn next_key(node: &Node, entries: &[&Entry], text: &str, from: usize) -> Option<usize> {
    let next = node.as_map()?.iter().nth(1)?;
    let stays = entries.iter().all(|entry| entry.key != next.key);
    let blank = text
        .get(from..next.key_place.start)?
        .trim_matches(' ')
        .is_empty();
    (stays && blank).then_some(next.key_place.start)
}

/// The first entry of a list's item, from its key on.
fn item_block(text: &str, entry: &Entry) -> Option<Range<usize>> {
    let start = entry.key_place.start;
    let before = text[line_start(text, start)..start].bytes();
    let is_item = before.clone().last() == Some(b' ') && before.clone().any(|byte| byte == b'-');
    let only = before.clone().all(|byte| matches!(byte, b' ' | b'-'));
    let end = line_end(text, entry.node.place.end.max(entry.key_place.end));
    (is_item && only).then_some(start..end)
}

/// The lines of an entry that begins one of its own, with the comment lines right above it.
fn block(text: &str, entry: &Entry) -> Option<Range<usize>> {
    let indent = indent_of(text, entry.key_place.start)?;
    let mut start = entry.key_place.start - indent.len();
    while start > 0 {
        let before = line_start(text, start - 1);
        let comment = &text[before..start];
        if !comment
            .strip_prefix(indent)
            .is_some_and(|line| line.starts_with('#'))
        {
            break;
        }
        start = before;
    }
    Some(start..line_end(text, entry.node.place.end.max(entry.key_place.end)))
}

/// The blanks in front of `at`, where nothing else is in front of it.
fn indent_of(text: &str, at: usize) -> Option<&str> {
    let indent = &text[line_start(text, at)..at];
    indent.bytes().all(|byte| byte == b' ').then_some(indent)
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Behind the newline that ends the line before `at`, or the one that `at` is in.
fn line_end(text: &str, at: usize) -> usize {
    if at > 0 && text[..at].ends_with('\n') {
        return at;
    }
    text[at..]
        .find('\n')
        .map_or(text.len(), |newline| at + newline + 1)
}
