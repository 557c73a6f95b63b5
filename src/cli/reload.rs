//! `reload`: lets the broker that runs here read its catalog again, if that is right.

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};

use super::loading::Surroundings;
use super::output::{complain, print};
use super::{Exit, failed, findings};
use crate::app::ledgers;
use crate::settings::Flags;

#[derive(Args, Debug)]
#[command(
    after_help = "The document is checked first, as it stands here; with errors nothing is sent. What breaks what
lives is refused by the broker itself: its log says what came of it.

Exit status:
  0  the broker was asked
  1  the document has errors, and the broker was left alone
  2  there is no broker to ask

Examples:
  catalog-broker reload
      the broker that serves this machine's sqlite file
  catalog-broker reload --pid 1
      in a container, with any store"
)]
pub(super) struct Arguments {
    /// The broker's process, where it does not serve the sqlite file of the settings
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
}

pub(super) fn run(flags: &Flags, arguments: &Arguments) -> Exit {
    let surroundings = match Surroundings::read(flags) {
        Ok(surroundings) => surroundings,
        Err(exit) => return exit,
    };
    let document = surroundings.catalog();
    if document.catalog.is_none() {
        complain(findings::listing(&document.findings).trim_end());
        return Exit::Findings;
    }
    let process = match arguments.pid {
        Some(pid) => Ok(Some(pid)),
        None => ledgers::holder(&surroundings.loaded.settings.store),
    };
    let pid = match process {
        Ok(Some(pid)) => pid,
        Ok(None) => return failed("no broker is known to serve here: name its process with --pid"),
        Err(why) => return failed(why),
    };
    match ask(pid) {
        Ok(()) => print(
            &format!("asked process {pid} to reload: its log says what came of it\n"),
            Exit::Clean,
        ),
        Err(why) => failed(format_args!("process {pid} cannot be asked: {why}")),
    }
}

fn ask(pid: u32) -> Result<(), String> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or("there is no such process")?;
    kill_process(pid, Signal::HUP).map_err(|error| error.to_string())
}
