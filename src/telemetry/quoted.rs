//! Texts as lines have them: nothing in them ends a line, or is an order to who reads it.

use std::fmt;

/// What some reader takes for the end of a line, or a terminal for an order: nobody outside writes it into the log.
pub(super) fn is_order(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_special(char: char) -> bool {
    matches!(char, '"' | '\\') || is_order(char)
}

/// A JSON string.
pub(super) fn quoted(out: &mut String, text: &str) {
    out.push('"');
    escape(out, text, is_special);
    out.push('"');
}

/// The same of what a value looks like.
pub(super) fn quoted_display(out: &mut String, value: impl fmt::Display) {
    out.push('"');
    shown(&mut Escaping { out, is_special }, value);
    out.push('"');
}

/// What is written to it comes out with what is special escaped.
pub(super) struct Escaping<'o> {
    pub(super) out: &'o mut String,
    pub(super) is_special: fn(char) -> bool,
}

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape(self.out, text, self.is_special);
        Ok(())
    }
}

fn escape(out: &mut String, text: &str, is_special: fn(char) -> bool) {
    // Nearly every text is like this, and seen to be by a look at its bytes.
    if text.bytes().all(is_harmless) {
        return out.push_str(text);
    }
    for char in text.chars() {
        if is_special(char) {
            escape_char(out, char);
        } else {
            out.push(char);
        }
    }
}

/// Printable ASCII that has a meaning in no format.
const fn is_harmless(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

/// As JSON escapes; all that is special lies below U+10000.
fn escape_char(out: &mut String, char: char) {
    match char {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ => shown(out, format_args!("\\u{:04x}", u32::from(char))),
    }
}

/// A string takes all that is written to it.
pub(super) fn shown(out: &mut impl fmt::Write, value: impl fmt::Display) {
    let _ = write!(out, "{value}");
}
