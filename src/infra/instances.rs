//! Which other processes run on this database, and whether they can tell each other what they do.
//!
//! Each writes now and then that it is there. Another one is there when what it wrote was seen to change: so clocks need not
//! agree, and what a killed process left behind is not taken for one that runs.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration as StdDuration;

use chrono::{DateTime, Duration, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait as _, DbErr, EntityTrait as _, IntoActiveModel as _, QueryFilter as _};
use uuid::Uuid;

use crate::entity::instance::{self, Column, Entity};
use crate::infra::db::Db;
use crate::kernel::clock::{Clock, jittered};

/// How often a process writes that it is there.
const EVERY: StdDuration = StdDuration::from_secs(10);

/// Who has not written for this long is not there any more: three times, and some patience.
const ALIVE: Duration = Duration::seconds(35);

/// What was left behind is deleted after this, whatever clocks say.
const KEPT: Duration = Duration::hours(1);

/// A beat that takes longer has failed.
const PATIENCE: StdDuration = StdDuration::from_secs(10);

/// This process among those on its database.
#[derive(Debug)]
pub struct Instances {
    own: Uuid,
    shares: bool,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    started_at: Option<DateTime<Utc>>,
    others: HashMap<Uuid, Other>,
    /// What was warned about last.
    warned: Option<Strangers>,
}

#[derive(Clone, Copy, Debug)]
struct Other {
    serves: bool,
    shares: bool,
    wrote_at: DateTime<Utc>,
    /// When that was seen to change, by our own clock.
    moved_at: Option<DateTime<Utc>>,
}

/// Others who serve, and cannot be told anything, or cannot tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strangers {
    others: usize,
    /// Whether this process knows where Redis is.
    shares: bool,
}

impl fmt::Display for Strangers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others = self.others;
        let here = if self.shares { "there" } else { "here" };
        write!(
            f,
            "{others} more serve this database, and REDIS_URL is not set {here}: limits count for each instance alone, \
             and what one changes the caches of the others show late (SOUK_CACHE_TTL)"
        )
    }
}

impl Instances {
    /// `shares` says whether there is a Redis to share things by.
    pub fn new(shares: bool) -> Self {
        Self {
            own: Uuid::now_v7(),
            shares,
            seen: Mutex::default(),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that this process is there, and looks who else is. What is to be warned about is told once, and again when it
    /// changes.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn beat(&self, db: &Db, now: DateTime<Utc>, serves: bool) -> Result<Option<Strangers>, DbErr> {
        let started_at = *self.seen().started_at.get_or_insert(now);
        let own = instance::Model {
            id: self.own,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            serves,
            shares: self.shares,
            started_at,
            seen_at: now,
        };
        let again = OnConflict::column(Column::Id)
            .update_column(Column::SeenAt)
            .to_owned();
        let txn = db.begin().await?;
        Entity::insert(own.into_active_model())
            .on_conflict(again)
            .exec_without_returning(&txn)
            .await?;
        Entity::delete_many()
            .filter(Column::SeenAt.lt(now - KEPT))
            .exec(&txn)
            .await?;
        let rows = Entity::find().filter(Column::Id.ne(self.own)).all(&txn).await?;
        txn.commit().await?;
        Ok(self.look(rows, now, serves))
    }

    fn look(&self, rows: Vec<instance::Model>, now: DateTime<Utc>, serves: bool) -> Option<Strangers> {
        let mut seen = self.seen();
        let others = rows.into_iter().map(|row| {
            let moved_at = match seen.others.get(&row.id) {
                Some(known) if known.wrote_at == row.seen_at => known.moved_at,
                Some(_) => Some(now),
                None => None,
            };
            let other = Other {
                serves: row.serves,
                shares: row.shares,
                wrote_at: row.seen_at,
                moved_at,
            };
            (row.id, other)
        });
        seen.others = others.collect();
        let strangers =
            |other: &&Other| other.serves && other.is_there(now) && !(other.shares && self.shares);
        let count = seen.others.values().filter(strangers).count();
        let strangers = (serves && count > 0).then_some(Strangers {
            others: count,
            shares: self.shares,
        });
        let news = strangers != seen.warned;
        seen.warned = strangers;
        strangers.filter(|_| news)
    }

    /// How many processes are there, this one too.
    pub fn count(&self, now: DateTime<Utc>) -> usize {
        let seen = self.seen();
        1 + seen.others.values().filter(|other| other.is_there(now)).count()
    }

    /// Beats again and again, until it is dropped.
    pub async fn follow(&self, db: &Db, clock: &dyn Clock, serves: bool) {
        let mut failing = false;
        loop {
            let beat = tokio::time::timeout(PATIENCE, self.beat(db, clock.now(), serves)).await;
            let problem = match beat {
                Ok(Ok(Some(strangers))) => {
                    tracing::warn!("{strangers}");
                    None
                }
                Ok(Ok(None)) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("the database takes too long to answer".to_owned()),
            };
            if let Some(error) = problem.as_ref().filter(|_| !failing) {
                tracing::warn!(error, "other instances are not looked for, for now");
            }
            failing = problem.is_some();
            tokio::time::sleep(jittered(EVERY)).await;
        }
    }

    /// Says that this process is gone.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn leave(&self, db: &Db) -> Result<(), DbErr> {
        let txn = db.begin().await?;
        Entity::delete_by_id(self.own).exec(&txn).await?;
        txn.commit().await
    }
}

impl Other {
    fn is_there(&self, now: DateTime<Utc>) -> bool {
        self.moved_at.is_some_and(|at| now - at <= ALIVE)
    }
}
