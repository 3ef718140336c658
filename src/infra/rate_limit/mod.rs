//! How much of something one principal may have: a bucket for each, which is full at first, from which is taken, and that
//! fills again bit by bit (the leaky bucket of Shopify's API).

mod bucket;
mod own;

use std::sync::Arc;
use std::time::Duration;

use own::Buckets;

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
    pub fn of_config(config: &RatesConfig, clock: &Arc<dyn Clock>) -> Self {
        let limiter = |name, rate: Option<Rate>| rate.map(|rate| Limiter::new(name, rate, Arc::clone(clock)));
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
}

/// What was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// What is left.
    pub available: u64,
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
}

impl Limiter {
    fn new(name: &'static str, rate: Rate, clock: Arc<dyn Clock>) -> Self {
        Self {
            name,
            rate,
            clock,
            own: Buckets::new(rate),
        }
    }

    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// What a full bucket holds: no more can be asked for at once.
    pub fn capacity(&self) -> u64 {
        bucket::capacity(self.rate)
    }

    /// # Errors
    /// There is not enough in the bucket.
    pub async fn take(&self, key: &str, amount: u64) -> Result<Taken, Empty> {
        let taken = self.own.take(key, amount, self.now());
        if taken.is_err() {
            metrics::counter!("souk_rate_limit_refusals_total", "limit" => self.name).increment(1);
        }
        taken.map(|available| Taken { available })
    }

    /// What was taken and not needed, to where it was taken. Nobody waits for it.
    pub fn give_back(&self, key: &str, _taken: Taken, amount: u64) {
        self.own.give_back(key, amount, self.now());
    }

    fn now(&self) -> i64 {
        self.clock.now().timestamp_micros()
    }
}
