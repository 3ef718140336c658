//! Connecting to either database.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr};
use secrecy::{ExposeSecret as _, SecretString};

use super::watch::{Pool, Statements};
use super::{Db, stopwatch};
use crate::kernel::config::DatabaseConfig;

/// How long a writer waits for another one, of this process or of a command beside it.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a request waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum DbError {
    #[error("DATABASE_URL: {0}")]
    Address(String),
    /// `reason` is without the address, which may hold a password.
    #[error("{setting}: cannot connect to the database: {reason}")]
    Connect { setting: &'static str, reason: String },
}

pub(super) async fn connect(config: &DatabaseConfig) -> Result<Db, DbError> {
    let statements = Arc::new(AtomicU64::new(0));
    if config.url.expose_secret().starts_with("sqlite:") {
        sqlite(config, statements).await
    } else {
        postgres(config, statements).await
    }
}

async fn sqlite(config: &DatabaseConfig, statements: Arc<AtomicU64>) -> Result<Db, DbError> {
    check_sqlite_file(config.url.expose_secret())?;
    // One writer: SQLite has a single write lock, and waiting for a connection is fairer than
    // waiting for the lock. The writer comes first, because it makes the file.
    let options = sqlite_options(&config.url, 1, false);
    let writer = open("DATABASE_URL", Pool::Write, options, &statements).await?;
    let mut options = sqlite_options(&config.url, config.connections, true);
    if let Some(timeout) = config.statement_timeout {
        stopwatch::stop_after(&mut options, timeout);
    }
    let reader = open("DATABASE_URL", Pool::Read, options, &statements).await?;
    Ok(Db {
        fresh: reader.clone(),
        reader,
        writer,
        has_replica: false,
        statements,
    })
}

fn check_sqlite_file(url: &str) -> Result<(), DbError> {
    let file = url.trim_start_matches("sqlite://").trim_start_matches("sqlite:");
    let file = file.split_once('?').map_or(file, |(file, _)| file);
    if file.is_empty() || file.contains(":memory:") {
        return Err(DbError::Address(
            "a SQLite database needs a file, such as sqlite://souk.db".to_owned(),
        ));
    }
    match Path::new(file).parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            Err(DbError::Address(format!("the folder of {file} does not exist")))
        }
        _ => Ok(()),
    }
}

fn sqlite_options(url: &SecretString, connections: u32, query_only: bool) -> ConnectOptions {
    let mut options = common(url, connections);
    options.map_sqlx_sqlite_opts(move |sqlite| {
        let sqlite = sqlite
            .create_if_missing(!query_only)
            .journal_mode(SqliteJournalMode::Wal)
            // A commit that was answered survives the power cut: this is a ledger, not a cache.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .pragma("cache_size", "-16000");
        if query_only {
            sqlite.pragma("query_only", "on")
        } else {
            sqlite
        }
    });
    options
}

async fn postgres(config: &DatabaseConfig, statements: Arc<AtomicU64>) -> Result<Db, DbError> {
    let primary = open(
        "DATABASE_URL",
        Pool::Primary,
        timed(common(&config.url, config.connections), config),
        &statements,
    )
    .await?;
    let reader = match &config.replica_url {
        Some(url) => {
            open(
                "DATABASE_REPLICA_URL",
                Pool::Replica,
                timed(common(url, config.connections), config),
                &statements,
            )
            .await?
        }
        None => primary.clone(),
    };
    Ok(Db {
        reader,
        fresh: primary.clone(),
        writer: primary,
        has_replica: config.replica_url.is_some(),
        statements,
    })
}

/// A statement whose request is over would go on in the database, and keep its connection.
fn timed(mut options: ConnectOptions, config: &DatabaseConfig) -> ConnectOptions {
    if let Some(timeout) = config.statement_timeout {
        options.statement_timeout(timeout);
    }
    options
}

fn common(url: &SecretString, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url.expose_secret().to_owned());
    options
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .sqlx_logging(false);
    options
}

async fn open(
    setting: &'static str,
    pool: Pool,
    options: ConnectOptions,
    statements: &Arc<AtomicU64>,
) -> Result<DatabaseConnection, DbError> {
    let url = options.get_url().to_owned();
    let mut connection = Database::connect(options)
        .await
        .map_err(|error| DbError::Connect {
            setting,
            reason: innermost(&error).replace(&url, "the address"),
        })?;
    let (statements, seen) = (Arc::clone(statements), Statements::of(pool));
    connection.set_metric_callback(move |info| {
        statements.fetch_add(1, Ordering::Relaxed);
        seen.seen(&info.statement.sql, info.elapsed, info.failed);
        tracing::trace!(sql = %info.statement.sql, micros = info.elapsed.as_micros(), failed = info.failed, "statement");
    });
    Ok(connection)
}

/// The sentence of the first cause: those above it only repeat it.
fn innermost(error: &DbErr) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string().replace('\n', " ")
}
