//! What is seen of the database from here: how long each statement took, and how busy the pools are.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::Histogram;
use sea_orm::{DatabaseBackend, DatabaseConnection};

use super::Db;
use crate::infra::metric::{SQL_BEGIN, SQL_STATEMENTS, is_on};
use crate::infra::telemetry::trace;

/// A pool of connections, as metrics call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pool {
    /// SQLite's readers.
    Read,
    /// SQLite's one writer.
    Write,
    /// PostgreSQL: whoever writes.
    Primary,
    Replica,
}

impl Pool {
    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Primary => "primary",
            Self::Replica => "replica",
        }
    }

    fn system(self) -> &'static str {
        match self {
            Self::Read | Self::Write => "sqlite",
            Self::Primary | Self::Replica => "postgresql",
        }
    }
}

/// Times the statements of one pool.
pub(super) struct Statements {
    pool: Pool,
    /// Looked up once: there are more statements than anything else.
    succeeded: OnceLock<Histogram>,
    failed: OnceLock<Histogram>,
}

impl Statements {
    pub(super) fn of(pool: Pool) -> Self {
        Self {
            pool,
            succeeded: OnceLock::new(),
            failed: OnceLock::new(),
        }
    }

    pub(super) fn seen(&self, sql: &str, elapsed: Duration, has_failed: bool) {
        if is_on() {
            let (histogram, outcome) = if has_failed {
                (&self.failed, "failed")
            } else {
                (&self.succeeded, "ok")
            };
            histogram
                .get_or_init(|| SQL_STATEMENTS.histogram([self.pool.name(), outcome]))
                .record(elapsed);
        }
        trace::statement(self.pool.system(), sql, elapsed, has_failed);
    }
}

/// How long a transaction has waited until it could begin.
pub(super) fn began(waited: Duration, has_begun: bool) {
    SQL_BEGIN
        .histogram([if has_begun { "ok" } else { "failed" }])
        .record(waited);
}

/// How busy a pool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolState {
    pub name: &'static str,
    pub most: u32,
    pub open: u32,
    pub idle: u32,
}

impl PoolState {
    fn of(pool: Pool, connection: &DatabaseConnection) -> Self {
        let (most, open, idle) = if pool.system() == "sqlite" {
            let pool = connection.get_sqlite_connection_pool();
            (pool.options().get_max_connections(), pool.size(), pool.num_idle())
        } else {
            let pool = connection.get_postgres_connection_pool();
            (pool.options().get_max_connections(), pool.size(), pool.num_idle())
        };
        Self {
            name: pool.name(),
            most,
            open,
            idle: u32::try_from(idle).unwrap_or(u32::MAX),
        }
    }
}

impl Db {
    /// How busy each pool is.
    pub fn pools(&self) -> Vec<PoolState> {
        match self.backend() {
            DatabaseBackend::Sqlite => vec![
                PoolState::of(Pool::Read, &self.reader.primary),
                PoolState::of(Pool::Write, &self.writer),
            ],
            _ => {
                let replica = self.lagging.replica.as_ref();
                let replica = replica.map(|replica| PoolState::of(Pool::Replica, replica.connection()));
                let primary = PoolState::of(Pool::Primary, &self.writer);
                std::iter::once(primary).chain(replica).collect()
            }
        }
    }
}
