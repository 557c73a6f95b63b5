//! A connection, and what seals and opens the cells behind it.

use std::ops::Deref;
use std::sync::Arc;

use rusqlite::{Connection, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::rows::RowError;
use crate::secret::Secret;
use crate::store::packed::{pack, unpack};
use crate::store::seal::{Cell, Sealer};

pub(super) struct Database {
    connection: Connection,
    pub(super) sealer: Arc<Sealer>,
}

impl Database {
    pub(super) const fn new(connection: Connection, sealer: Arc<Sealer>) -> Self {
        Self { connection, sealer }
    }

    pub(super) fn packed<T: Serialize>(
        &self,
        cell: Cell<'_>,
        value: &Secret<T>,
    ) -> Result<Vec<u8>, RowError> {
        Ok(pack(&self.sealer, cell, value)?)
    }

    pub(super) fn unpacked<T: DeserializeOwned>(
        &self,
        cell: Cell<'_>,
        row: &Row<'_>,
        column: &str,
    ) -> Result<Secret<T>, RowError> {
        let bytes = row
            .get_ref(column)?
            .as_blob()
            .map_err(|_| RowError::Unreadable("details"))?;
        Ok(unpack(&self.sealer, cell, bytes)?)
    }

    pub(super) fn close(self) -> Result<(), rusqlite::Error> {
        self.connection.close().map_err(|(_, error)| error)
    }
}

impl Deref for Database {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}
