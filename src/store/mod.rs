//! What remembers: one folder or file for each engine.

pub mod none;
pub mod sqlite;

#[cfg(test)]
mod tests;
