//! Dataloaders: one set for each operation, so that nothing read for one caller is seen by another. The
//! key's type says which query answers it.

mod idle;

use async_graphql::dataloader::DataLoader;
use async_graphql::runtime::TokioSpawner;

use crate::domain::context::Context;

pub use idle::Idle;

/// Loads whatever an operation needs. It takes ids, never the actor: who may see what is decided
/// before.
#[derive(Debug)]
pub struct Loader {
    pub(super) context: Context,
}

/// All loaders of one operation.
pub type Loaders = LoaderSet;

pub struct LoaderSet(DataLoader<Loader>);

impl std::fmt::Debug for LoaderSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Loaders")
    }
}

impl LoaderSet {
    pub fn new(context: Context, idle: &Idle) -> Self {
        Self(DataLoader::new(Loader { context }, TokioSpawner::current(), idle.timer()))
    }
}

impl std::ops::Deref for LoaderSet {
    type Target = DataLoader<Loader>;

    fn deref(&self) -> &DataLoader<Loader> {
        &self.0
    }
}
