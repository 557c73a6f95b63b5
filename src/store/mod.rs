//! What remembers: one folder or file for each engine.

pub mod none;
mod packed;
pub mod postgres;
mod seal;
pub mod sqlite;

pub use seal::Keys;

#[cfg(test)]
mod tests;
