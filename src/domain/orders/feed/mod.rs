//! What happens to orders, told to those who wait for it.
//!
//! An event is written in the transaction of what happened, and that is all a shop's transaction does about it. Afterwards:
//!
//! 1. **`sequence`** gives it its place among all events, by one hand at a time. So places become visible in their order,
//!    and a reader may remember the last one that it saw. (It could not with numbers that are given by the transactions
//!    themselves: those become visible in any order, and a reader would pass by what commits late. On SQLite they are, because
//!    one transaction writes after another.)
//! 2. **`tail`** reads what has a place, once for the process, and hands it to the **`hub`**, which puts it into the channels
//!    of those who wait: no task and no statement for each of them.
//! 3. **`subscribe`** is one of those who wait: what it missed comes from the table, then what the hub has.
//!
//! Wake-ups come from commits of this process and, on PostgreSQL or with Redis, from others. They are only hints: the tail also
//! looks by itself every few seconds.

mod cursor;
mod hub;
mod read;
pub(super) mod sequence;
pub mod subscribe;
mod tail;
mod written;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sea_orm::DbErr;
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

use self::hub::Hub;
use self::tail::Tail;
use self::written::Written;
use crate::domain::news::NewsBus;
use crate::entity::{order_event, shop_order};
use crate::infra::db::Db;
use crate::kernel::clock::{Clock, jittered};
use crate::kernel::error::{Error, Result};
use crate::kernel::id::{OrderId, UserId};

/// What processes on one database call each other by, as the migrations have it that give places.
const HINT: &str = "souk_order_events";

/// How often the tables are looked at without any hint.
pub const EVERY: Duration = Duration::from_secs(2);

/// How long a hint is left to itself after a pass that had much to tell, so that those of one burst are few passes. Otherwise
/// it is followed at once: what comes while a pass is under way is one pass anyway.
const BURST: Duration = Duration::from_millis(2);

/// So many events are much.
const MUCH: u64 = 16;

/// A pass that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// An event with its order, as it was when the event was read.
#[derive(Debug)]
pub struct Happening {
    pub event: Arc<order_event::Model>,
    pub order: Arc<shop_order::Model>,
    /// What it was written as for those who are told of it.
    pub written: Written,
}

/// Whose events somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whose {
    Order(OrderId),
    User(UserId),
    Everybody,
}

/// The events of all orders, as this process knows them.
#[derive(Debug)]
pub struct Feed {
    /// Who of those on one database gave places.
    own: Uuid,
    woken: Notify,
    /// Of those who need a pass at the same time one makes it for all.
    tail: tokio::sync::Mutex<Tail>,
    /// How many passes have begun.
    begun: AtomicU64,
    hub: Hub,
    /// How many events the last pass told.
    told: AtomicU64,
    /// When the last pass of the follower succeeded; None while nobody follows.
    followed_at: Mutex<Option<Instant>>,
    news: NewsBus,
}

/// A pass that failed or was cut off is made up for: what has its place, and was not passed on, others hear of and we do not.
struct Unfinished<'a>(Option<&'a Notify>);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(woken) = self.0 {
            woken.notify_one();
        }
    }
}

impl Feed {
    /// What this process gives a place the others are told by `news`, too.
    pub fn new(news: NewsBus) -> Self {
        Self {
            own: Uuid::new_v4(),
            woken: Notify::new(),
            tail: tokio::sync::Mutex::default(),
            begun: AtomicU64::new(0),
            hub: Hub::default(),
            told: AtomicU64::new(0),
            followed_at: Mutex::default(),
            news,
        }
    }

    /// Something was committed: look now rather than at the next turn.
    pub fn wake(&self) {
        self.woken.notify_one();
    }

    /// Sees to it that all that was committed before the call has its place and is with the hub.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn catch_up(&self, db: &Db, clock: &dyn Clock) -> Result<()> {
        let begun = self.begun.load(Ordering::SeqCst);
        let mut tail = self.tail.lock().await;
        // One that began after we came has seen all that we are to see.
        if let Some((_, outcome)) = tail.outcome.as_ref().filter(|(number, _)| *number > begun) {
            return outcome.clone();
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let mut unfinished = Unfinished(Some(&self.woken));
        let told = tail.pass(db, clock, &self.hub, (self.own, &self.news)).await;
        self.told.store(*told.as_ref().unwrap_or(&0), Ordering::Relaxed);
        if told.is_ok() {
            unfinished.0 = None;
        }
        let outcome = told.map(|_| ());
        tail.outcome = Some((number, outcome.clone()));
        outcome
    }

    /// How long ago the follower of this process last succeeded; None when there is none.
    pub fn behind(&self) -> Option<Duration> {
        let at = *self.followed_at.lock().unwrap_or_else(PoisonError::into_inner);
        at.map(|at| at.elapsed())
    }

    /// Passes events on again and again, until it is dropped: so often, and when it is woken.
    pub async fn follow(&self, db: &Db, clock: &dyn Clock, every: Duration) {
        self.succeeded();
        tokio::join!(self.listen(db), self.pass_on(db, clock, every));
    }

    /// How many subscriptions wait for events in this process.
    pub fn waiting(&self) -> usize {
        self.hub.len()
    }

    fn succeeded(&self) {
        let mut at = self.followed_at.lock().unwrap_or_else(PoisonError::into_inner);
        *at = Some(Instant::now());
    }

    async fn pass_on(&self, db: &Db, clock: &dyn Clock, every: Duration) {
        let mut failing = false;
        loop {
            let pass = tokio::time::timeout(PATIENCE, self.catch_up(db, clock));
            let outcome = pass
                .await
                .unwrap_or_else(|_| Err(Error::internal(anyhow::anyhow!("the database takes too long"))));
            match &outcome {
                Ok(()) => self.succeeded(),
                Err(error) if !failing => {
                    let error = format!("{:#}", anyhow::Error::from(error.clone()));
                    tracing::error!(error, "order events are not passed on for now");
                }
                Err(_) => {}
            }
            if failing && outcome.is_ok() {
                tracing::info!("order events are passed on again");
            }
            failing = outcome.is_err();
            if failing {
                // Hints cannot hurry a database that does not answer.
                tokio::time::sleep(jittered(every)).await;
            } else if tokio::time::timeout(jittered(every), self.woken.notified())
                .await
                .is_ok()
                && self.told.load(Ordering::Relaxed) >= MUCH
            {
                tokio::time::sleep(BURST).await;
            }
        }
    }

    /// Hears other processes. What is lost while nobody listens is found by looking.
    async fn listen(&self, db: &Db) {
        let mut failing = false;
        loop {
            match self.listen_until_it_fails(db).await {
                Ok(()) => return,
                Err(error) if !failing => {
                    tracing::warn!(error = %error, "other processes are not heard for now: order events come seconds later");
                }
                Err(_) => {}
            }
            failing = true;
            tokio::time::sleep(jittered(EVERY)).await;
        }
    }

    /// Ok where there is nothing to listen to.
    async fn listen_until_it_fails(&self, db: &Db) -> Result<(), DbErr> {
        let Some(mut listener) = db.listen(HINT).await? else {
            return Ok(());
        };
        let own = self.own.to_string();
        loop {
            // What this process placed it passes on already.
            if listener.heard().await?.as_ref() != Some(&own) {
                self.wake();
            }
        }
    }
}
