//! The account of changes: one line of JSON for each, chained by hashes, so that one that is missing, changed or swapped
//! shows.
//!
//! [`witness`] hears what happened and makes a line of it ([`line`]); [`book`] keeps it with others ([`lines`]) and has a thread that writes lines in their order, so
//! that nobody waits for a disk; [`chain`] is the form of a chained line, [`file`] and [`store`] the places where they go, [`verify`] the
//! reader that tells where a chain breaks, [`reading`] the one that shows the end of a file to people.

mod book;
mod chain;
mod file;
mod line;
mod lines;
mod reading;
mod store;
mod verify;
mod witness;

pub use book::{Book, Place};
pub use reading::FileReading;
pub use verify::{Said, Verifier};
pub use witness::AuditWitness;
