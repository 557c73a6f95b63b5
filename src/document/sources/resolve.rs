//! Whole strings: every reference in them resolved, every template left.

use std::fmt;
use std::sync::Arc;

use serde_json::Value as Json;

use super::{Missing, Resolved, Sources};
use crate::document::cut::{CutError, Piece, cut};
use crate::document::reference::{Reference, Scheme};
use crate::document::{Node, Origin, Place, Text, Value};

/// A string with its references resolved.
#[derive(Clone)]
pub struct ResolvedText {
    /// What it is now.
    pub value: ResolvedValue,
    /// The references that were in it, in order, without their defaults.
    pub references: Vec<Arc<str>>,
}

/// What a string has become.
#[derive(Clone)]
pub enum ResolvedValue {
    /// The string was one reference, and what it brought in has a type.
    Typed(Json),
    /// Text: literal for ever, or pieces with at least one template among them.
    Text(Text),
}

/// One thing wrong with a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextError {
    /// It cannot be cut into pieces.
    Cut(CutError),
    /// A reference brings nothing in, or nothing that fits.
    Reference(Missing),
}

impl TextError {
    /// The rule that it breaks.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Cut(error) => error.rule(),
            Self::Reference(Missing { absent: true, .. }) => "reference-missing",
            Self::Reference(_) => "reference-broken",
        }
    }

    /// What to do about it.
    pub fn mend(&self) -> String {
        match self {
            Self::Cut(error) => error.mend(),
            Self::Reference(missing) => missing.mend.clone(),
        }
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(error) => error.fmt(out),
            Self::Reference(missing) => missing.fmt(out),
        }
    }
}

impl std::error::Error for TextError {}

impl From<CutError> for TextError {
    fn from(error: CutError) -> Self {
        Self::Cut(error)
    }
}

impl ResolvedText {
    /// As a node that stands at `place`.
    pub fn into_node(self, place: &Place) -> Node {
        let origin = if self.references.is_empty() {
            Origin::File
        } else {
            Origin::References(self.references)
        };
        match self.value {
            ResolvedValue::Typed(value) => Node::from_json(value, place, &origin),
            ResolvedValue::Text(text) => Node {
                origin,
                ..Node::new(Value::Text(text), place.clone())
            },
        }
    }
}

/// Resolves every reference in `text`; with `templates`, what stands in `{{ }}` stays a template.
///
/// All references that bring nothing in are told at once.
pub fn resolve_text(
    text: &str,
    templates: bool,
    sources: &Sources,
) -> Result<ResolvedText, Vec<TextError>> {
    let pieces = cut(text, templates).map_err(|error| vec![error.into()])?;
    let references = pieces
        .iter()
        .filter_map(Piece::as_reference)
        .map(|piece| Arc::clone(&piece.source))
        .collect();
    let value = match <[Piece; 1]>::try_from(pieces) {
        Ok([Piece::Reference(reference)]) => whole(&reference, sources)?,
        Ok(piece) => ResolvedValue::Text(join(piece.into(), sources)?),
        Err(pieces) => ResolvedValue::Text(join(pieces, sources)?),
    };
    Ok(ResolvedText { value, references })
}

/// A string of a vars file: no templates, no bare names.
pub(super) fn var_text(text: &str, sources: &Sources) -> Result<Json, Missing> {
    let pieces = cut(text, false).map_err(|error| unreadable(&error))?;
    if let Some(bare) = pieces
        .iter()
        .filter_map(Piece::as_reference)
        .find(|piece| piece.scheme == Scheme::Name)
    {
        let message = format!(
            "a vars file uses {}, and bare names are not read there",
            bare.source
        );
        let mend =
            "use a reference with a scheme, as ${file:/path} or ${json:NAME}, or write the value";
        return Err(Missing::broken(bare, message, mend));
    }
    let resolved =
        resolve_text(text, false, sources).map_err(|mut errors| match errors.swap_remove(0) {
            TextError::Reference(missing) => missing,
            TextError::Cut(error) => unreadable(&error),
        })?;
    Ok(match resolved.value {
        ResolvedValue::Typed(value) => value,
        ResolvedValue::Text(text) => Json::String(text.to_source()),
    })
}

fn unreadable(error: &CutError) -> Missing {
    let message = format!("a string of a vars file cannot be read: {error}");
    Missing {
        source: "".into(),
        absent: false,
        message,
        mend: error.mend(),
    }
}

fn whole(reference: &Reference, sources: &Sources) -> Result<ResolvedValue, Vec<TextError>> {
    match sources.resolve(reference) {
        Ok(Resolved::Text(text)) => Ok(ResolvedValue::Text(Text::Literal(text))),
        Ok(Resolved::Json(value)) => Ok(ResolvedValue::Typed(value)),
        Err(missing) => Err(vec![TextError::Reference(missing)]),
    }
}

fn join(pieces: Vec<Piece>, sources: &Sources) -> Result<Text, Vec<TextError>> {
    let mut joined: Vec<Piece> = Vec::new();
    let mut errors = Vec::new();
    for piece in pieces {
        let text = match piece {
            Piece::Template(_) => {
                joined.push(piece);
                continue;
            }
            Piece::Literal(text) => text,
            Piece::Reference(reference) => match within(&reference, sources) {
                Ok(text) => text,
                Err(missing) => {
                    errors.push(TextError::Reference(missing));
                    continue;
                }
            },
        };
        match joined.last_mut() {
            Some(Piece::Literal(before)) => before.push_str(&text),
            _ if text.is_empty() => {}
            _ => joined.push(Piece::Literal(text)),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(match joined.as_mut_slice() {
        [] => Text::Literal(String::new()),
        [Piece::Literal(text)] => Text::Literal(std::mem::take(text)),
        _ => Text::Pieces(joined),
    })
}

/// What a reference brings into a longer text.
fn within(reference: &Reference, sources: &Sources) -> Result<String, Missing> {
    sources.resolve(reference)?.into_text().ok_or_else(|| {
        let message = format!(
            "{} is a list, a map or null, and stands in a longer text",
            reference.source
        );
        Missing::broken(
            reference,
            message,
            "pick a text with a pointer: #/key, or let it stand alone",
        )
    })
}
