//! The account of changes, where the settings want one.

use std::sync::Arc;

use super::watching::Watching;
use super::{StartError, clock};
use crate::console::Account;
use crate::domain::account::{Accounts, StoreReading};
use crate::domain::ledger::Ledger;
use crate::domain::witness::Witness;
use crate::settings::{AuditTo, Settings};
use crate::telemetry::{AuditWitness, Book, FileReading, Place};

/// Opened at its end, and counted from now on; nothing where none is kept.
pub(super) fn open(
    settings: &Settings,
    ledger: Option<&Arc<dyn Ledger>>,
    watching: &Watching,
) -> Result<Option<Arc<Book>>, StartError> {
    let book = opened(settings, ledger, Place::Output)?;
    if let Some(book) = &book {
        watching.audit(book);
    }
    Ok(book)
}

/// The account of an operator's command, which has its answer on standard output: what would go there goes to standard
/// error, where its log is.
pub fn of_command(
    settings: &Settings,
    ledger: &Arc<dyn Ledger>,
) -> Result<Option<Arc<Book>>, StartError> {
    opened(settings, Some(ledger), Place::Errors)
}

/// The witness of a broker, who keeps account besides where one is kept.
pub(super) fn kept(witness: Arc<dyn Witness>, book: Option<&Arc<Book>>) -> Arc<dyn Witness> {
    match book {
        None => witness,
        Some(book) => Arc::new(AuditWitness::new(witness, Arc::clone(book), clock)),
    }
}

/// Where operators read it.
pub(super) fn reading(settings: &Settings, ledger: Option<&Arc<dyn Ledger>>) -> Account {
    match (&settings.audit.to, ledger) {
        (AuditTo::Stdout, _) => Account::Output,
        (AuditTo::File(path), _) => Account::Kept {
            reading: Arc::new(FileReading::new(path.clone())),
            place: format!("the file {}", path.display()),
            local: true,
        },
        (AuditTo::Store, Some(ledger)) => Account::Kept {
            reading: Arc::new(StoreReading(accounts(ledger))),
            place: "the store".to_owned(),
            local: false,
        },
        (AuditTo::Nothing, _) | (AuditTo::Store, None) => Account::Nowhere,
    }
}

fn opened(
    settings: &Settings,
    ledger: Option<&Arc<dyn Ledger>>,
    stream: Place,
) -> Result<Option<Arc<Book>>, StartError> {
    let to = &settings.audit.to;
    let place = match (to, ledger) {
        (AuditTo::Stdout, _) => stream,
        (AuditTo::File(path), _) => Place::File(path.clone()),
        (AuditTo::Store, Some(ledger)) => Place::Store(accounts(ledger), settings.audit.keep),
        // A store that keeps nothing is refused with the settings.
        (AuditTo::Nothing, _) | (AuditTo::Store, None) => return Ok(None),
    };
    let book = Book::open(place, clock);
    let book = book.map_err(|error| StartError::Audit(name(to), error))?;
    Ok(Some(Arc::new(book)))
}

fn accounts(ledger: &Arc<dyn Ledger>) -> Arc<dyn Accounts> {
    Arc::clone(ledger) as Arc<dyn Accounts>
}

fn name(to: &AuditTo) -> String {
    match to {
        AuditTo::File(path) => path.display().to_string(),
        AuditTo::Store => "the store".to_owned(),
        AuditTo::Nothing | AuditTo::Stdout => "standard output".to_owned(),
    }
}
