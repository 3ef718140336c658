//! A replica for reads that may lag: watched, left out while it lags or does not answer, and never missed.
//!
//! Every second the primary is asked how far it has written, and the replica how far it has come. The replica lags by the age
//! of the newest of the primary's positions that it has reached. So one that is cut off is seen to lag too, where its own word
//! for it (`pg_last_xact_replay_timestamp`) would also call a replica late to which nothing was written.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DbErr, ExecResult, QueryResult, Statement,
};
use tokio::sync::watch;
use tokio::time::Instant;

use super::trouble::Trouble;
use super::warm::Warm;
use crate::infra::metric::REPLICA_LAG;

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// An answer that takes longer has failed: it is one row.
const PATIENCE: Duration = Duration::from_secs(1);

/// How a replica stands, for those who ask after our health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// None is configured.
    Off,
    Ok,
    LeftOut,
}

#[derive(Debug)]
pub(super) struct Replica {
    connection: DatabaseConnection,
    max_lag: Duration,
    /// Whether it is read from. Not before the first look.
    well: watch::Sender<bool>,
    positions: Mutex<Positions>,
    /// What was last told the log.
    told: Mutex<Option<Told>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Read,
    LeftOut,
}

impl Replica {
    pub(super) fn new(connection: DatabaseConnection, max_lag: Duration) -> Self {
        Self {
            connection,
            max_lag,
            well: watch::Sender::new(false),
            positions: Mutex::default(),
            told: Mutex::default(),
        }
    }

    /// To be seen, not to be read from: that is decided for each read.
    pub(super) fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    pub(super) fn standing(&self) -> Standing {
        if *self.well.borrow() {
            Standing::Ok
        } else {
            Standing::LeftOut
        }
    }

    /// Looks again and again, until it is dropped.
    pub(super) async fn watch(&self, primary: &DatabaseConnection) {
        loop {
            self.look(primary).await;
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Looks how it stands, and leaves it out or takes it back.
    pub(super) async fn look(&self, primary: &DatabaseConnection) {
        let lag = self.ask(primary).await;
        if let Ok(Some(lag)) = lag {
            REPLICA_LAG.gauge([]).set(lag);
        }
        let problem = match lag {
            Ok(Some(lag)) if lag <= self.max_lag => None,
            Ok(Some(lag)) => Some(format!("it is {lag:.1?} behind")),
            Ok(None) => Some("it is behind, nobody knows how far".to_owned()),
            Err(problem) => Some(problem),
        };
        self.well.send_replace(problem.is_none());
        self.tell(problem);
    }

    /// How far it lags; None while it has reached nothing that we have seen the primary write.
    async fn ask(&self, primary: &DatabaseConnection) -> Result<Option<Duration>, String> {
        let asked = Instant::now();
        // Where the primary is away nothing new is written either: the replica grows older with what we know.
        let written = position(primary, "SELECT pg_current_wal_lsn()::text AS position").await;
        let replayed = position(
            &self.connection,
            "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()::text END AS position",
        );
        let replayed = replayed.await?;
        let replayed = replayed.ok_or("it is no replica: it takes writes of its own")?;
        let mut positions = self.positions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(Some(written)) = written {
            positions.wrote(written, asked, self.max_lag);
        }
        Ok(positions.lag(replayed, asked))
    }

    /// Each way once.
    fn tell(&self, problem: Option<String>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let news = if problem.is_some() {
            Told::LeftOut
        } else {
            Told::Read
        };
        if told.replace(news) == Some(news) {
            return;
        }
        match problem {
            Some(reason) => {
                tracing::warn!(reason, "the replica is left out: the primary answers what it did")
            }
            None => tracing::info!("the replica is read from"),
        }
    }

    /// A read that failed because the replica went away is nobody's trouble: it is left out until the next look.
    fn leave_out(&self, error: &DbErr) {
        self.well.send_replace(false);
        self.tell(Some(error.to_string()));
    }

    async fn left_out(&self) {
        let mut well = self.well.subscribe();
        // Fails when nobody can change it any more, and then it stays as it is.
        if well.wait_for(|well| !well).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    pub(super) async fn close(&self) -> Result<(), DbErr> {
        self.connection.close_by_ref().await
    }
}

async fn position(connection: &DatabaseConnection, sql: &str) -> Result<Option<u64>, String> {
    let statement = Statement::from_string(DatabaseBackend::Postgres, sql);
    let answer = tokio::time::timeout(PATIENCE, connection.query_one_raw(statement)).await;
    let row = answer
        .map_err(|_| "it does not answer".to_owned())?
        .map_err(|error| error.to_string())?;
    let text: Option<Option<String>> = row
        .map(|row| row.try_get("", "position"))
        .transpose()
        .map_err(|error| error.to_string())?;
    Ok(text.flatten().as_deref().and_then(parse))
}

/// PostgreSQL writes a position as two halves in hexadecimal: `16/B374D848`.
fn parse(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    let half = |text| u64::from_str_radix(text, 16).ok();
    Some(half(high)? << 32 | half(low)?)
}

/// Where the primary was seen to be, and when; what the replica has not reached yet.
#[derive(Debug, Default)]
struct Positions {
    ahead: VecDeque<(u64, Instant)>,
    /// When the newest of those that the replica has reached was seen.
    reached: Option<Instant>,
}

impl Positions {
    fn wrote(&mut self, position: u64, at: Instant, max_lag: Duration) {
        self.ahead.push_back((position, at));
        // One that is older counts for nothing when it is reached.
        while let Some((_, seen)) = self.ahead.front()
            && at.duration_since(*seen) > max_lag
        {
            self.ahead.pop_front();
        }
    }

    fn lag(&mut self, replayed: u64, now: Instant) -> Option<Duration> {
        while let Some((position, seen)) = self.ahead.front()
            && *position <= replayed
        {
            self.reached = Some(*seen);
            self.ahead.pop_front();
        }
        Some(now.duration_since(self.reached?))
    }
}

/// Where reads go that may lag: to the replica while it is well, and else to the primary. Only reads: what cannot lag goes by
/// [`super::Db::fresh`].
#[derive(Clone, Debug)]
pub struct Reader {
    pub(super) replica: Option<Arc<Replica>>,
    pub(super) primary: DatabaseConnection,
    /// The primary's connections that were read by, where it is PostgreSQL.
    pub(super) warm: Option<Arc<Warm>>,
}

impl Reader {
    async fn primary_one(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match &self.warm {
            Some(warm) => warm.query_one_raw(statement).await,
            None => self.primary.query_one_raw(statement).await,
        }
    }

    async fn primary_all(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match &self.warm {
            Some(warm) => warm.query_all_raw(statement).await,
            None => self.primary.query_all_raw(statement).await,
        }
    }
}

/// Asks the replica, and the primary when there is none or it is lost meanwhile.
macro_rules! read {
    ($reader:expr, $statement:expr, $method:ident, $of_primary:ident) => {{
        let Some(replica) = $reader
            .replica
            .as_ref()
            .filter(|replica| replica.standing() == Standing::Ok)
        else {
            return $reader.$of_primary($statement).await;
        };
        let outcome = tokio::select! {
            outcome = replica.connection.$method($statement.clone()) => Some(outcome),
            // It hangs, or lags by now. What it was asked is asked again; it only reads.
            () = replica.left_out() => None,
        };
        match outcome {
            Some(Err(error)) if is_lost(&error) => replica.leave_out(&error),
            Some(outcome) => return outcome,
            None => {}
        }
        $reader.$of_primary($statement).await
    }};
}

/// A replica also cancels what stands in the way of its replay (40001).
fn is_lost(error: &DbErr) -> bool {
    matches!(
        Trouble::of_database(error),
        Some(Trouble::Unreachable | Trouble::Conflict)
    )
}

#[async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DatabaseBackend {
        self.primary.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.primary.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.primary.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        read!(self, statement, query_one_raw, primary_one)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        read!(self, statement, query_all_raw, primary_all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MAX_LAG: Duration = Duration::from_secs(10);

    #[test]
    fn positions_are_numbers() {
        assert_eq!(parse("0/3000060"), Some(0x0300_0060));
        assert_eq!(parse("16/B374D848"), Some(0x16_B374_D848));
        assert_eq!((parse("16"), parse("x/y")), (None, None));
    }

    #[test]
    fn lag_is_the_age_of_what_was_reached() {
        let (mut positions, start) = (Positions::default(), Instant::now());
        let at = |seconds| start + SECOND * seconds;
        assert_eq!(positions.lag(100, at(0)), None);
        positions.wrote(100, at(0), MAX_LAG);
        assert_eq!(positions.lag(90, at(0)), None);
        assert_eq!(positions.lag(100, at(0)), Some(Duration::ZERO));
        // Nothing is written, and so nothing lags.
        positions.wrote(100, at(1), MAX_LAG);
        assert_eq!(positions.lag(100, at(1)), Some(Duration::ZERO));
        for second in 2..6 {
            positions.wrote(100 + u64::from(second), at(second), MAX_LAG);
        }
        assert_eq!(positions.lag(103, at(5)), Some(2 * SECOND));
        // The primary is away, or the replica is cut off: it grows older with what we know.
        assert_eq!(positions.lag(103, at(20)), Some(17 * SECOND));
        assert_eq!(positions.lag(105, at(20)), Some(15 * SECOND));
        positions.wrote(200, at(21), MAX_LAG);
        assert_eq!(positions.lag(200, at(21)), Some(Duration::ZERO));
    }

    #[test]
    fn what_is_too_old_to_count_is_not_kept() {
        let (mut positions, start) = (Positions::default(), Instant::now());
        for second in 0..1_000 {
            positions.wrote(u64::from(second), start + SECOND * second, MAX_LAG);
        }
        assert_eq!(positions.ahead.len(), 11);
    }
}
