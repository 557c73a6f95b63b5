//! YAML with places: what an operator wrote, where it stands, and where each value came from.
//!
//! A leaf: it knows nothing of catalogs or settings. [`parse`] turns text into [`Node`]s that remember line and column;
//! [`cut`] tells the literal, reference and template pieces of a string apart; [`Sources`] is the world that references
//! reach into; a [`Finding`] is one thing to say to the operator. Findings come all at once, never the first alone.

mod cut;
mod finding;
pub mod measure;
mod node;
mod parse;
mod reference;
mod sources;

pub use cut::{CutError, CutErrorKind, Piece, cut};
pub use finding::{Edit, Finding, Findings, Severity};
pub use node::{Entry, Map, Node, Origin, Path, Place, Step, Text, Value};
pub use parse::{Budget, parse, parse_bytes};
pub use reference::{Encoding, Reference, ReferenceError, Scheme};
pub use sources::{
    Environment, Missing, Resolved, ResolvedText, ResolvedValue, Sources, TextError, resolve_text,
};
