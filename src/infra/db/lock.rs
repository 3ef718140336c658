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

/// How long a transaction waits for what somebody else has locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Half a second: whoever comes after it waits for it, too.
    Short,
    /// Five seconds.
    Long,
}

/// From now on the transaction waits so long, and then fails with [`Trouble::Conflict`](super::trouble::Trouble).
pub async fn wait_at_most(txn: &DatabaseTransaction, patience: Patience) -> Result<(), DbErr> {
    let sql = match patience {
        Patience::Short => "SET LOCAL lock_timeout = '500ms'",
        Patience::Long => "SET LOCAL lock_timeout = '5s'",
    };
    on_postgres(txn, sql).await
}

/// From now on it waits as everybody does, until its statement is stopped.
pub async fn wait_as_ever(txn: &DatabaseTransaction) -> Result<(), DbErr> {
    on_postgres(txn, "SET LOCAL lock_timeout TO DEFAULT").await
}

/// SQLite's transactions have nobody beside them.
async fn on_postgres(txn: &DatabaseTransaction, sql: &str) -> Result<(), DbErr> {
    if txn.get_database_backend() == DatabaseBackend::Postgres {
        txn.execute_unprepared(sql).await?;
    }
    Ok(())
}
