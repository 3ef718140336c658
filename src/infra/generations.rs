//! How often what a key stands for has changed. What is kept notes the number that it is kept under, and is good for nothing
//! once the number is another one. Many keys share a number, so that there are not more of them the more keys there are: a change
//! of one of these forgets the others, too.

use std::hash::{BuildHasher as _, Hash};
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::RandomState;

const BUCKETS: u64 = 1024;

/// The numbers of all keys.
#[derive(Debug)]
pub(super) struct Generations {
    hasher: RandomState,
    buckets: Vec<AtomicU64>,
}

impl Generations {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::default(),
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub(super) fn of(&self, key: &impl Hash) -> u64 {
        self.bucket(key).map_or(0, |bucket| bucket.load(Ordering::SeqCst))
    }

    pub(super) fn raise(&self, key: &impl Hash) {
        if let Some(bucket) = self.bucket(key) {
            bucket.fetch_add(1, Ordering::SeqCst);
        }
    }

    pub(super) fn raise_all(&self) {
        for bucket in &self.buckets {
            bucket.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn bucket(&self, key: &impl Hash) -> Option<&AtomicU64> {
        let index = self.hasher.hash_one(key) % BUCKETS;
        self.buckets.get(usize::try_from(index).ok()?)
    }
}
