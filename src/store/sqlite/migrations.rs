//! The schema's versions, in order. A version that was ever released is never changed: a new one is added.

use rusqlite::{Connection, TransactionBehavior};

use super::error::OpenError;

/// Marks a file as a broker's: "CBRK".
const APPLICATION: i32 = 0x4342_524b;

const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
    include_str!("migrations/0004.sql"),
    include_str!("migrations/0005.sql"),
];

/// Brings the schema up to date, all that is missing in one transaction.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = recognise(&transaction)?;
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
    }
    if found < known() {
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", known())?;
    }
    Ok(transaction.commit()?)
}

/// The version of the schema: that of a broker's file, or 0 of an empty one. Nothing is written to find out, for the
/// file may be somebody else's.
pub(super) fn recognise(connection: &Connection) -> Result<i64, OpenError> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get(0));
    let (application, found): (i64, i64) = (number("application_id")?, number("user_version")?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let fresh = application == 0 && found == 0 && tables == 0;
    if !fresh && application != i64::from(APPLICATION) {
        return Err(OpenError::Foreign("it is the database of another program"));
    }
    if found > known() {
        return Err(OpenError::Newer {
            found,
            known: known(),
        });
    }
    Ok(found)
}

/// Whether the schema is the one that this broker writes; nothing is changed.
pub(super) fn current(connection: &Connection) -> Result<(), OpenError> {
    let found = recognise(connection)?;
    if found < known() {
        return Err(OpenError::Older {
            found,
            known: known(),
        });
    }
    Ok(())
}

fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Connection {
        Connection::open_in_memory().expect("SQLite opens in memory")
    }

    #[test]
    fn a_fresh_file_is_brought_up_to_date_and_stays_so() {
        let mut connection = memory();
        migrate(&mut connection).expect("a fresh one");
        migrate(&mut connection).expect("again");
        let version: i64 = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .expect("a version");
        assert_eq!(usize::try_from(version), Ok(MIGRATIONS.len()));
    }

    #[test]
    fn a_newer_one_and_a_foreign_one_are_refused() {
        let mut newer = memory();
        migrate(&mut newer).expect("a fresh one");
        newer
            .pragma_update(None, "user_version", 99)
            .expect("a pragma");
        assert!(matches!(
            migrate(&mut newer),
            Err(OpenError::Newer { found: 99, .. })
        ));

        let mut foreign = memory();
        foreign
            .execute_batch("CREATE TABLE songs (title TEXT)")
            .expect("a table");
        assert!(matches!(migrate(&mut foreign), Err(OpenError::Foreign(_))));
    }
}
