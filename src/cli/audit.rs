//! `audit verify`: reads the account of changes and says where its chain breaks.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::desk::run as run_to_end;
use super::loading::Surroundings;
use super::output::{complain, print};
use super::{Exit, failed};
use crate::app::ledgers;
use crate::domain::account::{RowQuery, Way};
use crate::domain::ledger::Ledger;
use crate::domain::store::StoreError;
use crate::settings::{AuditTo, Flags, StoreSettings};
use crate::telemetry::{Said, Verifier};

/// How many rows of a store are read at once.
const ROWS: u32 = 1_000;

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
    after_help = "Without a FILE it reads where the settings have it written (audit.to); with --store a store.

Files of one chain are given from the oldest on. What a chain alone cannot tell is whether its
last lines were cut off, or all of it was written anew: note its last hash elsewhere now and
then, and ask for it with --has.

Exit status:
  0  the chain holds
  1  it breaks, or has no line with the hash of --has
  2  a file or the store cannot be read

Examples:
  catalog-broker audit verify audit.log
      where the chain breaks, how many lines there are, and the last hash
  catalog-broker audit verify audit.log.1 audit.log
      the file that was renamed, and the one after it
  catalog-broker audit verify --store sqlite:data/broker.db
      the lines that are kept in the store, beside a broker that serves it
  grep -o '{\"seq\":.*' captured.txt | catalog-broker audit verify -
      lines of standard output, without those of the log"
)]
struct Verify {
    /// The files, the oldest first; - is standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A hash that the chain must have: the last one when it was looked at before
    #[arg(long, value_name = "HASH")]
    has: Option<String>,
}

/// Where lines are read.
enum Source {
    Files(Vec<PathBuf>),
    Store(StoreSettings),
}

impl Source {
    fn of(flags: &Flags, verify: &Verify) -> Result<Self, Exit> {
        match (verify.files.is_empty(), &flags.store) {
            (false, None) => return Ok(Self::Files(verify.files.clone())),
            (false, Some(_)) => {
                return Err(failed("name files or a store (--store), not both"));
            }
            (true, _) => {}
        }
        let settings = Surroundings::read_with_keys(flags)?.loaded.settings;
        match settings.audit.to {
            _ if flags.store.is_some() => Ok(Self::Store(settings.store)),
            AuditTo::Store => Ok(Self::Store(settings.store)),
            AuditTo::File(path) => Ok(Self::Files(vec![path])),
            AuditTo::Nothing | AuditTo::Stdout => Err(failed(
                "the settings have it in no file and no store (audit.to): name the files, or a store (--store)",
            )),
        }
    }
}

/// What was found so far.
struct Check {
    verifier: Verifier,
    breaks: u64,
}

pub(super) fn run(flags: &Flags, arguments: &Arguments) -> Exit {
    let Verb::Verify(verify) = &arguments.verb;
    let verifier = match &verify.has {
        None => Some(Verifier::default()),
        Some(hash) => Verifier::default().seeking(hash),
    };
    let Some(verifier) = verifier else {
        return failed("--has takes a hash as `audit verify` prints it: 64 hexadecimal digits");
    };
    let mut check = Check {
        verifier,
        breaks: 0,
    };
    match Source::of(flags, verify) {
        Ok(Source::Files(files)) => match files.iter().find_map(|path| check.file(path).err()) {
            Some(exit) => exit,
            None => check.end(),
        },
        Ok(Source::Store(settings)) => match ledgers::beside(&settings) {
            Ok(ledger) => run_to_end(async move {
                check.store(&ledger).await?;
                ledger.close().await?;
                Ok(check.end())
            }),
            Err(why) => failed(why),
        },
        Err(exit) => exit,
    }
}

impl Check {
    fn file(&mut self, path: &Path) -> Result<(), Exit> {
        let name = path.display();
        let breaks = &mut self.breaks;
        let read = read(path, &mut self.verifier, |said| tell(&name, breaks, said));
        read.map_err(|error| failed(format_args!("{name} cannot be read: {error}")))
    }

    async fn store(&mut self, ledger: &Arc<dyn Ledger>) -> Result<(), StoreError> {
        let mut behind = 0;
        loop {
            let rows = ledger.rows(RowQuery {
                way: Way::Behind(behind),
                most: ROWS,
                ..RowQuery::default()
            });
            let rows = rows.await?;
            let Some(last) = rows.last() else { break };
            behind = last.seq;
            for row in &rows {
                let breaks = &mut self.breaks;
                self.verifier.row(row, |said| tell(&"store", breaks, said));
            }
        }
        if let Some(said) = self.verifier.beginning() {
            tell(&"store", &mut self.breaks, said);
        }
        Ok(())
    }

    fn end(mut self) -> Exit {
        if self.verifier.misses() {
            self.breaks += 1;
            complain("no line has the hash of --has: lines were cut off, or written anew");
        }
        let exit = if self.breaks == 0 {
            Exit::Clean
        } else {
            Exit::Findings
        };
        print(&summary(&self.verifier, self.breaks), exit)
    }
}

fn tell(name: &dyn std::fmt::Display, breaks: &mut u64, said: Said) {
    match said {
        Said::Break(line, why) => {
            *breaks += 1;
            complain(format_args!("{name}:{line}: {why}"));
        }
        Said::Note(line, why) => complain(format_args!("{name}:{line}: note: {why}")),
    }
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
