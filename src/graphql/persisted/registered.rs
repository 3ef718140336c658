//! Documents that clients have registered by their hash (automatic persisted queries), within bounds of memory.

use std::sync::Arc;

use moka::sync::Cache;

/// No storefront's document is longer; one that is can still be sent in full.
const LONGEST: usize = 64 * 1024;

/// What an entry takes beside its text: the hash, and the cache's own.
const OVERHEAD: usize = 256;

/// Texts by the SHA-256 of each, in hexadecimal. What is asked for often stays.
#[derive(Debug)]
pub(super) struct Registered(Cache<String, Arc<str>>);

/// A text to be kept, under its hash.
#[derive(Clone, Debug)]
pub struct Registration {
    hash: String,
    text: Arc<str>,
}

impl Registration {
    /// None for a text that is too long to be kept.
    pub(super) fn new(hash: String, text: Arc<str>) -> Option<Self> {
        (text.len() <= LONGEST).then_some(Self { hash, text })
    }
}

impl Registered {
    /// None when there is to be no room at all.
    pub(super) fn new(bytes: u64) -> Option<Self> {
        let weight = |_: &String, text: &Arc<str>| u32::try_from(text.len() + OVERHEAD).unwrap_or(u32::MAX);
        let cache = || Cache::builder().max_capacity(bytes).weigher(weight).build();
        (bytes > 0).then(|| Self(cache()))
    }

    pub(super) fn get(&self, hash: &str) -> Option<Arc<str>> {
        self.0.get(hash)
    }

    pub(super) fn keep(&self, Registration { hash, text }: Registration) {
        self.0.insert(hash, text);
    }

    /// Bytes that are taken, as far as the cache has got round to counting.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> u64 {
        self.0.run_pending_tasks();
        self.0.weighted_size()
    }
}
