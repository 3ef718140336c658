//! A cache of values by a key of their own, which are forgotten by another one: that of what owns them, which is known only once
//! they have been read.
//!
//! A fill must not overtake a write here either (see `infra::cache`). It notes how many owners had been forgotten when it
//! began, and what it read is kept only if that was the last of them. A drop is counted first, and raises the generation of its
//! owner then: a fill that has not seen the count keeps what it read under the old generation, which is no hit.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use foldhash::fast::RandomState;
use moka::sync::Cache as Moka;

use super::cache::{CacheCounts, Weigh};
use super::generations::Generations;

#[derive(Clone)]
struct Entry<O, V> {
    value: V,
    owner: O,
    generation: u64,
}

/// Values by their key, each with its owner.
pub struct Owned<K, O, V> {
    entries: Option<Moka<K, Entry<O, V>, RandomState>>,
    generations: Generations,
    drops: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// When a fill began.
#[derive(Clone, Copy, Debug)]
pub struct Begun(u64);

impl<K, O, V> std::fmt::Debug for Owned<K, O, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Owned")
            .field("hits", &self.hits)
            .field("misses", &self.misses)
            .finish_non_exhaustive()
    }
}

impl<K, O, V> Owned<K, O, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    O: Hash + Clone + Send + Sync + 'static,
    V: Weigh + Clone + Send + Sync + 'static,
{
    /// Holds about `bytes` of values, each for `time_to_live` at most. 0 bytes: nothing is kept.
    pub fn new(bytes: u64, time_to_live: Duration) -> Self {
        let entries = (bytes > 0).then(|| {
            Moka::builder()
                .max_capacity(bytes)
                .weigher(|_, entry: &Entry<O, V>| entry.value.weight())
                .time_to_live(time_to_live)
                .build_with_hasher(RandomState::default())
        });
        Self {
            entries,
            generations: Generations::new(),
            drops: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// The value of a key, if it is here.
    pub fn get(&self, key: &K) -> Option<V> {
        let entry = self.entries.as_ref().and_then(|entries| entries.get(key));
        let entry = entry.filter(|entry| entry.generation == self.generations.of(&entry.owner));
        let seen = if entry.is_some() { &self.hits } else { &self.misses };
        seen.fetch_add(1, Ordering::Relaxed);
        Some(entry?.value)
    }

    /// To be called before what is to be kept is read.
    pub fn begin(&self) -> Begun {
        Begun(self.drops.load(Ordering::SeqCst))
    }

    /// Keeps what was read since, unless anything was forgotten meanwhile.
    pub fn keep(&self, begun: Begun, read: impl IntoIterator<Item = (K, O, V)>) {
        let Some(entries) = &self.entries else { return };
        let with_generation = |(key, owner, value)| {
            let generation = self.generations.of(&owner);
            let entry = Entry {
                value,
                owner,
                generation,
            };
            (key, entry)
        };
        let read: Vec<_> = read.into_iter().map(with_generation).collect();
        if self.begin().0 != begun.0 {
            return;
        }
        for (key, entry) in read {
            entries.insert(key, entry);
        }
    }

    /// Forgets all that is this owner's. Whoever asks after this returned sees nothing read before it was called.
    pub fn drop_owner(&self, owner: &O) {
        self.drops.fetch_add(1, Ordering::SeqCst);
        self.generations.raise(owner);
    }

    /// The same for all owners at once.
    pub fn drop_all(&self) {
        self.drops.fetch_add(1, Ordering::SeqCst);
        self.generations.raise_all();
        if let Some(entries) = &self.entries {
            entries.invalidate_all();
        }
    }

    pub fn counts(&self) -> CacheCounts {
        CacheCounts {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> Owned<&'static str, u8, String> {
        Owned::new(10_000, Duration::from_secs(60))
    }

    fn row(value: &str) -> [(&'static str, u8, String); 1] {
        [("small mug", 1, value.to_owned())]
    }

    #[test]
    fn a_value_is_kept_until_its_owner_is_forgotten() {
        let cache = cache();
        assert_eq!(cache.get(&"small mug"), None);
        cache.keep(cache.begin(), row("old"));
        assert_eq!(cache.get(&"small mug"), Some("old".to_owned()));
        cache.drop_owner(&1);
        assert_eq!(cache.get(&"small mug"), None);
        cache.keep(cache.begin(), row("new"));
        assert_eq!(cache.get(&"small mug"), Some("new".to_owned()));
        cache.drop_all();
        assert_eq!(cache.get(&"small mug"), None);
        assert_eq!(cache.counts(), CacheCounts { hits: 2, misses: 3 });
    }

    #[test]
    fn a_fill_that_a_write_overtook_is_not_kept() {
        let cache = cache();
        let begun = cache.begin();
        cache.drop_owner(&1);
        cache.keep(begun, row("old"));
        assert_eq!(cache.get(&"small mug"), None);
        let begun = cache.begin();
        cache.drop_all();
        cache.keep(begun, row("old"));
        assert_eq!(cache.get(&"small mug"), None);
    }

    #[test]
    fn nothing_is_kept_without_room() {
        let cache: Owned<&'static str, u8, String> = Owned::new(0, Duration::from_secs(60));
        cache.keep(cache.begin(), row("old"));
        assert_eq!(cache.get(&"small mug"), None);
    }
}
