//! The language of the document as one table: every key, what it holds, who sees it, and how its texts are read.
//!
//! From this one table come the errors for unknown keys and wrong types, the types of overrides, where references and
//! templates are read, and the JSON schema for editors.

mod backends;
mod expiry;
mod private;
mod published;
mod schema;
mod table;

pub(crate) use backends::SETS;
pub(crate) use private::{BINDING, INSTANCE};
pub use schema::json_schema;
pub(crate) use table::{DOCUMENT, OFFERING, PLAN};

/// The keys that the specification knows of a catalog, of its offerings and of their plans, and Cloud Foundry's
/// `dashboard_client`. All others of the language are private: they are not in what platforms are sent.
const PUBLISHED: [&str; 19] = [
    "services",
    "id",
    "name",
    "description",
    "tags",
    "requires",
    "bindable",
    "instances_retrievable",
    "bindings_retrievable",
    "allow_context_updates",
    "metadata",
    "dashboard_client",
    "plan_updateable",
    "plans",
    "free",
    "binding_rotatable",
    "schemas",
    "maximum_polling_duration",
    "maintenance_info",
];

/// Whether a document, an offering or a plan may have that key, and nobody publishes it.
pub fn is_private(key: &str) -> bool {
    let known = [&DOCUMENT, &OFFERING, &PLAN];
    !PUBLISHED.contains(&key) && known.iter().any(|record| record.key(key).is_some())
}

/// What a key holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// A string.
    Text,
    /// `MAJOR.MINOR`, a string.
    ApiVersion,
    /// `true` or `false`.
    Bool,
    /// A whole number, not negative.
    Integer,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A text, or a map of known keys.
    TextOr(&'static Record),
    /// One of these words, or a map of known keys.
    WordOr(&'static [&'static str], &'static Record),
    /// `true` or `false`, or a map of known keys.
    BoolOr(&'static Record),
    /// A time: `500ms`, `2s`, `10m`, `1h`, or whole seconds.
    Duration,
    /// A map of any names, each with a map of known keys.
    Named(&'static Record),
    /// A list of one shape.
    List(&'static Shape),
    /// A map of known keys.
    Record(&'static Record),
    /// A map of any keys and values.
    Free,
    /// A JSON schema, taken to the letter.
    Schema,
    /// Anything.
    Any,
}

/// A map of known keys.
#[derive(Debug)]
pub(crate) struct Record {
    /// What it is, for a person: `an offering`.
    pub name: &'static str,
    /// The known keys.
    pub keys: &'static [Key],
    /// What becomes of all others.
    pub others: Others,
}

/// What becomes of keys that are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Others {
    /// They are refused.
    Refused,
    /// They are refused; what a vendor adds goes under `extensions`.
    Extensions,
    /// They are refused, save those that begin with `x-`.
    Anchors,
    /// They pass through as they are.
    Passed,
}

/// How the texts below a key are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// To the letter.
    Verbatim,
    /// References are resolved; the whole is published or settles something, so templates mean nothing.
    References,
    /// References are resolved; constants of templates, so a template there is a mistake.
    Constants,
    /// References are resolved, templates rendered for each request.
    Templates,
    /// Templates are rendered for each request; a reference would become a part of a statement, so it is a mistake.
    Statements,
}

impl Reading {
    /// Whether templates are rendered.
    pub const fn renders(self) -> bool {
        matches!(self, Self::Templates | Self::Statements)
    }
}

/// One known key.
#[derive(Debug)]
pub(crate) struct Key {
    pub name: &'static str,
    pub shape: Shape,
    pub reading: Reading,
    /// Whether it must be there after the merge.
    pub required: bool,
    /// What it is for, in one sentence.
    pub doc: &'static str,
}

impl Key {
    pub const fn new(
        name: &'static str,
        shape: Shape,
        reading: Reading,
        doc: &'static str,
    ) -> Self {
        Self {
            name,
            shape,
            reading,
            required: false,
            doc,
        }
    }

    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

impl Record {
    /// The known key of that name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// What a key that is not in the table holds, where it is let through.
    pub fn other(&self, name: &str) -> Option<(Shape, Reading)> {
        match self.others {
            Others::Passed => Some((Shape::Any, Reading::References)),
            Others::Anchors if name.starts_with("x-") => Some((Shape::Any, Reading::Verbatim)),
            _ => None,
        }
    }

    /// Shape and reading of whatever key may stand here. What is known decides for itself; `around` is the reading of
    /// the record, for keys that pass through.
    pub fn entry(&self, name: &str, around: Reading) -> Option<(Shape, Reading)> {
        match self.key(name) {
            Some(key) => Some((key.shape, key.reading)),
            None => self.other(name).map(|(shape, reading)| match self.others {
                Others::Passed => (shape, around),
                _ => (shape, reading),
            }),
        }
    }
}

impl Shape {
    /// The type for a person: `a string`.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Text | Self::ApiVersion => "a string",
            Self::Bool => "a boolean",
            Self::Integer => "a whole number",
            Self::Word(_) => "a word",
            Self::WordOr(..) => "a word or a map",
            Self::TextOr(_) => "a string or a map",
            Self::BoolOr(_) => "a boolean or a map",
            Self::Duration => "a time",
            Self::List(_) => "a list",
            Self::Record(_) | Self::Named(_) | Self::Free | Self::Schema => "a map",
            Self::Any => "a value",
        }
    }

    /// Whether it is some text.
    pub const fn is_text(self) -> bool {
        matches!(
            self,
            Self::Text | Self::ApiVersion | Self::Word(_) | Self::Duration
        )
    }
}

/// The word that is nearest to `wanted`, if one is near.
pub(crate) fn nearest<'k>(
    wanted: &str,
    known: impl IntoIterator<Item = &'k str>,
) -> Option<&'k str> {
    let wanted = wanted.to_lowercase().replace(['-', '.'], "_");
    known
        .into_iter()
        .map(|word| {
            (
                strsim::normalized_damerau_levenshtein(&wanted, &word.to_lowercase()),
                word,
            )
        })
        .filter(|(score, _)| *score >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}
