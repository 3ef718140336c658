//! What was made of many parts, kept until any of them changes: bounded by weight and by age, made once when many ask at the
//! same time, and never older than the last change.
//!
//! An index leads from a part to what is made of it, and a change kills exactly that. The danger is the making that overtakes a
//! change: it reads the old row, the change drops what there is, and then the old row is kept for good. So a change leaves its
//! time behind for each part (in buckets, to be bounded), and what began before a change of one of its parts is not kept.
//!
//! What was killed may be in other hands: a flag in itself says so, so that others can keep it by other keys without an index.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use moka::notification::RemovalCause;
use moka::sync::Cache as Moka;
use tokio::sync::watch;

use crate::infra::cache::Weigh;

const BUCKETS: usize = 4096;

/// How often one waits for somebody else to make it. Then he makes it himself, and keeps nobody waiting.
const WAITS: usize = 2;

/// What a part takes in the index, roughly, in bytes, beside what it weighs itself.
const PART: u32 = 96;

/// Something that was kept.
pub struct Kept<P, V> {
    pub value: V,
    /// Until when it may be given to anybody.
    until: Instant,
    alive: AtomicBool,
    number: u64,
    key: Arc<str>,
    parts: Box<[P]>,
}

impl<P, V> Kept<P, V> {
    /// Whether it is as true as when it was made.
    pub fn is_alive(&self, now: Instant) -> bool {
        self.alive.load(Ordering::SeqCst) && now < self.until
    }
}

impl<P: Weigh, V: Weigh> Weigh for Kept<P, V> {
    fn weight(&self) -> u32 {
        // A part is held twice: here, and in the index.
        let of_part = |part: &P| part.weight().saturating_mul(2).saturating_add(PART);
        let of_parts = self.parts.iter().map(of_part).fold(0, u32::saturating_add);
        let key = u32::try_from(self.key.len()).unwrap_or(u32::MAX);
        self.value.weight().saturating_add(key).saturating_add(of_parts)
    }
}

impl<P, V> fmt::Debug for Kept<P, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("key", &self.key)
            .field("alive", &self.alive)
            .finish_non_exhaustive()
    }
}

type Entries<P, V> = Moka<Arc<str>, Arc<Kept<P, V>>>;

/// Everything that is kept of one kind.
pub struct Store<P, V> {
    entries: Option<Entries<P, V>>,
    index: Arc<Index<P, V>>,
    /// What is being made, with a channel that closes when that is over.
    making: Mutex<HashMap<Arc<str>, watch::Receiver<()>>>,
    longest: Duration,
    numbers: AtomicU64,
    dropped: AtomicU64,
}

struct Index<P, V> {
    table: Mutex<Table<P, V>>,
    hasher: RandomState,
}

struct Table<P, V> {
    made_of: HashMap<P, HashMap<u64, Arc<Kept<P, V>>>>,
    /// Counts changes.
    time: u64,
    /// When a part of this bucket changed last.
    changed: Vec<u64>,
    /// When everything did.
    all_changed: u64,
}

impl<P, V> Index<P, V>
where
    P: Hash + Eq + Clone,
{
    fn table(&self) -> MutexGuard<'_, Table<P, V>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bucket(&self, part: &P) -> usize {
        let buckets = u64::try_from(BUCKETS).unwrap_or(1);
        usize::try_from(self.hasher.hash_one(part) % buckets).unwrap_or_default()
    }
}

impl<P, V> Table<P, V>
where
    P: Hash + Eq,
{
    /// Nobody finds it here any more; whoever has it sees that it is over.
    fn remove(&mut self, kept: &Kept<P, V>) {
        kept.alive.store(false, Ordering::SeqCst);
        for part in &kept.parts {
            if let Some(others) = self.made_of.get_mut(part) {
                others.remove(&kept.number);
                if others.is_empty() {
                    self.made_of.remove(part);
                }
            }
        }
    }
}

/// What comes of asking.
pub enum Asked<'a, P, V>
where
    P: Hash + Eq + Clone + Send + Sync + 'static,
    V: Weigh + Send + Sync + 'static,
{
    Kept(Arc<Kept<P, V>>),
    /// It is not there: whoever asked makes it, if he can.
    Make(Making<'a, P, V>),
}

impl<P, V> fmt::Debug for Asked<'_, P, V>
where
    P: Hash + Eq + Clone + Send + Sync + 'static,
    V: Weigh + Send + Sync + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept(kept) => kept.fmt(f),
            Self::Make(making) => making.fmt(f),
        }
    }
}

/// The turn to make something: over when it is dropped, kept or not.
pub struct Making<'a, P, V>
where
    P: Hash + Eq + Clone + Send + Sync + 'static,
    V: Weigh + Send + Sync + 'static,
{
    store: &'a Store<P, V>,
    key: Arc<str>,
    began: u64,
    /// None for one who does not keep others waiting.
    claim: Option<watch::Sender<()>>,
}

impl<P, V> fmt::Debug for Making<'_, P, V>
where
    P: Hash + Eq + Clone + Send + Sync + 'static,
    V: Weigh + Send + Sync + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Making")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl<P, V> Drop for Making<'_, P, V>
where
    P: Hash + Eq + Clone + Send + Sync + 'static,
    V: Weigh + Send + Sync + 'static,
{
    fn drop(&mut self) {
        let Some(claim) = self.claim.take() else { return };
        // Before anybody wakes: he would find the turn taken, and wait for nothing until he gives up.
        self.store.making().remove(&self.key);
        drop(claim);
    }
}

impl<P, V> fmt::Debug for Store<P, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl<P, V> Store<P, V>
where
    P: Hash + Eq + Clone + Send + Sync + 'static,
    V: Weigh + Send + Sync + 'static,
{
    /// Holds about `bytes`, each for `longest` at most. 0 bytes: nothing is kept.
    pub fn new(bytes: u64, longest: Duration) -> Self
    where
        P: Weigh,
    {
        let index = Arc::new(Index {
            table: Mutex::new(Table {
                made_of: HashMap::new(),
                time: 0,
                changed: vec![0; BUCKETS],
                all_changed: 0,
            }),
            hasher: RandomState::new(),
        });
        let entries = (bytes > 0).then(|| {
            let index = Arc::clone(&index);
            let removed = move |_: Arc<Arc<str>>, kept: Arc<Kept<P, V>>, _: RemovalCause| {
                index.table().remove(&kept);
            };
            Moka::builder()
                .max_capacity(bytes)
                .weigher(|_: &Arc<str>, kept: &Arc<Kept<P, V>>| kept.weight())
                .time_to_live(longest)
                .eviction_listener(removed)
                .build()
        });
        Self {
            entries,
            index,
            making: Mutex::default(),
            longest,
            numbers: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    pub fn is_on(&self) -> bool {
        self.entries.is_some()
    }

    fn making(&self) -> MutexGuard<'_, HashMap<Arc<str>, watch::Receiver<()>>> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, key: &str) -> Option<Arc<Kept<P, V>>> {
        let kept = self.entries.as_ref()?.get(key)?;
        kept.is_alive(Instant::now()).then_some(kept)
    }

    /// What is kept by this key, also when somebody else is just making it; else the turn to make it.
    pub async fn ask(&self, key: &str) -> Asked<'_, P, V> {
        let mut waited = 0;
        loop {
            if let Some(kept) = self.get(key) {
                return Asked::Kept(kept);
            }
            let mut theirs = match self.claim(key) {
                Ok(making) => {
                    // Between the look and the claim somebody may have finished.
                    return match self.get(key) {
                        Some(kept) => Asked::Kept(kept),
                        None => Asked::Make(making),
                    };
                }
                Err(theirs) => theirs,
            };
            if waited == WAITS {
                return Asked::Make(self.turn(key.into(), None));
            }
            waited += 1;
            // The sender is dropped, never used: an error means that the other one is done.
            let _over = theirs.changed().await;
        }
    }

    fn claim(&self, key: &str) -> Result<Making<'_, P, V>, watch::Receiver<()>> {
        let mut making = self.making();
        if let Some(theirs) = making.get(key) {
            return Err(theirs.clone());
        }
        let (done, waiting) = watch::channel(());
        let key: Arc<str> = key.into();
        making.insert(Arc::clone(&key), waiting);
        drop(making);
        Ok(self.turn(key, Some(done)))
    }

    fn turn(&self, key: Arc<str>, claim: Option<watch::Sender<()>>) -> Making<'_, P, V> {
        Making {
            store: self,
            key,
            began: self.index.table().time,
            claim,
        }
    }

    /// Kills all that is made of any of these. Whoever asks after this returned is given nothing that was read before it was
    /// called.
    pub fn drop_parts(&self, parts: &[P]) {
        if !self.is_on() || parts.is_empty() {
            return;
        }
        let buckets: Vec<usize> = parts.iter().map(|part| self.index.bucket(part)).collect();
        let mut dead = Vec::new();
        let mut table = self.index.table();
        table.time += 1;
        let now = table.time;
        for (part, bucket) in parts.iter().zip(buckets) {
            if let Some(changed) = table.changed.get_mut(bucket) {
                *changed = now;
            }
            dead.extend(
                table
                    .made_of
                    .remove(part)
                    .into_iter()
                    .flat_map(HashMap::into_values),
            );
        }
        for kept in &dead {
            table.remove(kept);
        }
        drop(table);
        self.bury(dead);
    }

    /// Kills everything.
    pub fn drop_all(&self) {
        if !self.is_on() {
            return;
        }
        let mut table = self.index.table();
        table.time += 1;
        table.all_changed = table.time;
        let made_of = std::mem::take(&mut table.made_of);
        let dead: Vec<_> = made_of.into_values().flat_map(HashMap::into_values).collect();
        for kept in &dead {
            kept.alive.store(false, Ordering::SeqCst);
        }
        drop(table);
        self.bury(dead);
        // What is made of no part at all.
        if let Some(entries) = &self.entries {
            entries.invalidate_all();
        }
    }

    /// Without the index's lock, which the cache takes when it lets go of something.
    fn bury(&self, mut dead: Vec<Arc<Kept<P, V>>>) {
        let Some(entries) = &self.entries else { return };
        // Made of several of the parts, it is here several times.
        dead.sort_unstable_by_key(|kept| kept.number);
        dead.dedup_by_key(|kept| kept.number);
        for kept in &dead {
            entries.invalidate(&kept.key);
        }
        let count = u64::try_from(dead.len()).unwrap_or(u64::MAX);
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// How many were dropped since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// How many bytes are held, roughly.
    pub fn weight(&self) -> u64 {
        self.entries.as_ref().map_or(0, Moka::weighted_size)
    }
}

impl<P, V> Making<'_, P, V>
where
    P: Hash + Eq + Clone + Send + Sync + 'static,
    V: Weigh + Send + Sync + 'static,
{
    /// Keeps what was made of these parts for so long at most, unless one of them has changed since it began; None then.
    pub fn keep(self, parts: Vec<P>, value: V, longest: Duration) -> Option<Arc<Kept<P, V>>> {
        let Store {
            entries,
            index,
            numbers,
            ..
        } = self.store;
        let entries = entries.as_ref()?;
        let buckets: Vec<usize> = parts.iter().map(|part| index.bucket(part)).collect();
        let kept = Arc::new(Kept {
            value,
            until: Instant::now() + longest.min(self.store.longest),
            alive: AtomicBool::new(true),
            number: numbers.fetch_add(1, Ordering::Relaxed),
            key: Arc::clone(&self.key),
            parts: parts.into(),
        });
        let mut table = index.table();
        let changed_since = |bucket: usize| table.changed.get(bucket).is_none_or(|at| *at > self.began);
        if table.all_changed > self.began || buckets.into_iter().any(changed_since) {
            return None;
        }
        for part in &kept.parts {
            let others = table.made_of.entry(part.clone()).or_default();
            others.insert(kept.number, Arc::clone(&kept));
        }
        drop(table);
        // A change that comes in between kills it in the index, and nobody takes what is dead out of here.
        entries.insert(Arc::clone(&self.key), Arc::clone(&kept));
        Some(kept)
    }
}
