//! Text without quotes that YAML does not read as the text it looks like.
//!
//! `{{ x }}` is a map in a map, `[${A}]` is a `$` and a map, `${A:- #1}` ends in a comment. The mend is the quotes; it
//! is an edit where it is certain which bytes belong between them.

use std::ops::Range;

use crate::document::cut::template_end;

/// One such text.
pub(super) struct Trap {
    pub rule: &'static str,
    pub message: &'static str,
    pub start: usize,
    pub end: usize,
    /// What to write in quotes and how, where that is certain.
    pub quotes: Option<(Range<usize>, String)>,
}

const REFERENCE: (&str, &str) = (
    "reference-unquoted",
    "without quotes YAML does not read this reference as one text",
);
const TEMPLATE: (&str, &str) = (
    "template-unquoted",
    "without quotes YAML does not read this template as text",
);

/// A plain scalar that a comment or a `: ` cuts off within its reference or template.
pub(super) fn in_plain_scalar(text: &str, start: usize, end: usize) -> Option<Trap> {
    let scalar = &text[start..end];
    let opened = unclosed(scalar)?;
    let line = end + text[end..].find(['\n', '\r']).unwrap_or(text.len() - end);
    let rest = &text[end..line];
    let rule = if scalar[opened..].starts_with("${") {
        REFERENCE
    } else {
        TEMPLATE
    };
    let close = if rule == REFERENCE { "}" } else { "}}" };
    let closed = rest.find(close);
    // Outside private keys a lone `{{` is plain text.
    if rule == TEMPLATE && (closed.is_none() || !rest.trim_start().starts_with('#')) {
        return None;
    }
    let whole = closed.map(|at| start..end + at + close.len());
    let certain = whole.filter(|whole| text[whole.end..line].trim().is_empty());
    Some(trap(text, rule, start..end, certain))
}

/// `{{` at `open`, which was read as a map.
pub(super) fn template(text: &str, open: usize, in_flow: bool) -> Trap {
    let whole = extent(text, open, in_flow);
    let shown = open..whole.as_ref().map_or(open + 2, |whole| whole.end);
    trap(text, TEMPLATE, shown, whole)
}

/// The first unquoted reference or template of a line that could not be read.
pub(super) fn in_broken_line(text: &str, line: &Range<usize>, in_flow: bool) -> Option<Trap> {
    let found = first_in_line(&text[line.clone()], in_flow)?;
    let (scalar, opened) = (line.start + found.scalar, line.start + found.opened);
    let rule = if text[opened..].starts_with("${") {
        REFERENCE
    } else {
        TEMPLATE
    };
    let whole = extent(text, scalar, found.in_flow);
    let shown = scalar..whole.as_ref().map_or(opened + 2, |whole| whole.end);
    Some(trap(text, rule, shown, whole))
}

/// Whether a plain scalar is an integer that a JSON number does not hold to the last digit.
pub(super) fn is_inexact_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = is_integer && !(digits.len() > 1 && digits.starts_with('0'));
    let fits =
        text.parse::<i64>().is_ok() || (!text.starts_with('-') && digits.parse::<u64>().is_ok());
    is_number && !fits
}

fn trap(
    text: &str,
    rule: (&'static str, &'static str),
    shown: Range<usize>,
    whole: Option<Range<usize>>,
) -> Trap {
    let quotes = whole.and_then(|whole| quoted(&text[whole.clone()]).map(|quoted| (whole, quoted)));
    Trap {
        rule: rule.0,
        message: rule.1,
        start: shown.start,
        end: shown.end,
        quotes,
    }
}

/// Between quotes that need no escapes.
fn quoted(text: &str) -> Option<String> {
    if text.contains(char::is_control) {
        None
    } else if !text.contains(['"', '\\']) {
        Some(format!("\"{text}\""))
    } else if !text.contains('\'') {
        Some(format!("'{text}'"))
    } else {
        None
    }
}

/// Where a reference or a template opens in `text` that does not close in it.
fn unclosed(text: &str) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = text[at..].find(['$', '{']) {
        let open = at + found;
        at = match closing(text, open) {
            Opening::None => open + 1,
            Opening::Until(end) => end,
            Opening::Unclosed => return Some(open),
        };
    }
    None
}

enum Opening {
    /// Nothing opens here.
    None,
    /// What opens ends in front of this offset.
    Until(usize),
    /// What opens does not end.
    Unclosed,
}

fn closing(text: &str, open: usize) -> Opening {
    let rest = &text[open..];
    let end = if rest.starts_with("$${") {
        Some(open + 3)
    } else if rest.starts_with("${") {
        rest.find('}').map(|length| open + length + 1)
    } else if rest.starts_with("{{") {
        template_end(text, open).ok()
    } else {
        return Opening::None;
    };
    end.map_or(Opening::Unclosed, Opening::Until)
}

/// The bytes of the scalar that begins at `start` as its writer meant it, if it certainly ends in this line.
fn extent(text: &str, start: usize, in_flow: bool) -> Option<Range<usize>> {
    let line = start
        + text[start..]
            .find(['\n', '\r'])
            .unwrap_or(text.len() - start);
    let mut at = start;
    while at < line {
        at = match closing(&text[..line], at) {
            Opening::Until(end) => end,
            Opening::Unclosed => return None,
            Opening::None if ends_scalar(&text[at..line], in_flow) => break,
            Opening::None => at + text[at..].chars().next().map_or(1, char::len_utf8),
        };
    }
    let open_end = at >= line && in_flow && !text[line..].trim_start().starts_with([',', ']', '}']);
    (!open_end).then(|| start..start + text[start..at].trim_end().len())
}

fn ends_scalar(rest: &str, in_flow: bool) -> bool {
    let ends_flow = in_flow && rest.starts_with([',', ']', '}']);
    ends_flow || rest.starts_with(" #") || rest.starts_with("\t#")
}

struct Found {
    scalar: usize,
    opened: usize,
    in_flow: bool,
}

/// Walks a line as far as its first `${` or `{{` outside quotes.
fn first_in_line(line: &str, in_flow: bool) -> Option<Found> {
    let mut depth = usize::from(in_flow);
    let mut scalar = None;
    let mut at = 0;
    while let Some(next) = line[at..].chars().next() {
        let begins = scalar.is_none();
        if line[at..].starts_with("${") || line[at..].starts_with("{{") {
            return Some(Found {
                scalar: scalar.unwrap_or(at),
                opened: at,
                in_flow: depth > 0,
            });
        }
        let ends_key = matches!(next, ':' | '-' | '?') && line[at + 1..].starts_with([' ', '\t']);
        match next {
            '\'' | '"' if begins => at = behind_quote(line, at, next)?,
            '#' if begins => return None,
            '{' | '[' if begins => depth += 1,
            '}' | ']' if depth > 0 => (depth, scalar) = (depth - 1, None),
            ',' if depth > 0 => scalar = None,
            _ if ends_key && (begins || next == ':') => scalar = None,
            ' ' | '\t' if begins => {}
            // Blanks belong to a scalar, but a comment ends it.
            ' ' | '\t' if line[at + 1..].starts_with('#') => return None,
            _ => scalar = scalar.or(Some(at)),
        }
        at += next.len_utf8();
    }
    None
}

/// The offset of the quote that ends the one at `open`.
fn behind_quote(line: &str, open: usize, quote: char) -> Option<usize> {
    let mut escaped = false;
    let end = line[open + 1..].char_indices().find(|&(_, c)| {
        let ends = c == quote && !escaped;
        escaped = quote == '"' && c == '\\' && !escaped;
        ends
    });
    end.map(|(at, _)| open + 1 + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_that_no_number_holds_are_told_from_the_others() {
        for (text, inexact) in [
            ("18446744073709551615", false),
            ("18446744073709551616", true),
            ("-9223372036854775808", false),
            ("-9223372036854775809", true),
            ("+18446744073709551615", false),
            ("00000000000000000000000000001", false),
            ("1", false),
            ("", false),
            ("-", false),
            ("99999999999999999999999a", false),
        ] {
            assert_eq!(is_inexact_integer(text), inexact, "{text}");
        }
    }
}
