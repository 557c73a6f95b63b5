//! `completions SHELL`: a script that completes the command line.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::output::print;
use super::{CommandLine, Exit};

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  catalog-broker completions bash > /etc/bash_completion.d/catalog-broker
  catalog-broker completions zsh > \"${fpath[1]}/_catalog-broker\"")]
pub(super) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    // Into memory first: the generator panics where a reader has gone away.
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut CommandLine::command(),
        "catalog-broker",
        &mut script,
    );
    print(&String::from_utf8_lossy(&script), Exit::Clean)
}
