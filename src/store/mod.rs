//! What remembers: one folder or file for each engine.

pub mod none;
mod packed;
pub mod postgres;
pub mod sqlite;

#[cfg(test)]
mod tests;
