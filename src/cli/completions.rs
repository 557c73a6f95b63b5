//! `completions SHELL`: a script that completes the command line.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

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
    clap_complete::generate(
        arguments.shell,
        &mut CommandLine::command(),
        "catalog-broker",
        &mut std::io::stdout(),
    );
    Exit::Clean
}
