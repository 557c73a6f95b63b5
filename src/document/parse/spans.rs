//! Which bytes a value is written in.
//!
//! The event parser's spans begin with anchor and tag, leave the header of a block scalar out and take in the blanks
//! and the comment behind a quote or a bracket. An edit needs the value alone.

use saphyr_parser::{ScalarStyle, Span};

use super::lines::Lines;

/// The bytes of a scalar: with its quotes, or from its `|` or `>` on.
pub(super) fn scalar(
    lines: &Lines<'_>,
    span: Span,
    style: ScalarStyle,
    has_properties: bool,
) -> (usize, usize) {
    let (from, to) = (lines.byte(span.start.index()), lines.byte(span.end.index()));
    let start = if has_properties {
        behind_properties(lines.text, from, to)
    } else {
        from
    };
    match style {
        ScalarStyle::Plain => (start, to),
        ScalarStyle::SingleQuoted => (start, quoted_end(lines.text, start, b'\'').unwrap_or(to)),
        ScalarStyle::DoubleQuoted => (start, quoted_end(lines.text, start, b'"').unwrap_or(to)),
        ScalarStyle::Literal | ScalarStyle::Folded => (block_header(lines, from, start), to),
    }
}

/// Where a list or a map begins, and whether it is written in brackets.
pub(super) fn collection_start(
    lines: &Lines<'_>,
    span: Span,
    has_properties: bool,
) -> (usize, bool) {
    let from = lines.byte(span.start.index());
    let start = if has_properties {
        behind_properties(lines.text, from, lines.text.len())
    } else {
        from
    };
    (
        start,
        matches!(lines.text.as_bytes().get(start), Some(b'{' | b'[')),
    )
}

/// Where a list or a map in brackets ends.
pub(super) fn collection_end(lines: &Lines<'_>, span: Span, is_flow: bool) -> Option<usize> {
    let at = lines.byte(span.start.index());
    let is_bracket = matches!(lines.text.as_bytes().get(at), Some(b'}' | b']'));
    (is_flow && is_bracket).then_some(at + 1)
}

/// Behind `&anchor`, `!tag` and the blanks and comments that follow them.
fn behind_properties(text: &str, from: usize, to: usize) -> usize {
    let mut at = from;
    while let Some(first) = text[at..to].chars().next() {
        let length = match first {
            '&' | '!' => text[at..to].find(char::is_whitespace),
            '#' => text[at..to].find(['\n', '\r']),
            _ if first.is_whitespace() => Some(first.len_utf8()),
            _ => return at,
        };
        at = length.map_or(to, |length| at + length);
    }
    at
}

fn quoted_end(text: &str, start: usize, quote: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at) {
        let escapes = if quote == b'"' {
            byte == b'\\'
        } else {
            byte == quote && bytes.get(at + 1) == Some(&quote)
        };
        if escapes {
            at += 1;
        } else if byte == quote {
            return Some(at + 1);
        }
        at += 1;
    }
    None
}

/// Where the `|` or `>` stands whose content begins at `content`.
fn block_header(lines: &Lines<'_>, from: usize, content: usize) -> usize {
    if lines.text[from..].starts_with(['|', '>']) {
        return from;
    }
    let before = lines.text[..content].trim_end();
    let line = lines.line_around(before.len().saturating_sub(1));
    let header = &lines.text[line.clone()];
    let is_header = |(at, _): &(usize, &str)| {
        let rest = header[at + 1..]
            .trim_start_matches(['+', '-', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
        let comment = rest.trim_start_matches([' ', '\t']);
        comment.is_empty() || (comment.starts_with('#') && comment.len() < rest.len())
    };
    header
        .match_indices(['|', '>'])
        .find(is_header)
        .map_or(content, |(at, _)| line.start + at)
}
