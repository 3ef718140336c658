//! A cache of what is public and the same for everyone: typed, bounded by weight, filled once when many
//! ask at the same time, never older than the last write.
//!
//! The danger of every such cache is the fill that overtakes a write: it reads the old row, the
//! write commits and drops the (still missing) entry, and then the fill stores the old row for good. So an
//! entry carries the generation in which its fill began, a drop raises the generation, and an entry of
//! an older generation is no hit.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use futures_util::FutureExt as _;
use moka::future::Cache as Moka;
use tokio::sync::watch;

use super::generations::Generations;

/// How much memory a value takes, roughly, in bytes.
pub trait Weigh {
    fn weight(&self) -> u32;
}

/// Hits and misses since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    pub hits: u64,
    pub misses: u64,
}

#[derive(Clone)]
struct Entry<V> {
    value: V,
    generation: u64,
}

/// A map from one kind of key to its one kind of value. Only what is there is kept, so nobody chooses keys that hash alike.
pub struct Cache<K, V> {
    entries: Option<Moka<K, Entry<V>, RandomState>>,
    generations: Generations,
    filling: Filling<K>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// The keys that are being filled, with the generation in which that began and a channel that closes
/// when it is over.
type Filling<K> = Mutex<HashMap<K, (u64, watch::Receiver<()>)>>;

struct Claims<'a, K: Hash + Eq> {
    mine: Vec<(K, u64)>,
    theirs: Vec<(K, watch::Receiver<()>)>,
    guard: Guard<'a, K>,
}

/// Gives claimed keys back, also when the fill fails or its request is cancelled.
struct Guard<'a, K: Hash + Eq> {
    filling: &'a Filling<K>,
    keys: Vec<(K, u64)>,
    _done: watch::Sender<()>,
}

impl<K: Hash + Eq> Drop for Guard<'_, K> {
    fn drop(&mut self) {
        let mut table = lock(self.filling);
        for (key, generation) in &self.keys {
            if table.get(key).is_some_and(|(theirs, _)| theirs == generation) {
                table.remove(key);
            }
        }
    }
}

/// The table holds no invariant that a panic elsewhere could break.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K, V> std::fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache")
            .field("hits", &self.hits)
            .field("misses", &self.misses)
            .finish_non_exhaustive()
    }
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Weigh + Clone + Send + Sync + 'static,
{
    /// Holds about `bytes` of values, each for `time_to_live` at most. 0 bytes: nothing is kept.
    pub fn new(bytes: u64, time_to_live: Duration) -> Self {
        let entries = (bytes > 0).then(|| {
            Moka::builder()
                .max_capacity(bytes)
                .weigher(|_, entry: &Entry<V>| entry.value.weight())
                .time_to_live(time_to_live)
                .build_with_hasher(RandomState::default())
        });
        Self {
            entries,
            generations: Generations::new(),
            filling: Mutex::default(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// The values of these keys, in their order; a key that `fill` does not know is None, and is not
    /// kept. `fill` is asked once for all keys that are missing, but for those that somebody else is
    /// already being asked for: these are waited for.
    ///
    /// # Errors
    /// Those of `fill`; nothing is kept then.
    pub async fn get_many<E, F>(&self, keys: &[K], fill: impl Fn(Vec<K>) -> F) -> Result<Vec<Option<V>>, E>
    where
        F: Future<Output = Result<Vec<(K, V)>, E>>,
    {
        let mut found: HashMap<K, V> = HashMap::with_capacity(keys.len());
        let mut missing = Vec::new();
        for key in keys {
            match self.peek(key).await {
                Some(value) => drop(found.insert(key.clone(), value)),
                None => missing.push(key.clone()),
            }
        }
        self.hits
            .fetch_add(count(keys.len() - missing.len()), Ordering::Relaxed);
        self.misses.fetch_add(count(missing.len()), Ordering::Relaxed);

        let Claims { mine, theirs, guard } = self.claim(missing);
        if !mine.is_empty() {
            found.extend(self.fill(mine, &fill).await?);
        }
        drop(guard);

        let mut left = Vec::new();
        for (key, mut filling) in theirs {
            // The sender is dropped, never used: an error means that the other fill is over.
            let _over = filling.changed().await;
            match self.peek(&key).await {
                Some(value) => drop(found.insert(key, value)),
                None => left.push((key.clone(), self.generations.of(&key))),
            }
        }
        if !left.is_empty() {
            found.extend(self.fill(left, &fill).await?);
        }
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    async fn fill<E, F>(&self, keys: Vec<(K, u64)>, fill: &impl Fn(Vec<K>) -> F) -> Result<Vec<(K, V)>, E>
    where
        F: Future<Output = Result<Vec<(K, V)>, E>>,
    {
        let filled = fill(keys.iter().map(|(key, _)| key.clone()).collect()).await?;
        if let Some(entries) = &self.entries {
            let generations: HashMap<K, u64> = keys.into_iter().collect();
            for (key, value) in &filled {
                if let Some(generation) = generations.get(key).copied() {
                    entries
                        .insert(
                            key.clone(),
                            Entry {
                                value: value.clone(),
                                generation,
                            },
                        )
                        .await;
                }
            }
        }
        Ok(filled)
    }

    /// Divides the missing keys into those to fill now and those that are being filled.
    fn claim(&self, missing: Vec<K>) -> Claims<'_, K> {
        let (done, filling) = watch::channel(());
        let mut claims = Claims {
            mine: Vec::new(),
            theirs: Vec::new(),
            guard: Guard {
                filling: &self.filling,
                keys: Vec::new(),
                _done: done,
            },
        };
        let mut table = lock(&self.filling);
        for key in missing {
            let generation = self.generations.of(&key);
            match table.get(&key) {
                Some((theirs, filling)) if *theirs == generation && self.entries.is_some() => {
                    claims.theirs.push((key, filling.clone()));
                }
                _ => {
                    table.insert(key.clone(), (generation, filling.clone()));
                    claims.guard.keys.push((key.clone(), generation));
                    claims.mine.push((key, generation));
                }
            }
        }
        claims
    }

    async fn peek(&self, key: &K) -> Option<V> {
        let entry = self.entries.as_ref()?.get(key).await?;
        (entry.generation == self.generations.of(key)).then_some(entry.value)
    }

    /// The value of a key, if it is here and nothing has to be waited for.
    pub fn at_hand(&self, key: &K) -> Option<V> {
        let value = self.peek(key).now_or_never()??;
        self.hits.fetch_add(1, Ordering::Relaxed);
        Some(value)
    }

    /// Forgets a key. Whoever asks after this returned sees nothing read before it was called.
    pub async fn drop_key(&self, key: &K) {
        self.generations.raise(key);
        if let Some(entries) = &self.entries {
            entries.invalidate(key).await;
        }
    }

    /// The same for all keys at once.
    pub fn drop_all(&self) {
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

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Shared values weigh what they hold.
impl<T: Weigh + ?Sized> Weigh for Arc<T> {
    fn weight(&self) -> u32 {
        self.as_ref().weight()
    }
}

impl<T: Weigh> Weigh for [T] {
    fn weight(&self) -> u32 {
        self.iter()
            .fold(64, |sum, item| sum.saturating_add(item.weight()))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::Notify;

    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Price(u32);

    impl Weigh for Price {
        fn weight(&self) -> u32 {
            1
        }
    }

    fn cache() -> Cache<&'static str, Price> {
        Cache::new(1000, Duration::from_secs(60))
    }

    async fn get(cache: &Cache<&'static str, Price>, now: u32) -> Option<Price> {
        let fill = |keys: Vec<&'static str>| async move {
            Ok::<_, Infallible>(keys.into_iter().map(|key| (key, Price(now))).collect())
        };
        cache.get_many(&["mug"], fill).await.unwrap().pop().unwrap()
    }

    #[tokio::test]
    async fn a_value_is_kept_until_it_is_dropped() {
        let cache = cache();
        assert_eq!(get(&cache, 1).await, Some(Price(1)));
        assert_eq!(get(&cache, 2).await, Some(Price(1)));
        cache.drop_key(&"mug").await;
        assert_eq!(get(&cache, 3).await, Some(Price(3)));
        assert_eq!(cache.counts(), CacheCounts { hits: 1, misses: 2 });
    }

    #[tokio::test]
    async fn a_fill_that_a_write_overtook_is_not_kept() {
        let cache = Arc::new(cache());
        let (read, written) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let slow = {
            let (cache, read, written) = (Arc::clone(&cache), Arc::clone(&read), Arc::clone(&written));
            tokio::spawn(async move {
                let fill = |keys: Vec<&'static str>| {
                    let (read, written) = (Arc::clone(&read), Arc::clone(&written));
                    async move {
                        read.notify_one();
                        written.notified().await;
                        Ok::<_, Infallible>(keys.into_iter().map(|key| (key, Price(1))).collect())
                    }
                };
                cache.get_many(&["mug"], fill).await.unwrap()
            })
        };
        read.notified().await;
        cache.drop_key(&"mug").await;
        written.notify_one();
        slow.await.unwrap();
        assert_eq!(get(&cache, 2).await, Some(Price(2)));
    }

    #[tokio::test]
    async fn everything_is_forgotten_at_once_and_a_fill_that_began_before_is_not_kept() {
        let cache = cache();
        assert_eq!(get(&cache, 1).await, Some(Price(1)));
        cache.drop_all();
        assert_eq!(get(&cache, 2).await, Some(Price(2)));
        let overtaken = |keys: Vec<&'static str>| {
            cache.drop_all();
            async move { Ok::<_, Infallible>(keys.into_iter().map(|key| (key, Price(2))).collect()) }
        };
        cache.drop_all();
        cache.get_many(&["mug"], overtaken).await.unwrap();
        assert_eq!(get(&cache, 3).await, Some(Price(3)));
    }

    #[tokio::test]
    async fn many_who_ask_at_once_make_one_fill() {
        let cache = Arc::new(cache());
        let fills = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let (cache, fills) = (Arc::clone(&cache), Arc::clone(&fills));
                tokio::spawn(async move {
                    let fill = |keys: Vec<&'static str>| {
                        fills.fetch_add(1, Ordering::SeqCst);
                        async move {
                            tokio::time::sleep(Duration::from_millis(50)).await;
                            Ok::<_, Infallible>(keys.into_iter().map(|key| (key, Price(1))).collect())
                        }
                    };
                    cache.get_many(&["mug"], fill).await.unwrap()
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), [Some(Price(1))]);
        }
        assert_eq!(fills.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_failed_or_cancelled_fill_leaves_the_key_to_the_next() {
        let cache = cache();
        let failing = |_| async { Err::<Vec<(&'static str, Price)>, _>("down") };
        assert_eq!(cache.get_many(&["mug"], failing).await, Err("down"));
        let hanging = |_| std::future::pending::<Result<Vec<(&'static str, Price)>, Infallible>>();
        let cancelled =
            tokio::time::timeout(Duration::from_millis(10), cache.get_many(&["mug"], hanging)).await;
        assert!(cancelled.is_err());
        assert_eq!(get(&cache, 4).await, Some(Price(4)));
    }
}
