//! The catalog: document -> overrides -> references -> defaults and merge -> rules -> domain catalog.
//!
//! In reading order: [`language`] is the table of all keys; `reading` makes one document of files, overrides and
//! references; `merge` gives every plan what it inherits; `draft` is what the rules look at; [`rules`] say what is wrong;
//! `build` makes the domain's catalog; `inputs` are the files that it all came from. Everything that is wrong comes at once, as findings.
//!
//! Deliberately absent: the process environment (it comes in as [`Environment`](crate::document::Environment)), the clock, figment and actix.

mod adopting;
mod answers;
mod backends;
mod build;
mod derive;
mod draft;
mod expiring;
mod inputs;
pub mod language;
mod lifecycle;
mod limits;
mod load;
mod memory;
mod merge;
mod pool;
mod reading;
mod responding;
pub mod rules;
mod sets;
mod statements;
mod trail;

pub use inputs::{Held, Inputs};
pub use language::{is_private, json_schema};
pub use lifecycle::dates;
pub use load::{Loaded, Source, SourceFile, load, load_texts};
pub use memory::Memory;
pub use reading::overrides::is_document_variable;
