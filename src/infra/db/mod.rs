//! The database: the handles to read and write by, and the one way to open a transaction.

mod connect;
pub mod keyset;
mod listen;
pub mod lock;
pub mod many;
mod replica;
pub mod schema;
mod stopwatch;
mod trouble;
mod warm;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sea_orm::{
    ConnectionTrait as _, DatabaseBackend, DatabaseConnection, DatabaseTransaction, DbErr, QueryResult,
    SqlErr, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait as _,
};

use crate::kernel::config::DatabaseConfig;
use crate::kernel::error::Error;

pub use connect::DbError;
pub use listen::Listener;
pub use replica::{Reader, Standing};
pub use trouble::{Trouble, report_outage, was_stopped};
pub use watch::PoolState;

/// Handles to one database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    /// Of the replica where there is one.
    lagging: Reader,
    /// The same without it.
    reader: Reader,
    writer: DatabaseConnection,
    statements: Arc<AtomicU64>,
}

impl Db {
    /// Connects, and makes the SQLite file where there is none.
    ///
    /// # Errors
    /// What is wrong with the address or the server, without the password that the address may hold.
    pub async fn connect(config: &DatabaseConfig) -> Result<Self, DbError> {
        connect::connect(config).await
    }

    /// The same database, for requests that are over after `deadline`: a statement that takes longer is stopped, but for
    /// those of SQLite's one writer, whom nobody else could keep waiting.
    pub async fn serving(self, config: &DatabaseConfig, deadline: Duration) -> Result<Self, DbError> {
        let statement_timeout = Some(deadline);
        Self::connect(&DatabaseConfig {
            statement_timeout,
            ..config.clone()
        })
        .await
    }

    /// For reads, which may lag or may not: a replica where one is configured and well, or the primary.
    pub fn reader(&self, may_lag: bool) -> &Reader {
        if may_lag { &self.lagging } else { &self.reader }
    }

    /// For reads that must see every commit so far, such as one's own write.
    pub fn fresh(&self) -> &Reader {
        &self.reader
    }

    /// Watches the replica, until it is dropped. Nothing is read from a replica that nobody watches.
    pub async fn watch_replica(&self) {
        match &self.lagging.replica {
            Some(replica) => replica.watch(&self.reader.primary).await,
            None => std::future::pending().await,
        }
    }

    /// Looks once how the replica stands. One that is read from after it has all that was committed before the call.
    pub async fn look_at_replica(&self) -> Standing {
        if let Some(replica) = &self.lagging.replica {
            replica.look(&self.reader.primary).await;
        }
        self.replica()
    }

    /// How the replica stood when it was last looked at.
    pub fn replica(&self) -> Standing {
        let replica = self.lagging.replica.as_ref();
        replica.map_or(Standing::Off, |replica| replica.standing())
    }

    /// Opens the only kind of transaction that may write; dropping it rolls back.
    ///
    /// On SQLite it takes the write lock at once: a transaction that reads first and locks later is
    /// refused by SQLite when another one wrote in between, and no time-out helps then.
    #[expect(clippy::disallowed_methods, reason = "the one place that opens transactions")]
    pub async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        if let Some(warm) = &self.reader.warm {
            warm.make_room();
        }
        let asked = Instant::now();
        let begun = self.writer.begin_with_options(options).await;
        watch::began(asked.elapsed(), begun.is_ok());
        begun
    }

    /// Calls a function of PostgreSQL's that is a transaction of its own: what it did is committed when this returns, and may be
    /// when it fails.
    pub async fn call(&self, function: Statement) -> Result<QueryResult, DbErr> {
        let row = self.reader.query_one_raw(function).await?;
        row.ok_or_else(|| DbErr::RecordNotFound("what a function gives".to_owned()))
    }

    /// Lets SQLite look at what is in the tables, without which its planner takes every index for equally good.
    /// PostgreSQL does so by itself.
    pub async fn analyse(&self) -> Result<(), DbErr> {
        if self.backend() == DatabaseBackend::Sqlite {
            self.writer
                .execute_unprepared("PRAGMA analysis_limit = 1000; ANALYZE")
                .await?;
        }
        Ok(())
    }

    pub fn backend(&self) -> DatabaseBackend {
        self.writer.get_database_backend()
    }

    /// How many SQL statements this process has sent, transactions' own BEGIN and COMMIT aside.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Closes all connections; what is in flight finishes first.
    pub async fn close(self) -> Result<(), DbErr> {
        if let Some(replica) = &self.lagging.replica {
            replica.close().await?;
        }
        if let Some(warm) = &self.reader.warm {
            warm.close();
        }
        self.reader.primary.close().await?;
        self.writer.close().await
    }
}

/// The most values that one statement may bind, safely below SQLite's 32,766 and PostgreSQL's 65,535.
pub const MAX_BINDS: usize = 30_000;

/// Whether a statement failed because another row has the same value in this unique column. Asked of the
/// database instead of looking before: between the look and the write somebody else may come.
pub fn violates_unique(error: &Error, table: &str, column: &str) -> bool {
    let Error::Internal(error) = error else {
        return false;
    };
    let Some(SqlErr::UniqueConstraintViolation(message)) =
        error.downcast_ref::<DbErr>().and_then(DbErr::sql_err)
    else {
        return false;
    };
    // PostgreSQL names the constraint, SQLite the column.
    message.contains(&format!("uq_{table}_{column}")) || message.contains(&format!("{table}.{column}"))
}
