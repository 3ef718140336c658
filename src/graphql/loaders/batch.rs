//! Keys that resolvers ask for at the same time, answered by one statement.
//!
//! async-graphql has a loader too. It takes a lock across an await for each key, which ten thousand keys of one answer
//! queue up for: seconds, where their rows take milliseconds. All resolvers of an operation run in one task, so here a
//! plain lock is never waited for, and the batch runs in that task as well: it ends with the operation.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_graphql::dataloader::Loader as Load;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use tracing::{Instrument as _, Span};

use super::{Idle, Loader};
use crate::graphql::error::{ApiError, Result};
use crate::infra::metric::LOADER_KEYS;
use crate::infra::telemetry::trace;

/// The values that were found, shared by all who asked.
type Found<K> = Result<Arc<HashMap<K, <Loader as Load<K>>::Value>>>;

/// A batch that still takes keys.
struct Open<K: Hash + Eq + Clone + Send + Sync + 'static>
where
    Loader: Load<K, Error = ApiError>,
{
    keys: Vec<K>,
    found: Shared<BoxFuture<'static, Found<K>>>,
}

/// The open batches, by the type of their keys.
type Batches = Mutex<HashMap<TypeId, Box<dyn Any + Send>>>;

/// All loaders of one operation.
pub struct Loaders {
    loader: Arc<Loader>,
    idle: Idle,
    open: Arc<Batches>,
    /// The span of the operation: a batch is part of that, and not of the field that happened to open it.
    operation: Span,
}

impl fmt::Debug for Loaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaders")
            .field("loader", &self.loader)
            .finish_non_exhaustive()
    }
}

impl Loaders {
    pub(super) fn new(loader: Loader, idle: Idle) -> Self {
        Self {
            loader: Arc::new(loader),
            idle,
            open: Arc::default(),
            operation: Span::current(),
        }
    }

    /// The value of a key; None when there is none.
    pub async fn load_one<K>(&self, key: K) -> Result<Option<<Loader as Load<K>>::Value>>
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
        Loader: Load<K, Error = ApiError>,
    {
        let found = self.join(key.clone()).await?;
        Ok(found.get(&key).cloned())
    }

    /// The values of many keys, without those that have none.
    pub async fn load_many<K>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<HashMap<K, <Loader as Load<K>>::Value>>
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
        Loader: Load<K, Error = ApiError>,
    {
        let keys: Vec<K> = keys.into_iter().collect();
        // Nothing is awaited in between, so they are all in one batch.
        let Some(found) = keys.iter().map(|key| self.join(key.clone())).last() else {
            return Ok(HashMap::new());
        };
        let found = found.await?;
        let value = |key: K| found.get(&key).cloned().map(|value| (key, value));
        Ok(keys.into_iter().filter_map(value).collect())
    }

    /// Adds the key to the batch of its type, which is opened if there is none.
    fn join<K>(&self, key: K) -> Shared<BoxFuture<'static, Found<K>>>
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
        Loader: Load<K, Error = ApiError>,
    {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = open.get_mut(&TypeId::of::<K>());
        if let Some(batch) = batch.and_then(|batch| batch.downcast_mut::<Open<K>>()) {
            batch.keys.push(key);
            return batch.found.clone();
        }
        let found = self.send().boxed().shared();
        let batch = Open {
            keys: vec![key],
            found: found.clone(),
        };
        open.insert(TypeId::of::<K>(), Box::new(batch));
        found
    }

    /// Waits until no further key can come, then looks all of them up.
    fn send<K>(&self) -> impl Future<Output = Found<K>> + Send + 'static
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
        Loader: Load<K, Error = ApiError>,
    {
        // Weak: the open batches hold this future.
        let (loader, open) = (Arc::clone(&self.loader), Arc::downgrade(&self.open));
        let (idle, operation) = (self.idle.moment(), self.operation.clone());
        async move {
            idle.await;
            let keys = close(&open);
            let name = name_of::<K>();
            let count = u32::try_from(keys.len()).unwrap_or(u32::MAX);
            LOADER_KEYS.histogram([name]).record(count);
            let span = tracing::trace_span!(
                target: trace::TARGET,
                parent: &operation,
                "loader",
                otel.name = format_args!("load {name}"),
                souk.loader.keys = i64::from(count),
            );
            let found = loader.load(&keys).instrument(span).await;
            found.map(Arc::new)
        }
    }
}

/// What the type of a key is called, such as `ProductById`.
fn name_of<K>() -> &'static str {
    let path = std::any::type_name::<K>();
    path.rsplit("::").next().unwrap_or(path)
}

/// The keys of the batch, each once. The next one opens another batch.
fn close<K>(open: &Weak<Batches>) -> Vec<K>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    Loader: Load<K, Error = ApiError>,
{
    let batch = open.upgrade().and_then(|open| {
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(&TypeId::of::<K>())
    });
    let batch = batch.and_then(|batch| batch.downcast::<Open<K>>().ok());
    let keys = batch.map(|batch| batch.keys).unwrap_or_default();
    let mut seen = std::collections::HashSet::with_capacity(keys.len());
    keys.into_iter().filter(|key| seen.insert(key.clone())).collect()
}
