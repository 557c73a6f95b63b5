//! Reads the command line, hands over; the only place that exits.

use std::process::ExitCode;

fn main() -> ExitCode {
    catalog_broker::cli::run(std::env::args_os()).into()
}
