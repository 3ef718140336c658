//! How much of something one principal may have: a bucket for each, which is full at first, from which is taken, and that
//! fills again bit by bit (the leaky bucket of Shopify's API).
//!
//! With Redis a bucket is the same for all instances. While it does not answer each instance goes by its own.

mod bucket;
mod own;
mod shared;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use own::Buckets;
use shared::SharedBuckets;

use super::redis::Redis;
use crate::infra::metric::RATE_LIMIT_REFUSALS;
use crate::kernel::actor::{Actor, Role};
use crate::kernel::clock::Clock;
use crate::kernel::config::{Rate, RatesConfig};

/// The limits that there are; None for any number.
#[derive(Debug)]
pub struct Rates {
    api: Option<Limiter>,
    staff: Option<Limiter>,
    pub payments: Option<Limiter>,
}

impl Rates {
    pub fn of_config(config: &RatesConfig, clock: &Arc<dyn Clock>, redis: Option<&Redis>) -> Self {
        let limiter = |name, rate: Option<Rate>| {
            rate.map(|rate| Limiter {
                name,
                rate,
                clock: Arc::clone(clock),
                own: Buckets::new(rate),
                shared: redis.map(|redis| SharedBuckets::new(redis.clone(), rate)),
            })
        };
        Self {
            api: limiter("api", config.api),
            staff: limiter("staff", config.staff),
            payments: limiter("payments", config.payments),
        }
    }

    /// What limits the cost of somebody's operations.
    pub fn of_operations(&self, actor: &Actor) -> Option<&Limiter> {
        match actor.role() {
            Some(Role::Staff | Role::Admin) => self.staff.as_ref(),
            Some(Role::Customer) | None => self.api.as_ref(),
        }
    }

    /// Tells Redis what was given back, until it is dropped: no request waits for that.
    pub async fn pass_on(&self) {
        let send = async |limiter: &Option<Limiter>| match limiter.as_ref().and_then(|it| it.shared.as_ref())
        {
            Some(shared) => shared.send().await,
            None => pending().await,
        };
        tokio::join!(send(&self.api), send(&self.staff), send(&self.payments));
    }
}

/// What was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// What is left.
    pub available: u64,
    /// Of the bucket of all instances, and not of our own.
    shared: bool,
}

/// There is not enough: nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Empty {
    pub available: u64,
    /// When there will be, if nobody else takes of it.
    pub retry_after: Duration,
}

/// The buckets of one limit.
#[derive(Debug)]
pub struct Limiter {
    name: &'static str,
    rate: Rate,
    clock: Arc<dyn Clock>,
    own: Buckets,
    shared: Option<SharedBuckets>,
}

impl Limiter {
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// What a full bucket holds: no more can be asked for at once.
    pub fn capacity(&self) -> u64 {
        bucket::capacity(self.rate)
    }

    /// # Errors
    /// There is not enough in the bucket.
    pub async fn take(&self, principal: &str, amount: u64) -> Result<Taken, Empty> {
        let answer = match &self.shared {
            Some(shared) => shared.take(&self.key(principal), amount).await,
            None => None,
        };
        let shared = answer.is_some();
        let taken = answer.unwrap_or_else(|| self.own.take(principal, amount, self.now()));
        if taken.is_err() {
            RATE_LIMIT_REFUSALS.counter([self.name]).increment(1);
        }
        taken.map(|available| Taken { available, shared })
    }

    /// What was taken and not needed, to where it was taken. Nobody waits for it.
    pub fn give_back(&self, principal: &str, taken: Taken, amount: u64) {
        match &self.shared {
            Some(shared) if taken.shared => shared.give_back(&self.key(principal), amount),
            Some(_) | None => self.own.give_back(principal, amount, self.now()),
        }
    }

    fn key(&self, principal: &str) -> String {
        format!("rate:{}:{principal}", self.name)
    }

    fn now(&self) -> i64 {
        self.clock.now().timestamp_micros()
    }
}
