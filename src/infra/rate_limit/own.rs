//! The buckets of this instance, of which only those are kept that are not full.

use std::sync::{Arc, Mutex, PoisonError};

use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::Empty;
use super::bucket::Bucket;
use crate::kernel::config::Rate;

/// Some twenty megabytes. Whoever has more addresses than this makes us forget who came least lately, and no more.
const MOST: u64 = 100_000;

#[derive(Debug)]
pub(super) struct Buckets {
    rate: Rate,
    buckets: Cache<String, Arc<Mutex<Bucket>>>,
}

impl Buckets {
    pub(super) fn new(rate: Rate) -> Self {
        Self::holding(rate, MOST)
    }

    fn holding(rate: Rate, most: u64) -> Self {
        let buckets = Cache::builder()
            .max_capacity(most)
            // The usual policy would not let a stranger in who comes for the first time, and then he has no limit.
            .eviction_policy(EvictionPolicy::lru())
            // By then it is full, and as good as new.
            .time_to_idle(rate.per)
            .build();
        Self { rate, buckets }
    }

    pub(super) fn take(&self, key: &str, amount: u64, now: i64) -> Result<u64, Empty> {
        let bucket = self.buckets.get_with_by_ref(key, Arc::default);
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.take(self.rate, amount, now)
    }

    pub(super) fn give_back(&self, key: &str, amount: u64, now: i64) {
        if let Some(bucket) = self.buckets.get(key) {
            let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
            bucket.give_back(self.rate, amount, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::*;

    const RATE: Rate = Rate {
        count: 1_000,
        per: Duration::from_secs(3_600),
    };

    #[test]
    fn many_at_once_take_no_more_than_one_after_the_other() {
        let (buckets, taken) = (Buckets::new(RATE), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        if buckets.take("a", 3, 0).is_ok() {
                            taken.fetch_add(3, Ordering::Relaxed);
                            buckets.give_back("a", 1, 0);
                            taken.fetch_sub(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        // The last taker needs three, and has two of them back at most.
        let taken = taken.into_inner();
        assert!((998..=1_000).contains(&taken), "{taken}");
        assert_eq!(buckets.take("b", 1_000, 0), Ok(0), "each has a bucket of his own");
    }

    #[test]
    fn many_addresses_take_no_more_memory_and_each_has_a_limit() {
        let buckets = Buckets::holding(RATE, 100);
        for stranger in 0..20_000 {
            let key = stranger.to_string();
            assert!(buckets.take(&key, 1_000, 0).is_ok());
            assert!(buckets.take(&key, 1, 0).is_err(), "{stranger} has no limit");
        }
        buckets.buckets.run_pending_tasks();
        assert!(
            buckets.buckets.entry_count() <= 100,
            "{}",
            buckets.buckets.entry_count()
        );
    }
}
