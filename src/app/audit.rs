//! The account of changes, where the settings want one.

use std::sync::Arc;

use super::watching::Watching;
use super::{StartError, clock};
use crate::domain::witness::Witness;
use crate::settings::{AuditTo, Settings};
use crate::telemetry::{AuditWitness, Book, Place};

/// Opened at its end, and counted from now on; nothing where none is kept.
pub(super) fn open(
    settings: &Settings,
    watching: &Watching,
) -> Result<Option<Arc<Book>>, StartError> {
    let Some(place) = place(&settings.audit, Place::Output) else {
        return Ok(None);
    };
    let book = Book::open(place, clock);
    let book = book.map_err(|error| StartError::Audit(name(&settings.audit), error))?;
    let book = Arc::new(book);
    watching.audit(&book);
    Ok(Some(book))
}

/// The account of an operator's command, which has its answer on standard output: what would go there goes to standard
/// error, where its log is.
pub fn of_command(settings: &Settings) -> Result<Option<Arc<Book>>, StartError> {
    let Some(place) = place(&settings.audit, Place::Errors) else {
        return Ok(None);
    };
    let book = Book::open(place, clock);
    let book = book.map_err(|error| StartError::Audit(name(&settings.audit), error))?;
    Ok(Some(Arc::new(book)))
}

/// The witness of a broker, who keeps account besides where one is kept.
pub(super) fn kept(witness: Arc<dyn Witness>, book: Option<&Arc<Book>>) -> Arc<dyn Witness> {
    match book {
        None => witness,
        Some(book) => Arc::new(AuditWitness::new(witness, Arc::clone(book), clock)),
    }
}

fn place(to: &AuditTo, stream: Place) -> Option<Place> {
    match to {
        AuditTo::Nothing => None,
        AuditTo::Stdout => Some(stream),
        AuditTo::File(path) => Some(Place::File(path.clone())),
    }
}

fn name(to: &AuditTo) -> String {
    match to {
        AuditTo::File(path) => path.display().to_string(),
        AuditTo::Nothing | AuditTo::Stdout => "standard output".to_owned(),
    }
}
