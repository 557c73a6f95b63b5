//! What is kept of the catalog that was served last: a cell of `meta`, as it is.

use rusqlite::OptionalExtension as _;

use super::database::Database;
use super::rows::RowError;

const NAME: &str = "served";

/// The scheme of a cell that is as it is.
const PLAIN: u8 = 0;

pub(super) fn read(connection: &Database) -> Result<Option<Vec<u8>>, RowError> {
    let cell: Option<Vec<u8>> = connection
        .prepare_cached("SELECT value FROM meta WHERE name = ?1")?
        .query_row([NAME], |row| row.get(0))
        .optional()?;
    Ok(cell.and_then(|cell| Some(cell.strip_prefix(&[PLAIN])?.to_vec())))
}

pub(super) fn keep(connection: &Database, served: &[u8]) -> Result<(), RowError> {
    let cell = [&[PLAIN], served].concat();
    connection
        .prepare_cached(
            "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )?
        .execute((NAME, cell))?;
    Ok(())
}
