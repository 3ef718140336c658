//! Connections to PostgreSQL that are kept at hand between two reads.
//!
//! The pool asks each connection whether it lives: before it is given out, and twice when it comes back, once within bounds by us
//! and once by the pool itself. Beside a read of one row that is three round trips for one. So whoever has read to the end leaves
//! his connection here, and the next one takes it, unasked as long as it was heard of just now. One that was cut off in
//! the middle, or failed, goes back to the pool and is asked.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::{AssertSqlSafe, PgPool, Postgres, query_with};
use sea_orm::{ConnAcquireErr, DbErr, QueryResult, RuntimeErr, Statement, Values, sqlx};
use sea_query_sqlx::SqlxValues;

/// Whoever was heard of so recently is alive.
pub(super) const RECENT: Duration = Duration::from_secs(1);

/// The longest that a connection is kept from the pool, which closes those that are old.
const LONGEST: Duration = Duration::from_secs(300);

/// Told of each statement, how long it took, and whether it failed.
pub(super) type Told = dyn Fn(&Statement, Duration, bool) + Send + Sync;

/// The connections of one pool that were read by.
pub(super) struct Warm {
    pool: PgPool,
    /// None once the pool is about to be closed.
    kept: Mutex<Option<Vec<Kept>>>,
    most: usize,
    told: Arc<Told>,
}

struct Kept {
    connection: PoolConnection<Postgres>,
    taken: Instant,
    heard: Instant,
}

impl fmt::Debug for Warm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Warm")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

impl Warm {
    /// Keeps half of the pool at most: the others are for those who write.
    pub(super) fn new(pool: &PgPool, told: Arc<Told>) -> Self {
        let most = pool.options().get_max_connections() / 2;
        Self {
            pool: pool.clone(),
            kept: Mutex::new(Some(Vec::new())),
            most: usize::try_from(most).unwrap_or_default(),
            told,
        }
    }

    pub(super) async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut kept = self.take().await?;
        let started = Instant::now();
        let query = query_with(AssertSqlSafe(statement.sql.as_str()), values(&statement));
        let outcome = query.fetch_all(&mut *kept.connection).await;
        (self.told)(&statement, started.elapsed(), outcome.is_err());
        let rows = outcome.map_err(failed)?;
        self.keep(kept);
        Ok(rows.into_iter().map(<QueryResult as From<PgRow>>::from).collect())
    }

    pub(super) async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    /// Gives all of them back to the pool, which is about to be closed, and keeps no more.
    pub(super) fn close(&self) {
        let kept = self.lock().take();
        drop(kept);
    }

    /// Gives them back where somebody would have to wait for one.
    pub(super) fn make_room(&self) {
        if !self.is_spare() {
            let kept = self.lock().as_mut().map(std::mem::take);
            drop(kept);
        }
    }

    /// Nobody waits for a connection while the pool has one, or may open one.
    fn is_spare(&self) -> bool {
        self.pool.num_idle() > 0 || self.pool.size() < self.pool.options().get_max_connections()
    }

    async fn take(&self) -> Result<Kept, DbErr> {
        let now = Instant::now();
        let mut stale = Vec::new();
        let mut recent = None;
        if let Some(kept) = self.lock().as_mut() {
            // The last one was heard of last.
            match kept.pop() {
                Some(last) if now.duration_since(last.heard) < RECENT => recent = Some(last),
                last => {
                    stale.append(kept);
                    stale.extend(last);
                }
            }
        }
        drop(stale);
        if let Some(recent) = recent {
            return Ok(recent);
        }
        let connection = self.pool.acquire().await.map_err(not_had)?;
        Ok(Kept {
            connection,
            taken: now,
            heard: now,
        })
    }

    fn keep(&self, mut used: Kept) {
        used.heard = Instant::now();
        if !self.is_spare() || used.heard.duration_since(used.taken) > LONGEST {
            return;
        }
        if let Some(kept) = self.lock().as_mut()
            && kept.len() < self.most
        {
            kept.push(used);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Vec<Kept>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn values(statement: &Statement) -> SqlxValues {
    SqlxValues(statement.values.clone().unwrap_or_else(|| Values(Vec::new())))
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

fn not_had(error: sqlx::Error) -> DbErr {
    match error {
        sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        error => DbErr::Conn(RuntimeErr::SqlxError(error.into())),
    }
}
