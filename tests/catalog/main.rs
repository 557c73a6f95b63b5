//! The catalog from outside: documents in, findings and catalogs out.

mod harness;
mod literal;
mod merge;
mod mistakes;
mod overrides;
mod platform;
mod rules;
mod shipped;
