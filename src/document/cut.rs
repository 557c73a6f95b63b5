//! The pieces of a string: literal text, references and templates.
//!
//! A string is cut before anything in it is resolved, so that what a reference brings in is never read as a template
//! or as another reference. From the left, whatever opens first wins:
//!
//! - `$${` is a literal `${`;
//! - `${...}` is a reference and ends at the first `}`;
//! - `{{ expression }}`, where templates are read at all, ends at the first `}}` outside the expression's own string
//!   literals and maps: `{{ '}}' }}` and `{{ {"a": 1}.a }}` are whole. A `${` in it belongs to the expression;
//! - all else is literal: `{%`, `{#`, a lone `$`, a lone `}}`, and `{{` where templates are not read.

use std::fmt;

use super::reference::{Reference, ReferenceError};

/// One piece of a string.
#[derive(Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text that means itself.
    Literal(String),
    /// `${...}`.
    Reference(Reference),
    /// The expression between `{{` and `}}`, with its spaces.
    Template(String),
}

/// Why a string cannot be cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutError {
    /// Where in the string, in bytes.
    pub offset: usize,
    /// What is wrong.
    pub kind: CutErrorKind,
}

/// What is wrong with a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CutErrorKind {
    /// `${` without `}`.
    UnclosedReference,
    /// `{{` without `}}`.
    UnclosedTemplate,
    /// A string literal in an expression without its second quote.
    UnclosedQuote,
    /// What stands between `${` and `}` is no reference.
    Reference(ReferenceError),
}

impl Piece {
    /// The piece as it is written; of literal text, the text.
    pub fn source(&self) -> String {
        match self {
            Self::Literal(text) => text.clone(),
            Self::Reference(reference) => reference.written(),
            Self::Template(expression) => format!("{{{{{expression}}}}}"),
        }
    }

    /// The reference, if it is one.
    pub const fn as_reference(&self) -> Option<&Reference> {
        match self {
            Self::Reference(reference) => Some(reference),
            _ => None,
        }
    }
}

// Literal text may hold a secret that a reference brought in.
impl fmt::Debug for Piece {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(_) => out.write_str("Literal(***)"),
            Self::Reference(reference) => write!(out, "Reference({})", reference.source),
            Self::Template(_) => out.write_str("Template(***)"),
        }
    }
}

impl CutError {
    /// What to do about it.
    pub fn mend(&self) -> String {
        match &self.kind {
            CutErrorKind::UnclosedReference => {
                "close it with `}`, or write `$${` for a literal `${`".to_owned()
            }
            CutErrorKind::UnclosedTemplate => {
                "close it with `}}`, or write `{{ '{{' }}` for a literal `{{`".to_owned()
            }
            CutErrorKind::UnclosedQuote => {
                "close the quote, and then the expression with `}}`".to_owned()
            }
            CutErrorKind::Reference(error) => error.mend(),
        }
    }

    /// The rule that it breaks.
    pub const fn rule(&self) -> &'static str {
        match self.kind {
            CutErrorKind::UnclosedReference | CutErrorKind::Reference(_) => "reference-syntax",
            CutErrorKind::UnclosedTemplate | CutErrorKind::UnclosedQuote => "template-syntax",
        }
    }
}

impl fmt::Display for CutError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            CutErrorKind::UnclosedReference => out.write_str("`${` is not closed"),
            CutErrorKind::UnclosedTemplate => out.write_str("`{{` is not closed"),
            CutErrorKind::UnclosedQuote => out.write_str("a quote in `{{` is not closed"),
            CutErrorKind::Reference(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for CutError {}

/// Cuts `text` into its pieces; neighbours are never both literal, and no literal is empty.
pub fn cut(text: &str, templates: bool) -> Result<Vec<Piece>, CutError> {
    let mut pieces = Pieces::default();
    let mut at = 0;
    while let Some(found) = text[at..].find(['$', '{']) {
        let open = at + found;
        pieces.literal(&text[at..open]);
        at = if text[open..].starts_with("$${") {
            pieces.literal("${");
            open + 3
        } else if text[open..].starts_with("${") {
            let (reference, end) = reference(text, open)?;
            pieces.push(Piece::Reference(reference));
            end
        } else if templates && text[open..].starts_with("{{") {
            let end = template_end(text, open)?;
            pieces.push(Piece::Template(text[open + 2..end - 2].to_owned()));
            end
        } else {
            pieces.literal(&text[open..=open]);
            open + 1
        };
    }
    pieces.literal(&text[at..]);
    Ok(pieces.finish())
}

fn reference(text: &str, open: usize) -> Result<(Reference, usize), CutError> {
    let failed = |kind| CutError { offset: open, kind };
    let length = text[open..]
        .find('}')
        .ok_or_else(|| failed(CutErrorKind::UnclosedReference))?;
    let reference = text[open + 2..open + length]
        .parse()
        .map_err(|error| failed(CutErrorKind::Reference(error)))?;
    Ok((reference, open + length + 1))
}

/// The offset behind the `}}` that closes the `{{` at `open`.
pub(super) fn template_end(text: &str, open: usize) -> Result<usize, CutError> {
    let failed = |kind| CutError { offset: open, kind };
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = open + 2;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\'' | b'"' => {
                at = quote_end(bytes, at).ok_or_else(|| failed(CutErrorKind::UnclosedQuote))?;
            }
            b'{' => depth += 1,
            b'}' if depth > 0 => depth -= 1,
            b'}' if bytes.get(at + 1) == Some(&b'}') => return Ok(at + 2),
            _ => {}
        }
        at += 1;
    }
    Err(failed(CutErrorKind::UnclosedTemplate))
}

/// The offset of the quote that ends the string literal at `open`.
fn quote_end(bytes: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    while let Some(&byte) = bytes.get(at) {
        if byte == bytes[open] {
            return Some(at);
        }
        at += if byte == b'\\' { 2 } else { 1 };
    }
    None
}

#[derive(Default)]
struct Pieces {
    done: Vec<Piece>,
    literal: String,
}

impl Pieces {
    fn literal(&mut self, text: &str) {
        self.literal.push_str(text);
    }

    fn push(&mut self, piece: Piece) {
        self.end_literal();
        self.done.push(piece);
    }

    fn end_literal(&mut self) {
        if !self.literal.is_empty() {
            self.done
                .push(Piece::Literal(std::mem::take(&mut self.literal)));
        }
    }

    fn finish(mut self) -> Vec<Piece> {
        self.end_literal();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shape(text: &str, templates: bool) -> String {
        match cut(text, templates) {
            Ok(pieces) => pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Literal(text) => format!("L<{text}>"),
                    Piece::Reference(reference) => format!("R<{}>", reference.source),
                    Piece::Template(expression) => format!("T<{expression}>"),
                })
                .collect(),
            Err(error) => format!("{} at {}", error.rule(), error.offset),
        }
    }

    #[test]
    fn whatever_opens_first_wins() {
        for (text, with_templates, without) in [
            ("", "", ""),
            ("plain", "L<plain>", "L<plain>"),
            ("${A}", "R<${A}>", "R<${A}>"),
            ("a${A}b", "L<a>R<${A}>L<b>", "L<a>R<${A}>L<b>"),
            ("${A}${B}", "R<${A}>R<${B}>", "R<${A}>R<${B}>"),
            ("$${A}", "L<${A}>", "L<${A}>"),
            ("$$${A}", "L<$${A}>", "L<$${A}>"),
            (
                "$ $a {a} }} {% x %} {# y #}",
                "L<$ $a {a} }} {% x %} {# y #}>",
                "L<$ $a {a} }} {% x %} {# y #}>",
            ),
            ("{{ x }}", "T< x >", "L<{{ x }}>"),
            ("a{{x}}b{{ y }}", "L<a>T<x>L<b>T< y >", "L<a{{x}}b{{ y }}>"),
            ("{{ '{{' }}", "T< '{{' >", "L<{{ '{{' }}>"),
            ("{{ \"}}\" }}", "T< \"}}\" >", "L<{{ \"}}\" }}>"),
            (
                r"{{ 'it\'s }}' }}",
                r"T< 'it\'s }}' >",
                r"L<{{ 'it\'s }}' }}>",
            ),
            (
                "{{ {\"a\": {\"b\": 1}}.a }}",
                "T< {\"a\": {\"b\": 1}}.a >",
                "L<{{ {\"a\": {\"b\": 1}}.a }}>",
            ),
            ("{{ {'a': 1}}}x", "T< {'a': 1}>L<x>", "L<{{ {'a': 1}}}x>"),
            ("{{ '${A}' }}", "T< '${A}' >", "L<{{ '>R<${A}>L<' }}>"),
            ("${A:-{{ x }}", "R<${A}>L<}>", "R<${A}>L<}>"),
            ("${", "reference-syntax at 0", "reference-syntax at 0"),
            ("ab${A", "reference-syntax at 2", "reference-syntax at 2"),
            ("ab${}", "reference-syntax at 2", "reference-syntax at 2"),
            ("a {{ x", "template-syntax at 2", "L<a {{ x>"),
            ("{{ it's }}", "template-syntax at 0", "L<{{ it's }}>"),
            ("{{ 'a\\", "template-syntax at 0", "L<{{ 'a\\>"),
        ] {
            assert_eq!(shape(text, true), with_templates, "{text} with templates");
            assert_eq!(shape(text, false), without, "{text} without templates");
        }
    }

    #[test]
    fn pieces_do_not_print_what_they_hold() {
        let printed = format!("{:?}", cut("hunter2${A:-hunter3}{{ 'hunter4' }}", true));
        assert!(!printed.contains("hunter"), "{printed}");
    }

    proptest! {
        #[test]
        fn cutting_loses_nothing(text in r#"([a-z${}'"\\ :|#/-]|\$\{[A-Z]{1,3}\}|\{\{ [a-z'"{}]{0,4} \}\}|ä){0,30}"#, templates: bool) {
            if let Ok(pieces) = cut(&text, templates) && !text.contains("$${") {
                prop_assert_eq!(pieces.iter().map(Piece::source).collect::<String>(), text);
            }
        }

        #[test]
        fn any_text_can_be_asked_of(text: String, templates: bool) {
            let _ = cut(&text, templates);
        }
    }
}
