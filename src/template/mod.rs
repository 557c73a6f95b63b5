//! Templates: what stands between `{{` and `}}` in a private key, compiled once and rendered for each request.
//!
//! A leaf: strings come here already cut into [`Part`]s. An [`Expression`] is read by a small template library; what
//! it may name is held against [`KnownNames`] when the document is loaded, and looked up in a [`Scope`] when it is
//! rendered. Time, chance and keys come in as a [`Draw`]. A [`Tree`] has the shape of the JSON that it renders.
//!
//! Deliberately absent: statements, comments, loops, tests (`is`), methods, named arguments, and any filter or
//! function that is not listed here. What came out of an expression is never read as a template again.

mod derive;
mod draw;
mod engine;
mod error;
mod expression;
mod names;
mod scan;
mod scope;
#[cfg(test)]
mod tests;
pub mod time;
mod tree;

pub use derive::{Alphabet, DeriveError, Derived, Deriving, Key, KeyError, Keys, SHORTEST_KEY};
pub use draw::{Chance, Draw, Function, NoChance, random_password};
pub use error::{RenderError, TemplateError, without_texts};
pub use expression::Expression;
pub use names::{KnownNames, UnknownName, Where, check_names};
pub use scope::{BindingScope, InstanceScope, Named, Scope, StatementScope};
pub use tree::{Part, Template, Tree};
