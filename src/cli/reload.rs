//! `reload`: lets a broker read its catalog again: the one that runs here by a signal, if the document is right; any by its
//! URL, which tells what came of it.

mod over_http;

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};

use super::loading::Surroundings;
use super::output::{complain, print};
use super::remote::Entry;
use super::{Exit, failed, findings};
use crate::app::ledgers;
use crate::settings::Flags;

#[derive(Args, Debug)]
#[command(
    after_help = "Without --url the document is checked first, as it stands here; with errors nothing is sent. What breaks
what lives is refused by the broker itself: its log says what came of it.

With --url the broker says what came of it. That takes a login with the role operator: the one in the URL, or --username and
--password-file; or else the first such login of the settings here (auth.logins.NAME.role), with its password or token.

Exit status:
  0  the broker was asked; with --url: it serves what it has read
  1  the document has errors; with --url: as the broker reads it, or its settings have. It is served on what was before
  2  there is no broker to ask, or it could not do it
  3  with --url: what lives would break, and the broker goes on with what was before

Examples:
  catalog-broker reload
      the broker that serves this machine's sqlite file
  catalog-broker reload --pid 1
      in a container, with any store
  catalog-broker reload --url https://broker.example.com --username anna --password-file pw
      any broker; one of several behind a load balancer is not enough"
)]
pub(super) struct Arguments {
    /// The broker's process, where it does not serve the sqlite file of the settings
    #[arg(long, value_name = "PID", conflicts_with = "url")]
    pid: Option<u32>,
    /// The broker's URL: asks it over HTTP, and says what came of it
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    entry: Entry,
}

pub(super) fn run(flags: &Flags, arguments: &Arguments) -> Exit {
    if let Some(url) = &arguments.url {
        return over_http::run(flags, url, &arguments.entry);
    }
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
        Ok(None) => {
            return failed(
                "no broker is known to serve here: name its process with --pid, or its URL with --url",
            );
        }
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
