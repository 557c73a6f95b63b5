//! `audit verify`: reads the account of changes and says where its chain breaks.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::output::{complain, print};
use super::{Exit, failed};
use crate::telemetry::{Said, Verifier};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Say where the chain of lines breaks: one is missing, changed, swapped or was put in
    Verify(Verify),
}

#[derive(Args, Debug)]
#[command(
    after_help = "Files of one chain are given from the oldest on. What a chain alone cannot tell is whether its
last lines were cut off, or all of it was written anew: note its last hash elsewhere now and
then, and ask for it with --has.

Exit status:
  0  the chain holds
  1  it breaks, or has no line with the hash of --has
  2  a file cannot be read

Examples:
  catalog-broker audit verify audit.log
      where the chain breaks, how many lines there are, and the last hash
  catalog-broker audit verify audit.log.1 audit.log
      the file that was renamed, and the one after it
  grep -o '{\"seq\":.*' captured.txt | catalog-broker audit verify -
      lines of standard output, without those of the log"
)]
struct Verify {
    /// The files, the oldest first; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A hash that the chain must have: the last one when it was looked at before
    #[arg(long, value_name = "HASH")]
    has: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let Verb::Verify(verify) = &arguments.verb;
    let verifier = match &verify.has {
        None => Some(Verifier::default()),
        Some(hash) => Verifier::default().seeking(hash),
    };
    let Some(mut verifier) = verifier else {
        return failed("--has takes a hash as `audit verify` prints it: 64 hexadecimal digits");
    };
    let mut breaks: u64 = 0;
    for path in &verify.files {
        let name = path.display();
        let read = read(path, &mut verifier, |said| match said {
            Said::Break(line, why) => {
                breaks += 1;
                complain(format_args!("{name}:{line}: {why}"));
            }
            Said::Note(line, why) => complain(format_args!("{name}:{line}: note: {why}")),
        });
        if let Err(error) = read {
            return failed(format_args!("{name} cannot be read: {error}"));
        }
    }
    if verifier.misses() {
        breaks += 1;
        complain("no line has the hash of --has: lines were cut off, or written anew");
    }
    let exit = if breaks == 0 {
        Exit::Clean
    } else {
        Exit::Findings
    };
    print(&summary(&verifier, breaks), exit)
}

fn read(path: &Path, verifier: &mut Verifier, tell: impl FnMut(Said)) -> io::Result<()> {
    if path.as_os_str() == "-" {
        return verifier.read(io::stdin().lock(), tell);
    }
    verifier.read(BufReader::new(File::open(path)?), tell)
}

fn summary(verifier: &Verifier, breaks: u64) -> String {
    let whole = match breaks {
        0 => "the chain holds".to_owned(),
        1 => "the chain breaks once".to_owned(),
        times => format!("the chain breaks {times} times"),
    };
    match verifier.end() {
        None => format!("no lines, {whole}\n"),
        Some((1, seq, hash)) => format!("1 line, {whole}; it is number {seq}, its hash {hash}\n"),
        Some((lines, seq, hash)) => {
            format!("{lines} lines, {whole}; the last is number {seq}, its hash {hash}\n")
        }
    }
}
