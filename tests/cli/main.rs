//! The command line from outside: the real binary, its output and its exit status. A file for each command.

#[path = "../api/checker.rs"]
mod checker;
#[path = "../api/harness.rs"]
mod harness;
#[path = "../api/http.rs"]
mod http;
mod runner;

mod check;
mod diff;
mod fix;
mod render;
mod rest;
mod secrets;
mod tls;
