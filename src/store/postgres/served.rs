//! What is kept of the catalog that was served last: a cell of `broker_meta`, as it is.

use super::error::StepError;
use super::transaction::Transaction;
use super::values::values;

const NAME: &str = "served";

/// The scheme of a cell that is as it is.
const PLAIN: u8 = 0;

pub(super) async fn read(database: &Transaction<'_>) -> Result<Option<Vec<u8>>, StepError> {
    let row = database
        .find(
            "SELECT value FROM broker_meta WHERE name = $1",
            values![NAME],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let cell: Vec<u8> = database.columns(&row).take()?;
    Ok(cell.strip_prefix(&[PLAIN]).map(<[u8]>::to_vec))
}

pub(super) async fn keep(database: &Transaction<'_>, served: &[u8]) -> Result<(), StepError> {
    let cell = [&[PLAIN], served].concat();
    database
        .execute(
            "INSERT INTO broker_meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            values![NAME, cell],
        )
        .await?;
    Ok(())
}
