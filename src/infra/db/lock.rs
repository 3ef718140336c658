//! Work that only one instance may do at a time, by a name that all instances know it by.

use sea_orm::{ConnectionTrait as _, DatabaseBackend, DatabaseTransaction, DbErr, Statement};

/// Waits until no other transaction is in the work of this name, and keeps others out until this one
/// ends. What the others committed is visible from the next statement on.
///
/// On SQLite there is nothing to do: a transaction of [`super::Db::begin`] is the only one that writes.
pub async fn exclusive(txn: &DatabaseTransaction, name: &str) -> Result<(), DbErr> {
    match txn.get_database_backend() {
        DatabaseBackend::Postgres => {
            // Locks are numbers, and every program on the database shares them: the prefix keeps ours apart.
            let sql = "SELECT pg_advisory_xact_lock(hashtextextended('souk:' || $1, 0))";
            let statement = Statement::from_sql_and_values(DatabaseBackend::Postgres, sql, [name.into()]);
            txn.execute_raw(statement).await.map(|_| ())
        }
        _ => Ok(()),
    }
}

/// What is done together waits but shortly for what somebody else has locked: whoever is in his way is found by carrying each
/// out alone, and waits alone.
pub async fn wait_briefly(txn: &DatabaseTransaction) -> Result<(), DbErr> {
    if txn.get_database_backend() == DatabaseBackend::Postgres {
        txn.execute_unprepared("SET LOCAL lock_timeout = '500ms'").await?;
    }
    Ok(())
}
