//! The server of the broker: where it listens, how many it takes, and what it serves.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::App;
use actix_web::dev::Server;
use actix_web::web::Data;
use rustix::process::{Resource, getrlimit};
use tokio::net::TcpSocket;

use super::StartError;
use crate::console::{self, Console};
use crate::http::{self, Api, Gate, ServerTerms, Tls, routes};
use crate::settings::{ServerSettings, Settings};

/// The address is taken before the store, so that a second start fails on what its operator sees first.
pub(super) fn listen(server: &ServerSettings) -> Result<TcpListener, StartError> {
    let address = SocketAddr::new(server.address, server.port);
    waiting(address).map_err(|error| StartError::Bind(address, error))
}

/// How many connections may wait to be taken. As many as come at once: what does not find room tries again a second later.
const WAITING: u32 = 4096;

fn waiting(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)?.into_std()
}

pub(super) fn start(
    settings: &Settings,
    listener: TcpListener,
    tls: Option<&Arc<Tls>>,
    api: &Data<Api>,
    console: Option<&Data<Console>>,
) -> Result<Server, StartError> {
    let shared = api.clone();
    let routes = routes(&settings.server.base_path);
    let pages = console.map(console::routes);
    // The last `.wrap` runs first; there is one.
    let application = move || {
        App::new()
            .app_data(shared.clone())
            // Those of platforms first: they are looked through in order, by every request.
            .configure(routes.clone())
            .configure(|config| {
                if let Some(pages) = &pages {
                    pages(config);
                }
            })
            .wrap(Gate(shared.clone()))
    };
    let tls = match tls {
        None => None,
        Some(tls) => {
            let config = tls.config();
            let config = config.map_err(|error| StartError::Tls(error.to_string()))?;
            Some(config)
        }
    };
    let terms = terms(settings);
    http::serve(listener, tls, terms, application).map_err(StartError::System)
}

fn terms(settings: &Settings) -> ServerTerms {
    let server = &settings.server;
    ServerTerms {
        workers: server.workers,
        connections: connections(settings),
        keep_alive: server.keep_alive,
        shutdown_timeout: server.shutdown_timeout,
    }
}

/// What the broker opens beside connections and what operations need: the store, the catalog's files, the log.
const OWN_FILES: usize = 128;

/// What an operation may have open: the pipes of a program, the connection to a server.
const FILES_OF_AN_OPERATION: usize = 4;

/// As many connections as there is room for. Without a bound below the system's they would take the files that the store and
/// the backends need.
fn connections(settings: &Settings) -> usize {
    let wanted = settings.server.connections;
    let Some(files) = getrlimit(Resource::Nofile).current else {
        return wanted;
    };
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    let operations = usize::try_from(settings.operations.at_once).unwrap_or(usize::MAX);
    let others = OWN_FILES
        .saturating_add(settings.store.connections)
        .saturating_add(operations.saturating_mul(FILES_OF_AN_OPERATION));
    let room = room(files, others);
    if room < wanted {
        log::warn!(
            "{room} connections at a time, not the {wanted} of server.connections: this process may open {files} files, \
             and needs some for itself. Raise that (ulimit -n, LimitNOFILE)"
        );
    }
    wanted.min(room)
}

/// What is left beside others; half of it where they would leave less.
fn room(files: usize, others: usize) -> usize {
    files.saturating_sub(others).max(files / 2).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_to_others() {
        for (files, others, left) in [
            (20_000, 400, 19_600),
            (1024, 396, 628),
            (1024, 1000, 512),
            (256, 396, 128),
            (1, 396, 1),
            (usize::MAX, usize::MAX, usize::MAX / 2),
        ] {
            assert_eq!(room(files, others), left, "{files} {others}");
        }
    }
}
