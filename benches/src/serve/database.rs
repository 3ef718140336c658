//! Souk's database without Souk: both kinds, connected to as Souk does.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

#[derive(Clone)]
pub(super) enum Database {
    Postgres(PgPool),
    /// Reads wait for nobody, writes for each other.
    Sqlite {
        read: SqlitePool,
        write: SqlitePool,
    },
}

impl Database {
    /// Connections are not asked whether they live before each use, which is sqlx's default and a round trip: these
    /// servers are to be as fast as they can be.
    pub(super) async fn connect(url: &str, connections: u32) -> anyhow::Result<Self> {
        if !url.starts_with("sqlite:") {
            let pool = PgPoolOptions::new()
                .max_connections(connections)
                .test_before_acquire(false)
                .connect(url)
                .await?;
            return Ok(Self::Postgres(pool));
        }
        let options = SqliteConnectOptions::from_str(url)?
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10))
            .foreign_keys(true)
            .pragma("cache_size", "-16000");
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .test_before_acquire(false)
        };
        Ok(Self::Sqlite {
            write: pool(1).connect_with(options.clone()).await?,
            read: pool(connections).connect_with(options).await?,
        })
    }
}

/// Rows of one statement, the same on both databases. The statement is prepared once for each connection.
macro_rules! rows {
    ($database:expr, $row:ty, $sql:expr $(, $value:expr)* $(,)?) => {
        match $database {
            $crate::serve::database::Database::Postgres(pool) => {
                sqlx::query_as::<_, $row>($sql) $(.bind($value))* .fetch_all(pool).await
            }
            $crate::serve::database::Database::Sqlite { read, .. } => {
                sqlx::query_as::<_, $row>($sql) $(.bind($value))* .fetch_all(read).await
            }
        }
    };
}
pub(super) use rows;
