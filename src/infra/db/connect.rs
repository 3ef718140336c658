//! Connecting to either database.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnection, PgPoolOptions};
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{Connection as _, Executor as _, Row as _};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr, sqlx};
use secrecy::{ExposeSecret as _, SecretString};

use super::replica::{Reader, Replica};
use super::warm::{RECENT, Told, Warm};
use super::watch::{Pool, Statements};
use super::{Db, report_outage, stopwatch};
use crate::kernel::config::DatabaseConfig;

/// How long a writer waits for another one, of this process or of a command beside it.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a request waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// The shortest, however short the deadline: connecting takes a while on a machine that is busy.
const LEAST_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long it waits for one of the replica's, when the primary can answer as well.
const REPLICA_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a connection may take to say that it is alive.
const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// The shortest that a transaction may stand still. Its locks keep others waiting, when its process stopped in the middle.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(30);

/// How PostgreSQL notices that a process of ours is gone without a word, and lets go of its locks.
const SERVER_SIDE: [(&str, &str); 4] = [
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "60000"),
];

/// A prepared statement keeps its plan, also that of a foreign key's check, while a young table grows under it: until the next
/// ANALYZE, a minute or more, each order was looked for among all others. All that is asked of a large table has its index,
/// so it is taken from the start. What has none is scanned all the same, at a cost that would set off the just-in-time compiler.
const PLANS: [(&str, &str); 2] = [("enable_seqscan", "off"), ("jit", "off")];

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
    let reader = Reader {
        replica: None,
        primary: open("DATABASE_URL", Pool::Read, options, &statements).await?,
        warm: None,
    };
    Ok(Db {
        lagging: reader.clone(),
        reader,
        writer,
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
            .pragma("cache_size", "-16000")
            // In pages: 16 MB are written into the file at once, so a page that many orders change is written once for them.
            .pragma("wal_autocheckpoint", "4000");
        if query_only {
            sqlite.pragma("query_only", "on")
        } else {
            sqlite
        }
    });
    options
}

async fn postgres(config: &DatabaseConfig, statements: Arc<AtomicU64>) -> Result<Db, DbError> {
    let mut options = postgres_options(&config.url, config);
    let released = release_within(config);
    options.map_sqlx_postgres_pool_opts(move |pool| {
        released(pool).after_connect(|connection, _| Box::pin(insist_on_primary(connection)))
    });
    let primary = open("DATABASE_URL", Pool::Primary, options, &statements).await?;
    let replica = match &config.replica_url {
        Some(url) => {
            let mut options = postgres_options(url, config);
            // A dead one must not keep anybody from starting, nor a request waiting that the primary can answer.
            options
                .connect_lazy(true)
                .acquire_timeout(REPLICA_ACQUIRE_TIMEOUT)
                .map_sqlx_postgres_pool_opts(release_within(config));
            let connection = open("DATABASE_REPLICA_URL", Pool::Replica, options, &statements).await?;
            Some(Arc::new(Replica::new(connection, config.replica_max_lag)))
        }
        None => None,
    };
    let pool = primary.get_postgres_connection_pool();
    let warm = Warm::new(pool, told(Pool::Primary, &statements));
    let reader = Reader {
        replica: None,
        primary,
        warm: Some(Arc::new(warm)),
    };
    Ok(Db {
        lagging: Reader {
            replica,
            ..reader.clone()
        },
        writer: reader.primary.clone(),
        reader,
        statements,
    })
}

fn postgres_options(url: &SecretString, config: &DatabaseConfig) -> ConnectOptions {
    let mut options = common(url, config.connections);
    options.set_application_name("souk");
    if let Some(timeout) = config.statement_timeout {
        // A statement whose request is over would go on in the database, and keep its connection.
        options.statement_timeout(timeout);
        // Less than the deadline: a request that finds no connection says so, and may be sent again.
        options.acquire_timeout(ACQUIRE_TIMEOUT.min(LEAST_ACQUIRE_TIMEOUT.max(timeout / 2)));
    }
    let idle = config
        .statement_timeout
        .map(|timeout| IDLE_IN_TRANSACTION.max(timeout * 3));
    options
        .map_sqlx_postgres_opts(move |postgres| {
            let postgres = postgres.options(SERVER_SIDE).options(PLANS);
            match idle {
                Some(idle) => postgres.options([(
                    "idle_in_transaction_session_timeout",
                    idle.as_millis().to_string(),
                )]),
                None => postgres,
            }
        })
        // Asked by ourselves, within bounds: a host that is gone without a word answers nothing, not even no.
        .test_before_acquire(false)
        .map_sqlx_postgres_before_acquire(|connection, of| {
            Box::pin(async move {
                // It was asked when it was given back, just now.
                if of.idle_for < RECENT {
                    return Ok(true);
                }
                let answer = tokio::time::timeout(PING_TIMEOUT, connection.ping()).await;
                Ok(matches!(answer, Ok(Ok(()))))
            })
        });
    options
}

/// Whoever is done with a connection, or was cut off with a statement on its way, gives it back, and the pool then asks whether it
/// is alive: for ever, where the host is gone without a word, and its place in the pool would be gone as well. The server
/// stops a statement at its deadline; who has not said anything soon after is let go.
fn release_within(
    config: &DatabaseConfig,
) -> impl Fn(PgPoolOptions) -> PgPoolOptions + Send + Sync + 'static {
    let most = config.statement_timeout.map(|timeout| timeout + PING_TIMEOUT);
    move |pool| match most {
        Some(most) => pool.after_release(move |connection, _| {
            Box::pin(async move {
                match tokio::time::timeout(most, connection.ping()).await {
                    Ok(answer) => answer.map(|()| true),
                    Err(_) => Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())),
                }
            })
        }),
        None => pool,
    }
}

/// After a failover an address may lead to a standby for a while, which would answer reads with what was, and no write.
async fn insist_on_primary(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let sql = "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean";
    let row = connection.fetch_one(sql).await?;
    if row.try_get(0)? {
        let reason = "the database is a standby, or read-only";
        report_outage(reason);
        return Err(sqlx::Error::Protocol(reason.to_owned()));
    }
    Ok(())
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
    let told = told(pool, statements);
    connection.set_metric_callback(move |info| told(info.statement, info.elapsed, info.failed));
    Ok(connection)
}

/// Counts statements, and shows them to whoever looks.
fn told(pool: Pool, statements: &Arc<AtomicU64>) -> Arc<Told> {
    let (statements, seen) = (Arc::clone(statements), Statements::of(pool));
    Arc::new(move |statement, elapsed, failed| {
        statements.fetch_add(1, Ordering::Relaxed);
        seen.seen(&statement.sql, elapsed, failed);
        tracing::trace!(sql = %statement.sql, micros = elapsed.as_micros(), failed, "statement");
    })
}

/// The sentence of the first cause: those above it only repeat it.
fn innermost(error: &DbErr) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string().replace('\n', " ")
}
