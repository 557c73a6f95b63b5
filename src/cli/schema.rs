//! `schema`: the JSON Schema of the catalog document, for editors.

use clap::Args;

use super::output::print;
use super::{Exit, failed};
use crate::catalog;

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  catalog-broker schema > catalog.schema.json
      then begin catalog.yaml with the line that editors look for:
      # yaml-language-server: $schema=catalog.schema.json")]
pub(super) struct Arguments {}

pub(super) fn run() -> Exit {
    match serde_json::to_string_pretty(&catalog::json_schema()) {
        Ok(text) => print(&(text + "\n"), Exit::Clean),
        Err(error) => failed(error),
    }
}
