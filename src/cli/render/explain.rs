//! `render --explain`: for each setting and each value of the document where it comes from.
//!
//! Shown is what is published, or settles what is; of a private key, of a key that nobody knows, and under any name
//! that sounds like a secret, only that there is something.

use std::fmt::Write as _;

use crate::catalog::Loaded;
use crate::catalog::language::{DOCUMENT, Reading, Shape};
use crate::cli::loading::Surroundings;
use crate::cli::output::{complain, print};
use crate::cli::{Exit, check, findings};
use crate::document::{
    Budget, Environment, Node, Origin, Path, Piece, Reference, Scheme, Sources, Value, cut,
    parse_bytes,
};
use crate::domain::text::sounds_secret;
use crate::secret::MASK;
use crate::settings::{self, Explained, Flags};

/// What the document's language says where the document says nothing.
const DEFAULTS: [(&str, &str); 1] = [("minimum_api_version", "\"2.0\"")];

pub(super) fn run(flags: &Flags) -> Exit {
    let surroundings = match Surroundings::read(flags) {
        Ok(surroundings) => surroundings,
        Err(exit) => return exit,
    };
    let loaded = surroundings.catalog();
    if !loaded.findings.is_empty() {
        complain(findings::listing(&loaded.findings).trim_end());
    }
    let mut explanation = Explanation {
        text: String::from("# settings\n"),
        sources: sources(&surroundings, &loaded),
        loaded: &loaded,
        environment: &surroundings.environment,
    };
    for Explained {
        path,
        value,
        origin,
    } in with_logins(flags, &surroundings)
    {
        explanation.line(&path, &value, &origin);
    }
    explanation.text.push_str("\n# catalog document\n");
    if let Some(document) = &loaded.document {
        explanation.node(document, &Path::root(), Shown::of(Shape::Record(&DOCUMENT)));
        explanation.defaults(document);
    }
    print(&explanation.text, check::verdict(&loaded.findings))
}

/// The settings with those of logins where these can be read: this command needs none.
fn with_logins(flags: &Flags, surroundings: &Surroundings) -> Vec<Explained> {
    let is_document_variable = crate::catalog::is_document_variable;
    match settings::load(flags, &surroundings.environment, is_document_variable) {
        Ok(loaded) => loaded.explained,
        Err(why) => {
            complain(format_args!("warning: logins are left out: {why}"));
            surroundings.loaded.explained.clone()
        }
    }
}

/// What references reach into, to see whether it was there or their default stood in.
fn sources(surroundings: &Surroundings, loaded: &Loaded) -> Sources {
    let paths = surroundings.source().vars;
    let vars = paths.iter().filter_map(|path| {
        let name = path.display().to_string();
        let file = loaded.files.iter().find(|file| *file.name == *name)?;
        parse_bytes(&name, file.text.as_bytes(), &Budget::default()).ok()
    });
    Sources::new(surroundings.environment.clone(), vars.collect())
}

/// Whether values may be shown here, and what the table of keys says of what stands here.
#[derive(Clone, Copy)]
enum Shown {
    Public(Shape),
    Private,
}

impl Shown {
    const fn of(shape: Shape) -> Self {
        Self::Public(shape)
    }

    /// What holds below `key`.
    fn key(self, key: &str) -> Self {
        let Self::Public(shape) = self else {
            return Self::Private;
        };
        let below = match shape {
            Shape::Record(record) => match record.key(key) {
                Some(known) if is_public(known.name, known.reading) => Some(known.shape),
                Some(_) => None,
                // What passes through is published; of what is unknown nobody knows.
                None => record
                    .other(key)
                    .filter(|_| !key.starts_with("x-"))
                    .map(|(shape, _)| shape),
            },
            _ => Some(Shape::Any),
        };
        match below {
            Some(shape) if !sounds_secret(key) => Self::Public(shape),
            _ => Self::Private,
        }
    }

    const fn item(self) -> Self {
        match self {
            Self::Public(Shape::List(item)) => Self::Public(*item),
            Self::Public(_) => Self::Public(Shape::Any),
            Self::Private => Self::Private,
        }
    }
}

fn is_public(key: &str, reading: Reading) -> bool {
    let is_private = ["values", "instance", "binding", "backend"].contains(&key);
    !is_private && matches!(reading, Reading::References | Reading::Verbatim)
}

/// The text while it is written.
struct Explanation<'a> {
    text: String,
    sources: Sources,
    loaded: &'a Loaded,
    environment: &'a Environment,
}

impl Explanation<'_> {
    fn line(&mut self, path: &str, value: &str, origin: &str) {
        let _ = writeln!(self.text, "{path} = {value}  # {origin}");
    }

    fn node(&mut self, node: &Node, path: &Path, shown: Shown) {
        match &node.value {
            Value::Map(map) if !map.is_empty() => {
                for entry in map {
                    let below = path.key(std::sync::Arc::clone(&entry.key));
                    self.node(&entry.node, &below, shown.key(&entry.key));
                }
            }
            Value::List(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    self.node(item, &path.index(index), shown.item());
                }
            }
            _ => {
                let origin = self.origin(node);
                let value = match shown {
                    Shown::Public(_) => node.to_json().to_string(),
                    Shown::Private => MASK.to_owned(),
                };
                self.line(&path.to_string(), &value, &origin);
            }
        }
    }

    fn defaults(&mut self, document: &Node) {
        for (key, value) in DEFAULTS {
            if document.get(key).is_none() {
                self.line(key, value, "default");
            }
        }
    }

    fn origin(&self, node: &Node) -> String {
        let place = &node.place;
        match &node.origin {
            Origin::File => place.to_string(),
            Origin::Default => "default".to_owned(),
            Origin::Override { variable } => {
                format!("the environment variable {variable}, in place of {place}")
            }
            Origin::References(references) => {
                let written = self.written(node);
                let told = references.iter().map(|reference| {
                    let found = written.iter().find(|written| written.source == *reference);
                    match found {
                        Some(found) => format!("{reference}{}", self.where_from(found)),
                        None => reference.to_string(),
                    }
                });
                format!("{place}, {}", told.collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// The references with their defaults, as they stand in the file.
    fn written(&self, node: &Node) -> Vec<Reference> {
        let place = &node.place;
        let file = self
            .loaded
            .files
            .iter()
            .find(|file| file.name == place.file);
        let text = file.and_then(|file| file.text.get(place.start..place.end));
        let pieces = cut(text.unwrap_or_default(), true).unwrap_or_default();
        pieces
            .iter()
            .filter_map(Piece::as_reference)
            .cloned()
            .collect()
    }

    fn where_from(&self, reference: &Reference) -> &'static str {
        let undefaulted = Reference {
            default: None,
            ..reference.clone()
        };
        let variable = self.environment.get(&reference.address);
        let is_empty = variable.is_some_and(str::is_empty);
        let is_there = self.sources.resolve(&undefaulted).is_ok();
        if reference.default.is_some() && (is_empty || !is_there) {
            return " (not there: its default)";
        }
        match reference.scheme {
            Scheme::Name | Scheme::JsonName if variable.is_some() => " (the environment)",
            Scheme::Name => " (a vars file)",
            _ => "",
        }
    }
}
