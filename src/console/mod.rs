//! The page for operators, at `/console`: what is offered and how it fares, what lives, what was asked and how far it is,
//! and what an operator does about it when it will not end by itself.
//!
//! [`routes`] is the table of contents. A request that needs a login meets the [`door`]; a page is read from the desk
//! ([`Desk`]) and the catalog of the moment, and written as HTML on the server: there is no script, nothing is asked of any
//! other origin, and all text is escaped where it is written (`maud` does that when the broker is compiled). What a store
//! keeps under lock is never shown, but for names of a context ([`crate::domain::names`]).
//!
//! Deliberately absent: anything that asks a backend to act, and parameters, credentials and contexts.

mod acts;
mod answer;
mod audit;
mod bindings;
mod census;
mod document;
mod door;
mod fullest;
mod input;
mod instances;
mod limits;
mod offering;
mod operations;
mod page;
mod parts;
mod reports;
mod routes;
mod session;
mod style;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::access::{LiveLogins, Roles, Throttle};
use crate::domain::desk::Desk;
use crate::domain::live::Live;
use crate::domain::recent::Recent;
use crate::domain::time::Clock;

use census::Census;
use fullest::Fullest;
use session::Sessions;

pub use audit::Account;
pub use reports::{Reload, Reports, Said, Weight};
pub use routes::routes;

/// What the pages need; one for all workers.
pub struct Console {
    live: Arc<Live>,
    /// Nothing where nothing is remembered (store `none`).
    desk: Option<Desk>,
    census: Census,
    /// Where limits are nearest.
    fullest: Census<Vec<Fullest>>,
    recent: Arc<Recent>,
    reports: Arc<Reports>,
    account: Account,
    logins: Arc<LiveLogins>,
    throttle: Arc<Throttle>,
    sessions: Sessions,
    clock: Clock,
    /// Where the pages begin: `/console`, below the base of the API.
    base: String,
    /// Whether cookies are for HTTPS only, whatever a request says.
    secure: bool,
}

/// What the pages are made of.
pub struct Parts {
    /// The catalog of the moment.
    pub live: Arc<Live>,
    /// The operator's door; nothing where nothing is remembered.
    pub desk: Option<Desk>,
    /// The latest lines of operations.
    pub recent: Arc<Recent>,
    /// What there is to say of the document.
    pub reports: Arc<Reports>,
    /// The account of changes.
    pub account: Account,
    /// Who may.
    pub logins: Arc<LiveLogins>,
    /// Wrong logins, those of the API with them.
    pub throttle: Arc<Throttle>,
    /// The same by name, with what a session of theirs holds on to.
    pub members: BTreeMap<String, Member>,
    /// What sessions are signed with: the same in all brokers that share them.
    pub key: [u8; 32],
    /// The time.
    pub clock: Clock,
    /// What stands before `/console`.
    pub base_path: String,
    /// Whether cookies are for HTTPS only, whatever a request says.
    pub secure: bool,
}

/// A login as its sessions know it.
#[derive(Clone, Debug)]
pub struct Member {
    /// What it may do now: a session does not remember that.
    pub roles: Roles,
    /// Made of what the login shows to get in: where that changes, its sessions end.
    pub mark: [u8; 32],
}

impl Console {
    /// The pages, made of these.
    pub fn new(parts: Parts) -> Self {
        Self {
            live: parts.live,
            desk: parts.desk,
            census: Census::default(),
            fullest: Census::default(),
            recent: parts.recent,
            reports: parts.reports,
            account: parts.account,
            logins: parts.logins,
            throttle: parts.throttle,
            sessions: Sessions::new(&parts.key, parts.members),
            clock: parts.clock,
            base: format!("{}/console", parts.base_path),
            secure: parts.secure,
        }
    }

    /// The logins by name are others from now on; those that they stand for have to count by then. A session of one that has
    /// changed is over.
    pub fn admit(&self, members: BTreeMap<String, Member>) {
        self.sessions.admit(members);
    }

    /// The address of a page; `page` is empty, or begins with a slash.
    fn at(&self, page: &str) -> String {
        format!("{}{page}", self.base)
    }
}
