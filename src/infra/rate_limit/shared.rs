//! The buckets that all instances share, in Redis: each is one key, looked at and changed by one script, by Redis's own
//! clock, and gone once it is full.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redis::Script;
use tokio::sync::Notify;

use super::{Empty, bucket};
use crate::infra::redis::Redis;
use crate::kernel::config::Rate;

/// Kept is what was taken and has not come back yet, as in `bucket`. An amount below 0 is given back.
/// Answers whether it was there, what is left, and in how many microseconds there will be enough.
const SCRIPT: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local count, per, amount = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = redis.call('HMGET', KEYS[1], 'owed', 'at')
local owed, at = tonumber(kept[1]) or 0, tonumber(kept[2]) or now
owed = math.max(0, owed - math.max(0, now - at) * count / per)
if amount > 0 and owed + amount > count + 0.000001 then
  return {0, math.floor(math.max(0, count - owed)), math.ceil((owed + amount - count) * per / count)}
end
owed = math.max(0, owed + amount)
if owed > 0 then
  redis.call('HSET', KEYS[1], 'owed', owed, 'at', math.max(at, now))
  redis.call('PEXPIRE', KEYS[1], math.ceil(owed * per / count / 1000) + 1)
else
  redis.call('DEL', KEYS[1])
end
return {1, math.floor(math.max(0, count - owed)), 0}
";

/// So many principals may have something waiting to be given back. What is lost beyond comes back with time.
const MOST_WAITING: usize = 10_000;

pub(super) struct SharedBuckets {
    redis: Redis,
    script: Script,
    rate: Rate,
    /// What is to be given back, by key.
    waiting: Mutex<HashMap<String, u64>>,
    told: Notify,
}

impl std::fmt::Debug for SharedBuckets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedBuckets").finish_non_exhaustive()
    }
}

impl SharedBuckets {
    pub(super) fn new(redis: Redis, rate: Rate) -> Self {
        Self {
            redis,
            script: Script::new(SCRIPT),
            rate,
            waiting: Mutex::default(),
            told: Notify::new(),
        }
    }

    /// None when Redis does not say.
    pub(super) async fn take(&self, key: &str, amount: u64) -> Option<Result<u64, Empty>> {
        let amount = amount.min(bucket::capacity(self.rate));
        let amount = i64::try_from(amount).unwrap_or(i64::MAX);
        let (taken, available, micros) = self.change(key, amount).await?;
        Some(if taken {
            Ok(available)
        } else {
            let retry_after = std::time::Duration::from_micros(micros);
            Err(Empty {
                available,
                retry_after,
            })
        })
    }

    /// Written down, and sent by [`Self::send`].
    pub(super) fn give_back(&self, key: &str, amount: u64) {
        let mut waiting = self.waiting();
        if let Some(sum) = waiting.get_mut(key) {
            *sum = sum.saturating_add(amount);
        } else if waiting.len() < MOST_WAITING {
            waiting.insert(key.to_owned(), amount);
        }
        drop(waiting);
        self.told.notify_one();
    }

    /// Sends what is given back, until it is dropped.
    pub(super) async fn send(&self) {
        loop {
            self.told.notified().await;
            let all = std::mem::take(&mut *self.waiting());
            for (key, amount) in all {
                let amount = i64::try_from(amount).unwrap_or(i64::MAX);
                // Not tried again: by then time has restored it.
                let _answer = self.change(&key, amount.saturating_neg()).await;
            }
        }
    }

    async fn change(&self, key: &str, amount: i64) -> Option<(bool, u64, u64)> {
        let per = u64::try_from(self.rate.per.as_micros()).unwrap_or(u64::MAX);
        let args = (self.rate.count, per, amount);
        self.redis.script(&self.script, &[key], args).await
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
